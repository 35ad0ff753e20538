"""The console's first page: ask a question, see how it is answered and why, mark the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from bot.journal import Mark
from bot.types import Answer
from bot.web.staff.console import Console, see
from bot.web.staff.golden import CLASSES, as_lines
from bot.web.staff.trial import Setting, Tried, attempt, compared, history, tuned

Words = Annotated[str, Form(max_length=4000)]
Short = Annotated[str, Form(max_length=500)]


@dataclass(frozen=True, slots=True)
class _Asked:
    question: str = ""
    earlier: str = ""
    compare: bool = False
    other: Setting | None = None


def add(router: APIRouter, console: Console) -> None:
    """Add the page, and the marks made on it, to `router`."""
    assistant = console.assistant
    own = Setting.of(assistant)

    def show(request: Request, asked: _Asked, tried: tuple[Tried, ...] = ()) -> HTMLResponse:
        documents = sorted(assistant.retriever.generation.pages.named(), key=lambda d: d.title)
        return console.page(
            request, "try", here="try", asked=asked, other=asked.other or own, tried=tried,
            documents=documents, classes=CLASSES, rests=rests, own=own,
            standalone=standing_alone(asked, tried), has_model=assistant.writer is not None,
        )  # fmt: skip

    @router.get("/staff")
    def start(
        request: Request, question: str = "", earlier: str = ""
    ) -> Response:  # a link from the gaps fills the form in, no more
        return show(request, _Asked(question[:4000], earlier[:4000]))

    @router.post("/staff")
    def ask(
        request: Request, question: Words = "", earlier: Words = "", compare: Short = "",
        lexical_weight: Annotated[float, Form(ge=0, le=1)] = own.lexical_weight,
        min_evidence: Annotated[float, Form(ge=0, le=1)] = own.min_evidence,
        passages: Annotated[int, Form(ge=1, le=20)] = own.passages, model: Short = "",
    ) -> Response:  # fmt: skip
        wants_model = bool(model) and assistant.writer is not None
        other = Setting(lexical_weight, min_evidence, passages, wants_model)
        asked = _Asked(question.strip(), earlier.strip(), bool(compare), other)
        if not asked.question:
            return show(request, asked)
        before = history(assistant, asked.earlier)
        tried: tuple[Tried, ...] = (attempt(assistant, asked.question, before, own.label),)
        if asked.compare:
            second = attempt(tuned(assistant, other), asked.question, before, other.label)
            tried = compared(tried[0], second)
        return show(request, asked, tried)

    _add_marks(router, console)


def _add_marks(router: APIRouter, console: Console) -> None:
    journal = console.journal

    @router.get("/staff/marks")
    def marks(request: Request) -> Response:
        return console.page(
            request, "marks", here="try", marks=journal.marks(), title=console.title
        )

    @router.post("/staff/marks")
    def mark(
        question: Words, verdict: Short, kind: Short, cited: Annotated[list[str], Form()] = [],  # noqa: B006
        should: Short = "", page: Short = "", facts: Words = "", note: Words = "",
    ) -> Response:  # fmt: skip
        right = verdict == "right"
        wanted = kind if right else should or kind
        pages = tuple(dict.fromkeys(cited)) if right else ()
        if page in console.assistant.retriever.documents:
            pages = (page, *(p for p in pages if p != page))
        lines = tuple(line.strip() for line in facts.splitlines() if line.strip())
        if wanted in CLASSES and question.strip():
            found = Mark(question.strip(), right, wanted, pages, lines, note.strip())
            journal.add_mark(found)
        return see("/staff/marks")

    @router.post("/staff/marks/{number}/drop")
    def drop(number: int) -> Response:
        journal.drop_mark(number)
        return see("/staff/marks")

    @router.get("/staff/golden.jsonl")
    def golden() -> Response:
        known = console.assistant.retriever.documents
        return Response(
            as_lines(journal.marks(), known), media_type="application/jsonl",
            headers={"Content-Disposition": 'attachment; filename="golden.jsonl"'},
        )  # fmt: skip


def rests(answer: Answer, row: int) -> list[str]:
    """Return what the sentence of this number rests on, as the approval form says it."""
    by_number = {citation.number: citation for citation in answer.citations}
    places = [by_number[number] for number in answer.sentences[row].citations]
    return [f"{row}|{c.chunk.id}:{c.start}:{c.end}" for c in places]


def standing_alone(asked: _Asked, tried: tuple[Tried, ...]) -> str:
    """Return the question to approve an answer for: as typed, unless it leant on the one before."""
    if tried and asked.earlier:
        return tried[0].answer.trace.standalone or asked.question
    return asked.question
