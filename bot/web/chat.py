"""The chat page: Gradio Blocks that send a question and show the rendered conversation."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from bot.pipeline import Assistant, failed
from bot.types import Answer, Turn
from bot.web import view
from bot.web.view import Exchange

_log = logging.getLogger(__name__)
_STATIC = Path(__file__).with_name("static")
_REMEMBERED = 20
"""Exchanges kept on screen, and in memory only, for as long as the visitor's page is open."""
_LONGEST = 4000
"""Characters read of one message; the box allows half of that."""
_FORGET_AFTER = 3600  # seconds
_PANEL = (
    '<aside class="cw-panel" aria-label="Source"><button type="button" class="cw-close" '
    'aria-label="Close the source">×</button><div class="cw-source"></div></aside>'
)


def chat_page(assistant: Assistant) -> gr.Blocks:
    """Return the page for one clinic."""
    settings = assistant.settings

    def shown(exchanges: list[Exchange]) -> str:
        return view.conversation(exchanges, settings, assistant.retriever.terms)

    def reply(past: list[Exchange], event: gr.EventData) -> Iterator[tuple[str, list[Exchange]]]:
        question = str(getattr(event, "question", ""))[:_LONGEST]
        number = past[-1].number + 1 if past else 1
        waiting = [*past[1 - _REMEMBERED :], Exchange(number, question, None)]
        yield shown(waiting), past
        for answer in _answers(assistant, question, past):
            answered = [*waiting[:-1], Exchange(number, question, answer)]
            yield shown(answered), past if answer.partial else answered

    def clear() -> tuple[str, list[Exchange]]:
        return shown([]), []

    plain: dict[str, Any] = {"apply_default_css": False}
    with gr.Blocks(title=f"Ask {settings.clinic.name}", analytics_enabled=False) as blocks:
        exchanges = gr.State([], time_to_live=_FORGET_AFTER)
        gr.HTML(view.header(settings), elem_id="cw-head", js_on_load=None, **plain)
        with gr.Row(elem_id="cw-body"):
            with gr.Column(elem_id="cw-main"):
                talk = gr.HTML(shown([]), elem_id="cw-talk", js_on_load=None, **plain)
                box = gr.HTML(
                    view.composer(settings), elem_id="cw-form",
                    js_on_load=(_STATIC / "chat.js").read_text("utf-8"), **plain,
                )  # fmt: skip
            gr.HTML(_PANEL, elem_id="cw-panel", js_on_load=None, **plain)
        silent: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        box.submit(reply, [exchanges], [talk, exchanges], concurrency_limit=4, **silent)
        box.clear(clear, None, [talk, exchanges], **silent)
    page: gr.Blocks = blocks
    return page


def _answers(assistant: Assistant, question: str, past: list[Exchange]) -> Iterator[Answer]:
    history = [
        Turn(e.question, e.answer.trace.standalone or e.question, e.answer.kind)
        for e in past
        if e.answer
    ]
    try:
        yield from assistant.stream(question, history)
    except Exception:  # noqa: BLE001 - a visitor gets a sentence and a phone number, staff the log
        _log.exception("a question was not answered")
        yield failed(assistant.settings)
