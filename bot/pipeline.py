"""triage -> follow-up -> retrieve -> compose -> cite. Only wiring."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import NamedTuple

from bot import notices
from bot.approved import ApprovedAnswers
from bot.citations import Quote, Said, cite
from bot.evidence import evidence, subjects
from bot.extract import MOST_SENTENCES, WEAK, Considered, explain, extract
from bot.followup import Topics, parts, points_nowhere, standalone, worded
from bot.generate import Writer, open_model
from bot.scrub import Vocabulary
from bot.settings import Settings
from bot.triage import rulebook, triage
from bot.types import Answer, AnswerKind, Notice, Trace, Triage, Turn
from index.embed import open_encoder
from index.glossary import Expansion
from index.retrieve import Retriever
from index.types import Hit

_HITS = 8
_OF_ONESELF = re.compile(r"\b(i am|i['’]?m|i have|i['’]?ve|i had|i take|my|mine)\b", re.I)
"""In an earlier message: what follows it may be about one's own case, though it does not say so."""


class Reading(NamedTuple):
    """What one part of a message asks, as it stands alone; `part` names it if there are several."""

    text: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What was found for one reading, and how sure it is that the pages answer it."""

    asked: Expansion
    hits: Sequence[Hit]
    sure: float
    name: str = ""


class Assistant:
    """Answers questions for one clinic. Safe to share between threads."""

    def __init__(
        self, settings: Settings, retriever: Retriever, writer: Writer | None = None
    ) -> None:
        """Answer for the clinic in `settings` from what `retriever` finds, as `writer` words it."""
        self.settings = settings
        self.retriever = retriever
        self.writer = writer
        self.approved: ApprovedAnswers | None = None
        self._topics = ("", Topics(()))
        self._vocabulary = ("", Vocabulary(()))

    @classmethod
    def open(cls, settings: Settings) -> Assistant:
        """Open the index and the chat model the settings name. Raises their errors."""
        encoder = open_encoder(settings.index)
        retriever = Retriever(settings.index.data, encoder, settings.index, settings.chroma)
        model = open_model(settings.model)
        writer = Writer(model, timeout_s=settings.model.timeout_s) if model else None
        return cls(settings, retriever, writer)

    def answer(self, question: str, history: Sequence[Turn] = ()) -> Answer:
        """Answer one message; `history` holds the turns before it, oldest first."""
        *_, last = self.stream(question, history)
        return last

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Answer]:
        """Answer one message as it is made: partial answers, each longer, then the whole one.

        Partial answers hold verified sentences only. If a model's answer does not stand in the
        end, the whole one is made of quotes.
        """
        clock = _Clock()
        with clock("triage"):
            sorted_as = triage(question)
        if sorted_as.kind not in ("answer", "personal"):
            yield self._fixed(question, sorted_as, clock)
            return
        with clock("follow-up"):
            if not history and points_nowhere(question, self._known_topics()):
                unclear = Triage("clarify", "points nowhere", "it and that, and nothing before")
                yield self._fixed(question, replace(unclear, lang=sorted_as.lang), clock)
                return
            whole, readings = self._read(question, history, sorted_as)
            own_case = any(_own_case(turn) for turn in history)
            alone = "" if own_case else _general(whole, readings, sorted_as)
        if self.approved and alone and (ready := self.approved.find(alone)):
            made = Trace(sorted_as, whole, milliseconds=clock.milliseconds, approved=ready.id)
            yield self._made(ready.said, (), made)
            return
        with clock("retrieve"):
            found = self._find(whole, readings, sorted_as.lang, _HITS)
        with clock("compose"):
            quotes = self._quotes(found, sorted_as)
        trace = self._trace(whole, found, sorted_as, clock)
        if not (self.writer and quotes and sorted_as.kind == "answer" and sorted_as.lang == "en"):
            yield self._made(quotes, found, trace)
            return
        start = time.perf_counter()
        split = [quote for quote in quotes if quote.role == "disagreement"]
        passages = [[hit.chunk for hit in part.hits] for part in found]
        for worded_as in self.writer.word(whole, passages, self.retriever.similarity):
            said: list[Quote | Said] = [*worded_as.said, *split] if worded_as.said else [*quotes]
            clock.milliseconds["model"] = (time.perf_counter() - start) * 1000
            made = replace(trace, draft=worded_as.draft)
            yield self._made(said, found, made, partial=not worded_as.done)

    def urgent(self, question: str) -> Answer | None:
        """Return what an emergency gets, None for any other message; nothing is looked up.

        For whoever has asked too often, or at a bad moment: an emergency is answered all the same.
        """
        clock = _Clock()
        with clock("triage"):
            sorted_as = triage(question)
        return self._fixed(question, sorted_as, clock) if sorted_as.kind == "emergency" else None

    def general(self, question: str) -> str:
        """Return a question as its approved answer is looked for, "" where none is given."""
        sorted_as = triage(question)
        if sorted_as.kind != "answer":
            return ""
        return _general(*self._read(question, (), sorted_as), sorted_as)

    def look_up(
        self, question: str, history: Sequence[Turn] = (), count: int = _HITS
    ) -> list[Part]:
        """Return what an answer would be composed from, `count` passages a part."""
        sorted_as = triage(question)
        whole, readings = self._read(question, history, sorted_as)
        return self._find(whole, readings, sorted_as.lang, count)

    def _read(
        self, question: str, history: Sequence[Turn], sorted_as: Triage
    ) -> tuple[str, list[Reading]]:
        """Return the question as it stands alone, and each of its parts as that stands alone.

        Whoever asks for a verdict is first told what the pages say about asking and stopping.
        """
        topics = self._known_topics()
        if sorted_as.lang == "en":  # the words to correct to are English
            question = self.retriever.correct(question)
        whole = worded(standalone(question, history, topics))
        rule = rulebook().find(sorted_as.rule)
        caution = [Reading(f"{rule.caution} {whole}")] if rule and rule.caution else []
        asked = parts(question)
        if len(asked) == 1:
            return whole, [*caution, Reading(whole)]
        readings: list[Reading] = []
        turns = list(history)
        for part in asked:
            readings.append(Reading(worded(standalone(part, turns, topics)), part))
            turns.append(Turn(part, readings[-1].text, "answer"))
        return whole, [*caution, *readings]

    def _find(self, whole: str, readings: Sequence[Reading], lang: str, count: int) -> list[Part]:
        """Look up each part; the whole, if a part has no answer: half of one would pass for all."""
        found = [self._look_up(reading, lang, count) for reading in readings]
        threshold = self.settings.answers.min_evidence
        if len(found) > 1 and min(part.sure for part in found) < threshold:
            return [self._look_up(Reading(whole), lang, count)]
        return found

    def _look_up(self, reading: Reading, lang: str, count: int) -> Part:
        expanded = self.retriever.expand(reading.text)
        hits = self.retriever.retrieve(expanded.text, count=count)
        share, mentions = self.retriever.share, self.retriever.mentions
        sure = evidence(expanded, hits, share, mentions, lang, self.settings.index.languages)
        return Part(expanded, hits, sure, reading.part)

    def consider(self, question: str, history: Sequence[Turn] = ()) -> list[Considered]:
        """Return every sentence an answer could quote and what became of it, for staff."""
        sorted_as = triage(question)
        whole, readings = self._read(question, history, sorted_as)
        considered: list[Considered] = []
        self._quotes(self._find(whole, readings, sorted_as.lang, _HITS), sorted_as, considered)
        return considered

    def _quotes(
        self, found: Sequence[Part], sorted_as: Triage, considered: list[Considered] | None = None
    ) -> list[Quote]:
        """Choose what to quote for each part; the sentences left are shared by the parts left.

        `considered`, if given, is filled with every sentence and what became of it.
        """
        quotes: list[Quote] = []
        rarity, passages_of = self.retriever.rarity, self.retriever.passages_of
        rule = rulebook().find(sorted_as.rule)
        never = rule.never_quote if rule else None
        for left, part in zip(range(len(found), 0, -1), found, strict=True):
            weak = part.sure < self.settings.answers.min_evidence
            if weak and considered is None:
                continue
            given = sum(quote.role == "answer" for quote in quotes)
            most = max(1, math.ceil((MOST_SENTENCES - given) / left))
            asked = (part.asked, part.hits, rarity, passages_of)
            if considered is None:
                chosen = extract(*asked, most=most, said=quotes, never=never)
            else:
                chosen, became = explain(*asked, most=most, said=quotes, never=never)
                considered += [replace(c, reason=WEAK) for c in became] if weak else became
            if not weak:
                quotes += [replace(quote, part=part.name) for quote in chosen]
        return quotes

    def _trace(self, whole: str, found: Sequence[Part], sorted_as: Triage, clock: _Clock) -> Trace:
        return Trace(
            sorted_as,
            whole,
            " ".join(part.asked.text for part in found),
            min(part.sure for part in found),
            self.settings.answers.min_evidence,
            None,
            clock.milliseconds,
        )

    def _made(
        self, said: Sequence[Quote | Said], found: Sequence[Part], trace: Trace,
        *, partial: bool = False,
    ) -> Answer:  # fmt: skip
        sentences, citations = cite(said)
        triaged = trace.triage
        stands = bool(sentences) or triaged.kind == "personal"
        kind: AnswerKind = triaged.kind if stands else "refusal"
        wording = notices.APPROVED if trace.approved else ""
        if trace.draft is not None and not trace.draft.failure:
            wording = notices.WORDED
        notes = self._notices(kind, triaged, bool(sentences), wording)
        return Answer(kind, sentences, citations, notes, merged(found), trace, partial)

    def warm(self) -> None:
        """Load the model and every lazy part, so that the first visitor does not wait."""
        self.retriever.encoder.warm()
        for question in self.settings.clinic.questions[:1] or ("What is acupuncture?",):
            self.answer(question)

    def knows(self, word: str) -> bool:
        """Tell whether the pages or the glossary write `word` so, its capital included."""
        generation = self.retriever.generation
        if self._vocabulary[0] != generation.manifest.generation:
            names = (n for term, also in generation.glossary.items() for n in (term, *also))
            asked_about = (name for kind in subjects().values() for name in kind)
            learnt = Vocabulary(generation.pages.named(), names, asked_about)
            self._vocabulary = (generation.manifest.generation, learnt)
        return self._vocabulary[1](word)

    def _known_topics(self) -> Topics:
        """Collect the topics of the generation that answers, once a generation."""
        generation = self.retriever.generation
        if self._topics[0] != generation.manifest.generation:
            topics = Topics.of(generation.pages.named())
            self._topics = (generation.manifest.generation, topics)
        return self._topics[1]

    def _notices(
        self, kind: AnswerKind, triaged: Triage, answered: bool, wording: str
    ) -> tuple[Notice, ...]:
        first: list[Notice] = []
        if kind == "personal":
            first.append(notices.personal(triaged.lang, answered=answered))
        elif kind == "refusal":
            first.append(notices.refusal(triaged.lang))
        if wording:
            first.append(Notice("wording", wording))
        if answered and (said := notices.language(triaged.lang)):
            first.append(said)
        if rule := rulebook().find(triaged.watch):
            line = notices.red_flag(
                rule.action, rule.advice, triaged.lang, self.settings.emergency, near=triaged.near
            )
            first.insert(0 if triaged.near else len(first), line)
        return (*first, *notices.for_kind(kind, self.settings, triaged.lang))

    def _fixed(self, question: str, triaged: Triage, clock: _Clock) -> Answer:
        first = notices.fixed(triaged, rulebook().find(triaged.rule), self.settings, question)
        last = notices.for_kind(triaged.kind, self.settings, triaged.lang)
        return Answer(
            triaged.kind,
            (),
            (),
            (first, *last),
            (),
            Trace(triaged, milliseconds=clock.milliseconds),
        )


def failed(settings: Settings, why: str = notices.ERROR) -> Answer:
    """Return what a visitor gets when there is no answer: a fixed sentence and whom to ask."""
    triaged = Triage("error", "error", "an exception, see the log")
    notice = Notice("error", why)
    return Answer(
        "error", (), (), (notice, *notices.for_kind("error", settings)), (), Trace(triaged)
    )


def _general(whole: str, readings: Sequence[Reading], sorted_as: Triage) -> str:
    """Return the whole if it is one question, of general interest and in English, else ""."""
    fits = sorted_as.kind == "answer" and sorted_as.lang == "en" and len(readings) == 1
    return whole if fits else ""


def _own_case(turn: Turn) -> bool:
    """Tell whether a turn spoke of the visitor's own case, so that general answers may not fit."""
    return turn.kind in ("personal", "emergency") or bool(_OF_ONESELF.search(turn.question))


def merged(found: Sequence[Part]) -> tuple[Hit, ...]:
    """Return the hits of every part, each passage once, ranked in turn."""
    if len(found) == 1:
        return tuple(found[0].hits)
    in_turn = (hit for row in zip_longest(*(part.hits for part in found)) for hit in row if hit)
    first = {hit.chunk.id: hit for hit in reversed(list(in_turn))}
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(reversed(first.values()), 1))


class _Clock:
    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.milliseconds[step] = (time.perf_counter() - start) * 1000
