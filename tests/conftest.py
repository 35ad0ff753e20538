from __future__ import annotations

import asyncio
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import ARGUMENTS, served
from hypothesis import settings
from playwright.sync_api import Page, expect, sync_playwright

from bot.pipeline import Assistant
from bot.settings import Settings
from index.build import build
from index.embed import FAKE_MODEL, SentenceEncoder, open_encoder
from index.settings import DEFAULT_MODEL, CorpusSettings, IndexSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from bot.journal import Journal

settings.register_profile("citewell", deadline=None, database=None)
settings.load_profile("citewell")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own CITEWELL_ settings must not decide a test."""
    for name in [name for name in os.environ if name.startswith("CITEWELL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def model() -> SentenceEncoder:
    """The real bundled model, loaded once."""
    return SentenceEncoder(DEFAULT_MODEL)


def _assistant(data: Path, model_name: str) -> Assistant:
    """Return an assistant over the shipped pages, indexed in `data`."""
    chosen = IndexSettings(data=data, model=model_name)
    pages = CorpusSettings()
    build([*map(str, pages.folders)], data, open_encoder(chosen), pages, chosen)
    return Assistant.open(Settings(index=chosen))


@pytest.fixture(scope="session")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    """An assistant over the shipped pages, with the fake encoder."""
    return _assistant(tmp_path_factory.mktemp("shipped") / "data", FAKE_MODEL)


@pytest.fixture(scope="session")
def real_assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    """The same with the real model, for tests marked `model`."""
    return _assistant(tmp_path_factory.mktemp("shipped-real") / "data", DEFAULT_MODEL)


@pytest.fixture(scope="session")
def web(assistant: Assistant) -> FastAPI:
    """The web application of `assistant`, which is idle between tests."""
    return application(assistant)


@pytest.fixture(scope="session")
def real_web(real_assistant: Assistant) -> FastAPI:
    """The same of `real_assistant`, warm."""
    real_assistant.warm()
    return application(real_assistant)


def application(assistant: Assistant) -> FastAPI:
    """Return the web application of an assistant, with a journal beside its index."""
    from bot.journal import Journal
    from bot.web.server import create_app

    journal = Journal.open(assistant.settings.journal_url)

    async def made() -> FastAPI:
        return create_app(assistant, journal)

    # Outside a running loop Gradio makes loops and leaves them open. A browser under way runs one.
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, made()).result()


@pytest.fixture
def journal(web, assistant) -> Iterator[Journal]:
    """What `web` keeps."""
    from bot.journal import Journal

    opened = Journal.open(assistant.settings.journal_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def address(web):
    """The chat page with the fake encoder, for as long as the module runs."""
    with served(web) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    """A real Chromium. Required in CI; elsewhere the tests that need one are skipped."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        missing = "there is no chromium on this machine; install it to run the browser tests"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def visit(browser, address):
    """Return a function that opens the page; at the end nothing may have gone wrong in it."""
    opened, faults = [], []

    def visit(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.faults = faults  # type: ignore[attr-defined]
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((address, "data:", "blob:"))
                else faults.append(f"asks {r.url}")
            ),
        )
        page.goto(f"{address}{path}")
        if path == "/":
            expect(page.locator(".cw-talk")).to_have_attribute("data-state", "done")
            expect(page.locator("html[data-cw-started]")).to_be_attached()
        return page

    yield visit
    for context in opened:
        context.close()
    assert faults == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured and did not assert."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
