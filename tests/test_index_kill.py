"""`kill -9` at any moment: the index before still answers, and the next build succeeds."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pages import write

from index.embed import HashEncoder
from index.errors import IndexMissingError
from index.manifest import has_index, read_manifest
from index.retrieve import Retriever
from index.settings import IndexSettings

ROOT = Path(__file__).parent.parent
KILLS = 20
PAGES = 60


def write_version(folder: Path, version: int) -> Path:
    """Write a corpus in which every page names its version, so that a mixture would be seen."""
    return write(folder, {
        f"page{n}.md": f"# Heel {n}\n\n" + "".join(
            f"## Part {part}\n\nVersion{version} of heel advice {n} in part {part}: rest.\n\n"
            for part in range(8))
        for n in range(PAGES)
    })  # fmt: skip


def start(pages: Path, data: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app", "index", str(pages), "--data", str(data)],
        cwd=data.parent, stderr=subprocess.PIPE,
        env=os.environ | {"CITEWELL_INDEX__MODEL": "hash", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def until_writing(process: subprocess.Popen[bytes], data: Path, known: set[Path]) -> None:
    """Return when a generation that is not among the known ones has appeared."""
    while process.poll() is None and set(data.glob("generations/*")) <= known:
        pass


def run(pages: Path, data: Path) -> tuple[float, float]:
    """Build to the end; return the seconds it took, and those from the first file it wrote on."""
    known = set(data.glob("generations/*"))
    began = time.monotonic()
    process = start(pages, data)
    until_writing(process, data, known)
    writing = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    return time.monotonic() - began, time.monotonic() - writing


def versions(data: Path) -> set[str]:
    """Return the versions an index opened just now answers with."""
    retriever = Retriever(data, HashEncoder(), IndexSettings())
    assert len(retriever.documents) == PAGES
    hits = retriever.retrieve("heel advice", count=50)
    assert len(hits) == 50
    return {hit.chunk.text.split()[0] for hit in hits}


def test_killed_at_any_moment_the_index_answers_whole_old_or_new(tmp_path):
    pages, data = tmp_path / "pages", tmp_path / "data"
    run(write_version(pages, 0), data)
    whole, writing = run(write_version(pages, 1), data)
    answering, dice, outcomes = 1, random.Random(20), set[bool]()
    for kill in range(KILLS):
        fresh = kill + 2
        write_version(pages, fresh)
        known = set(data.glob("generations/*"))
        process = start(pages, data)
        share = (kill // 2 + dice.random()) / (KILLS // 2)
        if kill % 2:  # every second one is aimed at the short while in which files are written
            until_writing(process, data, known)
        try:
            process.wait(timeout=share * (writing if kill % 2 else whole))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        (found,) = versions(data)
        assert found in (f"Version{answering}", f"Version{fresh}")
        outcomes.add(found == f"Version{fresh}")
        answering = int(found.removeprefix("Version"))
    assert outcomes == {True, False}
    run(write_version(pages, 999), data)
    assert versions(data) == {"Version999"}
    left = list((data / "generations").iterdir())
    assert len(left) <= 2
    assert all((folder / "manifest.json").exists() for folder in left)
    assert read_manifest(data).generation in {folder.name for folder in left}


def test_killed_during_writing_the_first_index_there_is_none_and_the_next_build_succeeds(tmp_path):
    pages, data = write_version(tmp_path / "pages", 1), tmp_path / "data"
    process = start(pages, data)
    while not list(data.glob("generations/*/chroma")) and process.poll() is None:
        pass
    process.kill()
    process.communicate()
    assert not has_index(data)
    with pytest.raises(IndexMissingError):
        Retriever(data, HashEncoder(), IndexSettings())
    assert list((data / "generations").iterdir())
    run(pages, data)
    assert versions(data) == {"Version1"}
    assert len(list((data / "generations").iterdir())) == 1
