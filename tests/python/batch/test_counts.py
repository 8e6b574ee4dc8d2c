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
import vizflow._core as _core
from vizflow.cli import main
from vizflow.jobs import counts as _counts

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


ONE = pytest.mark.parametrize("config", ["feather"], indirect=True)  # whatever the format is


@pytest.fixture(params=["feather", "parquet", "csv"])
def config(tmp_path: Path, request: pytest.FixtureRequest) -> vf.Config:
    """The second day has no time inside a session."""
    times = [[93000, 93001, 93002, 120000, 999999, None], [123000] * 6, [93000, 93001, 93002, 93003, 93004, 93005]]
    for date, column in zip(DATES, times, strict=True):
        frame = pl.DataFrame({"t": column, "symbol": ["a"] * 6, "side": list("BBSBSB"), "qty": [1, 2, 3, 1, 1, 1]})
        vf.save(frame.with_columns(price=pl.lit(1.5)), tmp_path / "in" / f"{date}.{request.param}")
    return vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out", input_pattern=f"{{date}}.{request.param}")


def batch(config: vf.Config, function: Any = day, **options: Any) -> vf.BatchReport:
    return vf.run_batch(function, config, DATES, parallel=False, progress=False, **options)


@ONE
def test_d5_a_date_that_kept_nothing_is_empty_not_done(config: vf.Config, caplog: pytest.LogCaptureFixture) -> None:
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
    from vizflow.jobs import settings as _settings

    return json.dumps(_settings.to_mapping(config))


@ONE
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


@ONE
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


@ONE
def test_processes_tell_what_they_counted(config: vf.Config) -> None:
    with pytest.warns(vf.EmptyWarning):
        report = vf.run_batch(day, config, DATES, max_workers=1, progress=False)
    assert report.frame.select("status", "read", "nulled", "kept").rows() == [
        ("done", 6, 3, 4), ("empty", 6, 6, 0), ("done", 6, 0, 7),
    ]  # fmt: skip


# ---- counted on the way, and right all the same ---------------------------------------------------------------------


def counted(config: vf.Config, function: Any, date: str = DATES[0]) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vf.run(function, config, date)
    found: dict[str, Any] = json.loads(pl.read_parquet_metadata(config.get_partial_path(date))["vizflow.counts"])
    return found


TIMES = {"rows": 6, "null": 1, "unreadable": 1, "outside": 1, "other_date": 0, "nulled": 3}


def read_once(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.parse_time(df, ctx.market, "t", unit="HHMMSS").filter(pl.col("elapsed_seconds").is_not_null())


def filtered_after(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    """The engine filters first: the clock sees three times only, twice, and three and three are six."""
    df = vf.parse_time(df, ctx.market, "t", unit="HHMMSS").filter(pl.col("side") == "B", pl.col("qty") != 3)
    return vf.forward_return(df, [60])


def filtered_before(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return read_once(df.filter(pl.col("t") != 999999), ctx)


def three_aggregates(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    df = read_once(df, ctx)
    df = vf.Enricher([vf.FIFOMatch("side", "qty", "elapsed_seconds", "price")], sort_by="elapsed_seconds").run(df)
    df = vf.forward_return(df, [1])
    by_side = vf.aggregate(df, ["side"], {"n": pl.len()})
    by_symbol = vf.aggregate(df.filter(pl.col("side") == "B"), ["symbol"], {"r": pl.col("return_1").mean()})
    return by_side.join(by_symbol, how="cross")


def halves(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    df = vf.parse_time(df, ctx.market, "t", unit="HHMMSS")
    return pl.concat([df.filter(pl.col("side") == "B"), df.filter(pl.col("side") == "S")])


def moved(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.parse_time(df, ctx.market, "t", unit="HHMMSS", outside="clip")


def twice(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    first = vf.parse_time(df, ctx.market, "t", unit="HHMMSS").rename({"elapsed_seconds": "first"})
    return vf.parse_time(first.head(2), ctx.market, "t", unit="HHMMSS")


def collected(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return read_once(df, ctx).collect().lazy().head(1)


@pytest.mark.parametrize("function", [read_once, three_aggregates, halves, collected, day])
def test_times_are_counted_where_they_pass(config: vf.Config, function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_counts.two_pass, "has_cheap_head", None)  # would be asked before the column is read again
    assert counted(config, function)["times"]["t"] == TIMES


def test_times_that_no_reading_saw_whole_are_counted_all_the_same(config: vf.Config) -> None:
    assert counted(config, filtered_after)["times"]["t"] == TIMES
    assert counted(config, filtered_before)["times"]["t"] == {
        **TIMES,
        "rows": 4,
        "null": 0,
        "unreadable": 0,
        "nulled": 1,
    }
    assert counted(config, moved)["times"]["t"] == {**TIMES, "nulled": 2}
    both = counted(config, twice)["times"]
    assert both == {"t": TIMES, "t #2": {**TIMES, "rows": 2, "null": 0, "unreadable": 0, "outside": 0, "nulled": 0}}


def test_steps_are_counted_once_however_often_they_run(config: vf.Config) -> None:
    counts = counted(config, three_aggregates)
    assert counts["steps"] == {
        "FIFOMatch": {"rows": 3, "trades": 3, "pieces": 4},
        "forward_return": {"rows": 3, "null": {"return_1": 1}},
    }
    assert (counts["aggregated"], counts["kept"]) == (4, 2)


def other_sides(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    rule = vf.FIFOMatch("side", "qty", "t", "price", entry_side="B", exit_side="X")
    return vf.Enricher([rule], sort_by="t").run(df.filter(pl.col("t").is_not_null()))


@ONE
def test_rows_of_no_listed_side_are_counted(config: vf.Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert counted(config, other_sides)["steps"] == {"FIFOMatch": {"rows": 5, "trades": 3, "pieces": 5}}
    assert main(["inspect", str(config.get_partial_path(DATES[0]))]) == 0
    assert "FIFOMatch: 5 rows, 2 of no listed side, 5 given" in capsys.readouterr().out


def test_counts_of_a_day_of_many_batches(tmp_path: Path) -> None:
    n = 700_000
    time = pl.int_range(n, eager=True)
    frame = pl.DataFrame({
        "t": 93000 + time % 60 + (time % 7 == 0).cast(pl.Int64) * 30000, "symbol": (time % 50).cast(pl.String),
        "side": (time % 3 == 0).cast(pl.String).replace({"true": "S", "false": "B"}), "qty": time % 5 + 1, "price": 1.5,
    })  # fmt: skip
    vf.save(frame, tmp_path / "in" / f"{DATES[0]}.feather")
    counts = counted(vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out"), day)
    kept = int((time % 7 != 0).sum())
    assert counts["times"] == {"t": {**dict.fromkeys(TIMES, 0), "rows": n, "outside": n - kept, "nulled": n - kept}}
    assert counts["steps"]["FIFOMatch"]["rows"] == kept
    assert counts["steps"]["FIFOMatch"]["pieces"] == counts["aggregated"] >= kept


def test_tallies_that_are_all_taken_or_full(config: vf.Config) -> None:
    """Nobody counts wrongly then: what is not known is not told, or read again."""
    taken = [_core.tally_open() for _ in range(65)]
    try:
        assert taken[-1] == 0
        assert "times" not in counted(config, read_once)
    finally:
        for tally in taken:
            _core.tally_close(tally)
    assert counted(config, many_readings)["times"]["t"] == TIMES


def many_readings(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    df = vf.parse_time(df, ctx.market, "t", unit="HHMMSS").filter(pl.col("side") == "B")
    for _ in range(70):
        vf.aggregate(df, ["side"], {"last": pl.col("elapsed_seconds").max()}).collect()
    return df
