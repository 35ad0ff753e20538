"""`citewell eval fit`: the weights of `bot.relevance`, by conditional logistic regression.

For each question, which of the sentences found would a reader pick? One that holds a required
fact. The weights make those choices likeliest (McFadden 1974), with a ridge against chance. Only
the development half of the golden set is read. What is printed is written into the module by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from bot.pipeline import Assistant
from bot.relevance import Features, Wanted, features
from eval.answers import turns_before
from eval.formats import Question

Matrix = npt.NDArray[np.float64]
Choice = tuple[Matrix, Matrix]
"""The features of the sentences found, shape (n, features), and which of them answer, (n,)."""

_RIDGE = 0.3
_STEPS = 60


def run(questions: Iterable[Question], assistant: Assistant) -> str:
    """Fit on the development half; return the weights as they are written in `bot.relevance`."""
    choices = [
        choice
        for question in questions
        if question.split == "dev" and question.answerable and question.must
        for choice in choices_of(question, assistant)
    ]
    weights = zip(Features._fields, conditional_logit(choices), strict=True)
    return "\n".join([f"{len(choices)} choices", *(f"{name}={w:.2f}," for name, w in weights)])


def choices_of(question: Question, assistant: Assistant) -> list[Choice]:
    """Return a choice for each part of `question` of which some sentences answer, and some not."""
    found: list[Choice] = []
    for part in assistant.look_up(question.text, turns_before(question, assistant)):
        rows: list[Features] = []
        answers: list[bool] = []
        wanted = Wanted.of(part.asked.reworded, assistant.retriever.rarity)
        for hit in part.hits:
            document = hit.chunk.document
            rows += features(wanted, hit, assistant.retriever.rarity)
            answers += [
                document.id in question.pages
                and any(re.search(p, document.text[a:b], re.I) for p in question.must)
                for a, b in hit.chunk.sentences
            ]
        if any(answers) and not all(answers):
            found.append((np.array(rows, float), np.array(answers, float)))
    return found


def conditional_logit(choices: Sequence[Choice], ridge: float = _RIDGE) -> Matrix:
    """Return the weights that make the right choices likeliest (Newton's method; convex)."""
    count = choices[0][0].shape[1]
    weights = np.zeros(count)
    for _ in range(_STEPS):
        slope, curve = 2 * ridge * weights, 2 * ridge * np.eye(count)
        for rows, answers in choices:
            worth = rows @ weights
            chance = np.exp(worth - worth.max())
            chance /= chance.sum()
            expected = chance @ rows
            slope += expected - answers @ rows / answers.sum()
            curve += (rows * chance[:, None]).T @ rows - np.outer(expected, expected)
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-6:
            break
    return weights
