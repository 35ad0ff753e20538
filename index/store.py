"""One generation on disk: passages in Chroma, pages beside them. The only home of chromadb.

Chroma gives cosine *distances*; what leaves this module are similarities, 1 - distance. Texts are
kept once, in the pages: Chroma holds vectors and where each passage stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError

from index import glossary
from index.embed import Vectors
from index.errors import IndexDamagedError
from index.lexical import LexicalIndex
from index.manifest import Manifest, generation_folder, read_manifest, require_whole
from index.types import Chunk, Document, Reference, Source

_COLLECTION = "passages"
_PAGES = "pages.jsonl"
_BM25 = "bm25"
_GLOSSARY = "glossary.json"
_CONFIGURATION: Any = {"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 200}}


@dataclass(frozen=True, slots=True)
class Generation:
    """An opened generation: everything retrieval needs, read-only."""

    manifest: Manifest
    documents: Mapping[str, Document]
    chunks: tuple[Chunk, ...]
    lexical: LexicalIndex
    glossary: glossary.Entries
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

    def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """Return the stored vectors of those `ids` that this generation holds."""
        found = self._collection.get(ids=list(ids), include=["embeddings"])
        rows = np.asarray(found["embeddings"], dtype=np.float32)
        return dict(zip(found["ids"], rows, strict=True))


class GenerationWriter:
    """Fills a new generation's folder. Nothing reads it until the manifest names it."""

    def __init__(self, folder: Path) -> None:
        """Create the folder and an empty collection in it."""
        folder.mkdir(parents=True)
        self._folder = folder
        self._client = _client(folder)
        self._collection = self._client.create_collection(
            _COLLECTION, configuration=_CONFIGURATION, embedding_function=None
        )

    def add(self, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Store passages with their vectors, shape (len(chunks), dimensions)."""
        step = self._client.get_max_batch_size()
        for at in range(0, len(chunks), step):
            part = chunks[at : at + step]
            self._collection.add(
                ids=[c.id for c in part],
                embeddings=vectors[at : at + step],
                metadatas=[
                    {
                        "document": c.document.id,
                        "start": c.start,
                        "end": c.end,
                        "title": c.document.title,
                    }
                    for c in part
                ],
            )

    def finish(
        self, chunks: Sequence[Chunk], documents: Sequence[Document], entries: glossary.Entries
    ) -> None:
        """Write the pages, the glossary and the lexical index beside the vectors."""
        glossary.save(entries, self._folder / _GLOSSARY)
        with (self._folder / _PAGES).open("w", encoding="utf-8") as file:
            by_page: dict[str, list[Chunk]] = {d.id: [] for d in documents}
            for chunk in chunks:
                by_page[chunk.document.id].append(chunk)
            for document in documents:
                cuts = [(c.id, c.headings, c.start, c.end) for c in by_page[document.id]]
                file.write(json.dumps([asdict(document), cuts], ensure_ascii=False) + "\n")
        if chunks:
            LexicalIndex.build(_in_page_order(chunks, documents)).save(self._folder / _BM25)


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
        manifest, {d.id: d for d, _ in pages}, chunks, lexical, entries, client, collection
    )


def _client(folder: Path) -> Any:
    settings = ChromaSettings(anonymized_telemetry=False)
    return chromadb.PersistentClient(path=str(folder / "chroma"), settings=settings)


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
                    Chunk(i, document, tuple(headings), document.text[start:end], start, end)
                    for i, headings, start, end in cuts
                ],
            )
