"""A folder, a file or a site -> Documents. What cannot be read is named, with the reason."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from index import glossary, terms
from index.errors import PageError
from index.settings import CorpusSettings
from index.types import Document, Skipped

VERSION = 2
"""Raised when the same file would be read differently: old indexes are then rebuilt."""

_ASSETS = frozenset(
    ".css .csv .gif .ico .jpeg .jpg .js .json .map .png .svg .toml .ttf .webp .woff .woff2 .xml "
    ".yaml .yml".split()
)  # stands beside pages, holds none: passed over without a word
_PASSED_OVER = ("readme", "license", "licence")


def is_url(text: str) -> bool:
    """Tell a web address from a path."""
    return text.startswith(("http://", "https://"))


def load(inputs: Iterable[str], settings: CorpusSettings) -> Iterator[Document | Skipped]:
    """Yield every page found at `inputs` (paths and URLs), or why it was skipped."""
    seen: set[str] = set()
    for given in inputs:
        for found in _load_one(given, settings):
            if isinstance(found, Document):
                if found.id in seen:
                    where = found.path or found.url
                    found = Skipped(where, f"a page named '{found.id}' came before")
                else:
                    seen.add(found.id)
            yield found


def fingerprint(inputs: Iterable[str], settings: CorpusSettings) -> str:
    """Hash the bytes of every file at `inputs`, so an unchanged corpus is told in milliseconds.

    A site has no fingerprint: it has to be fetched to know. Returns "" then.
    """
    inputs = list(inputs)
    if any(map(is_url, inputs)):
        return ""
    digest = hashlib.sha256(f"{VERSION} {settings.max_file_mb}".encode())
    for path in (*_beside(inputs, glossary.FILE), *_beside(inputs, terms.FILE)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for given in inputs:
        for path in _files(Path(given)):
            digest.update(os.fsencode(f"\0{_name(path, Path(given))}\0"))
            try:
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                digest.update(f"{error.errno}".encode())
    return digest.hexdigest()


def load_glossaries(inputs: Iterable[str]) -> tuple[glossary.Entries, list[Skipped]]:
    """Read the `glossary.yml` of every folder of `inputs`, and say which could not be read."""
    entries: glossary.Entries = {}
    skipped = []
    for path in _beside(inputs, glossary.FILE):
        try:
            for term, names in glossary.read_glossary(path).items():
                entries[term] = (*entries.get(term, ()), *names)
        except PageError as error:
            skipped.append(Skipped(str(path), str(error)))
    return entries, skipped


def load_terms(inputs: Iterable[str]) -> tuple[terms.Meanings, list[Skipped]]:
    """Read the `terms.yml` of every folder of `inputs`, and say which could not be read."""
    meanings: terms.Meanings = {}
    skipped = []
    for path in _beside(inputs, terms.FILE):
        try:
            meanings |= terms.read_terms(path)
        except PageError as error:
            skipped.append(Skipped(str(path), str(error)))
    return meanings, skipped


def _beside(inputs: Iterable[str], name: str) -> list[Path]:
    paths = (Path(given, name) for given in inputs if not is_url(given))
    return [path for path in paths if path.is_file()]


def _load_one(given: str, settings: CorpusSettings) -> Iterator[Document | Skipped]:
    if is_url(given):
        from index.site import load_site

        yield from load_site(given, settings)
        return
    root = Path(given)
    if not root.exists():
        yield Skipped(given, "there is no such file or folder")
        return
    for path in _files(root):
        try:
            if root.is_dir() and not path.resolve().is_relative_to(root.resolve()):
                raise PageError("is a link out of its folder; put the file itself there")
            yield _load_file(path, _name(path, root), settings)
        except PageError as error:
            yield Skipped(_printable(path), str(error))


def _load_file(path: Path, name: str, settings: CorpusSettings) -> Document:
    from index.read import READERS, read

    suffix = path.suffix.lower()
    if _printable(path) != str(path):
        raise PageError("the file's name is not UTF-8; rename it")
    if suffix not in READERS:
        known = " ".join(sorted(READERS))
        raise PageError(f"'{suffix or path.name}' is no type of page; types read: {known}")
    try:
        size = path.stat().st_size
        if size > settings.max_file_mb * 1_000_000:
            raise PageError(
                f"{size / 1e6:.0f} MB is over corpus.max_file_mb = "
                f"{settings.max_file_mb:g}; raise it or split the file"
            )
        raw = path.read_bytes()
    except OSError as error:
        raise PageError(f"cannot be opened ({error.strerror})") from None
    return read(raw, name=name, suffix=suffix, path=str(path.resolve()))


def _files(root: Path) -> list[Path]:
    """List the files of a folder in a stable order, hidden, README and asset files left out."""
    if not root.is_dir():
        return [root]
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(files):
            path = Path(folder, name)
            passed = name.startswith(".") or path.stem.lower() in _PASSED_OVER
            passed |= path.exists() and not path.is_file()  # a pipe or socket would block
            if not passed and path.suffix.lower() not in _ASSETS:
                found.append(path)
    return found


def _printable(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _name(path: Path, root: Path) -> str:
    """Name a file by its folder and its place in it, so an index can move between machines."""
    if not root.is_dir():
        return path.name
    return f"{root.resolve().name}/{path.relative_to(root).as_posix()}"
