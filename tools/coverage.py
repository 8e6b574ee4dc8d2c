"""Branch coverage of src/ from the C tests: `python3 tools/coverage.py` builds, runs, and fails below 95 %.

Not a judge of the tests: a branch that ran was not thereby checked, which is what tools/mutants.py asks.

Branches that cannot be taken are named in tests/c/coverage_exceptions.txt and left out of the sum. Each is held to its
word: the line must still exist, and exactly the named number of its branches must still be untaken.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "coverage"
EXCEPTIONS = ROOT / "tests" / "c" / "coverage_exceptions.txt"
FIGURES = ROOT / "build" / "trust" / "coverage.json"
LEAST = 95.0


@dataclass
class Line:
    """How often a line ran, and each of its branches: by function, since a line of a macro may lie in several."""

    runs: int = 0
    branches: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, function: str, runs: int, branches: list[int]) -> None:
        """Add what another translation unit, or another run, counted."""
        self.runs += runs
        mine = self.branches[function]
        mine += [0] * (len(branches) - len(mine))
        for i, count in enumerate(branches):
            mine[i] += count

    @property
    def counts(self) -> list[int]:
        """The count of every branch on this line."""
        return [count for branches in self.branches.values() for count in branches]

    @property
    def untaken(self) -> int:
        """How many of the branches were never taken."""
        return self.counts.count(0)


@dataclass
class Exempt:
    """A line that holds branches which cannot be taken."""

    where: str  # line of the list
    file: str
    untaken: int
    excerpt: str


def run(*command: str | Path) -> str:
    """Run a command and give what it prints; its error text goes where ours does."""
    return subprocess.run(list(map(str, command)), check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout


def build() -> None:
    """Build the tests with counters, optimised not at all: each branch of the source is one of the program."""
    flags = "--coverage -fprofile-update=atomic -O0"
    run("cmake", "-S", ROOT, "-B", BUILD, "-DVIZFLOW_BUILD_TESTS=ON", "-DCMAKE_BUILD_TYPE=Debug",
        f"-DCMAKE_C_FLAGS={flags}")  # fmt: skip
    run("cmake", "--build", BUILD, "--parallel", "2")


def count(gcov: str) -> dict[str, dict[int, Line]]:
    """Add up the lines of src/, by file and number, over everything that ran."""
    lines: dict[str, dict[int, Line]] = defaultdict(lambda: defaultdict(Line))
    for data in sorted(BUILD.rglob("*.gcda")):
        report: dict[str, Any] = json.loads(run(gcov, "--json-format", "--stdout", "--branch-probabilities", data))
        for file in report["files"]:
            path = (ROOT / file["file"]).resolve()
            if not path.is_relative_to(ROOT / "src"):
                continue
            mine = lines[path.relative_to(ROOT).as_posix()]
            for line in file["lines"]:
                branches = [branch["count"] for branch in line["branches"]]
                mine[line["line_number"]].add(line.get("function_name", ""), line["count"], branches)
    return lines


def exceptions() -> list[Exempt]:
    """Read the named exceptions: `FILE | UNTAKEN | EXCERPT OF THE LINE | REASON`, a line each."""
    found = []
    for number, text in enumerate(EXCEPTIONS.read_text(encoding="utf-8").splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        where = f"{EXCEPTIONS.relative_to(ROOT)}:{number}"
        parts = [part.strip() for part in text.split(" | ")]
        if len(parts) != 4 or not parts[1].isdigit() or not all(parts):
            sys.exit(f"{where}: an exception is FILE | UNTAKEN | EXCERPT | REASON")
        found.append(Exempt(where, parts[0], int(parts[1]), parts[2]))
    return found


def left_out(lines: dict[str, dict[int, Line]], names: list[Exempt]) -> tuple[dict[str, int], list[str], set[str]]:
    """Branches left out, by file; what is wrong with the list; and the lines it names, as FILE:LINE."""
    out: dict[str, int] = defaultdict(int)
    wrong: list[str] = []
    named: set[str] = set()
    for name in names:
        path = ROOT / name.file
        text = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        at = [number for number, line in enumerate(text, 1) if name.excerpt in line]
        if len(at) != 1:
            wrong.append(f"{name.where}: found {len(at)} times in {name.file}, not once: {name.excerpt}")
            continue
        place = f"{name.file}:{at[0]}"
        untaken = lines[name.file][at[0]].untaken if at[0] in lines[name.file] else 0
        if place in named:
            wrong.append(f"{name.where}: {place} is named twice")
        elif untaken != name.untaken:
            wrong.append(f"{name.where}: {untaken} branches of {place} are untaken, not {name.untaken}")
        else:
            out[name.file] += untaken
        named.add(place)
    return out, wrong, named


def main() -> int:
    """Build, run, count, report; 1 below the least coverage, or where an exception does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="print every line that has untaken branches")
    parser.add_argument("--no-run", action="store_true", help="count what the last run left")
    chosen = parser.parse_args()
    compiler, gcov = os.environ.get("CC", "gcc"), os.environ.get("GCOV", "gcov")
    for tool in (compiler, gcov):
        if shutil.which(tool) is None:
            print(f"coverage: left out: no {tool} here")
            return 1 if os.environ.get("CI") else 0
    if not chosen.no_run:
        build()
        for data in BUILD.rglob("*.gcda"):
            data.unlink()
        tests = ["ctest", "--test-dir", str(BUILD), "--output-on-failure", "--parallel", "2"]
        done = subprocess.run(tests, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            print(done.stdout)
            return 1

    lines = count(gcov)
    out, wrong, named = left_out(lines, exceptions())
    print(f"{'file':<28}{'lines':>7}{'run':>8}{'branches':>10}{'left out':>10}{'taken':>8}")
    whole = [0] * 5
    for name in sorted(lines):
        mine = lines[name].values()
        counts = [n for line in mine for n in line.counts]
        row = [len(mine), sum(line.runs > 0 for line in mine), len(counts), out[name], sum(n > 0 for n in counts)]
        whole = [a + b for a, b in zip(whole, row, strict=True)]
        print(report_of(name, row))
        for number, line in sorted(lines[name].items()):
            if chosen.list and line.untaken and f"{name}:{number}" not in named:
                text = (ROOT / name).read_text(encoding="utf-8").splitlines()[number - 1]
                print(f"    {number}: {line.untaken} of {len(line.counts)} untaken: {text.strip()}")
    print(report_of("src/", whole))

    n_lines, n_run, n_branches, n_out, n_taken = whole
    raw, counted = 100 * n_taken / n_branches, 100 * n_taken / (n_branches - n_out)
    rows = [
        {"what": "branches of src/ taken", "value": f"{counted:.2f} %", "detail": f"{n_taken} of {n_branches - n_out}"},
        {"what": "branches named as impossible", "value": n_out, "detail": f"{raw:.2f} % when they are counted"},
        {"what": "lines of src/ run", "value": f"{100 * n_run / n_lines:.2f} %", "detail": f"{n_run} of {n_lines}"},
    ]
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    figures = {"title": "Coverage by the C tests", "command": "make coverage", "rows": rows}
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for row in rows:
        print(f"{row['what']}: {row['value']} ({row['detail']})")
    if counted < LEAST:
        wrong.append(f"branch coverage is {counted:.2f} %, not {LEAST} %; `make coverage LIST=1` names the lines")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


def report_of(name: str, row: list[int]) -> str:
    """One line of the report."""
    n_lines, n_run, n_branches, n_out, n_taken = row
    lines = f"{n_lines:>7}{100 * n_run / max(n_lines, 1):>7.1f}%"
    taken = 100.0 if n_branches == n_out else 100 * n_taken / (n_branches - n_out)
    return f"{name:<28}{lines}{n_branches:>10}{n_out:>10}{taken:>7.1f}%"


if __name__ == "__main__":
    sys.exit(main())
