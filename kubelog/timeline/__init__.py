"""4  Events → Changes → Incidents."""

from typing import TYPE_CHECKING

from kubelog.timeline.changes import Timeline
from kubelog.timeline.incident import Change, Incident, Step
from kubelog.timeline.merge import merge

if TYPE_CHECKING:
    from kubelog.timeline.correlator import WANTED, Correlator
else:

    def __getattr__(name):
        # The rules are imported when someone correlates; who only reads records does without.
        if name in ("WANTED", "Correlator"):
            from kubelog.timeline import correlator

            return getattr(correlator, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["WANTED", "Change", "Correlator", "Incident", "Step", "Timeline", "merge"]
