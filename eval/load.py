"""Many visitors at once: how many answers a second, how long each waits, what memory it takes.

Starts a server of its own on loopback, without limits to how often one address may ask. Visitors
ask in a closed loop: each asks, waits for the whole answer and asks the next at once. Real ones
read in between, so fifty of these are as many as a thousand of those. Client and server share the
machine.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import subprocess  # nosec B404 # runs this very program
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import numpy as np

from bot.settings import JournalSettings, Limits, ModelSettings, Settings
from index.errors import CitewellError

VISITORS = (1, 5, 10, 25, 50)
_SECONDS = 15.0
_SOAK_VISITORS, _SOAK_MINUTES, _SAMPLE_S, _PAUSE_S = 4, 60.0, 30.0, 0.2
_PATIENCE_S = 30.0
_UNLIMITED = Limits(asks_per_minute=0, searches_per_minute=0, ratings_per_minute=0)
_SERVE = """
import signal, sys, threading
def parted():
    sys.stdin.read()  # ends when this program does, killed or not
    signal.raise_signal(signal.SIGTERM)
threading.Thread(target=parted, daemon=True).start()
from bot.journal import Journal
from bot.pipeline import Assistant
from bot.settings import Settings
from bot.web.server import run
settings = Settings.model_validate_json({settings!r})
assistant = Assistant.open(settings)
assistant.warm()
run(assistant, Journal.open(settings.journal_url), "127.0.0.1", {port})
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What `visitors` at once got: answers a second, waits in ms, faults, the server's memory."""

    visitors: int
    answers: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    faults: int
    memory_mb: float


Asker = Callable[[HTTPConnection, str], None]
"""Asks one question on a connection and reads the whole answer. Raises ValueError if none came."""


def crowds(
    settings: Settings, questions: Sequence[str], *, page: bool = False,
    sizes: Sequence[int] = VISITORS, seconds: float = _SECONDS,
) -> Iterator[Crowd]:  # fmt: skip
    """Let crowds of these sizes ask through the API, or the chat page's own queue."""
    with _server(settings) as port:
        ask = _page(port) if page else _api
        _crowd(port, ask, questions, 2, 2.0)  # what is read at the first question is read now
        for visitors in sizes:
            yield _crowd(port, ask, questions, visitors, seconds)


def soak(
    settings: Settings, questions: Sequence[str], minutes: float = _SOAK_MINUTES
) -> tuple[list[tuple[float, float]], float]:
    """Return (minutes, MB) of a server under steady use, and how that grows: see `slope`.

    Half of the visitors ask through the API, half through the page, a new visit for every question.
    """
    sampled: list[tuple[float, float]] = []
    with _server(settings) as port, ThreadPoolExecutor(_SOAK_VISITORS) as threads:
        begun = time.monotonic()
        until = begun + minutes * 60
        ways = (_api, _page(port))
        visits = [
            threads.submit(_visit, port, ways[n % 2], questions, n, until, _PAUSE_S)
            for n in range(_SOAK_VISITORS)
        ]
        while (now := time.monotonic()) < until:
            sampled.append(((now - begun) / 60, _memory(port)))
            time.sleep(max(0.0, min(_SAMPLE_S, until - time.monotonic())))
        sampled.append((minutes, _memory(port)))
        if faults := sum(visit.result()[1] for visit in visits):
            raise CitewellError(f"{faults} questions got no answer")
    return sampled, slope(sampled)


def slope(sampled: Sequence[tuple[float, float]]) -> float:
    """Return by how many MB an hour (minutes, MB) grow, from the half on: before, caches fill."""
    half = sampled[-1][0] / 2
    late = np.array([(x, y) for x, y in sampled if x >= half])
    return float(np.polyfit(late[:, 0], late[:, 1], 1)[0]) * 60 if len(late) > 1 else 0.0


def table(rows: Sequence[Crowd]) -> list[str]:
    """Return the rows as a Markdown table."""
    lines = [
        "| visitors | answers a second | p50 | p95 | p99 | without answer | memory |",
        "|" + "---:|" * 7,
    ]
    return lines + [
        f"| {r.visitors} | {r.per_s:.1f} | {r.p50_ms:.0f} ms | {r.p95_ms:.0f} ms | "
        f"{r.p99_ms:.0f} ms | {r.faults} of {r.answers + r.faults} | {r.memory_mb:.0f} MB |"
        for r in rows
    ]


def _crowd(port: int, ask: Asker, questions: Sequence[str], visitors: int, seconds: float) -> Crowd:
    begun = time.monotonic()
    with ThreadPoolExecutor(visitors) as threads:
        visits = [
            threads.submit(_visit, port, ask, questions, number, begun + seconds, 0.0)
            for number in range(visitors)
        ]
        found = [visit.result() for visit in visits]
    taken = time.monotonic() - begun
    waits = [wait for own, _ in found for wait in own]
    p50, p95, p99 = (np.percentile(waits or [0.0], (50, 95, 99)) * 1000).tolist()
    faults = sum(fault for _, fault in found)
    return Crowd(visitors, len(waits), len(waits) / taken, p50, p95, p99, faults, _memory(port))


def _visit(
    port: int, ask: Asker, questions: Sequence[str], number: int, until: float, pause: float
) -> tuple[list[float], int]:
    """Ask one question after the other; return the seconds of each and how many got no answer."""
    waits, faults = [], 0
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    at = number * 7
    while time.monotonic() < until:
        start = time.perf_counter()
        try:
            ask(connection, questions[at % len(questions)])
            waits.append(time.perf_counter() - start)
        except (OSError, HTTPException, ValueError):
            faults += 1
            connection.close()
        at += 1
        time.sleep(pause)
    connection.close()
    return waits, faults


def _api(connection: HTTPConnection, question: str) -> None:
    said = _posted(connection, "/api/v1/ask", {"question": question})
    if not said.get("sentences"):
        raise ValueError(f"no answer to {question!r}")


def _page(port: int) -> Asker:
    """Return how the page in a browser asks: into Gradio's queue, and out of its stream."""
    config = json.loads(_read(port, "/config"))
    (submit,) = [
        d["id"]
        for d in config["dependencies"]
        if any(event == "submit" for _, event in d["targets"])
    ]

    def ask(connection: HTTPConnection, question: str) -> None:
        session = secrets.token_hex(5)
        event = {"question": question, "number": 1, "history": []}
        sent = {"data": [], "fn_index": submit, "session_hash": session, "event_data": event}
        _posted(connection, "/gradio_api/queue/join", sent)
        connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        with connection.getresponse() as stream:
            said = stream.read().decode()
        if '"state":"whole"' not in said.replace(" ", "") or "cw-said" not in said:
            raise ValueError(f"no answer to {question!r}")

    return ask


def _posted(connection: HTTPConnection, path: str, sent: object) -> dict[str, object]:
    connection.request("POST", path, json.dumps(sent), {"Content-Type": "application/json"})
    with connection.getresponse() as response:
        said = response.read()
        if response.status != 200:
            raise ValueError(f"{path}: {response.status}")
    answered: dict[str, object] = json.loads(said)
    return answered


def _memory(port: int) -> float:
    """Return the server's resident memory in MB, as it says itself."""
    found = re.search(r"^process_resident_memory_bytes (\S+)", _read(port, "/metrics"), re.M)
    return float(found[1]) / 1e6 if found else 0.0


def _read(port: int, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@contextmanager
def _server(settings: Settings) -> Iterator[int]:
    """Serve in a process of its own, with a journal of its own; yield the port."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
        free.close()
        journal = JournalSettings(url=f"sqlite:///{Path(folder) / 'journal.db'}")
        own = settings.model_copy(
            update={"limits": _UNLIMITED, "model": ModelSettings(), "journal": journal}
        )
        program = _SERVE.format(settings=own.model_dump_json(), port=port)
        command = [sys.executable, "-P", "-c", program]  # -P: whatever folder it is run in
        process = subprocess.Popen(command, stdin=subprocess.PIPE)  # nosec B603 # ours
        try:
            _until_ready(process, port)
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=_PATIENCE_S)


def _until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            if json.loads(_read(port, "/readyz"))["index"] == "ok":
                return
        except (OSError, ValueError, KeyError):
            pass
        if process.poll() is not None or time.monotonic() > until:
            raise CitewellError("the server to be measured did not start; its error is above")
        time.sleep(0.1)
