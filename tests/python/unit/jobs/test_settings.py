"""Config as TOML and JSON."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, StorageError
from vizflow.jobs.settings import from_json, from_mapping, read_toml, to_mapping
from vizflow.schema.types import dtype_of, text_of

TOML = """
input_dir = "days"
output_dir = "/data/partials"
input_pattern = "alpha_{date}.feather"
market = "KR"
horizons = [60, 300]
time_cutoff = 7200
group_by = ["alpha_bin", "side"]

[columns]
timestamp = "ticktime"

[binwidths]
alpha = 1e-4

[schema.qty]
load_as = "Float64"
cast_to = "Int64"
tolerance = 1e-5

[schema.venue]
default = "SSE"
aliases = ["exchange"]
cast_to = "String"

[schema.day]
default = 2024-01-02
cast_to = "Date"

[schema.time]
cast_to = "Datetime('us', 'Asia/Seoul')"
"""


def test_toml_is_the_config_it_says(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(TOML)
    assert read_toml(path) == vf.Config(
        input_dir=tmp_path / "days",
        output_dir="/data/partials",
        input_pattern="alpha_{date}.feather",
        market="KR",
        horizons=[60, 300],
        time_cutoff=7200,
        group_by=["alpha_bin", "side"],
        columns={"timestamp": "ticktime"},
        binwidths={"alpha": 1e-4},
        schema={
            "qty": {"load_as": pl.Float64(), "cast_to": pl.Int64(), "tolerance": 1e-5},
            "venue": {"default": "SSE", "aliases": ["exchange"], "cast_to": pl.String()},
            "day": {"default": dt.date(2024, 1, 2), "cast_to": pl.Date()},
            "time": {"cast_to": pl.Datetime("us", "Asia/Seoul")},
        },
    )


def test_market_as_a_table(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(
        '[market]\nname = "X"\nsessions = [["09:00", "12:00"], ["13:00", "15:30"]]\ntimezone = "Asia/Tokyo"\n'
    )
    market = read_toml(path).market
    assert market == vf.Market("X", [vf.Session("09:00", "12:00"), vf.Session("13:00", "15:30")], "Asia/Tokyo")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("horizon = [60]", ["'horizon' is no field of Config", "did you mean 'horizons'?"]),
        ("zzz = 1", ["'zzz' is no field of Config", "the fields are 'input_dir'"]),
        ("market = ", ["this is not TOML"]),
        ("market = 'Mars'", ["'Mars'"]),
        ("[market]\nname = 'X'", ["a market is one of the presets' names, or a table"]),
        # its keys were taken for the session's two times
        ("[market]\nname = 'X'\n[[market.sessions]]\nstart = '09:00'\nend = '12:00'", ["a market is", "pairs such as"]),
        ("[market]\nname = 'X'\nsessions = [['09:00', '08:00'], ['07:00', '09:30']]", ["X"]),
        ("input_pattern = 'day.feather'", ["does not hold {date}"]),
        ("[schema.qty]\ncast_to = 'Int65'", ["'Int65' is no Polars type"]),
        ("[schema.qty]\ncast_to = \"__import__('os').system('true')\"", ["is no Polars type"]),
        ("[schema.qty]\ncast_to = 3", ["3 is no Polars type"]),
        ("[schema.qty]\ncast_as = 'Int64'", ["'cast_as'"]),
        ("[schema]\nqty = 'Int64'", ["the schema of 'qty' is 'Int64'"]),
        ("[metrics]\nn = 'len'", ["metrics are Polars expressions"]),
        ("schema = 5", ["a setting has a type that is not acceptable"]),
    ],
)
def test_what_toml_cannot_say(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = tmp_path / "job.toml"
    path.write_text(text)
    with raises(ConfigError, str(path), *parts):
        read_toml(path)


def test_toml_that_is_not_there(tmp_path: Path) -> None:
    with raises(StorageError, "job.toml", "cannot be read"):
        read_toml(tmp_path / "job.toml")


TYPES = [
    pl.Int64,
    pl.String,
    pl.Date,
    pl.Datetime("us"),
    pl.Datetime("ns", "Asia/Seoul"),
    pl.Duration("ms"),
    pl.Decimal(18, 4),
    pl.List(pl.Int8),
    pl.Array(pl.Float32, 3),
    pl.Struct({"a": pl.Int64, "b": pl.List(pl.String)}),
    pl.Enum(["x", "y"]),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_types_are_read_as_they_are_written(dtype: Any) -> None:
    assert dtype_of(text_of(dtype), "here") == dtype


@pytest.mark.parametrize(
    "text", ["", "Expr", "pl", "Int64(", "Datetime('weeks')", "lit(1)", "col('a')", "List", 7, None]
)
def test_what_is_no_type(text: Any) -> None:
    if text == "List":
        assert dtype_of("List(Int64)", "here") == pl.List(pl.Int64)
        return
    with raises(ConfigError, "here", "is no Polars type"):
        dtype_of(text, "here")


@pytest.mark.parametrize(
    "config",
    [
        vf.Config(),
        vf.Config(input_dir="/a", output_dir="/b c", market="crypto", horizons=[60], time_cutoff=0),
        vf.Config(market=vf.Market("X", [vf.Session("09:00", "12:00")]), columns={"a": "b"}, binwidths={"x": 0.1}),
        vf.Config(schema={"q": {"load_as": pl.Float64(), "cast_to": pl.Int64(), "default": 3, "aliases": ["Q"]}}),
    ],
)
def test_there_and_back_through_json(config: vf.Config) -> None:
    assert from_json(json.dumps(to_mapping(config))) == config


def test_relative_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert to_mapping(vf.Config(input_dir="in"))["input_dir"] == str(tmp_path / "in")


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (vf.Config(metrics={"n": pl.len()}), "metrics, which are expressions"),
        (vf.Config(schema={"d": {"default": dt.date(2024, 1, 2)}}), "default of 'd'"),
        (vf.Config(columns={"a": object()}), "no plain form"),  # type: ignore[dict-item]
    ],
)
def test_what_json_cannot_hold(config: vf.Config, part: str) -> None:
    with raises(ConfigError, part, "module"):
        to_mapping(config)


@pytest.mark.parametrize("text", ["{", "[]", "7"])
def test_json_that_is_no_config(text: str) -> None:
    with raises(ConfigError, "config"):
        from_json(text)
    with raises(ConfigError, "an object of Config's fields"):
        from_mapping(7, Path(), "here")
