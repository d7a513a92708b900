"""documents → lines: what journalctl, docker, an audit log, etcd and kubectl write as JSON or as fields, as lines that are read.

An entry of the journal becomes what `journalctl -o short-unix` shows, a container's a line of CRI, a request of the audit log what
the API server logs of it as klog's JSON, another program's object a line in logfmt. Lines come without their newline.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

Fields = dict[str, Any]
# The journal's fields that are read.
FIELDS: Final = {
    name.encode(): name
    for name in (
        "__CURSOR", "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "_BOOT_ID", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM",
        "_PID", "SYSLOG_PID", "MESSAGE",
    )
}  # fmt: skip
# What no name in front of a text may hold.
_UNSAID: Final = re.compile(rb"[\x00-\x20\[\]:\x7f]")
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)\Z", re.ASCII)
# What stands for a text that was not told: see cut.py.
_LOST: Final = "…".encode()


def decode(text: bytes) -> Fields | None:
    """The object that a text is, if it is one."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_journal(fields: Fields) -> bool:
    return "__REALTIME_TIMESTAMP" in fields or "_BOOT_ID" in fields or ("MESSAGE" in fields and "__CURSOR" in fields)


def journal(fields: Fields) -> list[bytes]:
    """The lines of an entry of the journal; none where it has no message."""
    if "MESSAGE" not in fields:
        return []
    node, pid = _name(fields, "_HOSTNAME"), _bytes(fields, "_PID", "SYSLOG_PID")
    front = b""
    time = _bytes(fields, "_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")
    if 15 <= len(time) <= 17 and time.isdigit():
        front = time[:-6] + b"." + time[-6:] + b" " + (node + b" " if node else b"")
    pid = pid if len(pid) <= 18 and pid.isdigit() else b""
    front += _name(fields, "SYSLOG_IDENTIFIER", "_COMM") or b"unknown"
    front += b"[" + pid + b"]: " if pid else b": "
    # `null`: journalctl tells no text of 4 KiB and more unless it is asked to, with -a.
    text = _LOST if fields["MESSAGE"] is None else _bytes(fields, "MESSAGE")
    if b"\n" not in text:
        return [front + text]
    first, *more = text.split(b"\n")
    return [front + first, *(b" " * len(front) + line for line in more)]


def boot(fields: Fields) -> bytes:
    return _bytes(fields, "_BOOT_ID")


def _bytes(fields: Fields, *names: str) -> bytes:
    """The first of these fields that says something: text, or numbers of bytes; of a repeated field the first value."""
    for name in names:
        value = fields.get(name)
        if type(value) is bytes and value:
            return value
        if isinstance(value, list) and value and not isinstance(value[0], int):
            value = value[0]
        if isinstance(value, list):
            try:
                value = bytes(value)
            except (TypeError, ValueError):
                value = b""
        if isinstance(value, str):
            value = value.encode("utf-8", "replace")
        if isinstance(value, bytes) and value:
            return value
    return b""


def _name(fields: Fields, *names: str) -> bytes:
    return _UNSAID.sub(b"_", _bytes(fields, *names))[:255]


def container(fields: Fields) -> tuple[bytes, bytes, bytes] | None:
    """Time as in CRI, stream and text of an entry of docker's; its text ends with a newline unless it is a part of a line."""
    text, stream, time = fields.get("log"), fields.get("stream", "stdout"), fields.get("time")
    if not isinstance(text, str) or stream not in ("stdout", "stderr") or not isinstance(time, str):
        return None
    said = _INSTANT.match(time)
    if not said:
        return None
    stamp = f"{said[1].replace(' ', 'T')}.{(said[2] or '')[:9]:0<9}{said[3]}"
    return stamp.encode(), stream.encode(), text.encode("utf-8", "replace")


def said(fields: Fields) -> bytes | None:
    """What an object says that a program logged, as a line; None where it is none that is known."""
    version = fields.get("apiVersion")
    if fields.get("kind") == "Event" and isinstance(version, str):
        return _audit(fields) if version.startswith("audit.k8s.io/") else event(fields)
    message = fields.get("msg", fields.get("message"))
    if "level" in fields and isinstance(message, str):
        return _logfmt(fields, message)
    return None


def _logfmt(fields: Fields, message: str) -> bytes | None:
    """The object of zap (etcd) or logrus (containerd, dockerd): in front its time, where that has a zone."""
    level = fields["level"]
    time = next((fields[key] for key in ("ts", "time", "timestamp", "@timestamp") if key in fields), None)
    if not isinstance(level, str) or not level.isalpha():
        return None
    pairs = [f"level={level}", f"msg={_quoted(message)}"]
    for key, value in fields.items():
        if value is not time and key not in ("level", "msg", "message"):
            pairs.append(f"{re.sub(r'[^A-Za-z0-9_.-]', '_', key) or '_'}={_value(value)}")
    front = ""
    if isinstance(time, str) and _INSTANT.match(time):
        front = time.replace(" ", "T") + " "
    elif isinstance(time, int | float) and 1e8 < time < 2.5e14:
        front = _since_1970(time if time < 1e11 else time / 1000) + " "
    elif time is not None:
        pairs.append(f"ts={_value(time)}")
    return (front + " ".join(pairs)).encode("utf-8", "replace")


def _since_1970(seconds: float) -> str:
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{micro:06}Z"


def _value(value: Any) -> str:
    if isinstance(value, bool | int | float) or value is None:
        return msgspec.json.encode(value).decode()
    return _quoted(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _quoted(text: str) -> str:
    return msgspec.json.encode(text.encode("utf-8", "replace").decode()).decode()


def _audit(fields: Fields) -> bytes | None:
    """A request of the audit log as klog's JSON, with the keys of the API server's own line about it."""
    end = _micros(fields.get("stageTimestamp")) or _micros(fields.get("requestReceivedTimestamp"))
    if end is None:
        return None
    start = _micros(fields.get("requestReceivedTimestamp"))
    user, status, ips = fields.get("user"), fields.get("responseStatus"), fields.get("sourceIPs")
    said: Fields = {"ts": 0, "msg": "HTTP", "v": 0, "verb": fields.get("verb"), "URI": fields.get("requestURI")}
    if start is not None and end >= start and fields.get("stage") in ("ResponseComplete", "Panic"):
        said["latency"] = f"{(end - start) / 1000:g}ms"
    said["userAgent"], said["audit-ID"] = fields.get("userAgent"), fields.get("auditID")
    said["srcIP"] = ips[0] if isinstance(ips, list) and ips else None
    said["resp"] = status.get("code") if isinstance(status, dict) else None
    said["user"] = user.get("username") if isinstance(user, dict) else None
    said["stage"], said["level"] = fields.get("stage"), fields.get("level")
    for name in ("objectRef", "annotations", "impersonatedUser"):
        said[name] = fields.get(name)
    text = msgspec.json.encode({name: value for name, value in said.items() if value is not None})
    return text.replace(b'{"ts":0,', b'{"ts":%d.%03d,' % divmod(end, 1000), 1)


def items(fields: Fields) -> list[Fields]:
    """The events of a list of them."""
    found = fields.get("items")
    if fields.get("kind") not in ("List", "EventList") or not isinstance(found, list):
        return []
    return [one for one in found if isinstance(one, dict) and one.get("kind", "Event") == "Event"]


def event(fields: Fields) -> bytes | None:
    """An event of `kubectl get events -o json`, as a row of the table that kubectl printed with times."""
    about, source, data = (fields.get(name) for name in ("involvedObject", "source", "metadata"))
    about = fields.get("regarding") if not isinstance(about, dict) else about
    reason, kind = fields.get("reason"), fields.get("type")
    last = (
        _micros(fields.get("lastTimestamp")) or _micros(fields.get("deprecatedLastTimestamp")) or _micros(fields.get("eventTime"))
    )
    if last is None and isinstance(data, dict):
        last = _micros(data.get("creationTimestamp"))
    if not isinstance(about, dict) or not isinstance(reason, str) or not isinstance(kind, str) or last is None:
        return None
    first = _micros(fields.get("firstTimestamp")) or _micros(fields.get("deprecatedFirstTimestamp")) or last
    count = fields.get("count", fields.get("deprecatedCount")) or 1
    source = source if isinstance(source, dict) else {"component": fields.get("reportingComponent")}
    component, host = source.get("component") or fields.get("reportingComponent") or "-", source.get("host")
    columns = [
        about.get("namespace"), _go_time(first), _go_time(last), count,
        about.get("name"), about.get("kind"), about.get("fieldPath"),
        kind, reason, f"{component}, {host}" if host else component, fields.get("message") or fields.get("note") or "-",
    ]  # fmt: skip
    if not about.get("name") or not about.get("kind"):
        return None
    return "  ".join(" ".join(str(one).split()) for one in columns if one).encode("utf-8", "replace")


def _go_time(us: int) -> str:
    return f"{datetime.fromtimestamp(us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} +0000 UTC"


def _micros(time: Any) -> int | None:
    """µs since 1970 of an RFC 3339 time."""
    if not isinstance(time, str) or not _INSTANT.match(time):
        return None
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1_000_000)
    except ValueError:
        return None
