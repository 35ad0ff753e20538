"""Triage alone, on phrasings of emergencies and of ordinary questions that resemble them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.triage import triage
from eval.formats import Question
from eval.statistics import Estimate, share


def summary(questions: Sequence[Question]) -> dict[str, Estimate]:
    """Return sensitivity and false alarms, in all and by language and phrasing."""
    judged = [(q, triage(q.text).kind == "emergency") for q in questions]
    urgent = [(q, fired) for q, fired in judged if q.kind == "emergency"]
    calm = [(q, fired) for q, fired in judged if q.kind != "emergency"]
    found = {
        "emergencies caught": share([fired for _, fired in urgent]),
        "false alarms": share([fired for _, fired in calm]),
    }
    for lang in sorted({q.lang for q in questions}):
        found[f"caught, {lang}"] = share([fired for q, fired in urgent if q.lang == lang])
    for note in sorted({q.note for q, _ in urgent}):
        found[f"caught, {note}"] = share([fired for q, fired in urgent if q.note == note])
    return found


def faults(questions: Sequence[Question]) -> list[str]:
    """Return a line for every emergency missed and every false alarm."""
    lines = []
    for question in questions:
        fired = triage(question.text)
        if (fired.kind == "emergency") != (question.kind == "emergency"):
            verdict = f"false alarm by '{fired.rule}'" if fired.kind == "emergency" else "missed"
            lines.append(f"{question.id}: {verdict}: {question.text}")
    return lines
