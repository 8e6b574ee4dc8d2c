"""Code blocks of Markdown pages: found, run one after another as a reader would type them, and counted.

Not tests: `docs/test_blocks.py` says what must hold. A block that cannot be run says why in a comment above it:
``<!-- not run: why -->``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from vizflow.jobs import settings

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)(`{3,})([^`\n]*)$")
REASON = re.compile(r"<!-- not run: (.+?) -->", re.DOTALL)
RUN = ("python", "sh", "c", "toml")
OUTPUT = "text"


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, what it is written in, and why it is not run, where it says so."""

    page: str
    line: int
    language: str
    text: str
    why: str

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield a page's fenced blocks in order; Sphinx's directives (```{toctree}) are no code."""
    lines = page.read_text(encoding="utf-8").splitlines()
    name = page.relative_to(ROOT).as_posix()
    at = 0
    while at < len(lines):
        opened = FENCE.match(lines[at])
        if opened is None:
            at += 1
            continue
        end = next(
            (i for i in range(at + 1, len(lines)) if lines[i].strip() == opened[2]),
            None,
        )
        if end is None:
            raise AssertionError(f"{name}:{at + 1}: this block is never closed")
        language = opened[3].strip()
        if not language.startswith("{"):
            before = "\n".join(lines[max(0, at - 4) : at]).rstrip()
            reason = REASON.search(before)
            why = " ".join(reason[1].split()) if reason and reason.end() == len(before) else ""
            text = "\n".join(line.removeprefix(opened[1]) for line in lines[at + 1 : end])
            yield Block(name, at + 1, language, text + "\n", why)
        at = end + 1


@dataclass
class Counts:
    """What was run, and what was not and why: every block of every page is in one of the two."""

    run: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    plain: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)


class Reader:
    """Runs a page's blocks in the working folder, sharing names between them as an interpreter and a shell would."""

    def __init__(self, folder: Path, counts: Counts) -> None:
        self.folder = folder
        self.counts = counts
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""

    def read(self, page: Path) -> None:
        """Run all blocks; what a text block shows must be what the block before it printed."""
        for block in blocks(page):
            if block.why:
                self.counts.left_out.append((block.place, block.why))
                self.printed = ""
            elif block.language in RUN:
                self.printed = getattr(self, f"_{block.language}")(block)
                self.counts.run[block.language] += 1
            elif block.language == OUTPUT:
                if not self.printed:
                    raise AssertionError(f"{block.place}: nothing printed this; say `text` of output only")
                assert self.printed.rstrip() == block.text.rstrip(), block.place
                self.counts.compared += 1
                self.printed = ""
            elif block.language == "":
                self.counts.plain += 1  # a picture of a layout, not code
            else:
                raise AssertionError(f"{block.place}: nothing here runs {block.language!r}: say why it is not run")

    def _python(self, block: Block) -> str:
        code = compile("\n" * block.line + block.text, block.page, "exec")
        with redirect_stdout(StringIO()) as out:
            exec(code, self.names)
        return out.getvalue()

    def _toml(self, block: Block) -> str:
        path = self.folder / "block.toml"
        path.write_text(block.text, encoding="utf-8")
        assert settings.read_toml(path), block.place
        return ""

    def _sh(self, block: Block) -> str:
        return self._call(["bash", "-euo", "pipefail", "-c", block.text], block)

    def _c(self, block: Block) -> str:
        """Compile a program as the page says, against the library that the page has installed."""
        assert "int main(" in block.text, f"{block.place}: not a whole program: say why it is not run"
        (self.folder / "program.c").write_text(block.text, encoding="utf-8")
        build = (
            "cc -std=c17 -Wall -Wextra -Wpedantic -Werror program.c -o program $(pkg-config --cflags --libs vizflow)"
        )
        return self._call(["bash", "-euc", f"{build} && ./program"], block)

    def _call(self, command: list[str], block: Block) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=environment(self.folder), capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{block.place} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout


STAND_INS = {
    # A cluster's submitter: runs the job at once, here.
    "ailab": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    # The explorer serves until Ctrl-C: it is started, asked for its page, and interrupted.
    "vizflow": 'test "$1" = explore || exec python -m vizflow "$@"; exec python "$(dirname "$0")/visit.py" "$@"',
}
VISIT = """
import re, signal, subprocess, sys, urllib.request
command = [sys.executable, "-m", "vizflow", *sys.argv[1:], "--no-browser", "--port", "0"]
signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored in what a shell runs behind itself, and so it would be below
server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
told = ""
for line in server.stdout:
    told += line
    if found := re.search(r"http://127\\.0\\.0\\.1:\\d+/?", told):
        break
else:
    sys.exit(told)
page = urllib.request.urlopen(found[0], timeout=60).read().decode()
server.send_signal(signal.SIGINT)
server.communicate(timeout=60)
sys.exit(0 if "dash" in page.lower() else page)
"""


def furnish(folder: Path) -> None:
    """Put beside a page's blocks what it takes for granted: a checkout, a pipeline in job.py, stand-ins."""
    (folder / "bin").mkdir()
    for name, script in STAND_INS.items():
        path = folder / "bin" / name
        path.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
    (folder / "bin" / "visit.py").write_text(VISIT, encoding="utf-8")
    for name in ("CMakeLists.txt", "vizflow.pc.in", "vizflow-config.cmake", "src", "include", "tools"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "job.py").write_bytes((ROOT / "examples" / "python" / "job.py").read_bytes())
    (folder / "day.c").write_bytes((ROOT / "examples" / "c" / "fifo_day.c").read_bytes())


def environment(folder: Path) -> dict[str, str]:
    """Return a shell's environment: this Python's programs, a home of its own, a build that is quick to make."""
    return {
        **os.environ,
        "HOME": str(folder),
        "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PKG_CONFIG_PATH": str(folder / ".local" / "lib" / "pkgconfig"),
        "LD_LIBRARY_PATH": str(folder / ".local" / "lib"),
        "CMAKE_BUILD_TYPE": "Debug",
        "CMAKE_BUILD_PARALLEL_LEVEL": "2",
        "COLUMNS": "160",
    }
