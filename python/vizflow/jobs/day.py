"""One date's work: build the pipeline on its file, trust or make its partial, write it.

Not for many dates, and not for the pipeline's steps.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from vizflow import io
from vizflow.config import Config, Context
from vizflow.errors import ConfigError, DataError, EmptyWarning, StorageError, translated
from vizflow.files import atomic
from vizflow.files.stamp import Stamp
from vizflow.jobs import counts as _counts
from vizflow.jobs import fingerprint, folder, pipelines
from vizflow.jobs import outcome as _outcome
from vizflow.jobs.context import context
from vizflow.jobs.fingerprint import Verdict
from vizflow.jobs.outcome import Outcome
from vizflow.jobs.pipelines import Pipeline
from vizflow.lazy import notes as _notes
from vizflow.lazy.frames import as_lazy
from vizflow.lazy.notes import Notes
from vizflow.partials import file, traced


@dataclass
class Done:
    """What became of a date: what its pipeline gave, or None where the partial that is there was trusted."""

    outcome: Outcome | None
    verdict: Verdict
    counts: _counts.Counts
    pipeline_seconds: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing was kept."""
        return _counts.is_empty(self.counts)

    def warn(self, path: str) -> None:
        """Warn where rows were read and none was kept."""
        if self.empty:
            text = f"{path}: nothing was kept of the date: {_counts.words(self.counts)}"
            warnings.warn(text, EmptyWarning, stacklevel=3)


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
    if target is not None and os.path.isdir(target.parent):  # noqa: PTH112 (Path.is_dir raises where it may not look)
        atomic.check_writable(target)  # before an hour's work, not after; a folder is made only for what is saved
    started = time.perf_counter()
    with _built(pipeline_fn, ctx, path) as built:
        parts = _parts(pipeline_fn, ctx, built, code) if target is not None else {}
        if skip_existing and target is not None:
            verdict, counts = _verdict(target, parts)
            if not verdict.reasons:
                return Done(None, verdict, counts)
        outcome = _outcome.outcome(built.given, built.notes, date)
        counts = _counts.of(path, config.csv, built.given, built.notes, outcome)
    seconds = time.perf_counter() - started
    if target is not None:
        _refuse_changed({path: built.stamp, **{read.path: read.stamp for read in ctx.read.values()}})
        metadata = {**_metadata(parts, ctx), **outcome.metadata, _counts.KEY: json.dumps(counts)}
        io.save(outcome.stored, target, metadata=metadata)
        folder.forget_failure(target.parent, date)
    return Done(outcome, Verdict(), counts, seconds)


def _refuse_changed(inputs: Mapping[Path, Stamp]) -> None:
    for path, stamp in inputs.items():
        if Stamp.of(path) != stamp:
            raise StorageError(f"{path}: the file changed while it was being read; run the date again")


def verdict(pipeline_fn: Pipeline | None, config: Config, date: str, code: str | None = None) -> Verdict | None:
    """Return whether a date's partial is what would be made today, without making it; None where there is none.

    Without a function, what only the function decides is not compared.
    """
    target, path, ctx = config.get_partial_path(date), config.get_file_path(date), context(config, date)
    try:
        stored = fingerprint.stored_in(target)
    except StorageError as error:
        return Verdict([str(error)])
    if stored is None:
        return None
    inputs = {"vizflow.inputs": fingerprint.inputs_now(stored, config, date)}
    if pipeline_fn is None:
        parts = fingerprint.parts(None, ctx, Stamp.of(path), stored.get("vizflow.plan_id", ""), "") | inputs
        return fingerprint.compare(stored, {k: v for k, v in parts.items() if k != "vizflow.pipeline"})
    quick = fingerprint.parts(pipeline_fn, ctx, Stamp.of(path), stored.get("vizflow.plan_id", ""), code) | inputs
    out = fingerprint.compare(stored, quick)
    if not out.reasons:  # only then is it worth building the pipeline
        try:
            with _silent(), _built(pipeline_fn, ctx, path) as built:
                out = fingerprint.compare(stored, _parts(pipeline_fn, ctx, built, code))
        except Exception as error:
            out = Verdict([f"the pipeline fails: {type(error).__name__}: {error}"])
    return out


@contextmanager
def _silent() -> Iterator[None]:
    """Leave a pipeline's warnings for when it runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _verdict(target: Path, parts: dict[str, str]) -> tuple[Verdict, _counts.Counts]:
    try:
        stored = fingerprint.stored_in(target)
    except StorageError as error:
        return Verdict([str(error)]), {}
    if stored is None:
        return Verdict(["there is none"]), {}
    return fingerprint.compare(stored, parts), _counts.stored(stored)


@dataclass
class _Built:
    """A pipeline's frame, not collected; what it was asked for on the way; which input it is of."""

    given: Any
    notes: Notes
    stamp: Stamp


@contextmanager
def _built(pipeline_fn: Pipeline, ctx: Context, path: Path) -> Iterator[_Built]:
    """Build a date's pipeline, not collected; errors in the block are those of the file and the data."""
    stamp = Stamp.of(path)
    frame = io.scan(path, schema=ctx.config.schema, csv=ctx.config.csv)
    with _reading(path, ctx), translated(), _notes.noting() as notes:
        given = pipeline_fn(frame, ctx)
        if given is None:
            raise ConfigError(
                f"the pipeline function {pipelines.name_of(pipeline_fn)} returned None; it must return its frame"
            )
        yield _Built(given, notes, stamp)


@contextmanager
def _reading(path: Path, ctx: Context) -> Iterator[None]:
    """Name the file that cannot be read: the date's own, or another input that the pipeline reads."""
    try:
        with io.reading(path, ctx.config.schema, ctx.config.csv):
            yield
    except (DataError, StorageError) as error:
        for read in ctx.read.values() if isinstance(error.__cause__, (pl.exceptions.PolarsError, OSError)) else ():
            with io.reading(read.path, read.schema, read.csv):
                io.read_through(read.path, read.schema, read.csv)
        raise


def _parts(pipeline_fn: Pipeline, ctx: Context, built: _Built, code: str | None) -> dict[str, str]:
    plan = traced.plan_of(built.given)
    if plan is not None:
        made, names = f"states:{plan.id}", list(plan.group_by)
    else:
        schema = as_lazy(built.given).collect_schema()
        made, names = fingerprint.columns_id(schema), schema.names()
    bins = file.bins_of(built.given, built.notes, names)
    return {**fingerprint.parts(pipeline_fn, ctx, built.stamp, made, code), "vizflow.bins": json.dumps(bins)}


def _metadata(parts: dict[str, str], ctx: Context) -> dict[str, str]:
    return {
        **parts,
        "vizflow.date": ctx.date,
        "vizflow.market": ctx.market.name,
        "vizflow.written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
