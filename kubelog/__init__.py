"""kubelog reads what kubelets and API servers write to their journals and says what happened.

The way of the data, a room a stage; a room knows only those to its left:

    bytes ─ingest─▶ Block ─klog─▶ headers, records ─message─▶ kinds, fields ─timeline─▶ Change, Incident ─view─▶ text · json · …
"""

from kubelog import native  # isort: skip  (before any leaf is imported)
from kubelog.errors import GrammarError, InputError, KubelogError, StateError, UsageError
from kubelog.live import stream
from kubelog.message.record import Record
from kubelog.message.vocabulary import Event
from kubelog.pipeline import Log, load_grammar, parse_line, read
from kubelog.timeline import Change, Correlator, Incident, Step, Timeline

__version__ = "0.1.0"

__all__ = [
    "Change", "Correlator", "Event", "GrammarError", "Incident", "InputError", "KubelogError", "Log", "Record", "StateError",
    "Step", "Timeline", "UsageError", "__version__", "load_grammar", "parse_line", "read", "stream",
]  # fmt: skip
