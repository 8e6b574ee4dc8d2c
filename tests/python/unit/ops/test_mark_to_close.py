"""`mark_to_close`: what the close is, named; days and symbols apart; null as in `forward_return`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

import vizflow as vf
from support import Watched, raises

TUE, WED = dt.date(2024, 1, 2), dt.date(2024, 1, 3)


def ticks(*rows: Any) -> pl.DataFrame:
    schema = {"symbol": pl.String, "elapsed_seconds": pl.Int64, "price": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def marks(*args: Any, **options: Any) -> list[float | None]:
    return vf.mark_to_close(*args, **options).collect()["close_return"].to_list()


def test_days_never_mix_two_days_with_prices_100_and_200() -> None:
    df = ticks(("a", 0, 100.0), ("a", 10, 100.0), ("a", 0, 200.0), ("a", 9, 200.0))
    dated = df.with_columns(date=pl.Series([TUE, TUE, WED, WED]))
    assert marks(dated) == [0.0] * 4
    assert marks(df) == [1.0, None, 0.0, 0.0] or marks(df) == [0.0, 0.0, -0.5, -0.5]
    closes = pl.DataFrame({"symbol": ["a", "a"], "date": [TUE, WED], "close": [100.0, 200.0]})
    assert marks(dated, close=closes) == [0.0] * 4


def test_the_close_is_the_last_valid_observation() -> None:
    df = ticks(("a", 30, None), ("a", 20, 104.0), ("a", 20, 102.0), ("a", 0, 100.0), ("a", 10, 101.0), ("a", 25, 0.0))
    assert marks(df) == [None, 102 / 104 - 1, 0.0, 102 / 100 - 1, 102 / 101 - 1, None]


def test_end_moves_the_close() -> None:
    df = ticks(("a", 0, 100.0), ("a", 14_400, 110.0), ("a", 14_500, 120.0))
    assert marks(df, end=vf.CN) == [110 / 100 - 1, 0.0, None]
    assert marks(df, end=14_399.5) == [0.0, None, None]


def test_a_second_frame_of_quotes() -> None:
    quotes = ticks(("a", 5, 50.0), ("a", 20, 55.0))
    df = ticks(("a", 0, 50.0), ("a", 20, 50.0), ("a", 21, 50.0), ("b", 0, 50.0))
    assert marks(df, prices=quotes) == [55 / 50 - 1, 55 / 50 - 1, None, None]


def test_closes_given_by_column_and_by_frame() -> None:
    df = ticks(("a", None, 50.0), ("b", 0, 40.0), ("c", 0, None)).with_columns(official=pl.Series([55.0, None, 1.0]))
    assert marks(df, close="official") == [55 / 50 - 1, None, None]
    closes = pl.DataFrame({"symbol": ["b", "a"], "settle": [44, 55]})
    assert marks(df, close=closes, close_col="settle") == [55 / 50 - 1, 44 / 40 - 1, None]


def test_a_close_frame_of_several_rows_is_an_error() -> None:
    closes = pl.DataFrame({"symbol": ["a", "b", "a"], "date": [TUE, TUE, WED], "close": [1.0, 1.0, 2.0]})
    with raises(vf.DataError, "'a'", "row 2", column="symbol", row=2):
        marks(ticks(("a", 0, 1.0)), close=closes.drop("date"))
    with raises(vf.SchemaError, "date", "the frame has none", column="date"):
        vf.mark_to_close(ticks(("a", 0, 1.0)), close=closes)
    dated = ticks(("a", 0, 1.0)).with_columns(date=WED)
    assert marks(dated, close=closes) == [1.0]
    with raises(vf.SchemaError, "date", column="date"):
        vf.mark_to_close(dated, close=closes.drop("date"))


def test_options_that_exclude_each_other_and_schema_errors() -> None:
    df = ticks(("a", 0, 1.0))
    with raises(vf.ConfigError, "close=", "prices="):
        vf.mark_to_close(df, close="price", prices=df)
    with raises(vf.ConfigError, "end="):
        vf.mark_to_close(df, close="price", end=3)
    with raises(vf.SchemaError, "no column 'mid'", column="mid"):
        vf.mark_to_close(df, "mid")
    with raises(vf.SchemaError, "overwrite", column="close_return"):
        vf.mark_to_close(df.with_columns(close_return=1))
    with raises(vf.SchemaError, "String", column="price"):
        vf.mark_to_close(df.with_columns(pl.col("price").cast(pl.String)))
    with raises(vf.SchemaError, "Boolean", column="elapsed_seconds"):
        vf.mark_to_close(df.with_columns(elapsed_seconds=True))


def test_an_input_that_changes_between_readings_is_an_error(engine: Any) -> None:
    def change(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
        return frame if reading == 1 else frame.with_columns(pl.col("price") * 2)

    watched = Watched(ticks(("a", 0, 1.0), ("a", 1, 2.0)), change=change)
    with raises(vf.ReplayError, "differs"):
        vf.mark_to_close(watched.lazy).collect(engine=engine)
    for more in (0, 3):
        grown = Watched(
            ticks(("a", 0, 1.0)), change=lambda n, f, more=more: f if n == 1 else pl.concat([f.clear(), *[f] * more])
        )
        with raises(vf.ReplayError):
            vf.mark_to_close(grown.lazy).collect(engine=engine)


def test_only_the_needed_columns_are_read(engine: Any) -> None:
    watched = Watched(ticks(("a", 0, 1.0), ("a", 1, 2.0)).with_columns(more=1, other=2))
    out = vf.mark_to_close(watched.lazy).select("close_return", "other").collect(engine=engine)
    assert out.rows() == [(1.0, 2), (0.0, 2)]
    assert watched.columns == {"symbol", "elapsed_seconds", "price", "other"}


def test_no_rows(engine: Any) -> None:
    out = vf.mark_to_close(ticks()).collect(engine=engine)
    assert (out.height, out.schema["close_return"]) == (0, pl.Float64)
    assert marks(ticks(("a", 0, 1.0)), prices=ticks()) == [None]
