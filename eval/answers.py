"""Answers, checked by field: class, citations, required facts, refusals, forbidden claims."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.followup import parts
from bot.pipeline import Assistant
from bot.types import Answer, Turn
from eval.formats import Question
from eval.statistics import Estimate, mean, share
from index.rules import reading_grade


@dataclass(frozen=True, slots=True)
class Judged:
    """One question with its answer and what is wrong with it; empty faults mean all is right."""

    question: Question
    answer: Answer
    faults: tuple[str, ...]


def judge_all(questions: Sequence[Question], assistant: Assistant) -> list[Judged]:
    """Ask every question, earlier turns first, and check each answer."""
    return [judge(question, ask(question, assistant)) for question in questions]


def ask(question: Question, assistant: Assistant) -> Answer:
    """Return the answer to `question` after its history."""
    return assistant.answer(question.text, turns_before(question, assistant))


def turns_before(question: Question, assistant: Assistant) -> list[Turn]:
    """Return the history of `question` as turns, each asked and answered."""
    turns: list[Turn] = []
    for earlier in question.history:
        answer = assistant.answer(earlier, turns)
        turns.append(Turn(earlier, answer.trace.standalone or earlier, answer.kind))
    return turns


def judge(question: Question, answer: Answer) -> Judged:
    """Check one answer by its fields."""
    faults = []
    if answer.kind != question.kind:
        faults.append(f"class {answer.kind}")
    if answer.kind in ("answer", "personal"):
        faults += [
            f"no citation holds {s.text!r}"
            for s in answer.sentences
            if not _holds(answer, s.citations, s.text)
        ]
    said = answer.text
    if question.answerable and answer.sentences:
        faults += [f"lacks /{p}/" for p in question.must if not re.search(p, said, re.I)]
    faults += [f"says /{p}/" for p in question.must_not if re.search(p, said, re.I)]
    return Judged(question, answer, tuple(faults))


def summary(judged: Sequence[Judged]) -> dict[str, Estimate]:
    """Return the shares the report shows."""
    answerable = [j for j in judged if j.question.answerable]
    answered = [j for j in answerable if j.answer.sentences]
    unanswerable = [j for j in judged if j.question.kind == "refusal"]
    emergencies = [j for j in judged if j.question.kind == "emergency"]
    ordinary = [j for j in judged if j.question.kind != "emergency"]
    quoted = [(j.answer, s) for j in judged for s in j.answer.sentences]
    return {
        "class right": share([j.answer.kind == j.question.kind for j in judged]),
        "sentence has a quote that is in its page": share(
            [_holds(a, s.citations, s.text) for a, s in quoted]
        ),
        "required facts all present": share(
            [all(re.search(p, j.answer.text, re.I) for p in j.question.must) for j in answerable]
        ),
        "a right page is cited": share([_right_page(j) for j in answered]),
        "answerable refused": share([not j.answer.sentences for j in answerable]),
        "unanswerable refused": share([j.answer.kind == "refusal" for j in unanswerable]),
        "emergency caught": share([j.answer.kind == "emergency" for j in emergencies]),
        "false alarm": share([j.answer.kind == "emergency" for j in ordinary]),
        "forbidden claim": share([any(f.startswith("says") for f in j.faults) for j in judged]),
        "every part answered": share([_every_part(j) for j in answered if _parts_asked(j) > 1]),
        "sentences in an answer": mean([len(j.answer.sentences) for j in answered]),
        "words in an answer": mean([len(j.answer.text.split()) for j in answered]),
        "reading grade of an answer": mean(
            [reading_grade([s.text for s in j.answer.sentences]) for j in answered]
        ),
    }


def _parts_asked(judged: Judged) -> int:
    return len(parts(judged.question.text))


def _every_part(judged: Judged) -> bool:
    return len(judged.answer.parts) == _parts_asked(judged)


def _holds(answer: Answer, numbers: Sequence[int], text: str) -> bool:
    """Tell whether the cited quotes are in their pages and the sentence is in one of them."""
    cited = [c for c in answer.citations if c.number in numbers]
    return (
        bool(cited)
        and any(text in c.quote for c in cited)
        and all(c.quote in c.chunk.document.text for c in cited)
    )


def _right_page(judged: Judged) -> bool:
    cited = {c.chunk.document.id for c in judged.answer.citations}
    return bool(cited & set(judged.question.pages))
