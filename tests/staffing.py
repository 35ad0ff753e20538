"""A staff console over an assistant, with a clock that stands still until it is moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from bot.journal import Journal
from bot.library import Library
from bot.pipeline import Assistant
from bot.settings import Staff
from bot.web import staff

PASSWORD = "correct horse battery"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()


@cache
def password_hash() -> SecretStr:
    return SecretStr(staff.hash_password(PASSWORD))


@dataclass
class Clock:
    seconds: float = NOON

    def __call__(self) -> float:
        return self.seconds

    def time(self) -> float:
        return self.seconds

    def day(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


class Console:
    """What a member of staff does in a browser."""

    def __init__(
        self, client: TestClient, journal: Journal, library: Library, clock: Clock
    ) -> None:
        self.client, self.journal, self.library, self.clock = client, journal, library, clock

    def log_in(self, password: str = PASSWORD, **more: Any) -> httpx.Response:
        return self.client.post("/staff/login", data={"password": password, **more})

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/staff").text)
        assert found
        return found[1]

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def post(self, path: str, **form: Any) -> httpx.Response:
        return self.client.post(path, data={"csrf": self.csrf, **form})

    def upload(self, *files: tuple[str, bytes]) -> httpx.Response:
        sent = [("files", file) for file in files]
        return self.client.post("/staff/pages/uploads", data={"csrf": self.csrf}, files=sent)


@contextmanager
def console(
    assistant: Assistant, folder: Path, *, has_password: bool = True,
    address: str = "http://testserver", **settings: Any,
) -> Iterator[Console]:  # fmt: skip
    """Open the console of `assistant`; the journal and the report are in `folder`."""
    chosen = Staff(
        password_hash=password_hash() if has_password else SecretStr(""),
        report=folder / "report", session_minutes=settings.pop("session_minutes", 30),
    )  # fmt: skip
    own = Assistant(
        assistant.settings.model_copy(update={"staff": chosen, **settings}),
        assistant.retriever,
        assistant.writer,
    )
    clock = Clock()
    journal = Journal.open(f"sqlite:///{folder / 'staff.db'}", now=clock.day)
    library = Library(own)
    app = FastAPI()
    app.include_router(staff.routes(own, journal, now=clock, library=library))
    with TestClient(app, base_url=address, follow_redirects=False) as client:
        yield Console(client, journal, library, clock)
    library.wait()
    journal.close()
