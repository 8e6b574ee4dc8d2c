"""Laws of calendars and of dated clocks, against plain Python."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vizflow as vf
from support import raises
from vizflow import calendar
from vizflow.errors import CalendarRangeError

MARKETS = [vf.CN, vf.KR, vf.HK, vf.US, vf.CRYPTO, vf.HKEX_NORTHBOUND]
names = pytest.mark.parametrize("market", MARKETS, ids=lambda market: market.name)
YEARS = range(2017, 2027)


def text(day: dt.date) -> str:
    return f"{day:%Y%m%d}"


@names
def test_next_and_previous_are_inverse_on_every_day(market: vf.Market) -> None:
    days = calendar.get(market)["date"].to_list()
    for before, after in pairwise(days):
        assert calendar.next_day(before, market) == text(after)
        assert calendar.prev_day(after, market) == text(before)
    known = calendar.info(market)
    with raises(CalendarRangeError, "edge", str(known.last)):
        calendar.next_day(days[-1], market)
    with raises(CalendarRangeError, "edge", str(known.first)):
        calendar.prev_day(days[0], market)


@names
@given(data=st.data())
def test_a_day_that_is_not_traded_lies_between_its_neighbours(market: vf.Market, data: st.DataObject) -> None:
    known = calendar.info(market)
    day = data.draw(st.dates(known.first + dt.timedelta(14), known.last - dt.timedelta(14)))
    before, after = calendar.prev_day(day, market), calendar.next_day(day, market)
    assert before < text(day) < after
    assert calendar.is_trading_day(day, market) == (calendar.prev_day(after, market) == text(day))
    assert calendar.is_trading_day(day, market) == (calendar.next_day(before, market) == text(day))
    gap = calendar.index(after, market) - calendar.index(before, market)
    assert gap == 1 + calendar.is_trading_day(day, market)


@names
@given(data=st.data())
def test_a_range_is_the_frame_filtered(market: vf.Market, data: st.DataObject) -> None:
    known = calendar.info(market)
    days = st.dates(known.first, known.last)
    start, end = sorted([data.draw(days), data.draw(days)])
    frame = calendar.get(market)
    for given_as in (market, market.name, frame if start >= frame["date"][0] and end <= frame["date"][-1] else market):
        found = calendar.range(start, end, given_as)
        assert found == [text(day) for day in frame["date"].to_list() if start <= day <= end]
    assert len(found) == (
        calendar.index(end, market) - calendar.index(start, market) + calendar.is_trading_day(end, market)
    )


@names
def test_a_frame_links_each_day_with_its_neighbours(market: vf.Market) -> None:
    frame = calendar.get(market)
    assert frame["date"].is_sorted()
    assert frame["date"].n_unique() == frame.height == calendar.info(market).trading_days
    assert frame["prev_date"].to_list() == [None, *frame["date"].to_list()[:-1]]
    assert frame["next_date"].to_list() == [*frame["date"].to_list()[1:], None]
    assert calendar.generate(frame["date"].to_list()).equals(frame.drop("sessions"))


@names
def test_days_of_the_week(market: vf.Market) -> None:
    weekdays = set(calendar.get(market)["date"].dt.weekday().to_list())
    assert weekdays == (set(range(1, 8)) if market is vf.CRYPTO else set(range(1, 6)))


# ---- clocks -----------------------------------------------------------------------------------------------------


def seconds_of(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 3600 + int(minute) * 60


def oracle(sessions: str, second: int) -> int | None:
    """Elapsed seconds by the definition: lengths of the sessions before, and the time into this one."""
    elapsed = 0
    for session in sessions.split(","):
        start, end = map(seconds_of, session.split("-"))
        if start <= second <= end:
            return elapsed + second - start
        elapsed += end - start
    return None


def usual(market: vf.Market) -> str:
    return ",".join(f"{session.start}-{session.end}" for session in market.sessions)


def digits(second: int) -> int:
    return second // 3600 * 10000 + second // 60 % 60 * 100 + second % 60


def other_days(market: vf.Market) -> pl.DataFrame:
    """Ten years' days with sessions of their own, and one that is like any other."""
    frame = calendar.get(market).filter(pl.col("date").dt.year().is_in(YEARS))
    usual_day = frame.filter(pl.col("sessions").is_null()).head(1)
    return pl.concat([usual_day, frame.filter(pl.col("sessions").is_not_null())])


@names
def test_every_second_of_every_day_with_other_sessions(market: vf.Market) -> None:
    days = other_days(market).select("date", sessions=pl.col("sessions").fill_null(usual(market)))
    every = pl.DataFrame({"time": [digits(second) for second in range(86_401)], "second": range(86_401)})
    wanted = pl.concat(
        every.with_columns(
            sessions=pl.lit(hours),
            want=pl.Series([oracle(hours, second) for second in range(86_401)], dtype=pl.Int64),
        )
        for hours in days["sessions"].unique().to_list()
    )
    for day, hours in days.iter_rows():
        dated = every.with_columns(date=day)
        got = vf.parse_time(dated, market, "time", unit="HHMMSS", date_col="date").collect()["elapsed_seconds"]
        want = wanted.filter(sessions=hours)["want"].alias("elapsed_seconds")
        assert got.equals(want), f"{market.name} {day}"  # EXACT
        whole = vf.parse_time(every, market, "time", unit="HHMMSS", date=day).collect()["elapsed_seconds"]
        assert whole.equals(got)
        assert market.end_on(day) == want.max()


@names
def test_elapsed_time_never_goes_back(market: vf.Market) -> None:
    for day in other_days(market)["date"].to_list():
        clock = [dt.time(minute // 60, minute % 60) for minute in range(1440)]
        elapsed = [market.elapsed_seconds(time, outside="null", date=day) for time in clock]
        inside = [value for value in elapsed if value is not None]
        assert inside == sorted(inside)
        assert inside[0] == 0


@names
def test_rows_of_many_days_are_each_placed_by_their_own(market: vf.Market) -> None:
    days = other_days(market).select("date", sessions=pl.col("sessions").fill_null(usual(market)))
    rows = (
        pl.DataFrame({"second": range(0, 86_400, 601)}).join(days, how="cross").sample(fraction=1, shuffle=True, seed=6)
    )
    rows = rows.with_columns(time=pl.from_epoch(pl.col("second"), time_unit="s").dt.time(), n=pl.int_range(pl.len()))
    columns = zip(rows["second"], rows["sessions"], strict=True)
    want = [None if row % 7 == 0 else oracle(hours, second) for row, (second, hours) in enumerate(columns)]
    spelt = [pl.col("date"), pl.col("date").dt.strftime("%Y%m%d"), pl.col("date").dt.strftime("%Y%m%d").cast(pl.Int32)]
    for day in (*spelt, pl.col("date").cast(pl.Datetime("ms")), pl.col("date").dt.strftime("%Y-%m-%d")):
        dated = rows.with_columns(date=pl.when(pl.col("n") % 7 != 0).then(day))
        got = vf.parse_time(dated, market, "time", date_col="date").collect()["elapsed_seconds"]
        assert got.to_list() == want


@given(
    dates=st.lists(st.dates(dt.date(2013, 1, 1), dt.date(2026, 12, 31)), min_size=1, max_size=30),
    seconds=st.lists(st.integers(0, 86_399), min_size=1, max_size=30),
)
def test_a_night_belongs_to_the_next_trading_day_unless_there_is_none(dates: list[dt.date], seconds: list[int]) -> None:
    market = vf.Market.cn_futures("02:30")
    traded = [day for day in dates if calendar.is_trading_day(day)]
    for day in traded:
        before = dt.date.fromisoformat(calendar.prev_day(day))
        gap = [before + dt.timedelta(n) for n in range(1, (day - before).days)]
        holiday = any(between.weekday() < 5 for between in gap)
        none = holiday or day < dt.date(2013, 7, 8) or dt.date(2020, 2, 3) <= day <= dt.date(2020, 5, 6)
        assert (market.sessions_on(day)[0].start == "21:00") == (not none)
        offset = 0 if none else 5 * 3600 + 1800
        assert market.end_on(day) == offset + 3 * 3600 + 2700
        for second in seconds:
            time = dt.time(second // 3600, second // 60 % 60, second % 60)
            got = market.elapsed_seconds(time, outside="null", date=day)
            want = oracle("09:00-10:15,10:30-11:30,13:30-15:00", second)
            if want is not None:
                assert got == offset + want
            elif none:
                assert got is None
            else:
                into_night = (second - 21 * 3600) % 86_400
                assert got == (into_night if into_night <= offset else None)


@pytest.mark.parametrize("end", ["23:00", "01:00", "02:30"])
def test_every_second_of_days_with_and_without_a_night(end: str) -> None:
    """The night by its rule in plain Python: there is one where only a weekend, or nothing, lies before the day."""
    market = vf.Market.cn_futures(end)
    frame = calendar.get("CN").filter(pl.col("date").dt.year().is_in(range(2022, 2027)))
    gaps = (pl.col("date") - pl.col("prev_date")).dt.total_days()
    weekend = (gaps == 3) & (pl.col("date").dt.weekday() == 1)
    frame = frame.with_columns(night=(gaps == 1) | weekend)
    days = pl.concat([frame.filter("night").head(6), frame.filter(~pl.col("night"))])
    assert days.filter(~pl.col("night")).height > 20
    length = (seconds_of(end) - seconds_of("21:00")) % 86_400
    day_hours = "09:00-10:15,10:30-11:30,13:30-15:00"
    every = pl.DataFrame({"time": [digits(second) for second in range(86_401)]})
    wants = {}
    for night in (True, False):
        into = [(second - 75_600) % 86_400 for second in range(86_401)]
        by_day = [oracle(day_hours, second) for second in range(86_401)]
        wants[night] = [
            by_night if night and by_night <= length else None if late is None else late + length * night
            for by_night, late in zip(into, by_day, strict=True)
        ]
    for day, night in days.select("date", "night").iter_rows():
        got = vf.parse_time(every, market, "time", unit="HHMMSS", date=day).collect()["elapsed_seconds"]
        assert got.to_list() == wants[night], day  # EXACT
