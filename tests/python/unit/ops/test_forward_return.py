"""`forward_return` by hand. All comparisons EXACT."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, SchemaError

NAN, INF = math.nan, math.inf


def ticks(*rows: tuple[Any, ...], **types: Any) -> pl.DataFrame:
    """Make a frame of (symbol, time, price) rows."""
    schema = {"symbol": pl.String, "elapsed_seconds": pl.Int64, "price": pl.Float64} | types
    return pl.DataFrame(list(rows), schema=schema, orient="row", strict=False)


def returns(frame: pl.DataFrame, horizon: float = 60, *, engine: Any = "auto", **options: Any) -> list[float | None]:
    out = vf.forward_return(chunked(frame), [horizon], **options).collect(engine=engine)
    assert_frame_equal(out.drop(out.columns[-1]), frame)
    assert out.columns[-1] == f"return_{horizon}"
    assert out.dtypes[-1] == pl.Float64
    return out.to_series(-1).to_list()


LADDER = ticks(("a", 0, 100.0), ("a", 60, 101.0), ("a", 90, 102.0), ("a", 150, 99.0))


def test_backward_by_hand(engine: Any) -> None:
    assert returns(LADDER, engine=engine) == [101.0 / 100 - 1, 102.0 / 101 - 1, 99.0 / 102 - 1, None]


def test_forward_and_nearest_by_hand() -> None:
    assert returns(LADDER, 30, method="backward") == [0.0, 102.0 / 101 - 1, 0.0, None]
    assert returns(LADDER, 30, method="forward") == [101.0 / 100 - 1, 102.0 / 101 - 1, 99.0 / 102 - 1, None]
    assert returns(LADDER, 40, method="nearest") == [101.0 / 100 - 1, 102.0 / 101 - 1, 99.0 / 102 - 1, None]


def test_nearest_takes_the_earlier_of_a_tie() -> None:
    frame = ticks(("a", 0, 1.0), ("a", 10, 2.0), ("a", 20, 4.0))
    assert returns(frame, 15, method="nearest")[0] == 1.0
    assert returns(frame, 15.000000001, method="nearest")[0] == 3.0


def test_several_horizons_in_their_order_and_names() -> None:
    out = vf.forward_return(LADDER, [90, 0.5, 60, 2.0]).collect()
    assert out.columns[3:] == ["return_90", "return_0.5", "return_60", "return_2"]
    assert out["return_90"].to_list() == [102.0 / 100 - 1, 99.0 / 101 - 1, None, None]
    assert out["return_0.5"].to_list() == [0.0, 0.0, 0.0, None]


def test_null_past_the_symbols_own_last_observation() -> None:
    frame = ticks(("a", 0, 1.0), ("b", 0, 1.0), ("a", 100, 2.0), ("b", 59, 3.0))
    assert returns(frame) == [0.0, None, None, None]


def test_exactly_the_last_observation_counts() -> None:
    assert returns(ticks(("a", 0, 1.0), ("a", 60, 2.0))) == [1.0, None]
    assert returns(ticks(("a", 0, 1.0), ("a", 59, 2.0))) == [None, None]


def test_end_as_seconds_and_as_market() -> None:
    frame = ticks(("a", 14_300, 1.0), ("a", 14_350, 1.5), ("a", 14_400, 2.0), ("a", 14_500, 3.0))
    assert returns(frame, 60) == [0.5, 2.0 / 1.5 - 1, 0.0, None]
    assert returns(frame, 60, end=vf.CN) == [0.5, None, None, None]
    assert returns(frame, 60, end=14_359.5) == [None] * 4
    assert returns(frame, 60, end=14_360) == [0.5, None, None, None]


def test_tolerance_is_closed_and_works_for_each_method() -> None:
    frame = ticks(("a", 0, 1.0), ("a", 10, 2.0), ("a", 30, 4.0))
    assert returns(frame, 20, tolerance=10) == [1.0, 1.0, None]
    assert returns(frame, 20, tolerance=9.999999999) == [None, 1.0, None]
    assert returns(frame, 15, method="forward", tolerance=14) == [None, 1.0, None]
    assert returns(frame, 20, method="nearest", tolerance=0) == [None, 1.0, None]


def test_quotes_to_look_up_in() -> None:
    quotes = ticks(("a", 55, 11.0), ("a", 65, 12.0), ("b", 60, 99.0), ("a", 200, 13.0))
    trades = ticks(("a", 0, 10.0), ("a", 5, 8.0), ("c", 0, 1.0), ("a", 190, 1.0))
    assert returns(trades, prices=quotes) == [11.0 / 10 - 1, 12.0 / 8 - 1, None, None]
    assert returns(trades, prices=quotes.lazy(), method="forward") == [12.0 / 10 - 1, 12.0 / 8 - 1, None, None]
    assert returns(trades, prices=quotes.clear()) == [None] * 4


def test_quotes_of_another_type_and_with_other_columns() -> None:
    quotes = ticks(("a", 60, 11.0)).select(
        pl.lit(1).alias("bid"), pl.col("price").cast(pl.Float32), "elapsed_seconds", "symbol"
    )
    assert returns(ticks(("a", 0, 10.0)), prices=quotes) == [11.0 / 10 - 1]


def test_last_row_wins_among_equal_times() -> None:
    frame = ticks(("a", 0, 1.0), ("a", 60, 5.0), ("a", 60, 2.0))
    assert returns(frame) == [1.0, None, None]
    assert returns(frame, method="forward") == [1.0, None, None]
    assert returns(frame[[0, 2, 1]]) == [4.0, None, None]
    bad_last = pl.concat([frame, ticks(("a", 60, 0.0), ("a", 60, None), ("a", 60, NAN))])
    assert returns(bad_last)[0] == 1.0


@pytest.mark.parametrize("bad", [None, 0.0, -0.0, -5.0, NAN, INF, -INF])
def test_invalid_prices_are_no_observations_and_have_no_return(bad: float | None) -> None:
    frame = ticks(("a", 0, 10.0), ("a", 30, 11.0), ("a", 60, bad), ("a", 120, 12.0))
    assert returns(frame) == [11.0 / 10 - 1, 0.0, None, None]


def test_null_times_and_null_symbols() -> None:
    frame = ticks(("a", 0, 10.0), ("a", None, 99.0), (None, 60, 50.0), (None, 120, 70.0), ("a", 60, 11.0))
    assert returns(frame) == [11.0 / 10 - 1, None, None, None, None]


def test_rows_in_any_order() -> None:
    order = [3, 1, 0, 2]
    expected = returns(LADDER)
    assert returns(LADDER[order]) == [expected[i] for i in order]


def test_days_never_mix() -> None:
    day = [dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
    frame = ticks(("a", 0, 1.0), ("a", 0, 10.0), ("a", 60, 2.0), ("a", 70, 30.0)).with_columns(
        date=pl.Series([*day, *day])
    )
    assert returns(frame) == [1.0, 0.0, None, None]
    assert returns(frame, prices=frame) == returns(frame)
    with raises(SchemaError, "prices", "'date'", column="date"):
        returns(frame, prices=frame.drop("date"))


def test_null_date_is_no_day() -> None:
    frame = ticks(("a", 0, 1.0), ("a", 60, 2.0)).with_columns(date=pl.lit(None, dtype=pl.Date))
    assert returns(frame) == [None, None]


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Int64, pl.UInt16, pl.Boolean, pl.Date])
def test_symbols_of_any_type(dtype: Any) -> None:
    frame = ticks(("0", 0, 1.0), ("1", 0, 1.0), ("1", 60, 3.0), ("0", 60, 2.0))
    key = pl.col("symbol") if dtype == pl.Categorical else pl.col("symbol").cast(pl.Int32)
    assert returns(frame.with_columns(symbol=key.cast(dtype))) == [1.0, 2.0, None, None]


@pytest.mark.parametrize(
    "time",
    [
        pl.Int32,
        pl.UInt64,
        pl.Float64,
        pl.Float32,
        pl.Datetime("ms"),
        pl.Datetime("us"),
        pl.Datetime("ns"),
        pl.Duration("ms"),
        pl.Time,
    ],
)
def test_times_of_any_type(time: Any) -> None:
    seconds = pl.col("elapsed_seconds")
    scale = {"ms": 10**3, "us": 10**6, "ns": 10**9}.get(
        getattr(time, "time_unit", None) or ("ns" if time == pl.Time else ""), 1
    )
    frame = LADDER.with_columns((seconds * scale).cast(time))
    assert returns(frame) == returns(LADDER)


def test_dates_as_times() -> None:
    frame = LADDER.with_columns(elapsed_seconds=pl.date(2024, 1, 1) + pl.duration(days=pl.Series([0, 1, 2, 4])))
    assert returns(frame, 86_400) == [101.0 / 100 - 1, 102.0 / 101 - 1, 0.0, None]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Int32, pl.Int64, pl.UInt8])
def test_prices_of_any_number_type(dtype: Any) -> None:
    assert returns(LADDER.with_columns(pl.col("price").cast(dtype))) == returns(LADDER)


def test_fractions_of_a_second_are_rounded_to_the_nanosecond() -> None:
    frame = ticks(("a", 0.1, 1.0), ("a", 0.1 + 0.2, 2.0), ("a", 0.5, 3.0), elapsed_seconds=pl.Float64)
    assert returns(frame, 0.2) == [1.0, 2.0 / 2.0 - 1 + 0.5, None]  # 0.1 + 0.2 is met by 0.30000000000000004


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows(rows: int, engine: Any) -> None:
    assert returns(LADDER.head(rows), engine=engine) == ([101.0 / 100 - 1, None] if rows == 2 else [None] * rows)
    assert returns(LADDER.head(rows), 10_000, engine=engine) == [None] * rows


def test_all_null() -> None:
    assert returns(ticks(("a", None, None), ("a", None, None))) == [None, None]
    assert returns(ticks((None, 0, 1.0), (None, 60, 1.0))) == [None, None]


def test_times_at_the_limits_of_int64() -> None:
    top = (2**63 - 1) // 10**9
    frame = ticks(("a", -top, 1.0), ("a", top - 60, 2.0), ("a", top, 3.0))
    assert returns(frame) == [0.0, 0.5, None]


def test_price_column_of_the_frame_is_its_own_price() -> None:
    """Columns named like what is looked up neither disturb nor are disturbed."""
    frame = LADDER.with_columns(right=pl.lit(7), price_right=pl.lit(8), time=pl.lit(9))
    assert returns(frame) == returns(LADDER)


def test_names_of_the_columns_are_free() -> None:
    frame = LADDER.rename({"symbol": "ukey", "elapsed_seconds": "t", "price": "mid"})
    assert returns(frame, price_col="mid", time_col="t", symbol_col="ukey") == returns(LADDER)


@pytest.mark.parametrize(
    ("horizons", "text"),
    [
        ([], "empty"), ([0], "positive"), ([-60], "positive"), ([60, NAN], "positive"), ([INF], "positive"),
        ([60, 60], "twice"), ([60, 60.0], "twice"), ([1e-10], "positive"), (["60"], "positive"), ([True], "positive"),
        ([None], "positive"), (60, "list of seconds"),
    ],
)  # fmt: skip
def test_bad_horizons(horizons: Any, text: str) -> None:
    with raises(ConfigError, text):
        vf.forward_return(LADDER, horizons)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "asof"}, "'backward', 'forward' or 'nearest'"),
        ({"tolerance": -1}, "tolerance"),
        ({"tolerance": NAN}, "tolerance"),
        ({"tolerance": "5s"}, "tolerance"),
        ({"end": NAN}, "end"),
        ({"end": "15:00"}, "end"),
        ({"end": True}, "end"),
    ],
)
def test_bad_options(options: dict[str, Any], text: str) -> None:
    with raises(ConfigError, text):
        vf.forward_return(LADDER, [60], **options)


@pytest.mark.parametrize(
    ("option", "near"), [("price_col", "price"), ("time_col", "elapsed_seconds"), ("symbol_col", "symbol")]
)
def test_missing_columns_show_near_names(option: str, near: str) -> None:
    wrong = near.upper() + "_"
    with raises(SchemaError, option, f"did you mean '{near}'?", column=wrong):
        vf.forward_return(LADDER, [60], **{option: wrong})
    with raises(SchemaError, "prices", column=near):
        vf.forward_return(LADDER, [60], prices=LADDER.drop(near))


def test_existing_return_column_is_never_overwritten() -> None:
    with raises(SchemaError, "would overwrite", column="return_60"):
        vf.forward_return(LADDER.with_columns(return_60=0.0), [30, 60])


@pytest.mark.parametrize(
    ("column", "values"),
    [("price", ["1"] * 4), ("elapsed_seconds", ["1"] * 4), ("symbol", [1.0] * 4), ("price", [True] * 4)],
)
def test_wrong_types(column: str, values: list[Any], engine: Any) -> None:
    with raises(SchemaError, column, column=column):
        vf.forward_return(LADDER.with_columns(pl.Series(column, values)), [60]).collect(engine=engine)


def test_end_of_a_market_on_a_date() -> None:
    times = [12_540, 12_600, 12_700]
    frame = pl.DataFrame({"symbol": ["a"] * 3, "elapsed_seconds": times, "price": [100.0, 110.0, 121.0]})
    usual = vf.forward_return(frame, [100], end=vf.US).collect()["return_100"].to_list()
    assert usual[1] == pytest.approx(0.1)
    half = vf.forward_return(frame, [60, 100], end=vf.US, date="20241129").collect()
    assert half["return_60"].to_list() == [pytest.approx(0.1), None, None]
    assert half["return_100"].to_list() == [None, None, None]
    full = vf.forward_return(frame, [100], end=vf.US, date="20241202").collect()["return_100"].to_list()
    assert full == usual
    with raises(ConfigError, "no trading day"):
        vf.forward_return(frame, [60], end=vf.US, date="20241128")
    for end in (None, 100):
        with raises(ConfigError, "end="):
            vf.forward_return(frame, [60], end=end, date="20241129")
