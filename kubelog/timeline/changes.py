"""two views of the incidents → the Changes between them; Changes → the incidents again.

Rules only say what is; what is new in it is found here, in one place, so that folding the Changes always gives what the rules say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, overload

import msgspec

from kubelog.timeline.incident import Change, Gap, Incident, in_order, to_json, with_step


def difference(before: Incident | None, after: Incident) -> list[Change]:
    """What leads from one view of an incident to the next."""
    bare = msgspec.structs.replace(after, steps=())
    if not after.episodes:
        # No incident: what counts of it are its gaps.
        is_new = after.gaps if before is None else before.episodes or before.gaps != after.gaps
        return [Change(bare, "amended")] if is_new else []
    if before is None or not before.episodes:
        opened = [Change(bare, "opened"), *(Change(bare, "step", step) for step in after.steps)]
        return opened if after.state == "open" else [*opened, Change(bare, "closed")]
    changes: list[Change] = []
    old = {step.id: step for step in before.steps}
    last = before.steps[-1] if before.steps else None
    for step in after.steps:
        known = old.pop(step.id, None)
        if known is None:
            changes.append(Change(bare, "step" if last is None or in_order(last) < in_order(step) else "amended", step))
        elif known != step:
            grew = known.text == step.text and known.time == step.time and known.count <= step.count
            changes.append(Change(bare, "updated" if grew else "amended", step))
    changes += [Change(bare, "amended", msgspec.structs.replace(step, count=0)) for step in old.values()]
    closes = before.state == "open" and after.state != "open"
    if closes:
        changes.append(Change(bare, "closed"))
    if not changes and msgspec.structs.replace(before, steps=()) != bare:
        changes.append(Change(bare, "amended"))
    return changes


def withdrawal(before: Incident) -> Change:
    """An incident that a late line showed to be none."""
    return Change(msgspec.structs.replace(before, steps=(), episodes=0, gaps=()), "amended")


class Timeline:
    """Incidents in the order in which they opened: a sequence, made by folding Changes."""

    html: ClassVar[Callable[[Timeline], str] | None] = None  # how a notebook shows it: set by those who know the views

    def __init__(self, changes: Iterable[Change] = ()) -> None:
        self._incidents: dict[str, Incident] = {}
        self._losses: dict[str, tuple[Gap, ...]] = {}  # the gaps of what is no incident, by its id
        self.notes: list[str] = []  # what was assumed
        self.coverage: dict[str, int] = {}  # records by verdict
        for change in changes:
            self.fold(change)

    def fold(self, change: Change) -> None:
        """Take one Change."""
        new = change.incident
        before = self._incidents.get(new.id)
        self._losses.pop(new.id, None)
        if new.episodes == 0:
            self._incidents.pop(new.id, None)
            if new.gaps:
                self._losses[new.id] = new.gaps
            return
        steps = before.steps if before else ()
        if change.step is not None:
            if change.step.count == 0:
                steps = tuple(step for step in steps if step.id != change.step.id)
            else:
                steps = with_step(steps, change.step)
        self._incidents[new.id] = msgspec.structs.replace(new, steps=steps)

    def forget(self, ids: Iterable[str]) -> None:
        """Let go of these incidents."""
        for id_ in ids:
            self._incidents.pop(id_, None)
            self._losses.pop(id_, None)

    def restore(self, incidents: Iterable[Incident], losses: Mapping[str, tuple[Gap, ...]]) -> None:
        """Begin with these incidents, and the gaps of what is none."""
        self._incidents, self._losses = {one.id: one for one in incidents}, dict(losses)

    @property
    def losses(self) -> dict[str, tuple[Gap, ...]]:
        """The gaps that no incident tells of, by what they would be."""
        return dict(self._losses)

    @property
    def incidents(self) -> list[Incident]:
        return sorted(self._incidents.values(), key=lambda one: (one.opened.us if one.opened else -(1 << 62), one.id))

    @property
    def gaps(self) -> list[Gap]:
        """What the input does not tell, in time order."""
        told = (*self._losses.values(), *(one.gaps for one in self.incidents))
        found = {(gap.start.us, gap.end.us, gap.node or "", gap.kind, gap.text): gap for gaps in told for gap in gaps}
        boots = {key[:3] for key in found if key[3] == "boot"}
        return [found[key] for key in sorted(found) if key[3] != "silence" or key[:3] not in boots]

    def __len__(self) -> int:
        return len(self._incidents)

    def __iter__(self) -> Iterator[Incident]:
        return iter(self.incidents)

    @overload
    def __getitem__(self, at: int) -> Incident: ...
    @overload
    def __getitem__(self, at: slice) -> list[Incident]: ...
    def __getitem__(self, at: int | slice) -> Incident | list[Incident]:
        return self.incidents[at]

    def __repr__(self) -> str:
        return f"<kubelog.Timeline of {len(self)} incident{'' if len(self) == 1 else 's'}>"

    def to_dict(self) -> dict[str, Any]:
        """What `kubelog timeline -o json` prints."""
        return {
            "schema": 1,
            "incidents": [one.to_dict() for one in self.incidents],
            "gaps": [to_json(gap) for gap in self.gaps],
            "coverage": dict(self.coverage),
            "notes": list(self.notes),
        }

    def to_pandas(self) -> Any:
        """A row an incident. Needs the extra `table`."""
        try:
            import pandas as pd
        except ImportError:
            raise ImportError("tables need pandas: pip install 'kubelog[table]'") from None
        names = [
            "id",
            "kind",
            "node",
            "subject",
            "state",
            "resolution",
            "severity",
            "opened",
            "last_seen",
            "closed",
            "episodes",
            "summary",
        ]
        frame = pd.DataFrame([{name: one.to_dict()[name] for name in names} for one in self.incidents], columns=names)
        for name in ("opened", "last_seen", "closed"):
            frame[name] = pd.to_datetime(frame[name], errors="coerce", format="ISO8601")
        return frame

    def _repr_html_(self) -> str | None:
        show = type(self).html
        return None if show is None else show(self)
