"""Every operation that is compared, and how many comparisons of each `make test` makes.

Not for the operations themselves: `ops_*`.
"""

from __future__ import annotations

from pathlib import Path

from differential import ops_clock, ops_columns, ops_fifo, ops_groups, ops_metrics, ops_returns, ops_rules
from differential.core import Operation

OPERATIONS: list[Operation] = [
    *ops_clock.OPERATIONS,
    *ops_fifo.OPERATIONS,
    *ops_rules.OPERATIONS,
    *ops_returns.OPERATIONS,
    *ops_columns.OPERATIONS,
    *ops_groups.OPERATIONS,
    *ops_metrics.OPERATIONS,
]

# At least; what is dear or seldom wrong has less.
QUOTAS = {
    "summer_time": 2_000, "time_layouts": 8_000,
    "parse_time": 15_000, "elapsed_seconds": 6_000, "time_report": 600, "calendar": 3_000, "trading_day": 3_000,
    "as_date": 5_000, "fifo": 20_000, "rules": 4_000, "forward_return": 15_000, "merge_forward": 15_000,
    "mark_to_close": 10_000,
    "overnight_return": 10_000, "mid": 8_000, "sign_by_side": 6_000, "bin": 8_000, "near_integer": 6_000,
    "qbin_edges": 1_500, "qbin": 6_000, "aggregate": 20_000, "aggregate.literals": 10_000,
    "reduce": 10_000, "cube": 3_000, "stats.weighted": 4_000,
    "stats.clustered": 2_000, "stats.over_dates": 3_000, "stats.t_statistic": 2_000,
}  # fmt: skip

FIGURES = Path("build/trust/differential.json")
