"""How people ask -> how the pages speak: aliases of pages and `glossary.yml` beside them.

A question that uses another name gets the pages' own term added, so that both searches find it;
the question's words stay as they are. Longest names win and use up their words: "knife needle" is
acupotomy, and says nothing of needles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from index.entries import read_entries
from index.text import words
from index.types import Document

FILE = "glossary.yml"
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")

_OFTEN = 3
"""How often a page must use a name for the name to be its own word."""
_PARTICLES = frozenset("이가은는을를도의만에")
"""Korean endings: a name of one syllable counts only as a word of its own, with or without one."""

Name = tuple[tuple[str, ...], str]
"""A name as words, and the term it stands for."""

Entries = dict[str, tuple[str, ...]]
"""Term of the pages -> other names for it."""


def read_glossary(path: Path) -> Entries:
    """Read one glossary file. Raises PageError naming what is wrong, by line where it is known."""
    entries: Entries = {}
    for row in read_entries(path, {"term": str, "also": list}):
        entries[row["term"]] = (*entries.get(row["term"], ()), *map(str, row["also"]))
    return entries


@dataclass(frozen=True, slots=True)
class Expansion:
    """A question, the terms `added` to it, the words they bridge, and every term it `names`.

    `topics` are the titles of treatment and condition pages among the names, with their kind.
    """

    question: str
    added: tuple[str, ...] = ()
    bridged: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    topics: Mapping[str, str] = field(default_factory=dict)
    kept: str = ""

    @property
    def reworded(self) -> str:
        """The question in the pages' words: with the added terms instead of what they bridge."""
        return " ".join((self.kept, *self.added)) if self.added else self.question

    @property
    def text(self) -> str:
        """The question with the added terms beside it, as it is looked up."""
        return f"{self.question} ({', '.join(self.added)})" if self.added else self.question


@dataclass(frozen=True)
class Glossary:
    """Every known name, longest first: (its words, the term to add).

    `plain` are the names a page's own text uses often: they are understood as they stand, and
    adding the page's title would only draw the search away from the section they are about. `said`
    are those it uses at all: they are never put aside for the title. `topics` are
    the titles of treatment and condition pages with their kind.
    """

    names: tuple[Name, ...]
    plain: frozenset[Name]
    said: frozenset[Name]
    topics: Mapping[str, str]

    @classmethod
    def of(cls, documents: Iterable[Document], entries: Mapping[str, Iterable[str]]) -> Glossary:
        """Join the aliases of `documents` (their term is the title) with glossary `entries`."""
        found: dict[tuple[str, ...], list[str]] = {}
        topics: dict[str, str] = {}
        plain: set[Name] = set()
        said: set[Name] = set()
        for document in documents:
            if document.kind in ("treatment", "condition"):
                topics[document.title] = document.kind
                text = f" {' '.join(words(document.text))} "
                for name in (document.title, *document.aliases):
                    key = tuple(words(name))
                    _add(found, key, document.title)
                    count = text.count(f" {' '.join(key)} ")
                    if count:
                        said.add((key, document.title))
                    if count >= _OFTEN:
                        plain.add((key, document.title))
        for term, names in entries.items():
            for name in names:
                _add(found, tuple(words(name)), term)
        flat = [(key, term) for key, terms in found.items() for term in terms]
        longest = sorted(flat, key=lambda item: (-sum(map(len, item[0])), item[0]))
        return cls(tuple(longest), frozenset(plain), frozenset(said), topics)

    def expand(self, question: str) -> Expansion:
        """Find the other names `question` uses; terms it already holds are not added again."""
        tokens = words(question)
        joined = " ".join(tokens)
        free = [True] * len(tokens)
        found: dict[str, bool] = {}
        used: dict[tuple[str, ...], list[str]] = {}
        wide: set[str] = set()
        for key, term in self._candidates(tokens, joined):
            if _WIDE.search(key[0]):
                if " ".join(key) in joined:
                    found[term] = True
                    joined = joined.replace(" ".join(key), " ")
                    wide.update(t for t in tokens if key[0] in t)
            elif key in used or _take(key, tokens, free):
                used.setdefault(key, []).append(term)
                found[term] = found.get(term, False) or (key, term) not in self.plain
        own = set(tokens)
        distinct = {tuple(words(term)): term for term in reversed(found)}
        added = tuple(
            t
            for t, helps in found.items()
            if helps and t in distinct.values() and not own.issuperset(words(t))
        )
        topics = {term: self.topics[term] for term in found if term in self.topics}
        replaced = {
            word
            for key, terms in used.items()
            if any(term in added and (key, term) not in self.said for term in terms)
            for word in key
        }
        kept = " ".join(w for w in tokens if w not in replaced)
        return Expansion(question, added, frozenset(wide.union(*used)), tuple(found), topics, kept)

    def _candidates(self, tokens: Sequence[str], joined: str) -> Iterator[Name]:
        """Yield the names that can be in a question, longest first."""
        starts = set(tokens)
        at = {
            i
            for token in starts
            for i in self._by_start.get(token, ())
            if starts.issuperset(self.names[i][0])
        }
        if _WIDE.search(joined):
            bare = starts | {token[:-1] for token in tokens if token[-1] in _PARTICLES}
            at |= {
                i for i in self._wide if len(self.names[i][0][0]) > 1 or self.names[i][0][0] in bare
            }
        return (self.names[i] for i in sorted(at))

    @cached_property
    def _by_start(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for at, (key, _) in enumerate(self.names):
            found.setdefault(key[0], []).append(at)
        return found

    @cached_property
    def _wide(self) -> list[int]:
        return [at for at, (key, _) in enumerate(self.names) if _WIDE.search(key[0])]


def save(entries: Entries, path: Path) -> None:
    """Write entries beside a generation."""
    path.write_text(json.dumps(entries, ensure_ascii=False), "utf-8")


def load(path: Path) -> Entries:
    """Read what `save` wrote; nothing if there was nothing."""
    if not path.exists():
        return {}
    return {term: tuple(names) for term, names in json.loads(path.read_text("utf-8")).items()}


def _add(found: dict[tuple[str, ...], list[str]], key: tuple[str, ...], term: str) -> None:
    if key and not any(words(term) == words(other) for other in found.setdefault(key, [])):
        found[key].append(term)


def _take(key: tuple[str, ...], tokens: list[str], free: list[bool]) -> bool:
    """Mark the first free place of `key` as used; tell whether there was one."""
    for at in range(len(tokens) - len(key) + 1):
        part = slice(at, at + len(key))
        if tuple(tokens[part]) == key and all(free[part]):
            free[part] = [False] * len(key)
            return True
    return False
