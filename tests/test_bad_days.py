"""Bad days: what breaks costs a clear line in the log, and a visitor gets a sane answer."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from threading import Event

import httpx
import pytest
from browsing import ask
from chroma_server import ChromaServer
from chromadb.errors import InternalError
from model_server import model_server
from pages import indexed, write
from playwright.sync_api import expect
from servers import Process, citewell, ready, redis, running
from test_bot_generate import ALSO_GOOD, GOOD, HELPS, PAGE, QUESTION, SHAM, row, where

from bot import notices
from bot.settings import Limits
from bot.web.limits import Rates
from index.breaker import Breaker
from index.embed import HashEncoder
from index.errors import IndexDamagedError, IndexUnavailableError
from index.retrieve import Retriever
from index.settings import ChromaSettings, IndexSettings

PATIENCE = 0.5
"""Seconds a visitor waits for Chroma at most."""
HANDLES = 256
CONFIG = """
[index]
model = "hash"
data = "data"
[corpus]
folders = ["pages"]
"""


def until(true):
    """Return when something has come true."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.02)


def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def clinic(folder, more=""):
    """Return `citewell serve` over one page."""
    write(folder, {"pages/cups.md": PAGE, "clinic.toml": CONFIG + more})
    return citewell(folder, folder / "clinic.toml")


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
    os.waitid(os.P_PID, server._process.pid, os.WSTOPPED)  # kill returns before its threads stand
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


def test_a_counter_that_hangs_holds_nobody_up(tmp_path, monkeypatch, caplog):
    clock = [0.0]
    monkeypatch.setattr("bot.web.limits.Breaker", partial(Breaker, clock=lambda: clock[0]))
    server = redis(tmp_path)
    with running(server):
        rates = Rates(Limits(asks_per_minute=1, url=f"redis://127.0.0.1:{server.port}"))
        assert (rates.wait("asks", "one"), rates.wait("asks", "one") > 0) == (0, True)
        with hanging(server):
            began = time.monotonic()
            assert not any(rates.wait("asks", "one") for _ in range(50))
            assert time.monotonic() - began < 2
        clock[0] += 10
        assert rates.wait("asks", "one") > 0
    assert [(r.levelno, r.message) for r in caplog.records] == [
        (logging.ERROR, "limits.url does not answer, so nobody is held back; it is asked again "
         "every 10 s"),
        (logging.WARNING, "limits.url answers again"),
    ]  # fmt: skip


def test_a_chroma_in_the_folder_that_fails_is_told_with_the_folder(tmp_path, monkeypatch):
    pages, data = write(tmp_path / "pages", {"heel.md": "# Heel\n\nRest.\n"}), tmp_path / "data"
    name = indexed(pages, data).manifest.generation
    retriever = Retriever(data, HashEncoder(), IndexSettings())

    def query(*_, **__):
        raise InternalError("unable to open database file")

    monkeypatch.setattr("chromadb.Collection.query", query)
    with pytest.raises(IndexUnavailableError) as caught:
        retriever.retrieve("heel")
    assert str(caught.value) == (
        f"the passages in {data / 'generations' / name} cannot be searched (unable to open "
        "database file); if that stays so, start Citewell again"
    )
    with pytest.raises(IndexDamagedError, match="--rebuild"):  # while it is being opened
        Retriever(data, HashEncoder(), IndexSettings())


def test_told_to_stop_it_ends_the_answers_under_way_and_can_start_again_at_once(tmp_path):
    first, stopping = Event(), Event()

    def script(reply):
        reply.begin()
        reply.part(row(GOOD, (where(reply, HELPS), HELPS)))
        if len(model.asked) == 1:
            first.set()
            stopping.wait(30)
        else:
            reply.wait(30)
        reply.part(row(ALSO_GOOD, (where(reply, SHAM), SHAM)))
        reply.raw(b"data: [DONE]\n\n")

    with model_server() as model, ThreadPoolExecutor() as visitors:
        model.script = script
        app = clinic(tmp_path, f'[model]\nname = "openai:scripted"\nurl = "{model.url}"\n')
        with running(app):
            url = f"http://127.0.0.1:{app.port}"
            client = httpx.Client(base_url=url, trust_env=False, timeout=60)
            ask = partial(client.post, "/api/v1/ask", json={"question": QUESTION})
            open_page = visitors.submit(client.get, "/gradio_api/heartbeat/page")
            soon = visitors.submit(ask)
            first.wait(60)
            never = visitors.submit(ask)
            until(lambda: len(model.asked) == 2)
            began = time.monotonic()
            stopped = visitors.submit(app.stop)
            until(lambda: not listening(app.port))
            stopping.set()
            assert [s["text"] for s in soon.result().json()["sentences"]] == [GOOD, ALSO_GOOD]
            assert (never.result().status_code, never.result().text) == (503, notices.ERROR)
            assert stopped.result() == -signal.SIGTERM
            assert time.monotonic() - began < 10
            assert open_page.result().is_success
            app.start()
            assert ready(app.port)
            client.close()
        log = app.log.read_text("utf-8")
    assert "Traceback" not in log
    assert log.count("ERROR") == log.count("Cancel 2 running task(s)") == 1


def test_a_page_that_is_open_while_the_server_is_renewed_keeps_what_was_said_and_asked(
    tmp_path, browser
):
    app = clinic(tmp_path)
    with running(app), closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{app.port}")
        ask(page, QUESTION)
        app.stop()
        box = page.locator(".cw-box textarea")
        box.fill("what are cups for")
        box.press("Enter")
        lost = page.locator(".cw-answer").last
        expect(lost).to_contain_text("No answer came back", timeout=15_000)
        app.start()
        expect(page.locator(".cw-answer")).to_have_count(1, timeout=60_000)
        expect(box).to_have_value("what are cups for")
        ask(page, QUESTION, count=2)


def test_out_of_file_handles_it_lives_and_answers_again_when_there_are_some(tmp_path):
    served = clinic(tmp_path)
    few = ["sh", "-c", f'ulimit -n {HANDLES} && exec "$@"', "sh", *served._arguments]
    app = Process(few, served.port, served.log)
    with running(app), ExitStack() as held:
        url = f"http://127.0.0.1:{app.port}"
        client = held.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=60))
        assert answered(client)
        until(lambda: "not offered" in app.log.read_text("utf-8"))
        before = len(app.log.read_text("utf-8").splitlines())
        idle = [
            held.enter_context(socket.create_connection(("127.0.0.1", app.port), 10))
            for _ in range(2 * HANDLES)
        ]
        assert not came_in(url)
        for path in ("/", "/demo", "/readyz", "/pages/pages/cups.md"):
            said = client.get(path)
            unready = path == "/readyz" and said.status_code == 503 and "see the log" in said.text
            told = "Retry-After" in said.headers or said.text == notices.ERROR
            assert said.is_success or unready or told
        for _ in range(20):
            said = client.post("/api/v1/ask", json={"question": QUESTION})
            assert said.is_success or said.json()["detail"] == notices.ERROR
        with suppress(httpx.TransportError):  # its head was sent: it cannot but break off
            client.get("/citewell/chat.css")
        for connection in idle:
            connection.close()
        until(lambda: came_in(url))
        log = app.log.read_text("utf-8")
    assert "Traceback" not in log
    assert len(log.splitlines()) - before <= 25  # at most one for each request


def answered(client):
    said = client.post("/api/v1/ask", json={"question": QUESTION})
    return said.is_success and said.json()["kind"] == "answer"


def came_in(url):
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as fresh:
            return answered(fresh)
    except httpx.TransportError:
        return False
