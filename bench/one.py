"""Runs one contestant once, in a process of its own, and prints what it took as JSON.

Called by day.py. Imports, compilation, loading a stage's input and a first call on a few rows are
not timed; the whole job's reading and writing are.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

MODULES = {
    "vizflow": "side_vizflow",
    "polars": "peers_polars",
    "polars-asof": "peers_polars",
    "polars-asof-by": "peers_sorted",
    "polars-sorted": "peers_sorted",
    "duckdb": "peers_duckdb",
}
WARM_ROWS = 20_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=[*MODULES, "memcpy", "prepare", "generate"])
    parser.add_argument("stage")
    parser.add_argument("source", type=Path)
    parser.add_argument("--small", type=Path, help="a day of a few rows, to warm up on")
    parser.add_argument("--keep", type=Path, help="write the result here")
    options = parser.parse_args()
    if options.contestant == "memcpy":
        answer: dict[str, Any] = {"bandwidth": memcpy()}
    elif options.contestant == "prepare":
        importlib.import_module("peers_polars").prepare(options.keep, options.source)
        answer = {}
    else:
        module = importlib.import_module(MODULES[options.contestant])
        if options.stage == "day":
            answer = run_day(module, options)
        elif options.contestant == "duckdb":
            answer = run_sql(module, options)
        else:
            answer = run_frame(module, options)
    answer["peak"] = peak()
    print(json.dumps(answer))


def peak() -> int:
    """Highest resident memory so far, bytes (unlike ru_maxrss it is not the parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM")


def timed(work: Any, *arguments: Any) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - begin, result


def run_day(module: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Time the whole job; its memory is the process's."""
    module.day(options.small, options.keep)
    options.keep.unlink()
    base = peak()
    seconds, _ = timed(module.day, options.source, options.keep)
    return {"seconds": seconds, "base": base, "written": options.keep.stat().st_size}


def run_frame(module: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Time a stage from a frame in memory to a frame in memory."""
    import polars as pl

    name = "forward_asof" if options.contestant.startswith("polars-asof") else options.stage
    work = getattr(module, name)
    frame = pl.read_ipc(options.source)
    frame.select(pl.all().hash().sum())  # touch the pages
    work(frame.head(WARM_ROWS))
    seconds, result = timed(work, frame)
    answer = {"seconds": seconds, "read": frame.estimated_size(), "written": result.estimated_size()}
    if options.keep:
        result.write_ipc(options.keep)
    return answer


def run_sql(module: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Time a stage from a table in memory to a table in memory."""
    import polars as pl

    engine = module.load(options.source)
    work = module.STAGES[options.stage]
    seconds, query = timed(work, engine)
    if options.keep:
        engine.execute("SET preserve_insertion_order = true")
        pl.from_arrow(engine.sql(query).to_arrow_table()).write_ipc(options.keep)
    return {"seconds": seconds}


def memcpy() -> float:
    """Bytes read and written a second by a plain copy on all cores; the best of ten."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    threads = int(os.environ["POLARS_MAX_THREADS"])
    size = 1 << 28
    pairs = [(np.ones(size, np.uint8), np.zeros(size, np.uint8)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))

        return 2 * size * threads / min(timed(copy)[0] for _ in range(10))


if __name__ == "__main__":
    sys.exit(main())
