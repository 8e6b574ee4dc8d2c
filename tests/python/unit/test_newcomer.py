"""What a first user meets: the way out is in the message, and help and demo read well."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from vizflow import reports
from vizflow.cli import main, showcase


def test_a_trade_outside_the_sessions_says_what_to_do() -> None:
    trades = pl.DataFrame({
        "ticktime": [93000000, 120000000], "symbol": ["a", "a"], "side": ["B", "S"], "quantity": [1, 1],
        "price": [1.0, 1.0],
    })  # fmt: skip
    df = vf.parse_time(trades, vf.CN, "ticktime", unit="HHMMSSmmm")
    enricher = vf.Enricher([vf.FIFOMatch("side", "quantity", "elapsed_seconds", "price")], sort_by="elapsed_seconds")
    with pytest.raises(vf.DataError, match="outside the market's sessions") as caught:
        enricher.run(df).collect()
    assert (caught.value.column, caught.value.row, caught.value.count) == ("elapsed_seconds", 1, 1)
    (advice,) = re.findall(r"\.filter\((.*)\), or", str(caught.value))
    assert enricher.run(df.filter(eval(advice))).collect().height == 1


def test_a_folder_given_as_a_file_says_what_reads_folders(tmp_path: Path) -> None:
    for read in (vf.scan, vf.load):
        with pytest.raises(vf.StorageError, match=r"is a folder.*vf\.reduce"):
            read(tmp_path)


def test_a_pipeline_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", f"{tmp_path}/nofile.py:process_day", "20240102"]) == 2
    assert "there is no file" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "batch", "cluster", "status", "check", "inspect", "reduce", "explore"])
def test_each_example_of_a_help_page_is_a_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"^ +vizflow {command} ", shown, re.MULTILINE)
    assert "\\b" not in shown
    assert "\b" not in shown


def test_the_demo_judges_a_forecast_once_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FIFO repeats a row for each lot it closes; the report on the forecast must not."""
    pytest.importorskip("numpy")
    pytest.importorskip("plotly")
    made: dict[str, Any] = {}
    alpha = reports.alpha

    def kept(*args: Any, **options: Any) -> Any:
        made["alpha"] = alpha(*args, **options)
        return made["alpha"]

    monkeypatch.setattr(reports, "alpha", kept)
    said: list[str] = []
    showcase.show(tmp_path, ["20240102"], 3_000, 20, said.append)
    day = vf.parse_time(vf.scan(tmp_path / "days" / "20240102.feather"), vf.CN, "ticktime", unit="HHMMSSmmm", grace=300)
    rows = day.filter(pl.col("elapsed_seconds").is_not_null()).collect().height
    assert f"{rows:,} rows" in made["alpha"].to_html()
    assert any("read every day again" in line for line in said)
