"""bytes of a value → the value, by the type of its hole. A ValueError says that it does not convert.

Durations are seconds, sizes bytes, percentages fractions. Sources: Go's time.Duration.String, strconv.Quote,
Kubernetes' resource.Quantity, kubelet's format.Pod (`name_namespace(uid)`) and klog.KObj (`namespace/name`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from kubelog.klog import go


class PodRef(msgspec.Struct, frozen=True, gc=False):
    """A pod as a message names it; what the message does not say is None."""

    namespace: str | None
    name: str
    uid: str | None = None


class Quantity(msgspec.Struct, frozen=True, gc=False):
    """A Kubernetes quantity: as written, and its value in its base unit (bytes, cores); None where it is not known."""

    text: str
    value: int | float | None


_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
# No quantity, duration or age is longer; the patterns below try each digit anew where a unit is missing.
_LONGEST: Final = 64
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|μs|ns)", re.ASCII)
# Decimal: 217ns are 2.17e-07 s, not 2.1700000000000002e-07.
_SECONDS: Final = {
    "h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"), "μs": Decimal("1e-6"), "ns": Decimal("1e-9"),
}  # fmt: skip
_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([KMGTPE]i|[numkMGTPE]|)|[eE]([+-]?\d{1,3}))", re.ASCII)
_SUFFIX: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9, "T": Decimal(10) ** 12, "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18, "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50, "Ei": Decimal(2) ** 60,
}  # fmt: skip
_LONGEST_HEAD: Final = 1000
_AGE = re.compile(r"(\d+)(y|d|h|m|s)", re.ASCII)
_AGE_SECONDS: Final = {"y": 31_536_000.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_POD = re.compile(r"([^\s_()]+)_([^\s_()/]+)(?:\(([^\s()]*)\))?")
_NAMESPACED = re.compile(r"(?:([^\s/_()\[\]{},]+)/)?([^\s/_()\[\]{},]+)")
# The plainest list; a small letter may begin what JSON takes for no text.
_NAMES = re.compile(r"\[[A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)*\]", re.ASCII)
_SIZE = re.compile(r"(\d{1,18}(?:[.,]\d{1,3})?)([KMGTPE]?)i?B?", re.ASCII)


def text(value: bytes) -> str:
    r"""Bytes as text: UTF-8, what is not is shown as \xNN."""
    return value.decode("utf-8", "backslashreplace")


def unquote(value: bytes) -> bytes:
    """What a Go-quoted text says, without its quotes; a text that is not quoted (or not closed) as far as it goes."""
    if value[:1] != b'"':
        return value
    escapes = len(value) - 1 - len(value[:-1].rstrip(b"\\"))
    inner = value[1:-1] if len(value) > 1 and value.endswith(b'"') and escapes % 2 == 0 else value[1:]
    escaped = inner.count(b"\\")
    if not escaped:
        return inner
    # Mostly nothing is escaped but quotes.
    return inner.replace(b'\\"', b'"') if escaped == inner.count(b'\\"') else _ESCAPE.sub(_unescape, inner)


def _unescape(found: re.Match[bytes]) -> bytes:
    byte, short, long, octal, other = found.groups()
    if byte:
        return bytes((int(byte, 16),))
    if octal:
        return bytes((int(octal, 8) & 255,))
    if short or long:
        point = int(short or long, 16)
        return chr(point).encode("utf-8", "replace") if point < 0x110000 else b"\xef\xbf\xbd"
    letter = other.decode("latin-1")
    return _ESCAPES.get(letter, letter).encode("latin-1")


def plain(value: bytes) -> str:
    """Text of a pair or a hole: unquoted where it is quoted, a `=<` block as its lines."""
    first = value[:1]
    if first == b'"':
        return text(unquote(value))
    if first == b"<" and value[:2] == b"<\n":
        return text(block(value))
    return text(value)


def block(value: bytes) -> bytes:
    r"""The lines of a `<\n\tline\n >` block."""
    lines = value[2:].removesuffix(b"\n >").split(b"\n")
    return b"\n".join(line.removeprefix(b"\t") for line in lines)


def word(value: bytes) -> str:
    found = plain(value)
    if not found or " " in found or "\t" in found or "\n" in found:
        raise ValueError("expected one word")
    return found


def integer(value: bytes) -> int:
    found = plain(value)
    if not re.fullmatch(r"[+-]?\d{1,19}", found, re.ASCII):
        raise ValueError("expected an integer")
    return _int64(int(found))


def _int64(value: int) -> int:
    """The value, where a column of 64 bits can hold it."""
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("expected an integer of 64 bits")
    return value


def number(value: bytes) -> float:
    found = plain(value)
    if not re.fullmatch(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,3})?", found, re.ASCII):
        raise ValueError("expected a number")
    return float(found)


def boolean(value: bytes) -> bool:
    found = plain(value)
    if found not in ("true", "false"):
        raise ValueError("expected true or false")
    return found == "true"


def duration(value: bytes) -> float:
    """Seconds of a Go duration (`1h2m3.5s`, `0s`)."""
    found = plain(value)
    sign, digits = (-1, found[1:]) if found[:1] == "-" else (1, found)
    if digits == "0":
        return 0.0
    seconds, end = Decimal(0), 0
    for part in _DURATION.finditer(digits[:_LONGEST]):
        if part.start() != end:
            break
        seconds += Decimal(part[1]) * _SECONDS[part[2]]
        end = part.end()
    if not digits or end != len(digits):
        raise ValueError("expected a duration like 1m30s")
    return float(sign * seconds)


def quantity(value: bytes) -> Quantity:
    """A Kubernetes quantity (`100Mi`, `1500m`, `2e3`)."""
    found = plain(value)
    read = _QUANTITY.fullmatch(found) if len(found) <= _LONGEST else None
    if not read:
        raise ValueError("expected a quantity like 100Mi")
    exact = Decimal(read[1]) * (Decimal(10) ** int(read[3]) if read[3] else _SUFFIX[read[2] or ""])
    whole = abs(exact) < 1 << 63 and exact == exact.to_integral_value()
    return Quantity(found, int(exact) if whole else float(exact))


def percent(value: bytes) -> float:
    """The fraction of `92%` (the sign may be left to the pattern) as df and kubelet's flags write it."""
    found = plain(value).removesuffix("%")
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", found, re.ASCII):
        raise ValueError("expected a percentage")
    return float(Decimal(found) / 100)


def items(value: bytes) -> list[str]:
    """The members of `[a b]`, `["a","b"]`, `a, b` or `null`."""
    found = plain(value)
    if found in ("", "null", "<nil>", "[]"):
        return []
    if found[:1] != "[":
        return [part.strip() for part in found.split(",") if part.strip()]
    if _NAMES.fullmatch(found):
        return found[1:-1].split(" ")
    data = go.parse(found)
    if not isinstance(data, list):
        raise ValueError("expected a list")
    return [item if isinstance(item, str) else msgspec.json.encode(item).decode() for item in data]


def pod(value: bytes) -> PodRef:
    """A pod by any of its names: `name_namespace(uid)`, `name_namespace`, `namespace/name`, `{"name":…,"namespace":…}`."""
    return _pod(plain(value))


def _pod(found: str) -> PodRef:
    read = _POD.fullmatch(found)
    if read:
        name, namespace, uid = read.groups()
        return PodRef(namespace, name, uid or None)
    if found[:1] == "{":
        data = go.parse(found)
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            namespace = data.get("namespace")
            return PodRef(namespace if isinstance(namespace, str) and namespace else None, data["name"])
    read = _NAMESPACED.fullmatch(found)
    if not read:
        raise ValueError("expected a pod like name_namespace(uid) or namespace/name")
    return PodRef(read[1], read[2])


def pods(value: bytes) -> list[PodRef]:
    """Several pods: `a_ns(uid), b_ns(uid)`, `["ns/a","ns/b"]`, `[ns/a ns/b]`, `[{"name":…}]`."""
    found = plain(value)
    if found in ("", "null", "<nil>", "[]"):
        return []
    if found[:1] == "[":
        data = go.parse(found)
        if isinstance(data, list):
            return [_pod(item if isinstance(item, str) else msgspec.json.encode(item).decode()) for item in data]
    return [_pod(part.strip()) for part in found.split(",")]


def structure(value: bytes) -> Any:
    """A Go or JSON structure as data; text where it is none."""
    found = plain(value)
    return go.parse(found) if found.startswith(("{", "[", "&", "map[")) else found


def age(value: bytes) -> float | None:
    """Seconds of an age as kubectl prints it: `9d`, `3h20m`, `14s`; None of one that it does not know (`<unknown>`)."""
    found = text(value)
    if found in ("<unknown>", "<invalid>"):
        return None
    seconds, end = 0.0, 0
    for part in _AGE.finditer(found[:_LONGEST]):
        if part.start() != end:
            break
        seconds += int(part[1][:12]) * _AGE_SECONDS[part[2]]
        end = part.end()
    if not found or end != len(found):
        raise ValueError("expected an age like 3h20m")
    return seconds


def size(value: bytes) -> int:
    """Bytes of a size as df prints it: `5.8G` are GiB (-h), a bare number is in KiB (df without -h)."""
    found = text(value)
    read = _SIZE.fullmatch(found)
    if not read:
        raise ValueError("expected a size like 5.8G")
    power = 1 + "KMGTPE".index(read[2]) if read[2] else 1
    return _int64(int(Decimal(read[1].replace(",", ".")) * 1024**power))


def one_of(*allowed: str) -> Callable[[bytes], str]:
    def check(value: bytes) -> str:
        found = text(value)
        if found not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return found

    return check


def column(value: bytes) -> str:
    """A column's text: blanks inside, none around."""
    found = text(value)
    if not found or found != found.strip() or "  " in found or "\t" in found:
        raise ValueError("expected a column's text")
    return found


def matching(pattern: str, what: str) -> Callable[[bytes], str]:
    """What takes a text of one form: a column that says what it is."""
    whole = re.compile(pattern, re.ASCII)

    def check(value: bytes) -> str:
        found = text(value)
        if not whole.fullmatch(found):
            raise ValueError(f"expected {what}")
        return found

    return check


_MOMENTS = (
    (re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})(?: [A-Z+-][A-Z0-9+-]{1,5})?", re.ASCII), "%Y-%m-%d %H:%M:%S %z"),
    (re.compile(r"[A-Z][a-z]{2}, (\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4})", re.ASCII), "%d %b %Y %H:%M:%S %z"),
)  # fmt: skip


def moment(value: bytes) -> datetime:
    """A time as old tables print it: `2017-10-16 09:50:54 +0800 CST`, `Mon, 16 Oct 2017 09:50:54 +0800`."""
    found = text(value)
    for pattern, form in _MOMENTS:
        read = pattern.fullmatch(found)
        if read:
            return datetime.strptime(read[1], form)
    raise ValueError("expected a date, a time and its zone")


def event_tail(value: bytes) -> tuple[str, float | None, int, str]:
    """MESSAGE, FIRST SEEN, COUNT and NAME, the last columns of `kubectl get events -o wide`."""
    found = text(value)
    words = found.rsplit(None, 3)
    if len(words) < 3 or "\n" in found or not words[-2].isdecimal() or not words[-2].isascii():
        raise ValueError("expected a message, an age, a count and a name")
    if "." not in words[-1]:
        raise ValueError("expected the name of an event")
    message = words[0] if len(words) == 4 else ""
    if message and not found[len(message) :].startswith(("  ", "\t")):
        raise ValueError("expected a message, an age, a count and a name")
    return message, age(words[-3].encode()), int(words[-2][:9]), words[-1]


_HEADS = frozenset(
    """namespace last-seen lastseen first-seen firstseen count name kind subobject subobjectpath type reason source object from age
    message reporting-controller reporting-instance action""".split()
)


def table_head(value: bytes) -> list[str]:
    """The columns of an events table, in its head; none of the dashes below it."""
    found = text(value)
    words = re.sub(r"(?i)\b(last|first) (seen)\b", r"\1-\2", found[:_LONGEST_HEAD]).split()
    if len(found) > _LONGEST_HEAD or "\n" in found or len(words) < 4:
        raise ValueError("expected the head of a table")
    if all(word.strip("-\u2500") == "" for word in words):
        return []
    if not _HEADS.issuperset(word.lower() for word in words) or "reason" not in found.lower():
        raise ValueError("expected the head of a table")
    return [word.replace("-", " ") for word in words]


def mount_point(value: bytes) -> str:
    found = text(value)
    if not found.startswith("/") or "\n" in found:
        raise ValueError("expected an absolute path")
    return found


def variable(value: bytes) -> str:
    found = text(value)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", found):
        raise ValueError("expected a variable's name")
    return found


def flag_text(value: bytes) -> str:
    found = text(value)
    if not found.lstrip().startswith("--") or "\n" in found:
        raise ValueError("expected flags")
    return found


def kubelet_command(value: bytes) -> str:
    """A command line whose program is a kubelet."""
    found = text(value)
    words = found.split()
    programs = [word.rsplit("/", 1)[-1] for word in words[:2]]
    if "\n" in found or not words or "kubelet" not in programs[: 2 if programs[0] in ("hyperkube", "kubenswrapper") else 1]:
        raise ValueError("expected a kubelet's command line")
    return found


_SINCE = re.compile(r"(?:\S+ )?(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?: [A-Za-z]{2,5}| [+-]\d\d(?::?\d\d)?)?", re.ASCII)


def since(value: bytes) -> str:
    """`Mon 2017-10-16 10:25:09 CST` as ISO 8601 local time; zone abbreviations are ambiguous and left out."""
    read = _SINCE.fullmatch(text(value))
    if not read:
        raise ValueError("expected a date and a time")
    year, month, day, hour, minute, second = map(int, read.groups())
    return datetime(year, month, day, hour, minute, second).isoformat()


# What tells the columns of an events table apart. A reason, a kind; a type that Kubernetes does not know.
_CAMEL = r"(?!(?:Normal|Warning)\Z)[A-Z][A-Za-z0-9]*"
_INVOLVED = r"[A-Za-z][A-Za-z0-9.-]*/[^\s/]+"
_FIELD_PATH = r"[a-z][A-Za-z.]*(?:\{[^{}\s]*\}|\[\d+\])|implicitly required container \S+"
_REPORTER = r"\{[^{}\s]* [^{}\s]*\}|[A-Za-z0-9][A-Za-z0-9._/-]*(?:, [A-Za-z0-9][A-Za-z0-9._:-]*)?"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"

CONVERT: Final[dict[str, Callable[[bytes], Any]]] = {
    "word": word, "text": plain, "quoted": plain, "int": integer, "float": number, "bool": boolean,
    "duration": duration, "quantity": quantity, "percent": percent, "list": items, "pod": pod, "pods": pods, "uid": word,
    "id": word, "image": word, "path": plain, "time": plain, "error": plain, "go": structure, "rest": plain, "age": age,
    "size": size, "column": column, "eventtype": one_of("Normal", "Warning"), "mountpoint": mount_point,
    "kubeletcommand": kubelet_command, "variable": variable, "flagtext": flag_text, "since": since,
    "moment": moment, "eventtail": event_tail, "tablehead": table_head,
    "camel": matching(_CAMEL, "a name like FailedMount"), "involved": matching(_INVOLVED, "an object like pod/web"),
    "fieldpath": matching(_FIELD_PATH, "a path like spec.containers{web}"),
    "reporter": matching(_REPORTER, "a source like kubelet, n1"), "dnslabel": matching(_LABEL, "a namespace"),
}  # fmt: skip


def pair(value: bytes) -> Any:
    """The value of a pair as data: quoted text unquoted, bare numbers, booleans and nothing as such, JSON as JSON, %+v as text."""
    if value[:1] == b'"' or value[:2] == b"<\n":
        return plain(value)
    if value in (b"<nil>", b"null"):
        return None
    if value in (b"true", b"false"):
        return value == b"true"
    if re.fullmatch(rb"-?\d{1,18}", value):
        return int(value)
    if re.fullmatch(rb"-?\d{1,18}\.\d{1,18}(e[+-]\d\d)?", value):
        return float(value)
    if value[:1] in (b"{", b"["):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return text(value)
