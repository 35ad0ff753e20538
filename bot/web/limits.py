"""How often one address may ask, search and rate."""

from __future__ import annotations

import logging
import math
import time
from typing import Any, Literal

from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from bot.settings import Limits
from index.breaker import Breaker, RestingError
from index.errors import ConfigError

_log = logging.getLogger(__name__)
_LEAST_WAIT_S, _WINDOW_S = 1, 60
_PATIENCE_S, _REST_S = 0.25, 10
"""Seconds for which a server that counts is waited for, and then left alone."""
What = Literal["asks", "searches", "ratings"]


class Rates:
    """Counts what addresses do, in memory or, by `limits.url`, in Redis for several processes."""

    def __init__(self, settings: Limits) -> None:
        """Count as `settings` say. Raises ConfigError if their URL names nothing that counts."""
        try:
            storage = storage_from_string(settings.url or "memory://", **_options(settings.url))
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
        self._breaker = Breaker(StorageError, rest_s=_REST_S, changed=_tell)

    def wait(self, what: What, address: str) -> int:
        """Count one of `what` and return 0, or how many seconds to wait if it is one too many.

        Where the counter does not answer nobody waits: visitors come first.
        """
        item = self._items.get(what)
        if item is None:
            return 0
        try:
            with self._breaker.call():
                if self._counted.hit(item, what, address):
                    return 0
                resets_at = self._counted.get_window_stats(item, what, address).reset_time
        except (StorageError, RestingError):
            return 0
        seconds = math.ceil(resets_at - time.time())
        if seconds > _WINDOW_S:  # the clock was put back
            self._counted.clear(item, what, address)
            return 0
        return max(_LEAST_WAIT_S, seconds)


def _options(url: str) -> dict[str, Any]:
    """Return how a server that counts is asked: briefly, for everybody waits meanwhile."""
    if not url.startswith("redis"):
        return {"wrap_exceptions": True} if url else {}
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        "wrap_exceptions": True, "socket_timeout": _PATIENCE_S,
        "socket_connect_timeout": _PATIENCE_S, "retry": Retry(NoBackoff(), 0),
    }  # fmt: skip


def _tell(is_open: bool) -> None:
    if is_open:
        _log.error(
            "limits.url does not answer, so nobody is held back; it is asked again every %d s",
            _REST_S,
        )
    else:
        _log.warning("limits.url answers again")
