"""An Answer as text for the terminal. Pure."""

from __future__ import annotations

import textwrap

from bot.types import Answer

_WIDTH = 88
_LAST = ("disclaimer", "contact", "ai", "red flag", "wording")


def as_text(answer: Answer, heading: str = "") -> str:
    """Return the answer with numbered sources; `heading` is the question, where it helps."""
    lines = [f"> {heading}", ""] if heading else []
    first = [n for n in answer.notices if n.kind not in _LAST]
    for notice in first:
        lines += _wrap(f"{notice.title} {notice.text}".strip())
        lines += [f"  {action.label}" for action in notice.actions]
        lines.append("")
    for title, sentences in (*answer.parts, ("Guidelines disagree.", answer.disagreement)):
        if sentences:
            marked = " ".join(f"{s.text} [{', '.join(map(str, s.citations))}]" for s in sentences)
            lines += [*_wrap(f"{title} {marked}".strip()), ""]
    for citation in answer.citations:
        document = citation.chunk.document
        notes = [document.title, *citation.chunk.headings[-1:], document.url or document.id]
        if document.evidence:
            notes.append(f"evidence: {document.evidence}")
        lines += _wrap(f"[{citation.number}] " + " · ".join(dict.fromkeys(notes)), indent="    ")
        lines += [
            f"    {s.authors or s.title} {s.year or ''} {s.link}".rstrip() for s in citation.sources
        ]
    lines.append("")
    for notice in answer.notices:
        if notice.kind in _LAST:
            ways = ", ".join(action.label for action in notice.actions)
            said = ": ".join(part for part in (notice.title, notice.text or ways) if part)
            lines += _wrap(said if ways in said else f"{said} ({ways})")
    return "\n".join(lines).strip() + "\n"


def trace_as_text(answer: Answer) -> str:
    """Return what staff want to see: triage, rewriting, evidence, and every hit with its scores."""
    trace = answer.trace
    lines = [
        "--- trace",
        f"triage: {trace.triage.kind} by rule '{trace.triage.rule}' ({trace.triage.reason})",
        f"read as: {trace.standalone or '(not retrieved)'}",
        f"looked up: {trace.lookup or '(not retrieved)'}",
    ]
    if trace.evidence is not None:
        lines.append(f"evidence: {trace.evidence:.2f} (needs {trace.threshold})")
    if draft := trace.draft:
        lines.append(f"model: {draft.kept} kept, {len(draft.dropped)} dropped. {draft.failure}")
        lines += [f"  dropped: {d.sentence!r}: {d.reason}" for d in draft.dropped]
    for hit in answer.hits:
        dense = "-" if hit.dense is None else f"{hit.dense:.3f}"
        lexical = "-" if hit.lexical is None else f"{hit.lexical:.2f}"
        where = " > ".join((hit.chunk.document.id, *hit.chunk.headings))
        lines.append(
            f"{hit.rank:3} score {hit.score:.3f} dense {dense} lexical {lexical} "
            f"({hit.found_by}) {where}"
        )
    times = ", ".join(f"{step} {ms:.1f} ms" for step, ms in trace.milliseconds.items())
    return "\n".join([*lines, f"time: {times}"]) + "\n"


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent) or [""]
