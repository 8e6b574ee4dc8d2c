"""Trading calendars."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow import _calendars, calendar
from vizflow.errors import CalendarRangeError, ConfigError, DataError, SchemaError, StorageError

DAYS = ["20240102", "20240103", "20240105", "20240108"]


@pytest.fixture
def days() -> pl.DataFrame:
    return calendar.generate(DAYS)


def test_generate_sorts_and_takes_each_day_once() -> None:
    out = calendar.generate(["20240105", dt.date(2024, 1, 2), "20240103", dt.datetime(2024, 1, 2, 9), "20240105"])
    assert out.schema == calendar.SCHEMA
    assert out.rows() == [
        (dt.date(2024, 1, 2), None, dt.date(2024, 1, 3)),
        (dt.date(2024, 1, 3), dt.date(2024, 1, 2), dt.date(2024, 1, 5)),
        (dt.date(2024, 1, 5), dt.date(2024, 1, 3), None),
    ]


def test_generate_few_days() -> None:
    assert calendar.generate([]).equals(calendar.empty())
    assert calendar.generate(["20240102"]).row(0) == (dt.date(2024, 1, 2), None, None)


@pytest.mark.parametrize("date", ["20240230", "2024-01-02", "２０２４０１０２", 20240102, None, "../../x"])
def test_generate_refuses_what_is_no_day(date: Any) -> None:
    with raises(ConfigError, "YYYYMMDD"):
        calendar.generate([date])


def test_range_next_and_previous(days: pl.DataFrame) -> None:
    assert calendar.range("20240103", "20240107", days) == ["20240103", "20240105"]
    assert calendar.range("20240104", "20240104", days) == []
    assert calendar.next_day("20240103", days) == "20240105"
    assert calendar.next_day("20240104", days) == "20240105"
    assert calendar.prev_day("20240104", days) == "20240103"
    assert calendar.is_trading_day("20240105", days)
    assert not calendar.is_trading_day("20240104", days)


@pytest.mark.parametrize("date", ["20240101", "20240109"])
def test_outside_what_is_known_it_never_guesses(days: pl.DataFrame, date: str) -> None:
    asks: list[Any] = [calendar.next_day, calendar.prev_day, calendar.is_trading_day]
    for ask in asks:
        with raises(CalendarRangeError, "2024-01-02", "2024-01-08", "calendar.generate"):
            ask(date, days)
    with raises(CalendarRangeError):
        calendar.range(min(date, "20240103"), max(date, "20240103"), days)


def test_edges_have_no_neighbour(days: pl.DataFrame) -> None:
    with raises(CalendarRangeError, "edge"):
        calendar.next_day("20240108", days)
    with raises(CalendarRangeError, "edge"):
        calendar.prev_day("20240102", days)
    with raises(CalendarRangeError):
        calendar.next_day("20240102", calendar.empty())


def test_range_backwards_is_refused(days: pl.DataFrame) -> None:
    with raises(ConfigError, "ends before"):
        calendar.range("20240105", "20240103", days)


@pytest.mark.parametrize(
    "dates",
    [
        pl.Series(DAYS),
        pl.Series(["2024-01-02", "2024-01-03", "2024-01-05", "2024-01-08"]),
        pl.Series([int(day) for day in DAYS]),
        pl.Series([dt.date(2024, 1, day) for day in (8, 5, 3, 2, 2)]),
    ],
    ids=["text", "iso", "integer", "date"],
)
def test_load_reads_days_however_they_are_written(tmp_path: Path, days: pl.DataFrame, dates: pl.Series) -> None:
    path = vf.save(pl.DataFrame({"date": dates}), tmp_path / "days.parquet")
    assert calendar.load(path).equals(days)


def test_load_names_what_is_no_day(tmp_path: Path) -> None:
    path = vf.save(pl.DataFrame({"date": ["20240102", "20240231", "x"]}), tmp_path / "days.parquet")
    with raises(DataError, '"20240231"', "row 1", column="date", count=2, row=1):
        calendar.load(path)


def test_load_needs_a_date_column(tmp_path: Path) -> None:
    with raises(SchemaError, "'date'", column="date"):
        calendar.load(vf.save(pl.DataFrame({"day": DAYS}), tmp_path / "days.csv"))
    with raises(StorageError, "missing.csv"):
        calendar.load(tmp_path / "missing.csv")


def test_from_files_reads_the_names_of_a_folder(tmp_path: Path) -> None:
    for name in (
        "alpha_20240103.feather",
        "alpha_20240102.feather",
        "alpha_2024.feather",
        "x_20240105.feather",
        "alpha_20240108.feather.tmp",
    ):
        (tmp_path / name).touch()
    found = calendar.from_files(tmp_path, "alpha_{date}.feather")
    assert found["date"].to_list() == [dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
    with raises(StorageError, "no file"):
        calendar.from_files(tmp_path, "{date}.parquet")
    with raises(StorageError, "nowhere"):
        calendar.from_files(tmp_path / "nowhere")


# ---- bundled ----------------------------------------------------------------------------------------------------


def test_the_days_of_2024_as_the_design_document_has_them() -> None:
    days = calendar.range("20240101", "20241231")
    assert len(days) == 242
    assert days[:2] == ["20240102", "20240103"]
    assert days[-1] == "20241231"
    assert calendar.range("20240101", "20241231", market="KR") != days


@pytest.mark.parametrize(
    ("market", "first", "days"),
    [
        ("CN", "19901219", 8797),
        ("KR", "19981207", 6917),
        ("HK", "19900102", 9132),
        ("US", "19900102", 9569),
        ("hkex_northbound", "20141117", 2822),
        ("crypto", "20090103", 15_338),
    ],
)
def test_bundled_calendars_begin_where_they_should(market: str, first: str, days: int) -> None:
    frame = calendar.get(market)
    assert frame.schema == {**calendar.SCHEMA, "sessions": pl.String}
    assert frame.height == days
    assert f"{frame['date'][0]:%Y%m%d}" == first
    assert frame.equals(calendar.get(vf.Market.get(market)))
    assert frame.equals(calendar.get(market.upper()))


@pytest.mark.parametrize(
    ("market", "day"),
    [
        ("CN", "20270101"), ("CN", "19901218"), ("KR", "19981206"), ("HK", "19891231"),
        ("US", "20280101"), ("hkex_northbound", "20141116"), ("crypto", "20510101"),
    ],
)  # fmt: skip
def test_beyond_the_bundle_names_the_last_known_day_and_the_way_out(market: str, day: str) -> None:
    known = calendar.info(market)
    asks: list[Any] = [calendar.next_day, calendar.prev_day, calendar.is_trading_day, calendar.index]
    for ask in (*asks, calendar.sessions_on):
        with raises(CalendarRangeError, str(known.first), str(known.last), "calendar.load", "from_files"):
            ask(day, market)
    with raises(CalendarRangeError, str(known.last), "calendar.load"):
        calendar.range(min(day, "20240102"), max(day, "20240102"), market)


def test_a_last_known_day_that_is_closed_is_known() -> None:
    assert not calendar.is_trading_day("20261231", "KR")  # the frame of its days ends on 2026-12-30
    with raises(CalendarRangeError, "edge"):
        calendar.next_day("20261230", "KR")


def test_no_such_calendar() -> None:
    for ask in (calendar.get, calendar.info):
        with raises(ConfigError, "'XX'", "'hkex_northbound'", "calendar.generate"):
            ask("XX")
    own = vf.Market("own", [vf.Session("09:00", "10:00")])
    with raises(ConfigError, "'own' has no calendar", "calendar='CN'"):
        calendar.next_day("20240102", own)
    with raises(ConfigError, "a Market, is accepted"):
        calendar.next_day("20240102", 7)  # type: ignore[arg-type]
    with raises(SchemaError, "'date'"):
        calendar.next_day("20240102", pl.DataFrame({"day": [1]}))


def test_a_calendar_of_ones_own_goes_on_where_the_bundle_ends() -> None:
    longer = calendar.generate([*calendar.get("CN")["date"], "20270104"])
    assert calendar.next_day("20261231", longer) == "20270104"
    assert calendar.info(longer).last == dt.date(2027, 1, 4)


@pytest.mark.parametrize("day", ["20230525", "20231020", "20231222"])
def test_hkex_announced_that_the_new_rule_opens_this_day_of_2023(day: str) -> None:
    assert calendar.is_trading_day(day, "hkex_northbound")


def test_the_change_of_2023_opened_exactly_three_days_of_that_year() -> None:
    cn, hk = (calendar.range("20230424", "20240105", name) for name in ("CN", "HK"))
    unsettled = [day for day, after in pairwise(cn) if day in hk and after not in hk]
    assert set(unsettled) <= set(calendar.range("20230424", "20231231", "hkex_northbound"))
    # Three of them the older rule opened too: Hong Kong was to be open on the next day, and closed for the weather.
    assert sorted({*unsettled} - {"20230714", "20230831", "20230907"}) == ["20230525", "20231020", "20231222"]


@pytest.mark.parametrize(
    ("market", "day", "sessions"),
    [
        ("KR", "19990104", "10:00-12:00,13:00-15:00"),  # first trading day, with lunch
        ("KR", "20000519", "09:00-12:00,13:00-15:00"),
        ("KR", "20000522", "09:00-15:00"),
        ("KR", "20010912", "12:00-15:00"),
        ("KR", "20160729", "09:00-15:00"),
        ("KR", "20160801", "09:00-15:30"),
        ("KR", "20161117", "10:00-16:30"),
        ("KR", "20211118", "10:00-16:30"),
        ("KR", "20221117", "10:00-16:30"),
        ("KR", "20231116", "10:00-16:30"),
        ("KR", "20241114", "10:00-16:30"),
        ("KR", "20251113", "10:00-16:30"),
        ("KR", "20240102", "10:00-15:30"),
        ("KR", "20260102", "10:00-15:30"),
        ("KR", "20261230", "09:00-15:30"),
        ("HK", "20110304", "10:00-12:30,14:30-16:00"),
        ("HK", "20110307", "09:30-12:00,13:30-16:00"),
        ("HK", "20120302", "09:30-12:00,13:30-16:00"),
        ("HK", "20120305", "09:30-12:00,13:00-16:00"),
        ("HK", "20101224", "10:00-12:30"),
        ("HK", "20240209", "09:30-12:00"),
        ("HK", "20231009", "14:00-16:00"),
        ("hkex_northbound", "20231009", "14:00-15:00"),
        ("hkex_northbound", "20210628", "13:30-15:00"),
        ("hkex_northbound", "20220825", "13:00-15:00"),
        ("hkex_northbound", "20241224", "09:30-11:30,13:00-15:00"),
        ("US", "20241129", "09:30-13:00"),
        ("US", "20010917", "09:33-16:00"),
        ("US", "19991231", "09:30-13:00"),
        ("US", "20241202", "09:30-16:00"),
        ("CN", "20240930", "09:30-11:30,13:00-15:00"),
        ("hkex_northbound", "20240930", "09:30-11:30,13:00-15:00"),
        ("crypto", "20240229", "00:00-24:00"),
        ("KR", "20260603", ""),
        ("KR", "20260717", ""),
        ("HK", "20230901", ""),
        ("HK", "20230908", ""),
        ("CN", "20241001", ""),
        ("US", "20250109", ""),
    ],
)
def test_sessions_of_a_date(market: str, day: str, sessions: str) -> None:
    found = calendar.sessions_on(day, market)
    assert ",".join(f"{session.start}-{session.end}" for session in found) == sessions
    assert found == vf.Market.get(market).sessions_on(dt.date(int(day[:4]), int(day[4:6]), int(day[6:])))


def test_the_frame_joins_with_data_however_its_dates_are_spelt() -> None:
    days = calendar.get("CN").lazy().select("date", "prev_date", "next_date")
    date = pl.Series("date", [dt.date(2024, 9, 30), None, dt.date(2024, 10, 8)])
    text = date.dt.strftime("%Y%m%d")
    for spelt in (date, text, date.dt.strftime("%Y-%m-%d"), text.cast(pl.Int32), text.cast(pl.Categorical)):
        data = pl.LazyFrame([spelt]).with_columns(calendar.as_date("date"))
        out = data.join(days, on="date", how="left", maintain_order="left").collect()
        assert out["date"].equals(date)
        assert out["next_date"].to_list() == [dt.date(2024, 10, 8), None, dt.date(2024, 10, 9)]
    with raises(DataError, '"20241301"', column="date"):
        pl.DataFrame({"date": ["20240930", "20241301"]}).select(calendar.as_date("date"))


def test_show_says_what_is_known_and_lists_days() -> None:
    assert calendar.show("KR", "20241113", "20241115").splitlines()[2:] == [
        "20241113",
        "20241114 10:00-16:30",
        "20241115",
    ]
    assert calendar.show("cn", "20241001").splitlines()[2:] == []
    assert calendar.show("CN").startswith("CN: 8797 trading days, known 1990-12-19 to 2026-12-31")


def test_ends_of_a_column() -> None:
    days = pl.DataFrame({"date": [dt.date(2024, 11, 13), None, dt.date(2024, 11, 14), dt.date(2011, 1, 3)]})
    out = days.select(end=calendar.ends("date", "KR"), day=calendar.ends(pl.col("date"), vf.KR))
    assert out.dtypes == [pl.Duration("ns")] * 2
    assert out["end"].to_list() == out["day"].to_list() == [
        dt.timedelta(hours=6.5), None, dt.timedelta(hours=6.5), dt.timedelta(hours=5)
    ]  # fmt: skip
    with raises(DataError, "2024-12-25", column="date"):
        pl.DataFrame({"date": [dt.date(2024, 12, 25)]}).select(calendar.ends("date", "KR"))
    with raises(CalendarRangeError, "2026-12-31"):
        pl.DataFrame({"date": [dt.date(2027, 12, 25)]}).select(calendar.ends("date", "KR"))


def test_the_trading_day_of_a_night() -> None:
    market = vf.Market.cn_futures("01:00")
    monday = dt.datetime(2024, 6, 3)
    hours = [0, 1, 1.1, 9, 20.9, 21, 23.9]
    ticks = pl.DataFrame({"t": [monday + dt.timedelta(days=d, hours=h) for d in (-3, -2, 0, 1) for h in hours]})
    out = ticks.select(calendar.trading_day("t", market))["t"].dt.strftime("%m%d").to_list()
    friday, saturday, first, second = (out[i : i + 7] for i in (0, 7, 14, 21))
    assert friday == ["0531"] * 5 + ["0603"] * 2
    assert saturday == ["0603"] * 2 + ["0601"] * 3 + ["0603"] * 2
    assert first == ["0603"] * 5 + ["0604"] * 2
    assert second == ["0604"] * 5 + ["0605"] * 2
    with raises(CalendarRangeError, "2026-12-31"):
        pl.DataFrame({"t": [dt.datetime(2026, 12, 31, 21)]}).select(calendar.trading_day("t", market))
    with raises(ConfigError, "no calendar"):
        calendar.trading_day("t", vf.Market("own", [vf.Session("21:00", "01:00"), vf.Session("09:00", "10:00")]))


@pytest.mark.parametrize("name", _calendars.NAMES)
def test_every_bundled_calendar_has_a_market_that_trades_its_days(name: str) -> None:
    market = vf.Market.get(name)
    assert market.calendar == name
    days = calendar.get(market)
    assert days.height > 500 or name == "crypto"
    for date in days["date"].tail(1).dt.strftime("%Y%m%d"):
        assert market.sessions_on(date)
