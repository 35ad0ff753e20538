"""What is kept between visits: feedback, gaps, approved answers, marks, sessions.

Every write is on disk before it returns. Days are kept, never times, so that nobody can be told by
when they wrote; a session's end is the one exception.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sql
from sqlalchemy.exc import NoResultFound, SQLAlchemyError

from bot import schema
from bot.records import Approved, ApprovedSentence, Feedback, Gap, Mark, Rests, Session
from bot.schema import JournalError

__all__ = [
    "Approved", "ApprovedSentence", "Feedback", "Gap", "Journal", "JournalError", "Mark", "Rests",
    "Session",
]  # fmt: skip

_log = logging.getLogger(__name__)
_Record = TypeVar("_Record")

_LONGEST_SESSION_S = 24 * 3600
_SKEW_S = 300
"""How far the clocks of two processes may differ, or one clock be put back, unnoticed."""
_LEAP_DAYS = 30
"""A clock further ahead than this since the last expiry is believed only the day after."""
_REMEDIES = {
    "SQLITE_FULL": "free space on its disk",
    "SQLITE_IOERR": "free space on its disk, and look whether the disk fails",
    "SQLITE_READONLY": "see that the file and its folder may be written",
    "SQLITE_CANTOPEN": "see that the file is there and that it and its folder may be written",
    "SQLITE_CORRUPT": "the file is damaged: stop Citewell, then put the last backup in its place, "
    "or move the file away to begin a new one",
    "SQLITE_NOTADB": "this file is no journal: name another in journal.url",
    "SQLITE_BUSY": "another program holds the file: end that, or copy it with sqlite3's .backup",
    "53100": "free space on the server's disk",
    "25006": "this server takes no writes: name the one that does in journal.url",
}
"""How SQLite's name of an error begins, or PostgreSQL's code of it -> what to do about it."""
_DAMAGE = (UnicodeDecodeError, json.JSONDecodeError, TypeError, NoResultFound)
"""What reading raises where a row, or a name, is not as it was written."""
_REMEDY = (
    "check that the disk is not full, that the file may be written and is a journal, or name "
    "another in journal.url"
)


def _now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """The database. Safe to share between threads, and between processes."""

    def __init__(self, engine: sql.Engine, now: Callable[[], datetime] = _now) -> None:
        """Keep in `engine`, whose tables are there: see `open`."""
        self._engine = engine
        self._now = now
        self._place = schema.place(engine.url)
        self.changes = 0
        """How often this very journal approved or withdrew an answer: costs no query."""

    @classmethod
    def open(cls, url: str, now: Callable[[], datetime] = _now) -> Journal:
        """Open the journal at a SQLAlchemy URL; make or upgrade its tables. Raises JournalError."""
        engine = schema.engine_at(url)
        try:
            schema.make(engine)
        except JournalError:
            engine.dispose()
            raise
        except (SQLAlchemyError, ValueError) as error:  # the last: names that damage left
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
        return self._read(
            schema.feedback, limit,
            lambda r: Feedback(r.helpful, r.reason, r.kind, tuple(r.pages), r.words, r.day, r.id),
        )  # fmt: skip

    def add_gap(self, gap: Gap) -> int:
        """Keep one question without an answer; return its number."""
        return self._add(schema.gaps, gap, "day")

    def gaps(self, *, limit: int = 1000) -> list[Gap]:
        """Return the questions without an answer, newest first."""
        return self._read(
            schema.gaps, limit, lambda r: Gap(r.words, r.kind, r.lang, r.near, r.day, r.id)
        )

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
        self.changes += 1
        return number

    def approved(self) -> list[Approved]:
        """Return the approved answers, newest first: those that are out of date too."""
        return self._read(
            schema.approved, None,
            lambda r: Approved(r.question, _sentences(r), r.expires, r.created, r.id),
        )  # fmt: skip

    def withdraw(self, number: int) -> None:
        """Delete an approved answer."""
        with self._begin() as connection:
            connection.execute(sql.delete(schema.approved).where(schema.approved.c.id == number))
            _count_up(connection)
        self.changes += 1

    @property
    def approved_version(self) -> int:
        """A number that grows whenever an answer is approved or withdrawn, by any process."""
        with self._begin() as connection:
            return _counted(connection, "approved")

    def add_mark(self, mark: Mark) -> int:
        """Keep one verdict; return its number."""
        return self._add(schema.marks, mark, "day")

    def marks(self) -> list[Mark]:
        """Return the verdicts, newest first."""
        return self._read(
            schema.marks, None,
            lambda r: Mark(
                r.question, r.right, r.kind, tuple(r.pages), tuple(r.facts), r.note, r.day, r.id
            ),
        )  # fmt: skip

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

    def session(self, token_sha256: str, longest_s: float = _LONGEST_SESSION_S) -> Session | None:
        """Return the session with this token, unless it has ended.

        One that ends later than the longest may was begun by a clock that has since been put back:
        it has ended too.
        """
        now, ends = self._now().timestamp(), schema.sessions.c.expires
        wanted = sql.select(schema.sessions).where(
            schema.sessions.c.token_sha256 == token_sha256,
            ends > now, ends <= now + longest_s + _SKEW_S,
        )  # fmt: skip
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
        What was kept while the clock was ahead counts from today. After a leap of the clock, or a
        long pause, nothing kept is deleted before the next day.
        """
        today = self._now().astimezone(UTC).date()
        oldest = (today - timedelta(days=keep_days)).isoformat()
        now, ends = self._now().timestamp(), schema.sessions.c.expires
        # one that ends too late was begun by a clock put back since, and must not come to life
        ended = (ends <= now) | (ends > now + _LONGEST_SESSION_S + _SKEW_S)
        with self._begin() as connection:
            # a write comes first: SQLite lets no reader become a writer when others wrote meanwhile
            gone = connection.execute(sql.delete(schema.sessions).where(ended)).rowcount
            believed = self._believed(connection, today)
            for table in (schema.feedback, schema.gaps):
                ahead = table.c.day > (today + timedelta(days=1)).isoformat()
                connection.execute(sql.update(table).where(ahead).values(day=today.isoformat()))
                if believed:
                    gone += connection.execute(
                        sql.delete(table).where(table.c.day < oldest)
                    ).rowcount
        if self._engine.dialect.name == "sqlite":
            self._empty_log()  # the file is overwritten, its log is not
        return gone

    def _believed(self, connection: sql.Connection, today: date) -> bool:
        """Tell whether today may be: a day far after the last one must have passed first."""
        seen, leapt = (_counted(connection, name) for name in ("day", "leapt"))
        now = today.toordinal()
        if seen and now - seen > _LEAP_DAYS:
            leapt = now
            _log.warning(
                "%s: the clock says %s, and at the last expiry it said %s; nothing is deleted "
                "before tomorrow: if the clock is wrong, put it right today",
                self._place, today, date.fromordinal(seen),
            )  # fmt: skip
        elif now != leapt:
            leapt = 0
        for name, value in (("day", now), ("leapt", leapt)):
            _count(connection, name, value)
        return leapt == 0

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

    def _read(
        self, table: sql.Table, limit: int | None, made: Callable[[sql.Row[Any]], _Record]
    ) -> list[_Record]:
        newest_first = sql.select(table).order_by(table.c.id.desc()).limit(limit)
        with self._begin() as connection:
            return [made(row) for row in connection.execute(newest_first)]

    @contextmanager
    def _begin(self) -> Iterator[sql.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OverflowError, ValueError, TypeError) as error:
            # the last two: what cannot be written as text, and what damage made of a row
            raise JournalError(_explain(self._place, error)) from error


def _explain(place: str, error: Exception) -> str:
    reason = getattr(error, "orig", None) or error
    name = getattr(reason, "sqlite_errorname", None) or getattr(reason, "sqlstate", None) or ""
    # the first line alone: PostgreSQL's second one quotes what was to be kept
    said = (str(reason).splitlines() or [""])[0]
    if isinstance(error, _DAMAGE) or said.startswith("Could not decode"):
        # such an error quotes the row: a visitor's words, maybe
        said, name = "a row is not as it was written", "SQLITE_CORRUPT"
    remedy = next((what for start, what in _REMEDIES.items() if name.startswith(start)), _REMEDY)
    return f"{place}: the journal cannot be read or written ({said}); {remedy}"


def _counted(connection: sql.Connection, name: str) -> int:
    wanted = sql.select(schema.counters.c.value).where(schema.counters.c.name == name)
    return int(connection.execute(wanted).scalar_one())


def _count(connection: sql.Connection, name: str, value: int | sql.ColumnElement[int]) -> None:
    same = schema.counters.c.name == name
    connection.execute(sql.update(schema.counters).where(same).values(value=value))


def _count_up(connection: sql.Connection) -> None:
    _count(connection, "approved", schema.counters.c.value + 1)


def _number(result: sql.CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    return int(key[0]) if key else 0


def _sentences(row: sql.Row[Any]) -> tuple[ApprovedSentence, ...]:
    try:
        return tuple(
            ApprovedSentence(one["text"], tuple(Rests(**rests) for rests in one["rests"]))
            for one in row.sentences
        )
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(
            f"approved answer {row.id} cannot be read ({error!r}): delete its row from the table "
            "'approved', or put the last backup of the journal in its place"
        ) from error
