"""BM25 over passages (bm25s). Titles and aliases count, so "knife needle" finds acupotomy.

bm25s keeps, for every term, the passages that hold it and what it is worth in each. Reading those
few lists is all a question needs: bm25s's own `get_scores` and `topk` pass over every passage.

Two terms that follow each other count as a term of their own: "frozen shoulder" is more than both
words somewhere. Pairs are hashed into buckets, since a large corpus has millions of them.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import bm25s
import numpy as np
import numpy.typing as npt

from index.text import terms
from index.types import Chunk

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG

Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
_Passages = npt.NDArray[np.int32]

_FEWEST, _MOST = 1 << 16, 1 << 22
"""Buckets of pairs: a power of two between these, not far from the number of pairs there are."""


class LexicalIndex:
    """BM25 (Lucene's form, k1 1.2, b 0.3) over passages, in the order they were given.

    Passages are cut to much the same length, so a long one is punished less than is usual (b 0.75).
    """

    def __init__(self, bm25: bm25s.BM25) -> None:
        """Wrap a filled bm25s index; use `build` or `open`."""
        self._bm25 = bm25
        stored = bm25.scores
        self._ends = np.asarray(stored["indptr"])
        self._passages, self._worth = np.asarray(stored["indices"]), np.asarray(stored["data"])
        if len(self._passages) != self._ends[-1] or len(self._worth) != self._ends[-1]:
            raise ValueError("the arrays of the BM25 index do not belong together")
        self._words = len(bm25.vocab_dict)
        self._buckets = len(self._ends) - 1 - self._words

    @classmethod
    def build(cls, chunks: Iterable[Chunk]) -> LexicalIndex:
        """Index passages with their title, aliases and headings."""
        vocabulary: dict[str, int] = {}
        corpus, pairs = [], []
        for chunk in chunks:
            own = _terms_of(chunk)
            corpus.append(array("i", (vocabulary.setdefault(t, len(vocabulary)) for t in own)))
            pairs.append(array("I", _pairs(own)))
        wanted = sum(map(len, pairs))
        buckets = min(max(1 << wanted.bit_length(), _FEWEST), _MOST)
        for one, other in zip(corpus, pairs, strict=True):
            one.extend(len(vocabulary) + pair % buckets for pair in other)
        bm25 = bm25s.BM25(method="lucene", k1=1.2, b=0.3)
        bm25.scores = bm25.build_index_from_ids(
            range(len(vocabulary) + buckets), corpus, show_progress=False
        )
        bm25.vocab_dict = vocabulary
        return cls(bm25)

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex:
        """Open an index that `save` wrote; its lists stay on disk until they are asked for."""
        return cls(bm25s.BM25.load(folder, load_corpus=False, mmap=True, show_progress=False))

    def save(self, folder: Path) -> None:
        """Write the index to `folder`."""
        self._bm25.save(folder, show_progress=False)

    def __len__(self) -> int:
        """Return how many passages are indexed."""
        return int(self._bm25.scores["num_docs"])

    def document_frequency(self, term: str) -> int:
        """Return in how many passages a stemmed term stands."""
        return len(self._list(term)[0])

    def holding(self, phrase: Sequence[str]) -> Positions:
        """Return the positions of the passages that hold every one of these terms, in order."""
        lists = sorted((self._list(term)[0] for term in set(phrase)), key=len)
        found = lists[0] if lists else np.zeros(0, dtype=np.int32)
        for other in lists[1:]:
            found = np.intersect1d(found, other, assume_unique=True)
        return found.astype(np.int64)

    def top(self, question_terms: Sequence[str], count: int) -> tuple[Positions, Scores]:
        """Return the `count` passages that score highest, and their scores, best first.

        Only passages that share a term. Equal scores stand in the order of their positions.
        """
        scores = np.zeros(len(self), dtype=np.float32)
        for passages, worth in self._lists(question_terms):
            scores[passages] += worth
        found = scores.nonzero()[0]
        own = scores[found]
        if len(found) > count:
            least = np.partition(own, len(own) - count)[len(own) - count]
            above, equal = (own > least).nonzero()[0], (own == least).nonzero()[0]
            kept = np.concatenate((above, equal[: count - len(above)]))
            found, own = found[kept], own[kept]
        order = np.lexsort((found, -own))
        return found[order], own[order]

    def scores_of(self, question_terms: Sequence[str], positions: Positions) -> Scores:
        """Return the BM25 scores of these passages, 0 for those that share no term."""
        scores = np.zeros(len(positions), dtype=np.float32)
        asked = np.asarray(positions, dtype=self._passages.dtype)  # else each list would be cast
        for passages, worth in self._lists(question_terms):
            if len(passages):
                at = np.minimum(np.searchsorted(passages, asked), len(passages) - 1)
                scores += np.where(passages[at] == asked, worth[at], np.float32(0))
        return scores

    def _lists(self, question_terms: Sequence[str]) -> Iterator[tuple[_Passages, Scores]]:
        """Yield the list of every term of a question, and of every pair of them."""
        yield from map(self._list, question_terms)
        for pair in _pairs(question_terms):
            yield self._row(self._words + pair % self._buckets)

    def _list(self, term: str) -> tuple[_Passages, Scores]:
        """Return the passages that hold a term, in order, and what it is worth in each."""
        at = self._bm25.vocab_dict.get(term)
        return (self._passages[:0], self._worth[:0]) if at is None else self._row(at)

    def _row(self, at: int) -> tuple[_Passages, Scores]:
        part = slice(self._ends[at], self._ends[at + 1])
        return self._passages[part], self._worth[part]


def _pairs(of_terms: Sequence[str]) -> Iterator[int]:
    """Yield a number for each two terms that follow each other."""
    for one, other in pairwise(of_terms):
        yield crc32(f"{one} {other}".encode())


def _terms_of(chunk: Chunk) -> list[str]:
    return terms("\n".join((chunk.embedded_text, *chunk.document.aliases))) or ["\0"]
