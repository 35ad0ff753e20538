"""Answers and pages -> HTML, through autoescaping Jinja templates. Pure.

Everything a visitor typed or a page holds is escaped; only the templates write markup.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote as percent_encoded

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from bot import notices
from bot.recorder import REASONS
from bot.settings import Settings
from bot.types import Answer, Citation
from index.markup import blocks
from index.terms import Terms
from index.types import Document

EVIDENCE_LABELS = {
    "strong": "Strong evidence", "moderate": "Moderate evidence", "low": "Weak evidence",
    "very-low": "Very weak evidence", "mixed": "Evidence is mixed", "none": "No good evidence",
}  # fmt: skip
KIND_LABELS = {
    "treatment": "treatment", "condition": "condition", "safety": "safety", "visit": "your visit",
    "about": "about this assistant", "page": "clinic page",
}  # fmt: skip
ORIGINALS = {
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
"""Files that are worth opening as they are: suffix -> media type. Of others our copy is enough."""
Line = tuple[str, Markup]
"""A line of a page: its HTML tag and its words."""

_TERM = Markup(
    '<dfn class="cw-term" tabindex="0">{}<span class="cw-means" role="tooltip">{}</span></dfn>'
)
_CHIP = Markup('<button type="button" class="cw-chip" data-ask="{}">{}</button>')
_NOT_SPOKEN = ("ai", "disclaimer", "contact")


@dataclass(frozen=True, slots=True)
class SourceGroup:
    """The citations of one section, as a line under an answer; `first` of those of its page."""

    title: str
    heading: str
    reviewed: str
    citations: tuple[Citation, ...]
    first: bool


def header(settings: Settings) -> str:
    """Render the bar that never scrolls away: who this is, that it is AI, how to reach a person."""
    return render(
        "header.html",
        clinic=settings.clinic,
        ai_label=notices.AI_LABEL,
        contact=notices.contact(settings.clinic),
    )


def shell(settings: Settings, suggestions: Sequence[str]) -> str:
    """Render the conversation before its first question, and the box to type in."""
    return render(
        "shell.html",
        chips=chips(suggestions),
        contact=notices.contact(settings.clinic),
        lost=notices.LOST,
        numbers=settings.emergency,
        privacy=notices.privacy(settings),
    )


def answer(made: Answer, number: int, terms: Terms) -> str:
    """Render one answer; `number` tells its sources from those of others on the page.

    `terms` are explained where the answer first uses them.
    """
    return render(
        "answer.html",
        answer=made,
        exchange=number,
        explain=_Explainer(terms),
        groups=source_groups,
        pages=json.dumps(sorted({c.chunk.document.id for c in made.citations})),
        reasons=REASONS,
    )


def chips(questions: Sequence[str]) -> Markup:
    """Render questions that are asked by pressing them."""
    return Markup("").join(_CHIP.format(question, question) for question in questions)


def spoken(made: Answer) -> str:
    """Return what a screen reader says once the answer is there: the words, then how many sources.

    Not for emergencies: their card is an alert.
    """
    said = [n.text for n in made.notices if n.kind not in _NOT_SPOKEN]
    said += [s.text for s in made.sentences]
    if made.citations:
        said.append(f"Sources: {len(made.citations)}.")
    return " ".join(said)


def page(document: Document, start: int, end: int) -> str:
    """Render one page for reading, with `text[start:end]` marked."""
    lines = _lines(document, 0, len(document.text), start, end)
    return render("page.html", document=document, lines=lines)


def source_groups(answer: Answer) -> list[SourceGroup]:
    """Group citations by page and section, in the order they are met."""
    grouped: dict[tuple[str, tuple[str, ...]], list[Citation]] = {}
    for citation in answer.citations:
        key = (citation.chunk.document.id, citation.chunk.headings)
        grouped.setdefault(key, []).append(citation)
    groups, pages = [], set[str]()
    for (page_id, headings), cited in grouped.items():
        document = cited[0].chunk.document
        first = page_id not in pages
        pages.add(page_id)
        reviewed = month(document.reviewed) if first else ""
        heading = (headings or ("",))[-1]
        groups.append(SourceGroup(document.title, heading, reviewed, tuple(cited), first))
    return groups


def passage(citation: Citation) -> list[Line]:
    """Return the lines of the section the quote stands in, the quoted words marked."""
    document = citation.chunk.document
    first, last = 0, len(document.text)
    for start, end, level in blocks(document.text):
        if level and end <= citation.start:
            first = end + 1
        elif level and start >= citation.end:
            last = start
            break
    return _lines(document, first, last, citation.start, citation.end)


def page_link(citation: Citation) -> str:
    """Return where the whole page can be read: its own address, else our copy of it."""
    document = citation.chunk.document
    if document.url:
        return document.url
    name = percent_encoded(document.id)
    return f"pages/{name}?start={citation.start}&end={citation.end}#quote"


def original(document: Document) -> str:
    """Return where the file of a page can be opened as it is, "" if it is text or a web page."""
    suffix = Path(document.path).suffix.lower()
    return f"originals/{percent_encoded(document.id)}" if suffix in ORIGINALS else ""


def month(date: str) -> str:
    """Return "Nov 2026" for "2026-11-21", and "" for nothing."""
    return f"{dt.date.fromisoformat(date):%b %Y}" if date else ""


class _Explainer:
    """Marks hard words in the sentences of one answer, each the first time it is met."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._told: set[str] = set()

    def __call__(self, text: str) -> Markup:
        parts, at = [], 0
        for term in self._terms.find(text):
            if term.meaning in self._told:
                continue
            self._told.add(term.meaning)
            parts.append(escape(text[at : term.start]))
            parts.append(_TERM.format(text[term.start : term.end], term.meaning))
            at = term.end
        return Markup("").join([*parts, escape(text[at:])])


def _lines(document: Document, first: int, last: int, start: int, end: int) -> list[Line]:
    """Return (tag, words) of each line of `text[first:last]`, `text[start:end]` in a mark."""
    text = document.text
    found: list[Line] = []
    for at, until, level in blocks(text[first:last]):
        at, until = first + at, first + until
        item = not level and text.startswith("- ", at)
        at += level + 1 if level else 2 if item else 0
        low, high = max(at, start), min(until, end)
        if low < high:
            words = Markup('{}<mark id="quote">{}</mark>{}').format(
                text[at:low], text[low:high], text[high:until]
            )
        else:
            words = escape(text[at:until])
        found.append((f"h{min(max(level, 2), 4)}" if level else "li" if item else "p", words))
    return found


def render(name: str, **values: object) -> str:
    """Render a template of this package; every value is escaped unless it is Markup."""
    return _environment().get_template(name).render(**values).strip()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bot.web"), autoescape=select_autoescape(default=True),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(
        evidence_labels=EVIDENCE_LABELS, kind_labels=KIND_LABELS, passage=passage,
        page_link=page_link, month=month, original=original,
    )  # fmt: skip
    return environment
