"""`_core` refused memory and file operations, by a library loaded before the system's; and who writes files at all.

Not the faults themselves: `memory.py` and `saves.py` run in processes of their own, and say what goes wrong.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
FACE = HERE.parents[2] / "python" / "vizflow"
FIGURES = HERE.parents[2] / "build" / "faults"


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile `faults.c`."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("left out: the library that is loaded first needs Linux with glibc, and a C compiler")
    out = tmp_path_factory.mktemp("shim") / "faults.so"
    flags = ["-std=c17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(out), str(HERE / "faults.c"), "-ldl"], check=True)
    return out


def loaded(shim: Path, script: str, *names: str) -> dict[str, Any]:
    """Run a script with the library loaded; give the counts it prints, and keep them for `make faults`."""
    settings = {**os.environ, "LD_PRELOAD": str(shim), "POLARS_MAX_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, str(HERE / script), *names], env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    counts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / f"{Path(script).stem}.json").write_text(json.dumps(counts), encoding="utf-8")
    return counts


@pytest.mark.slow
def test_every_operation_goes_on_after_memory_was_refused(shim: Path) -> None:
    counts = loaded(shim, "memory.py")
    assert all(count["told"] > 0 for count in counts.values())
    assert sum(count["refused"] for count in counts.values()) > 2000


@pytest.mark.slow
def test_every_save_is_whole_whatever_fails_and_whenever_the_power_goes(shim: Path) -> None:
    counts = loaded(shim, "saves.py")
    assert len(counts) == 11
    assert all(count["refused"] > 20 and count["states"] > 500 for count in counts.values())


WRITERS = {"write_text", "write_bytes", "replace", "rename", "sink_ipc", "sink_parquet", "sink_csv", "sink_ndjson"}
# Where such a call is no file: what it is instead.
HARMLESS = {
    ("demo/days.py", "sink_ipc"): "into an io.atomic file",
    ("jobs/processes/worker.py", "fdopen"): "the pipe to the process that asked",
}


def writes(path: Path) -> set[str]:
    """Name the calls of a module that write files: opened for writing, or by a method of that name on a path."""
    out = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        modes = [
            arg.value for arg in [*node.args, *(word.value for word in node.keywords)] if isinstance(arg, ast.Constant)
        ]
        if name in ("open", "fdopen"):
            if any(isinstance(mode, str) and set(mode) & set("wax+") and len(mode) <= 3 for mode in modes):
                out.add(name)
        elif name in ("replace", "rename"):
            owner = getattr(node.func, "value", None)
            if isinstance(owner, ast.Name) and owner.id in ("os", "path", "part", "temporary"):
                out.add(name)
        elif name in WRITERS:
            out.add(name)
    return out


def test_nothing_writes_a_file_but_by_the_one_that_writes_them_whole() -> None:
    found = {(path.relative_to(FACE).as_posix(), call) for path in FACE.rglob("*.py") for call in writes(path)}
    assert found == set(HARMLESS)
