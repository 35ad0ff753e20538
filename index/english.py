"""What ordinary English is: 82,765 words with their counts, as symspellpy ships them.

The counts are Google Books n-grams over SCOWL's word list. They tell a word that any page may lack
("friend", "worth") from one that is the very subject of a question ("tinnitus").
"""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.resources import files

from index.text import terms

_RAREST = 14.0
_NUMBER = 3.0


@lru_cache(maxsize=1)
def english_words() -> dict[str, int]:
    """Return every word with its count."""
    listing = files("symspellpy").joinpath("frequency_dictionary_en_82_765.txt")
    pairs = (line.split(" ") for line in listing.read_text("utf-8-sig").splitlines())
    return {word: int(count) for word, count in pairs}


def information(term: str) -> float:
    """Return how much a stemmed term says, in nats: about 4 for "day", 14 for an unknown word."""
    if term.isdecimal():
        return _NUMBER
    counts = _stem_counts()
    return min(_RAREST, math.log(_most() / counts[term])) if term in counts else _RAREST


@lru_cache(maxsize=1)
def _most() -> int:
    return max(english_words().values())


@lru_cache(maxsize=1)
def _stem_counts() -> dict[str, int]:
    counts: dict[str, int] = {}
    for word, count in english_words().items():
        for term in terms(word):
            counts[term] = counts.get(term, 0) + count
    return counts
