"""How often one address may ask, and how much it may send."""

from __future__ import annotations

import logging
import math
import time
from threading import Lock
from typing import Literal

from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.settings import Limits
from index.errors import ConfigError

_log = logging.getLogger(__name__)
_LEAST_WAIT_S, _QUIET_S = 1, 60
What = Literal["asks", "searches", "ratings"]


class Rates:
    """Counts what addresses do, in memory or, by `limits.url`, in Redis for several processes."""

    def __init__(self, settings: Limits) -> None:
        """Count as `settings` say. Raises ConfigError if their URL names nothing that counts."""
        try:
            storage = storage_from_string(
                settings.url or "memory://", **({"wrap_exceptions": True} if settings.url else {})
            )
        except (ConfigurationError, ValueError, ImportError) as error:
            raise ConfigError(
                f"limits.url = '{settings.url}' cannot be used ({error}); leave it empty to count "
                "in memory, or give redis://HOST:PORT and run: pip install 'citewell[redis]'"
            ) from None
        assert isinstance(storage, Storage)
        self._counted = MovingWindowRateLimiter(storage)
        self._items = {
            what: RateLimitItemPerMinute(count)
            for what, count in (
                ("asks", settings.asks_per_minute),
                ("searches", settings.searches_per_minute),
                ("ratings", settings.ratings_per_minute),
            )
            if count
        }
        self._complained_at = -math.inf
        self._complaining = Lock()

    def wait(self, what: What, address: str) -> int:
        """Count one of `what` and return 0, or how many seconds to wait if it is one too many.

        Where the counter does not answer nobody waits: visitors come first.
        """
        item = self._items.get(what)
        if item is None:
            return 0
        try:
            if self._counted.hit(item, what, address):
                return 0
            resets_at = self._counted.get_window_stats(item, what, address).reset_time
        except StorageError as error:
            self._complain(error)
            return 0
        return max(_LEAST_WAIT_S, math.ceil(resets_at - time.time()))

    def _complain(self, error: StorageError) -> None:
        """Say once a minute that nothing is counted."""
        with self._complaining:
            now = time.monotonic()
            if now - self._complained_at < _QUIET_S:
                return
            self._complained_at = now
        _log.error("limits.url does not answer, so nobody is held back (%s)", error)


class BodyLimit:
    """Answers 413 to a request with more in it than `most` bytes, told or not."""

    def __init__(self, app: ASGIApp, most: int, uploads: str, most_of_uploads: int) -> None:
        """Allow `most` bytes, and `most_of_uploads` at the path `uploads`."""
        self._app = app
        self._most = most
        self._uploads = (uploads, most_of_uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on as long as it is not too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, allowed = self._uploads
        most = allowed if scope["path"] == path else self._most
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > most:
            await _TOO_LARGE(scope, receive, send)
            return
        read, begun, over = 0, False, False

        async def counted() -> Message:
            nonlocal read, over
            message = await receive()
            read += len(message.get("body", b""))
            over = over or read > most
            if over:
                raise _TooMuch
            return message

        async def noted(message: Message) -> None:
            nonlocal begun
            if not over or begun:  # what others make of `_TooMuch` is not the answer
                begun = True
                await send(message)

        try:
            await self._app(scope, counted, noted)
        except _TooMuch:
            pass
        if over and not begun:
            await _TOO_LARGE(scope, receive, send)


class _TooMuch(Exception):
    pass


_TOO_LARGE = PlainTextResponse("That is more than can be read here.", 413)
