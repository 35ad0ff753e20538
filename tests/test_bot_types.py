"""The records cannot hold what must never be shown: a sentence without its quote."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bot.types import Action, Answer, Citation, Draft, Dropped, Notice, Sentence, Trace, Triage
from index.types import Chunk, Document, Hit, Reference, Source

TEXT = "# Cups\n\nCupping leaves round marks. The marks fade within ten days."
LANE = Source("lane", "Lane A", 2020, "Marks of cupping", doi="10.1000/cups.1")
PAGE = Document(
    "pages/cups.md",
    "Cupping",
    TEXT,
    path="pages/cups.md",
    kind="treatment",
    sources=(LANE,),
    references=(Reference(35, "lane"),),
)
PASSAGE = Chunk("c1", PAGE, ("Cups",), TEXT[8:], 8, len(TEXT))
FIRST = Citation(1, PASSAGE, 8, 35)
PLAIN = Triage("answer", "none", "an ordinary question")


SAID = Sentence(FIRST.quote, (1,))


def answer(sentences=(SAID,), citations=(FIRST,)):
    return Answer("answer", sentences, citations, (), (), Trace(PLAIN))


def test_a_citation_computes_its_quote_from_the_page():
    assert FIRST.quote == "Cupping leaves round marks."
    assert FIRST.sources == (LANE,)
    assert Citation(2, PASSAGE, 36, len(TEXT)).sources == ()


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 8), (7, 20), (8, 8), (20, 12), (36, len(TEXT) + 1), (-5, 20), (len(TEXT), len(TEXT) + 9)],
)
def test_a_quote_outside_its_passage_is_refused(start, end):
    with pytest.raises(
        ValueError, match=rf"quote at {start}\.\.{end} is not inside .* 8\.\.{len(TEXT)}"
    ):
        Citation(1, PASSAGE, start, end)


def test_a_sentence_that_rests_on_nothing_is_refused():
    with pytest.raises(ValueError, match="without a citation: 'Cups cure all.'"):
        Sentence("Cups cure all.", ())


@pytest.mark.parametrize("numbers", [(2,), (1, 2), (0,)])
def test_an_answer_with_a_number_that_names_no_citation_is_refused(numbers):
    with pytest.raises(ValueError, match="are not in"):
        answer((Sentence("Cupping leaves round marks.", numbers),))
    with pytest.raises(ValueError, match="are not in"):
        answer(citations=())


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (FIRST, "start"),
        (Sentence("x", (1,)), "text"),
        (answer(), "kind"),
        (PLAIN, "kind"),
        (Notice("ai", "x"), "text"),
        (Action("x", "y"), "href"),
        (Trace(PLAIN), "lookup"),
    ],
)
def test_records_are_frozen(record, field):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, "other")


def test_the_text_of_an_answer_is_its_sentences_without_numbers():
    second = Citation(2, PASSAGE, 36, len(TEXT))
    both = answer((Sentence(FIRST.quote, (1,)), Sentence(second.quote, (2,))), (FIRST, second))
    assert both.text == "Cupping leaves round marks. The marks fade within ten days."
    assert answer((), ()).text == ""


def test_the_record_in_plain_values_holds_everything_and_is_json():
    hit = Hit(PASSAGE, 1, 0.912345, 0.5, None)
    notice = Notice("contact", "9 to 6", "Talk to a person", (Action("Call", "tel:5550100"),))
    draft = Draft(1, (Dropped("said", "why"),))
    trace = Trace(PLAIN, "what is cupping", "what is cupping", 0.98765, 0.6, draft, {"a": 1.26})
    given = Answer("answer", (Sentence(FIRST.quote, (1,)),), (FIRST,), (notice,), (hit,), trace)
    values = given.as_json()
    assert json.loads(json.dumps(values)) == values
    assert set(values) == {"kind", "sentences", "citations", "notices", "hits", "trace"}
    assert values["kind"] == "answer"
    assert values["sentences"] == [
        {"text": "Cupping leaves round marks.", "citations": [1], "role": "answer", "part": ""}
    ]
    (citation,) = values["citations"]
    assert {
        key: citation[key]
        for key in ("number", "chunk_id", "title", "url", "path", "quote", "start", "end")
    } == {
        "number": 1,
        "chunk_id": "c1",
        "title": "Cupping",
        "url": "",
        "path": "pages/cups.md",
        "quote": "Cupping leaves round marks.",
        "start": 8,
        "end": 35,
    }
    assert citation["sources"][0]["link"] == "https://doi.org/10.1000/cups.1"
    assert values["notices"][0] == {
        "kind": "contact",
        "title": "Talk to a person",
        "text": "9 to 6",
        "actions": [{"label": "Call", "href": "tel:5550100"}],
    }
    (found,) = values["hits"]
    assert (found["rank"], found["score"], found["found_by"]) == (1, 0.9123, "dense")
    assert (found["lexical"], found["document"], found["headings"]) == (None, PAGE.id, ["Cups"])
    assert values["trace"]["triage"]["kind"] == "answer"
    assert (values["trace"]["evidence"], values["trace"]["threshold"]) == (0.9877, 0.6)
    assert values["trace"]["draft"]["dropped"] == [{"sentence": "said", "reason": "why"}]
    assert values["trace"]["milliseconds"] == {"a": 1.3}
