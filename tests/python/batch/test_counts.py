"""What became of a date's rows, by reason, in partials, reports and `inspect`; dates of which nothing was kept."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from vizflow.cli import main

DATES = ["20240102", "20240103", "20240104"]
HERE = Path(__file__)


def day(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    df = vf.parse_time(df, vf.CN, "t", unit="HHMMSS").filter(pl.col("elapsed_seconds").is_not_null())
    df = vf.Enricher([vf.FIFOMatch("side", "qty", "elapsed_seconds", "price")], sort_by="elapsed_seconds").run(df)
    return vf.aggregate(df, ["side"], {"n": pl.len(), "qty": pl.col("matched_qty").sum()})


def total(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.aggregate(df.filter(pl.col("t") < 120000), [], {"n": pl.len()})


def plain(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return df.filter(pl.col("t") > 120000)


@pytest.fixture(params=["feather", "parquet", "csv"])
def config(tmp_path: Path, request: pytest.FixtureRequest) -> vf.Config:
    """The second day has no time inside a session."""
    times = [[93000, 93001, 93002, 120000, 999999, None], [123000] * 6, [93000, 93001, 93002, 93003, 93004, 93005]]
    for date, column in zip(DATES, times, strict=True):
        frame = pl.DataFrame({"t": column, "symbol": ["a"] * 6, "side": list("BBSBSB"), "qty": [1, 2, 3, 1, 1, 1]})
        vf.save(frame.with_columns(price=pl.lit(1.5)), tmp_path / "in" / f"{date}.{request.param}")
    return vf.Config(
        input_dir=tmp_path / "in", output_dir=tmp_path / "out", input_pattern=f"{{date}}.{request.param}"
    )


def batch(config: vf.Config, function: Any = day, **options: Any) -> vf.BatchReport:
    return vf.run_batch(function, config, DATES, parallel=False, progress=False, **options)


def test_d5_a_date_that_kept_nothing_is_empty_not_done(
    config: vf.Config, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        pytest.warns(vf.EmptyWarning, match=r"nothing was kept of 20240103.*6 outside"),
        caplog.at_level(logging.WARNING),
    ):
        report = batch(config)
    assert report.frame["status"].to_list() == ["done", "empty", "done"]
    assert report.frame["read"].to_list() == [6, 6, 6]
    assert report.frame["nulled"].to_list() == [3, 6, 0]
    assert report.frame["kept"].to_list() == [4, 0, 6 + 1]  # a sale that closes two purchases is two pieces
    assert (report.count("empty"), report.count("done")) == (1, 2)
    assert "nothing was kept" in caplog.text
    assert "20240103  empty: 6 rows read" in str(report)
    frame = vf.status(config, pipeline_fn=day)
    assert frame["status"].to_list() == ["done", "empty", "done"]
    assert "6 outside" in frame["why"][1]
    assert report.path is not None
    written = json.loads(report.path.read_text())
    assert written["counts"] == {"done": 2, "empty": 1, "skipped": 0, "failed": 0, "cancelled": 0}


def test_an_empty_date_is_not_made_again_for_ever(config: vf.Config) -> None:
    with pytest.warns(vf.EmptyWarning):
        batch(config)
    path = config.get_partial_path(DATES[1])
    before = path.stat().st_mtime_ns
    with pytest.warns(vf.EmptyWarning, match="20240103"):
        report = batch(config)
    assert report.frame["status"].to_list() == ["skipped", "empty", "skipped"]
    assert report.frame["read"].to_list() == [6, 6, 6]
    assert path.stat().st_mtime_ns == before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(["run", f"{HERE}:day", DATES[1], "-c", _json(config), "--skip-existing"]) == 0
    assert path.stat().st_mtime_ns == before
    frame = vf.load(config.get_file_path(DATES[2]))
    vf.save(frame, config.get_file_path(DATES[1]))
    assert batch(config).frame["status"].to_list() == ["skipped", "done", "skipped"]


def _json(config: vf.Config) -> str:
    from vizflow import _settings

    return json.dumps(_settings.to_mapping(config))


def test_run_warns_where_nothing_was_kept(config: vf.Config) -> None:
    for save in (True, False):
        with pytest.warns(vf.EmptyWarning, match=r"20240103\.\w+: nothing was kept of the date: 6 rows read"):
            vf.run(day, config, DATES[1], save=save)
        vf.run(day, config, DATES[0], save=save)
    with pytest.warns(vf.EmptyWarning):  # one group, of no row
        assert vf.run(total, config, DATES[1], save=False).rows() == [(0,)]


def test_counts_by_reason_are_in_the_partial_and_in_inspect(
    config: vf.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    vf.run(day, config, DATES[0])
    path = config.get_partial_path(DATES[0])
    counts = json.loads(pl.read_parquet_metadata(path)["vizflow.counts"])
    assert counts == {
        "read": 6,
        "times": {"t": {"rows": 6, "null": 1, "unreadable": 1, "outside": 1, "other_date": 0, "nulled": 3}},
        "steps": {"FIFOMatch": {"rows": 3, "trades": 3, "pieces": 4}},
        "aggregated": 4,
        "kept": 2,
    }
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert (
        "6 rows read; 6 times in t: 1 null, 1 unreadable, 1 outside; FIFOMatch: 3 rows, 4 given; 4 aggregated; "
        "2 rows kept" in said
    )
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == counts
    vf.run(plain, config, DATES[1])
    assert json.loads(pl.read_parquet_metadata(config.get_partial_path(DATES[1]))["vizflow.counts"]) == {
        "read": 6, "kept": 6,
    }  # fmt: skip


def test_the_command_line_tells_empty_dates(config: vf.Config, capsys: pytest.CaptureFixture[str]) -> None:
    settings = _json(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(["batch", f"{HERE}:day", "-c", settings, "--serial", "--no-progress"]) == 0
        assert "3 dates" in (said := capsys.readouterr().out)
        assert "2 done, 1 empty" in said
        assert main(["run", f"{HERE}:day", DATES[1], "-c", settings]) == 0
    assert "empty: 6 rows read" in capsys.readouterr().out
    assert main(["status", f"{HERE}:day", "-c", settings, "--only", "empty", "--json"]) == 0
    assert [row["date"] for row in json.loads(capsys.readouterr().out)] == [DATES[1]]
    assert main(["status", f"{HERE}:day", "-c", settings, "--check"]) == 1


def test_processes_tell_what_they_counted(config: vf.Config) -> None:
    with pytest.warns(vf.EmptyWarning):
        report = vf.run_batch(day, config, DATES, max_workers=1, progress=False)
    assert report.frame.select("status", "read", "nulled", "kept").rows() == [
        ("done", 6, 3, 4), ("empty", 6, 6, 0), ("done", 6, 0, 7),
    ]  # fmt: skip
