"""BM25 over passages (bm25s). Titles and aliases count, so "knife needle" finds acupotomy."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import bm25s

from index.text import terms
from index.types import Chunk

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG


class LexicalIndex:
    """BM25 (Lucene's form, k1 1.2, b 0.75) over passages, in the order they were given."""

    def __init__(self, bm25: bm25s.BM25) -> None:
        """Wrap a filled bm25s index; use `build` or `open`."""
        self._bm25 = bm25

    @classmethod
    def build(cls, chunks: Iterable[Chunk]) -> LexicalIndex:
        """Index passages with their title, aliases and headings."""
        bm25 = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        corpus = [terms(_indexed_text(chunk)) or ["\0"] for chunk in chunks]
        bm25.index(corpus, show_progress=False)
        return cls(bm25)

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex:
        """Read an index that `save` wrote."""
        return cls(bm25s.BM25.load(folder, load_corpus=False, show_progress=False))

    def save(self, folder: Path) -> None:
        """Write the index to `folder`."""
        self._bm25.save(folder, show_progress=False)

    def scores(self, question_terms: Sequence[str]) -> dict[int, float]:
        """Return the BM25 score of every passage that shares a term, by position."""
        known = [term for term in question_terms if term in self._bm25.vocab_dict]
        if not known:
            return {}
        found = self._bm25.get_scores(known)
        return {int(at): float(found[at]) for at in found.nonzero()[0]}


def _indexed_text(chunk: Chunk) -> str:
    return "\n".join((chunk.embedded_text, *chunk.document.aliases))
