"""Marks -> golden questions, as `citewell eval --questions` reads them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Sequence

from bot.journal import Mark

CLASSES = {
    "answer": "an answer from the pages",
    "personal": "the pages, and “ask your clinician”",
    "clinic": "the clinic's own details",
    "clarify": "a question back",
    "refusal": "no answer: the pages do not say",
    "emergency": "an emergency card",
}
"""What an answer can be, and how staff call it."""


def as_lines(marks: Sequence[Mark], known: Container[str]) -> str:
    """Return one JSON object a line, newest verdict first and one a question.

    Pages that are not `known` any more are left out: nothing could find them. Facts are words here
    and patterns there.
    """
    newest = {mark.question: mark for mark in reversed(marks)}
    return "".join(
        json.dumps(_row(mark, known)) + "\n"
        for mark in sorted(newest.values(), key=lambda m: -m.id)
    )


def _row(mark: Mark, known: Container[str]) -> dict[str, object]:
    return {
        "id": f"mark-{mark.id}", "question": mark.question, "class": mark.kind,
        "pages": [page for page in mark.pages if page in known],
        "must": [re.escape(fact).replace("\\ ", " ") for fact in mark.facts],
        "must_not": [], "history": [], "split": "dev",
        "note": mark.note or ("marked right" if mark.right else "marked wrong"),
    }  # fmt: skip
