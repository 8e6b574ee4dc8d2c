"""`run_batch` on real engines: Slurm through submitit, Dask, Ray. `make test-cluster` starts what they need."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import batch_jobs
import vizflow as vf
from batch_jobs import BAD
from support import raises
from vizflow.cli import main
from vizflow.errors import ConfigError

pytestmark = [
    pytest.mark.skipif(os.environ.get("VIZFLOW_TEST_CLUSTER") != "1", reason="make test-cluster runs these"),
    pytest.mark.filterwarnings("default"),  # the engines' own
]

DATES = [f"202401{day:02d}" for day in range(1, 9)]
DAY = pl.DataFrame({"side": ["B", "S", "B"], "qty": [1, 2, 3]})


@pytest.fixture
def config(tmp_path: Path) -> vf.Config:
    for date in DATES:
        vf.save(DAY, tmp_path / "in" / f"{date}.feather")
    return vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Executor]:
    with vf.cluster.slurm(tmp_path / "jobs", cpus_per_task=1, mem_gb=1, timeout_min=5) as executor:
        yield executor


@pytest.fixture(scope="module")
def dask_client() -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def ray() -> Iterator[Executor]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray has no wheel for this Python")
    with vf.cluster.ray(num_cpus=1) as executor:
        yield executor


@pytest.fixture(params=["slurm", "dask", "ray"])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "dask":
        return vf.cluster.dask(request.getfixturevalue("dask_client"))
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def test_an_engine_makes_what_processes_of_ours_make(config: vf.Config, executor: Executor, tmp_path: Path) -> None:
    """With a function that must be carried, and one date that raises."""
    bad = BAD["raises"]

    def sides(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        if ctx.date == bad:
            raise LookupError("no such thing")
        return batch_jobs.sides(df, ctx)

    with pytest.raises(vf.BatchError) as caught:
        vf.run_batch(sides, config, DATES, executor=executor, progress=False)
    report = caught.value.report
    assert report.failed.select("date", "error").rows() == [(bad, "LookupError: no such thing")]
    assert "no such thing" in report.failed["traceback"].item()
    assert report.count("done") == len(DATES) - 1
    local = vf.Config(input_dir=config.input_dir, output_dir=tmp_path / "local")
    dates = [date for date in DATES if date != bad]
    ours = vf.run_batch(sides, local, dates, progress=False)
    assert_frame_equal(
        report.frame.filter(status="done").select("date", "rows", "input_bytes"),
        ours.frame.select("date", "rows", "input_bytes"),
    )
    for date in dates:
        assert_frame_equal(vf.load(config.get_partial_path(date)), vf.load(local.get_partial_path(date)))
    assert set(vf.status(config, dates, pipeline_fn=sides)["status"]) == {"done"}

    def mended(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        return batch_jobs.sides(df, ctx)

    with pytest.warns(UserWarning, match="7 dates from 20240101 kept, though"):
        again = vf.run_batch(mended, config, DATES, executor=executor, progress=False)
    assert (again.count("skipped"), again.count("done")) == (len(dates), 1)


@pytest.mark.parametrize("executor", ["slurm", "ray"], indirect=True)
def test_a_killed_job_costs_its_date_only(config: vf.Config, executor: Executor) -> None:
    dates = [DATES[0], BAD["killed"], DATES[1]]
    with pytest.raises(vf.BatchError) as caught:
        vf.run_batch(batch_jobs.trouble, config, dates, executor=executor, progress=False)
    report = caught.value.report
    assert report.failed["date"].to_list() == [BAD["killed"]]
    assert report.count("done") == len(dates) - 1


def test_dask_gives_up_a_date_whose_workers_die(config: vf.Config) -> None:
    """Dask starts the date again on other workers, as often as its settings say (thrice; here not at all)."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
        pytest.raises(vf.BatchError) as caught,
    ):
        vf.run_batch(batch_jobs.trouble, config, [DATES[0], BAD["killed"]], executor=vf.cluster.dask(client))
    assert "KilledWorker" in caught.value.report.failed.filter(date=BAD["killed"])["error"].item()


def test_a_second_batch_on_dask_is_run_and_not_remembered(config: vf.Config, dask_client: Any) -> None:
    executor = vf.cluster.dask(dask_client)
    for _ in range(2):
        report = vf.run_batch(
            batch_jobs.sides, config, DATES[:2], executor=executor, skip_existing=False, progress=False
        )
        assert report.count("done") == 2
        for date in DATES[:2]:
            config.get_partial_path(date).unlink()


def test_dask_by_address_closes_its_client(config: vf.Config, dask_client: Any) -> None:
    with vf.cluster.dask(dask_client.scheduler.address) as executor:
        assert vf.run_batch(batch_jobs.sides, config, DATES[:2], executor=executor, progress=False).count("done") == 2
    assert dask_client.status == "running"


def test_ray_limits_polars_threads(config: vf.Config, ray: Executor) -> None:
    vf.run_batch(batch_jobs.threads, config, DATES[:2], executor=ray, progress=False)
    assert {vf.load(config.get_partial_path(date))["threads"].item() for date in DATES[:2]} == {1}


def test_slurm_cancels_jobs_that_are_cancelled(slurm: Executor) -> None:
    futures = [slurm.submit(time.sleep, 60) for _ in range(3)]
    time.sleep(1)
    assert all(future.cancel() for future in futures)
    until = time.monotonic() + 30
    while subprocess.check_output(["squeue", "-h"]).strip() and time.monotonic() < until:
        time.sleep(0.5)
    assert not subprocess.check_output(["squeue", "-h"]).strip()


def test_slurm_folder_is_its_owners_only(slurm: Executor, tmp_path: Path) -> None:
    assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0


JOB = """
import polars as pl
import vizflow as vf
config = vf.Config(input_dir={folder!r} + "/in", output_dir={folder!r} + "/out")
def process_day(df, ctx):
    return vf.aggregate(df, ["side"], {{"n": pl.len()}})
"""


def test_commands_for_sbatch_run_and_fail_as_slurm_jobs(config: vf.Config, tmp_path: Path) -> None:
    """`run_cluster` with a template, and nothing between it and Slurm."""
    job = tmp_path / "my job.py"
    job.write_text(JOB.format(folder=str(tmp_path)))
    config.get_file_path(DATES[1]).write_bytes(b"rubbish")
    script = tmp_path / "submit.py"
    template = f"sbatch --wait --job-name={{name}} --mem=500M --output={tmp_path}/{{name}}.log --wrap={{quoted}}"
    script.write_text(
        JOB.format(folder=str(tmp_path)) + f"import subprocess\n"
        f"commands = vf.run_cluster(process_day, config, {DATES[:2]!r}, python={sys.executable!r}, "
        f"template={template!r})\n"
        f"running = [subprocess.Popen(command, shell=True) for command in commands]\n"
        f"print([job.wait() for job in running])\n"
    )
    said = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.splitlines()[-1] == "[0, 1]", said.stdout + said.stderr
    assert vf.load(config.get_partial_path(DATES[0])).rows() == [("B", 2), ("S", 1)]
    assert "StorageError" in (tmp_path / f"vf_{DATES[1]}.log").read_text()
    assert vf.status(config, DATES[:2])["status"].to_list() == ["done", "failed"]


def test_the_command_line_on_slurm(config: vf.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tmp_path / "my_job.py"
    job.write_text(JOB.format(folder=str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    settings = ["--set", "mem_gb=1", "--set", "cpus_per_task=1", "--set", f"folder={tmp_path / 'jobs'}"]
    assert main(["batch", f"{job}:process_day", *DATES[:2], "--on", "slurm", *settings]) == 0
    assert set(vf.status(config, DATES[:2])["status"]) == {"done"}


def test_without_slurm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with raises(ConfigError, "Slurm cannot be used here"):
        vf.cluster.slurm(tmp_path / "jobs")


@pytest.mark.parametrize("engine", ["slurm", "dask", "ray"])
def test_the_examples_run(engine: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None and engine == "ray":
        pytest.skip("Ray has no wheel for this Python")
    examples = Path(__file__).parents[3] / "examples" / "python"
    for name in ("job.py", f"on_{engine}.py"):
        done = subprocess.run(
            [sys.executable, str(examples / name)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    assert "3 dates in" in done.stdout
    assert "3 done" in done.stdout
    assert len(list((tmp_path / "demo-output" / "partials").glob("*.parquet"))) == 3
