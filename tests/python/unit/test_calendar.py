"""Trading calendars."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow import calendar
from vizflow.errors import CalendarRangeError, ConfigError, SchemaError, StorageError

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
