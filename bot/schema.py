"""The journal's tables, and how a database comes to have them: made, copied, upgraded.

SQLite in a file, or PostgreSQL by URL for several processes. With `bot.journal` the only home of
SQLAlchemy.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from index.errors import CitewellError
from index.files import sync_folder

_log = logging.getLogger(__name__)

SCHEMA = 1
"""The version of the tables below. UPGRADES says how to get to each later one."""
UPGRADES: dict[int, Sequence[str]] = {}
"""Version -> the SQL that makes it of the version before."""

_BUSY_MS = 5000
# What is forgotten is overwritten, and what is acknowledged is on disk.
_PRAGMAS = (
    f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON",
)  # fmt: skip
_POSTGRES = {"connect_timeout": "5", "options": "-c statement_timeout=10000 -c lock_timeout=5000"}
"""Nobody waits for a database that hangs longer than this: seconds, then milliseconds."""
_UPGRADE_S = 600
"""How long an upgrade in PostgreSQL may take, and another process waits for it."""
_UPGRADING = 0x63697465
"""The advisory lock of whoever makes or upgrades the tables."""
_COUNTERS = {"approved": 0, "day": 0, "leapt": 0}
"""Beside the version: changes to what is approved, and the days that expiry saw; 0 is none yet."""


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
counters = sql.Table(
    "counters", _metadata,
    sql.Column("name", sql.String(40), primary_key=True),
    sql.Column("value", sql.Integer, nullable=False),
)  # fmt: skip
feedback = _table(
    "feedback", day=_Day, helpful=sql.Boolean, reason=sql.Text, kind=sql.Text, pages=sql.JSON,
    words=sql.Text,
)  # fmt: skip
gaps = _table("gaps", day=_Day, words=sql.Text, kind=sql.Text, lang=sql.Text, near=sql.Text)
approved = _table(
    "approved", created=_Day, expires=_Day, question=sql.Text, sentences=sql.JSON
)  # fmt: skip
marks = _table(
    "marks", day=_Day, question=sql.Text, right=sql.Boolean, kind=sql.Text, pages=sql.JSON,
    facts=sql.JSON, note=sql.Text,
)  # fmt: skip
sessions = sql.Table(
    "sessions", _metadata,
    sql.Column("token_sha256", sql.String(64), primary_key=True),
    sql.Column("csrf", sql.String(128), nullable=False),
    sql.Column("expires", sql.Float(53), nullable=False),
)  # fmt: skip


def engine_at(url: str) -> sql.Engine:
    """Return the database at a SQLAlchemy URL. Raises JournalError if it cannot be used."""
    try:
        address = sql.make_url(url)
        if address.get_backend_name() == "sqlite":
            _make_file(address.database or "")
            engine = sql.create_engine(address, hide_parameters=True)  # no words in any log
            sql.event.listen(engine, "connect", _set_up)
            sql.event.listen(engine, "begin", _begin)
            return engine
        given = _limits(address) if address.get_backend_name() == "postgresql" else {}
        # a connection that the server closed meanwhile is noticed before it is used
        return sql.create_engine(
            address, hide_parameters=True, pool_pre_ping=True, connect_args=given
        )
    except (SQLAlchemyError, ImportError) as error:
        raise JournalError(
            f"journal.url = '{_shown(url)}' cannot be used ({error}); leave it empty for a file "
            "beside the index, or install the database's driver: pip install 'citewell[postgres]'"
        ) from error


def make(engine: sql.Engine) -> None:
    """Make the tables that are not there, and upgrade those of an earlier version.

    All of it or nothing. A file is copied before it is upgraded. Where all is there nothing is
    written: a journal on a full disk can still be read. Raises JournalError, and what SQLAlchemy
    raises.
    """
    with engine.begin() as connection:
        if _is_made(connection):
            return
    with engine.begin() as connection:
        _lock(connection)
        for table in _metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
        for name, first in {"schema": SCHEMA, **_COUNTERS}.items():
            if _counted(connection, name) is None:
                connection.execute(sql.insert(counters).values(name=name, value=first))
        found = _counted(connection, "schema") or 0
        if found > SCHEMA:
            raise JournalError(
                f"{place(engine.url)}: the journal has version {found}, and this Citewell knows "
                f"{SCHEMA}; update Citewell, or name another file in journal.url"
            )
        if found < SCHEMA:
            _copy(engine)
        for version in range(found + 1, SCHEMA + 1):
            for statement in UPGRADES[version]:
                connection.execute(sql.text(statement))
        same = counters.c.name == "schema"
        connection.execute(sql.update(counters).where(same).values(value=SCHEMA))


def place(url: sql.URL) -> str:
    """Return where a journal is, without a password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.render_as_string(hide_password=True)


def _is_made(connection: sql.Connection) -> bool:
    """Tell whether the tables are there, in this version."""
    if not sql.inspect(connection).has_table(counters.name):
        return False
    found = {row.name: row.value for row in connection.execute(sql.select(counters))}
    return found.get("schema") == SCHEMA and found.keys() >= _COUNTERS.keys()


def _counted(connection: sql.Connection, name: str) -> int | None:
    wanted = sql.select(counters.c.value).where(counters.c.name == name)
    return connection.execute(wanted).scalar_one_or_none()


def _lock(connection: sql.Connection) -> None:
    """Let one process at a time make and upgrade, until the transaction ends."""
    if connection.dialect.name == "postgresql":
        for longest in ("statement_timeout", "lock_timeout"):  # an upgrade may take its time
            connection.exec_driver_sql(f"SET LOCAL {longest} = '{_UPGRADE_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADING})")
    elif connection.dialect.name == "sqlite":
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _copy(engine: sql.Engine) -> None:
    """Copy a file beside itself, for its owner's eyes only; a server is its operator's affair."""
    if engine.dialect.name != "sqlite":
        _log.warning(
            "%s: the journal is upgraded to version %d, all of it or nothing; a copy as it was is "
            "the operator's to make beforehand, by pg_dump", place(engine.url), SCHEMA,
        )  # fmt: skip
        return
    source = Path(place(engine.url))
    target = source.with_name(f"{source.name}.before-{SCHEMA}")
    try:
        target.unlink(missing_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as copy:
            old.backup(copy)
        sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"{target}: the journal cannot be copied before it is upgraded ({error}); make room "
            "there, then start again"
        ) from error
    _log.warning("the journal is upgraded to version %d; as it was it is in %s", SCHEMA, target)


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
            "see that the file and its folder may be written, or name another in journal.url"
        ) from error


def _set_up(connection: Any, _: object) -> None:
    connection.isolation_level = None  # else Python leaves what makes tables out of transactions
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sql.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _limits(address: sql.URL) -> dict[str, Any]:
    """Return how long PostgreSQL is waited for; what the URL says itself comes after, and wins."""
    own = address.normalized_query
    options = " ".join((_POSTGRES["options"], *own.get("options", ())))
    return {
        "connect_timeout": own.get("connect_timeout", (_POSTGRES["connect_timeout"],))[0],
        "options": options,
    }


def _shown(url: str) -> str:
    try:
        return place(sql.make_url(url))
    except SQLAlchemyError:
        return url
