"""Builders of sample pages, in every format a clinic may have them in."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import docx
from fpdf import FPDF

from index.build import Built, build
from index.embed import Encoder, HashEncoder
from index.load import load
from index.settings import CorpusSettings, IndexSettings
from index.types import Document, Skipped

HEEL = "The heel hurts most with the first steps of the morning."
CUPS = "Cupping leaves round marks that fade within ten days."

MARKDOWN = """\
---
title: Heel pain
kind: condition
summary: Most heel pain settles within a year.
evidence: moderate
reviewed: 2026-03-01
aliases: [plantar fasciitis, heel spur]
sources:
  - key: lane2020
    authors: Lane A, Moss B
    year: 2020
    title: Needling for the heel
    doi: 10.1000/heel.1
  - key: moss2021
    title: Stretching for the heel
    pmid: 12345678
---
The heel hurts most with the first steps of the morning [@lane2020].

## What helps?

Stretching helps many people [@moss2021; @lane2020]. Ask us how.

- Rest the **foot** for a week.
- Wear [soft shoes](https://example.org/shoes) [@moss2021].

| Measure | Change |
|---|---|
| Pain | 2 points less |
| Walking | 10 minutes more |
"""

SCRAPED = f"""\
top of page
Home
About
Services
Blog
Contact
Log In
We use cookies to improve your experience. Accept
Jane Roe
Mar 4, 2024
3 min read
Heel pain in the morning
{HEEL} It eases once you have walked for a while.
What helps
• Rest the foot for a week
• Stretch the calf twice a day
• Wear soft shoes indoors
When to call us
Call us when the heel is red or hot, or when you cannot stand on it.
Share this post
Facebook
X
Related posts
Frozen shoulder at fifty
Comments
Write a comment...
Great read, thank you for this!
© 2024 by Roe Needle Clinic. All rights reserved.
bottom of page
"""

WRAPPED = """\
Frozen shoulder

A frozen shoulder stiffens over some months and then loosens again, which
may take up to three years. Most people do not need an operation, and gentle
movement within comfort is safe at every stage.

What you can do

- Keep moving the arm within comfort, for example by drawing circles with
  the hand hanging down.
- Use heat before you stretch.
"""

HTML = f"""\
<!doctype html>
<html lang="en">
<head><title>Heel pain in the morning</title></head>
<body>
<header><nav><ul><li><a href="/">Home</a></li><li><a href="/blog">Blog</a></li>
<li><a href="/contact">Contact</a></li></ul></nav></header>
<div class="cookie-banner"><p>We use cookies to give you the best experience. Accept all</p></div>
<main><article>
<h1>Heel pain in the morning</h1>
<p>{HEEL} It eases once you have walked for a while, and it returns after a long rest.</p>
<h2>What helps</h2>
<ul><li>Rest the foot for a week.</li><li>Stretch the calf twice a day.</li></ul>
<table><tr><th>Measure</th><th>Change</th></tr>
<tr><td>Pain</td><td>2 points less</td></tr></table>
<p>Call us when the heel is red or hot, or when you cannot stand on the foot at all.</p>
</article></main>
<section class="comments" id="comments"><h3>Comments</h3>
<p>Lovely, it cured my neighbour overnight!</p></section>
<footer><p>© 2024 Roe Needle Clinic. All rights reserved.</p></footer>
</body></html>
"""


def html_page(heading: str, words: str, links: Iterable[str] = ()) -> str:
    """Return a small web page that links to `links`."""
    anchors = "".join(f'<p><a href="{link}">a link to go on</a></p>' for link in links)
    return (
        f'<html lang="en"><head><title>{heading}</title></head><body><main>'
        f"<h1>{heading}</h1><p>{words}</p>{anchors}</main></body></html>"
    )


def pdf(
    *pages: str, title: str = "", head: str = "", foot: bool = False, password: str = ""
) -> bytes:
    """Return a PDF with one string a page; `head` runs over every page, `foot` counts them."""
    made = FPDF()
    made.set_font("helvetica", size=12)
    if title:
        made.set_title(title)
    if password:
        made.set_encryption(owner_password=password, user_password=password)
    for number, words in enumerate(pages, 1):
        made.add_page()
        lines = ([head] if head else []) + [words] + ([f"Page {number}"] if foot else [])
        for line in filter(None, lines):
            made.multi_cell(0, 8, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(made.output())


def word(*, title: str = "") -> bytes:
    """Return a DOCX with headings, a list and a table."""
    made = docx.Document()
    made.core_properties.title = title
    made.add_heading("Heel pain", 1)
    made.add_paragraph(HEEL)
    made.add_heading("What helps", 2)
    made.add_paragraph("Rest the foot for a week.", style="List Bullet")
    made.add_paragraph("Stretch the calf twice a day.", style="List Bullet")
    table = made.add_table(2, 2)
    for cell, words in zip(
        (c for row in table.rows for c in row.cells), ("Measure", "Change", "Pain", "2 less"),
        strict=True,
    ):  # fmt: skip
        cell.text = words
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def write(folder: Path, pages: Mapping[str, str | bytes]) -> Path:
    """Write `pages` (name -> content) into `folder` and return it."""
    for name, content in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def loaded(
    folder: Path, settings: CorpusSettings | None = None
) -> tuple[dict[str, Document], dict[str, str]]:
    """Load a folder: the documents by file name, and the reason of each skipped file name."""
    documents, skipped = {}, {}
    for found in load([str(folder)], settings or CorpusSettings()):
        if isinstance(found, Skipped):
            skipped[Path(found.name).name] = found.reason
        else:
            documents[Path(found.path).name] = found
    return documents, skipped


def indexed(
    pages: Path, data: Path, encoder: Encoder | None = None, settings: IndexSettings | None = None,
    **options: object,
) -> Built:  # fmt: skip
    """Build the index of the folder `pages` in `data`, with the fake encoder."""
    return build(
        [str(pages)],
        data,
        encoder or HashEncoder(),
        CorpusSettings(),
        settings or IndexSettings(),
        **options,
    )  # type: ignore[arg-type]
