"""The typed vocabulary: what can be said, whatever its wording. A module a component; this one knows them all.

The vocabulary of a grammar's own events (`[event.Name]`) is made here too, of the same kind of class.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from kubelog.errors import GrammarError
from kubelog.klog import values
from kubelog.klog.values import PodRef, Quantity
from kubelog.message.vocabulary import (  # noqa: F401  # their classes are the vocabulary
    aggregation,
    api,
    apiserver,
    cadvisor,
    certificates,
    client,
    container,
    container_runtime,
    control_plane,
    csi,
    devices,
    dockershim,
    etcd,
    eviction,
    evidence,
    host,
    image,
    kernel,
    kubelet,
    network,
    node,
    pod,
    requests,
    resources,
    runtime,
    start,
    stats,
    status,
    sync,
    volume,
)
from kubelog.message.vocabulary.event import Event

# Which hole types suit a field's Python type; the first is that of a pair's value.
SUITS: Mapping[Any, tuple[str, ...]] = types.MappingProxyType(
    {
        str: (
            "text",
            "word",
            "quoted",
            "uid",
            "id",
            "image",
            "path",
            "error",
            "rest",
            "time",
            "column",
            "eventtype",
            "variable",
            "mountpoint",
            "camel",
            "involved",
            "fieldpath",
            "reporter",
            "dnslabel",
        ),
        int: ("int", "size"),
        float: ("float", "duration", "percent", "age"),
        bool: ("bool",),
        Quantity: ("quantity",),
        PodRef: ("pod",),
        datetime: ("time",),
    }
)


def hole_types(cls: type[Event]) -> dict[str, frozenset[str]]:
    """Hole → the hole types that suit it: fields and raw holes."""
    found: dict[str, frozenset[str]] = {}
    hints = typing.get_type_hints(cls)
    for name in cls.__struct_fields__:
        if name != "seen":
            found[name] = frozenset(_suits(hints[name]))
    for name in cls.raw:
        found[name] = frozenset(values.CONVERT)
    return found


def _suits(hint: Any) -> tuple[str, ...]:
    parts = [part for part in (typing.get_args(hint) or (hint,)) if part is not type(None)]
    one = parts[0] if typing.get_origin(hint) in (types.UnionType, typing.Union) else hint
    if typing.get_origin(one) is list:
        member = typing.get_args(one)[0]
        return ("pods",) if member is PodRef else ("list",)
    if typing.get_origin(one) is dict or one is Any:
        return ("go",)
    return SUITS.get(one, ("text",))


def pair_type(cls: type[Event], name: str) -> str:
    """How the value of a pair becomes this hole's value."""
    if name in cls.raw:
        return cls.raw[name]
    if name in cls.written:
        return cls.written[name]
    suits = _suits(typing.get_type_hints(cls)[name])
    if suits[0] == "float" and name.endswith("_s"):
        return "duration"
    return suits[0]


@functools.cache
def classes() -> dict[str, type[Event]]:
    """The vocabulary's own events by name."""
    return {cls.__name__: cls for cls in Event.__subclasses__() if cls.__module__.startswith(__name__)}


@functools.cache
def vocabulary() -> dict[str, dict[str, frozenset[str]]]:
    """The vocabulary as a grammar is checked against it."""
    return {name: hole_types(cls) for name, cls in classes().items()}


_PYTHON: Mapping[str, Any] = types.MappingProxyType(
    {
        "int": int, "float": float, "duration": float, "percent": float, "bool": bool,
        "quantity": Quantity, "list": list[str], "pod": PodRef, "pods": list[PodRef], "go": Any,
    }
)  # fmt: skip


def declared(events: Mapping[str, Mapping[str, str]]) -> dict[str, type[Event]]:
    """The classes of events that a grammar declares (`[event.Name] fields = {…}`). Raises GrammarError."""
    found: dict[str, type[Event]] = {}
    for name, fields in events.items():
        if name in classes():
            raise GrammarError("grammar", f"the event {name!r} is one of the vocabulary", hint="use another name")
        columns = [(field, _PYTHON.get(type_, str) | None, None) for field, type_ in fields.items()]
        space = {"written": types.MappingProxyType(dict(fields))}
        cls: Any = msgspec.defstruct(name, columns, bases=(Event,), namespace=space, frozen=True, gc=False, kw_only=True)
        found[name] = cls
    return found
