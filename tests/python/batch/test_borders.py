"""Batches at the borders of a machine: others' files, closed outputs, pipes, folders closed to us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import batch_jobs
import vizflow as vf
from vizflow.cli import main
from vizflow.files import atomic
from vizflow.files import json as _json
from vizflow.jobs import folder as _folder

DATES = ["20240102", "20240103", "20240104"]
DATE = DATES[0]
DAY = pl.DataFrame({"side": ["B", "S", "B"], "qty": [1, 2, 3]})
JOB = Path(batch_jobs.__file__)


@pytest.fixture
def config(tmp_path: Path) -> vf.Config:
    for date in DATES:
        vf.save(DAY, tmp_path / "in" / f"{date}.feather")
    return vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out", horizons=[60, 300])


@pytest.fixture
def toml(config: vf.Config, tmp_path: Path) -> Path:
    path = tmp_path / "c.toml"
    path.write_text('input_dir = "in"\noutput_dir = "out"\nhorizons = [60, 300]\n')
    return path


def batch(config: vf.Config, function: Any = batch_jobs.sides) -> list[str]:
    report = vf.run_batch(function, config, DATES, parallel=False, progress=False)
    return report.frame["status"].to_list()


def shell(line: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $VIZFLOW is the command line."""
    path = os.pathsep.join([str(Path(vf.__file__).parents[1]), str(JOB.parent), os.environ.get("PYTHONPATH", "")])
    variables = {**os.environ, "PYTHONPATH": path, "VIZFLOW": f"{sys.executable} -m vizflow"}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        env=variables,
        timeout=120,
        **options,
    )


def as_nobody(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run Python as a user who may not do everything."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    head = (
        f"import os, sys; sys.path[:0] = {sys.path!r}; import polars, vizflow as vf, importlib.readers\n"
        "import concurrent.futures.process, encodings.ascii, encodings.idna, _strptime, traceback, linecache\n"
        "import tokenize, pyarrow.ipc\n"
        "vf.calendar.get('CN')  # what may not be read later, where Python itself is root's\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", head + code, *map(str, words)], capture_output=True, text=True, timeout=120
    )


def opened(path: Path) -> None:
    """Let everybody through the folders above a path, which pytest keeps for itself."""
    for folder in path.parents:
        if folder.stat().st_uid == os.geteuid() and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o055)


# ---- S7 -----------------------------------------------------------------------------------------------------------


def test_another_users_leftover_in_a_sticky_folder_stops_no_batch(config: vf.Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    code = (
        "from vizflow import _core\nf = _core.File(sys.argv[1])\n"
        "print(*os.listdir(os.path.dirname(sys.argv[1]))); sys.stdout.flush(); os._exit(0)"
    )
    made = subprocess.run(
        [sys.executable, "-c", f"import os, sys; sys.path[:0] = {sys.path!r}\n{code}", str(out / "20240102.parquet")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    (left,) = made.stdout.split()
    assert atomic.leftovers(out) == [out / left]
    opened(out / left)
    (tmp_path / "in").chmod(0o755)
    out.chmod(0o1777)
    told = as_nobody(
        "from vizflow.files import atomic; from pathlib import Path\n"
        "c = vf.Config(input_dir=sys.argv[1], output_dir=sys.argv[2])\n"
        "f = lambda df, ctx: vf.aggregate(df, ['side'], {'n': polars.len()})\n"
        "r = vf.run_batch(f, c, ['20240102'], parallel=False, progress=False)\n"
        "print(r.frame['status'].to_list(), atomic.sweep(sys.argv[2]))",
        tmp_path / "in",
        out,
    )
    assert told.stdout == "['done'] []\n", told.stderr
    assert (out / left).exists()


@pytest.mark.parametrize("closed", ["2>&-", "2>&- <&-", "2>&- >&- <&-"])
@pytest.mark.parametrize("how", ["--serial", "--workers 1"])
def test_a_batch_with_closed_outputs_does_its_work(config: vf.Config, toml: Path, closed: str, how: str) -> None:
    ended = shell(f"$VIZFLOW batch {JOB}:sides -c {toml} {DATE} {how} {closed}")
    assert ended.returncode == 0
    assert vf.load(config.get_partial_path(DATE))["n"].to_list() == [2, 1]
    assert vf.status(config, [DATE])["status"].to_list() == ["done"]


def test_a_partial_that_vanishes_costs_no_report(config: vf.Config, caplog: pytest.LogCaptureFixture) -> None:
    def vanishes(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        if ctx.date == DATES[2]:
            config.get_partial_path(DATE).unlink()
        return batch_jobs.sides(df, ctx)

    report = vf.run_batch(vanishes, config, DATES, parallel=False, progress=False)
    assert report.frame["status"].to_list() == ["done"] * 3
    assert "gone" in report.frame["note"][0]
    assert "gone" not in report.frame["note"][1]
    assert report.path is not None
    assert json.loads(report.path.read_text())["counts"]["done"] == 3


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_a_pipe_where_a_partial_should_be_hangs_nothing(config: vf.Config, toml: Path, kind: str) -> None:
    path = config.get_partial_path(DATE)
    path.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    code = (
        "c = vf.Config(input_dir=sys.argv[1], output_dir=sys.argv[2])\n"
        "print(vf.status(c, ['20240102']).row(0))\n"
        "for read in vf.load, vf.Cube.from_partials, vf.Cube.open, lambda p: vf.reduce(p).collect(), vf.Edges.load:\n"
        "    try: read(sys.argv[2] + '/20240102.parquet')\n"
        "    except vf.Error as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; import vizflow as vf\n{code}",
         str(config.input_dir), str(config.output_dir)],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].startswith("('20240102', 'damaged', '"), done.stderr
    assert len(lines) == 6, done.stderr + done.stdout


def test_a_folder_that_may_not_be_looked_into_is_an_error_of_ours(config: vf.Config, tmp_path: Path) -> None:
    batch(config)
    opened(tmp_path / "in" / "x")
    (tmp_path / "in").chmod(0o644)
    (tmp_path / "out").chmod(0o644)
    code = """
c = vf.Config(input_dir=sys.argv[1] + "/in", output_dir=sys.argv[1] + "/out")
f = lambda df, ctx: df
file = sys.argv[1] + "/out/20240102.parquet"
for job in [lambda: vf.load(file), lambda: vf.scan(file), lambda: vf.run(f, c, "20240102"),
            lambda: vf.reduce(file).collect(), lambda: vf.Cube.from_partials(file), lambda: vf.Cube.open(file),
            lambda: vf.calendar.load(file), lambda: vf.Edges.load(file),
            lambda: vf.save(polars.DataFrame({"a": [1]}), file), lambda: vf.daily(c, ["20240102"]),
            lambda: vf.run_batch(f, c, ["20240102"], parallel=False, progress=False)]:
    try:
        job()
        print("no error")
    except vf.Error:
        print("error")
print(vf.status(c, ["20240102"])["status"].to_list())
print(vf.check(c, ["20240102"]).ok)
"""
    told = as_nobody(code, tmp_path)
    assert told.stdout.splitlines() == ["error"] * 11 + ["['damaged']", "False"], told.stderr + told.stdout
    (tmp_path / "in").chmod(0)
    told = as_nobody(
        "c = vf.Config(input_dir=sys.argv[1] + '/in', output_dir=sys.argv[1] + '/out')\n"
        "for job in (lambda: vf.status(c), lambda: vf.calendar.from_files(sys.argv[1] + '/in')):\n"
        "    try: job()\n"
        "    except vf.StorageError as error: print(error)",
        tmp_path,
    )
    assert told.stdout.count("Permission denied") == 2, told.stderr


def test_a_stale_failure_note_leaves_stale_alone(config: vf.Config) -> None:
    def fails(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        raise LookupError("no such thing")

    def status() -> str:
        return str(vf.status(config, [DATE])["status"][0])

    batch(config)
    with pytest.raises(vf.BatchError):
        vf.run_batch(fails, config, [DATE], parallel=False, skip_existing=False, progress=False)
    assert status() == "done"  # the partial that is there is what would be made
    vf.save(DAY.head(1), config.get_file_path(DATE))
    assert status() == "failed"  # the last attempt
    note = config.get_partial_path(DATE).parent / _folder.NAME / "failed" / f"{DATE}.json"
    kept = note.read_bytes()
    vf.run(batch_jobs.sides, config, DATE)
    assert not note.exists()
    note.write_bytes(kept)
    os.utime(note, ns=(1, time.time_ns() - 10**12))  # older than the partial
    vf.save(DAY.head(2), config.get_file_path(DATE))
    assert status() == "stale"
    vf.run(batch_jobs.sides, config, DATE)
    note.write_bytes(kept)
    assert batch(config)[0] == "skipped"  # trusted since: that attempt is forgotten
    vf.save(DAY.head(1), config.get_file_path(DATE))
    assert status() == "stale"


@pytest.mark.parametrize(
    "command",
    [
        "calendar --market CN --json",
        "status {job} -c {toml} --json",
        "calendar --market CN",
        "run {job} 20240102 -c {toml} --no-save",
    ],
)
def test_a_reader_that_has_enough_fails_no_command(config: vf.Config, toml: Path, command: str) -> None:
    line = command.format(job=f"{JOB}:sides", toml=toml)
    ended = shell(f"$VIZFLOW {line} | head -1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("\n") == 1
    ended = shell(f"$VIZFLOW {line} | true")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        "status {job} -c {toml}",
        "status {job} -c {toml} --json",
        "--help",
        "calendar",
        "run {job} 20240102 -c {toml} --no-save",
    ],
)
def test_an_output_that_is_full_is_told_in_a_line(config: vf.Config, toml: Path, command: str) -> None:
    ended = shell(f"$VIZFLOW {command.format(job=f'{JOB}:sides', toml=toml)} > /dev/full")
    assert ended.returncode == 1
    assert ended.stderr == "vizflow: the output could not be written (No space left on device)\n"


# ---- JSON ---------------------------------------------------------------------------------------------------------


def strict(text: str) -> Any:
    def refuse(word: str) -> Any:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def odd(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    frame = pl.LazyFrame({
        "x": [float("nan"), float("inf"), -float("inf"), 1.5], "id": [2**53 + 1, 2**63 - 1, 0, 1],
        "list": [[float("nan")], [], None, [1.0]], "b": [b"\xff", b"", None, b"a"],
        "t": pl.Series([1, 2, 3, None], dtype=pl.Duration("us")),
    })  # fmt: skip
    return frame.with_columns(s=pl.struct("x", "id"))


def test_json_of_every_command_is_strict(config: vf.Config, toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def say(*words: str) -> Any:
        assert main([*words, "--json"]) in (0, 1), words
        return strict(capsys.readouterr().out)

    here = Path(__file__)
    rows = say("run", f"{here}:odd", DATE, "-c", str(toml), "--no-save")["rows"]
    assert [row["x"] for row in rows] == [None, None, None, 1.5]
    assert [row["id"] for row in rows] == [2**53 + 1, 2**63 - 1, 0, 1]
    assert rows[0]["list"] == [None]
    assert rows[0]["s"] == {"x": None, "id": 2**53 + 1}
    say("run", f"{here}:odd", DATE, "-c", str(toml))
    head = say("inspect", str(config.get_partial_path(DATE)))["head"]
    assert head[0]["x"] is None
    say("run", f"{here}:fails_with_nan", DATE, "-c", str(toml))
    say("status", f"{here}:odd", "-c", str(toml))
    assert say("batch", f"{here}:odd", "-c", str(toml), "--serial", "--no-progress")["counts"]["done"] == 2
    say("cluster", f"{here}:odd", "-c", str(toml))
    say("calendar", "--days", str(config.input_dir))
    assert say("check", "-c", str(toml), DATE)["vizflow"]
    nan = vf.aggregate(pl.DataFrame({"k": ["a"], "x": [float("nan")]}), ["k"], {"x": pl.col("x").sum()})
    assert say("reduce", str(vf.save(nan, config.output_dir / "other" / "nan.parquet"))) == [{"k": "a", "x": None}]  # type: ignore[operator]


def fails_with_nan(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    raise ValueError(f"{float('nan')}")


def test_json_of_reports_is_strict(config: vf.Config) -> None:
    report = vf.run_batch(batch_jobs.sides, config, DATES, parallel=False, progress=False)
    odd_report = vf.BatchReport(report.frame.with_columns(seconds=pl.lit(float("nan"))), float("inf"))
    found = strict(odd_report.to_json())
    assert (found["seconds"], found["dates"][0]["seconds"]) == (None, None)
    assert report.path is not None
    written = strict(report.path.read_text())
    assert {**written, "digest": None} == {**strict(report.to_json()), "digest": None}
    assert strict(vf.check(config, DATES).to_json())["vizflow"]
    assert strict(_json.text({"a\udcff": ["\udc80", float("nan")]})) == {"a\udcff": ["\udc80", None]}
