"""What every page of the staff console shares: the clinic's parts, and how a page is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from bot.approved import ApprovedAnswers
from bot.journal import Journal
from bot.library import Library
from bot.pipeline import Assistant
from bot.web import view

PAGES = (
    ("try", "/staff", "Try"),
    ("answers", "/staff/answers", "Answers"),
    ("gaps", "/staff/gaps", "Gaps"),
    ("pages", "/staff/pages", "Pages"),
    ("report", "/staff/report", "Report"),
)
"""The pages of the console: name, address, label."""


@dataclass(frozen=True)
class Console:
    """The parts the pages work with; `today` is a date in UTC."""

    assistant: Assistant
    journal: Journal
    approved: ApprovedAnswers
    library: Library
    today: Callable[[], date]

    def page(
        self, request: Request, name: str, *, here: str, status: int = 200, **values: object
    ) -> HTMLResponse:
        """Show `staff/<name>.html`; `here` names the page in the menu."""
        shown = view.render(
            f"staff/{name}.html", here=here, menu=PAGES, csrf=request.state.session.csrf,
            clinic=self.assistant.settings.clinic, **values,
        )  # fmt: skip
        return HTMLResponse(shown, status)

    def title(self, document: str) -> str:
        """Return the title of a page, or its id if it is gone."""
        found = self.assistant.retriever.documents.get(document)
        return found.title if found else document


def see(address: str) -> RedirectResponse:
    """Send the browser to a page after something was done, so that reloading does not repeat it."""
    return RedirectResponse(address, 303)
