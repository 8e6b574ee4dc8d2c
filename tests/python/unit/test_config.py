"""`Config`, `Context`, and what is a date."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.dates import check_date
from vizflow.errors import ConfigError
from vizflow.jobs.context import context

NO_DATES = [
    "../../x", "20241399", "20240230", "２０２４１００１", "2024-10-01", "2024100", "202410011", "",
    " 20241001", "20241001\n",
    "00000101", "٢٠٢٤١٠٠١", 20241001, None, "2024/1/1", "20241001/../../x",
]  # fmt: skip


@pytest.mark.parametrize("date", NO_DATES)
def test_what_is_no_date_never_reaches_a_path(date: Any, tmp_path: Path) -> None:
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path)
    asks: list[Any] = [check_date, config.get_file_path, config.get_partial_path, lambda day: context(config, day)]
    for ask in asks:
        with raises(ConfigError, "YYYYMMDD", repr(date)):
            ask(date)


def test_dates_that_exist() -> None:
    assert check_date("20240229") == "20240229"
    assert check_date("19901219") == "19901219"


def test_paths(tmp_path: Path) -> None:
    config = vf.Config(input_dir=str(tmp_path), output_dir=tmp_path / "out", input_pattern="alpha_{date}.feather")
    assert config.get_file_path("20241001") == tmp_path / "alpha_20241001.feather"
    assert config.get_partial_path("20241001") == tmp_path / "out" / "20241001.parquet"


def test_design_document_config() -> None:
    config = vf.Config(
        input_dir=Path("/data/trades"),
        output_dir=Path("/data/partials"),
        market="CN",
        columns={"timestamp": "ticktime", "price": "mid"},
        binwidths={"alpha": 1e-4},
        horizons=[60, 300],
        schema={"qty": {"load_as": pl.Float64, "cast_to": pl.Int64}},
    )
    assert (config.col("timestamp"), config.col("price"), config.col("symbol")) == ("ticktime", "mid", "symbol")
    assert config.input_pattern == "{date}.feather"


def test_two_configs_share_nothing() -> None:
    first = vf.Config()
    first.columns["a"] = "b"
    assert vf.Config().columns == {}


def test_folders_that_are_not_set_are_named() -> None:
    with raises(ConfigError, "Config.input_dir is not set"):
        vf.Config().get_file_path("20241001")
    with raises(ConfigError, "Config.output_dir is not set"):
        vf.Config().get_partial_path("20241001")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"input_pattern": "day.feather"}, "{date}"),
        ({"market": "XX"}, "'XX'"),
        ({"schema": {"qty": {"cast": pl.Int64}}}, "did you mean 'cast_to'"),
    ],
)
def test_bad_settings(options: dict[str, Any], text: str) -> None:
    with raises(ConfigError, text):
        vf.Config(**options)


def test_context(tmp_path: Path) -> None:
    config = vf.Config(market="kr", columns={"price": "mid"})
    ctx = context(config, "20241002")
    assert ctx.market == vf.KR
    assert ctx.market.date == dt.date(2024, 10, 2)
    assert ctx.col("price") == "mid"
    assert ctx.date == "20241002"
    assert ctx.calendar.equals(vf.calendar.get("KR"))
    mine = vf.Config(market=vf.Market("mine", [vf.Session("09:00", "10:00")]))
    assert context(mine, "20241002").calendar.equals(vf.calendar.empty())
    vf.save(pl.DataFrame({"date": ["20241001", "20241002"]}), tmp_path / "days.csv")
    own = vf.Market("own", [vf.Session("10:00", "11:00")])
    ctx = context(vf.Config(market=own, calendar_path=tmp_path / "days.csv"), "20241002")
    assert ctx.market == own
    assert vf.calendar.prev_day("20241002", ctx.calendar) == "20241001"
