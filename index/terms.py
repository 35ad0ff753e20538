"""What hard words mean: `terms.yml` beside the pages. Shown on hover, no part of retrieval."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from index.errors import PageError
from index.frontmatter import LOADER

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
    try:
        rows = yaml.load(path.read_text("utf-8"), Loader=LOADER)
    except (OSError, UnicodeDecodeError) as error:
        raise PageError(f"cannot be read ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise PageError(f"{f'line {mark.line + 1}: ' if mark else ''}is not YAML") from None
    if not isinstance(rows or [], list):
        raise PageError("must be a list of entries, each with a 'term' and what it 'means'")
    meanings: Meanings = {}
    for number, row in enumerate(rows or (), 1):
        if not _is_entry(row):
            raise PageError(f"entry {number} must have a 'term' and what it 'means': {row!r}")
        if len(row["means"].split()) > MOST_WORDS:
            raise PageError(f"entry {number} ({row['term']}) has more than {MOST_WORDS} words")
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


def _is_entry(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and {"term", "means"} <= set(row) <= {"term", "means", "also"}
        and isinstance(row["term"], str)
        and isinstance(row["means"], str)
        and isinstance(row.get("also", []), list)
    )
