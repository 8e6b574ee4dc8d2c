"""Makes docs/benchmarks.md, its figures and build/trust/bench.json from what run.py measured. Measures nothing.

python bench/page.py results.json        makes the page again (run.py leaves results.json in its work folder)
"""

from __future__ import annotations

import importlib.metadata as metadata
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

import figures
import job

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
TRUST = ROOT / "build" / "trust" / "bench.json"  # only of the page that is committed
TITLES = {name: peer.title for name, peer in job.PEERS.items()}
PANELS = {"rows": ("day", "forward"), "cores": ("day",)}
PACKAGES = ["vizflow", "polars", "numba", "numpy", "duckdb", "pandas", "pyarrow"]


class Samples:
    """What was measured, asked by case, contestant, rows and cores."""

    def __init__(self, results: dict[str, Any]) -> None:
        self.all = results["samples"]
        self.rows, self.cores = results["rows"], results["cores"]

    def of(
        self, case: str, contestant: str, rows: int | None = None, cores: int | None = None
    ) -> dict[str, Any] | None:
        wanted = (case, contestant, rows or self.rows, cores or self.cores)
        for sample in self.all:
            if (sample["case"], sample["contestant"], sample["rows"], sample["cores"]) == wanted:
                return sample if sample["seconds"] else None
        return None

    def cases(self) -> list[str]:
        return [case for case in job.CASES if self.of(case, "vizflow")]

    def contestants(self, case: str) -> list[str]:
        return [name for name in job.PEERS if self.of(case, name)]

    def ratio(self, case: str, contestant: str) -> float | None:
        """Time as a multiple of VizFlow's, of medians."""
        ours, theirs = self.of(case, "vizflow"), self.of(case, contestant)
        return median(theirs) / median(ours) if ours and theirs else None


def median(sample: dict[str, Any]) -> float:
    return statistics.median(sample["seconds"])


def write(results: dict[str, Any], out: Path) -> None:
    samples = Samples(results)
    drawn = draw(samples, out.parent / "figures")
    parts = [
        *header(results),
        *summary(samples, drawn),
        *(line for case in samples.cases() for line in table(samples, case, results["bandwidth"])),
        *sizes(samples, drawn),
        *on_cores(samples, drawn),
        *found(results),
        *left_out(results),
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(parts).rstrip() + "\n")
    kept = TRUST if out == PAGE else out.with_suffix(".json")
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(trust(results, samples), indent=1) + "\n")


# ---- parts of the page --------------------------------------------------


HEADER = """\
# Benchmarks

This page and its figures are made by a script; do not edit them. They include what VizFlow loses.

- Made by `{command}` on {date} in {minutes:g} minutes, data that was not there yet included
- Machine: {processor}, {cores} cores used, {memory:.0f} GiB, {system}; load average {load[0]:.1f} at the start and \
{load[1]:.1f} at the end, this run included
- Versions: {versions}
- Data: `vizflow.demo.generate`, seed 2024, one CN day of 5,000 symbols; {rows:,} rows unless another number is given
- Each contestant runs in a process of its own, in turns, on a warm page cache. Imports, compilation and loading a \
stage's frame are not timed; the whole day's reading and writing are. Seconds are medians, with the fastest and the \
slowest run. Of a short stage, *called again* is the median of five more calls in the same processes
- The same results: compared on {check_rows:,} rows before, the whole days' after; integers and text exactly, \
floats to 1e-12, averaged prices to 1e-9. † marks a result known to be another one ([how](#where-results-differ))
- *Limit*: what a stage takes if it does nothing but move its input and output once, at the {bandwidth:.1f} GB/s (read \
and written together) that copying memory reaches here on all cores
- The job and who takes part: `bench/job.py`; the contestants: `bench/peers/`. A faster one is welcome
- Cubes have [a page of their own](benchmarks-cube.md); `bench/README.md` lists what else is measured, and how
"""


BUSY = """\
- **The machine was busy with other work** (a load average of {load[0]:.1f} on {cores} cores before anything began): \
the spread is wide, seconds are too long, and only large ratios say something
"""


def header(results: dict[str, Any]) -> list[str]:
    text = HEADER + (BUSY if results["load"][0] > results["cores"] / 2 else "")
    return [text.format(**{**results, **results["machine"], "bandwidth": results["bandwidth"] / 1e9})]


def summary(samples: Samples, drawn: list[str]) -> list[str]:
    who = [name for name in job.PEERS if name != "vizflow" and any(samples.of(c, name) for c in samples.cases())]
    lines = ["## In short", "", "Time as a multiple of VizFlow's: above 1 VizFlow is faster; **bold**: it loses.", ""]
    lines += head(["", "VizFlow, s", *(TITLES[name] for name in who)])
    for case in samples.cases():
        cells = [job.CASES[case], f"{median(samples.of(case, 'vizflow') or {}):.2f}"]
        for name in who:
            ratio = samples.ratio(case, name)
            dagger = " †" if case in job.PEERS[name].differs else ""
            cells.append("" if ratio is None else (f"**{ratio:.2f}**" if ratio < 1 else f"{ratio:.1f}") + dagger)
        lines.append(row(cells))
    return [*lines, "", *figure(drawn, "cases", "Each contestant's time as a multiple of VizFlow's, by case")]


def table(samples: Samples, case: str, bandwidth: float) -> list[str]:
    """Make the table of a case."""
    moved = (samples.of(case, "vizflow") or {}).get("moved")
    limit = moved / bandwidth if moved else None
    lines = [f"## {job.CASES[case]}", ""]
    if moved and limit:
        lines += [f"{moved / 1e9:.2f} GB to move; limit {limit:.3f} s.", ""]
    titles = ["", "seconds", "fastest to slowest", "runs", "against VizFlow", "times the limit"]
    memory = case == "day"
    titles += ["peak memory, GiB", "of it not the file's pages"] if memory else []
    ours_again = (samples.of(case, "vizflow") or {}).get("again")
    titles += ["called again", "against VizFlow"] if ours_again else []
    lines += head(titles)
    for name in samples.contestants(case):
        sample = samples.of(case, name) or {}
        seconds, ratio = sample["seconds"], samples.ratio(case, name)
        cells = [
            TITLES[name] + (" †" if case in job.PEERS[name].differs else ""),
            f"{median(sample):.3f}" if median(sample) < 1 else f"{median(sample):.2f}",
            f"{min(seconds):.2f} to {max(seconds):.2f}",
            str(len(seconds)),
            f"{ratio:.2f}x" if ratio else "",
            f"{median(sample) / limit:.0f}" if limit else "",
        ]
        if memory:
            cells += [f"{statistics.median(sample[kind]) / 2**30:.2f}" for kind in ("peak", "own")]
        if ours_again:
            cells += again(sample.get("again"), ours_again)
        lines.append(row(cells))
    notes = [
        f"† {TITLES[n]}: {job.PEERS[n].differs[case]}."
        for n in samples.contestants(case)
        if case in job.PEERS[n].differs
    ]
    return [*lines, "", *(line for note in notes for line in (note, ""))]


def again(theirs: list[float] | None, ours: list[float]) -> list[str]:
    """Return what later calls in one process took, and that as a multiple of VizFlow's."""
    if not theirs:
        return ["", ""]
    seconds = statistics.median(theirs)
    return [f"{seconds:.3f}", f"{seconds / statistics.median(ours):.2f}x"]


def sizes(samples: Samples, drawn: list[str]) -> list[str]:
    lines = ["## From a million rows up", "", "Seconds; in brackets the multiple of VizFlow's.", ""]
    for case in job.CASES:
        at = sorted(
            {s["rows"] for s in samples.all if s["case"] == case and s["cores"] == samples.cores and s["seconds"]}
        )
        at = [rows for rows in at if samples.of(case, "vizflow", rows)]
        who = [n for n in job.PEERS if sum(bool(samples.of(case, n, rows)) for rows in at) > 1]
        if len(at) < 2:
            continue
        lines += head([job.CASES[case], *(f"{rows / 1e6:g} M rows" for rows in at)])
        for name in who:
            cells = [TITLES[name]]
            for rows in at:
                sample, ours = samples.of(case, name, rows), samples.of(case, "vizflow", rows)
                ratio = f" ({median(sample) / median(ours):.1f}x)" if sample and ours and name != "vizflow" else ""
                cells.append(f"{median(sample):.2f}{ratio}" if sample else "left out")
            lines.append(row(cells))
        if case == "day":
            cells = ["VizFlow's peak memory, GiB (of it not the file's pages)"]
            for rows in at:
                sample = samples.of(case, "vizflow", rows) or {}
                cells.append(
                    " ({:.2f})".join(["{:.2f}", ""]).format(max(sample["peak"]) / 2**30, max(sample["own"]) / 2**30)
                )
            lines.append(row(cells))
        lines.append("")
    return [*lines, *figure(drawn, "rows", "Seconds over rows")]


def on_cores(samples: Samples, drawn: list[str]) -> list[str]:
    counts = sorted({s["cores"] for s in samples.all if s["rows"] == samples.rows and s["seconds"]})
    if len(counts) < 2:
        return []
    lines = ["## From one core to all", "", "Seconds; in brackets how many times one core's speed.", ""]
    lines += head(["", *(f"{n} core{'s' if n > 1 else ''}" for n in counts)])
    for case in job.CASES:
        for name in job.PEERS:
            one = samples.of(case, name, cores=counts[0])
            if one is None:
                continue
            cells = [f"{TITLES[name]}: {job.CASES[case]}"]
            for n in counts:
                sample = samples.of(case, name, cores=n)
                gain = f" ({median(one) / median(sample):.2f}x)" if sample and n > 1 else ""
                cells.append(f"{median(sample):.2f}{gain}" if sample else "left out")
            lines.append(row(cells))
    return [*lines, "", *figure(drawn, "cores", "Seconds over cores")]


def found(results: dict[str, Any]) -> list[str]:
    lines = ["## Where results differ", ""]
    lines += head(["whose", "what", "rows or groups", "of"])
    for finding in results["findings"]:
        lines.append(row([finding["who"], finding["what"], f"{finding['count']:,}", f"{finding['of']:,}"]))
    absent = (
        [f"The public project of the same name could not be had: {results['absent']}.", ""] if results["absent"] else []
    )
    return [*lines, "", *absent]


def left_out(results: dict[str, Any]) -> list[str]:
    some = [s for s in results["samples"] if not s["seconds"]]
    if not some:
        return []
    lines = ["## Left out", "", "What the minutes or the memory did not allow, as estimated from the first round.", ""]
    lines += head(["", "case", "rows and cores"])
    groups: dict[tuple[str, str], list[str]] = {}
    for s in some:
        on = f" on {s['cores']} core{'s' if s['cores'] > 1 else ''}" if s["cores"] != results["cores"] else ""
        what = f"{s['rows'] / 1e6:g} M{on} ({s['left_out'] or 'no time was left'})"
        groups.setdefault((TITLES[s["contestant"]], job.CASES[s["case"]]), []).append(what)
    return [*lines, *(row([who, case, ", ".join(what)]) for (who, case), what in groups.items()), ""]


def head(titles: list[str]) -> list[str]:
    return [row(titles), "|" + "---|" * len(titles)]


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def figure(drawn: list[str], name: str, words: str) -> list[str]:
    return [f"![{words}](figures/bench-{name}.svg)", ""] if name in drawn else []


# ---- figures, and the figures of trust --------------------------------------------------


def draw(samples: Samples, folder: Path) -> list[str]:
    """Draw what there is enough of; give the names."""
    drawn = ["cases"]
    rows = []
    for case in samples.cases():
        ours = median(samples.of(case, "vizflow") or {})
        dots = []
        for name in samples.contestants(case):
            sample = samples.of(case, name) or {}
            low, high = min(sample["seconds"]) / ours, max(sample["seconds"]) / ours
            dots.append(figures.Dot(name, median(sample) / ours, low, high, case in job.PEERS[name].differs))
        rows.append((job.CASES[case], dots))
    figures.ratios(folder / "bench-cases.svg", rows, TITLES)
    for name, along, unit in (("rows", "millions of rows", ""), ("cores", "cores", "")):
        panels = []
        for case in job.CASES:
            some = [figures.Line(who, points_of(samples, case, who, name)) for who in job.PEERS]
            some = [line for line in some if len(line.points) > 1]
            if some and case in PANELS[name]:
                panels.append((job.CASES[case], some))
        if panels:
            figures.lines(folder / f"bench-{name}.svg", panels, TITLES, along, unit)
            drawn.append(name)
    return drawn


def points_of(samples: Samples, case: str, who: str, along: str) -> list[tuple[float, float]]:
    points = {}
    for s in samples.all:
        fixed = s["cores"] == samples.cores if along == "rows" else s["rows"] == samples.rows
        if s["case"] == case and s["contestant"] == who and s["seconds"] and fixed:
            points[s["rows"] / 1e6 if along == "rows" else s["cores"]] = median(s)
    return sorted(points.items())


def trust(results: dict[str, Any], samples: Samples) -> dict[str, Any]:
    """Return the headline ratios: each case against each contestant, and how much the runs spread."""
    rows = []
    for case in samples.cases():
        for name in samples.contestants(case):
            ratio, sample = samples.ratio(case, name), samples.of(case, name) or {}
            if name == "vizflow" or ratio is None:
                continue
            spread = f"{min(sample['seconds']):.2f} to {max(sample['seconds']):.2f} s in {len(sample['seconds'])} runs"
            other = f"; another result: {job.PEERS[name].differs[case]}" if case in job.PEERS[name].differs else ""
            what = f"{job.CASES[case]}: {TITLES[name]}, as a multiple of VizFlow's time"
            rows.append({"what": what, "value": round(ratio, 2), "detail": f"{samples.rows:,} rows; {spread}{other}"})
    title = f"Benchmarks ({results['machine']['processor']}, {results['cores']} cores, {results['date']})"
    return {"title": title, "command": results["command"], "rows": rows}


# ---- the machine --------------------------------------------------


def machine(cores: int) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)]
    system = f"{platform.system()} {platform.release()}"
    return {"processor": processor(), "memory": memory, "system": system, "versions": ", ".join(versions)}


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


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text()), PAGE)
