"""Retrieval, scored by page with ir-measures: nDCG@10, R@5, R@3 and reciprocal rank.

A page's score is its best passage's. "Right page in the top 5" is Success@5.
"""

from __future__ import annotations

from collections.abc import Sequence

import ir_measures
from ir_measures import RR, R, Success, nDCG

from bot.pipeline import Assistant, Part, merged
from eval.answers import turns_before
from eval.formats import Qrels, Question, Run
from eval.statistics import Estimate, mean
from index.types import Hit

MEASURES = (nDCG @ 10, Success @ 1, Success @ 3, Success @ 5, R @ 5, RR)
_DEPTH = 50


def run_golden(questions: Sequence[Question], assistant: Assistant) -> tuple[Qrels, Run]:
    """Retrieve for every answerable question, its history folded in as the pipeline does."""
    qrels, run = {}, {}
    for question in questions:
        if question.answerable:
            turns = turns_before(question, assistant)
            hits = merged(assistant.look_up(question.text, turns, _DEPTH))
            qrels[question.id] = dict.fromkeys(question.pages, 1)
            run[question.id] = by_page(hits)
    return qrels, run


def follow_ups(questions: Sequence[Question], assistant: Assistant) -> dict[str, Estimate]:
    """Return page recall of follow-ups, and of the same questions asked on their own.

    Page recall: the share of a question's pages among the first five found; R@5 by page.
    """
    leaning, alone = [], []
    for question in questions:
        turns = turns_before(question, assistant)
        leaning.append(_recall(question, assistant.look_up(question.text, turns, _DEPTH)))
        alone.append(_recall(question, assistant.look_up(question.standalone, (), _DEPTH)))
    lost = [theirs - ours for ours, theirs in zip(leaning, alone, strict=True)]
    found = {
        "page recall, as a follow-up": mean(leaning),
        "page recall, asked alone": mean(alone),
        "lost": mean(lost),
    }
    for note in sorted({q.note for q in questions}):
        kind = [at for at, q in enumerate(questions) if q.note == note]
        found[f"page recall, {note}"] = mean([leaning[at] for at in kind])
    return found


def _recall(question: Question, found: Sequence[Part]) -> float:
    pages = set(list(by_page(merged(found)))[:5])
    return len(pages & set(question.pages)) / len(question.pages)


def by_page(hits: Sequence[Hit]) -> dict[str, float]:
    """Return the best score of each page among `hits`."""
    pages: dict[str, float] = {}
    for hit in hits:
        pages.setdefault(hit.chunk.document.id, hit.score)
    return pages


def score(qrels: Qrels, run: Run) -> dict[str, Estimate]:
    """Return each measure with its confidence interval over questions."""
    values: dict[str, list[float]] = {str(measure): [] for measure in MEASURES}
    for metric in ir_measures.iter_calc(MEASURES, qrels, run):
        values[str(metric.measure)].append(metric.value)
    return {name: mean(found) for name, found in values.items()}
