"""As-of look-ups in Polars alone: as its documentation shows them, and on a key packed by hand.

Times are whole milliseconds: with float seconds a join misses quotes whose time is t + h but for rounding.
"""

from __future__ import annotations

import numpy as np
import polars as pl

import job
from peers.polars_fused import elapsed_of
from peers.polars_sorted import ms


def by_symbol(frame: pl.DataFrame) -> pl.DataFrame:
    """Two forward returns, as the documentation of Polars shows it: sort, `join_asof` by symbol."""
    rows = frame.with_row_index("row").with_columns(ms=ms()).sort("ukey", "ms", maintain_order=True)
    seen = rows.lazy().filter((pl.col("mid") > 0) & pl.col("mid").is_finite()).select("ukey", at="ms", later="mid")
    end = seen.group_by("ukey").agg(end=pl.col("at").last())
    out = rows.lazy().join(end, on="ukey", how="left", maintain_order="left")
    for h in job.HORIZONS:
        out = (
            out.with_columns(until=pl.col("ms") + h * 1000)
            .join_asof(seen, left_on="until", right_on="at", by="ukey", check_sortedness=False)
            .with_columns(
                pl.when((pl.col("until") <= pl.col("end")) & (pl.col("mid") > 0))
                .then(pl.col("later") / pl.col("mid") - 1)
                .alias(f"return_{h}")
            )
            .drop("until", "at", "later", strict=False)
        )
    return out.sort("row").select(f"return_{h}" for h in job.HORIZONS).collect()


def packed(frame: pl.DataFrame) -> pl.DataFrame:
    """Two forward returns by one merge of two sorted columns.

    Symbol and time are one integer, so that a merge of two sorted columns finds the
    observation. It is the symbol's own: the row is one itself, and there is a later one.
    """
    key, price = pl.col("key"), pl.col("mid")
    rows = (
        frame.lazy()
        .select("mid", key=pl.col("ukey") * (1 << 28) + elapsed_of())
        .with_row_index("row")
        .filter((price > 0) & price.is_finite())
        .sort("key", maintain_order=True)
        .with_columns(last=key.last().over(key // (1 << 28)))
        .collect()
    )
    seen = rows.lazy().select(key.set_sorted(), later="mid")
    found = [
        rows.lazy()
        .select("mid", "last", until=(key + h * 1000).set_sorted())
        .join_asof(seen, left_on="until", right_on="key", check_sortedness=False)
        .select(pl.when(pl.col("until") <= pl.col("last")).then(pl.col("later") / price - 1).alias(f"return_{h}"))
        for h in job.HORIZONS
    ]
    returns = pl.concat(pl.collect_all(found), how="horizontal")
    back = np.full(frame.height, frame.height, np.uint32)
    back[rows["row"].to_numpy()] = np.arange(rows.height, dtype=np.uint32)
    return returns.select(pl.all().gather(pl.Series(back), null_on_oob=True))


def quotes(trades: pl.DataFrame, quotes: pl.DataFrame) -> pl.DataFrame:
    """Mids of quotes for trades, now and later: a join each; late prints need a sort, and one back."""
    left = trades.lazy().with_row_index("row").with_columns(ms=ms()).sort("ms", maintain_order=True)
    seen = quotes.lazy().select("ukey", "mid", at=ms()).sort("at", maintain_order=True)
    for h in job.LOOK_UPS:
        left = (
            left.with_columns(until=pl.col("ms") + h * 1000)
            .join_asof(
                seen.rename({"mid": f"mid_{h}"}), left_on="until", right_on="at", by="ukey", check_sortedness=False
            )
            .drop("until", "at", strict=False)
        )
    return left.sort("row").select(f"mid_{h}" for h in job.LOOK_UPS).collect()


def days(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns of two days in one frame, and of each alone."""
    alone = pl.concat([by_symbol(day) for day in frame.partition_by("date", maintain_order=True)])
    return pl.DataFrame({"together": by_symbol(frame)["return_60"], "alone": alone["return_60"]})
