"""`merge_forward`: columns of another frame at other times, looked up and never shifted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import Watched, raises

TUE, WED = dt.date(2024, 1, 2), dt.date(2024, 1, 3)
TRADES = pl.DataFrame(
    {"symbol": ["a", "b", "a", None, "c"], "elapsed_seconds": [10, 10, 70, 10, 10], "own": [1, 2, 3, 4, 5]}
)
QUOTES = pl.DataFrame({
    "symbol": ["a", "a", "a", "b", "b"], "elapsed_seconds": [0, 60, 120, 0, 100], "mid": [10.0, 11.0, 12.0, 20.0, 21.0],
    "side": ["x", None, "z", "u", "v"], "level": [[1], [2], [3], [4], [5]],
})  # fmt: skip


def merged(columns: list[str], horizons: list[float], **options: Any) -> pl.DataFrame:
    return vf.merge_forward(TRADES, QUOTES, columns, horizons, **options).collect()


def test_columns_and_horizons_keep_types_and_rows(engine: Any) -> None:
    lf = vf.merge_forward(TRADES, QUOTES, ["mid", "side", "level"], [60, 0, -60])
    out = lf.collect(engine=engine)
    assert out.select(TRADES.columns).equals(TRADES)
    assert out.columns[3:] == [f"{c}_{h}" for h in (60, 0, -60) for c in ("mid", "side", "level")]
    assert out.schema == lf.collect_schema()
    assert out["mid_60"].to_list() == [11.0, 20.0, None, None, None]
    assert out["mid_0"].to_list() == [10.0, 20.0, 11.0, None, None]
    assert out["mid_-60"].to_list() == [None, None, 10.0, None, None]
    assert out["side_0"].to_list() == ["x", "u", None, None, None]
    assert out["level_0"].to_list() == [[1], [4], [2], None, None]


def test_methods() -> None:
    assert merged(["mid"], [0], method="forward")["mid_0"].to_list() == [11.0, 21.0, 12.0, None, None]
    assert merged(["mid"], [0], method="nearest")["mid_0"].to_list() == [10.0, 20.0, 11.0, None, None]
    assert merged(["mid"], [20], method="nearest")["mid_20"].to_list() == [10.0, 20.0, 11.0, None, None]


def test_past_the_last_quote_is_null_ahead_and_the_last_quote_back() -> None:
    late = pl.DataFrame({"symbol": ["a"], "elapsed_seconds": [130]})
    out = vf.merge_forward(late, QUOTES, ["mid"], [1, 0, -5]).collect().row(0)[2:]
    assert out == (None, 12.0, 12.0)
    kept = vf.merge_forward(late, QUOTES, ["mid"], [1], past_last="keep").collect()
    assert kept["mid_1"].to_list() == [12.0]
    ahead = vf.merge_forward(late, QUOTES, ["mid"], [1], past_last="keep", method="forward").collect()
    assert ahead["mid_1"].to_list() == [None]


def test_end_tolerance_and_strict() -> None:
    assert merged(["mid"], [50], end=100)["mid_50"].to_list() == [11.0, 20.0, None, None, None]
    assert merged(["mid"], [0], tolerance=9)["mid_0"].to_list() == [None, None, None, None, None]
    assert merged(["mid"], [0], tolerance=10)["mid_0"].to_list() == [10.0, 20.0, 11.0, None, None]
    at = pl.DataFrame({"symbol": ["a"], "elapsed_seconds": [60]})
    assert vf.merge_forward(at, QUOTES, ["mid"], [0], strict=True).collect()["mid_0"].to_list() == [10.0]
    assert vf.merge_forward(at, QUOTES, ["mid"], [0], strict=True, method="forward").collect()["mid_0"].to_list() == [
        12.0
    ]


def test_the_last_row_wins_among_equal_times_whatever_the_order() -> None:
    quotes = pl.DataFrame({"symbol": ["a"] * 4, "elapsed_seconds": [9, 5, 9, 5], "mid": [1.0, 2.0, None, 4.0]})
    trades = pl.DataFrame({"symbol": ["a", "a"], "elapsed_seconds": [9, 6]})
    assert vf.merge_forward(trades, quotes, ["mid"], [0]).collect()["mid_0"].to_list() == [None, 4.0]


def test_days_never_mix_two_days_with_prices_100_and_200() -> None:
    trades = pl.DataFrame({"symbol": ["a", "a"], "date": [TUE, WED], "elapsed_seconds": [50, 0]})
    quotes = pl.DataFrame({
        "symbol": ["a"] * 4, "date": [TUE, TUE, WED, WED], "elapsed_seconds": [0, 100, 40, 80],
        "mid": [100.0, 100.0, 200.0, 200.0],
    })  # fmt: skip
    out = vf.merge_forward(trades, quotes, ["mid"], [0, 40]).collect()
    assert out["mid_0"].to_list() == [100.0, None]
    assert out["mid_40"].to_list() == [100.0, 200.0]
    with raises(vf.SchemaError, "date", column="date"):
        vf.merge_forward(trades, quotes.drop("date"), ["mid"], [0])


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_of_different_units_meet(unit: Any) -> None:
    at = [dt.datetime(2024, 1, 2, 9, 30, second) for second in (0, 1, 2)]
    quotes = pl.DataFrame({"symbol": [1, 1, 1], "t": at, "mid": [1.0, 2.0, 3.0]})
    trades = quotes.select("symbol", pl.col("t").cast(pl.Datetime(unit)))
    out = vf.merge_forward(trades, quotes, ["mid"], [1], time_col="t").collect()
    assert out["mid_1"].to_list() == [2.0, 3.0, None]
    with raises(vf.SchemaError, "another kind of time"):
        vf.merge_forward(trades.with_columns(t=1), quotes, ["mid"], [1], time_col="t").collect()


def test_times_at_the_limits_find_nothing() -> None:
    most = pl.Series([2**63 - 1], dtype=pl.Int64).cast(pl.Duration("ns"))
    trades = pl.DataFrame({"symbol": ["a"], "t": most})
    out = vf.merge_forward(trades, trades.with_columns(mid=1.0), ["mid"], [1, 0, -1], time_col="t").collect()
    assert out.row(0)[2:] == (None, 1.0, None)


def test_options_that_are_not_accepted() -> None:
    for columns, horizons, options, text in [
        ([], [0], {}, "columns is empty"),
        (["mid", "mid"], [0], {}, "twice"),
        (["mid"], [], {}, "horizons is empty"),
        (["mid"], 60, {}, "for example [60]"),
        (["mid"], [0, -0.0], {}, "given twice"),
        (["mid"], [60, 60.0], {}, "given twice"),
        (["mid"], [float("nan")], {}, "number of seconds"),
        (["mid"], [True], {}, "number of seconds"),
        (["mid"], [1e-12], {}, "less than a nanosecond"),
        (["mid"], [0], {"method": "backwards"}, "method is 'backwards'"),
        (["mid"], [0], {"tolerance": -1}, "tolerance is -1"),
        (["mid"], [0], {"past_last": "raise"}, "past_last is 'raise'"),
        (["mid"], [0], {"end": "15:00"}, "end is '15:00'"),
    ]:
        with raises(vf.ConfigError, text):
            vf.merge_forward(TRADES, QUOTES, columns, horizons, **options)  # type: ignore[arg-type]
    with raises(vf.ConfigError, "for example ['mid']"):
        vf.merge_forward(TRADES, QUOTES, "mid", [0])


def test_schema_errors() -> None:
    with raises(vf.SchemaError, "no column 'bid'", column="bid"):
        vf.merge_forward(TRADES, QUOTES, ["bid"], [0])
    with raises(vf.SchemaError, "overwrite", column="mid_0"):
        vf.merge_forward(TRADES.with_columns(mid_0=1), QUOTES, ["mid"], [0])
    with raises(vf.SchemaError, "symbol_col of quotes", column="symbol"):
        vf.merge_forward(TRADES, QUOTES.drop("symbol"), ["mid"], [0])
    with raises(vf.SchemaError, "Boolean", column="elapsed_seconds"):
        vf.merge_forward(TRADES.with_columns(elapsed_seconds=True), QUOTES, ["mid"], [0])


def test_only_the_needed_columns_are_read_and_once(engine: Any) -> None:
    trades, quotes = Watched(TRADES), Watched(QUOTES.drop("level"))
    out = vf.merge_forward(trades.lazy, quotes.lazy, ["mid", "side"], [0, 60]).select("own", "mid_60")
    assert out.collect(engine=engine).rows() == [(1, 11.0), (2, 20.0), (3, None), (4, None), (5, None)]
    assert (len(trades.reads), trades.columns) == (1, {"symbol", "elapsed_seconds", "own"})
    assert (len(quotes.reads), quotes.columns) == (1, {"symbol", "elapsed_seconds", "mid"})
    quotes.reads.clear()
    vf.merge_forward(trades.lazy, quotes.lazy, ["mid"], [0]).select("own").collect(engine=engine)
    assert quotes.reads == []


def test_no_rows(engine: Any) -> None:
    out = vf.merge_forward(TRADES.clear(), QUOTES, ["mid"], [0]).collect(engine=engine)
    assert (out.height, out.schema["mid_0"]) == (0, pl.Float64)
    out = vf.merge_forward(TRADES, QUOTES.clear(), ["mid", "level"], [0]).collect(engine=engine)
    assert out["mid_0"].null_count() == TRADES.height
    assert out.schema["level_0"] == pl.List(pl.Int64)


LAST = 2**63 - 1  # the last nanosecond that int64 holds, in the year 2262


def late(times: list[int]) -> pl.DataFrame:
    stamps = pl.Series("elapsed_seconds", times, dtype=pl.Int64).cast(pl.Duration("ns"))
    return pl.DataFrame({"symbol": ["a"] * len(times), "number": range(len(times))}).with_columns(stamps)


@pytest.mark.parametrize(
    ("method", "ahead", "back"),
    [("backward", [1, 1], [None, None]), ("forward", [None, None], [0, 0]), ("nearest", [1, 1], [0, 0])],
)
def test_a_kept_quote_was_null_where_the_time_asked_for_is_beyond_int64(
    method: Any, ahead: list[Any], back: list[Any]
) -> None:
    for strict in (False, True):
        options: dict[str, Any] = {"past_last": "keep", "method": method, "strict": strict}
        rows, quotes = late([LAST - 5, LAST]), late([LAST - 9, LAST])
        assert vf.merge_forward(rows, quotes, ["number"], [60], **options).collect()["number_60"].to_list() == ahead
        assert vf.merge_forward(rows, quotes, ["number"], [60], method=method).collect()["number_60"].to_list() == [
            None,
            None,
        ]
        early, first = late([-LAST + 5, -LAST]), late([-LAST, -LAST + 9])
        found = vf.merge_forward(early, first, ["number"], [-60], **options).collect()
        assert found["number_-60"].to_list() == back


def test_a_tolerance_counts_beyond_int64() -> None:
    rows, quotes = late([LAST - 2_000_000_000]), late([LAST - 1_000_000_000, LAST])
    for quote, tolerance, found in (
        (quotes, 1, 1),
        (quotes, 0.999, None),
        (quotes.head(1), 2, 0),
        (quotes.head(1), 1.999, None),
    ):
        out = vf.merge_forward(rows, quote, ["number"], [3], tolerance=tolerance, past_last="keep").collect()
        assert out["number_3"].to_list() == [found], tolerance
    out = vf.merge_forward(rows, quotes, ["number"], [3], end=10, past_last="keep").collect()
    assert out["number_3"].to_list() == [None]
