"""One generation in its folder: pages, passages by position, and all that finds them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index import glossary
from index.embed import Vectors
from index.errors import DataFolderError, IndexDamagedError, IndexMismatchError
from index.files import remedy_for
from index.lexical import LexicalIndex
from index.manifest import Manifest, generation_folder, read_manifest, require_whole
from index.pages import Pages, PageWriter, Positions
from index.settings import ChromaSettings
from index.store import Nearest, fill
from index.terms import Meanings
from index.text import words
from index.types import Chunk, Document
from index.vectors import StoredVectors, VectorWriter

_BM25 = "bm25"
_GLOSSARY = "glossary.json"
_TERMS = "terms.json"
_WORDS = "words.json"
_MOST_WORDS = 100_000
"""Words kept for putting misspelt ones right: the most frequent."""


@dataclass(frozen=True)
class Generation:
    """An opened generation: everything retrieval needs, read-only. Thread-safe."""

    manifest: Manifest
    pages: Pages
    vectors: StoredVectors
    lexical: LexicalIndex
    glossary: glossary.Entries
    meanings: Meanings
    _folder: Path
    _nearest: Nearest

    @property
    def documents(self) -> Mapping[str, Document]:
        """Every page by id, in page order; each is read when it is asked for."""
        return self.pages.documents

    @property
    def chunks(self) -> Sequence[Chunk]:
        """Every passage by position; each is read when it is asked for."""
        return self.pages.chunks

    def close(self) -> None:
        """Give back what Chroma holds; nothing may be asked of this generation afterwards."""
        self._nearest.close()

    def find(self, chunk_id: str) -> Chunk | None:
        """Return a passage by its id, None if it is not here."""
        position = self.pages.position_of(chunk_id)
        return None if position is None else self.chunks[position]

    def passages_of(self, document_id: str) -> Sequence[Chunk]:
        """Return the passages of one page, in its order."""
        page = self.pages.page_of(document_id)
        return () if page is None else self.pages.page(page)[1]

    def nearest(self, vector: Vectors, count: int) -> Positions:
        """Return the positions of the `count` passages nearest to a unit vector, nearest first.

        Raises IndexUnavailableError if Chroma is in a server and that does not answer.
        """
        return self._nearest.find(vector, count)

    def word_counts(self) -> dict[str, int]:
        """Return how often the most frequent words of the pages and the glossary stand there."""
        counts: dict[str, int] = json.loads((self._folder / _WORDS).read_text("utf-8"))
        return counts


class GenerationWriter:
    """Fills a new generation's folder: pages, then vectors, then the rest.

    Nothing reads it until the manifest names it.
    """

    def __init__(self, folder: Path, chroma: ChromaSettings) -> None:
        """Create the folder."""
        folder.mkdir(parents=True)
        self._folder = folder
        self._settings = chroma
        self._pages = PageWriter(folder)
        self._words: Counter[str] = Counter()
        self._written: Pages | None = None
        self._vectors: VectorWriter | None = None

    def add_page(self, document: Document, chunks: Sequence[Chunk]) -> None:
        """Write a page and its passages."""
        self._pages.add(document, chunks)
        for text in (document.title, document.text, *document.aliases):
            self._words.update(words(text))

    @property
    def passages(self) -> int:
        """How many passages were written so far."""
        return self._pages.passages

    def pages_end(self) -> Pages:
        """Open the pages that were written: their passages have positions now."""
        self._written = self._pages.close()
        rows = self._written.rows
        self._vectors = VectorWriter(self._folder, len(rows) - 1, int(rows[-1]))
        return self._written

    def add_vectors(self, vectors: npt.ArrayLike, sentences: npt.ArrayLike) -> None:
        """Write the unit vectors of the next passages, and those of all their sentences."""
        assert self._vectors, "pages come before vectors"
        self._vectors.add(vectors, sentences)

    def finish(self, entries: glossary.Entries, meanings: Meanings) -> None:
        """Write the glossary, the terms, the lexical index, and the vectors into Chroma."""
        assert self._written, "pages come before the rest"
        self.close()
        glossary.save(entries, self._folder / _GLOSSARY)
        (self._folder / _TERMS).write_text(json.dumps(meanings, ensure_ascii=False), "utf-8")
        for names in entries.values():
            for name in names:
                self._words.update(words(name))
        kept = dict(self._words.most_common(_MOST_WORDS))
        in_order = {word: count for word, count in self._words.items() if word in kept}
        (self._folder / _WORDS).write_text(json.dumps(in_order, ensure_ascii=False), "utf-8")
        LexicalIndex.build(self._written.chunks).save(self._folder / _BM25)
        vectors = StoredVectors(self._folder, self._written.rows)
        fill(self._folder, self._settings, vectors.passages)

    def abandon(self) -> None:
        """Give the files back, whatever was written; nobody will read it."""
        with suppress(OSError):
            self.close()

    def close(self) -> None:
        """Give the files back, all of them written."""
        self._pages.abandon()
        if self._vectors:
            self._vectors.close()


def open_generation(data: Path, chroma: ChromaSettings = ChromaSettings()) -> Generation:  # noqa: B008
    """Open the generation that answers in `data`.

    Raises IndexMissingError, IndexDamagedError, IndexMismatchError, IndexUnavailableError, and
    DataFolderError for what its files are not to blame for.
    """
    while True:
        manifest = read_manifest(data)
        try:
            return _open(data, manifest, chroma)
        except IndexDamagedError:
            if read_manifest(data).generation == manifest.generation:
                raise  # else it was deleted under way: two builds have ended since


def _open(data: Path, manifest: Manifest, chroma: ChromaSettings) -> Generation:
    folder = generation_folder(data, manifest.generation)
    if (manifest.recipe.chroma == "server") != bool(chroma.url):
        raise IndexMismatchError(
            f"the vectors of {folder} are in a Chroma {manifest.recipe.chroma}, but chroma.url = "
            f"'{chroma.url}'; run: citewell index --data {data}"
        )
    nearest: Nearest | None = None
    try:
        require_whole(manifest, folder)
        pages = Pages(folder)
        vectors = StoredVectors(folder, pages.rows)
        lexical = LexicalIndex.open(folder / _BM25)
        entries = glossary.load(folder / _GLOSSARY)
        meanings = json.loads((folder / _TERMS).read_text("utf-8"))
        nearest = Nearest(folder, chroma, vectors.passages[0].astype(np.float32))
        if not nearest.passages == manifest.chunks == len(pages.chunks) == len(lexical):
            raise ValueError(f"{nearest.passages} vectors for {len(pages.chunks)} passages")
    except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
        if nearest:
            nearest.close()
        if remedy := remedy_for(error):
            raise DataFolderError(
                f"the index in {folder} cannot be opened ({error}); {remedy}"
            ) from error
        raise IndexDamagedError(
            f"the index in {folder} cannot be read ({error}); "
            f"run: citewell index --rebuild --data {data}"
        ) from error
    return Generation(manifest, pages, vectors, lexical, entries, meanings, folder, nearest)
