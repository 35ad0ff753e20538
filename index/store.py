"""One generation on disk: passages in Chroma, pages beside them. The only home of chromadb.

Chroma gives cosine *distances*; what leaves this module are similarities, 1 - distance. Texts are
kept once, in the pages: Chroma holds vectors and where each passage stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import numpy.typing as npt
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError

from index import glossary
from index.embed import Vectors
from index.errors import IndexDamagedError
from index.lexical import LexicalIndex
from index.manifest import Manifest, generation_folder, read_manifest, require_whole
from index.sentences import Span
from index.terms import Meanings
from index.types import Chunk, Document, Reference, Source

_COLLECTION = "passages"
_PAGES = "pages.jsonl"
_SENTENCES = "sentences.npy"
_BM25 = "bm25"
_GLOSSARY = "glossary.json"
_TERMS = "terms.json"
_CONFIGURATION: Any = {
    "hnsw": {
        "space": "cosine", "ef_construction": 200, "ef_search": 200,
        # written to disk with the first batch: below its threshold Chroma keeps the graph in its
        # log only, and every reader writes the files anew, where a kill could cut them short
        "sync_threshold": 2, "batch_size": 2,
    }
}  # fmt: skip


@dataclass(frozen=True)
class Generation:
    """An opened generation: everything retrieval needs, read-only."""

    manifest: Manifest
    documents: Mapping[str, Document]
    chunks: tuple[Chunk, ...]
    lexical: LexicalIndex
    glossary: glossary.Entries
    meanings: Meanings
    _sentences: Vectors
    _client: Any
    _collection: chromadb.Collection

    def close(self) -> None:
        """Give back Chroma's files; nothing may be asked of this generation afterwards."""
        self._client.close()

    def nearest(self, vector: Vectors, count: int) -> dict[str, float]:
        """Return the cosine similarity of the `count` passages nearest to `vector`, by chunk id."""
        found = self._collection.query(
            query_embeddings=vector[np.newaxis], n_results=min(count, len(self.chunks)),
            include=["distances"],
        )  # fmt: skip
        distances = (found["distances"] or [[]])[0]
        return {i: 1.0 - d for i, d in zip(found["ids"][0], distances, strict=True)}

    @cached_property
    def _rows(self) -> dict[str, slice]:
        ends = np.cumsum([len(chunk.sentences) for chunk in self.chunks]).tolist()
        starts = [0, *ends]
        return {c.id: slice(a, b) for c, a, b in zip(self.chunks, starts, ends, strict=False)}

    def sentence_vectors(self, chunk_id: str) -> Vectors:
        """Return the unit vectors of a passage's sentences, shape (sentences, dimensions)."""
        rows: Vectors = self._sentences[self._rows[chunk_id]].astype(np.float32)
        return rows

    def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """Return the stored vectors of those `ids` that this generation holds."""
        found = self._collection.get(ids=list(ids), include=["embeddings"])
        rows = np.asarray(found["embeddings"], dtype=np.float32)
        return dict(zip(found["ids"], rows, strict=True))


class GenerationWriter:
    """Fills a new generation's folder. Nothing reads it until the manifest names it."""

    def __init__(self, folder: Path) -> None:
        """Create the folder."""
        folder.mkdir(parents=True)
        self._folder = folder
        self._sentences: dict[str, npt.NDArray[np.float16]] = {}
        self._vectors: dict[str, Vectors] = {}

    def add(self, chunks: Sequence[Chunk], vectors: Vectors, sentences: Sequence[Vectors]) -> None:
        """Take passages with their vectors, shape (len(chunks), dimensions), and sentences'."""
        for chunk, vector, rows in zip(chunks, vectors, sentences, strict=True):
            self._vectors[chunk.id] = vector
            self._sentences[chunk.id] = rows.astype(np.float16)

    def finish(
        self, chunks: Sequence[Chunk], documents: Sequence[Document], entries: glossary.Entries,
        meanings: Meanings,
    ) -> None:  # fmt: skip
        """Write the pages, the glossary, the terms, the lexical index and the vectors."""
        glossary.save(entries, self._folder / _GLOSSARY)
        (self._folder / _TERMS).write_text(json.dumps(meanings, ensure_ascii=False), "utf-8")
        with (self._folder / _PAGES).open("w", encoding="utf-8") as file:
            by_page: dict[str, list[Chunk]] = {d.id: [] for d in documents}
            for chunk in chunks:
                by_page[chunk.document.id].append(chunk)
            for document in documents:
                cuts = [(c.id, c.headings, c.sentences) for c in by_page[document.id]]
                file.write(json.dumps([asdict(document), cuts], ensure_ascii=False) + "\n")
        ordered = _in_page_order(chunks, documents)
        rows = [self._sentences[chunk.id] for chunk in ordered]
        np.save(self._folder / _SENTENCES, np.concatenate(rows) if rows else np.zeros((0, 0)))
        if chunks:
            LexicalIndex.build(ordered).save(self._folder / _BM25)
        self._write_vectors(ordered)

    def _write_vectors(self, chunks: Sequence[Chunk]) -> None:
        client = _client(self._folder)
        collection = client.create_collection(
            _COLLECTION, configuration=_CONFIGURATION, embedding_function=None
        )
        step = client.get_max_batch_size()
        for at in range(0, len(chunks), step):
            part = chunks[at : at + step]
            collection.add(
                ids=[c.id for c in part],
                embeddings=np.stack([self._vectors[c.id] for c in part]),
                metadatas=[
                    {"document": c.document.id, "title": c.document.title, "start": c.start,
                     "end": c.end}
                    for c in part
                ],
            )  # fmt: skip
        client.close()  # Chroma's own threads may write until then


def open_generation(data: Path) -> Generation:
    """Open the generation that answers in `data`. Raises IndexMissingError, IndexDamagedError."""
    manifest = read_manifest(data)
    folder = generation_folder(data, manifest.generation)
    try:
        require_whole(manifest, folder)
        pages = list(_read_pages(folder / _PAGES))
        chunks = tuple(chunk for _, cuts in pages for chunk in cuts)
        lexical = LexicalIndex.open(folder / _BM25)
        entries = glossary.load(folder / _GLOSSARY)
        meanings = json.loads((folder / _TERMS).read_text("utf-8"))
        sentences = np.load(folder / _SENTENCES, mmap_mode="r")
        if len(sentences) != sum(len(chunk.sentences) for chunk in chunks):
            raise ValueError(f"{_SENTENCES} does not belong to {_PAGES}")
        client = _client(folder)
        collection = client.get_collection(_COLLECTION, embedding_function=None)
        if collection.count() != len(chunks) or manifest.chunks != len(chunks):
            raise ValueError(f"{collection.count()} vectors for {len(chunks)} passages")
    except (OSError, EOFError, ValueError, TypeError, KeyError, ChromaError) as error:
        raise IndexDamagedError(
            f"the index in {folder} cannot be read ({error}); "
            f"run: citewell index --rebuild --data {data}"
        ) from error
    return Generation(
        manifest,
        {d.id: d for d, _ in pages},
        chunks,
        lexical,
        entries,
        meanings,
        sentences,
        client,
        collection,
    )


def _client(folder: Path) -> Any:
    settings = ChromaSettings(anonymized_telemetry=False)
    return chromadb.PersistentClient(path=str(folder / "chroma"), settings=settings)


def _chunk(
    document: Document, name: str, headings: tuple[str, ...], sentences: tuple[Span, ...]
) -> Chunk:
    start, end = sentences[0][0], sentences[-1][1]
    return Chunk(name, document, headings, document.text[start:end], start, end, sentences)


def _in_page_order(chunks: Sequence[Chunk], documents: Sequence[Document]) -> list[Chunk]:
    order = {document.id: at for at, document in enumerate(documents)}
    return sorted(chunks, key=lambda c: order[c.document.id])


def _read_pages(path: Path) -> Iterator[tuple[Document, list[Chunk]]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            page, cuts = json.loads(line)
            page["aliases"] = tuple(page["aliases"])
            page["sources"] = tuple(Source(**source) for source in page["sources"])
            page["references"] = tuple(Reference(**reference) for reference in page["references"])
            document = Document(**page)
            yield (
                document,
                [
                    _chunk(document, i, tuple(headings), tuple((a, b) for a, b in sentences))
                    for i, headings, sentences in cuts
                ],
            )
