"""Bad days of an index: a full disk, damage, two builds at once, a clock turned back."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from itertools import product

import pytest
from pages import indexed, write
from servers import free_port
from test_index_kill import ROOT, versions, write_version

import app
import index.manifest
from index.embed import HashEncoder
from index.errors import DataFolderError, IndexDamagedError
from index.generation import open_generation
from index.manifest import generation_folder, generations, read_manifest
from index.retrieve import Retriever
from index.settings import IndexSettings

INDEXING = """
import contextlib, io, json, os, resource, sys
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
            return ended.code, said.getvalue(), os.listdir(f"{sys.argv[-1]}/generations")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))

fill = index.generation.fill
steps, sys.argv[1:] = json.loads(sys.argv[1]), sys.argv[2:]
print(json.dumps([attempt(*step) for step in steps]))
"""


OPENING = """
import json, resource, sys
from pathlib import Path
from index import generation
from index.errors import CitewellError

def attempt(data, limits):
    held = []
    try:
        for name, limit in limits.items():
            resource.setrlimit(getattr(resource, name), (limit, hard[name]))
        generation.open_generation(Path(data)).close()
        return "opened"
    except CitewellError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        for name, limit in soft.items():
            resource.setrlimit(getattr(resource, name), (limit, hard[name]))

names = ("RLIMIT_FSIZE", "RLIMIT_NOFILE")
soft, hard = zip(*(resource.getrlimit(getattr(resource, name)) for name in names))
soft, hard = dict(zip(names, soft)), dict(zip(names, hard))
print(json.dumps([attempt(*step) for step in json.loads(sys.argv[1])]))
"""
AS_ANYBODY = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    if os.geteuid() == 0 else []
)  # fmt: skip
"""Takes from root what lets it read and write everything."""


UNKNOWN = "see that its disk has room and is not overloaded"
"""What to do about an error of the disk that the system does not name."""


def run(*arguments, code="import app; app.main()", ahead=()):
    return subprocess.Popen(
        [*ahead, sys.executable, "-c", code, *map(str, arguments)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"CITEWELL_INDEX__MODEL": "hash", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def whole(data):
    """Tell whether there are only finished generations, all of them whole."""
    names = {folder.name for folder in (data / "generations").iterdir()}
    return names == {manifest.generation for manifest in generations(data)}


def full(data, why="No space left on device", remedy="make room on its disk"):
    """Return what is said of a disk that is full."""
    return (
        f"the data folder {data} cannot be written ({why}); {remedy}, or choose another with "
        "--data DIR, and run citewell index again; what answered before still does"
    )


def test_a_disk_that_fills_up_at_any_file_costs_one_line_and_the_old_index_answers(tmp_path):
    pages, data = write_version(tmp_path / "pages", 1), tmp_path / "data"
    first = indexed(pages, data).manifest
    folder = generation_folder(data, first.generation)
    sizes = {path.stat().st_size for path in folder.rglob("*") if "chroma" not in path.parts}
    limits = [(True, limit) for size in sizes if size > 2 for limit in (size // 2, size - 1)]
    limits += [(False, 0), (False, 100_000), (False, 400_000)]  # within what Chroma writes
    write_version(pages, 2)
    steps = json.dumps(limits)
    process = run(steps, "index", pages, "--data", data, code=INDEXING)
    said, failed = process.communicate(timeout=300)
    assert process.returncode == 0, failed
    ends = json.loads(said)
    assert len(ends) > 12
    for status, line, there in ends:
        assert (status, there) == (1, [first.generation])
        assert line.strip().startswith(f"citewell: the data folder {data} cannot be written (")
        assert line.strip().endswith(full(data, remedy=UNKNOWN).partition(")")[2])
        assert len(line.strip().splitlines()) == 1
    assert any("database or disk is full" in line or "Chroma:" in line for _, line, _ in ends)
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


@pytest.mark.parametrize("written_before", [0, 1])
def test_a_disk_that_fills_up_within_a_manifest_spoils_none(tmp_path, monkeypatch, written_before):
    pages, data = tmp_path / "pages", tmp_path / "data"
    write(pages, {"heel.md": "# Heel\n\nThis is version 1 of it.\n"})
    first = indexed(pages, data).manifest
    write(pages, {"heel.md": "# Heel\n\nThis is version 2 of it.\n"})
    room, real = iter(range(written_before)), index.manifest.write_synced

    def half(path, content):
        if next(room, None) is not None:
            return real(path, content)
        path.write_bytes(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("index.manifest.write_synced", half)
    with pytest.raises(DataFolderError, match="make room"):
        indexed(pages, data)
    assert read_manifest(data) == first
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
    for where in ("pathlib.Path.mkdir", "index.build.prune", "index.generation.PageWriter"):
        with monkeypatch.context() as patch:
            patch.setattr(where, refuse)
            with pytest.raises(DataFolderError, match="Read-only file system.*--data DIR"):
                indexed(pages, data)
    assert read_manifest(data) == first


def test_a_disk_that_is_full_when_chroma_s_file_is_shrunk_is_told_like_any(tmp_path, monkeypatch):
    def shrink(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("index.store._Chroma.shrink", shrink)
    data = tmp_path / "data"
    with pytest.raises(DataFolderError) as caught:
        indexed(write(tmp_path / "pages", {"heel.md": "# Heel\n\nRest.\n"}), data)
    assert str(caught.value) == full(data, "Chroma: database or disk is full", UNKNOWN)
    assert whole(data)


def refuse(*_, **__):
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An index that is only copied."""
    place = tmp_path_factory.mktemp("built")
    indexed(write_version(place / "pages", 1), place / "data")
    return place / "data"


def test_an_index_with_any_file_cut_short_is_not_opened_and_told_with_the_command(built, tmp_path):
    name = read_manifest(built).generation
    folder = generation_folder(built, name)
    files = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    files = [file for file in files if file.name != "manifest.json"]  # the one beside it is read
    assert len(files) > 18
    opened = []
    for number, (file, share) in enumerate(product(files, (0, 0.5, 0.999))):
        data = shutil.copytree(built, tmp_path / str(number))  # Chroma keeps files open
        cut = generation_folder(data, name) / file
        os.truncate(cut, int(cut.stat().st_size * share))
        try:
            open_generation(data).close()
            opened.append((file.name, share))
        except IndexDamagedError as error:
            assert str(error).endswith(f"run: citewell index --rebuild --data {data}")
    assert opened == []


def opening(*steps, ahead=()):
    """Return what is said of opening indexes, each under limits, by one process."""
    process = run(json.dumps(steps), code=OPENING, ahead=ahead)
    said, failed = process.communicate(timeout=300)
    assert process.returncode == 0, failed
    return json.loads(said)


def test_an_index_that_a_full_disk_or_too_few_handles_keep_shut_is_not_called_damaged(
    built, tmp_path
):
    data = str(shutil.copytree(built, tmp_path / "data"))
    full = [{"RLIMIT_FSIZE": 0}, {"RLIMIT_FSIZE": 1000}]
    few = [{"RLIMIT_NOFILE": count} for count in range(3, 30)]
    *refused, last = opening(*((data, limits) for limits in (*full, *few, {})))
    assert last == "opened"  # what could not be opened before does not stay so
    for said in refused[:2]:
        assert re.fullmatch(r"DataFolderError: the index in .*; make room on its disk.*", said)
    for said in refused[2:]:
        assert re.fullmatch(r"DataFolderError: .*Too many open files.*ulimit -n.", said)


@pytest.mark.parametrize(
    ("where", "mode"),
    [("generations/{}/chroma/chroma.sqlite3", 0o444), ("generations/{}/chroma", 0o555),
     ("generations/{}/chroma/chroma.sqlite3", 0), ("generations/{}/pages.jsonl", 0),
     ("manifest.json", 0)],
)  # fmt: skip
def test_an_index_of_another_user_is_not_called_damaged(built, tmp_path, where, mode):
    data = shutil.copytree(built, tmp_path / "data")
    (data / where.format(read_manifest(data).generation)).chmod(mode)
    [said] = opening((str(data), {}), ahead=AS_ANYBODY)
    assert re.fullmatch(
        rf"DataFolderError: .*{data}.* cannot be (read|opened) \(.*\); "
        "let the user that Citewell runs as read and write it", said,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["index", "ask", "serve"])
@pytest.mark.parametrize("mode", [0o555, 0])
def test_a_data_folder_of_another_user_costs_one_line(built, tmp_path, command, mode):
    data = shutil.copytree(built, tmp_path / "data")
    before = read_manifest(data)
    for folder in (data / "generations", data):
        folder.chmod(mode)
    write(tmp_path, {"clinic.toml": '[index]\ndata = "data"\n'})
    more = {"index": [], "ask": ["heel advice"], "serve": ["--port", free_port()]}[command]
    ended = run(command, *more, "--config", tmp_path / "clinic.toml", ahead=AS_ANYBODY)
    said, failed = ended.communicate(timeout=300)
    data.chmod(0o755)
    (data / "generations").chmod(0o755)
    if (command, mode) == ("ask", 0o555):  # what Chroma writes to can be
        assert (ended.returncode, "part" in said) == (0, True), (said, failed)
    else:
        assert (ended.returncode, said) == (1, "")
        (line,) = failed.strip().splitlines()
        assert line.startswith("citewell: ")
        assert str(data) in line
        assert "Permission denied" in line
    assert read_manifest(data) == before
    assert whole(data)


def test_a_new_index_that_could_not_be_opened_is_tried_again_a_minute_later(
    built, tmp_path, monkeypatch, caplog
):
    clock = [1000.0]
    monkeypatch.setattr("index.retrieve.time.monotonic", lambda: clock[0])
    data = shutil.copytree(built, tmp_path / "data")
    retriever = Retriever(data, HashEncoder(), IndexSettings())
    indexed(write_version(tmp_path / "pages", 2), data)

    def asked():
        return {hit.chunk.text.split()[0] for hit in retriever.retrieve("heel advice")}

    with monkeypatch.context() as patch:
        patch.setattr("index.generation.Pages", no_handles)
        assert asked() == {"Version1"}
    clock[0] += 59
    assert asked() == {"Version1"}
    (told,) = caplog.records
    assert "Too many open files" in told.message
    clock[0] += 1
    assert asked() == {"Version2"}


def no_handles(*_):
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class Served(Exception):
    """It would have served."""


DAMAGES = {
    "a manifest of an older version": (
        lambda values: values["recipe"].pop("store_version"), "store_version = 1"),
    "a manifest of a newer version": (
        lambda values: values["recipe"].update(store_version=99), "store_version = 99"),
    "a manifest of another shape": (
        lambda values: values.update(shards=[1]), "cannot be read .*'shards'"),
    "a manifest without what belongs to it": (
        lambda values: values.pop("chunks"), "cannot be read .*'chunks'"),
    "a generation that is gone": (
        lambda values: values.update(generation="20200101T000000000000-dead"), "cannot be read"),
    "another number of passages": (
        lambda values: values.update(chunks=3), "cannot be read .480 vectors for 480 passages"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_answers_are_served_from_an_index_that_is_not_right(
    built, tmp_path, monkeypatch, capsys, damage
):
    data = shutil.copytree(built, tmp_path / "data")
    values = json.loads((data / "manifest.json").read_text("utf-8"))
    spoil, said = DAMAGES[damage]
    spoil(values)
    (data / "manifest.json").write_text(json.dumps(values), "utf-8")
    monkeypatch.setenv("CITEWELL_INDEX__MODEL", "hash")
    monkeypatch.setattr("bot.web.server.run", lambda *_: (_ for _ in ()).throw(Served))
    monkeypatch.setattr(sys, "argv", ["citewell", "serve", "--data", str(data), "--port", "0"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(rf"citewell: .*{said}.*; run: citewell index .*--data {data}", line)


def test_what_is_open_goes_on_answering_whatever_takes_its_place(built, tmp_path, caplog):
    data = shutil.copytree(built, tmp_path / "data")
    retriever = Retriever(data, HashEncoder(), IndexSettings())
    before = retriever.retrieve("heel advice")
    indexed(write_version(tmp_path / "pages", 2), data)
    fresh = read_manifest(data)
    cut = generation_folder(data, fresh.generation) / "vectors.npy"
    os.truncate(cut, cut.stat().st_size - 1)
    assert retriever.retrieve("heel advice") == before
    values = json.loads((data / "manifest.json").read_text("utf-8"))
    (data / "manifest.json").write_text(json.dumps(values | {"shards": 1}), "utf-8")
    assert retriever.retrieve("heel advice") == before
    shutil.rmtree(data)
    assert retriever.retrieve("heel advice") == before
    told = [record.message for record in caplog.records]
    assert len(told) == 2
    assert all(line.startswith("staying on the index already open: ") for line in told)
    assert all("run: citewell index" in line for line in told)


def test_of_two_builds_at_once_one_says_to_wait_and_the_index_is_whole(tmp_path):
    pages, data = write_version(tmp_path / "pages", 1), tmp_path / "data"
    builds = [run("index", pages, "--data", data) for _ in range(2)]
    ends = sorted((build.communicate(timeout=300)[1].strip(), build.returncode) for build in builds)
    (first, status), (second, other) = ends
    assert (first, status) in (
        (f"citewell: another 'citewell index' is writing {data}; wait for it", 1),
        ("indexed, 480 passages embedded: 60 pages, 480 passages", 0),
    )
    assert other == 0
    assert second.endswith("60 pages, 480 passages")
    assert versions(data) == {"Version1"}
    assert whole(data)
    assert len(generations(data)) == 1


def test_a_clock_turned_back_makes_no_new_generation_older_than_those_before(tmp_path, monkeypatch):
    pages, data = tmp_path / "pages", tmp_path / "data"
    made = []

    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return dt.datetime(2040 - 5 * len(made), 1, 1, tzinfo=tz)

    monkeypatch.setattr("index.build.dt.datetime", Clock)
    for number in range(4):
        write(pages, {"heel.md": f"# Heel\n\nThis is version {number} of it.\n"})
        made.append(indexed(pages, data).manifest.generation)
        assert [m.generation for m in generations(data)] == made[-2:][::-1]
        (hit,) = Retriever(data, HashEncoder(), IndexSettings()).retrieve("heel version")
        assert hit.chunk.text == f"This is version {number} of it."
    assert made == sorted(made)
    assert {m.created[:4] for m in generations(data)} == {"2025", "2030"}
