"""Where right numbers went wrong at the borders of metrics: literals, plans that look alike, integers, names, days."""

from __future__ import annotations

import datetime as dt
import inspect
import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, DataError
from vizflow.partials import file, integers, traced, trees
from vizflow.partials import metrics as _metrics
from vizflow.partials.metrics import make_job
from vizflow.partials.plan import Plan

X, Y, S = pl.col("x"), pl.col("y"), pl.col("s")


def plan_of(metrics: dict[str, pl.Expr] | pl.Expr, schema: dict[str, Any], keys: tuple[str, ...] = ()) -> Plan:
    """Return the plan of metrics over an empty frame of that schema."""
    named = {"m": metrics} if isinstance(metrics, pl.Expr) else metrics
    plan = traced.plan_of(vf.aggregate(pl.DataFrame(schema=schema), keys, named))
    assert plan is not None
    return plan


def bits(word: int) -> float:
    """Return the double of 64 bits."""
    return struct.unpack("<d", struct.pack("<Q", word))[0]  # type: ignore[no-any-return]


# ---- M1: literals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mergeable", [True, False])
def test_m1_a_float_literal_is_compared_to_the_last_bit(mergeable: bool) -> None:
    limit = (0.20 + 0.21) / 2
    df = pl.DataFrame({"x": [limit, 0.1]})
    assert vf.aggregate(df, [], {"n": (limit == X).sum()}, mergeable=mergeable).collect().item() == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0])
def test_m1_literals_that_are_no_decimal_numbers_are_taken_as_they_are(value: float, tmp_path: Path) -> None:
    df = pl.DataFrame({"x": [1.0, math.nan, -math.inf]})
    metrics = {
        "less": (value > X).sum(),
        "times": X.first() * value,
        "one": pl.when(pl.len() > 5).then(0.0).otherwise(value),
    }
    out = vf.aggregate(df, [], metrics)
    expected = df.select(**metrics)
    saved = vf.load(vf.save(out, tmp_path / "20240102.parquet"))
    for frame in (out.collect(), saved, vf.reduce(tmp_path).collect()):
        assert [struct.pack("<d", float(x)) for x in frame.row(0)] == [
            struct.pack("<d", float(x)) for x in expected.row(0)
        ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40))
def test_m1_every_double_comes_through_a_metric_and_its_partial(words: list[int]) -> None:
    values = [bits(word) for word in words]
    metrics = {f"m{i}": X.sum() * 0.0 + value for i, value in enumerate(values)}
    plan = plan_of(metrics, {"x": pl.Float64})
    for read in (plan, Plan.from_json(plan.to_json())):
        for name, value in zip(metrics, values, strict=True):
            tree = trees.dump(read.finish[name])
            found = tree["BinaryExpr"]["right"]["Literal"]["Dyn"]["Float"]
            assert struct.pack("<d", found) == struct.pack("<d", value)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.integers(-(2**127), 2**127 - 1), st.floats(), st.text(), st.binary(max_size=300), st.booleans(), st.none(),
        st.dates(), st.datetimes(), st.timedeltas(dt.timedelta(-1000), dt.timedelta(1000)),
        st.lists(st.text(max_size=5), max_size=300), st.lists(st.floats(), max_size=40),
    )
)  # fmt: skip
def test_m1_every_literal_is_read_back_as_it_was_written(value: Any) -> None:
    expr = (
        pl.lit(value) if not isinstance(value, list) else X.is_in(pl.Series(value, dtype=None if value else pl.Float64))
    )
    assert trees.same(trees.load(trees.dump(expr)), expr)
    assert trees.packed(trees.dump(expr)) == expr.meta.serialize(format="binary")


def test_m1_a_tree_that_comes_back_changed_is_an_error_and_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_metrics, "_filtered", lambda value, where: value)  # the filter is lost on the way
    with raises(ConfigError, "is not the expression that was given", column="m"):
        vf.aggregate(pl.DataFrame({"x": [1.0]}), [], {"m": X.filter(X > 0).sum()})


# ---- M2: the identity of plans --------------------------------------------------------------------------------------

TYPES = {
    "x": pl.Float64(), "y": pl.Float64(), "i": pl.Int64(), "j": pl.Int32(), "s": pl.String(), "t": pl.String(),
    "b": pl.Boolean(), "c": pl.Boolean(), "d": pl.Date(), "dt": pl.Datetime("us"), "tm": pl.Time(),
    "du": pl.Duration("us"), "l": pl.List(pl.Int64()), "ls": pl.List(pl.String()), "bin": pl.Binary(),

}  # fmt: skip
INT, J, T, B, C, D, DT, TM, DU, L, LS, BIN = (
    pl.col(name) for name in ("i", "j", "t", "b", "c", "d", "dt", "tm", "du", "l", "ls", "bin")
)


def families() -> Iterator[tuple[str, list[pl.Expr]]]:
    """Yield lists of row-wise expressions that differ in one option or literal each."""
    series = pl.Series
    yield "is_in texts", [S.is_in(v) for v in (list("abcd"), list("abxd"), list("abc"), list("abdc"), [*"abc", None])]
    yield (
        "is_in floats",
        [X.is_in(v) for v in ([0.1, 0.2], [0.1, math.nextafter(0.2, 1)], [0.1, -0.0], [0.1, 0.0], [0.1, math.nan])],
    )
    yield "is_in ints", [INT.is_in(v) for v in ([1, 2], [1, 2**53], [1, 2**53 + 1], [2, 1], [1, 2, 2])]
    yield "is_in types", [INT.is_in(series([1, 2], dtype=t)) for t in (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8)]
    yield "is_in nulls", [INT.is_in([1, None], nulls_equal=n) for n in (True, False)]
    yield (
        "is_in long",
        [INT.is_in(list(range(1000))), INT.is_in([*range(999), 5000]), INT.is_in([*range(500), -1, *range(501, 1000)])],
    )
    yield "is_in dates", [D.is_in([dt.date(2024, 1, n)]) for n in range(1, 5)]
    yield "replace", [S.replace(m) for m in ({"a": "b"}, {"a": "c"}, {"b": "b"}, {"a": "b", "c": "d"})]
    yield "replace_strict", [S.replace_strict({"a": n}, default=m) for n in (1, 2) for m in (0, None, 5)]
    yield "lit ints", [INT + n for n in (1, 2, 2**53, 2**53 + 1, -1, np.int8(1), np.int64(1))]
    yield (
        "lit floats",
        [
            X + n
            for n in (0.1, 0.2, math.nextafter(0.1, 1), 0.0, -0.0, math.nan, math.inf, np.float32(0.1), np.float64(0.1))
        ],
    )
    yield "lit texts", [n == S for n in ("a", "b", "", "é", "e\u0301", "a\0", "'", '"', "1")]
    yield "lit dates", [n < D for n in (dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.datetime(2024, 1, 1))]
    yield "lit datetimes", [n < DT for n in (dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 0, 0, 0, 1))]
    yield "lit durations", [n < DU for n in (dt.timedelta(1), dt.timedelta(2), dt.timedelta(microseconds=1))]
    yield "lit times", [n < TM for n in (dt.time(1), dt.time(2), dt.time(1, 0, 0, 1))]
    yield "lit types", [pl.lit(1, dtype=t) < INT for t in (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt64)]
    yield "columns", [X + X, X + Y, Y + X, Y + Y]
    yield (
        "operators",
        [
            op(INT)
            for op in (
                lambda a: a + 2,
                lambda a: a - 2,
                lambda a: a * 2,
                lambda a: a // 2,
                lambda a: a % 2,
                lambda a: a**2,
                lambda a: a / 2,
            )
        ],
    )
    yield (
        "comparisons",
        [
            op(X)
            for op in (
                lambda a: a < 1,
                lambda a: a <= 1,
                lambda a: a > 1,
                lambda a: a >= 1,
                lambda a: a == 1,
                lambda a: a != 1,
                lambda a: a.eq_missing(1),
                lambda a: a.ne_missing(1),
            )
        ],
    )
    yield "logic", [B & C, B | C, B ^ C, ~B & C]
    yield "cast types", [X.cast(t) for t in (pl.Int64, pl.Int32, pl.Float32, pl.UInt8, pl.Boolean)]
    yield "cast options", [X.cast(pl.Int8), X.cast(pl.Int8, strict=False), X.cast(pl.Int8, wrap_numerical=True)]
    yield "cast decimals", [INT.cast(pl.Decimal(10, s)).cast(pl.Float64) for s in (0, 1, 2)]
    yield "cast datetimes", [INT.cast(pl.Datetime(u)) for u in ("ms", "us", "ns")]
    yield (
        "cast enums",
        [
            S.cast(pl.Enum(c)).cast(pl.String)
            for c in (["a"], ["a", "b"], ["b", "a"], [*"abcdefghijk"], [*"abcdefghijl"])
        ],
    )
    yield "clip", [X.clip(a, b) for a, b in ((0, 1), (0, 2), (-1, 1), (None, 1), (0, None))]
    yield (
        "round",
        [X.round(n, mode=m) for n in (0, 1, 2) for m in ("half_to_even", "half_away_from_zero")]
        + [X.truncate(n) for n in (0, 1)],
    )
    yield "round_sig_figs", [X.round_sig_figs(n) for n in (1, 2, 3)]
    yield "log", [X.log(n) for n in (2.0, 10.0, math.e, math.nextafter(10.0, 11))]
    yield "fill_null", [X.fill_null(n) for n in (0.0, -0.0, 1.0, math.nan)]
    yield "fill_nan", [X.fill_nan(n) for n in (0.0, 1.0, None)]
    yield "is_between", [X.is_between(0, 1, closed=c) for c in ("both", "left", "right", "none")] + [X.is_between(0, 2)]
    yield (
        "is_close",
        [
            X.is_close(Y, abs_tol=a, rel_tol=r, nans_equal=n)
            for a in (0.0, 1e-9)
            for r in (1e-6, 1e-3)
            for n in (True, False)
        ],
    )
    yield "when", [pl.when(n < X).then(a).otherwise(b) for n in (0, 1) for a in (1.5, 2.5) for b in (0.5, None)]
    yield (
        "functions",
        [
            f(X)
            for f in (
                pl.Expr.abs,
                pl.Expr.sqrt,
                pl.Expr.exp,
                pl.Expr.sin,
                pl.Expr.cos,
                pl.Expr.floor,
                pl.Expr.ceil,
                pl.Expr.sign,
                pl.Expr.log1p,
                pl.Expr.cbrt,
                pl.Expr.tan,
                pl.Expr.arctan,
            )
        ],
    )
    yield (
        "horizontal",
        [
            pl.max_horizontal(X, Y),
            pl.min_horizontal(X, Y),
            pl.sum_horizontal(X, Y),
            pl.sum_horizontal(X, Y, ignore_nulls=False),
            pl.coalesce(X, Y),
            pl.coalesce(Y, X),
            pl.mean_horizontal(X, Y),
        ],
    )
    yield "bool horizontal", [pl.all_horizontal(B, C), pl.any_horizontal(B, C)]
    yield "str.contains", [S.str.contains(p, literal=x) for p in ("a", "b", "a.c") for x in (True, False)]
    yield "str.contains strict", [S.str.contains("a", strict=s) for s in (True, False)]
    yield (
        "str.contains_any",
        [S.str.contains_any(p, ascii_case_insensitive=c) for p in (["a"], ["b"], ["a", "b"]) for c in (True, False)],
    )
    yield "str.starts_with", [S.str.starts_with(p) for p in ("a", "b", "")] + [S.str.ends_with(p) for p in ("a", "b")]
    yield "str.replace", [S.str.replace(p, v, literal=x) for p in ("a", "b") for v in ("x", "y") for x in (True, False)]
    yield "str.replace n", [S.str.replace("a", "x", n=n) for n in (1, 2)] + [S.str.replace_all("a", "x")]
    yield "str.extract", [S.str.extract(p, g) for p in ("(a)(b)", "(a)(c)") for g in (1, 2)]
    yield "str.count_matches", [S.str.count_matches(p, literal=x) for p in ("a", "b") for x in (True, False)]
    yield "str.slice", [S.str.slice(o, n) for o in (0, 1) for n in (1, 2, None)]
    yield "str.head", [S.str.head(n) for n in (1, 2)] + [S.str.tail(n) for n in (1, 2)]
    yield (
        "str.strip_chars",
        [S.str.strip_chars(c) for c in (None, "a", "b")] + [S.str.strip_prefix("a"), S.str.strip_suffix("a")],
    )
    yield (
        "str.pad",
        [S.str.pad_start(n, c) for n in (3, 4) for c in "ab"] + [S.str.pad_end(3, "a"), S.str.zfill(3), S.str.zfill(4)],
    )
    yield "str.to_integer", [S.str.to_integer(base=b, strict=s) for b in (2, 10, 16) for s in (True, False)]
    yield (
        "str.to_date",
        [
            S.str.to_date(f, strict=s, exact=e)
            for f in ("%Y-%m-%d", "%d/%m/%Y")
            for s in (True, False)
            for e in (True, False)
        ],
    )
    yield (
        "str.to_datetime",
        [
            S.str.to_datetime(f, time_unit=u, strict=s)
            for f in ("%Y-%m-%d %H", "%Y %m")
            for u in ("ms", "us")
            for s in (True, False)
        ],
    )
    yield (
        "str.to_datetime zone",
        [S.str.to_datetime("%Y-%m-%d %H", time_zone=z) for z in ("UTC", "Asia/Shanghai", None)],
    )
    yield "str.to_time", [S.str.to_time(f) for f in ("%H:%M", "%H%M")]
    yield "str.to_decimal", [S.str.to_decimal(scale=n).cast(pl.Float64) for n in (1, 2)]
    yield (
        "str.case",
        [S.str.to_uppercase(), S.str.to_lowercase(), S.str.len_bytes(), S.str.len_chars(), S.str.reverse()],
    )
    yield "str.json_path_match", [S.str.json_path_match(p) for p in ("$.a", "$.b")]
    yield "str.split", [S.str.split(p, inclusive=i).list.len() for p in (",", ";") for i in (True, False)]
    yield "str.find", [S.str.find(p, literal=x) for p in ("a", "b") for x in (True, False)]
    yield (
        "pl.format",
        [pl.format(f, S, T) for f in ("{}{}", "{}-{}")]
        + [pl.concat_str(S, T, separator=p) for p in ("", ",")]
        + [pl.concat_str(S, T, ignore_nulls=True)],
    )
    yield "dt.truncate", [DT.dt.truncate(e) for e in ("1h", "2h", "1d", "1mo")] + [DT.dt.round("1h")]
    yield "dt.offset_by", [DT.dt.offset_by(e) for e in ("1h", "2h", "-1h")]
    yield "dt.strftime", [DT.dt.strftime(f) for f in ("%Y", "%m", "%H%M")]
    yield "dt.zone", [DT.dt.replace_time_zone(z).dt.hour() for z in ("UTC", "Asia/Shanghai", "US/Eastern")]
    yield (
        "dt.ambiguous",
        [DT.dt.replace_time_zone("US/Eastern", ambiguous=a).dt.hour() for a in ("raise", "earliest", "latest", "null")],
    )
    yield (
        "dt.non_existent",
        [DT.dt.replace_time_zone("US/Eastern", non_existent=n).dt.hour() for n in ("raise", "null")],
    )
    yield (
        "dt.convert",
        [DT.dt.replace_time_zone("UTC").dt.convert_time_zone(z).dt.hour() for z in ("Asia/Shanghai", "Asia/Tokyo")],
    )
    yield (
        "dt.units",
        [DT.dt.cast_time_unit(u) for u in ("ms", "us", "ns")]
        + [DT.dt.timestamp(u) for u in ("ms", "us", "ns")]
        + [DT.dt.epoch("d"), DT.dt.epoch("s")],
    )
    yield (
        "dt.parts",
        [
            f(DT.dt)
            for f in (
                lambda d: d.year(),
                lambda d: d.month(),
                lambda d: d.day(),
                lambda d: d.hour(),
                lambda d: d.minute(),
                lambda d: d.second(),
                lambda d: d.weekday(),
                lambda d: d.week(),
                lambda d: d.ordinal_day(),
                lambda d: d.quarter(),
                lambda d: d.millisecond(),
                lambda d: d.nanosecond(),
            )
        ],
    )
    yield (
        "dt.total",
        [DU.dt.total_seconds(fractional=f) for f in (True, False)]
        + [DU.dt.total_minutes(), DU.dt.total_hours(), DU.dt.total_days(), DU.dt.total_milliseconds()],
    )
    yield (
        "dt.business",
        [
            D.dt.is_business_day(week_mask=m, holidays=h)
            for m in ((True,) * 5 + (False,) * 2, (True,) * 6 + (False,))
            for h in ([], [dt.date(2024, 1, 1)], [dt.date(2024, 1, 2)])
        ],
    )
    yield (
        "dt.add_business",
        [D.dt.add_business_days(n, roll=r) for n in (1, 2) for r in ("raise", "forward", "backward")],
    )
    yield "list.get", [L.list.get(n, null_on_oob=o) for n in (0, 1) for o in (True, False)]
    yield "list.contains", [L.list.contains(n) for n in (1, 2)] + [L.list.contains(1, nulls_equal=False)]
    yield "list.join", [LS.list.join(p, ignore_nulls=n) for p in (",", ";") for n in (True, False)]
    yield (
        "list.aggregates",
        [L.list.sum(), L.list.mean(), L.list.min(), L.list.max(), L.list.len(), L.list.first(), L.list.last()],
    )
    yield "list.std", [L.list.std(ddof=n) for n in (0, 1)] + [L.list.var(ddof=n) for n in (0, 1)]
    yield (
        "bin",
        [BIN.bin.contains(b) for b in (b"a", b"b")]
        + [BIN.bin.starts_with(b) for b in (b"a", b"\0")]
        + [BIN.bin.size()],
    )
    yield "hash", [S.hash(seed=n) % 7 for n in (0, 1)]
    yield "bits", [INT.bitwise_count_ones(), INT.bitwise_count_zeros(), INT.bitwise_leading_zeros()]
    yield "mid", [vf.mid("x", "y"), vf.mid("y", "x"), vf.mid("x", "x")]
    yield "near_integer", [vf.near_integer("x", t, tolerance=e) for t in (pl.Int64, pl.Int32) for e in (1e-6, 1e-3)]
    yield "struct", [pl.struct("i", "j").struct.field(n) for n in ("i", "j")]


def aggregates() -> Iterator[tuple[str, list[pl.Expr]]]:
    """Yield lists of metrics that differ in one option or literal of the aggregate, or of what is computed from it."""
    yield "ddof", [X.std(ddof=n) for n in (0, 1, 2)] + [X.var(ddof=n) for n in (0, 1, 2)]
    yield "cov", [pl.cov(X, Y, ddof=n) for n in (0, 1)] + [pl.corr(X, Y), pl.corr(Y, X)]
    yield "first", [X.first(), X.first(ignore_nulls=True), X.last(), X.last(ignore_nulls=True)]
    yield "any", [B.any(), B.any(ignore_nulls=False), B.all(), B.all(ignore_nulls=False)]
    yield "filters", [X.filter(n < Y).sum() for n in (0.1, math.nextafter(0.1, 1), 0, 0.0, -0.0)]
    yield (
        "kinds",
        [X.sum(), X.mean(), X.min(), X.max(), X.count(), X.null_count(), X.product(), pl.len(), X.var(), X.std()],
    )
    yield (
        "finish literals",
        [X.sum() * n for n in (0.1, math.nextafter(0.1, 1), 0.0, -0.0, 1, 1.0, math.nan, -math.nan, math.inf)],
    )
    yield "finish rounds", [X.sum().round(n, mode=m) for n in (0, 1) for m in ("half_to_even", "half_away_from_zero")]
    yield "finish casts", [X.sum().cast(t, strict=s) for t in (pl.Int64, pl.Int32) for s in (True, False)]
    yield "finish clips", [X.sum().clip(a, b) for a, b in ((0, 1), (0, 2), (None, 1), (0, None))]
    yield "finish when", [pl.when(X.sum() > n).then(m).otherwise(None) for n in (0, 1) for m in (1.5, 2.5)]


ROWWISE, OVER = list(families()), list(aggregates())


def metric_of(expr: pl.Expr) -> pl.Expr:
    """Make a metric of a row-wise expression, whatever its type."""
    return expr.is_not_null().sum()


def ids(exprs: list[pl.Expr]) -> list[str]:
    return [plan_of(expr, TYPES).id for expr in exprs]


@pytest.mark.parametrize(("what", "exprs"), ROWWISE, ids=[what for what, _ in ROWWISE])
def test_m2_row_wise_expressions_that_differ_in_one_thing_share_no_plan(what: str, exprs: list[pl.Expr]) -> None:
    found = ids([metric_of(expr) for expr in exprs])
    assert len(set(found)) == len(found), [str(exprs[i]) for i, x in enumerate(found) if found.count(x) > 1]
    assert found == ids([metric_of(expr) for expr in dict(families())[what]])  # made anew, they are equal


@pytest.mark.parametrize(("what", "exprs"), OVER, ids=[what for what, _ in OVER])
def test_m2_aggregates_that_differ_in_one_thing_share_no_plan(what: str, exprs: list[pl.Expr]) -> None:
    found = ids(exprs)
    assert len(set(found)) == len(found), [str(exprs[i]) for i, x in enumerate(found) if found.count(x) > 1]
    assert found == ids(dict(aggregates())[what])


def test_m2_there_are_more_than_300_pairs() -> None:
    pairs = sum(len(exprs) * (len(exprs) - 1) // 2 for _, exprs in [*ROWWISE, *OVER])
    assert pairs >= 300
    everything = [*(metric_of(e) for _, exprs in ROWWISE for e in exprs), *(e for _, exprs in OVER for e in exprs)]
    texts: dict[str, set[bytes]] = {}
    for expr, id_ in zip(everything, ids(everything), strict=True):
        texts.setdefault(id_, set()).add(expr.meta.serialize(format="binary"))
    assert all(len(found) == 1 for found in texts.values())  # whatever shares an id is the same expression


SPACES = {"": [X, INT], "str": [S], "dt": [DT, DU], "list": [L], "bin": [BIN]}
NAMES_ONLY = ("alias", "pipe", "inspect", "map_elements", "map_batches")  # the name of a metric's column means nothing
GIVEN: list[Any] = [1, 2, "a", "b", 0.1, X, S, "%Y", "1h", ["a"], pl.Int8, b"a"]
PAIRS: list[Any] = [(1, 2), (2, 1), ("a", "b"), ("b", "a"), (X, Y), (0.1, 0.2)]


def changed(default: Any) -> list[Any]:
    """Return other values for an option, by the type of its default."""
    if isinstance(default, bool):
        return [not default]
    if isinstance(default, (int, float)):
        return [default + 1]
    return [1, "a", 0.5, True] if default is None else ["left", "right", "raise", "null", "ms", "to_zero", "x"]


def calls(method: Any) -> Iterator[pl.Expr]:
    """Call a method in every way that its signature tells: arguments that it needs, and each option changed."""
    try:
        options = list(inspect.signature(method).parameters.values())
    except (TypeError, ValueError):
        return
    needed = [one for one in options if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    for args in ([()], [(one,) for one in GIVEN], PAIRS)[len(needed)] if len(needed) < 3 else ():
        free = [one for one in options if one.default is not one.empty]
        for change in [{}, *({one.name: value} for one in free for value in changed(one.default))]:
            with suppress(Exception):  # not a way to call it
                made = method(*args, **change)
                if isinstance(made, pl.Expr):
                    yield made


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_m2_whatever_polars_has_and_a_metric_takes_shares_no_plan() -> None:
    found: dict[str, set[bytes]] = {}
    methods = set()
    for space, subjects in SPACES.items():
        for subject in subjects:
            owner = getattr(subject, space) if space else subject
            for name in dir(owner):
                if name.startswith("_") or name in (*NAMES_ONLY, "str", "dt", "list", "arr", "bin", "cat", "meta"):
                    continue
                for expr in calls(getattr(owner, name)):
                    metric = metric_of(expr)
                    with suppress(vf.errors.Error, pl.exceptions.PolarsError, ValueError):  # not taken
                        id_ = make_job({"m": metric}, pl.Schema(TYPES), []).plan.id  # type: ignore[union-attr]
                        found.setdefault(id_, set()).add(metric.meta.serialize(format="binary"))
                        methods.add(f"{space}.{name}")
    assert [exprs for exprs in found.values() if len(exprs) > 1] == []
    assert len(methods) > 150, sorted(methods)
    assert len(found) > 1000


def test_m2_partials_of_plans_that_differ_in_a_list_do_not_merge(tmp_path: Path) -> None:
    df = pl.DataFrame({"s": list("abcx")})
    for name, letters in (("20240102", "abcd"), ("20240103", "abxd")):
        vf.save(vf.aggregate(df, [], {"n": S.is_in(list(letters)).sum()}), tmp_path / f"{name}.parquet")
    with raises(ConfigError, "another plan", "has other literals or options"):
        vf.reduce(tmp_path)
    with raises(ConfigError, "another plan"):
        vf.Cube.from_partials({path.stem: path for path in sorted(tmp_path.glob("*.parquet"))})


@pytest.mark.parametrize(("what", "exprs"), ROWWISE[::6], ids=[what for what, _ in ROWWISE[::6]])
def test_m2_saved_partials_of_different_plans_are_refused(what: str, exprs: list[pl.Expr], tmp_path: Path) -> None:
    empty = pl.DataFrame(schema=TYPES)
    for number, expr in enumerate(exprs[:2]):
        vf.save(vf.aggregate(empty, [], {"n": metric_of(expr)}), tmp_path / f"{number}.parquet")
    with raises(ConfigError, "another plan"):
        vf.reduce(tmp_path)


def test_m2_chunks_and_flags_of_a_literal_change_no_plan() -> None:
    whole = pl.Series([1, 2, 3, 4])
    cut = pl.concat([pl.Series([1, 2]), pl.Series([3, 4])], rechunk=False)
    sorted_ = whole.set_sorted()
    assert len(set(ids([INT.is_in(v).sum() for v in (whole, cut, sorted_, whole.alias("v"))]))) == 1


def test_m2_a_plan_has_one_id_in_every_process() -> None:
    code = (
        "import polars as pl, vizflow as vf\nfrom vizflow.partials.traced import plan_of\n"
        "df = pl.DataFrame(schema={'s': pl.String, 'x': pl.Float64, 'y': pl.Float64})\n"
        "s, x = pl.col('s'), pl.col('x')\n"
        "metrics = {'a': s.is_in(['b', 'a']).sum(), 'b': (x * 0.205).sum(), 'c': s.replace({'a': 'b'}).count(), "
        "'d': vf.mid('x', 'y').mean()}\n"
        "print(plan_of(vf.aggregate(df, [], metrics)).id)"
    )
    found = set()
    for seed in ("0", "1"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        )
    assert len(found) == 1


# ---- M4: integers ---------------------------------------------------------------------------------------------------

NUMBERS = pl.DataFrame(
    {
        "p": pl.Series([100_000, 3], dtype=pl.Int32), "q": pl.Series([100_000, 7], dtype=pl.Int32),
        "bid": pl.Series([5, 7], dtype=pl.UInt32), "ask": pl.Series([4, 9], dtype=pl.UInt32),
        "i8": pl.Series([100, -128], dtype=pl.Int8), "big": pl.Series([2**62, 1], dtype=pl.Int64),
        "low": pl.Series([-(2**63), 1], dtype=pl.Int64), "zero": pl.Series([0, 2], dtype=pl.Int16),
        "flag": [True, False], "u64": pl.Series([2**64 - 1, 2**64 - 10], dtype=pl.UInt64),
    }
)  # fmt: skip
P, Q, BID, ASK, I8, BIG, LOW, ZERO, FLAG, U64 = (pl.col(name) for name in NUMBERS.columns)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ((P * Q).sum(), 10**10 + 21), ((ASK - BID).sum(), 1), ((ASK - BID).min(), -1), ((I8 + 100).sum(), 172),
        (P.sum() * Q.sum(), 100_003 * 100_007), ((-BID).sum(), -12), (I8.abs().sum(), 228), ((P**2).sum(), 10**10 + 9),
        ((P * Q).mean(), (10**10 + 21) / 2), ((P * Q).max(), 10**10), ((P * Q).last(), 21), ((I8 // -1).max(), 128),
        ((P // ZERO).sum(), 1), ((P // ZERO).null_count(), 1), ((I8 + FLAG).sum(), -27), ((FLAG * P).sum(), 100_000),
        (pl.when(BIG < 10).then(BIG * 4).otherwise(0).sum(), 4), (BIG.filter(BIG < 10).sum() * 4, 4),
        (pl.when(P.sum() > 10**9).then(BIG.sum() * 8).otherwise(-1), -1), ((P * Q).filter(P > 5).sum(), 10**10),
        ((P * Q).product(), 21 * 10**10), ((P * Q * P).sum() // 10, (10**15 + 63) // 10),
        ((U64 // 3).max() % 7, ((2**64 - 1) // 3) % 7),
        ((2**ZERO).sum(), 5), ((P - Q).abs().sum(), 4), (((P * Q) > 10**9).sum(), 1), ((P * 0.5).sum(), 50_001.5),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("mergeable", [True, False])
def test_m4_integers_are_counted_in_int64(metric: pl.Expr, expected: float, mergeable: bool, tmp_path: Path) -> None:
    out = vf.aggregate(NUMBERS, [], {"m": metric}, mergeable=mergeable)
    assert out.collect()["m"].to_list() == [expected]
    if mergeable:
        vf.save(out, tmp_path / "20240102.parquet")
        assert vf.reduce(tmp_path).collect()["m"].to_list() == [expected]
        assert vf.Cube.from_frame(out).total()["m"] == expected


@pytest.mark.parametrize(
    "metric",
    [
        (BIG * 4).sum(), (BIG + BIG).sum(), (LOW - 1).sum(), (-LOW).sum(), LOW.abs().sum(), (LOW // -1).sum(),
        (BIG**2).sum(),
        BIG.sum() * P.sum(), (P * Q).sum() ** 2, BIG.max() + BIG.max(), (U64 + 1).max(), -LOW.min(), LOW.min().abs(),
        pl.when(P.sum() > 0).then(BIG.sum() * 8).otherwise(-1), pl.when(P > 5).then(BIG * 4).otherwise(0).sum(),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("mergeable", [True, False])
def test_m4_an_integer_that_does_not_fit_is_an_error_and_no_number(metric: pl.Expr, mergeable: bool) -> None:
    others = {} if mergeable else {"median": P.median()}
    with raises(DataError):
        vf.aggregate(NUMBERS, [], {"m": metric, **others}, mergeable=mergeable).collect()


def test_m4_the_error_names_metric_and_column() -> None:
    with raises(DataError, "metric 'notional'", "4611686018427387904 * 4 does not fit Int64", column="big", count=1):
        vf.aggregate(NUMBERS, [], {"notional": (BIG * 4).sum()}).collect()


@pytest.mark.parametrize(
    ("metric", "expected"),
    [((P * Q).median(), (10**10 + 21) / 2), (P.median() * 0 + (P * Q).sum(), 10**10 + 21), ((ASK - BID).n_unique(), 2),
     (P.median() * 0 + (P * 100_000).sum(), 10**10 + 300_000), ((I8 + 100).quantile(1.0), 200)],
    ids=str,
)  # fmt: skip
def test_m4_what_polars_evaluates_does_not_wrap_either(metric: pl.Expr, expected: float) -> None:
    keyed = NUMBERS.with_columns(k=pl.lit("a"))
    for keys in ([], ["k"]):
        assert vf.aggregate(keyed, keys, {"m": metric}, mergeable=False).collect()["m"].to_list() == [expected]


def test_m4_a_sum_that_polars_evaluates_is_checked() -> None:
    df = pl.DataFrame({"i": pl.Series([2**31 - 1] * 3, dtype=pl.Int32), "big": [2**62] * 3})
    out = vf.aggregate(df, [], {"m": pl.col("i").sum() + pl.col("i").n_unique() * 0}, mergeable=False).collect()
    assert out["m"].to_list() == [3 * (2**31 - 1)]
    with raises(DataError, "Int64"):
        vf.aggregate(df, [], {"m": pl.col("big").sum() + pl.col("i").n_unique() * 0}, mergeable=False).collect()


def test_m4_derived_integers_are_checked(tmp_path: Path) -> None:
    out = vf.aggregate(NUMBERS, [], {"a": BIG.max(), "b": P.max()}, derived={"c": pl.col("a") * pl.col("b")})
    with raises(DataError, "does not fit Int64", "'c'"):
        out.collect()
    small = vf.aggregate(NUMBERS, [], {"a": P.max(), "b": Q.max()}, derived={"c": pl.col("a") * pl.col("b")})
    assert small.collect()["c"].item() == 10**10
    assert vf.load(vf.save(small, tmp_path / "d.parquet"))["c"].item() == 10**10


_TYPES = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32]


@st.composite
def _columns(draw: st.DrawFn) -> pl.DataFrame:
    n = draw(st.integers(1, 6))
    columns = {}
    for name in "ab":
        dtype = draw(st.sampled_from(_TYPES))
        low, high = _bounds(dtype)
        edge = st.sampled_from([low, high, 0, 1, max(low, -1), high - 1])
        columns[name] = pl.Series(
            draw(st.lists(st.none() | edge | st.integers(low, high), min_size=n, max_size=n)), dtype=dtype
        )
    return pl.DataFrame(columns)


def _bounds(dtype: Any) -> tuple[int, int]:
    return pl.select(low=dtype.min(), high=dtype.max()).row(0)  # type: ignore[return-value]


_OPS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[int, int], int | None]]] = {
    "+": (lambda a, b: a + b, lambda a, b: a + b),
    "-": (lambda a, b: a - b, lambda a, b: a - b),
    "*": (lambda a, b: a * b, lambda a, b: a * b),
    "//": (lambda a, b: a // b, lambda a, b: a // b if b else None),
    "-abs": (lambda a, b: -(a.abs()) + 0 * b, lambda a, b: -abs(a)),
}


@settings(max_examples=120, deadline=None)
@given(_columns(), st.sampled_from(sorted(_OPS)), st.booleans())
def test_m4_integer_sums_are_pythons_or_an_error(df: pl.DataFrame, op: str, mergeable: bool) -> None:
    make, python = _OPS[op]
    rows = [None if a is None or b is None else python(a, b) for a, b in df.rows()]
    total = sum(x for x in rows if x is not None)
    fits = all(
        x is None or -(2**63) <= x < 2**63
        for x in [*rows, total, *(abs(a) for a, _ in df.rows() if a is not None and op == "-abs")]
    )
    metric = make(pl.col("a"), pl.col("b")).sum()
    try:
        found = vf.aggregate(df, [], {"m": metric}, mergeable=mergeable).collect().item()
    except DataError:
        assert not fits
    else:
        assert fits
        assert found == total


def test_m4_what_is_put_in_is_taken_out_again() -> None:
    empty = NUMBERS.lazy().clear()
    for expr in (
        P * Q + 1,
        pl.when(P > 0).then(P * Q).otherwise(-Q),
        (P.abs() ** 2) // 3,
        (P * Q).sum() * 2,
        P.cum_sum(),
    ):
        made = integers.checked(expr, empty, "m")
        assert not trees.same(made, expr)
        assert trees.packed(integers.given(trees.dump(made))) == trees.packed(trees.dump(expr))


# ---- M5: names of keys ----------------------------------------------------------------------------------------------

NAMES = [
    "leaf_0",
    "*",
    "^x$",
    "^.*$",
    "",
    "__vf_key_0",
    "__vf_group",
    "__vf_metric_0",
    "a'\"\nb",
    "x.sum",
    "rows",
    "中",
]


@pytest.mark.parametrize("name", NAMES)
def test_m5_a_key_may_have_any_name(name: str, tmp_path: Path) -> None:
    df = pl.DataFrame({name: ["a", "b", "a"], "x": [1, 2, 3], "y": [1.0, 2.0, 3.0]})
    out = vf.aggregate(df, [name], {"total": X.sum(), "vwap": (X * Y).sum() / X.sum(), "first": Y.first()})
    frame = out.collect()
    assert frame.columns == [name, "total", "vwap", "first"]
    assert frame.rows() == [("a", 4, 2.5, 1.0), ("b", 2, 2.0, 2.0)]
    path = vf.save(out, tmp_path / "20240102.parquet")
    assert vf.load(path).equals(frame)
    assert vf.scan(path, states=True).collect()[name].to_list() == ["a", "b"]
    for merged in (vf.reduce([out]), vf.reduce({"20240102": path}), vf.reduce(path, group_by=[name])):
        assert merged.collect().equals(frame)
    assert vf.reduce({"20240102": path}, by="date").collect()[name].to_list() == ["a", "b"]
    for cube in (vf.Cube.from_partials({"20240102": path}), vf.Cube.from_frame(out)):
        assert cube.table(name, "total").rows() == [("a", 4), ("b", 2)]
        assert cube.brush({name: "a"}).total()["total"] == 4
        assert cube.top("total", 1).rows()[0][:2] == ("a", 4)
        assert cube.marginal(name, "total").rows() == [("a", 4), ("b", 2)]
    assert vf.Cube.from_partials({"20240102": path}).pivot(name, "date", "total", wide=True).rows() == [
        ("a", 4),
        ("b", 2),
    ]
    plain = vf.aggregate(df, [name], {"total": X.sum(), "median": X.median()}, mergeable=False).collect()
    assert plain.rows() == [("a", 4, 2.0), ("b", 2, 2.0)]


# ---- M3: bins travel ------------------------------------------------------------------------------------------------

BINNED = pl.DataFrame({"a": [0.0004, 0.0016, -0.0021, 0.0004], "side": ["B", "S", "B", "S"]})
COUNT = {"n": pl.len()}
EDGES = [vf.Edges("a", cuts, low=-1.0, high=1.0) for cuts in ((0.0, 0.001), (0.0, 0.0010000000000000002))]


def binned(kind: str, which: int, key: str = "") -> pl.LazyFrame:
    """Return an aggregate over bins: of one width or edges, or of others."""
    frame = vf.bin(BINNED, {"a": (1e-3, 1e-4)[which]}) if kind == "bin" else vf.qbin(BINNED, EDGES[which])
    return vf.aggregate(frame, [f"a_{kind}", *([key] if key else [])], COUNT)


def run_of(kind: str, which: int, folder: Path, day: str) -> Path:
    """Return the partial that `run` writes of it."""
    config = vf.Config(input_dir=folder / "days", output_dir=folder / f"out{which}")
    vf.save(BINNED, config.get_file_path(day))
    if kind == "bin":
        vf.run(lambda df, ctx: vf.aggregate(vf.bin(df, {"a": (1e-3, 1e-4)[which]}), ["a_bin"], COUNT), config, day)
    else:
        vf.run(lambda df, ctx: vf.aggregate(vf.qbin(df, EDGES[which]), ["a_qbin"], COUNT), config, day)
    return config.get_partial_path(day)


SOURCES: dict[str, Callable[[str, int, Path, str], Any]] = {
    "frame": lambda kind, which, folder, day: binned(kind, which),
    "save": lambda kind, which, folder, day: vf.save(binned(kind, which), folder / f"{which}{day}.parquet"),
    "load": lambda kind, which, folder, day: vf.load(vf.save(binned(kind, which), folder / f"l{which}{day}.parquet")),
    "scan": lambda kind, which, folder, day: vf.scan(vf.save(binned(kind, which), folder / f"s{which}{day}.parquet")),
    "reduce": lambda kind, which, folder, day: vf.reduce({day: binned(kind, which, "side")}, group_by=[f"a_{kind}"]),
    "run": run_of,
}


@pytest.mark.parametrize("kind", ["bin", "qbin"])
@pytest.mark.parametrize("first", SOURCES)
def test_m3_bins_of_other_widths_or_edges_never_merge(kind: str, first: str, tmp_path: Path) -> None:
    one = SOURCES[first](kind, 0, tmp_path, "20240102")
    for make in SOURCES.values():
        same, other = make(kind, 0, tmp_path, "20240103"), make(kind, 1, tmp_path, "20240103")
        assert vf.reduce({"20240102": one, "20240103": same}).collect()["n"].sum() == 8
        for both in ({"20240102": one, "20240103": other}, {"20240103": other, "20240102": one}):
            with raises(ConfigError, "has other bins than", f"a_{kind}"):
                vf.reduce(both)
            with raises(ConfigError, "has other bins than", f"a_{kind}"):
                vf.Cube.from_partials(both)


def test_m3_a_bin_column_that_was_written_anew_is_not_known_and_does_not_merge() -> None:
    known = binned("bin", 0)
    moved = vf.aggregate(vf.bin(BINNED, {"a": 1e-3}).with_columns(pl.col("a_bin") * 2), ["a_bin"], COUNT)
    with raises(ConfigError, "a width that is not known", "without collecting between"):
        vf.reduce({"20240102": known, "20240103": moved})
    kept = vf.bin(BINNED, {"a": 1e-3}).filter(pl.col("a") > 0).with_columns(b=pl.col("a") * 2).sort("a")
    merged = vf.reduce({"20240102": known, "20240103": vf.aggregate(kept, ["a_bin"], COUNT)})
    assert merged.collect()["n"].sum() == 7


# ---- M6: refusals and their advice ----------------------------------------------------------------------------------

TABLE = pl.DataFrame(
    {
        "k": ["a", "a", "a", "a", "b", "b", "b", "b"],
        "x": [1.0, None, math.nan, 3.0, 0.5, 0.5, -2.0, None],
        "y": [4.0, 1.0, 9.0, 2.5, 8.0, 6.0, 7.0, 0.5],
        "i": [3, None, 5, 1, 2, 2, None, 9],
        "s": ["2024-01-02", None, "2024-01-04", "2024-01-03", "2024-02-01", "2024-02-02", None, "2024-02-05"],
        "d": [dt.date(2024, 1, 2)] * 4 + [dt.date(2024, 1, 4)] * 4,
        "dec": pl.Series([1, None, 2, 3, 4, 5, 6, 7]).cast(pl.Decimal(10, 2)),
        "l": [[1, 2], [3], [4], [5], [6], [7], [8, 9], [10]],
        "b": [True, None, False, True, True, True, None, True],
    }
)
DEC, LIST, ROW = pl.col("dec"), pl.col("l"), {"row": pl.int_range(pl.len()).over("k")}
ENUM = pl.Enum(sorted(set(TABLE["s"].drop_nulls())))
Reads = Callable[[pl.DataFrame], pl.DataFrame]


def as_is(df: pl.DataFrame) -> pl.DataFrame:
    return df


def before(**columns: pl.Expr) -> Reads:
    return lambda df: df.with_columns(**columns)


def counted(column: str) -> Reads:
    """Follow "put the column into group_by": a frame of the distinct values, with their numbers of rows."""
    return lambda df: vf.reduce({"20240102": vf.aggregate(df, ["k", column], COUNT)}).collect()


# name -> the metric; words of the refusal; what is done to the frame; what is computed of it, in Polars' words or ours
ADVICE: dict[str, tuple[pl.Expr, str, Reads, pl.Expr]] = {
    "drop_nulls.len": (INT.drop_nulls().len(), "use count()", as_is, INT.count()),
    "drop_nulls.mean": (INT.drop_nulls().mean(), "leave it out: mean passes over nulls", as_is, INT.mean()),
    "drop_nulls.std": (Y.drop_nulls().std(), "leave it out", as_is, Y.std()),
    "drop_nulls.first": (INT.drop_nulls().first(), "first(ignore_nulls=True)", as_is, INT.first(ignore_nulls=True)),
    "drop_nulls.last": (INT.drop_nulls().last(), "last(ignore_nulls=True)", as_is, INT.last(ignore_nulls=True)),
    "drop_nulls.last2": (
        INT.drop_nulls().last(ignore_nulls=True), "leave it out: last", as_is, INT.last(ignore_nulls=True),
    ),
    "drop_nulls.null_count": (
        INT.drop_nulls().null_count(), ".filter(x.is_not_null())", as_is, INT.filter(INT.is_not_null()).null_count(),
    ),
    "drop_nulls.all": (
        B.drop_nulls().all(ignore_nulls=False), ".filter(x.is_not_null())", as_is,
        B.filter(B.is_not_null()).all(ignore_nulls=False),
    ),
    "drop_nans.mean": (X.drop_nans().mean(), "use fill_nan(None)", as_is, X.fill_nan(None).mean()),
    "drop_nans.var": (X.drop_nans().var(), "use fill_nan(None)", as_is, X.fill_nan(None).var()),
    "drop_nans.count": (X.drop_nans().count(), "use fill_nan(None)", as_is, X.fill_nan(None).count()),
    "drop_nans.len": (
        X.drop_nans().len(), ".filter(x.is_not_nan() | x.is_null())", as_is,
        X.filter(X.is_not_nan() | X.is_null()).len(),
    ),
    "drop_nans.last": (
        X.drop_nans().last(), ".filter(x.is_not_nan() | x.is_null())", as_is,
        X.filter(X.is_not_nan() | X.is_null()).last(),
    ),
    "drop_nans.null_count": (
        X.drop_nans().null_count(), ".filter(x.is_not_nan() | x.is_null())", as_is,
        X.filter(X.is_not_nan() | X.is_null()).null_count(),
    ),
    "max_by": (X.max_by("y"), "(df.sort), and use last()", lambda df: df.sort("y"), X.last()),
    "max_by nulls": (Y.max_by("i"), "(df.sort), and use last()", lambda df: df.sort("i"), Y.last()),
    "min_by": (X.min_by("y"), "descending=True), and use last()", lambda df: df.sort("y", descending=True), X.last()),
    "min_by nulls": (
        Y.min_by("i"), "descending=True), and use last()",
        lambda df: df.filter(pl.col("y") != 8).sort("i", descending=True), Y.last(),
    ),
    "sort_by": (X.sort_by("y").last(), "sort the frame before aggregate", lambda df: df.sort("y"), X.last()),
    "sort_by first": (X.sort_by("y").first(), "sort the frame before aggregate", lambda df: df.sort("y"), X.first()),
    "sort": (Y.sort().first(), "use min() or max()", as_is, Y.min()),
    "sort last": (Y.sort().last(), "or sort the frame", lambda df: df.sort("y"), Y.last()),
    "strptime": (S.str.to_date().max(), "give the format", as_is, S.str.to_date("%Y-%m-%d").max()),
    "strptime datetime": (
        (S + " 09:30:00").str.to_datetime().max(), "give the format", as_is,
        (S + " 09:30:00").str.to_datetime("%Y-%m-%d %H:%M:%S").max(),
    ),
    "n_unique": (S.n_unique(), "count the rows of the reduced frame", counted("s"), pl.len()),
    "approx_n_unique": (S.approx_n_unique(), "count the rows of the reduced frame", counted("s"), pl.len()),
    "unique": (INT.unique().sum(), "a row for each of its values", counted("i"), INT.sum()),
    "unique len": (INT.unique().len(), "a row for each of its values", counted("i"), pl.len()),
    "mode": (
        D.mode().first(), "look for the largest in the reduced frame",
        lambda df: counted("d")(df).sort("n"), D.last(),
    ),
    "value_counts": (
        D.value_counts().struct.field("count").first(), "put the column into group_by with pl.len()",
        counted("d"), pl.col("n").cast(pl.UInt32).first(),
    ),
    "nan_max": (
        X.nan_max(), "pl.when(x.is_nan().any())", as_is,
        pl.when(X.is_nan().any()).then(float("nan")).otherwise(X.max()),
    ),
    "nan_min": (
        X.nan_min(), "pl.when(x.is_nan().any())", as_is,
        pl.when(X.is_nan().any()).then(float("nan")).otherwise(X.min()),
    ),
    "has_nulls": (INT.has_nulls(), "use null_count() > 0", as_is, INT.null_count() > 0),
    "item": (D.filter(Y.is_in([4.0, 8.0])).item(), "use first()", as_is, D.filter(Y.is_in([4.0, 8.0])).first()),
    "explode": (LIST.explode().sum(), "df.explode", lambda df: df.explode("l"), LIST.sum()),
    "over": (Y.sum().over("k").max(), "before aggregate", before(m=Y.sum().over("k")), pl.col("m").max()),
    "over within": (
        (Y / Y.sum().over("k")).sum(), "before aggregate", before(m=Y / Y.sum().over("k")), pl.col("m").sum(),
    ),
    "nested": (
        (Y - Y.mean()).abs().sum(), "with_columns(inner=(...).over('k'))",
        before(inner=Y.mean().over("k")), (Y - pl.col("inner")).abs().sum(),
    ),
    "head": (
        Y.head(2).sum(), ".filter(pl.col('row') < n) is head(n)", before(**ROW), Y.filter(pl.col("row") < 2).sum(),
    ),
    "slice": (Y.slice(0, 3).last(), ".filter(pl.col('row') < n)", before(**ROW), Y.filter(pl.col("row") < 3).last()),
    "get": (
        Y.get(1), ".filter(pl.col('row') == i).first() is get(i)", before(**ROW), Y.filter(pl.col("row") == 1).first(),
    ),
    "corr spearman": (
        pl.corr(Y, INT.fill_null(0), method="spearman"), "take pl.corr of them",
        before(p=Y.rank().over("k"), q=INT.fill_null(0).rank().over("k")), pl.corr("p", "q"),
    ),
    "filter twice": (
        Y.filter(Y > 1).filter(pl.lit(True)).sum(), "combine the conditions with &", as_is,
        Y.filter((Y > 1) & pl.lit(True)).sum(),
    ),
    "filter inside": ((Y.filter(Y > 1) * 2).sum(), "filter last", as_is, (Y * 2).filter(Y > 1).sum()),
    "filter of two": (
        pl.corr(Y.filter(Y > 1), (Y * Y).filter(Y > 1.0)), "filter both in the same way", as_is,
        pl.corr(Y.filter(Y > 1), (Y * Y).filter(Y > 1)),
    ),
    "max of text": (S.max(), "the max of the reduced frame's column", counted("s"), S.max()),
    "min of text": (S.min(), "the min of the reduced frame's column", counted("s"), S.min()),
    "first of text": (
        S.first(), "cast(pl.Enum([...])).to_physical()", as_is, S.cast(ENUM).to_physical().first(),
    ),
    "mean of dates": (D.mean(), "cast it to Int64, and the mean back", as_is, D.cast(pl.Int64).mean()),
    "sum of decimals": (DEC.sum(), "cast it to Float64", as_is, DEC.cast(pl.Float64).sum()),
    "first of lists": (LIST.first(), "take a number out of it", as_is, LIST.list.get(0).first()),
    "int128": (INT.cast(pl.Int128).sum(), "cast it to Float64 or Int64", as_is, INT.cast(pl.Int64).sum()),
    "python": (
        Y.map_elements(math.frexp(2.0)[0].__mul__, return_dtype=pl.Float64).sum(), "before aggregate",
        before(m=Y.map_elements(math.frexp(2.0)[0].__mul__, return_dtype=pl.Float64)), pl.col("m").sum(),
    ),
    **{
        name: (
            made.sum(), f"within its group: with_columns(pl.col(...).{shown}", before(m=made.over("k")),
            pl.col("m").sum(),
        )
        for name, shown, made in (
            ("diff", "diff(...).over('k')", Y.diff()), ("shift", "shift(...).over('k')", Y.shift(1)),
            ("cum_sum", "cum_sum(...)", Y.cum_sum()), ("rank", "rank(...)", Y.rank()),
            ("pct_change", "pct_change(...)", Y.pct_change()),
            ("rolling", "rolling(...)", Y.rolling_mean(2)), ("ewm_mean", "ewm_mean(...)", Y.ewm_mean(com=1)),
            ("fill_null", "fill_null(strategy=...).over('k')", INT.forward_fill()),
            ("is_duplicated", "is_duplicated(...)", INT.is_duplicated()),
            ("is_first_distinct", "is_first_distinct(...)", INT.is_first_distinct()),
            ("interpolate", "interpolate(...)", INT.interpolate()),
            ("rle_id", "rle_id(...)", INT.rle_id()), ("peak_max", "peak_max(...)", Y.peak_max()),
        )
    },
}  # fmt: skip
# what no partial holds, and where the message says no more than how to go without
WITHOUT = {
    "implode": Y.implode(), "arg_max": Y.arg_max(), "arg_min": Y.arg_min(), "entropy": Y.entropy(),
    "top_k": Y.top_k(2).sum(), "search_sorted": Y.search_sorted(1.0), "bitwise": INT.bitwise_and(),
}  # fmt: skip
READ: dict[str, Callable[[pl.Series], pl.Series]] = {  # what Polars gives, in the numbers that are computed instead
    "mean of dates": lambda v: v.to_physical() / 86_400_000_000,
    "first of text": lambda v: v.cast(ENUM).to_physical(),
    "first of lists": lambda v: v.list.get(0),
    "sum of decimals": lambda v: v.cast(pl.Float64),
}


def alike(found: pl.Series, expected: pl.Series) -> None:
    """Check that two columns hold the same values; floats to a few ulp."""
    assert found.cast(expected.dtype).rename("").to_list() == [
        value if not isinstance(value, float) else pytest.approx(value, rel=1e-12, nan_ok=True)
        for value in expected.to_list()
    ]


@pytest.mark.parametrize("name", ADVICE)
def test_m6_the_advice_of_a_refusal_gives_the_number_of_polars(name: str) -> None:
    metric, words, read, instead = ADVICE[name]
    with raises(ConfigError, "cannot be merged over dates", words, "mergeable=False", column="m"):
        vf.aggregate(TABLE, ["k"], {"m": metric})
    given = TABLE.filter(Y != 8) if name == "min_by nulls" else TABLE
    expected = given.group_by("k").agg(m=metric).sort("k")["m"]
    frame = read(TABLE)
    if frame.columns[-1] == "n":  # a reduced frame, to be asked in Polars
        found = frame.group_by("k", maintain_order=True).agg(m=instead).sort("k")["m"]
    else:
        found = vf.aggregate(frame, ["k"], {"m": instead}).collect()["m"]
    alike(found, READ[name](expected) if name in READ else expected)


def test_m6_the_power_sums_of_skew_and_kurtosis_give_them() -> None:
    sums = {"n": pl.len(), **{f"s{p}": (Y**p).sum() for p in (1, 2, 3, 4)}}
    n, s1, s2, s3, s4 = (pl.col(name) for name in sums)
    mean = s1 / n
    m2, m3 = s2 / n - mean**2, s3 / n - 3 * mean * s2 / n + 2 * mean**3
    m4 = s4 / n - 4 * mean * s3 / n + 6 * mean**2 * s2 / n - 3 * mean**4
    derived = {"skew": m3 / m2**1.5, "kurtosis": m4 / m2**2 - 3}
    for metric in (Y.skew(), Y.kurtosis()):
        with raises(ConfigError, "power sums", "derived="):
            vf.aggregate(TABLE, ["k"], {"m": metric})
    found = vf.aggregate(TABLE, ["k"], sums, derived=derived).collect()
    expected = TABLE.group_by("k").agg(skew=Y.skew(), kurtosis=Y.kurtosis()).sort("k")
    for name in derived:
        assert found[name].to_list() == pytest.approx(expected[name].to_list(), rel=1e-9)


def test_m6_a_quantile_of_bins_is_right_to_a_bins_width() -> None:
    for metric in (Y.median(), Y.quantile(0.5)):
        with raises(ConfigError, "ask Cube.quantile: right to a bin's width"):
            vf.aggregate(TABLE, ["k"], {"m": metric})
    cube = vf.Cube.from_frame(vf.aggregate(vf.bin(TABLE, {"y": 0.01}), ["k", "y_bin"], {"n": pl.len()}))
    found = cube.quantile("y_bin", 0.5, by="k")["quantile"].to_list()
    assert found == pytest.approx(TABLE.group_by("k").agg(Y.quantile(0.5)).sort("k")["y"].to_list(), abs=0.01)


@pytest.mark.parametrize("name", WITHOUT)
def test_m6_without_a_way_the_message_names_none(name: str) -> None:
    with raises(ConfigError, "at once; pass mergeable=False, which computes") as caught:
        vf.aggregate(TABLE, ["k"], {"m": WITHOUT[name]})
    assert caught.error is not None
    made = vf.aggregate(TABLE, ["k"], {"m": WITHOUT[name]}, mergeable=False).collect()
    alike(made["m"], TABLE.group_by("k").agg(m=WITHOUT[name]).sort("k")["m"])


def test_m6_every_remedy_is_in_the_table() -> None:
    tried = [name.split()[0].split(".")[0] for name in ADVICE]
    assert set(_metrics._REMEDIES) - {*tried, *WITHOUT} == {"median", "quantile", "skew", "kurtosis"}


def test_m6_what_is_computed_of_aggregates_can_be_computed_later() -> None:
    with raises(ConfigError, "holds the function 'is_in'", "give its parts as metrics", "with_columns"):
        vf.aggregate(TABLE, ["k"], {"m": Y.sum().is_in([16.5])})
    merged = vf.reduce({"20240102": vf.aggregate(TABLE, ["k"], {"s": Y.sum()})})
    found = merged.with_columns(m=pl.col("s").is_in([16.5]))
    assert found.collect()["m"].to_list() == TABLE.group_by("k").agg(Y.sum().is_in([16.5])).sort("k")["y"].to_list()


# ---- M6: numbers of numpy ------------------------------------------------------------------------------------------

PRICES = pl.DataFrame({"symbol": ["a"] * 3, "elapsed_seconds": [0, 60, 120], "price": [1.0, 2, 4], "b": [1, 5, 9]})
NUMBERS_OF: dict[str, Callable[[Any], Any]] = {
    "forward_return": lambda n: vf.forward_return(PRICES, [n * 30], price_col="price").collect(),
    "forward_return tolerance": lambda n: vf.forward_return(PRICES, [60], price_col="price", tolerance=n).collect(),
    "forward_return end": lambda n: vf.forward_return(PRICES, [60], price_col="price", end=n).collect(),
    "merge_forward": lambda n: vf.merge_forward(PRICES, PRICES, ["price"], [n]).collect(),
    "merge_forward tolerance": lambda n: (
        vf.merge_forward(PRICES, PRICES, ["price"], [60], tolerance=n).collect()
    ),
    "bin": lambda n: vf.bin(PRICES, {"b": n}).collect(),
    "grace": lambda n: vf.parse_time(DAY, vf.CN, "t", unit="HHMMSS", grace=n).collect(),
    "near_integer": lambda n: PRICES.select(vf.near_integer("price", tolerance=n / 8)),
    "qbin_edges": lambda n: vf.qbin_edges(PRICES, "b", n).cuts,
    "memory_limit": lambda n: vf.Cube.from_frame(
        vf.aggregate(PRICES, ["b"], COUNT), memory_limit=np.int64(n) << 20 if isinstance(n, np.generic) else n << 20
    ).total(),
    "bins": lambda n: (
        vf.Cube.from_frame(vf.aggregate(PRICES, ["b"], COUNT), bins={"b": n}).brush({"b": [n, n + 3]}).total()
    ),
    "quantile": lambda n: (
        vf.Cube.from_frame(vf.aggregate(PRICES, ["b"], COUNT), bins={"b": n}).quantile("b", n / 4).rows()
    ),
    "lags": lambda n: vf.stats.over_dates(
        pl.DataFrame({"date": [1, 2, 3, 4], "ic": [0.02, 0.04, 0.01, 0.04]}), "ic", lags=n
    ).rows(),
    "metric": lambda n: vf.aggregate(PRICES, [], {"m": (pl.col("b") * n).sum()}).collect().item(),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS_OF)
def test_m6_numbers_of_numpy_are_numbers(name: str) -> None:
    call = NUMBERS_OF[name]
    expected = call(2)
    for number in (np.int64(2), np.int16(2), np.uint8(2)):
        found = call(number)
        if isinstance(expected, pl.DataFrame):
            assert found.equals(expected)
            assert found.columns == expected.columns
        else:
            assert found == expected


def test_m6_what_is_no_number_is_refused_with_the_bounds() -> None:
    for wrong in (1e9, np.float64(1e9), True, np.bool_(True), "60", None, math.nan, 0, -1):
        with raises(ConfigError, "a positive number of seconds, below 1e9, is accepted"):
            vf.forward_return(PRICES, [wrong], price_col="price")
    for wrong in (1e9, -1e9, True, np.bool_(True), "60", math.nan):
        with raises(ConfigError, "a number of seconds above -1e9 and below 1e9 is accepted"):
            vf.merge_forward(PRICES, PRICES, ["price"], [wrong])
    with raises(ConfigError, "horizons is a list of seconds"):
        vf.forward_return(PRICES, np.int64(60), price_col="price")  # type: ignore[arg-type]


# ---- M7: keys that are null throughout a day ------------------------------------------------------------------------

FULL, NULLS = pl.DataFrame({"k": ["a", "b"], "x": [1, 2]}), pl.DataFrame({"k": [None, None], "x": [3, 4]})
SUMS = {"n": pl.len(), "s": X.sum(), "first": X.first()}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("how", ["frame", "save", "load", "run"])
def test_m7_a_key_that_is_null_throughout_a_day_merges(how: str, turned: bool, tmp_path: Path) -> None:
    assert NULLS.schema["k"] == pl.Null
    days: dict[str, Any] = {}
    config = vf.Config(input_dir=tmp_path / "days", output_dir=tmp_path / "out")
    for day, frame in zip(("20240102", "20240103"), (NULLS, FULL) if turned else (FULL, NULLS), strict=True):
        made = vf.aggregate(frame, ["k"], SUMS)
        if how == "run":
            vf.save(frame, config.get_file_path(day))
            vf.run(lambda df, ctx: vf.aggregate(df, ["k"], SUMS), config, day)
        path = vf.save(made, tmp_path / f"{day}.parquet")
        days[day] = {
            "frame": made,
            "save": path,
            "load": vf.load(path),
            "run": config.get_partial_path(day),
        }[how]
    merged = vf.reduce(days)
    assert merged.collect_schema()["k"] == pl.String
    assert merged.collect().rows() == [(None, 2, 7, 3), ("a", 1, 1, 1), ("b", 1, 2, 2)]
    by_date = vf.reduce(days, by="date").collect()
    cube = vf.Cube.from_partials(days)
    assert cube.table(["date", "k"]).equals(by_date)
    assert cube.brush({"k": None}).total() == {"n": 2, "s": 7, "first": 3}
    assert cube.dims["k"].values.dtype == pl.String
    again = vf.load(vf.save(merged, tmp_path / "all" / "all.parquet"))
    assert again.equals(merged.collect())


def test_m7_a_value_that_is_null_throughout_a_day_is_told_with_the_way_out() -> None:
    null = pl.DataFrame({"k": ["a"], "x": [None]})
    with raises(ConfigError, "x is null throughout", "pl.col('x').cast(pl.Float64)", column="s"):
        vf.aggregate(null, ["k"], {"s": X.sum()})
    typed = {"s": X.cast(pl.Int64).sum()}
    days = {"20240102": vf.aggregate(FULL, ["k"], typed), "20240103": vf.aggregate(null, ["k"], typed)}
    assert vf.reduce(days).collect().rows() == [("a", 1), ("b", 2)]


# ---- M9: the date travels -------------------------------------------------------------------------------------------

DAY = pl.DataFrame({"t": [93000, 93001], "x": [1, 2]})
SAID: dict[str, Callable[[pl.DataFrame, str], pl.LazyFrame]] = {
    "parse_time": lambda df, day: vf.parse_time(df, vf.CN, "t", unit="HHMMSS", date=day),
    "market": lambda df, day: vf.parse_time(df, vf.CN.on(day), "t", unit="HHMMSS"),
    "after steps": lambda df, day: (
        vf.forward_return(
            vf.parse_time(df, vf.CN, "t", unit="HHMMSS", date=day).with_columns(s=pl.lit("a"), p=pl.lit(1.0)),
            [1], price_col="p", symbol_col="s",
        )
    ),
    "dates": lambda df, day: df.lazy().with_columns(date=pl.lit(dt.datetime.strptime(day, "%Y%m%d").date())),
    "text": lambda df, day: df.lazy().with_columns(date=pl.lit(day)),
    "numbers": lambda df, day: df.lazy().with_columns(date=pl.lit(int(day))),
}  # fmt: skip


@pytest.mark.parametrize("how", SAID)
def test_m9_a_partial_of_save_knows_its_date_and_no_day_is_counted_twice(how: str, tmp_path: Path) -> None:
    def day(date: str) -> pl.LazyFrame:
        return vf.aggregate(SAID[how](DAY, date), [], SUMS)

    one = vf.save(day("20240102"), tmp_path / "monday.parquet")
    known = file.info(one)
    assert known is not None
    assert known.dates == ("20240102",)
    copy = vf.save(day("20240102"), tmp_path / "again.parquet")
    other = vf.save(day("20240103"), tmp_path / "tuesday.parquet")
    assert vf.reduce([one, other], by="date").collect()["s"].to_list() == [3, 3]
    assert vf.Cube.from_partials([one, other]).dates == ["20240102", "20240103"]
    for twice in ([one, copy], [vf.load(one), vf.load(copy)], [one, vf.scan(copy)]):
        with raises(ConfigError, "date 20240102 is in", "its rows would count twice"):
            vf.reduce(twice)
    with raises(ConfigError, "it holds the dates 20240102, and is given as 20240104"):
        vf.reduce({"20240104": one})


@pytest.mark.parametrize("how", SAID)
def test_m9_frames_of_one_day_are_not_counted_twice(how: str) -> None:
    def day(date: str) -> pl.LazyFrame:
        return vf.aggregate(SAID[how](DAY, date), [], {"s": X.sum()})

    with raises(ConfigError, "date 20240102 is in", "its rows would count twice"):
        vf.reduce([day("20240102"), day("20240102")]).collect()
    with raises(ConfigError, "it holds the dates 20240102, and is given as 20240104"):
        vf.reduce({"20240104": day("20240102")}).collect()
    merged = vf.reduce([day("20240102"), day("20240103")])
    assert merged.collect().rows() == [(6,)]
    assert vf.Cube.from_frame(day("20240102")).dates == ["20240102"]


def test_m9_a_copy_of_a_partial_without_a_date_is_not_counted_twice(tmp_path: Path) -> None:
    metrics = {"s": X.sum()}
    one = vf.save(vf.aggregate(DAY, [], metrics), tmp_path / "a.parquet")
    copy = tmp_path / "b.parquet"
    copy.write_bytes(one.read_bytes())
    for twice in ([one, copy], [one, one], tmp_path):
        with raises(ConfigError, "once more", "pass a mapping of dates to partials"):
            vf.reduce(twice)
    assert vf.reduce({"20240102": one, "20240103": copy}).collect().item() == 6
    none = vf.save(vf.aggregate(DAY.clear(), ["t"], metrics), tmp_path / "n" / "a.parquet")
    (tmp_path / "n" / "b.parquet").write_bytes(none.read_bytes())
    assert vf.reduce(tmp_path / "n").collect().height == 0


def test_m9_dates_of_several_days_and_of_none(tmp_path: Path) -> None:
    two = pl.DataFrame({"date": [dt.date(2024, 1, 2), dt.date(2024, 1, 3), None], "x": [1, 2, 4]})
    for frame, keys, dates in (
        (two, [], ("20240102", "20240103")),
        (two, ["date"], ("20240102", "20240103")),
        (two.with_columns(date=pl.lit("weekday")), [], ()),
        (two.with_columns(date=pl.col("x") / 2), [], ()),
        (two.drop("date"), [], ()),
        (two.clear(), [], ()),
    ):
        known = file.info(vf.save(vf.aggregate(frame, keys, {"s": X.sum()}), tmp_path / "p.parquet"))
        assert known is not None
        assert known.dates == dates
    merged = vf.reduce([vf.aggregate(two.filter(pl.col("x") == x), [], {"s": X.sum()}) for x in (1, 2)])
    known = file.info(vf.save(merged, tmp_path / "m.parquet"))
    assert known is not None
    assert known.dates == ("20240102", "20240103")


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_m9_a_day_without_rows_is_on_the_axis_of_dates(layout: Any, tmp_path: Path) -> None:
    made = [vf.aggregate(frame, ["k"], SUMS) for frame in (FULL, FULL.clear(), FULL)]
    days = dict(zip(("20240102", "20240103", "20240104"), made, strict=True))
    paths = {day: vf.save(one, tmp_path / f"{day}.parquet") for day, one in days.items()}
    for cube in (
        vf.Cube.from_partials(days, layout=layout),
        vf.Cube.from_partials(paths, layout=layout),
        vf.Cube.from_frame(vf.reduce(days, by="date"), layout=layout),
        vf.Cube.open(vf.Cube.from_partials(days, layout=layout).save(tmp_path / "c.arrow")),
    ):
        assert cube.dates == ["20240102", "20240103", "20240104"]
        assert cube.brush({"date": "20240103"}).total() == {"n": 0, "s": 0, "first": None}
        assert cube.brush({"date": ["20240103", "20240104"]}).total() == {"n": 2, "s": 3, "first": 1}
        assert cube.brush({"date": ("20240103", None)}).table("k", "s").rows() == [("a", 1), ("b", 2)]
        assert cube.table("date", "s").rows() == [(dt.date(2024, 1, 2), 3), (dt.date(2024, 1, 4), 3)]
        assert cube.total() == {"n": 4, "s": 6, "first": 1}
    none = vf.Cube.from_partials({"20240103": days["20240103"]}, layout=layout)
    assert none.dates == ["20240103"]
    assert none.total() == {"n": 0, "s": 0, "first": None}
    with raises(ConfigError, "there is no 20240105 on this axis"):
        none.brush({"date": "20240105"})


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["b", "a"])])
def test_m9_categories_keep_their_type_everywhere(dtype: Any, tmp_path: Path) -> None:
    made = vf.aggregate(FULL.with_columns(pl.col("k").cast(dtype)), ["k"], SUMS)
    path = vf.save(made, tmp_path / "20240102.parquet")
    cube = vf.Cube.from_partials({"20240102": path, "20240103": made})
    again = vf.Cube.open(cube.save(tmp_path / "c.arrow"))
    merged = vf.reduce({"20240102": path, "20240103": made}).collect()
    for frame in (vf.load(path), merged, cube.table("k"), again.table("k"), cube.pivot("k"), cube.marginal("k")):
        assert frame.schema["k"] == dtype
        assert frame["k"].cast(pl.String).to_list() == (["b", "a"] if dtype == pl.Enum(["b", "a"]) else ["a", "b"])
    assert again.brush({"k": "a"}).total() == {"n": 2, "s": 2, "first": 1}
