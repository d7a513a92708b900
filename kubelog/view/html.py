"""Timeline → HTML for a notebook: no script, no style from data, every text escaped."""

from __future__ import annotations

from kubelog.timeline.changes import Timeline
from kubelog.view import words
from kubelog.view.escape import markup


def timeline(found: Timeline) -> str:
    """The incidents as sections."""
    if not len(found):
        return "<p><b>No incident.</b></p>"
    notes = "".join(f"<p><i>{markup(note)}</i></p>" for note in found.notes)
    return "".join(_incident(told, 4) for told in words.unfolded(found)) + notes


def _incident(one: words.Told, level: int) -> str:
    incident = one.incident
    colour = "#b00020" if incident.severity == "critical" else "#8a6100"
    parts = [
        f'<h{level}>{markup(words.title(incident))} <span style="color:{colour}">{markup(words.state(incident))}</span></h{level}>',
        f"<p>{markup(incident.summary)}</p>",
    ]
    if incident.cause is not None:
        parts.append(f"<p><b>Why</b> ({markup(incident.cause.confidence)}): {markup(incident.cause.text)}</p>")
    parts.append(f"<p><b>Since</b> {markup(words.since(incident))}. <b>Over:</b> {markup(words.over(incident))}.</p>")
    parts.append("<table><thead><tr><th>Time</th><th>What</th><th>Times</th><th>Proof</th></tr></thead><tbody>")
    for step in incident.steps:
        cells = (words.day_and_clock(step.time), step.text, f"{step.count:,}", words.places(step.evidence))
        parts.append("<tr>" + "".join(f'<td style="text-align:left">{markup(cell)}</td>' for cell in cells) + "</tr>")
    parts.append("</tbody></table>")
    effects = [f"{words.title(effect)} ({words.state(effect)}): {effect.summary}" for effect in one.folded]
    told = (
        ("Note", [finding.text for finding in incident.findings]),
        ("What to do", incident.advice),
        ("What follows from it", effects),
    )
    for name, texts in told:
        if texts:
            parts.append(f"<p><b>{name}</b></p><ul>" + "".join(f"<li>{markup(text)}</li>" for text in texts) + "</ul>")
    if one.full:
        inner = "".join(_incident(effect, min(6, level + 1)) for effect in one.full)
        parts.append(f"<p><b>What follows from it</b></p><blockquote>{inner}</blockquote>")
    return "".join(parts)
