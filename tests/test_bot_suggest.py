"""Questions to go on with: only such as the pages answer."""

from __future__ import annotations

import logging

import pytest

from bot.pipeline import Assistant
from bot.settings import Clinic, Settings
from bot.suggest import Suggestions
from index.markup import blocks


@pytest.fixture
def suggestions(assistant):
    return Suggestions(assistant)


def test_the_questions_that_ship_are_all_answered(suggestions):
    assert tuple(suggestions.first()) == Settings().clinic.questions


def test_a_question_no_page_answers_is_not_offered_and_staff_are_told(assistant, caplog):
    asked = ("What is cupping?", "Who won the world cup in 1998?")
    settings = assistant.settings.model_copy(update={"clinic": Clinic(questions=asked)})
    with caplog.at_level(logging.WARNING):
        offered = Suggestions(Assistant(settings, assistant.retriever)).first()
    assert offered == ["What is cupping?"]
    assert "world cup" in caplog.text


def test_what_comes_next_is_on_the_page_just_quoted_and_not_yet_shown(assistant, suggestions):
    answer = assistant.answer("what is cupping?")
    page = answer.citations[0].chunk.document
    headings = [page.text[a + level + 1 : b] for a, b, level in blocks(page.text) if level]
    shown = {h for c in answer.citations for h in c.chunk.headings}
    offered = suggestions.after(answer, ["what is cupping?"])
    assert 1 <= len(offered) <= 3
    assert set(offered) <= set(headings) - shown
    again = suggestions.after(answer, offered)
    assert not set(again) & set(offered)


@pytest.mark.parametrize("question", ["I have chest pain", "hello", "who won the world cup?"])
def test_nothing_is_offered_after_an_answer_that_quotes_nothing(assistant, suggestions, question):
    assert suggestions.after(assistant.answer(question), [question]) == []


@pytest.mark.model
def test_whatever_is_offered_is_answered_from_that_page(real_assistant):
    suggestions = Suggestions(real_assistant)
    for question in ("what is cupping?", "does acupuncture help migraine?", "is acupotomy safe?"):
        answer = real_assistant.answer(question)
        page = answer.citations[0].chunk.document
        for offered in suggestions.after(answer, [question]):
            follow_up = real_assistant.answer(offered)
            assert follow_up.kind in ("answer", "personal"), offered
            assert page.id in {c.chunk.document.id for c in follow_up.citations}, offered
