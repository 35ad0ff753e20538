"""`citewell index --check`: what keeps pages and glossary from answering well, by file and line."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from index import load as loading
from index.chunk import sections
from index.errors import PageError
from index.frontmatter import split
from index.glossary import FILE as GLOSSARY
from index.glossary import read_glossary
from index.rules import PAGE_RULES, Finding, Page, review_date
from index.settings import CORPUS_FOLDER, CorpusSettings
from index.terms import FILE as TERMS
from index.terms import read_terms
from index.text import words
from index.types import Document, Skipped, Source

_SAME = 0.5
"""Share of their runs of words that two passages have in common when one is a copy."""
_RUN = 5
_LEAST = 20
"""Words a passage needs before it can be called a copy."""
_LINE = re.compile(r"^line (\d+): ")


def check(
    inputs: Iterable[str], settings: CorpusSettings, today: dt.date | None = None
) -> list[Finding]:
    """Check every Markdown page and glossary at `inputs` (paths), in the order of the files.

    Other formats are only read. Sites are not fetched.
    """
    paths = [item for item in inputs if not loading.is_url(item)]
    found: list[Finding] = []
    pages: list[Page] = []
    documents: list[Document] = []
    for read in loading.load(paths, settings):
        if isinstance(read, Skipped):
            found.append(_unreadable(Path(read.name), read.reason))
            continue
        documents.append(read)
        if read.path.endswith(".md"):
            pages.append(_page(read))
    for page in pages:
        for rule in PAGE_RULES:
            found += rule(page)
        found += review_date(page, today or dt.date.today())
    found += [*_one_source_a_key(pages), *_copies(pages), *_aliases(pages)]
    for given in paths:
        if Path(given, GLOSSARY).is_file():
            found += _glossary(Path(given, GLOSSARY), documents)
        if Path(given, TERMS).is_file():
            found += _terms(Path(given, TERMS), documents)
    return sorted(found, key=lambda f: (str(f.path), f.line, f.rule))


def _page(document: Document) -> Page:
    path = Path(document.path)
    raw = path.read_text("utf-8-sig").replace("\r\n", "\n")
    front, _, line = split(raw)
    ours = path.is_relative_to(CORPUS_FOLDER)
    return Page(path, raw, front, line, document, ours)


def _unreadable(path: Path, reason: str) -> Finding:
    line = _LINE.match(reason)
    return Finding(
        path, int(line[1]) if line else 1, "unreadable",
        reason.removeprefix(line[0] if line else ""), "Nothing of it is used until this is mended",
    )  # fmt: skip


def _one_source_a_key(pages: Sequence[Page]) -> Iterator[Finding]:
    """Find keys that stand for two sources, and sources that go by two keys."""
    first: dict[str, tuple[Page, Source]] = {}
    keys: dict[str, tuple[Page, str]] = {}
    for page in pages:
        for source in page.document.sources:
            other, known = first.setdefault(source.key, (page, source))
            if known != source:
                yield page.finding(
                    page.line_of_key(source.key), "source key",
                    f"'{source.key}' is not the source it is in {other.path.name}",
                    "Use one key for one source, with the same entry everywhere",
                )  # fmt: skip
            for name in filter(None, (source.doi.lower(), source.pmid)):
                other, key = keys.setdefault(name, (page, source.key))
                if key != source.key:
                    yield page.finding(
                        page.line_of_key(source.key), "source key",
                        f"'{source.key}' ({name}) is called '{key}' in {other.path.name}",
                        "Use one key for one source",
                    )  # fmt: skip


def _copies(pages: Sequence[Page]) -> Iterator[Finding]:
    """Find passages that two places share, by the runs of words they have in common."""
    passages: list[tuple[Page, str, frozenset[tuple[str, ...]]]] = []
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for page in pages:
        for _, start, end in sections(page.document.text):
            said = page.document.text[start:end]
            tokens = words(said)
            if len(tokens) < _LEAST:
                continue
            runs = frozenset(tuple(tokens[i : i + _RUN]) for i in range(len(tokens) - _RUN + 1))
            common = Counter(at for run in runs for at in holders[run])
            for at, shared in common.items():
                other, text, theirs = passages[at]
                if shared >= _SAME * min(len(runs), len(theirs)):
                    yield page.finding(
                        page.line_of(said), "copy",
                        f"“{said[:50]}…” says what {other.path.name}:{other.line_of(text)} says",
                        "Say it on one page and link to it from the other",
                    )  # fmt: skip
            for run in runs:
                holders[run].append(len(passages))
            passages.append((page, said, runs))


def _aliases(pages: Sequence[Page]) -> Iterator[Finding]:
    taken: dict[tuple[str, ...], Page] = {}
    for page in pages:
        for alias in dict.fromkeys(page.document.aliases):
            other = taken.setdefault(tuple(words(alias)), page)
            if other is not page:
                yield page.finding(
                    page.line_of_key("aliases"), "alias",
                    f"'{alias}' is an alias of {other.path.name} too",
                    "Keep it on the page whose subject it names",
                )  # fmt: skip


def _glossary(path: Path, documents: Sequence[Document]) -> Iterator[Finding]:
    raw = path.read_text("utf-8", errors="replace")
    ours = path.is_relative_to(CORPUS_FOLDER)
    try:
        entries = read_glossary(path)
    except PageError as error:
        yield _unreadable(path, str(error))
        return
    said = [f" {' '.join(words(d.title + ' ' + d.text))} " for d in documents]
    for term in entries:
        for part in filter(None, map(str.strip, re.split(r"[,()]", term))):
            if not any(f" {' '.join(words(part))} " in text for text in said):
                line = raw[: max(0, raw.find(f"term: {term}"))].count("\n") + 1
                yield Finding(
                    path, line, "glossary", f"no page says '{part}'",
                    "Use the pages' own word for it, or write the page", ours,
                )  # fmt: skip


def _terms(path: Path, documents: Sequence[Document]) -> Iterator[Finding]:
    try:
        meanings = read_terms(path)
    except PageError as error:
        yield _unreadable(path, str(error))
        return
    said = " ".join(f"{d.title} {d.text}" for d in documents).lower()
    ours = path.is_relative_to(CORPUS_FOLDER)
    raw = path.read_text("utf-8", errors="replace").lower()
    for name in meanings:
        if name not in said:
            line = raw[: max(0, raw.find(name))].count("\n") + 1
            yield Finding(
                path, line, "terms", f"no page says '{name}'",
                "Write it as the pages do, or leave it out", ours,
            )  # fmt: skip
