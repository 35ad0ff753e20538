"""What hard words mean: `terms.yml` beside the pages. Shown on hover, no part of retrieval."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from index.entries import read_entries
from index.errors import PageError

FILE = "terms.yml"
MOST_WORDS = 20

Meanings = dict[str, str]
"""A name in lower case -> what it means, in one plain phrase."""


class Term(NamedTuple):
    """A hard word in a text, at `text[start:end]`."""

    start: int
    end: int
    meaning: str


def read_terms(path: Path) -> Meanings:
    """Read one file of terms. Raises PageError naming what is wrong, by line where it is known."""
    meanings: Meanings = {}
    for row in read_entries(path, {"term": str, "means": str}, {"also": list}):
        if len(row["means"].split()) > MOST_WORDS:
            raise PageError(f"'{row['term']}' is explained in more than {MOST_WORDS} words")
        for name in (row["term"], *map(str, row.get("also", ()))):
            meanings[name.lower()] = row["means"]
    return meanings


class Terms:
    """Finds hard words in sentences: the longest name that fits, whole words, any case."""

    def __init__(self, meanings: Mapping[str, str]) -> None:
        """Look for the names in `meanings`."""
        self._meanings = meanings
        names = "|".join(re.escape(name) for name in sorted(meanings, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w-])({names})(?:s|es)?(?![\w-])", re.I)

    def find(self, text: str) -> list[Term]:
        """Return the hard words of `text` in order, each meaning once."""
        if not self._meanings:
            return []
        found: dict[str, Term] = {}
        for match in self._pattern.finditer(text):
            meaning = self._meanings[match[1].lower()]
            found.setdefault(meaning, Term(match.start(), match.end(), meaning))
        return list(found.values())
