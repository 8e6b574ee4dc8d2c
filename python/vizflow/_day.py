"""One date's work: build the pipeline on its file, trust or make its partial, write it.

Not for many dates, and not for the pipeline's steps.
"""

from __future__ import annotations

import functools
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vizflow import _fingerprint, _folder, _pipelines, calendar, io
from vizflow._fingerprint import Stamp, Verdict
from vizflow._pipelines import Pipeline
from vizflow._plans import as_lazy
from vizflow.config import Config, Context, check_date
from vizflow.errors import ConfigError, StorageError, translated
from vizflow.market import Market


def context(config: Config, date: str) -> Context:
    """Make the `Context` of a date."""
    return Context(config=config, calendar=_days(config), market=Market.get(config.market), date=check_date(date))


def _days(config: Config) -> pl.DataFrame:
    if config.calendar_path is None:
        return calendar.empty()
    stamp = Stamp.of(Path(config.calendar_path))
    return _load_days(os.fspath(config.calendar_path), stamp.size, stamp.mtime_ns)


@functools.lru_cache(maxsize=4)
def _load_days(path: str, size: int, mtime_ns: int) -> pl.DataFrame:
    return calendar.load(path)


@dataclass
class Done:
    """What became of a date: its frame, or None where the partial that is there was trusted."""

    frame: pl.DataFrame | None
    verdict: Verdict
    pipeline_seconds: float = 0.0


def execute(
    pipeline_fn: Pipeline,
    config: Config,
    date: str,
    *,
    save: bool = True,
    skip_existing: bool = False,
    code: str | None = None,
) -> Done:
    """Run a date; with `skip_existing`, only if its partial is not what would be made today."""
    ctx = context(config, date)
    path = config.get_file_path(date)
    target = config.get_partial_path(date) if save else None
    started = time.perf_counter()
    with _built(pipeline_fn, ctx, path) as (frame, stamp):
        parts = _parts(pipeline_fn, ctx, stamp, frame, code) if target is not None else {}
        if skip_existing and target is not None:
            verdict = _verdict(target, parts)
            if not verdict.reasons:
                return Done(None, verdict)
        result = frame.collect(engine="streaming")
    seconds = time.perf_counter() - started
    if target is not None:
        if Stamp.of(path) != stamp:
            raise StorageError(f"{path}: the file changed while it was being read; run the date again")
        with _folder.writing(target.parent):
            io.save(result, target, metadata=_metadata(parts, ctx))
        _folder.forget_failure(target.parent, date)
    return Done(result, Verdict(), seconds)


def verdict(pipeline_fn: Pipeline | None, config: Config, date: str, code: str | None = None) -> Verdict | None:
    """Tell whether a date's partial is what would be made today, without making it; None where there is none.

    Without a function, what only the function decides is not compared.
    """
    target, path, ctx = config.get_partial_path(date), config.get_file_path(date), context(config, date)
    try:
        stored = _fingerprint.stored_in(target)
    except StorageError as error:
        return Verdict([str(error)])
    if stored is None:
        return None
    if pipeline_fn is None:
        parts = _fingerprint.parts(None, ctx, Stamp.of(path), stored.get("vizflow.plan_id", ""), "")
        return _fingerprint.compare(stored, {k: v for k, v in parts.items() if k != "vizflow.pipeline"})
    quick = _fingerprint.parts(pipeline_fn, ctx, Stamp.of(path), stored.get("vizflow.plan_id", ""), code)
    out = _fingerprint.compare(stored, quick)
    if not out.reasons:  # only then is it worth building the pipeline
        try:
            with _silent(), _built(pipeline_fn, ctx, path) as (frame, stamp):
                out = _fingerprint.compare(stored, _parts(pipeline_fn, ctx, stamp, frame, code))
        except Exception as error:
            out = Verdict([f"the pipeline fails: {type(error).__name__}: {error}"])
    return out


@contextmanager
def _silent() -> Iterator[None]:
    """Leave a pipeline's warnings for when it runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _verdict(target: Path, parts: dict[str, str]) -> Verdict:
    try:
        stored = _fingerprint.stored_in(target)
    except StorageError as error:
        return Verdict([str(error)])
    return Verdict(["there is none"]) if stored is None else _fingerprint.compare(stored, parts)


@contextmanager
def _built(pipeline_fn: Pipeline, ctx: Context, path: Path) -> Iterator[tuple[pl.LazyFrame, Stamp]]:
    """Build a date's pipeline, not collected; errors in the block are those of the file and the data."""
    stamp = Stamp.of(path)
    frame = io.scan(path, schema=ctx.config.schema)
    with io.reading(path, frame.select(*ctx.config.schema)), translated():
        given = pipeline_fn(frame, ctx)
        if given is None:
            raise ConfigError(
                f"the pipeline function {_pipelines.name_of(pipeline_fn)} returned None; it must return its frame"
            )
        yield as_lazy(given), stamp


def _parts(pipeline_fn: Pipeline, ctx: Context, stamp: Stamp, frame: pl.LazyFrame, code: str | None) -> dict[str, str]:
    return _fingerprint.parts(pipeline_fn, ctx, stamp, _fingerprint.plan_id(frame), code)


def _metadata(parts: dict[str, str], ctx: Context) -> dict[str, str]:
    return {
        **parts,
        "vizflow.date": ctx.date,
        "vizflow.market": ctx.market.name,
        "vizflow.written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
