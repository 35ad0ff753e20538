"""The chat page: Gradio Blocks that take a question and give back one rendered answer.

The server remembers nothing of a conversation: the browser keeps it and sends the turns along.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, get_args

import gradio as gr

from bot.pipeline import Assistant, failed
from bot.recorder import Recorder
from bot.suggest import Suggestions
from bot.types import Answer, AnswerKind, Turn
from bot.web import view

_log = logging.getLogger(__name__)
_REMEMBERED = 20
"""Earlier turns read of what the browser sends."""
_LONGEST = 4000
"""Characters read of one message; the box allows half of that."""
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


def chat_page(assistant: Assistant, recorder: Recorder) -> gr.Blocks:
    """Return the page for one clinic; what `recorder` keeps of questions is its affair."""
    settings = assistant.settings
    suggestions = Suggestions(assistant)

    def reply(event: gr.EventData) -> Iterator[dict[str, Any]]:
        question = _text(getattr(event, "question", ""))
        number = _whole(getattr(event, "number", 0))
        history = turns(getattr(event, "history", ()))
        terms = assistant.retriever.terms
        for answer in _answers(assistant, question, history):
            shown: dict[str, Any] = {"number": number, "card": view.answer(answer, number, terms)}
            if answer.partial:
                yield {**shown, "state": "partial"}
        yield {
            **shown,
            "state": "whole",
            "say": "" if answer.kind == "emergency" else view.spoken(answer),
            "turn": {"standalone": answer.trace.standalone or question, "kind": answer.kind},
        }
        recorder.asked(question, answer)
        asked = [question, *(turn.question for turn in history)]
        chips = view.chips(suggestions.after(answer, asked))
        yield {"number": number, "state": "chips", "chips": chips}

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
            reply, None, [heard], concurrency_limit=4, show_progress="hidden",
            api_visibility="private", trigger_mode="multiple",
        )  # fmt: skip
    page: gr.Blocks = blocks
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


def _answers(assistant: Assistant, question: str, history: list[Turn]) -> Iterator[Answer]:
    try:
        yield from assistant.stream(question, history)
    except Exception:  # noqa: BLE001 - a visitor gets a sentence and a phone number, staff the log
        _log.exception("a question was not answered")
        yield failed(assistant.settings)
