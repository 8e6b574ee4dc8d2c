"""Operations on rows of a day, each by name."""

from vizflow.ops.aggregate import aggregate
from vizflow.ops.bins import bin
from vizflow.ops.clock import parse_time, time_report
from vizflow.ops.closing import mark_to_close
from vizflow.ops.forward import forward_return
from vizflow.ops.overnight import overnight_return
from vizflow.ops.prices import mid
from vizflow.ops.quantiles import Edges, qbin, qbin_edges
from vizflow.ops.quotes import merge_forward
from vizflow.ops.sides import sign_by_side
from vizflow.schema.casts import near_integer

__all__ = [
    "Edges",
    "aggregate",
    "bin",
    "forward_return",
    "mark_to_close",
    "merge_forward",
    "mid",
    "near_integer",
    "overnight_return",
    "parse_time",
    "qbin",
    "qbin_edges",
    "sign_by_side",
    "time_report",
]
