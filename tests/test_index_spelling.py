from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.spelling import Speller

SPELLER = Speller(
    ["Sciatica and plantar fasciitis respond to acupuncture. Acupotomy uses a small blade.",
     "The heel, the knee and the shoulder; cupping; moxibustion; needles"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("does it help sciatca?", "does it help sciatica?"),
        ("accupuncture", "acupuncture"),
        ("acupunture for plantar fascitis", "acupuncture for plantar fasciitis"),
        ("Is ACUPOTMY safe?", "Is acupotomy safe?"),
        ("moxabustion", "moxibustion"),
        ("shouldr", "shoulder"),
    ],
)
def test_misspelt_words_are_put_right(asked, meant):
    assert SPELLER.correct(asked) == meant


@pytest.mark.parametrize(
    "asked",
    [
        "Does acupuncture hurt?", "my puppy and my needle", "kneel", "the patient's sciatica",
        "what about reiki", "cancer", "무릎이 아파요", "针刺疼吗", "¿duele la acupunción?", "C5-C6",
        "", "xqzzvw", "heal",
    ],
)  # fmt: skip
def test_right_words_other_words_and_other_languages_stay(asked):
    assert SPELLER.correct(asked) == asked


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_correcting_twice_changes_nothing_more(asked):
    once = SPELLER.correct(asked)
    assert SPELLER.correct(once) == once


@given(st.integers(0, 9), st.sampled_from("acupuncture moxibustion fasciitis acupotomy".split()))
def test_a_long_word_with_one_letter_missing_is_found(at, word):
    at %= len(word)
    assert SPELLER.correct(word[:at] + word[at + 1 :]) == word


def test_a_corpus_without_words_corrects_nothing():
    assert Speller([]).correct("sciatca") == "sciatca"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("cuases", "causes"), ("caases", "cases"), ("casses", "cases"), ("caues", "causes")],
)
def test_of_words_as_near_the_slip_that_can_go_one_way_is_likelier(typed, meant):
    speller = Speller(["cases and causes", "cases"])
    assert speller.correct(typed) == meant


def test_short_words_are_put_right_and_contractions_left():
    speller = Speller(["knee pain", "font", "neck", "leg"])
    assert speller.correct("my kne and nekc and leeg") == "my knee and neck and leg"
    assert speller.correct("dont they need it, pls, shud i") == "dont they need it, pls, shud i"
    assert speller.correct("lbp") == "lbp", "three letters are near to anything"
