"""What this machine and the servers around it say when tried: written, listened, answered.

Nothing is changed, and no server is asked for anything that costs.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx

PATIENCE_S = 3.0
"""Seconds that a server may take to answer."""
_DEFAULT_PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}


def no_writing(folder: Path) -> str:
    """Return why nothing can be written there, or where it would be made; "" if it can."""
    place = nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"{place} cannot be written ({error.strerror})"


def nearest(path: Path) -> Path:
    """Return the path, or the first above it that is there and can be seen."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if os.path.exists(place))


def largest(folder: Path) -> int:
    """Return the bytes under the largest folder in `folder`; what cannot be seen counts nothing."""
    try:
        return max((_size(inside.path) for inside in os.scandir(folder)), default=0)
    except OSError:
        return 0


def _size(folder: str) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a build may delete it meanwhile
                total += os.stat(os.path.join(where, name)).st_size
    return total


def no_listening(host: str, port: int) -> OSError | None:
    """Return why nobody can listen there, None if one can."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error
    return None


def serves(host: str, port: int) -> bool:
    """Tell whether a Citewell answers there."""
    everywhere = not host.strip("0.:")
    name = ("::1" if ":" in host else "127.0.0.1") if everywhere else host
    place = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    try:
        answer = httpx.get(f"http://{place}/healthz", timeout=PATIENCE_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.text.strip() == "ok"


def no_chroma(url: str) -> str:
    """Return why the Chroma server at a URL cannot be used, "" if it answers."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/api/v2/heartbeat", timeout=PATIENCE_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"nothing answers ({error})"
    return "" if "heartbeat" in answer.text else "what answers is no Chroma server"


def no_answer(url: str) -> str:
    """Return why no connection to the server at a URL opens, "" if one does; it is closed at once.

    Of several servers in one URL the first is tried.
    """
    try:
        parts = urlsplit(f"//{shown(url).partition(',')[0]}")
        port = parts.port or _DEFAULT_PORTS.get(re.split(r"[+:]", url)[0], 0)
        if not parts.hostname or not port:
            return "no host and port"
        socket.create_connection((parts.hostname, port), PATIENCE_S).close()
    except (OSError, ValueError) as error:
        return f"nothing answers ({error})"
    return ""


def shown(url: str) -> str:
    """Return the place in a URL, without what is secret."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]
