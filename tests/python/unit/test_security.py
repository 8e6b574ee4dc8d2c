"""What SECURITY.md claims and no other test holds: nothing that is read is run, nothing is asked of the network."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import polars as pl
import pytest

import vizflow as vf
from vizflow import io
from vizflow.files import atomic, digest
from vizflow.viz import explorer

ROOT = Path(vf.__file__).parent
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")}


def calls(name: str) -> set[str]:
    """Return the modules that call `name`, such as ``eval`` or ``pl.Expr.deserialize``'s last part."""
    return {
        path
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name
    }


def imports(module: str) -> set[str]:
    return {
        path
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == module for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == module)
    }


def test_text_is_never_run_as_a_program() -> None:
    assert not calls("eval") | calls("exec") | calls("system") | calls("popen")
    shells = [
        path
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    assert not shells
    assert calls("create_server")  # the search finds what is there


def test_only_the_explorer_opens_a_socket() -> None:
    for client in ("requests", "httpx", "aiohttp", "ftplib", "smtplib"):
        assert not imports(client)
    assert calls("urlopen") == calls("create_connection") == set()
    assert calls("create_server") == {"viz/explorer/__init__.py"}
    assert imports("socket") == {"jobs/batch.py", "viz/explorer/__init__.py"}
    assert calls("gethostname") == {"jobs/batch.py"}  # all that it is there for


def test_the_explorer_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    assert inspect.signature(explorer.serve).parameters["host"].default == "127.0.0.1"


@pytest.mark.parametrize("date", ["../../x", "20240102/../../x", "20240102\n", "２０２４０１０２", "20240230"])
def test_a_date_reaches_no_other_folder(tmp_path: Path, date: str) -> None:
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")
    for place in (config.get_file_path, config.get_partial_path):
        with pytest.raises(vf.ConfigError, match="YYYYMMDD"):
            place(date)
    with pytest.raises(vf.ConfigError, match="YYYYMMDD"):
        vf.run_batch(lambda df, ctx: df, config, dates=[date])
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_names_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "20240102.parquet"
    vf.save(vf.aggregate(pl.DataFrame({"s": ["a"], "v": [1]}), ["s"], {"v": pl.col("v").sum()}), path)
    stored = pl.read_parquet_metadata(path)
    known = '["col", "'
    evil = {
        key: text.replace('"add_int"', '"__import__"').replace(known, '["os.system", "') for key, text in stored.items()
    }
    assert evil != stored
    evil = {k: v for k, v in evil.items() if k.startswith("vizflow.")}
    frame = pl.read_parquet(path)
    with atomic.atomic(path) as file:
        io._write_sealed(frame, file, {**evil, digest.KEY: digest.PLACE})  # by a forger, who can write digests
    with pytest.raises(vf.StorageError, match="its plan cannot be read"):
        vf.load(path)
