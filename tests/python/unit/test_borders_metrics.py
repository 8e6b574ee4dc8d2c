"""Where right numbers went wrong at the borders of metrics: literals, plans that look alike, integers, names, days."""

from __future__ import annotations

import datetime as dt
import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vizflow as vf
from support import raises
from vizflow import _integers, _metrics, _partial, _trees
from vizflow._states import Plan
from vizflow.errors import ConfigError, DataError

X, Y, S = pl.col("x"), pl.col("y"), pl.col("s")


def plan_of(metrics: dict[str, pl.Expr] | pl.Expr, schema: dict[str, Any], keys: tuple[str, ...] = ()) -> Plan:
    """Give the plan of metrics over an empty frame of that schema."""
    named = {"m": metrics} if isinstance(metrics, pl.Expr) else metrics
    plan = _partial.plan_of(vf.aggregate(pl.DataFrame(schema=schema), keys, named))
    assert plan is not None
    return plan


def bits(word: int) -> float:
    """Give the double of 64 bits."""
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
            tree = _trees.dump(read.finish[name])
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
    assert _trees.same(_trees.load(_trees.dump(expr)), expr)
    assert _trees.packed(_trees.dump(expr)) == expr.meta.serialize(format="binary")


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
    """Give lists of row-wise expressions that differ in one option or literal each."""
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
    """Give lists of metrics that differ in one option or literal of the aggregate, or of what is computed from it."""
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
        "import polars as pl, vizflow as vf\nfrom vizflow._partial import plan_of\n"
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
        made = _integers.checked(expr, empty, "m")
        assert not _trees.same(made, expr)
        assert _trees.packed(_integers.given(_trees.dump(made))) == _trees.packed(_trees.dump(expr))


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
