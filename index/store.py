"""Chroma: in a generation's folder or, by `chroma.url`, in a server. The only home of chromadb.

Chroma says which passages are nearest, by position, and nothing else: it keeps neither texts nor
scores. No request goes anywhere but to that server.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import chromadb
import httpx
import numpy as np
from chromadb.api.fastapi import FastAPI
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import Settings, System
from chromadb.errors import ChromaError, InternalError, NotFoundError

from index.breaker import Breaker
from index.embed import Vectors
from index.errors import IndexUnavailableError
from index.pages import Positions
from index.settings import ChromaSettings
from index.vectors import Half

_log = logging.getLogger(__name__)
_BATCH_BYTES = 8_000_000
"""Vectors sent to Chroma at once; a server takes requests of 40 MB."""
_PART = 250_000
"""Passages after which Chroma writes its graph: until then it keeps them in its log, too."""
_FEW = 5_000
"""Up to so many passages, Chroma looks at so many that it misses none."""
_ASKING = httpx.Timeout(10, connect=3)
"""Seconds a visitor may have to wait for a server that hangs."""
_REST_S = 10
"""Seconds after such a wait in which the others are told at once."""
_WRITING = httpx.Timeout(600, connect=3)
_ERRNO = {8: errno.EACCES, 10: errno.EIO, 13: errno.ENOSPC, 14: errno.EMFILE}
"""SQLite's READONLY, IOERR, FULL and CANTOPEN, as the system says it."""
_SHORT_READ = 522
"""An IOERR of SQLite's that a damaged file makes."""
_NEVER_OPEN = Breaker((), rest_s=0)
"""For a build: nobody waits behind it."""


class Nearest:
    """The collection of one generation, for reading. Thread-safe."""

    def __init__(self, folder: Path, chroma: ChromaSettings, one: Vectors) -> None:
        """Open the collection of the generation in `folder`; `one` is any of its vectors.

        Raises IndexUnavailableError if the server does not answer, ValueError if it, or the
        folder, holds nothing that can be read, and OSError if Chroma may not: it writes there, too.
        """
        self._folder = folder
        try:
            self._chroma = _connect(folder, chroma.url, _ASKING, _breaker(chroma.url))
            with self._chroma.kept():
                with self._chroma.asked():
                    self._collection = self._chroma.get(_name(folder.name))
                    self.passages = self._collection.count()
                self._find(one, 1)  # the graph is read now, while its files are there for certain
        except ChromaError as error:
            raise _refusal(folder, error) from error

    def find(self, vector: Vectors, count: int) -> Positions:
        """Return the positions of the `count` passages nearest to a unit vector, nearest first.

        Raises IndexUnavailableError.
        """
        try:
            return self._find(vector, count)
        except ChromaError as error:
            raise IndexUnavailableError(
                f"the passages in {self._folder} cannot be searched ({error}); if that stays so, "
                "start Citewell again"
            ) from error

    def _find(self, vector: Vectors, count: int) -> Positions:
        with self._chroma.asked():
            found = self._collection.query(
                query_embeddings=vector[np.newaxis], n_results=min(count, self.passages), include=[]
            )
        return np.array(found["ids"][0], dtype=np.int64)

    def close(self) -> None:
        """Give back what Chroma holds; nothing may be asked afterwards."""
        self._chroma.close()


def fill(folder: Path, settings: ChromaSettings, rows: Half) -> None:
    """Write the vectors of all passages, by position, into a new collection.

    Raises IndexUnavailableError, or OSError if the folder cannot be written.
    """
    try:
        _fill(folder, settings, rows)
    except (ChromaError, sqlite3.Error) as error:  # of a full disk, in Chroma's words
        raise OSError(f"Chroma: {error}") from error


def _fill(folder: Path, settings: ChromaSettings, rows: Half) -> None:
    chroma = _connect(folder, settings.url, _WRITING)
    try:
        with chroma.asked():
            parts = -(-len(rows) // _PART)
            collection = chroma.create(_name(folder.name), _graph(len(rows) // parts))
            step = min(chroma.most_at_once(), max(1, _BATCH_BYTES // (4 * rows.shape[1])))
            for part in np.array_split(np.arange(len(rows)), parts):
                for at in np.array_split(part, -(-len(part) // step)):
                    vectors = rows[at[0] : at[-1] + 1].astype(np.float32)
                    collection.add(ids=[str(i) for i in at.tolist()], embeddings=vectors)
            # Chroma clears its log when it is asked; no visitor shall wait for that
            collection.query(query_embeddings=rows[:1].astype(np.float32), n_results=1, include=[])
    finally:
        chroma.close()  # Chroma's own threads may write until then
    chroma.shrink()


def drop_collection(chroma: ChromaSettings, generation: str) -> None:
    """Delete what a server holds of a generation, if anything. Raises IndexUnavailableError."""
    if not chroma.url:
        return
    server = _Server(chroma.url, _WRITING)
    try:
        with server.asked():
            server.delete(_name(generation))
    except NotFoundError:
        pass
    finally:
        server.close()


def _graph(passages: int) -> Any:
    """Return the configuration of a collection whose parts hold at least so many passages.

    Chroma writes its graph to disk whenever `sync_threshold` passages have come: here at the end of
    every part, so with the last passage of all. What comes after the last time stays in its log
    only, and every reader would write the files anew, where a kill could cut them short.

    With `ef_search` 200 and 400 one question in a hundred missed one of its 100 nearest passages
    even among the 900 shipped ones, another after each build; with 1,000 none does. Among many
    passages that would take longer than reading the question.
    """
    breadth = 1000 if passages <= _FEW else 400
    return {
        "hnsw": {
            "space": "cosine", "ef_construction": 200, "ef_search": breadth,
            "sync_threshold": passages, "batch_size": passages,
        }
    }  # fmt: skip


def _name(generation: str) -> str:
    """Return the name of a generation's collection; generations of other clinics have others."""
    return f"citewell-{generation}"


class _Chroma:
    """Chroma in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        settings = Settings(anonymized_telemetry=False)
        try:
            with _without_panic():
                self._client: Any = chromadb.PersistentClient(path=str(folder), settings=settings)
        except Exception:
            # Chroma would hand out again what it could not start
            if str(folder) not in SharedSystemClient._identifier_to_refcount:
                SharedSystemClient._identifier_to_system.pop(str(folder), None)
            raise

    def create(self, name: str, graph: Any) -> chromadb.Collection:
        made: chromadb.Collection = self._client.create_collection(
            name, configuration=graph, embedding_function=None
        )
        return made

    def get(self, name: str) -> chromadb.Collection:
        found: chromadb.Collection = self._client.get_collection(name, embedding_function=None)
        return found

    def most_at_once(self) -> int:
        return int(self._client.get_max_batch_size())

    def close(self) -> None:
        self._client.close()

    def shrink(self) -> None:
        """Give the room of the log back to the disk: most of the file, once it is cleared."""
        with closing(sqlite3.connect(self._folder / "chroma.sqlite3")) as database:
            database.execute("VACUUM")

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Close it unless all goes well."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    @contextmanager
    def asked(self) -> Iterator[None]:
        with _without_panic():
            yield


class _Server(_Chroma):
    """Chroma in a server. What its own HttpClient lacks is a limit to how long it waits."""

    def __init__(self, url: str, patience: httpx.Timeout, breaker: Breaker = _NEVER_OPEN) -> None:
        settings = Settings(
            anonymized_telemetry=False, chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host=url.rstrip("/"), chroma_server_http_port=8000,
        )  # fmt: skip
        self._url = url
        self._breaker = breaker
        self._client = System(settings).instance(FastAPI)
        self._client._session.timeout = patience
        self._closed = weakref.finalize(self, self._client._session.close)

    def create(self, name: str, graph: Any) -> chromadb.Collection:
        return self._collection(self._client.create_collection(name=name, configuration=graph))

    def get(self, name: str) -> chromadb.Collection:
        return self._collection(self._client.get_collection(name=name))

    def delete(self, name: str) -> None:
        self._client.delete_collection(name=name)

    def close(self) -> None:
        self._closed()

    def shrink(self) -> None:
        """Leave it: the server writes its next log there."""

    @contextmanager
    def asked(self) -> Iterator[None]:
        try:
            with self._breaker.call():
                yield
        except NotFoundError:
            raise  # it does answer
        except Exception as error:  # noqa: BLE001 - chromadb raises bare ones for foreign answers
            raise IndexUnavailableError(
                f"the Chroma server at {self._url} does not answer ({error or type(error).__name__}"
                "); start it or remove chroma.url"
            ) from error

    def _collection(self, model: Any) -> chromadb.Collection:
        return chromadb.Collection(client=self._client, model=model, embedding_function=None)


@contextmanager
def _without_panic() -> Iterator[None]:
    """Raise InternalError where Chroma's native code panics, which is no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise InternalError(str(error)) from error


def _refusal(folder: Path, error: ChromaError) -> Exception:
    """Return an error of Chroma as what it is: the disk's or the system's, else the files'."""
    system = re.search(r"Os { code: (\d+)", str(error))
    sqlite = re.search(r"\(code: (\d+)\)", str(error))
    code = int(sqlite[1]) if sqlite else 0
    number = int(system[1]) if system else _ERRNO.get(code & 0xFF, 0)
    if code == _SHORT_READ:
        number = 0
    elif number == errno.EMFILE and not os.access(folder / "chroma/chroma.sqlite3", os.R_OK):
        number = errno.EACCES
    return OSError(number, str(error)) if number else ValueError(str(error))


@cache
def _breaker(url: str) -> Breaker:
    """Return what all visitors of a server share, whichever generation they ask."""

    def tell(is_open: bool) -> None:
        if is_open:
            _log.error(
                "the Chroma server at %s timed out; until it answers, one question every %d s "
                "waits for it and the others fail at once", url, _REST_S
            )  # fmt: skip
        else:
            _log.warning("the Chroma server at %s is asked again", url)

    return Breaker(httpx.TimeoutException, rest_s=_REST_S, changed=tell)


def _connect(
    folder: Path, url: str, patience: httpx.Timeout, breaker: Breaker = _NEVER_OPEN
) -> _Chroma:
    return _Server(url, patience, breaker) if url else _Chroma(folder / "chroma")
