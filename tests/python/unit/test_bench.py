"""`bench/`: what its page says of losses, of results that differ and of what was left out; how its plan is made."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import polars as pl
import pytest

BENCH = Path(__file__).parents[3] / "bench"
NAMES = ["page", "run", "job", "findings", "figures", "prepare"]


@pytest.fixture
def bench(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCH))
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    modules = argparse.Namespace(**{name: importlib.import_module(name) for name in NAMES})
    monkeypatch.setattr(modules.page, "TRUST", tmp_path / "trust.json")
    monkeypatch.setattr(modules.page, "PAGE", tmp_path / "benchmarks.md")
    yield modules
    for name in NAMES:
        sys.modules.pop(name, None)


def sample(case, contestant, seconds, rows=1000, cores=2, left_out=""):
    memory = [2**30] * len(seconds)
    return {
        "case": case, "contestant": contestant, "rows": rows, "cores": cores, "seconds": seconds, "peak": memory,
        "own": memory, "moved": 10**6, "left_out": left_out,
    }  # fmt: skip


def results(bench, samples, findings=(), absent=""):
    return {
        "command": "make bench MINUTES=8", "date": "2024-01-02", "machine": bench.page.machine(2), "load": [0.5, 1.5],
        "minutes": 3.0, "rows": 1000, "check_rows": 100, "cores": 2, "bandwidth": 1e10, "absent": absent,
        "findings": list(findings), "samples": samples,
    }  # fmt: skip


def test_the_page_shows_what_is_lost_and_what_is_another_result(bench, tmp_path):
    samples = [
        sample("forward", "vizflow", [2.0, 1.0, 9.0]),
        sample("forward", "polars", [1.0, 1.5, 0.5]),
        sample("forward", "namesake", [6.0]),
        sample("forward", "duckdb", [8.0]),
        sample("forward", "pandas", [], left_out="needs about 99 GiB"),
        sample("forward", "vizflow", [3.0], cores=1),
        sample("forward", "vizflow", [4.0], rows=2000),
        sample("forward", "duckdb", [12.0], rows=2000),
    ]
    found = [{"who": "DuckDB", "what": "groups of other bits", "count": 7, "of": 1234}]
    out = tmp_path / "benchmarks.md"
    bench.page.write(results(bench, samples, found), out)
    text = out.read_text()
    assert "| Forward returns of mid, 60 and 300 s | 2.00 | **0.50** | 4.0 | 3.0 † |" in text
    assert "| VizFlow | 2.00 | 1.00 to 9.00 | 3 | 1.00x | 20000 |" in text
    assert "† the `vizflow` of PyPI: the nearest quote within 5 s" in text
    assert "| DuckDB | 8.00 (4.0x) | 12.00 (3.0x) |" in text
    assert "| VizFlow: Forward returns of mid, 60 and 300 s | 3.00 | 2.00 (1.50x) |" in text
    assert "| DuckDB | groups of other bits | 7 | 1,234 |" in text
    assert "| pandas and NumPy | Forward returns of mid, 60 and 300 s | 0.001 M (needs about 99 GiB) |" in text
    trust = json.loads(bench.page.TRUST.read_text())
    assert [row["value"] for row in trust["rows"]] == [0.5, 4.0, 3.0]
    for figure in ("cases", "rows"):
        assert f"](figures/bench-{figure}.svg)" in text
        assert ET.parse(tmp_path / "figures" / f"bench-{figure}.svg").getroot().tag.endswith("svg")


def test_short_stages_show_what_later_calls_took(bench, tmp_path):
    ours = {**sample("clock", "vizflow", [0.08, 0.07]), "again": [0.03, 0.03]}
    theirs = {**sample("clock", "polars", [0.2, 0.3]), "again": [0.15, 0.21]}
    out = tmp_path / "benchmarks.md"
    bench.page.write(results(bench, [ours, theirs, sample("clock", "duckdb", [1.0])]), out)
    assert "| 0.250 | 0.20 to 0.30 | 2 | 3.33x | 2500 | 0.180 | 6.00x |" in out.read_text()
    assert "| DuckDB | 1.00 | 1.00 to 1.00 | 1 | 13.33x | 10000 |  |  |" in out.read_text()


def test_a_busy_machine_is_named(bench, tmp_path):
    out = tmp_path / "benchmarks.md"
    quiet = results(bench, [sample("clock", "vizflow", [1.0])])
    bench.page.write(quiet, out)
    assert "busy" not in out.read_text()
    bench.page.write({**quiet, "load": [7.5, 8.0]}, out)
    assert "**The machine was busy with other work** (a load average of 7.5 on 2 cores" in out.read_text()


def test_a_page_without_the_namesake_says_why(bench, tmp_path):
    out = tmp_path / "benchmarks.md"
    bench.page.write(results(bench, [sample("clock", "vizflow", [1.0])], absent="pip could not reach it"), out)
    assert "could not be had: pip could not reach it." in out.read_text()


def test_another_result_stops_the_benchmark(bench):
    frames = {"vizflow": pl.DataFrame({"a": [1.0, None]}), "polars": pl.DataFrame({"a": [1.0, 0.0]})}
    with pytest.raises(SystemExit, match="clock: vizflow and polars do not agree"):
        bench.run.compare("clock", frames)
    bench.run.compare("clock", {**frames, "vizflow": pl.DataFrame({"a": [1.0 + 1e-14, 0.0]})})


@pytest.fixture
def options(tmp_path):
    return argparse.Namespace(
        rows=None, sizes=[10**6, 5 * 10**6, 20 * 10**6], minutes=8, repeat=3, check_rows=10**6, cases=["forward"],
        contestants=["vizflow", "duckdb", "pandas"], work=tmp_path,
    )  # fmt: skip


def make_data(folder, rows):
    (folder / f"day-{rows}").mkdir()
    for name in ("20240102", "forward"):
        (folder / f"day-{rows}" / f"{name}.feather").touch()


def costs(bench, **seconds):
    return {("forward", name): bench.run.Cost(took, 1.0, 150 << 20, 200 << 20) for name, took in seconds.items()}


def test_the_plan_fits_the_minutes_and_says_what_does_not(bench, options, monkeypatch):
    monkeypatch.setattr(bench.run, "cores", lambda: 2)
    for rows in options.sizes:
        make_data(options.work, rows)
    took = costs(bench, vizflow=0.1, duckdb=2.0, pandas=30.0)
    assert bench.run.chosen_rows(options, took) == 5 * 10**6
    plan, runs = bench.run.planned(options, took, 5 * 10**6, 63.0)
    spent = sum(bench.run.expected(options, took, s).wall * n for s, n in plan.items())
    assert 50 < spent <= 63
    slow = bench.run.Sample("forward", "pandas", 5 * 10**6, 2)
    assert slow not in plan
    assert runs[slow].left_out == "takes about 152 s"
    assert plan[bench.run.Sample("forward", "vizflow", 5 * 10**6, 2)] == 3


def test_the_plan_fits_the_memory(bench, options, monkeypatch):
    monkeypatch.setattr(bench.run, "cores", lambda: 2)
    monkeypatch.setattr(bench.run, "available", lambda: 1 << 30)
    for rows in options.sizes:
        make_data(options.work, rows)
    took = costs(bench, vizflow=0.1, duckdb=0.1)
    took["forward", "duckdb"] = bench.run.Cost(0.1, 1.0, 150 << 20, 1 << 30)
    plan, runs = bench.run.planned(options, took, 10**6, 1e6)
    assert runs[bench.run.Sample("forward", "duckdb", 5 * 10**6, 2)].left_out == "needs about 4 GiB"
    assert {s.rows for s in plan if s.contestant == "vizflow"} == {10**6, 5 * 10**6}  # 20 M: 1.1 GiB


def test_data_that_are_not_there_count(bench, options, monkeypatch):
    monkeypatch.setattr(bench.run, "cores", lambda: 2)
    make_data(options.work, 10**6)
    took = costs(bench, vizflow=0.1)
    plan, runs = bench.run.planned(options, took, 10**6, 25.0)
    assert {s.rows for s in plan} == {10**6, 5 * 10**6}
    reason = runs[bench.run.Sample("forward", "vizflow", 20 * 10**6, 2)].left_out
    assert reason == "takes about 5 s and 30 s for the data"
