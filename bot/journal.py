"""What is kept between visits: feedback, gaps, approved answers, marks, sessions.

The only home of SQLAlchemy. Every write is on disk before it returns. Days are kept, never times,
so that nobody can be told by when they wrote; a session's end is the one exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from bot.records import Approved, ApprovedSentence, Feedback, Gap, Mark, Rests, Session
from index.errors import CitewellError

__all__ = [
    "Approved", "ApprovedSentence", "Feedback", "Gap", "Journal", "JournalError", "Mark", "Rests",
    "Session",
]  # fmt: skip

SCHEMA = 1
"""The version of the tables below. UPGRADES says how to get to each later one."""
UPGRADES: dict[int, Sequence[str]] = {}
"""Version -> the SQL that makes it of the version before."""

_BUSY_MS = 5000
# What is forgotten is overwritten, and what is acknowledged is on disk.
_PRAGMAS = (
    f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON",
)  # fmt: skip


class JournalError(CitewellError):
    """The journal cannot be opened, read or written."""


_metadata = sql.MetaData()


def _table(name: str, **kinds: Any) -> sql.Table:
    """Return a table with a number for each row, and columns that always hold something."""
    key = sql.Column("id", sql.Integer, primary_key=True)
    columns = (sql.Column(column, kind, nullable=False) for column, kind in kinds.items())
    # a number is never given twice: a trace may name an answer that is withdrawn
    return sql.Table(name, _metadata, key, *columns, sqlite_autoincrement=True)


_Day = sql.String(10)
_counters = sql.Table(
    "counters", _metadata,
    sql.Column("name", sql.String(40), primary_key=True),
    sql.Column("value", sql.Integer, nullable=False),
)  # fmt: skip
_feedback = _table(
    "feedback", day=_Day, helpful=sql.Boolean, reason=sql.Text, kind=sql.Text, pages=sql.JSON,
    words=sql.Text,
)  # fmt: skip
_gaps = _table("gaps", day=_Day, words=sql.Text, kind=sql.Text, lang=sql.Text, near=sql.Text)
_approved = _table(
    "approved", created=_Day, expires=_Day, question=sql.Text, sentences=sql.JSON
)  # fmt: skip
_marks = _table(
    "marks", day=_Day, question=sql.Text, right=sql.Boolean, kind=sql.Text, pages=sql.JSON,
    facts=sql.JSON, note=sql.Text,
)  # fmt: skip
_sessions = sql.Table(
    "sessions", _metadata,
    sql.Column("token_sha256", sql.String(64), primary_key=True),
    sql.Column("csrf", sql.String(128), nullable=False),
    sql.Column("expires", sql.Float(53), nullable=False),
)  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """The database. Safe to share between threads, and between processes."""

    def __init__(self, engine: sql.Engine, now: Callable[[], datetime] = _now) -> None:
        """Keep in `engine`, whose tables are there: see `open`."""
        self._engine = engine
        self._now = now
        self._place = _place(engine.url)

    @classmethod
    def open(cls, url: str, now: Callable[[], datetime] = _now) -> Journal:
        """Open the journal at a SQLAlchemy URL; make or upgrade its tables. Raises JournalError."""
        journal = cls(_engine(url), now)
        try:
            journal._make_tables()
        except JournalError:
            journal.close()
            raise
        return journal

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    def add_feedback(self, feedback: Feedback) -> int:
        """Keep one rating; return its number."""
        return self._add(_feedback, feedback, "day")

    def feedback(self, *, limit: int = 500) -> list[Feedback]:
        """Return the ratings, newest first."""
        return [
            Feedback(r.helpful, r.reason, r.kind, tuple(r.pages), r.words, r.day, r.id)
            for r in self._rows(_feedback, limit)
        ]

    def add_gap(self, gap: Gap) -> int:
        """Keep one question without an answer; return its number."""
        return self._add(_gaps, gap, "day")

    def gaps(self, *, limit: int = 1000) -> list[Gap]:
        """Return the questions without an answer, newest first."""
        return [Gap(r.words, r.kind, r.lang, r.near, r.day, r.id) for r in self._rows(_gaps, limit)]

    def forget_gaps(self, ids: Sequence[int]) -> None:
        """Delete the gaps with these numbers: they are dealt with."""
        with self._begin() as connection:
            connection.execute(sql.delete(_gaps).where(_gaps.c.id.in_(list(ids))))

    def approve(self, answer: Approved, replaces: int = 0) -> int:
        """Keep an approved answer, alone for its question and for the one it replaces."""
        values = asdict(answer) | {"created": answer.created or self._today()}
        del values["id"]
        with self._begin() as connection:
            old = (_approved.c.id == replaces) | (_approved.c.question == answer.question)
            connection.execute(sql.delete(_approved).where(old))
            number = _number(connection.execute(sql.insert(_approved).values(**values)))
            _count_up(connection)
        return number

    def approved(self) -> list[Approved]:
        """Return the approved answers, newest first: those that are out of date too."""
        return [
            Approved(r.question, _sentences(r.sentences), r.expires, r.created, r.id)
            for r in self._rows(_approved)
        ]

    def withdraw(self, number: int) -> None:
        """Delete an approved answer."""
        with self._begin() as connection:
            connection.execute(sql.delete(_approved).where(_approved.c.id == number))
            _count_up(connection)

    @property
    def approved_version(self) -> int:
        """A number that grows whenever an answer is approved or withdrawn, by any process."""
        version = _counters.c.name == "approved"
        with self._begin() as connection:
            return int(
                connection.execute(sql.select(_counters.c.value).where(version)).scalar_one()
            )

    def add_mark(self, mark: Mark) -> int:
        """Keep one verdict; return its number."""
        return self._add(_marks, mark, "day")

    def marks(self) -> list[Mark]:
        """Return the verdicts, newest first."""
        return [
            Mark(r.question, r.right, r.kind, tuple(r.pages), tuple(r.facts), r.note, r.day, r.id)
            for r in self._rows(_marks)
        ]

    def drop_mark(self, number: int) -> None:
        """Delete one verdict."""
        with self._begin() as connection:
            connection.execute(sql.delete(_marks).where(_marks.c.id == number))

    def start_session(self, token_sha256: str, csrf: str, expires: float) -> None:
        """Keep a session by the hash of its token: who reads the journal cannot take it over."""
        values = {"token_sha256": token_sha256, "csrf": csrf, "expires": expires}
        with self._begin() as connection:
            connection.execute(sql.insert(_sessions).values(**values))

    def extend_session(self, token_sha256: str, expires: float) -> None:
        """Let a session end later; one that was ended meanwhile stays so."""
        same = _sessions.c.token_sha256 == token_sha256
        with self._begin() as connection:
            connection.execute(sql.update(_sessions).where(same).values(expires=expires))

    def session(self, token_sha256: str) -> Session | None:
        """Return the session with this token, unless it has ended."""
        alive = _sessions.c.expires > self._now().timestamp()
        wanted = sql.select(_sessions).where(_sessions.c.token_sha256 == token_sha256, alive)
        with self._begin() as connection:
            row = connection.execute(wanted).one_or_none()
        return Session(row.token_sha256, row.csrf, row.expires) if row else None

    def end_session(self, token_sha256: str) -> None:
        """Delete a session."""
        with self._begin() as connection:
            connection.execute(
                sql.delete(_sessions).where(_sessions.c.token_sha256 == token_sha256)
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
                    (_feedback, _feedback.c.day < oldest),
                    (_gaps, _gaps.c.day < oldest),
                    (_sessions, _sessions.c.expires <= self._now().timestamp()),
                )
            )
        if self._engine.dialect.name == "sqlite":
            with self._begin() as connection:  # the file is overwritten, its log is not
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

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

    def _make_tables(self) -> None:
        with self._begin() as connection:
            for table in _metadata.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
        for name, first in (("schema", SCHEMA), ("approved", 0)):
            self._start_counter(name, first)
        with self._begin() as connection:
            schema = _counters.c.name == "schema"
            found = connection.execute(sql.select(_counters.c.value).where(schema)).scalar_one()
            if found > SCHEMA:
                raise JournalError(
                    f"{self._place}: the journal has version {found}, and this Citewell knows "
                    f"{SCHEMA}; update Citewell, or name another file in journal.url"
                )
            for version in range(found + 1, SCHEMA + 1):
                for statement in UPGRADES[version]:
                    connection.execute(sql.text(statement))
            connection.execute(sql.update(_counters).where(schema).values(value=SCHEMA))

    def _start_counter(self, name: str, value: int) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(sql.insert(_counters).values(name=name, value=value))
        except IntegrityError:
            pass  # it has been counting before
        except SQLAlchemyError as error:
            raise JournalError(_explain(self._place, error)) from error


def _engine(url: str) -> sql.Engine:
    try:
        address = sql.make_url(url)
        if address.get_backend_name() == "sqlite":
            _make_file(address.database or "")
        engine = sql.create_engine(address, hide_parameters=True)  # no words in any log
    except (SQLAlchemyError, ImportError) as error:
        raise JournalError(
            f"journal.url = '{url}' cannot be used ({error}); "
            "leave it empty for a file beside the index, or install the database's driver"
        ) from error
    if engine.dialect.name == "sqlite":
        sql.event.listen(engine, "connect", _set_pragmas)
    return engine


def _make_file(name: str) -> None:
    """Make the file if it is not there, for its owner's eyes only, and the folder it is in."""
    if name in ("", ":memory:"):
        raise JournalError("a journal in memory forgets everything; name a file in journal.url")
    path = Path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise JournalError(
            f"{path}: the journal cannot be written ({error.strerror}); "
            "make its folder writable, or name another file in journal.url"
        ) from error


def _set_pragmas(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _place(url: sql.URL) -> str:
    """Return where the journal is, without a password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)


def _explain(place: str, error: Exception) -> str:
    reason = getattr(error, "orig", None) or error
    return (
        f"{place}: the journal cannot be read or written ({reason}); check that the disk is not "
        "full, that the file may be written and is a journal, or name another in journal.url"
    )


def _count_up(connection: sql.Connection) -> None:
    version = _counters.c.name == "approved"
    connection.execute(sql.update(_counters).where(version).values(value=_counters.c.value + 1))


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
