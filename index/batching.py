"""Calls of many threads -> one call with all that came meanwhile. Pure.

No thread of its own and no waiting for company: a lone call runs at once. While it runs, others
gather; the first of them then runs for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition
from typing import Generic, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


class Batched(Generic[Given, Made]):
    """A function of one thing, made of one of many. Safe to share between threads."""

    def __init__(self, run: Callable[[Sequence[Given]], Sequence[Made]], *, most: int) -> None:
        """Let `run` have `most` things at once; it returns a result for each, in their order."""
        self._run = run
        self._most = most
        self._waiting: list[_Call[Given, Made]] = []
        self._running = False
        self._changed = Condition()

    def __call__(self, given: Given) -> Made:
        """Return the result for one thing. Raises what `run` raised for its batch."""
        call = _Call[Given, Made](given)
        with self._changed:
            self._waiting.append(call)
        while not call.done:
            with self._changed:
                self._changed.wait_for(lambda: call.done or not self._running)
                if call.done:
                    break
                self._running = True
                batch = self._waiting[: self._most]
                del self._waiting[: self._most]
            self._lead(batch)
        if call.error:
            raise call.error
        return call.made[0]

    def _lead(self, batch: Sequence[_Call[Given, Made]]) -> None:
        error: BaseException | None = None
        made: Sequence[Made] = ()
        try:
            made = self._run([call.given for call in batch])
        except BaseException as raised:  # noqa: BLE001 - belongs to every caller of the batch
            error = raised
        with self._changed:
            for at, call in enumerate(batch):
                call.made, call.error, call.done = made[at : at + 1], error, True
            self._running = False
            self._changed.notify_all()


class _Call(Generic[Given, Made]):
    def __init__(self, given: Given) -> None:
        self.given = given
        self.made: Sequence[Made] = ()
        self.error: BaseException | None = None
        self.done = False
