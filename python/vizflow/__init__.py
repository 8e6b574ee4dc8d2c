"""VizFlow: terabytes of intraday market data, a file a day, computed in C and spoken in Polars.

>>> import vizflow as vf
"""

from vizflow import calendar, cluster, demo
from vizflow._core import version as __version__
from vizflow.batch import BatchError, BatchReport, status
from vizflow.config import Config, Context
from vizflow.enrichment import Enricher, FIFOMatch, State, TagCondition, TagRule, TagRunning
from vizflow.errors import CalendarRangeError, ConfigError, DataError, Error, ReplayError, SchemaError, StorageError
from vizflow.io import load, save, scan
from vizflow.market import CN, CRYPTO, HK, HKEX_NORTHBOUND, KR, US, Market, Session
from vizflow.ops import aggregate, bin, forward_return, mid, near_integer, parse_time, time_report
from vizflow.run import run, run_batch, run_cluster

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
    "Config",
    "ConfigError",
    "Context",
    "DataError",
    "Enricher",
    "Error",
    "FIFOMatch",
    "Market",
    "ReplayError",
    "SchemaError",
    "Session",
    "State",
    "StorageError",
    "TagCondition",
    "TagRule",
    "TagRunning",
    "__version__",
    "aggregate",
    "bin",
    "calendar",
    "cluster",
    "demo",
    "forward_return",
    "load",
    "mid",
    "near_integer",
    "parse_time",
    "run",
    "run_batch",
    "run_cluster",
    "save",
    "scan",
    "status",
    "time_report",
]
