"""`run_cluster`: commands that a shell takes apart as they were meant, and jobs that do one date or exit non-zero."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import batch_jobs
import vizflow as vf
from support import raises
from vizflow.cli import main
from vizflow.errors import ConfigError
from vizflow.jobs import pipelines

DATES = ["20240102", "20240103"]
DAY = pl.DataFrame({"side": ["B", "S", "B"], "qty": [1, 2, 3]})
JOB = """
import polars as pl
import vizflow as vf
config = vf.Config(input_dir={folder!r}, output_dir={folder!r} + "/out", metrics={{"n": pl.len()}})
def process_day(df, ctx):
    return vf.aggregate(df, ["side"], ctx.config.metrics)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name a shell would take apart."""
    folder = tmp_path / 'it\'s a $HOME; `folder` "x" 日'
    for date in DATES:
        vf.save(DAY, folder / f"{date}.feather")
    return folder


@pytest.fixture
def job(folder: Path) -> Path:
    path = folder / "my job.py"
    path.write_text(JOB.format(folder=str(folder)), encoding="utf-8")
    return path


@pytest.fixture
def ailab(tmp_path: Path) -> dict[str, str]:
    """An ailab that runs what comes after ``--`` at once, and notes the job's name."""
    place = tmp_path / "bin"
    place.mkdir()
    program = place / "ailab"
    program.write_text(
        '#!/bin/sh\n[ "$1 $2" = "create job" ] || exit 9\necho "$3" >> "$AILAB_LOG"\n'
        'while [ "$1" != "--" ]; do shift; done; shift\nexec "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "AILAB_LOG": str(tmp_path / "log")}


def submit(command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, shell=True, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=300
    )


def test_the_designs_commands(job: Path) -> None:
    module, function = pipelines.load(f"{job}:process_day")
    commands = vf.run_cluster(function, module.config, DATES)
    for date, command in zip(DATES, commands, strict=True):
        assert command.startswith(f"ailab create job --name=vf_{date} ")
        words = shlex.split(command)
        assert words[:4] == ["ailab", "create", "job", f"--name=vf_{date}"]
        assert words[4:11] == ["--", "python", "-m", "vizflow", "run", f"{job}:process_day", date]
        assert words[11:13] == ["--config", "config"]


def test_jobs_do_their_date(job: Path, folder: Path, ailab: dict[str, str]) -> None:
    module, function = pipelines.load(f"{job}:process_day")
    for command in vf.run_cluster(function, module.config, DATES, python=sys.executable):
        done = submit(command, ailab)
        assert done.returncode == 0, done.stderr
    assert Path(ailab["AILAB_LOG"]).read_text().split() == [f"--name=vf_{date}" for date in DATES]
    for date in DATES:
        assert vf.load(folder / "out" / f"{date}.parquet").rows() == [("B", 2), ("S", 1)]
    assert set(vf.status(module.config, DATES, pipeline_fn=function)["status"]) == {"done"}


def test_a_config_that_is_no_global_goes_into_the_command(folder: Path, ailab: dict[str, str]) -> None:
    config = vf.Config(
        input_dir=folder,
        output_dir=folder / "out",
        market=vf.Market("mine; rm -rf '$HOME'", [vf.Session("09:00", "12:00")]),
        schema={"qty": {"cast_to": pl.Int32}},
        horizons=[60],
    )
    (command,) = vf.run_cluster(batch_jobs.sides, config, DATES[:1], python=sys.executable)
    done = submit(command, ailab)
    assert done.returncode == 0, done.stderr
    assert vf.load(folder / "out" / f"{DATES[0]}.parquet").rows() == [("B", 2, 4), ("S", 1, 2)]
    metadata = pl.read_parquet_metadata(folder / "out" / f"{DATES[0]}.parquet")
    assert "rm -rf" in metadata["vizflow.market"]
    assert vf.status(config, DATES[:1], pipeline_fn=batch_jobs.sides)["status"].item() == "done"


def test_a_job_that_fails_exits_with_1_and_status_says_why(job: Path, folder: Path, ailab: dict[str, str]) -> None:
    module, function = pipelines.load(f"{job}:process_day")
    (folder / f"{DATES[0]}.feather").write_bytes(b"rubbish")
    (command,) = vf.run_cluster(function, module.config, DATES[:1], python=sys.executable)
    done = submit(command, ailab)
    assert done.returncode == 1
    assert done.stderr.startswith("vizflow: StorageError: ")
    row = vf.status(module.config, DATES[:1]).row(0, named=True)
    assert row["status"] == "failed"
    assert row["why"].startswith("StorageError: ")
    assert not (folder / "out" / f"{DATES[0]}.parquet").exists()


def test_a_config_that_was_changed_after_it_was_made_is_refused(job: Path, ailab: dict[str, str]) -> None:
    """The job would read the file's config, which is not the one that was given."""
    module, function = pipelines.load(f"{job}:process_day")
    module.config.horizons = [60]
    (command,) = vf.run_cluster(function, module.config, DATES[:1], python=sys.executable)
    done = submit(command, ailab)
    assert done.returncode == 2
    assert "is not the one this job was made for" in done.stderr


def test_relative_paths_count_from_where_the_commands_were_made(
    folder: Path, ailab: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    path = folder / "relative.py"
    path.write_text(JOB.format(folder="."), encoding="utf-8")
    module, function = pipelines.load(f"{path}:process_day")
    (command,) = vf.run_cluster(function, module.config, DATES[:1], python=sys.executable)
    done = submit(command, ailab)
    assert done.returncode == 0, done.stderr
    assert (folder / "out" / f"{DATES[0]}.parquet").exists()


def test_the_design_documents_script_submits_each_job_once(folder: Path, ailab: dict[str, str]) -> None:
    """It has no guard, and its jobs load it: they must not submit jobs in turn."""
    script = folder / "submit.py"
    script.write_text(
        JOB.format(folder=str(folder))
        + f"import os\ncommands = vf.run_cluster(process_day, config, {DATES!r}, python={sys.executable!r})\n"
        + "for cmd in commands:\n    os.system(cmd)\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, str(script)], env=ailab, check=True, timeout=300, cwd="/", capture_output=True)
    assert Path(ailab["AILAB_LOG"]).read_text().split() == [f"--name=vf_{date}" for date in DATES]
    assert sorted(path.name for path in (folder / "out").glob("*.parquet")) == [f"{date}.parquet" for date in DATES]


def test_templates(job: Path, folder: Path) -> None:
    module, function = pipelines.load(f"{job}:process_day")
    make: Any = lambda template: vf.run_cluster(function, module.config, DATES[:1], template=template)[0]  # noqa: E731
    wrapped = make("sbatch --job-name={name} --wrap={quoted}")
    words = shlex.split(wrapped)
    assert words[:2] == ["sbatch", "--job-name=vf_20240102"]
    inner = shlex.split(words[2].removeprefix("--wrap="))
    assert inner[:5] == ["python", "-m", "vizflow", "run", f"{job}:process_day"]
    assert make("D={date} sh -c {quoted} > ${{LOG}}").startswith("D=20240102 sh -c 'python -m vizflow")
    assert make("x {command}").endswith(shlex.join(inner))
    done = subprocess.run(
        make("sh -c {quoted}").replace("python -m", f"{sys.executable} -m"), shell=True, check=False, timeout=300
    )
    assert done.returncode == 0
    assert (folder / "out" / f"{DATES[0]}.parquet").exists()
    for template, part in [
        ("sbatch {nodes} {command}", "the template's places are {date}, {name}, {command}, {quoted}"),
        ("sbatch {command!r}", "the template's places are"),
        ("sbatch {command:>9}", "the template's places are"),
        ("sbatch {command.__class__}", "the template's places are"),
        ("sbatch {0}", "the template's places are"),
        ("sbatch {name}", "neither {command} nor {quoted}"),
        ("sbatch {command", "not well formed"),
    ]:
        with raises(ConfigError, part):
            make(template)


def test_what_is_refused(job: Path) -> None:
    module, function = pipelines.load(f"{job}:process_day")
    with raises(ConfigError, "20240230"):
        vf.run_cluster(function, module.config, ["20240230"])
    with raises(ConfigError, "output_dir"):
        vf.run_cluster(function, vf.Config(input_dir="in"), DATES)
    with raises(ConfigError, "metrics, which are expressions"):
        vf.run_cluster(batch_jobs.sides, module.config, DATES)
    with raises(ConfigError, "not a plain function"):
        vf.run_cluster(lambda df, ctx: df, module.config, DATES)


# ---- the same on the command line ---------------------------------------------------------------------------------


def test_cluster_command_prints_the_same(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module, function = pipelines.load(f"{job}:process_day")
    assert main(["cluster", f"{job}:process_day", *DATES]) == 0
    assert capsys.readouterr().out.splitlines() == vf.run_cluster(function, module.config, DATES)
    assert main(["cluster", f"{job}:process_day", "--skip-existing", "--json", "--template", "{command}"]) == 0
    (first, _) = __import__("json").loads(capsys.readouterr().out)
    assert first["date"] == DATES[0]
    assert first["command"].endswith("--skip-existing")
