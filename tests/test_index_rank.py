from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.rank import blend


def scored(passage, sentence, lexical, weight=0.1):
    arrays = (np.array(x, dtype=np.float32) for x in (passage, sentence, lexical))
    return blend(*arrays, lexical_weight=weight)


def test_meaning_is_the_mean_of_passage_and_best_sentence_and_words_add_their_root():
    found = scored([0.4, 0.6], [0.8, 0.6], [0, 25])
    assert found.tolist() == pytest.approx([0.6, 0.6 + 0.1 * 5])
    assert found.dtype == np.float32


def test_without_weight_words_count_for_nothing():
    assert scored([0.5], [0.5], [99], weight=0).tolist() == [0.5]


def test_no_passages_have_no_scores():
    assert scored([], [], []).tolist() == []


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 100), st.floats(0, 100))
def test_more_words_in_common_never_lower_a_score(passage, sentence, words, more):
    one, other = scored([passage] * 2, [sentence] * 2, [words, words + more])
    assert other >= one
