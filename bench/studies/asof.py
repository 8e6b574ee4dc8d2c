"""`vf.merge_forward` beside Polars' `join_asof`: the same quotes at the same times, the same results asserted.

Not the day's benchmark (`bench/run.py`). ``python bench/studies/asof.py [--trades N] [--quotes N] [--symbols N]``
prints medians of paired runs. Two cases: frames in time order, as a day's file is, where `join_asof` needs no
sort; and frames by symbol, which `join_asof` has to sort first, and whose row order has to be restored afterwards.
Times are durations: with float seconds `join_asof` misses quotes whose time is t + h but for rounding.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import polars as pl

import vizflow as vf

HORIZONS = [-60, 0, 60, 300]
COLUMNS = ["mid", "spread"]


def frames(trades: int, quotes: int, symbols: int, seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Trades and quotes of a day in time order; symbols are as unequal as those of a market (Zipf's law)."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, symbols + 1)
    names = np.array([f"{600000 + i}.SH" for i in range(symbols)])

    def one(n: int) -> dict[str, np.ndarray]:
        chosen = random.choice(symbols, n, p=weights / weights.sum())
        at = np.sort(random.integers(0, 14_400_000, n)).astype("timedelta64[ms]")
        return {"symbol": names[chosen], "elapsed_seconds": at}

    prices = {"mid": 10 + random.normal(size=quotes).cumsum() / 1000, "spread": random.random(quotes)}
    return pl.DataFrame(one(trades)), pl.DataFrame({**one(quotes), **prices})


def ours(trades: pl.DataFrame, quotes: pl.DataFrame) -> pl.DataFrame:
    return vf.merge_forward(trades, quotes, COLUMNS, HORIZONS, past_last="keep").collect(engine="streaming")


def polars_asof(trades: pl.DataFrame, quotes: pl.DataFrame, *, in_order: bool) -> pl.DataFrame:
    """One join a horizon; frames that are not in time order are sorted first, and put back in order."""
    left = trades if in_order else trades.with_row_index("row").sort("elapsed_seconds", maintain_order=True)
    right = quotes if in_order else quotes.sort("elapsed_seconds", maintain_order=True)
    right = right.with_columns(pl.col("elapsed_seconds").set_sorted())
    for h in HORIZONS:
        values = (pl.col(column).alias(f"{column}_{h}") for column in COLUMNS)
        named = right.select("symbol", pl.col("elapsed_seconds").alias("at"), *values)
        left = (
            left.with_columns(at=(pl.col("elapsed_seconds") + pl.duration(seconds=h, time_unit="ms")).set_sorted())
            .join_asof(named, on="at", by="symbol", strategy="backward", check_sortedness=False)
            .drop("at")
        )
    return left if in_order else left.sort("row").drop("row")


def seconds(work: Callable[..., pl.DataFrame], *frames: pl.DataFrame, **options: bool) -> tuple[float, float]:
    """Wall and processor time; the second says more on a machine that is busy with other things."""
    begun, processor = time.perf_counter(), time.process_time()
    work(*frames, **options)
    return time.perf_counter() - begun, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--quotes", type=int, default=5_000_000)
    parser.add_argument("--symbols", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    day = frames(options.trades, options.quotes, options.symbols)
    print(
        f"{options.trades:,} trades, {options.quotes:,} quotes, {options.symbols:,} symbols, horizons {HORIZONS}, "
        f"columns {COLUMNS}, {pl.thread_pool_size()} threads, polars {pl.__version__}"
    )
    by_symbol = tuple(frame.sort("symbol", maintain_order=True) for frame in day)
    for case, (trades, quotes), in_order in (("in time order", day, True), ("by symbol", by_symbol, False)):
        mine, theirs = ours(trades, quotes), polars_asof(trades, quotes, in_order=in_order)
        assert mine.equals(theirs.select(mine.columns)), f"{case}: results differ"
        pairs = [
            (seconds(ours, trades, quotes), seconds(polars_asof, trades, quotes, in_order=in_order))
            for _ in range(options.rounds)
        ]
        for i, clock in enumerate(("wall", "processor")):
            a, b = (statistics.median(pair[side][i] for pair in pairs) for side in (0, 1))
            ratio = statistics.median(pair[1][i] / pair[0][i] for pair in pairs)
            print(f"{case}, {clock}: merge_forward {a:.2f} s, join_asof {b:.2f} s, median of paired ratios {ratio:.2f}")


if __name__ == "__main__":
    main()
