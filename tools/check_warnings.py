"""Compile every C file with every compiler that is here, all warnings being errors.

Nothing is built: this says only whether gcc and clang, as 64 and as 32 bits, have something to say.

    python3 tools/check_warnings.py
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wvla", "-Werror"]
INCLUDES = [f"-I{ROOT / part}" for part in ("include", "src", "tests/c")]
COMPILERS = {
    "gcc": ["gcc"],
    "clang": ["clang"],
    "gcc -m32": ["gcc", "-m32", "-msse2", "-mfpmath=sse"],
}


def works(command: list[str]) -> bool:
    """Return whether a compiler is here, with the headers of its C library."""
    if shutil.which(command[0]) is None:
        return False
    source = "#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n"
    tried = [*command, "-fsyntax-only", "-xc", "-"]
    return subprocess.run(tried, input=source.encode(), capture_output=True, check=False).returncode == 0


def extension() -> list[str] | None:
    """Return what the Python extension needs, where Python's headers are here; its slots are no pedantic C."""
    include = sysconfig.get_path("include")
    if not (Path(include) / "Python.h").exists():
        return None
    return ["-Wno-pedantic", "-DPy_LIMITED_API=0x030A0000", "-isystem", include]


def commands(name: str) -> list[list[str]]:
    """Return the compiler's calls: one a file."""
    base = [*COMPILERS[name], "-std=c17", "-fsyntax-only", *WARNINGS, *INCLUDES]
    out = [
        [*base, str(file)]
        for folder in ("src", "tests/c", "examples/c")
        for file in sorted((ROOT / folder).rglob("*.c"))
    ]
    more = extension()
    if more is not None and "-m32" not in name:  # Python's headers are those of this machine's Python
        out += [[*base, *more, str(file)] for file in sorted((ROOT / "python/ext").glob("*.c"))]
    return out


def failed(command: list[str]) -> str | None:
    """Run one; give what it said, if anything."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr or f"{command[-1]}: failed" if done.returncode != 0 or done.stderr else None


def main() -> int:
    """Ask every compiler about every file."""
    worst = 0
    for name in COMPILERS:
        if not works(COMPILERS[name]):
            print(f"left out: {name} is not here")
            continue
        calls = commands(name)
        with ThreadPoolExecutor(2) as pool:
            said = [text for text in pool.map(failed, calls) if text is not None]
        for text in itertools.islice(said, 20):
            print(text, file=sys.stderr)
        print(f"{name}: {len(calls)} files, {len(said)} with warnings")
        worst |= bool(said)
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
