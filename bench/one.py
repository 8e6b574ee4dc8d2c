"""Runs one contestant once, in a process of its own, and prints what it took as JSON.

Called by run.py. Imports, compilation, loading a stage's input and a first call on a few rows are
not timed; the whole job's reading and writing are.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import job

WARM_ROWS = 20_000
SHORT = 0.5
"""A stage of fewer seconds is called again: the memory of its result is there then, as it is in a running day."""
AGAIN = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=[*job.PEERS, "memcpy", "prepare", "days"])
    parser.add_argument("case")
    parser.add_argument("source", type=Path, help="the day's file; its folder holds the stages' frames")
    parser.add_argument("--small", type=Path, help="a day of a few rows, to warm up on")
    parser.add_argument("--keep", type=Path, help="write the result here")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    hold_to(options.cores)
    if options.contestant == "memcpy":
        answer: dict[str, Any] = {"bandwidth": memcpy(options.cores)}
    elif options.contestant == "prepare":
        importlib.import_module("prepare").inputs(options.source.parent, options.source, options.case.split(","))
        answer = {}
    else:
        answer = contest(job.PEERS[options.contestant], options)
    print(json.dumps(answer | {"peak": peak()}))


def hold_to(cores: int) -> None:
    """Use so many cores and no more, whatever starts threads; before anything that does is imported."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    for name in ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "BENCH_CORES"):
        os.environ[name] = str(cores)


def contest(peer: job.Peer, options: argparse.Namespace) -> dict[str, Any]:
    module = importlib.import_module(f"peers.{peer.module}")
    work = getattr(module, peer.work[options.case])
    return run_day(work, options) if options.case == "day" else run_stage(module, work, options)


def run_day(work: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Time the whole job, from file to file."""
    work(options.small, options.keep)
    options.keep.unlink()
    base = peak()
    seconds, _ = timed(work, options.source, options.keep)
    return {"seconds": seconds, "base": base, "moved": day_bytes(options.source) + options.keep.stat().st_size}


def run_stage(module: Any, work: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Time a stage from frames in memory to a frame in memory."""
    import polars as pl

    import peers

    load, shown = getattr(module, "load", peers.load), getattr(module, "shown", peers.shown)
    paths = [options.source.parent / f"{name}.feather" for name in job.INPUTS[options.case]]
    work(*load(paths, WARM_ROWS))
    base = peak()
    given = load(paths, None)
    seconds, result = timed(work, *given)
    answer: dict[str, Any] = {"seconds": seconds, "base": base}
    if isinstance(result, pl.DataFrame):
        answer["moved"] = sum(frame.estimated_size() for frame in (*given, result))
    if options.keep:
        shown(options.case, result).write_ipc(options.keep)
    del result
    if seconds < SHORT:
        took = [timed(work, *given)[0] for _ in range(AGAIN)]
        answer |= {"again": statistics.median(took), "more": sum(took)}
    return answer


def day_bytes(source: Path) -> int:
    """Bytes of the file's columns that the job reads: 8 a value, 16 a string."""
    import polars as pl

    rows = pl.scan_ipc(source).select(pl.len()).collect().item()
    return rows * (8 * len(job.DAY_COLUMNS) + 8)


def timed(work: Any, *arguments: Any) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - begin, result


def peak() -> int:
    """Highest resident memory so far, bytes (unlike ru_maxrss it is not the parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM")


def memcpy(threads: int) -> float:
    """Bytes read and written a second by a plain copy on all cores; the best of ten."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    size = 1 << 28
    pairs = [(np.ones(size, np.uint8), np.zeros(size, np.uint8)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))

        return 2 * size * threads / min(timed(copy)[0] for _ in range(10))


if __name__ == "__main__":
    sys.exit(main())
