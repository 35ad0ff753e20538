"""Pages on disk: read one at a time, found by id and by position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chunk import chunk
from index.embed import HashEncoder
from index.pages import Pages, PageWriter
from index.types import Document


def page(number: int, parts: int, **more) -> Document:
    text = "".join(f"## Part {n}\n\nAdvice {n} of {number}. Rest.\n\n" for n in range(parts))
    return Document(id=f"pages/{number}.md", title=f"Page {number}", text=text.strip(), **more)


def cut(document: Document):
    return chunk(document, HashEncoder().count_tokens, target=160, limit=254)


def written(folder, documents) -> Pages:
    writer = PageWriter(folder)
    for document in documents:
        writer.add(document, cut(document))
    return writer.close()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12).filter(any))
def test_everything_is_found_by_position_and_by_id(tmp_path_factory, parts):
    documents = [page(number, count) for number, count in enumerate(parts)]
    expected = [own for document in documents for own in cut(document)]
    pages = written(tmp_path_factory.mktemp("pages"), documents)
    assert list(pages.chunks) == expected
    assert list(pages.documents.values()) == documents
    assert [pages.chunks[at] for at in range(-len(expected), len(expected))] == expected * 2
    assert pages.chunks[1:3] == tuple(expected[1:3])
    for position, own in enumerate(expected):
        assert pages.position_of(own.id) == position
        assert documents[pages.page_at(position)] == own.document
    assert pages.positions_of(pages.ids()).tolist() == list(range(len(expected)))
    assert pages.ids().tolist() == [own.id.encode() for own in expected]
    assert pages.position_of("f" * 24) is None
    assert "pages/99.md" not in pages.documents
    assert pages.documents.get("pages/99.md") is None
    with pytest.raises(IndexError):
        pages.chunks[len(expected)]


def test_opening_reads_two_pages_however_many_there_are(tmp_path):
    written(tmp_path, [page(number, 2) for number in range(400)])
    pages = Pages(tmp_path)
    assert pages.page.cache_info().misses == 2
    assert len(pages.documents) == 400
    assert len(pages.chunks) == 800
    assert pages.chunks[421].document.title == "Page 210"
    assert "pages/17.md" in pages.documents
    assert pages.page.cache_info().misses == 3
    for _ in pages.chunks:
        pass
    assert pages.page.cache_info().currsize == 256


def test_pages_of_a_kind_are_known_as_names_before_plain_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("index.pages._MOST_NAMED", 3)
    kinds = ["page", "condition", "page", "page", "treatment"]
    pages = written(tmp_path, [page(n, 1, kind=kind) for n, kind in enumerate(kinds)])
    assert [found.title for found in pages.named()] == ["Page 0", "Page 1", "Page 4"]


def test_a_new_place_has_none_of_the_old_ids(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old = written(tmp_path / "old", [page(0, 2), page(1, 2)])
    new = written(tmp_path / "new", [page(5, 1), page(1, 2), page(0, 1)])
    assert old.positions_of(new.ids()).tolist() == [-1, 2, 3, 0]
