"""Calls of many threads become one call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, get_ident

import pytest

from index.batching import Batched


class Doubler:
    """Doubles numbers; the first batch waits until it is let go."""

    def __init__(self):
        self.batches, self.threads = [], set()
        self.begun, self.go = Event(), Event()

    def __call__(self, numbers):
        self.batches.append(list(numbers))
        self.threads.add(get_ident())
        self.begun.set()
        assert self.go.wait(10)
        if 13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


def gathered(run, numbers, most):
    """Ask for one number, for the others while it is read, and return the results as futures."""
    batched = Batched(run, most=most)
    with ThreadPoolExecutor(len(numbers)) as threads:
        first = threads.submit(batched, numbers[0])
        assert run.begun.wait(10)
        others = [threads.submit(batched, number) for number in numbers[1:]]
        while len(batched._waiting) < len(others):
            assert not any(other.done() for other in others)
        run.go.set()
    return [first, *others]


def test_what_comes_while_one_is_read_is_read_together():
    run = Doubler()
    found = gathered(run, [1, 2, 3, 4, 5], most=3)
    assert [one.result() for one in found] == [2, 4, 6, 8, 10]
    assert run.batches[0] == [1]
    assert sorted(map(len, run.batches[1:])) == [1, 3]


def test_whoever_calls_one_thread_runs():
    run = Doubler()
    gathered(run, [1, 2, 3, 4, 5], most=2)
    assert len(run.batches) == 3
    assert len(run.threads) == 1 and get_ident() not in run.threads


def test_a_run_that_returns_too_little_leaves_nobody_waiting():
    batched = Batched(lambda numbers: [], most=3)
    with pytest.raises(IndexError):
        batched(1)


def test_a_lone_call_is_made_at_once():
    run = Doubler()
    run.go.set()
    batched = Batched(run, most=3)
    assert [batched(1), batched(2)] == [2, 4]
    assert run.batches == [[1], [2]]


def test_an_error_reaches_everyone_of_its_batch_and_nobody_else():
    run = Doubler()
    first, *others = gathered(run, [1, 2, 13], most=3)
    assert first.result() == 2
    for one in others:
        with pytest.raises(ValueError, match="thirteen"):
            one.result()
