"""Files that are on disk when we say so: written, then synced, their folder too."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_GIVE = "let the user that Citewell runs as read and write it"
_ROOM = "make room on its disk"
_FILES = "let Citewell open more files (ulimit -n)"
_REMEDIES = {
    errno.EACCES: _GIVE, errno.EPERM: _GIVE, errno.EROFS: _GIVE, errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM, errno.EMFILE: _FILES, errno.ENFILE: _FILES,
    errno.EIO: f"{_ROOM}, and look whether it fails",
}  # fmt: skip


def remedy_for(error: Exception) -> str:
    """Return what to do about an error that files are not to blame for, "" if they may be."""
    return _REMEDIES.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk: after a rename, nothing else holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
