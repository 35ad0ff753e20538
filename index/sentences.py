"""Where sentences begin and end."""

from __future__ import annotations

import sentencex

from index.markup import blocks

Span = tuple[int, int]


def sentence_spans(text: str, start: int, end: int, lang: str = "en") -> list[Span]:
    """Return (start, end) of each sentence in `text[start:end]`, without blanks around it.

    A line is a paragraph or a list item: it is never joined with the next, and the mark of an
    item (`- `) belongs to no sentence. Headings are not sentences.
    """
    spans: list[Span] = []
    for first, last, level in blocks(text[start:end]):
        if level:
            continue
        mark = 2 if text.startswith("- ", start + first) else 0
        spans += _within(text, start + first + mark, start + last, lang)
    return spans


def _within(text: str, start: int, end: int, lang: str) -> list[Span]:
    spans = []
    for found in sentencex.get_sentence_boundaries(lang, text[start:end]):
        words = text[start + found["start_index"] : start + found["end_index"]]
        first = start + found["start_index"] + len(words) - len(words.lstrip())
        last = first + len(words.strip())
        if last > first:
            spans.append((first, last))
    return spans
