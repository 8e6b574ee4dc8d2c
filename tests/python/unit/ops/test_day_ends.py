"""`end=Market` in a frame of several dates: each row's day ends as that date does, half days too."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.errors import CalendarRangeError, ConfigError, DataError, SchemaError

HALF, FULL = dt.date(2024, 11, 29), dt.date(2024, 12, 2)  # US: 12 600 s and 23 400 s
TIMES = [12_400, 12_540, 12_600, 12_700, 23_340, 23_400, 23_500]
PRICES = [100.0, 110.0, 121.0, 130.0, 140.0, 150.0, 160.0]
OPERATIONS = ["forward_return", "forward_return of quotes", "mark_to_close", "mark_to_close of quotes", "merge_forward"]


def day(date: dt.date) -> pl.DataFrame:
    frame = pl.DataFrame({"symbol": ["a"] * len(TIMES), "elapsed_seconds": TIMES, "price": PRICES})
    return frame.with_columns(date=pl.lit(date))


BOTH = pl.concat([day(HALF), day(FULL)])


def apply(name: str, frame: Any, **options: Any) -> pl.LazyFrame:
    quotes = frame.lazy().collect()
    match name:
        case "forward_return":
            return vf.forward_return(frame, [60, 100.5], **options)
        case "forward_return of quotes":
            return vf.forward_return(frame, [60, 100.5], method="nearest", prices=quotes, **options)
        case "mark_to_close":
            return vf.mark_to_close(frame, **options)
        case "mark_to_close of quotes":
            return vf.mark_to_close(frame, prices=quotes, **options)
        case _:
            return vf.merge_forward(frame, quotes, ["price"], [-60, 0, 60.5], method="nearest", **options)


operations = pytest.mark.parametrize("name", OPERATIONS)


def test_forward_return_ends_with_a_half_day(engine: Any) -> None:
    out = vf.forward_return(BOTH, [60, 100], end=vf.US).collect(engine=engine)
    then, usual = 121 / 110 - 1, 150 / 140 - 1
    assert out["return_60"].to_list()[:7] == [0.0, then, *[None] * 5]
    assert out["return_60"].to_list()[7:] == [0.0, then, 0.0, 0.0, usual, None, None]
    assert out["return_100"].to_list()[:7] == [0.0, *[None] * 6]  # 12 500 is before the half day's end, 12 640 is not
    assert out["return_100"].to_list()[7:12] == [0.0, then, 130 / 121 - 1, 0.0, None]
    assert out.drop("return_60", "return_100").equals(BOTH)


def test_the_close_of_a_half_day_is_its_own(engine: Any) -> None:
    out = vf.mark_to_close(BOTH, end=vf.US).collect(engine=engine)["close_return"].to_list()
    assert out == [
        *(121 / price - 1 for price in PRICES[:3]),
        *[None] * 4,
        *(150 / price - 1 for price in PRICES[:6]),
        None,
    ]


def test_quotes_are_merged_up_to_each_days_end() -> None:
    out = vf.merge_forward(BOTH, BOTH, ["price"], [-100, 0, 60], end=vf.US).collect()
    assert out["price_0"].to_list() == [*PRICES[:3], *[None] * 4, *PRICES[:6], None]
    assert out["price_60"].to_list()[:4] == [100.0, 121.0, None, None]
    assert out["price_-100"].to_list()[:5] == [None, 100.0, 100.0, 121.0, None]  # 12 700 - 100 is the end itself
    assert out.schema["price_60"] == pl.Float64


@operations
@pytest.mark.parametrize("spelling", ["Date", "Datetime", "text", "ISO", "integer"])
def test_many_dates_are_as_each_alone(name: str, spelling: str, engine: Any) -> None:
    spelt = {
        "Date": pl.col("date"),
        "Datetime": pl.col("date").cast(pl.Datetime("ms")),
        "text": pl.col("date").dt.strftime("%Y%m%d"),
        "ISO": pl.col("date").dt.strftime("%Y-%m-%d"),
        "integer": pl.col("date").dt.strftime("%Y%m%d").cast(pl.Int32),
    }[spelling]
    together = apply(name, BOTH.with_columns(date=spelt).lazy(), end=vf.US).collect(engine=engine)
    alone = [apply(name, day(date).drop("date"), end=vf.US, date=date).collect() for date in (HALF, FULL)]
    assert together.drop("date").equals(pl.concat(alone))
    assert not alone[0].equals(alone[1]), "the days' ends differ"


@operations
@pytest.mark.parametrize("times", [pl.Float64, pl.Int32, pl.Duration("us")])
def test_times_of_every_kind(name: str, times: Any) -> None:
    seconds = pl.col("elapsed_seconds")
    spelt = pl.duration(seconds=seconds, time_unit="us") if times == pl.Duration("us") else seconds.cast(times)
    out = apply(name, BOTH.with_columns(elapsed_seconds=spelt), end=vf.US).collect()
    assert out.drop("elapsed_seconds").equals(apply(name, BOTH, end=vf.US).collect().drop("elapsed_seconds"))


@operations
def test_order_and_chunks_change_nothing(name: str) -> None:
    wanted = apply(name, BOTH, end=vf.US).collect()
    mixed = BOTH.with_row_index("row").sample(fraction=1.0, shuffle=True, seed=3)
    out = apply(name, mixed, end=vf.US).collect().sort("row").drop("row")
    assert out.equals(wanted)
    chunked = pl.concat([BOTH[i : i + 1] for i in range(BOTH.height)], rechunk=False)
    assert apply(name, chunked, end=vf.US).collect().equals(wanted)


@operations
def test_null_times_and_dates_give_null(name: str) -> None:
    frame = pl.DataFrame(
        {
            "symbol": ["a"] * 4,
            "elapsed_seconds": [0, None, 0, 60],
            "price": [100.0] * 4,
            "date": [HALF, HALF, None, HALF],
        }
    )
    out = apply(name, frame, end=vf.US).collect()
    added = out.drop(frame.columns)
    assert all(added[column][row] is None for column in added.columns for row in (1, 2))
    assert added[0].to_dicts()[0] != dict.fromkeys(added.columns), "the first row has its values"
    none = apply(name, frame.clear(), end=vf.US).collect()
    assert none.height == 0
    assert none.schema == out.schema


@operations
def test_days_that_are_not_traded_or_not_known_are_errors(name: str) -> None:
    closed = BOTH.with_columns(date=pl.lit(dt.date(2024, 11, 28)))
    with raises(DataError, "2024-11-28", column="date"):
        apply(name, closed, end=vf.US).collect()
    with raises(CalendarRangeError, "US"):
        apply(name, BOTH.with_columns(date=pl.lit(dt.date(2999, 1, 2))), end=vf.US).collect()
    with raises(DataError, "date"):
        apply(name, BOTH.with_columns(date=pl.lit("soon")), end=vf.US).collect()
    with raises(SchemaError, "end=US.seconds", column="date"):
        apply(name, BOTH.with_columns(date=pl.lit(True)), end=vf.US)
    usual = apply(name, day(dt.date(2024, 11, 28)), end=vf.US.seconds).collect()
    assert usual.drop("date").equals(apply(name, day(FULL), end=vf.US).collect().drop("date"))


@operations
def test_a_number_and_a_market_without_calendar_read_no_dates(name: str) -> None:
    frame = BOTH.with_columns(date=pl.col("date").cast(pl.Int32) - 20_000)
    plain = vf.Market("own", [vf.Session("09:30", "16:00")])
    assert apply(name, frame, end=plain).collect().equals(apply(name, frame, end=23_400).collect())


@operations
def test_one_date_is_said_once(name: str) -> None:
    with raises(ConfigError, "leave one out"):
        apply(name, BOTH, end=vf.US, date="20241129")
    with raises(ConfigError, "no trading day"):
        apply(name, BOTH.drop("date"), end=vf.US, date="20241128")
    for end in (None, 100):
        with raises(ConfigError, "end="):
            apply(name, BOTH.drop("date"), end=end, date="20241129")


@operations
@pytest.mark.parametrize("times", [pl.Time, pl.Datetime("us"), pl.Date])
def test_a_markets_length_needs_trading_time(name: str, times: Any) -> None:
    for frame in (BOTH, BOTH.drop("date")):
        with raises(ConfigError, "elapsed_seconds"):
            apply(name, frame.with_columns(elapsed_seconds=pl.lit(None, dtype=times)), end=vf.US)


def test_a_close_that_is_given_takes_no_date() -> None:
    with raises(ConfigError, "date="):
        vf.mark_to_close(BOTH, close="price", date="20241129")


def test_a_column_date_that_is_the_symbol_is_no_date() -> None:
    frame = day(HALF).with_columns(date=pl.col("symbol")).drop("symbol")
    out = vf.forward_return(frame, [60], symbol_col="date", end=vf.US).collect()
    assert out.equals(vf.forward_return(frame, [60], symbol_col="date", end=vf.US.seconds).collect())


def test_only_what_is_asked_for_is_computed() -> None:
    out = vf.forward_return(BOTH.lazy(), [60, 100], end=vf.US)
    assert out.select("return_100").collect().equals(out.collect().select("return_100"))
    assert out.select("price").collect().equals(BOTH.select("price"))
    merged = vf.merge_forward(BOTH, BOTH, ["price"], [0, 60], end=vf.US)
    assert merged.select("price_60").collect().equals(merged.collect().select("price_60"))


def test_returns_of_pieces_end_with_the_half_day() -> None:
    quantities = [3, 2, 2, 1, 1, 2, 1] * 2  # row 1 sells two of three, row 3 the one that is left
    trades = BOTH.with_columns(side=pl.Series(["B", "S"] * 7), qty=pl.Series(quantities))
    rule = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price")
    pieces = vf.Enricher([rule], sort_by="elapsed_seconds").run(trades.lazy())
    direct = vf.forward_return(pieces, [60], end=vf.US).collect()
    assert direct.height > trades.height, "rows are repeated"
    assert direct.equals(vf.forward_return(pieces.collect(), [60], end=vf.US).collect())
    late = direct.filter(pl.col("date") == HALF, pl.col("elapsed_seconds") > 12_540)
    assert late.height > 0
    assert late["return_60"].null_count() == late.height
