"""Question + hits -> the sentences to quote: the default composer, without a model.

The sentence that answers best comes first, then what is nearly as good: more of the same passage
first, so that the answer reads as one voice. Where two things are compared, or guidelines split,
both sides are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bot.citations import Quote
from bot.relevance import asked, features, score
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


@dataclass(frozen=True, slots=True)
class _Candidate:
    quote: Quote
    hit: Hit
    score: float
    terms: frozenset[str]
    elsewhere: bool


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
    candidates = [
        candidate
        for hit in hits
        for candidate in _candidates(question, hit, rarity)
        if not _has(said, candidate.quote) and not (never and never.search(candidate.quote.text))
    ]
    if not candidates:
        return ()
    best = max(candidates, key=lambda c: c.score)
    chosen = _beside(best, candidates, most)
    kind = asked(question)
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
    page = chosen[0].hit.chunk.document
    caveats = [
        c
        for c in candidates
        if c.hit.chunk.document is page
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


def _candidates(question: str, hit: Hit, rarity: Callable[[str], float]) -> Iterable[_Candidate]:
    for span, found in zip(hit.chunk.sentences, features(question, hit, rarity), strict=True):
        quote = Quote(hit.chunk, *span)
        if _quotable(quote.text):
            own = frozenset(terms(quote.text))
            yield _Candidate(quote, hit, score(found), own, found.elsewhere > 0)


def _quotable(sentence: str) -> bool:
    """Leave out fragments, questions, links, signposts, list lead-ins, breathless sentences."""
    count = len(sentence.split())
    return (
        4 <= count <= 60
        and not sentence.rstrip().endswith(("?", ":"))
        and not _SIGNPOST.search(sentence)
        and sentence.count("http") * 12 < count
    )


def _beside(best: _Candidate, candidates: Sequence[_Candidate], most: int) -> list[_Candidate]:
    """Add what is nearly as good; those of the best one's passage follow it, in their order."""
    chosen, used = [best], len(best.quote.text.split())
    for candidate in sorted((c for c in candidates if c is not best), key=lambda c: -c.score):
        length = len(candidate.quote.text.split())
        if (
            len(chosen) == most
            or used + length > MOST_WORDS
            or candidate.score < best.score - _BEHIND
            or (candidate.elsewhere and not best.elsewhere)
            or any(_alike(candidate, other) for other in chosen)
        ):
            continue
        chosen.append(candidate)
        used += length
    rest = sorted(chosen[1:], key=lambda c: (c.hit is not best.hit, c.hit.rank, c.quote.start))
    return [best, *rest]


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


def _has(quotes: Sequence[Quote], quote: Quote) -> bool:
    return any((q.start, q.chunk.id) == (quote.start, quote.chunk.id) for q in quotes)
