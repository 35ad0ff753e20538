"""One process for everything a browser touches. FastAPI outside, Gradio mounted inside.

Gradio brings routes a clinic's chat has no use for (uploads, file reading, a proxy): only those
the page needs are let through, so nothing outside the corpus can be reached.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from bot.pipeline import Assistant
from bot.web import view
from bot.web.chat import chat_page
from index.errors import CitewellError

_STATIC = Path(__file__).with_name("static")
_OPEN = re.compile(
    r"/|/health|/citewell/.*|/static/.*|/pages/.*|/assets/.*|/svelte/.*|/config|/theme\.css|/favicon\.ico|"
    r"/manifest\.json|/robots\.txt|"
    r"/gradio_api/(info|startup-events|app_id|heartbeat/[\w-]+|queue/(join|data)|cancel|reset)/?"
)
_HEADERS = {
    # Gradio's own scripts are inline and compiled in the browser, hence the two "unsafe".
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'self'; "
        "form-action 'self'; object-src 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def create_app(assistant: Assistant) -> FastAPI:
    """Return the application for one clinic."""
    app = FastAPI(title="Citewell", docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def guard(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if not _OPEN.fullmatch(request.url.path):
            response: Response = PlainTextResponse("There is nothing here.", 404)
        else:
            response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.get("/health", response_class=PlainTextResponse)
    def health() -> str:
        return "ok"

    @app.get("/pages/{name:path}", response_class=HTMLResponse)
    def page(name: str, start: int = 0, end: int = 0) -> str:
        document = assistant.retriever.documents.get(name)
        if document is None:
            raise HTTPException(404, "There is no such page.")
        return view.page(document, start, end)

    app.mount("/citewell", StaticFiles(directory=_STATIC))
    mounted: FastAPI = gr.mount_gradio_app(
        app, chat_page(assistant), path="/", footer_links=[], run_history=False, show_error=False,
        max_file_size=1, ssr_mode=False, enable_monitoring=False, theme=_theme(),
        # Not `css_paths`: Gradio would confine every rule to its own container.
        head='<link rel="stylesheet" href="/citewell/chat.css">',
    )  # fmt: skip

    return mounted


def run(assistant: Assistant, host: str, port: int) -> None:
    """Serve until stopped."""
    uvicorn.run(
        create_app(assistant), host=host, port=port, log_level="warning", server_header=False
    )


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
