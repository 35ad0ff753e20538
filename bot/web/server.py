"""One process for everything a browser touches. FastAPI outside, Gradio mounted inside.

Gradio brings routes a clinic's chat has no use for (uploads, file reading, a proxy): only those
the page needs are let through, so nothing outside the corpus can be reached.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, Field

from bot.approved import ApprovedAnswers
from bot.journal import Journal, JournalError
from bot.pipeline import Assistant
from bot.recorder import Recorder
from bot.types import AnswerKind
from bot.web import staff, view, widget
from bot.web.chat import chat_page
from bot.web.widget import frame_ancestors
from index.errors import CitewellError

_log = logging.getLogger(__name__)
_STATIC = Path(__file__).with_name("static")
_OPEN = re.compile(
    r"/|/health|/widget\.js|/demo|/staff(/.*)?|/api/v1/feedback|/citewell/.*|/pages/.*|"
    r"/originals/.*|/static/.*|/assets/.*|/svelte/.*|/config|/theme\.css|/favicon\.ico|"
    r"/manifest\.json|/robots\.txt|"
    r"/gradio_api/(info|startup-events|app_id|heartbeat/[\w-]+|queue/(join|data)|cancel|reset)/?"
)
# Gradio's own scripts are inline and compiled in the browser, hence the two "unsafe".
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; base-uri 'self'; form-action 'self'; "
    "object-src 'none'; "
)
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_RATINGS = RateLimitItemPerMinute(30)
"""Ratings of one address."""
_HEAD = """
<script src="/citewell/theme.js"></script>
<link rel="stylesheet" href="/citewell/theme.css"><link rel="stylesheet" href="/citewell/chat.css">
<link rel="modulepreload" href="/citewell/chat.js">
"""


class Rating(BaseModel):
    """What a visitor says of an answer."""

    question: str = Field("", max_length=4000)
    helpful: bool
    reason: str = Field("", max_length=40)
    kind: AnswerKind
    pages: list[Annotated[str, Field(max_length=500)]] = Field([], max_length=20)


def create_app(assistant: Assistant, journal: Journal) -> FastAPI:
    """Return the application for one clinic; what is kept is kept in `journal`."""
    settings = assistant.settings
    retriever = assistant.retriever
    assistant.approved = ApprovedAnswers(journal, retriever)
    recorder = Recorder(journal, settings.privacy, assistant.knows)
    headers = {**_HEADERS, "Content-Security-Policy": _POLICY + frame_ancestors(settings)}
    app = FastAPI(title="Citewell", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guard(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if not _OPEN.fullmatch(request.url.path):
            response: Response = PlainTextResponse("There is nothing here.", 404)
        else:
            response = await call_next(request)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        if request.url.path.startswith("/citewell/"):
            response.headers["Cache-Control"] = "no-cache"  # asked for again: scripts fit together
        return response

    @app.get("/health", response_class=PlainTextResponse)
    def health() -> str:
        return "ok"

    @app.get("/pages/{name:path}", response_class=HTMLResponse)
    def page(name: str, start: int = 0, end: int = 0) -> Response:
        document = assistant.retriever.documents.get(name)
        if document is None:
            return HTMLResponse(view.render("missing.html"), 404)
        return HTMLResponse(view.page(document, start, end))

    @app.get("/originals/{name:path}")
    def original(name: str) -> Response:
        document = assistant.retriever.documents.get(name)
        path = Path(document.path) if document and view.original(document) else None
        if path is None or not path.is_file():
            return HTMLResponse(view.render("missing.html"), 404)
        kind = view.ORIGINALS[path.suffix.lower()]
        how: Literal["inline", "attachment"] = "inline" if kind.endswith("pdf") else "attachment"
        return FileResponse(
            path, media_type=kind, filename=path.name, content_disposition_type=how,
            headers={"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"},
        )  # fmt: skip

    ratings = MovingWindowRateLimiter(MemoryStorage())

    @app.post("/api/v1/feedback", status_code=204)
    def feedback(rating: Rating, request: Request) -> None:
        if not ratings.hit(_RATINGS, request.client.host if request.client else ""):
            raise HTTPException(429, "Too many ratings at once.", {"Retry-After": "60"})
        known = retriever.documents
        pages = tuple(page for page in rating.pages if page in known)
        try:
            recorder.rated(rating.question, rating.helpful, rating.reason, rating.kind, pages)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        except JournalError as error:
            _log.error("a rating was not kept: %s", error)
            raise HTTPException(503, "This cannot be kept at the moment.") from None

    app.include_router(widget.routes(settings))
    app.include_router(staff.routes(assistant, journal))
    app.mount("/citewell", StaticFiles(directory=_STATIC))
    mounted: FastAPI = gr.mount_gradio_app(
        app, chat_page(assistant, recorder), path="/", footer_links=[], run_history=False,
        show_error=False, max_file_size=1, ssr_mode=False, enable_monitoring=False, theme=_theme(),
        # Not `css_paths`: Gradio would confine every rule to its own container.
        head=_HEAD,
    )  # fmt: skip

    return mounted


def run(assistant: Assistant, journal: Journal, host: str, port: int) -> None:
    """Serve until stopped."""
    app = create_app(assistant, journal)
    proxies = list(assistant.settings.server.trusted_proxies)
    uvicorn.run(
        app, host=host, port=port, log_level="warning", server_header=False,
        forwarded_allow_ips=proxies,
    )  # fmt: skip


def require_free(host: str, port: int) -> None:
    """Raise CitewellError if `port` cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CitewellError(
                f"cannot listen on {host}:{port} ({error.strerror}); stop what uses it or choose "
                "another with --port"
            ) from None


def _theme() -> gr.themes.Base:
    """Return a theme that asks for no font from anywhere."""
    return gr.themes.Base(
        font=["ui-sans-serif", "system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
