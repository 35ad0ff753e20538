"""After a timeout nobody waits again until one has tried."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from index.breaker import Breaker, RestingError

REST = 10


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Tried:
    """A breaker with a clock of its own, and what came of it."""

    def __init__(self, timeouts: int = 1) -> None:
        self.clock = Clock()
        self.changes: list[bool] = []
        self.breaker = Breaker(
            TimeoutError, rest_s=REST, timeouts=timeouts, clock=self.clock,
            changed=self.changes.append,
        )  # fmt: skip

    def __call__(self, make: Callable[[], str]) -> str:
        try:
            with self.breaker.call():
                return make()
        except RestingError:
            return "at once"
        except (TimeoutError, ConnectionRefusedError) as error:
            return type(error).__name__


def late() -> str:
    raise TimeoutError


def refused() -> str:
    raise ConnectionRefusedError


def well() -> str:
    return "well"


def test_after_a_timeout_calls_fail_at_once_until_the_rest_is_over():
    tried = Tried()
    assert [tried(late), tried(well), tried(well)] == ["TimeoutError", "at once", "at once"]
    tried.clock.now += REST - 0.01
    assert tried(well) == "at once"
    tried.clock.now += 0.01
    assert [tried(well), tried(well)] == ["well", "well"]
    assert tried.changes == [True, False]


def test_while_one_tries_the_others_fail_at_once():
    tried = Tried()
    tried(late)
    tried.clock.now += REST
    assert tried(lambda: tried(well)) == "at once"


def test_one_that_tries_in_vain_keeps_it_open_and_says_nothing_new():
    tried = Tried()
    for _ in range(3):
        assert [tried(late), tried(well)] == ["TimeoutError", "at once"]
        tried.clock.now += REST
    assert tried(well) == "well"
    assert tried.changes == [True, False]


def test_the_rest_begins_when_the_try_has_failed():
    tried = Tried()
    tried(late)
    tried.clock.now += REST

    def later_still() -> str:
        tried.clock.now += REST / 2
        raise TimeoutError

    assert tried(later_still) == "TimeoutError"
    tried.clock.now += REST - 1
    assert tried(well) == "at once"


def test_one_that_never_comes_back_does_not_keep_it_open_for_ever():
    tried = Tried()
    tried(late)
    tried.clock.now += REST
    never = tried.breaker.call()
    never.__enter__()
    assert tried(well) == "at once"
    tried.clock.now += REST
    assert tried(well) == "well"


def test_only_timeouts_in_a_row_open_it():
    tried = Tried(timeouts=3)
    for _ in range(4):
        assert [tried(late), tried(late)] == ["TimeoutError"] * 2
        assert tried(well) == "well"
    assert [tried(late), tried(late), tried(late), tried(well)] == ["TimeoutError"] * 3 + [
        "at once"
    ]
    assert tried.changes == [True]


def test_what_fails_at_once_keeps_nobody_waiting():
    tried = Tried()
    assert [tried(refused), tried(refused)] == ["ConnectionRefusedError"] * 2
    tried(late)
    tried.clock.now += REST
    assert [tried(refused), tried(refused)] == ["ConnectionRefusedError"] * 2
    assert tried.changes == [True, False]


def test_the_error_says_when_it_is_tried_again():
    tried = Tried()
    tried(late)
    tried.clock.now += 2.5
    with pytest.raises(RestingError, match="it timed out, and is tried again in 8 s"), \
            tried.breaker.call():  # fmt: skip
        pass


def test_of_a_crowd_that_comes_when_the_rest_is_over_one_tries():
    tried, together = Tried(), Barrier(8)
    tried(late)
    tried.clock.now += REST

    def ask(_: int) -> str:
        together.wait()
        return tried(late)

    with ThreadPoolExecutor(8) as crowd:
        assert sorted(crowd.map(ask, range(8))) == ["TimeoutError", *["at once"] * 7]
