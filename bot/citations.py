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
    """A sentence of a page chosen for the answer: offsets in its document's text.

    `part` is the part of the question it answers, where there are several.
    """

    chunk: Chunk
    start: int
    end: int
    role: Role = "answer"
    part: str = ""

    @property
    def text(self) -> str:
        """The sentence as it stands on its page."""
        return self.chunk.document.text[self.start : self.end]


Said = tuple[str, tuple[Quote, ...]]
"""A sentence in other words than its page's, with the quotes it rests on."""


def cite(said: Sequence[Quote | Said]) -> tuple[tuple[Sentence, ...], tuple[Citation, ...]]:
    """Give quotes numbers; return the sentences with the citations they rest on.

    A quote alone is a sentence in its page's own words.
    """
    sentences: list[Sentence] = []
    citations: dict[tuple[str, int, int], Citation] = {}
    for one in said:
        text, quotes = (one.text, (one,)) if isinstance(one, Quote) else one
        numbers = []
        for quote in quotes:
            key = (quote.chunk.id, quote.start, quote.end)
            if key not in citations:
                number = len(citations) + 1
                citations[key] = Citation(number, quote.chunk, quote.start, quote.end)
            numbers.append(citations[key].number)
        first = quotes[0]
        sentences.append(Sentence(text, tuple(dict.fromkeys(numbers)), first.role, first.part))
    return tuple(sentences), tuple(citations.values())
