"""The gate of `bench/kernels/gate.py`: what passes, what fails, what is left out, how a baseline is raised."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "bench" / "kernels" / "gate.py"
GCC, CLANG = "gcc 12.2.0, glibc 2.36", "clang 16, glibc 2.36"


@pytest.fixture
def gate(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("gate", PATH)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gate", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BASELINE", tmp_path / "baseline.txt")
    monkeypatch.setattr(module, "TRUST", tmp_path / "kernels.json")
    counts = {"fifo-learn": 1000, "fifo-match": 2000, "bin-index": 500}
    monkeypatch.setattr(module, "counted", lambda _, names: {n: module.Count(counts[n], "aa") for n in names})
    module.counts = counts
    return module


def judged(gate, used=GCC):
    known, baseline = gate.read()
    return gate.judged(gate.counted(None, list(gate.counts)), baseline, used, known)


def test_five_percent_pass_and_more_fails(gate, capsys):
    assert gate.raised(None, "all", list(gate.counts), GCC) == 0
    gate.counts["fifo-match"] = 2100
    assert judged(gate) == 0
    gate.counts["fifo-match"] = 2101
    assert judged(gate) == 1
    assert "fifo-match" in capsys.readouterr().out


def test_another_compiler_is_left_out_and_says_why(gate, capsys):
    gate.raised(None, "all", list(gate.counts), GCC)
    gate.counts["fifo-match"] = 9999
    assert judged(gate, CLANG) == 0
    out = capsys.readouterr().out
    assert f"left out: the baseline was counted with {GCC}, this is {CLANG}" in out
    assert out.count("not compared") == 3


def test_a_kernel_that_answers_something_else_fails(gate, monkeypatch):
    gate.raised(None, "all", list(gate.counts), GCC)
    monkeypatch.setattr(gate, "counted", lambda _, names: {n: gate.Count(1, "bb") for n in names})
    assert judged(gate) == 1


def test_a_kernel_without_a_baseline_and_a_baseline_without_a_kernel_fail(gate):
    gate.raised(None, "fifo", list(gate.counts), "")  # no baseline yet: as that of no toolchain
    assert gate.read()[1].keys() == {"fifo-learn", "fifo-match"}
    assert judged(gate, "") == 1
    gate.raised(None, "all", list(gate.counts), GCC)
    del gate.counts["bin-index"]
    assert judged(gate) == 1


def test_only_what_is_named_is_raised(gate):
    gate.raised(None, "all", list(gate.counts), GCC)
    gate.counts.update({"fifo-learn": 1500, "bin-index": 900})
    assert gate.raised(None, "fifo", list(gate.counts), GCC) == 0
    assert {name: c.instructions for name, c in gate.read()[1].items()} == {
        "fifo-learn": 1500,
        "fifo-match": 2000,
        "bin-index": 500,
    }
    assert judged(gate) == 1  # the bin still takes 80 % more


def test_one_toolchains_counts_do_not_mix_with_anothers(gate):
    gate.raised(None, "all", list(gate.counts), GCC)
    with pytest.raises(SystemExit, match="raise all, or none"):
        gate.raised(None, "fifo", list(gate.counts), CLANG)
    with pytest.raises(SystemExit, match="no kernel or family 'fofi'"):
        gate.raised(None, "fofi", list(gate.counts), GCC)
