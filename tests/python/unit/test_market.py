"""Sessions, markets, and the clock of one moment."""

from __future__ import annotations

import datetime as dt
import pickle
from typing import Any

import pytest

import vizflow as vf
from support import raises
from vizflow.errors import CalendarRangeError, ConfigError, DataError

LUNCH_TO_NIGHT = [vf.Session("21:00", "02:30"), vf.Session("09:00", "10:15"), vf.Session("10:30", "11:30")]


@pytest.mark.parametrize(
    ("market", "seconds"),
    [
        (vf.CN, 14_400),
        (vf.KR, 23_400),
        (vf.HK, 19_800),
        (vf.HKEX_NORTHBOUND, 14_400),
        (vf.US, 23_400),
        (vf.CRYPTO, 86_400),
    ],
)
def test_presets_have_the_specified_hours(market: vf.Market, seconds: int) -> None:
    assert market.seconds == seconds
    assert market.elapsed_seconds(dt.time.fromisoformat(market.sessions[0].start)) == 0


@pytest.mark.parametrize(
    ("time", "elapsed"),
    [
        ("09:30:00", 0),
        ("11:29:59", 7199),
        ("11:30:00", 7200),
        ("13:00:00", 7200),
        ("13:00:01", 7201),
        ("15:00:00", 14_400),
    ],
)
def test_design_document_examples_of_elapsed_seconds(time: str, elapsed: int) -> None:
    result = vf.CN.elapsed_seconds(dt.datetime.fromisoformat(f"2024-10-01T{time}"))
    assert result == elapsed
    assert type(result) is int


def test_fractions_of_a_second_are_kept() -> None:
    assert vf.CN.elapsed_seconds(dt.time(9, 30, 0, 500_000)) == 0.5


def test_time_outside_raises_by_default_and_says_when_the_market_is_open() -> None:
    with raises(DataError, "12:00:00", "'CN'", "09:30-11:30, 13:00-15:00"):
        vf.CN.elapsed_seconds(dt.time(12))
    with pytest.raises(ValueError, match="outside the sessions"):
        vf.CN.elapsed_seconds(dt.time(15, 0, 0, 1))


@pytest.mark.parametrize(
    ("time", "clipped"), [("09:00", 0), ("11:31", 7200), ("12:59", 7200), ("23:59", 14_400), ("00:00", 0)]
)
def test_outside_null_and_clip(time: str, clipped: int) -> None:
    moment = dt.time.fromisoformat(time)
    assert vf.CN.elapsed_seconds(moment, outside="null") is None
    assert vf.CN.elapsed_seconds(moment, outside="clip") == clipped


def test_grace_reaches_exactly_so_far() -> None:
    assert vf.CN.elapsed_seconds(dt.time(9, 25), grace=300) == 0
    assert vf.CN.elapsed_seconds(dt.time(9, 24, 59), grace=300, outside="null") is None
    assert vf.CN.elapsed_seconds(dt.time(15, 0, 3), grace=3) == 14_400


def test_session_across_midnight_belongs_to_the_next_day() -> None:
    night = vf.Market("futures", LUNCH_TO_NIGHT)
    assert night.seconds == int((5.5 + 1.25 + 1) * 3600)
    assert night.elapsed_seconds(dt.time(21)) == 0
    assert night.elapsed_seconds(dt.time(0)) == 3 * 3600
    assert night.elapsed_seconds(dt.time(2, 30)) == 5.5 * 3600
    assert night.elapsed_seconds(dt.time(9, 0, 1)) == 5.5 * 3600 + 1


def test_datetime_with_a_zone_is_converted() -> None:
    moment = dt.datetime(2024, 10, 1, 1, 30, 5, tzinfo=dt.timezone.utc)
    assert vf.CN.elapsed_seconds(moment) == 5
    with raises(ConfigError, "no time zone"):
        vf.Market("local", [vf.Session("09:00", "10:00")]).elapsed_seconds(moment)


@pytest.mark.parametrize(
    "text", ["9:30", "24:01", "25:00", "12:60", "12:00:60", "", "０９:30", "12:00 ", "-1:00", None, 930]
)
def test_session_times_that_are_none_are_refused(text: str) -> None:
    with raises(ConfigError, "'HH:MM'"):
        vf.Session(text, "23:00")


@pytest.mark.parametrize(
    ("sessions", "what"),
    [
        ([], "session"),
        ([("09:30", "11:30"), ("11:00", "15:00")], "session"),
        ([("13:00", "15:00"), ("09:30", "11:30")], "session"),
        ([("09:30", "11:30"), ("21:00", "02:00")], "session"),
        ([("21:00", "09:30"), ("09:00", "22:00")], "session"),
    ],
)
def test_sessions_out_of_order_or_overlapping_are_refused(sessions: list[tuple[str, str]], what: str) -> None:
    with raises(ConfigError, "'bad'", what):
        vf.Market("bad", [vf.Session(*pair) for pair in sessions])


def test_market_refuses_what_is_no_session_and_no_zone() -> None:
    with raises(ConfigError, "Session objects"):
        vf.Market("bad", [("09:30", "11:30")])  # type: ignore[list-item]
    with raises(ConfigError, "IANA"):
        vf.Market("bad", [vf.Session("09:30", "11:30")], "Mars/Olympus")


@pytest.mark.parametrize("name", ["CN", "cn", "KR", "hk", "US", "CRYPTO", "crypto", "HKEX_Northbound"])
def test_get_takes_names_in_any_case(name: str) -> None:
    assert vf.Market.get(name).name.lower() == name.lower()


def test_get_passes_a_market_through_and_refuses_unknown_names() -> None:
    assert vf.Market.get(vf.KR) is vf.KR
    with raises(ConfigError, "'XX'", "'hkex_northbound'"):
        vf.Market.get("XX")


@pytest.mark.parametrize("grace", [-1, 86_401, float("nan"), True, "5"])
def test_bad_grace_is_refused(grace: float) -> None:
    with raises(ConfigError, "grace"):
        vf.CN.elapsed_seconds(dt.time(10), grace=grace)


def test_bad_outside_is_refused() -> None:
    with raises(ConfigError, "'null', 'clip' or 'raise'"):
        vf.CN.elapsed_seconds(dt.time(10), outside="drop")  # type: ignore[arg-type]


def test_markets_are_values() -> None:
    assert pickle.loads(pickle.dumps(vf.CN)) == vf.CN
    assert len({vf.CN, vf.CN, vf.KR}) == 2


# ---- dates ------------------------------------------------------------------------------------------------------


def test_a_market_without_calendar_trades_every_day_alike() -> None:
    own = vf.Market("own", [vf.Session("09:00", "10:00")])
    assert own.sessions_on("20240101") == own.sessions_on("29991231") == own.sessions
    assert own.end_on("20240101") == 3600


def test_a_day_that_is_not_traded_has_no_end() -> None:
    with raises(ConfigError, "2024-10-01", "'CN'", "no trading day"):
        vf.CN.end_on("20241001")
    with raises(ConfigError, "no trading day"):
        vf.CN.elapsed_seconds(dt.time(10), date="20241001")
    with raises(ConfigError, "YYYYMMDD"):
        vf.CN.sessions_on("2024-10-01")


def test_elapsed_seconds_on_a_date() -> None:
    assert vf.KR.elapsed_seconds(dt.time(10), date="20241114") == 0
    assert vf.KR.elapsed_seconds(dt.time(10), date="20241115") == 3600
    with raises(DataError, "09:30:00", "10:00-16:30"):
        vf.KR.elapsed_seconds(dt.time(9, 30), date="20241114")


def test_overrides() -> None:
    late = vf.HK.on({"20231009": [vf.Session("14:00", "16:00")]})
    assert late.sessions_on("20231009") == (vf.Session("14:00", "16:00"),)
    assert late.sessions_on("20231010") == vf.HK.sessions
    assert late.sessions_on("20231224") == ()
    again = late.on({("20231009", "20231013"): [vf.Session("10:00", "11:00:30")]})
    assert [again.end_on(f"202310{day:02}") for day in (6, 9, 10, 13, 16)] == [19_800, 3630, 3630, 3630, 19_800]
    assert pickle.loads(pickle.dumps(again)) == again
    assert len({again, late, vf.HK, late.on({})}) == 3
    own = vf.Market("own hours", [vf.Session("09:00", "10:00")], overrides={"20240101": [vf.Session("09:00", "09:30")]})
    assert [own.end_on(day) for day in ("20240101", "20240102", "19000101")] == [1800, 3600, 3600]


def test_sessions_of_ones_own_on_a_bundled_calendar() -> None:
    early = vf.Market("early", [vf.Session("04:00", "20:00")], "America/New_York", "us")
    assert early.calendar == "US"
    assert early.end_on("20241129") == 16 * 3600
    assert early.sessions_on("20241128") == ()


def test_overrides_are_checked() -> None:
    hour = [vf.Session("09:00", "10:00")]
    with raises(ConfigError, "2024-10-01", "no trading day"):
        vf.CN.on({"20241001": hour})
    with raises(CalendarRangeError, "2026-12-31"):
        vf.CN.on({"20270104": hour})
    with raises(ConfigError, "ends before"):
        vf.CN.on({("20240103", "20240102"): hour})
    with raises(ConfigError, "session"):
        vf.CN.on({"20240102": []})
    with raises(ConfigError, "session"):
        vf.CN.on({"20240102": [vf.Session("13:00", "15:00"), vf.Session("09:30", "11:30")]})
    with raises(ConfigError, "'nowhere'", "'CN'"):
        vf.Market("x", hour, calendar="nowhere")


def test_a_night_that_ends_before_midnight() -> None:
    night = vf.Market.cn_futures("23:00")
    assert night.sessions[0] == vf.Session("21:00", "23:00", night=True)
    assert night.elapsed_seconds(dt.time(21)) == 0
    assert night.elapsed_seconds(dt.time(23)) == 7200
    assert night.elapsed_seconds(dt.time(9)) == 7200
    assert night.elapsed_seconds(dt.time(15)) == night.seconds == 7200 + 3 * 3600 + 2700
    assert night.elapsed_seconds(dt.time(0), outside="null") is None
    with raises(ConfigError, "only the first"):
        vf.Market("x", [vf.Session("09:00", "10:00"), vf.Session("21:00", "23:00", night=True)])


@pytest.mark.parametrize(
    ("day", "night"),
    [
        ("20240603", True),  # Monday: Friday's night
        ("20240604", True),
        ("20240611", False),  # after the Dragon Boat Monday
        ("20241008", False),  # after the National Day week
        ("20240103", True),
        ("20240102", False),  # after New Year's Day
        ("20130705", False),  # nights began that evening
        ("20130708", True),
        ("20200203", False),
        ("20200506", False),  # nights were off for the epidemic
        ("20200507", True),
    ],
)
@pytest.mark.parametrize("end", ["23:00", "01:00", "02:30"])
def test_no_night_before_a_holiday(day: str, night: bool, end: Any) -> None:
    sessions = vf.Market.cn_futures(end).sessions_on(day)
    assert [session.night for session in sessions] == [True] * night + [False] * 3
    assert vf.Market.cn_futures(None).sessions_on(day) == sessions[-3:]


def test_nights_that_were_left_out() -> None:
    market = vf.Market.cn_futures("01:00", night_from="20141226", no_night=["20240604", ("20240610", "20240614")])
    assert not market.sessions_on("20141225")[0].night
    assert market.sessions_on("20141226")[0].night
    assert [market.sessions_on(f"202406{day:02}")[0].night for day in (3, 4, 5, 12, 14, 17)] == [
        True, False, True, False, False, True,
    ]  # fmt: skip
    with raises(ConfigError, "no night session"):
        vf.CN.without_night(["20240604"])
