"""Make each error of tests/mutants/mutants.txt in a copy of the tree, and see that the C tests find it.

Not a maker of mutants: the list is written by hand. `--check` only looks whether every excerpt still occurs once; names
as arguments run those mutants alone. A mutant is killed by a failed check, a crash or an endless loop; one that does
not compile is no mutant.
"""

import argparse
import json
import os
import queue
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "tests" / "mutants" / "mutants.txt"
COPIES = ROOT / "build" / "mutants"
FIGURES = ROOT / "build" / "trust" / "mutants.json"
LEAST = 40
TIME_LIMIT = 120  # seconds a test program may take, several times what the slowest needs

# Which tests are asked about a file, the one most likely to find something first.
TESTS = {
    "src/arrow/repeat.c": ["test_expand", "test_fifo"],
    "src/match/api_": ["test_fifo_columns", "test_fifo"],
    "src/match/": ["test_fifo", "test_fifo_columns", "test_fifo_replay", "test_expand"],
    "src/mark/asof.c": ["test_asof"],
    "src/mark/daily.c": ["test_daily"],
    "src/mark/": ["test_mark", "test_asof", "test_daily"],
    "src/arrow/": ["test_arrow", "test_mark", "test_fifo_columns"],
    "src/bin/": ["test_bin"],
    "src/clock/": ["test_clock"],
    "src/cube/": ["test_cube"],
    "src/agg/": ["test_states", "test_agg", "test_cube"],
}
MUTANT = re.compile(
    r"^-{8} (?P<name>\S+)\nfile: (?P<file>\S+)\nbreaks: (?P<breaks>[^\n]+)\n"
    r"<<<<\n(?P<old>.*?)\n====\n(?P<new>.*?)\n>>>>$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Mutant:
    """One error."""

    name: str
    file: str
    breaks: str
    old: str
    new: str


def mutants() -> list[Mutant]:
    """Read the list."""
    text = LIST.read_text(encoding="utf-8")
    found = [Mutant(**match.groupdict()) for match in MUTANT.finditer(text)]
    if len(found) != len(re.findall("^-{8} ", text, re.MULTILINE)):
        sys.exit(f"{LIST.relative_to(ROOT)}: not every mutant is name, file, breaks, <<<< before ==== after >>>>")
    return found


def faults(found: list[Mutant]) -> list[str]:
    """Return what is wrong with the list."""
    wrong = [] if len(found) >= LEAST else [f"{len(found)} mutants; {LEAST} are the least"]
    for mutant in found:
        path = ROOT / mutant.file
        n = path.read_text(encoding="utf-8").count(mutant.old) if path.is_file() else 0
        if n != 1:
            wrong.append(f"{mutant.name}: its excerpt is found {n} times in {mutant.file}, not once")
        if mutant.old == mutant.new:
            wrong.append(f"{mutant.name}: changes nothing")
        if sum(mutant.name == other.name for other in found) != 1:
            wrong.append(f"{mutant.name}: the name is not its own")
    return wrong


def tests_of(file: str) -> list[str]:
    """The tests that are asked about a file."""
    return next(tests for start, tests in TESTS.items() if file.startswith(start))


def copy_tree(copy: Path) -> None:
    """Copy what the C tests are built from. Only what differs is written, so that only that is built again."""
    wanted = {ROOT / name for name in ("CMakeLists.txt", "vizflow.pc.in", "vizflow-config.cmake")}
    for folder in ("include", "src", "tests/c", "python/ext", "bench/kernels"):
        wanted |= {path for path in (ROOT / folder).rglob("*") if path.is_file()}
        for path in (copy / folder).rglob("*"):
            if path.is_file() and not (ROOT / path.relative_to(copy)).is_file():
                path.unlink()
    for path in wanted:
        target, content = copy / path.relative_to(ROOT), path.read_bytes()
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def build(copy: Path, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """Build some of the tests in a copy."""
    command = ["cmake", "--build", "build", "--target", *tests]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True)


def fails(program: Path) -> str:
    """How a test failed, or nothing. Its first failed check is enough: it is ended there."""
    start = time.monotonic()
    with subprocess.Popen([program], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        os.set_blocking(process.stderr.fileno(), False)
        while process.poll() is None and time.monotonic() - start < TIME_LIMIT:
            line = process.stderr.readline()
            if re.match(r"\S+\.[ch]:\d+: ", line):
                process.kill()
                return line.strip()
            if line == "":
                time.sleep(0.02)
        if process.returncode is None:
            process.kill()
            return f"{program.name} did not end within {TIME_LIMIT} s"
        rest = process.stderr.read() or ""
        return "" if process.returncode == 0 else rest.strip().split("\n")[0] or f"{program.name}: {process.returncode}"


def try_one(mutant: Mutant, copy: Path) -> str:
    """How a mutant was killed, or nothing."""
    path, tests = copy / mutant.file, tests_of(mutant.file)
    sound = path.read_text(encoding="utf-8")
    path.write_text(sound.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        built = build(copy, tests)
        if built.returncode != 0:
            sys.exit(f"{mutant.name} does not compile:\n{built.stderr}")
        for test in tests:
            how = fails(copy / "build" / test)
            if how:
                return how.replace(str(copy) + "/", "")
        return ""
    finally:
        path.write_text(sound, encoding="utf-8")


def make_copy(copy: Path) -> None:
    """Make a copy with all tests built, which must pass: otherwise every mutant would look killed."""
    copy_tree(copy)
    flags = ["-DVIZFLOW_BUILD_TESTS=ON", "-DCMAKE_BUILD_TYPE=", "-DCMAKE_C_FLAGS=-O1"]
    subprocess.run(["cmake", "-B", "build", *flags], cwd=copy, check=True, stdout=subprocess.DEVNULL)
    tests = sorted({test for tests in TESTS.values() for test in tests})
    built = build(copy, tests)
    if built.returncode != 0:
        sys.exit(f"the tests do not build:\n{built.stderr}")
    for test in tests:
        how = fails(copy / "build" / test)
        if how:
            sys.exit(f"the tests fail without a mutant: {how}")


def main() -> int:
    """Check the list, or run it; 1 where a mutant lives or the list is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only look whether every excerpt occurs once")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="mutants tried at a time")
    parser.add_argument("names", nargs="*", help="only these mutants")
    chosen = parser.parse_args()
    found = mutants()
    wrong = faults(found)
    if wrong or chosen.check:
        print(*wrong or [f"mutants: {len(found)}, each excerpt once in its file"], sep="\n")
        return 1 if wrong else 0

    start = time.monotonic()
    wanted = [mutant for mutant in found if not chosen.names or mutant.name in chosen.names]
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
    places = [COPIES / str(i) for i in range(chosen.jobs)]

    def run(mutant: Mutant) -> str:
        copy = copies.get()
        try:
            return try_one(mutant, copy)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(chosen.jobs) as pool:
        list(pool.map(make_copy, places))
        for place in places:
            copies.put(place)
        results = []
        for mutant, how in zip(wanted, pool.map(run, wanted), strict=True):
            print(f"{'killed  ' if how else 'SURVIVED'}  {mutant.name}: {how or mutant.breaks}", flush=True)
            results.append((mutant, how))

    lived = [mutant.name for mutant, how in results if not how]
    seconds = time.monotonic() - start
    print(f"{len(results) - len(lived)} of {len(results)} mutants killed, in {seconds:.0f} s")
    if not chosen.names:
        layers = ("match", "mark", "agg", "cube")
        rows = [
            {
                "what": f"mutants of src/{layer} killed",
                "value": sum(bool(how) for mutant, how in results if mutant.file.startswith(f"src/{layer}/")),
                "detail": f"of {sum(mutant.file.startswith(f'src/{layer}/') for mutant, _ in results)}",
            }
            for layer in layers
        ]
        rows.append({"what": "mutants that lived", "value": len(lived), "detail": ", ".join(lived) or "none"})
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        figures = {"title": "Hand-made errors found by the C tests", "command": "make mutants", "rows": rows}
        FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if lived else 0


if __name__ == "__main__":
    sys.exit(main())
