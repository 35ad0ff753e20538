"""The pages of a generation on disk, and its passages by position. Read a page at a time.

    pages.jsonl        one line a page: the record, and where its passages are cut
    pages.npy          (pages + 1, 2): where each line begins, and its first passage
    passages.npy       (passages + 1,): the row of each passage's first sentence
    *_ids.npy          ids in order, each with its place, for finding one by halving
    named.npy          the pages whose titles and aliases visitors may use as names

Passages have positions 0, 1, ... in page order. Opening reads nothing but the heads of the arrays:
they are memory-mapped, so it costs the same for ten passages and for a million.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from index.types import Chunk, Document, Reference, Source

Positions = npt.NDArray[np.int64]
Ids = npt.NDArray[np.bytes_]

_LINES = "pages.jsonl"
_PAGES = "pages.npy"
_PASSAGES = "passages.npy"
_PAGE_IDS = "page_ids.npy"
_PASSAGE_IDS = "passage_ids.npy"
_NAMED = "named.npy"
_KEY = np.dtype([("id", "S24"), ("at", "<i8")])
_OPEN = 256
"""Parsed pages kept in memory."""
_MOST_NAMED = 5000
"""Pages whose titles and aliases are known as names. Those of a kind come before plain ones."""


class PageWriter:
    """Writes pages as they come. A passage on two pages, word for word, is kept in the first."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`."""
        self._folder = folder
        self._file = (folder / _LINES).open("wb")
        self._bounds, self._rows = array("q", [0, 0]), array("q", [0])
        self._page_ids: list[bytes] = []
        self._passage_ids: dict[bytes, None] = {}
        self._of_a_kind, self._plain = array("q"), array("q")

    def add(self, document: Document, chunks: Sequence[Chunk]) -> None:
        """Write a page and its passages."""
        cuts = []
        for chunk in chunks:
            if (key := chunk.id.encode()) not in self._passage_ids:
                self._passage_ids[key] = None
                self._rows.append(self._rows[-1] + len(chunk.sentences))
                cuts.append((chunk.id, chunk.headings, chunk.sentences))
        (self._plain if document.kind == "page" else self._of_a_kind).append(len(self._page_ids))
        self._page_ids.append(_key(document.id))
        line = json.dumps([asdict(document), cuts], ensure_ascii=False) + "\n"
        self._file.write(line.encode())
        self._bounds.extend((self._file.tell(), len(self._passage_ids)))

    @property
    def passages(self) -> int:
        """How many passages were written so far."""
        return len(self._passage_ids)

    def close(self) -> Pages:
        """Write what finds the pages, and open them."""
        self._file.close()
        named = (*self._of_a_kind, *self._plain)[:_MOST_NAMED]
        np.save(self._folder / _PAGES, np.array(self._bounds).reshape(-1, 2))
        np.save(self._folder / _PASSAGES, np.array(self._rows))
        np.save(self._folder / _NAMED, np.sort(np.array(named, dtype=np.int64)))
        np.save(self._folder / _PAGE_IDS, _sorted(self._page_ids))
        np.save(self._folder / _PASSAGE_IDS, _sorted(list(self._passage_ids)))
        return Pages(self._folder)

    def abandon(self) -> None:
        """Give the file back, whatever was written."""
        self._file.close()


class Pages:
    """The pages and passages of one generation, read when they are asked for. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Open what a `PageWriter` wrote. Raises OSError or ValueError if it is not that."""
        self._lines = np.memmap(folder / _LINES, np.uint8, "r")
        self.bounds, self.rows = mapped(folder / _PAGES), mapped(folder / _PASSAGES)
        self._named = mapped(folder / _NAMED)
        self._page_ids = mapped(folder / _PAGE_IDS)
        self._passage_ids = mapped(folder / _PASSAGE_IDS)
        self.page = lru_cache(maxsize=_OPEN)(self._read)
        self.documents: Mapping[str, Document] = _Documents(self)
        self.chunks: Sequence[Chunk] = _Chunks(self)
        if (
            self.bounds[-1].tolist() != [len(self._lines), len(self.rows) - 1]
            or len(self._page_ids) != len(self.bounds) - 1
            or len(self._passage_ids) != len(self.rows) - 1
        ):
            raise ValueError(f"{_LINES} and {_PAGES} do not belong together")
        self.page(0), self.page(len(self.bounds) - 2)

    def position_of(self, chunk_id: str) -> int | None:
        """Return the position of a passage, None if it is not here."""
        return _found(self._passage_ids, chunk_id.encode())

    def page_of(self, document_id: str) -> int | None:
        """Return which page a document is, from 0, None if it is not here."""
        return _found(self._page_ids, _key(document_id))

    def page_at(self, position: int) -> int:
        """Return on which page a passage stands, from 0."""
        return int(np.searchsorted(self.bounds[:, 1], position, "right")) - 1

    def named(self) -> Iterator[Document]:
        """Yield the pages whose titles and aliases visitors may use as names, at most 5,000."""
        return (self.page(at)[0] for at in self._named.tolist())

    def ids(self) -> Ids:
        """Return the ids of all passages, by position."""
        by_position = np.empty(len(self._passage_ids), "S24")
        by_position[self._passage_ids["at"]] = self._passage_ids["id"]
        return by_position

    def positions_of(self, ids: Ids) -> Positions:
        """Return the positions of many passages, -1 for those that are not here."""
        ours = np.ascontiguousarray(self._passage_ids["id"])
        at = np.minimum(np.searchsorted(ours, ids), len(ours) - 1)
        return np.where(ours[at] == ids, self._passage_ids["at"][at], -1)

    def _read(self, page: int) -> tuple[Document, tuple[Chunk, ...]]:
        start, end = self.bounds[page, 0], self.bounds[page + 1, 0]
        values, cuts = json.loads(self._lines[start:end].tobytes())
        values["aliases"] = tuple(values["aliases"])
        values["sources"] = tuple(Source(**source) for source in values["sources"])
        values["references"] = tuple(Reference(**given) for given in values["references"])
        document = Document(**values)
        return document, tuple(_chunk(document, *cut) for cut in cuts)


class _Documents(Mapping[str, Document]):
    """Pages by id, in their order."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def __len__(self) -> int:
        return len(self._pages.bounds) - 1

    def __iter__(self) -> Iterator[str]:
        return (self._pages.page(at)[0].id for at in range(len(self)))

    def __contains__(self, document_id: object) -> bool:
        return isinstance(document_id, str) and self._pages.page_of(document_id) is not None

    def __getitem__(self, document_id: str) -> Document:
        page = self._pages.page_of(document_id)
        if page is None:
            raise KeyError(document_id)
        return self._pages.page(page)[0]


class _Chunks(Sequence[Chunk]):
    """Passages by position."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def __len__(self) -> int:
        return len(self._pages.rows) - 1

    def __iter__(self) -> Iterator[Chunk]:
        for page in range(len(self._pages.bounds) - 1):
            yield from self._pages.page(page)[1]

    @overload
    def __getitem__(self, at: int) -> Chunk: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Chunk, ...]: ...
    def __getitem__(self, at: int | slice) -> Chunk | tuple[Chunk, ...]:
        if isinstance(at, slice):
            return tuple(self[position] for position in range(*at.indices(len(self))))
        position = range(len(self))[at]
        page = self._pages.page_at(position)
        return self._pages.page(page)[1][position - int(self._pages.bounds[page, 1])]


def mapped(path: Path) -> npt.NDArray[Any]:
    """Open an array without reading it. Raises OSError or ValueError if it is none."""
    return np.asarray(np.load(path, mmap_mode="r"))


def _key(document_id: str) -> bytes:
    return hashlib.sha256(document_id.encode()).hexdigest()[:24].encode()


def _sorted(ids: list[bytes]) -> npt.NDArray[Any]:
    plain = np.array(ids, "S24")
    order = np.argsort(plain)
    found = np.empty(len(ids), _KEY)
    found["id"], found["at"] = plain[order], order
    return found


def _found(keys: npt.NDArray[Any], key: bytes) -> int | None:
    at = bisect_left(keys["id"], key)
    return int(keys["at"][at]) if at < len(keys) and keys["id"][at] == key else None


def _chunk(
    document: Document, name: str, headings: Sequence[str], sentences: Sequence[Sequence[int]]
) -> Chunk:
    spans = tuple((a, b) for a, b in sentences)
    start, end = spans[0][0], spans[-1][1]
    text = document.text[start:end]
    return Chunk(name, document, tuple(headings), text, start, end, spans)
