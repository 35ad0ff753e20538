"""What is kept between visits: feedback, gaps, approved answers, marks, sessions.

Every write is on disk before it returns. Days are kept, never times,
so that nobody can be told by when they wrote; a session's end is the one exception.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from bot import schema
from bot.records import Approved, ApprovedSentence, Feedback, Gap, Mark, Rests, Session
from bot.schema import JournalError

__all__ = [
    "Approved", "ApprovedSentence", "Feedback", "Gap", "Journal", "JournalError", "Mark", "Rests",
    "Session",
]  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """The database. Safe to share between threads, and between processes."""

    def __init__(self, engine: sql.Engine, now: Callable[[], datetime] = _now) -> None:
        """Keep in `engine`, whose tables are there: see `open`."""
        self._engine = engine
        self._now = now
        self._place = schema.place(engine.url)

    @classmethod
    def open(cls, url: str, now: Callable[[], datetime] = _now) -> Journal:
        """Open the journal at a SQLAlchemy URL; make or upgrade its tables. Raises JournalError."""
        engine = schema.engine_at(url)
        try:
            schema.make(engine)
        except JournalError:
            engine.dispose()
            raise
        except SQLAlchemyError as error:
            engine.dispose()
            raise JournalError(_explain(schema.place(engine.url), error)) from error
        return cls(engine, now)

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    def add_feedback(self, feedback: Feedback) -> int:
        """Keep one rating; return its number."""
        return self._add(schema.feedback, feedback, "day")

    def feedback(self, *, limit: int = 500) -> list[Feedback]:
        """Return the ratings, newest first."""
        return [
            Feedback(r.helpful, r.reason, r.kind, tuple(r.pages), r.words, r.day, r.id)
            for r in self._rows(schema.feedback, limit)
        ]

    def add_gap(self, gap: Gap) -> int:
        """Keep one question without an answer; return its number."""
        return self._add(schema.gaps, gap, "day")

    def gaps(self, *, limit: int = 1000) -> list[Gap]:
        """Return the questions without an answer, newest first."""
        return [
            Gap(r.words, r.kind, r.lang, r.near, r.day, r.id)
            for r in self._rows(schema.gaps, limit)
        ]

    def forget_gaps(self, ids: Sequence[int]) -> None:
        """Delete the gaps with these numbers: they are dealt with."""
        with self._begin() as connection:
            connection.execute(sql.delete(schema.gaps).where(schema.gaps.c.id.in_(list(ids))))

    def approve(self, answer: Approved, replaces: int = 0) -> int:
        """Keep an approved answer, alone for its question and for the one it replaces."""
        values = asdict(answer) | {"created": answer.created or self._today()}
        del values["id"]
        with self._begin() as connection:
            old = (schema.approved.c.id == replaces) | (
                schema.approved.c.question == answer.question
            )
            connection.execute(sql.delete(schema.approved).where(old))
            number = _number(connection.execute(sql.insert(schema.approved).values(**values)))
            _count_up(connection)
        return number

    def approved(self) -> list[Approved]:
        """Return the approved answers, newest first: those that are out of date too."""
        return [
            Approved(r.question, _sentences(r.sentences), r.expires, r.created, r.id)
            for r in self._rows(schema.approved)
        ]

    def withdraw(self, number: int) -> None:
        """Delete an approved answer."""
        with self._begin() as connection:
            connection.execute(sql.delete(schema.approved).where(schema.approved.c.id == number))
            _count_up(connection)

    @property
    def approved_version(self) -> int:
        """A number that grows whenever an answer is approved or withdrawn, by any process."""
        version = schema.counters.c.name == "approved"
        with self._begin() as connection:
            return int(
                connection.execute(sql.select(schema.counters.c.value).where(version)).scalar_one()
            )

    def add_mark(self, mark: Mark) -> int:
        """Keep one verdict; return its number."""
        return self._add(schema.marks, mark, "day")

    def marks(self) -> list[Mark]:
        """Return the verdicts, newest first."""
        return [
            Mark(r.question, r.right, r.kind, tuple(r.pages), tuple(r.facts), r.note, r.day, r.id)
            for r in self._rows(schema.marks)
        ]

    def drop_mark(self, number: int) -> None:
        """Delete one verdict."""
        with self._begin() as connection:
            connection.execute(sql.delete(schema.marks).where(schema.marks.c.id == number))

    def start_session(self, token_sha256: str, csrf: str, expires: float) -> None:
        """Keep a session by the hash of its token: who reads the journal cannot take it over."""
        values = {"token_sha256": token_sha256, "csrf": csrf, "expires": expires}
        with self._begin() as connection:
            connection.execute(sql.insert(schema.sessions).values(**values))

    def extend_session(self, token_sha256: str, expires: float) -> None:
        """Let a session end later; one that was ended meanwhile stays so."""
        same = schema.sessions.c.token_sha256 == token_sha256
        with self._begin() as connection:
            connection.execute(sql.update(schema.sessions).where(same).values(expires=expires))

    def session(self, token_sha256: str) -> Session | None:
        """Return the session with this token, unless it has ended."""
        alive = schema.sessions.c.expires > self._now().timestamp()
        wanted = sql.select(schema.sessions).where(
            schema.sessions.c.token_sha256 == token_sha256, alive
        )
        with self._begin() as connection:
            row = connection.execute(wanted).one_or_none()
        return Session(row.token_sha256, row.csrf, row.expires) if row else None

    def end_session(self, token_sha256: str) -> None:
        """Delete a session."""
        with self._begin() as connection:
            connection.execute(
                sql.delete(schema.sessions).where(schema.sessions.c.token_sha256 == token_sha256)
            )

    def expire(self, keep_days: int) -> int:
        """Delete gaps and feedback older than that, and ended sessions, to the last byte.

        Return how many. Where another program reads, the write-ahead log waits for the next time.
        """
        oldest = (self._now().astimezone(UTC) - timedelta(days=keep_days)).date().isoformat()
        with self._begin() as connection:
            gone = sum(
                connection.execute(sql.delete(table).where(old)).rowcount
                for table, old in (
                    (schema.feedback, schema.feedback.c.day < oldest),
                    (schema.gaps, schema.gaps.c.day < oldest),
                    (schema.sessions, schema.sessions.c.expires <= self._now().timestamp()),
                )
            )
        if self._engine.dialect.name == "sqlite":
            self._empty_log()  # the file is overwritten, its log is not
        return gone

    def _empty_log(self) -> None:
        """Move SQLite's write-ahead log into the file; no transaction may be open then."""
        try:
            with closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise JournalError(_explain(self._place, error)) from error

    def _today(self) -> str:
        return self._now().astimezone(UTC).date().isoformat()

    def _add(self, table: sql.Table, record: Feedback | Gap | Mark, day: str) -> int:
        values = asdict(record) | {day: getattr(record, day) or self._today()}
        del values["id"]
        with self._begin() as connection:
            return _number(connection.execute(sql.insert(table).values(**values)))

    def _rows(self, table: sql.Table, limit: int | None = None) -> Sequence[sql.Row[Any]]:
        newest_first = sql.select(table).order_by(table.c.id.desc()).limit(limit)
        with self._begin() as connection:
            return connection.execute(newest_first).all()

    @contextmanager
    def _begin(self) -> Iterator[sql.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OverflowError) as error:
            raise JournalError(_explain(self._place, error)) from error


def _explain(place: str, error: Exception) -> str:
    reason = getattr(error, "orig", None) or error
    return (
        f"{place}: the journal cannot be read or written ({reason}); check that the disk is not "
        "full, that the file may be written and is a journal, or name another in journal.url"
    )


def _count_up(connection: sql.Connection) -> None:
    version = schema.counters.c.name == "approved"
    connection.execute(
        sql.update(schema.counters).where(version).values(value=schema.counters.c.value + 1)
    )


def _number(result: sql.CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    return int(key[0]) if key else 0


def _sentences(kept: Sequence[dict[str, Any]]) -> tuple[ApprovedSentence, ...]:
    try:
        return tuple(
            ApprovedSentence(one["text"], tuple(Rests(**rests) for rests in one["rests"]))
            for one in kept
        )
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"an approved answer cannot be read ({error!r}): withdraw it") from error
