"""Small SVG figures, written by hand: a ratio plot and lines on logarithmic axes. Not for anything else.

They are committed, so they hold nothing but shapes and words, and look the same on a light and a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

COLOURS = {
    "vizflow": "#c2410c",
    "polars": "#1d4ed8",
    "polars-sorted": "#60a5fa",
    "polars-asof": "#0e7490",
    "polars-asof-by": "#22d3ee",
    "duckdb": "#a16207",
    "pandas": "#6d28d9",
    "namesake": "#6b7280",
}
STYLE = "text{font:12px system-ui,sans-serif;fill:#1f2937}.s{font-size:11px;fill:#4b5563}.h{font-weight:600}"


@dataclass(frozen=True)
class Dot:
    """A contestant's time as a multiple of VizFlow's, with the fastest and slowest run."""

    who: str
    middle: float
    low: float
    high: float
    hollow: bool = False


@dataclass(frozen=True)
class Line:
    """A contestant's times over sizes or cores."""

    who: str
    points: Sequence[tuple[float, float]]


class Canvas:
    """Collects shapes."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.shapes: list[str] = []

    def text(self, x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> None:
        kind = f' class="{kind}"' if kind else ""
        self.shapes.append(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{kind}>{escape(words)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> None:
        ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self.shapes.append(f'<line {ends} stroke="{colour}" stroke-width="{width:g}"/>')

    def path(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.shapes.append(f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def dot(self, x: float, y: float, colour: str, hollow: bool = False) -> None:
        fill = f'fill="#fff" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
        self.shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {fill}/>')

    def legend(self, who: Sequence[tuple[str, str]], x: float, y: float) -> None:
        for i, (name, title) in enumerate(who):
            self.dot(x, y + 17 * i - 4, COLOURS[name])
            self.text(x + 10, y + 17 * i, title.replace("`", ""), kind="s")

    def save(self, path: Path) -> None:
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        body = "\n".join(self.shapes)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
        )


def ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten within a range; fewer where it is wide."""
    steps = (1, 2, 5) if high / low < 200 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in steps if low * 0.999 <= m * 10.0**p <= high * 1.001]


def span(values: Sequence[float]) -> tuple[float, float]:
    return min(values) / 1.15, max(values) * 1.15


def ratios(path: Path, rows: Sequence[tuple[str, Sequence[Dot]]], titles: dict[str, str]) -> None:
    """Draw a row a case: each contestant's time over VizFlow's; left of the line VizFlow loses."""
    left, right, top, step = 330, 40, 56, 34
    who = [name for name in titles if any(dot.who == name for _, dots in rows for dot in dots)]
    bottom = top + step * len(rows)
    canvas = Canvas(860, bottom + 46 + 17 * len(who))
    low, high = span([1, *(end for _, dots in rows for dot in dots for end in (dot.low, dot.high))])

    def x(value: float) -> float:
        return left + math.log(value / low) / math.log(high / low) * (canvas.width - left - right)

    canvas.text(
        14, 20, "Time as a multiple of VizFlow's (logarithmic; a bar from the fastest to the slowest run)", kind="h"
    )
    for tick in ticks(low, high):
        canvas.line(x(tick), top - 8, x(tick), bottom, "#e5e7eb")
        canvas.text(x(tick), top - 14, f"{tick:g}×", "middle", "s")
    canvas.line(x(1), top - 8, x(1), bottom, COLOURS["vizflow"], 2)
    for i, (title, dots) in enumerate(rows):
        y = top + step * i + step / 2
        canvas.text(left - 14, y + 4, title.replace("`", ""), "end")
        for dot in dots:
            canvas.line(x(dot.low), y, x(dot.high), y, COLOURS[dot.who], 2)
            canvas.dot(x(dot.middle), y, COLOURS[dot.who], dot.hollow)
    canvas.text(x(1) + 6, bottom + 18, "VizFlow is faster →", kind="s")
    canvas.text(x(1) - 6, bottom + 18, "← VizFlow loses", "end", "s")
    canvas.legend([(name, titles[name]) for name in who], 24, bottom + 44)
    canvas.save(path)


def lines(
    path: Path, panels: Sequence[tuple[str, Sequence[Line]]], titles: dict[str, str], along: str, unit: str = ""
) -> None:
    """Draw a panel a case: seconds over sizes or cores, both logarithmic."""
    width, height, left, top = 400, 300, 46, 56
    who = [name for name in titles if any(line.who == name for _, some in panels for line in some)]
    canvas = Canvas(20 + width * len(panels), height + 36 + 17 * len(who))
    for i, (title, some) in enumerate(panels):
        points = [point for line in some for point in line.points]
        (x0, x1), (y0, y1) = span([p[0] for p in points]), span([p[1] for p in points])
        across, down = width - left - 24, height - top - 34

        def x(value: float, i: int = i, x0: float = x0, x1: float = x1, across: float = across) -> float:
            return i * width + left + math.log(value / x0) / math.log(x1 / x0) * across

        def y(value: float, y0: float = y0, y1: float = y1, down: float = down) -> float:
            return top + down - math.log(value / y0) / math.log(y1 / y0) * down

        canvas.text(i * width + 14, 20, title.replace("`", ""), kind="h")
        canvas.text(i * width + 14, 38, f"seconds over {along} (both logarithmic)", kind="s")
        for tick in ticks(y0, y1):
            canvas.line(x(x0), y(tick), x(x1), y(tick), "#e5e7eb")
            canvas.text(x(x0) - 6, y(tick) + 4, f"{tick:g}", "end", "s")
        for value in sorted({p[0] for p in points}):
            canvas.line(x(value), y(y0), x(value), y(y0) + 4, "#9ca3af")
            canvas.text(x(value), y(y0) + 18, f"{value:g}{unit}", "middle", "s")
        canvas.line(x(x0), y(y0), x(x1), y(y0), "#9ca3af")
        for line in some:
            canvas.path([(x(a), y(b)) for a, b in line.points], COLOURS[line.who])
            for a, b in line.points:
                canvas.dot(x(a), y(b), COLOURS[line.who])
    canvas.legend([(name, titles[name]) for name in who], 24, height + 30)
    canvas.save(path)
