"""Pages the staff add through the console: kept in the data folder, read with the clinic's own.

    DATA/uploads/<name>    one page, checked before it is kept; written whole or not at all

Only pages: a `glossary.yml` changes how every question is read and belongs in the clinic's folders.
Whether a page can be read is told by the next indexing, which names what it skips and why.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import time
import unicodedata
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

from bot.settings import Settings
from index.errors import CitewellError
from index.files import sync_folder, write_synced

TYPES = (".md", ".html", ".htm", ".pdf", ".docx", ".txt")
"""The types of page that can be uploaded."""

_LONGEST_NAME = 100
_PASSED_OVER = ("readme", "license", "licence")
"""Names the loader passes over without a word (`index.load`)."""
_MOST_UNPACKED = 200_000_000
_MOST_XML = 20_000_000
"""Bytes a Word document may unpack to, and its text alone."""
_FRESH = re.compile(r"\.[0-9a-f]{16}")
_LEFT_S = 86_400
_HEAD = 1024
"""Bytes in which a PDF's mark stands, as readers of PDF allow."""


class UploadError(CitewellError):
    """A file cannot be kept or removed. The message names the file and what to do."""


def folder(settings: Settings) -> Path:
    """Return where uploaded pages are kept; it may not exist yet."""
    return settings.index.data / "uploads"


def uploads(settings: Settings) -> list[Path]:
    """Return the uploaded pages, by name."""
    try:
        found = sorted(folder(settings).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UploadError(
            f"{folder(settings)}: cannot be read ({error.strerror}); give it to the user that "
            "Citewell runs as"
        ) from None
    return [path for path in found if _is_page(path.name) and path.is_file()]


def inputs(settings: Settings) -> list[str]:
    """Return all that is to be indexed: the clinic's folders and sites, and what was uploaded."""
    own = [*map(str, settings.corpus.folders), *settings.corpus.sites]
    return [*own, str(folder(settings))] if uploads(settings) else own


def save(settings: Settings, name: str, content: bytes) -> Path:
    """Keep an uploaded page and return where; one of the same name is replaced.

    Raises UploadError, and keeps nothing, if it is no page or cannot be written.
    """
    safe = safe_name(name)
    most = settings.corpus.max_file_mb
    if len(content) > most * 1_000_000:
        raise UploadError(
            f"{safe}: {len(content) / 1e6:.1f} MB is over corpus.max_file_mb = {most:g}; raise it "
            "or split the file"
        )
    if fault := _fault(Path(safe).suffix, content):
        raise UploadError(f"{safe}: {fault}")
    place = folder(settings)
    try:
        place.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        _replace(place / safe, content)
    except OSError as error:
        raise UploadError(
            f"{safe}: cannot be written to {place} ({error.strerror}); free space, or let Citewell "
            "write there"
        ) from None
    return place / safe


def remove(settings: Settings, name: str) -> bool:
    """Delete an uploaded page; False if there is none of that name. Raises UploadError."""
    # Compared with what is there, never made a path of: the name comes from a form.
    path = next((path for path in uploads(settings) if path.name == name), None)
    if path is None:
        return False
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise UploadError(f"{name}: cannot be removed ({error.strerror})") from None
    return True


def safe_name(name: str) -> str:
    """Return the name a file is kept by: its last part, in letters every system can write.

    Where letters are lost a hash of the whole name stands for them, so that two files never
    become one. Raises UploadError for what is no page or would be passed over.
    """
    given = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1]).strip()
    suffix = PurePosixPath(given.lstrip(".")).suffix.lower()
    if suffix not in TYPES:
        raise UploadError(
            f"{_shown(given)}: is no type of page; types that can be uploaded: {' '.join(TYPES)}"
        )
    stem = given[: -len(suffix)].lstrip(". ").rstrip()
    if stem.lower() in _PASSED_OVER:
        raise UploadError(f"{_shown(given)}: is a name that is not indexed; rename the file")
    plain = "".join(c for c in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(c))
    safe = re.sub(r"[^A-Za-z0-9._ -]+", "-", plain)
    longest = _LONGEST_NAME - len(suffix)
    lost = plain != stem or any(c.isalnum() and not c.isascii() for c in stem)
    if lost or len(safe) > longest or not any(c.isalnum() for c in safe):
        mark = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        safe = f"{safe[: longest - len(mark) - 1].strip('-. ') or 'page'}-{mark}"
    return safe + suffix


def _fault(suffix: str, content: bytes) -> str:
    """Say why `content` is not what its name says, and what to do; "" if it is."""
    if not content.strip():
        return "the file is empty"
    if suffix == ".pdf":
        if b"%PDF-" not in content[:_HEAD] or b"startxref" not in content:
            return "the content is not that of a PDF; save it as one, or mend the file's ending"
    elif suffix == ".docx":
        return _fault_of_word(content)
    elif b"\0" in content or content.startswith((b"%PDF-", b"PK\x03\x04")):
        return "the content is not text; mend the file's ending, or save it as UTF-8 text"
    else:
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            return f"line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save it as UTF-8"
    return ""


def _fault_of_word(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            sizes = [(part.filename, part.file_size) for part in parts.infolist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        sizes = []
    if "word/document.xml" not in dict(sizes):
        return "the content is not that of a Word document; save it as .docx"
    text = sum(size for name, size in sizes if name.endswith((".xml", ".rels")))
    unpacked = sum(size for _, size in sizes)
    if unpacked > _MOST_UNPACKED or text > _MOST_XML:
        return f"it unpacks to {unpacked / 1e6:.0f} MB; take pictures out or split it"
    return ""


def _is_page(name: str) -> bool:
    path = PurePosixPath(name)
    passed = name.startswith(".") or path.stem.lower() in _PASSED_OVER
    return not passed and path.suffix in TYPES


def _shown(name: str) -> str:
    """Return a name that is not kept, short and in characters that can be sent."""
    short = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"
    return short.encode("utf-8", "replace").decode() or "a file without a name"


def _sweep(place: Path) -> None:
    """Delete what uploads that were killed left half-written, a day after at the earliest."""
    for path in place.glob(".*"):
        with suppress(FileNotFoundError):  # another upload has come to its end
            if _FRESH.fullmatch(path.name) and path.stat().st_mtime < time.time() - _LEFT_S:
                path.unlink()


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads, or the power failing, finds the old or the new one."""
    # Hidden files are not indexed, so a half-written one is never read.
    fresh = path.with_name(f".{secrets.token_hex(8)}")
    try:
        write_synced(fresh, content)
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
