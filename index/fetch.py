"""One guarded HTTP GET. The address that was checked is the address that is dialled.

Refuses private, loopback, link-local and reserved addresses unless the setting allows them, at
every redirect too (OWASP, Server-Side Request Forgery Prevention). Bounds time, size and hops.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpcore

from index.errors import PageError
from index.settings import CorpusSettings

AGENT = "citewell"
_MAX_HOPS = 5
_EMBEDDING = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""IPv6 networks whose last four bytes are an IPv4 address: NAT64 (RFC 6052), v4-compatible."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, after redirects: the final `url`, status, media `type` and body."""

    url: str
    status: int
    type: str
    body: bytes


class Fetcher:
    """A pool of connections that only opens allowed addresses. A context manager."""

    def __init__(self, settings: CorpusSettings) -> None:
        """Take limits and permissions from `settings`."""
        self._settings = settings
        self._pool = httpcore.ConnectionPool(
            network_backend=_Guard(settings.allow_private_addresses)
        )

    def __enter__(self) -> Fetcher:
        """Return itself."""
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Close every connection."""
        self._pool.close()

    def get(self, url: str) -> Response:
        """Fetch `url`, following at most five redirects. Raises PageError with the reason."""
        for _ in range(_MAX_HOPS + 1):
            response, location = self._once(url)
            if location is None:
                return response
            try:
                url = urljoin(url, location)
            except ValueError:
                raise PageError(f"redirected to '{location}', which is no address") from None
        raise PageError(f"redirected more than {_MAX_HOPS} times")

    def _once(self, url: str) -> tuple[Response, str | None]:
        if not is_web_address(url):
            raise PageError(f"'{url}' is not an http or https address")
        limit = int(self._settings.max_file_mb * 1_000_000)
        deadline = time.monotonic() + self._settings.timeout_s
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._settings.timeout_s)
        headers = [(b"User-Agent", AGENT.encode()), (b"Accept-Encoding", b"identity")]
        try:
            with self._pool.stream(
                "GET", _ascii(url), headers=headers, extensions={"timeout": timeout}
            ) as reply:
                names = {k.lower().decode(): v.decode("utf-8", "replace") for k, v in reply.headers}
                if reply.status in (301, 302, 303, 307, 308) and "location" in names:
                    return Response(url, reply.status, "", b""), names["location"]
                body = bytearray()
                for part in reply.iter_stream():
                    body += part
                    if len(body) > limit:
                        raise PageError(
                            f"larger than corpus.max_file_mb = {self._settings.max_file_mb:g}"
                        )
                    if time.monotonic() > deadline:
                        raise PageError(f"took longer than {self._settings.timeout_s:g} s")
        except httpcore.TimeoutException:
            raise PageError(f"no answer within {self._settings.timeout_s:g} s") from None
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            UnicodeError,
        ) as error:
            raise PageError(f"cannot be reached ({str(error) or type(error).__name__})") from None
        kind = names.get("content-type", "").split(";")[0].strip().lower()
        return Response(url, reply.status, kind, bytes(body)), None


def is_web_address(url: str) -> bool:
    """Tell whether `url` is http or https with a host and, if any, a port that can be."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # "http://[", or a port out of range
        return False


def _ascii(url: str) -> str:
    """Write an address as HTTP sends it: the host in IDNA, the rest percent-encoded."""
    parts = urlsplit(url)
    host = parts.netloc.encode("idna").decode()
    safe = "%/?:@!$&'()*+,;=~|[]"
    query = f"?{quote(parts.query, safe=safe)}" if parts.query else ""
    return f"{parts.scheme}://{host}{quote(parts.path or '/', safe=safe)}{query}"


class _Guard(httpcore.NetworkBackend):
    """Resolves a host once, checks every address, and connects to a checked one."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise PageError(f"the host '{host}' is not known") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._allow_private:
            for address in addresses:
                if not _is_public(address):
                    raise PageError(
                        f"{host} is a private or local address ({address}); to index it, set "
                        "corpus.allow_private_addresses = true"
                    )
        return self._backend.connect_tcp(addresses[0], port, timeout, local_address, socket_options)


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if any(ip in network for network in _EMBEDDING):
        mapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return (mapped or ip).is_global and not ip.is_multicast
