"""Fixed texts: the numbers of the country, whom to ask, and that this is an AI."""

from __future__ import annotations

import re
import string

import pytest

from bot import notices
from bot.settings import Clinic, EmergencyNumbers, Settings
from bot.triage import rulebook
from bot.types import Triage

LANGUAGES = ("en", "es", "ko", "zh", "vi", "fr")
ACTIONS = ("call", "today", "crisis", "poison")
US = EmergencyNumbers(ambulance="911", crisis="988", poison="1-800-222-1222")
EU = EmergencyNumbers(ambulance="112")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("action", "numbers"),
    [
        ("call", ["911"]),
        ("today", ["911"]),
        ("crisis", ["988", "911"]),
        ("poison", ["1-800-222-1222", "911"]),
    ],
)
def test_an_emergency_card_says_and_dials_the_numbers(action, numbers, lang):
    card = notices.emergency(action, "Stay calm.", lang, US)
    assert card.kind == "emergency"
    assert all(number in card.title for number in numbers)
    assert [a.href for a in card.actions] == ["tel:" + n.replace("-", "") for n in numbers]
    assert all(number in a.label for number, a in zip(numbers, card.actions, strict=True))
    assert card.text == ("Stay calm." if lang == "en" else "")


def test_every_language_has_a_text_of_its_own():
    for action in ACTIONS:
        titles = {notices.emergency(action, "", lang, US).title for lang in LANGUAGES}
        assert len(titles) == len(LANGUAGES), action
    assert len({notices.refusal(lang).text for lang in LANGUAGES}) == len(LANGUAGES)
    assert len({notices.contact(Clinic(), lang).title for lang in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("action", ["crisis", "poison"])
def test_without_such_a_line_the_ambulance_is_called(action, lang):
    card = notices.emergency(action, "", lang, EU)
    assert card == notices.emergency("call", "", lang, EU)
    assert [a.href for a in card.actions] == ["tel:112"]
    assert "911" not in card.title and "988" not in card.title


@pytest.mark.parametrize("numbers", [US, EU], ids=["US", "EU"])
@pytest.mark.parametrize("lang", [*LANGUAGES, "de"])
@pytest.mark.parametrize("action", ACTIONS)
def test_no_place_is_left_unfilled(action, lang, numbers):
    card = notices.emergency(action, "", lang, numbers)
    said = " ".join([card.title, *(a.label for a in card.actions)])
    assert not [name for _, name, _, _ in string.Formatter().parse(said) if name is not None]
    assert re.search(re.escape(numbers.ambulance), said)


@pytest.mark.parametrize(
    "rule", [r for r in rulebook().rules if r.kind == "emergency"], ids=lambda r: r.name
)
def test_every_emergency_rule_makes_a_card_with_its_advice(rule):
    card = notices.fixed(Triage("emergency", rule.name, "", "en"), rule, Settings())
    assert card.text == rule.advice
    assert card.actions[-1].href == "tel:911"


@pytest.mark.parametrize(
    ("lang", "says"),
    [
        ("en", notices.REFUSAL),
        ("es", "No puedo"),
        ("ko", "찾을 수 없습니다"),
        ("zh", "无法回答"),
        ("vi", "không thể"),
        ("fr", "Je ne peux pas"),
        ("de", notices.REFUSAL),
    ],
)
def test_a_refusal_is_in_the_visitors_language(lang, says):
    assert says in notices.refusal(lang).text


@pytest.mark.parametrize(
    ("clinic", "hrefs"),
    [
        (Clinic(phone="+1 (555) 010-0100"), ["tel:+15550100100"]),
        (Clinic(email="desk@example.org"), ["mailto:desk@example.org"]),
        (Clinic(booking="https://example.org/book"), ["https://example.org/book"]),
        (Clinic(website="https://example.org"), ["https://example.org"]),
        (
            Clinic(phone="1", email="a@b", booking="https://b", website="https://w"),
            ["tel:1", "mailto:a@b", "https://b"],
        ),
        (Clinic(), []),
    ],
    ids=["phone", "email", "booking", "website", "all", "none"],
)
def test_whom_to_reach_is_what_the_clinic_gave(clinic, hrefs):
    assert [a.href for a in notices.contact(clinic).actions] == hrefs


def test_a_clinic_that_gave_nothing_is_reached_at_its_desk():
    assert notices.contact(Clinic(name="Riverside")).text == "Ask at the front desk of Riverside."
    assert notices.contact(Clinic(phone="1", hours="9 to 5")).text == "9 to 5"


@pytest.mark.parametrize(
    "kind", ["answer", "personal", "clinic", "clarify", "refusal", "emergency", "error"]
)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_kind_of_answer_says_that_this_is_an_ai(kind, lang):
    last = notices.for_kind(kind, Settings(), lang)
    assert last[-1].kind == "ai" and last[-1].text == notices.AI_LABEL
    assert ("contact" in {n.kind for n in last}) == (kind != "emergency")
    assert ("disclaimer" in {n.kind for n in last}) == (kind in {"answer", "personal"})


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("asks who it is talking to", notices.IDENTITY),
        ("small talk", notices.GREETING),
        ("thanks", notices.THANKS),
        ("abuse", notices.ABUSE),
        ("instructions", notices.INSTRUCTIONS),
        ("out of scope", notices.OUT_OF_SCOPE),
    ],
)
def test_each_rule_with_a_fixed_text_says_it(rule, text):
    found = rulebook().find(rule)
    assert notices.fixed(Triage(found.kind, rule, ""), found, Settings()).text == text


@pytest.mark.parametrize(
    ("rule", "text"),
    [("no words", notices.EMPTY), ("too long", notices.TOO_LONG), ("unclear", notices.UNCLEAR)],
)
def test_each_reason_to_ask_back_says_why(rule, text):
    assert notices.fixed(Triage("clarify", rule, ""), None, Settings()).text == text


def test_what_the_clinic_says_of_itself_is_what_the_settings_say():
    rule = rulebook().find("this clinic")
    triaged = Triage("clinic", "this clinic", "")
    full = Settings(clinic=Clinic(name="Riverside", hours="9 to 5", prices="$80", parking="behind"))
    said = notices.fixed(triaged, rule, full).text
    assert said == "Hours: 9 to 5. Prices: $80. Parking: behind."
    assert "I don't know this clinic's hours" in notices.fixed(triaged, rule, Settings()).text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("when do you open on saturday", "Hours: 9 to 5."),
        ("do you have parking and what does it cost", "Prices: $80. Parking: behind."),
        ("do you take aetna", "I don't know this clinic's insurance: the staff can tell you."),
        ("¿a qué hora abren?", "Hours: 9 to 5."),
        ("주차 되나요", "Parking: behind."),
    ],
)
def test_a_question_about_the_clinic_gets_the_field_it_asks_for(asked, said):
    rule = rulebook().find("this clinic")
    full = Settings(clinic=Clinic(name="Riverside", hours="9 to 5", prices="$80", parking="behind"))
    assert notices.fixed(Triage("clinic", "this clinic", ""), rule, full, asked).text == said


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("action", ["call", "today", "crisis", "poison"])
def test_a_red_flag_line_names_a_number_and_has_a_headline_only_where_it_is_near(action, lang):
    numbers = Settings().emergency
    line = notices.red_flag(action, "Advice.", lang, numbers)
    (dial,) = line.actions
    number = numbers.model_dump().get(action) or numbers.ambulance
    assert number in line.text and dial.href == notices.tel(number)
    assert line.title == "" and ("Advice." in line.text) == (lang == "en")
    assert notices.red_flag(action, "", lang, numbers, near=True).title


def test_only_another_language_is_told_that_the_pages_are_in_english():
    assert notices.language("en") is None
    assert {notices.language(lang).kind for lang in LANGUAGES[1:]} == {"language"}


@pytest.mark.parametrize(
    ("number", "href"),
    [("1-800-222-1222", "tel:18002221222"), ("+82 2 555", "tel:+822555"), ("911", "tel:911")],
)
def test_a_number_is_dialled_by_its_digits(number, href):
    assert notices.tel(number) == href


def test_a_visitor_is_told_where_words_go():
    assert "sent" not in notices.privacy(Settings())
    assert "language model" in notices.privacy(Settings(model={"name": "openai:m"}))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_who_asks_for_a_verdict_is_told_why_there_is_none_in_their_language(lang):
    told = {notices.personal(lang, answered=answered).text for answered in (True, False)}
    assert len(told) == (2 if lang == "en" else 1)
    assert (notices.PERSONAL in told) == (lang == "en")
