"""What is too old is forgotten by the clock, also where nobody asks anything for months."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from bot.journal import JournalError
from bot.recorder import Recorder

_log = logging.getLogger(__name__)
EVERY_S = 3600.0
"""Seconds between two rounds; what is kept is kept by the day."""


def tidying(
    recorder: Recorder, wait: Callable[[float], Awaitable[None]] = anyio.sleep
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Return the lifespan that forgets what is old at the start, and every hour after that."""

    async def rounds() -> None:
        while True:
            try:
                await anyio.to_thread.run_sync(recorder.forget_what_is_old)
            except JournalError as error:
                _log.error("what is too old was not forgotten: %s", error)
            await wait(EVERY_S)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rounds)
            yield
            tasks.cancel_scope.cancel()

    return lifespan
