"""Timestamp columns to elapsed trading time."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vizflow as vf
from support import chunked, raises
from vizflow.errors import CalendarRangeError, ConfigError, DataError, SchemaError

CLOCK = [(9, 30, 0), (11, 30, 0), (12, 0, 0), (13, 0, 0), (15, 0, 0), (15, 0, 1)]
ELAPSED = [0, 7200, None, 7200, 14_400, None]


def parse(values: Any, dtype: Any = None, *, engine: Any = "auto", market: Any = "CN", **options: Any) -> pl.Series:
    frame = chunked(pl.DataFrame({"t": pl.Series(values, dtype=dtype)}))
    out = vf.parse_time(frame, market, "t", **options).collect(engine=engine)
    assert out.columns == ["t", "elapsed_seconds"]
    assert_frame_equal(out.select("t"), frame)
    return out["elapsed_seconds"]


def digits(scale: int = 1) -> list[int]:
    return [(hour * 10_000 + minute * 100 + second) * scale for hour, minute, second in CLOCK]


@pytest.mark.parametrize("dtype", [pl.Int32, pl.Int64, pl.UInt32, pl.UInt64])
def test_integers_hhmmssmmm(engine: Any, dtype: Any) -> None:
    out = parse([*digits(1000), 93012145, None], dtype, engine=engine, unit="HHMMSSmmm")
    assert out.dtype == pl.Float64
    assert out.to_list() == [*ELAPSED, 12.145, None]
    assert parse([93012145], dtype).to_list() == [12.145]


@pytest.mark.parametrize("dtype", [pl.Int32, pl.Int64, pl.UInt32, pl.UInt64])
def test_integers_hhmmss_are_whole_seconds(engine: Any, dtype: Any) -> None:
    out = parse([*digits(), None], dtype, engine=engine, unit="HHMMSS")
    assert out.dtype == pl.Int64
    assert out.to_list() == [*ELAPSED, None]


def test_digit_rule_without_unit() -> None:
    assert parse(digits()).to_list() == ELAPSED
    assert parse(digits(1000)).to_list() == ELAPSED
    assert parse(digits()).dtype == parse(digits(1000)).dtype == pl.Float64  # by the dtype, not by the values


def test_ambiguous_digits_raise() -> None:
    with raises(DataError, "HHMMSS or HHMMSSmmm", "unit=", column="t"):
        parse([1000], market="crypto")  # 00:10:00 or 00:00:01
    with raises(DataError, "93000123", "unit="):
        vf.parse_time(pl.DataFrame({"t": [93000, 93000123]}), "CN", "t").collect(engine="in-memory")


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetime_of_any_unit(engine: Any, unit: Any) -> None:
    out = parse([dt.datetime(2024, 10, 1, *clock) for clock in CLOCK], pl.Datetime(unit), engine=engine)
    assert out.dtype == pl.Float64
    assert out.to_list() == ELAPSED


def test_datetime_before_the_epoch_counts_its_time_of_day() -> None:
    assert parse([dt.datetime(1969, 12, 31, 9, 30, 1, 250_000)]).to_list() == [1.25]


def test_zone_is_converted_to_the_markets() -> None:
    utc = [dt.datetime(2024, 10, 1, 1, 30, 7, tzinfo=dt.timezone.utc)]
    assert parse(utc, pl.Datetime("us", "UTC")).to_list() == [7.0]
    assert parse(utc, pl.Datetime("us", "America/New_York")).to_list() == [7.0]
    with raises(ConfigError, "no time zone"):
        parse(utc, pl.Datetime("us", "UTC"), market=vf.Market("local", [vf.Session("09:00", "10:00")]))


def test_summer_time_is_the_markets_matter() -> None:
    stamps = [
        dt.datetime(2024, 1, 5, 14, 30, tzinfo=dt.timezone.utc),
        dt.datetime(2024, 7, 5, 13, 30, tzinfo=dt.timezone.utc),
    ]
    assert parse(stamps, pl.Datetime("ns", "UTC"), market="US").to_list() == [0.0, 0.0]


def report(**counts: int) -> dict[str, int | None]:
    """Return a time_report with these counts and first rows."""
    firsts = ("first_unreadable", "first_outside", "first_other_date")
    numbers = dict.fromkeys(("rows", "null", "unreadable", "outside", "other_date"), 0)
    return {**numbers, **dict.fromkeys(firsts), **counts}


@pytest.mark.parametrize(("unit", "per"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_epoch_integers(engine: Any, unit: Any, per: int) -> None:
    epoch = int(dt.datetime(2024, 10, 1, 1, 30, 7, tzinfo=dt.timezone.utc).timestamp())
    out = parse([epoch * per, None], engine=engine, unit=unit)
    assert out.to_list() == [7, None]
    assert out.dtype == (pl.Int64 if unit == "s" else pl.Float64)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("value", [1727746200 * 10**9, 2**63 - 1, -(2**63), 2**64 - 1])
def test_epoch_of_a_wrong_unit_is_null_and_no_panic(unit: Any, value: int) -> None:
    if (unit, value) != ("ns", 1727746200 * 10**9):
        per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
        dtype = pl.UInt64 if value >= 2**63 else pl.Int64
        assert parse([value, 1727746200 * per], dtype, unit=unit).to_list() == [None, 0]
        with raises(DataError, "none of its 1 values", column="t", row=0):
            parse([value], dtype, unit=unit)


def test_time_and_text() -> None:
    assert parse([dt.time(*clock) for clock in CLOCK]).to_list() == ELAPSED
    assert parse([dt.time(9, 30, 0, 1)]).to_list() == [1e-6]
    text = ["2024-10-01T09:30:00.5", "2024-10-01 09:30:00", "09:30:00", "09:30:00.000000001", None]
    assert parse(text).to_list() == [0.5, 0.0, 0.0, 1e-9, None]


@pytest.mark.parametrize("values", [["late"], ["25:00:00"], ["2024-10-01"], [""], ["09:60:00"]])
def test_text_that_is_no_time_is_null_and_raises_when_told_to(values: list[str]) -> None:
    assert parse([*values, "09:30:00"]).to_list() == [None, 0.0]
    with raises(DataError, "impossible", column="t", row=0):
        parse([*values, "09:30:00"], outside="raise")
    with raises(DataError, "none of its 1 values", column="t", row=0):
        parse(values)


@pytest.mark.parametrize("value", [99_99_99, 246000, 93060, 240001, -1, -93000, 9_30_00_000_0])
def test_impossible_digits_are_null_and_counted(value: int) -> None:
    assert parse([93000, value], unit="HHMMSS").to_list() == [0, None]
    frame = pl.DataFrame({"t": [93000, value]})
    assert vf.time_report(frame, "CN", "t", unit="HHMMSS") == report(rows=2, unreadable=1, first_unreadable=1)


def test_impossible_times_raise_with_count_and_first_row() -> None:
    frame = pl.DataFrame({"t": [93000000, 120000000, 99999999, None, 130000000]})
    with raises(DataError, '"t"', "2 of 5", "row 1", column="t", row=1, count=2):
        vf.parse_time(frame, "CN", "t", unit="HHMMSSmmm", outside="raise").collect(engine="in-memory")


@pytest.mark.parametrize("values", [[2**63 - 1, -(2**63)], [0, 0]])
def test_integer_limits_do_not_wrap(values: list[int]) -> None:
    assert parse([*values, 93000000], pl.Int64, unit="HHMMSSmmm").to_list() == [None, None, 0.0]


def test_unsigned_beyond_the_signed_limit_is_refused() -> None:
    with raises(DataError, "does not fit", column="t", row=1):
        vf.parse_time(pl.DataFrame({"t": [93000, 2**64 - 1]}), "CN", "t", unit="HHMMSS").collect(engine="in-memory")


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Datetime("us"), pl.Time, pl.String])
@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_empty_and_all_null_columns(engine: Any, dtype: Any, values: list[None]) -> None:
    out = parse(values, dtype, engine=engine)
    assert out.to_list() == values
    assert out.dtype == pl.Float64


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_column_of_type_null(values: list[None]) -> None:
    assert parse(values, pl.Null).to_list() == values


def test_outside_clip_and_grace(engine: Any) -> None:
    stamps = [92459, 92500, 113001, 125959, 150003]
    assert parse(stamps, unit="HHMMSS", engine=engine, outside="clip").to_list() == [0, 0, 7200, 7200, 14_400]
    assert parse(stamps, unit="HHMMSS", engine=engine, grace=300).to_list() == [None, 0, 7200, 7200, 14_400]
    assert parse(stamps, unit="HHMMSS", engine=engine, grace=2).to_list() == [None, None, 7200, 7200, None]


def test_plan_knows_the_type_before_it_runs() -> None:
    frame = pl.LazyFrame({"t": [93000]})
    assert vf.parse_time(frame, vf.CN, "t").collect_schema()["elapsed_seconds"] == pl.Float64
    assert vf.parse_time(frame, vf.CN, "t", unit="HHMMSS").collect_schema()["elapsed_seconds"] == pl.Int64
    assert vf.parse_time(frame, vf.CN, "t", unit="s").collect_schema()["elapsed_seconds"] == pl.Int64


def test_existing_elapsed_seconds_is_never_overwritten() -> None:
    with raises(SchemaError, "would overwrite", column="elapsed_seconds"):
        vf.parse_time(pl.DataFrame({"t": [93000], "elapsed_seconds": [1]}), vf.CN, "t")


def test_missing_column_shows_near_names() -> None:
    with raises(SchemaError, "'tick_time'", "did you mean 'ticktime'?", column="tick_time"):
        vf.parse_time(pl.DataFrame({"ticktime": [93000]}), vf.CN, "tick_time")


@pytest.mark.parametrize(
    ("values", "hint"), [([1.5], "Float64"), ([True], "Boolean"), ([dt.date(2024, 1, 2)], "time of day")]
)
def test_type_that_is_no_time(values: list[Any], hint: str) -> None:
    with raises(SchemaError, hint, column="t"):
        parse(values)


@pytest.mark.parametrize("options", [{"unit": "minutes"}, {"outside": "drop"}, {"grace": -1}, {"grace": float("inf")}])
def test_bad_options(options: dict[str, Any]) -> None:
    with raises(ConfigError, str(next(iter(options.values())))):
        parse([93000], **options)


def test_unit_of_a_column_that_is_not_integers() -> None:
    with raises(ConfigError, "leave it out"):
        parse([dt.time(9, 30)], unit="HHMMSS")


def test_report_counts_and_grace_moves() -> None:
    frame = pl.DataFrame({"t": [92500, 93000, None, 126000, 120000]})
    expected = report(rows=5, null=1, unreadable=1, outside=2, first_unreadable=3, first_outside=0)
    assert vf.time_report(frame.lazy(), "CN", "t", unit="HHMMSS") == expected
    assert vf.time_report(pl.DataFrame({"t": []}, schema={"t": pl.Int64}), "CN", "t")["rows"] == 0


def test_expression_is_row_wise_for_polars() -> None:
    """A filter on another column may pass below it, a slice too."""
    frame = pl.LazyFrame({"t": [93000, 93001, 93002], "keep": [False, True, True]})
    out = vf.parse_time(frame, "CN", "t").filter("keep").head(1)
    assert out.collect()["elapsed_seconds"].to_list() == [1.0]


# ---- dates ------------------------------------------------------------------------------------------------------

OPENING = [90_000, 93_000, 100_000, 153_000, 163_000]


def test_a_date_brings_its_own_sessions(engine: Any) -> None:
    usual = parse(OPENING, engine=engine, market="KR", unit="HHMMSS")
    assert usual.to_list() == [0, 1800, 3600, 23_400, None]
    assert parse(OPENING, engine=engine, market="KR", unit="HHMMSS", date="20241113").to_list() == usual.to_list()
    for day in ("20241114", dt.date(2024, 11, 14), dt.datetime(2024, 11, 14, 9)):
        exam = parse(OPENING, engine=engine, market="KR", unit="HHMMSS", date=day)
        assert exam.dtype == pl.Int64
        assert exam.to_list() == [None, None, 0, 19_800, 23_400]


def test_a_date_column_brings_each_row_its_own_sessions(engine: Any) -> None:
    frame = chunked(pl.DataFrame({"t": [93_000_500] * 4, "day": ["20241113", None, "20241114", "20110105"]}))
    out = vf.parse_time(frame, "KR", "t", unit="HHMMSSmmm", date_col="day", outside="clip").collect(engine=engine)
    assert out["elapsed_seconds"].to_list() == [1800.5, None, 0.0, 1800.5]
    assert_frame_equal(out.select("t", "day"), frame)


def test_a_date_column_with_a_zone_is_converted() -> None:
    utc = pl.Series("t", [dt.datetime(2024, 11, 13, 23, 59), dt.datetime(2024, 11, 14, 1, 0)])
    frame = pl.DataFrame([utc.dt.replace_time_zone("UTC")])
    out = vf.parse_time(frame, "KR", "t", date_col="t", outside="clip").collect()["elapsed_seconds"]
    assert out.to_list() == [0.0, 0.0]  # both on the 14th in Seoul, whose session begins at 10:00


def test_a_market_without_calendar_takes_any_date() -> None:
    own = vf.Market("own", [vf.Session("09:30", "10:00")])
    frame = pl.DataFrame({"t": [93_001], "day": ["24000101"]})
    assert vf.parse_time(frame, own, "t", unit="HHMMSS", date_col="day").collect()["elapsed_seconds"].to_list() == [1]
    assert vf.parse_time(frame, own, "t", unit="HHMMSS", date="24000101").collect()["elapsed_seconds"].to_list() == [1]


def test_days_that_are_closed_or_not_known_are_refused() -> None:
    with raises(ConfigError, "2024-10-01", "no trading day"):
        parse([93_000], unit="HHMMSS", date="20241001")
    with raises(CalendarRangeError, "2026-12-31", "calendar.load"):
        parse([93_000], unit="HHMMSS", date="20270104")
    frame = pl.DataFrame({"t": [93_000] * 3, "day": [dt.date(2024, 9, 30), dt.date(2024, 10, 1), dt.date(2024, 10, 2)]})
    with raises(DataError, "2024-10-01", "CN", "not traded", column="day"):
        vf.parse_time(frame, "CN", "t", unit="HHMMSS", date_col="day").collect()
    frame = frame.with_columns(day=pl.Series([dt.date(2024, 9, 30), dt.date(2027, 10, 1), dt.date(2024, 10, 8)]))
    with raises(CalendarRangeError, "2027-10-01", "2026-12-31", "calendar.load"):
        vf.parse_time(frame, "CN", "t", unit="HHMMSS", date_col="day").collect()


def test_date_options_that_are_refused() -> None:
    frame = pl.DataFrame({"t": [93_000], "day": ["20240930"], "x": [1.5]})
    with raises(ConfigError, "not both"):
        vf.parse_time(frame, "CN", "t", unit="HHMMSS", date="20240930", date_col="day")
    with raises(SchemaError, "'dy'", "'day'", column="dy"):
        vf.parse_time(frame, "CN", "t", unit="HHMMSS", date_col="dy")
    with raises(SchemaError, "Float64", column="x"):
        vf.parse_time(frame, "CN", "t", unit="HHMMSS", date_col="x")
    with raises(ConfigError, "YYYYMMDD"):
        vf.parse_time(frame, "CN", "t", unit="HHMMSS", date="2024-09-30")


def test_a_plan_with_a_calendar_is_plain_data() -> None:
    frame = pl.LazyFrame({"t": [100_000], "day": ["20241114"]})
    plan = vf.parse_time(frame, "KR", "t", unit="HHMMSS", date_col="day")
    again = pl.LazyFrame.deserialize(io.BytesIO(plan.serialize()))
    assert again.collect()["elapsed_seconds"].to_list() == [0]


@pytest.mark.parametrize("date", [dt.date(2024, 11, 29), "20241129"])
def test_report_by_the_hours_of_a_half_day(date: dt.date | str) -> None:
    frame = pl.DataFrame({"t": [93000, 125959, 130001, 160000, None, 999999], "day": [date] * 6})
    half = report(rows=6, null=1, unreadable=1, outside=2, first_unreadable=5, first_outside=2)
    assert vf.time_report(frame, "US", "t", unit="HHMMSS")["outside"] == 0
    assert vf.time_report(frame, "US", "t", unit="HHMMSS", date=date) == half
    assert vf.time_report(frame.lazy(), "US", "t", unit="HHMMSS", date_col="day") == half
    assert vf.time_report(frame, "US", "t", unit="HHMMSS", date_col="day", grace=1)["outside"] == 2
    stamps = frame.select("day", t=pl.lit(dt.datetime(2024, 11, 29, 18, 30)).dt.replace_time_zone("UTC"))
    assert vf.time_report(stamps, "US", "t", date_col="day")["outside"] == 6  # 13:30 in New York


def test_report_of_a_date_column_counts_what_parse_time_makes_null() -> None:
    days = [dt.date(2024, 11, 29), dt.date(2024, 12, 2), None] * 40
    frame = pl.DataFrame({"t": [80_000 + 700 * i for i in range(120)], "day": days})
    counted = vf.time_report(frame, "US", "t", unit="HHMMSS", date_col="day")
    elapsed = vf.parse_time(frame, "US", "t", unit="HHMMSS", date_col="day").collect()["elapsed_seconds"]
    assert counted["rows"] == 120
    assert counted["null"] == 40
    assert counted["null"] + counted["unreadable"] + counted["outside"] == elapsed.null_count()
    assert counted["outside"] > 0
    own = vf.Market("own", [vf.Session("09:30", "16:00")])
    plain = vf.time_report(frame, own, "t", unit="HHMMSS", date_col="day")
    assert plain == vf.time_report(frame, own, "t", unit="HHMMSS"), "every day is alike: none is looked up"


def test_report_options_of_the_date() -> None:
    frame = pl.DataFrame({"t": [93000], "day": ["20240928"]})
    with raises(ConfigError, "not both"):
        vf.time_report(frame, "CN", "t", unit="HHMMSS", date="20240930", date_col="day")
    with raises(SchemaError, "dy", column="dy"):
        vf.time_report(frame, "CN", "t", unit="HHMMSS", date_col="dy")
    with raises(DataError, "not traded", column="day"):
        vf.time_report(frame, "CN", "t", unit="HHMMSS", date_col="day")
    with raises(ConfigError, "no trading day"):
        vf.time_report(frame, "CN", "t", unit="HHMMSS", date="20240928")
