"""Every place where text, JSON or Python's numbers stand between the user and C: what goes in comes out to the bit."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vizflow as vf
import vizflow._core as _core
from support import raises
from vizflow.errors import DataError, Error, SchemaError
from vizflow.files import json as _json
from vizflow.jobs.settings import from_json, read_toml, to_mapping
from vizflow.partials import file, traced
from vizflow.partials.plan import Plan
from vizflow.viz.explorer.engine import _plain, _scatter

X = pl.col("x")
FLOATS = [
    0.0, -0.0, 0.1 + 0.2, 0.205, (0.20 + 0.21) / 2, 5e-324, -5e-324, 2.225073858507201e-308, 2.2250738585072014e-308,
    1.7976931348623157e308, 1e16, 1 / 3, math.nextafter(1.0, 2), 1e-4, 123456789.123456789,
]  # fmt: skip
BEYOND = [math.nan, -math.nan, math.inf, -math.inf]
INTEGERS = [0, -1, 2**31, 2**53 - 1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
TEXTS = [
    "", "a", "'", '"', "a\"b'c", "a\nb", "\r\n", "\t", "\\", "\\n", "中文", "é", "e\u0301", "🚀", "\u2028", "\x7f", "*",
    "^a$", "{}", "[1]", "null", "NaN", "1", "a\0b", " a ", "%s", "$x", "leaf_0", "\ufeff",
]  # fmt: skip
DATES = [dt.date(1970, 1, 1), dt.date(1969, 12, 31), dt.date(2024, 2, 29), dt.date(9999, 12, 31), dt.date(1, 1, 1)]
HALF = "a\ud800"  # half a character: no text that UTF-8 holds


def bits(value: Any) -> Any:
    """Return a float's bits, so that -0.0 and NaN are themselves; anything else as it is."""
    return struct.pack("<d", value) if isinstance(value, float) else value


def same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    assert bits(found) == bits(expected)


LITERALS = [
    *(pytest.param(pl.lit(v, dtype=pl.Float64), v, id=f"f{v!r}{i}") for i, v in enumerate([*FLOATS, *BEYOND])),
    *(pytest.param(pl.lit(v, dtype=pl.Int64), v, id=f"i{v}") for v in INTEGERS),
    *(pytest.param(pl.lit(v, dtype=pl.UInt64), v, id=f"u{v}") for v in (0, 2**63, 2**64 - 1)),
    *(pytest.param(pl.lit(v), v, id=f"t{v!r}") for v in TEXTS),
    *(pytest.param(pl.lit(v), v, id=f"d{v}") for v in DATES),
    pytest.param(pl.lit(True), True, id="true"),
]


@pytest.mark.parametrize(("literal", "value"), LITERALS)
def test_a_literal_of_a_metric_comes_back(literal: pl.Expr, value: Any, tmp_path: Path) -> None:
    df = pl.DataFrame({"x": [1.0]})
    made = vf.aggregate(df, [], {"m": pl.when(pl.len() > 0).then(literal).otherwise(literal)})
    path = vf.save(made, tmp_path / "20240102.parquet")
    plan = traced.plan_of(made)
    assert plan is not None
    assert Plan.from_json(plan.to_json()).id == plan.id
    for frame in (made.collect(), vf.load(path), vf.reduce({"20240102": path}).collect()):
        same(frame["m"].item(), value)
    same(vf.Cube.from_frame(made).total()["m"], value)


def compared(value: Any, dtype: Any) -> tuple[pl.DataFrame, pl.Expr]:
    """Return rows of which one is the value, and how many are equal to it, as a literal."""
    near = {
        pl.Float64: lambda v: [math.nextafter(v, math.inf), math.nextafter(v, -math.inf)],
        pl.String: lambda v: [f"{v}.", f".{v}"],
        pl.Date: lambda v: [dt.date(2000, 1, 1)],
    }.get(dtype, lambda v: [v // 2 + 7, v ^ 1])(value)
    return pl.DataFrame({"x": pl.Series([value, *near], dtype=dtype)}), pl.lit(value, dtype=dtype)


VALUES = [
    *((v, pl.Float64) for v in [*FLOATS, math.inf, -math.inf]), *((v, pl.Int64) for v in INTEGERS),
    *((v, pl.UInt64) for v in (2**63, 2**64 - 1)), *((v, pl.String) for v in TEXTS), *((v, pl.Date) for v in DATES),
]  # fmt: skip


@pytest.mark.parametrize(("value", "dtype"), VALUES)
def test_a_literal_that_rows_are_compared_with_is_that_value(value: Any, dtype: Any) -> None:
    df, literal = compared(value, dtype)
    metrics = {
        "eq": X.eq(literal).sum(),
        "is_in": X.is_in(pl.Series([value], dtype=dtype)).sum(),
        "filter": X.filter(X.eq(literal)).len(),
    }
    for mergeable in (True, False):
        found = vf.aggregate(df, [], metrics, mergeable=mergeable).collect()
        assert found.rows() == df.select(**metrics).rows()
        assert found["eq"].item() == (df["x"] == df["x"][0]).sum()


@pytest.mark.parametrize(("value", "dtype"), [(v, t) for v, t in VALUES if t != pl.Float64])
def test_a_key_comes_back_from_partials_and_cubes(value: Any, dtype: Any, tmp_path: Path) -> None:
    df, _ = compared(value, dtype)
    made = vf.aggregate(df, ["x"], {"n": pl.len()})
    path = vf.save(made, tmp_path / "20240102.parquet")
    for frame in (made.collect(), vf.load(path), vf.reduce({"20240102": path}).collect()):
        assert value in frame["x"].to_list()
        assert frame["x"].dtype == dtype
    if dtype == pl.UInt64:
        with raises(DataError, "does not fit Int64"):  # an axis of a cube ends there
            vf.Cube.from_partials({"20240102": path})
        return
    again = vf.Cube.open(vf.Cube.from_partials({"20240102": path}).save(tmp_path / "cube.arrow"))
    assert value in again.table("x")["x"].to_list()
    assert again.table("x")["x"].dtype == dtype
    assert again.brush({"x": [value]}).total()["n"] == 1


@pytest.mark.parametrize("name", [text for text in TEXTS if "\0" not in text])
def test_names_of_keys_and_metrics_come_back(name: str, tmp_path: Path) -> None:
    df = pl.DataFrame({name: ["a"], "x": [1.5]})
    made = vf.aggregate(df, [name], {f"{name}!": X.sum()}, derived={f"{name}?": pl.col(f"{name}!") * 2})
    path = vf.save(made, tmp_path / "20240102.parquet")
    cube = vf.Cube.open(vf.Cube.from_partials({"20240102": path}).save(tmp_path / "cube.arrow"))
    for frame in (made.collect(), vf.load(path), cube.table(name)):
        assert frame.rows(named=True) == [{name: "a", f"{name}!": 1.5, f"{name}?": 3.0}]


NUL = "a\0b"  # Polars panics, or ends the process, where it hands a column of such a name to C
NULS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "key": lambda df: vf.aggregate(df, [NUL], {"n": pl.len()}),
    "metric's column": lambda df: vf.aggregate(df, [], {"n": pl.col(NUL).sum()}),
    "metric": lambda df: vf.aggregate(df, [], {NUL: pl.len()}),
    "derived": lambda df: vf.aggregate(df, [], {"n": pl.len()}, derived={NUL: pl.col("n") * 2}),
    "bin": lambda df: vf.bin(df, {NUL: 1.0}),
    "returns": lambda df: vf.forward_return(df, [1], price_col=NUL, time_col=NUL, symbol_col=None),
    "side": lambda df: vf.sign_by_side(df, NUL, buy="B", sell="S"),
    "edges": lambda df: vf.qbin_edges(df, NUL, 2),
    "core": lambda df: _core.Agg(leaves=[], n_keys=1, n_values=0, n_threads=1).update([df[NUL]], [], df.height),
}


@pytest.mark.parametrize("how", NULS)
def test_a_name_with_a_nul_character_is_refused(how: str) -> None:
    with raises(SchemaError, "NUL character"):
        NULS[how](pl.DataFrame({NUL: [1, 2], "x": [1.0, 2.0]}))


WIDTHS = [value for value in FLOATS if 0 < value < 1e300]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_bin_width_comes_to_c_and_back(width: float, tmp_path: Path) -> None:
    steps = [0, 1, 2, 3, -5]
    df = pl.DataFrame({"a": [step * width for step in steps]})
    binned = vf.bin(df, {"a": width})
    assert binned.collect()["a_bin"].to_list() == steps  # the plugin's keyword argument
    path = vf.save(vf.aggregate(binned, ["a_bin"], {"n": pl.len()}), tmp_path / "20240102.parquet")
    known = file.info(path)
    assert known is not None
    assert known.bins is not None
    same(known.bins["a_bin"], width)  # the partial's metadata
    cube = vf.Cube.open(vf.Cube.from_partials({"20240102": path}).save(tmp_path / "cube.arrow"))
    same(cube.dims["a_bin"].width, width)  # the cube's description
    config = vf.Config(binwidths={"a": width})
    same(from_json(json.dumps(to_mapping(config))).binwidths["a"], width)  # a command's JSON
    toml = tmp_path / "job.toml"
    toml.write_text(f"[binwidths]\na = {width!r}\n")
    same(read_toml(toml).binwidths["a"], width)


@pytest.mark.parametrize("tolerance", [0.0, 1e-6, 0.1 + 0.2, 5e-324, math.nextafter(0.25, 0)])
def test_a_tolerance_comes_to_c(tolerance: float) -> None:
    inside, outside = 1 + max(min(tolerance, 1e-3), 0), 1 + max(tolerance, 1e-3) * 1.0001 + 1e-9
    assert pl.DataFrame({"x": [inside]}).select(vf.near_integer("x", tolerance=tolerance)).item() == 1
    with raises(vf.errors.DataError):
        pl.DataFrame({"x": [outside]}).select(vf.near_integer("x", tolerance=tolerance))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8, unique=True))
@example(FLOATS)
def test_edges_come_back(tmp_path_factory: pytest.TempPathFactory, cuts: list[float]) -> None:
    cuts = sorted({value + 0.0 for value in cuts})
    edges = vf.Edges("a", tuple(cuts), low=cuts[0], high=cuts[-1])
    again = vf.Edges.load(edges.save(tmp_path_factory.mktemp("e") / "edges.json"))
    assert list(map(bits, again.cuts)) == list(map(bits, cuts))
    assert again == edges
    df = pl.DataFrame({"a": cuts})
    assert vf.qbin(df, again).collect().equals(vf.qbin(df, edges).collect())


@pytest.mark.parametrize("side", [text for text in TEXTS if "\0" not in text and text])
def test_a_side_that_is_text_comes_to_c(side: str) -> None:
    df = pl.DataFrame({"side": [side, "zz"], "x": [1.0, 1.0]})
    signs = vf.sign_by_side(df, "side", buy=side, sell="zz").collect()["sign"].to_list()
    assert signs == [1, -1]


@pytest.mark.parametrize("side", INTEGERS)
def test_a_side_that_is_an_integer_comes_to_c(side: int) -> None:
    df = pl.DataFrame({"side": [side, side ^ 1]})
    assert vf.sign_by_side(df, "side", buy=side, sell=side ^ 1).collect()["sign"].to_list() == [1, -1]


@pytest.mark.parametrize("text", TEXTS)
def test_a_configs_text_comes_back_from_json_and_toml(text: str, tmp_path: Path) -> None:
    config = vf.Config(columns={"volume": text}, schema={"venue": {"default": text}}, group_by=[text])
    assert from_json(json.dumps(to_mapping(config))) == config
    toml = tmp_path / "job.toml"
    quoted = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
    lines = [f"group_by = [{quoted}]", "[columns]", f"volume = {quoted}", "[schema.venue]", f"default = {quoted}"]
    toml.write_text("\n".join(lines), "utf-8")
    assert read_toml(toml) == config


@pytest.mark.parametrize("value", [*FLOATS, *INTEGERS, True, dt.date(2024, 2, 29)])
def test_a_configs_default_comes_back_from_toml(value: Any, tmp_path: Path) -> None:
    toml = tmp_path / "job.toml"
    spelt = str(value).lower() if isinstance(value, (bool, dt.date)) else repr(value)
    toml.write_text(f"[schema.venue]\ndefault = {spelt}\n")
    same(read_toml(toml).schema["venue"]["default"], value)


@pytest.mark.parametrize("value", [*FLOATS, *INTEGERS, 2**64 - 1, *TEXTS])
def test_json_for_programs_holds_every_value(value: Any) -> None:
    same(json.loads(_json.text({"v": [value]}))["v"][0], value)


@pytest.mark.parametrize("value", BEYOND)
def test_json_for_programs_is_strict(value: float) -> None:
    text = _json.text({"v": value})
    assert json.loads(text, parse_constant=pytest.fail) == {"v": None}


@pytest.mark.parametrize("value", [*FLOATS, *TEXTS, 0, 2**53, -(2**53)])
def test_what_a_browser_reads_is_the_value(value: Any) -> None:
    same(json.loads(json.dumps(_plain(value))), value)


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**64 - 1])
def test_integers_that_a_browser_has_no_number_for_are_text(value: int) -> None:
    assert _plain(value) == str(value)


@pytest.mark.parametrize("value", BEYOND)
def test_what_is_not_finite_is_null_in_a_browser(value: float) -> None:
    assert _plain(value) is None


def test_the_explorers_numbers_are_doubles_to_the_bit() -> None:
    values = [*FLOATS, math.inf, -math.inf]
    data = base64.b64decode(_scatter(values, range(len(values)), len(values)))
    assert data == struct.pack(f"<{len(values)}d", *values)


ASKED: dict[str, Callable[[Path], Any]] = {
    "key": lambda folder: vf.aggregate(pl.DataFrame({"x": [1]}), [HALF], {"n": pl.len()}),
    "metric": lambda folder: vf.aggregate(pl.DataFrame({"x": [1]}), [], {HALF: pl.len()}).collect(),
    "side": lambda folder: vf.sign_by_side(pl.DataFrame({"side": ["a"]}), "side", buy=HALF, sell="a").collect(),
    "sides": lambda folder: vf.FIFOMatch(
        side_col="s", qty_col="q", time_col="t", price_col="p", entry_side="B", exit_side=["S", HALF]
    ),
    "column": lambda folder: vf.bin(pl.DataFrame({"x": [1.0]}), {HALF: 1.0}),
    "config": lambda folder: vf.run(lambda df, ctx: df, vf.Config(folder, folder, columns={"a": HALF}), "20240102"),
    "metadata": lambda folder: vf.save(pl.DataFrame({"x": [1]}), folder / "x.parquet", metadata={"a": HALF}),
}


@pytest.mark.parametrize("how", ASKED)
def test_half_a_character_is_refused(how: str, tmp_path: Path) -> None:
    with pytest.raises((Error, UnicodeEncodeError)):
        ASKED[how](tmp_path)
    assert not list(tmp_path.iterdir())
