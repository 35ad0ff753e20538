"""What only a server can do to a journal: be down, begin anew, crash, take its time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from threading import Thread

import pytest
import sqlalchemy as sql
from postgres_server import PostgresServer
from servers import free_port
from test_bot_journal import GAP

from bot import schema
from bot.journal import Journal, JournalError

WRITERS = 3


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer(durable=True) as server:
        yield server


def test_a_database_that_was_restarted_is_asked_again(postgres: PostgresServer):
    journal = Journal.open(postgres.new_database("restarted"))
    journal.add_gap(GAP)
    postgres.restart()
    assert [g.words for g in journal.gaps()] == [GAP.words]
    journal.close()


def test_a_database_that_is_down_says_so_without_its_password(postgres: PostgresServer):
    url = f"postgresql+psycopg://clinic:secret@127.0.0.1:{free_port()}/journal"
    with pytest.raises(JournalError, match="cannot be read or written") as raised:
        Journal.open(url)
    assert "secret" not in str(raised.value)


def test_what_was_acknowledged_before_a_crash_of_the_server_is_there_after_it(
    postgres: PostgresServer,
):
    journal = Journal.open(postgres.new_database("crashed"))
    acknowledged: list[str] = []

    def write(writer: int) -> None:
        number = 0
        while True:
            number += 1
            try:
                journal.add_gap(replace(GAP, words=f"{writer} {number}"))
            except JournalError:
                return
            acknowledged.append(f"{writer} {number}")

    for crash in range(3):
        before = len(acknowledged)
        writers = [Thread(target=write, args=(crash * WRITERS + n,)) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        while len(acknowledged) < before + 50 and writers[0].is_alive():
            writers[0].join(0.005)
        postgres.stop(signal.SIGQUIT)  # without a checkpoint: it recovers from its log
        for writer in writers:
            writer.join()
        postgres.restart()
        kept = [gap.words for gap in journal.gaps(limit=1_000_000)]
        assert set(acknowledged) <= set(kept) and len(kept) == len(set(kept))
        assert len(kept) <= len(acknowledged) + (crash + 1) * WRITERS
    assert len(acknowledged) >= 150
    journal.close()


def test_an_upgrade_may_take_longer_than_a_visitor_waits_and_says_who_makes_the_copy(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    url = postgres.new_database("upgraded")
    url += "?options=-c%20statement_timeout%3D200"
    Journal.open(url).close()
    monkeypatch.setattr(schema, "SCHEMA", 2)
    monkeypatch.setattr(schema, "UPGRADES", {2: ("SELECT pg_sleep(0.5)",)})
    journal = Journal.open(url)
    assert "the operator's to make beforehand, by pg_dump" in caplog.text
    with pytest.raises(JournalError, match="statement timeout"), journal._begin() as connection:
        connection.execute(sql.text("SELECT pg_sleep(0.5)"))
    journal.close()


def test_a_server_that_only_reads_is_named_as_such(postgres: PostgresServer):
    url = postgres.new_database("copy")
    Journal.open(url).close()
    journal = Journal.open(f"{url}?options=-c%20default_transaction_read_only%3Don")
    assert journal.gaps() == []
    with pytest.raises(JournalError, match="this server takes no writes: name the one that does"):
        journal.add_gap(GAP)
    journal.close()
