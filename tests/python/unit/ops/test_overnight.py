"""`overnight_return`: joined by symbol and the calendar, never by shifting; what is missing is null or refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import Watched, raises

TUE, WED, THU, FRI = (dt.date(2024, 1, day) for day in (2, 3, 4, 5))
CALENDAR = vf.calendar.generate([TUE, WED, THU])
Bar = tuple[Any, Any, float | None, float | None]


def bars(*rows: Bar) -> pl.DataFrame:
    schema = {"symbol": pl.String, "date": pl.Date, "open": pl.Float64, "close": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def overnight(*args: Any, **options: Any) -> list[float | None]:
    return vf.overnight_return(*args, **options).collect()["overnight_return"].to_list()


def test_days_never_mix_two_days_with_prices_100_and_200() -> None:
    two_days = vf.calendar.generate([TUE, WED])
    daily = bars(("a", TUE, 100.0, 100.0), ("a", WED, 200.0, 200.0), ("b", TUE, 10.0, 10.0), ("b", WED, 10.0, 10.0))
    assert overnight(daily, two_days) == [1.0, None, 0.0, None]
    ticks = pl.DataFrame({
        "symbol": ["a", "a", "b", "a", "b"],
        "date": [TUE, WED, TUE, TUE, WED],
        "price": [100.0, 200.0, 10.0, 100.0, 10.0],
    })  # fmt: skip
    assert overnight(ticks, two_days, daily=daily) == [1.0, None, 0.0, 1.0, None]


def test_a_suspended_stock_gets_null_and_never_the_next_rows_price() -> None:
    daily = bars(
        ("a", TUE, 9.0, 10.0), ("a", THU, 20.0, 20.0), ("b", TUE, 1.0, 1.0), ("b", WED, 2.0, 2.0), ("b", THU, 2.0, 2.0)
    )
    assert overnight(daily, CALENDAR) == [None, None, 1.0, 0.0, None]


@pytest.mark.parametrize("price", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_a_price_that_is_none_gives_null(price: float | None) -> None:
    daily = bars(("a", TUE, 1.0, price), ("a", WED, 1.0, 1.0), ("b", TUE, 1.0, 1.0), ("b", WED, price, 1.0))
    assert overnight(daily, vf.calendar.generate([TUE, WED])) == [None] * 4


def test_a_missing_next_date_is_null_at_the_calendars_own_edge_only() -> None:
    daily = bars(("a", TUE, 1.0, 1.0), ("a", WED, 2.0, 2.0))
    assert overnight(daily, vf.calendar.generate([TUE, WED])) == [1.0, None]
    with raises(vf.DataError, "2024-01-04", "after 2024-01-03", "vf.daily", "missing='null'"):
        overnight(daily, CALENDAR)
    with raises(vf.DataError, "2024-01-04"):
        overnight(daily, CALENDAR.filter(pl.col("date") <= WED))  # it still says which day comes next
    assert overnight(daily, CALENDAR, missing="null") == [1.0, None]


def test_a_date_that_daily_lacks_itself_is_an_error() -> None:
    ticks = pl.DataFrame({"symbol": ["a"], "date": [TUE]})
    with raises(vf.DataError, "no row of 2024-01-02 among"):
        overnight(ticks, CALENDAR, daily=bars(("a", WED, 1.0, 1.0)))


def test_a_date_the_calendar_does_not_know_is_an_error() -> None:
    with raises(vf.CalendarRangeError, "2024-01-05 lies outside", "2024-01-02 to 2024-01-04"):
        overnight(bars(("a", FRI, 1.0, 1.0)), CALENDAR)
    holiday = vf.calendar.generate([TUE, THU])
    with raises(vf.DataError, "2024-01-03 is no trading day"):
        overnight(bars(("a", WED, 1.0, 1.0)), holiday)


def test_a_calendar_with_a_gap_is_refused() -> None:
    gap = CALENDAR.with_columns(next_date=pl.when(pl.col("date") != TUE).then("next_date"))
    with raises(vf.ConfigError, "no day follows 2024-01-02", "2024-01-03"):
        vf.overnight_return(bars(("a", TUE, 1.0, 1.0)), gap)
    skipping = CALENDAR.with_columns(next_date=pl.when(pl.col("date") == TUE).then(THU).otherwise("next_date"))
    with raises(vf.ConfigError, "2024-01-04 follows 2024-01-02"):
        vf.overnight_return(bars(("a", TUE, 1.0, 1.0)), skipping)
    with raises(vf.ConfigError, "a day twice"):
        vf.overnight_return(bars(("a", TUE, 1.0, 1.0)), pl.concat([CALENDAR, CALENDAR]))
    with raises(vf.ConfigError, "holds no day", "calendar_path"):
        vf.overnight_return(bars(("a", TUE, 1.0, 1.0)), vf.calendar.empty())


def test_weekends_and_holidays_are_the_calendars() -> None:
    days = vf.calendar.generate(["20240105", "20240108"])
    daily = bars(("a", FRI, 10.0, 10.0), ("a", dt.date(2024, 1, 8), 11.0, 11.0))
    assert overnight(daily, days) == [0.10000000000000009, None]


def test_previous_close_of_an_ex_date_takes_the_place_of_the_close() -> None:
    # 10 for 10 bonus shares: the exchange's reference price of 20.00 is 10.00, and the open 10.10 is a gain, no loss.
    daily = bars(("a", TUE, 20.0, 20.0), ("a", WED, 10.1, 10.2)).with_columns(prev_close=pl.Series([19.0, 10.0]))
    days = vf.calendar.generate([TUE, WED])
    assert overnight(daily, days) == [10.1 / 20.0 - 1, None]
    assert overnight(daily, days, prev_close_col="prev_close") == [10.1 / 10.0 - 1, None]
    assert overnight(daily.drop("close"), days, prev_close_col="prev_close") == [10.1 / 10.0 - 1, None]
    unknown = daily.with_columns(prev_close=None)
    assert overnight(unknown, days, prev_close_col="prev_close") == [None, None]


def test_a_frame_of_one_date_says_which() -> None:
    ticks = pl.DataFrame({"symbol": ["a", "b", None]})
    daily = bars(("a", TUE, 1.0, 1.0), ("a", WED, 3.0, 3.0))
    assert overnight(ticks, CALENDAR, daily=daily, date="20240102") == [2.0, None, None]
    assert overnight(ticks, CALENDAR, daily=daily, date=TUE) == [2.0, None, None]
    with raises(vf.SchemaError, "no column 'date'", "date="):
        vf.overnight_return(ticks, CALENDAR, daily=daily)
    with raises(vf.ConfigError, "leave one out"):
        vf.overnight_return(ticks.with_columns(date=TUE), CALENDAR, daily=daily, date=TUE)
    with raises(vf.ConfigError, "daily="):
        vf.overnight_return(ticks, CALENDAR, date=TUE)
    with raises(vf.ConfigError, "YYYYMMDD"):
        vf.overnight_return(ticks, CALENDAR, daily=daily, date="2024-01-02")


@pytest.mark.parametrize("spelling", ["%Y%m%d", "%Y-%m-%d", "int"])
def test_dates_spelt_otherwise(spelling: str) -> None:
    daily = bars(("a", TUE, 1.0, 1.0), ("a", WED, 3.0, 3.0))
    text = pl.col("date").dt.strftime("%Y%m%d" if spelling == "int" else spelling)
    spelt = daily.with_columns(text.cast(pl.Int32) if spelling == "int" else text)
    out = vf.overnight_return(spelt, vf.calendar.generate([TUE, WED])).collect()
    assert out["overnight_return"].to_list() == [2.0, None]
    assert out["date"].equals(spelt["date"])


@pytest.mark.parametrize("bad", ["20240230", "2024011", "", "20240102 ", "２0240102"])
def test_text_that_is_no_date_is_an_error(bad: str) -> None:
    daily = pl.DataFrame({"symbol": ["a", "a"], "date": ["20240102", bad], "open": [1.0, 1.0], "close": [1.0, 1.0]})
    with raises(vf.DataError, "row 1", "YYYYMMDD", column="date", row=1, count=1):
        overnight(daily, CALENDAR)


def test_two_rows_of_a_symbol_and_date_are_an_error() -> None:
    daily = bars(("a", TUE, 1.0, 1.0), ("b", TUE, 1.0, 1.0), ("a", TUE, 1.0, 1.0), ("a", WED, 1.0, 1.0))
    with raises(vf.DataError, "'a' on 2024-01-02", "row 2", "daily=", column="symbol", row=2):
        overnight(daily, vf.calendar.generate([TUE, WED]))
    ticks = pl.concat([daily.head(1)] * 3)
    assert overnight(ticks, vf.calendar.generate([TUE]), daily=daily.head(1)) == [None] * 3


def test_schema_errors() -> None:
    daily = bars(("a", TUE, 1.0, 1.0))
    with raises(vf.SchemaError, "no column 'open'", column="open"):
        vf.overnight_return(daily.drop("open"), CALENDAR)
    with raises(vf.SchemaError, "String", column="close"):
        vf.overnight_return(daily.with_columns(pl.col("close").cast(pl.String)), CALENDAR)
    with raises(vf.SchemaError, "Float64", column="date"):
        vf.overnight_return(daily.with_columns(date=1.0), CALENDAR)
    with raises(vf.SchemaError, "overwrite", column="overnight_return"):
        vf.overnight_return(daily.with_columns(overnight_return=1), CALENDAR)
    with raises(vf.SchemaError, "calendar", column="next_date"):
        vf.overnight_return(daily, CALENDAR.drop("next_date"))
    with raises(vf.SchemaError, "Date is needed", column="date"):
        vf.overnight_return(daily, CALENDAR.with_columns(pl.col("date").cast(pl.String)))
    with raises(vf.ConfigError, "missing is 'drop'"):
        vf.overnight_return(daily, CALENDAR, missing="drop")  # type: ignore[arg-type]


def test_only_the_needed_columns_are_read(engine: Any) -> None:
    watched = Watched(bars(("a", TUE, 1.0, 1.0), ("a", WED, 3.0, 3.0)).with_columns(more=1, other=2))
    days = vf.calendar.generate([TUE, WED])
    out = vf.overnight_return(watched.lazy, days).select("overnight_return").collect(engine=engine)
    assert out["overnight_return"].to_list() == [2.0, None]
    assert watched.columns == {"symbol", "date", "open", "close"}
    watched.reads.clear()
    vf.overnight_return(watched.lazy, days).select("more").collect(engine=engine)
    assert watched.columns == {"more"}


def test_types_of_symbols_and_lazy_inputs(engine: Any) -> None:
    daily = bars(("a", TUE, 1.0, 1.0), ("a", WED, 3.0, 3.0)).with_columns(pl.col("symbol").cast(pl.Categorical))
    ticks = pl.LazyFrame({"symbol": ["a"], "date": [TUE]})
    days = vf.calendar.generate([TUE, WED])
    out = vf.overnight_return(ticks, days.lazy(), daily=daily.lazy()).collect(engine=engine)
    assert out["overnight_return"].to_list() == [2.0]
    numbered = daily.with_columns(symbol=pl.lit(600000))
    with raises(vf.SchemaError, "another kind of key"):
        vf.overnight_return(ticks, days, daily=numbered).collect()


def test_no_rows() -> None:
    out = vf.overnight_return(bars(), CALENDAR).collect()
    assert out.height == 0
    assert out.schema["overnight_return"] == pl.Float64
