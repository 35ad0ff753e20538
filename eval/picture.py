"""Scores as SVG: bars with their intervals, and curves. No more than the report needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from eval.statistics import Estimate

_WIDTH, _LEFT, _ROW, _TOP = 760, 270, 24, 46
_PLOT = _WIDTH - _LEFT - 90
_INK, _SOFT, _BAR, _GRID = "#1c2b2a", "#5b6b69", "#2f7d73", "#dfe7e5"


def bars(title: str, rows: Mapping[str, Estimate]) -> str:
    """Return a bar for each share in `rows`, 0..1, its 95% interval on it and the count beside."""
    height = _TOP + _ROW * len(rows) + 24
    parts = [_text(12, 24, title, weight="bold", size=15), *_scale(height)]
    for number, (label, estimate) in enumerate(rows.items()):
        y = _TOP + number * _ROW
        middle = y + 9
        low, high = (_LEFT + _PLOT * edge for edge in (estimate.low, estimate.high))
        parts += [
            _text(_LEFT - 8, y + 13, label, anchor="end"),
            f'<rect x="{_LEFT}" y="{y + 2}" width="{_PLOT * estimate.value:.1f}" height="14" '
            f'fill="{_BAR}" opacity="0.55"/>',
            f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} '
            f'{middle - 4}v8" stroke="{_INK}" fill="none"/>',
            _text(_LEFT + _PLOT + 8, y + 13, f"{estimate.value:.3f} of {estimate.count}"),
        ]
    return _svg(height, title, parts)


def curve(
    title: str, across: str, up: str, lines: Mapping[str, Sequence[tuple[float, float]]],
    mark: tuple[float, float] | None = None, right: float = 1.0,
) -> str:  # fmt: skip
    """Return curves through (x, y) points, y 0..1 and x 0..`right`; `mark` rings one of them."""
    left, top, side = 60, 46, 340
    parts = [_text(12, 24, title, weight="bold", size=15)]
    for step in range(6):
        x, y = left + side * step / 5, top + side * (1 - step / 5)
        parts += [
            f'<path d="M{x:.0f} {top}v{side}M{left} {y:.0f}h{side}" stroke="{_GRID}"/>',
            _text(x, top + side + 16, f"{right * step / 5:.3g}", anchor="middle"),
            _text(left - 6, y + 4, f"{step / 5:g}", anchor="end"),
        ]
    for number, (label, points) in enumerate(lines.items()):
        color = (_BAR, "#b4552d", "#53618f", "#8a6d1f", "#7a3b73")[number % 5]
        path = " ".join(
            f"{left + side * x / right:.1f},{top + side * (1 - y):.1f}" for x, y in points
        )
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>',
            f'<path d="M{left + side + 20} {top + 14 + 22 * number}h22" stroke="{color}" '
            'stroke-width="2"/>',
            _text(left + side + 48, top + 18 + 22 * number, label),
        ]
    if mark:
        x, y = left + side * mark[0] / right, top + side * (1 - mark[1])
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="none" stroke="{_INK}" '
            'stroke-width="2"/>'
        )
    parts += [
        _text(left + side / 2, top + side + 36, across, anchor="middle"),
        f'<g transform="translate(16 {top + side / 2:.0f}) rotate(-90)">'
        f"{_text(0, 0, up, anchor='middle')}</g>",
    ]
    return _svg(top + side + 50, title, parts)


def spread(title: str, waits: Mapping[str, Sequence[float]]) -> str:
    """Return, for each line, which share of its questions was answered within how many ms."""
    right = max(sorted(ms)[int(0.98 * (len(ms) - 1))] for ms in waits.values()) * 1.05
    lines = {}
    for label, ms in waits.items():
        ordered = sorted(ms)
        steps = range(0, 101, 2)
        points = [(ordered[round(p / 100 * (len(ordered) - 1))], p / 100) for p in steps]
        lines[label] = [(min(x, right), y) for x, y in points]
    return curve(title, "milliseconds", "share of questions answered", lines, right=right)


def _scale(height: int) -> list[str]:
    return [
        f'<path d="M{_LEFT + _PLOT * step / 4:.0f} {_TOP - 6}V{height - 20}" stroke="{_GRID}"/>'
        + _text(_LEFT + _PLOT * step / 4, height - 6, f"{step / 4:g}", anchor="middle")
        for step in range(5)
    ]


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", size: int = 12
) -> str:
    fill = _INK if weight == "bold" else _SOFT
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}" fill="{fill}">{escape(words)}</text>'
    )


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(title)}">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )
