"""Runs a pipeline function over a day's file.

Not for many days at once, and not for the pipeline's steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from vizflow import _core, _partial, calendar, io
from vizflow._schema import FORMAT
from vizflow.config import Config, Context, check_date
from vizflow.errors import ConfigError, translated
from vizflow.market import Market

__all__ = ["context", "run"]

Pipeline = Callable[[pl.LazyFrame, Context], pl.LazyFrame]


def context(config: Config, date: str) -> Context:
    """Make the `Context` of a date."""
    days = calendar.load(config.calendar_path) if config.calendar_path is not None else calendar.empty()
    return Context(config=config, calendar=days, market=Market.get(config.market), date=check_date(date))


def run(pipeline_fn: Pipeline, config: Config, date: str, save: bool = True) -> pl.DataFrame:
    """Run a pipeline for a single date.

    Parameters
    ----------
    pipeline_fn
        ``pipeline_fn(df, ctx) -> LazyFrame``: gets the day's file as a LazyFrame, in the config's schema.
    config
        The run's `Config`.
    date
        ``YYYYMMDD``.
    save
        Write the result to ``output_dir/{date}.parquet``, atomically, with VizFlow's format number, the date, the
        market and the input's name, size and time in the file's metadata. What `aggregate` gave, untouched, is saved
        as the mergeable states behind its metrics: `load` gives the metrics again, and `reduce` merges dates. A
        pipeline that goes on after `aggregate` (filter, rename, join) saves its metrics as they are, with a
        `NotMergeableWarning`.

    Returns
    -------
    DataFrame
        What the pipeline gave.

    Raises
    ------
    ConfigError
        The date is not a date, a folder is not set, or the pipeline did not give a frame.
    StorageError
        The input cannot be read, or the result cannot be written. Then nothing is written.
    DataError
        The data are not acceptable; the message names column, count and first row.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> path = vf.save(pl.DataFrame({"side": ["B", "S", "B"], "qty": [1.0, 2.0, 3.0]}), "days/20241001.feather")
    >>> def process_day(df, ctx):
    ...     return vf.aggregate(df, ["side"], {"total": pl.col(ctx.col("volume")).sum()})
    >>> config = vf.Config(
    ...     input_dir="days", output_dir="partials", columns={"volume": "qty"}, schema={"qty": {"cast_to": pl.Int64}}
    ... )
    >>> vf.run(process_day, config, "20241001").rows()
    [('B', 4), ('S', 2)]
    >>> vf.load("partials/20241001.parquet").columns
    ['side', 'total']
    """
    ctx = context(config, date)
    path = config.get_file_path(date)
    target = config.get_partial_path(date) if save else None
    frame = io.scan(path, schema=config.schema)
    if target is not None and target.parent.is_dir():
        io.check_writable(target)  # before an hour's work, not after; a folder is made only for what is saved
    with io.reading(path, config.schema), translated(), _partial.noting() as notes:
        given = pipeline_fn(frame, ctx)
        if given is None:
            raise ConfigError(f"the pipeline function {_name(pipeline_fn)} returned None; it must return its frame")
        outcome = _partial.outcome(given, notes, date)
    if target is not None:
        io.save(outcome.stored, target, metadata={**_metadata(path, ctx), **outcome.metadata})
        outcome.warn(target)
    return outcome.result


def _name(function: Pipeline) -> str:
    return getattr(function, "__qualname__", repr(function))


def _metadata(path: Path, ctx: Context) -> dict[str, str]:
    stat = path.stat()
    return {
        "vizflow.format": FORMAT,
        "vizflow.version": _core.version,
        "vizflow.date": ctx.date,
        "vizflow.market": ctx.market.name,
        "vizflow.input": path.name,
        "vizflow.input_bytes": str(stat.st_size),
        "vizflow.input_mtime_ns": str(stat.st_mtime_ns),
        "vizflow.written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
