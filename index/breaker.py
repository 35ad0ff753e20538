"""Not asking again, for a while, what has just cost a whole timeout. M. Nygard, *Release It!*."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock


class RestingError(Exception):
    """The call was not made: those before it timed out. The message says when one will be."""


class Breaker:
    """Lets calls through until some in a row time out; then one each `rest_s`. Thread-safe.

    Only what costs a timeout counts. Whatever ends sooner, well or not, keeps nobody waiting: it
    starts the count anew, and closes the breaker.
    """

    def __init__(
        self, counts: type[Exception] | tuple[type[Exception], ...], *, rest_s: float,
        timeouts: int = 1, clock: Callable[[], float] = time.monotonic,
        changed: Callable[[bool], None] = lambda is_open: None,
    ) -> None:  # fmt: skip
        """Open after `timeouts` calls in a row that raised one of `counts`.

        `clock` gives seconds that never go back. `changed` is called with True when the breaker
        opens and with False when it closes.
        """
        self._counts = counts
        self._rest_s = rest_s
        self._timeouts = timeouts
        self._clock = clock
        self._changed = changed
        self._lock = Lock()
        self._in_a_row = 0
        self._tries_at = -math.inf

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make a call in the block and learn from how it ends. Raises RestingError instead."""
        self._enter()
        try:
            yield
        except self._counts:
            self._ended(timed_out=True)
            raise
        except BaseException:
            self._ended(timed_out=False)
            raise
        self._ended(timed_out=False)

    @property
    def _is_open(self) -> bool:
        return self._in_a_row >= self._timeouts

    def _enter(self) -> None:
        with self._lock:
            if not self._is_open:
                return
            left = self._tries_at - self._clock()
            if left > 0:
                raise RestingError(f"it timed out, and is tried again in {math.ceil(left)} s")
            # Taken here: the others do not wait beside the one that tries.
            self._tries_at = self._clock() + self._rest_s

    def _ended(self, *, timed_out: bool) -> None:
        with self._lock:
            was_open = self._is_open
            self._in_a_row = self._in_a_row + 1 if timed_out else 0
            if timed_out:
                self._tries_at = self._clock() + self._rest_s
            is_open = self._is_open
        if is_open != was_open:
            self._changed(is_open)
