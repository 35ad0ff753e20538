"""triage -> follow-up -> retrieve -> compose -> cite. Only wiring."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bot import notices
from bot.citations import cite
from bot.evidence import evidence
from bot.extract import extract
from bot.followup import Topics, standalone, worded
from bot.settings import Settings
from bot.triage import rulebook, triage
from bot.types import Answer, AnswerKind, Notice, Trace, Triage, Turn
from index.embed import open_encoder
from index.retrieve import Retriever

_HITS = 8


class Assistant:
    """Answers questions for one clinic. Safe to share between threads."""

    def __init__(self, settings: Settings, retriever: Retriever) -> None:
        """Answer for the clinic in `settings` from what `retriever` finds."""
        self.settings = settings
        self.retriever = retriever
        self._topics = ("", Topics(()))

    @classmethod
    def open(cls, settings: Settings) -> Assistant:
        """Open the index the settings name. Raises the index's errors."""
        encoder = open_encoder(settings.index)
        return cls(settings, Retriever(settings.index.data, encoder, settings.index))

    def answer(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """Answer one message; `history` holds the turns before it, oldest first."""
        clock = _Clock()
        with clock("triage"):
            sorted_as = triage(question)
        if sorted_as.kind not in ("answer", "personal"):
            return self._fixed(sorted_as, clock)
        with clock("follow-up"):
            asked = self.retriever.correct(question)
            asked = worded(standalone(asked, history, self._known_topics()))
            expanded = self.retriever.expand(asked)
        with clock("retrieve"):
            hits = self.retriever.retrieve(expanded.text, count=_HITS, topics=expanded.topics)
        with clock("compose"):
            sure = evidence(expanded, hits, self.retriever.share, sorted_as.lang)
            threshold = self.settings.answers.min_evidence
            quotes = (
                ()
                if sure < threshold
                else extract(expanded.text, hits, self.retriever.rarity, self.retriever.passages_of)
            )
            sentences, citations = cite(quotes)
        stands = bool(sentences) or sorted_as.kind == "personal"
        kind: AnswerKind = sorted_as.kind if stands else "refusal"
        trace = Trace(sorted_as, asked, expanded.text, sure, threshold, (), clock.milliseconds)
        return Answer(
            kind,
            sentences,
            citations,
            self._notices(kind, sorted_as, bool(sentences)),
            tuple(hits),
            trace,
        )

    def warm(self) -> None:
        """Load the model and every lazy part, so that the first visitor does not wait."""
        for question in self.settings.clinic.questions[:1] or ("What is acupuncture?",):
            self.answer(question)

    def _known_topics(self) -> Topics:
        """Collect the topics of the generation that answers, once a generation."""
        generation = self.retriever.generation
        if self._topics[0] != generation.manifest.generation:
            topics = Topics.of(generation.documents.values())
            self._topics = (generation.manifest.generation, topics)
        return self._topics[1]

    def _notices(self, kind: AnswerKind, triaged: Triage, answered: bool) -> tuple[Notice, ...]:
        first: list[Notice] = []
        if kind == "personal":
            first.append(
                Notice("personal", notices.PERSONAL if answered else notices.PERSONAL_UNANSWERED)
            )
        elif kind == "refusal":
            first.append(notices.refusal(triaged.lang))
        if answered and (said := notices.language(triaged.lang)):
            first.append(said)
        return (*first, *notices.for_kind(kind, self.settings, triaged.lang))

    def _fixed(self, triaged: Triage, clock: _Clock) -> Answer:
        first = notices.fixed(triaged, rulebook().find(triaged.rule), self.settings)
        last = notices.for_kind(triaged.kind, self.settings, triaged.lang)
        return Answer(
            triaged.kind,
            (),
            (),
            (first, *last),
            (),
            Trace(triaged, milliseconds=clock.milliseconds),
        )


def failed(settings: Settings) -> Answer:
    """Return what a visitor gets when something broke: a fixed sentence and whom to ask."""
    triaged = Triage("error", "error", "an exception, see the log")
    notice = Notice("error", notices.ERROR)
    return Answer(
        "error", (), (), (notice, *notices.for_kind("error", settings)), (), Trace(triaged)
    )


class _Clock:
    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.milliseconds[step] = (time.perf_counter() - start) * 1000
