"""What would keep a clinic's installation from working, and what to do. Changes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from bot.generate import open_model
from bot.journal import Journal, JournalError
from bot.settings import Settings
from index.embed import open_encoder
from index.errors import CitewellError, IndexMissingError
from index.load import load
from index.retrieve import Retriever
from index.types import Document

State = Literal["ok", "advice", "wrong"]
_PATIENCE_S = 3.0
_ROOM = 3
"""Times the index that should be free beside it: the next one, and those kept."""
_DEFAULT_PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, and what to do if it is not well."""

    state: State
    what: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each thing that an installation needs, as it is looked at."""
    for look in (
        _packages, _model, _pages, _index, _room, _data_folder, _journal, _servers, _chat_model,
        _numbers, _staff, _privacy, _widget, _port,
    ):  # fmt: skip
        yield from look(settings)


def _packages(_: Settings) -> Iterator[Finding]:
    unfit = []
    for line in requires("citewell") or ():
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            try:
                found = version(wanted.name)
            except PackageNotFoundError:
                found = "none"
            if found == "none" or not wanted.specifier.contains(found, prereleases=True):
                unfit.append(f"{wanted.name} {found} (wanted: {wanted.specifier})")
    if unfit:
        remedy = "run: pip install -c constraints.txt ."
        yield Finding("wrong", f"packages: {', '.join(unfit)}", remedy)
    else:
        yield Finding("ok", f"packages: Citewell {version('citewell')} has what it needs")


def _model(settings: Settings) -> Iterator[Finding]:
    def read() -> str:
        identity = open_encoder(settings.index).identity
        return f"model: {identity.name}, SHA-256 {identity.sha256[:12]}…"

    yield _tried(read, "model")


def _pages(settings: Settings) -> Iterator[Finding]:
    for folder in settings.corpus.folders:
        if not os.access(folder, os.R_OK):
            remedy = "make it readable, or mend corpus.folders"
            yield Finding("wrong", f"pages: {folder} cannot be read", remedy)
            continue
        found = list(load([str(folder)], settings.corpus))
        pages = sum(isinstance(one, Document) for one in found)
        said = f"pages: {pages} in {folder}"
        if not pages:
            yield Finding("wrong", said, "put pages there, or mend corpus.folders")
        elif skipped := len(found) - pages:
            remedy = "citewell index --check names them"
            yield Finding("advice", f"{said}, {skipped} that cannot be read", remedy)
        else:
            yield Finding("ok", said)


def _index(settings: Settings) -> Iterator[Finding]:
    try:
        encoder = open_encoder(settings.index)
        retriever = Retriever(settings.index.data, encoder, settings.index, settings.chroma)
        retriever.generation.nearest(encoder.encode_question("knee"), 1)
        made = retriever.generation.manifest
    except IndexMissingError as error:
        yield Finding(
            "advice", f"index: {error}", "citewell index makes it; so does citewell serve"
        )
    except CitewellError as error:
        yield Finding("wrong", f"index: {error}")
    else:
        said = (
            f"index: {made.documents} pages, {made.chunks} passages, generation {made.generation}"
        )
        yield Finding("ok", said)


def _room(settings: Settings) -> Iterator[Finding]:
    data = settings.index.data
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    free = shutil.disk_usage(_nearest(data)).free
    said = f"disk: {free / 1e9:.1f} GB free, {size / 1e9:.2f} GB used by {data}"
    if free < _ROOM * size:
        yield Finding("advice", said, f"make room: {_ROOM} times the index, for the next ones")
    else:
        yield Finding("ok", said)


def _data_folder(settings: Settings) -> Iterator[Finding]:
    place = _nearest(settings.index.data)
    try:
        with tempfile.TemporaryFile(dir=place):
            yield Finding("ok", f"data folder: {settings.index.data} can be written")
    except OSError as error:
        yield Finding(
            "wrong", f"data folder: {place} cannot be written ({error.strerror})",
            "give it to the user that Citewell runs as, or name another in index.data",
        )  # fmt: skip


def _journal(settings: Settings) -> Iterator[Finding]:
    url = settings.journal_url
    file = Path(url.partition("sqlite:///")[2]) if url.startswith("sqlite:///") else None
    if file and not file.exists():
        yield Finding("ok", f"journal: will be made at {file}")
        return
    try:
        journal = Journal.open(url)
        try:
            journal.end_session("of nobody")  # writes, and changes nothing
        finally:
            journal.close()
    except JournalError as error:
        yield Finding("wrong", f"journal: {error}")
        return
    if file and (mode := file.stat().st_mode & 0o077):
        said = f"journal: others may read or write {file} (mode {mode:03o})"
        yield Finding("wrong", said, f"run: chmod 600 {file}*")
    else:
        yield Finding("ok", f"journal: {file or 'the database'} opens and can be written")


def _servers(settings: Settings) -> Iterator[Finding]:
    for key, url in (
        ("chroma.url", settings.chroma.url), ("model.url", settings.model.url),
        ("limits.url", settings.limits.url),
    ):  # fmt: skip
        if not url:
            continue
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme.partition("+")[0], 80)
        place = f"{parts.hostname}:{port}"
        try:
            socket.create_connection((parts.hostname or "", port), _PATIENCE_S).close()
        except OSError as error:
            said = f"{key}: nothing answers at {place} ({error})"
            yield Finding("wrong", said, f"start that server, or mend {key}")
        else:
            yield Finding("ok", f"{key}: {place} answers")


def _chat_model(settings: Settings) -> Iterator[Finding]:
    if settings.model.name:

        def opened() -> str:
            open_model(settings.model)
            return f"chat model: {settings.model.name} words answers; questions go there"

        yield _tried(opened, "chat model", "mend model.name or install its package")


def _numbers(settings: Settings) -> Iterator[Finding]:
    numbers = settings.emergency
    missing = [name for name in ("crisis", "poison") if not getattr(numbers, name)]
    said = f"emergency numbers: {numbers.ambulance} for an ambulance"
    if missing:
        yield Finding(
            "advice", f"{said}, none for {' or '.join(missing)}", "name them under [emergency]"
        )
    else:
        yield Finding("ok", f"{said}, {numbers.crisis} in a crisis, {numbers.poison} for poison")


def _staff(settings: Settings) -> Iterator[Finding]:
    if settings.staff.password_hash.get_secret_value():
        yield Finding("ok", "staff console: on, at /staff")
    else:
        yield Finding("advice", "staff console: off", "citewell password prints what turns it on")


def _privacy(settings: Settings) -> Iterator[Finding]:
    days = settings.privacy.keep_days
    if settings.privacy.keep_questions:
        said = f"privacy: questions are kept as typed for {days} days, and the page says so"
        yield Finding("advice", said, "leave privacy.keep_questions out unless you need the words")
    else:
        yield Finding("ok", f"privacy: common words only are kept, for {days} days")


def _widget(settings: Settings) -> Iterator[Finding]:
    open_ones = [o for o in settings.widget.origins if o.startswith("http://")]
    if open_ones:
        said = f"widget: {', '.join(open_ones)} can be changed on its way to visitors"
        yield Finding("advice", said, "serve that site by https")
    elif settings.widget.origins:
        yield Finding("ok", f"widget: shown on {', '.join(settings.widget.origins)}")


def _port(settings: Settings) -> Iterator[Finding]:
    host, port = settings.server.host, settings.server.port
    if host in ("", "::") or not host.strip("0."):  # every address of this machine
        host = "localhost"
    connection = HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/healthz")
        serves = connection.getresponse().read(3) == b"ok"
    except ConnectionRefusedError:
        yield Finding("ok", f"port: {port} is free")
        return
    except (OSError, HTTPException):
        serves = False
    finally:
        connection.close()
    if serves:
        yield Finding("ok", f"port: Citewell serves at {port} already")
    else:
        remedy = "stop that program, or choose another port in server.port"
        yield Finding("wrong", f"port: another program listens at {port}", remedy)


def _tried(read: Callable[[], str], name: str, remedy: str = "") -> Finding:
    try:
        return Finding("ok", read())
    except CitewellError as error:
        return Finding("wrong", f"{name}: {str(error).splitlines()[0]}", remedy)


def _nearest(path: Path) -> Path:
    """Return the folder, or the first above it that is there."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
