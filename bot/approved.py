"""Answers that the clinic's staff approved, for their question in the visitor's own words.

An answer is given again only while every quote it rests on stands in the generation that answers,
word for word, and until it expires. Whether two questions mean the same is judged strictly, for an
answer to another question is worse than none: they must name the same treatments and conditions,
the same numbers, the same of everything that `sameness.toml` lists, and be alike in meaning.
"""

from __future__ import annotations

import logging
import re
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from bot.citations import Quote, Said
from bot.followup import worded
from bot.journal import Approved, ApprovedSentence, Journal, JournalError, Rests
from index.glossary import Expansion
from index.text import fold, terms
from index.types import Chunk

_log = logging.getLogger(__name__)

ALIKE = 0.45
"""Cosine of two questions from which on they mean the same, if all else agrees. The `dev` half of
`eval/data/approved.jsonl` has no wrong answer at any value; this one was chosen on the ordinary
messages of `phrasings.jsonl` beside it."""

_SEEN_S = 1.0
"""Seconds for which what another process approved or withdrew may not show: a question costs no
query of the journal."""
_FILE = Path(__file__).with_name("sameness.toml")


class Named(Protocol):
    """What is read of a generation's manifest."""

    @property
    def generation(self) -> str:
        """The generation's name."""
        ...


class Passages(Protocol):
    """What is read of a generation."""

    @property
    def manifest(self) -> Named:
        """Which generation it is."""
        ...

    def find(self, chunk_id: str) -> Chunk | None:
        """Return a passage by its id, None if it is not there."""
        ...


class Pages(Protocol):
    """What is asked of a retriever."""

    def current(self) -> Passages:
        """Return the generation that answers, the newest."""
        ...

    def correct(self, question: str) -> str:
        """Return `question` with misspelt words put right."""
        ...

    def expand(self, question: str) -> Expansion:
        """Return the pages' own terms for other names that `question` uses."""
        ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit vectors, one a text."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """An approved answer to what was asked: its sentences with the quotes they rest on."""

    approved: Approved
    said: tuple[Said, ...]

    @property
    def id(self) -> int:
        """The number of the approved answer."""
        return self.approved.id


@dataclass(frozen=True, slots=True)
class State:
    """Whether an approved answer is served; if pages changed, `changed` are the quotes lost."""

    kind: Literal["served", "expired", "changed"]
    changed: tuple[Rests, ...] = ()


class Essence(NamedTuple):
    """What must agree in two questions that mean the same, and the words left over.

    `names` are what else the glossary hears in it, and `naming` the words that say so; those are
    left over, unless both questions name the same.
    """

    aspect: str
    numbers: tuple[str, ...]
    about: frozenset[str]
    names: frozenset[str]
    naming: frozenset[str]
    rest: frozenset[str]


class Matcher:
    """Finds the one of some questions that means the same as another."""

    def __init__(self, questions: Sequence[str], pages: Pages) -> None:
        """Read and encode `questions` once."""
        self._pages = pages
        read = [worded(pages.correct(question)) for question in questions]
        self._essences = [essence(question, pages.expand) for question in read]
        self._vectors = pages.encode(read) if read else np.zeros((0, 0), dtype=np.float32)

    def likenesses(self, question: str) -> list[float]:
        """Return how alike in meaning each is to a question that stands alone: ALIKE is enough."""
        if not self._essences:
            return []
        own = essence(question, self._pages.expand)
        agree = [agreed(own, other) for other in self._essences]
        if not any(agree):
            return [0.0] * len(agree)
        cosines = (self._vectors @ self._pages.encode([question])[0]).tolist()
        return [cosine if fits else 0.0 for cosine, fits in zip(cosines, agree, strict=True)]


class _Ready(NamedTuple):
    """The answers that are served, for one version of them and one generation of pages."""

    key: tuple[int, str]
    found: tuple[Found, ...]
    matcher: Matcher


class _Seen(NamedTuple):
    """The journal's version, when it was read, and after how many of our own changes."""

    changes: int
    at: float
    version: int


def _today() -> date:
    return datetime.now(UTC).date()


class ApprovedAnswers:
    """Finds the approved answer to a question. Safe to share between threads."""

    def __init__(
        self, journal: Journal, retriever: Pages, today: Callable[[], date] = _today
    ) -> None:
        """Serve what is approved in `journal`, as far as `retriever` has the pages it rests on."""
        self._journal = journal
        self._pages = retriever
        self._today = today
        self._ready = _Ready((-1, ""), (), Matcher((), retriever))
        self._seen = _Seen(-1, 0.0, -1)

    def find(self, question: str) -> Found | None:
        """Return the approved answer to a standalone question, or None.

        Where the journal cannot be read there is none: visitors then get the ordinary answer.
        """
        try:
            ready = self._current()
        except JournalError as error:
            _log.warning("approved answers are left out: %s", error)
            return None
        alike = zip(ready.matcher.likenesses(question), ready.found, strict=True)
        today = self._today()
        served = [pair for pair in alike if not _expired(pair[1].approved, today)]
        best, found = max(served, key=lambda pair: pair[0], default=(0.0, None))
        return found if best >= ALIKE else None

    def state(self, approved: Approved) -> State:
        """Tell whether an approved answer is served, and if not, why."""
        lost = tuple(r for s in approved.sentences for r in s.rests if self._quote(r) is None)
        if lost:
            return State("changed", lost)
        return State("expired" if _expired(approved, self._today()) else "served")

    def _version(self) -> int:
        """Return a number that grows with every change: of another process, within a second."""
        changes, now = self._journal.changes, time.monotonic()
        if changes != self._seen.changes or now - self._seen.at >= _SEEN_S:
            self._seen = _Seen(changes, now, self._journal.approved_version)
        return self._seen.version

    def _current(self) -> _Ready:
        """Read the answers anew and encode their questions, if they or the pages have changed."""
        key = (self._version(), self._pages.current().manifest.generation)
        if key != self._ready.key:
            approved = [a for a in self._journal.approved() if a.sentences]
            found = [Found(a, said) for a in approved if (said := self._said(a)) is not None]
            questions = [one.approved.question for one in found]
            self._ready = _Ready(key, tuple(found), Matcher(questions, self._pages))
        return self._ready

    def _said(self, approved: Approved) -> tuple[Said, ...] | None:
        """Return the sentences with their quotes; None if one does not stand."""
        made = [self._sentence(sentence) for sentence in approved.sentences]
        whole = tuple(said for said in made if said is not None)
        return whole if len(whole) == len(made) else None

    def _sentence(self, sentence: ApprovedSentence) -> Said | None:
        quotes = [self._quote(rests) for rests in sentence.rests]
        whole = tuple(quote for quote in quotes if quote is not None)
        return (sentence.text, whole) if len(whole) == len(quotes) else None

    def _quote(self, rests: Rests) -> Quote | None:
        """Return the place of a quote in the pages that answer now, None if it is gone."""
        chunk = self._pages.current().find(rests.chunk)
        if chunk is None or chunk.document.id != rests.document or not rests.quote.strip():
            return None
        at = chunk.text.find(rests.quote)
        start = chunk.start + at
        return Quote(chunk, start, start + len(rests.quote)) if at >= 0 else None


def agreed(one: Essence, other: Essence) -> bool:
    """Tell whether neither question says what the other does not.

    "Upper", "die" and "always" change what is asked, and hardly its vector.
    """
    rest = one.rest ^ other.rest
    if one.names == other.names:
        rest -= one.naming | other.naming
    return one[:3] == other[:3] and not rest


def essence(question: str, expand: Callable[[str], Expansion]) -> Essence:
    """Return what a question is about, and what it asks of that."""
    expanded = expand(question)
    rules, text = _rules(), _plain(question)
    aspect = next((rule for rule in rules.aspects if rule.pattern.search(text)), _NO_RULE)
    about, left = _take((*rules.treatments, *rules.matters), text)
    names = set()
    for name in expanded.names:
        treatments = _take(rules.treatments, _plain(name))[0]
        if expanded.topics.get(name) == "treatment":
            about |= treatments or {name}
        elif not treatments:
            names.add(name)
            if name in expanded.topics and not _take(rules.matters, _plain(name))[0]:
                about.add(name)
    naming = {term for word in (*expanded.bridged, *names) for term in terms(word)}
    numbers = tuple(sorted(re.findall(r"\d+(?:[.,]\d+)*", question)))
    rest = frozenset(terms(left)) - rules.filler - aspect.words - frozenset(numbers)
    return Essence(
        aspect.name, numbers, frozenset(about), frozenset(names), frozenset(naming), rest
    )


def _plain(text: str) -> str:
    return " ".join(re.sub(r"['’]", "", fold(text)).replace("-", " ").split())


class _Rule(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    words: frozenset[str]


_NO_RULE = _Rule("", re.compile(""), frozenset())


class _Rules(NamedTuple):
    aspects: tuple[_Rule, ...]
    treatments: tuple[_Rule, ...]
    matters: tuple[_Rule, ...]
    filler: frozenset[str]


def _take(rules: Sequence[_Rule], text: str) -> tuple[set[str], str]:
    """Return the names of the rules that fit, in turn, and the text without what fitted."""
    found = set()
    for rule in rules:
        text, count = rule.pattern.subn(" ; ", text)
        if count:
            found.add(rule.name)
    return found, text


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    data = tomllib.loads(_FILE.read_text("utf-8"))
    aspects, treatments, matters = (
        tuple(
            _Rule(name, re.compile(rf"\b(?:{words})\b"), frozenset(terms(words)))
            for name, words in data[table].items()
        )
        for table in ("aspects", "treatments", "matters")
    )
    return _Rules(aspects, treatments, matters, frozenset(terms(data["filler"]["words"])))


def _expired(approved: Approved, today: date) -> bool:
    try:
        return date.fromisoformat(approved.expires) < today
    except ValueError:
        return True  # a day that cannot be read has passed
