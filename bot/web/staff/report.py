"""The last evaluation report, as tables and pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from bot.web.staff.console import Console

_PICTURE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.svg")
_PICTURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "inline",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the report: a table of `rows` under `columns`, or `lines`."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lines: tuple[str, ...] = ()


def parts(report: Mapping[str, Any]) -> list[Part]:
    """Return the parts of a report as tables, in its order. Takes any JSON object."""
    return [_part(str(name), value) for name, value in report.items()]


def add(router: APIRouter, console: Console) -> None:
    """Add the page and its pictures to `router`."""
    folder = console.assistant.settings.staff.report

    @router.get("/staff/report")
    def report(request: Request) -> Response:
        found, made, fault = _read(folder / "report.json")
        return console.page(
            request, "report", here="report", parts=parts(found), made=made, fault=fault,
            pictures=sorted(pictures(folder)),
        )  # fmt: skip

    @router.get("/staff/report/{name}")
    def picture(name: str) -> Response:
        path = pictures(folder).get(name)
        if path is None:
            raise HTTPException(404, "There is no such picture.")
        return Response(path.read_bytes(), media_type="image/svg+xml", headers=_PICTURE_HEADERS)


def pictures(folder: Path) -> dict[str, Path]:
    """Return the pictures in the report's folder by name; links are left out."""
    found = folder.iterdir() if folder.is_dir() else ()
    return {
        path.name: path
        for path in found
        if _PICTURE.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    }


def _read(path: Path) -> tuple[dict[str, Any], str, str]:
    """Return the report, when it was made, and what is wrong with it."""
    try:
        made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}, "", "There is no report yet. This makes one: citewell eval"
    except (OSError, ValueError) as error:
        return {}, "", f"The report cannot be read ({error}). This makes another: citewell eval"
    return (found if isinstance(found, dict) else {}), f"{made:%Y-%m-%d %H:%M} UTC", ""


def _part(title: str, value: object) -> Part:
    if isinstance(value, list):
        return Part(title, lines=tuple(map(_said, value)))
    if not isinstance(value, dict):
        return Part(title, ("value",), ((title, (_said(value),)),))
    if not any(isinstance(row, dict) for row in value.values()):
        return Part(title, ("value",), tuple((str(k), (_said(v),)) for k, v in value.items()))
    rows = {str(k): v if isinstance(v, dict) else {"value": v} for k, v in value.items()}
    columns = tuple(dict.fromkeys(str(column) for row in rows.values() for column in row))
    cells = (
        (name, tuple(_said(row[c]) if c in row else "" for c in columns))
        for name, row in rows.items()
    )
    return Part(title, columns, tuple(cells))


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
