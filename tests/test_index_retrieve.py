"""Question -> hits, from the generation that answers now."""

from __future__ import annotations

import logging
import math

import pytest
from pages import CUPS, HEEL, MARKDOWN, indexed, write

from index.embed import HashEncoder
from index.retrieve import LangChainRetriever, Retriever
from index.settings import IndexSettings
from index.text import terms
from index.types import Chunk, Document, Hit

PAGES = {
    "heel.md": MARKDOWN,
    "cups.md": f"# Cupping\n\n{CUPS}\n",
    "knee.md": "# Knee\n\nThe knee swells after long walks.\n\n## At home\n\nCool the knee.\n",
    "glossary.yml": "- {term: cupping, also: [suction jars]}\n",
}


@pytest.fixture
def pages(tmp_path):
    return write(tmp_path / "pages", PAGES)


@pytest.fixture
def data(tmp_path, pages):
    indexed(pages, tmp_path / "data")
    return tmp_path / "data"


def open_retriever(data, **settings) -> Retriever:
    return Retriever(data, HashEncoder(), IndexSettings(**settings))


@pytest.fixture
def retriever(data):
    return open_retriever(data)


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("Why does my heel hurt in the morning?", "pages/heel.md"),
        ("Do the round marks of cupping fade?", "pages/cups.md"),
        ("heel spur", "pages/heel.md"),
        ("swelling knees", "pages/knee.md"),
    ],
)
def test_the_page_that_answers_comes_first(retriever, question, page):
    hits = retriever.retrieve(question)
    assert hits[0].chunk.document.id == page
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.score <= 1 + 1e-9 for hit in hits)


def test_count_limits_the_hits(retriever):
    everything = retriever.retrieve("heel knee cupping", count=100)
    assert len(everything) == len(retriever.generation.chunks)
    assert retriever.retrieve("heel knee cupping", count=2) == everything[:2]


def test_a_hit_says_which_side_found_it(retriever):
    hits = retriever.retrieve("cupping")
    found = {hit.chunk.document.id: hit for hit in hits}
    assert found["pages/cups.md"].found_by == "both"
    assert found["pages/knee.md"].found_by == "dense"
    assert found["pages/knee.md"].lexical is None


@pytest.mark.parametrize(
    ("dense", "lexical", "found_by"),
    [(0.5, None, "dense"), (None, 2.0, "lexical"), (0.5, 2.0, "both")],
)
def test_found_by(dense, lexical, found_by):
    passage = Chunk("i", Document(id="d", title="t", text="x"), (), "x", 0, 1)
    assert Hit(passage, 1, 0.5, dense, lexical).found_by == found_by


@pytest.mark.parametrize("question", ["", "???", "ж", "zzz qqq", "word " * 2000])
def test_odd_questions_raise_nothing(retriever, question):
    assert len(retriever.retrieve(question)) == len(retriever.generation.chunks)


def test_passages_of_a_page_come_in_its_order(retriever):
    passages = retriever.passages_of(retriever.documents["pages/knee.md"])
    assert [c.text for c in passages] == ["The knee swells after long walks.", "Cool the knee."]


def test_misspelt_words_are_put_right_by_pages_aliases_and_glossary(retriever):
    assert retriever.correct("plantr fascitis") == "plantar fasciitis"
    assert retriever.correct("cuppping marks") == "cupping marks"


def test_other_names_bring_the_pages_own_term(retriever):
    assert retriever.expand("do suction jars hurt?").text == "do suction jars hurt? (cupping)"
    assert retriever.expand("heel spur").added == ("Heel pain",)


def test_rarity_is_the_inverse_document_frequency(retriever):
    total = len(retriever.generation.chunks)
    (knee,), (fade,) = terms("knee"), terms("fade")
    assert retriever.rarity(knee) == pytest.approx(math.log(1 + (total - 1.5) / 2.5))
    assert retriever.rarity("unheard") > retriever.rarity(fade) > retriever.rarity(knee) > 0
    assert retriever.share(knee) == pytest.approx(2 / total)
    assert retriever.share("unheard") == 0


def test_mentions_are_counted_in_pages_up_to_ten(retriever, pages, data):
    assert retriever.mentions(terms("knee")) == 3
    assert retriever.mentions(terms("knee swells")) == 1
    assert retriever.mentions(terms("long knee")) == 0
    assert retriever.mentions(terms("heel spur")) == 0  # an alias is no mention
    assert retriever.mentions(["unheard"]) == 0
    write(pages, {f"hip{n}.md": f"# Hip {n}\n\nThe hip is stiff.\n" for n in range(20)})
    indexed(pages, data)
    assert retriever.current()
    assert retriever.mentions(terms("hip")) == 10


class TestSwap:
    def test_an_open_retriever_moves_to_the_new_index(self, retriever, pages, data):
        write(pages, {"moxa.md": "# Moxibustion\n\nMugwort warms the skin.\n"})
        (pages / "cups.md").unlink()
        indexed(pages, data)
        assert retriever.retrieve("mugwort")[0].chunk.text == "Mugwort warms the skin."
        assert "pages/cups.md" not in retriever.documents
        assert retriever.correct("moxibuston") == "moxibustion"

    def test_it_stays_on_the_open_one_while_the_new_cannot_be_used(
        self, retriever, pages, data, caplog
    ):
        indexed(pages, data, settings=IndexSettings(passage_tokens=64))
        with caplog.at_level(logging.WARNING):
            assert retriever.retrieve("knee swells")[0].chunk.document.id == "pages/knee.md"
        assert "staying on the index already open" in caplog.text
        assert "passage_tokens = 64" in caplog.text

    def test_it_answers_on_when_the_manifest_is_damaged_or_gone(self, retriever, data):
        write(data, {"manifest.json": "{"})
        assert retriever.retrieve("knee swells")
        (data / "manifest.json").unlink()
        assert retriever.retrieve("knee swells")[0].chunk.document.id == "pages/knee.md"


def test_langchain_gets_documents_that_say_where_they_are_from(retriever):
    first, *_ = LangChainRetriever(retriever=retriever, count=2).invoke("round marks of cupping")
    assert first.page_content == CUPS
    page = retriever.documents["pages/cups.md"]
    start, end = first.metadata["start"], first.metadata["end"]
    assert page.text[start:end] == first.page_content
    assert first.metadata.items() >= {"title": "Cupping", "document": page.id, "url": ""}.items()
    assert first.id == retriever.retrieve("round marks of cupping")[0].chunk.id


@pytest.fixture(scope="module")
def real(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("real")
    indexed(write(place / "pages", PAGES), place / "data", model)
    return Retriever(place / "data", model, IndexSettings())


@pytest.mark.model
class TestRealModel:
    @pytest.mark.parametrize(
        ("question", "page"),
        [
            ("why do my feet ache when I get up after a nights sleep", "pages/heel.md"),
            ("plantr fascitis tretment", "pages/heel.md"),
            ("will the cuping bruises go away", "pages/cups.md"),
            ("my joint puffs up after a hike", "pages/knee.md"),
        ],
    )
    def test_lay_and_misspelt_questions_find_the_page(self, real, question, page):
        hits = real.retrieve(real.correct(question))
        assert hits[0].chunk.document.id == page

    def test_a_quote_is_most_similar_to_itself(self, real):
        best = real.retrieve(HEEL)[0]
        assert HEEL in best.chunk.text
        assert best.dense == pytest.approx(max(h.dense for h in real.retrieve(HEEL)))
