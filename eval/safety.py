"""Triage alone, on phrasings of emergencies and of ordinary questions that resemble them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.alarm import alarm
from bot.triage import normalise, triage
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
    for topic in sorted({q.topic for q, _ in urgent}):
        found[f"caught, {topic}"] = share([fired for q, fired in urgent if q.topic == topic])
    for lang in sorted({q.lang for q in questions}):
        found[f"false alarms, {lang}"] = share([fired for q, fired in calm if q.lang == lang])
    for note in sorted({q.note for q, _ in calm}):
        found[f"false alarms, {note}"] = share([fired for q, fired in calm if q.note == note])
    return found


def curve(questions: Sequence[Question]) -> list[tuple[float, float]]:
    """Return (false alarms, emergencies caught) as the alarm's threshold falls, rules left out."""
    scores = [(score(q.text), q.kind == "emergency") for q in questions]
    urgent = [s for s, is_urgent in scores if is_urgent]
    calm = [s for s, is_urgent in scores if not is_urgent]
    return [
        (share([s >= step for s in calm]).value, share([s >= step for s in urgent]).value)
        for step in sorted({s for s, _ in scores}, reverse=True)
    ]


def score(message: str) -> float:
    """Return how alarming the raw words of a message sound, in log odds."""
    return alarm().hear(normalise(message)).score


def faults(questions: Sequence[Question]) -> list[str]:
    """Return a line for every emergency missed and every false alarm."""
    lines = []
    for question in questions:
        fired = triage(question.text)
        if (fired.kind == "emergency") != (question.kind == "emergency"):
            verdict = f"false alarm by '{fired.rule}'" if fired.kind == "emergency" else "missed"
            lines.append(f"{question.id}: {verdict}: {question.text}")
    return lines
