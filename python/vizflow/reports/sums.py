"""Sums behind the trades report, and the edges of their bins. Not for figures."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from vizflow.reports.fills import FILL, Day
from vizflow.viz.dims import Cells

HOLDING = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200]


PIECES = (
    f"rows are pieces of fills and there is no column {FILL!r} that tells fills apart; FIFOMatch(extras=True) adds it, "
    "or name fill_col="
)


class Parts:
    """The sums of each section, a list of frames per name; cells that are ready; and why a section is missing."""

    def __init__(self) -> None:
        self.frames: dict[str, list[pl.DataFrame]] = {}
        self.cells: dict[str, Cells] = {}
        self.both: dict[str, tuple[float | None, float | None]] = {}  # by horizon: markout and coverage of both sides
        self.missing: dict[str, str] = {}
        self.notes: list[str] = []
        self.left_out: list[dict[str, Any]] = []
        self.measures: set[str] = set()  # "markout", or "return" where the mid is not known
        self.from_partials = False
        self.horizons = 0
        self.pieces = False  # rows count pieces, which cannot be told to be fills
        self.slice: float | None = None  # seconds of the profile's slices, where the partials say

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def tell_pieces(self, day: Day) -> None:
        """Say where rows may not be fills."""
        if not day.told:
            self.pieces = True
            self.note(f"Rows are counted, not fills: {PIECES}.")
        elif "fill" not in day.have and day.have & {"closed", "holding"}:
            self.note(f"There is no column {FILL!r}: each row is counted as a fill. Of pieces, name fill_col=.")

    @property
    def rows(self) -> str:
        """What is counted."""
        return "rows" if self.from_partials else "pieces of fills" if self.pieces else "fills"

    @property
    def measure(self) -> str:
        """What the horizons' numbers are."""
        return next(iter(self.measures), "markout")

    def add(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a date's sums by name."""
        self.frames.setdefault(name, []).append(frame)

    def get(self, name: str) -> pl.DataFrame:
        """Return the sums of all dates by name."""
        return pl.concat(self.frames[name], how="vertical_relaxed") if self.frames.get(name) else pl.DataFrame()


def holding_bin(seconds: pl.Expr) -> pl.Expr:
    """Return the number of a holding period's class: how many of the limits it has reached."""
    return pl.sum_horizontal([(seconds >= limit).cast(pl.Int64) for limit in HOLDING])


_PROFITS = [step * 10.0**power for power in range(19) for step in (1, 2, 5)]


def profit_bin(value: pl.Expr) -> pl.Expr:
    """Return the class of a profit: 1, 2, 5, 10, 20 … are the far edges on both sides of zero, which is alone in 0."""
    size = pl.lit(pl.Series(_PROFITS)).search_sorted(value.abs(), side="left").cast(pl.Int64) + 1
    return size * value.sign().cast(pl.Int64)


def profit_edge(number: int) -> float:
    """Return the far edge of a class of `profit_bin`."""
    size = 0.0 if number == 0 else _PROFITS[abs(number) - 1] if abs(number) <= len(_PROFITS) else math.inf
    return size if number > 0 else -size
