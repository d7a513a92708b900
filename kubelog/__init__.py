"""kubelog reads what kubelets and API servers write to their journals and says what happened.

The way of the data, a room a stage; a room knows only those to its left:

    bytes ─ingest─▶ Block ─klog─▶ headers, records ─message─▶ kinds, fields ─timeline─▶ Change, Incident ─view─▶ text · json · …
"""

from kubelog import native  # noqa: F401  # isort: skip  (before any leaf is imported)

TYPE_CHECKING = False  # as in typing, which would cost more than the rest of this file
if TYPE_CHECKING:
    from kubelog.errors import GrammarError, InputError, KubelogError, StateError, UsageError
    from kubelog.live import stream
    from kubelog.message.record import Record
    from kubelog.message.vocabulary.event import Event
    from kubelog.pipeline import Log, load_grammar, parse_line, read
    from kubelog.timeline import Change, Correlator, Incident, Step, Timeline
else:
    # The same names again: each is imported when it is first asked for.
    _HOMES = {
        "kubelog.errors": ("GrammarError", "InputError", "KubelogError", "StateError", "UsageError"),
        "kubelog.live": ("stream",),
        "kubelog.message.record": ("Record",),
        "kubelog.message.vocabulary": ("Event",),
        "kubelog.pipeline": ("Log", "load_grammar", "parse_line", "read"),
        "kubelog.timeline": ("Change", "Correlator", "Incident", "Step", "Timeline"),
    }

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                from importlib import import_module

                found = globals()[name] = getattr(import_module(home), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"

__all__ = [
    "Change", "Correlator", "Event", "GrammarError", "Incident", "InputError", "KubelogError", "Log", "Record", "StateError",
    "Step", "Timeline", "UsageError", "__version__", "load_grammar", "parse_line", "read", "stream",
]  # fmt: skip
