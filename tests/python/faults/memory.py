"""Every operation with the N-th allocation of `_core` refused, once and from then on: run by `test_faults.py`.

A refusal is a MemoryError (or, of an expression under a bare collect, Polars' error that says so), nothing stays held
that was not before, and the same call gives afterwards what it gave undisturbed. Not for what the results are, and not
for rules in Python: their loop asks Python for objects, and the library for nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import polars as pl
import shim

import vizflow as vf
from vizflow.errors import from_polars

N = 40
DAY = pl.DataFrame(
    {
        "symbol": [f"s{i * 7 % 5}" for i in range(N)],
        "side": ["B" if i % 3 else "S" for i in range(N)],
        "qty": [float(1 + i % 4) for i in range(N)],
        "price": [100 + (i * 37 % 11) / 8 for i in range(N)],
        "bid": [99.5 + i % 3 for i in range(N)],
        "ask": [100.5 + i % 3 for i in range(N)],
        "timestamp": [93000000 + i % 60 * 1000 for i in range(N)],
    }
)
TIMED = DAY.with_columns(elapsed_seconds=pl.int_range(N, dtype=pl.Int64).cast(pl.Float64) * 2)
DATED = DAY.with_columns(date=pl.lit(dt.date(2024, 1, 2)))
METRICS = {
    "n": pl.len(),
    "total": pl.col("qty").sum(),
    "mean": pl.col("price").mean(),
    "std": pl.col("price").std(),
    "last": pl.col("price").last(),
}
DATES = ["20240102", "20240103"]

Scenario = Callable[[], pl.DataFrame]


def _grouped() -> pl.LazyFrame:
    return vf.aggregate(TIMED.lazy(), ["symbol", "side"], METRICS)


def _saved(folder: Path) -> pl.DataFrame:
    vf.save(_grouped(), folder / "again.parquet")
    return vf.load(folder / "again.parquet")


def _cube(folder: Path) -> pl.DataFrame:
    cube = vf.Cube.from_partials({date: folder / f"{date}.parquet" for date in DATES})
    cube.save(folder / "cube.arrow")
    again = vf.Cube.open(folder / "cube.arrow")
    return pl.concat([cube.table(["symbol"]), again.table(["symbol"]), cube.marginal("symbol")], how="diagonal")


def scenarios(folder: Path) -> dict[str, Scenario]:
    """Return the operations by name: each builds its plan anew and collects it."""
    config = vf.Config(input_dir=folder, columns={"quantity": "qty"})
    for date in DATES:
        DAY.write_ipc(folder / f"{date}.feather")
        vf.save(_grouped(), folder / f"{date}.parquet")
    cal = vf.calendar.get("CN")
    prices = pl.DataFrame({"date": [dt.date(2024, 1, 2), dt.date(2024, 1, 3)] * 2, "symbol": ["a", "a", "b", "b"]})
    prices = prices.with_columns(open=pl.Series([1.0, 2, 3, 4]), close=pl.Series([2.0, 3, 4, 5]))
    return {
        "parse_time": lambda: vf.parse_time(DAY.lazy(), "CN").collect(),
        "parse_time by date": lambda: vf.parse_time(DATED.lazy(), "CN", date_col="date").collect(),
        "bin": lambda: vf.bin(TIMED.lazy(), {"price": 0.25}).collect(),
        "mid": lambda: DAY.select(vf.mid("bid", "ask")),
        "near_integer": lambda: DAY.select(vf.near_integer("qty")),
        "sign_by_side": lambda: vf.sign_by_side(DAY.lazy(), buy="B", sell="S").collect(),
        "qbin": lambda: vf.qbin(DAY.lazy(), vf.qbin_edges(DAY, "price", 3)).collect(),
        "FIFOMatch": lambda: (
            vf.Enricher(
                [vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", extras=True)],
                by="symbol",
                sort_by="elapsed_seconds",
            )
            .run(TIMED.lazy())
            .collect()
        ),
        "forward_return": lambda: vf.forward_return(TIMED.lazy(), [10, 60]).collect(),
        "merge_forward": lambda: vf.merge_forward(TIMED.lazy(), TIMED.lazy(), ["bid"], [0, 10]).collect(),
        "mark_to_close": lambda: vf.mark_to_close(TIMED.lazy()).collect(),
        "overnight_return": lambda: vf.overnight_return(prices.lazy(), cal, missing="null").collect(),
        "aggregate": lambda: _grouped().collect(),
        "save, load": lambda: _saved(folder),
        "reduce": lambda: vf.reduce({date: folder / f"{date}.parquet" for date in DATES}).collect(),
        "Cube": lambda: _cube(folder),
        "daily": lambda: vf.daily(config, DATES).collect(),
        "check": lambda: vf.check(config, DATES).frame,
        "calendar": lambda: vf.calendar.generate(DATES),
    }


def refused(run: Scenario) -> pl.DataFrame | None:
    """Run it; None where memory was refused and that was told."""
    try:
        return run()
    except MemoryError:
        return None
    except pl.exceptions.PolarsError as error:
        if "MemoryError" in str(error) or isinstance(from_polars(error), MemoryError):
            return None
        raise


def every_allocation(run: Scenario) -> dict[str, int]:
    """Refuse one allocation after the other until all are granted; give how many, and how often it went on."""
    for _ in range(3):  # what is kept for good is kept by now
        want = run()
    held, refusals, told = shim.held(), 0, 0
    for for_ever in (False, True):
        at = 0
        while True:
            at += 1
            shim.refuse_memory(at, for_ever=for_ever)
            got = refused(run)
            failed = shim.memory_failed()
            shim.refuse_memory(0)
            refusals += failed
            told += got is None
            assert got is None or got.equals(want), f"allocation {at}: another result"
            del got
            left = shim.held(most=held)
            assert left <= held, f"allocation {at}: {left - held} blocks stay held"
            if failed == 0:
                break
    assert run().equals(want), "another result after all that"
    return {"refused": refusals, "told": told}


def main() -> None:
    """Run the scenarios named, or all; print their counts as JSON."""
    warnings.simplefilter("ignore")
    shim.watch()
    with tempfile.TemporaryDirectory() as folder:
        found = scenarios(Path(folder))
        names = sys.argv[1:] or list(found)
        out = {}
        for name in names:
            try:
                out[name] = every_allocation(found[name])
            except BaseException as error:
                error.args = (f"{name}: {error}",)
                raise
    print(json.dumps(out))


if __name__ == "__main__":
    main()
