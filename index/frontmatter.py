"""The block between `---` lines at the head of a Markdown page: its schema and its errors."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from index.errors import PageError
from index.types import Evidence, Kind, Source

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C where PyYAML was built with it: ten times as fast."""

_DEEPEST = 20
_BLOCK = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


class SourceEntry(BaseModel):
    """One entry of `sources:`."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    key: str = Field(pattern=r"^[\w-]+$")
    authors: str = ""
    year: int | None = Field(None, ge=1900, le=2100)
    title: str
    where: str = ""
    doi: str = Field("", pattern=r"^(10\.\d{4,9}/\S+)?$")
    pmid: str = Field("", pattern=r"^\d*$")
    url: str = Field("", pattern=r"^(https?://\S+)?$")
    read: str = Field("", pattern=r"^(full|abstract|secondary|older-version)?$")

    @model_validator(mode="after")
    def _can_be_found(self) -> SourceEntry:
        if not (self.doi or self.pmid or self.url):
            raise ValueError(f"source '{self.key}' has no doi, pmid or url: add one")
        return self

    def source(self) -> Source:
        """Return the record the rest of the program uses."""
        return Source(**self.model_dump())


class FrontMatter(BaseModel):
    """What a page says of itself. Every key may be left out in a clinic's own pages."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    title: str = ""
    kind: Kind = "page"
    summary: str = ""
    evidence: Evidence | None = None
    reviewed: dt.date | None = None
    language: str = Field("en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")
    url: str = Field("", pattern=r"^(https?://\S+)?$")
    aliases: tuple[str, ...] = ()
    sources: tuple[SourceEntry, ...] = ()

    @field_validator("sources")
    @classmethod
    def _keys_differ(cls, entries: tuple[SourceEntry, ...]) -> tuple[SourceEntry, ...]:
        keys = [entry.key for entry in entries]
        if double := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"two sources have the key {', '.join(sorted(double))}")
        return entries


def split(raw: str) -> tuple[FrontMatter, str, int]:
    """Return the front matter, the rest of the page, and the line the rest begins on.

    Raises PageError, with line and key, if there is a block and it is not right.
    """
    match = _BLOCK.match(raw)
    if match is None:
        if raw.lstrip("\ufeff").startswith("---\n"):
            raise PageError("line 1: front matter opens with '---' and never closes")
        return FrontMatter(), raw, 1
    block = match[1]
    try:
        _require_shallow(block)
        values: Any = yaml.load(block, Loader=LOADER) or {}  # nosec B506 # a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 2}: " if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise PageError(f"{where}front matter is not YAML: {problem}") from None
    if not isinstance(values, dict):
        raise PageError("line 2: front matter must be 'key: value' lines")
    try:
        front = FrontMatter.model_validate(values)
    except ValidationError as error:
        raise PageError(_explain(error, block)) from None
    return front, raw[match.end() :], raw.count("\n", 0, match.end()) + 1


def _require_shallow(block: str) -> None:
    """Raise PageError for lists in lists without end: building them would end the process."""
    depth = 0
    for event in yaml.parse(block, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise PageError(f"front matter is nested over {_DEEPEST} levels deep; write it flat")


def _explain(error: ValidationError, block: str) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = path[0] if path else ""
    lines = block.split("\n")
    line = next((n for n, words in enumerate(lines, 2) if words.startswith(f"{key}:")), 2)
    if first["type"] == "extra_forbidden":
        known = ", ".join(FrontMatter.model_fields)
        return f"line {line}: front matter has an unknown key '{'.'.join(path)}'; known: {known}"
    value = first["input"]
    shown = "" if isinstance(value, dict | list | tuple) else f" = {str(value)!r}"
    message = first["msg"].removeprefix("Value error, ")
    return f"line {line}: front matter {'.'.join(path)}{shown}: {message}"
