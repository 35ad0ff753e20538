"""One guarded HTTP GET. The address that was checked is the address that is dialled.

Refuses private, loopback, link-local and reserved addresses unless the setting allows them, at
every redirect too (OWASP, Server-Side Request Forgery Prevention). Addresses where a cloud keeps
its machines' secrets are refused in any case. Bounds time, size and hops.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpcore

from index.errors import PageError
from index.settings import CorpusSettings

AGENT = "citewell"
_MAX_HOPS = 5
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_EMBEDDING = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")
)
"""IPv6 networks whose last four bytes are an IPv4 address: NAT64 (RFC 6052, RFC 8215),
v4-compatible, v4-translated (RFC 2765)."""
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b:1::/48", "192.88.99.0/24", "3fff::/20", "5f00::/16", "fec0::/10")
)
"""What IANA's registries keep from the public internet and `ipaddress` may not know of."""
_SECRETS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32",
        "168.63.129.16/32", "192.0.0.192/32",
    )
)  # fmt: skip
"""Where clouds tell a machine its keys: AWS, Google, Azure, Oracle, Alibaba, and link-local."""


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
        self._guard = _Guard(settings.allow_private_addresses)
        self._pool = httpcore.ConnectionPool(network_backend=self._guard)

    def __enter__(self) -> Fetcher:
        """Return itself."""
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Close every connection."""
        self._pool.close()

    def get(self, url: str, stays: Callable[[str], bool] = lambda _: True) -> Response:
        """Fetch `url`, following at most five redirects. Raises PageError with the reason.

        An address for which `stays` is false is told in the error and never asked.
        """
        for _ in range(_MAX_HOPS + 1):
            if not stays(url):
                raise PageError(f"leads to another site ({urlsplit(url).netloc})")
            response, location = self._once(url)
            if location is None:
                return response
            try:
                url = urljoin(url, location)
                urlsplit(url)
            except ValueError:
                raise PageError(f"redirected to '{location}', which is no address") from None
        raise PageError(f"redirected more than {_MAX_HOPS} times")

    def _once(self, url: str) -> tuple[Response, str | None]:
        if not is_web_address(url):
            raise PageError(f"'{url}' is not an http or https address")
        limit = int(self._settings.max_file_mb * 1_000_000)
        deadline = time.monotonic() + self._settings.timeout_s
        self._guard.deadline = deadline
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._settings.timeout_s)
        names: dict[str, str] = {}
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
            said = "took longer than" if names else "no answer within"
            raise PageError(f"{said} {self._settings.timeout_s:g} s") from None
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
    """Resolves a host once, checks every address, and connects to a checked one.

    `deadline` is when the request under way must be over, by the monotonic clock.
    """

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend = httpcore.SyncBackend()
        self.deadline = float("inf")

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise PageError(f"the host '{host}' is not known") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if not self._allow_private and not _is_public(address):
                raise PageError(
                    f"{host} is a private or local address ({address}); to index it, set "
                    "corpus.allow_private_addresses = true"
                )
            if _is_in(address, _SECRETS):
                raise PageError(
                    f"{host} is where a cloud keeps a machine's keys ({address}); it is never asked"
                )
        stream = self._backend.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )
        return _Timed(stream, self)


class _Timed(httpcore.NetworkStream):
    """A stream that ends at the guard's deadline, however slowly its bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, guard: _Guard) -> None:
        self._stream = stream
        self._guard = guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._guard.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return self._stream.read(max_bytes, min(left, timeout or left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, timeout), self._guard)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _is_in(address: str, networks: Iterable[_Network]) -> bool:
    ip, inside = ipaddress.ip_address(address.split("%")[0]), _meant(address)
    return any(ip in network or inside in network for network in networks)


def _is_public(address: str) -> bool:
    meant = _meant(address)
    return meant.is_global and not meant.is_multicast and not _is_in(address, _NOT_PUBLIC)


def _meant(address: str) -> _Address:
    """Return the address that is reached in the end: the IPv4 one inside an IPv6 one, if any."""
    ip = ipaddress.ip_address(address.split("%")[0])
    inside = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if any(ip in network for network in _EMBEDDING):
        inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return inside or ip
