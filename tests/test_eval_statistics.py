"""Means and shares with intervals that hold near the ends, and the same on every run."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.statistics import Estimate, mean, share


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (1, 1, 0.2065, 1.0)],
)
def test_a_share_has_wilsons_interval(successes, count, low, high):
    found = share([True] * successes + [False] * (count - successes))
    assert found.value == pytest.approx(successes / count)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))
    assert found.count == count


def test_a_mean_is_the_same_on_every_run():
    values = [0.1, 0.9, 0.4, 0.7, 0.3]
    assert mean(values) == mean(values)
    assert mean(values).value == pytest.approx(0.48)
    assert 0.1 < mean(values).low < 0.48 < mean(values).high < 0.9


def test_more_values_narrow_the_interval():
    few, many = mean([0.0, 1.0] * 5), mean([0.0, 1.0] * 100)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize("estimate", [mean, share])
def test_nothing_gives_no_number(estimate):
    found = estimate([])
    assert math.isnan(found.value) and found.count == 0
    assert str(found) == "no questions"


def test_values_that_are_all_alike_have_no_spread():
    assert mean([0.5] * 7) == Estimate(0.5, 0.5, 0.5, 7)


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_a_share_lies_in_its_interval(successes):
    found = share(successes)
    assert 0 <= found.low <= found.value + 1e-9 and found.value - 1e-9 <= found.high <= 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_a_mean_lies_in_its_interval(values):
    found = mean(values)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_an_estimate_reads_as_in_the_report():
    assert str(Estimate(0.5, 0.25, 0.75, 8)) == "0.500  [0.250, 0.750]  n=8"
