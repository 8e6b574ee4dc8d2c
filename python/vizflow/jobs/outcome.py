"""What a pipeline gave, made ready to be stored. Not for files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow.errors import NotMergeableWarning
from vizflow.lazy.frames import as_lazy, columns
from vizflow.lazy.notes import Notes
from vizflow.partials.file import bins_of
from vizflow.partials.traced import traced, with_date
from vizflow.partials.versions import describe


@dataclass(frozen=True)
class Outcome:
    """What a pipeline gave: the metrics, what is stored of them, and the file's metadata."""

    result: pl.DataFrame
    stored: pl.DataFrame
    metadata: Mapping[str, str]
    went_on: bool

    def warn(self, path: Path) -> None:
        """Warn where metrics were stored whose states were there until the pipeline went on after `aggregate`."""
        if self.went_on:
            warnings.warn(
                f"{path}: the pipeline goes on after vf.aggregate, so its metrics are saved as they are, and vf.reduce "
                "cannot merge them; return what vf.aggregate gives, or say mergeable=False there",
                NotMergeableWarning,
                stacklevel=3,
            )


def outcome(given: Any, notes: Notes, date: str) -> Outcome:
    """Collect what a pipeline gave: states and metrics where it is what `aggregate` gave, else the frame as it is."""
    found = traced(given)
    if found is None:
        _core.tally_turn()
        result = as_lazy(given).collect(engine="streaming")
        went_on = notes.aggregated and notes.mergeable
        bins = bins_of(given, notes, result.columns)
        return Outcome(result, result, describe(None, result.schema, bins, [date]), went_on)
    plan = found.plan
    states = with_date(found.states(), plan, date)
    bins = bins_of(given, notes, plan.group_by)
    result = states.select(columns(plan.group_by), **plan.finish)
    return Outcome(result, states, describe(plan, states.schema, bins, [date]), False)
