"""The staff console at `/staff`: try a question, approve answers, see gaps, tend the pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import APIRouter

from bot.approved import ApprovedAnswers
from bot.journal import Journal
from bot.library import Library
from bot.pipeline import Assistant
from bot.web.staff import answers, doors, gaps, pages, report, try_
from bot.web.staff.auth import Gate, hash_password
from bot.web.staff.console import Console

__all__ = ["hash_password", "routes"]


def routes(
    assistant: Assistant, journal: Journal, *, now: Callable[[], float] = time.time,
    library: Library | None = None,
) -> APIRouter:  # fmt: skip
    """Return the console of one clinic; everything is 404 unless it has set a password."""

    def today() -> datetime:
        return datetime.fromtimestamp(now(), UTC)

    gate = Gate(assistant.settings, journal, now)
    approved = ApprovedAnswers(journal, assistant.retriever, lambda: today().date())
    library = library or Library(assistant)
    console = Console(assistant, journal, approved, library, lambda: today().date())
    router = APIRouter(route_class=gate.route(), include_in_schema=False)
    for page in (try_, answers, gaps, pages, report):
        page.add(router, console)
    doors.add(router, gate)
    return router
