"""The wheel in dist/ (`make wheel`), as a stranger gets it: what is in it, and whether it works without this checkout.

Not a test of what VizFlow computes: the unit tests are, and a copy of them runs here against the installed package.
With VIZFLOW_WHEEL_QUICK=1 that copy is a few files of them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICK = os.environ.get("VIZFLOW_WHEEL_QUICK") == "1"
QUICK_FILES = ["aggregate", "bin", "calendar", "cli", "explore", "fifo", "forward_return", "io", "parse_time", "run"]
EXTRAS = "cli,batch,demo,viz,cube,test"
SMOKE = """
import pathlib, sys, vizflow as vf, polars as pl
assert pathlib.Path(vf.__file__).is_relative_to(sys.prefix), vf.__file__
assert vf._core.__file__.endswith("_core.abi3.so")
ticks = pl.DataFrame({"t": [93000000, 93100000, 113000000], "symbol": ["a"] * 3, "side": ["B", "B", "S"],
                      "qty": [100, 50, 120], "price": [10.0, 10.1, 10.3]})
df = vf.parse_time(ticks, "CN", "t", unit="HHMMSSmmm")
df = vf.Enricher([vf.FIFOMatch("side", "qty", "elapsed_seconds", "price")], sort_by="elapsed_seconds").run(df)
df = vf.bin(vf.forward_return(df, [60]), {"return_60": 1e-3})
config = vf.Config(input_dir="in", output_dir="out")
vf.save(ticks, "in/20240102.feather")
vf.run(lambda day, ctx: vf.aggregate(day, ["side"], {"qty": pl.col("qty").sum()}), config, "20240102")
assert vf.reduce("out").collect().rows() == [("B", 150), ("S", 120)]
assert df.collect()["matched_qty"].to_list() == [100, 20, 30, 100, 20]
assert vf.calendar.next_day("20240930") == "20241008"
print(*sys.version_info[:2], sep=".")
"""


def only(pattern: str) -> Path:
    found = sorted((ROOT / "dist").glob(pattern))
    assert len(found) == 1, f"dist/ holds {len(found)} of {pattern}: run `make wheel`"
    return found[0]


@pytest.fixture(scope="session")
def wheel() -> Path:
    return only("vizflow-*.whl")


@pytest.fixture(scope="session")
def figures() -> Iterator[dict[str, tuple[object, str]]]:
    """Give what is counted; written as build/trust/wheel.json."""
    found: dict[str, tuple[object, str]] = {}
    yield found
    rows = [{"what": what, "value": value, "detail": detail} for what, (value, detail) in found.items()]
    path = ROOT / "build" / "trust" / "wheel.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = "make test-wheel-quick" if QUICK else "make test-wheel"
    report = {"title": "The wheel, without the checkout", "command": command, "rows": rows}
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def environment() -> dict[str, str]:
    """Give this process's environment without anything that could lead Python to the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def call(*command: str | Path, cwd: Path, timeout: int = 600) -> str:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, (
        f"{command} ended with {done.returncode}:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    )
    return done.stdout


def installed(folder: Path, interpreter: str | Path, wheel: Path, extras: str = "") -> Path:
    """Make an environment that holds the wheel and what it asks for, and give its Python."""
    call(interpreter, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", f"{wheel}[{extras}]" if extras else wheel, cwd=folder)
    return python


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    return installed(tmp_path_factory.mktemp("wheel"), sys.executable, wheel, EXTRAS)


def test_the_wheel_is_of_the_stable_interface_and_holds_the_package_only(
    wheel: Path, figures: dict[str, tuple[object, str]]
) -> None:
    assert re.fullmatch(r"vizflow-[\d.]+-cp310-abi3-(linux|macosx|manylinux)\w+\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        folders = {name.split("/")[0] for name in names}
        assert folders == {"vizflow", next(name for name in folders if name.endswith(".dist-info"))}
        allowed = (".py", ".pyi", ".txt", ".css", ".js", ".html", "py.typed", "_core.abi3.so", "SKILL.md")
        assert [n for n in names if n.startswith("vizflow/") and not n.endswith(allowed)] == []
        assert [n for n in names if n.endswith((".so", ".c", ".h", ".a")) and n != "vizflow/_core.abi3.so"] == []
        assert [n for n in names if "test" in n] == []
        tree = {p.relative_to(ROOT / "python").as_posix() for p in (ROOT / "python" / "vizflow").rglob("*")
                if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".so"}  # fmt: skip
        assert tree | {"vizflow/_core.abi3.so"} == {name for name in names if name.startswith("vizflow/")}
        metadata = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
        assert "License-Expression: MIT" in metadata
        assert re.findall(r"^Requires-Dist: (?!.*extra ==)(.+)$", metadata, re.MULTILINE) == ["polars<3,>=2"]
        library = archive.read("vizflow/_core.abi3.so")
    assert str(ROOT).encode() not in library
    figures["wheel, bytes"] = (wheel.stat().st_size, f"{len(names)} files, _core.abi3.so of {len(library):,} bytes")


def test_the_wheels_library_exports_the_module_and_the_plugin_only(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        library = archive.extract("vizflow/_core.abi3.so", tmp_path)
    lines = subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    symbols = {line.split()[-1].split("@")[0] for line in lines}
    assert "PyInit__core" in symbols
    assert [s for s in symbols if s != "PyInit__core" and not s.startswith("_polars_plugin_")] == []
    told = subprocess.run(["nm", "-D", "--undefined-only", library], check=True, capture_output=True, text=True).stdout
    assert "libvizflow" not in told
    assert " vf_" not in told


def test_the_source_archive_holds_what_it_takes_to_build() -> None:
    """`make wheel` builds the wheel from this archive, unpacked elsewhere."""
    with tarfile.open(only("vizflow-*.tar.gz")) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    sources = {p.relative_to(ROOT).as_posix() for p in (ROOT / "src").rglob("*.[ch]")}
    assert sources <= names
    assert {"CMakeLists.txt", "pyproject.toml", "include/vizflow/vizflow.h", "LICENSE", "README.md"} <= names
    assert [n for n in names if n.startswith(("build/", "dist/", ".venv/", "demo-output/")) or n.endswith(".so")] == []


def test_what_it_asks_for_fits_together(python: Path, tmp_path: Path) -> None:
    assert "No broken requirements found" in call(python, "-m", "pip", "check", cwd=tmp_path)


def test_it_is_imported_from_where_it_was_installed(python: Path, tmp_path: Path) -> None:
    assert call(python, "-c", SMOKE, cwd=tmp_path).strip() == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_its_command_line(python: Path, tmp_path: Path) -> None:
    assert "Usage: vizflow [OPTIONS] COMMAND" in call(python, "-m", "vizflow", "--help", cwd=tmp_path)
    vizflow = python.with_name("vizflow")
    assert call(vizflow, "--version", cwd=tmp_path).strip()
    told = call(vizflow, "demo", "--output", "out", "--rows", "5000", "--symbols", "20", cwd=tmp_path)
    assert "20240104" in told
    assert (tmp_path / "out" / "alpha.html").stat().st_size > 100_000
    assert "orderSide" in call(vizflow, "reduce", "out/partials", "--key", "orderSide", cwd=tmp_path)


def test_a_type_checker_finds_its_types(python: Path, tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text("import vizflow as vf\nreveal_type(vf.forward_return)\n", encoding="utf-8")
    mypy = shutil.which("mypy", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if mypy is None:
        pytest.skip("left out: mypy is not installed")
    told = call(mypy, "--python-executable", python, "use.py", cwd=tmp_path)
    assert "pl.LazyFrame" in told or "polars.lazyframe" in told
    assert "Success" in told


def test_the_unit_tests_pass_without_the_checkout(
    python: Path, tmp_path: Path, figures: dict[str, tuple[object, str]]
) -> None:
    tests = ROOT / "tests" / "python"
    there = sorted((tests / "unit").rglob("test_*.py"))
    chosen = [path for path in there if not QUICK or path.stem.removeprefix("test_") in QUICK_FILES]
    (tmp_path / "unit").mkdir()
    for path in chosen:
        shutil.copy(path, tmp_path / "unit")
    for helper in tests.glob("*.py"):
        shutil.copy(helper, tmp_path)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -p no:dash --strict-markers --import-mode=importlib\npythonpath = .\nxfail_strict = true\n"
        "filterwarnings = error\nmarkers =\n    slow: left out of the quick set\n",
        encoding="utf-8",
    )
    marks = ["-m", "not slow"] if QUICK else []
    told = call(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *marks, "unit", cwd=tmp_path, timeout=1200)
    found = re.search(r"(\d+) passed", told)
    assert found, told
    assert "failed" not in told
    figures["unit tests passed without the checkout"] = (int(found[1]), f"{len(chosen)} files, copied elsewhere")


@cache
def interpreters() -> dict[str, str]:
    """Give the other Pythons of this machine that the wheel is for, by version: on the path, or of pyenv."""
    found = {}
    for minor in range(10, 16):
        version = f"3.{minor}"
        pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        for candidate in (shutil.which(f"python{version}"), *map(str, pyenv)):
            if candidate is None:
                continue
            asked = subprocess.run(
                [candidate, "-c", "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"],
                capture_output=True, text=True, env=environment(), check=False,
            )  # fmt: skip
            if asked.returncode == 0 and asked.stdout.strip() == version:
                found.setdefault(version, candidate)
    found.pop(f"{sys.version_info.major}.{sys.version_info.minor}", None)
    return found


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_same_wheel_under_another_python(
    version: str, wheel: Path, tmp_path: Path, figures: dict[str, tuple[object, str]]
) -> None:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip("this Python is the one that all the tests run under")
    interpreter = interpreters().get(version)
    if interpreter is None:
        pytest.skip(f"left out: Python {version} is not on this machine")
    python = installed(tmp_path, interpreter, wheel)
    assert call(python, "-c", SMOKE, cwd=tmp_path).strip() == version
    ran = [*str(figures.get("other Pythons", (0, ""))[1]).split(", "), version]
    ran = [word for word in ran if word]
    figures["other Pythons"] = (len(ran), ", ".join(ran))
