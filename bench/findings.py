"""Where a contestant's result is another one: counted and said, neither hidden nor a failure of the benchmark.

Findings are about results; what takes how long is `run.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import job
import prepare

DAYS = ["20240102", "20240103"]
DAYS_ROWS = 200_000


@dataclass(frozen=True)
class Finding:
    """So many of so many rows (or groups) are other than they should be."""

    who: str
    what: str
    count: int
    of: int


def of_case(case: str, source: Path, frames: dict[str, pl.DataFrame]) -> list[Finding]:
    """Count what is known to differ in a case."""
    if "namesake" not in frames or "vizflow" not in frames or case not in ("clock", "forward"):
        return []
    ours, theirs = frames["vizflow"], frames["namesake"]
    who = job.PEERS["namesake"].title
    if case == "clock":
        both = pl.DataFrame({"stamp": pl.read_ipc(source.parent / "clock.feather")["ticktime"]})
        both = both.with_columns(ours=ours["elapsed_seconds"], theirs=theirs["elapsed_seconds"])
        noon = (pl.col("stamp") > 113_000_000) & (pl.col("stamp") < 130_000_000)
        counts = both.select(
            outside=(pl.col("ours").is_null() & pl.col("theirs").is_not_null()).sum(),
            negative=(pl.col("theirs") < 0).sum(),
            noon=(noon & pl.col("theirs").is_not_null()).sum(),
            late=(pl.col("theirs") > 14_400).sum(),
        ).row(0, named=True)
        named = {
            "outside": "an elapsed time for a row outside the sessions, where it should be none",
            "negative": "elapsed times below 0, before the open",
            "noon": "a time of the morning or the afternoon for a row of the lunch break",
            "late": "elapsed times past the end of the day",
        }
        return [Finding(who, f"clock: {named[name]}", n, both.height) for name, n in counts.items() if n]
    out = []
    for h in job.HORIZONS:
        a, b = ours[f"return_{h}"], theirs[f"return_{h}"]
        counts = {
            "priced past the symbol's last quote": (a.is_null() & b.is_not_null()).sum(),
            f"none: no quote within 5 s of t + {h} s (its `tolerance_ms`)": (a.is_not_null() & b.is_null()).sum(),
            f"another price: the nearest quote's, which may come after t + {h} s": (a != b).sum(),
        }
        out += [Finding(who, f"return_{h}: {what}", int(n), len(a)) for what, n in counts.items() if n]
    return out


def of_sums(run: Callable[[str, int], pl.DataFrame], who: list[str], cores: int) -> list[Finding]:
    """Count the groups whose mean price has other bits on one core than on all."""
    out = []
    for contestant in who if cores > 1 else []:
        one, all_ = (run(contestant, n)["vwap"] for n in (1, cores))
        other = int((one.fill_nan(None).ne_missing(all_.fill_nan(None))).sum())
        what = f"aggregate: groups whose `vwap` has other bits on one core than on {cores}"
        out.append(Finding(job.PEERS[contestant].title, what, other, len(one)))
    return out


def of_days(work: Path, run: Callable[[str, Path], pl.DataFrame], who: list[str]) -> list[Finding]:
    """Count the returns that change when another day stands in the same frame: its quotes were taken for the day's."""
    folder = work / f"days-{DAYS_ROWS}"
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for date in DAYS:
        source = prepare.day(work, DAYS_ROWS, date)
        day = source.parent / f"alone-{date}"
        day.mkdir(exist_ok=True)
        prepare.inputs(day, source, ["forward"])
        frames.append(pl.read_ipc(day / "forward.feather").with_columns(date=pl.lit(int(date))))
    pl.concat(frames).write_ipc(folder / "days.feather")
    out = []
    for contestant in who:
        if "days" in job.PEERS[contestant].work:
            both = run(contestant, folder / "days.feather")
            other = int(both["together"].ne_missing(both["alone"]).sum())
            out.append(Finding(job.PEERS[contestant].title, DAYS_WHAT[contestant], other, both.height))
    return out


_TWO = "returns over 60 s that change when two days stand in one frame"
DAYS_WHAT = {
    "vizflow": f"{_TWO} (`date` is a key where the frame has it)",
    "polars-asof-by": f"{_TWO} (by symbol, as in the documentation; `by` must name the date too)",
    "namesake": f"{_TWO} (the date is no key, and cannot be made one)",
}
