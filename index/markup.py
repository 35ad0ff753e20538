"""The one plain markup every page becomes: `# heading`, `- item`, paragraphs, nothing else.

Readers make Blocks, `clean` drops some, `render` writes the rest as a Document's text. Source
markers (`[@key]`) are taken out and remembered by offset, so quotes read cleanly and still know
who says so. Does not handle footnotes, code or nested tables: a patient page has none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from index.types import Reference

_MARKER = re.compile(r"\s*\[((?:@[\w-]+(?:\s*;\s*)?)+)\]")
_KEY = re.compile(r"@([\w-]+)")
_HEADING = re.compile(r"^(#{1,6}) (.+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page: a heading (`level` 1..6), a list item or a paragraph (`level` 0)."""

    words: str
    level: int = 0
    item: bool = False


def tidy(words: str) -> str:
    """Normalise to NFC, drop invisible characters, and make every run of blanks one space."""
    visible = (c for c in words if c.isspace() or unicodedata.category(c) not in {"Cc", "Cf", "Co"})
    return " ".join(unicodedata.normalize("NFC", "".join(visible)).split())


def render(page: Iterable[Block]) -> tuple[str, tuple[Reference, ...]]:
    """Write blocks as a Document's text; return it with where its source markers stood."""
    parts: list[str] = []
    references: list[Reference] = []
    length, after_item = 0, False

    def push(part: str) -> None:
        nonlocal length
        parts.append(part)
        length += len(part)

    for block in page:
        words = tidy(block.words)
        if not block.level:  # a paragraph must not read as a heading or an item
            words = words.lstrip("#-•· ")
        if not words:
            continue
        gap = "" if not parts else "\n" if block.item and after_item else "\n\n"
        push(gap + ("#" * block.level + " " if block.level else "- " if block.item else ""))
        position = 0
        for marker in _MARKER.finditer(words):
            push(words[position : marker.start()])
            references += [Reference(length, key) for key in _KEY.findall(marker[1])]
            position = marker.end()
        push(words[position:])
        after_item = block.item
    return "".join(parts), tuple(references)


def blocks(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, level) of each line of a Document's text; level 0 is content."""
    position = 0
    for line in text.split("\n"):
        if line.strip():
            heading = _HEADING.match(line)
            yield position, position + len(line), len(heading[1]) if heading else 0
        position += len(line) + 1
