"""What would keep a clinic's installation from working, and what to do.

Looking changes nothing, but a journal of an earlier version is upgraded, as on every start.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from bot import probes
from bot.generate import open_model
from bot.journal import Journal, JournalError
from bot.settings import DEFAULT_FILE, Settings, load_settings
from index.embed import open_encoder
from index.errors import CitewellError, ConfigError, IndexMissingError
from index.load import load
from index.retrieve import Retriever
from index.types import Document

State = Literal["ok", "advice", "wrong"]
_ROOM = 3
"""Times the index that should be free beside it: the next one, and those kept."""
_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)")
_INSTALL = "run: pip install -c constraints.txt ."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, and what to do if it is not well."""

    state: State
    what: str
    remedy: str = ""


def diagnose(config: Path | None = None, data: Path | None = None) -> Iterator[Finding]:
    """Read the settings as `load_settings` does, then examine what they ask for.

    Of settings that cannot be read nothing else is told.
    """
    try:
        settings = load_settings(config, data)
    except ConfigError as error:
        yield _failure("settings", error, "mend that file; clinic.example.toml shows every key")
        return
    file = config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    yield Finding("ok", f"settings: {file or f'the defaults, there is no {DEFAULT_FILE} here'}")
    yield from examine(settings)


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each thing that an installation needs, as it is looked at."""
    for look in (
        _packages, _model, _pages, _index, _room, _data_folder, _journal, _chroma, _model_server,
        _counter, _chat_model, _numbers, _staff, _privacy, _widget, _port,
    ):  # fmt: skip
        yield from look(settings)


def _packages(_: Settings) -> Iterator[Finding]:
    try:
        pythons, lines = metadata("citewell")["Requires-Python"], requires("citewell") or ()
    except PackageNotFoundError:
        yield Finding("wrong", "packages: Citewell is not installed for this Python", _INSTALL)
        return
    python = "{}.{}.{}".format(*sys.version_info)
    if SpecifierSet(pythons).contains(python):
        yield Finding("ok", f"Python: {python}")
    else:
        remedy = "make the environment anew with a Python that fits, then install again"
        yield Finding("wrong", f"Python: {python} (wanted: {pythons})", remedy)
    if unfit := [said for line in lines if (said := _unfit(Requirement(line)))]:
        yield Finding("wrong", f"packages: {', '.join(unfit)}", _INSTALL)
    else:
        yield Finding("ok", f"packages: Citewell {version('citewell')} has what it needs")


def _unfit(wanted: Requirement) -> str:
    """Return what is wrong with a package, "" if it fits or is of an extra."""
    if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
        return ""
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        found = "none"
    if found != "none" and wanted.specifier.contains(found, prereleases=True):
        return ""
    return f"{wanted.name} {found} (wanted: {wanted.specifier})"


def _model(settings: Settings) -> Iterator[Finding]:
    def read() -> str:
        identity = open_encoder(settings.index).identity
        return f"model: {identity.name}, SHA-256 {identity.sha256[:12]}…"

    yield _tried(read, "model", "mend index.model")


def _pages(settings: Settings) -> Iterator[Finding]:
    for folder in settings.corpus.folders:
        if not os.access(folder, os.R_OK | os.X_OK * os.path.isdir(folder)):
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
        yield _failure("index", error, state="advice")
    except CitewellError as error:
        yield _failure("index", error, "run: citewell index")
    else:
        said = (
            f"index: {made.documents} pages, {made.chunks} passages, generation {made.generation}"
        )
        yield Finding("ok", said)


def _room(settings: Settings) -> Iterator[Finding]:
    data = settings.index.data
    size = probes.largest(data / "generations")
    free = shutil.disk_usage(probes.nearest(data)).free
    said = f"disk: {free / 1e9:.1f} GB free, {size / 1e9:.2f} GB used by the index in {data}"
    if free < _ROOM * size:
        yield Finding("advice", said, f"make room: {_ROOM} times the index, for the next ones")
    else:
        yield Finding("ok", said)


def _data_folder(settings: Settings) -> Iterator[Finding]:
    data = settings.index.data
    lock = data / "lock"
    refused = probes.no_writing(data) or probes.no_writing(data / "generations")
    if not refused and os.path.exists(lock) and not os.access(lock, os.W_OK):
        refused = f"{lock} cannot be written"
    if refused:
        remedy = "give it to the user that Citewell runs as, or name another in index.data"
        yield Finding("wrong", f"data folder: {refused}", remedy)
    else:
        yield Finding("ok", f"data folder: {data} can be written")


def _journal(settings: Settings) -> Iterator[Finding]:
    url = settings.journal_url
    named = _SQLITE.match(url)
    file = Path(named[1]) if named else None
    if file and not os.path.exists(file):
        if refused := probes.no_writing(file.parent):
            yield Finding("wrong", f"journal: {refused}", "name another file in journal.url")
        else:
            yield Finding("ok", f"journal: will be made at {file}")
        return
    try:
        journal = Journal.open(url)
        try:
            journal.end_session("of nobody")  # writes, and changes nothing
        finally:
            journal.close()
    except JournalError as error:
        yield _failure("journal", error, "mend journal.url")
        return
    if file and (mode := file.stat().st_mode & 0o077):
        said = f"journal: others may read or write {file} (mode {mode:03o})"
        yield Finding("wrong", said, f"run: chmod go= {shlex.quote(str(file))}*")
    else:
        yield Finding("ok", f"journal: {file or 'the database'} opens and can be written")


def _chroma(settings: Settings) -> Iterator[Finding]:
    if url := settings.chroma.url:
        remedy = "start that server, or mend chroma.url"
        yield _answers("chroma.url", probes.no_chroma(url), url, remedy)


def _model_server(settings: Settings) -> Iterator[Finding]:
    if settings.model.url:
        yield _reached("model.url", settings.model.url)


def _counter(settings: Settings) -> Iterator[Finding]:
    url = settings.limits.url
    if url.startswith("redis") and find_spec("redis") is None:
        said = "limits.url: what speaks to Redis is not installed"
        yield Finding("wrong", said, "run: pip install 'citewell[redis]'")
    elif url:
        yield _reached("limits.url", url)


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
    kept = settings.staff.password_hash.get_secret_value()
    if kept and not kept.startswith("$argon2"):
        said = "staff console: staff.password_hash is no argon2 hash, so nobody can log in"
        yield Finding("wrong", said, "citewell password prints one")
    elif kept:
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
    origins = settings.widget.origins
    open_ones = [origin for origin in origins if origin.startswith("http://")]
    if open_ones:
        said = f"widget: {', '.join(open_ones)} can be changed on its way to visitors"
        yield Finding("advice", said, "serve that site by https")
    else:
        yield Finding("ok", f"widget: shown on {', '.join(origins) or 'no other site'}")


def _port(settings: Settings) -> Iterator[Finding]:
    host, port = settings.server.host, settings.server.port
    fault = probes.no_listening(host, port)
    if fault is None:
        yield Finding("ok", f"port: {port} is free")
    elif fault.errno != errno.EADDRINUSE:
        said = f"port: cannot listen on {host}:{port} ({fault.strerror})"
        yield Finding("wrong", said, "mend server.host or server.port")
    elif probes.serves(host, port):
        yield Finding("ok", f"port: Citewell serves at {port} already")
    else:
        remedy = "stop that program, or choose another port in server.port"
        yield Finding("wrong", f"port: another program listens at {port}", remedy)


def _reached(key: str, url: str) -> Finding:
    return _answers(
        key, probes.no_answer(url), probes.shown(url), f"start that server, or mend {key}"
    )


def _answers(key: str, fault: str, place: str, remedy: str) -> Finding:
    if fault:
        return Finding("wrong", f"{key}: {place}: {fault}", remedy)
    return Finding("ok", f"{key}: {place} answers")


def _tried(read: Callable[[], str], name: str, remedy: str) -> Finding:
    try:
        return Finding("ok", read())
    except CitewellError as error:
        return _failure(name, error, remedy)


def _failure(
    name: str, error: CitewellError, remedy: str = "", *, state: State = "wrong"
) -> Finding:
    """Return an error as a finding; what it says to do after a semicolon is the remedy."""
    what, _, named = " ".join(str(error).split()).partition("; ")
    return Finding(state, f"{name}: {what}", named or remedy)
