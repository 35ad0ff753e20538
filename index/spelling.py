"""Misspelt words -> the corpus's words. "sciatca" becomes "sciatica"; English words stay.

Only words that are neither in the corpus nor in symspellpy's list of 82,765 English words are
touched, so a rare but right word is never "corrected" into a treatment. Of several words as near,
the one that is likeliest to be mistyped so is taken (the noisy channel of Kernighan, Church and
Gale 1990): how often the corpus says it, times the ways in which the slip could have gone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from symspellpy import SymSpell, Verbosity

from index.english import english_words
from index.text import fold, words

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_UNSPELT = frozenset(
    "arent cant couldnt cud didnt doesnt dont gonna gotta hadnt hasnt havent isnt kinda pls plz "
    "shouldnt shud thats theyre thx wanna wasnt werent whats wont wouldnt wud youre".split()
)
"""How people write what is no word of a list, and no slip either."""
_SHORTEST = 3
_ONE_WAY = math.log(25)
"""How much likelier a slip is that can go one way only than one letter for any of 25 others."""


class Speller:
    """Corrects against the words of a corpus."""

    def __init__(self, texts: Iterable[str], *, short: int = 3, long: int = 8) -> None:
        """Learn the corpus's words.

        Words below `short` letters stay as they are; from `long` letters on two edits are put
        right, else one.
        """
        self._learn(Counter(word for text in texts for word in words(text)), short, long)

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], *, short: int = 3, long: int = 8) -> Speller:
        """Correct against folded words that were counted before."""
        speller = cls.__new__(cls)
        speller._learn(counts, short, long)
        return speller

    def _learn(self, counts: Mapping[str, int], short: int, long: int) -> None:
        self._short = short
        self._long = long
        self._known = frozenset(counts)
        self._lookup = SymSpell(max_dictionary_edit_distance=2, prefix_length=7)
        for word, count in counts.items():
            if len(word) >= short and word.isalpha() and word.isascii():
                self._lookup.create_dictionary_entry(word, count)

    def correct(self, question: str) -> str:
        """Return `question` with its misspelt words put right, everything else as it was."""
        return _TOKEN.sub(lambda found: self._word(found[0]), question)

    def _word(self, word: str) -> str:
        folded = fold(word)
        stem = re.sub(r"['’]s?$", "", folded)
        if (
            len(folded) < self._short
            or not folded.isascii()
            or stem in self._known
            or stem in english_words()
            or stem in _UNSPELT
        ):
            return word
        distance = 2 if len(folded) >= self._long else 1
        found = self._lookup.lookup(folded, Verbosity.CLOSEST, max_edit_distance=distance)
        if len(folded) <= _SHORTEST:  # any three letters are one letter from some word
            found = [f for f in found if _one_way(folded, f.term)]
        likeliest = max(
            found, key=lambda f: (_likelihood(folded, f.term, f.count), f.term), default=None
        )
        return str(likeliest.term) if likeliest else word


def _likelihood(typed: str, meant: str, count: int) -> float:
    """Return a log likelihood, up to a constant: comparable between words equally near."""
    return math.log(count) + (_ONE_WAY if _one_way(typed, meant) else 0)


def _one_way(typed: str, meant: str) -> bool:
    """Tell whether two letters were swapped, one left out, or one doubled."""
    pairs = list(zip(typed, meant, strict=False))
    at = next((i for i, (one, other) in enumerate(pairs) if one != other), len(pairs))
    swapped = typed[at : at + 2] == meant[at : at + 2][::-1] and typed[at + 2 :] == meant[at + 2 :]
    left_out = typed[at:] == meant[at + 1 :]
    doubled = 0 < at < len(typed) and typed[at] == typed[at - 1] and typed[at + 1 :] == meant[at:]
    return swapped or left_out or doubled
