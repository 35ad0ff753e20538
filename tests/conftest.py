from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from bot.pipeline import Assistant
from bot.settings import Settings
from index.build import build
from index.embed import FAKE_MODEL, SentenceEncoder, open_encoder
from index.settings import DEFAULT_MODEL, CorpusSettings, IndexSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

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
    return _application(assistant)


@pytest.fixture(scope="session")
def real_web(real_assistant: Assistant) -> FastAPI:
    """The same of `real_assistant`, warm."""
    real_assistant.warm()
    return _application(real_assistant)


def _application(assistant: Assistant) -> FastAPI:
    from bot.web.server import create_app

    async def made() -> FastAPI:
        return create_app(assistant)

    # Outside a running loop Gradio makes loops and leaves them open. A browser under way runs one.
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, made()).result()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured and did not assert."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
