"""The job in VizFlow, as its documentation shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

import job
import vizflow as vf

if TYPE_CHECKING:
    from pathlib import Path


def parse(df: pl.LazyFrame) -> pl.LazyFrame:
    return vf.parse_time(df, vf.CN, "ticktime", unit="HHMMSSmmm", grace=job.GRACE_MS / 1000)


def match(df: pl.LazyFrame) -> pl.LazyFrame:
    rule = vf.FIFOMatch(
        side_col="orderSide",
        qty_col="quantity",
        time_col="elapsed_seconds",
        price_col="fillPrice",
        entry_side="Buy",
        exit_side="Sell",
    )
    return vf.Enricher(rules=[rule], by="ukey", sort_by="elapsed_seconds").run(df)


def look_ahead(df: pl.LazyFrame) -> pl.LazyFrame:
    return vf.forward_return(df, horizons=list(job.HORIZONS), price_col="mid", symbol_col="ukey")


def group(df: pl.LazyFrame) -> pl.LazyFrame:
    df = vf.bin(df, {"alpha1": job.WIDTH, "return_60": job.WIDTH})
    qty, notional = pl.col("matched_qty"), pl.col("fillPrice") * pl.col("matched_qty")
    metrics = {"count": pl.len(), "total_qty": qty.sum(), "vwap": notional.sum() / qty.sum()}
    return vf.aggregate(df, group_by=["alpha1_bin", "return_60_bin", "orderSide"], metrics=metrics)


def clock(frame: pl.DataFrame) -> pl.DataFrame:
    return parse(frame.lazy()).select("elapsed_seconds").collect(engine="streaming")


def fifo(frame: pl.DataFrame) -> pl.DataFrame:
    return match(frame.lazy()).collect(engine="streaming")


def forward(frame: pl.DataFrame) -> pl.DataFrame:
    returns = [f"return_{h}" for h in job.HORIZONS]
    return look_ahead(frame.lazy()).select(returns).collect(engine="streaming")


def quotes(trades: pl.DataFrame, quotes: pl.DataFrame) -> pl.DataFrame:
    found = vf.merge_forward(trades, quotes, ["mid"], job.LOOK_UPS, symbol_col="ukey", past_last="keep")
    return found.select(f"mid_{h}" for h in job.LOOK_UPS).collect(engine="streaming")


def aggregate(frame: pl.DataFrame) -> pl.DataFrame:
    return group(frame.lazy()).collect(engine="streaming")


def day(source: Path, target: Path) -> None:
    df = vf.scan(source).with_columns(vf.near_integer("quantity"), mid=vf.mid("BidPrice1", "AskPrice1"))
    df = parse(df).filter(pl.col("elapsed_seconds").is_not_null())
    vf.save(group(look_ahead(match(df))), target)


def days(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns of two days in one frame, and of each alone."""

    def work(df: pl.DataFrame) -> pl.Series:
        return vf.forward_return(df, [60], "mid", symbol_col="ukey").collect()["return_60"]

    alone = pl.concat([work(day) for day in frame.partition_by("date", maintain_order=True)])
    return pl.DataFrame({"together": work(frame), "alone": alone})
