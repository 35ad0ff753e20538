"""Misspelt words -> the corpus's words. "sciatca" becomes "sciatica"; English words stay.

Only words that are neither in the corpus nor in symspellpy's list of 82,765 English words are
touched, so a rare but right word is never "corrected" into a treatment.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from symspellpy import SymSpell, Verbosity

from index.english import english_words
from index.text import fold, words

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


class Speller:
    """Corrects against the words of a corpus."""

    def __init__(self, texts: Iterable[str], *, short: int = 5, long: int = 8) -> None:
        """Learn the corpus's words.

        Words below `short` letters stay as they are; from `long` letters on two edits are put
        right, else one.
        """
        self._short = short
        self._long = long
        counts = Counter(word for text in texts for word in words(text))
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
        ):
            return word
        distance = 2 if len(folded) >= self._long else 1
        found = self._lookup.lookup(folded, Verbosity.TOP, max_edit_distance=distance)
        return str(found[0].term) if found else word
