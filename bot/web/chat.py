"""The chat page: Gradio Blocks that take a question and give back one rendered answer.

The server remembers nothing of a conversation: the browser keeps it and sends the turns along.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, get_args

import gradio as gr
from anyio import to_thread

from bot import notices
from bot.pipeline import failed
from bot.scrub import unsaid
from bot.suggest import Suggestions
from bot.types import Answer, AnswerKind, Turn
from bot.web import tool, view
from bot.web.api import Service
from bot.web.desk import BusyError, TooOftenError

_log = logging.getLogger(__name__)
_REMEMBERED = 20
"""Earlier turns read of what the browser sends."""
_LONGEST = 4000
"""Characters read of one message; the box allows half of that."""
_SESSIONS = 200
"""Visits of which Gradio holds the last answer in memory. The conversation is in the browser, so
none is needed once the answer is sent; it would hold 10,000."""
_KINDS = get_args(AnswerKind)
_PANEL = (
    '<aside class="cw-panel" aria-label="Source"><button type="button" class="cw-close" '
    'aria-label="Close the source">×</button><div class="cw-source"></div></aside>'
)
_START = """
import(new URL("citewell/chat.js", document.baseURI))
  .then((chat) => chat.start(element, trigger))
  .catch((error) => {
    console.error(error);
    const lost = element.querySelector("[data-card=lost]").content.cloneNode(true);
    lost.querySelector("[data-again]").remove();
    element.querySelector(".cw-log").append(lost);
  });
"the browser sends:"; "submit";
"""
_HEARD = """
watch("value", () => document.dispatchEvent(
  new CustomEvent("citewell:reply", { detail: props.value })));
"""


def chat_page(service: Service) -> gr.Blocks:
    """Return the page for one clinic."""
    assistant = service.assistant
    settings = assistant.settings
    suggestions = Suggestions(assistant)

    async def reply(event: gr.EventData, request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        question = _text(getattr(event, "question", ""))
        number = _whole(getattr(event, "number", 0))
        history = turns(getattr(event, "history", ()))
        terms = assistant.retriever.terms
        async for answer in _answers(service, request, question, history):
            shown = {"number": number, "card": view.answer(answer, number, terms)}
            yield (
                {**shown, "state": "partial"}
                if answer.partial
                else {
                    **shown,
                    "state": "whole",
                    "say": "" if answer.kind == "emergency" else view.spoken(answer),
                    "turn": {
                        "standalone": answer.trace.standalone or question,
                        "kind": answer.kind,
                    },
                }
            )
        asked = [question, *(turn.question for turn in history)]
        next_ones = await to_thread.run_sync(suggestions.after, answer, asked)
        yield {"number": number, "state": "chips", "chips": view.chips(next_ones)}

    plain: dict[str, Any] = {"apply_default_css": False}
    with gr.Blocks(title=f"Ask {settings.clinic.name}", analytics_enabled=False) as blocks:
        gr.HTML(view.header(settings), elem_id="cw-head", js_on_load=None, **plain)
        with gr.Row(elem_id="cw-body"):
            with gr.Column(elem_id="cw-main"):
                talk = gr.HTML(
                    view.shell(settings, suggestions.first()), elem_id="cw-talk",
                    js_on_load=_START, **plain,
                )  # fmt: skip
            gr.HTML(_PANEL, elem_id="cw-panel", js_on_load=None, **plain)
        heard = gr.HTML(
            None, html_template="", elem_id="cw-heard", js_on_load=_HEARD, visible="hidden", **plain
        )
        talk.submit(
            reply, None, [heard], concurrency_limit=None, show_progress="hidden",
            api_visibility="private", trigger_mode="multiple",
        )  # fmt: skip
        if settings.server.mcp:
            tool.add(service)
    page: gr.Blocks = blocks
    page.state_session_capacity = _SESSIONS
    return page


def turns(sent: object) -> list[Turn]:
    """Return the turns a browser sent, oldest first; whatever is not one is left out."""
    found: list[Turn] = []
    for one in sent if isinstance(sent, list) else ():
        if isinstance(one, dict) and one.get("kind") in _KINDS:
            words = [one.get("question"), one.get("standalone")]
            if all(isinstance(text, str) for text in words):
                question, standalone = map(_text, words)
                found.append(Turn(question, standalone, one["kind"]))
    return found[-_REMEMBERED:]


def _text(sent: object) -> str:
    """Return what was sent as text that any encoder takes: half an emoji becomes a mark."""
    return str(sent)[:_LONGEST].encode("utf-8", "replace").decode()


def _whole(number: object) -> int:
    return number if isinstance(number, int) else 0


async def _answers(
    service: Service, request: gr.Request, question: str, history: list[Turn]
) -> AsyncIterator[Answer]:
    settings = service.assistant.settings
    try:
        async for answer in service.answers(question, history, request):
            yield answer
    except TooOftenError:
        yield failed(settings, notices.TOO_OFTEN)
    except BusyError:
        yield failed(settings, notices.BUSY)
    except Exception as error:  # noqa: BLE001 - a visitor gets a sentence and a number, staff the log
        _log.error("a question was not answered: %s", unsaid(error))
        yield failed(settings)
