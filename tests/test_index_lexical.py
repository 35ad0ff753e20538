from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunk import chunk
from index.embed import HashEncoder
from index.lexical import LexicalIndex
from index.text import terms
from index.types import Chunk, Document


def passage(text: str, title: str = "Page", **more) -> Chunk:
    page = Document(id=title, title=title, text=text, **more)
    (made,) = chunk(page, HashEncoder().count_tokens, target=160, limit=254)
    return made


PASSAGES = [
    passage("The heel hurts in the morning.", "Heel pain", aliases=("plantar fasciitis",)),
    passage("Acupotomy uses a small blade.", "Acupotomy", aliases=("knife needle", "도침")),
    passage("Round marks fade. Marks are no bruises. Marks!", "Cupping"),
    passage("!!!", "?"),
]


def found(question: str, index: LexicalIndex | None = None) -> list[int]:
    scores = (index or LexicalIndex.build(PASSAGES)).scores(terms(question))
    return sorted(scores, key=lambda at: -scores[at])


def test_passages_are_found_by_their_words_titles_and_aliases():
    assert found("morning") == [0]
    assert found("cupping") == [2]
    assert found("knife needle") == [1]
    assert found("도침") == [1]
    assert found("fasciitis") == [0]


def test_forms_of_a_word_find_each_other():
    assert found("hurting heels") == [0]
    assert found("bruising, marked") == [2]


def test_what_shares_no_term_is_not_found():
    assert found("dentist") == []
    assert found("") == []
    assert found("what is the") == []


def test_a_saved_index_answers_the_same(tmp_path):
    built = LexicalIndex.build(PASSAGES)
    built.save(tmp_path / "bm25")
    opened = LexicalIndex.open(tmp_path / "bm25")
    for question in ("heel", "small marks", "knife", "nothing of it"):
        assert opened.scores(terms(question)) == built.scores(terms(question))


@settings(max_examples=30)
@given(st.lists(st.sampled_from("heel marks blade knife morning tooth".split()), max_size=6))
def test_exactly_the_passages_that_share_a_term_score_and_above_zero(question):
    held = [{*terms(" ".join((p.embedded_text, *p.document.aliases)))} for p in PASSAGES]
    scores = LexicalIndex.build(PASSAGES).scores(question := terms(" ".join(question)))
    assert scores.keys() == {at for at, own in enumerate(held) if own & set(question)}
    assert all(score > 0 for score in scores.values())
