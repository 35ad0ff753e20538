"""`citewell index`: pages -> a new generation, swapped in when it is whole.

Vectors of unchanged passages are taken over from the generation before; pages that are gone are
not in the new one, so they are gone at the swap. Pages go to disk as they are read, and come back
a window at a time to be embedded: how many there are does not matter to memory.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index import chunk as chunking
from index import load as loading
from index.embed import Encoder, Vectors
from index.errors import (
    CitewellError,
    IndexDamagedError,
    IndexMissingError,
)
from index.glossary import Entries
from index.manifest import (
    Drop,
    Manifest,
    Recipe,
    abandon,
    generation_folder,
    new_name,
    prune,
    read_manifest,
    require_whole,
    saving,
    swap,
    writing,
)
from index.pages import Pages, Positions
from index.sentences import Span
from index.settings import ChromaSettings, CorpusSettings, IndexSettings
from index.terms import Meanings
from index.types import Chunk, Document, Skipped
from index.vectors import StoredVectors

Progress = Callable[[int, int], None]
"""Called with (passages embedded so far, passages to embed)."""

VERSION = 2
"""Raised when a generation is kept otherwise: old indexes are then built anew."""
_WINDOW = 8192
"""Passages in memory at once."""
_SLAB = 256
_HERE = ChromaSettings()


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did: the manifest that answers now, and whether it had to change anything."""

    manifest: Manifest
    changed: bool


class NothingIndexedError(CitewellError):
    """Not one page could be read; the index that was there, if any, still answers."""


def build(
    inputs: Sequence[str], data: Path, encoder: Encoder, corpus: CorpusSettings,
    settings: IndexSettings, chroma: ChromaSettings = _HERE, *,
    progress: Progress = lambda done, total: None,
    on_skip: Callable[[Skipped], None] = lambda skipped: None, rebuild: bool = False,
) -> Built:  # fmt: skip
    """Index `inputs` (paths and URLs) into `data`. Does nothing if nothing has changed.

    Raises NothingIndexedError, IndexBusyError, DataFolderError, IndexUnavailableError; the old
    index answers on.
    """
    inputs = [item if loading.is_url(item) else str(Path(item).resolve()) for item in inputs]
    with writing(data):
        old = None if rebuild else _current(data)
        print_of_files = loading.fingerprint(inputs, corpus)
        if old and print_of_files and _same(old, encoder, settings, chroma, inputs, print_of_files):
            for name, reason in old.skipped:
                on_skip(Skipped(name, reason))
            return Built(old, changed=False)
        with saving(data):
            prune(data, drop=_drop(chroma))
        reading = _Reading(inputs, corpus, on_skip)
        blank = _blank(data, recipe(encoder, settings, chroma))
        try:
            manifest = _write(
                data, reading, reading.words, encoder, old, progress,
                replace(blank, inputs=tuple(inputs)), chroma,
            )  # fmt: skip
        except NothingIndexedError:
            raise NothingIndexedError(
                f"no page could be read from {', '.join(inputs) or 'an empty list'}"
                + ("; the index before it still answers" if old else "")
            ) from None
        manifest = replace(
            manifest, corpus_sha256=print_of_files or reading.sha256,
            skipped=tuple((s.name, s.reason) for s in reading.skipped),
        )  # fmt: skip
        return Built(swap(data, manifest, _drop(chroma)), changed=True)


def index_documents(
    documents: Iterable[Document], data: Path, encoder: Encoder, settings: IndexSettings,
    chroma: ChromaSettings = _HERE,
) -> Manifest:  # fmt: skip
    """Index documents already at hand, without reuse: for evaluation and for other programs."""
    with writing(data):
        blank = _blank(data, recipe(encoder, settings, chroma))
        manifest = _write(
            data, documents, lambda: ({}, {}), encoder, None, lambda done, total: None, blank,
            chroma,
        )  # fmt: skip
        return swap(data, manifest, _drop(chroma))


def recipe(encoder: Encoder, settings: IndexSettings, chroma: ChromaSettings = _HERE) -> Recipe:
    """Return how `encoder` and the settings turn text into vectors, and where they are kept."""
    identity = encoder.identity
    return Recipe(
        identity.name,
        identity.sha256,
        settings.passage_tokens,
        encoder.window,
        chunking.VERSION,
        loading.VERSION,
        VERSION,
        _place(chroma),
    )


def _place(chroma: ChromaSettings) -> str:
    return "server" if chroma.url else "folder"


def _drop(chroma: ChromaSettings) -> Drop:
    """Return what deletes a generation's collection from the server, if there is one."""

    def drop(generation: str) -> None:
        from index.store import drop_collection

        drop_collection(chroma, generation)

    return drop if chroma.url else lambda generation: None


def _current(data: Path) -> Manifest | None:
    try:
        return read_manifest(data)
    except (IndexMissingError, IndexDamagedError):
        return None


def _same(
    old: Manifest, encoder: Encoder, settings: IndexSettings, chroma: ChromaSettings,
    inputs: Sequence[str], digest: str,
) -> bool:  # fmt: skip
    """Compare without loading the model: its window belongs to its weights."""
    made = old.recipe
    versions = (made.chunk_version, made.load_version, made.store_version)
    return (
        made.identity == encoder.identity
        and (made.passage_tokens, made.chroma) == (settings.passage_tokens, _place(chroma))
        and versions == (chunking.VERSION, loading.VERSION, VERSION)
        and old.corpus_sha256 == digest
        and list(old.inputs) == list(inputs)
    )


class _Reading:
    """Pages as they are read, once; then what was skipped, and a hash of the texts."""

    def __init__(
        self, inputs: Sequence[str], corpus: CorpusSettings, on_skip: Callable[[Skipped], None]
    ) -> None:
        self._inputs = inputs
        self._corpus = corpus
        self._on_skip = on_skip
        self._digest = hashlib.sha256()
        self.skipped: list[Skipped] = []

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[Document]:
        for found in loading.load(self._inputs, self._corpus):
            if isinstance(found, Document):
                self._digest.update(f"{found.id}\0{found.text}\0".encode())
                yield found
            else:
                self._skip(found)

    def words(self) -> tuple[Entries, Meanings]:
        """Read the glossaries and the terms beside the pages."""
        entries, unread = loading.load_glossaries(self._inputs)
        meanings, unread_terms = loading.load_terms(self._inputs)
        for item in (*unread, *unread_terms):
            self._skip(item)
        return entries, meanings

    def _skip(self, item: Skipped) -> None:
        self.skipped.append(item)
        self._on_skip(item)


def _blank(data: Path, wanted: Recipe) -> Manifest:
    now = dt.datetime.now(dt.UTC)
    return Manifest(
        generation=new_name(data, now), created=now.isoformat(timespec="seconds"), recipe=wanted,
        inputs=(), corpus_sha256="", documents=0, chunks=0, embedded=0, skipped=(),
    )  # fmt: skip


def _write(
    data: Path, documents: Iterable[Document], words: Callable[[], tuple[Entries, Meanings]],
    encoder: Encoder, old: Manifest | None, progress: Progress, manifest: Manifest,
    chroma: ChromaSettings,
) -> Manifest:  # fmt: skip
    """Write a whole generation, which nothing reads yet. Leaves nothing behind if it fails."""
    from index.generation import GenerationWriter

    folder = generation_folder(data, manifest.generation)
    with saving(data):
        writer = GenerationWriter(folder, chroma)
    wanted = manifest.recipe
    try:
        for document in documents:
            passages = chunking.chunk(
                document, encoder.count_tokens, target=wanted.passage_tokens, limit=wanted.window
            )
            with saving(data):
                writer.add_page(document, passages)
        if not writer.passages:
            raise NothingIndexedError("there is nothing to index: no page holds a sentence")
        with saving(data):
            pages = writer.pages_end()
        reused = _reusable(data, old, wanted, pages)
        fresh, done = int(np.count_nonzero(reused.positions < 0)), 0
        progress(0, fresh)

        def advance(passages: int) -> None:
            nonlocal done
            done += passages
            progress(done, fresh)

        for start in range(0, len(pages.chunks), _WINDOW):
            chunks = pages.chunks[start : start + _WINDOW]
            vectors = _vectors_of(chunks, start, reused, encoder, advance)
            with saving(data):
                writer.add_vectors(*vectors)
        read = words()
        with saving(data):
            writer.finish(*read)
    except BaseException:
        writer.abandon()
        abandon(folder, _drop(chroma))
        raise
    return replace(
        manifest, documents=len(pages.documents), chunks=len(pages.chunks), embedded=fresh
    )


def _within(chunk: Chunk) -> list[Span]:
    """Return where the sentences of a passage stand in what the model reads."""
    ahead = len(chunk.embedded_text) - len(chunk.text) - chunk.start
    return [(start + ahead, end + ahead) for start, end in chunk.sentences]


def _vectors_of(
    chunks: Sequence[Chunk], start: int, reused: _Reused, encoder: Encoder,
    advance: Callable[[int], None],
) -> tuple[Vectors, Vectors]:  # fmt: skip
    """Return the vectors of the passages from position `start` on, and of all their sentences."""
    rows: dict[int, tuple[npt.ArrayLike, npt.ArrayLike]] = {}
    fresh = []
    for at, before in enumerate(reused.positions[start : start + len(chunks)].tolist()):
        if before >= 0 and reused.vectors:
            rows[at] = reused.vectors.passages[before], reused.vectors.sentences(before)
        else:
            fresh.append(at)
    fresh.sort(key=lambda at: -len(chunks[at].text))  # little padding, early time left
    for first in range(0, len(fresh), _SLAB):
        slab = fresh[first : first + _SLAB]
        texts = [chunks[at].embedded_text for at in slab]
        read = encoder.encode_sentences(texts, [_within(chunks[at]) for at in slab])
        rows.update(zip(slab, zip(*read, strict=True), strict=True))
        advance(len(slab))
    whole, parts = zip(*(rows[at] for at in range(len(chunks))), strict=True)
    return np.stack(whole), np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class _Reused:
    """Where the vectors of passages stood in the generation before, -1 for new ones."""

    positions: Positions
    vectors: StoredVectors | None = None


def _reusable(data: Path, old: Manifest | None, wanted: Recipe, pages: Pages) -> _Reused:
    """Find the passages that the old generation has vectors of, their sentences cut alike.

    None if another model made them.
    """
    none = _Reused(np.full(len(pages.chunks), -1))
    if old is None or old.recipe.identity != wanted.identity:
        return none
    folder = generation_folder(data, old.generation)
    try:
        require_whole(old, folder)
        before = Pages(folder)
        vectors = StoredVectors(folder, before.rows)
    except (OSError, ValueError, TypeError, KeyError):
        return none
    positions = before.positions_of(pages.ids())
    alike = np.diff(before.rows)[positions] == np.diff(pages.rows)
    return _Reused(np.where(alike, positions, -1), vectors)
