"""Statistics on states: weighted means with their coverage, standard errors clustered by date, t-statistics.

Means are metrics like any other: `weighted` writes them for `aggregate`, and they merge over dates. Errors come
afterwards, from a cube or from a frame with a row a date. Not for regressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from vizflow.cube.cube import Cube
from vizflow.errors import ConfigError, SchemaError
from vizflow.lazy.frames import Frame, as_lazy, require
from vizflow.numbers import whole
from vizflow.ops.aggregate import aggregate
from vizflow.ops.clusters import ratios

__all__ = ["clustered", "over_dates", "t_statistic", "weighted"]

_SUM, _WEIGHT, _MEAN = "__vf_sum", "__vf_weight", "__vf_mean"


def weighted(name: str, value: pl.Expr, weight: pl.Expr | None = None) -> dict[str, pl.Expr]:
    """Write the metrics of a weighted mean with its coverage, for `aggregate`.

    Parameters
    ----------
    name
        What the metrics are called: `name` and what follows it.
    value
        What is averaged, such as ``pl.col("return_60")``. A null does not count, neither in the mean nor in its
        weight; nor does what is not finite.
    weight
        What it is weighted by, such as ``pl.col("qty")``; None: every row weighs 1. A row whose weight is null or not
        finite does not count.

    Returns
    -------
    dict
        Metrics that merge over dates:

        - ``{name}``: ``sum(w * v) / sum(w)`` over rows that have both; null where their weight is 0.
        - ``{name}_sum``: ``sum(w * v)``; ``{name}_weight``: ``sum(w)``, both over those rows. `clustered` needs them.
        - ``{name}_coverage``: the part of the whole weight that those rows have, 0 to 1; null where that is 0.
        - ``{name}_n``: rows (Int64); ``{name}_n_valid``: rows that have both (Int64). Their difference is what was left
          out, because it is null or not finite.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"v": [10.0, 10.0, None, None], "w": [100, 100, 100, 100]})
    >>> vf.aggregate(df, [], vf.stats.weighted("v", pl.col("v"), pl.col("w"))).collect().row(0, named=True)
    {'v': 10.0, 'v_sum': 2000.0, 'v_weight': 200.0, 'v_coverage': 0.5, 'v_n': 4, 'v_n_valid': 2}
    """
    if not isinstance(value, pl.Expr) or not (weight is None or isinstance(weight, pl.Expr)):
        raise ConfigError(f"weighted {name!r}: value and weight are Polars expressions, such as pl.col('return_60')")
    v = value.cast(pl.Float64)
    # without a weight each row weighs 1, also one without a value; the column is named for the type alone
    w = pl.when(value.is_null()).then(1.0).otherwise(1.0) if weight is None else weight.cast(pl.Float64)
    finite = (v * w).is_finite()  # of two finite numbers only; null where one is
    product = pl.when(finite).then(v * w)
    total, valid = product.sum(), pl.when(finite).then(w).sum()
    everything = pl.when(w.is_finite()).then(w).sum()
    return {
        name: pl.when(valid != 0).then(total / valid),
        f"{name}_sum": total,
        f"{name}_weight": valid,
        f"{name}_coverage": pl.when(everything != 0).then(valid / everything),
        f"{name}_n": pl.len(),
        f"{name}_n_valid": product.count(),
    }


def clustered(
    data: Cube | Frame,
    name: str,
    *,
    by: Sequence[str] | str = (),
    cluster: str = "date",
    total: str | None = None,
    weight: str | None = None,
) -> pl.DataFrame:
    """Return a ratio of sums, such as a weighted mean, with its standard error clustered by date.

    Rows of one day move together, so that their number says little about how well a mean is known: a day is taken as
    one draw, however many rows it has.

    Parameters
    ----------
    data
        A `Cube`, or a frame with a row for each cluster and each group of `by`, such as ``vf.reduce(..., by="date")``.
    name
        Name of the mean that `weighted` was given.
    by
        Dimensions to give it for.
    cluster
        The dimension whose values are independent of one another.
    total, weight
        Metrics that hold the sums above and below; None: ``{name}_sum`` and ``{name}_weight``.

    Returns
    -------
    DataFrame
        Columns ``by + [{name}, std_error, t, clusters]``, a row a group, sorted. The mean is
        ``R = sum(S_d) / sum(W_d)`` over clusters d; null where the weight is 0. Clusters with a weight of 0, or whose
        sums are missing or not finite, do not count. `std_error` and `t` are null with fewer than two clusters; t has
        ``clusters - 1`` degrees of freedom.

    Notes
    -----
    ``se = sqrt(G / (G - 1) * sum((S_d - R * W_d)**2)) / sum(W_d)`` with G clusters: the ratio estimator's linearised
    variance (Cochran 1977, Sampling Techniques, 6.4), and at once the cluster-robust error of a weighted regression on
    a constant with the usual small-sample factor (Liang & Zeger 1986; Cameron & Miller 2015, A Practitioner's Guide to
    Cluster-Robust Inference, eqs. 11 and 12).

    Raises
    ------
    SchemaError
        A dimension or a metric is missing.
    ConfigError
        A frame has more than one row for a cluster and group.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> days = {}
    >>> for date, v in (("20240102", [1.0, 3.0]), ("20240103", [2.0, 2.0]), ("20240104", [5.0, 5.0])):
    ...     days[date] = vf.aggregate(pl.DataFrame({"v": v}), [], vf.stats.weighted("v", pl.col("v")))
    >>> vf.stats.clustered(vf.Cube.from_partials(days), "v").row(0, named=True)
    {'v': 3.0, 'std_error': 1.0, 't': 3.0, 'clusters': 3}
    """
    groups = [by] if isinstance(by, str) else list(by)
    above, below = total or f"{name}_sum", weight or f"{name}_weight"
    frame = _rows(data, [*groups, cluster], {_SUM: above, _WEIGHT: below})
    if not isinstance(data, Cube) and frame.select(*groups, cluster).is_duplicated().any():
        raise ConfigError(
            f"clustered: the frame has several rows for one {cluster!r} and group; add their sums up first, or name "
            "the columns that tell them apart in by="
        )
    usable = (pl.col(_WEIGHT) != 0) & pl.col(_WEIGHT).is_finite() & pl.col(_SUM).is_finite()
    found = ratios(frame.filter(usable), groups, _SUM, _WEIGHT)
    return _with_t(found.rename({"ratio": name, "error": "std_error"}), groups, name)


def over_dates(
    data: Cube | Frame, metric: str, *, by: Sequence[str] | str = (), date: str = "date", lags: int = 0
) -> pl.DataFrame:
    """Return the mean of a metric's daily values with its standard error: every day counts once.

    Parameters
    ----------
    data
        A `Cube`, or a frame with a row for each date and each group of `by`.
    metric
        The metric; days where it is null or not finite do not count.
    by
        Dimensions to give it for.
    date
        The dimension of dates, in whose order `lags` go.
    lags
        How many days back values may depend on one another, such as the horizon of overlapping returns; 0: they do not.

    Returns
    -------
    DataFrame
        Columns ``by + [{metric}, std, std_error, t, clusters]``, a row a group, sorted: the plain mean and the standard
        deviation (ddof 1) of the daily values, and how many there are. Null where there are fewer than two, or not more
        than `lags`.

    Notes
    -----
    With ``lags=0`` ``std_error = std / sqrt(T)``, as in Fama & MacBeth (1973). With ``lags=L``
    ``std_error = sqrt((g_0 + 2 * sum_{l=1..L} (1 - l / (L + 1)) * g_l) / (T - 1))``, where ``g_l`` is the
    autocovariance ``sum_t e_t e_{t-l} / T`` of what deviates from the mean: Newey & West (1987), with the small-sample
    factor ``T / (T - 1)`` under which L = 0 is the plain one. Days are taken in their order, gaps closed.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> days = pl.DataFrame({"date": [1, 2, 3, 4], "ic": [0.02, 0.04, 0.02, 0.04]})
    >>> vf.stats.over_dates(days, "ic").select("ic", "t", "clusters").rows()
    [(0.03, 5.196152422706631, 4)]
    """
    most = whole(lags)
    if most is None or most < 0:
        raise ConfigError(f"lags is {lags!r}; a whole number of 0 or more is needed")
    lags = most
    groups = [by] if isinstance(by, str) else list(by)
    frame = _rows(data, [*groups, date], {_SUM: metric})
    frame = frame.filter(pl.col(_SUM).is_finite())
    # The mean by exact sums: of values that nearly cancel, another's last bits are all there is.
    means = aggregate(frame, groups, {_MEAN: pl.col(_SUM).mean()}).collect()
    frame = frame.join(means, on=groups, how="left", nulls_equal=True) if groups else frame.join(means, how="cross")
    frame = frame.sort([*groups, date])
    x, mean, n = pl.col(_SUM), pl.col(_MEAN), pl.len().cast(pl.Int64)
    e = x - mean
    variance = (e * e).sum()
    for lag in range(1, lags + 1):
        variance = variance + 2 * (1 - lag / (lags + 1)) * (e * e.shift(lag)).sum()
    enough = n > max(1, lags)
    exprs = [
        mean.first().alias(metric),
        x.std().alias("std"),
        pl.when(enough).then((variance / n / (n - 1)).sqrt()).alias("std_error"),
        n.alias("clusters"),
    ]
    return _grouped(frame, groups, exprs, metric)


def t_statistic(mean: pl.Expr | str, std: pl.Expr | str, n: pl.Expr | str) -> pl.Expr:
    """Return ``mean / (std / sqrt(n))``: rows as independent draws, where they are.

    Parameters
    ----------
    mean, std, n
        Metrics, by name or as expressions: ``x.mean()``, ``x.std()`` and ``x.count()`` of the same column.

    Returns
    -------
    Expr
        Float64; null where one of them is null or not finite, n is below 2, or std is 0. Ticks of one day are not
        independent: see `clustered`.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"mean": [0.5], "std": [2.0], "n": [64]})
    >>> df.select(t=vf.stats.t_statistic("mean", "std", "n")).item()
    2.0
    """
    m, s, k = (pl.col(x) if isinstance(x, str) else x for x in (mean, std, n))
    count = k.cast(pl.Float64)
    usable = m.cast(pl.Float64).is_finite() & s.cast(pl.Float64).is_finite() & count.is_finite()
    return pl.when(usable & (count > 1) & (s > 0)).then(m / (s / count.sqrt()))


def _rows(data: Any, by: list[str], columns: dict[str, str]) -> pl.DataFrame:
    """Return the groups' rows with some columns as Float64 under other names."""
    if isinstance(data, Cube):
        names = list(dict.fromkeys(columns.values()))
        frame = data.table(by, names)
    else:
        lf = as_lazy(data)
        require(lf.collect_schema(), [*by, *columns.values()], "stats")
        frame = lf.select(*by, *dict.fromkeys(columns.values())).collect()
    for column in columns.values():
        if not frame.schema[column].is_numeric():
            raise SchemaError(f"column {column!r} is {frame.schema[column]}; a number is needed", column=column)
    return frame.select(*by, *(pl.col(column).cast(pl.Float64).alias(name) for name, column in columns.items()))


def _grouped(frame: pl.DataFrame, groups: list[str], exprs: list[pl.Expr], name: str) -> pl.DataFrame:
    out = frame.group_by(groups).agg(exprs).sort(groups) if groups else frame.select(exprs)
    return _with_t(out, groups, name)


def _with_t(frame: pl.DataFrame, groups: list[str], name: str) -> pl.DataFrame:
    error = pl.col("std_error")
    t = pl.when(error.is_finite() & (error > 0)).then(pl.col(name) / pl.col("std_error"))
    rest = [column for column in frame.columns if column not in (*groups, "clusters")]
    return frame.with_columns(t=t).select(*groups, *rest, "t", "clusters")
