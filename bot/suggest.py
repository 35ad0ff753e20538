"""Questions to go on with: only such as the pages really answer."""

from __future__ import annotations

import logging
from functools import lru_cache

from bot.pipeline import Assistant
from bot.triage import triage
from bot.types import Answer
from index.errors import IndexUnavailableError
from index.markup import blocks

_log = logging.getLogger(__name__)
_MOST = 3
_LONGEST = 70  # characters
_NEAR = 3
"""The page that is meant must be among the first so many passages found."""


class Suggestions:
    """Offers the clinic's first questions, then those the page just quoted has a section for.

    A section's heading is looked up once a generation, as a visitor's question would be.
    """

    def __init__(self, assistant: Assistant) -> None:
        """Offer what `assistant` can answer."""
        self._assistant = assistant
        self._answers = lru_cache(maxsize=4096)(self._looked_up)

    def first(self) -> list[str]:
        """Return the clinic's own questions that are answered; tell the log of any other."""
        questions = self._assistant.settings.clinic.questions
        answered = [q for q in questions if self._can_answer(q)]
        for question in questions:
            if question not in answered:
                _log.warning("[clinic] questions: no page answers %r; it is not offered", question)
        return answered

    def after(self, answer: Answer, asked: list[str]) -> list[str]:
        """Return up to three questions to go on with; `asked` are those asked so far."""
        if not answer.citations:
            return []
        document = answer.citations[0].chunk.document
        shown = {h for c in answer.citations for h in c.chunk.headings}
        text = document.text
        headings = (text[a + level + 1 : b] for a, b, level in blocks(text) if level)
        fitting: list[str] = []
        for heading in headings:
            if (
                heading.endswith("?")
                and len(heading) <= _LONGEST
                and heading not in {*shown, *asked, *fitting}
                and self._can_answer(heading, document.id)
            ):
                fitting.append(heading)
            if len(fitting) == _MOST:
                break
        return fitting

    def _can_answer(self, question: str, page: str = "") -> bool:
        generation = self._assistant.retriever.generation.manifest.generation
        try:
            return self._answers(generation, question, page)
        except IndexUnavailableError as error:  # an answer is whole without what could follow it
            _log.warning("%r is not offered: %s", question, error)
            return False

    def _looked_up(self, generation: str, question: str, page: str) -> bool:
        sorted_as = triage(question)
        if sorted_as.kind == "clinic":
            return not page
        if sorted_as.kind not in ("answer", "personal"):
            return False
        (first, *_) = found = self._assistant.look_up(question)
        sure = min(part.sure for part in found)
        near = {hit.chunk.document.id for hit in first.hits[:_NEAR]}
        return sure >= self._assistant.settings.answers.min_evidence and (not page or page in near)
