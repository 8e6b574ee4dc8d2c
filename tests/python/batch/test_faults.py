"""Disks, limits and memory that run out: each is the failure of its date, and the others are done.

The operating system itself is made to fail, not a stand-in; what needs root, or a control group, is skipped without.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl
import pytest

import batch_jobs
import vizflow as vf
from batch_jobs import BAD
from vizflow.jobs import machine

DATES = [f"202401{day:02d}" for day in range(1, 9)]
SMALL = pl.DataFrame({"side": ["B", "S", "B"], "qty": [1, 2, 3]})
HERE = str(Path(batch_jobs.__file__).parent)


@pytest.fixture
def config(tmp_path: Path) -> vf.Config:
    for date in DATES:
        vf.save(SMALL, tmp_path / "in" / f"{date}.feather")
    return vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A small file system of its own."""
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def noise(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    if ctx.date != BAD["raises"]:
        return df
    return pl.LazyFrame({"x": [os.urandom(1 << 10) for _ in range(3 << 10)]})


def failures(config: vf.Config, function: object, **options: object) -> tuple[dict[str, str], vf.BatchReport]:
    with pytest.raises(vf.BatchError) as caught:
        vf.run_batch(function, config, DATES, **{"progress": False, "max_workers": 2, **options})  # type: ignore[arg-type]
    report = caught.value.report
    return dict(report.failed.select("date", "error").rows()), report


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_disk_full(config: vf.Config, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        config.output_dir = disk / "out"
        errors, report = failures(config, noise, max_workers=1)  # of two, the other may meet the full disk too
        assert list(errors) == [BAD["raises"]]
        assert errors[BAD["raises"]].startswith("StorageError: ")
        assert f"{BAD['raises']}.parquet" in errors[BAD["raises"]]
        assert re.search("no space (is )?left", errors[BAD["raises"]], re.IGNORECASE)
        assert report.count("done") == len(DATES) - 1
        assert not left_over(config.output_dir)
        assert vf.status(config, [BAD["raises"]])["status"].item() == "failed"


def test_disk_so_full_that_not_even_the_report_fits(config: vf.Config, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64k") as disk:
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:  # until there is no space left
                filler.write(bytes(4096))
        config.output_dir = disk / "out"
        errors, report = failures(config, batch_jobs.sides)
        assert report.path is None
        assert len(errors) == len(DATES)


def test_read_only_folder(config: vf.Config, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        config.output_dir = disk
        errors, report = failures(config, batch_jobs.sides)
        assert list(errors) == DATES
        assert all(error.startswith("StorageError: ") for error in errors.values())
        assert all("read-only" in error.lower() for error in errors.values())
        assert report.path is None


def test_limit_on_the_size_of_files(config: vf.Config, tmp_path: Path) -> None:
    """RLIMIT_FSIZE in a process of its own, since it stays."""
    script = (
        f"import sys; sys.path[:0] = [{HERE!r}, {str(Path(__file__).parent)!r}]\n"
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "import test_faults, vizflow as vf\n"
        "config = vf.Config(input_dir='in', output_dir='out')\n"
        "try: vf.run_batch(test_faults.noise, config, test_faults.DATES, progress=False, max_workers=2)\n"
        "except vf.BatchError as error: print(error.report.failed['date'].to_list(), error.report.failed['error'][0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.startswith(f"['{BAD['raises']}'] StorageError: "), done.stdout + done.stderr
    assert re.search("too large|would be larger", done.stdout)
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.parquet")) == sorted({*DATES} - {BAD["raises"]})
    assert not left_over(tmp_path / "out")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] != 200_000


@contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """A control group with a memory limit, of version 1 or 2, below the one the tests are in."""
    for place, name in (
        (machine.groups("memory"), "memory.limit_in_bytes"),
        (machine.groups(""), "memory.max"),
    ):
        for parent in place:
            group = parent / f"vizflow-test-{os.getpid()}"
            try:
                group.mkdir()
            except OSError:
                continue
            try:
                (group / name).write_text(str(limit))
                for swap in ("memory.swap.max", "memory.memsw.limit_in_bytes"):
                    if (group / swap).exists():
                        (group / swap).write_text("0" if swap == "memory.swap.max" else str(limit))
            except OSError:
                group.rmdir()
                continue
            try:
                yield group
            finally:
                group.rmdir()
            return
    pytest.skip("control groups cannot be made here")


def test_date_killed_by_the_kernel_for_memory(config: vf.Config, tmp_path: Path) -> None:
    script = (
        f"import os, sys; sys.path.insert(0, {HERE!r})\n"
        "open(sys.argv[1], 'w').write(str(os.getpid()))\n"
        "import batch_jobs, vizflow as vf\n"
        "config = vf.Config(input_dir='in', output_dir='out')\n"
        f"try: vf.run_batch(batch_jobs.greedy, config, {DATES!r}, progress=False, max_workers=2)\n"
        "except vf.BatchError as error: print(error.report.failed['date'].to_list(), error.report.failed['error'][0])\n"
    )
    with memory_group(700 << 20) as group:
        done = subprocess.run(
            [sys.executable, "-c", script, str(group / "cgroup.procs")],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"['{BAD['killed']}'] Killed: its process was killed by the kernel: out of memory")
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.parquet")) == sorted({*DATES} - {BAD["killed"]})
    assert not left_over(tmp_path / "out")


def test_temporary_files_of_the_dead_go_and_those_of_the_living_stay(config: vf.Config) -> None:
    out = Path(str(config.output_dir))
    writer = (
        "import sys, vizflow as vf\n"
        "from pathlib import Path\n"
        "from vizflow import io\n"
        "with io.atomic(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half')\n"
        "    print('writing', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    alive, dead = (
        subprocess.Popen(
            [sys.executable, "-c", writer, str(out / f"{date}.parquet")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for date in ("20240201", "20240202")
    )
    for process in (alive, dead):
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
    dead.kill()
    dead.wait()
    assert len(left_over(out)) == 2
    vf.run_batch(batch_jobs.sides, config, DATES[:1], progress=False, parallel=False)
    assert any("20240201" in path.name for path in left_over(out)), "the living writer's file was taken away"
    alive.communicate()
    assert (out / "20240201.parquet").read_bytes() == b"half"
    vf.run_batch(batch_jobs.sides, config, DATES[:1], progress=False, parallel=False)
    assert not left_over(out)
    dead.communicate()
