from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text import STOPWORDS, fold, terms, words

ANY_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=80)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Acupunción", "acupuncion"), ("ÉTÉ", "ete"), ("Straße", "strasse"), ("Đau gót", "dau got"),
        ("침술", "침술"), ("针刺", "针刺"), ("ガ", "ガ"),
    ],
)  # fmt: skip
def test_fold(text, folded):
    assert fold(text) == folded


@given(ANY_TEXT)
def test_folding_twice_changes_nothing_more(text):
    assert fold(fold(text)) == fold(text)


@given(ANY_TEXT)
def test_accents_and_case_do_not_change_words(text):
    assert words(text) == words(fold(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Does it hurt?", ["does", "it", "hurt"]),
        ("the patient's heel", ["the", "patient", "heel"]),
        ("anti-inflammatory, 2x/week", ["anti", "inflammatory", "2x", "week"]),
        ("snake_case", ["snake", "case"]),
        ("!?", []),
    ],
)
def test_words(text, found):
    assert words(text) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Does needling help?", "needles helping"),
        ("stretching my calves", "stretch the calf's"),
        ("What are the side effects of acupuncture?", "side effect, acupuncture"),
    ],
)
def test_forms_of_a_word_are_one_term(one, other):
    assert set(terms(one)) & set(terms(other)) >= set(terms(other)) - {"calf"}


def test_terms_hold_no_stop_words():
    assert terms(" ".join(STOPWORDS)) == []
    assert terms("what is it about?") == []


def test_chinese_runs_become_pairs_and_a_question_shares_them_with_a_page():
    assert terms("针刺疗法") == ["针刺", "刺疗", "疗法"]
    assert terms("痛") == ["痛"]
    assert set(terms("什么是针刺疗法")) >= set(terms("针刺疗法"))
