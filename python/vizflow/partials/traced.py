"""What frames remember of the plan that made them. Not for files."""

from __future__ import annotations

import datetime as dt
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from vizflow.lazy.lineage import Bins
from vizflow.partials.plan import KINDS, Plan
from vizflow.partials.versions import describe


@dataclass(frozen=True)
class Traced:
    """What a frame was made from: its plan, and how to get the keys and states behind it."""

    plan: Plan
    states: Callable[[], pl.DataFrame]
    bins: Bins | None = None
    """Column to width, or to a text that stands for edges; None where nothing is known."""
    dates: tuple[str, ...] = ()
    """The dates whose rows are in it; none where that is not known."""
    met: set[str] = field(default_factory=set)
    """The dates that its rows said they are of, once `states` has been called."""

    @property
    def days(self) -> tuple[str, ...]:
        """The dates that are known, or that its rows said they are of."""
        return self.dates or tuple(sorted(self.met))

    def dated(self) -> pl.DataFrame:
        """Return keys and states; first and last values of a single date's rows know that date."""
        states = self.states()
        return with_date(states, self.plan, self.days[0]) if len(self.days) == 1 else states

    def describe(self, schema: Mapping[str, pl.DataType]) -> dict[str, str]:
        """Return the metadata of the file that it is to be saved to, when its states have been read."""
        out = describe(self.plan, schema, self.bins, self.days)
        return {**out, "vizflow.date": self.days[0]} if len(self.days) == 1 else out


def with_date(states: pl.DataFrame, plan: Plan, date: str) -> pl.DataFrame:
    """Tell first and last values of which date they are, where they do not know."""
    day = pl.lit(dt.datetime.strptime(date, "%Y%m%d").date())
    places = [state.columns[1] for state in plan.states if KINDS[state.kind].is_placed]
    return states.with_columns(pl.col(name).fill_null(day) for name in places) if places else states


_traced: dict[int, tuple[weakref.ref[Any], Traced, pl.DataFrame | None]] = {}


def remember(frame: pl.LazyFrame | pl.DataFrame, traced: Traced) -> None:
    """Note what a frame was made from, for as long as the frame, untouched, is there."""
    key, registry = id(frame), _traced
    was = frame.clone() if isinstance(frame, pl.DataFrame) else None  # a DataFrame can be changed in place
    _traced[key] = weakref.ref(frame, lambda _: registry.pop(key, None)), traced, was


def traced(frame: Any) -> Traced | None:
    """Return what `remember` noted of this very frame."""
    found = _traced.get(id(frame))
    if found is None or found[0]() is not frame:
        return None
    _, made_from, was = found
    if isinstance(frame, pl.DataFrame) and was is not None and not (was.schema == frame.schema and was.equals(frame)):
        return None
    return made_from


def plan_of(frame: Any) -> Plan | None:
    """Return the plan of a frame that `aggregate`, `reduce`, `scan` or `load` gave, untouched; else None."""
    found = traced(frame)
    return found.plan if found is not None else None
