"""How fast a cube answers, against Polars' group_by on the same states, and what it holds against what it told.

    python bench/studies/cube.py [--dates 300] [--shape 40x25x20x20] [--fill 0.095] [--questions 100] [--output FILE]

Makes partials (a row a cell, so that states are what is measured), a cube of them, and asks both the same random
brushes; answers are compared. Prints a page in Markdown. Not for `reduce`, and not for the page's browser.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import vizflow as vf

METRICS = {
    "n": pl.len(),
    "volume": pl.col("q").sum(),
    "vwap": (pl.col("v") * pl.col("q")).sum() / pl.col("q").sum(),
}
NAMES = "abcdefghij"


def day(number: int, shape: tuple[int, ...], fill: float) -> pl.DataFrame:
    """Draw which cells hold something, and what."""
    rng = np.random.default_rng(number)
    cells = np.flatnonzero(rng.random(math.prod(shape)) < fill)
    keys = {f"{NAMES[i]}_bin": k for i, k in enumerate(np.unravel_index(cells, shape))}
    q = rng.integers(1, 10_000, cells.size)
    return pl.DataFrame({**keys, "q": q, "v": np.round(10 + rng.normal(0, 0.5, cells.size), 4)})


def write(folder: Path, dates: list[str], shape: tuple[int, ...], fill: float) -> dict[str, Path]:
    keys = [f"{NAMES[i]}_bin" for i in range(len(shape))]
    return {
        date: vf.save(vf.aggregate(day(i, shape, fill), keys, METRICS), folder / f"{date}.parquet")
        for i, date in enumerate(dates)
    }


def times_of(run: Callable[[int], Any], n: int) -> list[float]:
    run(0)
    out = []
    for i in range(n):
        start = time.perf_counter()
        run(i)
        out.append((time.perf_counter() - start) * 1e3)
    return sorted(out)


def shown(times: list[float]) -> str:
    return f"{statistics.median(times):.3f} | {times[len(times) // 4]:.3f}–{times[3 * len(times) // 4]:.3f}"


def resident() -> tuple[int, int]:
    """Bytes in memory now, and the most there were."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024, int(fields["VmHWM"].split()[0]) * 1024


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def brushes(dates: list[str], shape: tuple[int, ...], n: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(99)
    out = []
    for _ in range(n):
        brush: dict[str, Any] = {}
        first, last = sorted(rng.integers(0, len(dates), 2))
        brush["date"] = (dates[first], dates[last])
        for i in range(2, len(shape)):
            low, high = sorted(rng.integers(0, shape[i], 2))
            brush[f"{NAMES[i]}_bin"] = (int(low), int(high))
        out.append(brush)
    return out


def polars_states(paths: dict[str, Path]) -> pl.DataFrame:
    frames = []
    for date, path in paths.items():
        stamp = dt.datetime.strptime(date, "%Y%m%d").date()
        frames.append(pl.read_parquet(path).with_columns(date=pl.lit(stamp)))
    return pl.concat(frames).rechunk()


def polars_answer(states: pl.DataFrame, plan: Any, brush: dict[str, Any], by: list[str]) -> pl.DataFrame:
    where = pl.lit(True)
    for name, (low, high) in brush.items():
        if name == "date":
            low, high = (dt.datetime.strptime(text, "%Y%m%d").date() for text in (low, high))
        where &= pl.col(name).is_between(low, high)
    sums = [pl.col(name).sum() for name in plan.state_schema]
    return states.lazy().filter(where).group_by(by).agg(sums).select(*by, **plan.finish).sort(by).collect()


def same(got: pl.DataFrame, want: pl.DataFrame) -> None:
    assert got.columns == want.columns
    assert got.height == want.height
    for name in got.columns:
        a, b = got[name].to_numpy(), want[name].to_numpy()
        assert np.allclose(a, b, rtol=1e-12, atol=0) if a.dtype.kind == "f" else (a == b).all(), name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, default=300)
    parser.add_argument("--shape", default="40x25x20x20")
    parser.add_argument("--fill", type=float, default=0.095)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--layout", default="auto")
    parser.add_argument("--memory-limit", default=None)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    shape = tuple(int(n) for n in args.shape.split("x"))
    start = dt.date(2023, 1, 2)
    dates = [(start + dt.timedelta(days=i)).strftime("%Y%m%d") for i in range(args.dates)]
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), dates, shape, args.fill)
        page = measure(args, shape, dates, paths)
    print(page)
    if args.output:
        args.output.write_text(page + "\n", encoding="utf-8")


def measure(args: argparse.Namespace, shape: tuple[int, ...], dates: list[str], paths: dict[str, Path]) -> str:
    partials = {date: vf.scan(path) for date, path in paths.items()}
    told = vf.Cube.estimate(partials, memory_limit=args.memory_limit)
    layout = told.layout if args.layout == "auto" else args.layout
    before = resident()[0]
    reset_peak()
    begin = time.perf_counter()
    cube = vf.Cube.from_partials(partials, layout=layout, memory_limit=args.memory_limit)
    made = time.perf_counter() - begin
    peak = resident()[1] - before
    saved = cube.save(Path(next(iter(paths.values()))).parent / "cube.arrow")
    vf.Cube.open(saved)  # pyarrow is loaded the first time
    begin = time.perf_counter()
    vf.Cube.open(saved)
    opened = (time.perf_counter() - begin) * 1e3
    states = polars_states(paths)
    asked = brushes(dates, shape, args.questions)
    views = [cube.brush(brush) for brush in asked]
    by_name = {
        "heatmap, two dimensions": ["a_bin", "b_bin"],
        "curve, one dimension": ["a_bin"],
        "series, a row a date": ["date"],
    }
    rows = []
    for what, by in by_name.items():
        for i in range(0, args.questions, 10):
            same(views[i].table(by), polars_answer(states, cube.plan, asked[i], by))
        ours = times_of(lambda i, by=by: views[i].table(by), args.questions)
        few = min(args.questions, 20)
        theirs = times_of(lambda i, by=by: polars_answer(states, cube.plan, asked[i], by), few)
        factor = statistics.median(theirs) / statistics.median(ours)
        rows.append(f"| {what} | {shown(ours)} | {shown(theirs)} | {factor:.0f}× |")
    narrow = times_of(lambda i: cube.brush(asked[i]), args.questions)
    kept = told.dense_kept if layout == "dense" else told.sparse_kept
    most = told.dense_bytes if layout == "dense" else told.sparse_bytes
    largest = max(path.stat().st_size for path in paths.values())
    cpu = platform.processor() or platform.machine()
    chosen = f"--dates {args.dates} --shape {args.shape} --fill {args.fill} --layout {args.layout}"
    command = f"python bench/studies/cube.py {chosen}"
    return "\n".join(
        [
            "# Benchmark of the cube",
            "",
            f"`{command}`, {dt.date.today():%Y-%m-%d}: {os.cpu_count()} cores ({cpu}), Polars {pl.__version__} with "
            f"{pl.thread_pool_size()} threads, VizFlow {vf.__version__}; load average {os.getloadavg()[0]:.1f}.",
            "",
            f"{args.dates} dates, axes {args.shape} = {math.prod(shape)} cells a date, {told.rows} of "
            f"{told.cells} cells hold something; metrics {', '.join(METRICS)}. Brushes: a random range of dates and of "
            "each dimension that is summed over. Milliseconds in process, metrics included; answers were compared.",
            "",
            "| question | cube, median | quartiles | Polars group_by, median | quartiles | factor |",
            "|---|---|---|---|---|---|",
            *rows,
            f"| the brush itself (a view) | {shown(narrow)} | | | |",
            "",
            f"Layout {layout}: made in {made:.1f} s from files (the largest {largest} bytes), opened again in "
            f"{opened:.1f} ms. "
            f"Told before: {most} bytes at most, {kept} kept. Held: {cube.nbytes}. The process grew by at most {peak} "
            "bytes, which includes one partial at a time and Polars' own buffers.",
        ]
    )


if __name__ == "__main__":
    main()
