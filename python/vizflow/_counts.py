"""What became of a date's rows: read, null by reason, given by each step, aggregated, kept.

Counted where rows pass anyway, but for times: a pipeline drops those that are null before anything of ours sees them
again, so the column of times is read once more, alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from vizflow import _clock, _csv, _stream, io
from vizflow._partial import Notes, Outcome
from vizflow.errors import Error

Counts = dict[str, Any]

KEY = "vizflow.counts"


def of(path: Path, csv: _csv.Options, notes: Notes, outcome: Outcome) -> Counts:
    """Count what became of the rows of a file: ``read``, ``times``, ``steps``, ``aggregated``, ``kept``.

    ``times`` is there where the pipeline parsed times of a frame that is cheap to read again; ``aggregated`` where it
    aggregated; ``kept`` are the rows of what the pipeline gave.
    """
    counts: Counts = {"read": io.height(path, csv)}
    times = [report for frame, report in notes.times if _stream.is_replayable(frame) or io.is_csv(path)]
    if times and len(times) == len(notes.times):
        with suppress(Error, pl.exceptions.PolarsError):  # what no reason can be told of
            reports = [report() for report in times]
            counts["times"] = {reason: sum(found[reason] for found in reports) for reason in _clock.COUNTS}
    steps = {name: rows for name, rows in notes.rows.items() if name != "aggregate"}
    if steps:
        counts["steps"] = steps
    if "aggregate" in notes.rows:
        counts["aggregated"] = notes.rows["aggregate"]
    return {**counts, "kept": outcome.stored.height}


def stored(metadata: Mapping[str, str] | None) -> Counts:
    """Give what a partial says of its rows; nothing where it says nothing that VizFlow writes."""
    try:
        found = json.loads((metadata or {}).get(KEY, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_empty(counts: Counts) -> bool:
    """Tell whether nothing was kept of a date."""
    return counts.get("kept") == 0 or counts.get("aggregated") == 0


def nulled(counts: Counts) -> int | None:
    """Tell how many times became null, for whatever reason; None where they were not counted."""
    times = counts.get("times")
    return sum(rows for reason, rows in times.items() if reason != "rows") if isinstance(times, dict) else None


def words(counts: Counts) -> str:
    """Word what became of a date's rows."""
    out = [f"{counts['read']:,} rows read"] if isinstance(counts.get("read"), int) else []
    times = counts.get("times")
    if isinstance(times, dict):
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in times.items() if rows and reason != "rows")
        out.append(f"times of {times.get('rows', 0):,}: {reasons or 'all read'}")
    out += [f"{rows:,} given by {name}" for name, rows in counts.get("steps", {}).items()]
    if "aggregated" in counts:
        out.append(f"{counts['aggregated']:,} aggregated")
    return "; ".join([*out, f"{counts.get('kept', 0):,} rows kept"])
