"""How often one address may ask, search and rate."""

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

from bot.settings import Limits
from index.errors import ConfigError

_log = logging.getLogger(__name__)
_LEAST_WAIT_S, _WINDOW_S, _QUIET_S = 1, 60, 60
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
        seconds = math.ceil(resets_at - time.time())
        if seconds > _WINDOW_S:  # the clock was put back
            self._counted.clear(item, what, address)
            return 0
        return max(_LEAST_WAIT_S, seconds)

    def _complain(self, error: StorageError) -> None:
        """Say once a minute that nothing is counted."""
        with self._complaining:
            now = time.monotonic()
            if now - self._complained_at < _QUIET_S:
                return
            self._complained_at = now
        _log.error("limits.url does not answer, so nobody is held back (%s)", error)
