"""`make bench`: times VizFlow and its peers on generated days, compares their results, writes docs/benchmarks.md.

One run answers everything on the page: each case at one size, the job at several sizes and on several numbers of cores.
What fits the minutes and the memory is planned from a first round at a small size; the rest is left out by name.
Not for the C kernels (`kernels/gate.py`), nor for partials, cubes and the explorer (`studies/`).

    python bench/run.py                          sizes chosen for this machine, about eight minutes
    python bench/run.py --rows 20000000 --minutes 40

Each contestant runs in a process of its own, one after the other, in turns (A B C, A B C, ...), on a warm page cache.
Before anything is timed, all of them must give the same results; where one is known to give others, they are counted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

import findings
import job
import page
import prepare

HERE = Path(__file__).resolve().parent
MILLION = 1_000_000
SIZES = [MILLION, 5 * MILLION, 20 * MILLION, 80 * MILLION]
NAMESAKE = "vizflow==0.11.0"
ROWS_OF = {
    "day": ["vizflow", "polars-sorted", "polars", "duckdb", "pandas"],
    "forward": ["vizflow", "polars-asof-by", "duckdb", "pandas"],
}
"""Who is measured at every size."""
CORES_OF = {
    "day": ["vizflow", "polars-sorted", "polars", "duckdb"],
    "fifo": ["vizflow"],
    "forward": ["vizflow"],
    "aggregate": ["vizflow"],
}
"""Who is measured on every number of cores."""


@dataclass(frozen=True)
class Sample:
    """What is measured: one contestant in one case, at one size, on so many cores."""

    case: str
    contestant: str
    rows: int
    cores: int


@dataclass
class Run:
    """What a sample took, a figure a run; or why there is none."""

    seconds: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    """Of a short stage: what calls after the first one took in the same process."""
    peak: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    """Peak of the memory that is the process's own, not the page cache's."""
    moved: int = 0
    """Bytes that go in and out, where the contestant can tell."""
    left_out: str = ""


@dataclass
class Cost:
    """What a contestant took in the first round, or is expected to take."""

    seconds: float
    around: float
    """What its process took beside the work."""
    base: int
    """Bytes held before the work began, and at most."""
    peak: int

    @property
    def wall(self) -> float:
        return self.seconds + self.around


def main() -> None:
    options = arguments()
    began, load = time.monotonic(), os.getloadavg()
    options.work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(options.work / "numba"))
    absent = install_namesake(options.work)
    costs, found = check(options, absent)
    rows = options.rows or chosen_rows(options, costs)
    left = options.minutes * 60 - (time.monotonic() - began)
    plan, runs = planned(options, costs, rows, max(left, options.minutes * 30))  # half of it, however long that took
    if not plan:
        raise SystemExit(f"nothing can be timed in {options.minutes:g} minutes here: give more (make bench MINUTES=30)")
    sizes = sorted({sample.rows for sample in plan})
    for size in sizes:
        write_data(options.work, size, sorted({s.case for s in plan if s.rows == size}))
    began_timing = time.monotonic()
    bandwidth = child("memcpy", "all", data(options, options.check_rows))["bandwidth"]
    measure(options, plan, runs, began_timing + 1.25 * options.minutes * 60)
    results = {
        "command": shown_command(options),
        "date": dt.date.today().isoformat(),
        "machine": page.machine(cores()),
        "load": [load[0], os.getloadavg()[0]],
        "minutes": round((time.monotonic() - began) / 60, 1),
        "rows": rows,
        "check_rows": options.check_rows,
        "cores": cores(),
        "bandwidth": bandwidth,
        "absent": absent,
        "findings": [asdict(finding) for finding in found],
        "samples": [asdict(sample) | asdict(run) for sample, run in runs.items()],
    }
    (options.work / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    page.write(results, options.out)
    print(options.out.read_text())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="rows of the day in the tables of the cases (default: what fits)")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, help="rows in the table of sizes, where they fit"
    )
    parser.add_argument("--minutes", type=float, default=8, help="about so long, data included (default: 8)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each contestant, where they fit (default: 3)")
    parser.add_argument("--check-rows", type=int, default=MILLION, help="rows to compare results on")
    parser.add_argument("--cases", nargs="+", default=list(job.CASES), choices=list(job.CASES))
    parser.add_argument("--contestants", nargs="+", default=list(job.PEERS), choices=list(job.PEERS))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vizflow-bench")
    parser.add_argument("--out", type=Path, default=page.PAGE)
    return parser.parse_args()


def shown_command(options: argparse.Namespace) -> str:
    parts = [f"make bench MINUTES={options.minutes:g}"]
    parts += [f"ROWS={options.rows}"] if options.rows else []
    return " ".join(parts)


def cores() -> int:
    return len(os.sched_getaffinity(0))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- what is there --------------------------------------------------


def install_namesake(work: Path) -> str:
    """Install the project of the same name where it clashes with nothing; give the reason where it cannot be had."""
    target = work / NAMESAKE.replace("==", "-")
    if not (target / "vizflow").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run(
            [*command, "--target", str(target), NAMESAKE], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            return f"pip could not install {NAMESAKE}: {done.stderr.strip().splitlines()[-1]}"
    os.environ["BENCH_NAMESAKE"] = str(target)
    return ""


def data(options: argparse.Namespace, rows: int) -> Path:
    return prepare.day(options.work, rows)


def write_data(work: Path, rows: int, cases: list[str]) -> None:
    """Make a day and the frames of cases, unless they are there."""
    source = prepare.day(work, rows)
    names = {name for case in cases for name in job.INPUTS.get(case, {})}
    if not all((source.parent / f"{name}.feather").exists() for name in names):
        say(f"making the frames of {', '.join(cases)} at {rows:,} rows")
        child("prepare", ",".join(cases), source)


def takes_part(options: argparse.Namespace, case: str) -> list[str]:
    return [name for name in options.contestants if case in job.PEERS[name].work]


# ---- one process --------------------------------------------------


def child(contestant: str, case: str, source: Path, *, limit: float | None = None, **more: Any) -> dict[str, Any]:
    """Run one contestant once; watch the memory that is its own, not the page cache's."""
    command = [sys.executable, str(HERE / "one.py"), contestant, case, str(source)]
    for name, value in more.items():
        command += [f"--{name}", str(value)]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    highest = [0]
    watcher = threading.Thread(target=watch, args=(process, highest))
    watcher.start()
    try:
        out, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    finally:
        watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} failed with {process.returncode}")
    return json.loads(out.splitlines()[-1]) | {"own": highest[0], "wall": time.monotonic() - began}


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


def kept(options: argparse.Namespace, sample: Sample) -> dict[str, Path]:
    """Where a day's result goes, and what it warms up on."""
    folder = data(options, sample.rows).parent
    path = folder / f"result-{sample.contestant}.{'parquet' if sample.case == 'day' else 'arrow'}"
    return {"keep": path, "small": data(options, min(options.check_rows, 200_000))}


def result(contestant: str, path: Path) -> pl.DataFrame:
    """Read what a contestant wrote; VizFlow keeps mergeable states in the file, and shows them as metrics."""
    if path.suffix == ".arrow":
        return pl.read_ipc(path.read_bytes())
    if contestant != "vizflow":
        return pl.read_parquet(path)
    import vizflow as vf

    return vf.load(path)


# ---- the first round: same results, and what each costs --------------------------------------------------


def check(options: argparse.Namespace, absent: str) -> tuple[dict[tuple[str, str], Cost], list[findings.Finding]]:
    """Compare every contestant's result of every case with a peer's; collect where one gives another."""
    if absent:
        options.contestants = [name for name in options.contestants if name != "namesake"]
    say(f"checking that all give the same results on {options.check_rows:,} rows")
    write_data(options.work, options.check_rows, options.cases)
    costs: dict[tuple[str, str], Cost] = {}
    found: list[findings.Finding] = []
    compile_kernels(options)
    for case in options.cases:
        frames: dict[str, pl.DataFrame] = {}
        who = takes_part(options, case)
        for contestant in who:
            sample = Sample(case, contestant, options.check_rows, cores())
            places = kept(options, sample)
            if case != "day":
                places.pop("small")
            answer = child(contestant, case, data(options, options.check_rows), **places)
            seconds = answer["seconds"]
            around = answer["wall"] - seconds - answer.get("more", 0)
            costs[case, contestant] = Cost(seconds, around, answer["base"], answer["peak"])
            frames[contestant] = result(contestant, places["keep"])
        compare(case, {c: f for c, f in frames.items() if case not in job.PEERS[c].differs})
        found += findings.of_case(case, data(options, options.check_rows), frames)
    if "aggregate" in options.cases:
        who = takes_part(options, "aggregate")
        found += findings.of_sums(lambda name, n: aggregated(options, name, n), who, cores())
    found += findings.of_days(options.work, lambda name, source: days(options, name, source), options.contestants)
    return costs, found


def compile_kernels(options: argparse.Namespace) -> None:
    """Let numba fill its cache, so that the first round's seconds are not those of its compiler."""
    if Path(os.environ["NUMBA_CACHE_DIR"]).exists():
        return
    for case in options.cases:
        for contestant in set(takes_part(options, case)) & {"polars", "polars-sorted"}:
            places = kept(options, Sample(case, contestant, options.check_rows, cores())) if case == "day" else {}
            child(contestant, case, data(options, options.check_rows), **places)


def compare(case: str, frames: dict[str, pl.DataFrame]) -> None:
    """Stop unless all results are the same as the first peer's."""
    first = next((name for name in frames if name != "vizflow" and job.PEERS[name].ordered), next(iter(frames)))
    for contestant, frame in frames.items():
        try:
            job.same(case, job.PEERS[contestant].ordered, frames[first], frame)
        except AssertionError as error:
            raise SystemExit(f"{case}: {contestant} and {first} do not agree\n{error}") from None
        say(f"  {case}: {contestant} agrees ({frame.height:,} rows)")


def aggregated(options: argparse.Namespace, contestant: str, n: int) -> pl.DataFrame:
    path = data(options, options.check_rows).parent / f"sums-{contestant}-{n}.arrow"
    child(contestant, "aggregate", data(options, options.check_rows), keep=path, cores=n)
    return pl.read_ipc(path.read_bytes())


def days(options: argparse.Namespace, contestant: str, source: Path) -> pl.DataFrame:
    path = source.parent / f"days-{contestant}.arrow"
    child(contestant, "days", source, keep=path)
    return pl.read_ipc(path.read_bytes())


# ---- the plan --------------------------------------------------


def expected(options: argparse.Namespace, costs: dict[tuple[str, str], Cost], sample: Sample) -> Cost:
    """Guess from the first round what a sample costs: rows count in proportion, starting a process does not."""
    cost = costs[sample.case, sample.contestant]
    ratio = sample.rows / options.check_rows
    slower = 1 if sample.cores == cores() else min(cores() / sample.cores, 4)
    around = cost.around + 0.1 * sample.rows / MILLION
    peak = int(cost.base + (cost.peak - cost.base) * ratio)
    return Cost(cost.seconds * ratio * slower, around, cost.base, peak)


def available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no MemAvailable")


def chosen_rows(options: argparse.Namespace, costs: dict[tuple[str, str], Cost]) -> int:
    """Return the largest size at which one run of everything takes half the time at most, and memory is there."""
    for rows in sorted(options.sizes, reverse=True):
        all_ = [expected(options, costs, s) for s in samples_of_cases(options, rows)]
        ours = [expected(options, costs, s) for s in samples_of_cases(options, rows) if s.contestant == "vizflow"]
        fits = sum(cost.wall for cost in all_) <= options.minutes * 30
        if fits and max(cost.peak for cost in ours) <= 0.6 * available():
            return rows
    return min(options.sizes)


def samples_of_cases(options: argparse.Namespace, rows: int) -> list[Sample]:
    return [Sample(case, name, rows, cores()) for case in options.cases for name in takes_part(options, case)]


def wanted(options: argparse.Namespace, costs: dict[tuple[str, str], Cost], rows: int) -> Iterable[Sample]:
    """Yield everything that belongs on the page, what matters most first: VizFlow, then whoever is soon done."""

    def rank(sample: Sample) -> tuple[bool, float]:
        return sample.contestant != "vizflow", expected(options, costs, sample).wall

    known = [sample for sample in samples_of_cases(options, rows) if (sample.case, sample.contestant) in costs]
    yield from sorted(known, key=rank)
    for size in sorted({*options.sizes, rows}):
        some = [Sample(case, name, size, cores()) for case, who in ROWS_OF.items() for name in who]
        yield from sorted((sample for sample in some if (sample.case, sample.contestant) in costs), key=rank)
    steps = [n for n in (1 << i for i in range(10)) if n < cores()]
    for case, who in CORES_OF.items():
        yield from (Sample(case, name, rows, n) for name in who for n in steps)


def making(options: argparse.Namespace, sample: Sample, made: set[tuple[int, str]]) -> float:
    """Guess the seconds that a sample's data take to make, where nobody before it has made them."""
    folder = options.work / f"day-{sample.rows}"
    files = {f"{prepare.DATE}.feather": 1.0} | {f"{name}.feather": 0.5 for name in job.INPUTS.get(sample.case, {})}
    missing = {file for file in files if (sample.rows, file) not in made and not (folder / file).exists()}
    return sum(files[file] for file in missing) * sample.rows / MILLION


def planned(
    options: argparse.Namespace, costs: dict[tuple[str, str], Cost], rows: int, seconds: float
) -> tuple[dict[Sample, int], dict[Sample, Run]]:
    """Decide how often each sample runs; each that does not fit gets its reason."""
    plan: dict[Sample, int] = {}
    runs: dict[Sample, Run] = {}
    made: set[tuple[int, str]] = set()
    memory = available()
    for sample in dict.fromkeys(wanted(options, costs, rows)):
        if (sample.case, sample.contestant) not in costs:
            continue
        cost, data_first = expected(options, costs, sample), making(options, sample, made)
        runs[sample] = Run()
        if cost.peak > 0.85 * memory:
            runs[sample].left_out = f"needs about {cost.peak / 2**30:.0f} GiB"
        elif cost.wall + data_first > seconds:
            more = f" and {data_first:.0f} s for the data" if data_first else ""
            runs[sample].left_out = f"takes about {cost.wall:.0f} s{more}"
        else:
            seconds -= cost.wall + data_first
            plan[sample] = 1
            made |= {(sample.rows, f"{name}.feather") for name in (prepare.DATE, *job.INPUTS.get(sample.case, {}))}
    first = [sample for sample in plan if sample.rows == rows]
    again = first * (options.repeat - 1) + [sample for sample in plan if sample.rows != rows] * (options.repeat - 1)
    for sample in again:
        cost = expected(options, costs, sample)
        if sample.cores == cores() and cost.wall <= seconds:
            seconds -= cost.wall
            plan[sample] += 1
    say(f"{sum(plan.values())} runs of {len(plan)} samples, {len(runs) - len(plan)} left out")
    return plan, runs


# ---- measuring --------------------------------------------------


def measure(options: argparse.Namespace, plan: dict[Sample, int], runs: dict[Sample, Run], until: float) -> None:
    """Run the plan: groups that share case, size and cores one after another, and in each the contestants in turns."""
    groups: dict[tuple[str, int, int], list[Sample]] = {}
    cases, peers = list(job.CASES), list(job.PEERS)
    for sample in sorted(plan, key=lambda s: (cases.index(s.case), s.rows, s.cores, peers.index(s.contestant))):
        groups.setdefault((sample.case, sample.rows, sample.cores), []).append(sample)
    for (case, rows, n), group in groups.items():
        source = data(options, rows)
        for path in [source.parent / f"{name}.feather" for name in job.INPUTS.get(case, {source.stem: []})]:
            warm(path)
        for turn in range(max(plan[sample] for sample in group)):
            for sample in group:
                if turn < plan[sample] and (turn == 0 or time.monotonic() < until):
                    run_once(options, sample, source, runs[sample])
        if case == "day":
            timed = [s for s in group if runs[s].seconds]
            compare(case, {s.contestant: result(s.contestant, kept(options, s)["keep"]) for s in timed})
        say(f"{case} at {rows:,} rows on {n} cores is done")


def run_once(options: argparse.Namespace, sample: Sample, source: Path, run: Run) -> None:
    places = kept(options, sample) if sample.case == "day" else {}
    try:
        answer = child(sample.contestant, sample.case, source, limit=900, cores=sample.cores, **places)
    except subprocess.TimeoutExpired:
        run.left_out = "took more than 900 s"
        return
    run.seconds.append(answer["seconds"])
    run.again += [answer["again"]] if "again" in answer else []
    run.peak.append(answer["peak"])
    run.own.append(answer["own"])
    run.moved = answer.get("moved", 0)
    say(f"  {sample.case} {sample.rows:,} rows, {sample.cores} cores: {sample.contestant} {answer['seconds']:.2f} s")


def warm(path: Path) -> None:
    """Read a file, so that it is in the page cache."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


if __name__ == "__main__":
    main()
