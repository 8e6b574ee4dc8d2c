"""Kill a batch at random moments, resume it, and compare: `python tests/python/kills/kill_rounds.py --rounds 200`.

Not a pytest file; `test_kills.py` runs a few rounds of it.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

import vizflow as vf

DATES = [f"202401{day:02d}" for day in range(1, 13)]
JOB = """
import sys, time
import polars as pl
import vizflow as vf

def process_day(df, ctx):
    df = vf.parse_time(df, ctx.market, "ticktime", unit="HHMMSSmmm")
    df = vf.bin(df, {"alpha": 1e-4})
    return vf.aggregate(df, ["alpha_bin", "side"], {
        "n": pl.len(), "qty": pl.col("qty").sum(), "last": pl.col("elapsed_seconds").max(),
        "vwap": (pl.col("price") * pl.col("qty")).sum() / pl.col("qty").sum(),
    })

def main(folder, output):
    config = vf.Config(input_dir=folder, output_dir=output)
    dates = sorted(vf.calendar.from_files(folder)["date"].dt.strftime("%Y%m%d"))
    print("begin", flush=True)
    vf.run_batch(process_day, config, dates, max_workers=2, progress=False)

if __name__ == "__main__":
    main(*sys.argv[1:])
"""
TEMPORARY = re.compile(r"\..+|.*tmp.*")


def make_days(folder: Path, rows: int = 20_000) -> None:
    """Write the input, the same each time."""
    for number, date in enumerate(DATES):
        draw = random.Random(number)
        frame = pl.DataFrame(
            {
                "ticktime": [93_000_000 + 1000 * (i % 60) for i in range(rows)],
                "side": [draw.choice("BS") for _ in range(rows)],
                "qty": [draw.randrange(1, 1000) for _ in range(rows)],
                "price": [round(draw.uniform(9, 11), 2) for _ in range(rows)],
                "alpha": [draw.gauss(0, 0.005) for _ in range(rows)],
            }
        )
        vf.save(frame, folder / f"{date}.feather")


def begin(job: Path, days: Path, output: Path) -> subprocess.Popen[str]:
    """Start a batch, and return when it has begun."""
    process = subprocess.Popen(
        [sys.executable, str(job), str(days), str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begin\n"
    return process


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid:
            found.append(int(place.name))
    return found


def wait(output: Path, draw: random.Random, length: float) -> None:
    """Let a random time pass; every other time, counted from when some number of partials is there."""
    if draw.random() < 0.5:
        time.sleep(draw.uniform(0, length))
        return
    wanted, until = draw.randrange(len(DATES) - 1), time.perf_counter() + length
    while len(list(output.glob("*.parquet"))) < wanted and time.perf_counter() < until:
        time.sleep(0.0005)
    time.sleep(draw.uniform(0, 0.015))


def kill(process: subprocess.Popen[str], victim: str, draw: random.Random) -> list[int]:
    """Kill -9 the batch, one of its workers, or all at once; give the workers there were."""
    workers = children(process.pid)
    aims = {"batch": [process.pid], "worker": draw.sample(workers, min(1, len(workers)))}
    for pid in aims.get(victim, [process.pid, *workers]):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return workers


def left_over(output: Path) -> list[str]:
    """List the temporary files in a folder and below."""
    return [str(path) for path in output.rglob("*") if path.is_file() and TEMPORARY.fullmatch(path.name)]


def alive(pid: int) -> bool:
    """Return whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def wait_for_the_end_of(workers: list[int]) -> None:
    """Wait until workers whose batch is gone have ended."""
    until = time.perf_counter() + 60
    while any(alive(pid) for pid in workers):
        assert time.perf_counter() < until, "workers outlive their batch"
        time.sleep(0.05)


def check_whole(output: Path, calm: Path) -> int:
    """Compare each partial that is there with the undisturbed one; give how many there are."""
    found = sorted(output.glob("*.parquet"))
    for path in found:
        assert_frame_equal(vf.load(path), vf.load(calm / path.name), check_exact=True)
    return len(found)


def rounds(count: int, seed: int, folder: Path) -> Counter[str]:
    """Kill and resume `count` times; give what was seen."""
    draw, seen = random.Random(seed), Counter[str]()
    days, calm, job = folder / "days", folder / "calm", folder / "job.py"
    make_days(days)
    job.write_text(JOB)
    process = begin(job, days, calm)
    started = time.perf_counter()
    assert process.wait() == 0
    length = time.perf_counter() - started
    undisturbed = _reduced(calm)
    for number in range(count):
        output = folder / f"round{number}"
        process = begin(job, days, output)
        wait(output, draw, length)
        victim = draw.choice(["batch", "worker", "all"])
        workers = kill(process, victim, draw)
        code = process.wait(timeout=300)
        seen[f"{victim} killed"] += 1
        seen["ended before it was killed"] += code == 0
        seen["partials when killed"] += check_whole(output, calm) if output.exists() else 0
        seen["temporary files when killed"] += len(left_over(output)) if output.exists() else 0
        assert begin(job, days, output).wait(timeout=300) == 0, f"round {number}: the resumed batch failed"
        assert check_whole(output, calm) == len(DATES)
        if left_over(output):  # a worker that was still ending, its disk busy, while the resumed batch went by
            seen["resumed before a worker had ended"] += 1
            wait_for_the_end_of(workers)
            assert begin(job, days, output).wait(timeout=300) == 0
        assert not left_over(output), left_over(output)
        assert_frame_equal(_reduced(output), undisturbed, check_exact=True)
        wait_for_the_end_of(workers)
    return seen


def _reduced(output: Path) -> pl.DataFrame:
    reduce = getattr(vf, "reduce", None)
    if reduce is None:
        return pl.concat(
            vf.load(path).with_columns(date=pl.lit(path.stem)) for path in sorted(output.glob("*.parquet"))
        )
    return vf.load(vf.save(reduce(output), output.with_suffix(".parquet")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        for what, many in sorted(rounds(arguments.rounds, arguments.seed, Path(name)).items()):
            print(f"{many:6}  {what}")
        print(f"{arguments.rounds} rounds in {time.perf_counter() - began:.0f} s: every partial whole, results equal")
