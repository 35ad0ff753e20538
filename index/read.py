"""Bytes of one page -> Document, one reader a format. Raises PageError with a reason for people.

Text must be UTF-8 (or UTF-16 with its mark): guessing an encoding could change a word in a
medical page without anyone noticing. Scanned PDFs hold no text and are reported, not recognised.
"""

from __future__ import annotations

import io
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from index import frontmatter
from index.clean import clean
from index.errors import PageError
from index.markup import Block, render, tidy
from index.types import Document

_TITLE_LENGTH = 120
_BULLET = re.compile(r"^\s*(?:[-*•·‣▪–]|\(?\d{1,2}[.)])\s+(?=\S)")
_END = re.compile(r"[.!?:;,。！？…\"”')\]]$")
Read = tuple[frontmatter.FrontMatter, list[Block]]


def read(raw: bytes, *, name: str, suffix: str, path: str = "", url: str = "") -> Document:
    """Read one page of type `suffix` (".md", ".html", ".pdf", ".docx", ".txt").

    `name` is how messages and ids call it; `path` or `url` is where a visitor finds it.
    """
    if not raw.strip():
        raise PageError("the file is empty")
    front, page = READERS[suffix](raw)
    text, references = render(page)
    if not any(c.isalnum() for c in text) or all(block.level for block in page):
        raise PageError("no text was found on the page")
    keys = {source.key for source in front.sources}
    unknown = next((r.key for r in references if r.key not in keys), None)
    if unknown and READERS[suffix] is _markdown:  # elsewhere "[@name]" is somebody's handle
        raise PageError(
            f"{_line_of_marker(raw, unknown)}[@{unknown}] names no source of this "
            "page's front matter"
        )
    return Document(
        id=name, title=_title(front.title, page, name), text=text, url=front.url or url, path=path,
        lang=front.language, kind=front.kind, summary=tidy(front.summary), evidence=front.evidence,
        reviewed=front.reviewed.isoformat() if front.reviewed else "",
        aliases=tuple(tidy(alias) for alias in front.aliases),
        sources=tuple(entry.source() for entry in front.sources), references=references,
    )  # fmt: skip


def _title(given: str, page: list[Block], name: str) -> str:
    """Take the title given, else the first heading, else the file's name or the first words."""
    heading = next((tidy(b.words) for b in page if b.level), "")
    stem = re.sub(r"[-_]+", " ", PurePosixPath(name).stem).strip()
    readable = stem if re.fullmatch(r"[^\W\d]+( [\w']+)*", stem) else ""
    words = tidy(given) or heading or readable.capitalize()
    if not words:
        first = tidy(next(b.words for b in page if not b.level)).split()
        words = " ".join(first[:9]) + ("…" if len(first) > 9 else "")
    return words if len(words) <= _TITLE_LENGTH else words[: _TITLE_LENGTH - 1].rstrip() + "…"


def _line_of_marker(raw: bytes, key: str) -> str:
    found = re.search(rb"\[[^\]\n]*@" + key.encode() + rb"(?![\w-])", raw)
    line = raw.count(b"\n", 0, found.start()) + 1 if found else 1
    return f"line {line}: "


def _decode(raw: bytes) -> str:
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\0" in raw[:8192]:
            raise PageError("the file is binary, not text") from None
        line = raw.count(b"\n", 0, error.start) + 1
        raise PageError(
            f"line {line}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
    if "\0" in text:
        raise PageError("the file is binary, not text")
    return text


def _markdown(raw: bytes) -> Read:
    from markdown_it import MarkdownIt

    front, body, _ = frontmatter.split(_decode(raw).replace("\r\n", "\n"))
    page: list[Block] = []
    rows: list[list[str]] = []
    level, depth = 0, 0
    for token in MarkdownIt("commonmark").enable("table").parse(body):
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "heading_close":
            level = 0
        elif token.type in ("list_item_open", "list_item_close"):
            depth += 1 if token.nesting > 0 else -1
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "table_close":
            page += _rows(rows)
            rows = []
        elif token.type == "inline":
            words = "".join(
                " " if part.type in ("softbreak", "hardbreak") else part.content
                for part in token.children or ()
                if part.type not in ("html_inline", "image")
            )
            if rows:
                rows[-1].append(words)
            else:
                page.append(Block(words, level, bool(depth)))
        elif token.type in ("fence", "code_block"):
            page.append(Block(token.content))
    return front, page


def _rows(rows: list[list[str]]) -> Iterator[Block]:
    """Write each row of a table as one item that stands alone: "Pain: 5 points; ..."."""
    head, *body = rows
    for cells in body:
        pairs = [f"{h}: {c}" if h else c for h, c in zip(head, cells, strict=False) if c.strip()]
        if pairs:
            yield Block("; ".join(pairs), item=True)


def _html(raw: bytes) -> Read:
    from trafilatura import bare_extraction

    charset = re.search(rb"<meta[^>]+charset=[\"']?([\w-]+)", raw[:4096], re.IGNORECASE)
    try:
        text = raw.decode(charset[1].decode()) if charset else _decode(raw)
    except (LookupError, UnicodeDecodeError):
        text = _decode(raw)
    if "<" not in text:
        raise PageError("the file has no HTML in it")
    found = bare_extraction(text, include_comments=False, favor_recall=True, with_metadata=True)
    body = getattr(found, "body", None)
    if body is None:
        raise PageError("no text was found on the page")
    page: list[Block] = []
    for element in body:
        words = " ".join(element.itertext())
        if element.tag == "head":
            rend = element.get("rend") or "h2"
            page.append(Block(words, int(rend[1]) if rend[1:].isdigit() else 2))
        elif element.tag == "list":
            for item in element.iter("item"):
                inner = [item.text or ""]
                for child in item:
                    inner += [*(child.itertext() if child.tag != "list" else ()), child.tail or ""]
                page.append(Block(" ".join(inner), item=True))
        elif element.tag == "table":
            page += _rows(
                [
                    [tidy(" ".join(cell.itertext())) for cell in row.iter("cell")]
                    for row in element.iter("row")
                ]
                or [[]]
            )
        else:
            page.append(Block(words))
    lang = re.search(r"<html[^>]+lang=[\"']?([a-zA-Z]{2,3})", text[:4096])
    title = getattr(found, "title", None) or ""
    return frontmatter.FrontMatter(title=title, language=lang[1].lower() if lang else "en"), clean(
        page
    )


def _text(raw: bytes) -> Read:
    return frontmatter.FrontMatter(), clean(_lines_to_blocks(_decode(raw).splitlines()))


def _lines_to_blocks(lines: list[str]) -> list[Block]:
    """Join hard-wrapped lines into paragraphs, and tell headings and items from them.

    A heading is a short line without a full stop that something longer follows. In wrapped text it
    is also clearly shorter than the lines are, and stands where no sentence is open.
    """
    page: list[Block] = []
    width = _wrapped_at(lines)
    wrapped, open_paragraph = width > 0, False
    for at, line in enumerate(lines):
        words = line.strip()
        heading = _is_heading(words, lines[at + 1 :]) and not len(words) > width * 0.7 > 0
        if heading and open_paragraph and page[-1].words.endswith((".", "!", "?")):
            open_paragraph = False
        if not words:
            open_paragraph = False
        elif _BULLET.match(line):
            page.append(Block(_BULLET.sub("", line), item=True))
            open_paragraph = wrapped
        elif open_paragraph and wrapped:
            page[-1] = Block(f"{page[-1].words} {words}", item=page[-1].item)
        elif heading:
            page.append(Block(words.lstrip("# "), level=1 if not page else 2))
        else:
            page.append(Block(words))
            open_paragraph = True
    return page


def _wrapped_at(lines: list[str]) -> float:
    """Return the usual length of lines that stop mid-sentence, if most do; 0 if they do not."""
    pairs = [(a.strip(), b.strip()) for a, b in zip(lines, lines[1:], strict=False)]
    inner = [a for a, b in pairs if len(a) > 40 and b]
    stopping = [len(a) for a in inner if len(a) <= 110 and not _END.search(a)]
    return statistics.median(stopping) if len(stopping) * 2 > len(inner) else 0


def _is_heading(words: str, rest: list[str]) -> bool:
    if len(words) > 100 or (_END.search(words) and not words.endswith(("?", ")"))):
        return False
    following = next((line.strip() for line in rest if line.strip()), "")
    return any(c.isalpha() for c in words) and (
        len(following) > len(words) or bool(_BULLET.match(following))
    )


def _pdf(raw: bytes) -> Read:
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(raw) as pdf:
            pages = [page.get_textpage().get_text_bounded() for page in pdf]
            title = pdf.get_metadata_value("Title")
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise PageError("the PDF is encrypted; save it without a password") from None
        raise PageError("the PDF is malformed and cannot be opened") from None
    lines = [[line.rstrip() for line in page.splitlines()] for page in pages]
    if not any(any(page) for page in lines):
        raise PageError("the PDF has no text in it (a scan?); it needs text recognition first")
    flat = [line for page in _without_running_heads(lines) for line in page]
    joined = re.sub(r"(?<=[a-z])[-\u00ad\ufffe]\n(?=[a-z])", "", "\n".join(flat))
    return frontmatter.FrontMatter(title=title or ""), _lines_to_blocks(joined.split("\n"))


def _without_running_heads(pages: list[list[str]]) -> list[list[str]]:
    """Drop page numbers, and first or last lines that stand on most pages (three or more)."""

    def shape(line: str) -> str:
        return re.sub(r"\d+", "#", line.strip())

    ends = [{shape(line) for line in (*page[:2], *page[-2:])} for page in pages]
    counts = {s: sum(s in e for e in ends) for e in ends for s in e}
    running = {s for s, n in counts.items() if n >= 3 and n * 2 > len(pages)} | {"#", "Page #"}
    return [
        [
            line
            for at, line in enumerate(page)
            if not (shape(line) in running and (at < 2 or at >= len(page) - 2))
        ]
        for page in pages
    ]


_MOST_UNPACKED = 200_000_000
_MOST_XML = 20_000_000
"""Bytes a DOCX may unpack to, and its text: a small file can hold many times its size."""


def _docx(raw: bytes) -> Read:
    import zipfile

    import docx

    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise PageError("the document is encrypted or in the old .doc format; save it as .docx")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            sizes = [(part.filename, part.file_size) for part in parts.infolist()]
        unpacked = sum(size for _, size in sizes)
        text = sum(size for name, size in sizes if name.endswith((".xml", ".rels")))
        if unpacked > _MOST_UNPACKED or text > _MOST_XML:
            raise PageError(f"the document unpacks to {unpacked // 1_000_000} MB: too large")
        return _docx_blocks(docx.Document(io.BytesIO(raw)))
    except PageError:
        raise
    except Exception:  # noqa: BLE001 - the library raises anything at all on damaged parts
        raise PageError("the document is malformed and cannot be opened") from None


def _docx_blocks(document: Any) -> Read:
    from docx.table import Table

    page: list[Block] = []
    for element in document.iter_inner_content():
        if isinstance(element, Table):
            page += _rows([[cell.text for cell in row.cells] for row in element.rows] or [[]])
            continue
        style = (element.style.name if element.style else "") or ""
        number = re.fullmatch(r"Heading ([1-6])", style)
        level = int(number[1]) if number else 1 if style == "Title" else 0
        page.append(Block(element.text, level, style.startswith("List")))
    return frontmatter.FrontMatter(title=document.core_properties.title or ""), page


READERS: dict[str, Callable[[bytes], Read]] = {
    ".md": _markdown, ".markdown": _markdown, ".html": _html, ".htm": _html, ".xhtml": _html,
    ".pdf": _pdf, ".docx": _docx, ".txt": _text, ".text": _text,
}  # fmt: skip
