"""What is rendered: everything a visitor typed or a page holds is escaped, every number opens."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from bot import notices
from bot.citations import Quote, cite
from bot.pipeline import failed
from bot.recorder import REASONS
from bot.settings import Clinic, Settings
from bot.types import Answer, Trace, Triage
from bot.web import view
from index.terms import Terms
from index.types import Chunk, Document, Reference, Source

NASTY = """<script>alert("x")</script> & 'quotes' "more" </textarea><img src=x onerror=alert(1)>"""
TEXT = f"""Cups leave marks. The {NASTY} fades.

## Is it safe?

Burns are rare. Ask us first.

- Tell us about blood thinners.
- Tell us about burns.

## How long is a visit?

A visit takes an hour."""
SOURCE = Source("lane", f"Lane {NASTY}", 2020, f"Marks {NASTY}", doi="10.1/x")
PAGE = Document(
    "pages/a b&c.md",
    f"Cupping {NASTY}",
    TEXT,
    kind="treatment",
    evidence="mixed",
    reviewed="2026-03-01",
    sources=(SOURCE,),
    references=(Reference(17, "lane"),),
)
ELSEWHERE = Document("https://example.org/a", "Elsewhere", TEXT, url="https://example.org/a")
HOME = Settings(clinic=Clinic(name=NASTY[:79], phone="555 0100"))


def chunk(document, first, last, *headings):
    at = document.text.index(first)
    end = document.text.index(last) + len(last)
    return Chunk(first, document, headings, document.text[at:end], at, end)


def quote(passage, words, role="answer"):
    at = passage.document.text.index(words)
    return Quote(passage, at, at + len(words), role)


def answered(*quotes, kind="answer"):
    sentences, citations = cite(quotes)
    trace = Trace(Triage("answer", "none", ""))
    return Answer(kind, sentences, citations, (), (), trace)


INTRO = chunk(PAGE, "Cups leave", "fades.")
SAFE = chunk(PAGE, "Burns are", "us first.", "Is it safe?")
OTHER = chunk(ELSEWHERE, "A visit", "an hour.", "How long is a visit?")
ANSWER = answered(
    quote(INTRO, "Cups leave marks."),
    quote(INTRO, f"The {NASTY} fades."),
    quote(SAFE, "Burns are rare."),
    quote(OTHER, "A visit takes an hour.", "disagreement"),
)


TERMS = Terms({"burns": f"Sore skin {NASTY}", "marks": "Round red skin."})


def card(answer, number=1):
    return html.fromstring(view.answer(answer, number, TERMS))


def words(element):
    return " ".join(element.text_content().split())


def tags(document):
    return {element.tag for element in document.iter() if isinstance(element.tag, str)}


@pytest.mark.parametrize(
    "rendered",
    [
        view.header(HOME),
        view.shell(HOME, [NASTY]),
        view.answer(ANSWER, 1, TERMS),
        view.answer(failed(HOME), 1, TERMS),
        view.page(PAGE, 0, 17),
    ],
    ids=["header", "shell", "answer", "error", "page"],
)
def test_no_markup_of_a_visitor_a_page_or_a_clinic_gets_through(rendered):
    rendered = rendered.replace('<script src="/citewell/theme.js"></script>', "")
    assert not {"script", "img", "iframe", "style"} & tags(html.fromstring(rendered))
    assert "<script" not in rendered and "<img" not in rendered
    for element in html.fromstring(rendered).iter():
        assert not [name for name in getattr(element, "attrib", {}) if name.startswith("on")]


@settings(max_examples=100)
@given(st.text(min_size=1, max_size=80, alphabet="<>\"'&= /onclick%{}`\u00e9"))
def test_any_suggestion_is_one_attribute_and_one_text(question):
    page = html.fromstring(view.shell(HOME, [question]))
    (chip,) = page.find_class("cw-chip")
    assert chip.get("data-ask") == question
    assert set(chip.attrib) == {"type", "class", "data-ask"}


@settings(max_examples=100)
@given(st.text(min_size=1, max_size=60, alphabet="<>\"'&= /ab%{}`\u00e9\ud55c"))
def test_any_page_text_stays_text(words_):
    sentence = f"A{words_}Z"
    document = Document(f"p{words_}", f"T{words_}", sentence, kind="condition")
    whole = Chunk("c", document, (f"H{words_}",), sentence, 0, len(sentence))
    answer = answered(Quote(whole, 0, len(sentence)))
    page = card(answer)
    allowed = {
        "type",
        "class",
        "data-source",
        "aria-label",
        "id",
        "href",
        "target",
        "rel",
        "role",
        "hidden",
        "tabindex",
        "aria-expanded",
        "aria-controls",
        "data-kind",
        "data-pages",
        "data-rate",
        "data-reason",
        "data-copy",
        "data-print",
        "data-mail",
    }
    assert {name for e in page.iter() for name in e.attrib} <= allowed
    (mark,) = page.xpath("//mark")
    assert mark.text_content() == sentence
    read = html.fromstring(view.page(document, 0, len(sentence)))
    assert read.xpath("//mark")[0].text_content() == sentence


class TestAnswers:
    def test_every_number_has_its_source_and_every_source_its_number(self):
        page = card(ANSWER, 3)
        opened = [b.get("data-source") for b in page.find_class("cw-n")]
        assert set(opened) == {t.get("id") for t in page.xpath("//template")}
        assert sorted(set(opened)) == ["s3-1", "s3-2", "s3-3", "s3-4"]
        for button in page.find_class("cw-n"):
            assert button.get("data-source").endswith(f"-{button.text_content()}")
            assert button.get("aria-label").startswith(f"Source {button.text_content()}: ")

    def test_every_sentence_is_followed_by_its_number(self):
        article = card(ANSWER)
        for means in article.xpath(".//span[@class='cw-means']"):
            means.drop_tree()
        shown = words(article)
        for sentence in ANSWER.sentences:
            assert f"{' '.join(sentence.text.split())}{sentence.citations[0]}" in shown

    def test_sources_are_grouped_by_section(self):
        groups = view.source_groups(ANSWER)
        assert [(g.heading, [c.number for c in g.citations]) for g in groups] == [
            ("", [1, 2]),
            ("Is it safe?", [3]),
            ("How long is a visit?", [4]),
        ]
        lines = card(ANSWER).xpath("//ul[@class='cw-sources']/li")
        assert [[b.text for b in li.find_class("cw-n")] for li in lines] == [
            ["1", "2"],
            ["3"],
            ["4"],
        ]
        assert "reviewed Mar 2026" in words(lines[0])

    def test_a_source_shows_its_section_with_the_quote_marked(self):
        page = card(ANSWER)
        safe = page.xpath("//template[@id='s1-3']")[0]
        assert safe.xpath(".//mark")[0].text_content() == "Burns are rare."
        passage = words(safe.find_class("cw-passage")[0])
        assert passage.startswith("Burns are rare. Ask us first.")
        assert "Cups leave" not in passage and "takes an hour" not in passage
        assert [words(li) for li in safe.xpath(".//blockquote/ul/li")] == [
            "Tell us about blood thinners.",
            "Tell us about burns.",
        ]
        assert "Evidence is mixed" in words(safe)

    def test_who_says_so_is_named_with_a_link(self):
        first, second = (card(ANSWER).xpath(f"//template[@id='s1-{n}']")[0] for n in (1, 2))
        (link,) = first.xpath(".//ul[@class='cw-refs']//a")
        assert link.get("href") == "https://doi.org/10.1/x"
        assert link.get("rel") == "noopener noreferrer"
        assert not second.find_class("cw-refs")

    def test_the_whole_page_is_one_press_away(self):
        ours, theirs = ANSWER.citations[0], ANSWER.citations[3]
        assert view.page_link(ours) == "pages/pages/a%20b%26c.md?start=0&end=17#quote"
        assert view.page_link(theirs) == "https://example.org/a"

    def test_guidelines_that_disagree_stand_apart(self):
        (split,) = card(ANSWER).find_class("cw-split")
        assert words(split).startswith("◐Guidelines disagree. A visit takes an hour.") or words(
            split
        ).startswith("◐ Guidelines disagree. A visit takes an hour.")
        assert not card(answered(quote(SAFE, "Burns are rare."))).find_class("cw-split")


class TestFixedAnswers:
    def exchange(self, assistant, question):
        return card(assistant.answer(question))

    @pytest.mark.parametrize(
        ("question", "hrefs"),
        [
            ("I have chest pain", ["tel:911"]),
            ("I want to die", ["tel:988", "tel:911"]),
            ("my kid swallowed some pills", ["tel:18002221222", "tel:911"]),
        ],
    )
    def test_an_emergency_is_an_alert_with_numbers_to_dial(self, assistant, question, hrefs):
        page = self.exchange(assistant, question)
        (alert,) = page.xpath("//*[@role='alert']")
        assert "cw-emergency" in alert.get("class")
        assert [a.get("href") for a in alert.xpath(".//*[@class='cw-dial']/a")] == hrefs
        assert "911" in words(alert.xpath(".//h2")[0])

    @pytest.mark.parametrize(
        "question",
        ["hello", "does acupuncture help low back pain", "it hurts", "is it safe for me?"],
    )
    def test_nothing_else_is_an_alert(self, assistant, question):
        assert not self.exchange(assistant, question).xpath("//*[@role='alert']")

    def test_every_notice_but_the_label_in_the_bar_is_shown(self, assistant):
        answer = assistant.answer("is acupuncture safe for me?")
        shown = words(card(answer))
        for notice in answer.notices:
            if notice.kind not in {"ai", "contact"}:
                assert notice.text in shown

    def test_a_refusal_says_whom_to_ask(self):
        article = card(failed(HOME))
        assert "cw-error" in article.get("class")
        assert [a.get("href") for a in article.xpath(".//a")] == ["tel:5550100"]


def test_what_is_still_being_written_is_busy_and_cannot_be_rated_yet():
    page = card(replace(ANSWER, partial=True))
    assert page.get("aria-busy") == "true"
    assert not page.find_class("cw-acts")
    assert card(ANSWER).get("aria-busy") is None
    assert card(ANSWER).find_class("cw-acts")


def test_an_answer_can_be_rated_with_a_reason_and_taken_along():
    page = card(ANSWER)
    assert [b.get("data-rate") for b in page.xpath("//button[@data-rate]")] == ["yes", "no"]
    reasons = page.xpath("//button[@data-reason]")
    assert {b.get("data-reason"): words(b) for b in reasons} == REASONS
    assert json.loads(page.get("data-pages")) == sorted({PAGE.id, ELSEWHERE.id})
    quotes = [words(q) for q in page.xpath("//ol[@class='cw-cited']/li/q")]
    assert quotes == [" ".join(c.quote.split()) for c in ANSWER.citations]
    assert not card(failed(HOME)).find_class("cw-acts")


def test_a_screen_reader_hears_the_words_and_the_number_of_sources():
    said = view.spoken(ANSWER)
    assert all(sentence.text in said for sentence in ANSWER.sentences)
    assert said.endswith("Sources: 4.")
    assert view.spoken(failed(HOME)) == notices.ERROR


def test_the_bar_says_that_this_is_an_ai_and_how_to_reach_a_person():
    bar = html.fromstring(view.header(Settings(clinic=Clinic(phone="555 0100"))))
    assert "AI assistant, not a clinician" in words(bar)
    assert [a.get("href") for a in bar.xpath(".//a")] == ["tel:5550100"]
    many = html.fromstring(view.header(Settings(clinic=Clinic(phone="555", email="a@b"))))
    assert [a.get("href") for a in many.xpath(".//details//a")] == ["tel:555", "mailto:a@b"]


def test_the_box_says_what_happens_to_the_words_and_whom_to_call():
    box = words(html.fromstring(view.shell(Settings(clinic=Clinic(country="KR")), [])))
    assert notices.STAYS_HERE in box and notices.SCRUBBED in box
    assert "In an emergency call 119." in box


def test_a_page_is_shown_whole_with_the_quote_marked():
    read = html.fromstring(view.page(PAGE, PAGE.text.index("Burns"), PAGE.text.index("Burns") + 15))
    (mark,) = read.xpath("//mark")
    assert (mark.get("id"), mark.text_content()) == ("quote", "Burns are rare.")
    assert read.xpath("//h1")[0].text_content() == PAGE.title
    assert [words(h) for h in read.xpath("//h2")][:2] == ["Is it safe?", "How long is a visit?"]
    assert not html.fromstring(view.page(PAGE, 0, 0)).xpath("//mark")


@pytest.mark.parametrize(
    ("start", "end"), [(-5, 3), (10, 2), (0, 10**9), (10**9, 10**9 + 1), (-9, -2)]
)
def test_a_mark_outside_the_page_does_no_harm(start, end):
    read = html.fromstring(view.page(PAGE, start, end))
    assert "A visit takes an hour." in words(read)
    assert "Ask us first." in words(read)


@pytest.mark.parametrize(("date", "shown"), [("2026-03-01", "Mar 2026"), ("", "")])
def test_a_month_is_enough(date, shown):
    assert view.month(date) == shown


def test_a_hard_word_is_explained_the_first_time_an_answer_uses_it():
    twice = answered(quote(INTRO, "Cups leave marks."), quote(SAFE, "Burns are rare."))
    page = card(twice)
    (term,) = page.xpath("//dfn[@class='cw-term']")
    assert term.text == "Burns"
    assert words(term[0]) == f"Sore skin {' '.join(NASTY.split())}"
    assert term.get("tabindex") == "0"


def test_the_parts_of_a_question_are_marked():
    quotes = [replace(quote(INTRO, "Cups leave marks."), part="what do cups do"),
              replace(quote(SAFE, "Burns are rare."), part="is it <safe>")]  # fmt: skip
    page = card(answered(*quotes))
    assert [words(part) for part in page.xpath("//h2[@class='cw-part']")] == [
        "what do cups do", "is it <safe>",
    ]  # fmt: skip
    assert len(page.xpath("//p[starts-with(@class, 'cw-lead')]")) == 2
