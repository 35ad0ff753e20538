"""A question that points back takes over what it leaves out; any other stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.followup import Topics, parts, standalone, worded
from bot.types import Turn
from index.types import Document

TOPICS = Topics.of(
    [
        Document("a", "Acupuncture", "x", kind="treatment", aliases=("manual acupuncture",)),
        Document("b", "Acupotomy", "x", kind="treatment", aliases=("knife needle",)),
        Document("c", "Cupping", "x", kind="treatment", aliases=("dry cupping",)),
        Document("d", "Low back pain", "x", kind="condition", aliases=("back pain", "bad back")),
        Document("e", "Sciatica and slipped disc", "x", kind="condition", aliases=("sciatica",)),
        Document("f", "Fibromyalgia", "x", kind="condition"),
        Document("g", "Your first visit", "x", kind="visit", aliases=("first visit",)),
    ]
)


def turns(*questions, kind="answer"):
    return [Turn(question, question, kind) for question in questions]


BACK = turns("does acupuncture help low back pain?")
SCIATICA = turns("does acupuncture help sciatica?")

POINTS_BACK = [
    (BACK, "does it hurt?", "does acupuncture hurt?"),
    (BACK, "is it safe", "is acupuncture safe?"),
    (turns("would needles help his back pain"), "does that hurt", "does acupuncture hurt?"),
    (BACK, "and for my neck?", "does acupuncture help neck pain?"),
    (BACK, "what about cupping", "does cupping help low back pain?"),
    (BACK, "and acupotomy?", "does acupotomy help low back pain?"),
    (BACK, "What about fibromyalgia?", "does acupuncture help fibromyalgia?"),
    (SCIATICA, "how many sessions", "how many sessions with acupuncture for sciatica?"),
    (SCIATICA, "how many sessions?", "how many sessions with acupuncture for sciatica?"),
    (SCIATICA, "What are the risks?", "What are the risks with acupuncture for sciatica?"),
    (turns("what is acupotomy"), "is it safe?", "is acupotomy safe?"),
    (turns("what is acupotomy"), "side effects?", "side effects with acupotomy?"),
    (turns("what is the knife needle"), "does it hurt?", "does knife needle hurt?"),
    (SCIATICA, "did the gain last?", "did the gain last with acupuncture for sciatica?"),
    (
        SCIATICA,
        "is it better than tablets for it?",
        "is acupuncture better than tablets for sciatica?",
    ),
    (turns("what happens at a first visit"), "how long?", "how long about first visit?"),
    (turns("is cupping safe"), "and is it ok at a first visit?", "is cupping ok at a first visit?"),
    (
        turns("is acupotomy safe"),
        "how does it differ from acupuncture?",
        "how does acupotomy differ from acupuncture?",
    ),
    (turns("is cupping safe"), "can you hurt yourself that way", "can you hurt yourself that way"),
    (turns("is that rare"), "how quickly is it seen?", "how quickly is it seen (is that rare)?"),
]

STANDS_ALONE = [
    (BACK, "does cupping work for knee arthritis?"),
    (BACK, "what is acupotomy?"),
    (BACK, "what is a first visit like?"),
    (BACK, "do you keep my questions"),
    (SCIATICA, "how does acupuncture feel?"),
    ([], "does it hurt?"),
    ([], "and for my neck?"),
    ([], "how many sessions"),
    (turns("hello", kind="clinic"), "does it hurt?"),
]


@pytest.mark.parametrize(("history", "question", "expected"), POINTS_BACK)
def test_a_question_that_points_back_is_completed(history, question, expected):
    assert standalone(question, history, TOPICS).rstrip("?") == expected.rstrip("?")


@pytest.mark.parametrize(("history", "question"), STANDS_ALONE)
def test_a_question_that_stands_alone_is_left_as_it_is(history, question):
    assert standalone(question, history, TOPICS) == question


def test_the_last_topic_counts():
    history = turns("does acupuncture help low back pain?", "is cupping safe?")
    assert standalone("does it hurt?", history, TOPICS) == "does cupping hurt?"


def test_a_misspelt_question_ends_the_subject_before_it():
    history = [*BACK, Turn("is cuping safe", "is cupping safe", "answer")]
    assert standalone("how many sessions", history, TOPICS) == "how many sessions with cupping?"


def test_a_pronoun_put_in_keeps_the_subject_before_it():
    history = [*SCIATICA, Turn("is it safe", "is acupuncture safe?", "answer")]
    read = standalone("how many sessions", history, TOPICS)
    assert "acupuncture" in read and "sciatica" in read


def test_a_turn_without_a_topic_is_passed_over():
    history = [*BACK, *turns("thanks", kind="clinic"), *turns("hm", kind="clarify")]
    assert standalone("does it hurt?", history, TOPICS) == "does acupuncture hurt?"


@pytest.mark.parametrize("kind", ["emergency", "clinic", "clarify", "error"])
def test_topics_named_in_an_emergency_or_in_chat_are_not_taken_over(kind):
    history = [*BACK, *turns("I can't breathe after cupping", kind=kind)]
    assert standalone("does it hurt?", history, TOPICS) == "does acupuncture hurt?"
    alone = turns("I can't breathe after cupping", kind=kind)
    assert standalone("does it hurt?", alone, TOPICS) == "does it hurt?"


@pytest.mark.parametrize("kind", ["answer", "personal", "refusal"])
def test_topics_of_every_question_about_treatment_are_taken_over(kind):
    history = turns("cupping for my cat", kind=kind)
    assert standalone("does it hurt?", history, TOPICS) == "does cupping hurt?"


def test_a_chain_of_follow_ups_keeps_the_subject():
    history = [Turn("does acupuncture help sciatica?", "does acupuncture help sciatica?", "answer")]
    for asked, expected in [
        ("and cupping?", "does cupping help sciatica?"),
        ("does it hurt?", "does cupping hurt?"),
        ("is it safe?", "is cupping safe?"),
    ]:
        read = standalone(asked, history, TOPICS)
        assert read.rstrip("?") == expected.rstrip("?")
        history.append(Turn(asked, read, "answer"))


@pytest.mark.parametrize(
    ("question", "named"),
    [
        (
            "does Manual Acupuncture help my BAD BACK",
            {"treatment": "Manual Acupuncture", "condition": "BAD BACK"},
        ),
        ("my knees", {"condition": "knees pain"}),
        ("knee replacement", {"condition": "knee"}),
        ("what is your address", {}),
        ("a first visit", {"other": "first visit"}),
    ],
)
def test_topics_are_named_as_the_visitor_wrote_them(question, named):
    assert TOPICS.named(question) == named


@given(st.text(max_size=120))
def test_no_history_changes_nothing(question):
    assert standalone(question, [], TOPICS) == question


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
def test_any_conversation_is_read(question, earlier):
    assert isinstance(standalone(question, turns(*earlier, "is cupping safe?"), TOPICS), str)


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("does cupping work", "does cupping help"),
        (
            "So does acupuncture really work for knees?",
            "So does acupuncture really help for knees?",
        ),
        ("how does cupping work", "how does cupping work"),
        ("can I work after cupping", "can I work after cupping"),
        ("is cupping safe", "is cupping safe"),
        ("Is acupotomy painful?", "does acupotomy hurt?"),
        ("are the needles very painful", "does the needles hurt"),
        ("how painful is moxibustion?", "does moxibustion hurt?"),
        ("are the needles in dry needling painful", "does the needles in dry needling hurt"),
        ("will it be more painful than cupping", "does it hurt more than cupping"),
        ("is acupuncture good for painful periods", "is acupuncture good for painful periods"),
        ("my knee is painful, what helps", "my knee is painful, what helps"),
    ],
)
def test_words_that_say_two_things_are_read_as_the_pages_say_them(asked, read):
    assert worded(asked) == read


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("how much is it and does it hurt?", ("how much is it", "does it hurt?")),
        (
            "I take Eliquis. Is cupping safe, and how long do marks last?",
            ("I take Eliquis. Is cupping safe", "how long do marks last?"),
        ),
        ("Is it safe? Does it help my back?", ("Is it safe", "Does it help my back?")),
        ("does acupuncture help backs and necks", None),
        ("is it safe and why", None),
        ("should I cancel surgery and get acupotomy instead?", None),
        ("is a b c? is a b c? is a b c? is a b c?", None),
        ("", None),
    ],
)
def test_a_question_in_parts_is_taken_apart(question, asked):
    assert parts(question) == (asked or (question,))


@given(st.text(max_size=200))
def test_no_part_is_empty(question):
    assert parts(question) == (question,) or all(part.strip() for part in parts(question))
