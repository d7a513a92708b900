"""Timeline → HTML for a notebook: no script, no style from data, every text escaped."""

from __future__ import annotations

from kubelog.timeline.changes import Timeline
from kubelog.timeline.incident import Incident
from kubelog.view import words
from kubelog.view.escape import markup


def timeline(found: Timeline) -> str:
    """The incidents as sections."""
    if not len(found):
        return "<p><b>No incident.</b></p>"
    notes = "".join(f"<p><i>{markup(note)}</i></p>" for note in found.notes)
    return "".join(_incident(incident, cause, folded) for incident, cause, folded in words.unfolded(found)) + notes


def _incident(incident: Incident, cause: Incident | None, folded: list[Incident]) -> str:
    colour = "#b00020" if incident.severity == "critical" else "#8a6100"
    parts = [
        f'<h4>{markup(words.title(incident))} <span style="color:{colour}">{markup(words.state(incident))}</span></h4>',
        f"<p>{markup(incident.summary)}</p>",
    ]
    if incident.cause is not None:
        parts.append(f"<p><b>Why</b> ({markup(incident.cause.confidence)}): {markup(incident.cause.text)}</p>")
    if cause is not None:
        parts.append(f"<p><b>Follows from</b> {markup(words.title(cause))}.</p>")
    parts.append(f"<p><b>Since</b> {markup(words.since(incident))}. <b>Over:</b> {markup(words.over(incident))}.</p>")
    parts.append("<table><thead><tr><th>Time</th><th>What</th><th>Times</th><th>Proof</th></tr></thead><tbody>")
    for step in incident.steps:
        cells = (words.day_and_clock(step.time), step.text, f"{step.count:,}", words.places(step.evidence))
        parts.append("<tr>" + "".join(f'<td style="text-align:left">{markup(cell)}</td>' for cell in cells) + "</tr>")
    parts.append("</tbody></table>")
    effects = [f"{one.kind}: {words.subject(one)} ({words.state(one)}): {one.summary}" for one in folded]
    told = (
        ("Note", [finding.text for finding in incident.findings]),
        ("What to do", incident.advice),
        ("What follows from it", effects),
    )
    for name, texts in told:
        if texts:
            parts.append(f"<p><b>{name}</b></p><ul>" + "".join(f"<li>{markup(text)}</li>" for text in texts) + "</ul>")
    return "".join(parts)
