"""When to say "I can't answer that": what each threshold of evidence answers and refuses.

Questions the pages answer come from the golden and the hard set, those they do not from
`unanswerable.jsonl`: health questions on other subjects, near misses, other people's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.pipeline import Assistant
from bot.triage import triage
from eval.answers import turns_before
from eval.formats import Question
from eval.statistics import Estimate, share

STEPS = tuple(step / 20 for step in range(21))


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question, and how sure it is that the pages answer it: 0 if triage refuses it outright."""

    question: Question
    sure: float


def weigh(questions: Sequence[Question], assistant: Assistant) -> list[Weighed]:
    """Return the evidence for each question, that of its weakest part."""
    weighed = []
    for question in questions:
        sure = 0.0
        if triage(question.text).kind in ("answer", "personal"):
            found = assistant.look_up(question.text, turns_before(question, assistant))
            sure = min(part.sure for part in found)
        weighed.append(Weighed(question, sure))
    return weighed


def summary(weighed: Sequence[Weighed], threshold: float) -> dict[str, Estimate]:
    """Return what is answered and refused at `threshold`, by half and by kind of question."""
    answerable = [w for w in weighed if w.question.answerable]
    others = [w for w in weighed if not w.question.answerable]
    found = {"answerable answered": share([w.sure >= threshold for w in answerable])}
    for split in sorted({w.question.split for w in others}):
        half = [w for w in others if w.question.split == split]
        found[f"unanswerable refused, {split}"] = share([w.sure < threshold for w in half])
    for note in sorted({w.question.note for w in others}):
        kind = [w for w in others if w.question.note == note]
        found[f"unanswerable refused, {note}"] = share([w.sure < threshold for w in kind])
    return found


def curve(weighed: Sequence[Weighed]) -> list[tuple[float, float]]:
    """Return (share of unanswerable refused, share of answerable answered) for STEPS."""
    answerable = [w.sure for w in weighed if w.question.answerable]
    others = [w.sure for w in weighed if not w.question.answerable]
    return [
        (
            share([sure < step for sure in others]).value,
            share([sure >= step for sure in answerable]).value,
        )
        for step in STEPS
    ]
