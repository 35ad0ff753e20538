"""The manifest: which generation answers, and what it was made with. Swapped in one step.

    DATA/manifest.json            names the generation that answers
    DATA/generations/<name>/      one whole index: pages.jsonl, bm25/, chroma/, manifest.json
                                  (chroma/ unless `chroma.url` names a server)
    DATA/lock                     held while a build runs; the system frees it if the build dies

A build writes a new generation beside the others, then replaces `manifest.json` by renaming a
finished file over it (POSIX rename is atomic). Killed anywhere, the old one still answers.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from index.embed import ModelIdentity
from index.errors import (
    DataFolderError,
    IndexBusyError,
    IndexDamagedError,
    IndexMismatchError,
    IndexMissingError,
    IndexUnavailableError,
)
from index.files import remedy_for, sync_folder, write_synced

KEPT = 2
"""Generations kept: the one that answers, and one more, for readers still in it and to go back
to."""

Drop = Callable[[str], None]
"""Deletes what lies outside the data folder of a generation, by its name."""

_log = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_GENERATIONS = "generations"
_STAMP = "%Y%m%dT%H%M%S%f"
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""What reading a manifest that is not as it was written may raise."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides how text becomes vectors, and how they are kept.

    Two indexes of one recipe are alike. `chroma` is where the graph is: "folder" or "server".
    """

    model: str
    weights_sha256: str
    passage_tokens: int
    window: int
    chunk_version: int
    load_version: int
    store_version: int = 1
    chroma: str = "folder"

    @property
    def identity(self) -> ModelIdentity:
        """The model, for comparing with the one about to ask."""
        return ModelIdentity(self.model, self.weights_sha256)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation holds and how it was made."""

    generation: str
    created: str
    recipe: Recipe
    inputs: tuple[str, ...]
    corpus_sha256: str
    documents: int
    chunks: int
    embedded: int
    skipped: tuple[tuple[str, str], ...]
    sizes: tuple[tuple[str, int], ...] = ()


def has_index(data: Path) -> bool:
    """Tell whether a build has ever finished in `data`."""
    return os.path.exists(data / _MANIFEST)


def read_manifest(data: Path) -> Manifest:
    """Return the manifest of the generation that answers.

    Raises IndexMissingError, IndexDamagedError or DataFolderError, each with what to do.
    """
    path = data / _MANIFEST
    try:
        return _parse(path)
    except (FileNotFoundError, NotADirectoryError):
        raise IndexMissingError(
            f"there is no index in {data}; run: citewell index --data {data}"
        ) from None
    except _UNREADABLE as error:
        if remedy := remedy_for(error):
            raise DataFolderError(f"{path} cannot be read ({error}); {remedy}") from None
        raise IndexDamagedError(
            f"{path} cannot be read ({error}); run: citewell index --data {data}"
        ) from None


def generations(data: Path) -> list[Manifest]:
    """Return every finished generation that is kept, newest first; damaged ones are left out."""
    found = []
    for folder in _finished(data):
        try:
            manifest = _parse(folder / _MANIFEST)
            require_whole(manifest, folder)
        except _UNREADABLE:
            continue
        if manifest.generation == folder.name:
            found.append(manifest)
    return found


def roll_back(data: Path, generation: str) -> Manifest:
    """Let a generation that is kept answer again, in one step; nothing is deleted.

    Raises IndexMissingError or IndexDamagedError if it is not there whole, IndexMismatchError if
    it was made otherwise than the one that answers, IndexBusyError while a build runs, and
    DataFolderError.
    """
    with writing(data):
        # Compared with what is there, never made a path of: the name comes from a form.
        wanted = next((m for m in generations(data) if m.generation == generation), None)
        if wanted is None and generation in {folder.name for folder in _finished(data)}:
            raise IndexDamagedError(
                f"generation '{generation}' in {data} is not as it was written; choose another, "
                f"or run: citewell index --data {data}"
            )
        if wanted is None:
            raise IndexMissingError(
                f"there is no generation '{generation}' in {data} any more; choose another, "
                f"or run: citewell index --data {data}"
            )
        try:
            require(wanted, read_manifest(data).recipe, data)
        except (IndexMissingError, IndexDamagedError):
            pass  # nothing answers now, which is no reason to stay so
        with saving(data):
            _put(data, wanted)
    return wanted


def require(manifest: Manifest, wanted: Recipe, data: Path) -> None:
    """Raise IndexMismatchError, naming both sides, unless the index was made as `wanted`."""
    made, asked = asdict(manifest.recipe), asdict(wanted)
    if differing := [key for key in made if made[key] != asked[key]]:

        def show(recipe: dict[str, object]) -> str:
            return ", ".join(f"{key} = {recipe[key]}" for key in differing)

        raise IndexMismatchError(
            f"the index in {data} was made with {show(made)}, but the settings ask for "
            f"{show(asked)}; run: citewell index --data {data}"
        )


def new_name(data: Path, now: dt.datetime) -> str:
    """Return a name for a generation that sorts after all others, should a clock be turned back."""
    stamps = [now]
    for folder in (data / _GENERATIONS).glob("*"):
        with suppress(ValueError):
            stamp = dt.datetime.strptime(folder.name.partition("-")[0], _STAMP)
            stamps.append(stamp.replace(tzinfo=dt.UTC) + dt.timedelta(microseconds=1))
    return f"{max(stamps):{_STAMP}}-{secrets.token_hex(2)}"


def generation_folder(data: Path, generation: str) -> Path:
    """Return where a generation lives."""
    return data / _GENERATIONS / generation


def swap(data: Path, manifest: Manifest, drop: Drop = lambda generation: None) -> Manifest:
    """Make `manifest`'s generation the one that answers, and drop the oldest ones.

    Returns the manifest with the size of every file, by which a damaged one is told on opening.
    Raises DataFolderError.
    """
    folder = generation_folder(data, manifest.generation)
    before = _answering(data)
    try:
        with saving(data):
            manifest = _let_answer(data, folder, manifest)
    except DataFolderError:
        if _answering(data) == before:
            abandon(folder, drop)
        raise
    try:
        prune(data, before, drop)
    except (IndexUnavailableError, OSError) as error:
        _log.warning("an old generation goes with the next build: %s", error)
    return manifest


def _let_answer(data: Path, folder: Path, manifest: Manifest) -> Manifest:
    sizes = tuple((name, (folder / name).stat().st_size) for name in _fixed_files(folder))
    manifest = replace(manifest, sizes=sizes)
    _sync_files(folder)
    _put(folder, manifest)
    _put(data, manifest)  # from now on it answers
    return manifest


def abandon(folder: Path, drop: Drop) -> None:
    """Delete a generation that came to nothing; if its server is gone, the next build does."""
    try:
        drop(folder.name)
    except IndexUnavailableError:
        return
    shutil.rmtree(folder, ignore_errors=True)


def require_whole(manifest: Manifest, folder: Path) -> None:
    """Raise ValueError if a file of a generation is gone or has another size than it was given.

    Chroma's native code reads its files without checking them and would bring the process down.
    """
    for name, size in manifest.sizes:
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            raise ValueError(f"{name} is not as it was written")


def prune(data: Path, before: str = "", drop: Drop = lambda generation: None) -> None:
    """Delete generations a killed build left half made, and all finished ones but two.

    The one that answers stays, and of the others `before`, else the newest: after going back, the
    one that answered is older than the one that was left. A folder is the record of what `drop`
    has to delete: it goes last, and before that it stops being a finished one.
    """
    current = _answering(data)
    others = [folder.name for folder in _finished(data) if folder.name != current]
    others.sort(key=lambda name: name != before)
    kept = {current, *others[: KEPT - 1]}
    for folder in (data / _GENERATIONS).glob("*"):
        if folder.name not in kept:
            (folder / _MANIFEST).unlink(missing_ok=True)
            drop(folder.name)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def writing(data: Path) -> Iterator[None]:
    """Hold the right to write `data`. Raises DataFolderError or IndexBusyError."""
    try:
        (data / _GENERATIONS).mkdir(parents=True, exist_ok=True)
        lock = FileLock(data / "lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise IndexBusyError(f"another 'citewell index' is writing {data}; wait for it") from None
    except OSError as error:
        raise DataFolderError(
            f"the data folder {data} cannot be written ({error.strerror}); "
            "choose another with --data DIR"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def saving(data: Path) -> Iterator[None]:
    """Raise DataFolderError for what the disk refuses, with what to do."""
    try:
        yield
    except OSError as error:
        raise DataFolderError(
            f"the data folder {data} cannot be written ({error.strerror or error}); "
            f"{remedy_for(error) or 'see that its disk has room and is not overloaded'}, or choose "
            "another with --data DIR, and run citewell index again; what answered before still does"
        ) from error


def _finished(data: Path) -> list[Path]:
    """List the folders of builds that came to their end, newest first."""
    found = (path.parent for path in (data / _GENERATIONS).glob(f"*/{_MANIFEST}"))
    return sorted(found, reverse=True)


def _answering(data: Path) -> str:
    try:
        return read_manifest(data).generation
    except (IndexMissingError, IndexDamagedError):
        return ""


def _put(folder: Path, manifest: Manifest) -> None:
    """Put `manifest` into a folder; whoever reads sees it whole or the one before."""
    fresh = folder / f"{_MANIFEST}.new"
    write_synced(fresh, _as_json(manifest))
    os.replace(fresh, folder / _MANIFEST)
    sync_folder(folder)


def _parse(path: Path) -> Manifest:
    values = json.loads(path.read_text("utf-8"))
    recipe = Recipe(**values.pop("recipe"))
    inputs, skipped = tuple(values.pop("inputs")), values.pop("skipped")
    sizes = tuple((name, size) for name, size in values.pop("sizes", ()))
    return Manifest(
        recipe=recipe,
        sizes=sizes,
        inputs=inputs,
        skipped=tuple((name, reason) for name, reason in skipped),
        **values,
    )


def _as_json(manifest: Manifest) -> bytes:
    return json.dumps(asdict(manifest), indent=1, ensure_ascii=False).encode()


def _fixed_files(folder: Path) -> list[str]:
    """List the files of a generation that nothing writes to again; SQLite keeps its own order."""
    files = (path for path in folder.rglob("*") if path.is_file() and "sqlite" not in path.name)
    return sorted(p.relative_to(folder).as_posix() for p in files if p.name != _MANIFEST)


def _sync_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
