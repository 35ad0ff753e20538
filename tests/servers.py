"""Programs that a clinic runs beside Citewell, started and stopped by a test, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

_PATIENCE_S = 300


def program(name: str, folders: str = "") -> str:
    """Return where a program is. Required in CI; elsewhere the tests that need it are skipped."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:{folders}")
    if found:
        return found
    missing = f"there is no {name} on this machine; install it to run this test"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Process:
    """A program that listens on a port; it can be stopped and started again."""

    def __init__(
        self, arguments: list[str], port: int, log: Path, *, user: str | None = None,
        **environment: str,
    ) -> None:  # fmt: skip
        self.port = port
        self.log = log
        self._arguments = arguments
        self._user = user
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments, stdout=log, stderr=log, env=os.environ | self._environment,
                user=self._user, cwd=self.log.parent if self._user else None,
            )  # fmt: skip
        until = time.monotonic() + _PATIENCE_S
        while True:
            assert self._process.poll() is None, self.log.read_text("utf-8")
            assert time.monotonic() < until, f"{self._arguments[0]} does not listen"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, how: int = signal.SIGTERM) -> int | None:
        """Stop it and return its exit status, None if it does not run."""
        if self._process is None:
            return None
        self._process.send_signal(how)
        status = self._process.wait(_PATIENCE_S)
        self._process = None
        return status


@contextmanager
def running(*processes: Process):
    """Start programs one after the other; stop them in the other order, whatever happens."""
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in reversed(processes):
            process.stop()


def redis(folder: Path) -> Process:
    port = free_port()
    arguments = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    return Process([*arguments, "--dir", str(folder)], port, folder / "redis.log")


def chroma(folder: Path) -> Process:
    port = free_port()
    arguments = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1"]
    arguments += ["--port", str(port), "--path", str(folder / "chroma")]
    return Process(arguments, port, folder / "chroma.log", ANONYMIZED_TELEMETRY="False")


def citewell(folder: Path, config: Path) -> Process:
    port = free_port()
    arguments = [sys.executable, "-m", "app", "serve", "--config", str(config)]
    return Process([*arguments, "--port", str(port)], port, folder / f"citewell-{port}.log")


def ready(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=30).is_success
