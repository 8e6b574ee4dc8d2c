"""Sessions, markets, and the clock of one moment."""

from __future__ import annotations

import datetime as dt
import pickle

import pytest

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, DataError

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
