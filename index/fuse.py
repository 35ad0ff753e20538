"""Two rankings -> one. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

Id = TypeVar("Id", bound=Hashable)


def fuse(
    dense: Mapping[Id, float], lexical: Mapping[Id, float], *, dense_weight: float
) -> list[tuple[Id, float]]:
    """Return (id, score) best first: a convex combination of both sides, each scaled to 0..1.

    Scores, not ranks, because how much better the first passage is than the second is worth
    keeping (Bruch, Gai and Ingber 2023, doi:10.1145/3596512). Dense cosines are clipped at zero
    and divided by the best; so are BM25 scores. What a side did not return counts as zero there.
    Ties keep the order of the ids' text, so that a ranking can be repeated.
    """
    best_dense = max(dense.values(), default=0.0)
    best_lexical = max(lexical.values(), default=0.0)

    def share(value: float, best: float) -> float:
        return max(value, 0.0) / best if best > 0 else 0.0

    fused = {
        i: dense_weight * share(dense.get(i, 0.0), best_dense)
        + (1 - dense_weight) * share(lexical.get(i, 0.0), best_lexical)
        for i in {*dense, *lexical}
    }
    return sorted(fused.items(), key=lambda pair: (-pair[1], str(pair[0])))
