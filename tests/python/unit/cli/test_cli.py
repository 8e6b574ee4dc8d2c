"""The command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import vizflow as vf
from vizflow.cli import main

DATE = "20240102"
PIPELINE = """
import polars as pl
import vizflow as vf
config = vf.Config(input_dir={folder!r}, output_dir={folder!r} + "/out")
other = 7
metrics = {{"n": pl.len()}}
def sides(df, ctx):
    return vf.aggregate(df, ["side"], ctx.config.metrics or {{"n": pl.len()}})
def fails(df, ctx):
    raise KeyError("mine")
"""
COMMANDS = ["run", "batch", "cluster", "status", "check", "inspect", "calendar", "reduce", "demo", "explore"]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    vf.save(pl.DataFrame({"side": ["B", "B", "S"]}), tmp_path / f"{DATE}.feather")
    path = tmp_path / "my_job.py"
    path.write_text(PIPELINE.format(folder=str(tmp_path)))
    return path


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading a pipeline's file puts its folder on the path; each test has its own."""
    monkeypatch.setattr(sys, "path", list(sys.path))


Out = pytest.CaptureFixture[str]


def test_run_saves_and_says_where(job: Path, capsys: Out) -> None:
    assert main(["run", f"{job}:sides", DATE]) == 0
    target = job.parent / "out" / f"{DATE}.parquet"
    assert capsys.readouterr().out == f"{target}: 2 rows\n"
    assert vf.load(target).rows() == [("B", 2), ("S", 1)]
    assert main(["run", f"{job}:sides", DATE, "--skip-existing"]) == 0
    assert capsys.readouterr().out == f"{target}: is what would be made; left as it is\n"
    assert main(["run", f"{job}:sides", DATE, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["path"], said["status"], said["rows"]) == (str(target), "done", 2)


def test_run_without_saving_prints_the_result(job: Path, capsys: Out) -> None:
    assert main(["run", f"{job}:sides", DATE, "--no-save"]) == 0
    assert "shape: (2, 2)" in capsys.readouterr().out
    assert main(["run", f"{job}:sides", DATE, "--no-save", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"date": DATE, "rows": [{"side": "B", "n": 2}, {"side": "S", "n": 1}]}
    assert not (job.parent / "out").exists()


def test_run_by_module_name(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["run", "my_job:sides", DATE, "--path", str(job.parent)]) == 0


def test_config_of_a_file_takes_the_metrics_of_the_module(job: Path, capsys: Out) -> None:
    (job.parent / "job.toml").write_text('input_dir = "."\noutput_dir = "elsewhere"\n')
    assert main(["run", f"{job}:sides", DATE, "--config", str(job.parent / "job.toml")]) == 0
    assert vf.load(job.parent / "elsewhere" / f"{DATE}.parquet").columns == ["side", "n"]
    text = json.dumps({"input_dir": str(job.parent), "output_dir": str(job.parent / "third")})
    assert main(["run", f"{job}:sides", DATE, "-c", text]) == 0
    assert (job.parent / "third" / f"{DATE}.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["{job}:sides", "20241399"], 2, "ConfigError: date '20241399'"),
        (["{job}:sides", "20240103"], 1, "StorageError"),
        (["{job}:fails", DATE], 1, "KeyError: 'mine'"),
        (["{job}:fails", DATE, "--no-save"], 1, "KeyError: 'mine' (-v shows the traceback)"),
        (["{job}:nothing", DATE], 2, "no function 'nothing'"),
        (["{job}:other", DATE], 2, "no function 'other'"),
        (["{job}:sides", DATE, "--config", "other"], 2, "no Config named 'other'"),
        (["{job}:sides", DATE, "--config", "no.toml"], 2, "no.toml: the config file cannot be read"),
        (["{job}:sides", DATE, "--config", "{{"], 2, "not a JSON object"),
        (["{job}:sides", DATE, "--config-id", "abc"], 2, "is not the one this job was made for"),
        (["{job}:sides", DATE, "--chdir", "/no/such/folder"], 2, "cannot work in that folder"),
        (["{job}", DATE], 2, "module:function"),
        (["no_such_module:sides", DATE], 2, "cannot be imported"),
        (["no/such/file.py:sides", DATE], 2, "cannot be imported"),
    ],
)
def test_what_fails_is_one_line_and_an_exit_code(
    job: Path, capsys: Out, arguments: list[str], code: int, text: str
) -> None:
    assert main(["run", *(argument.format(job=job) for argument in arguments)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("vizflow: ")
    assert captured.err.count("\n") == 1
    assert text in captured.err


def test_a_traceback_on_demand(job: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vizflow", "-v", "run", f"{job}:fails", DATE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "my_job.py" in done.stderr


# ---- many dates ---------------------------------------------------------------------------------------------------


def more_days(job: Path) -> None:
    for date in ("20240103", "20240104"):
        vf.save(pl.DataFrame({"side": ["B", "B", "S"]}), job.parent / f"{date}.feather")


def test_batch_of_all_the_dates_there_are(job: Path, capsys: Out) -> None:
    more_days(job)
    assert main(["batch", f"{job}:sides", "--serial"]) == 0
    out = capsys.readouterr().out
    assert re.fullmatch(r"3 dates in \d\.\d s: 3 done\n", out)
    assert main(["batch", f"{job}:sides", "--serial", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["counts"] == {"done": 0, "empty": 0, "skipped": 3, "failed": 0, "cancelled": 0}
    assert Path(said["path"]).is_file()
    assert main(["batch", f"{job}:sides", "--serial", "--again", "--from", "20240103", "--json"]) == 0
    assert [row["date"] for row in json.loads(capsys.readouterr().out)["dates"]] == ["20240103", "20240104"]


def test_batch_with_failures(job: Path, capsys: Out) -> None:
    (job.parent / "20240103.feather").write_bytes(b"rubbish")
    assert main(["batch", f"{job}:sides", "--workers", "2", "--no-progress"]) == 1
    captured = capsys.readouterr()
    assert "2 dates in" in captured.out
    assert "1 done, 1 failed" in captured.out
    assert "  20240103  StorageError: " in captured.out
    assert "tracebacks: " in captured.out
    assert main(["batch", f"{job}:sides", "--serial", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["counts"]["failed"] == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["20240102", "--from", "20240101"], "dates are listed too"),
        (["--from", "20250101"], "has a date from 20250101"),
        (["--from", "yesterday"], "'yesterday'"),
        (["--set", "a=1"], "--on"),
        (["--on", "slurm", "--set", "a"], "KEY=VALUE"),
    ],
)
def test_batch_used_wrongly(job: Path, capsys: Out, arguments: list[str], text: str) -> None:
    assert main(["batch", f"{job}:sides", *arguments]) == 2
    assert text in capsys.readouterr().err


def test_batch_over_the_markets_days(job: Path, capsys: Out) -> None:
    assert main(["batch", f"{job}:sides", "--serial", "--json", "--from", "20240101", "--to", "20240103"]) == 1
    rows = json.loads(capsys.readouterr().out)["dates"]
    assert [(row["date"], row["status"]) for row in rows] == [("20240102", "done"), ("20240103", "failed")]


def test_batch_over_a_calendars_days(job: Path, capsys: Out) -> None:
    """A trading day without a file is a failure, and not left out."""
    (job.parent / "days.csv").write_text("date\n20240102\n20240103\n20240105\n")
    (job.parent / "job.toml").write_text('input_dir = "."\noutput_dir = "out"\ncalendar_path = "days.csv"\n')
    arguments = ["batch", f"{job}:sides", "-c", str(job.parent / "job.toml"), "--serial", "--json"]
    assert main([*arguments, "--from", "20240102", "--to", "20240105"]) == 1
    rows = json.loads(capsys.readouterr().out)["dates"]
    assert [(row["date"], row["status"]) for row in rows] == [
        ("20240102", "done"),
        ("20240103", "failed"),
        ("20240105", "failed"),
    ]


def test_status(job: Path, capsys: Out) -> None:
    more_days(job)
    main(["run", f"{job}:sides", DATE])
    main(["run", f"{job}:fails", "20240103"])
    capsys.readouterr()
    assert main(["status", f"{job}:sides"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["date", "status", "why", "written", "bytes"]
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["20240102", "done"],
        ["20240103", "failed"],
        ["20240104", "missing"],
    ]
    assert "KeyError: 'mine'" in lines[2]
    assert lines[4].startswith("3 dates: ")
    assert main(["status", f"{job}:sides", "--check"]) == 1
    assert main(["status", f"{job}:sides", DATE, "--check"]) == 0
    capsys.readouterr()
    assert main(["status", f"{job}:sides", "--only", "failed", "--json"]) == 0
    assert [row["date"] for row in json.loads(capsys.readouterr().out)] == ["20240103"]


def test_status_without_a_pipeline(job: Path, capsys: Out) -> None:
    main(["run", f"{job}:sides", DATE])
    (job.parent / "job.toml").write_text('input_dir = "."\noutput_dir = "out"\n')
    capsys.readouterr()
    assert main(["status", "-c", str(job.parent / "job.toml"), DATE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "done"
    assert main(["status", DATE]) == 2
    assert "which Config?" in capsys.readouterr().err


# ---- looking ------------------------------------------------------------------------------------------------------


def test_inspect(job: Path, capsys: Out) -> None:
    main(["run", f"{job}:sides", DATE])
    capsys.readouterr()
    partial = job.parent / "out" / f"{DATE}.parquet"
    assert main(["inspect", str(partial)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{partial}: 2 rows, ")
    assert "  side: String\n" in out
    assert f"  [vizflow.date] {DATE}\n" in out
    assert main(["inspect", str(job.parent / f"{DATE}.feather"), "--json", "--rows", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], said["columns"], said["made"]) == (3, {"side": "String"}, {})
    assert said["head"] == [{"side": "B"}]
    assert main(["inspect", str(job.parent / "no.parquet")]) == 1
    assert "there is no such file" in capsys.readouterr().err


def test_calendar_of_files(job: Path, capsys: Out) -> None:
    more_days(job)
    assert main(["calendar", "--days", str(job.parent)]) == 0
    assert capsys.readouterr().out == "20240102\n20240103\n20240104\n"
    assert main(["calendar", "--days", str(job.parent), "--from", "20240103", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["20240103", "20240104"]
    assert main(["calendar", "--days", str(job.parent), "--from", "20230103"]) == 2
    assert "outside the calendar" in capsys.readouterr().err


def test_calendar_of_a_market(capsys: Out) -> None:
    assert main(["calendar", "--market", "kr", "--from", "20241113", "--to", "20241114"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("KR: ")
    assert lines[2:] == ["20241113", "20241114 10:00-16:30"]
    assert main(["calendar", "--market", "KR"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["calendar", "--from", "20240927", "--to", "20241009", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["20240927", "20240930", "20241008", "20241009"]
    assert main(["calendar", "--market", "Mars"]) == 2
    assert main(["calendar", "--from", "20990101", "--to", "20990102"]) == 2


def test_check_finds_errors(job: Path, capsys: Out) -> None:
    more_days(job)
    assert main(["check", f"{job}:sides"]) == 0
    assert "3 days" in capsys.readouterr().out
    vf.save(pl.DataFrame({"side": [1, 2, 3]}), job.parent / "20240104.feather")
    assert main(["check", f"{job}:sides", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert [found["column"] for found in said["findings"] if found["severity"] == "error"] == ["side"]


def test_reduce(job: Path, capsys: Out) -> None:
    more_days(job)
    main(["batch", f"{job}:sides", "--serial"])
    capsys.readouterr()
    out = job.parent / "out"
    target = job.parent / "all.parquet"
    assert main(["reduce", str(out), "-o", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}: 2 rows\n"
    assert vf.load(target).rows() == [("B", 6), ("S", 3)]
    assert main(["reduce", str(out), "--by", "date", "--from", "20240103", "--to", "20240104", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0] == {"date": "2024-01-03", "side": "B", "n": 2}
    assert len(rows) == 4
    assert main(["reduce", str(out / "20240102.parquet"), str(out / "20240103.parquet")]) == 0
    assert "shape: (2, 2)" in capsys.readouterr().out
    assert main(["reduce", str(out), "--from", "20240103"]) == 2
    assert main(["reduce", str(job.parent / "nowhere")]) == 1


# ---- the program --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["fly"], ["run"], ["run", "a:b"], ["demo", "--rows", "many"], ["run", "--wings"]]
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: Out) -> None:
    assert main(arguments) == 2
    assert "Usage: vizflow" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str, capsys: Out) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: vizflow {command} ")
    assert f"vizflow {command} " in out.partition("Options:")[0].partition("\n")[2] or command == "demo"


def test_the_programs_help_lists_the_commands(capsys: Out) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    listed = re.findall(r"^  (\w+)  ", out.partition("\nCommands:\n")[2], re.MULTILINE)
    assert set(COMMANDS) <= set(listed)
    assert "Exit codes: 0 done, 1 the work failed, 2 wrong usage" in out


def test_version(capsys: Out) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vizflow {vf.__version__}\n"


def test_without_click_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    for name in ("look", "options", "run"):
        monkeypatch.delitem(sys.modules, f"vizflow.cli.{name}", raising=False)
        monkeypatch.delattr(f"vizflow.cli.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "click", None)
    assert main(["--version"]) == 2
    assert capsys.readouterr().err == "vizflow: the command line needs click: pip install 'vizflow[cli]'\n"


def test_demo_makes_days_and_partials_and_shows_them(tmp_path: Path, capsys: Out) -> None:
    pytest.importorskip("numpy")
    dates = ["20240102", "20240103"]
    assert (
        main(["demo", "--output", str(tmp_path), "--rows", "3000", "--symbols", "20", "--dates", " ".join(dates)]) == 0
    )
    out = capsys.readouterr().out
    for date in dates:
        assert (tmp_path / "partials" / f"{date}.parquet").is_file()
        assert str(tmp_path / "days" / f"{date}.feather") in out
    assert "9,000 rows" in out  # the last day is hot
    for stage in ("clock", "FIFO", "forward returns", "bins", "aggregation"):
        assert stage in out
    assert "alpha1_bin" in out


def test_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "vizflow", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"vizflow {vf.__version__}\n"


def test_a_reader_that_has_enough(job: Path) -> None:
    command = f"{sys.executable} -m vizflow inspect {job.parent / (DATE + '.feather')} | head -0"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=os.environ)
    assert done.stderr == ""
