"""Ratios of sums with standard errors, clusters being the draws: what `stats.clustered` and the figures' bands share.

Not for metrics of other kinds: `viz.cube_cells` has the influence of a date on any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import polars as pl

import vizflow._core as _core
from vizflow.ops.aggregate import aggregate

__all__ = ["ratios"]

_ROW = "__vf_row"


def ratios(frame: pl.DataFrame, groups: Sequence[str], total: str, weight: str) -> pl.DataFrame:
    """Return `groups`, ``ratio``, ``error`` and ``clusters``, sorted, of a frame with a row for each cluster and group.

    With S and W the sums over a group and R = S / W, a cluster's influence is (S_d - R W_d) / W. ``ratio`` is null
    where W is 0; ``error`` also with fewer than two clusters. The same bits in every order of the rows.
    """
    keys = list(groups)
    sums = {"__vf_s": pl.col(total).sum(), "__vf_w": pl.col(weight).sum(), "clusters": pl.len()}
    whole = aggregate(frame, keys, sums).collect().with_row_index(_ROW)
    whole = whole.with_columns(ratio=pl.when(pl.col("__vf_w") != 0).then(pl.col("__vf_s") / pl.col("__vf_w")))
    placed = frame.select(*keys, total, weight)
    placed = placed.join(whole, on=keys, how="left", nulls_equal=True) if keys else placed.join(whole, how="cross")
    influence = (pl.col(total) - pl.col("ratio") * pl.col(weight)) / pl.col("__vf_w")
    error, _ = _core.clusters_error(placed.select(influence).to_series(), placed[_ROW], whole.height)
    return whole.select(*keys, "ratio", pl.Series("error", pl.Series(error)), "clusters")


def t_quantile(probability: float, freedom: float) -> float:
    """Return Student's t quantile: exact for 1 and 2 degrees of freedom, Hill's expansion (CACM 396) above."""
    if freedom < 1:
        return math.nan
    tail = 2 * (1 - probability)
    if freedom == 1:
        return 1 / math.tan(tail * math.pi / 2)
    if freedom == 2:
        return math.sqrt(2 / (tail * (2 - tail)) - 2)
    a = 1 / (freedom - 0.5)
    b = 48 / (a * a)
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * freedom
    x = d * tail
    y = x ** (2 / freedom)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(tail / 2)
        y = x * x
        if freedom < 5:
            c += 0.3 * (freedom - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = math.expm1(a * y * y)
    else:
        y = ((1 / (((freedom + 6) / (freedom * y) - 0.089 * d - 0.822) * (freedom + 2) * 3) + 0.5 / (freedom + 4)) * y
             - 1) * (freedom + 1) / (freedom + 2) + 1 / y  # fmt: skip
    return math.sqrt(freedom * y)
