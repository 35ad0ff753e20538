"""`citewell index`: pages -> a new generation, swapped in when it is whole.

Vectors of unchanged passages are taken over from the generation before; pages that are gone are
not in the new one, so they are gone at the swap.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index import chunk as chunking
from index import load as loading
from index.embed import Encoder, Vectors
from index.errors import CitewellError, IndexDamagedError, IndexMissingError
from index.glossary import Entries
from index.manifest import (
    Manifest,
    Recipe,
    generation_folder,
    prune,
    read_manifest,
    swap,
    writing,
)
from index.sentences import Span
from index.settings import CorpusSettings, IndexSettings
from index.terms import Meanings
from index.types import Chunk, Document, Skipped

Progress = Callable[[int, int], None]
"""Called with (passages embedded so far, passages to embed)."""

_SLAB = 256


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did: the manifest that answers now, and whether it had to change anything."""

    manifest: Manifest
    changed: bool


class NothingIndexedError(CitewellError):
    """Not one page could be read; the index that was there, if any, still answers."""


def build(
    inputs: Sequence[str], data: Path, encoder: Encoder, corpus: CorpusSettings,
    settings: IndexSettings, *, progress: Progress = lambda done, total: None,
    on_skip: Callable[[Skipped], None] = lambda skipped: None, rebuild: bool = False,
) -> Built:  # fmt: skip
    """Index `inputs` (paths and URLs) into `data`. Does nothing if nothing has changed.

    Raises NothingIndexedError, IndexBusyError, DataFolderError; the old index answers on.
    """
    inputs = [item if loading.is_url(item) else str(Path(item).resolve()) for item in inputs]
    with writing(data):
        old = None if rebuild else _current(data)
        print_of_files = loading.fingerprint(inputs, corpus)
        if old and print_of_files and _same(old, encoder, settings, inputs, print_of_files):
            for name, reason in old.skipped:
                on_skip(Skipped(name, reason))
            return Built(old, changed=False)
        documents, skipped = _read_all(inputs, corpus, on_skip)
        entries, unread = loading.load_glossaries(inputs)
        meanings, unread_terms = loading.load_terms(inputs)
        unread += unread_terms
        for item in unread:
            on_skip(item)
        skipped += unread
        if not documents:
            raise NothingIndexedError(
                f"no page could be read from {', '.join(inputs) or 'an empty list'}"
                + ("; the index before it still answers" if old else "")
            )
        prune(data)
        manifest = _write(
            data,
            documents,
            (entries, meanings),
            encoder,
            old,
            progress,
            replace(
                _blank(recipe(encoder, settings)),
                inputs=tuple(inputs),
                corpus_sha256=print_of_files or _hash_texts(documents),
                skipped=tuple((s.name, s.reason) for s in skipped),
            ),
        )
    return Built(manifest, changed=True)


def index_documents(
    documents: Sequence[Document], data: Path, encoder: Encoder, settings: IndexSettings
) -> Manifest:
    """Index documents already at hand, without reuse: for evaluation and for other programs."""
    with writing(data):
        return _write(
            data,
            documents,
            ({}, {}),
            encoder,
            None,
            lambda done, total: None,
            _blank(recipe(encoder, settings)),
        )


def recipe(encoder: Encoder, settings: IndexSettings) -> Recipe:
    """Return how `encoder` and `settings` turn text into vectors."""
    identity = encoder.identity
    return Recipe(
        identity.name,
        identity.sha256,
        settings.passage_tokens,
        encoder.window,
        chunking.VERSION,
        loading.VERSION,
    )


def _current(data: Path) -> Manifest | None:
    try:
        return read_manifest(data)
    except (IndexMissingError, IndexDamagedError):
        return None


def _same(
    old: Manifest, encoder: Encoder, settings: IndexSettings, inputs: Sequence[str], digest: str
) -> bool:
    """Compare without loading the model: its window belongs to its weights."""
    made = old.recipe
    return (
        made.identity == encoder.identity
        and made.passage_tokens == settings.passage_tokens
        and (made.chunk_version, made.load_version) == (chunking.VERSION, loading.VERSION)
        and old.corpus_sha256 == digest
        and list(old.inputs) == list(inputs)
    )


def _read_all(
    inputs: Sequence[str], corpus: CorpusSettings, on_skip: Callable[[Skipped], None]
) -> tuple[list[Document], list[Skipped]]:
    documents, skipped = [], []
    for found in loading.load(inputs, corpus):
        if isinstance(found, Document):
            documents.append(found)
        else:
            skipped.append(found)
            on_skip(found)
    return documents, skipped


def _chunk_all(documents: Iterable[Document], encoder: Encoder, wanted: Recipe) -> list[Chunk]:
    """Cut every page; a passage that stands in two pages word for word is kept in the first."""
    chunks: dict[str, Chunk] = {}
    for document in documents:
        for made in chunking.chunk(
            document, encoder.count_tokens, target=wanted.passage_tokens, limit=wanted.window
        ):
            chunks.setdefault(made.id, made)
    return list(chunks.values())


def _blank(wanted: Recipe) -> Manifest:
    now = dt.datetime.now(dt.UTC)
    return Manifest(
        generation=f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}",
        created=now.isoformat(timespec="seconds"), recipe=wanted, inputs=(), corpus_sha256="",
        documents=0, chunks=0, embedded=0, skipped=(),
    )  # fmt: skip


def _write(
    data: Path, documents: Sequence[Document], words: tuple[Entries, Meanings], encoder: Encoder,
    old: Manifest | None, progress: Progress, manifest: Manifest,
) -> Manifest:  # fmt: skip
    from index.store import GenerationWriter

    chunks = _chunk_all(documents, encoder, manifest.recipe)
    folder = generation_folder(data, manifest.generation)
    try:
        writer = GenerationWriter(folder)
        known = _reusable(data, old, manifest.recipe, chunks)
        kept = [c for c in chunks if c.id in known]
        if kept:
            vectors, sentences = zip(*(known[c.id] for c in kept), strict=True)
            writer.add(kept, np.stack(vectors), sentences)
        fresh = sorted((c for c in chunks if c.id not in known), key=lambda c: -len(c.text))
        progress(0, len(fresh))
        for at in range(0, len(fresh), _SLAB):  # longest first: little padding, early time left
            slab = fresh[at : at + _SLAB]
            texts = [c.embedded_text for c in slab]
            writer.add(slab, *encoder.encode_sentences(texts, [_within(c) for c in slab]))
            progress(min(at + _SLAB, len(fresh)), len(fresh))
        writer.finish(chunks, documents, *words)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    manifest = replace(manifest, documents=len(documents), chunks=len(chunks), embedded=len(fresh))
    return swap(data, manifest)


def _within(chunk: Chunk) -> list[Span]:
    """Return where the sentences of a passage stand in what the model reads."""
    ahead = len(chunk.embedded_text) - len(chunk.text) - chunk.start
    return [(start + ahead, end + ahead) for start, end in chunk.sentences]


def _reusable(
    data: Path, old: Manifest | None, wanted: Recipe, chunks: Sequence[Chunk]
) -> dict[str, tuple[Vectors, Vectors]]:
    """Return the vectors the old generation has for `chunks` and their sentences.

    Nothing if another model made them.
    """
    if old is None or old.recipe.identity != wanted.identity:
        return {}
    from index.store import open_generation

    try:
        generation = open_generation(data)
        found = {
            i: (vector, generation.sentence_vectors(i))
            for i, vector in generation.vectors([c.id for c in chunks]).items()
        }
    except (IndexMissingError, IndexDamagedError):
        return {}
    alike = (c.id for c in chunks if c.id in found and len(found[c.id][1]) == len(c.sentences))
    return {i: found[i] for i in alike}


def _hash_texts(documents: Iterable[Document]) -> str:
    digest = hashlib.sha256()
    for document in documents:
        digest.update(f"{document.id}\0{document.text}\0".encode())
    return digest.hexdigest()
