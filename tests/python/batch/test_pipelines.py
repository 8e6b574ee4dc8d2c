"""How a pipeline function is found, named and carried."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import batch_jobs
import vizflow as vf
from support import raises
from vizflow.cli import showcase
from vizflow.errors import ConfigError
from vizflow.jobs import pipelines
from vizflow.jobs.pipelines import Reference, find, refer, resolve, written

SOURCE = """
import beside
import vizflow as vf
config = vf.Config(input_dir="in", output_dir="out")
class Jobs:
    @staticmethod
    def inner(df, ctx): return df
def f(df, ctx): return df
other = 7
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "beside.py").write_text("x = 1\n")
    path = tmp_path / "job_of_mine.py"
    path.write_text(SOURCE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield path
    sys.modules.pop("beside", None)


def module_level(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return df


def test_function_of_a_module_goes_by_name() -> None:
    reference = refer(batch_jobs.sides)
    assert reference == Reference("module", "batch_jobs", "sides")
    assert resolve(reference) is batch_jobs.sides
    assert refer(showcase.process_day).text == "vizflow.cli.showcase:process_day"


def test_function_of_a_file_goes_by_its_path(job: Path) -> None:
    function = find(f"{job}:f")
    assert refer(function) == Reference("file", str(job), "f")
    assert resolve(refer(function)) is function
    assert find(f"{job}:Jobs.inner").__name__ == "inner"


def test_function_of_a_module_that_others_cannot_import_goes_by_value(tmp_path: Path) -> None:
    """As modules of tests are under pytest's importlib mode."""
    reference = refer(module_level)
    assert reference.kind == "value"
    assert b"module_level" in reference.payload
    path = tmp_path / "payload"
    path.write_bytes(reference.payload)
    code = f"import pickle; print(pickle.loads(open({str(path)!r}, 'rb').read())(7, None))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path) == b"7\n"


@pytest.mark.parametrize("make", [lambda: lambda df, ctx: df, lambda: functools.partial(batch_jobs.sides)])
def test_other_callables_go_by_value(make: Any) -> None:
    reference = refer(make())
    assert reference.kind == "value"
    assert callable(resolve(reference))


def test_a_loaded_file_hides_no_module_and_sees_what_lies_beside_it(job: Path) -> None:
    path = job.with_name("json.py")
    path.write_text("import beside\ndef f(df, ctx): return beside.x\n")
    assert find(f"{path}:f")(None, None) == 1  # type: ignore[arg-type]
    assert Path(str(importlib.import_module("json").__file__)).name == "__init__.py"
    assert find(f"{path}:f") is find(f"{path}:f")


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("f", ["module:function"]),
        (":f", ["module:function"]),
        ("{job}:", ["module:function"]),
        ("{job}:nothing", ["holds no function 'nothing'", "its functions are f"]),
        ("{job}:other", ["holds no function 'other'"]),
        ("no_such_module:f", ["cannot be imported", "no_such_module"]),
        ("no/such/file.py:f", ["cannot be imported", "there is no file"]),
        ("batch_jobs:nothing", ["holds no function 'nothing'"]),
    ],
)
def test_what_cannot_be_found(job: Path, spec: str, parts: list[str]) -> None:
    with raises(ConfigError, *parts):
        find(spec.format(job=job))


def test_a_file_that_raises_and_is_mended(job: Path) -> None:
    job.write_text("1 / 0\n")
    with raises(ConfigError, str(job), "ZeroDivisionError: division by zero"):
        find(f"{job}:f")
    job.write_text("def f(\n")
    with raises(ConfigError, "SyntaxError"):
        find(f"{job}:f")
    job.write_text("def f(df, ctx): return df\n")
    assert find(f"{job}:f")


@pytest.mark.parametrize(
    "call", ["run(f, config, '20240101')", "run_batch(f, config, [])", "run_cluster(f, config, [])"]
)
def test_loading_a_script_ends_where_it_runs(job: Path, call: str) -> None:
    job.write_text(
        SOURCE + f"try:\n    vf.{call}\nexcept Exception:\n    pass\nafter = True\ndef late(df, ctx): return df\n"
    )
    module, function = pipelines.load(f"{job}:f")
    assert function is module.f
    assert not hasattr(module, "after")


def test_a_function_that_is_defined_after_the_script_runs(job: Path) -> None:
    job.write_text(SOURCE + "vf.run_batch(f, config, [])\ndef late(df, ctx): return df\n")
    with raises(ConfigError, "holds no function 'late'", "before it calls vf.run_batch, where loading"):
        find(f"{job}:late")


def test_nothing_is_stopped_when_nothing_is_loaded(tmp_path: Path) -> None:
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path)
    assert vf.run_batch(batch_jobs.sides, config, [], progress=False).frame.height == 0


# ---- for command lines --------------------------------------------------------------------------------------------


def test_written_form(job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(find(f"{job}:f")) == (f"{job}:f", None)
    assert written(batch_jobs.sides) == (f"{Path(batch_jobs.__file__).resolve()}:sides", None)
    assert written(showcase.process_day) == ("vizflow.cli.showcase:process_day", None)
    package = tmp_path / "my_package"
    (package / "jobs").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "jobs" / "__init__.py").write_text("def g(df, ctx): return df\n")
    (package / "jobs" / "daily.py").write_text("from . import g\ndef f(df, ctx): return g(df, ctx)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert written(find("my_package.jobs.daily:f")) == ("my_package.jobs.daily:f", tmp_path)
    assert written(find("my_package.jobs:g")) == ("my_package.jobs:g", tmp_path)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda df, ctx: df, "is not a plain function of a file or module"),
        (functools.partial(batch_jobs.sides), "is not a plain function"),
        (7, "the pipeline is 7"),
    ],
)
def test_what_has_no_written_form(function: Any, text: str) -> None:
    with raises(ConfigError, text):
        written(function)


def test_a_function_typed_at_a_prompt_has_no_written_form(tmp_path: Path) -> None:
    code = (
        "import vizflow as vf\n"
        "def f(df, ctx): return df\n"
        "try: vf.run_cluster(f, vf.Config(input_dir='a', output_dir='b'), ['20240102'])\n"
        "except vf.ConfigError as error: print(error)\n"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=tmp_path)
    assert said.startswith("f is defined in a notebook or at a prompt, so a command line cannot name it")
    assert "%%writefile job.py" in said
