"""What a pipeline function is given of its day. Not for running it."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from pathlib import Path

import polars as pl

from vizflow import calendar
from vizflow.config import Config, Context
from vizflow.dates import check_date
from vizflow.files.stamp import Stamp
from vizflow.market import Market


def context(config: Config, date: str) -> Context:
    """Make the `Context` of a date."""
    market, date = Market.get(config.market), check_date(date)
    return Context(config=config, calendar=_days(config, market), market=replace(market, date=date), date=date)


def _days(config: Config, market: Market) -> pl.DataFrame:
    if config.calendar_path is None:
        return _bundled(market) if market.calendar is not None else calendar.empty()
    stamp = Stamp.of(Path(config.calendar_path))
    return _load_days(os.fspath(config.calendar_path), stamp.size, stamp.mtime_ns)


@functools.lru_cache(maxsize=4)
def _bundled(market: Market) -> pl.DataFrame:
    return calendar.get(market)


@functools.lru_cache(maxsize=4)
def _load_days(path: str, size: int, mtime_ns: int) -> pl.DataFrame:
    return calendar.load(path)
