"""What becomes of the requests to an API server: slow ones, failed ones, watches, priority and fairness."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from kubelog.klog.values import duration
from kubelog.message.vocabulary.event import Event

_NUMBERED = re.compile(r"\A(?:Trace\[\d+\]: ?)?\s*", re.ASCII)
# `(total time: 7000ms)`; a trace up to 1.7 tells it at its end: `"Get /x" [1.2s] [1ms] END`.
_TOTAL = re.compile(r"\(total time: ([^\s)]+)\)")
_END = re.compile(r'(?:\["|"[^\n]*\] ?|"[^"\n]*" )?\[([^\]\s]+)\] \[[^\]\s]+\] END\]*\Z')
# `[1.2s] [200ms] About to write a response`: since the beginning, since the step before.
_TIMED = re.compile(r"\[([^\]\s]+)\] \[([^\]\s]+)\] (.+)\Z")
# `---"Txn call completed" count:9 498ms (15:20:48.274)]`, and a trace within: `["List etcd3" key:/pods 605ms (15:20:47.669)`.
_TOLD = re.compile(r'(?:---|\[)"([^"]+)"(.*) ([\d.]{1,20}(?:ns|µs|ms|s|m|h)[\w.]{0,20}) \([\d:.]+\)\]*\Z', re.ASCII)


class TraceStep(msgspec.Struct, frozen=True, gc=False):
    """What was done within a trace, how long it took, and (up to 1.19) when it was over, since the trace began."""

    text: str
    took_s: float | None = None
    at_s: float | None = None


def _step(line: str) -> TraceStep | None:
    """A line below a trace as what it says: how long it took, when it was over."""
    found = _TIMED.match(line)
    if found is not None:
        at, took, text = found.groups()
        return TraceStep(text.rstrip("]"), duration(took.encode()), duration(at.encode()))
    found = _TOLD.match(line)
    if found is None:
        return None
    text, told, took = found.groups()
    return TraceStep(text + told.rstrip(), duration(took.encode()))


class SlowTrace(Event, frozen=True, gc=False, kw_only=True):
    """Something took longer than it should: a request, a transaction of etcd, a list. Each step says how long it took."""

    name: str | None = None
    total_s: float | None = None
    steps: list[TraceStep] | None = None

    # What stands behind the name: its fields, when it began, the lines of the steps.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"told": "rest"})
    derived = frozenset(("total_s", "steps"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = cls.plain(holes)
        head, *lines = (holes.get("told") or "").split("\n")
        total = _TOTAL.search(head)
        if total is not None:
            fields["total_s"] = duration(total[1].encode())
        steps = []
        for line in lines:
            line = _NUMBERED.sub("", line)
            end = _END.match(line)
            if end is not None:
                fields.setdefault("total_s", duration(end[1].encode()))
                continue
            step = _step(line)
            if step is not None:
                steps.append(step)
        return {**fields, "steps": steps} if steps else fields


class ApiRequestPanicked(Event, frozen=True, gc=False, kw_only=True):
    """The API server's code broke while it answered a request: the client got an error 500, the server goes on."""

    verb: str | None = None
    uri: str | None = None
    audit_id: str | None = None
    error: str | None = None


# `FinishRequest: post-timeout activity - time-elapsed: 1.2ms, panicked: false, err: context canceled, panic-reason: <nil>`,
# `FinishRequest: post-timeout activity, waited for 5m0s, child goroutine has not returned yet`
_FINISHED = re.compile(r"(?:time-elapsed: |waited for )([^\s,]+), (?:panicked: \w+, err: (.*), panic-reason: )?(.*)", re.DOTALL)


class ApiRequestTimedOut(Event, frozen=True, gc=False, kw_only=True):
    """A request took longer than it may, or its client went away; `elapsed_s` is how long it still ran behind that."""

    verb: str | None = None
    uri: str | None = None
    audit_id: str | None = None
    elapsed_s: float | None = None
    result: str | None = None
    error: str | None = None

    # The whole of it, as it is an error from 1.31 on.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"told": "error"})
    derived = frozenset(("elapsed_s", "result", "error"))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        told = holes.get("told")
        if told is None:
            return holes
        fields = cls.plain(holes)
        found = _FINISHED.search(told)
        if found is None:
            return {**fields, "error": told}
        elapsed, error, result = found.groups()
        said = {"error": error, "result": result}
        return {
            **fields,
            "elapsed_s": duration(elapsed.encode()),
            **{name: one for name, one in said.items() if one and one != "<nil>"},
        }


# What stands in front of an error where the whole line is one, from 1.31 on; a structure stands before the error that it is.
_PREFIX = re.compile(
    r"apiserver was unable to [a-z A-Z]+: |error encountered while streaming results via websocket: |"
    r"apiserver received an error that is not an metav1\.Status: (?:&.*?\}: )?|"
    r"apiserver received an error with wrong status field : ",
    re.DOTALL,
)


class ApiResponseFailed(Event, frozen=True, gc=False, kw_only=True):
    """The answer to a request could not be written, or an error inside had no proper status: often the client was gone."""

    step: str | None = None
    error: str | None = None

    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"told": "error"})
    derived = frozenset(("error",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        told = holes.get("told")
        return holes if told is None else {**cls.plain(holes), "error": _PREFIX.sub("", told, count=1)}


class ApiRequestInvalid(Event, frozen=True, gc=False, kw_only=True):
    """A request, or what it said of an object, made no sense to the server."""

    step: str | None = None
    uri: str | None = None
    error: str | None = None


class ProxyStreamFailed(Event, frozen=True, gc=False, kw_only=True):
    """A connection that the API server hands on (exec, attach, port-forward, a service's proxy) broke or could not be made."""

    step: str | None = None
    endpoint: str | None = None
    error: str | None = None


class WatchStarted(Event, frozen=True, gc=False, kw_only=True):
    """A client watches a resource from a version on."""

    path: str | None = None
    resource_version: str | None = None
    label_selector: str | None = None
    field_selector: str | None = None
    timeout_s: float | None = None


class WatchFailed(Event, frozen=True, gc=False, kw_only=True):
    """A watch broke or could not begin, or an object could not be sent to its client: the client lists again."""

    step: str | None = None
    resource: str | None = None
    error: str | None = None


class WatcherSlow(Event, frozen=True, gc=False, kw_only=True):
    """Events come faster than a watch takes them; at the step `closed` it was ended so that others do not wait."""

    resource: str | None = None
    step: str | None = None
    queued: int | None = None

    # What a structured line says of the objects, where it knows no resource.
    raw: ClassVar[Mapping[str, str]] = types.MappingProxyType({"object": "text"})
    derived = frozenset(("resource",))

    @classmethod
    def derive(cls, holes: dict[str, Any]) -> dict[str, Any]:
        fields = cls.plain(holes)
        if fields.get("resource") is None and holes.get("object"):
            fields["resource"] = holes["object"]
        return fields


class WatchCacheInitialized(Event, frozen=True, gc=False, kw_only=True):
    """The API server's cache of a resource is full: reads and watches of it are answered from here on."""

    resource: str | None = None
    group: str | None = None
    revision: int | None = None


class WatchCacheInitEventsSlow(Event, frozen=True, gc=False, kw_only=True):
    """A new watch waited long for the events that came before it."""

    resource: str | None = None
    events: int | None = None
    took_s: float | None = None


class WatchCacheFailed(Event, frozen=True, gc=False, kw_only=True):
    """The API server's cache of a resource lost etcd, or is not what etcd holds: reads are slow or wrong until it is filled."""

    resource: str | None = None
    group: str | None = None
    step: str | None = None
    revision: str | None = None
    error: str | None = None


class WatchCacheChecked(Event, frozen=True, gc=False, kw_only=True):
    """The API server's cache of a resource is what etcd holds."""

    resource: str | None = None
    group: str | None = None
    revision: int | None = None


class WatchCacheConfigured(Event, frozen=True, gc=False, kw_only=True):
    """How large the cache of a resource may be, and whether it has one."""

    resource: str | None = None
    cached: bool | None = None
    capacity: int | None = None


class WatchCacheTerminated(Event, frozen=True, gc=False, kw_only=True):
    """All watches of a resource were ended, since its cache lost etcd or the server ends: clients list again."""

    resource: str | None = None


class FlowControlConfigured(Event, frozen=True, gc=False, kw_only=True):
    """What priority and fairness, or the limits of requests in flight, allow now."""

    step: str | None = None
    priority_level: str | None = None
    flow_schema: str | None = None
    limit: int | None = None


class FlowControlFailed(Event, frozen=True, gc=False, kw_only=True):
    """Priority and fairness has a broken configuration or a broken count: requests may be queued or refused wrongly."""

    step: str | None = None
    priority_level: str | None = None
    flow_schema: str | None = None
    uri: str | None = None
    error: str | None = None


class FlowControlRejected(Event, frozen=True, gc=False, kw_only=True):
    """Priority and fairness refused a request (429), or took it out of its queue: its priority level is at its limit."""

    priority_level: str | None = None
    reason: str | None = None
    limit: int | None = None
