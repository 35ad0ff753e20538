"""The records of the journal: Feedback, Gap, Approved, Mark, Session. Frozen.

A `day` is a date in UTC, as ISO writes it; left empty, the journal fills it in, as it does `id`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a visitor said of an answer; `pages` are the documents it quoted."""

    helpful: bool
    reason: str
    kind: str
    pages: tuple[str, ...]
    words: str = ""
    day: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A question that the pages did not answer; `near` is the document that came nearest."""

    words: str
    kind: str
    lang: str
    near: str
    day: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Rests:
    """The exact words of a passage that an approved sentence stands on."""

    document: str
    chunk: str
    quote: str


@dataclass(frozen=True, slots=True)
class ApprovedSentence:
    """A sentence as staff worded it, with what it stands on."""

    text: str
    rests: tuple[Rests, ...]

    def __post_init__(self) -> None:
        """Refuse a sentence that rests on nothing."""
        if not self.text.strip() or not self.rests:
            raise ValueError(f"an approved sentence without words or quotes: {self.text!r}")


@dataclass(frozen=True, slots=True)
class Approved:
    """An answer that staff approved for a question; `expires` is the last day it is served."""

    question: str
    sentences: tuple[ApprovedSentence, ...]
    expires: str
    created: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A reviewer's verdict on an answer: a golden question in the making."""

    question: str
    right: bool
    kind: str
    pages: tuple[str, ...]
    facts: tuple[str, ...]
    note: str = ""
    day: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A member of staff signed in; `expires` is in seconds since 1970."""

    token_sha256: str
    csrf: str
    expires: float
