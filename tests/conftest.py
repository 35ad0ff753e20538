from __future__ import annotations

import os

import pytest
from hypothesis import settings

from index.embed import SentenceEncoder
from index.settings import DEFAULT_MODEL

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
