"""Borders of a run: paths, names, CSV files, other inputs; each test is named after what once went wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vizflow as vf
from vizflow import demo
from vizflow.cli import main

DATE = "20240102"
URLS = ["s3://bucket/x", "gs://b/x", "az://c/x", "https://host/x", "hdfs://n/x", "file:///tmp/x", "abfss://a@b/x"]


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def sides(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.aggregate(df, ["side"], {"n": pl.len()})


# ---- CSV ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [{"load_as": pl.String}, {"cast_to": "String"}, {"cast_to": pl.Categorical}])
def test_f1_zeros_before_a_code_of_a_csv_file_are_kept(tmp_path: Path, rule: dict[str, Any]) -> None:
    path = written(tmp_path / f"{DATE}.csv", "code,qty\n000001,5\n600000,6\n")
    assert vf.load(path, schema={"code": rule})["code"].cast(pl.String).to_list() == ["000001", "600000"]
    config = vf.Config(input_dir=tmp_path, input_pattern="{date}.csv", schema={"symbol": {**rule, "aliases": ["code"]}})
    assert vf.run(lambda df, ctx: df, config, DATE, save=False)["symbol"].cast(pl.String)[0] == "000001"


@pytest.mark.parametrize("name", ["day.csv", "day.csv.gz"])
@pytest.mark.parametrize("whole", [3, 150])
def test_f1_numbers_come_in_the_types_of_the_schema(tmp_path: Path, whole: int, name: str) -> None:
    values = [str(i) for i in range(whole)] + ["0.5", "", "9007199254740993" if whole == 150 else "7"]
    frame = pl.DataFrame({"id": ["18446744073709551615"] * len(values), "x": values}, schema_overrides={"x": pl.String})
    if name.endswith(".gz"):
        import gzip

        (tmp_path / name).write_bytes(gzip.compress(frame.write_csv().encode()))
    else:
        frame.write_csv(tmp_path / name)
    rules = {"x": {"load_as": pl.Float64}, "id": {"cast_to": pl.UInt64}}
    if whole == 150:  # past 2^53: refused, as in any other file
        with pytest.raises(vf.DataError, match="lose digits"):
            vf.load(tmp_path / name, schema=rules)
        return
    got = vf.load(tmp_path / name, schema=rules)
    assert got["x"].to_list() == [*map(float, range(whole)), 0.5, None, 7.0]
    assert got["id"][0] == 2**64 - 1


def test_f1_a_quantity_that_is_whole_but_for_noise_keeps_its_digits(tmp_path: Path) -> None:
    lines = ["1"] * 120 + ["1.00000002", "9007199254740993", ""]
    path = written(tmp_path / "a.csv", "n,qty\n" + "".join(f"{i},{line}\n" for i, line in enumerate(lines)))
    rules = {"qty": {"load_as": pl.Float64, "cast_to": pl.Int64}}
    assert vf.load(path, schema=rules)["qty"].to_list() == [1] * 121 + [9007199254740993, None]
    written(path, path.read_text().replace("1.00000002", "1.5"))
    with pytest.raises(vf.DataError, match="row 120") as caught:
        vf.load(path, schema=rules)
    assert (caught.value.column, caught.value.row, caught.value.count) == ("qty", 120, 1)


@pytest.mark.parametrize(
    "text", ["000001,93000,10.5,B\n000002,93001,10.6,S\n", "2024-01-02,a\n2024-01-02,b\n", "1,1\n1,1\n"]
)
def test_f2_a_csv_file_without_a_header_loses_no_row(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "a.csv", text)
    with pytest.raises(vf.StorageError, match=r"first row.*looks like data") as caught:
        vf.load(path)
    assert '"has_header": false' in str(caught.value)
    names = [f"c{i}" for i in range(text.split("\n")[0].count(",") + 1)]
    got = vf.load(path, csv={"has_header": False, "new_columns": names}, schema={"c0": {"cast_to": pl.String}})
    assert got.columns == names
    assert got.height == 2
    assert got["c0"][0] == text.partition(",")[0]
    assert vf.load(path, csv={"has_header": True}).height == 1


@pytest.mark.parametrize(
    "text",
    ["symbol,60,300\nAAPL,0.1,0.2\n", "symbol,60\nAAPL,5\n", "a,b\n1,2\n", ",x\n0,1\n", "2024,2025\n0.5,0.25\n"],
)
def test_f2_a_header_of_names_is_a_header(tmp_path: Path, text: str) -> None:
    assert vf.load(written(tmp_path / "a.csv", text)).height == 1


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_f2_another_separator_is_told_and_read(tmp_path: Path, mark: str, header: bool) -> None:
    lines = [["symbol", "price"]] * header + [["a", "1,5"], ["b", "2,5"]]
    path = written(tmp_path / f"{DATE}.csv", "\n".join(mark.join(line) for line in lines) + "\n")
    options: dict[str, Any] = {} if header else {"has_header": False, "new_columns": ["symbol", "price"]}
    if header:
        written(tmp_path / "plain.csv", path.read_text().replace(",", "."))
        with pytest.raises(vf.StorageError, match="separator") as caught:
            vf.load(tmp_path / "plain.csv")
        advice = json.loads(str(caught.value).partition("say csv=")[2].partition(";" if mark != ";" else "; if not")[0])
        assert vf.load(tmp_path / "plain.csv", csv=advice)["price"].to_list() == [1.5, 2.5]
    options |= {"separator": mark, "decimal_comma": True}
    rules = {"price": {"load_as": pl.Float64}}
    assert vf.load(path, csv=options, schema=rules)["price"].to_list() == [1.5, 2.5]
    config = vf.Config(input_dir=tmp_path, input_pattern="{date}.csv", csv=options, schema=rules)
    assert vf.run(lambda df, ctx: df, config, DATE, save=False)["price"].to_list() == [1.5, 2.5]
    assert vf.check(config, [DATE]).days["rows"].to_list() == [2]


@pytest.mark.parametrize(("value", "better"), [("1.5", 1.5), ("n/a", "n/a"), ("NULL", None)])
def test_f2_a_type_that_later_rows_contradict_is_told_and_read(tmp_path: Path, value: str, better: Any) -> None:
    path = written(tmp_path / "a.csv", "symbol,qty\n" + "a,1\n" * 120 + f"a,{value}\na,{value}\n")
    with pytest.raises(vf.DataError, match="row 120") as caught:
        vf.load(path)
    assert (caught.value.column, caught.value.row, caught.value.count) == ("qty", 120, 2)
    assert str(path) in str(caught.value)
    schema, _, csv = str(caught.value).partition("schema=")[2].partition(", or, if that is no value, csv=")
    if better is None:
        assert vf.load(path, csv=json.loads(csv))["qty"][121] is None
    else:
        assert vf.load(path, schema=json.loads(schema))["qty"][121] == better
    assert vf.load(path, csv={"infer_schema_length": "all"}).height == 122


def test_f2_options_for_csv_are_checked(tmp_path: Path) -> None:
    for options, hint in [
        ({"names": ["a"]}, "new_columns"),
        ({"seperator": ";"}, "separator"),
        ({"has_header": "no"}, "bool"),
        ([], "mapping"),
        ({"skip_rows": True}, "int"),
    ]:
        with pytest.raises(vf.ConfigError, match=hint):
            vf.Config(csv=options)  # type: ignore[arg-type]
    toml = written(tmp_path / "c.toml", 'input_dir = "."\n[csv]\nseparator = ";"\n[inputs]\nquotes = "{date}/q.csv"\n')
    from vizflow.jobs import settings

    config = settings.read_toml(toml)
    assert (config.csv, config.inputs) == ({"separator": ";"}, {"quotes": "{date}/q.csv"})
    assert settings.from_json(json.dumps(settings.to_mapping(config))) == config


@given(
    st.lists(
        st.one_of(st.none(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
    )
)
def test_f1_a_float_column_of_a_csv_file_comes_through(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any]
) -> None:
    lines = ["" if value is None else repr(value) for value in values]
    path = written(
        tmp_path_factory.mktemp("f") / "a.csv", "n,x\n" + "".join(f"{i},{line}\n" for i, line in enumerate(lines))
    )
    got = vf.load(path, schema={"x": {"load_as": pl.Float64}})["x"].to_list()
    assert got == [None if value is None else float(value) for value in values]


@pytest.mark.parametrize("suffix", ["csv", "feather", "parquet"])
def test_f6_text_becomes_boolean_or_says_where_it_does_not(tmp_path: Path, suffix: str) -> None:
    path = vf.save(pl.DataFrame({"own": ["True", "FALSE", "1", "0", None]}), tmp_path / f"{DATE}.{suffix}")
    rules = {"own": {"cast_to": pl.Boolean}}
    assert vf.load(path, schema=rules)["own"].to_list() == [True, False, True, False, None]
    vf.save(pl.DataFrame({"own": ["true", "yes", "no"]}), path)
    with pytest.raises(vf.DataError, match="true, false, 1 and 0") as caught:
        vf.load(path, schema=rules)
    assert (caught.value.column, caught.value.row, caught.value.count) == ("own", 1, 2)
    assert str(path) in str(caught.value)
    assert vf.load(path, schema={"own": {"cast_to": pl.String}})["own"][1] == "yes"


# ---- paths and patterns --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("url", URLS)
def test_f5_a_url_is_never_taken_for_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, kind: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    frame, scheme = pl.DataFrame({"a": [1]}), url.partition(":")[0]
    cube = vf.Cube.from_frame(vf.aggregate(frame, ["a"], {"n": pl.len()}))
    for attempt in [
        lambda at: vf.load(at),
        lambda at: vf.scan(at),
        lambda at: vf.save(frame, at),
        lambda at: vf.reduce(at),
        lambda at: vf.reduce([at]),
        lambda at: vf.Cube.from_partials(at),
        lambda at: vf.Cube.open(at),
        lambda at: cube.save(at),
        lambda at: vf.Config(input_dir=at),
        lambda at: vf.Config(output_dir=at),
        lambda at: vf.Config(calendar_path=at),
        lambda at: vf.Config(input_pattern=f"{at}/{{date}}.parquet"),
        lambda at: vf.calendar.load(at),
        lambda at: vf.calendar.from_files(at),
        lambda at: vf.Edges.load(at),
        lambda at: vf.reports.alpha(at, "a"),
        lambda at: demo.generate(at, [DATE], rows=10, symbols=1),
        lambda at: vf.Config(inputs={"q": f"{at}/{{date}}.csv"}),
    ]:
        with pytest.raises(vf.ConfigError, match=scheme):
            attempt(kind(f"{url}.parquet"))
    assert list(tmp_path.iterdir()) == []


def test_f5_the_command_line_refuses_urls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    partial = vf.save(vf.aggregate(pl.DataFrame({"a": [1]}), ["a"], {"n": pl.len()}), tmp_path / "p.parquet")
    written(tmp_path / "c.toml", 'input_dir = "s3://b/days"\n')
    for words in (
        ["inspect", "s3://b/x.parquet"],
        ["reduce", "s3://b/x"],
        ["reduce", str(partial), "-o", "gs://b/x.parquet"],
        ["status", "--config", "c.toml"],
        ["calendar", "--file", "s3://b/c.csv"],
        ["demo", "--output", "s3://b/d"],
        ["explore", "s3://b/x.parquet"],
    ):
        assert main(words) in (1, 2)
        said = capsys.readouterr().err
        assert "is a URL" in said, words
        assert said.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"p.parquet", "c.toml"}


def test_f5_colons_in_names_are_no_urls(tmp_path: Path) -> None:
    for name in ("a:b", "12:30", "x:"):
        path = vf.save(pl.DataFrame({"a": [1]}), tmp_path / name / "f.parquet")
        assert vf.load(path).height == 1


@pytest.mark.parametrize(
    "pattern",
    ["{date}/trade.csv", "{date:.4}/{date}.csv", "y/{date}/{date}_t.csv", "t_{date}.csv", "x{{1}}/{date}.csv"],
)
def test_f3_a_pattern_with_folders_shows_the_same_dates_everywhere(
    tmp_path: Path, pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dates = ["20240102", "20240103", "20231229"]
    for date in dates:
        written(tmp_path / "in" / pattern.format(date=date), "side,qty\nB,1\n")
    written(tmp_path / "in" / "20240104" / "other.csv", "side,qty\nB,1\n")
    written(tmp_path / "in" / "99999999x" / "trade.csv", "side,qty\nB,1\n")
    (tmp_path / "in" / "y" / "20240105").mkdir(parents=True, exist_ok=True)
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out", input_pattern=pattern)
    assert vf.status(config)["date"].to_list() == sorted(dates)
    assert vf.calendar.from_files(tmp_path / "in", pattern)["date"].dt.strftime("%Y%m%d").to_list() == sorted(dates)
    vf.run(sides, config, dates[0])
    assert vf.status(config).filter(status="done")["date"].to_list() == [dates[0]]
    toml = written(tmp_path / "c.toml", f'input_dir = "in"\noutput_dir = "out"\ninput_pattern = "{pattern}"\n')
    job = written(
        tmp_path / "job.py",
        "import polars as pl, vizflow as vf\ndef go(df, ctx): return vf.aggregate(df, ['side'], {'n': pl.len()})\n",
    )
    assert main(["batch", f"{job}:go", "-c", str(toml), "--serial", "--again", "--json"]) == 0
    assert [row["date"] for row in json.loads(capsys.readouterr().out)["dates"]] == sorted(dates)
    assert main(["check", "-c", str(toml), "--json"]) in (0, 1)
    assert [row["date"] for row in json.loads(capsys.readouterr().out)["days"]] == sorted(dates)
    assert main(["cluster", f"{job}:go", "-c", str(toml), "--json"]) == 0
    assert [row["date"] for row in json.loads(capsys.readouterr().out)] == sorted(dates)
    assert main(["calendar", "--days", str(tmp_path / "in"), "--pattern", pattern, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == sorted(dates)


@pytest.mark.parametrize(
    "pattern", ["{date}{name}.csv", "{date", "date.csv", "{0}{date}.csv", "{date.x}{date}", "{date[9]}/{date}"]
)
def test_f3_other_places_in_a_pattern_are_refused(pattern: str) -> None:
    for make in (lambda: vf.Config(input_pattern=pattern), lambda: vf.Config(inputs={"q": pattern})):
        with pytest.raises(vf.ConfigError, match="date"):
            make()


# ---- what a pipeline reads -----------------------------------------------------------------------------------------


def with_quotes(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    quotes = ctx.scan("quotes", schema={"code": {"cast_to": pl.String}})
    return vf.aggregate(df.join(quotes, on="code"), ["code"], {"bid": pl.col("bid").max()})


@pytest.fixture
def two_inputs(tmp_path: Path) -> vf.Config:
    for date in ("20240102", "20240103"):
        written(tmp_path / "in" / date / "trade.csv", "code,qty\n000001,1\n")
        written(tmp_path / "in" / date / "quote.csv", "code,bid\n000001,9.5\n")
    return vf.Config(
        input_dir=tmp_path / "in",
        output_dir=tmp_path / "out",
        input_pattern="{date}/trade.csv",
        inputs={"quotes": "{date}/quote.csv", "never": "{date}/never.csv"},
        schema={"code": {"cast_to": pl.String}},
    )


def test_f4_a_second_input_that_changes_makes_a_partial_stale(two_inputs: vf.Config) -> None:
    dates = ["20240102", "20240103"]

    def batch() -> list[str]:
        report = vf.run_batch(with_quotes, two_inputs, dates, parallel=False, progress=False)
        return report.frame["status"].to_list()

    assert batch() == ["done", "done"]
    assert batch() == ["skipped", "skipped"]
    written(two_inputs.get_input_path("quotes", "20240103"), "code,bid\n000001,11.25\n")
    for function in (None, with_quotes):
        frame = vf.status(two_inputs, dates, pipeline_fn=function)
        assert frame["status"].to_list() == ["done", "stale"]
        assert "the input 'quotes' changed" in frame["why"][1]
    assert batch() == ["skipped", "done"]
    assert vf.load(two_inputs.get_partial_path("20240103"))["bid"].to_list() == [11.25]
    two_inputs.inputs["quotes"] = "{date}/other.csv"
    assert set(vf.status(two_inputs, dates)["status"]) == {"stale"}


def test_f4_a_second_input_that_is_missing_or_damaged_is_named(two_inputs: vf.Config) -> None:
    path = two_inputs.get_input_path("quotes", DATE)
    written(path, "code,bid\n" + "000001,1\n" * 120 + "000001,1.5\n")
    with pytest.raises(vf.DataError, match=r"quote\.csv.*row 120"):
        vf.run(with_quotes, two_inputs, DATE)
    path.unlink()
    with pytest.raises(vf.StorageError, match=r"quote\.csv: there is no such file.*'quotes' of 20240102"):
        vf.run(with_quotes, two_inputs, DATE)
    with pytest.raises(vf.ConfigError, match="did you mean 'quotes'"):
        vf.run(lambda df, ctx: ctx.scan("quote"), two_inputs, DATE)
    assert vf.status(two_inputs, [DATE])["status"].to_list() == ["missing"]


def test_f4_a_second_input_that_changes_while_it_is_read_is_an_error(two_inputs: vf.Config) -> None:
    def changes(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        out = with_quotes(df, ctx)
        os.utime(ctx.config.get_input_path("quotes", ctx.date), ns=(1, 1))
        return out

    with pytest.raises(vf.StorageError, match=r"quote\.csv.*changed while"):
        vf.run(changes, two_inputs, DATE)
    assert not two_inputs.get_partial_path(DATE).exists()


def test_f4_a_calendar_that_changes_makes_a_partial_stale(two_inputs: vf.Config, tmp_path: Path) -> None:
    two_inputs.calendar_path = written(tmp_path / "days.csv", "date\n20231229\n20240102\n20240103\n")
    vf.run(with_quotes, two_inputs, DATE)
    assert vf.status(two_inputs, [DATE])["status"].to_list() == ["done"]
    written(tmp_path / "days.csv", "date\n20231228\n20240102\n20240103\n")
    assert vf.status(two_inputs, [DATE])["status"].to_list() == ["stale"]


# ---- dates, rules, sugar -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dates", [["2024-01-02"], "20240230", [20240102], ["2024010２"]])
def test_f9_generated_days_refuse_a_date_as_everything_does(tmp_path: Path, dates: Any) -> None:
    with pytest.raises(vf.ConfigError, match="is not a day written YYYYMMDD"):
        demo.generate(tmp_path, dates, rows=10, symbols=1)
    with pytest.raises(vf.ConfigError):
        demo.generate(tmp_path, [DATE], rows=0, symbols=1)
    assert list(tmp_path.iterdir()) == []


def test_f10_a_rule_without_process_says_what_to_write() -> None:
    class Half(vf.TagRule):
        output_columns: ClassVar = ["x"]

    for rules in ([Half()], [vf.TagRule()]):
        with pytest.raises(vf.ConfigError, match="process") as caught:
            vf.Enricher(rules)
        assert type(rules[0]).__name__ in str(caught.value)
        assert "def process(self, row, state)" in str(caught.value)


def test_f14_run_takes_dates_as_run_batch_does(tmp_path: Path) -> None:
    dates = ["20240102", "20240103"]
    for date in dates:
        vf.save(pl.DataFrame({"side": ["B", "S"]}), tmp_path / "in" / f"{date}.feather")
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")
    report = vf.run(sides, config, dates=dates, parallel=False, progress=False)
    assert report.frame["status"].to_list() == ["done", "done"]
    assert vf.run(sides, config, dates=dates, parallel=True, progress=False).count("skipped") == 2
    assert vf.run(sides, config, dates=dates, parallel=False, skip_existing=False, progress=False).count("done") == 2
    assert vf.run(sides, config, DATE, save=False).height == 2
    for wrong in (
        {"date": DATE, "dates": dates},
        {},
        {"date": DATE, "parallel": True},
        {"dates": dates, "save": False},
    ):
        with pytest.raises(vf.ConfigError, match="date"):
            vf.run(sides, config, **wrong)  # type: ignore[call-overload]
    assert dt.date(2024, 1, 2).strftime("%Y%m%d") == DATE
