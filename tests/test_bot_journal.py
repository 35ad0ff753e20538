from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sql
from postgres_server import PostgresServer

from bot import schema
from bot.journal import (
    Approved,
    ApprovedSentence,
    Feedback,
    Gap,
    Journal,
    JournalError,
    Mark,
    Rests,
    Session,
)

FEEDBACK = Feedback(False, "unclear", "answer", ("corpus/a.md", "corpus/b.md"), "does it …", "")
GAP = Gap("does cupping help …", "refusal", "en", "corpus/treatments/cupping.md")
RESTS = Rests("corpus/a.md", "c1", "Cups leave marks.")
APPROVED = Approved(
    "Do cups leave marks?", (ApprovedSentence("Yes, for a week.", (RESTS,)),), "2027-01-31"
)
MARK = Mark("Does it hurt?", True, "answer", ("corpus/a.md",), ("a brief ache",), "good")


_numbers = count()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 23, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


@pytest.fixture
def in_file(file: str) -> Iterator[Journal]:
    opened = Journal.open(file)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, file: str) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return file
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database(f"journal {next(_numbers)}")


@pytest.fixture
def journal(url: str, clock: Clock) -> Iterator[Journal]:
    opened = Journal.open(url, clock)
    yield opened
    opened.close()


def test_feedback_comes_back_as_it_was_given_newest_first(journal: Journal):
    first = journal.add_feedback(FEEDBACK)
    second = journal.add_feedback(replace(FEEDBACK, helpful=True, day="2026-04-30"))
    assert journal.feedback() == [
        replace(FEEDBACK, helpful=True, day="2026-04-30", id=second),
        replace(FEEDBACK, day="2026-05-01", id=first),
    ]
    assert [f.id for f in journal.feedback(limit=1)] == [second]


def test_gaps_are_kept_until_they_are_dealt_with(journal: Journal):
    one, other = journal.add_gap(GAP), journal.add_gap(replace(GAP, near=""))
    assert [g.near for g in journal.gaps()] == ["", GAP.near]
    journal.forget_gaps([one, 999])
    assert journal.gaps() == [replace(GAP, near="", day="2026-05-01", id=other)]
    journal.forget_gaps([])
    assert len(journal.gaps()) == 1


def test_marks_are_kept_until_they_are_dropped(journal: Journal):
    number = journal.add_mark(MARK)
    assert journal.marks() == [replace(MARK, day="2026-05-01", id=number)]
    journal.drop_mark(number)
    assert journal.marks() == []


def test_an_approved_answer_comes_back_whole(journal: Journal):
    number = journal.approve(APPROVED)
    assert journal.approved() == [replace(APPROVED, created="2026-05-01", id=number)]


def test_an_approved_answer_takes_the_place_of_the_one_it_replaces(journal: Journal):
    old = journal.approve(APPROVED)
    other = journal.approve(replace(APPROVED, question="Do cups hurt?"))
    new = journal.approve(replace(APPROVED, expires="2028-01-31"), replaces=old)
    assert [(a.id, a.expires) for a in journal.approved()] == [
        (new, "2028-01-31"), (other, "2027-01-31"),
    ]  # fmt: skip


def test_a_question_has_one_approved_answer(journal: Journal):
    journal.approve(replace(APPROVED, expires="2030-01-31"))
    new = journal.approve(APPROVED)
    assert [a.id for a in journal.approved()] == [new], "the old one must not come back later"


def test_a_session_that_was_ended_is_not_revived_by_a_late_request(journal: Journal, clock: Clock):
    end = clock.at.timestamp() + 60
    journal.start_session("a" * 64, "token", end)
    journal.extend_session("a" * 64, end + 60)
    assert journal.session("a" * 64) == Session("a" * 64, "token", end + 60)
    journal.end_session("a" * 64)
    journal.extend_session("a" * 64, end + 120)
    assert journal.session("a" * 64) is None


def test_the_number_of_a_withdrawn_answer_is_never_given_again(journal: Journal):
    number = journal.approve(APPROVED)
    journal.withdraw(number)
    assert journal.approved() == []
    assert journal.approve(APPROVED) > number


def test_the_approved_version_grows_with_every_change_by_any_process(journal: Journal, url: str):
    seen = [journal.approved_version]
    elsewhere = Journal.open(url)
    number = elsewhere.approve(APPROVED)
    seen.append(journal.approved_version)
    elsewhere.withdraw(number)
    elsewhere.close()
    seen.append(journal.approved_version)
    journal.add_gap(GAP)
    assert seen == sorted(set(seen)) and journal.approved_version == seen[-1]


def test_a_sentence_is_approved_with_words_and_a_quote_or_not_at_all():
    with pytest.raises(ValueError, match="Yes"):
        ApprovedSentence("Yes.", ())
    with pytest.raises(ValueError, match="without words"):
        ApprovedSentence(" ", (RESTS,))


def test_a_session_lives_until_it_expires_or_is_ended(journal: Journal, clock: Clock):
    end = clock.at.timestamp() + 60
    journal.start_session("a" * 64, "token", end)
    journal.start_session("b" * 64, "other", end)
    assert journal.session("a" * 64) == Session("a" * 64, "token", end)
    assert journal.session("c" * 64) is None
    journal.end_session("b" * 64)
    assert journal.session("b" * 64) is None
    clock.at += timedelta(seconds=60)
    assert journal.session("a" * 64) is None


def test_what_is_too_old_goes_and_the_last_day_to_keep_stays(journal: Journal, clock: Clock):
    for day in ("2026-01-30", "2026-01-31"):  # 91 and 90 days before 1 May
        journal.add_gap(replace(GAP, day=day))
        journal.add_feedback(replace(FEEDBACK, day=day))
    journal.start_session("a" * 64, "dead", clock.at.timestamp() - 1)
    journal.start_session("b" * 64, "alive", clock.at.timestamp() + 1)
    journal.approve(replace(APPROVED, created="2020-01-01"))
    journal.add_mark(replace(MARK, day="2020-01-01"))
    assert journal.expire(90) == 3
    assert [g.day for g in journal.gaps()] == ["2026-01-31"]
    assert [f.day for f in journal.feedback()] == ["2026-01-31"]
    assert journal.session("b" * 64)
    assert len(journal.approved()) == len(journal.marks()) == 1
    assert journal.expire(90) == 0


def test_a_day_is_that_of_utc_wherever_the_clinic_is(url: str):
    evening = datetime(2026, 5, 1, 20, 0, tzinfo=timezone(timedelta(hours=-7)))
    journal = Journal.open(url, lambda: evening)
    journal.add_gap(GAP)
    assert [g.day for g in journal.gaps()] == ["2026-05-02"]
    journal.close()


def test_nothing_kept_of_a_visitor_tells_the_time(in_file: Journal, tmp_path: Path):
    in_file.add_gap(GAP)
    in_file.add_feedback(FEEDBACK)
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        kept = [*raw.execute("SELECT * FROM gaps"), *raw.execute("SELECT * FROM feedback")]
    raw.close()
    assert not [value for row in kept for value in row if ":" in str(value)]


def test_what_was_kept_is_there_when_it_is_opened_again(url: str, journal: Journal):
    journal.add_gap(GAP)
    journal.approve(APPROVED)
    version = journal.approved_version
    journal.close()
    again = Journal.open(url)
    assert len(again.gaps()) == len(again.approved()) == 1
    assert again.approved_version == version
    again.close()


def test_a_write_is_on_disk_when_it_returns(tmp_path: Path, file: str):
    code = (
        "import os, sys\n"
        "from bot.journal import Gap, Journal\n"
        f"Journal.open({file!r}).add_gap(Gap('a', 'refusal', 'en', ''))\n"
        "os._exit(1)\n"  # as if the machine had been switched off
    )
    root = Path(__file__).parent.parent
    killed = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert killed.returncode == 1 and not killed.stderr
    journal = Journal.open(file)
    assert [g.words for g in journal.gaps()] == ["a"]
    with journal._engine.connect() as connection:
        said = [connection.execute(sql.text(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous")]  # fmt: skip
    assert said == ["wal", 2]
    journal.close()


def test_many_threads_may_write_and_open_at_once(url: str):
    def one(number: int) -> None:
        opened = Journal.open(url)
        opened.add_gap(replace(GAP, words=str(number)))
        opened.approve(APPROVED)
        opened.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(12)))
    journal = Journal.open(url)
    assert {g.words for g in journal.gaps()} == {str(n) for n in range(12)}
    assert journal.approved_version == 12
    journal.close()


def test_processes_that_find_an_empty_database_make_it_together(url: str):
    code = (
        "import sys\n"
        "from bot.journal import Gap, Journal\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        f"Journal.open({url!r}).add_gap(Gap('a', 'refusal', 'en', ''))\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in started:
        assert process.stdout and process.stdout.readline() == "ready\n"
    said = [process.communicate("go\n", timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    journal = Journal.open(url)
    assert len(journal.gaps()) == 3
    journal.close()


def test_only_the_owner_may_read_the_file(in_file: Journal, tmp_path: Path):
    in_file.add_gap(GAP)
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("journal.db*")}
    assert modes and not any(modes.values())


def test_the_folder_is_made_if_it_is_not_there(tmp_path: Path):
    Journal.open(f"sqlite:///{tmp_path / 'new' / 'data' / 'journal.db'}").close()
    assert (tmp_path / "new" / "data" / "journal.db").exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "in memory forgets everything"),
        ("sqlite:///:memory:", "in memory forgets everything"),
        ("oracle+nothing://host/x", "install the database's driver"),
        ("no url at all", "leave it empty"),
        (
            "sqlite:////dev/null/journal.db",
            r"/dev/null/journal\.db: .*the file and its folder may be written",
        ),
    ],
)
def test_an_address_that_cannot_be_used_is_an_error_that_says_what_to_do(url: str, says: str):
    with pytest.raises(JournalError, match=says):
        Journal.open(url)


def test_a_file_that_is_no_journal_is_named_and_left_as_it_is(tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database, just the notes of someone who cares" * 40)
    before = file.read_bytes()
    with pytest.raises(JournalError, match=r"notes\.txt.*name another in journal\.url"):
        Journal.open(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_write_that_fails_says_where_and_what_to_do(in_file: Journal, tmp_path: Path):
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("DROP TABLE gaps")
    raw.close()
    with pytest.raises(JournalError, match=r"journal\.db: .*no such table.*check that the disk"):
        in_file.add_gap(GAP)


def test_words_that_are_no_text_are_refused_as_an_error_of_the_journal(journal: Journal):
    with pytest.raises(JournalError, match="surrogates not allowed"):
        journal.add_gap(replace(GAP, words="\ud800"))
    journal.add_gap(GAP)
    assert len(journal.gaps()) == 1


@pytest.mark.parametrize("column", ["", "3", '["a', '{"text": 1}'])
def test_a_row_that_damage_made_unreadable_is_an_error_of_the_journal(
    in_file: Journal, tmp_path: Path, column: str
):
    in_file.add_feedback(FEEDBACK)
    in_file.approve(APPROVED)
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("UPDATE feedback SET pages = ?", (column.replace("{", "["),))
        raw.execute("UPDATE approved SET sentences = ?", (column,))
    raw.close()
    for read in (in_file.feedback, in_file.approved):
        with pytest.raises(JournalError):
            read()


def test_a_row_that_cannot_be_read_is_not_quoted(in_file: Journal, tmp_path: Path):
    in_file.add_gap(replace(GAP, words="Xenophilius asks"))
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("UPDATE gaps SET words = CAST(CAST(words AS BLOB) || x'ff' AS TEXT)")
    raw.close()
    with pytest.raises(JournalError, match="the file is damaged: .* backup") as raised:
        in_file.gaps()
    assert "Xenophilius" not in str(raised.value)


def test_a_name_that_damage_made_unreadable_is_an_error_of_the_journal(
    in_file: Journal, file: str, tmp_path: Path
):
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT) WHERE name = 'marks'")
    raw.close()
    with pytest.raises(JournalError, match="the file is damaged"):
        Journal.open(file)


def test_a_password_in_the_address_is_not_shown():
    place = schema.place(sql.make_url("postgresql://clinic:secret@db/journal"))
    assert "db/journal" in place and "secret" not in place


def test_a_journal_of_a_later_version_is_left_alone(url: str, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as later:
        later.setattr(schema, "SCHEMA", schema.SCHEMA + 1)
        Journal.open(url).close()
    with pytest.raises(JournalError, match="has version 2.*update Citewell"):
        Journal.open(url)


def test_an_older_journal_is_upgraded_once_and_keeps_what_it_holds(
    journal: Journal, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    journal.add_gap(GAP)
    _later(monkeypatch, "ALTER TABLE gaps ADD COLUMN topic TEXT")
    for _ in range(2):
        newer = Journal.open(url)
        assert [g.words for g in newer.gaps()] == [GAP.words]
        newer.close()
    assert caplog.text.count("upgraded to version 2") == 1


def test_processes_that_upgrade_at_once_do_it_once(
    journal: Journal, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    _later(monkeypatch, "ALTER TABLE gaps ADD COLUMN topic TEXT")
    with ThreadPoolExecutor(4) as pool:
        for opened in pool.map(lambda _: Journal.open(url), range(4)):
            opened.close()
    assert caplog.text.count("upgraded to version 2") == 1


def test_a_file_is_copied_before_it_is_upgraded(
    file: str, in_file: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    in_file.add_gap(GAP)
    with monkeypatch.context() as later:
        _later(later, "DELETE FROM gaps")
        newer = Journal.open(file)
        assert newer.gaps() == []
        newer.close()
    copied = tmp_path / "journal.db.before-2"
    assert copied.stat().st_mode & 0o077 == 0
    before = Journal.open(f"sqlite:///{copied}")
    assert [g.words for g in before.gaps()] == [GAP.words]
    before.close()


def test_an_upgrade_that_fails_leaves_the_journal_as_it_was(
    journal: Journal, url: str, monkeypatch: pytest.MonkeyPatch
):
    journal.add_gap(GAP)
    with monkeypatch.context() as later:
        _later(
            later, "ALTER TABLE gaps RENAME COLUMN near TO far", "DROP TABLE nothing_of_the_kind"
        )
        with pytest.raises(JournalError, match="nothing_of_the_kind"):
            Journal.open(url)
    again = Journal.open(url)
    assert [g.near for g in again.gaps()] == [GAP.near]
    again.close()


def _later(monkeypatch: pytest.MonkeyPatch, *statements: str) -> None:
    monkeypatch.setattr(schema, "SCHEMA", 2)
    monkeypatch.setattr(schema, "UPGRADES", {2: statements})
