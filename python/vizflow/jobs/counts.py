"""What became of a date's rows: read, null by reason, given by each step, aggregated, kept.

Counted where rows pass anyway. Times are counted by the clock itself, in a tally of each reading; where no reading saw
the whole column, because the pipeline's filters come first, it is read once more, alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow import io
from vizflow.errors import Error
from vizflow.jobs.outcome import Outcome
from vizflow.lazy import two_pass
from vizflow.lazy.notes import Notes, Times
from vizflow.ops import stamps
from vizflow.partials import traced
from vizflow.schema import csv as _csv

Counts = dict[str, Any]

KEY = "vizflow.counts"
COUNTS = (*stamps.COUNTS, "nulled")  # of times: as in `time_report`, and how many became null


def of(path: Path, csv: _csv.Options, given: Any, notes: Notes, outcome: Outcome) -> Counts:
    """Count what became of the rows of a file: ``read``, ``times``, ``steps``, ``aggregated``, ``kept``.

    ``times`` and ``steps`` are there where the pipeline has such, ``aggregated`` where it aggregates.
    """
    counts: Counts = {"read": io.height(path, csv)}
    times = [(one.column, _times(one, path, counts["read"])) for one in notes.times]
    named = _named((column, met) for column, met in times if met is not None)
    if named:
        counts["times"] = named
    steps = _named(step for step in notes.steps.values() if step[1])
    if steps:
        counts["steps"] = steps
    if notes.entered:
        own = notes.entered.get(id(traced.plan_of(given)))
        counts["aggregated"] = own if own is not None else max(notes.entered.values())
    return {**counts, "kept": outcome.stored.height}


def _named(pairs: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return what is counted by name; a name that comes again gets a number."""
    out: dict[str, dict[str, Any]] = {}
    for name, counts in pairs:
        number = sum(known == name or known.startswith(f"{name} #") for known in out) + 1
        out[name if number == 1 else f"{name} #{number}"] = counts
    return out


def _times(one: Times, path: Path, read: int) -> dict[str, int] | None:
    """Return the counts of a column of times; None where they are not known, and dear to know."""
    met = _core.tally_take(one.tally)
    with suppress(Error, pl.exceptions.PolarsError):  # what no reason can be told of
        plan = one.frame.explain(optimized=False)
        if two_pass.is_one_file(one.frame):
            height = read if f"[{path}]" in plan else one.frame.select(pl.len()).collect(engine="streaming").item()
            whole = {sums for sums in met if sums[0] == height}
            if len(whole) == 1:  # readings that differ are none, or several side by side
                return dict(zip(COUNTS, whole.pop(), strict=True))
        if "PYTHON" not in plan and two_pass.has_cheap_head(one.frame):
            _core.tally_turn()
            one.frame.select(one.elapsed).collect(engine="streaming")
            for again in _core.tally_take(one.tally):  # none, where more tallies are open than there is room for
                return dict(zip(COUNTS, again, strict=True))
    return None


def stored(metadata: Mapping[str, str] | None) -> Counts:
    """Return what a partial says of its rows; nothing where it says nothing that VizFlow writes."""
    try:
        found = json.loads((metadata or {}).get(KEY, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_empty(counts: Counts) -> bool:
    """Return whether rows of a date were read and none was kept."""
    return bool(counts.get("read")) and (counts.get("kept") == 0 or counts.get("aggregated") == 0)


def nulled(counts: Counts) -> int | None:
    """Return how many times became null, for whatever reason; None where they were not counted."""
    times = counts.get("times")
    if not isinstance(times, dict):
        return None
    return sum(int(met["nulled"]) for met in times.values())


def words(counts: Counts) -> str:
    """Word what became of a date's rows."""
    out = [f"{counts['read']:,} rows read"] if isinstance(counts.get("read"), int) else []
    for name, met in counts.get("times", {}).items():
        reasons = {reason: rows for reason, rows in met.items() if rows and reason not in ("rows", "nulled")}
        moved = sum(reasons.values()) - met["nulled"]
        said = [f"{rows:,} {reason.replace('_', ' ')}" for reason, rows in reasons.items()]
        said += [f"{moved:,} of them moved into a session"] if moved else []
        out.append(f"{met['rows']:,} times in {name}: {', '.join(said) or 'all in a session'}")
    for name, met in counts.get("steps", {}).items():
        said = [f"{met['rows']:,} rows"]
        if "trades" in met:
            said += [f"{met['rows'] - met['trades']:,} of no listed side"] if met["rows"] > met["trades"] else []
            said.append(f"{met['pieces']:,} given")
        said += [f"{column} null in {rows:,}" for column, rows in met.get("null", {}).items() if rows]
        out.append(f"{name}: {', '.join(said)}")
    if "aggregated" in counts:
        out.append(f"{counts['aggregated']:,} aggregated")
    return "; ".join([*out, f"{counts.get('kept', 0):,} rows kept"])
