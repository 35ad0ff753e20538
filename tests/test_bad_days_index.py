"""Bad days of an index: a full disk, damage, two builds at once, a clock turned back."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest
from pages import indexed, write
from test_index_kill import ROOT, versions, write_version

from index.embed import HashEncoder
from index.errors import DataFolderError
from index.manifest import generation_folder, generations, read_manifest
from index.retrieve import Retriever
from index.settings import IndexSettings

INDEXING = """
import contextlib, io, json, resource, sys
import app, index.generation

def attempt(at_once, limit):
    def full(*given):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
        return fill(*given)

    said, index.generation.fill = io.StringIO(), fill if at_once else full
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit if at_once else -1, -1))
    with contextlib.redirect_stderr(said):
        try:
            app.main()
        except SystemExit as ended:
            return ended.code, said.getvalue()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))

fill = index.generation.fill
steps, sys.argv[1:] = json.loads(sys.argv[1]), sys.argv[2:]
print(json.dumps([attempt(*step) for step in steps]))
"""


def run(*arguments, code="import app; app.main()"):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"CITEWELL_INDEX__MODEL": "hash", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def whole(data):
    """Tell whether there are only finished generations, all of them whole."""
    names = {folder.name for folder in (data / "generations").iterdir()}
    return names == {manifest.generation for manifest in generations(data)}


def full(data, why="No space left on device"):
    """Return what is said of a disk that is full."""
    return (
        f"the data folder {data} cannot be written ({why}); make room there or choose another with "
        "--data DIR, and run citewell index again; what answered before still does"
    )


def test_a_disk_that_fills_up_at_any_file_costs_one_line_and_the_old_index_answers(tmp_path):
    pages, data = write_version(tmp_path / "pages", 1), tmp_path / "data"
    first = indexed(pages, data).manifest
    folder = generation_folder(data, first.generation)
    sizes = {path.stat().st_size for path in folder.rglob("*") if "chroma" not in path.parts}
    limits = [(True, size - 1) for size in sorted(sizes) if size > 2]
    limits += [(False, 0), (False, 100_000), (False, 400_000)]  # within what Chroma writes
    write_version(pages, 2)
    steps = json.dumps(limits)
    process = run(steps, "index", pages, "--data", data, code=INDEXING)
    said, failed = process.communicate(timeout=300)
    assert process.returncode == 0, failed
    ends = json.loads(said)
    assert len(ends) > 12
    for status, line in ends:
        assert status == 1
        assert line.strip().startswith(f"citewell: the data folder {data} cannot be written (")
        assert line.strip().endswith(full(data).partition(")")[2])
        assert len(line.strip().splitlines()) == 1
    assert any("database or disk is full" in line or "Chroma:" in line for _, line in ends)
    assert read_manifest(data) == first
    assert versions(data) == {"Version1"}
    indexed(pages, data)
    assert versions(data) == {"Version2"}
    assert whole(data)


def test_a_disk_that_fills_up_at_any_step_of_the_swap_loses_nothing(tmp_path, monkeypatch):
    pages, data = tmp_path / "pages", tmp_path / "data"
    write(pages, {"heel.md": "# Heel\n\nThis is version 1 of it.\n"})
    first = indexed(pages, data).manifest.generation
    write(pages, {"heel.md": "# Heel\n\nThis is version 2 of it.\n"})
    for step in range(99):
        left = iter(range(step))
        for real in (os.fsync, os.replace):

            def until(*given, _left=left, _real=real):
                if next(_left, None) is None:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return _real(*given)

            monkeypatch.setattr(os, real.__name__, until)
        with pytest.raises(DataFolderError) as caught:
            indexed(pages, data)
        assert str(caught.value) == full(data)
        monkeypatch.undo()
        (hit,) = Retriever(data, HashEncoder(), IndexSettings()).retrieve("heel version")
        if read_manifest(data).generation != first:
            break
        assert hit.chunk.text == "This is version 1 of it."
        assert [m.generation for m in generations(data)] == [first]
        assert whole(data)
    assert step > 10
    assert hit.chunk.text == "This is version 2 of it."  # though it may be lost with the power
    write(pages, {"heel.md": "# Heel\n\nThis is version 3 of it.\n"})
    indexed(pages, data)
    assert whole(data)


def test_an_old_generation_that_cannot_be_deleted_is_left_for_the_next_build(
    tmp_path, monkeypatch, caplog
):
    pages, data = tmp_path / "pages", tmp_path / "data"
    for number in range(3):
        write(pages, {"heel.md": f"# Heel\n\nThis is version {number} of it.\n"})
        if number == 2:
            monkeypatch.setattr("index.manifest.prune", refuse)
        made = indexed(pages, data).manifest
    assert read_manifest(data) == made
    (record,) = caplog.records
    assert record.message.startswith("an old generation goes with the next build: [Errno 30]")


def test_a_disk_that_became_read_only_is_told_before_anything_is_indexed(tmp_path, monkeypatch):
    pages, data = tmp_path / "pages", tmp_path / "data"
    write(pages, {"heel.md": "# Heel\n\nThis is version 1 of it.\n"})
    first = indexed(pages, data).manifest
    write(pages, {"heel.md": "# Heel\n\nThis is version 2 of it.\n"})
    for where in ("pathlib.Path.mkdir", "index.build.prune"):
        with monkeypatch.context() as patch:
            patch.setattr(where, refuse)
            with pytest.raises(DataFolderError, match="Read-only file system.*--data DIR"):
                indexed(pages, data)
    assert read_manifest(data) == first


def refuse(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))
