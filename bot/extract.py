"""Question + hits -> the sentences to quote: the default composer, without a model.

The sentence that answers best comes first, then what is nearly as good: more of the same passage
first, so that the answer reads as one voice. Where two things are compared, or guidelines split,
both sides are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.citations import Quote
from bot.relevance import Wanted, asked, features, score, sentence_terms
from index.glossary import Expansion
from index.text import terms
from index.types import Chunk, Document, Hit

MOST_SENTENCES = 5
MOST_WORDS = 95
_REPEATS = 0.6  # share of terms in common that makes two sentences say the same
_BEHIND = 2.0
"""How far behind the best (in log odds) a sentence may be, to stand beside it."""
_CAVEAT = re.compile(
    r"\b(sham|placebo|not (been )?shown|no (good|firm|clear|reliable)|weak|low (certainty|quality)|"
    r"certainty|too few|small (studies|trials)|(studies|trials) (are|were) small|uncertain|bias|"
    r"not (clear|settled|firm|known))\b",
    re.I,
)
_CAVEAT_BEHIND = 4.0
"""How far behind the best a caveat may be: it matters more than it answers."""
_BESIDE_A_SPLIT = 3
"""Sentences of an answer that goes on to quote both sides of a disagreement."""
_SPLIT = re.compile(r"\bguidelines?\b.*\b(disagree|differ|split)", re.I)
_SIGNPOST = re.compile(
    r"\b(on|see) (the|its|their) (own )?pages?\b|\bthe pages? (on|about|[\"“])", re.I
)


_Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Candidate:
    quote: Quote
    hit: Hit
    score: float
    terms: frozenset[str]
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class Considered:
    """A sentence of a retrieved passage: what it scored, and why it is not quoted; "" if it is."""

    quote: Quote
    score: float
    reason: str


WEAK = "the pages found are not sure enough to answer this"
SAID = "said already"
NEVER = "never quoted to such a message"
UNFIT = "not fit to quote: too short, too long, a question, a link or a signpost"
BEHIND = "answers much less than the best sentence"
ELSEWHERE = "about another part of the body or of life"
SAME = "another sentence says the same"
FULL = "no room left"
GAVE_WAY = "gave way to a caveat, to the other side or to a disagreement"


def extract(
    asked_for: Expansion, hits: Sequence[Hit], rarity: Callable[[str], float],
    passages_of: Callable[[Document], Iterable[Chunk]], *, most: int = MOST_SENTENCES,
    said: Sequence[Quote] = (), never: re.Pattern[str] | None = None,
) -> tuple[Quote, ...]:  # fmt: skip
    """Return up to `most` sentences that answer, both sides of a comparison or a split among them.

    `rarity` weighs a stemmed term (inverse document frequency); `passages_of` gives the passages
    of a page, for the section on which its guidelines disagree. What is `said` already is not
    said again, and what `never` matches not at all. Empty if no sentence fits.
    """
    question = asked_for.reworded
    weighed = _weighed(question, hits, rarity, said, never)
    return _chosen(asked_for, [c for c, reason in weighed if not reason], passages_of, most, {})


def explain(
    asked_for: Expansion, hits: Sequence[Hit], rarity: Callable[[str], float],
    passages_of: Callable[[Document], Iterable[Chunk]], *, most: int = MOST_SENTENCES,
    said: Sequence[Quote] = (), never: re.Pattern[str] | None = None,
) -> tuple[tuple[Quote, ...], tuple[Considered, ...]]:  # fmt: skip
    """Return what `extract` returns, and every sentence of the passages with what became of it."""
    weighed = _weighed(asked_for.reworded, hits, rarity, said, never)
    why: dict[_Place, str] = {}
    quotes = _chosen(asked_for, [c for c, reason in weighed if not reason], passages_of, most, why)
    return quotes, tuple(
        Considered(
            c.quote,
            c.score,
            "" if _has(quotes, c.quote) else reason or why.get(_place(c.quote), GAVE_WAY),
        )
        for c, reason in weighed
    )


def _chosen(
    asked_for: Expansion, candidates: Sequence[_Candidate],
    passages_of: Callable[[Document], Iterable[Chunk]], most: int, why: dict[_Place, str],
) -> tuple[Quote, ...]:  # fmt: skip
    """Choose among what may be quoted; `why` is filled with what speaks against the others."""
    if not candidates:
        return ()
    best = max(candidates, key=lambda c: c.score)
    chosen = _beside(best, candidates, most, why)
    kind = asked(asked_for.reworded)
    if kind == "differs":
        chosen = _with_both_sides(chosen, candidates, _sides(asked_for))
    if kind == "works":
        chosen = _with_a_caveat(chosen, candidates, most)
    quotes = [c.quote for c in chosen]
    if kind == "works":
        split = _disagreement(passages_of(best.quote.chunk.document))
        quotes = quotes[:_BESIDE_A_SPLIT] if split else quotes
        quotes += [q for q in split if not _has(quotes, q)]
    return tuple(quotes)


def _with_a_caveat(
    chosen: list[_Candidate], candidates: Sequence[_Candidate], most: int
) -> list[_Candidate]:
    """See that whoever asks whether a thing works also hears how far: next to sham, how sure.

    It is looked for on the page of the first sentence, and takes the last place if all are taken.
    """
    if any(_CAVEAT.search(c.quote.text) for c in chosen[:_BESIDE_A_SPLIT]):
        return chosen
    page = chosen[0].hit.chunk.document.id
    caveats = [
        c
        for c in candidates
        if c.hit.chunk.document.id == page
        and _CAVEAT.search(c.quote.text)
        and c.score >= chosen[0].score - _CAVEAT_BEHIND
        and not (c.elsewhere or any(_alike(c, o) for o in chosen if o is not c))
    ]
    if not caveats:
        return chosen
    caveat = max(caveats, key=lambda c: c.score)
    kept = [c for c in chosen if c is not caveat][: most - 1]
    return [*kept[: _BESIDE_A_SPLIT - 1], caveat, *kept[_BESIDE_A_SPLIT - 1 :]]


def _sides(asked_for: Expansion) -> list[frozenset[str]]:
    """Return the two things compared, as stemmed terms; empty if there are not two."""
    for kind in ("treatment", "condition"):
        titles = [title for title, its_kind in asked_for.topics.items() if its_kind == kind]
        if len(titles) == 2:
            return [frozenset(terms(title)) for title in titles]
    return []


def _with_both_sides(
    chosen: list[_Candidate], candidates: Sequence[_Candidate], sides: Iterable[frozenset[str]]
) -> list[_Candidate]:
    """Put the best sentence about a side that no sentence names in the place of the last one."""
    for side in sides:
        if len(chosen) > 1 and not any(side <= c.terms for c in chosen):
            if about := [c for c in candidates if side <= c.terms]:
                chosen = [*chosen[:-1], max(about, key=lambda c: c.score)]
    return chosen


def _weighed(
    question: str, hits: Iterable[Hit], rarity: Callable[[str], float], said: Sequence[Quote],
    never: re.Pattern[str] | None,
) -> list[tuple[_Candidate, str]]:  # fmt: skip
    """Score every sentence; beside it, why it may not be quoted whatever its score, or ""."""
    found = []
    wanted = Wanted.of(question, rarity)
    for hit in hits:
        scored = features(wanted, hit, rarity)
        for span, its in zip(hit.chunk.sentences, scored, strict=True):
            quote = Quote(hit.chunk, *span)
            own = sentence_terms(quote.text)
            candidate = _Candidate(quote, hit, score(its), own, its.elsewhere > 0)
            found.append((candidate, _barred(quote, said, never)))
    return found


def _barred(quote: Quote, said: Sequence[Quote], never: re.Pattern[str] | None) -> str:
    if not _quotable(quote.text):
        return UNFIT
    if _has(said, quote):
        return SAID
    return NEVER if never and never.search(quote.text) else ""


@lru_cache(maxsize=8192)
def _quotable(sentence: str) -> bool:
    """Leave out fragments, questions, links, signposts, list lead-ins, breathless sentences."""
    count = len(sentence.split())
    return (
        4 <= count <= 60
        and not sentence.rstrip().endswith(("?", ":"))
        and not _SIGNPOST.search(sentence)
        and sentence.count("http") * 12 < count
    )


def _beside(
    best: _Candidate, candidates: Sequence[_Candidate], most: int, why: dict[_Place, str]
) -> list[_Candidate]:
    """Add what is nearly as good; those of the best one's passage follow it, in their order.

    `why` is filled with what speaks against the others.
    """
    chosen = [best]
    for candidate in sorted((c for c in candidates if c is not best), key=lambda c: -c.score):
        if against := _against(candidate, chosen, most):
            why[_place(candidate.quote)] = against
        else:
            chosen.append(candidate)
    rest = sorted(chosen[1:], key=lambda c: (c.hit is not best.hit, c.hit.rank, c.quote.start))
    return [best, *rest]


def _against(candidate: _Candidate, chosen: Sequence[_Candidate], most: int) -> str:
    """Return what speaks against adding a sentence to those chosen, best first; "" if nothing."""
    best = chosen[0]
    if candidate.score < best.score - _BEHIND:
        return BEHIND
    if candidate.elsewhere and not best.elsewhere:
        return ELSEWHERE
    if any(_alike(candidate, other) for other in chosen):
        return SAME
    length = sum(len(c.quote.text.split()) for c in (*chosen, candidate))
    return FULL if len(chosen) == most or length > MOST_WORDS else ""


def _alike(one: _Candidate, other: _Candidate) -> bool:
    fewer = min(len(one.terms), len(other.terms)) or 1
    return len(one.terms & other.terms) / fewer > _REPEATS and not _numbers_differ(one, other)


def _numbers_differ(one: _Candidate, other: _Candidate) -> bool:
    numbers = [set(re.findall(r"\d[\d.,]*", c.quote.text)) for c in (one, other)]
    return bool(numbers[0] ^ numbers[1])


def _disagreement(passages: Iterable[Chunk]) -> list[Quote]:
    """Quote both sides from the section whose heading says that guidelines disagree."""
    for chunk in passages:
        if any(_SPLIT.search(heading) for heading in chunk.headings):
            quotes = [Quote(chunk, a, b, "disagreement") for a, b in chunk.sentences]
            return [q for q in quotes if _quotable(q.text)][:3]
    return []


def _place(quote: Quote) -> _Place:
    return quote.chunk.id, quote.start


def _has(quotes: Sequence[Quote], quote: Quote) -> bool:
    return any(_place(q) == _place(quote) for q in quotes)
