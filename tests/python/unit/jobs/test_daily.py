"""`daily`: bars of the days' files, with the clock, sessions and auction policy that the caller names."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises

ROWS = [
    ("b", 92_500_000, 9.0, 1), ("a", 92_500_000, 10.0, 100), ("a", 93_000_000, 10.1, 5), ("a", 112_959_999, 10.5, 7),
    ("a", 120_000_000, 99.0, 9), ("a", 130_000_000, 9.9, 2), ("a", 145_959_000, 10.2, None), ("b", 150_003_000, 9.5, 4),
    ("a", 140_000_000, 0.0, 1),
]  # fmt: skip


def write(folder: Path, date: str, rows: list[Any], **types: Any) -> None:
    schema = {"symbol": pl.String, "t": pl.Int64, "price": pl.Float64, "volume": pl.Int64, **types}
    vf.save(pl.DataFrame(rows, schema=schema, orient="row"), folder / f"{date}.feather")


@pytest.fixture
def config(tmp_path: Path) -> vf.Config:
    write(tmp_path, "20240102", ROWS)
    write(tmp_path, "20240103", [("c", 100_000_000, 5.0, 1)])
    return vf.Config(input_dir=tmp_path, columns={"timestamp": "t"})


def bars(config: vf.Config, dates: list[str], **options: Any) -> list[dict[str, Any]]:
    return vf.daily(config, dates, unit="HHMMSSmmm", **options).collect().to_dicts()


def test_continuous_trading_only_by_default(config: vf.Config) -> None:
    a, b = bars(config, ["20240102"])
    assert a == {
        "date": dt.date(2024, 1, 2), "symbol": "a", "open": 10.1, "high": 10.5, "low": 9.9, "close": 10.2, "volume": 14,
        "first_time": 0.0, "last_time": 14399.0, "n": 4, "n_outside": 2, "n_invalid": 1,
    }  # fmt: skip
    assert b["open"] is b["close"] is b["high"] is b["low"] is b["first_time"] is b["last_time"] is None
    assert (b["n"], b["n_outside"], b["volume"]) == (0, 2, 0)


def test_grace_counts_the_auction_prints(config: vf.Config) -> None:
    a, b = bars(config, ["20240102"], grace=300)
    assert (a["open"], a["volume"], a["n_outside"]) == (10.0, 114, 1)
    assert (b["open"], b["close"], b["first_time"], b["last_time"]) == (9.0, 9.5, 0.0, 14400.0)


def test_prints_that_share_an_elapsed_time_are_ordered_by_the_wall_clock(tmp_path: Path) -> None:
    rows = [
        ("a", 130_000_000, 3.0, 1),
        ("a", 93_000_000, 2.0, 1),
        ("a", 113_000_000, 4.0, 1),
        ("a", 92_500_000, 1.0, 1),
    ]
    write(tmp_path, "20240102", rows)
    config = vf.Config(input_dir=tmp_path, columns={"timestamp": "t"})
    (a,) = bars(config, ["20240102"], grace=300)
    assert (a["open"], a["close"]) == (1.0, 3.0)
    (a,) = bars(config, ["20240102"])
    assert (a["open"], a["close"]) == (2.0, 3.0)


def test_equal_stamps_keep_the_files_order(tmp_path: Path) -> None:
    write(tmp_path, "20240102", [("a", 93_000_000, price, 1) for price in (3.0, 1.0, 2.0)])
    (a,) = bars(vf.Config(input_dir=tmp_path, columns={"timestamp": "t"}), ["20240102"])
    assert (a["open"], a["high"], a["low"], a["close"]) == (3.0, 3.0, 1.0, 2.0)


class HalfDays(vf.Market):
    """A market that is open in the morning only on 3 January, and closed on the 4th."""

    def sessions_on(self, date: Any) -> tuple[vf.Session, ...]:
        return () if date == "20240104" else tuple(self.sessions)[: 1 if date == "20240103" else 2]


def test_the_sessions_of_a_date_count(tmp_path: Path) -> None:
    rows = [("a", 113_000_000, 1.0, 1), ("a", 140_000_000, 2.0, 1)]
    for date in ("20240102", "20240103", "20240104"):
        write(tmp_path, date, rows)
    config = vf.Config(input_dir=tmp_path, market=HalfDays("half", vf.CN.sessions), columns={"timestamp": "t"})
    usual, half = bars(config, ["20240102", "20240103"])
    assert (usual["close"], usual["n_outside"]) == (2.0, 0)
    assert (half["close"], half["n_outside"]) == (1.0, 1)
    with raises(vf.ConfigError, "20240104 is no trading day", "'half'"):
        bars(config, ["20240102", "20240104"])


@pytest.mark.parametrize("grace", [0, 300])
def test_a_night_session_opens_the_day(tmp_path: Path, grace: float) -> None:
    night = vf.Market("night", [vf.Session("21:00", "01:00"), vf.Session("09:00", "10:15")])
    write(tmp_path, "20240102", [("a", 90_000_000, 3.0, 1), ("a", 3_000_000, 2.0, 1), ("a", 210_000_000, 1.0, 1)])
    (a,) = bars(vf.Config(input_dir=tmp_path, market=night, columns={"timestamp": "t"}), ["20240102"], grace=grace)
    assert (a["open"], a["close"], a["n"]) == (1.0, 3.0, 3)


def test_days_come_in_the_order_given_each_with_its_own_symbols(config: vf.Config, engine: Any) -> None:
    lf = vf.daily(config, ["20240103", "20240102"], unit="HHMMSSmmm")
    out = lf.collect(engine=engine)
    assert out.select("date", "symbol").rows() == [
        (dt.date(2024, 1, 3), "c"), (dt.date(2024, 1, 2), "a"), (dt.date(2024, 1, 2), "b"),
    ]  # fmt: skip
    assert out.schema == lf.collect_schema()
    assert lf.select("symbol", "close").filter(pl.col("close") > 6).collect(engine=engine).rows() == [("a", 10.2)]
    assert lf.head(1).collect(engine=engine)["symbol"].to_list() == ["c"]


def test_expressions_and_rows_left_out(tmp_path: Path) -> None:
    book = pl.DataFrame({
        "ukey": [7, 7, 7], "t": [93_000, 93_001, 93_002], "lots": [1.5, 2.5, 4.0],
        "BidPrice1": [9.0, 0.0, 11.0], "AskPrice1": [11.0, 11.0, 13.0],
    })  # fmt: skip
    vf.save(book, tmp_path / "20240102.feather")
    config = vf.Config(input_dir=tmp_path, columns={"timestamp": "t", "symbol": "ukey"})
    mid = vf.mid("BidPrice1", "AskPrice1")
    out = vf.daily(config, ["20240102"], price=mid, volume=pl.col("lots") * 100, unit="HHMMSS").collect()
    assert out.select("ukey", "open", "close", "volume", "n", "n_invalid").row(0) == (7, 10.0, 12.0, 550.0, 2, 1)
    some = vf.daily(config, ["20240102"], price=mid, unit="HHMMSS", where=pl.col("lots") < 4).collect()
    assert some["close"].to_list() == [10.0]
    assert "volume" not in some.columns


def test_daily_feeds_overnight_return(config: vf.Config, tmp_path: Path) -> None:
    write(tmp_path, "20240103", [("a", 93_000_000, 10.2 * 1.5, 1)])
    days = vf.calendar.from_files(tmp_path)
    daily = vf.daily(config, ["20240102", "20240103"], unit="HHMMSSmmm")
    ticks = vf.scan(tmp_path / "20240102.feather")
    out = vf.overnight_return(ticks, days, daily=daily, date="20240102").collect()
    assert out["overnight_return"].to_list() == [0.5 if row[0] == "a" else None for row in ROWS]


def test_files_that_are_missing_are_named_before_anything_is_read(config: vf.Config) -> None:
    with raises(vf.StorageError, "1 of 2 days", "20240104.feather", "from_files"):
        vf.daily(config, ["20240102", "20240104"])


@pytest.mark.parametrize(
    ("dates", "text"),
    [([], "empty"), ("20240102", "list of days"), (["20240102"] * 2, "twice"), (["2024-01-02"], "YYYYMMDD")],
)
def test_dates_that_are_not_accepted(config: vf.Config, dates: Any, text: str) -> None:
    with raises(vf.ConfigError, text):
        vf.daily(config, dates)


def test_missing_columns_name_the_file(config: vf.Config) -> None:
    with raises(vf.SchemaError, "20240102.feather", "no column 'mid'", column="mid"):
        vf.daily(config, ["20240102"], price="mid")
    with raises(vf.SchemaError, "20240102.feather", "ukey", column="ukey"):
        vf.daily(config, ["20240102"], symbol_col="ukey")
    with raises(vf.SchemaError, "no column 'mid'", column="mid"):
        vf.daily(config, ["20240102"], price=pl.col("mid") * 2)


def test_a_type_that_drifts_names_the_file_and_the_way_out(config: vf.Config, tmp_path: Path) -> None:
    write(tmp_path, "20240103", [("a", 93_000_000, 10.0, 1.0)], volume=pl.Float64)
    with raises(vf.SchemaError, "20240103.feather", "volume is Float64", "Int64", "Config(schema="):
        vf.daily(config, ["20240102", "20240103"], unit="HHMMSSmmm").collect()
    write(tmp_path, "20240103", [(1, 93_000_000, 10.0, 1)], symbol=pl.Int64)
    with raises(vf.SchemaError, "symbol is Int64"):
        vf.daily(config, ["20240102", "20240103"], unit="HHMMSSmmm").collect()


def test_null_symbols_and_bad_volumes_are_refused(config: vf.Config, tmp_path: Path) -> None:
    write(tmp_path, "20240103", [("a", 93_000_000, 10.0, 1), (None, 93_000_000, 10.0, 1)])
    with raises(vf.DataError, "20240103", "nulls", "where=", column="symbol", count=1):
        bars(config, ["20240103"])
    write(tmp_path, "20240103", [("a", 93_000_000, 10.0, 1), ("a", 93_000_000, 10.0, -1)])
    with raises(vf.DataError, "20240103.feather", '"volume"', "negative", row=1, column="volume"):
        bars(config, ["20240103"])
    write(tmp_path, "20240103", [("a", 93_000_000, 10.0, 2**63 - 1), ("a", 93_000_000, 10.0, 1)])
    with raises(vf.DataError, "does not fit Int64", row=1):
        bars(config, ["20240103"])


def test_decimal_volumes_are_summed_exactly(tmp_path: Path) -> None:
    volumes = [Decimal("0.1"), Decimal("0.2"), None, Decimal("123456789012.3")]
    stamps = [93000, 93001, 93002, 93003]
    frame = pl.DataFrame({"symbol": ["a", "a", "b", "b"], "timestamp": stamps, "price": [1.0] * 4})
    vf.save(frame.with_columns(volume=pl.Series(volumes, dtype=pl.Decimal(18, 1))), tmp_path / "20240102.feather")
    vf.save(frame.with_columns(volume=pl.Series(volumes, dtype=pl.Decimal(18, 2))), tmp_path / "20240103.feather")
    config = vf.Config(input_dir=tmp_path)
    bars = vf.daily(config, ["20240102"], unit="HHMMSS").collect()
    assert bars.schema["volume"] == pl.Decimal(38, 1)
    assert bars["volume"].to_list() == [Decimal("0.3"), Decimal("123456789012.3")]
    with raises(vf.SchemaError, "20240103", "volume is Decimal", "Decimal(precision=18, scale=1) on the first day"):
        vf.daily(config, ["20240102", "20240103"], unit="HHMMSS").collect()
    vf.save(frame.with_columns(volume=pl.Series([Decimal("-0.1")] * 4)), tmp_path / "20240104.feather")
    with raises(vf.DataError, "volume is negative", column="volume"):
        vf.daily(config, ["20240104"], unit="HHMMSS").collect()
    vf.save(frame.with_columns(volume=pl.Series([Decimal(10) ** 19] * 4)), tmp_path / "20240105.feather")
    with raises(vf.DataError, "volume", column="volume"):
        vf.daily(config, ["20240105"], unit="HHMMSS").collect()
