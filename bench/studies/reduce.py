"""Merging 300 days' partials of 38 080 cells each, against Polars on the same states.

``python bench/studies/reduce.py [--dates 300] [--rounds 7]`` makes the partials in a temporary folder, asserts that
all give the same metrics, runs the sides in turn, and prints medians, ratios of paired runs, and bytes a cell.

- *Polars concat*: read every file, ``pl.concat``, ``group_by(keys).agg(sum)``, metrics.
- *Polars streaming*: one ``scan_parquet`` over all files, the same group_by on the streaming engine.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

import vizflow as vf
from vizflow.partials import traced as _traced
from vizflow.partials import versions

KEYS = ["alpha_bin", "return_bin", "side"]
METRICS = {
    "count": pl.len(),
    "total_qty": pl.col("qty").sum(),
    "vwap": pl.col("notional").sum() / pl.col("qty").sum(),
    "mean_return": pl.col("ret").mean(),
}
STATES = ["rows", "qty.sum", "notional.sum.hi", "notional.sum.lo", "ret.sum.hi", "ret.sum.lo", "ret.nulls"]


def grid() -> pl.DataFrame:
    """Return the 38 080 cells."""
    a, r, s = np.meshgrid(np.arange(-70, 70), np.arange(-68, 68), np.arange(2), indexing="ij")
    side = np.where(s.ravel() == 0, "B", "S")
    return pl.DataFrame({"alpha_bin": a.ravel(), "return_bin": r.ravel(), "side": side})


def make(folder: Path, dates: int) -> None:
    """Write a partial a date, as `run` would: three rows in two cells."""
    rng = np.random.default_rng(7)
    cells = grid()
    for number in range(dates):
        rows = cells.with_columns(
            qty=pl.Series(rng.integers(1, 100, cells.height) * 100),
            notional=pl.Series(rng.lognormal(10, 1, cells.height)),
            ret=pl.Series(rng.normal(0, 1e-3, cells.height)),
        )
        rows = pl.concat([rows, rows.sample(cells.height // 2, with_replacement=True, seed=number)])
        date = (dt.date(2024, 1, 1) + dt.timedelta(days=number)).strftime("%Y%m%d")
        traced = _traced.traced(vf.aggregate(rows, KEYS, METRICS))
        assert traced is not None
        states = traced.states()
        vf.save(states, folder / f"{date}.parquet", metadata=versions.describe(traced.plan, states.schema, {}, [date]))


def bytes_a_cell(folder: Path) -> str:
    """Measure a partial of cells with many rows, so that low parts are full: as states, and as the metrics alone."""
    rng = np.random.default_rng(8)
    cells = grid()
    rows = pl.concat([cells] * 30).with_columns(
        qty=pl.Series(rng.integers(1, 100, 30 * cells.height) * 100),
        notional=pl.Series(rng.lognormal(10, 1, 30 * cells.height)),
        ret=pl.Series(rng.normal(0, 1e-3, 30 * cells.height)),
    )
    lf = vf.aggregate(rows, KEYS, METRICS)
    paths = [folder / "states.tmp.parquet", folder / "metrics.tmp.parquet"]
    vf.save(lf, paths[0])
    vf.save(lf.collect(), paths[1])
    sizes = [path.stat().st_size / cells.height for path in paths]
    for path in paths:
        path.unlink()
    return f"{sizes[0]:.1f} bytes as states, {sizes[1]:.1f} as the metrics alone"


def finish(states: pl.DataFrame) -> pl.DataFrame:
    """Metrics of summed states, written by hand."""
    qty = pl.col("qty.sum")
    return states.sort(KEYS).select(
        *KEYS,
        count=pl.col("rows"),
        total_qty=qty,
        vwap=(pl.col("notional.sum.hi") + pl.col("notional.sum.lo")) / qty,
        mean_return=(pl.col("ret.sum.hi") + pl.col("ret.sum.lo")) / (pl.col("rows") - pl.col("ret.nulls")),
    )


def sides(folder: Path) -> dict[str, Callable[[], pl.DataFrame]]:
    """Return what is compared."""
    files = sorted(folder.glob("*.parquet"))
    return {
        "VizFlow": lambda: vf.reduce(folder).collect(),
        "Polars concat": lambda: finish(
            pl.concat([pl.read_parquet(path) for path in files]).group_by(KEYS).agg(pl.col(STATES).sum())
        ),
        "Polars streaming": lambda: finish(
            pl.scan_parquet(files).group_by(KEYS).agg(pl.col(STATES).sum()).collect(engine="streaming")
        ),
    }


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dates", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.dates)
        print(f"{options.dates} partials of {grid().height} cells; a cell of 30 rows takes {bytes_a_cell(folder)}")
        runs = sides(folder)
        results = {side: run() for side, run in runs.items()}
        for side in runs:
            assert_frame_equal(results[side], results["VizFlow"], rel_tol=1e-12, abs_tol=1e-17)
        times: dict[str, list[float]] = {side: [] for side in runs}
        for _ in range(options.rounds):
            for side, run in runs.items():
                start = time.perf_counter()
                run()
                times[side].append(time.perf_counter() - start)
        for side, taken in times.items():
            ratios = [theirs / ours for theirs, ours in zip(taken, times["VizFlow"], strict=True)]
            print(f"{side:17} {statistics.median(taken):7.3f} s   x {statistics.median(ratios):5.2f}", end="")
            print(f"   ({min(ratios):.2f} to {max(ratios):.2f}; {os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
