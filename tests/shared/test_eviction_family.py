"""Every message of the eviction manager in seven releases, rendered from its source's arguments, is typed with their values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kubelog.engines import Engine
from kubelog.ingest.inputs.sources import Source
from kubelog.klog.values import PodRef, Quantity
from kubelog.pipeline import Log

FACTS = Path(__file__).parents[3] / "shared" / "facts" / "eviction-messages.md"
pytestmark = pytest.mark.skipif(not FACTS.exists(), reason="the facts lie beside the project")

WEB = PodRef("default", "web-0", "0a1b2c3d-0000-11e7-a98b-0650cc001a5b")
DB = PodRef("prod", "db-1", "ffff0000-0000-11e7-a98b-0650cc001a5b")
ERROR = 'failed to get node info: node "n1" not found'


@dataclass
class Given:
    """A value: as %v prints it, as a klog value prints it up to 1.27 and from 1.28 on, and what must be read."""

    text: str
    old: str
    new: str
    value: Any


def quoted(text: str, value: Any = None) -> Given:
    said = json.dumps(text)
    return Given(text, said, said, text if value is None else value)


def bare(text: str) -> Given:
    """A string of a type of its own: klog prints it unquoted up to 1.27."""
    return Given(text, text, json.dumps(text), text)


def named(pod: PodRef) -> str:
    return f"{pod.name}_{pod.namespace}({pod.uid})"


def reference(pod: PodRef) -> str:
    return f"{pod.namespace}/{pod.name}"


POD = Given(named(WEB), f'"{reference(WEB)}"', f'"{reference(WEB)}"', WEB)
PODS = Given(
    f"{named(WEB)}, {named(DB)}", f"[{reference(WEB)} {reference(DB)}]", json.dumps([reference(WEB), reference(DB)]), [WEB, DB]
)
CONDITIONS = Given(
    "[DiskPressure MemoryPressure]", "[DiskPressure MemoryPressure]", '["DiskPressure","MemoryPressure"]',
    ["DiskPressure", "MemoryPressure"],
)  # fmt: skip
SIGNAL, RESOURCE, NOTIFIER = bare("nodefs.available"), bare("ephemeral-storage"), quoted("hard memory eviction threshold")
AVAILABLE, CAPACITY = quoted("3977984Ki", Quantity("3977984Ki", 4073455616)), quoted("7868Mi", Quantity("7868Mi", 8250195968))
QUANTITY = quoted("600Mi", Quantity("600Mi", 629145600))
THRESHOLD = "threshold(signal=nodefs.available, operator={}, value={}, gracePeriod=2m0s)"
NUMBER = Given("1048576", "1048576", "1048576", 1048576)
FLAG = Given("true", "true", "true", True)

# How the sources name what they print.
ARGUMENTS = {
    "format.Pod(attrs.Pod)": POD, "format.Pod(pod)": POD, "klog.KObj(attrs.Pod)": POD, "klog.KObj(pod)": POD,
    "format.Pods(activePods)": PODS, "format.Pods(evictedPods)": PODS, "format.Pods(pods)": PODS,
    "klog.KObjs(evictedPods)": PODS, "klog.KObjs(activePods)": PODS, "klog.KObjs(pods)": PODS,
    "klog.KObjSlice(evictedPods)": PODS, "klog.KObjSlice(activePods)": PODS, "klog.KObjSlice(pods)": PODS,
    "m.nodeConditions": CONDITIONS, "nodeConditions": CONDITIONS,
    "err": quoted(ERROR), "imageFsErr": quoted(ERROR), "splitErr": quoted(ERROR),
    "resourceToReclaim": RESOURCE, "signalToResource[k]": RESOURCE, "signalToResource[threshold.Signal]": RESOURCE,
    "threshold.Signal": SIGNAL, "thresholdToReclaim.Signal": SIGNAL, "signal": SIGNAL, "k": SIGNAL,
    "evictionapi.SignalAllocatableMemoryAvailable": bare("allocatableMemory.available"),
    "evictionapi.SignalMemoryAvailable": bare("memory.available"),
    "v.available": AVAILABLE, "observed.available": AVAILABLE, "v.capacity": CAPACITY, "quantity": QUANTITY,
    "v.time": quoted("2017-10-16 09:50:55.056703 +0800 CST"), "duration": quoted("10s", 10.0),
    "notifier.Description()": NOTIFIER, "m.Description()": NOTIFIER, "memcgThreshold.String()": CAPACITY,
    "threshold": quoted("600Mi", Quantity("600Mi", 629145600)), "pod.UID": bare(str(WEB.uid)), "evictMsg": quoted("The node was low."),
    "m.dedicatedImageFs": FLAG, "m.splitContainerImageFs": FLAG, "*memory.AvailableBytes": NUMBER, "*memory.UsageBytes": NUMBER,
}  # fmt: skip


@dataclass
class Call:
    release: tuple[int, int]
    file: str
    message: str
    arguments: str
    error: str


def calls() -> list[Call]:
    found, release = [], (0, 0)
    for line in FACTS.read_text(encoding="utf-8").splitlines() if FACTS.exists() else ():
        if head := re.match(r"## v1\.(\d+)\.", line):
            release = 1, int(head[1])
        cells = re.fullmatch(r"\|([\w.]+):\d+\|[IWEF]\|\d\|`(.*?)`\|`(.*?)`\|(.*?)\|", line)
        if cells:
            found.append(Call(release, *cells.groups()))
    return found


def value(call: Call, name: str) -> Given:
    if name == "formatThreshold(threshold)":
        # Up to 1.6 operator and value are given in each other's place.
        limit = THRESHOLD.format("600Mi", "LessThan") if call.release < (1, 7) else THRESHOLD.format("LessThan", "{600Mi 0}")
        return quoted(limit, "nodefs.available")
    if name == "logPrefix":
        return quoted("observations" if "capacity" in call.message + call.arguments else "thresholds - updated stats")
    if name == "desc":
        return Given("<100Mi available", "", "", "100Mi")
    return ARGUMENTS[name]


def body(call: Call) -> tuple[str, list[Any]]:
    names = [name.strip() for name in call.arguments.split(", ") if name]
    if call.message == "{{message}}":
        text = "eviction manager: hard memory eviction threshold crossed"
        return (f'"{text}"' if call.release >= (1, 21) else text), [True, False]
    if call.message == "Failed to admit pod %v - %s":
        text = f"Failed to admit pod {POD.text} - node has conditions: %v%!(EXTRA []api.NodeConditionType={CONDITIONS.text})"
        return text, [POD.value, CONDITIONS.value]
    if call.release < (1, 21):
        given = [value(call, name) for name in names]
        texts = iter(given)

        def one(verb: re.Match[str]) -> str:
            text = next(texts).text
            return json.dumps(text) if verb[0] == "%q" else text

        return re.sub(r"%[vsq]", one, call.message).removesuffix("\\n"), [one.value for one in given]
    pairs = [] if call.error in ("", "nil") else [("err", ARGUMENTS["err"])]
    pairs += [(key, value(call, name)) for key, _, name in (pair.partition("=") for pair in names)]
    text = "".join(f" {key}={one.new if call.release >= (1, 28) else one.old}" for key, one in pairs)
    return json.dumps(call.message) + text, [one.value for _, one in pairs]


def same(one: Any, other: Any) -> bool:
    """A pod by its reference has no uid."""
    if isinstance(one, PodRef) and isinstance(other, PodRef):
        return (one.namespace, one.name) == (other.namespace, other.name) and other.uid in (None, one.uid)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("call", [pytest.param(call, id=f"{call.release[1]}-{call.message}-{call.arguments}") for call in calls()])
def test_a_message_of_the_eviction_manager_is_typed_with_what_was_logged(call: Call, engine: Engine) -> None:
    text, wanted = body(call)
    line = f"I1016 09:50:55.056703   17144 {call.file}:1] {text}\n"
    [record] = Log([Source.of("-", (line.encode(),))], engine, year=2017)
    assert record.event is not None, line
    assert record.reason is None, record.reason
    found = list(record.event.fields.values())
    for one in wanted:
        assert any(same(one, other) for other in found), (line, one, found)
