"""Chosen spans -> Sentences and Citations. Pure.

Numbers are computed here and nowhere else: 1, 2, 3 in the order a reader meets them, and the same
quote always has the same number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.types import Citation, Role, Sentence
from index.types import Chunk


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of a page chosen for the answer: offsets in its document's text."""

    chunk: Chunk
    start: int
    end: int
    role: Role = "answer"

    @property
    def text(self) -> str:
        """The sentence as it stands on its page."""
        return self.chunk.document.text[self.start : self.end]


def cite(quotes: Sequence[Quote]) -> tuple[tuple[Sentence, ...], tuple[Citation, ...]]:
    """Give the quotes numbers; return the sentences with the citations they rest on."""
    sentences: list[Sentence] = []
    citations: list[Citation] = []
    for quote in quotes:
        known = next(
            (
                c.number
                for c in citations
                if (c.chunk.id, c.start, c.end) == (quote.chunk.id, quote.start, quote.end)
            ),
            None,
        )
        if known is None:
            known = len(citations) + 1
            citations.append(Citation(known, quote.chunk, quote.start, quote.end))
        sentences.append(Sentence(quote.text, (known,), quote.role))
    return tuple(sentences), tuple(citations)
