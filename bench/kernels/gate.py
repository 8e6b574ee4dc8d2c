"""Holds each C kernel to the number of instructions it is known to take: `make gate`.

Counts are callgrind's, of one thread on fixed data (kernels.c), and are the same from run to run on a busy machine too.
Not a timing: it cannot see memory, branches or threads, which is what `make bench` is for.

    python bench/kernels/gate.py build/c/kernels               fails where a kernel takes over 5 % more
    python bench/kernels/gate.py build/c/kernels --raise fifo  takes the counts of a family or kernel as baseline

A baseline belongs to a compiler, a C library and a kind of machine. Another toolchain's counts cannot be compared with
it: they are shown, and the gate says that it was left out, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.txt"
TRUST = HERE.parent.parent / "build" / "trust" / "kernels.json"
MOST = 1.05
HEAD = """\
# Instructions that each kernel of kernels.c takes, and the hash of its answer. Written by gate.py; a baseline is raised
# by name only: make gate-raise KERNEL=fifo
"""


@dataclass(frozen=True)
class Count:
    """What one kernel took, and a hash of what it gave."""

    instructions: int
    answer: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--raise", dest="name", metavar="KERNEL", help="a kernel, a family (fifo), or all")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("gate: left out: valgrind is not installed")
        return 0
    names = text([options.program, "--list"]).split()
    used = toolchain(options.program)
    if options.name is not None:
        return raised(options.program, options.name, names, used)
    known, baseline = read()
    counts = counted(options.program, names)
    return judged(counts, baseline, used, known)


def judged(counts: dict[str, Count], baseline: dict[str, Count], used: str, known: str) -> int:
    """Print a line a kernel and keep the figures; give the exit status."""
    comparable = used == known
    failed, rows = [], []
    for name, count in counts.items():
        before = baseline.get(name)
        verdict = judgement(count, before) if comparable else "not compared"
        failed += [name] if verdict.startswith("FAILED") else []
        print(f"{name:<16}{count.instructions:>14,}  {verdict}")
        rows.append({"what": name, "value": count.instructions, "detail": verdict})
    for name in baseline.keys() - counts.keys():
        print(f"{name}: FAILED, in the baseline and not among the kernels")
        failed.append(name)
    TRUST.parent.mkdir(parents=True, exist_ok=True)
    title = f"Instructions of the C kernels ({used})"
    TRUST.write_text(json.dumps({"title": title, "command": "make gate", "rows": rows}, indent=1) + "\n")
    if not comparable:
        print(f"gate: left out: the baseline was counted with {known}, this is {used}")
        return 0
    print(f"gate: {len(counts)} kernels, {len(failed)} failed ({used})")
    return 1 if failed else 0


def judgement(count: Count, before: Count | None) -> str:
    if before is None:
        return "FAILED: it has no baseline (make gate-raise)"
    if count.answer != before.answer:
        return "FAILED: its answer has changed; where that is meant, make gate-raise"
    change = count.instructions / before.instructions
    if change > MOST:
        return f"FAILED: {change - 1:+.1%} (at most {MOST - 1:+.0%})"
    return f"{change - 1:+.1%}" + (", better: the baseline can be lowered" if change < 2 - MOST else "")


def raised(program: Path, name: str, names: list[str], used: str) -> int:
    """Write the counts of the kernels that are named into the baseline."""
    chosen = [n for n in names if name == "all" or n == name or n.split("-")[0] == name]
    known, baseline = read()
    if not chosen:
        raise SystemExit(f"no kernel or family {name!r}; there are {', '.join(names)}")
    if known != used and len(chosen) < len(names):
        raise SystemExit(f"the baseline was counted with {known}, this is {used}: raise all, or none")
    for kernel, count in counted(program, chosen).items():
        before = baseline.get(kernel)
        print(f"{kernel:<16}{before.instructions if before else 0:>14,} -> {count.instructions:>14,}")
        baseline[kernel] = count
    lines = [f"{n:<16}{baseline[n].instructions:>14}  {baseline[n].answer}\n" for n in names if n in baseline]
    BASELINE.write_text(HEAD + f"toolchain: {used}\n" + "".join(lines))
    return 0


def read() -> tuple[str, dict[str, Count]]:
    """Return the baseline's toolchain and its counts."""
    if not BASELINE.exists():
        return "", {}
    lines = [line for line in BASELINE.read_text().splitlines() if not line.startswith("#")]
    fields = [line.split() for line in lines[1:]]
    return lines[0].removeprefix("toolchain: "), {name: Count(int(n), answer) for name, n, answer in fields}


def toolchain(program: Path) -> str:
    """Name what decides which instructions a source becomes, and which of libc's are taken."""
    compiler = re.sub(r"\s+", " ", text([program, "--compiler"]).strip())
    vectors = "avx2" if "avx2" in Path("/proc/cpuinfo").read_text().split() else "no avx2"
    return f"{compiler}, {' '.join(platform.libc_ver())}, {platform.machine()}, {vectors}, Release"


def counted(program: Path, names: list[str]) -> dict[str, Count]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip(names, pool.map(lambda name: count(program, name), names), strict=True))


def count(program: Path, name: str) -> Count:
    """Run one kernel under callgrind."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind"
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=measured", f"--callgrind-out-file={out}"]
        answer = text([*command, program, name])
        totals = re.search(r"^totals: (\d+)$", out.read_text(), re.MULTILINE)
    if totals is None or totals[1] == "0":
        raise SystemExit(f"callgrind counted nothing of {name}")
    return Count(int(totals[1]), answer.strip())


def text(command: list[str | Path]) -> str:
    """Run a program with an empty environment: its size moves the stack, and with it the counts of copies."""
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command} failed with {done.returncode}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
