"""One sentence of a model against the passages it names: it stands on their words, or it goes.

A sentence passes only if every check below lets it. Each check is blind to something, and together
they would rather drop a good sentence than pass a bad one: the quoted answer is always there to
take its place. A quote is widened to the whole sentences it touches before anything is compared,
so that "shown to help" cannot be cut out of "not shown to help". A sentence may leave out, turn
round once and join; it may not bring a word of weight that its quotes do not hold. Does not
understand language: a false sentence made only of its quote's own words, near their order, with
their negations, hedges and numbers, would pass. Pure but for `similar`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.citations import Quote
from index.sentences import leans_back
from index.text import STOPWORDS, fold, terms, words
from index.types import Chunk

Similar = Callable[[str, str], float]
"""The cosine similarity of two texts, by the model that embeds the pages."""

MIN_SUPPORT = 0.75
"""Least cosine between a sentence and what it quotes, see `citewell eval wording`."""
_WORDS = (3, 45)
_MOST = 1.3
"""How many words of weight a sentence may have for each of its quotes'."""
_SHORTEST_QUOTE = 12
_MOST_QUOTES = 4
_SAME = (
    ("study", "trial", "research"), ("people", "person", "patient", "participant", "adult"),
    ("medicine", "medication", "drug"), ("sham", "pretend", "fake"), ("ease", "relieve", "lessen"),
    ("doctor", "physician"), ("found", "find", "show", "shown", "report", "said", "say"),
    ("big", "large"), ("usual", "ordinary", "normal"), ("better", "improve"), ("gain", "benefit"),
    ("fell", "fall", "dropped", "drop", "lower", "reduce", "decrease"),
    ("rose", "rise", "increase", "raise", "higher"), ("extra", "add", "added"),
    ("treatment", "therapy"), ("long-lasting", "lasting", "last", "chronic"), ("yearly", "year"),
    ("while", "though", "although", "but", "yet"), ("because", "since"), ("ask", "check"),
)  # fmt: skip
"""Words that a sentence may use for one another; each counts as the first of its row."""
_LIGHT = STOPWORDS | frozenset(
    "from one ones that which who whose while so such like kind kinds way ways case gave got seen "
    "seem seems called mean means also just still both each other others people person someone "
    "those alone on off time example may might could perhaps roughly nearly about around often "
    "usually sometimes some bit slightly mostly than next compared came went".split()
)
"""Words that say little or only weaken: a sentence may bring them along, as they stand."""
_NUMBERS = {
    "half": "0.5", "once": "1", "twice": "2", "thrice": "3", "one": "1", "two": "2", "three": "3",
    "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
    "eleven": "11", "twelve": "12", "dozen": "12", "fifteen": "15", "twenty": "20",
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80",
    "ninety": "90", "hundred": "100", "thousand": "1000", "million": "1000000",
    "third": "third", "quarter": "quarter", "double": "2", "triple": "3", "dozens": "12",
    "first": "1st", "second": "2nd", "percent": "%",
}  # fmt: skip
_NEGATION = re.compile(
    r"\b(no|not|never|none|neither|nor|without|cannot|nothing|nobody|fails?|failed|lacks?|against|"
    r"unlikely|unproven|unknown|unclear|unsafe|avoid|rather than|instead of|\w+n['’]t)\b",
    re.I,
)
_MODAL = re.compile(
    r"\b(may|might|can|could|would|perhaps|possibl[ey]|likely|probabl[ey]|seems?|suggests?|tends?|"
    r"appears?|whether|if|plans?|planned|proposed|said to|thought to|believed)\b",
    re.I,
)
_HEDGE = re.compile(
    r"\b(some|small\w*|little|low|weak|short|slight\w*|about|around|often|mostly|usually|only|"
    r"sometimes|most|few|limited|mixed|uncertain|unsure|nearly|almost|less|at least|up to)\b",
    re.I,
)
_BUT = re.compile(
    r"\b(but|although|though|however|except|unless|while|whereas|yet|only if|despite)\b", re.I
)
_VOICE = re.compile(
    r"(?<!-)\bI\b|\bus\b|(?i:\b(im|ive|id|me|my|mine|we|our|ours|myself|ourselves|chatgpt|"
    r"as an? (ai|doctor|nurse|clinician|human|person)|language model|instructions?|passages?)\b)"
)
_THAN = re.compile(r"\b(?:than|compared (?:with|to)|versus|vs|against|next to)\b", re.I)
_TO_YOU = re.compile(r"\b(you|your|yours|yourself)\b", re.I)
_FOREIGN = re.compile(r"https?:|www\.|@|[<>{}\[\]|`*_#\\~^=]")
_ENDS = re.compile(r"[.!?](?=\s+[A-Z0-9\"“])")


class Unsupported(Exception):
    """A sentence that does not stand on what it quotes; the message says why, for staff."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence as a model proposes it, with (passage id, quoted words) it claims to rest on."""

    text: str
    quotes: tuple[tuple[str, str], ...]


def verify(claim: Claim, passages: Mapping[str, Chunk], similar: Similar) -> tuple[Quote, ...]:
    """Return the whole sentences that `claim` rests on. Raises Unsupported if it does not."""
    _is_one_plain_sentence(claim.text)
    quotes = _quotes(claim, passages)
    said = [quote.text for quote in quotes]
    titles = [q.chunk.document.title for q in quotes if leans_back(q.text)]
    _speaks_as_the_pages_do(claim.text, said)
    _words_are_quoted(claim.text, said, titles)
    _numbers_keep_their_neighbours(claim.text, said)
    for one in said:
        _compares_alike(claim.text, one)
    _order_is_kept(claim.text, said)
    nearest = max(said, key=lambda text: _overlap(claim.text, text))
    _is_no_surer(claim.text, nearest)
    _says_no_where_it_says_no(claim.text, nearest)
    support = similar(claim.text, " ".join(said))
    if not support >= MIN_SUPPORT:  # "not >=": a NaN fails too
        raise Unsupported(f"support {support:.2f} is below {MIN_SUPPORT}")
    return quotes


def _is_one_plain_sentence(text: str) -> None:
    count = len(text.split())
    if not _WORDS[0] <= count <= _WORDS[1]:
        raise Unsupported(f"{count} words; a sentence has {_WORDS[0]} to {_WORDS[1]}")
    odd = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Cn", "So")]
    if odd or _FOREIGN.search(text):
        raise Unsupported("holds markup, an address or invisible characters")
    if text != text.strip() or text[-1] not in ".!?" or text.endswith("?") or _ENDS.search(text):
        raise Unsupported("is not one whole sentence")
    if unlike := next((c for c in text if c.isalpha() and not _is_latin(c)), ""):
        raise Unsupported(f"holds {unlike!r}, which is no Latin letter")


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(("LATIN", "MICRO", "MODIFIER"))


def _quotes(claim: Claim, passages: Mapping[str, Chunk]) -> tuple[Quote, ...]:
    """Find every quote byte for byte and widen it to the sentences it touches."""
    if not 1 <= len(claim.quotes) <= _MOST_QUOTES:
        raise Unsupported(f"rests on {len(claim.quotes)} quotes; 1 to {_MOST_QUOTES} are allowed")
    found: dict[tuple[str, int], Quote] = {}
    for name, quoted in claim.quotes:
        chunk = passages.get(name)
        if chunk is None:
            raise Unsupported(f"names passage {name!r}, which it was not given")
        if len(quoted.strip()) < _SHORTEST_QUOTE:
            raise Unsupported(f"quotes too little: {quoted!r}")
        at = chunk.text.find(quoted)
        if at < 0:
            raise Unsupported(f"quotes words that are not in {name}: {quoted!r}")
        start, end = chunk.start + at, chunk.start + at + len(quoted)
        touched = [(a, b) for a, b in chunk.sentences if a < end and b > start]
        if not touched:
            raise Unsupported(f"quotes no sentence: {quoted!r}")
        for a, b in touched:
            found[chunk.id, a] = Quote(chunk, a, b)
    return tuple(found.values())


def _speaks_as_the_pages_do(text: str, said: Iterable[str]) -> None:
    if voice := _VOICE.search(text):
        raise Unsupported(f"speaks of itself: {voice[0]!r}")
    if (to := _TO_YOU.search(text)) and not any(_TO_YOU.search(one) for one in said):
        raise Unsupported(f"speaks to the visitor, which its quotes do not: {to[0]!r}")


def _words_are_quoted(text: str, said: Iterable[str], titles: Iterable[str]) -> None:
    """Hold every word of weight to the quotes; the page's title may stand for "it".

    A sentence has no more of them than its quotes: it does not say a thing twice, once without not.
    """
    known = {word for one in (*said, *titles) for word in _weights(one)} | {"1"}
    if lacking := [w for w in _heavy(text) if not known.issuperset(_weights(w))]:
        raise Unsupported(f"{lacking[0]!r} is not in its quotes")
    if len(_heavy(text)) > _MOST * sum(len(_heavy(one)) for one in said):
        raise Unsupported("says more than its quotes")


def _heavy(text: str) -> list[str]:
    return [word for word in _words(text) if word not in _LIGHT]


def _words(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.,]\d+)*|%|[^\W\d_]+(?:['’][^\W\d_]+)?", fold(text))


def _weights(text: str) -> list[str]:
    """Return the words of weight in order: stems, numbers as digits, like words as one."""
    weighed = [_figure(one) if _is_number(one) else _stem(one) for one in _words(text)]
    return [word for word in weighed if word]


def _stem(word: str) -> str:
    stem = (terms(word) or [""])[0]
    return _first_of_its_row().get(stem, stem)


@lru_cache(maxsize=1)
def _first_of_its_row() -> dict[str, str]:
    return {terms(word)[-1]: terms(row[0])[-1] for row in _SAME for word in row if terms(word)}


def _is_number(word: str) -> bool:
    return word in _NUMBERS or word == "%" or word[0].isdigit()


def _figure(word: str) -> str:
    return _NUMBERS.get(word, word.replace(",", ""))


def _numbers_keep_their_neighbours(text: str, said: Iterable[str]) -> None:
    """30% of one group is not 30% of the other."""
    own, said = _neighbours(text), list(said)
    if own and not any(_belong(own, _neighbours(one)) for one in said):
        raise Unsupported("a number stands beside other words than in its quote")


def _belong(own: Mapping[str, frozenset[str]], theirs: Mapping[str, frozenset[str]]) -> bool:
    if not set(own) <= set(theirs):
        return False
    return all(
        len(near & theirs[figure]) >= max(len(near & other) for other in theirs.values())
        for figure, near in own.items()
    )


def _neighbours(text: str) -> dict[str, frozenset[str]]:
    """Return the words of weight within two of each number."""
    found = [word for word in _weights(text) if word != "%"]
    near: dict[str, frozenset[str]] = {}
    for at, one in enumerate(found):
        if one[0].isdigit():
            window = frozenset(w for w in found[max(0, at - 2) : at + 3] if not w[0].isdigit())
            near[one] = near.get(one, frozenset()) | window
    return near


def _order_is_kept(text: str, said: Sequence[str]) -> None:
    """Let a sentence turn its quote round once, and once more for each quote it joins."""
    quoted = [word for one in said for word in _weights(one)]
    turns, at = 0, -1
    for word in _weights(text):
        places = [place for place, other in enumerate(quoted) if other == word]
        if not places:
            continue
        after = [place for place in places if place > at]
        turns += not after
        at = min(after or places)
    if turns > len(said):
        raise Unsupported("puts its quote's words in another order")


def _compares_alike(text: str, quoted: str) -> None:
    """Better with needles than with sham is not better with sham than with needles."""
    own, theirs = _THAN.search(text), _THAN.search(quoted)
    if own and theirs:
        before, after = _weights(quoted[: theirs.start()]), _weights(quoted[theirs.end() :])
        weighed = _weights(text[own.end() :])
        if any(word in before and word not in after for word in weighed[:2]):
            raise Unsupported("turns a comparison round")


def _says_no_where_it_says_no(text: str, nearest: str) -> None:
    own, theirs = _denied(text), _denied(nearest)
    if len(own) != len(theirs) or any(
        not a & b for a, b in zip(own, theirs, strict=True) if a or b
    ):
        raise Unsupported("says yes where its quote says no, or the other way round")


def _denied(text: str) -> list[set[str]]:
    """Return, for each negation, the three words of weight after it."""
    return [set(_weights(text[found.end() :])[:3]) for found in _NEGATION.finditer(text)]


def _is_no_surer(text: str, nearest: str) -> None:
    for sign in (_MODAL, _HEDGE, _BUT):
        if (lost := sign.search(nearest)) and not sign.search(text):
            raise Unsupported(f"is surer than its quote, which says {lost[0]!r}")


def _overlap(text: str, quoted: str) -> float:
    own, theirs = set(words(text)), set(words(quoted))
    return len(own & theirs) / (len(own | theirs) or 1)
