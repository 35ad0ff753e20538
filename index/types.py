"""The records of the way in: Document, Chunk, Hit. Frozen; each holds the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["treatment", "condition", "safety", "visit", "about", "page"]
Evidence = Literal["strong", "moderate", "low", "very-low", "mixed", "none"]


@dataclass(frozen=True, slots=True)
class Source:
    """One publication a page rests on, as its front matter names it."""

    key: str
    authors: str
    year: int | None
    title: str
    where: str = ""
    doi: str = ""
    pmid: str = ""
    url: str = ""
    read: str = ""

    @property
    def link(self) -> str:
        """The address a reader can open: the DOI if there is one, else PubMed, else the URL."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.pmid:
            return f"https://pubmed.ncbi.nlm.nih.gov/{self.pmid}/"
        return self.url


@dataclass(frozen=True, slots=True)
class Reference:
    """A source marker that stood in the page at `offset` of its cleaned text."""

    offset: int
    key: str


@dataclass(frozen=True, slots=True)
class Document:
    """One cleaned page.

    `text` is what every offset refers to: paragraphs parted by blank lines, headings on lines that
    begin with `#`, list items with `- `, no other markup. `url` is the web address (empty for a
    file), `path` the file (empty for a web page); `id` is either of them, stable between builds.
    """

    id: str
    title: str
    text: str
    url: str = ""
    path: str = ""
    lang: str = "en"
    kind: Kind = "page"
    summary: str = ""
    evidence: Evidence | None = None
    reviewed: str = ""
    aliases: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    references: tuple[Reference, ...] = ()

    def sources_of(self, start: int, end: int) -> tuple[Source, ...]:
        """Return the sources whose markers stood in `text[start:end]`, in order, each once."""
        keys = dict.fromkeys(r.key for r in self.references if start < r.offset <= end)
        by_key = {source.key: source for source in self.sources}
        return tuple(by_key[key] for key in keys if key in by_key)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: `document.text[start:end] == text`, always.

    `sentences` are the (start, end) of its sentences, in `document.text` as well.
    `id` is a hash of what is embedded (title, headings and text), so the same passage is never
    embedded twice, and an approved answer can tell when its passage has changed.
    """

    id: str
    document: Document
    headings: tuple[str, ...]
    text: str
    start: int
    end: int
    sentences: tuple[tuple[int, int], ...] = ()

    @property
    def embedded_text(self) -> str:
        """What the model reads: the passage under its title and headings."""
        return embedded_text(self.document.title, self.headings, self.text)

    @property
    def place(self) -> str:
        """Where the passage stands: page > heading, the title first and never twice."""
        return _place(self.document.title, self.headings)


def embedded_text(title: str, headings: tuple[str, ...], text: str) -> str:
    """Put a passage under the place it stands in."""
    return f"{_place(title, headings)}\n{text}"


def _place(title: str, headings: tuple[str, ...]) -> str:
    return " > ".join(dict.fromkeys((title, *headings)))


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved passage: `rank` from 1, `score` as `index.rank` blends it.

    `dense` is the cosine similarity to the question, `lexical` the BM25 score; None means that
    side did not return the passage. `by_sentence` are the cosine similarities of its sentences.
    """

    chunk: Chunk
    rank: int
    score: float
    dense: float | None
    lexical: float | None
    by_sentence: tuple[float, ...] = ()

    @property
    def found_by(self) -> Literal["dense", "lexical", "both"]:
        """Which side of the retrieval returned the passage."""
        if self.lexical is None:
            return "dense"
        return "lexical" if self.dense is None else "both"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not indexed: its `name` (path or URL) and the `reason`, for people."""

    name: str
    reason: str
