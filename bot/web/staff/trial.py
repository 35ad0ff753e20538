"""Trying a question: the answer, and everything that led to it, as records for the page.

A second setting is tried with a second Assistant that shares what the first has open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.pipeline import Assistant, merged
from bot.settings import AnswerSettings
from bot.types import Answer, Turn
from index.types import Hit


@dataclass(frozen=True, slots=True)
class Setting:
    """What can be tuned for a try."""

    lexical_weight: float
    min_evidence: float
    passages: int
    model: bool

    @classmethod
    def of(cls, assistant: Assistant) -> Setting:
        """Return the clinic's own setting."""
        settings = assistant.settings
        weight, evidence = settings.index.lexical_weight, settings.answers.min_evidence
        return cls(weight, evidence, 8, assistant.writer is not None)

    @property
    def label(self) -> str:
        """The setting in one line."""
        return (
            f"weight of words {self.lexical_weight:g}, evidence from {self.min_evidence:g}, "
            f"{self.passages} passages, model {'on' if self.model else 'off'}"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A hit as a row: `strength` is its BM25 score beside the best one's, `note` a difference."""

    hit: Hit
    strength: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """A sentence that was not said, and why; `score` is None for a model's own."""

    text: str
    reason: str
    place: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """One question under one setting."""

    label: str
    answer: Answer
    found: tuple[Found, ...]
    left: tuple[Left, ...]

    @property
    def times(self) -> str:
        """The time each step took, in one line."""
        took = self.answer.trace.milliseconds
        parts = [f"{step} {ms:.1f} ms" for step, ms in took.items()]
        return ", ".join([*parts, f"together {sum(took.values()):.0f} ms"])


def tuned(assistant: Assistant, setting: Setting) -> Assistant:
    """Return an assistant of this setting over what `assistant` has open, for a few questions."""
    settings = assistant.settings.model_copy(
        update={"answers": AnswerSettings(min_evidence=setting.min_evidence)}
    )
    retriever = assistant.retriever.tuned(setting.lexical_weight, setting.passages)
    return Assistant(settings, retriever, assistant.writer if setting.model else None)


def history(assistant: Assistant, earlier: str) -> list[Turn]:
    """Return the conversation before the question: the one question asked earlier, if any."""
    if not earlier.strip():
        return []
    answer = assistant.answer(earlier)
    return [Turn(earlier, answer.trace.standalone or earlier, answer.kind)]


def attempt(assistant: Assistant, question: str, before: Sequence[Turn], label: str) -> Tried:
    """Answer the question, and collect what led to the answer."""
    answer = assistant.answer(question, before)
    hits = answer.hits
    if answer.trace.approved:  # found without a search, which is worth seeing all the same
        hits = merged(assistant.look_up(question, before))
    best = max((hit.lexical or 0.0 for hit in hits), default=0.0)
    found = tuple(Found(h, (h.lexical or 0.0) / best if best else 0.0) for h in hits)
    left = left_out(assistant, question, before, answer) if answer.hits else ()
    return Tried(label, answer, found, left)


def compared(one: Tried, other: Tried) -> tuple[Tried, Tried]:
    """Note at each hit whether the other side found it too, and where."""
    return _noted(one, other), _noted(other, one)


def left_out(
    assistant: Assistant, question: str, before: Sequence[Turn], answer: Answer
) -> tuple[Left, ...]:
    """Return the sentences that were retrieved or written and not said, best first."""
    said = {(c.chunk.id, c.start) for c in answer.citations}
    dropped = answer.trace.draft.dropped if answer.trace.draft else ()
    left: dict[tuple[str, int], Left] = {}
    for one in assistant.consider(question, before):
        key = (one.quote.chunk.id, one.quote.start)
        if key not in said and key not in left:
            reason = one.reason or "chosen, but said in other words"
            left[key] = Left(one.quote.text, reason, one.quote.chunk.place, one.score)
    by_score = sorted(left.values(), key=lambda row: -(row.score or 0.0))
    return (*(Left(d.sentence, f"the model's: {d.reason}") for d in dropped), *by_score)


def _noted(tried: Tried, other: Tried) -> Tried:
    ranks = {found.hit.chunk.id: found.hit.rank for found in other.found}

    def note(hit: Hit) -> str:
        there = ranks.get(hit.chunk.id)
        if there is None:
            return "only here"
        return "" if there == hit.rank else f"moved, {there} there"

    return replace(tried, found=tuple(replace(f, note=note(f.hit)) for f in tried.found))
