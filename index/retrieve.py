"""Question -> [Hit]: dense and lexical search, blended. Also a LangChain BaseRetriever."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from index.build import recipe
from index.embed import Encoder, Vectors
from index.errors import CitewellError, IndexUnavailableError
from index.generation import Generation, open_generation
from index.glossary import Expansion, Glossary
from index.manifest import read_manifest, require
from index.rank import blend
from index.settings import ChromaSettings, IndexSettings
from index.spelling import Speller
from index.terms import Terms
from index.text import terms
from index.types import Chunk, Document, Hit

_log = logging.getLogger(__name__)
_POOL = 100
"""Passages each side may bring."""
_ENOUGH = 10
"""Mentions from which on no more are counted."""
_LOOKED_AT = 200
"""Passages that are looked at for mentions at most: those with the best BM25."""
_AGAIN_S = 60
"""Seconds after which a new index that could not be opened is tried again."""


@dataclass(frozen=True)
class _Opened:
    generation: Generation
    changed_at: int

    @cached_property
    def speller(self) -> Speller:
        return Speller.of_counts(self.generation.word_counts())

    @cached_property
    def glossary(self) -> Glossary:
        return Glossary.of(self.generation.pages.named(), self.generation.glossary)

    @cached_property
    def terms(self) -> Terms:
        return Terms(self.generation.meanings)

    @cached_property
    def mentions(self) -> Callable[[tuple[str, ...]], int]:
        return lru_cache(maxsize=4096)(self._mentions)

    def _mentions(self, phrase: tuple[str, ...]) -> int:
        generation = self.generation
        positions = generation.lexical.holding(phrase)
        if len(positions) > _LOOKED_AT:
            scores = generation.lexical.scores_of(phrase, positions)
            positions = positions[(-scores).argsort(kind="stable")[:_LOOKED_AT]]
        wanted = f" {' '.join(phrase)} "
        found = 0
        for page in dict.fromkeys(map(generation.pages.page_at, positions.tolist())):
            document, _ = generation.pages.page(page)
            found += f" {' '.join(terms(f'{document.title} {document.text}'))} ".count(wanted)
            if found >= _ENOUGH:
                break
        return min(found, _ENOUGH)


class Retriever:
    """Searches the generation that answers, and moves to a new one when it is swapped in."""

    def __init__(
        self, data: Path, encoder: Encoder, settings: IndexSettings,
        chroma: ChromaSettings = ChromaSettings(),  # noqa: B008
    ) -> None:  # fmt: skip
        """Open the index in `data`.

        Raises IndexMissingError, IndexDamagedError, IndexUnavailableError, DataFolderError, or
        IndexMismatchError if it was made with another model or other parameters than `encoder` and
        the settings.
        """
        self._data = data
        self._encoder = encoder
        self._settings = settings
        self._chroma = chroma
        self._opened = self._open()
        self._before: _Opened | None = None
        self._refused = (0, 0.0)
        self._opening = Lock()

    @property
    def encoder(self) -> Encoder:
        """The model that questions and passages are encoded with."""
        return self._encoder

    @property
    def documents(self) -> Mapping[str, Document]:
        """Every page that can be quoted, by id; each is read when it is asked for."""
        return self._opened.generation.documents

    @property
    def terms(self) -> Terms:
        """The hard words that `terms.yml` explains."""
        return self._opened.terms

    @property
    def generation(self) -> Generation:
        """The generation that answers."""
        return self._opened.generation

    def current(self) -> Generation:
        """Move to the generation that was swapped in, if one was, and return it."""
        return self._current().generation

    def correct(self, question: str) -> str:
        """Return `question` with misspelt words put right by the corpus's own."""
        return self._opened.speller.correct(question)

    def expand(self, question: str) -> Expansion:
        """Return the pages' own terms for other names that `question` uses."""
        return self._opened.glossary.expand(question)

    def mentions(self, phrase: Sequence[str]) -> int:
        """Count how often the pages say these stemmed terms one after the other, up to ten times.

        Pages are looked at that hold a passage with all of the terms.
        """
        return self._opened.mentions(tuple(phrase))

    def share(self, term: str) -> float:
        """Return in which part of the passages a stemmed term stands, 0..1."""
        lexical = self._opened.generation.lexical
        return lexical.document_frequency(term) / len(lexical)

    def rarity(self, term: str) -> float:
        """Return the inverse document frequency of a stemmed term, BM25's form, over passages."""
        lexical = self._opened.generation.lexical
        total, count = len(lexical), lexical.document_frequency(term)
        return math.log(1 + (total - count + 0.5) / (count + 0.5))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, one a text, to be compared with each other."""
        return self._encoder.encode_passages(texts)

    def similarity(self, one: str, other: str) -> float:
        """Return the cosine similarity of two texts."""
        vectors = self._encoder.encode_passages([one, other])
        return float(vectors[0] @ vectors[1])

    def passages_of(self, document: Document) -> list[Chunk]:
        """Return the passages of one page, in its order."""
        return list(self._opened.generation.passages_of(document.id))

    def retrieve(self, question: str, *, count: int = 8) -> list[Hit]:
        """Return the `count` best passages for a standalone question, best first.

        Each side brings its hundred best; all of them are then scored by both (`index.rank`).
        """
        generation = self._current(wait=False).generation
        asked = self._encoder.encode_question(question)
        wanted = terms(question)
        nearest = generation.nearest(asked, _POOL)
        found, _ = generation.lexical.top(wanted, _POOL)
        pool = np.union1d(nearest, found)
        cosines = generation.vectors.similarities(asked, pool)
        sentences, starts = generation.vectors.sentence_similarities(asked, pool)
        best = np.maximum.reduceat(sentences, starts[:-1])
        lexical = generation.lexical.scores_of(wanted, pool)
        scores = blend(cosines, best, lexical, lexical_weight=self._settings.lexical_weight)
        near = {*nearest.tolist()}
        return [
            Hit(
                generation.chunks[position],
                rank,
                float(scores[at]),
                float(cosines[at]) if position in near else None,
                float(lexical[at]) or None,
                tuple(sentences[starts[at] : starts[at + 1]].tolist()),
            )
            for rank, at in enumerate(np.lexsort((pool, -scores))[:count].tolist(), 1)
            for position in (int(pool[at]),)
        ]

    def tuned(self, lexical_weight: float, count: int | None = None) -> Retriever:
        """Return a retriever over what is open now that weighs otherwise, for a few questions.

        It stays on this generation. With a `count` it returns that many passages, whatever it is
        asked for.
        """
        settings = self._settings.model_copy(update={"lexical_weight": lexical_weight})
        return _Tuned(self._current(), self._encoder, settings, count)

    def _current(self, *, wait: bool = True) -> _Opened:
        """Move to the generation swapped in, if one was; the one before stays for late readers.

        Unless told to `wait`, answer from the one before while another thread opens the new one.
        """
        changed_at = self._changed_at()
        if not self._is_news(changed_at):
            return self._opened
        if not self._opening.acquire(blocking=wait):
            return self._opened
        try:
            if self._is_news(changed_at):  # else another thread was here meanwhile
                self._move(changed_at)
        finally:
            self._opening.release()
        return self._opened

    def _is_news(self, changed_at: int) -> bool:
        if changed_at in (0, self._opened.changed_at):
            return False
        refused, again_at = self._refused
        return changed_at != refused or time.monotonic() >= again_at

    def _move(self, changed_at: int) -> None:
        try:
            fresh = self._open()
        except (CitewellError, OSError) as error:
            if not isinstance(error, IndexUnavailableError):  # which passes
                self._refused = (changed_at, time.monotonic() + _AGAIN_S)
            _log.warning("staying on the index already open: %s", error)
            return
        if self._before:
            self._before.generation.close()
        self._before, self._opened = self._opened, fresh

    def _open(self) -> _Opened:
        wanted = recipe(self._encoder, self._settings, self._chroma)
        require(read_manifest(self._data), wanted, self._data)
        changed_at = self._changed_at()
        return _Opened(open_generation(self._data, self._chroma), changed_at)

    def _changed_at(self) -> int:
        """Return when the manifest was swapped in, 0 if it cannot be seen."""
        try:
            return (self._data / "manifest.json").stat().st_mtime_ns
        except OSError:
            return 0


class _Tuned(Retriever):
    """The same passages, weighed otherwise. Follows no swap, so it opens and closes nothing."""

    def __init__(
        self, opened: _Opened, encoder: Encoder, settings: IndexSettings, count: int | None
    ) -> None:
        self._opened = opened
        self._encoder = encoder
        self._settings = settings
        self._count = count

    def retrieve(self, question: str, *, count: int = 8) -> list[Hit]:
        return super().retrieve(question, count=self._count or count)

    def _current(self, *, wait: bool = True) -> _Opened:
        return self._opened


class LangChainRetriever(BaseRetriever):
    """The same search for other people's chains: LangChain Documents with where to find them."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: Retriever
    count: int = 8

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[LangChainDocument]:
        return [
            LangChainDocument(
                id=hit.chunk.id, page_content=hit.chunk.text,
                metadata={
                    "title": hit.chunk.document.title, "document": hit.chunk.document.id,
                    "url": hit.chunk.document.url, "start": hit.chunk.start, "end": hit.chunk.end,
                    "score": hit.score,
                },
            )
            for hit in self.retriever.retrieve(query, count=self.count)
        ]  # fmt: skip
