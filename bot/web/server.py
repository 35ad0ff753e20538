"""One process for everything a browser touches. FastAPI outside, Gradio mounted inside.

Gradio brings routes a clinic's chat has no use for (uploads, file reading, a proxy): only those
the page needs are let through, so nothing outside the corpus can be reached.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import re
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot import notices
from bot.approved import ApprovedAnswers
from bot.journal import Journal
from bot.pipeline import Assistant
from bot.scrub import unsaid
from bot.settings import Settings
from bot.web import api, staff, view, widget
from bot.web.chat import chat_page
from bot.web.widget import frame_ancestors
from index.errors import CitewellError

_log = logging.getLogger(__name__)
_STATIC = Path(__file__).with_name("static")
_OPEN = re.compile(
    r"/|/healthz|/readyz|/metrics|/widget\.js|/demo|/staff(/.*)?|/api/v1/.*|/citewell/.*|/pages/.*|"
    r"/originals/.*|/static/.*|/assets/.*|/svelte/.*|/config|/theme\.css|/favicon\.ico|"
    r"/manifest\.json|/robots\.txt|"
    r"/gradio_api/(info|startup-events|app_id|heartbeat/[\w-]+|queue/(join|data)|cancel|reset|mcp(/.*)?)/?",
    re.S,  # a name may hold a line break: there is no such page, and it says so
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
_PARTING_S = 5
"""Seconds an answer under way has when the server is told to stop."""
_M_ARENA_MAX = -8  # malloc.h
_MOST_BYTES = 300_000
"""Of a request: a conversation with twenty turns of the longest is less."""
_ABOUT = "Ask a clinic's pages. Every sentence of an answer is a quote that can be opened."
_HEAD = """
<script src="/citewell/theme.js"></script>
<link rel="stylesheet" href="/citewell/theme.css"><link rel="stylesheet" href="/citewell/chat.css">
<link rel="modulepreload" href="/citewell/chat.js">
"""


class Guard:
    """Lets through what the page and the API need, nothing else, and sets headers on all of it.

    Plain ASGI: Starlette's own middleware for functions costs every request a task and a queue.
    """

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        """Set `headers` where a response has none of that name."""
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404 to what is not let through, and pass the rest on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, begun, ended = scope["path"], False, False

        async def headed(message: Message) -> None:
            nonlocal begun, ended
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if path.startswith("/citewell/"):
                    headers["Cache-Control"] = "no-cache"  # asked for again: scripts fit together
            await send(message)

        app: ASGIApp = self._app if _OPEN.fullmatch(path) else _NOTHING
        try:
            await app(scope, receive, headed)
        except asyncio.CancelledError:  # the time for answers under way is up
            if begun:
                raise
            await _STOPPING(scope, receive, headed)
        except Exception as error:
            _log.error("%s was not answered: %s", scope["method"], unsaid(error))
            if begun and not ended:
                raise  # the connection is closed, so that nobody takes half for all
            if not ended:
                await _FAILED(scope, receive, headed)


_NOTHING = PlainTextResponse("There is nothing here.", 404)
_FAILED = PlainTextResponse(notices.ERROR, 500)
_STOPPING = PlainTextResponse(notices.ERROR, 503)


def create_app(assistant: Assistant, journal: Journal) -> FastAPI:
    """Return the application for one clinic; what is kept is kept in `journal`."""
    settings = assistant.settings
    retriever = assistant.retriever
    assistant.approved = ApprovedAnswers(journal, retriever)
    service = api.Service.of(assistant, journal)
    app = FastAPI(
        title="Citewell", version=version("citewell"), docs_url=None, redoc_url=None,
        openapi_url="/api/v1/openapi.json", description=_ABOUT, max_body_size=_MOST_BYTES,
        exception_handlers={RequestValidationError: _refused},
    )  # fmt: skip
    app.add_middleware(Guard, headers=_headers(settings))

    @app.get("/pages/{name:path}", response_class=HTMLResponse, include_in_schema=False)
    def page(name: str, start: int = 0, end: int = 0) -> Response:
        document = assistant.retriever.documents.get(name)
        if document is None:
            return HTMLResponse(view.render("missing.html"), 404)
        return HTMLResponse(view.page(document, start, end))

    @app.get("/originals/{name:path}", include_in_schema=False)
    def original(name: str) -> Response:
        document = assistant.retriever.documents.get(name)
        path = Path(document.path) if document and view.original(document) else None
        if path is None or not path.is_file() or path.resolve() != path.absolute():
            return HTMLResponse(view.render("missing.html"), 404)
        kind = view.ORIGINALS[path.suffix.lower()]
        how: Literal["inline", "attachment"] = "inline" if kind.endswith("pdf") else "attachment"
        return FileResponse(
            path, media_type=kind, filename=path.name, content_disposition_type=how,
            headers={"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"},
        )  # fmt: skip

    app.include_router(api.routes(service))
    app.include_router(widget.routes(settings), include_in_schema=False)
    app.include_router(staff.routes(assistant, journal))
    app.mount("/citewell", StaticFiles(directory=_STATIC))
    mounted: FastAPI = gr.mount_gradio_app(
        app, chat_page(service), path="/", footer_links=[], run_history=False,
        show_error=False, max_file_size=1, ssr_mode=False, enable_monitoring=False, theme=_theme(),
        mcp_server=settings.server.mcp, app_kwargs={"exception_handlers": {Exception: _failed}},
        # Not `css_paths`: Gradio would confine every rule to its own container.
        head=_HEAD,
    )  # fmt: skip

    return mounted


def run(assistant: Assistant, journal: Journal, host: str, port: int) -> None:
    """Serve until stopped; then finish the answers under way."""
    _keep_memory_together()
    logging.getLogger("uvicorn.error").addFilter(_worth_a_line)
    app = create_app(assistant, journal)
    proxies = list(assistant.settings.server.trusted_proxies)
    uvicorn.run(
        app, host=host, port=port, log_level="warning", server_header=False,
        forwarded_allow_ips=proxies, timeout_graceful_shutdown=_PARTING_S,
    )  # fmt: skip


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Leave out uvicorn's tracebacks: the guard has a line for each, without visitors' words.

    Of requests that are cut off when the server stops, uvicorn says how many.
    """
    return record.getMessage().strip() != "Exception in ASGI application"


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


async def _failed(_: Request, error: Exception) -> Response:
    """Say so in Gradio's place; the error goes on to the guard, which logs it."""
    return _FAILED


async def _refused(_: Request, error: Exception) -> Response:
    """Say what is wrong with a request and where, without the words it was made of."""
    assert isinstance(error, RequestValidationError)
    said = [{key: one[key] for key in ("loc", "msg", "type")} for one in error.errors()]
    # As ASCII: a name of a field may hold half an emoji, which no response can
    return Response(json.dumps({"detail": said}), 422, media_type="application/json")


def _headers(settings: Settings) -> dict[str, str]:
    return {**_HEADERS, "Content-Security-Policy": _POLICY + frame_ancestors(settings)}


def _keep_memory_together() -> None:
    """Let threads share two heaps; each with its own, fifty visitors would take 100 MB more."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 2)


def _theme() -> gr.themes.Base:
    """Return a theme that asks for no font from anywhere."""
    return gr.themes.Base(
        font=["ui-sans-serif", "system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
