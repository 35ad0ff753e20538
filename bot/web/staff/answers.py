"""Approved answers: list, approve, edit, renew, withdraw.

A sentence rests on places of the pages, chosen from a list: a quote is read from the page at that
place, so it cannot be other than its words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response

from bot.journal import Approved, ApprovedSentence, Rests
from bot.pipeline import merged
from bot.web.staff.console import Console, see
from index.types import Chunk

DAYS_SERVED = 180
_MOST_DAYS = 366 * 3
_MOST_ROWS = 20
_LONGEST = 600
_BLANK_ROWS = 2
Words = Annotated[str, Form(max_length=1000)]
Lines = Annotated[list[str], Form(max_length=200)]


@dataclass(frozen=True, slots=True)
class Option:
    """A sentence of a page that can be rested on; `value` says where it stands."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence of the form: `rests` are values of options, `lost` words no longer on a page."""

    text: str = ""
    rests: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """The form as filled in; `faults` say what keeps it from being approved."""

    question: str
    rows: tuple[Row, ...]
    expires: str
    replaces: int = 0
    faults: tuple[str, ...] = field(default=())


def add(router: APIRouter, console: Console) -> None:
    """Add the pages to `router`."""
    journal = console.journal

    def show(request: Request, draft: Draft, status: int = 200) -> Response:
        rested = [rests for row in draft.rows for rests in row.rests]
        blank = (Row(),) * max(0, min(_BLANK_ROWS, _MOST_ROWS - len(draft.rows)))
        return console.page(
            request, "approve", here="answers", status=status,
            draft=replace(draft, rows=(*draft.rows, *blank)),
            places=places(console, draft.question, rested), today=console.today(),
        )  # fmt: skip

    @router.get("/staff/answers")
    def answers(request: Request) -> Response:
        rows = [(a, console.approved.state(a)) for a in journal.approved()]
        return console.page(request, "answers", here="answers", rows=rows, title=console.title)

    @router.post("/staff/answers/edit")
    def draft(
        request: Request, question: Words = "", text: Lines = [], rests: Lines = [],  # noqa: B006
        expires: Words = "", replaces: Annotated[int, Form()] = 0,
    ) -> Response:  # fmt: skip
        return show(request, _draft(console, question, text, rests, expires, replaces))

    @router.post("/staff/answers")
    def approve(
        request: Request, question: Words = "", text: Lines = [], rests: Lines = [],  # noqa: B006
        expires: Words = "", replaces: Annotated[int, Form()] = 0,
    ) -> Response:  # fmt: skip
        filled = _draft(console, question, text, rests, expires, replaces)
        found = approved(console, filled)
        if isinstance(found, tuple):
            return show(request, replace(filled, faults=found), 422)
        journal.approve(found, replaces=replaces)
        return see("/staff/answers")

    @router.get("/staff/answers/{number}/edit")
    def edit(request: Request, number: int) -> Response:
        return show(request, _of(console, _find(console, number)))

    @router.post("/staff/answers/{number}/renew")
    def renew(request: Request, number: int) -> Response:
        found = _find(console, number)
        if console.approved.state(found).kind == "changed":
            fault = "A page has changed: say anew what the sentences rest on."
            return show(request, replace(_of(console, found), faults=(fault,)), 422)
        later = (console.today() + timedelta(DAYS_SERVED)).isoformat()
        journal.approve(replace(found, expires=later), replaces=number)
        return see("/staff/answers")

    @router.post("/staff/answers/{number}/withdraw")
    def withdraw(number: int) -> Response:
        journal.withdraw(_find(console, number).id)
        return see("/staff/answers")


def places(
    console: Console, question: str, rested: Sequence[str] = ()
) -> list[tuple[str, list[Option]]]:
    """Return what can be rested on, by page and heading: what a search finds, what `rested` names.

    Sections without a sentence are left out.
    """
    hits = merged(console.assistant.look_up(question)) if question.strip() else ()
    find = _find_passage(console)
    named = (find(rests.split(":")[0]) for rests in rested)
    found = {c.id: c for c in (*named, *(hit.chunk for hit in hits)) if c is not None}
    return [(chunk.place, _options(chunk)) for chunk in found.values() if chunk.sentences]


def approved(console: Console, draft: Draft) -> Approved | tuple[str, ...]:
    """Return the answer to keep, or what is wrong with it."""
    faults = []
    if not draft.question:
        faults.append("Say which question this answers.")
    elif not console.assistant.general(draft.question):
        faults.append(
            "To this question visitors never get an approved answer: it is about their own case, "
            "several questions in one, or for a fixed reply."
        )
    find = _find_passage(console)
    sentences = []
    for number, row in enumerate(draft.rows, 1):
        places = [_rests(find, rests) for rests in row.rests]
        rests = tuple(place for place in places if place is not None)
        if not row.text:
            faults.append(f"Sentence {number} has no words.")
        elif len(row.text) > _LONGEST:
            faults.append(f"Sentence {number} is longer than {_LONGEST} characters.")
        elif not rests or len(rests) < len(places):
            faults.append(f"Sentence {number} rests on nothing that is in the pages now.")
        else:
            sentences.append(ApprovedSentence(row.text, rests))
    if not draft.rows:
        faults.append("Write at least one sentence.")
    if fault := _fault_of_day(draft.expires, console.today()):
        faults.append(fault)
    if faults:
        return tuple(faults)
    return Approved(draft.question, tuple(sentences), draft.expires)


def _draft(
    console: Console, question: str, texts: Sequence[str], rests: Sequence[str], expires: str,
    replaces: int,
) -> Draft:  # fmt: skip
    """Read the form: `rests` are "row|place"; rows with neither words nor a place are left out."""
    by_row: dict[int, list[str]] = {}
    for one in rests:
        row, _, place = one.partition("|")
        if row.isascii() and row.isdigit() and place:
            by_row.setdefault(int(row), []).append(place)
    rows = (
        Row(text.strip(), tuple(dict.fromkeys(by_row.get(number, ()))))
        for number, text in enumerate(texts[:_MOST_ROWS])
    )
    later = (console.today() + timedelta(DAYS_SERVED)).isoformat()
    kept = tuple(row for row in rows if row.text or row.rests)
    return Draft(question.strip(), kept, expires or later, replaces)


def _of(console: Console, kept: Approved) -> Draft:
    """Return the form for an answer kept before; what its pages lost is named, not chosen."""
    find = _find_passage(console)
    rows = []
    for sentence in kept.sentences:
        found = [(rests, _where(find, rests)) for rests in sentence.rests]
        rows.append(
            Row(
                sentence.text,
                tuple(place for _, place in found if place),
                tuple(rests.quote for rests, place in found if not place),
            )
        )
    return Draft(kept.question, tuple(rows), kept.expires, kept.id)


def _find(console: Console, number: int) -> Approved:
    found = next((a for a in console.journal.approved() if a.id == number), None)
    if found is None:
        raise HTTPException(404, "This answer has been withdrawn or replaced.")
    return found


def _find_passage(console: Console) -> Callable[[str], Chunk | None]:
    return console.assistant.retriever.generation.find


def _options(chunk: Chunk) -> list[Option]:
    text = chunk.document.text
    return [Option(f"{chunk.id}:{a}:{b}", text[a:b]) for a, b in chunk.sentences]


def _rests(find: Callable[[str], Chunk | None], place: str) -> Rests | None:
    """Return the words at a place, if a sentence of a page stands there."""
    chunk = find(place.split(":")[0])
    for option in _options(chunk) if chunk else ():
        if option.value == place and chunk:
            return Rests(chunk.document.id, chunk.id, option.text)
    return None


def _where(find: Callable[[str], Chunk | None], rests: Rests) -> str:
    """Return the place of the sentence that holds the words, "" if they are gone."""
    chunk = find(rests.chunk)
    options: Iterable[Option] = _options(chunk) if chunk else ()
    return next((option.value for option in options if rests.quote in option.text), "")


def _fault_of_day(written: str, today: date) -> str:
    try:
        day = date.fromisoformat(written)
    except ValueError:
        return "Say until which day it is served, as in 2027-05-31."
    if not today < day <= today + timedelta(_MOST_DAYS):
        return "The day until which it is served must lie ahead, three years at most."
    return ""
