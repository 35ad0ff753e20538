"""The one plain markup: written by `render`, read back by `blocks`."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.markup import Block, blocks, render, tidy
from index.types import Reference

ANY_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  two \n\t words ", "two words"),
        ("soft\u00adhy\u200bphen", "softhyphen"),
        ("non\u00a0breaking\u2003space", "non breaking space"),
        ("e\u0301te\u0301", "été"),
        ("bell\x07 and \ue000private", "bell and private"),
        ("\u200b", ""),
    ],
)
def test_tidy(raw, clean):
    assert tidy(raw) == clean


@given(ANY_TEXT)
def test_tidying_twice_changes_nothing_more(words):
    once = tidy(words)
    assert tidy(once) == once == unicodedata.normalize("NFC", once)


def test_render_parts_blocks_by_blank_lines_and_items_by_lines():
    page = [
        Block("Heel", 1), Block("It hurts."), Block("Rest", item=True), Block("Walk", item=True),
        Block("Home", 2), Block(" "), Block("End."),
    ]  # fmt: skip
    assert render(page)[0] == "# Heel\n\nIt hurts.\n\n- Rest\n- Walk\n\n## Home\n\nEnd."


def test_source_markers_are_taken_out_and_remembered_by_offset():
    text, references = render([Block("It hurts [@a]. It heals [@b; @c]."), Block("[sic] x@y.org")])
    assert text == "It hurts. It heals.\n\n[sic] x@y.org"
    assert references == (Reference(8, "a"), Reference(18, "b"), Reference(18, "c"))


@given(st.lists(st.builds(Block, ANY_TEXT, st.integers(0, 6), st.booleans()), max_size=8))
def test_what_is_a_paragraph_is_never_read_back_as_a_heading(page):
    page = [Block(b.words.replace("[", ""), b.level, b.item) for b in page]
    text, _ = render(page)
    read_back = [level for _, _, level in blocks(text)]
    written = [b.level for b in page if tidy(b.words if b.level else b.words.strip())]
    assert [level for level in read_back if level] == [level for level in written if level]


@given(st.text(alphabet="# -\nab.", max_size=80))
def test_blocks_are_the_lines_that_hold_something(text):
    lines = [text[start:end] for start, end, _ in blocks(text)]
    assert lines == [line for line in text.split("\n") if line.strip()]
