"""Times VizFlow against its peers on one generated day, and writes docs/benchmarks.md.

Each contestant runs in a process of its own, one after the other, in turns (A B C, A B C, ...), on a
warm page cache and on all cores. Before anything is timed, all of them must give the same results.

    python bench/day.py --rows 20000000 --repeat 3
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata as metadata
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

import job

HERE = Path(__file__).resolve().parent
DATE = "20240102"
TITLES = {
    "vizflow": "VizFlow",
    "polars-sorted": "Polars + numba: sort, match, gather",
    "polars": "Polars + numba, fused for this job",
    "polars-asof-by": "Polars `join_asof` by symbol, sort included",
    "polars-asof": "Polars `join_asof` on a packed key, sort included",
    "duckdb": "DuckDB",
}
STAGE_TITLES = {
    "day": "The whole day, Feather to Parquet",
    "clock": "Clock: `HHMMSSmmm` to elapsed seconds",
    "fifo": "FIFO: match and expand every column",
    "forward": "Forward returns of mid, 60 and 300 s",
    "aggregate": "Bin and aggregate",
}
ORDERED = {"vizflow", "polars", "polars-asof", "polars-asof-by"}  # SQL leaves the order of rows open


@dataclass
class Run:
    """What one contestant took for one stage."""

    seconds: list[float] = field(default_factory=list)
    peak: list[int] = field(default_factory=list)
    anonymous: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def main() -> None:
    options = arguments()
    load = os.getloadavg()[0]
    os.environ["POLARS_MAX_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = str(cores())
    options.work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(options.work / "numba"))
    print("checking that all give the same results", file=sys.stderr)
    small = data(options.work, options.check_rows)
    check(options, small)
    source = data(options.work, options.rows)
    if set(options.stages) - {"day"}:
        inputs(options.work, source)
    bandwidth = child("memcpy", "all", source)["bandwidth"]
    results, traffic = measure(options, source, small)
    page = render(options, load, bandwidth, results, traffic)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page)
    print(page)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of the day")
    parser.add_argument("--check-rows", type=int, default=1_000_000, help="rows to compare results on")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each contestant")
    parser.add_argument("--stages", nargs="+", default=list(STAGE_TITLES), choices=list(STAGE_TITLES))
    parser.add_argument("--contestants", nargs="+", default=list(TITLES), choices=list(TITLES))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vizflow-bench")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks.md")
    return parser.parse_args()


def cores() -> int:
    return len(os.sched_getaffinity(0))


# ---- data --------------------------------------------------


def data(work: Path, rows: int) -> Path:
    """Generate the day unless it is there."""
    folder = work / f"day-{rows}"
    path = folder / f"{DATE}.feather"
    if not path.exists():
        from vizflow import demo

        demo.generate(folder, [DATE], rows=rows, progress=True)
    return path


def inputs(work: Path, source: Path) -> None:
    """Write the stages' inputs unless they are there."""
    if not (source.parent / "clock.feather").exists():
        child("prepare", "all", source, keep=source.parent)


def stage_input(stage: str, source: Path) -> Path:
    return source if stage == "day" else source.parent / f"{stage}.feather"


# ---- running --------------------------------------------------


def child(contestant: str, stage: str, source: Path, **paths: Path) -> dict[str, Any]:
    """Run one contestant once; watch the memory that is its own, not the page cache's."""
    command = [sys.executable, str(HERE / "one.py"), contestant, stage, str(source)]
    for name, path in paths.items():
        command += [f"--{name}", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    highest = [0]
    watcher = threading.Thread(target=watch, args=(process, highest))
    watcher.start()
    out, _ = process.communicate()
    watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} failed with {process.returncode}")
    return json.loads(out.splitlines()[-1]) | {"anonymous": highest[0]}


def watch(process: subprocess.Popen[str], highest: list[int]) -> None:
    """Follow a process's anonymous memory until it ends."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return
        found = [int(line.split()[1]) for line in lines if line.startswith("RssAnon:")]
        highest[0] = max([highest[0], *(kib * 1024 for kib in found)])
        time.sleep(0.02)


def takes_part(contestant: str, stage: str) -> bool:
    if contestant == "polars-sorted" and stage in ("clock", "aggregate"):
        return False  # Polars' own expressions, as the fused peer has them
    return not contestant.startswith("polars-asof") or stage == "forward"


def check(options: argparse.Namespace, source: Path) -> None:
    """Compare every contestant's result of every stage with the first peer's."""
    inputs(options.work, source)
    for stage in options.stages:
        kept = {}
        for contestant in dict.fromkeys(["polars", *options.contestants]):
            if takes_part(contestant, stage):
                suffix = "parquet" if stage == "day" else "arrow"
                path = source.parent / f"result-{contestant}.{suffix}"
                paths = {"keep": path} | ({"small": source} if stage == "day" else {})
                child(contestant, stage, stage_input(stage, source), **paths)
                kept[contestant] = day_result(contestant, path) if stage == "day" else pl.read_ipc(path)
        for contestant, frame in kept.items():
            try:
                job.same(stage, contestant in ORDERED, kept["polars"], frame)
            except AssertionError as error:
                raise SystemExit(f"{stage}: {contestant} and polars do not agree\n{error}") from None
            print(f"  {stage}: {contestant} agrees ({frame.height:,} rows)", file=sys.stderr)


def measure(
    options: argparse.Namespace, source: Path, small: Path
) -> tuple[dict[str, dict[str, Run]], dict[str, int]]:
    """Run everything in turns; also give the bytes that each stage must move."""
    results: dict[str, dict[str, Run]] = {}
    traffic: dict[str, int] = {}
    for stage in options.stages:
        who = [c for c in options.contestants if takes_part(c, stage)]
        runs = results[stage] = {c: Run() for c in who}
        warm(stage_input(stage, source))
        for turn in range(options.repeat):
            for contestant in who:
                keep = source.parent / f"result-{contestant}.parquet"
                paths = {"keep": keep, "small": small} if stage == "day" else {}
                answer = child(contestant, stage, stage_input(stage, source), **paths)
                runs[contestant].seconds.append(answer["seconds"])
                runs[contestant].peak.append(answer["peak"])
                runs[contestant].anonymous.append(answer["anonymous"])
                if "written" in answer:
                    read = answer.get("read") or day_bytes(options.rows)
                    traffic.setdefault(stage, read + answer["written"])
                took = f"{answer['seconds']:.2f} s"
                print(f"{stage} {turn + 1}/{options.repeat} {contestant} {took}", file=sys.stderr)
        if stage == "day":
            compare_days(source, who)
    return results, traffic


def day_result(contestant: str, path: Path) -> pl.DataFrame:
    """Read what a contestant wrote; VizFlow keeps mergeable states in the file, and shows them as metrics."""
    if contestant != "vizflow":
        return pl.read_parquet(path)
    import vizflow as vf

    return vf.load(path)


def warm(path: Path) -> None:
    """Read a file, so that it is in the page cache."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def compare_days(source: Path, who: list[str]) -> None:
    """Compare the results of the timed days too."""
    frames = [day_result(c, source.parent / f"result-{c}.parquet") for c in who]
    for contestant, frame in zip(who, frames, strict=True):
        try:
            job.same("day", True, frames[0], frame)
        except AssertionError as error:
            raise SystemExit(f"day: {contestant} and {who[0]} do not agree\n{error}") from None


def day_bytes(rows: int) -> int:
    """Bytes of the file's columns that the job reads: 8 a value, 16 a string."""
    return rows * (8 * len(job.DAY_COLUMNS) + 8)


# ---- the page --------------------------------------------------


def render(
    options: argparse.Namespace,
    load: float,
    bandwidth: float,
    results: dict[str, dict[str, Run]],
    traffic: dict[str, int],
) -> str:
    command = f"python bench/day.py --rows {options.rows} --repeat {options.repeat}"
    left_out = [TITLES[name] for name in TITLES if name not in options.contestants]
    if left_out:
        command += f" --contestants {' '.join(options.contestants)}"
    names = ["vizflow", "polars", "numba", "numpy", "duckdb", "pyarrow"]
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    lines = [
        "# Benchmarks",
        "",
        "This page is made by a script; do not edit it.",
        "",
        f"- Made by: `{command}` on {dt.date.today().isoformat()}",
        f"- Machine: {processor()}, {cores()} cores used, {memory_gib():.0f} GiB,"
        f" {platform.system()} {platform.release()}",
        f"- Versions: Python {platform.python_version()}, {versions}",
        f"- Data: `vizflow.demo.generate`, seed 2024, one CN day of {options.rows:,} rows and 5,000 symbols,"
        " uncompressed",
        f"- Copying memory on all cores moves {bandwidth / 1e9:.1f} GB/s, read and written bytes together:"
        " the *limit* below is what a stage would take if it did nothing but move its input and output once",
        "- The job is described in `bench/job.py`; the peers are `bench/peers_sorted.py` (steps that can be used again,"
        " as shared code has them), `bench/peers_polars.py` (the whole job fused by hand: packed keys, no column that"
        " the result does not need) and `bench/peers_duckdb.py`, and a faster one is welcome",
        *([f"- Left out of this run: {', '.join(left_out)}"] if left_out else []),
        "",
        f"Each contestant runs in its own process, in turns, {options.repeat} times, on a warm page cache."
        " Imports and compilation are not timed. The time is the median, with the fastest and slowest run."
        f" Results were compared on {options.check_rows:,} rows before, and the whole day's after: integers"
        " and text exactly, floats to 1e-12, averaged prices to 1e-9. Load average at the start:"
        f" {load:.1f}.",
        "",
    ]
    for stage, runs in results.items():
        lines += table(stage, runs, traffic.get(stage), bandwidth)
    return "\n".join(lines)


def table(stage: str, runs: dict[str, Run], moved: int | None, bandwidth: float) -> list[str]:
    """Make the table of a stage."""
    limit = moved / bandwidth if moved else None
    floor = f" ({moved / 1e9:.2f} GB to move, limit {limit:.3f} s)" if moved and limit else ""
    memory = stage == "day"
    head = ["", "seconds", "fastest to slowest", "against VizFlow", "times the limit"]
    head += ["peak memory, GiB", "of it not the file's pages"] if memory else []
    lines = [f"## {STAGE_TITLES[stage]}", "", *([floor.strip(" ()"), ""] if floor else [])]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    ours = runs["vizflow"].median if "vizflow" in runs else None
    for contestant, run in runs.items():
        cells = [
            TITLES[contestant],
            f"{run.median:.2f}",
            f"{min(run.seconds):.2f} to {max(run.seconds):.2f}",
            f"{run.median / ours:.2f}x" if ours else "",
            f"{run.median / limit:.1f}" if limit else "",
        ]
        if memory:
            cells += [f"{statistics.median(side) / 2**30:.2f}" for side in (run.peak, run.anonymous)]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(from source)"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


if __name__ == "__main__":
    main()
