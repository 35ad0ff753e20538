"""The records of the way out: Turn, Triage, Sentence, Citation, Answer. Frozen.

What Citewell quotes and what it says of its own accord never mix: a Sentence cannot exist without
a citation, and every fixed text is a Notice. The pages, the API and the evaluation read fields;
nobody parses prose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from index.types import Chunk, Hit, Source

AnswerKind = Literal["answer", "personal", "clinic", "clarify", "refusal", "emergency", "error"]
NoticeKind = Literal[
    "emergency", "red flag", "personal", "clinic", "clarify", "refusal", "error", "language",
    "wording", "contact", "disclaimer", "ai",
]  # fmt: skip
Role = Literal["answer", "disagreement"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange: what was asked, and the standalone question it was read as."""

    question: str
    standalone: str
    kind: AnswerKind


@dataclass(frozen=True, slots=True)
class Triage:
    """What the raw words call for: the kind of answer, the rule that said so, and why.

    `watch` names the emergency rule whose danger is spoken of, but as denied, feared or in general;
    `near` says that the message sounds as if it might be one all the same.
    """

    kind: AnswerKind
    rule: str
    reason: str
    lang: str = "en"
    watch: str = ""
    near: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """Something a visitor can press: a label and where it leads (tel:, mailto:, https:)."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A fixed text. `title` stands above `text` where the text needs a headline."""

    kind: NoticeKind
    text: str
    title: str = ""
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A quoted place: `start` and `end` are offsets in the document's text.

    The quote is computed from them, never given, so it cannot differ from its page.
    """

    number: int
    chunk: Chunk
    start: int
    end: int

    def __post_init__(self) -> None:
        """Refuse a quote that is empty or not inside its passage."""
        if not self.chunk.start <= self.start < self.end <= self.chunk.end:
            raise ValueError(
                f"a quote at {self.start}..{self.end} is not inside its passage at "
                f"{self.chunk.start}..{self.chunk.end}"
            )

    @property
    def quote(self) -> str:
        """The quoted words, byte for byte as they stand in the document."""
        return self.chunk.document.text[self.start : self.end]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The publications the quoted words name."""
        return self.chunk.document.sources_of(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer with the numbers of the citations it rests on, at least one.

    `part` is the part of the question it answers, where there are several.
    """

    text: str
    citations: tuple[int, ...]
    role: Role = "answer"
    part: str = ""

    def __post_init__(self) -> None:
        """Refuse a sentence that rests on nothing."""
        if not self.citations:
            raise ValueError(f"a sentence without a citation: {self.text!r}")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sentence that a model proposed and that was not let through, with the reason."""

    sentence: str
    reason: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a chat model made of the passages: `kept` sentences were verified, the rest dropped.

    `failure` says why the quoted answer was given instead; empty if the model's stands.
    """

    kept: int = 0
    dropped: tuple[Dropped, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """How the answer came about, for staff: never shown to visitors.

    `standalone` is the question without the conversation before it, spelling put right; `lookup`
    is that with the glossary's terms added, as it was searched for. `draft` is there if a chat
    model was asked. `approved` is the number of the approved answer that was given, 0 if none.
    """

    triage: Triage
    standalone: str = ""
    lookup: str = ""
    evidence: float | None = None
    threshold: float | None = None
    draft: Draft | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    approved: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the visitor gets. `kind` says how to show it; `partial` that more is to come."""

    kind: AnswerKind
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    notices: tuple[Notice, ...]
    hits: tuple[Hit, ...]
    trace: Trace
    partial: bool = False

    def __post_init__(self) -> None:
        """Refuse a sentence whose number names no citation."""
        numbers = {citation.number for citation in self.citations}
        for sentence in self.sentences:
            if not numbers.issuperset(sentence.citations):
                raise ValueError(f"{sentence.citations} of {sentence.text!r} are not in {numbers}")

    @property
    def text(self) -> str:
        """The quoted sentences, as one paragraph without numbers."""
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def parts(self) -> tuple[tuple[str, tuple[Sentence, ...]], ...]:
        """The sentences by the part of the question they answer; that is "" if there is one."""
        body = [s for s in self.sentences if s.role == "answer"]
        return tuple((part, tuple(group)) for part, group in groupby(body, key=lambda s: s.part))

    @property
    def disagreement(self) -> tuple[Sentence, ...]:
        """The sentences that quote guidelines where these disagree."""
        return tuple(s for s in self.sentences if s.role == "disagreement")

    def as_json(self) -> dict[str, Any]:
        """Return the whole record in plain values, as `citewell ask --json` prints it."""
        triage = self.trace.triage
        return {
            "kind": self.kind,
            "sentences": [
                {"text": s.text, "citations": list(s.citations), "role": s.role, "part": s.part}
                for s in self.sentences
            ],
            "citations": [_citation(citation) for citation in self.citations],
            "notices": [
                {"kind": n.kind, "title": n.title, "text": n.text,
                 "actions": [{"label": a.label, "href": a.href} for a in n.actions]}
                for n in self.notices
            ],
            "hits": [
                {"rank": h.rank, "score": round(h.score, 4), "dense": _rounded(h.dense),
                 "lexical": _rounded(h.lexical), "found_by": h.found_by, "chunk_id": h.chunk.id,
                 "document": h.chunk.document.id, "title": h.chunk.document.title,
                 "headings": list(h.chunk.headings), "text": h.chunk.text}
                for h in self.hits
            ],
            "trace": {
                "triage": {"kind": triage.kind, "rule": triage.rule, "reason": triage.reason,
                           "lang": triage.lang, "watch": triage.watch, "near": triage.near},
                "standalone": self.trace.standalone,
                "lookup": self.trace.lookup,
                "evidence": _rounded(self.trace.evidence),
                "threshold": self.trace.threshold,
                "draft": _draft(self.trace.draft),
                "approved": self.trace.approved,
                "milliseconds": {k: round(v, 1) for k, v in self.trace.milliseconds.items()},
            },
        }  # fmt: skip


def _citation(citation: Citation) -> dict[str, Any]:
    document = citation.chunk.document
    return {
        "number": citation.number, "chunk_id": citation.chunk.id, "document": document.id,
        "title": document.title, "url": document.url, "path": document.path,
        "quote": citation.quote, "start": citation.start, "end": citation.end,
        "kind": document.kind, "evidence": document.evidence, "reviewed": document.reviewed,
        "sources": [{"key": s.key, "authors": s.authors, "year": s.year, "title": s.title,
                     "link": s.link} for s in citation.sources],
    }  # fmt: skip


def _draft(draft: Draft | None) -> dict[str, Any] | None:
    if draft is None:
        return None
    dropped = [{"sentence": d.sentence, "reason": d.reason} for d in draft.dropped]
    return {"kept": draft.kept, "dropped": dropped, "failure": draft.failure}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
