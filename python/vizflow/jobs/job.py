"""What is done with one date in whatever process does it: the outcome as plain values, errors and warnings included.

Not for processes or executors themselves.
"""

from __future__ import annotations

import functools
import pickle
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, field
from typing import Any

from vizflow.config import Config
from vizflow.errors import ConfigError
from vizflow.jobs import day, pipelines
from vizflow.jobs.pipelines import Pipeline, Reference

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What is the same for all dates of a batch."""

    pipeline: Reference
    config: Config
    skip_existing: bool
    code: str
    nonce: str  # makes each batch's jobs new to executors that remember results (Dask)
    path: list[str] = field(default_factory=lambda: list(sys.path))

    def packed(self) -> bytes:
        """Return the job as bytes for another process of ours.

        Raises
        ------
        ConfigError
            The config holds something that cannot be pickled.
        """
        try:
            return pickle.dumps(self, protocol=5)
        except Exception as error:
            raise ConfigError(
                f"the config cannot travel to another process: {type(error).__name__}: {error}; its fields must be "
                "picklable, or parallel=False"
            ) from error


@functools.lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> tuple[Job, Pipeline]:
    job: Job = pickle.loads(packed)  # came from a process of ours, through a pipe or an executor, not from disk
    sys.path.extend(folder for folder in job.path if folder not in sys.path)
    return job, pipelines.resolve(job.pipeline)


def check(packed: bytes) -> None:
    """Raise what is wrong with a job where it has arrived."""
    _unpacked(packed)


def run_packed(packed: bytes, date: str) -> Outcome:
    """Run a date in another process: the function that executors are given."""
    started = time.perf_counter()
    try:
        job, function = _unpacked(packed)
    except Exception as error:
        return failed(date, time.perf_counter() - started, error)
    return run_date(function, job.config, date, skip_existing=job.skip_existing, code=job.code)


def run_date(function: Pipeline, config: Config, date: str, *, skip_existing: bool, code: str) -> Outcome:
    """Run a date and say what became of it; only KeyboardInterrupt comes through."""
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        try:
            done = day.execute(function, config, date, skip_existing=skip_existing, code=code)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit and Polars' panics are the date's failure, not the batch's end
            out = failed(date, time.perf_counter() - started, error)
        else:
            if done.outcome is not None:
                done.outcome.warn(config.get_partial_path(date))
            out = {
                "date": date,
                "status": "empty" if done.empty else "skipped" if done.outcome is None else "done",
                "counts": done.counts,
                "seconds": time.perf_counter() - started,
                "rows": None if done.outcome is None else done.outcome.stored.height,
                "bytes": _size(config, date),
                "pipeline_seconds": done.pipeline_seconds,
                "notes": list(done.verdict.notes),
            }
    here = f"{config.get_partial_path(date)}: "  # which would make each date's warning another
    texts = {(warning.category.__name__, str(warning.message).removeprefix(here)) for warning in caught}
    return {**out, "warnings": sorted(texts)}


def _size(config: Config, date: str) -> int | None:
    try:
        return config.get_partial_path(date).stat().st_size
    except OSError:
        return None


def failed(date: str, seconds: float, error: BaseException | str) -> Outcome:
    """Return the outcome of a date that failed."""
    if isinstance(error, str):
        text, trace = error, None
    else:
        text = f"{type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {"date": date, "status": "failed", "seconds": seconds, "error": text, "traceback": trace}
