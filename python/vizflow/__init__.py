"""VizFlow: terabytes of intraday market data, a file a day, computed in C and spoken in Polars.

>>> import vizflow as vf
"""

from vizflow import calendar, demo, reports, stats, viz
from vizflow._core import version as __version__
from vizflow.config import Config, Context
from vizflow.cube import Cube
from vizflow.enrichment import Enricher, FIFOMatch, State, TagCondition, TagRule, TagRunning
from vizflow.errors import (
    CalendarRangeError,
    ConfigError,
    DataError,
    Error,
    NotMergeableWarning,
    ReplayError,
    SchemaError,
    StorageError,
)
from vizflow.io import load, save, scan
from vizflow.market import CN, CRYPTO, HK, HKEX_NORTHBOUND, KR, US, Market, Session
from vizflow.ops import aggregate, bin, forward_return, mid, near_integer, parse_time, time_report
from vizflow.reduce import reduce
from vizflow.run import run

__all__ = [
    "CN",
    "CRYPTO",
    "HK",
    "HKEX_NORTHBOUND",
    "KR",
    "US",
    "CalendarRangeError",
    "Config",
    "ConfigError",
    "Context",
    "Cube",
    "DataError",
    "Enricher",
    "Error",
    "FIFOMatch",
    "Market",
    "NotMergeableWarning",
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
    "demo",
    "forward_return",
    "load",
    "mid",
    "near_integer",
    "parse_time",
    "reduce",
    "reports",
    "run",
    "save",
    "scan",
    "stats",
    "time_report",
    "viz",
]
