"""Metrics with random literals and integers of every width: what is compared, filtered and computed is what was given.

Python counts with its own doubles and integers without bounds, and refuses what leaves Int64; Polars computes the rest
in Int64. Not for the aggregates themselves: `ops_groups`.
"""

from __future__ import annotations

import math
import random
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

import vizflow as vf
from differential import shapes
from differential.core import UNIT, Case, Operation, refusable, refused

Rng = random.Random
WIDTHS = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]
F, A, B = pl.col("f"), pl.col("a"), pl.col("b")


def _double(rng: Rng) -> float:
    """Draw a literal: any bits, a short decimal, a quotient, or a number at an edge."""
    kind = rng.randrange(5)
    if kind == 0:
        value = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        return value if not math.isnan(value) else 0.1
    if kind == 1:
        return round(rng.uniform(-100, 100), rng.randint(0, 6))
    if kind == 2:
        return (round(rng.random(), 2) + round(rng.random(), 2)) / 2
    if kind == 3:
        return rng.choice([0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, math.inf, -math.inf, 0.1 + 0.2])
    return rng.randint(-9, 9) / rng.randint(1, 9)


def _integer(rng: Rng, low: int, high: int) -> int:
    near = [low, high, 0, 1, low + 1, high - 1, low // 2, high // 2]
    drawn = rng.choice([*near, rng.randint(low, high), rng.randint(max(low, -100), min(high, 100))])
    return max(low, min(high, drawn))


def make_literals(rng: Rng) -> Case:
    units = shapes.units_of(rng, shapes.many(rng, 30, 80))
    literals = [_double(rng) for _ in range(rng.randint(2, 5))]
    near = [*literals, *(math.nextafter(x, to) for x in literals if math.isfinite(x) for to in (math.inf, -math.inf))]
    tame = rng.random() < 0.6

    def column(name: str) -> pl.Series:
        dtype = rng.choice(WIDTHS)
        low, high = shapes.integer_range(dtype)
        if tame and high > 2**31:
            low, high = max(low, -(2**31)), 2**31
        return pl.Series(name, [None if rng.random() < 0.1 else _integer(rng, low, high) for _ in units], dtype=dtype)

    floats = [None if rng.random() < 0.1 else rng.choice(near) for _ in units]
    frame = pl.DataFrame([pl.Series(UNIT, units), pl.Series("f", floats, dtype=pl.Float64), column("a"), column("b")])
    names = rng.sample(sorted(METRICS), rng.randint(2, 6))
    if pl.UInt64 in frame.schema.values():  # no quotient of one lies in Int64 for sure, and it is left as it is
        names = [name for name in names if name != "floor"] or ["eq"]
    options = {"x": literals[0], "y": literals[-1], "k": _integer(rng, -(2**31), 2**31), "metrics": names}
    options["how"] = rng.choice(["aggregate", "plain", "reduce", "file"])
    return shapes.case_of(rng, {"rows": frame}, options)


class TooLarge(Exception):
    """A result that Int64 has not got."""


def _fits(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise TooLarge
    return value


def _two(rows: list[dict[str, Any]], op: Callable[[int, int], int | None]) -> list[int]:
    both = [(row["a"], row["b"]) for row in rows if row["a"] is not None and row["b"] is not None]
    found = [op(_fits(a), _fits(b)) for a, b in both]
    return [_fits(value) for value in found if value is not None]


def _fs(rows: list[dict[str, Any]]) -> list[float]:
    return [row["f"] for row in rows if row["f"] is not None]


def _a(rows: list[dict[str, Any]]) -> list[int]:
    return [_fits(row["a"]) for row in rows if row["a"] is not None]


# name -> VizFlow's expression of x, y and k; Python's value of a group's rows
METRICS: dict[str, tuple[Callable[..., pl.Expr], Callable[..., Any]]] = {
    "eq": (lambda a, b, x, y, k: F.eq(x).sum(), lambda r, x, y, k: sum(f == x for f in _fs(r))),
    "lt": (lambda a, b, x, y, k: F.lt(x).sum(), lambda r, x, y, k: sum(f < x for f in _fs(r))),
    "in": (lambda a, b, x, y, k: F.is_in([x, y]).sum(), lambda r, x, y, k: sum(f in (x, y) for f in _fs(r))),
    "between": (
        lambda a, b, x, y, k: F.is_between(x, y, closed="left").sum(),
        lambda r, x, y, k: sum(x <= f < y for f in _fs(r)),
    ),
    "where": (
        lambda a, b, x, y, k: a.filter(F.ge(x)).sum(),
        lambda r, x, y, k: _fits(sum(row["a"] or 0 for row in r if row["f"] is not None and row["f"] >= x)),
    ),
    "literal": (lambda a, b, x, y, k: pl.when(pl.len() > 0).then(x).otherwise(y), lambda r, x, y, k: x),
    "plus": (lambda a, b, x, y, k: (a + b).sum(), lambda r, x, y, k: _fits(sum(_two(r, lambda a, b: a + b)))),
    "minus": (lambda a, b, x, y, k: (a - b).sum(), lambda r, x, y, k: _fits(sum(_two(r, lambda a, b: a - b)))),
    "times": (lambda a, b, x, y, k: (a * b).sum(), lambda r, x, y, k: _fits(sum(_two(r, lambda a, b: a * b)))),
    "largest": (lambda a, b, x, y, k: (a * b).max(), lambda r, x, y, k: max(_two(r, lambda a, b: a * b), default=None)),
    "floor": (
        lambda a, b, x, y, k: (a // b).sum(),
        lambda r, x, y, k: _fits(sum(_two(r, lambda a, b: a // b if b else None))),
    ),
    "scaled": (
        lambda a, b, x, y, k: (a * pl.lit(k, dtype=pl.Int64)).sum(),
        lambda r, x, y, k: _fits(sum(_fits(value * k) for value in _a(r))),
    ),
    "negative": (lambda a, b, x, y, k: (-a).min(), lambda r, x, y, k: min((_fits(-v) for v in _a(r)), default=None)),
    "sums": (
        lambda a, b, x, y, k: a.sum() * b.sum(),
        lambda r, x, y, k: _fits(_fits(sum(row["a"] or 0 for row in r)) * _fits(sum(row["b"] or 0 for row in r))),
    ),
}


def _given(case: Case) -> tuple[float, float, int]:
    return case.options["x"], case.options["y"], case.options["k"]


def _exprs(case: Case, a: pl.Expr, b: pl.Expr) -> dict[str, pl.Expr]:
    return {name: METRICS[name][0](a, b, *_given(case)) for name in case.options["metrics"]}


def ours_literals(case: Case) -> pl.DataFrame:
    how = case.options.get("how", "aggregate")

    def run() -> pl.DataFrame:
        made = vf.aggregate(case.feed("rows"), [UNIT], _exprs(case, A, B), mergeable=how != "plain")
        if how == "reduce":
            return vf.reduce({"20240102": made}).collect()
        if how == "file":
            with tempfile.TemporaryDirectory() as folder:
                return vf.load(vf.save(made, Path(folder) / "20240102.parquet"))
        return made.collect(engine=case.engine)

    return refusable(run, case)


def python_literals(case: Case) -> pl.DataFrame:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in case["rows"].iter_rows(named=True):
        groups.setdefault(row[UNIT], []).append(row)
    names = case.options["metrics"]
    try:
        found = {name: [METRICS[name][1](rows, *_given(case)) for rows in groups.values()] for name in names}
    except TooLarge:
        return refused("DataError")
    types = {name: pl.Float64 if name == "literal" else None for name in found}
    columns = [pl.Series(UNIT, list(groups), dtype=case["rows"].schema[UNIT])]
    return pl.DataFrame([*columns, *(pl.Series(name, v, dtype=types[name] or pl.Int64) for name, v in found.items())])


def polars_literals(case: Case) -> pl.DataFrame | None:
    if python_literals(case).columns[-1] not in case.options["metrics"]:
        return None  # refused: Polars would wrap
    wide = case["rows"].with_columns(pl.col("a", "b").cast(pl.Int64, strict=False))  # what is beyond is not used
    out = wide.group_by(UNIT, maintain_order=True).agg(**_exprs(case, A, B))
    return out.with_columns(pl.col(name).cast(pl.Int64) for name in case.options["metrics"] if name != "literal")


def code_literals(case: Case) -> str:
    x, y, k = _given(case)
    shown = ", ".join(f"{name!r}: METRICS[{name!r}][0](A, B, {x!r}, {y!r}, {k})" for name in case.options["metrics"])
    return f"vf.aggregate(rows, ['unit'], {{{shown}}})  # from differential.ops_metrics import A, B, METRICS"


OPERATIONS = [
    Operation(
        "aggregate.literals",
        make_literals,
        ours_literals,
        {"python": python_literals, "polars": polars_literals},
        code_literals,
        unordered=frozenset({"python", "polars"}),
        simplest={"how": "aggregate"},
    ),
]
