"""Question -> [Hit]: dense and lexical search, fused. Also a LangChain BaseRetriever."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from index.build import recipe
from index.embed import Encoder, Vectors
from index.errors import CitewellError
from index.fuse import fuse
from index.glossary import Expansion, Glossary
from index.manifest import read_manifest, require
from index.settings import IndexSettings
from index.spelling import Speller
from index.store import Generation, open_generation
from index.terms import Terms
from index.text import terms
from index.types import Chunk, Document, Hit

_log = logging.getLogger(__name__)
_POOL = 100
"""Passages each side may bring to the fusion."""


@dataclass(frozen=True)
class _Opened:
    generation: Generation
    changed_at: int

    @cached_property
    def chunks_by_id(self) -> dict[str, Chunk]:
        return {chunk.id: chunk for chunk in self.generation.chunks}

    @cached_property
    def speller(self) -> Speller:
        generation = self.generation
        pages = (t for d in generation.documents.values() for t in (d.title, d.text, *d.aliases))
        return Speller((*pages, *(n for names in generation.glossary.values() for n in names)))

    @cached_property
    def glossary(self) -> Glossary:
        generation = self.generation
        return Glossary.of(generation.documents.values(), generation.glossary)

    @cached_property
    def terms(self) -> Terms:
        return Terms(self.generation.meanings)

    @cached_property
    def said(self) -> tuple[str, ...]:
        documents = self.generation.documents.values()
        return tuple(f" {' '.join(terms(f'{d.title} {d.text}'))} " for d in documents)

    @cached_property
    def document_frequency(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for chunk in self.generation.chunks:
            for term in {*terms(chunk.embedded_text), *terms(" ".join(chunk.document.aliases))}:
                counts[term] = counts.get(term, 0) + 1
        return counts


class Retriever:
    """Searches the generation that answers, and moves to a new one when it is swapped in."""

    def __init__(self, data: Path, encoder: Encoder, settings: IndexSettings) -> None:
        """Open the index in `data`.

        Raises IndexMissingError, IndexDamagedError, or IndexMismatchError if it was made with
        another model or other parameters than `encoder` and `settings`.
        """
        self._data = data
        self._encoder = encoder
        self._settings = settings
        self._opened = self._open()
        self._before: _Opened | None = None
        self._refused_at = 0
        self._opening = Lock()

    @property
    def encoder(self) -> Encoder:
        """The model that questions and passages are encoded with."""
        return self._encoder

    @property
    def documents(self) -> dict[str, Document]:
        """Every page that can be quoted, by id."""
        return dict(self._opened.generation.documents)

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
        """Count how often the pages say these stemmed terms one after the other."""
        wanted = f" {' '.join(phrase)} "
        return sum(text.count(wanted) for text in self._opened.said)

    def share(self, term: str) -> float:
        """Return in which part of the passages a stemmed term stands, 0..1."""
        opened = self._opened
        return opened.document_frequency.get(term, 0) / len(opened.generation.chunks)

    def rarity(self, term: str) -> float:
        """Return the inverse document frequency of a stemmed term, BM25's form, over passages."""
        total = len(self._opened.generation.chunks)
        count = self._opened.document_frequency.get(term, 0)
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
        return [c for c in self._opened.generation.chunks if c.document is document]

    def retrieve(self, question: str, *, count: int = 8) -> list[Hit]:
        """Return the `count` best passages for a standalone question, best first.

        How near a passage is in meaning is the mean of its own similarity and that of its best
        sentence: one sentence that answers is worth as much as a passage on the subject.
        """
        opened = self._current()
        generation = opened.generation
        asked = self._encoder.encode_question(question)
        dense = generation.nearest(asked, _POOL)

        def by_sentence(chunk_id: str) -> tuple[float, ...]:
            return tuple((generation.sentence_vectors(chunk_id) @ asked).tolist())

        by_position = generation.lexical.scores(terms(question))
        strongest = sorted(by_position, key=lambda at: (-by_position[at], at))[:_POOL]
        lexical = {generation.chunks[at].id: by_position[at] for at in strongest}
        sentences = {i: by_sentence(i) for i in dense}
        near = {i: (cosine + max(sentences[i])) / 2 for i, cosine in dense.items()}
        fused = fuse(near, lexical, dense_weight=self._settings.dense_weight)
        return [
            Hit(
                opened.chunks_by_id[i],
                rank,
                score,
                dense.get(i),
                lexical.get(i),
                sentences.get(i) or by_sentence(i),
            )
            for rank, (i, score) in enumerate(fused[:count], 1)
        ]

    def tuned(self, dense_weight: float, count: int | None = None) -> Retriever:
        """Return a retriever over what is open now that weighs otherwise, for a few questions.

        It stays on this generation. With a `count` it returns that many passages, whatever it is
        asked for.
        """
        settings = self._settings.model_copy(update={"dense_weight": dense_weight})
        return _Tuned(self._current(), self._encoder, settings, count)

    def _current(self) -> _Opened:
        """Move to the generation swapped in, if one was; the one before stays for late readers."""
        changed_at = self._changed_at()
        if changed_at in (0, self._opened.changed_at, self._refused_at):
            return self._opened
        with self._opening:
            if changed_at == self._opened.changed_at:
                return self._opened
            try:
                fresh = self._open()
            except (CitewellError, OSError) as error:
                self._refused_at = changed_at
                _log.warning("staying on the index already open: %s", error)
                return self._opened
            if self._before:
                self._before.generation.close()
            self._before, self._opened = self._opened, fresh
        return self._opened

    def _open(self) -> _Opened:
        require(read_manifest(self._data), recipe(self._encoder, self._settings), self._data)
        changed_at = self._changed_at()
        return _Opened(open_generation(self._data), changed_at)

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

    def _current(self) -> _Opened:
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
