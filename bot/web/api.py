"""The HTTP API: ask, search, open a source, rate; and what those who run it watch.

The page and these routes go the same way: the same pipeline, the same desk, the same limits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from bot import notices
from bot.journal import Journal, JournalError
from bot.pipeline import Assistant, merged
from bot.recorder import Recorder
from bot.scrub import unsaid
from bot.types import Answer, Turn
from bot.web.desk import BusyError, Desk, TooOftenError
from bot.web.limits import Rates, What
from bot.web.metrics import TYPE, Metrics
from bot.web.shapes import AnswerOut, Ask, Fault, Found, Page, Rating, Search
from bot.web.tidy import tidying
from index.errors import CitewellError, IndexUnavailableError

_log = logging.getLogger(__name__)
_STREAM = "text/event-stream"
_BUSY_S, _DOWN_S = 2, 10
"""Seconds after which asking again may help: when it is busy, when something is down."""
_NOT_KEPT = "This cannot be kept at the moment."
_Faults = dict[int | str, dict[str, Any]]
_ASKED: _Faults = {200: {"content": {_STREAM: {"schema": {"type": "string"}}}}}
_LIMITED: _Faults = {
    413: {"description": "More than can be read here."},
    429: {"model": Fault, "description": "Too often, or too many at once; see Retry-After."},
    503: {"model": Fault, "description": "Something it needs is down; see Retry-After."},
}


@dataclass(frozen=True)
class Service:
    """What the page and the API share: who answers, what is kept, and how much at once."""

    assistant: Assistant
    journal: Journal
    recorder: Recorder
    desk: Desk
    rates: Rates
    metrics: Metrics

    @classmethod
    def of(cls, assistant: Assistant, journal: Journal) -> Service:
        """Return the service of one clinic."""
        settings = assistant.settings
        desk = Desk(settings.server.at_once, settings.server.waiting)
        recorder = Recorder(journal, settings.privacy, assistant.knows)
        metrics = Metrics(assistant, desk)
        return cls(assistant, journal, recorder, desk, Rates(settings.limits), metrics)

    async def answers(
        self, question: str, history: list[Turn], request: Any, *, whole: bool = False
    ) -> AsyncIterator[Answer]:
        """Yield the answer as it is made, or only when it is `whole`, counted and recorded.

        Raises TooOftenError and BusyError first of all, but never for an emergency.
        """
        start = time.perf_counter()

        def made() -> Iterator[Answer]:
            answer = None
            for answer in self.assistant.stream(question, history):
                yield answer
            if answer:
                self.recorder.asked(question, answer)

        try:
            if seconds := self.wait("asks", request):
                raise TooOftenError(seconds)
            async for answer in (self.desk.last if whole else self.desk.each)(made):
                if not answer.partial:
                    self.metrics.answers.labels(answer.kind).inc()
                    self.metrics.seconds.observe(time.perf_counter() - start)
                yield answer
        except (TooOftenError, BusyError) as error:
            self.metrics.refused.labels("busy" if isinstance(error, BusyError) else "rate").inc()
            urgent = self.assistant.urgent(question)
            if urgent is None:
                raise
            self.metrics.answers.labels(urgent.kind).inc()
            yield urgent
        except Exception:
            self.metrics.answers.labels("error").inc()
            raise

    def wait(self, what: What, request: Any) -> int:
        """Count a request of an address; return how many seconds it has to wait, mostly 0."""
        return self.rates.wait(what, request.client.host if request.client else "")


def routes(service: Service) -> APIRouter:
    """Return the routes under `/api/v1`, and those for whoever watches over the process."""
    router = APIRouter(lifespan=tidying(service.recorder))
    assistant = service.assistant

    @router.post(
        "/api/v1/ask", response_model=AnswerOut, tags=["answers"], summary="Answer a question",
        responses=_ASKED | _LIMITED,
    )  # fmt: skip
    async def ask(asked: Ask, request: Request) -> Any:
        """Return one answer; with `Accept: text/event-stream` as events while it is made.

        Events are `partial` and `answer`, both with an answer as JSON, or `error`.
        """
        streamed = _STREAM in request.headers.get("accept", "")
        made = service.answers(asked.question, asked.turns, request, whole=not streamed)
        if streamed:
            # the first one is made before the status is sent: it may be "busy"
            with _faults():
                first = await anext(made)
            events = _events(first, made, asked.question)
            return StreamingResponse(
                events, media_type=_STREAM, headers={"X-Accel-Buffering": "no"}
            )
        with _faults():
            (answer,) = [answer async for answer in made]
        return AnswerOut.of(answer, asked.question)

    @router.post("/api/v1/search", tags=["answers"], summary="Find passages", responses=_LIMITED)
    async def search(wanted: Search, request: Request) -> Found:
        """Return the best passages for a question: what an answer would be composed from."""
        _hold_back(service, "searches", request)

        def found() -> Found:
            parts = assistant.look_up(wanted.question, count=wanted.count)
            lookup = " ".join(part.asked.text for part in parts)
            return Found.of(lookup, merged(parts)[: wanted.count])

        with _faults():
            return await service.desk.run(found)

    @router.get(
        "/api/v1/sources/{name:path}", tags=["answers"], summary="Open a source",
        responses={404: {"model": Fault}},
    )  # fmt: skip
    def source(name: str) -> Page:
        """Return the page that citations and passages name as their `document`."""
        document = assistant.retriever.documents.get(name)
        if document is None:
            raise HTTPException(404, "There is no such page.")
        return Page.of(document)

    @router.post(
        "/api/v1/feedback", status_code=204, tags=["answers"], summary="Rate an answer",
        responses=_LIMITED,
    )  # fmt: skip
    def feedback(rating: Rating, request: Request) -> None:
        """Keep whether an answer helped. When this returns, it is on disk."""
        _hold_back(service, "ratings", request)
        known = assistant.retriever.documents
        pages = tuple(page for page in rating.pages if page in known)
        try:
            service.recorder.rated(
                rating.question, rating.helpful, rating.reason, rating.kind, pages
            )
        except JournalError as error:
            _log.error("a rating was not kept: %s", error)
            raise HTTPException(503, _NOT_KEPT, {"Retry-After": str(_DOWN_S)}) from None
        service.metrics.ratings.labels(str(rating.helpful).lower()).inc()

    @router.get("/healthz", response_class=PlainTextResponse, tags=["watching"])
    def healthz() -> str:
        """Say that the process lives."""
        return "ok"

    @router.get("/readyz", tags=["watching"], responses={503: {"description": "Not ready."}})
    async def readyz() -> JSONResponse:
        """Say whether it can answer and keep, and what of it cannot."""
        faults = await service.desk.run(lambda: _unready(service))
        return JSONResponse(faults, 200 if all(v == "ok" for v in faults.values()) else 503)

    @router.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        host = request.client.host if request.client else ""
        if host not in assistant.settings.server.metrics_for:
            raise HTTPException(404, "There is nothing here.")
        return Response(service.metrics.text(), media_type=TYPE)

    return router


async def _events(first: Answer, rest: AsyncIterator[Answer], question: str) -> AsyncIterator[str]:
    try:
        yield _event(first, question)
        async for answer in rest:
            yield _event(answer, question)
    except Exception as error:  # noqa: BLE001 - the status is sent already; staff have the log
        _log.error("a question was not answered: %s", unsaid(error))
        yield f"event: error\ndata: {Fault(detail=notices.ERROR).model_dump_json()}\n\n"


def _event(answer: Answer, question: str) -> str:
    data = AnswerOut.of(answer, question).model_dump_json()
    return f"event: {'partial' if answer.partial else 'answer'}\ndata: {data}\n\n"


def _hold_back(service: Service, what: What, request: Request) -> None:
    if seconds := service.wait(what, request):
        service.metrics.refused.labels("rate").inc()
        raise HTTPException(429, notices.TOO_OFTEN, {"Retry-After": str(seconds)})


@contextmanager
def _faults() -> Iterator[None]:
    """Turn what can go wrong into a status and a fixed sentence; the log has the rest."""
    try:
        yield
    except TooOftenError as error:
        wait = {"Retry-After": str(error.seconds)}
        raise HTTPException(429, notices.TOO_OFTEN, wait) from None
    except BusyError:
        raise HTTPException(429, notices.BUSY, {"Retry-After": str(_BUSY_S)}) from None
    except IndexUnavailableError as error:
        _log.error("a question was not answered: %s", error)
        raise HTTPException(503, notices.ERROR, {"Retry-After": str(_DOWN_S)}) from None
    except Exception as error:  # noqa: BLE001 - a fixed sentence for the client, the log for staff
        _log.error("a question was not answered: %s", unsaid(error))
        raise HTTPException(500, notices.ERROR) from None


def _unready(service: Service) -> dict[str, str]:
    """Return "ok" or what is wrong, for the index and the journal; try both."""
    retriever = service.assistant.retriever
    tries: dict[str, Callable[[], object]] = {
        "index": lambda: retriever.retrieve("ready", count=1),
        "journal": lambda: service.journal.approved_version,
    }
    found = {}
    for name, attempt in tries.items():
        try:
            attempt()
            found[name] = "ok"
        except (CitewellError, OSError) as error:
            _log.error("not ready: %s", error)
            found[name] = "does not answer; see the log"
    return found
