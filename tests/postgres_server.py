"""A real PostgreSQL of a test's own, on a free port of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
from servers import Process, free_port, program

_FOLDERS = ":".join(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))


class PostgresServer(Process):
    """It starts in a `with` block, and can be stopped and started again within.

    PostgreSQL refuses to run as root: there it runs as the user that Debian made for it. Where
    `durable`, what it acknowledges is on disk, as in a clinic; else it is quicker.
    """

    def __init__(self, *, durable: bool = False) -> None:
        initdb, postgres = (program(name, _FOLDERS) for name in ("initdb", "postgres"))
        self.folder = Path(tempfile.mkdtemp(prefix="citewell-postgres-"))
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user)
        port, data = free_port(), self.folder / "data"
        subprocess.run(
            [initdb, "-D", data, "-U", "clinic", "-A", "trust", "--no-sync", "-E", "UTF8",
             "--locale=C"],
            check=True, capture_output=True, user=self._user, cwd=self.folder,
        )  # fmt: skip
        arguments = [postgres, "-D", str(data), "-h", "127.0.0.1", "-p", str(port)]
        arguments += [] if durable else ["-F"]
        log = self.folder.with_suffix(".log")
        super().__init__([*arguments, "-k", str(self.folder)], port, log, user=self._user)

    def __enter__(self) -> PostgresServer:
        self.start()
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGINT)  # its fast shutdown: open connections are closed
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop(signal.SIGINT)
        self.start()
        self._wait()

    def new_database(self, name: str) -> str:
        """Make an empty database and return the journal's URL for it."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://clinic@127.0.0.1:{self.port}/{name}"

    def _address(self, database: str) -> str:
        return f"postgresql://clinic@127.0.0.1:{self.port}/{database}"

    def _wait(self) -> None:
        """Wait until it takes questions: it listens before it does."""
        while True:
            try:
                psycopg.connect(self._address("postgres")).close()
                return
            except psycopg.OperationalError:
                assert self.runs, self.log.read_text("utf-8")
