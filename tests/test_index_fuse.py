from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.fuse import fuse

SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 1), max_size=8)
BM25 = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 40), max_size=8)
WEIGHT = st.floats(0, 1)


@pytest.mark.parametrize(
    ("dense", "lexical", "weight", "expected"),
    [
        ({"a": 0.8, "b": 0.4}, {}, 0.5, [("a", 0.5), ("b", 0.25)]),
        ({}, {"a": 2.0, "b": 8.0}, 0.5, [("b", 0.5), ("a", 0.125)]),
        ({"a": 0.8, "b": 0.4}, {"b": 3.0}, 0.5, [("b", 0.75), ("a", 0.5)]),
        ({"a": 0.8, "b": 0.4}, {"b": 3.0}, 1.0, [("a", 1.0), ("b", 0.5)]),
        ({"b": 0.4, "a": 0.4}, {}, 1.0, [("a", 1.0), ("b", 1.0)]),
        ({"a": -0.2}, {}, 0.8, [("a", 0.0)]),
        ({}, {}, 0.8, []),
    ],
)
def test_fuse(dense, lexical, weight, expected):
    assert fuse(dense, lexical, dense_weight=weight) == expected


@given(SCORES, BM25, WEIGHT)
def test_scores_lie_between_0_and_1_best_first_and_nothing_is_lost(dense, lexical, weight):
    fused = fuse(dense, lexical, dense_weight=weight)
    scores = [score for _, score in fused]
    assert all(0 <= score <= 1 + 1e-9 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert {i for i, _ in fused} == {*dense, *lexical}


@given(SCORES, BM25, WEIGHT)
def test_the_order_in_which_passages_came_does_not_matter(dense, lexical, weight):
    def backwards(scores):
        return dict(reversed(scores.items()))

    assert fuse(dense, lexical, dense_weight=weight) == fuse(
        backwards(dense), backwards(lexical), dense_weight=weight
    )


@given(SCORES, BM25, WEIGHT)
def test_what_is_better_on_both_sides_is_never_worse_in_the_end(dense, lexical, weight):
    score = dict(fuse(dense, lexical, dense_weight=weight))
    for one in score:
        for other in score:
            if dense.get(one, 0) >= dense.get(other, 0) and (
                lexical.get(one, 0) >= lexical.get(other, 0)
            ):
                assert score[one] >= score[other]


@given(SCORES, BM25)
def test_at_either_end_of_the_weight_one_side_decides(dense, lexical):
    best = max(dense.values(), default=0)
    for i, score in fuse(dense, lexical, dense_weight=1):
        assert score == (max(dense.get(i, 0), 0) / best if best > 0 else 0)
