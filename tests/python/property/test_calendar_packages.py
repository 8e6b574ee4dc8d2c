"""Day by day, the bundled calendars against public calendar packages: every difference is a listed correction."""

from __future__ import annotations

import datetime as dt
import importlib.util
import sys
import warnings
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import vizflow as vf

ROOT = Path(__file__).parents[3]
PACKAGES = ["exchange_calendars", "pandas_market_calendars", "holidays"]


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_calendars", ROOT / "tools" / "make_calendars.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_calendars"] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()
bundles = pytest.mark.parametrize("bundle", tool.BUNDLES, ids=lambda bundle: bundle.name)


def shipped(bundle: object) -> object:
    """What the installed package says of a market, in the tool's terms."""
    frame = vf.calendar.get(bundle.name)  # type: ignore[attr-defined]
    market = vf.Market.get(bundle.name)  # type: ignore[attr-defined]
    special = {}
    for day in frame["date"].to_list():
        hours = tuple(f"{s.start}-{s.end}".replace(":", "") for s in market.sessions_on(day))
        special[day] = hours
    return tool.Truth(bundle, set(frame["date"].to_list()), set(), special)


@bundles
def test_every_difference_is_a_listed_correction(bundle: object) -> None:
    for package in PACKAGES:
        pytest.importorskip(package, reason="the calendar packages are in the extra 'calendars'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        found = shipped(bundle)
        assert tool.unexplained(bundle, found) == []
        compared = tool.differences(bundle, found)
    assert len(compared) >= 2, "at least two packages are looked at"
    assert all(len(days) < 60 for days in compared.values()), "a package that says something else altogether"


@bundles
def test_a_wrong_day_would_be_found(bundle: object) -> None:
    for package in PACKAGES:
        pytest.importorskip(package, reason="the calendar packages are in the extra 'calendars'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = shipped(bundle)
        day = dt.date(2024, 6, 4)
        found.days.discard(day)  # type: ignore[attr-defined]
        assert {line.split()[1] for line in tool.unexplained(bundle, found)} == {f"{day}:"}


@bundles
def test_corrections_hold_in_the_bundle(bundle: object) -> None:
    name = bundle.name  # type: ignore[attr-defined]
    for item in tool.corrections(name):
        if item.hours is not None:
            sessions = vf.Market.get(name).sessions_on(item.day)
            assert tuple(f"{s.start}-{s.end}".replace(":", "") for s in sessions) == item.hours, item
        else:
            assert vf.calendar.is_trading_day(item.day, name) == (item.truth == "open"), item
        assert item.reason


def test_the_texts_are_small_and_say_what_is_known() -> None:
    texts = list((Path(vf.__file__).parent / "_calendars").glob("*.txt"))
    assert {path.stem for path in texts} == {"CN", "KR", "HK", "US", "crypto", "hkex_northbound"}
    assert sum(path.stat().st_size for path in texts) < tool.LIMIT
    for bundle in tool.BUNDLES:
        known = vf.calendar.info(bundle.name)
        assert (known.first, known.last, known.verified) == (bundle.first, bundle.last, bundle.verified)


def test_northbound_follows_from_both_markets() -> None:
    """The rule in plain Python; which closures were at short notice is what the corrections say."""
    cn = vf.calendar.get("CN")["date"].to_list()
    hk = set(vf.calendar.get("HK")["date"].to_list())
    adhoc = {item.day for item in tool.corrections("HK") if item.truth == "adhoc"}
    want = []
    for day, after in zip(cn, [*cn[1:], None], strict=True):
        settles = after is None or after in hk or after in adhoc
        if day >= dt.date(2014, 11, 17) and day in hk and (day >= dt.date(2023, 4, 24) or settles):
            want.append(day)
    got = vf.calendar.get("hkex_northbound").select(pl.col("date"))
    assert got["date"].to_list() == want
