"""Calls of many threads -> one call with all that came meanwhile, in a thread of its own. Pure.

No waiting for company: a lone call runs at once. While it runs, others gather, and run together.
One thread, because libraries of linear algebra keep memory for each that calls them: with fifty
visitors, in whichever thread it was, 500 MB of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


class Batched(Generic[Given, Made]):
    """A function of one thing, made of one of many. Safe to share between threads."""

    def __init__(self, run: Callable[[Sequence[Given]], Sequence[Made]], *, most: int) -> None:
        """Let `run` have `most` things at once; it returns a result for each, in their order."""
        self._run = run
        self._most = most
        self._waiting: deque[tuple[Given, Future[Made]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=type(self).__name__)

    def __call__(self, given: Given) -> Made:
        """Return the result for one thing. Raises what `run` raised for its batch."""
        made: Future[Made] = Future()
        self._waiting.append((given, made))
        self._thread.submit(self._next)  # which finds nothing left if this one went with others
        return made.result()

    def _next(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        if not batch:
            return
        try:
            results = self._run([given for given, _ in batch])
            for at, (_, made) in enumerate(batch):
                made.set_result(results[at])
        except BaseException as error:  # noqa: BLE001 - belongs to every caller of the batch
            for _, made in batch:
                if not made.done():
                    made.set_exception(error)
