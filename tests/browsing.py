"""A real browser for the tests: serve an application, open a page, ask a question."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

import uvicorn
from playwright.sync_api import expect

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def served(web):
    """Serve an application on a free port of this machine; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(
            uvicorn.Config(web, log_level="warning", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive() and time.monotonic() < until, "the server did not start"
            thread.join(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def ask(page, question, *, count=1):
    page.locator(".cw-box textarea").fill(question)
    page.locator(".cw-box button").click()
    return answered(page, count)


def answered(page, count=1):
    expect(page.locator(".cw-talk")).to_have_attribute("data-state", "done")
    expect(page.locator(".cw-answer:not(.cw-working)")).to_have_count(count)
    return page.locator(".cw-answer").last


def reload(page):
    """Load a visited page anew. What Gradio says of its stream being cut off then is no fault."""
    before = len(page.faults)
    page.reload()
    expect(page.locator("html[data-cw-started]")).to_be_attached()
    del page.faults[before:]
