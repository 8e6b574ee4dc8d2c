"""Sentinels in every input of every operation: a row that has one gives null, or an error that names it; no other row
changes, and nothing absurd comes out.

The law: an operation over a frame with a sentinel gives what it gives with null in its place, or the sentinel is
refused with the column's name; where the sentinel is a valid value (9.99e299 is a price), all that comes out is finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf

FLOATS = [
    math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 1.7976931348623157e308, -1.7976931348623157e308, 1e300, -1e300,
    9.99e299, 5e-324, -5e-324, 9.223372036854775807e18, -9.223372036854775808e18, 2147483647.0,
]  # fmt: skip
INTEGERS = [0, -1, 2**63 - 1, -(2**63), 2**31 - 1, -(2**31)]
ABSURD = 1e299  # no result of the frame below is as large, but where a number of that size was put in
AT = 2  # the row that gets the sentinel

Op = Callable[[pl.DataFrame], pl.DataFrame]


def base() -> pl.DataFrame:
    n = 8
    return pl.DataFrame(
        {
            "symbol": ["a", "a", "b", "b", "a", "b", "a", "b"],
            "elapsed_seconds": [float(i * 30) for i in range(n)],
            "side": ["B", "B", "B", "S", "S", "S", "B", "B"],
            "qty": [100.0, 50.0, 80.0, 30.0, 120.0, 20.0, 10.0, 10.0],
            "price": [10.0, 10.5, 20.0, 20.5, 11.0, 21.0, 10.75, 20.25],
            "ask": [10.5, 11.0, 20.5, 21.0, 11.5, 21.5, 11.0, 20.75],
        }
    )


def with_value(column: str, value: Any, dtype: Any) -> pl.DataFrame:
    df = base()
    values = df[column].cast(dtype).to_list()
    values[AT] = value
    return df.with_columns(pl.Series(column, values, dtype=dtype))


def fifo(df: pl.DataFrame) -> pl.DataFrame:
    rule = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", extras=True)
    out = vf.Enricher([rule], by="symbol", sort_by="elapsed_seconds").run(df).collect()
    return out.select("entry_price", "exit_price", "close_markout", "realized_pnl", "holding_period", "is_closed")


def opening(df: pl.DataFrame) -> pl.DataFrame:
    held = df.head(AT + 1).select("symbol", "qty", "price")
    rule = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", extras=True, opening=held)
    out = vf.Enricher([rule], by="symbol", sort_by="elapsed_seconds").run(base()).collect()
    return out.select("entry_price", "exit_price", "close_markout", "realized_pnl")


def returns(name: str, **options: Any) -> Op:
    return lambda df: vf.forward_return(df, [30, 60, 45.5], **options).collect().select(pl.col("^return_.*$"))


def quotes(**options: Any) -> Op:
    return lambda df: vf.forward_return(base(), [30, 60], prices=df, **options).collect().select(pl.col("^return_.*$"))


def merged(**options: Any) -> Op:
    def run(df: pl.DataFrame) -> pl.DataFrame:
        return (
            vf.merge_forward(base(), df, ["price", "ask"], [0, 30], **options).collect().select(pl.col("^.*_[03]0?$"))
        )

    return run


def nights(df: pl.DataFrame) -> pl.DataFrame:
    dates = pl.Series("date", ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"] * 2).str.to_date()
    days = df.select(pl.Series("symbol", ["a"] * 4 + ["b"] * 4), dates, open="price", close="ask")
    calendar = vf.calendar.generate(["20240102", "20240103", "20240104", "20240105"])
    return vf.overnight_return(days, calendar).collect().select("overnight_return")


def weighted(df: pl.DataFrame) -> pl.DataFrame:
    mean = vf.stats.weighted("m", pl.col("price"), pl.col("qty"))
    return vf.aggregate(df, ["symbol"], mean).collect().drop("m_n")


def bars(df: pl.DataFrame, folder: Path) -> pl.DataFrame:
    day = df.with_columns(timestamp=pl.Series([93000 + i for i in range(df.height)]))
    vf.save(day, folder / "20240102.feather")
    config = vf.Config(input_dir=folder, market="CN")
    return vf.daily(config, ["20240102"], unit="HHMMSS", volume="qty").collect()


PRICED: dict[str, Op] = {
    "mid": lambda df: df.select(vf.mid("price", "ask")),
    "mid of asks": lambda df: df.select(vf.mid("ask", "price")),
    "bid alone": lambda df: df.select(vf.mid("price", "price")),
    "forward_return": returns("bridge"),
    "forward_return, forward": returns("forward", method="forward"),
    "forward_return, nearest": returns("nearest", method="nearest"),
    "forward_return, gaps": returns("gaps", gaps="null"),
    "prices=": quotes(),
    "prices=, gaps": quotes(gaps="null", method="nearest"),
    "mark_to_close": lambda df: vf.mark_to_close(df).collect().select("close_return"),
    "mark_to_close of quotes": lambda df: vf.mark_to_close(base(), prices=df).collect().select("close_return"),
    "mark_to_close by column": lambda df: vf.mark_to_close(df, close="ask").collect().select("close_return"),
    "mark_to_close by frame": lambda df: vf.mark_to_close(
        base(), close=df.slice(AT - 1, 2).select("symbol", close="price")
    ).collect().select("close_return"),
    "overnight_return": nights,
    "FIFOMatch": fifo,
    "FIFOMatch, opening=": opening,
}  # fmt: skip


def sentinels(dtype: Any) -> list[Any]:
    if dtype.is_integer():
        fits = [x for x in INTEGERS if pl.Series([x], dtype=pl.Int64).cast(dtype, strict=False)[0] == x]
        return [*fits, 2**31 - 1] if dtype == pl.Int32 else fits
    values = FLOATS if dtype == pl.Float64 else [*FLOATS[:6], 3.4028234663852886e38, -3.4028234663852886e38, 1e-45]
    return list(values)


def is_price(value: Any, dtype: Any) -> bool:
    largest = {pl.Float32: 3.4028234663852886e38, pl.Int32: 2**31 - 1, pl.Int64: 2**63 - 1}
    return math.isfinite(value) and 0 < value < 1e300 and value < largest.get(type(dtype), math.inf)


def check_sane(out: pl.DataFrame, value: Any, most: float = ABSURD) -> None:
    """Nothing that is not finite, nor as large as a sentinel that is none."""
    for name in out.columns:
        if out.schema[name].is_float():
            bad = out.filter(~pl.col(name).is_finite() | (pl.col(name).abs() > most))
            assert bad.is_empty(), (value, name, bad)


@pytest.mark.parametrize("dtype", [pl.Float64(), pl.Float32(), pl.Int64(), pl.Int32()], ids=str)
@pytest.mark.parametrize("op", PRICED)
def test_what_is_no_price_is_as_null(op: str, dtype: Any) -> None:
    nulled = PRICED[op](with_value("price", None, dtype))
    for value in sentinels(dtype):
        out = PRICED[op](with_value("price", value, dtype))
        if not is_price(value, dtype):
            assert out.equals(nulled, null_equal=True), (value, out, nulled)
            check_sane(out, value)
        else:  # a price, if of an odd size: what comes of it is finite
            check_sane(out, value, math.inf)


@pytest.mark.parametrize("dtype", [pl.Float64(), pl.Float32()], ids=str)
@pytest.mark.parametrize("gaps", ["null", "bridge"])
def test_merge_forward_gives_null_for_floats_that_are_none(dtype: Any, gaps: Any) -> None:
    op = merged(gaps=gaps)
    nulled = op(with_value("price", None, dtype))
    most = 3.4028234663852886e38 if dtype == pl.Float32 else 1e300
    for value in sentinels(dtype):
        out = op(with_value("price", value, dtype))
        if not (math.isfinite(value) and abs(value) < most):
            assert out.equals(nulled, null_equal=True), (value, out)


@pytest.mark.parametrize("dtype", [pl.Float64(), pl.Float32(), pl.Int64(), pl.Int32()], ids=str)
def test_daily_counts_what_is_no_price(dtype: Any, tmp_path: Path) -> None:
    nulled = bars(with_value("price", None, dtype), tmp_path)
    for value in sentinels(dtype):
        if not is_price(value, dtype):
            out = bars(with_value("price", value, dtype), tmp_path)
            assert out.equals(nulled, null_equal=True), (value, out)
            assert out["n_invalid"].to_list() == [0, 1]


@pytest.mark.parametrize("column", ["price", "qty"])
def test_statistics_leave_out_what_is_not_finite(column: str) -> None:
    nulled = weighted(with_value(column, None, pl.Float64))
    for value in (math.nan, math.inf, -math.inf):
        out = weighted(with_value(column, value, pl.Float64))
        assert out.equals(nulled, null_equal=True), (value, out)


# ---- times, quantities, keys, sides, values ----

TIMED: dict[str, Op] = {
    "forward_return": returns("bridge"),
    "prices=": quotes(),
    "mark_to_close": PRICED["mark_to_close"],
    "merge_forward": merged(),
}


@pytest.mark.parametrize("op", TIMED)
def test_times_that_are_none_are_null_or_refused(op: str) -> None:
    nulled = TIMED[op](with_value("elapsed_seconds", None, pl.Float64))
    for value in (math.nan, math.inf, -math.inf, 1.7976931348623157e308, -1.7976931348623157e308, 1e300, 1e18):
        try:
            out = TIMED[op](with_value("elapsed_seconds", value, pl.Float64))
        except vf.DataError as error:
            assert (error.column, error.row) == ("elapsed_seconds", AT), (value, str(error))  # noqa: PT017
        else:
            assert out.equals(nulled, null_equal=True), (value, out)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, -1.0, -5e-324])
def test_fifo_refuses_quantities_that_are_none(value: float | None) -> None:
    with pytest.raises(vf.DataError, match="qty") as caught:
        fifo(with_value("qty", value, pl.Float64))
    assert caught.value.row == AT
    assert "row 2" in str(caught.value)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 1.7976931348623157e308])
def test_fifo_refuses_times_that_are_none(value: float | None) -> None:
    with pytest.raises(vf.DataError, match="elapsed_seconds") as caught:
        fifo(with_value("elapsed_seconds", value, pl.Float64))
    assert caught.value.row == AT


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0])
def test_daily_refuses_volumes_that_are_none(value: float, tmp_path: Path) -> None:
    with pytest.raises(vf.DataError, match="qty"):
        bars(with_value("qty", value, pl.Float64), tmp_path)


def test_bins_of_what_is_not_finite_are_null_and_too_large_is_refused() -> None:
    def bins(df: pl.DataFrame) -> pl.DataFrame:
        return vf.bin(df, {"price": 0.25}).collect().select("price_bin")

    nulled = bins(with_value("price", None, pl.Float64))
    for value in (math.nan, math.inf, -math.inf):
        assert bins(with_value("price", value, pl.Float64)).equals(nulled)
    for value in (1.7976931348623157e308, 1e300, 9.3e18):
        with pytest.raises(vf.DataError, match=f'"price".*row {AT}'):
            bins_of(value)


def bins_of(value: float) -> Any:
    try:
        return vf.bin(with_value("price", value, pl.Float64), {"price": 0.25}).collect()
    except pl.exceptions.ComputeError as error:  # what a bare collect raises, with the same text
        raise vf.DataError(str(error).splitlines()[0]) from None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.7976931348623157e308, 125.5])
def test_near_integer_refuses_what_is_none(value: float) -> None:
    with pytest.raises((vf.DataError, pl.exceptions.ComputeError), match=f'"qty".*row {AT}'):
        with_value("qty", value, pl.Float64).select(vf.near_integer("qty"))


def test_quantile_edges_and_bins_leave_out_what_is_not_finite() -> None:
    clean = vf.qbin_edges(base().with_row_index().filter(pl.col("index") != AT), "price", 3)
    for value in (None, math.nan, math.inf, -math.inf):
        df = with_value("price", value, pl.Float64)
        edges = vf.qbin_edges(df, "price", 3)
        assert edges.cuts == clean.cuts, value
        assert vf.qbin(df, {"price": edges}).collect()["price_qbin"].to_list()[AT] is None


@pytest.mark.parametrize("value", [None, "", "X"])
def test_signs_refuse_sides_that_are_none(value: str | None) -> None:
    df = with_value("side", value, pl.String)
    with pytest.raises((vf.DataError, pl.exceptions.ComputeError), match=f'"side".*row {AT}'):
        vf.sign_by_side(df, "side", buy="B", sell="S").collect()


@pytest.mark.parametrize("op", ["forward_return", "mark_to_close", "prices="])
def test_a_key_that_is_empty_text_is_a_symbol_of_its_own_and_null_is_none(op: str) -> None:
    others = PRICED[op](with_value("symbol", "z", pl.String))
    empty = PRICED[op](with_value("symbol", "", pl.String))
    assert empty.equals(others, null_equal=True)
    check_sane(PRICED[op](with_value("symbol", None, pl.String)), None)


def test_parse_time_makes_null_of_what_is_no_time() -> None:
    for value in (None, -1, 2**63 - 1, -(2**63), 2**31 - 1, 999999):
        df = pl.DataFrame({"t": pl.Series([93000, 93001, value], dtype=pl.Int64)})
        out = vf.parse_time(df, "CN", "t", unit="HHMMSS").collect()["elapsed_seconds"].to_list()
        assert out == [0, 1, None], value
