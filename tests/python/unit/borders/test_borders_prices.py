"""Prices at the borders: what is no price is null everywhere, gaps are bridged or not, statistics stay finite."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf

NONE = 1.7976931348623157e308  # what vendors write where there is no price
FLOAT32_NONE = 3.4028234663852886e38


def ticks(prices: list[Any], dtype: Any = pl.Float64) -> pl.DataFrame:
    times = list(range(0, 60 * len(prices), 60))
    return pl.DataFrame({"symbol": ["a"] * len(prices), "elapsed_seconds": times}).with_columns(
        pl.Series("price", prices, dtype=dtype)
    )


# ---- Q7: vendors' "no price" ----


def test_a_vendors_no_price_makes_no_mid() -> None:
    book = pl.DataFrame({"bid": [3520.0, NONE, 1e300, 9.99e299], "ask": [NONE, NONE, 1.0, 9.99e299]})
    assert book.select(vf.mid("bid", "ask")).to_series().to_list() == [None, None, None, 9.99e299]


def test_a_vendors_no_price_makes_no_return() -> None:
    assert vf.forward_return(ticks([3520.0, NONE, 3520.0]), [60]).collect()["return_60"].to_list() == [0.0, None, None]


@pytest.mark.parametrize(
    ("dtype", "none"),
    [
        (pl.Float64, NONE), (pl.Float32, FLOAT32_NONE), (pl.Int32, 2**31 - 1), (pl.Int64, 2**63 - 1),
        (pl.Int64, -(2**63)), (pl.UInt32, 2**32 - 1), (pl.UInt64, 2**64 - 1),
    ],
)  # fmt: skip
def test_no_price_of_every_type_is_as_null_everywhere(dtype: Any, none: Any) -> None:
    given, nulled = ticks([10, none, 12], dtype), ticks([10, None, 12], dtype)
    calendar = vf.calendar.generate(["20240102", "20240103", "20240104"])
    dates = pl.Series("date", ["2024-01-02", "2024-01-03", "2024-01-04"]).str.to_date()
    fifo = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", extras=True)

    def everything(df: pl.DataFrame) -> list[list[Any]]:
        traded = df.with_columns(side=pl.Series(["B", "B", "S"]), qty=pl.Series([1, 1, 2]))
        matched = vf.Enricher([fifo], by="symbol", sort_by="elapsed_seconds").run(traded).collect()
        extras = ["entry_price", "exit_price", "close_markout", "realized_pnl"]
        bars = df.with_columns(dates, open="price", close="price").drop("price")
        return [
            df.select(vf.mid("price", "price")).to_series().to_list(),
            vf.forward_return(df, [60]).collect()["return_60"].to_list(),
            vf.forward_return(df, [60], gaps="null").collect()["return_60"].to_list(),
            vf.forward_return(df, [60], prices=df).collect()["return_60"].to_list(),
            vf.mark_to_close(df).collect()["close_return"].to_list(),
            vf.mark_to_close(df.with_columns(close="price"), close="close").collect()["close_return"].to_list(),
            vf.overnight_return(bars, calendar).collect()["overnight_return"].to_list(),
            *(matched[name].to_list() for name in extras),
        ]

    assert everything(given) == everything(nulled)


def test_the_largest_number_of_a_small_type_is_a_price() -> None:
    df = ticks([100, 127], pl.Int8)
    assert vf.forward_return(df, [60]).collect()["return_60"].to_list() == [127 / 100 - 1, None]


def test_check_names_no_price(tmp_path: Path) -> None:
    day = pl.DataFrame({"bid": [3520.0, 3521.0, NONE], "ask": [NONE, 3522.0, NONE], "price": [1.0, 1e300, 2.0]})
    vf.save(day, tmp_path / "20240102.feather")
    report = vf.check(vf.Config(input_dir=tmp_path, market="CN"), ["20240102"])
    found = {row["column"]: row for row in report.frame.filter(check="no_price").iter_rows(named=True)}
    told = {name: (row["count"], row["first_row"]) for name, row in found.items()}
    assert told == {"price": (1, 1), "bid": (1, 2), "ask": (2, 0)}
    assert all("no price" in row["detail"] for row in found.values())
    others = {row["check"]: row["count"] for row in report.frame.iter_rows(named=True)}
    assert (others["one_sided"], others["empty_book"]) == (1, 1)


def test_fifo_prices_that_are_none_give_no_markout_and_no_profit() -> None:
    df = ticks([10.0, NONE, 0.0, 12.0]).with_columns(side=pl.Series(["B", "S", "B", "S"]), qty=1)
    fifo = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", extras=True)
    got = vf.Enricher([fifo], by="symbol", sort_by="elapsed_seconds").run(df).collect()
    assert got["entry_price"].to_list() == [10.0, 10.0, None, None]
    assert got["exit_price"].to_list() == [None, None, 12.0, 12.0]
    assert got["close_markout"].to_list() == got["realized_pnl"].to_list() == [None] * 4


def test_a_lot_held_at_a_price_that_is_none_has_no_profit() -> None:
    df = ticks([12.0]).with_columns(side=pl.lit("S"), qty=1)
    held = pl.DataFrame({"symbol": ["a"], "qty": [1], "price": [NONE]})
    fifo = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", extras=True, opening=held)
    got = vf.Enricher([fifo], by="symbol", sort_by="elapsed_seconds").run(df).collect()
    assert got.select("entry_price", "close_markout", "realized_pnl").row(0) == (None, None, None)


def test_a_quotient_beyond_float64_is_null() -> None:
    df = ticks([5e-324, 9.99e299, 1.0])
    assert vf.forward_return(df, [60]).collect()["return_60"].to_list() == [None, 1 / 9.99e299 - 1, None]
    assert vf.mark_to_close(df).collect()["close_return"].null_count() == 1  # 1 / 5e-324


def test_daily_counts_what_is_no_price(tmp_path: Path) -> None:
    day = pl.DataFrame({"symbol": ["a"] * 3, "timestamp": [93000, 93001, 93002], "price": [10.0, NONE, 11.0]})
    vf.save(day, tmp_path / "20240102.feather")
    config = vf.Config(input_dir=tmp_path, market="CN")
    bar = vf.daily(config, ["20240102"], unit="HHMMSS").collect().row(0, named=True)
    assert (bar["high"], bar["close"], bar["n"], bar["n_invalid"]) == (11.0, 11.0, 2, 1)


# ---- decimals ----


def test_decimal_prices_are_taken_everywhere(tmp_path: Path) -> None:
    decimals, floats = ticks([Decimal("10.01"), None, Decimal("11.00")], pl.Decimal(12, 2)), ticks([10.01, None, 11.0])
    dates = pl.Series("date", ["2024-01-02", "2024-01-03", "2024-01-04"]).str.to_date()
    calendar = vf.calendar.generate(["20240102", "20240103", "20240104"])

    def everything(df: pl.DataFrame, name: str) -> list[Any]:
        bars = df.with_columns(dates, open="price", close="price").drop("price")
        vf.save(df.with_columns(timestamp=pl.Series([93000, 93001, 93002])), tmp_path / name / "20240102.feather")
        config = vf.Config(input_dir=tmp_path / name, market="CN")
        return [
            df.select(vf.mid("price", "price")).to_series().to_list(),
            vf.forward_return(df, [60, 120], prices=df).collect()["return_120"].to_list(),
            vf.mark_to_close(df).collect()["close_return"].to_list(),
            vf.mark_to_close(df, close=bars.head(1).drop("date")).collect()["close_return"].to_list(),
            vf.overnight_return(bars, calendar).collect()["overnight_return"].to_list(),
            vf.daily(config, ["20240102"], unit="HHMMSS").collect().row(0),
            vf.bin(df, {"price": 0.25}).collect()["price_bin"].to_list(),
            vf.merge_forward(df, df, ["price"], [60]).collect()["price_60"].cast(pl.Float64).to_list(),
        ]

    (tmp_path / "d").mkdir()
    (tmp_path / "f").mkdir()
    assert everything(decimals, "d") == everything(floats, "f")


# ---- Q9: gaps ----


def test_a_missing_mid_at_the_horizon_is_bridged_or_null() -> None:
    mids = ticks([10.0, None, 11.0, 11.5])
    assert vf.forward_return(mids, [60]).collect()["return_60"].to_list() == [0.0, None, 11.5 / 11 - 1, None]
    told = vf.forward_return(mids, [60], gaps="null").collect()["return_60"].to_list()
    assert told == [None, None, 11.5 / 11 - 1, None]
    assert vf.merge_forward(mids, mids, ["price"], [60]).collect()["price_60"].to_list() == [None, 11.0, 11.5, None]
    bridged = vf.merge_forward(mids, mids, ["price"], [60], gaps="bridge").collect()["price_60"].to_list()
    assert bridged == [10.0, 11.0, 11.5, None]


@pytest.mark.parametrize("method", ["backward", "forward", "nearest"])
@pytest.mark.parametrize("h", [30, 60, 90])
def test_gaps_null_is_merge_forward_divided(method: Any, h: int) -> None:
    mids = ticks([10.0, None, 11.0, NONE, 0.0, 12.0, 12.5, None, 13.0])
    trades = mids.with_columns(price=pl.lit(10.0))
    got = vf.forward_return(trades, [h], prices=mids, gaps="null", method=method).collect()[f"return_{h}"]
    usable = mids.with_columns(pl.when(pl.col("price") > 0).then(pl.col("price")))
    there = vf.merge_forward(trades, usable, ["price"], [h], method=method).collect()[f"price_{h}"]
    assert got.to_list() == (there / trades["price"] - 1).to_list()


def test_bridging_is_for_each_column_of_merge_forward() -> None:
    quotes = ticks([10.0, None, 11.0]).with_columns(ask=pl.Series([10.5, 10.75, math.nan]))
    got = vf.merge_forward(quotes, quotes, ["price", "ask"], [0], gaps="bridge").collect()
    assert got["price_0"].to_list() == [10.0, 10.0, 11.0]
    assert got["ask_0"].to_list() == [10.5, 10.75, 10.75]


def test_gaps_of_another_kind_are_refused() -> None:
    with pytest.raises(vf.ConfigError, match="'bridge' or 'null' is accepted"):
        vf.forward_return(ticks([1.0]), [60], gaps="fill")  # type: ignore[arg-type]
    with pytest.raises(vf.ConfigError, match="'null' or 'bridge' is accepted"):
        vf.merge_forward(ticks([1.0]), ticks([1.0]), ["price"], gaps="fill")  # type: ignore[arg-type]


def test_merge_forward_gives_no_vendors_no_price() -> None:
    quotes = ticks([NONE, math.nan, math.inf, -math.inf, 1e300, -1e300, 9.99e299, 0.0, -1.0])
    got = vf.merge_forward(quotes, quotes, ["price"], [0]).collect()["price_0"].to_list()
    assert got == [None] * 6 + [9.99e299, 0.0, -1.0]
    narrow = ticks([FLOAT32_NONE, 1.5], pl.Float32)
    assert vf.merge_forward(narrow, narrow, ["price"], [0]).collect()["price_0"].to_list() == [None, 1.5]


# ---- Q8: statistics ----


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_one_value_that_is_not_finite_changes_no_statistic(bad: float) -> None:
    df = pl.DataFrame({"v": [1.0, 3.0, bad], "w": [1.0, 1.0, 1.0]})
    got = vf.aggregate(df, [], vf.stats.weighted("v", pl.col("v"), pl.col("w"))).collect().row(0, named=True)
    assert got == {"v": 2.0, "v_sum": 4.0, "v_weight": 2.0, "v_coverage": 2 / 3, "v_n": 3, "v_n_valid": 2}
    days = pl.DataFrame({"date": [1, 2, 3, 4], "ic": [0.02, 0.04, 0.03, bad]})
    assert vf.stats.over_dates(days, "ic").equals(vf.stats.over_dates(days.head(3), "ic"))
    sums = pl.DataFrame({"date": [1, 2, 3, 4], "v_sum": [1.0, 2.0, 4.0, bad], "v_weight": [1.0] * 4})
    assert vf.stats.clustered(sums, "v").equals(vf.stats.clustered(sums.head(3), "v"))
    for mean, std in ((bad, 1.0), (1.0, bad)):
        one = pl.DataFrame({"m": [mean], "s": [std], "n": [10]})
        assert one.select(vf.stats.t_statistic("m", "s", "n")).item() is None


def test_products_beyond_float64_are_left_out_of_a_mean() -> None:
    df = pl.DataFrame({"v": [1.0, 1e300], "w": [1.0, 1e300]})
    got = vf.aggregate(df, [], vf.stats.weighted("v", pl.col("v"), pl.col("w"))).collect().row(0, named=True)
    assert (got["v"], got["v_n"], got["v_n_valid"]) == (1.0, 2, 1)


def test_quantile_edges_leave_out_what_is_not_finite() -> None:
    df = pl.DataFrame({"v": [1.0, 2.0, 3.0, 4.0]})
    with_bad = pl.concat([df, pl.DataFrame({"v": [math.inf, -math.inf, math.nan]})])
    assert vf.qbin_edges(with_bad, "v", 2).cuts == vf.qbin_edges(df, "v", 2).cuts
