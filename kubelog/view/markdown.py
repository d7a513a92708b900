"""Timeline → Markdown, for a ticket or an incident channel."""

from __future__ import annotations

from collections.abc import Iterator

from kubelog.timeline.changes import Timeline
from kubelog.view import words
from kubelog.view.escape import code, markdown, prose, terminal
from kubelog.view.text import Raw


def timeline(found: Timeline, raw: Raw | None = None) -> Iterator[str]:
    """All incidents, a section each."""
    if not len(found):
        yield "No incident."
    for told in words.unfolded(found):
        yield from _incident(told, "##", raw or {})
    for gap in found.gaps:
        yield f"*Gap:* {words.day_and_clock(gap.start)} to {words.day_and_clock(gap.end)}: {markdown(gap.text)}"
        yield ""
    for note in found.notes:
        yield f"*{markdown(note)}*"
        yield ""


def _incident(told: words.Told, level: str, raw: Raw) -> Iterator[str]:
    incident = told.incident
    yield f"{level} {markdown(words.title(incident))}"
    yield ""
    yield f"**{markdown(words.state(incident))}.** {prose(incident.summary)}"
    yield ""
    if incident.cause is not None:
        yield f"**Why** ({incident.cause.confidence}): {prose(incident.cause.text)}"
        yield ""
    yield f"**Since:** {words.since(incident)}. **Over:** {words.over(incident)}."
    yield ""
    yield "| Time | What | Proof |"
    yield "|---|---|---|"
    for step in incident.steps:
        often = f" {words.times(step)}" if step.count > 1 else ""
        # A table's cell ends at a bar, in code too.
        proof = code(words.places(step.evidence)).replace("|", "\\|")
        yield f"| {words.day_and_clock(step.time)} | {markdown(step.text)}{often} | {proof} |"
    yield ""
    if incident.affected.total:
        yield f"**Pods hit** ({incident.affected.total:,}): " + ", ".join(markdown(name) for name in words.pods(incident, 20))
        yield ""
    for step in incident.steps:
        for one in step.evidence:
            if (one.path, one.offset) in raw:
                yield "    " + terminal(raw[one.path, one.offset])
    if raw:
        yield ""
    for finding in incident.findings:
        yield f"- **{markdown(finding.kind)}**: {prose(finding.text)}"
    if incident.findings:
        yield ""
    if incident.advice:
        yield "**What to do**"
        yield ""
    for number, advice in enumerate(incident.advice, 1):
        yield f"{number}. {prose(advice)}"
    yield ""
    if told.folded or told.full:
        yield "**What follows from it**"
        yield ""
    for effect in told.folded:
        yield f"- **{markdown(words.title(effect))}** ({markdown(words.state(effect))}): {prose(effect.summary)}"
    if told.folded:
        yield ""
    for worse in told.full:
        yield from _incident(worse, f"{level}#", raw)
