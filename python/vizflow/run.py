"""Runs a pipeline function over a day's file.

Not for many days at once (`vizflow.jobs.batch`, `vizflow.cluster`), and not for the pipeline's steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import polars as pl

from vizflow.config import Config
from vizflow.dates import check_date
from vizflow.errors import ConfigError
from vizflow.jobs import day, pipelines
from vizflow.jobs.batch import BatchReport, run_batch
from vizflow.jobs.cluster import run_cluster
from vizflow.jobs.context import context
from vizflow.jobs.pipelines import Pipeline

__all__ = ["context", "run", "run_batch", "run_cluster"]


@overload
def run(pipeline_fn: Pipeline, config: Config, date: str, save: bool = True) -> pl.DataFrame: ...


@overload
def run(
    pipeline_fn: Pipeline,
    config: Config,
    date: None = None,
    save: bool = True,
    *,
    dates: Sequence[str],
    parallel: bool = True,
    skip_existing: bool = True,
    **options: Any,
) -> BatchReport: ...


def run(
    pipeline_fn: Pipeline,
    config: Config,
    date: str | None = None,
    save: bool = True,
    *,
    dates: Sequence[str] | None = None,
    **options: Any,
) -> pl.DataFrame | BatchReport:
    """Run a pipeline for a single date; for several, with `dates`, as `run_batch`.

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
    dates
        In place of `date`: ``vf.run(process_day, config, dates=[...], parallel=True)`` is `run_batch`, whose other
        options are taken too.

    Returns
    -------
    DataFrame
        What the pipeline gave; the `BatchReport` where `dates` is given.

    Raises
    ------
    ConfigError
        The date is not a date, a folder is not set, or the pipeline did not give a frame.
    StorageError
        The input cannot be read, or the result cannot be written. Then nothing is written.
    DataError
        The data are not acceptable; the message names column, count and first row.

    Warns
    -----
    EmptyWarning
        Rows were read, and none was kept; it says what became of them.
    NotMergeableWarning
        See `save`.

    Notes
    -----
    What became of the rows is in the file's metadata, ``vizflow.counts``, as JSON: ``read`` from the date's file;
    ``times``, of each column that `parse_time` read, the counts of `time_report` and how many became null (``nulled``);
    ``steps``, the rows that came to each FIFOMatch, those of a listed side and the pieces given, and the nulls of each
    return; ``aggregated``, the rows that came to `aggregate`; ``kept``, the rows of the result. Filters of the
    pipeline's own stand between these, so what they drop is the difference. ``vizflow inspect`` shows it.

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
    if (date is None) == (dates is None):
        if date is None:
            check_date(None)  # type: ignore[arg-type]
        raise ConfigError("vf.run takes date= or dates=, not both")
    if dates is not None:
        if not save:
            raise ConfigError("with dates=, every date is saved; save=False goes with date=")
        return run_batch(pipeline_fn, config, dates, **options)
    if options:
        raise ConfigError(f"{', '.join(options)} goes with dates=, as in run_batch; with date= there is one to run")
    pipelines.stop_loading("vf.run")
    assert date is not None
    done = day.execute(pipeline_fn, config, date, save=save)
    assert done.outcome is not None
    if save:
        done.outcome.warn(config.get_partial_path(date))
    done.warn(str(config.get_file_path(date)))
    return done.outcome.result
