"""Which partials are trusted: `skip_existing`, and `status` with its reasons."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import batch_jobs
import vizflow as vf
from support import raises
from vizflow.errors import ConfigError
from vizflow.jobs import fingerprint
from vizflow.partials import versions

DATES = ["20240102", "20240103", "20240104"]
DATE = DATES[0]
DAY = pl.DataFrame({"side": ["B", "S", "B"], "qty": [1, 2, 3]})


@pytest.fixture
def config(tmp_path: Path) -> vf.Config:
    for date in DATES:
        vf.save(DAY, tmp_path / "in" / f"{date}.feather")
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out", horizons=[60, 300])
    vf.run_batch(batch_jobs.sides, config, DATES, parallel=False, progress=False)
    return config


def again(config: vf.Config, function: Any = batch_jobs.sides) -> list[str]:
    """Run the batch again, and give each date's status."""
    report = vf.run_batch(function, config, DATES, parallel=False, progress=False)
    return report.frame["status"].to_list()


def why(config: vf.Config, function: Any = batch_jobs.sides) -> list[tuple[str, str | None]]:
    return vf.status(config, DATES, pipeline_fn=function).select("status", "why").rows()


def rewrite_metadata(path: Path, change: dict[str, str]) -> None:
    metadata = {key: value for key, value in pl.read_parquet_metadata(path).items() if key.startswith("vizflow.")}
    frame = pl.read_parquet(path)
    vf.save(frame, path, metadata=metadata | change)


def test_nothing_changed(config: vf.Config) -> None:
    assert why(config) == [("done", None)] * 3
    assert again(config) == ["skipped"] * 3
    frame = vf.status(config, pipeline_fn=batch_jobs.sides)
    assert frame["date"].to_list() == DATES
    assert frame["bytes"].to_list() == [config.get_partial_path(date).stat().st_size for date in DATES]
    assert frame["written"].str.contains(r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$").all()


def test_skip_existing_false_makes_all_again(config: vf.Config) -> None:
    report = vf.run_batch(batch_jobs.sides, config, DATES, parallel=False, skip_existing=False, progress=False)
    assert report.count("done") == 3


def test_input_that_was_touched(config: vf.Config) -> None:
    os.utime(config.get_file_path(DATE), ns=(10**18, 10**18))
    (status, reason), *others = why(config)
    assert status == "stale"
    assert reason is not None
    assert "the input changed" in reason
    assert "2001-09-09T01:46:40.000000Z now" in reason
    assert others == [("done", None)] * 2
    assert again(config) == ["done", "skipped", "skipped"]
    assert again(config) == ["skipped"] * 3


def test_input_of_another_size(config: vf.Config) -> None:
    path = config.get_file_path(DATE)
    stat = path.stat()
    path.write_bytes(path.read_bytes() + b"x")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert why(config)[0][0] == "stale"


def test_input_that_vanished(config: vf.Config) -> None:
    config.get_file_path(DATE).unlink()
    assert why(config)[0][0] == "stale"
    assert "no file now" in str(why(config)[0][1])
    with pytest.raises(vf.BatchError, match="there is no such file"):
        again(config)
    assert config.get_partial_path(DATE).exists()


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("horizons", [60], "horizons changed: [60, 300] then, [60] now"),
        ("binwidths", {"qty": 0.5}, "binwidths of 'qty' changed: none then, 0.5 now"),
        ("columns", {"price": "mid"}, "columns of 'price' changed: none then, \"mid\" now"),
        ("time_cutoff", 7200, "time_cutoff changed: none then, 7200 now"),
        ("group_by", ["side"], 'group_by changed: [] then, ["side"] now'),
        ("market", "KR", 'market changed: ["CN", "Asia/Shanghai"'),
        ("market", vf.Market("CN", [vf.Session("09:30", "11:30")], "Asia/Shanghai"), "market changed"),
        ("schema", {"qty": {"cast_to": pl.Int32}}, 'schema of \'qty\' changed: none then, {"cast_to": "Int32"} now'),
    ],
)
def test_settings_that_changed(config: vf.Config, field: str, value: Any, text: str) -> None:
    setattr(config, field, value)
    rows = why(config)
    assert [status for status, _ in rows] == ["stale"] * 3
    assert text in str(rows[0][1])
    assert vf.status(config, DATES)["why"].to_list() == [reason for _, reason in rows], "no function is needed for that"
    assert again(config) == ["done"] * 3
    assert again(config) == ["skipped"] * 3


def test_paths_are_no_settings(config: vf.Config, tmp_path: Path) -> None:
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    config.input_dir = tmp_path / "elsewhere"
    assert why(config) == [("done", None)] * 3


def test_schema_rules_of_equal_meaning(config: vf.Config) -> None:
    config.schema = {"qty": {"cast_to": pl.Int64}}
    again(config)
    config.schema = {"qty": {"cast_to": pl.Int64()}}
    assert why(config) == [("done", None)] * 3


def test_metrics_that_changed(config: vf.Config) -> None:
    rows = why(config, batch_jobs.other_metrics)
    assert [status for status, _ in rows] == ["stale"] * 3
    assert "the metrics changed" in str(rows[0][1])
    assert why(config, None) == [("done", None)] * 3  # nobody looked
    assert again(config, batch_jobs.other_metrics) == ["done"] * 3


def test_format_that_changed(config: vf.Config) -> None:
    rewrite_metadata(config.get_partial_path(DATE), {"vizflow.format": "0"})
    assert why(config)[0] == ("stale", f"VizFlow's format was 0, and is {versions.FORMAT}")


def test_older_version_of_vizflow_is_kept_and_said(config: vf.Config) -> None:
    rewrite_metadata(config.get_partial_path(DATE), {"vizflow.version": "0.0.1"})
    assert why(config)[0] == ("done", f"made by VizFlow 0.0.1, this is {vf.__version__}")
    with pytest.warns(UserWarning, match="20240102 kept, though made by VizFlow 0.0.1"):
        assert again(config) == ["skipped"] * 3


def test_files_that_are_no_partials_of_ours(config: vf.Config) -> None:
    vf.save(DAY, config.get_partial_path(DATES[0]))
    config.get_partial_path(DATES[1]).write_bytes(b"PAR1 half a file")
    config.get_partial_path(DATES[2]).write_bytes(b"")
    reasons = [reason for _, reason in why(config)]
    assert reasons[0] == "it holds no fingerprint of VizFlow's"
    assert "the partial cannot be read" in str(reasons[1])
    assert "the partial cannot be read" in str(reasons[2])
    assert again(config) == ["done"] * 3


def test_calendar_rows_up_to_the_date_count(config: vf.Config, tmp_path: Path) -> None:
    def use(*days: str) -> None:
        path = vf.save(pl.DataFrame({"date": days}), tmp_path / "calendar.csv")
        config.calendar_path = path

    use("20240101", "20240102", "20240103", "20240104", "20240105")
    assert [status for status, _ in why(config)] == ["stale"] * 3
    assert why(config)[0][1] == "the calendar up to that date changed"
    assert again(config) == ["done"] * 3
    use("20240101", "20240102", "20240103", "20240104", "20240105", "20240108", "20240109")
    assert again(config) == ["skipped"] * 3  # days were added after
    use("20240101", "20240102", "20240103", "20240104", "20240109")
    assert [status for status, _ in why(config)] == ["done", "done", "stale"]  # the last day's next day is another


def test_code_that_changed_is_warned_of(config: vf.Config) -> None:
    def sides(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        df = df.filter(pl.col("qty") > 1)
        return vf.aggregate(df, ["side"], {"n": pl.len(), "qty": pl.col("qty").sum()})

    sides.__qualname__ = "sides"
    assert why(config, sides) == [("done", "made by older code of sides")] * 3
    with pytest.warns(UserWarning, match="3 dates from 20240102 kept, though made by older code of sides"):
        report = vf.run_batch(sides, config, DATES, parallel=False, progress=False)
    assert set(report.frame["status"]) == {"skipped"}
    assert report.frame["note"].str.contains("older code").all()


def test_pipeline_that_fails_to_be_built_is_stale_and_then_fails(config: vf.Config) -> None:
    def broken(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        raise LookupError("mine")

    assert why(config, broken)[0] == ("stale", "the pipeline fails: LookupError: mine")
    with pytest.raises(vf.BatchError, match="LookupError: mine"):
        again(config, broken)


def test_missing_and_failed_and_done_again(config: vf.Config) -> None:
    late = "20240105"
    assert vf.status(config, [late])["status"].item() == "missing"
    with pytest.raises(vf.BatchError):
        vf.run_batch(batch_jobs.sides, config, [late], parallel=False, progress=False)
    row = vf.status(config, [late]).row(0, named=True)
    assert row["status"] == "failed"
    assert row["why"].startswith("StorageError: ")
    vf.save(DAY, config.get_file_path(late))
    assert vf.status(config, [late])["status"].item() == "failed"
    vf.run(batch_jobs.sides, config, late)
    assert vf.status(config, [late])["status"].item() == "done"
    assert vf.status(config)["date"].to_list() == [*DATES, late]


def test_status_of_nothing(tmp_path: Path) -> None:
    config = vf.Config(input_dir=tmp_path / "no", output_dir=tmp_path / "where")
    assert vf.status(config).height == 0
    with raises(ConfigError, "output_dir"):
        vf.status(vf.Config(input_dir=tmp_path), ["20240102"])
    with raises(ConfigError, "2024-01-02"):
        vf.status(config, ["2024-01-02"])


def test_status_runs_no_pipeline(config: vf.Config) -> None:
    ran: list[str] = []

    def watched(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        def look(frame: pl.DataFrame) -> pl.DataFrame:
            ran.append(ctx.date)
            return frame

        return df.map_batches(look, schema={"side": pl.String, "qty": pl.Int64})

    vf.run(watched, config, DATE)
    ran.clear()
    assert vf.status(config, [DATE], pipeline_fn=watched)["status"].item() == "done"
    assert ran == []


# ---- code ---------------------------------------------------------------------------------------------------------


def digest(source: str, name: str = "f") -> str:
    names: dict[str, Any] = {"pl": pl, "vf": vf, "__name__": "__main__"}
    exec(source, names)
    return fingerprint.code_digest(names[name])


BASE = """LIMIT = 3
def helper(x): return x * 2
def f(df, ctx):
    'doc'
    return df.filter(pl.col('q') > LIMIT, helper(1))
"""


@pytest.mark.parametrize(
    "change",
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("x * 2", "x * 3"),
        ("'q'", "'r'"),
        ("> LIMIT", "< LIMIT"),
        ("df, ctx", "df, ctx, more=5"),
        ("return df.filter", "return [df for df in [df]][0].filter"),
    ],
)
def test_code_digest_sees(change: tuple[str, str]) -> None:
    assert digest(BASE) == digest(BASE)
    assert digest(BASE) != digest(BASE.replace(*change))


@pytest.mark.parametrize(
    "change", [("'doc'", "'other doc'"), ("\ndef f", "\n\n# note\ndef f"), ("LIMIT = 3", "LIMIT = 1 + 2")]
)
def test_code_digest_does_not_mind(change: tuple[str, str]) -> None:
    assert digest(BASE) == digest(BASE.replace(*change))


def test_code_digest_of_closures_partials_classes_and_loops() -> None:
    def make(limit: Any) -> Any:
        return lambda df, ctx: df.head(limit)

    import functools

    assert fingerprint.code_digest(make(1)) == fingerprint.code_digest(make(1))
    assert fingerprint.code_digest(make(1)) != fingerprint.code_digest(make(2))
    assert fingerprint.code_digest(make(pl.col("a"))) != fingerprint.code_digest(make(pl.col("b")))
    one, two = (functools.partial(batch_jobs.sides, ctx=value) for value in (1, 2))
    assert fingerprint.code_digest(one) != fingerprint.code_digest(two)
    rule = "class Rule:\n    k = 1\n    def process(self, row): return {}\ndef f(df, ctx): return Rule()\n"
    assert digest(rule) != digest(rule.replace("{}", "{'a': 1}"))
    assert digest(rule) != digest(rule.replace("k = 1", "k = 2"))
    loop = "def f(df, ctx): return g(df)\ndef g(df): return f(df, 1)\n"
    assert digest(loop) == digest(loop)


def test_code_digest_does_not_depend_on_where_the_function_is_found(tmp_path: Path) -> None:
    from vizflow.jobs import pipelines

    source = "import polars as pl\nLIMIT = 2\ndef f(df, ctx): return df.filter(pl.col('q') > LIMIT)\n"
    (tmp_path / "job_a.py").write_text(source)
    by_file = pipelines.find(f"{tmp_path / 'job_a.py'}:f")
    assert fingerprint.code_digest(by_file) == digest(source)


# ---- with the plan that a partial holds ---------------------------------------------------------------------------


def test_bin_widths_of_the_pipelines_own_count(tmp_path: Path, config: vf.Config) -> None:
    """They are in no Config; the partial says what they were."""

    def binned(width: float) -> Any:
        def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
            return vf.aggregate(vf.bin(df, {"qty": width}), ["qty_bin"], {"n": pl.len()})

        return pipeline

    assert again(config, binned(2.0)) == ["done"] * 3
    assert again(config, binned(2.0)) == ["skipped"] * 3
    assert why(config, binned(1.0))[0] == ("stale", "bin width of 'qty_bin' changed: 2.0 then, 1.0 now")


def test_a_metric_over_another_column_of_the_same_type_counts(config: vf.Config) -> None:
    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        return vf.aggregate(df, ["side"], {"n": pl.len(), "qty": (2 * pl.col("qty")).sum()})

    assert why(config, pipeline)[0] == ("stale", "the metrics changed")


def test_a_pipeline_that_goes_on_is_warned_of_once(config: vf.Config) -> None:
    def goes_on(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        return batch_jobs.sides(df, ctx).filter(pl.col("n") > 0)

    with pytest.warns(UserWarning, match=r"goes on after vf.aggregate.*\(NotMergeableWarning, 3 dates from") as caught:
        assert again(config, goes_on) == ["done"] * 3
    assert len(caught) == 1
    assert again(config, goes_on) == ["skipped"] * 3


def test_partials_that_do_not_belong_together_are_warned_of(config: vf.Config) -> None:
    def by_date(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        return batch_jobs.sides(df, ctx) if ctx.date == DATE else batch_jobs.other_metrics(df, ctx)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert again(config, by_date) == ["skipped", "done", "done"]
    (alert,) = (str(warning.message) for warning in caught if warning.category is vf.SchemaChangeWarning)
    assert "20240102.parquet) was written under another schema" in alert


def test_the_bundled_calendar_counts_up_to_the_date(config: vf.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = pl.read_parquet_metadata(config.get_partial_path(DATE))
    known = vf.calendar.get("CN")
    assert metadata["vizflow.calendar"] == fingerprint.calendar_digest(known, DATE)
    assert metadata["vizflow.calendar"] == fingerprint.calendar_digest(
        known.filter(pl.col("date") < pl.date(2025, 1, 1)), DATE
    )
    assert metadata["vizflow.calendar"] != fingerprint.calendar_digest(known, "20240103")
    gone = known.filter(pl.col("date") != pl.date(2020, 1, 2))
    assert metadata["vizflow.calendar"] != fingerprint.calendar_digest(gone, DATE)


def test_hours_of_a_later_day_do_not_make_earlier_ones_stale(config: vf.Config) -> None:
    def use(day: str) -> list[str]:
        config.market = vf.CN.on({day: [vf.Session("09:30", "11:30")]})
        return [status for status, _ in why(config)]

    assert use("20240108") == ["done"] * 3
    assert use("20240103") == ["done", "stale", "stale"]
