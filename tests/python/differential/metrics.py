"""What is aggregated: each metric as VizFlow's expression, in Python over a group's rows, and in SQL.

Polars' peer evaluates the same expressions in a `group_by` of its own. Not for cases: `ops_groups`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import polars as pl

from differential.core import EPS, EXACT
from oracle.agg_oracle import _extreme, _round, exact_mean, exact_sum

Row = dict[str, Any]
X, Y, N, U, B, T, D = (pl.col(name) for name in ("x", "y", "i", "u", "b", "t", "d"))
POSITIVE = (X > 0.5).fill_null(False)


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes
    ----------
    expr
        As VizFlow is given it.
    python
        Its value for the rows of a group.
    sql
        None where SQL has no such thing.
    exact
        Whether sums, products and moments leave nothing to round differently: EXACT between all; else EPS, but for
        Python, whose arithmetic is exact, where `python_exact` says so.
    scale
        What EPS is relative to where it cancels, as a Polars expression.
    tame
        Only for numbers of ordinary size.
    polars
        Whether Polars' own aggregate is a peer.
    """

    expr: pl.Expr
    python: Callable[[list[Row]], Any]
    sql: str | None
    exact: bool = True
    python_exact: bool = True
    scale: pl.Expr | None = None
    tame: bool = False
    polars: pl.Expr | bool | None = True


def some(rows: list[Row], name: str) -> list[Any]:
    return [row[name] for row in rows if row[name] is not None]


def positive(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["x"] is not None and (row["x"] > 0.5 or math.isnan(row["x"]))]  # NaN is largest


def _first(rows: list[Row], name: str) -> Any:
    return rows[0][name] if rows else None


def _last(rows: list[Row], name: str) -> Any:
    return rows[-1][name] if rows else None


def _sum_int(values: list[Any]) -> int:
    total = sum(int(value) for value in values)
    if not -(2**63) <= total < 2**63:
        raise OverflowError
    return total


def _product_int(values: list[int]) -> int:
    total = math.prod(values)
    if not -(2**63) <= total < 2**63:
        raise OverflowError
    return total


def _mean_int(rows: list[Row], name: str) -> float | None:
    values = some(rows, name)
    return _round(Fraction(sum(values), len(values))) if values else None


def _mean_wide(rows: list[Row], name: str) -> float | None:
    values = [float(value) for value in some(rows, name)]
    return exact_mean(values) if values else None


def _moment(rows: list[Row], a: str, b: str, ddof: int) -> Fraction | None:
    both = [(Fraction(row[a]), Fraction(row[b])) for row in rows if row[a] is not None and row[b] is not None]
    n = len(both)
    if n <= ddof:
        return None
    sum_a, sum_b = sum(one for one, _ in both), sum(two for _, two in both)
    return (sum(one * two for one, two in both) - sum_a * sum_b / n) / (n - ddof)


def _variance(rows: list[Row], name: str, ddof: int) -> float | None:
    value = _moment(rows, name, name, ddof)
    return None if value is None else float(value)


def _deviation(rows: list[Row], name: str) -> float | None:
    value = _moment(rows, name, name, 1)
    return None if value is None else math.sqrt(value)


def _correlation(rows: list[Row]) -> float:
    both = [row for row in rows if row["x"] is not None and row["y"] is not None]
    if not both:
        return math.nan
    xy, xx, yy = (_moment(both, a, b, 0) or Fraction(0) for a, b in (("x", "y"), ("x", "x"), ("y", "y")))
    if xx == 0 or yy == 0:
        return math.nan
    return math.copysign(math.sqrt(xy * xy / (xx * yy)), xy)


def _kleene(rows: list[Row], decides: bool) -> bool | None:
    values = [row["b"] for row in rows]
    if decides in values:
        return decides
    return None if None in values else not decides


def _extremes(sign: str) -> str:
    return f"coalesce({sign}(x) FILTER (NOT isnan(x)), CASE WHEN count(x) > 0 THEN CAST('nan' AS DOUBLE) END)"


_SIZE = X.abs().sum()
_SQUARE = (X * X).mean()

METRICS: dict[str, Metric] = {
    "len": Metric(pl.len(), len, "count(*)"),
    "count": Metric(X.count(), lambda r: len(some(r, "x")), "count(x)"),
    "nulls": Metric(X.null_count(), lambda r: len(r) - len(some(r, "x")), "count(*) FILTER (x IS NULL)"),
    "text_count": Metric(pl.col("s").count(), lambda r: len(some(r, "s")), "count(s)"),
    "isum": Metric(N.sum(), lambda r: _sum_int(some(r, "i")), "coalesce(sum(i), 0)", polars=N.cast(pl.Int128).sum()),
    "usum": Metric(U.sum(), lambda r: _sum_int(some(r, "u")), "coalesce(sum(u), 0)", polars=U.cast(pl.Int128).sum()),
    "bsum": Metric(B.sum(), lambda r: sum(some(r, "b")), "count(*) FILTER (b)"),
    "dsum": Metric(D.sum(), lambda r: _sum_int(some(r, "d")), "coalesce(sum(d), 0)"),
    "imin": Metric(N.min(), lambda r: min(some(r, "i"), default=None), "min(i)"),
    "imax": Metric(N.max(), lambda r: max(some(r, "i"), default=None), "max(i)"),
    "umax": Metric(U.max(), lambda r: max(some(r, "u"), default=None), "max(u)"),
    "xmin": Metric(X.min(), lambda r: _float_extreme(r, 1), _extremes("min"), exact=False),
    "xmax": Metric(X.max(), lambda r: _float_extreme(r, -1), _extremes("max"), exact=False),
    "bmin": Metric(B.min(), lambda r: min(some(r, "b"), default=None), "min(b)"),
    "tmin": Metric(T.min(), lambda r: min(some(r, "t"), default=None), "min(t)"),
    "tmax": Metric(T.max(), lambda r: max(some(r, "t"), default=None), "max(t)"),
    "first": Metric(X.first(), lambda r: _first(r, "x"), 'first(x ORDER BY "row")'),
    "last": Metric(N.last(), lambda r: _last(r, "i"), 'last(i ORDER BY "row")'),
    "first_nn": Metric(
        X.first(ignore_nulls=True),
        lambda r: _first([row for row in r if row["x"] is not None], "x"),
        'first(x ORDER BY "row") FILTER (x IS NOT NULL)',
    ),
    "last_nn": Metric(
        B.last(ignore_nulls=True),
        lambda r: _last([row for row in r if row["b"] is not None], "b"),
        'last(b ORDER BY "row") FILTER (b IS NOT NULL)',
    ),
    "first_f": Metric(
        X.filter(N > 0).first(),
        lambda r: _first([row for row in r if row["i"] is not None and row["i"] > 0], "x"),
        'first(x ORDER BY "row") FILTER (i > 0)',
    ),
    "any": Metric(B.any(), lambda r: True in some(r, "b"), "coalesce(bool_or(b), false)"),
    "all": Metric(B.all(), lambda r: False not in some(r, "b"), "coalesce(bool_and(b), true)"),
    "any_k": Metric(B.any(ignore_nulls=False), lambda r: _kleene(r, True), None),
    "all_k": Metric(B.all(ignore_nulls=False), lambda r: _kleene(r, False), None),
    "len_f": Metric(X.filter(POSITIVE).len(), lambda r: len(positive(r)), "count(*) FILTER (x > 0.5)"),
    "isum_f": Metric(
        N.filter(POSITIVE).sum(),
        lambda r: _sum_int(some(positive(r), "i")),
        "coalesce(sum(i) FILTER (x > 0.5), 0)",
        polars=N.cast(pl.Int128).filter(POSITIVE).sum(),
    ),
    "iprod": Metric(
        N.clip(-2, 2).product(),
        lambda r: _product_int([max(-2, min(2, value)) for value in some(r, "i")]),
        None,
        tame=True,
        polars=N.clip(-2, 2).cast(pl.Int64).product(),
    ),
    "when": Metric(
        pl.when(N.max() > 3).then(N.min()).otherwise(None),
        lambda r: min(some(r, "i")) if max(some(r, "i"), default=0) > 3 else None,
        "CASE WHEN max(i) > 3 THEN min(i) END",
    ),
    "xsum": Metric(
        X.sum(),
        lambda r: float(exact_sum(some(r, "x"))),
        None,
        exact=False,
        scale=_SIZE,
        polars=pl.when(X.abs().max() > 1e300).then((X / 1024).sum() * 1024).otherwise(X.sum()),  # its sums overflow
    ),
    "xsum_sql": Metric(
        X.sum(), lambda r: float(exact_sum(some(r, "x"))), "coalesce(sum(x), 0.0)", exact=False, scale=_SIZE, tame=True
    ),
    "ysum": Metric(
        Y.sum(),
        lambda r: float(exact_sum(some(r, "y"))),
        "coalesce(sum(CAST(y AS DOUBLE)), 0.0)",
        exact=False,
        scale=Y.cast(pl.Float64).abs().sum(),
        polars=Y.cast(pl.Float64).sum(),
    ),
    "xmean": Metric(
        X.mean(),
        lambda r: exact_mean(some(r, "x")) if some(r, "x") else None,
        "avg(x)",
        exact=False,
        scale=X.abs().mean(),
        tame=True,
    ),
    "xmean_wild": Metric(
        X.mean(),
        lambda r: exact_mean(some(r, "x")) if some(r, "x") else None,
        None,
        exact=False,
        python_exact=False,  # it follows from a state of 106 bits, and 5e-324 beside 1 may settle a tie
        polars=None,
    ),
    "imean": Metric(
        N.mean(),
        lambda r: _mean_int(r, "i"),
        "CAST(avg(i) AS DOUBLE)",
        exact=False,
        scale=N.cast(pl.Float64).abs().mean(),
        polars=N.cast(pl.Float64).mean(),
    ),
    "umean": Metric(U.mean(), lambda r: _mean_wide(r, "u"), None, exact=False, scale=U.cast(pl.Float64).mean()),
    "ratio": Metric(
        (X * N).sum() / N.count(),
        lambda r: _ratio(r),
        None,
        exact=False,
        scale=(X * N).abs().sum() / N.count(),
        tame=True,
    ),
    "xprod": Metric(
        (X / 100).product(),
        lambda r: _round(math.prod([Fraction(value / 100) for value in some(r, "x")], start=Fraction(1))),
        None,
        exact=False,
        python_exact=False,
        tame=True,
        polars=None,
    ),
    "var": Metric(
        X.var(),
        lambda r: _variance(r, "x", 1),
        "CASE WHEN count(x) > 1 THEN var_samp(x) END",
        exact=False,
        python_exact=False,
        scale=_SQUARE,
        tame=True,
    ),
    "var0": Metric(
        X.var(ddof=0),
        lambda r: _variance(r, "x", 0),
        "var_pop(x)",
        exact=False,
        python_exact=False,
        scale=_SQUARE,
        tame=True,
    ),
    "std": Metric(X.std(), lambda r: _deviation(r, "x"), None, exact=False, python_exact=False, tame=True, polars=None),
    "cov": Metric(
        pl.cov("x", "y"),
        lambda r: None if (value := _moment(r, "x", "y", 1)) is None else float(value),
        None,
        exact=False,
        python_exact=False,
        scale=(X.abs().max() * Y.cast(pl.Float64).abs().max()),
        tame=True,
        polars=None,
    ),
    "corr": Metric(pl.corr("x", "y"), _correlation, None, exact=False, python_exact=False, tame=True, polars=None),
}


def _float_extreme(rows: list[Row], sign: int) -> float | None:
    values = some(rows, "x")
    found = _extreme([float(value) for value in values], sign)
    return None if found is None else float(found)


def _ratio(rows: list[Row]) -> float:
    total = exact_sum([row["x"] * row["i"] for row in rows if row["x"] is not None and row["i"] is not None])
    count = len(some(rows, "i"))
    if count == 0:
        return math.nan if total == 0 else math.copysign(math.inf, total)
    return total / count


def classes(*, merged: bool) -> dict[str, str]:
    """Return each metric's class, by peer where it depends on that; `merged`: sums come of sums that were rounded."""
    out = {}
    for name, metric in METRICS.items():
        if metric.exact:
            continue
        out[name] = EPS
        smooth = merged and name not in ("xmin", "xmax")
        if metric.python_exact and not smooth:
            out[f"python:{name}"] = EXACT
    return out
