"""What it costs: time, memory and disk, as tables and pictures for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eval import growth, load, speed
from eval.picture import curve

if TYPE_CHECKING:
    from eval.report import Bench, Pictures, Report


def of_speed(bench: Bench) -> tuple[Report, Pictures]:
    """Return ratios against the bare model."""
    asked = [q.text for q in bench.asked if q.kind == "answer"]
    found = speed.measure(bench.assistant, asked)
    rows: Report = {n: {"ratio": round(r, 3), "limit": limit} for n, (r, limit) in found.items()}
    rows["ten nearest, as full precision finds them"] = (
        f"{speed.agreement(bench.assistant, asked):.4f}"
    )
    return {"speed": rows}, {}


def of_growth(bench: Bench) -> tuple[Report, Pictures]:
    """Return what an index costs as it grows; the million passages take half an hour."""
    rows = list(growth.grown())
    table = growth.table(rows)
    (bench.out / "growth.md").write_text(table + "\n", "utf-8")
    picture = _growing(
        "How the index grows", "passages, power of ten", rows, _GROWING,
        [math.log10(row.passages) for row in rows],
    )  # fmt: skip
    return {"growth": table.splitlines()}, {"growth.svg": picture}


def of_load(bench: Bench) -> tuple[Report, Pictures]:
    """Return what many visitors at once get, through the API and through the page."""
    settings = bench.assistant.settings
    asked = _answered(bench)
    report: Report = {}
    pictures: Pictures = {}
    for title, name, page in (
        ("load, through the API", "load", False),
        ("load, through the page's queue", "load.page", True),
    ):
        rows = list(load.crowds(settings, asked, page=page))
        report[title] = load.table(rows)
        pictures[f"{name}.svg"] = _growing(
            f"Many visitors at once: {title}", "visitors", rows, _LOADED,
            [float(row.visitors) for row in rows],
        )  # fmt: skip
    return report, pictures


def of_soak(bench: Bench) -> tuple[Report, Pictures]:
    """Return how the memory of a server in use grows, over an hour."""
    sampled, slope = load.soak(bench.assistant.settings, _answered(bench))
    minutes, memory = sampled[-1]
    most = max(y for _, y in sampled)
    picture = curve(
        "Memory of a server in use", "minutes", f"share of {most:.0f} MB",
        {"resident memory": [(x, y / most) for x, y in sampled]}, right=minutes,
    )  # fmt: skip
    said = {
        "minutes": f"{minutes:.0f}", "memory at the end": f"{memory:.0f} MB",
        "slope in the second half": f"{slope:+.1f} MB an hour",
    }  # fmt: skip
    return {"soak": said}, {"soak.svg": picture}


def _answered(bench: Bench) -> list[str]:
    """Return the questions that are answered with quotes, as they are asked alone."""
    alone = [q for q in bench.asked if q.kind == "answer" and not q.history and q.split != "test"]
    return [q.text for q in alone if bench.assistant.answer(q.text).sentences]


def _growing(
    title: str, across: str, rows: Sequence[Any], names: Mapping[str, str], at: Sequence[float]
) -> str:
    """Return how each of the named fields grows, as a share of its largest value."""
    lines = {
        f"{label}, most {most:,.0f}": [
            (x, getattr(row, name) / most) for x, row in zip(at, rows, strict=True)
        ]
        for name, label in names.items()
        if (most := max(getattr(row, name) for row in rows))
    }
    return curve(title, across, "share of the largest", lines, right=max(at))


_LOADED = {
    "per_s": "answers a second", "p50_ms": "p50 in ms", "p95_ms": "p95 in ms",
    "memory_mb": "memory in MB",
}  # fmt: skip
_GROWING = {
    "build_s": "build time in s", "build_mb": "memory of building in MB",
    "reader_own_mb": "memory of a reader in MB", "p50_ms": "p50 in ms", "p95_ms": "p95 in ms",
}  # fmt: skip
