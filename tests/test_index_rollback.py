"""Going back to a generation that is kept, and forward again."""

from __future__ import annotations

import json
import os

import pytest
from filelock import FileLock
from pages import indexed, write

from index.embed import HashEncoder
from index.errors import (
    IndexBusyError,
    IndexDamagedError,
    IndexMismatchError,
    IndexMissingError,
)
from index.manifest import generations, read_manifest, roll_back
from index.retrieve import Retriever
from index.settings import IndexSettings


@pytest.fixture
def pages(tmp_path):
    return tmp_path / "pages"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def version(pages, data, number, **settings):
    """Build an index whose one page names its version; return its generation."""
    write(pages, {"heel.md": f"# Heel\n\nThis is version {number} of the heel page.\n"})
    return indexed(pages, data, settings=IndexSettings(**settings)).manifest.generation


def names(data):
    return [manifest.generation for manifest in generations(data)]


def answered(retriever):
    return retriever.retrieve("heel", count=1)[0].chunk.text.removesuffix(" of the heel page.")


def test_finished_generations_are_listed_newest_first(pages, data):
    first, second = (version(pages, data, number) for number in (1, 2))
    assert names(data) == [second, first]
    assert generations(data)[0] == read_manifest(data)


def test_without_an_index_there_are_none(data):
    assert generations(data) == []


def test_an_open_retriever_follows_back_and_forward_again(pages, data):
    first, second = (version(pages, data, number) for number in (1, 2))
    retriever = Retriever(data, HashEncoder(), IndexSettings())
    assert answered(retriever) == "This is version 2"
    assert roll_back(data, first).generation == first
    assert answered(retriever) == "This is version 1"
    assert names(data) == [second, first]
    roll_back(data, second)
    assert answered(retriever) == "This is version 2"


def test_after_going_back_the_next_build_keeps_the_one_that_answered(pages, data):
    first, second = (version(pages, data, number) for number in (1, 2))
    roll_back(data, first)
    retriever = Retriever(data, HashEncoder(), IndexSettings())
    third = version(pages, data, 3)
    assert names(data) == [third, first]
    assert second not in names(data)
    assert answered(retriever) == "This is version 3"


@pytest.mark.parametrize("name", ["", ".", "..", "../generations", "20200101T000000000000-dead"])
def test_a_name_that_is_not_there_is_refused(pages, data, name):
    version(pages, data, 1)
    before = read_manifest(data)
    with pytest.raises(IndexMissingError, match="choose another, or run: citewell index"):
        roll_back(data, name)
    assert read_manifest(data) == before


def test_a_generation_outside_the_data_folder_is_not_reached(pages, data, tmp_path):
    version(pages, data, 1)
    elsewhere = tmp_path / "elsewhere"
    other = version(pages, elsewhere, 2)
    for name in (f"../../elsewhere/generations/{other}", str(elsewhere / "generations" / other)):
        with pytest.raises(IndexMissingError):
            roll_back(data, name)


@pytest.mark.parametrize("damage", ["a file is gone", "a file is cut short", "no JSON", "renamed"])
def test_a_damaged_generation_is_not_listed_and_refused(pages, data, damage):
    first, second = (version(pages, data, number) for number in (1, 2))
    folder = data / "generations" / first
    if damage == "a file is gone":
        (folder / "pages.jsonl").unlink()
    elif damage == "a file is cut short":
        os.truncate(folder / "pages.jsonl", 10)
    elif damage == "no JSON":
        (folder / "manifest.json").write_text("{")
    else:
        values = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(values | {"generation": "../" + second}))
    assert names(data) == [second]
    with pytest.raises(IndexDamagedError, match="not as it was written; choose another"):
        roll_back(data, first)
    assert read_manifest(data).generation == second


def test_one_made_with_other_settings_is_refused(pages, data):
    first = version(pages, data, 1)
    version(pages, data, 2, passage_tokens=64)
    with pytest.raises(IndexMismatchError, match="passage_tokens = 160"):
        roll_back(data, first)


def test_a_damaged_manifest_can_be_left_behind(pages, data):
    first, _ = (version(pages, data, number) for number in (1, 2))
    (data / "manifest.json").write_text("{")
    roll_back(data, first)
    assert read_manifest(data).generation == first


def test_while_a_build_runs_it_is_refused(pages, data):
    first, second = (version(pages, data, number) for number in (1, 2))
    with FileLock(data / "lock"), pytest.raises(IndexBusyError):
        roll_back(data, first)
    assert read_manifest(data).generation == second


class Killed(BaseException):
    """Stands for the process ending here."""


def test_cut_off_at_any_step_one_of_the_two_answers(pages, data, monkeypatch):
    first, second = (version(pages, data, number) for number in (1, 2))
    outcomes = []
    for step in range(1, 20):
        left = iter(range(step - 1))
        for real in (os.fsync, os.replace):

            def until(*given, _left=left, _real=real):
                if next(_left, None) is None:
                    raise Killed
                return _real(*given)

            monkeypatch.setattr(os, real.__name__, until)
        try:
            roll_back(data, first)
            outcomes.append("whole")
        except Killed:
            outcomes.append(read_manifest(data).generation)
        monkeypatch.undo()
        retriever = Retriever(data, HashEncoder(), IndexSettings())
        assert answered(retriever) in ("This is version 1", "This is version 2")
        if outcomes[-1] == "whole":
            break
        roll_back(data, second)
    assert outcomes == [second, second, first, "whole"]
