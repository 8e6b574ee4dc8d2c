"""Where the clock went wrong at its borders: stamps of other days, times that cannot be read, clocks that change.

Not for the clock inside a day (test_parse_time), nor for calendars as such (test_calendar).
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, DataError
from vizflow.jobs.context import context

UTC = dt.timezone.utc
SHANGHAI = ZoneInfo("Asia/Shanghai")
GOLD = vf.Market.cn_futures("02:30")
YORK = vf.Market("always", [vf.Session("00:00", "24:00")], "America/New_York")


def parse(values: list[Any], dtype: Any = None, *, market: Any = "CN", **options: Any) -> list[Any]:
    frame = pl.DataFrame({"t": pl.Series(values, dtype=dtype)})
    return vf.parse_time(frame, market, "t", **options).collect()["elapsed_seconds"].to_list()


def count(values: list[Any], dtype: Any = None, *, market: Any = "CN", **options: Any) -> dict[str, int | None]:
    return vf.time_report(pl.DataFrame({"t": pl.Series(values, dtype=dtype)}), market, "t", **options)


# ---- D3: stamps of other days -----------------------------------------------------------------------------------

YESTERDAY, TODAY = dt.datetime(2026, 1, 8, 14, 59, 58), dt.datetime(2026, 1, 9, 9, 30, 1)


def spelt(stamp: dt.datetime, kind: str) -> Any:
    """Write a local stamp of Shanghai as a value of a kind."""
    moment = stamp.replace(tzinfo=SHANGHAI)
    micro = int(moment.timestamp()) * 10**6
    texts = {"iso": "%Y-%m-%d %H:%M:%S", "dotted": "%Y.%m.%dT%H:%M:%S.000", "fix": "%Y%m%d-%H:%M:%S.000",
             "slashed": "%Y/%m/%d %H:%M:%S"}  # fmt: skip
    digits = {"YYYYMMDDHHMMSS": "%Y%m%d%H%M%S", "YYYYMMDDHHMMSSmmm": "%Y%m%d%H%M%S000"}
    per = {"s": 10**6, "ms": 10**3, "us": 1}
    if kind in texts:
        return stamp.strftime(texts[kind])
    if kind in digits:
        return int(stamp.strftime(digits[kind]))
    if kind == "ns":
        return micro * 1000
    return micro // per[kind] if kind in per else moment.astimezone(UTC) if kind == "zoned" else stamp


KINDS = [
    "naive",
    "zoned",
    "iso",
    "dotted",
    "fix",
    "slashed",
    "YYYYMMDDHHMMSS",
    "YYYYMMDDHHMMSSmmm",
    "s",
    "ms",
    "us",
    "ns",
]


def unit_of(kind: str) -> dict[str, Any]:
    return {"unit": kind} if kind in ("s", "ms", "us", "ns") or kind.startswith("YYYY") else {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", ["date", "date_col", "market", "context"])
def test_the_day_before_is_not_this_days_last_trade(kind: str, said: str) -> None:
    values = [spelt(stamp, kind) for stamp in (YESTERDAY, TODAY)]
    frame = pl.DataFrame({"t": values, "day": ["20260109"] * 2})
    market: Any = {"market": vf.CN.on("20260109"), "context": context(vf.Config(), "20260109").market}.get(said, "CN")
    day: dict[str, Any] = {"date": {"date": "20260109"}, "date_col": {"date_col": "day"}}.get(said, {})
    options = {**unit_of(kind), **day}
    for more in ({}, {"outside": "clip"}, {"grace": 86_400}):
        assert vf.parse_time(frame, market, "t", **options, **more).collect()["elapsed_seconds"].to_list() == [None, 1]
    report = vf.time_report(frame, market, "t", **options)
    assert (report["other_date"], report["first_other_date"], report["outside"]) == (1, 0, 0)
    with raises(DataError, "row 0 is dated 2026-01-08", "trading day is 2026-01-09", column="t", row=0, count=1):
        vf.parse_time(frame, market, "t", outside="raise", **options).collect()


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_day_the_time_of_day_counts(kind: str) -> None:
    assert parse([spelt(stamp, kind) for stamp in (YESTERDAY, TODAY)], **unit_of(kind)) == [14_398, 1]


def test_daily_does_not_close_at_the_price_of_another_day(tmp_path: Path) -> None:
    frame = pl.DataFrame({"symbol": ["a"] * 3, "t": [YESTERDAY, TODAY, TODAY], "price": [99.0, 10.0, 11.0]})
    vf.save(frame, tmp_path / "20260109.feather")
    config = vf.Config(input_dir=tmp_path, columns={"timestamp": "t"})
    (bar,) = vf.daily(config, ["20260109"]).collect().to_dicts()
    assert (bar["open"], bar["close"], bar["n"], bar["n_outside"]) == (10.0, 11.0, 2, 1)


def test_single_times_are_held_against_the_day_too() -> None:
    assert vf.CN.elapsed_seconds(TODAY, date="20260109") == 1
    with raises(DataError, "2026-01-09"):
        vf.CN.elapsed_seconds(YESTERDAY, date="20260109")


def test_ctx_market_is_the_market_on_its_date(tmp_path: Path) -> None:
    """The design document's own call, on a half day."""
    frame = pl.DataFrame(
        {"symbol": ["a"] * 3, "timestamp": [125_900_000, 130_100_000, 153_000_000], "price": [1.0, 2, 3]}
    )
    vf.save(frame, tmp_path / "in" / "20241129.feather")

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        df = vf.parse_time(df, ctx.market, "timestamp", unit="HHMMSSmmm")
        return vf.forward_return(df, [60], end=ctx.market)

    out = vf.run(pipeline, vf.Config(input_dir=tmp_path / "in", market="US"), "20241129", save=False)
    assert out["elapsed_seconds"].to_list() == [12_540.0, None, None]
    ctx = context(vf.Config(market="US"), "20241129")
    assert (ctx.market.seconds, ctx.market.end_on("20241202")) == (12_600, 23_400)
    assert ctx.market == vf.US


def test_ctx_market_on_a_day_that_is_not_traded_has_its_usual_sessions() -> None:
    for date in ("20241001", "20991231"):  # the design document's own date, a holiday; and one that no calendar knows
        assert context(vf.Config(), date).market.seconds == 14_400
    with raises(ConfigError, "no trading day"):
        vf.CN.on("20241001")


MONDAY = dt.date(2024, 6, 3)


def at(days: int, clock: str) -> dt.datetime:
    return dt.datetime.combine(MONDAY + dt.timedelta(days), dt.time.fromisoformat(clock))


@pytest.mark.parametrize("by", ["date", "date_col"])
def test_fridays_night_is_mondays_and_no_other(by: str) -> None:
    stamps = {
        at(-3, "21:00"): 0.0, at(-2, "01:00"): 14_400.0, at(0, "09:00"): 19_800.0, at(0, "15:00"): 33_300.0,
        at(-3, "14:00"): None, at(-4, "21:30"): None, at(-3, "01:00"): None, at(0, "21:00"): None, at(1, "09:00"): None,
    }  # fmt: skip
    frame = pl.DataFrame({"t": list(stamps), "day": [MONDAY] * len(stamps)})
    day: dict[str, Any] = {"date": MONDAY} if by == "date" else {"date_col": "day"}
    assert vf.parse_time(frame, GOLD, "t", **day).collect()["elapsed_seconds"].to_list() == list(stamps.values())
    assert vf.time_report(frame, GOLD, "t", **day)["other_date"] == 5


@given(st.lists(st.datetimes(dt.datetime(2024, 5, 27), dt.datetime(2024, 6, 22)), min_size=1, max_size=30))
def test_a_stamp_is_of_one_trading_day_and_calendar_trading_day_names_it(stamps: list[dt.datetime]) -> None:
    frame = pl.DataFrame({"t": stamps}).with_columns(day=vf.calendar.trading_day("t", GOLD))
    alone = vf.parse_time(frame, GOLD, "t").collect()["elapsed_seconds"].to_list()
    days = vf.calendar.range("20240527", "20240624", "CN")
    by_day = {date: parse(stamps, pl.Datetime("us"), market=GOLD, date=date) for date in days}
    for n, named in enumerate(frame["day"]):
        of = [date for date in days if by_day[date][n] is not None]
        assert of in ([], [named and f"{named:%Y%m%d}"])
        nights = named is not None and any(session.night for session in GOLD.sessions_on(named))
        assert of or alone[n] is None or not nights


def test_a_calendar_that_lacks_a_session_does_not_fold_it_onto_the_next() -> None:
    """US holidays on which CME trades: Sunday 17:00 to Monday 16:00 is not Tuesday's."""
    globex = vf.Market("globex", [vf.Session("17:00", "16:00")], "America/Chicago", "US")
    sunday = dt.datetime(2024, 1, 14, 17, 30)  # Martin Luther King's day is the Monday
    stamps = [sunday, sunday + dt.timedelta(hours=15), sunday + dt.timedelta(days=1), sunday + dt.timedelta(hours=39)]
    frame = pl.DataFrame({"t": stamps}).with_columns(date=vf.calendar.trading_day("t", globex))
    tuesday = dt.date(2024, 1, 16)
    assert frame["date"].to_list() == [None, None, tuesday, tuesday]
    for frame_ in (frame, frame.with_columns(date=pl.lit(tuesday))):
        out = vf.parse_time(frame_, globex, "t", date_col="date").collect()["elapsed_seconds"]
        assert out.to_list() == [None, None, 1800.0, 55_800.0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 86_399)), min_size=1, max_size=20),
    st.sampled_from(["CN", "KR", "US", "HK"]),
    st.sampled_from(["null", "clip"]),
)
def test_many_days_in_one_frame_give_what_single_days_give(
    rows: list[tuple[int, int]], market: str, outside: Any
) -> None:
    days = vf.calendar.range("20241125", "20241202", market)
    stamps = [dt.datetime(2024, 11, 26) + dt.timedelta(days=day, seconds=second) for day, second in rows]
    for date in days:
        frame = pl.DataFrame({"t": stamps, "day": [date] * len(stamps)})
        by_row = vf.parse_time(frame, market, "t", date_col="day", outside=outside).collect()["elapsed_seconds"]
        at_once = vf.parse_time(frame, market, "t", date=date, outside=outside).collect()["elapsed_seconds"]
        clock = vf.parse_time(frame.with_columns(pl.col("t").dt.time()), market, "t", date=date, outside=outside)
        own = [elapsed if f"{t:%Y%m%d}" == date else None
               for t, elapsed in zip(stamps, clock.collect()["elapsed_seconds"], strict=True)]  # fmt: skip
        assert by_row.to_list() == at_once.to_list() == own


# ---- D4: time since midnight ------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"date": "20240102"}, {"date_col": "day"}])
def test_milliseconds_since_midnight_are_no_epoch(options: dict[str, Any]) -> None:
    frame = pl.DataFrame({"t": [34_200_000, 36_000_500], "day": ["20240102"] * 2})
    with raises(DataError, 'unit="HHMMSSmmm"', '"midnight_ms"', column="t", row=0):
        vf.parse_time(frame, "CN", "t", unit="ms", **options).collect()
    out = vf.parse_time(frame, "CN", "t", unit="midnight_ms", **options).collect()
    assert out["elapsed_seconds"].to_list() == [0.0, 1800.5]


@pytest.mark.parametrize(("unit", "per"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_one_row_since_midnight_among_epochs_is_counted_not_placed(unit: str, per: int) -> None:
    epoch = int(dt.datetime(2024, 1, 2, 2, 0, tzinfo=UTC).timestamp()) * per
    values = [epoch, 36_000 * per, 0, None]
    assert parse(values, unit=unit) == [1800, None, None, None]
    report = count(values, unit=unit)
    assert (report["unreadable"], report["first_unreadable"], report["null"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("unit", "per"), [("midnight_s", 1), ("midnight_ms", 10**3), ("midnight_us", 10**6), ("midnight_ns", 10**9)]
)
def test_time_since_midnight_in_every_unit(unit: Any, per: int) -> None:
    values = [34_200 * per, 86_400 * per, 86_401 * per, -1, None]
    out = vf.parse_time(pl.DataFrame({"t": values}), "CN", "t", unit=unit).collect()["elapsed_seconds"]
    assert out.to_list() == [0, None, None, None, None]
    assert out.dtype == (pl.Int64 if per == 1 else pl.Float64)
    assert count(values, unit=unit)["unreadable"] == 2


@pytest.mark.parametrize(
    ("value", "units"), [(3_723_000, ("HHMMSSmmm", "midnight_ms")), (34_200, ("HHMMSS", "midnight_s"))]
)
def test_digits_that_may_be_time_since_midnight_are_ambiguous(value: int, units: tuple[str, str]) -> None:
    market = "crypto" if value > 10**6 else "CN"
    with raises(DataError, f'unit="{units[0]}"', f'unit="{units[1]}"', column="t", row=0):
        parse([value], market=market)
    with raises(DataError, "may be"):
        count([value], market=market)
    for unit in units:
        assert len(parse([value], market=market, unit=unit)) == 1


def test_one_value_that_is_sure_settles_the_digits() -> None:
    assert parse([3_723_000, 93_000_000], market="crypto") == [2243.0, 34_200.0]
    assert parse([40_000_000, 93_000_000]) == [None, 0.0]  # a pre-market print, and the open


# ---- D5: what cannot be read ------------------------------------------------------------------------------------

STAMP = dt.datetime(2023, 1, 3, 10, 0)
EPOCH = int(STAMP.replace(tzinfo=SHANGHAI).timestamp())
GARBAGE: list[Any] = [
    EPOCH, EPOCH * 10**3, EPOCH * 10**6, EPOCH * 10**9, 202301031000, 20230103100000, 20230103100000000, 36_000_000_000,
    36_000_000_000_000, "100000", "100000000", "20230103100000", "20230103100000000", "202301031000", str(EPOCH),
    str(EPOCH * 1000), "03/01/2023 10:00:00", "13/01/2023 10:00:00", "01-13-2023 10:00:00",
]  # fmt: skip


@pytest.mark.parametrize("value", GARBAGE)
@pytest.mark.parametrize("lazily", [True, False])
def test_a_column_that_is_no_time_says_what_would_read_it_and_that_does(value: Any, lazily: bool) -> None:
    frame = pl.DataFrame({"t": [value, None, value]})
    given = frame.lazy().filter(pl.lit(True)) if lazily else frame
    with raises(DataError, "none of its 2 values", str(value)[:40], column="t", row=0, count=2) as caught:
        vf.parse_time(given, "CN", "t").collect()
    found = re.search(r'(unit|format)="([^"]+)"', str(caught.error))
    assert found is not None
    option: dict[str, Any] = {found.group(1): found.group(2)}
    assert vf.parse_time(given, "CN", "t", **option).collect()["elapsed_seconds"].to_list() == [1800, None, 1800]


@pytest.mark.parametrize(
    "text",
    ["2023.01.03T10:00:00.000", "20230103-10:00:00.500", "2023/01/03 10:00:00", "2023.01.03D10:00:00.000000001",
     "20230103 100000", "20230103T1000", "2023-01-03T10:00", "10:00:00.25", "2023-01-03 9:30:00"],
)  # fmt: skip
def test_layouts_of_text_that_are_read_as_they_are(text: str) -> None:
    fraction = float("0." + (text.split(".")[-1] if text.count(".") in (1, 3) else "0"))
    expected = 0.0 if "9:30" in text else 1800 + fraction
    assert parse([text]) == [expected]
    if "2023" in text:
        assert parse([text], date="20230103") == [expected]
        assert parse([text], date="20230104", outside="clip") == [None]


@pytest.mark.parametrize(
    "text",
    ["2024-02-30T09:30:00", "2023-02-29 09:30:00", "2024-13-01T09:30", "2024.02.30T09:30:00", "20240230-09:30:00.000",
     "20240230 09:30", "0000-01-01T09:30"],
)  # fmt: skip
def test_the_thirtieth_of_february_is_no_time(text: str) -> None:
    assert parse([text, "2024-02-29T09:30:00"]) == [None, 0.0]
    report = count([text, "2024-02-29T09:30:00"])
    assert (report["unreadable"], report["first_unreadable"], report["outside"]) == (1, 0, 0)
    with raises(DataError, "none of its 1 values", text, column="t", row=0):
        parse([text])


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
@pytest.mark.parametrize("at_end", [True, False])
def test_a_part_that_cannot_be_read_is_no_error_wherever_it_lies(engine: Any, at_end: bool) -> None:
    good, bad = ["09:30:00"], ["n/a"] * 5_000
    values = [*bad, *good] if at_end else [*good, *bad]
    frame = pl.LazyFrame({"t": values, "keep": [True] * len(values)}).filter("keep")
    out = vf.parse_time(frame, "CN", "t").collect(engine=engine)["elapsed_seconds"]
    assert out.drop_nulls().to_list() == [0.0]
    assert count(values)["unreadable"] == 5_000


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_text_that_is_never_a_time_is_an_error_in_both_engines(engine: Any) -> None:
    frame = pl.LazyFrame({"t": ["20230103100000"] * 5_000, "keep": [True] * 5_000}).filter("keep")
    with raises(DataError, 'unit="YYYYMMDDHHMMSS"', column="t", row=0, count=5_000):
        vf.parse_time(frame, "CN", "t").collect(engine=engine)


@pytest.mark.parametrize("kind", ["feather", "parquet", "csv"])
def test_a_run_over_stamps_of_a_wrong_unit_is_an_error_and_no_empty_day(kind: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"t": [EPOCH * 1000] * 3, "price": [1.0, 2, 3]})
    (tmp_path / "in").mkdir()
    write = {"feather": frame.write_ipc, "parquet": frame.write_parquet, "csv": frame.write_csv}[kind]
    write(tmp_path / "in" / f"20230103.{kind}")
    pattern = f"{{date}}.{kind}"
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out", input_pattern=pattern)

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        df = vf.parse_time(df, ctx.market, "t", unit="HHMMSSmmm").filter(pl.col("elapsed_seconds").is_not_null())
        return vf.aggregate(df, [], {"n": pl.len()})

    with raises(DataError, "none of its 3 values", 'unit="ms"', column="t"):
        vf.run(pipeline, config, "20230103")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("how", ["filter", "select", "with_columns", "slice"])
def test_a_wrong_unit_is_found_behind_other_steps(how: str) -> None:
    frame = pl.LazyFrame({"t": [EPOCH] * 3, "p": [1.0, 2.0, 3.0]})
    steps = {"filter": frame.filter(pl.col("p") > 1), "select": frame.select("t"),
             "with_columns": frame.with_columns(q=pl.col("p") * 2), "slice": frame.head(2)}  # fmt: skip
    with raises(DataError, "none of its", 'unit="s"', column="t", row=0):
        vf.parse_time(steps[how], "CN", "t", unit="HHMMSSmmm").collect()
    assert vf.parse_time(steps[how], "CN", "t", unit="s").collect()["elapsed_seconds"].to_list()[0] == 1800


@pytest.mark.parametrize("operation", [vf.forward_return, vf.mark_to_close, vf.merge_forward])
def test_the_market_on_a_half_day_ends_with_it(operation: Any) -> None:
    frame = pl.DataFrame(
        {"symbol": ["a"] * 3, "elapsed_seconds": [12_540, 12_600, 12_660], "price": [10.0, 11.0, 12.0]}
    )

    def ends(market: vf.Market) -> list[Any]:
        args = [] if operation is vf.mark_to_close else [[60]]
        if operation is vf.merge_forward:
            args = [frame, ["price"], [60]]
        out = operation(frame, *args, end=market).collect()
        return out.select(out.columns[3:]).rows()

    half, day = ends(vf.US.on("20241129")), ends(vf.US)
    assert half != day
    assert half == ends(vf.Market("half", [vf.Session("09:30", "13:00")]))


def test_nulls_before_the_first_value_hide_nothing() -> None:
    frame = pl.DataFrame({"t": [None] * 3_000 + [EPOCH]})
    with raises(DataError, "none of its 1 values", 'unit="s"', column="t", row=3_000):
        vf.parse_time(frame, "CN", "t", unit="HHMMSS").collect()
    assert parse([None, None], pl.Int64, unit="HHMMSS") == [None, None]
    assert parse([], pl.String) == []


@pytest.mark.parametrize("unit", ["HHMMSS", "HHMMSSmmm", "midnight_ms", "YYYYMMDDHHMMSS", "ms", "ns"])
def test_text_of_digits_is_read_by_its_unit(unit: Any) -> None:
    number = {"HHMMSS": 100_000, "HHMMSSmmm": 100_000_000, "midnight_ms": 36_000_000, "YYYYMMDDHHMMSS": 20230103100000,
              "ms": EPOCH * 10**3, "ns": EPOCH * 10**9}[unit]  # fmt: skip
    assert parse([str(number), "x", None, f" {number} "], unit=unit) == [1800, None, None, 1800]
    assert count([str(number), "x", None], unit=unit)["unreadable"] == 1


def test_formats_of_polars_read_the_rest() -> None:
    assert parse(["31/12/2024 10:00:00", "soon"], format="%d/%m/%Y %H:%M:%S") == [1800.0, None]
    assert count(["31/12/2024 10:00:00", "soon", None], format="%d/%m/%Y %H:%M:%S")["unreadable"] == 1
    assert parse(["10:00:00 AM", "02:00:00 PM"], format="%I:%M:%S %p") == [1800.0, 10_800.0]
    assert parse(["31/12/2024 10:00:00"], format="%d/%m/%Y %H:%M:%S", date="20241230") == [None]
    with raises(DataError, "none of its 1 values", column="t"):
        parse(["soon"], format="%d/%m/%Y %H:%M:%S")
    for text, options in (("%Y", {}), ("%H:%M", {"unit": "s"})):
        with raises(ConfigError, "%H" if text == "%Y" else "not both"):
            parse(["2024"], format=text, **options)
    with raises(ConfigError, "leave it out"):
        parse([1], format="%H")


def test_the_advice_for_text_with_a_zone_is_true() -> None:
    texts = ["2024-01-02T09:30:00.5+08:00", "2024-01-02T01:30:00Z"]
    with raises(DataError, "carries a zone", column="t", row=0) as caught:
        parse(texts)
    found = re.search(r'format="([^"]+)"', str(caught.error))
    assert found is not None
    assert parse(texts, format=found.group(1)) == [0.5, 0.0]


ADVISED = {  # text: what the advice reads it as, in seconds since midnight of Shanghai
    "2023-01-03 10:00:00 +08:00": 36_000.0, "2023-01-03 10:00 +08:00": 36_000.0, "2023-01-03T10:00:00.5Z": 64_800.5,
    "2023-01-03 10:00:00.5 -0500": 82_800.5, "10:00:00.5 AM": 36_000.5, "9:30 pm": 77_400.0,
    "2023-01-03 02:00:00 PM": 50_400.0, "2024-01-02 09:30:00.1234567890": 34_200.123456789, "09:30:00 EST": 34_200.0,
    "2023-01-03 10:00:00 CST": 36_000.0, "1/3/2023 9:30": 34_200.0,
}  # fmt: skip


@pytest.mark.parametrize("text", ADVISED)
def test_the_advice_for_text_is_true(text: str) -> None:
    market = vf.Market("always", [vf.Session("00:00", "24:00")], "Asia/Shanghai")
    with raises(DataError, text, column="t", row=0) as caught:
        parse([text], market=market)
    formats = re.findall(r'format="([^"]+)"', str(caught.error))
    heads = [int(n) for n in re.findall(r"str.head\((\d+)\)", str(caught.error))]
    assert formats or heads
    for format in formats:
        assert parse([text], market=market, format=format) == [ADVISED[text]]
    for head in heads:
        assert parse([text[:head]], market=market) == [ADVISED[text]]


@pytest.mark.parametrize(
    ("text", "words"),
    [("09:30:60", "does not exist"), ("09:60", "does not exist"), ("2024-02-30 09:30:00 EST", "does not exist"),
     ("23-01-03 10:00:00", "without format="), ("10:00:00+08:00", "without its date it cannot be converted")],
)  # fmt: skip
def test_no_advice_reads_another_time(text: str, words: str) -> None:
    with raises(DataError, words, column="t", row=0):
        parse([text])


def test_spaces_around_a_time_do_not_matter() -> None:
    assert parse([" 09:30:00.5", "2024-01-02 09:30:01 ", "  9:30 ", " ", ""]) == [0.5, 1.0, 0.0, None, None]


@pytest.mark.parametrize("format", ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S"])
def test_a_year_that_nanoseconds_do_not_reach_is_no_other_year(format: str) -> None:
    texts = ["2024-01-02 09:30:01", "0023-01-03 10:00:00", "9999-01-03 10:00:00"]
    fine = "f" in format
    assert parse(texts, format=format) == ([1.0, None, None] if fine else [1.0, 1_800.0, 1_800.0])
    assert parse(texts, format=format, date="20240102") == [1.0, None, None]


@pytest.mark.parametrize("options", [{"unit": "HHMMSS"}, {"format": "%H:%M"}, {"format": "%Y%m%d %H:%M"}], ids=str)
def test_text_that_a_unit_or_a_format_does_not_read_is_told_so(options: dict[str, Any]) -> None:
    with raises(DataError, "none of its 2 values is spelt as the unit or the format", column="t", row=0):
        parse(["x", "y"], **options)


@pytest.mark.parametrize(
    "dtype", [pl.Date, pl.String, pl.Int64, pl.UInt32, pl.Categorical, pl.Enum(["20241129"])], ids=str
)
def test_the_column_of_days_may_be_spelt_in_any_way(dtype: Any) -> None:
    text = pl.Series(["20241129"] * 2)
    days = text.str.to_date("%Y%m%d") if dtype == pl.Date else text.cast(dtype)
    frame = pl.DataFrame({"t": [125_900, 140_000], "date": days, "symbol": ["a", "a"], "price": [1.0, 2.0]})
    parsed = vf.parse_time(frame, "US", "t", unit="HHMMSS", date_col="date").collect()
    assert parsed["elapsed_seconds"].to_list() == [12_540, None]
    assert vf.time_report(frame, "US", "t", unit="HHMMSS", date_col="date")["outside"] == 1
    assert vf.forward_return(parsed, [60, 61], end=vf.US).collect().row(0)[-2:] == (None, None)
    late = parsed.with_columns(elapsed_seconds=pl.Series([12_540, 12_620]))
    assert vf.forward_return(late, [60, 61], end=vf.US).collect().row(0)[-2:] == (0.0, None)


# ---- D7: clocks that change ---------------------------------------------------------------------------------------


def moment(*fields: int) -> dt.datetime:
    return dt.datetime(*fields, tzinfo=UTC)  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["zoned", "epoch"])
@pytest.mark.parametrize("options", [{}, {"date": "20241103"}])
def test_a_trade_after_the_clocks_went_back_is_later(kind: str, options: dict[str, Any]) -> None:
    stamps = [moment(2024, 11, 3, 5, 50), moment(2024, 11, 3, 6, 10)]  # 01:50, and 01:10 after the change
    if kind == "zoned":
        assert parse(stamps, market=YORK, **options) == [6_600.0, 7_800.0]
    else:
        assert parse([int(s.timestamp()) for s in stamps], market=YORK, unit="s", **options) == [6_600, 7_800]
    assert [YORK.elapsed_seconds(s) for s in stamps] == [6_600, 7_800]


def test_days_on_which_clocks_change_have_their_real_length() -> None:
    assert [YORK.end_on(date) for date in ("20241103", "20240310", "20240311")] == [90_000, 82_800, 86_400]
    assert YORK.on("20241103").seconds == 90_000
    last = [moment(2024, 11, 4, 4, 59, 59), moment(2024, 3, 11, 3, 59, 59)]
    assert parse(last, market=YORK) == [89_999.0, 82_799.0]
    assert vf.US.end_on("20240311") == 23_400


CHANGES = {"20240310": 82_800, "20241103": 90_000, "20240601": 86_400}


def near_the_end(column: bool, dates: list[str]) -> pl.DataFrame:
    """Trades 100 s and 10 s before the ends of days on which clocks change, and one at 00:30."""
    rows = []
    for date in dates:
        day = dt.datetime.strptime(date, "%Y%m%d").replace(tzinfo=ZoneInfo("America/New_York"))
        midnight = (day + dt.timedelta(1)).astimezone(UTC)
        stamps = [
            day + dt.timedelta(minutes=30),
            midnight - dt.timedelta(seconds=100),
            midnight - dt.timedelta(seconds=10),
        ]
        rows += [{"date": date, "symbol": "a", "t": stamp.astimezone(UTC)} for stamp in stamps]
    frame = pl.DataFrame(rows).with_columns(price=pl.Series([8.0, 16.0, 24.0] * len(dates)))
    parsed = vf.parse_time(frame, YORK, "t", date_col="date").collect()
    assert parsed["elapsed_seconds"].to_list() == [x for d in dates for x in (1_800, CHANGES[d] - 100, CHANGES[d] - 10)]
    return parsed if column else parsed.drop("date")


@pytest.mark.parametrize("how", ["column", "date", "market"])
@pytest.mark.parametrize("spelling", ["text", "Date", "int"])
def test_nothing_reaches_past_the_real_end_of_a_day_whose_clocks_change(how: str, spelling: str) -> None:
    def answers(df: pl.DataFrame, market: vf.Market, **said: Any) -> pl.DataFrame:
        if "date" in df.columns and spelling != "text":
            df = df.with_columns(vf.calendar.as_date("date") if spelling == "Date" else pl.col("date").cast(pl.Int32))
        out = vf.forward_return(df, [90, 101], end=market, method="forward", **said)
        out = vf.merge_forward(out, df, ["price"], [90, 101], end=market, past_last="keep", **said)
        out = vf.mark_to_close(out, end=market, **said).collect()
        return out.select("return_90", "return_101", "price_90", "price_101", "close_return")

    expected = {"return_90": [1.0, 0.5, None], "return_101": [1.0, None, None], "price_90": [8.0, 24.0, None],
                "price_101": [8.0, None, None], "close_return": [2.0, 0.5, 0.0]}  # fmt: skip
    if how == "column":
        out = answers(near_the_end(True, list(CHANGES)), YORK)
        assert out.to_dict(as_series=False) == {name: values * 3 for name, values in expected.items()}
        return
    for date in CHANGES:
        market, said = (YORK, {"date": date}) if how == "date" else (YORK.on(date), {})
        assert answers(near_the_end(False, [date]), market, **said).to_dict(as_series=False) == expected


def test_daily_and_check_know_days_whose_clocks_change(tmp_path: Path) -> None:
    for date in CHANGES:
        near_the_end(True, [date]).drop("elapsed_seconds", "date").write_ipc(tmp_path / f"{date}.feather")
    config = vf.Config(input_dir=tmp_path, market=YORK, columns={"timestamp": "t"})
    bars = vf.daily(config, list(CHANGES)).collect()
    assert bars["last_time"].to_list() == [seconds - 10 for seconds in CHANGES.values()]
    assert bars["close"].to_list() == [24.0] * 3
    assert vf.check(config, dates=list(CHANGES)).frame.filter(pl.col("severity") != "info").is_empty()
    reports = [vf.time_report(pl.read_ipc(tmp_path / f"{date}.feather"), YORK.on(date), "t") for date in CHANGES]
    assert [(r["outside"], r["other_date"]) for r in reports] == [(0, 0)] * 3


def test_the_ends_of_days_know_the_zone() -> None:
    always = vf.Market("always", [vf.Session("00:00", "24:00")], "America/New_York", "crypto")
    night = vf.Market("night", [vf.Session("18:00", "17:00")], "America/New_York", "crypto")
    days = pl.DataFrame({"date": list(CHANGES)}).with_columns(vf.calendar.as_date("date"))
    for market, hours in ((always, [23, 25, 24]), (night, [22, 24, 23]), (vf.Market.get("crypto"), [24, 24, 24])):
        assert days.select(vf.calendar.ends("date", market).dt.total_hours())["date"].to_list() == hours
        assert [market.end_on(date) // 3600 for date in CHANGES] == hours


@given(
    st.sampled_from([(2024, 11, 3), (2024, 3, 10), (2024, 6, 1)]),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Shanghai", "America/Havana", "Australia/Lord_Howe"]),
    st.lists(st.integers(-90_000, 180_000), min_size=2, max_size=20),
)
def test_time_goes_forward_within_a_day(day: tuple[int, int, int], zone: str, seconds: list[int]) -> None:
    market = vf.Market("always", [vf.Session("00:00", "24:00")], zone)
    base = moment(*day)
    stamps = [base + dt.timedelta(seconds=s) for s in sorted(seconds)]
    elapsed = parse(stamps, market=market)
    local = [s.astimezone(ZoneInfo(zone)) for s in stamps]
    for n, midnight in enumerate(stamp.replace(hour=0, minute=0, second=0, fold=0) for stamp in local):
        assert elapsed[n] == (stamps[n] - midnight.astimezone(UTC)).total_seconds()


# ---- D8: days that the weather cut ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "hk", "northbound"),
    [
        ("20200819", ["13:30-16:00"], ["13:30-15:00"]),
        ("20221102", ["09:30-12:00", "13:00-13:55"], ["09:30-11:30", "13:00-13:55"]),
        ("20190731", ["09:30-12:00", "13:00-13:55"], ["09:30-11:30", "13:00-13:55"]),
        ("20140916", ["13:00-16:00"], None),
        ("20241224", ["09:30-12:00"], ["09:30-11:30", "13:00-15:00"]),  # a scheduled half day is Hong Kong's alone
    ],
)
def test_typhoons_cut_hong_kong_and_its_link(date: str, hk: list[str], northbound: list[str] | None) -> None:
    def shown(market: vf.Market) -> list[str]:
        return [f"{session.start}-{session.end}" for session in market.sessions_on(date)]

    assert shown(vf.HK) == hk
    assert northbound is None or shown(vf.HKEX_NORTHBOUND) == northbound
