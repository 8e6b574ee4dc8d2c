"""Build the C tests in other ways, run them, and gather what the fault loops counted in build/trust/faults.json.

    python3 tools/run_builds.py 32 tiny       those builds, see BUILDS
    python3 tools/run_builds.py figures       only gather

A build that this machine has no tools for is left out, and said so (`.ci/run` installs them). Not for what is tested.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTES = ROOT / "build" / "faults"
FIGURES = ROOT / "build" / "trust" / "faults.json"


@dataclass(frozen=True)
class Build:
    """How the tests are built and run."""

    what: str
    options: tuple[str, ...] = ()
    flags: str = "-O1"
    only: str = ""  # tests by name, a regular expression; else all
    but: str = ""
    needs: tuple[str, ...] = ()  # a compiler call that must work, or a program
    valgrind: bool = False


THREADS = "test_(base|fifo|mark|agg|states|asof|daily|cube|expand|bits|day_faults|fifo_faults)$"
LONG_WHEN_TINY = "test_(mark|fifo)_faults$"
BUILDS = {
    "32": Build("32 bits", flags="-O1 -m32", needs=("cc", "-m32")),
    # day_faults refuses memory in matching and marking, too; these two take half a minute each with 8 rows at a time
    "tiny": Build("tiny chunks", ("-DVIZFLOW_SIZES=tiny",), but=LONG_WHEN_TINY),
    "huge": Build("huge chunks", ("-DVIZFLOW_SIZES=huge",)),
    "tiny-sanitize": Build(
        "tiny chunks, ASan and UBSan",
        ("-DVIZFLOW_SIZES=tiny", "-DVIZFLOW_SANITIZE=address,undefined"),
        but=LONG_WHEN_TINY,
    ),
    # test_mark starts a thread every 16 rows then, a million of them; test_bits marks, too
    "tiny-thread": Build(
        "tiny chunks, TSan", ("-DVIZFLOW_SIZES=tiny", "-DVIZFLOW_SANITIZE=thread"), only=THREADS, but="_(faults|mark)$"
    ),
    "memcheck": Build("valgrind", flags="-O1 -g -DVF__HUGE_FROM=SIZE_MAX", needs=("valgrind",), valgrind=True),
    "clang": Build("clang", ("-DCMAKE_C_COMPILER=clang",), flags="-O2", needs=("clang",)),
}


def missing(build: Build) -> str:
    """Say what a build needs and this machine lacks."""
    if not build.needs:
        return ""
    if len(build.needs) == 1:
        return "" if shutil.which(build.needs[0]) else f"{build.needs[0]} is not here"
    source = b"#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n"
    tried = [*build.needs, "-xc", "-", "-o", os.devnull]
    works = (
        shutil.which(tried[0]) and not subprocess.run(tried, input=source, capture_output=True, check=False).returncode
    )
    return "" if works else f"`{' '.join(build.needs)}` builds nothing here (Debian: gcc-multilib)"


def compiled(name: str, build: Build) -> Path:
    """Build the tests; give the folder they are in."""
    folder = ROOT / "build" / f"faults-{name}"
    options = ["-DVIZFLOW_BUILD_TESTS=ON", "-DVIZFLOW_WERROR=ON", "-DCMAKE_BUILD_TYPE=Debug", *build.options]
    # in CMAKE_C_FLAGS, which CMake looks at when it asks the compiler how wide a pointer is
    flags = [f"-DCMAKE_C_FLAGS={build.flags}", "-DCMAKE_C_FLAGS_DEBUG="]
    subprocess.run(
        ["cmake", "-S", str(ROOT), "-B", str(folder), *options, *flags], check=True, stdout=subprocess.DEVNULL
    )
    subprocess.run(
        ["cmake", "--build", str(folder), "--target", "vizflow_tests", "--parallel", "2"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


def tested(folder: Path, build: Build) -> tuple[int, int]:
    """Run the tests; give how many passed, of how many."""
    chosen = [option for flag, names in (("-R", build.only), ("-E", build.but)) if names for option in (flag, names)]
    done = subprocess.run(
        ["ctest", "--test-dir", str(folder), "--output-on-failure", "--timeout", "1500", "-j2", *chosen],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = re.search(r"(\d+) tests failed out of (\d+)", done.stdout)
    print(done.stdout if done.returncode else (found and done.stdout[found.start() - 20 :].splitlines()[0]) or "")
    failed, total = (int(found[1]), int(found[2])) if found else (1, 1)
    return total - failed, total


def checked(folder: Path) -> tuple[int, int]:
    """Run the tests under valgrind, leaks being errors; give how many passed, of how many."""
    call = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full"]
    call += ["--errors-for-leak-kinds=definite,indirect,possible", "--trace-children=no"]
    call += [f"--suppressions={ROOT / 'tests' / 'c' / 'valgrind.supp'}"]

    def run(program: Path) -> bool:
        began = time.monotonic()
        done = subprocess.run([*call, str(program)], cwd=folder, capture_output=True, text=True, check=False)
        print(f"valgrind {program.name}: {done.returncode} ({time.monotonic() - began:.0f} s)", flush=True)
        if done.returncode:
            print(done.stderr[-4000:], file=sys.stderr)
        return done.returncode == 0

    programs = [path for path in sorted(folder.glob("test_*")) if os.access(path, os.X_OK) and path.is_file()]
    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(run, programs))
    return sum(passed), len(passed)


def one(name: str) -> bool:
    """Build, test and note one."""
    build = BUILDS[name]
    lacks = missing(build)
    if lacks:
        print(f"left out: {build.what}: {lacks}")
        return True
    print(f"---- {build.what} ----", flush=True)
    folder = compiled(name, build)
    passed, total = checked(folder) if build.valgrind else tested(folder, build)
    NOTES.mkdir(parents=True, exist_ok=True)
    note = {"what": build.what, "passed": passed, "total": total}
    (NOTES / f"build-{name}.json").write_text(json.dumps(note), encoding="utf-8")
    return passed == total and total > 0


def _note(name: str) -> dict[str, dict[str, int]]:
    path = NOTES / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def figures() -> None:
    """Gather what was noted; what was not run is left out."""
    rows: list[dict[str, object]] = []

    def row(what: str, value: object, detail: str = "") -> None:
        rows.append({"what": what, "value": value, "detail": detail})

    entries = _note("faults")
    if entries:
        asks = [entry for entry in entries.values() if entry["none"] is None]
        row("public C functions", len(entries), f"{len(asks)} ask for memory, the others were held to asking for none")
        once, for_ever = (sum(entry[way] for entry in asks) for way in ("once", "for_ever"))
        row("allocations refused in C", once + for_ever, f"{once} once, {for_ever} from then on; no block stays held")
    memory = _note("memory")
    if memory:
        refused, told = (sum(count[way] for count in memory.values()) for way in ("refused", "told"))
        row("allocations refused under Python", refused, f"{len(memory)} operations; {told} were a MemoryError")
    disk = ROOT / "build" / "c" / "test_file"
    if disk.exists():
        said = subprocess.run([str(disk)], capture_output=True, text=True, check=True, cwd=disk.parent).stdout
        found = re.search(r"(\d+) operations failed, (\d+) states", said)
        if found:
            row(
                "file operations failed on the model disk",
                int(found[1]),
                "once, or from then on; undone, or done all the same",
            )
            row("states after a power cut", int(found[2]), "every moment x every subset of what was not synced")
    saves = _note("saves")
    if saves:
        row("kinds of saves", len(saves), ", ".join(saves))
        row("file operations failed under them", sum(count["refused"] for count in saves.values()))
        row("states after a power cut under them", sum(count["states"] for count in saves.values()))
    for path in sorted(NOTES.glob("build-*.json")):
        note = json.loads(path.read_text(encoding="utf-8"))
        row(
            f"C tests, {note['what']}",
            f"{note['passed']} of {note['total']}",
            "the digests of test_bits are among them",
        )
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    text = {"title": "Faults", "command": "make faults", "rows": rows}
    FIGURES.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    print(f"{FIGURES.relative_to(ROOT)}: {len(rows)} figures")


def main() -> int:
    """Run what is named."""
    names = sys.argv[1:]
    if not names or any(name not in BUILDS and name != "figures" for name in names):
        print(f"{__doc__}\n{', '.join(BUILDS)}", file=sys.stderr)
        return 2
    passed = [one(name) for name in names if name != "figures"]
    figures()
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
