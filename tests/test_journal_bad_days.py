"""Bad days of the journal: a full disk, no right to write, damage, a clock that jumps."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from conftest import application
from hypothesis import example, given
from hypothesis import strategies as st
from pages import MARKDOWN, indexed, write
from starlette.testclient import TestClient
from test_bot_journal import APPROVED, FEEDBACK, GAP, MARK, Clock

from bot.approved import ApprovedAnswers
from bot.journal import Approved, ApprovedSentence, Journal, JournalError, Rests
from bot.pipeline import Assistant
from bot.settings import JournalSettings, Limits, Settings
from index.embed import FAKE_MODEL, HashEncoder
from index.retrieve import Retriever
from index.settings import IndexSettings

ROOT = Path(__file__).parent.parent
DAMAGED = (
    "the file is damaged: stop Citewell, then put the last backup in its place, or move the file "
    "away to begin a new one"
)
FULL = """
import json, resource, sys
from pathlib import Path
from bot.journal import Feedback, Journal, JournalError

file = Path(sys.argv[1])
journal = Journal.open(f"sqlite:///{file}")
kept, faults = [], []

def rate(number):
    try:
        journal.add_feedback(Feedback(False, "wrong", "answer", ("a.md",), f"{number} " * 50))
        kept.append(number)
    except JournalError as error:
        faults.append(str(error))

log = file.with_name(f"{file.name}-wal")
for spare in range(0, 20_000, 1_111):
    full = log.stat().st_size + spare
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, -1))
    for number in range(20):
        rate(spare + number)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    rate(spare + 20)
    assert kept[-1] == spare + 20, "it does not recover"
print(json.dumps([kept, faults]))
"""
UNWRITABLE = """
import json, os, sys
from pathlib import Path
from bot.journal import Feedback, Journal, JournalError

def attempt(file):
    try:
        journal = Journal.open(f"sqlite:///{file}")
        read = [one.words for one in journal.feedback()]
        journal.add_feedback(Feedback(True, "", "answer", (), "new"))
    except JournalError as error:
        return str(error)

attempt(sys.argv[1])  # all that has to be read for it is read before the right to is gone
if os.geteuid() == 0:
    os.seteuid(65534)
print(json.dumps([attempt(file) for file in sys.argv[2:]]))
"""


def run(code: str, *arguments: object) -> Any:
    """Run a program of a test's; return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True,
        cwd=ROOT, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_full_disk_costs_a_line_and_what_was_kept_before_and_after_is_whole(tmp_path: Path):
    file = tmp_path / "journal.db"
    kept, faults = run(FULL, file)
    assert len(kept) > 20
    assert set(faults) == {
        f"{file}: the journal cannot be read or written (disk I/O error); free space on its disk, "
        "and look whether the disk fails"
    }
    journal = Journal.open(f"sqlite:///{file}")
    assert [int(one.words.split()[0]) for one in reversed(journal.feedback(limit=9999))] == kept
    journal.close()
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that everybody may look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_file_or_folder_that_may_not_be_written_is_told_by_name(readable: Path):
    modes = {"file": (0o444, 0o755), "folder": (0o666, 0o555), "both": (0o444, 0o555)}
    files = [readable / name / "journal.db" for name in ("warm", *modes)]
    for file in files:
        journal = Journal.open(f"sqlite:///{file}")
        journal.add_feedback(FEEDBACK)
        journal.close()
    for file, (own, around) in zip(files[1:], modes.values(), strict=True):
        file.chmod(own)
        file.parent.chmod(around)
    for file, said in zip(files[1:], run(UNWRITABLE, *files), strict=True):
        assert str(said).startswith(f"{file}: the journal cannot be "), said
        assert "writable" in said or "may be written" in said
        file.parent.chmod(0o755)
        journal = Journal.open(f"sqlite:///{shutil.copy(file, readable)}")
        assert [one.words for one in journal.feedback()] == [FEEDBACK.words]
        journal.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that holds something in every table, closed."""
    file = tmp_path_factory.mktemp("filled") / "journal.db"
    journal = Journal.open(f"sqlite:///{file}")
    for number in range(60):
        journal.add_feedback(replace(FEEDBACK, words=f"{number} " * 40))
        journal.add_gap(replace(GAP, words=f"{number} " * 40))
        journal.approve(replace(APPROVED, question=f"Is it {number}?"))
        journal.add_mark(replace(MARK, note=f"{number} " * 30))
        journal.start_session(f"{number:064}", "csrf", time.time() + 3600)
    journal.close()
    assert [path.name for path in file.parent.iterdir()] == ["journal.db"]
    return file


WAYS: dict[str, Callable[[Journal], object]] = {
    "feedback": lambda j: (j.add_feedback(FEEDBACK), j.feedback()),
    "gaps": lambda j: (j.add_gap(GAP), j.gaps()),
    "approved": lambda j: (j.approve(APPROVED), j.approved()),
    "marks": lambda j: (j.add_mark(MARK), j.marks()),
    "sessions": lambda j: (j.session(f"{5:064}"), j.start_session("x" * 64, "csrf", 4e9)),
    "counters": lambda j: j.approved_version,
}
"""What goes through each table."""


def root_page(file: Path, table: str) -> tuple[int, int]:
    """Return where the page that a table begins with stands in a file: (offset, bytes)."""
    with closing(sqlite3.connect(file)) as raw:
        (size,) = raw.execute("PRAGMA page_size").fetchone()
        wanted = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = raw.execute(wanted, (table,)).fetchone()
    return (page - 1) * size, size


def overwrite(file: Path, at: int, content: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(content)


@pytest.mark.parametrize("table", [name for name in WAYS if name != "counters"])
def test_a_table_that_was_overwritten_is_told_and_the_others_are_there(
    filled: Path, tmp_path: Path, table: str
):
    file = Path(shutil.copy(filled, tmp_path))
    at, size = root_page(file, table)
    overwrite(file, at, random.Random(1).randbytes(size))
    journal = Journal.open(f"sqlite:///{file}")
    for name, way in WAYS.items():
        if name != table:
            way(journal)
            continue
        with pytest.raises(JournalError) as caught:
            way(journal)
        assert str(caught.value).startswith(f"{file}: the journal cannot be read or written (")
        assert str(caught.value).endswith(DAMAGED)
    journal.close()


def test_a_file_damaged_anywhere_never_costs_more_than_an_error_of_the_journal(
    filled: Path, tmp_path: Path
):
    whole, dice, told = filled.read_bytes(), random.Random(2), set[str]()
    for number in range(80):
        file, at = tmp_path / f"{number}.db", dice.randrange(4096, len(whole))
        file.write_bytes(whole)
        overwrite(file, at, dice.choice((dice.randbytes, bytes))(dice.choice((16, 512, 4096))))
        if number % 4 == 0:
            os.truncate(file, at)
        for way in WAYS.values():
            try:
                journal = Journal.open(f"sqlite:///{file}")
                way(journal)
                journal.close()
            except JournalError as error:
                told.add(str(error).removeprefix(f"{file}: "))
                assert str(error).startswith(f"{file}: ") or "'approved'" in str(error)
    assert any(line.endswith(DAMAGED) for line in told)


@contextmanager
def told_at_connecting(pragma: str) -> Iterator[None]:
    """Let every connection to a database that is made meanwhile begin with a PRAGMA."""

    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA {pragma}")

    sql.event.listen(sql.Engine, "connect", connect)
    try:
        yield
    finally:
        sql.event.remove(sql.Engine, "connect", connect)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index over one page."""
    folder = tmp_path_factory.mktemp("one page")
    indexed(write(folder / "pages", {"a.md": MARKDOWN}), folder / "data")
    return folder / "data"


@pytest.fixture
def assistant(data: Path, filled: Path, tmp_path: Path) -> Assistant:
    """An assistant over that page, whose journal a test may break."""
    file = shutil.copy(filled, tmp_path / "journal.db")
    chosen = IndexSettings(data=data, model=FAKE_MODEL)
    unlimited = Limits(asks_per_minute=0, ratings_per_minute=0)
    kept = JournalSettings(url=f"sqlite:///{file}")
    return Assistant.open(Settings(index=chosen, journal=kept, limits=unlimited))


def damage(file: Path) -> None:
    """Overwrite what a visitor's rating and question, and an answer to it, go through."""
    for table in ("feedback", "gaps", "approved"):
        at, size = root_page(file, table)
        overwrite(file, at, random.Random(1).randbytes(size))


FAULTS = {
    "full": ("max_page_count=1", "database or disk is full", "free space on its disk"),
    "read-only": (
        "query_only=ON", "attempt to write a readonly database",
        "see that the file and its folder may be written"),
    "damaged": ("", "database disk image is malformed", DAMAGED),
}  # fmt: skip


@pytest.fixture(params=FAULTS)
def broken(
    request: pytest.FixtureRequest, assistant: Assistant, tmp_path: Path
) -> Iterator[tuple[TestClient, str]]:
    """A client of a server whose journal cannot keep anything, and what is to be said of it."""
    pragma, why, remedy = FAULTS[request.param]
    if not pragma:
        damage(tmp_path / "journal.db")
    with (
        told_at_connecting(pragma) if pragma else nullcontext(),
        TestClient(application(assistant)) as client,
    ):
        said = f"the journal cannot be read or written ({why}); {remedy}"
        yield client, f"{tmp_path / 'journal.db'}: {said}"


def lines(caplog: pytest.LogCaptureFixture, *names: str) -> list[tuple[int, str]]:
    return [(one.levelno, one.message) for one in caplog.records if one.name in names]


def test_a_rating_that_cannot_be_kept_is_not_acknowledged_and_told_in_one_line(
    broken: tuple[TestClient, str], caplog: pytest.LogCaptureFixture
):
    client, why = broken
    rating = {"helpful": False, "kind": "refusal", "question": "heel " * 90}
    for _ in range(100):  # there may be room for some
        caplog.clear()
        said = client.post("/api/v1/feedback", json=rating)
        if said.status_code != 204:
            break
    assert (said.status_code, said.headers["Retry-After"]) == (503, "10")
    assert said.json() == {"detail": "This cannot be kept at the moment."}
    assert lines(caplog, "bot.web.api") == [(logging.ERROR, f"a rating was not kept: {why}")]


ASKED = {
    "Does my heel hurt most in the morning?": "answer",
    "Do you repair bicycles?": "refusal",
    "crushing chest pain, I can't breathe": "emergency",
}


def test_a_visitor_is_answered_and_refused_as_ever(
    broken: tuple[TestClient, str], caplog: pytest.LogCaptureFixture
):
    client, why = broken
    told = []
    for _ in range(100):  # there may be room for some
        caplog.clear()
        for question, kind in ASKED.items():
            said = client.post("/api/v1/ask", json={"question": question})
            assert (said.status_code, said.json()["kind"]) == (200, kind)
        told = lines(caplog, "bot.recorder")
        if told:
            break
    assert told == [(logging.WARNING, f"a question without an answer was not kept: {why}")]
    assert lines(caplog, "bot.web.api") == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    opened = Journal.open(f"sqlite:///{tmp_path / 'kept.db'}", clock)
    yield opened
    opened.close()


LONGEST_S, SKEW_S = 3600, 300


@pytest.fixture(scope="module")
def of_sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Clock]]:
    """A journal for many examples, and its clock."""
    clock = Clock()
    file = tmp_path_factory.mktemp("sessions") / "journal.db"
    opened = Journal.open(f"sqlite:///{file}", clock)
    yield opened, clock
    opened.close()


_YEARS_S = 10 * 365 * 86400
_tokens = count()


@given(st.integers(0, 7200), st.integers(-_YEARS_S, _YEARS_S), st.integers(0, 2 * 86400))
@example(1800, -1800, LONGEST_S - 1)
@example(1800, -1800, LONGEST_S)
@example(0, -SKEW_S - 1, 0)
@example(0, -86400, 86400 - SKEW_S - 1)
def test_whenever_the_clock_jumps_no_session_outlives_the_longest_from_then_on(
    of_sessions: tuple[Journal, Clock], before: int, jump: int, after: int
):
    journal, clock = of_sessions
    clock.at, token = Clock().at, f"{next(_tokens):064}"
    journal.start_session(token, "csrf", clock.at.timestamp() + LONGEST_S)
    clock.at += timedelta(seconds=before + jump + after)
    alive = journal.session(token, LONGEST_S) is not None
    journal.end_session(token)
    passed = before + jump + after  # by the clock
    if before + jump < -SKEW_S:
        assert not alive or passed >= -SKEW_S  # the clock has caught up with it
    else:
        assert alive == (passed < LONGEST_S)
        assert not alive or after < LONGEST_S + SKEW_S


def test_a_session_of_a_clock_that_was_ahead_is_over_when_it_is_put_right(
    journal: Journal, clock: Clock
):
    clock.at += timedelta(days=2)
    journal.start_session("a" * 64, "csrf", clock.at.timestamp() + LONGEST_S)
    clock.at -= timedelta(days=2)
    assert journal.session("a" * 64, LONGEST_S) is None


def test_a_session_of_a_clock_that_was_ahead_does_not_come_to_life_once_it_was_swept(
    journal: Journal, clock: Clock
):
    clock.at += timedelta(days=3)
    journal.start_session("a" * 64, "csrf", clock.at.timestamp() + LONGEST_S)
    clock.at -= timedelta(days=3)
    journal.expire(90)
    clock.at += timedelta(days=3)
    assert journal.session("a" * 64, LONGEST_S) is None


def test_a_session_that_ended_by_a_clock_ahead_does_not_come_back_once_it_was_swept(
    journal: Journal, clock: Clock
):
    journal.start_session("a" * 64, "csrf", clock.at.timestamp() + LONGEST_S)
    clock.at += timedelta(days=400)
    assert journal.session("a" * 64, LONGEST_S) is None
    journal.expire(90)
    clock.at -= timedelta(days=400)
    assert journal.session("a" * 64, LONGEST_S) is None


@pytest.mark.parametrize("days", [31, 400, 20_000])
def test_a_clock_that_jumps_and_is_put_right_on_the_same_day_loses_nothing(
    journal: Journal, clock: Clock, days: int, caplog: pytest.LogCaptureFixture
):
    fill(journal)
    journal.expire(90)
    clock.at += timedelta(days=days)
    journal.expire(90)
    fill(journal)
    assert "if the clock is wrong, put it right today" in caplog.text
    clock.at -= timedelta(days=days)
    journal.expire(90)
    assert counts(journal) == {"feedback": 2, "gaps": 2, "approved": 1, "marks": 2}
    assert {one.day for one in (*journal.feedback(), *journal.gaps())} == {"2026-05-01"}


def test_a_clock_left_ahead_for_days_costs_ratings_and_gaps_and_never_what_staff_made(
    journal: Journal, clock: Clock
):
    fill(journal)
    journal.expire(90)
    for _ in range(3):
        clock.at += timedelta(days=400)
        journal.expire(90)
        clock.at += timedelta(days=1)
        journal.expire(90)
    assert counts(journal) == {"feedback": 0, "gaps": 0, "approved": 1, "marks": 1}
    clock.at = Clock().at
    journal.expire(90)
    assert [one.created for one in journal.approved()] == ["2026-05-01"]
    assert [one.day for one in journal.marks()] == ["2026-05-01"]


def fill(journal: Journal) -> None:
    journal.add_feedback(FEEDBACK)
    journal.add_gap(GAP)
    journal.approve(APPROVED)
    journal.add_mark(MARK)


def counts(journal: Journal) -> dict[str, int]:
    kept = (journal.feedback(), journal.gaps(), journal.approved(), journal.marks())
    return dict(zip(("feedback", "gaps", "approved", "marks"), map(len, kept), strict=True))


def test_an_approved_answer_out_of_date_by_a_clock_ahead_is_served_again_when_it_is_put_right(
    data: Path, journal: Journal, clock: Clock
):
    retriever = Retriever(data, HashEncoder(), IndexSettings())
    chunk = retriever.generation.chunks[0]
    rests = (Rests(chunk.document.id, chunk.id, chunk.text),)
    question = "Does my heel hurt most in the morning?"
    journal.approve(Approved(question, (ApprovedSentence("Yes.", rests),), "2027-01-31"))
    answers = ApprovedAnswers(journal, retriever, lambda: clock.at.date())
    served = []
    for jump in (0, 400, -400, -400, 400):
        clock.at += timedelta(days=jump)
        journal.expire(90)
        served.append(answers.find(question) is not None)
    assert served == [True, False, True, True, True]
