"""What is kept of a visitor: which questions found no answer, and how answers were rated.

No word is kept that could say who asked: `bot.scrub` says which may stay. Where the clinic has
turned `keep_questions` on, words are kept as typed, and no longer than `keep_days`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from bot.journal import Feedback, Gap, Journal, JournalError
from bot.scrub import LONGEST, Known, scrub
from bot.settings import Privacy
from bot.types import Answer

_log = logging.getLogger(__name__)

REASONS = {
    "off-topic": "Not what I asked",
    "unclear": "Hard to understand",
    "wrong": "Looks wrong",
    "missing": "Something is missing",
}
"""What a visitor can say is wrong with an answer: the key is kept, the words are shown."""

_WORDS_OF_QUESTIONS = ("answer", "refusal", "personal")
"""Kinds of answer whose question is kept beside a rating: never an emergency's."""


class Recorder:
    """Keeps gaps and ratings in the journal, without what could name anyone."""

    def __init__(self, journal: Journal, privacy: Privacy, known: Known) -> None:
        """Keep in `journal` the words that are `known`, or all if `privacy` says so."""
        self._journal = journal
        self._privacy = privacy
        self._known = known

    def asked(self, question: str, answer: Answer) -> None:
        """Keep a question that found no answer. Never raises: the visitor's answer goes first."""
        triage = answer.trace.triage
        near = answer.hits[0].chunk.document.id if answer.hits else ""
        try:
            if answer.kind != "refusal" or triage.kind not in ("answer", "personal"):
                return
            self._journal.add_gap(Gap(self._words(question), answer.kind, triage.lang, near))
        except JournalError as error:
            _log.warning("a question without an answer was not kept: %s", error)

    def rated(
        self, question: str, helpful: bool, reason: str, kind: str, pages: Iterable[str]
    ) -> None:
        """Keep a rating. `reason` is one of REASONS or empty. Raises ValueError, JournalError."""
        if reason and reason not in REASONS:
            raise ValueError(f"reason = {reason!r} is not one of {', '.join(REASONS)}")
        said = self._words(question) if kind in _WORDS_OF_QUESTIONS else ""
        self._journal.add_feedback(Feedback(helpful, reason, kind, tuple(pages), said))

    def forget_what_is_old(self) -> None:
        """Keep the promise of `keep_days`. Raises JournalError; then it is to be tried again."""
        self._journal.expire(self._privacy.keep_days)

    def _words(self, question: str) -> str:
        if self._privacy.keep_questions:
            return question[:LONGEST].replace("\0", "")  # which PostgreSQL keeps in no text
        return scrub(question, self._known)
