"""The command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.cli import _load, main
from vizflow.errors import ConfigError

DATE = "20240102"
PIPELINE = """
import polars as pl
import vizflow as vf
config = vf.Config(input_dir={folder!r}, output_dir={folder!r} + "/out")
other = 7
def sides(df, ctx):
    return vf.aggregate(df, ["side"], {{"n": pl.len()}})
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    vf.save(pl.DataFrame({"side": ["B", "B", "S"]}), tmp_path / f"{DATE}.feather")
    path = tmp_path / "my_job.py"
    path.write_text(PIPELINE.format(folder=str(tmp_path)))
    return path


def test_run_saves_and_says_where(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", f"{job}:sides", DATE]) == 0
    target = job.parent / "out" / f"{DATE}.parquet"
    assert capsys.readouterr().out == f"{target}: 2 rows\n"
    assert vf.load(target).rows() == [("B", 2), ("S", 1)]


def test_run_without_saving_prints_the_result(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", f"{job}:sides", DATE, "--no-save"]) == 0
    assert "shape: (2, 2)" in capsys.readouterr().out
    assert not (job.parent / "out").exists()


def test_run_by_module_name(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(job.parent)
    assert main(["run", "my_job:sides", DATE]) == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["{job}:sides", "20241399"], "ConfigError: date '20241399'"),
        (["{job}:sides", "20240103"], "StorageError"),
        (["{job}:nothing", DATE], "no function 'nothing'"),
        (["{job}:other", DATE], "no function 'other'"),
        (["{job}:sides", DATE, "--config", "other"], "no Config named 'other'"),
        (["{job}", DATE], "module:function"),
        (["no_such_module:sides", DATE], "cannot be imported"),
        (["no/such/file.py:sides", DATE], "cannot be imported"),
    ],
)
def test_what_fails_is_one_line_and_exit_code_1(
    job: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert main(["run", *(argument.format(job=job) for argument in arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("vizflow: ")
    assert captured.err.count("\n") == 1
    assert text in captured.err


def test_spec_of_a_pipeline() -> None:
    with raises(ConfigError, "module:function"):
        _load(":sides")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run"], ["run", "a:b"], ["demo", "--rows", "many"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: vizflow" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"vizflow {vf.__version__}\n"


def test_demo_makes_days_and_partials_and_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("numpy")
    dates = ["20240102", "20240103"]
    assert main(["demo", "--output", str(tmp_path), "--rows", "3000", "--symbols", "20", "--dates", *dates]) == 0
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
