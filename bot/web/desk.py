"""So many answers at once, so many waiting, and an honest "busy" for the rest.

Answers are made in threads; whoever waits holds none, so a crowd costs little and nothing grows
without end. Shared by the chat page and the API.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from anyio import CapacityLimiter

T = TypeVar("T")


class BusyError(Exception):
    """As many are being answered and waiting as there is room for."""


class TooOftenError(Exception):
    """One address has asked too often; `seconds` from now it may ask again."""

    def __init__(self, seconds: int) -> None:
        """Say how long to wait."""
        super().__init__(f"{seconds} s to wait")
        self.seconds = seconds


class Desk:
    """Where answers are made. For one event loop."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """Make `at_once` answers at a time while `waiting` more wait their turn."""
        self._room = at_once + waiting
        self._threads = CapacityLimiter(at_once)
        self.inside = 0

    async def run(self, make: Callable[[], T]) -> T:
        """Return what `make` makes, in a thread, when it is its turn. Raises BusyError."""
        async with self._place():
            return await anyio.to_thread.run_sync(make, limiter=self._threads)

    async def each(self, make: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """Yield what `make` yields; a thread is held only while the next one is made.

        Raises BusyError before the first.
        """
        async with self._place():
            made = make()
            end = object()
            while True:
                one = await anyio.to_thread.run_sync(next, made, end, limiter=self._threads)
                if one is end:
                    return
                yield one  # type: ignore[misc]

    async def last(self, make: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        """Yield only the last of what `make` yields: all in one turn, so nobody waits twice.

        Raises BusyError.
        """
        (one,) = await self.run(lambda: deque(make(), maxlen=1))
        yield one

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self.inside >= self._room:
            raise BusyError
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
