"""The chat in a corner of the clinic's own site: its script, who may frame it, a page to see it.

A visitor's browser refuses to frame the chat page anywhere but on the sites in `[widget] origins`:
`frame_ancestors` says so in every response. The script knows them too, as a courtesy: elsewhere it
shows nothing and tells the site's owner why.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from bot import notices
from bot.settings import Settings
from bot.web import view

_SCRIPT = Path(__file__).with_name("static") / "widget.js"
_PLACE = "const settings = null;"
"""What stands in the script where the settings go."""
_SCRIPT_HEADERS = {
    "Cache-Control": "public, max-age=3600",
    # A page under `Cross-Origin-Embedder-Policy: require-corp` may load it too.
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_DEMO_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def routes(settings: Settings) -> APIRouter:
    """Return `/widget.js`, the one line a clinic puts in its pages, and `/demo`, a page with it."""
    router = APIRouter()
    script = _script(settings)
    demo = view.render("demo.html", clinic=settings.clinic, emergency=settings.emergency)

    @router.get("/widget.js")
    def widget() -> Response:
        return Response(script, media_type="text/javascript", headers=_SCRIPT_HEADERS)

    @router.get("/demo")
    def demonstration() -> Response:
        return HTMLResponse(demo, headers={"Content-Security-Policy": _DEMO_POLICY})

    return router


def frame_ancestors(settings: Settings) -> str:
    """Return the directive that lets the clinic's own sites, and no other, frame the chat page."""
    return " ".join(["frame-ancestors 'self'", *_origins(settings)])


def _script(settings: Settings) -> str:
    said = json.dumps(_said(settings), separators=(",", ":"))
    return _SCRIPT.read_text("utf-8").replace(_PLACE, f"const settings = {said};", 1)


def _said(settings: Settings) -> dict[str, Any]:
    """Return what the script needs to know: nothing that the chat page does not show as well."""
    contact = notices.contact(settings.clinic)
    return {
        "origins": _origins(settings),
        "label": settings.widget.label,
        "side": settings.widget.side,
        "clinic": settings.clinic.name,
        "ai": notices.AI_LABEL,
        "contact": contact.title,
        "hours": contact.text,
        "ways": [[action.label, action.href] for action in contact.actions],
    }


def _origins(settings: Settings) -> list[str]:
    """Return the origins as browsers write them: small letters, no default port, each once."""
    written = (
        origin.lower().removesuffix(_DEFAULT_PORTS[urlsplit(origin).scheme])
        for origin in settings.widget.origins
    )
    return list(dict.fromkeys(written))
