"""What a run learns of its pipeline while it is built and collected. Not for what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow.lazy.lineage import Bins


@dataclass
class Notes:
    """What `bin` and `aggregate` were asked for inside a run."""

    bins: dict[str, float | str] = field(default_factory=dict)
    aggregated: bool = False
    mergeable: bool = True
    entered: dict[int, int] = field(default_factory=dict)
    """How many rows came into each `aggregate`, by the id of what it does, once they have."""
    steps: dict[object, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    """What each step of ours was called, and what it counted, once it has given all of its rows."""
    times: list[Times] = field(default_factory=list)


@dataclass(frozen=True)
class Times:
    """A `parse_time` of a run."""

    column: str
    frame: pl.LazyFrame
    elapsed: pl.Expr
    tally: int
    """Of `_core.tally_open`: what `elapsed` met, whenever it was computed."""


_notes: ContextVar[Notes | None] = ContextVar("vizflow_notes", default=None)


@contextmanager
def noting() -> Iterator[Notes]:
    """Take notes for as long as the block runs."""
    notes = Notes()
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)
        for one in notes.times:
            _core.tally_close(one.tally)


def current() -> Notes | None:
    """Return the notes that are taken, if any."""
    return _notes.get()


@contextmanager
def resumed(notes: Notes | None) -> Iterator[None]:
    """Go on with notes that were taken when a frame was planned, in whatever thread it is collected."""
    token = _notes.set(notes)
    try:
        yield
    finally:
        _notes.reset(token)


def note_entered(what: int, rows: int) -> None:
    """Note how many rows an `aggregate` took."""
    notes = _notes.get()
    if notes is not None:
        notes.entered[what] = rows


def note_times(column: str, frame: pl.LazyFrame, elapsed: Callable[[int], pl.Expr]) -> pl.Expr:
    """Return the expression of elapsed seconds, which in a run counts what it meets in a tally (0: in none)."""
    notes = _notes.get()
    if notes is None:
        return elapsed(0)
    tally = _core.tally_open()
    notes.times.append(Times(column, frame, elapsed(tally), tally))
    return notes.times[-1].elapsed


def note_bins(widths: Bins) -> None:
    """Note the widths of bin columns."""
    notes = _notes.get()
    if notes is not None:
        notes.bins.update(widths)


def note_aggregate(mergeable: bool) -> None:
    """Note that `aggregate` was called."""
    notes = _notes.get()
    if notes is not None:
        notes.aggregated = True
        notes.mergeable = notes.mergeable and mergeable
