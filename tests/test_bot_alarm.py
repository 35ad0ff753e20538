"""The learnt ear: the same words always sound alike, and plain cases are told apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alarm import BITS, alarm, runs, vector
from bot.triage import LOUD, NEAR, QUIET, normalise, rulebook


def heard(text):
    return alarm().hear(normalise(text))


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("it feels like somebody is standing on my chest and my arm has gone dead", "heart"),
        ("mum's mouth has slid to one side and her words come out as soup", "stroke"),
        ("ever since the needles in my back every breath stabs", "lung"),
        (
            "I've gone numb where I sit and haven't been able to pee since last night",
            "cauda equina",
        ),
        ("my little one got hold of grandpa's tablets", "poisoning"),
        ("ya no le veo sentido a nada, solo quiero dormir y no despertar", "suicide"),
        ("남편이 갑자기 말을 못 하고 한쪽 얼굴이 처졌어요", "stroke"),
    ],
)
def test_what_no_rule_need_list_is_heard_with_its_topic(text, topic):
    assert heard(text).score >= NEAR
    assert heard(text).topic == topic


@pytest.mark.parametrize(
    "text",
    ["does cupping leave marks", "how many sessions for a stiff neck", "¿duele la acupuntura?",
     "침 맞으면 아픈가요", "针灸疼吗", "is it ok to eat before a visit", "do you do gift cards"],
)  # fmt: skip
def test_an_ordinary_question_is_quiet(text):
    assert heard(text).score < NEAR


def test_an_alarm_in_the_middle_of_a_long_letter_is_heard():
    letter = "I have had a stiff neck for years and I love my garden. " * 12
    assert heard(letter).score < LOUD
    assert heard(letter + "my chest is being crushed and I can't breathe. " + letter).score >= LOUD


def test_every_topic_is_a_rule_that_says_what_to_do():
    assert {rule.name for rule in rulebook().rules if rule.kind == "emergency"} == set(
        alarm().topics
    )


def test_the_thresholds_are_in_order():
    assert NEAR < QUIET < LOUD


@given(st.text(max_size=400))
def test_any_text_is_heard_the_same_twice(text):
    first, second = heard(text), heard(text)
    assert first == second
    assert math.isfinite(first.score)


@given(st.text(max_size=120))
def test_a_text_is_a_vector_of_known_buckets_of_bounded_length(text):
    buckets, values = vector(normalise(text), alarm().rarity)
    assert len(buckets) == len(values)
    assert all(0 <= b < 1 << BITS for b in buckets)
    assert float(np.square(values).sum()) <= 1 + 1.5**2 + 1e-3


def test_korean_is_read_below_the_syllable():
    letters, _ = runs("숨이")
    other, _ = runs("숨을")
    assert len(np.intersect1d(letters, other)) > len(letters) / 3
