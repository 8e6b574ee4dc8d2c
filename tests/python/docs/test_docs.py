"""The docstrings' examples run, and every public name has its text. The pages' own blocks: `test_pages.py`."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
import vizflow.explore

ROOT = Path(__file__).parents[3]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(vf.__path__, "vizflow.")
    if module.name not in ("vizflow._core", "vizflow.__main__")
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples(name: str) -> list[doctest.DocTest]:
    module = importlib.import_module(name)
    return [test for test in doctest.DocTestFinder(exclude_empty=True).find(module, name) if test.examples]


@pytest.mark.parametrize(
    "test", [t for name in ["vizflow", *MODULES] for t in examples(name)], ids=lambda test: test.name
)
def test_examples_of_docstrings(
    test: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    failed: list[str] = []
    with pl.Config(tbl_width_chars=120, tbl_cols=-1):
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=failed.append)
    assert not failed, "".join(failed)
    seen = figures.get("docstrings whose examples ran", (0, ""))[0] + 1
    figures["docstrings whose examples ran"] = (seen, "doctest; these are the examples of the reference")


def public() -> list[tuple[str, Any]]:
    """Return every public function and class, and the public methods of classes, by their names."""
    found: dict[str, Any] = {}
    for subject in ("", ".calendar", ".cluster", ".demo", ".explore", ".reports", ".stats", ".viz"):
        module = getattr(vf, subject[1:]) if subject else vf
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found[f"vizflow{subject}.{name}"] = thing
    for name, thing in list(found.items()):
        if inspect.isclass(thing):
            methods = inspect.getmembers(thing, lambda m: inspect.isfunction(m) or inspect.ismethod(m))
            found |= {f"{name}.{m}": f for m, f in methods if not m.startswith("_") and m in vars(thing)}
    return sorted(found.items())


PUBLIC = public()


@pytest.mark.parametrize(("name", "thing"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_every_public_name_has_a_docstring(name: str, thing: Any) -> None:
    text = inspect.getdoc(thing)
    assert text, f"{name} has no docstring"
    assert re.match(r"[A-Z`\"(].*[.:]$", text.splitlines()[0]), (
        f"{name}: the first line is no sentence: {text.splitlines()[0]!r}"
    )


FUNCTIONS = [
    (name, thing)
    for name, thing in PUBLIC
    if name.count(".") == 1 and not (inspect.isclass(thing) and issubclass(thing, (vf.Error, Warning)))
]


@pytest.mark.parametrize(("name", "thing"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_every_public_function_and_class_has_an_example_or_says_where_one_is(name: str, thing: Any) -> None:
    text = inspect.getdoc(thing) or ""
    assert ">>>" in text or re.search(r"[Ss]ee (also )?`", text), f"{name} shows no example"


@pytest.mark.parametrize(("name", "thing"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_every_parameter_is_described(name: str, thing: Any) -> None:
    text = inspect.getdoc(thing) or ""
    if re.search(r"parameters (are|as) (those )?of `", text):
        return
    for parameter in inspect.signature(thing).parameters:
        assert parameter in text, f"{name} does not say what {parameter} is"


def test_every_public_name_is_in_the_reference(figures: dict[str, Any]) -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    missing = [name for name, _ in PUBLIC if f"# `{name.replace('vizflow', 'vf', 1)}`\n" not in pages]
    assert not missing
    headings = len(re.findall(r"^##+ `vf\.", pages, re.MULTILINE))
    figures["names in the reference, Python"] = (headings, "every public function, class, method, market and error")


def test_every_function_of_the_header_is_in_the_c_reference(figures: dict[str, Any]) -> None:
    header = (ROOT / "include" / "vizflow" / "vizflow.h").read_text(encoding="utf-8")
    names = re.findall(r"^VF_API\b[^;(]*?\b(\w+)\s*\(", re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL), re.MULTILINE)
    page = ROOT / "docs" / "c-reference.md"
    text = page.read_text(encoding="utf-8") if page.exists() else header
    assert [name for name in names if name not in text] == []
    where = page.name if page.exists() else "the header itself"
    figures["names in the reference, C"] = (len(names), f"functions of vizflow.h, in {where}")


def test_all_is_what_the_design_document_asks_for() -> None:
    asked = [
        "Config",
        "Context",
        "Market",
        "Session",
        "CN",
        "CRYPTO",
        "calendar",
        "Enricher",
        "FIFOMatch",
        "State",
        "TagCondition",
        "TagRule",
        "TagRunning",
        "aggregate",
        "bin",
        "forward_return",
        "parse_time",
        "run",
        "run_batch",
        "run_cluster",
        "load",
        "save",
        "scan",
    ]
    assert set(asked) <= set(vf.__all__)
    for name in vf.__all__:
        assert hasattr(vf, name)


def test_version_is_that_of_the_project() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    header = (ROOT / "include" / "vizflow" / "vizflow.h").read_text(encoding="utf-8")
    assert f'version = "{vf.__version__}"' in project
    assert f'VF_VERSION "{vf.__version__}"' in header
