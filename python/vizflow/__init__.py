"""VizFlow: terabytes of intraday market data, a file a day, computed in C and spoken in Polars.

>>> import vizflow as vf
"""

from vizflow import calendar, demo, reports, stats, viz
from vizflow._core import version as __version__
from vizflow.check.check import CheckReport, check
from vizflow.config import Config, Context
from vizflow.cube.cube import Cube
from vizflow.enrichment.closing_lots import closing_lots
from vizflow.enrichment.enricher import Enricher
from vizflow.enrichment.fifo import FIFOMatch
from vizflow.enrichment.rules import State, TagCondition, TagRule, TagRunning
from vizflow.errors import (
    CalendarRangeError,
    ConfigError,
    DataError,
    EmptyWarning,
    Error,
    NotMergeableWarning,
    ReplayError,
    SchemaChangeWarning,
    SchemaError,
    StorageError,
    UnlistedSideWarning,
)
from vizflow.io import load, save, scan
from vizflow.jobs import cluster
from vizflow.jobs.bars import daily
from vizflow.jobs.batch import BatchError, BatchReport, run_batch, status
from vizflow.jobs.cluster import run_cluster
from vizflow.market import CN, CRYPTO, HK, HKEX_NORTHBOUND, KR, US, Market, Session
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
from vizflow.partials.reduce import reduce
from vizflow.run import run
from vizflow.schema.casts import near_integer

__all__ = [
    "CN",
    "CRYPTO",
    "HK",
    "HKEX_NORTHBOUND",
    "KR",
    "US",
    "BatchError",
    "BatchReport",
    "CalendarRangeError",
    "CheckReport",
    "Config",
    "ConfigError",
    "Context",
    "Cube",
    "DataError",
    "Edges",
    "EmptyWarning",
    "Enricher",
    "Error",
    "FIFOMatch",
    "Market",
    "NotMergeableWarning",
    "ReplayError",
    "SchemaChangeWarning",
    "SchemaError",
    "Session",
    "State",
    "StorageError",
    "TagCondition",
    "TagRule",
    "TagRunning",
    "UnlistedSideWarning",
    "__version__",
    "aggregate",
    "bin",
    "calendar",
    "check",
    "closing_lots",
    "cluster",
    "daily",
    "demo",
    "forward_return",
    "load",
    "mark_to_close",
    "merge_forward",
    "mid",
    "near_integer",
    "overnight_return",
    "parse_time",
    "qbin",
    "qbin_edges",
    "reduce",
    "reports",
    "run",
    "run_batch",
    "run_cluster",
    "save",
    "scan",
    "sign_by_side",
    "stats",
    "status",
    "time_report",
    "viz",
]
