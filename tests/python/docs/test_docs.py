"""The documentation runs: docstrings' examples, the README's Python blocks; and every public name has its page."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf

ROOT = Path(__file__).parents[3]
MODULES = sorted(
    f"vizflow.{module.name}" for module in pkgutil.iter_modules(vf.__path__) if module.name not in ("_core", "__main__")
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples(name: str) -> list[doctest.DocTest]:
    module = importlib.import_module(name)
    return [test for test in doctest.DocTestFinder(exclude_empty=True).find(module, name) if test.examples]


@pytest.mark.parametrize(
    "test", [t for name in ["vizflow", *MODULES] for t in examples(name)], ids=lambda test: test.name
)
def test_examples_of_docstrings(test: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed: list[str] = []
    with pl.Config(tbl_width_chars=120, tbl_cols=-1):
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=failed.append)
    assert not failed, "".join(failed)


PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
page_names = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.fixture
def demo_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `make demo` has been run, small."""
    pytest.importorskip("numpy")
    monkeypatch.chdir(tmp_path)
    vf.demo.generate(tmp_path / "demo-output" / "days", ["20240102"], rows=2_000, symbols=10)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "reference.md"], ids=lambda page: page.name)
def test_python_of_a_page_runs(page: Path, demo_folder: Path) -> None:
    """Blocks run one after another, as a reader would type them; a text block after one is what it prints."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for number, (language, block) in enumerate(FENCE.findall(page.read_text(encoding="utf-8"))):
        if language == "python":
            with redirect_stdout(StringIO()) as out:
                exec(compile(block, f"{page.name}, block {number}", "exec"), names)
            printed = out.getvalue()
        elif language == "text" and printed:
            assert printed.rstrip() == block.rstrip()
            printed = ""


@pytest.mark.parametrize("page", PAGES, ids=page_names)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not missing


def public() -> list[tuple[str, Any]]:
    """Give every public function and class, and the public methods of classes, by their names."""
    found: dict[str, Any] = {}
    for module in (vf, vf.calendar, vf.cluster, vf.demo, vf.stats):
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found[f"{module.__name__}.{name}"] = thing
    for name, thing in list(found.items()):
        if inspect.isclass(thing):
            methods = inspect.getmembers(thing, inspect.isfunction)
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
