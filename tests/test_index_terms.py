"""Hard words are found whole, the longest first, each meaning once; a bad file is named by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import PageError
from index.settings import CORPUS_FOLDER
from index.terms import FILE, MOST_WORDS, Terms, read_terms

TERMS = Terms({"review": "A study of studies.", "cochrane review": "A careful one.", "sham": "x"})


def found(text):
    return [(text[t.start : t.end], t.meaning) for t in TERMS.find(text)]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("A Cochrane review found less pain.", [("Cochrane review", "A careful one.")]),
        ("Two reviews and one REVIEW.", [("reviews", "A study of studies.")]),
        ("Sham needles in a review", [("Sham", "x"), ("review", "A study of studies.")]),
        ("A reviewer shampoos.", []),
        ("a review-like text", []),
        ("", []),
    ],
)
def test_words_are_found_whole_and_the_longest_first(text, terms):
    assert found(text) == terms


@given(st.text(alphabet="shamreviewcon .-", max_size=60))
def test_what_is_found_lies_in_the_text_in_order_and_does_not_overlap(text):
    terms = TERMS.find(text)
    assert all(0 <= t.start < t.end <= len(text) for t in terms)
    assert all(a.end <= b.start for a, b in zip(terms, terms[1:], strict=False))


def test_nothing_to_explain_finds_nothing():
    assert Terms({}).find("a sham review") == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- term: [", "line 2: is not YAML"),
        ("term: x", "must be a list"),
        ("- term: sham", "entry 1 must have 'term' and 'means'"),
        ("- term: sham\n  means: x\n  colour: red", "entry 1"),
        (f"- term: sham\n  means: {'word ' * (MOST_WORDS + 1)}", "more than 20 words"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path, text, fault):
    path = tmp_path / FILE
    path.write_text(text, "utf-8")
    with pytest.raises(PageError, match=fault):
        read_terms(path)


def test_the_shipped_terms_promise_nothing_and_are_short():
    meanings = read_terms(CORPUS_FOLDER / FILE)
    assert len(meanings) > 100
    for name, meaning in meanings.items():
        assert name and meaning.endswith("."), name
        assert not {"proven", "cures", "detox"} & set(meaning.lower().split())
