"""Means with bootstrap confidence intervals and shares with Wilson's. Seeded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SEED = 7
_RESAMPLES = 2000
_Z = 1.959964  # 95%


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95% interval and the number of questions it rests on."""

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        """Show it as in the report."""
        if not self.count:
            return "no questions"
        return f"{self.value:.3f}  [{self.low:.3f}, {self.high:.3f}]  n={self.count}"


def mean(values: Sequence[float]) -> Estimate:
    """Return the mean with a percentile bootstrap interval."""
    if not values:
        return Estimate(math.nan, math.nan, math.nan, 0)
    sample = np.asarray(values, dtype=float)
    draws = np.random.default_rng(SEED).choice(sample, (_RESAMPLES, len(sample))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Estimate(float(sample.mean()), float(low), float(high), len(sample))


def difference(one: Mapping[str, float], other: Mapping[str, float]) -> Estimate:
    """Return the mean of one minus other over the questions of both: the paired bootstrap.

    Questions are resampled, not systems (Efron and Tibshirani 1993): a hard question is hard for
    both, and says nothing about which is better.
    """
    return mean([one[question] - other[question] for question in one if question in other])


def share(successes: Sequence[bool]) -> Estimate:
    """Return the share of successes with Wilson's interval (Wilson 1927), right near 0 and 1."""
    count = len(successes)
    if not count:
        return Estimate(math.nan, math.nan, math.nan, 0)
    p = sum(successes) / count
    scale = 1 + _Z**2 / count
    middle = (p + _Z**2 / (2 * count)) / scale
    half = _Z * math.sqrt(p * (1 - p) / count + _Z**2 / (4 * count**2)) / scale
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half), count)
