from __future__ import annotations

from itertools import pairwise, product

import bm25s
import numpy as np
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


def found(question: str) -> list[int]:
    positions, _ = LexicalIndex.build(PASSAGES).top(terms(question), 10)
    return positions.tolist()


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
        for one, other in zip(
            opened.top(terms(question), 10), built.top(terms(question), 10), strict=True
        ):
            assert np.array_equal(one, other)


@settings(max_examples=30)
@given(st.lists(st.sampled_from("heel marks blade knife morning tooth".split()), max_size=6))
def test_exactly_the_passages_that_share_a_term_score_and_above_zero(question):
    held = [{*terms(" ".join((p.embedded_text, *p.document.aliases)))} for p in PASSAGES]
    positions, scores = LexicalIndex.build(PASSAGES).top(question := terms(" ".join(question)), 10)
    assert set(positions) == {at for at, own in enumerate(held) if own & set(question)}
    assert all(score > 0 for score in scores)


WORDS = "heel marks blade knife morning tooth".split()
MANY = [
    passage(f"{a} {b} {c}.", f"Page {n}")
    for n, (a, b, c) in enumerate(product(WORDS[:4], WORDS[1:5], WORDS[2:]))
]
INDEX = LexicalIndex.build(MANY)


def with_pairs(of_terms: list[str]) -> list[str]:
    return [*of_terms, *map(" ".join, pairwise(of_terms))]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(WORDS), max_size=6), st.integers(1, 80))
def test_the_best_are_those_of_bm25s_itself_and_ties_stand_in_order(question, count):
    question = terms(" ".join(question))
    plain = bm25s.BM25(method="lucene", k1=1.2, b=0.3)
    plain.index([with_pairs(terms(p.embedded_text)) for p in MANY], show_progress=False)
    known = [term for term in with_pairs(question) if term in plain.vocab_dict]
    every = plain.get_scores(known) if known else np.zeros(len(MANY))
    positions, scores = INDEX.top(question, count)
    expected = sorted(range(len(MANY)), key=lambda at: (-INDEX.scores_of(question, [at])[0], at))
    assert positions.tolist() == [at for at in expected if every[at] > 0][:count]
    assert np.allclose(scores, every[positions], rtol=1e-5)
    assert np.allclose(INDEX.scores_of(question, np.arange(len(MANY))), every, rtol=1e-5)


def test_words_side_by_side_count_more_than_the_same_words_apart():
    index = LexicalIndex.build(
        [passage("A frozen meal on the shoulder."), passage("A meal on the frozen shoulder.")]
    )
    positions, (best, other) = index.top(terms("frozen shoulder"), 2)
    assert positions.tolist() == [1, 0] and best > other > 0


def test_what_a_term_stands_in_is_known():
    for word in (*WORDS, "unheard"):
        (term,) = terms(word)
        holding = [at for at, p in enumerate(MANY) if term in terms(p.embedded_text)]
        assert INDEX.document_frequency(term) == len(holding)
        assert INDEX.holding([term]).tolist() == holding
    both = [at for at, p in enumerate(MANY) if {"heel", "mark"} <= {*terms(p.embedded_text)}]
    assert both
    assert INDEX.holding(terms("heel marks")).tolist() == both
    assert INDEX.holding(terms("heel unheard")).tolist() == []
