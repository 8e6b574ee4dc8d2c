"""Ratios of sums with standard errors, clusters being the draws: what `stats.clustered` and the figures' bands share.

Not for metrics of other kinds: `_cube_cells` has the influence of a date on any.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

import vizflow._core as _core
from vizflow.ops import aggregate

__all__ = ["ratios"]

_ROW = "__vf_row"


def ratios(frame: pl.DataFrame, groups: Sequence[str], total: str, weight: str) -> pl.DataFrame:
    """Give `groups`, ``ratio``, ``error`` and ``clusters``, sorted, of a frame with a row for each cluster and group.

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
