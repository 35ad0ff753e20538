"""Bad days: what breaks costs a clear line in the log, and a visitor gets a sane answer."""

from __future__ import annotations

import logging
import os
import signal
import time
from contextlib import contextmanager
from functools import partial

import httpx
import pytest
from chroma_server import ChromaServer
from pages import indexed, write

from index.breaker import Breaker
from index.embed import HashEncoder
from index.errors import IndexUnavailableError
from index.retrieve import Retriever
from index.settings import ChromaSettings, IndexSettings

PATIENCE = 0.5


@pytest.fixture
def server(tmp_path):
    running = ChromaServer(tmp_path / "chroma")
    running.start()
    yield running
    running.kill()


@contextmanager
def hanging(server):
    """Let a server take connections and never answer."""
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server._process.pid, signal.SIGCONT)


def test_one_visitor_waits_for_a_chroma_that_hangs_and_the_others_are_told_at_once(
    server, tmp_path, monkeypatch, caplog
):
    clock = [0.0]
    monkeypatch.setattr("index.store.Breaker", partial(Breaker, clock=lambda: clock[0]))
    monkeypatch.setattr("index.store._ASKING", httpx.Timeout(PATIENCE))
    data, chroma = tmp_path / "data", ChromaSettings(url=server.url)

    def build(number):
        page = f"# Heel\n\nThis is version {number}.\n"
        indexed(write(tmp_path / "pages", {"heel.md": page}), data, chroma=chroma)

    def opened():
        return Retriever(data, HashEncoder(), IndexSettings(), chroma)

    def fail(make, why):
        began = time.monotonic()
        with pytest.raises(IndexUnavailableError, match=rf"does not answer \({why}\)"):
            make()
        return time.monotonic() - began

    build(1)
    retriever = opened()
    ask = partial(retriever.retrieve, "heel")
    resting = "it timed out, and is tried again in 10 s"
    with hanging(server):
        assert fail(ask, "timed out") >= PATIENCE
        assert sum(fail(ask, resting) for _ in range(20)) < PATIENCE
        assert fail(opened, resting) < PATIENCE
        clock[0] += 10
        assert fail(ask, "timed out") >= PATIENCE
        fail(ask, resting)
    build(2)  # nobody waits behind a build: it asks all the same
    clock[0] += 10
    assert ask()[0].chunk.text == "This is version 2."
    told = [(r.levelno, r.message) for r in caplog.records if "staying" not in r.message]
    assert told == [
        (logging.ERROR, f"the Chroma server at {server.url} timed out; until it answers, one "
         "question every 10 s waits for it and the others fail at once"),
        (logging.WARNING, f"the Chroma server at {server.url} is asked again"),
    ]  # fmt: skip
