"""Merging partials: equal to one aggregate over all the rows. Integers, keys and nulls EXACT, floats EPS(1e-12) of the
condition that their sum has; the same bits for every order of parts, chunking and number of threads; nested trees
within 1e-15.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import vizflow as vf
import vizflow._core as _core
from support import chunked
from vizflow.partials import traced as _traced
from vizflow.partials.metrics import merging

X, Y, N, B = pl.col("x"), pl.col("y"), pl.col("i"), pl.col("b")
P = X > 0.5
SCHEMA = {
    "k": pl.Int64, "s": pl.String, "x": pl.Float64, "y": pl.Float32, "i": pl.Int32, "u": pl.UInt64, "b": pl.Boolean,
    "t": pl.Datetime("us"), "d": pl.Duration("ms"),
}  # fmt: skip

EXACT = {
    "len": pl.len(),
    "x_len": X.len(),
    "count": X.count(),
    "nulls": X.null_count(),
    "isum": N.sum(),
    "usum": pl.col("u").sum(),
    "bsum": B.sum(),
    "dsum": pl.col("d").sum(),
    "imin": N.min(),
    "imax": N.max(),
    "umax": pl.col("u").max(),
    "xmin": X.min(),
    "xmax": X.max(),
    "bmin": B.min(),
    "tmin": pl.col("t").min(),
    "tmax": pl.col("t").max(),
    "first": X.first(),
    "last": N.last(),
    "first_t": pl.col("t").first(),
    "first_nn": X.first(ignore_nulls=True),
    "last_nn": B.last(ignore_nulls=True),
    "first_f": X.filter(N > 0).first(),
    "last_f": N.filter(B).last(),
    "any": B.any(),
    "all": B.all(),
    "any_k": B.any(ignore_nulls=False),
    "all_k": B.all(ignore_nulls=False),
    "any_f": B.filter(P).any(),
    "len_f": X.filter(P).len(),
    "count_f": N.filter(P).count(),
    "nulls_f": X.filter(B).null_count(),
    "isum_f": N.filter(P).sum(),
    "iprod": (N.clip(-2, 2)).product(),
    "when": pl.when(N.sum() > 3).then(N.max()).otherwise(None),
    "filled": N.max().fill_null(-1),
    "cast": N.sum().cast(pl.Float32),
}
FLOATS = {
    "xsum": X.sum(),
    "ysum": Y.sum(),
    "xmean": X.mean(),
    "imean": N.mean(),
    "umean": pl.col("u").mean(),
    "bmean": B.mean(),
    "xsum_f": X.filter(N > 0).sum(),
    "xmean_f": X.filter(N > 0).mean(),
    "ratio": (X * N).sum() / N.sum(),
    "xprod": (X / 100).product(),
    "log": (X.abs().sum() + 1).log(10),
}
MOMENTS = {
    "var": X.var(),
    "var0": X.var(ddof=0),
    "std": X.std(),
    "ivar": N.var(ddof=2),
    "var_f": X.filter(B).var(),
    "cov": pl.cov("x", "i"),
    "cov0": pl.cov("x", "y", ddof=0),
    "corr": pl.corr("x", "i"),
}
METRICS = {**EXACT, **FLOATS, **MOMENTS}
DERIVED = {"per_row": pl.col("isum") / pl.col("len"), "twice": pl.col("per_row") * 2}
CHOSEN = st.lists(st.sampled_from(list(METRICS)), min_size=1, max_size=8, unique=True).map(
    lambda names: {name: METRICS[name] for name in dict.fromkeys(["len", "isum", *names])}
)

NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.floats(0.4, 0.6), st.sampled_from([0.0, -0.0, 1.0, 1e-9, 1e6]), st.none())
WILD = st.one_of(NUMBERS, st.sampled_from([math.nan, math.inf, -math.inf]))
ROW = {
    "k": st.one_of(st.integers(-1, 2), st.none()),
    "s": st.sampled_from(["", "B", "S", "a longer side than twelve bytes", None]),
    "y": st.one_of(st.floats(-1e3, 1e3, width=32), st.none()),
    "i": st.one_of(st.integers(-5, 5), st.just(2**31 - 1), st.none()),
    "u": st.one_of(st.integers(0, 2**40), st.none()),
    "b": st.sampled_from([True, False, None]),
    "t": st.one_of(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2025, 1, 1)), st.none()),
    "d": st.one_of(st.integers(-1000, 1000).map(lambda ms: dt.timedelta(milliseconds=ms)), st.none()),
}


@st.composite
def days(draw: st.DrawFn, wild: bool = True) -> dict[str, pl.DataFrame]:
    """Up to seven dates, some missing, of up to ten rows, some of none."""
    chosen = draw(st.lists(st.integers(1, 28), min_size=1, max_size=7, unique=True))
    row = st.fixed_dictionaries({**ROW, "x": WILD if wild else NUMBERS})
    return {
        f"202402{day:02d}": pl.DataFrame(draw(st.lists(row, max_size=10)), schema=SCHEMA, orient="row")
        for day in sorted(chosen)
    }


KEYS = st.sampled_from([["k"], ["s"], ["k", "s"], [], ["b", "s", "k"]])


def whole(parts: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(parts.values())


def partials(parts: dict[str, pl.DataFrame], keys: list[str], metrics: dict[str, pl.Expr]) -> dict[str, pl.LazyFrame]:
    return {day: vf.aggregate(frame, keys, metrics, derived=DERIVED) for day, frame in parts.items()}


def split(metrics: dict[str, pl.Expr]) -> tuple[list[str], list[str]]:
    """Names of the exact ones, and of the others."""
    return [name for name in metrics if name in EXACT], [name for name in metrics if name not in EXACT]


def bits(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return value


def assert_same_bits(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert left.schema == right.schema
    assert [list(map(bits, row)) for row in left.rows()] == [list(map(bits, row)) for row in right.rows()]


def noise(group: pl.DataFrame) -> dict[str, float]:
    """What rounding a sum of these sizes may do to each metric: EPS(1e-12) of what cancels in it."""
    x = [abs(v) for v in group["x"] if v is not None and math.isfinite(v)] or [0.0]
    i = [abs(v) for v in group["i"].drop_nulls()] or [0]
    largest, n = max(x) + 1e-300, len(x)
    return {
        "xsum": n * largest, "xmean": largest, "xsum_f": n * largest, "xmean_f": largest, "var": largest**2 * n,
        "var0": largest**2 * n, "var_f": largest**2 * n, "cov": n * largest * max(i), "cov0": n * largest * 1e3,
    }  # fmt: skip


def close(got: float | None, want: float | None, size: float) -> bool:
    if got is None or want is None or not math.isfinite(want):
        return bits(got) == bits(want)
    return abs(got - want) <= 1e-12 * max(abs(want), size * 1e-3)


@settings(max_examples=420)
@given(parts=days(), keys=KEYS, metrics=CHOSEN)
def test_reduce_is_the_direct_aggregate(
    parts: dict[str, pl.DataFrame], keys: list[str], metrics: dict[str, pl.Expr]
) -> None:
    got = vf.reduce(partials(parts, keys, metrics)).collect()
    rows = whole(parts)
    want = vf.aggregate(rows, keys, metrics, derived=DERIVED).collect()
    assert got.columns == want.columns
    assert got.schema == want.schema
    exact, others = split(metrics)
    assert_same_bits(got.select(*keys, *exact, *DERIVED), want.select(*keys, *exact, *DERIVED))
    groups = dict(iter(rows.group_by(keys))) if keys else {(): rows}
    for a, b in zip(got.to_dicts(), want.to_dicts(), strict=True):
        sizes = noise(groups[tuple(a[key] for key in keys)])
        for name in others:
            assert close(a[name], b[name], sizes.get(name, 0.0)), (name, a[name], b[name])


@settings(max_examples=60)
@given(parts=days(wild=False), keys=KEYS, metrics=CHOSEN, data=st.data())
def test_any_subset_of_dimensions_and_dates(
    parts: dict[str, pl.DataFrame], keys: list[str], metrics: dict[str, pl.Expr], data: st.DataObject
) -> None:
    names = data.draw(st.permutations(keys))
    inner = names[: data.draw(st.integers(0, len(names)))]
    chosen = data.draw(st.lists(st.sampled_from(list(parts)), min_size=1, unique=True))
    got = vf.reduce(partials(parts, keys, metrics), dates=chosen, group_by=inner).collect()
    want = vf.aggregate(whole({day: parts[day] for day in sorted(chosen)}), inner, metrics, derived=DERIVED).collect()
    exact, others = split(metrics)
    assert_same_bits(got.select(*inner, *exact), want.select(*inner, *exact))
    assert_frame_equal(got.select(others), want.select(others), rel_tol=1e-9, abs_tol=1e-6)


@settings(max_examples=50)
@given(parts=days(), keys=KEYS, metrics=CHOSEN)
def test_series_by_date_is_each_days_own_aggregate(
    parts: dict[str, pl.DataFrame], keys: list[str], metrics: dict[str, pl.Expr]
) -> None:
    frames = partials(parts, keys, metrics)
    own = [
        frame.collect().select(pl.lit(dt.datetime.strptime(day, "%Y%m%d").date()).alias("date"), pl.all())
        for day, frame in frames.items()
    ]
    assert_same_bits(vf.reduce(frames, by="date").collect(), pl.concat(own))


@settings(max_examples=60)
@given(parts=days(), keys=KEYS, metrics=CHOSEN, data=st.data())
def test_order_and_chunks_change_no_bit(
    parts: dict[str, pl.DataFrame], keys: list[str], metrics: dict[str, pl.Expr], data: st.DataObject
) -> None:
    frames = partials(parts, keys, metrics)
    want = vf.reduce(frames).collect()
    order = data.draw(st.permutations(list(frames)))
    assert_same_bits(vf.reduce({day: frames[day] for day in order}).collect(), want)
    cut = {day: chunked(frame, data.draw(st.integers(1, 4))) for day, frame in parts.items()}
    assert_same_bits(vf.reduce(partials(cut, keys, metrics)).collect(engine="in-memory"), want)


@settings(max_examples=60)
@given(parts=days(wild=False), keys=KEYS, metrics=CHOSEN, data=st.data())
def test_nested_merges_agree(
    parts: dict[str, pl.DataFrame], keys: list[str], metrics: dict[str, pl.Expr], data: st.DataObject
) -> None:
    frames = list(partials(parts, keys, metrics).items())
    want = vf.reduce(dict(frames)).collect()
    merged: list[Any] = [vf.reduce(dict([one])) for one in data.draw(st.permutations(frames))]
    while len(merged) > 1:
        n = data.draw(st.integers(2, len(merged)))
        start = data.draw(st.integers(0, len(merged) - n))
        merged[start : start + n] = [vf.reduce(merged[start : start + n])]
    got = merged[0].collect()
    exact, others = split(metrics)
    assert_same_bits(got.select(*keys, *exact), want.select(*keys, *exact))
    sums = [name for name in others if name in FLOATS]
    assert_frame_equal(got.select(sums), want.select(sums), rel_tol=1e-15, abs_tol=1e-300)
    rest = [name for name in others if name in MOMENTS]
    assert_frame_equal(got.select(rest), want.select(rest), rel_tol=1e-12, abs_tol=1e-12)


@settings(max_examples=40)
@given(parts=days(wild=False), keys=KEYS, metrics=CHOSEN)
def test_metrics_are_what_polars_makes_of_the_rows(
    parts: dict[str, pl.DataFrame], keys: list[str], metrics: dict[str, pl.Expr]
) -> None:
    got = vf.reduce(partials(parts, keys, metrics)).collect()
    rows = whole(parts).with_columns(N.cast(pl.Int64))  # Polars' sums of Int32 wrap around
    agg = rows.group_by(keys, maintain_order=True).agg(**metrics) if keys else rows.select(**metrics)
    want = agg.sort(keys) if keys else agg
    exact, others = split(metrics)
    assert_frame_equal(got.select(*keys, *exact), want.select(*keys, *exact), check_dtypes=False)
    others = [name for name in others if name != "corr"]  # of nearly constant values it is anything
    assert_frame_equal(got.select(others), want.select(others), check_dtypes=False, rel_tol=1e-5, abs_tol=1e-2)


@settings(max_examples=12)
@given(
    parts=days(), keys=KEYS, metrics=CHOSEN.filter(lambda metrics: "iprod" not in metrics), n_threads=st.integers(2, 4)
)
def test_threads_of_c_change_no_bit(
    parts: dict[str, pl.DataFrame], keys: list[str], metrics: dict[str, pl.Expr], n_threads: int
) -> None:
    traced = [_traced.traced(frame) for frame in partials(parts, keys, metrics).values()]
    plan = traced[0].plan  # type: ignore[union-attr]
    leaves, columns = merging(plan)
    states = pl.concat([one.states() for one in traced if one is not None])
    if not states.height:
        return
    states = pl.concat([states] * (70_000 // states.height + 1), rechunk=True)  # so that threads are worth it

    def merge(threads: int, step: int) -> list[pl.Series]:
        agg = _core.Agg(
            leaves=[leaf.spec(state.name) for leaf, state in zip(leaves, plan.states, strict=True)],
            n_keys=len(keys),
            n_values=len(columns),
            n_threads=threads,
        )
        agg.update([states.clear()[key] for key in keys], [states.clear()[name] for name in columns], 0)
        for part in states.iter_slices(step):
            agg.update([part[key] for key in keys], [part[name] for name in columns], part.height)
        return [pl.Series(column) for column in agg.states()]

    want, got = merge(1, states.height), merge(n_threads, 68_999)
    for a, b in zip(want, got, strict=True):
        assert list(map(bits, a)) == list(map(bits, b))
