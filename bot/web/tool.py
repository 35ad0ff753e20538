"""The same answers as a tool for language models (MCP), through Gradio. Off unless turned on."""

from __future__ import annotations

import logging
from typing import Any

import gradio as gr
from gradio.events import api

from bot import notices
from bot.scrub import unsaid
from bot.web.api import Service
from bot.web.desk import BusyError, TooOftenError
from bot.web.shapes import AnswerOut

_log = logging.getLogger(__name__)
_LONGEST = 4000
_ABOUT = (
    "Ask a clinic's own pages about a treatment, a condition or a visit. Every sentence of the "
    "answer is a quote with its source; give the sources and the notices on to the reader, and "
    "an emergency's notice first. General information: it judges nobody's own case."
)


def add(service: Service) -> None:
    """Add the tool to the Gradio Blocks that are being made."""

    async def ask(question: str, request: gr.Request) -> dict[str, Any]:
        """Answer a question from the clinic's pages.

        Args:
            question: What a patient would ask, as a sentence that stands alone.
        """
        question = question[:_LONGEST].encode("utf-8", "replace").decode()
        try:
            made = service.answers(question, [], request, whole=True)
            (answer,) = [answer async for answer in made]
        except TooOftenError:
            raise gr.Error(notices.TOO_OFTEN) from None
        except BusyError:
            raise gr.Error(notices.BUSY) from None
        except Exception as error:  # noqa: BLE001 - a fixed sentence for the client, the log for staff
            _log.error("a question was not answered: %s", unsaid(error))
            raise gr.Error(notices.ERROR) from None
        return AnswerOut.of(answer, question).model_dump()

    api(ask, api_name="ask", api_description=_ABOUT, concurrency_limit=None)
