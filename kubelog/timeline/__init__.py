"""4  Events → Changes → Incidents."""

from kubelog.timeline.changes import Timeline
from kubelog.timeline.correlator import WANTED, Correlator
from kubelog.timeline.incident import Change, Incident, Step
from kubelog.timeline.merge import merge

__all__ = ["WANTED", "Change", "Correlator", "Incident", "Step", "Timeline", "merge"]
