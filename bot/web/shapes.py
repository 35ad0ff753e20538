"""What the API takes and gives, as OpenAPI describes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.types import Answer, AnswerKind, NoticeKind, Role, Turn
from index.types import Document, Evidence, Hit
from index.types import Source as Publication

_LONGEST = 4000
_EARLIER = 20
_ASKED = "Does acupuncture help low back pain?"
_CITED = "corpus/conditions/low-back-pain.md"
Text = Annotated[str, Field(max_length=_LONGEST)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EarlierTurn(_Given):
    """One exchange before the question: what was asked, and what the answer said of it."""

    question: Text
    standalone: Text
    kind: AnswerKind


class Ask(_Given):
    """A question, and the conversation before it, oldest first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"question": _ASKED},
                {
                    "question": "does it hurt?",
                    "history": [{"question": _ASKED, "standalone": _ASKED, "kind": "answer"}],
                },
            ]
        },
    )

    question: Text
    history: list[EarlierTurn] = Field([], max_length=_EARLIER)

    @property
    def turns(self) -> list[Turn]:
        """The history as the pipeline takes it."""
        return [Turn(t.question, t.standalone, t.kind) for t in self.history]


class Search(_Given):
    """What to look up, and how many passages to return."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": _ASKED, "count": 3}]}
    )

    question: Annotated[str, Field(min_length=1, max_length=_LONGEST)]
    count: Annotated[int, Field(ge=1, le=100)] = 8


class Rating(_Given):
    """What a visitor says of an answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"question": _ASKED, "helpful": True, "kind": "answer", "pages": [_CITED]},
                {"helpful": False, "reason": "unclear", "kind": "refusal"},
            ]
        },
    )

    question: Text = ""
    helpful: bool
    reason: Literal["", "off-topic", "unclear", "wrong", "missing"] = ""
    kind: AnswerKind
    pages: list[Annotated[str, Field(max_length=500)]] = Field([], max_length=20)


class Sentence(BaseModel):
    """One sentence of an answer and the numbers of the citations it rests on, at least one."""

    text: str
    citations: list[int]
    role: Role
    part: str


class Source(BaseModel):
    """A publication that the quoted words name."""

    authors: str
    year: int | None
    title: str
    link: str


class Citation(BaseModel):
    """A quoted place: `quote` is the text of `document` from `start` to `end`, byte for byte."""

    number: int
    document: str
    title: str
    url: str
    quote: str
    start: int
    end: int
    evidence: Evidence | None
    reviewed: str
    sources: list[Source]


class Action(BaseModel):
    """Something to press: a label and where it leads."""

    label: str
    href: str


class Notice(BaseModel):
    """A fixed text: an emergency's, a refusal's, the disclaimer."""

    kind: NoticeKind
    title: str
    text: str
    actions: list[Action]


class AnswerOut(BaseModel):
    """A whole answer. Show its notices too: they say what it is not, and when to call for help.

    `kind` says how to take it; `standalone` is the question as it was understood, to be sent back
    in the history of the next one. `partial` answers, in a stream only, are followed by longer
    ones.
    """

    kind: AnswerKind
    text: str
    sentences: list[Sentence]
    citations: list[Citation]
    notices: list[Notice]
    standalone: str
    partial: bool

    @classmethod
    def of(cls, answer: Answer, question: str) -> AnswerOut:
        """Return what clients get of an answer to `question`: nothing of how it came about."""
        return cls(
            kind=answer.kind,
            text=answer.text,
            sentences=[
                Sentence(text=s.text, citations=[*s.citations], role=s.role, part=s.part)
                for s in answer.sentences
            ],
            citations=[
                Citation(
                    number=c.number, document=c.chunk.document.id, title=c.chunk.document.title,
                    url=c.chunk.document.url, quote=c.quote, start=c.start, end=c.end,
                    evidence=c.chunk.document.evidence, reviewed=c.chunk.document.reviewed,
                    sources=_sources(c.sources),
                )
                for c in answer.citations
            ],
            notices=[
                Notice(
                    kind=n.kind, title=n.title, text=n.text,
                    actions=[Action(label=a.label, href=a.href) for a in n.actions],
                )
                for n in answer.notices
            ],
            standalone=answer.trace.standalone or question,
            partial=answer.partial,
        )  # fmt: skip


class Passage(BaseModel):
    """A passage that was found: `text` is that of `document` from `start` to `end`."""

    rank: int
    score: float
    document: str
    title: str
    headings: list[str]
    text: str
    start: int
    end: int


class Found(BaseModel):
    """The question as it was looked up, and the best passages, best first."""

    lookup: str
    passages: list[Passage]

    @classmethod
    def of(cls, lookup: str, hits: Sequence[Hit]) -> Found:
        """Return what clients get of hits."""
        return cls(
            lookup=lookup,
            passages=[
                Passage(
                    rank=h.rank, score=round(h.score, 6), document=h.chunk.document.id,
                    title=h.chunk.document.title, headings=[*h.chunk.headings], text=h.chunk.text,
                    start=h.chunk.start, end=h.chunk.end,
                )
                for h in hits
            ],
        )  # fmt: skip


class Page(BaseModel):
    """A page that can be quoted, whole."""

    id: str
    title: str
    kind: str
    url: str
    evidence: Evidence | None
    reviewed: str
    text: str
    sources: list[Source]

    @classmethod
    def of(cls, document: Document) -> Page:
        """Return what clients get of a document."""
        return cls(
            id=document.id, title=document.title, kind=document.kind, url=document.url,
            evidence=document.evidence, reviewed=document.reviewed, text=document.text,
            sources=_sources(document.sources),
        )  # fmt: skip


class Fault(BaseModel):
    """Why there is no answer."""

    detail: str


def _sources(given: Sequence[Publication]) -> list[Source]:
    return [Source(authors=s.authors, year=s.year, title=s.title, link=s.link) for s in given]
