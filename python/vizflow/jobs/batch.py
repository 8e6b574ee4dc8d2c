"""Many days: a pipeline function over each, in processes or an executor; reports; which dates are done.

Not for one day (`vizflow.run`), nor for commands that others submit (`vizflow.cluster`).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import logging
import multiprocessing
import os
import socket
import statistics
import time
import uuid
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from vizflow.config import Config
from vizflow.dates import check_date, check_dates
from vizflow.errors import ConfigError, EmptyWarning, Error, SchemaChangeWarning, StorageError
from vizflow.files import json as _json
from vizflow.files import places
from vizflow.files.stamp import Stamp
from vizflow.jobs import counts as _counts
from vizflow.jobs import day, fingerprint, job, machine, pipelines
from vizflow.jobs import folder as _folder
from vizflow.jobs import progress as _progress
from vizflow.jobs.fingerprint import Verdict
from vizflow.jobs.job import Job, Outcome
from vizflow.jobs.pipelines import Pipeline
from vizflow.jobs.processes.pool import Pool
from vizflow.partials import versions

__all__ = ["BatchError", "BatchReport", "run_batch", "status"]

_log = logging.getLogger("vizflow.jobs.batch")

Outcomes = Generator[Outcome, None, None]

HOT = 3.0  # times the median
HOT_SECONDS = 1.0  # below which a date is not worth a word
KEPT = ("done", "empty", "skipped")  # whose partials are there
SMALL, LARGE = 100 << 20, 50 << 30

SCHEMA = {
    "date": pl.String,
    "status": pl.String,
    "seconds": pl.Float64,
    "rows": pl.Int64,
    "bytes": pl.Int64,
    "input_bytes": pl.Int64,
    "read": pl.Int64,
    "nulled": pl.Int64,
    "kept": pl.Int64,
    "counts": pl.String,
    "error": pl.String,
    "note": pl.String,
    "traceback": pl.String,
}


@dataclass(frozen=True)
class BatchReport:
    """What became of each date of a batch.

    Attributes
    ----------
    frame : DataFrame
        A row a date, by date: ``date``; ``status`` (``done``, ``empty``: rows were read and none was kept, now or when
        its partial, which is what would be made, was written, ``skipped``: the partial that was there is what would be
        made, ``failed``, ``cancelled``: not begun or not finished before Ctrl-C); ``seconds``; ``rows`` and ``bytes``
        of the partial; ``input_bytes``; ``read``, the rows of the date's file; ``nulled``, times that became null;
        ``kept``, rows that were aggregated, or that the pipeline gave where it does not aggregate; ``counts``, these
        and more by reason, as JSON (see `run`); ``error`` (one that failed); ``note`` (a hot partition, a size out of
        range, older code); ``traceback``.
    seconds : float
        How long the batch took.
    path : Path or None
        Where the same is as JSON, below the partials; None where it could not be written.

    Examples
    --------
    See `run_batch`.
    """

    frame: pl.DataFrame
    seconds: float
    path: Path | None = None

    @property
    def failed(self) -> pl.DataFrame:
        """The dates that failed: ``date``, ``error``, ``traceback``."""
        return self.frame.filter(pl.col("status") == "failed").select("date", "error", "traceback")

    def count(self, status: str) -> int:
        """Return how many dates have a status."""
        return int((self.frame["status"] == status).sum())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, as it is in the JSON file."""
        return {
            "vizflow": "batch report",
            "seconds": round(self.seconds, 3),
            "counts": {status: self.count(status) for status in ("done", "empty", "skipped", "failed", "cancelled")},
            "dates": self.frame.to_dicts(),
        }

    def to_json(self) -> str:
        """Return the report as JSON, as it is in the file; null stands for NaN."""
        return _json.text(self.to_dict())

    def __str__(self) -> str:
        counts = [f"{count} {status}" for status, count in self.to_dict()["counts"].items() if count]
        lines = [f"{self.frame.height} dates in {self.seconds:.1f} s: {', '.join(counts) or 'nothing to do'}"]
        for date, counts in self.frame.filter(status="empty")["date", "counts"].rows():
            lines.append(f"  {date}  empty: {_counts.words(json.loads(counts))}")
        lines += [f"  {date}  {_first_line(error)}" for date, error, _ in self.failed.rows()]
        return "\n".join(lines)


class BatchError(Error):
    """Dates of a batch failed; the others are done.

    Attributes
    ----------
    report : BatchReport
        What became of every date.
    """

    def __init__(self, message: str, report: BatchReport) -> None:
        super().__init__(message, count=report.count("failed"))
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchError, (str(self), self.report)


def run_batch(
    pipeline_fn: Pipeline,
    config: Config,
    dates: Sequence[str],
    parallel: bool = True,
    skip_existing: bool = True,
    *,
    executor: concurrent.futures.Executor | None = None,
    max_workers: int | None = None,
    progress: bool = True,
) -> BatchReport:
    """Run a pipeline for many dates.

    Parameters
    ----------
    pipeline_fn
        As for `run`. A function of a module or a file is found there by each process; one of a notebook or a script,
        a lambda or a nested function is carried along by cloudpickle (``pip install 'vizflow[batch]'``).
    config
        The run's `Config`; ``output_dir`` must be set.
    dates
        ``YYYYMMDD`` each; a date given twice is run once.
    parallel
        Run dates in processes of their own, with Polars' threads divided among them. A script needs no
        ``if __name__ == "__main__"`` guard. Without it, one after another in this process.
    skip_existing
        Leave out dates whose partial is what would be made today: same input (name, size, time), same settings and
        schema, same metrics, same calendar up to the date, same format of VizFlow. Code of the pipeline that changed
        in other ways is warned of, and the partial is kept; ``skip_existing=False`` makes all dates again.
    executor
        Any `concurrent.futures.Executor` to run the dates in place of processes of ours: see `vizflow.cluster` for
        Slurm, Dask and Ray. It is not shut down.
    max_workers
        How many processes run at once; otherwise as many as cores, dates and free memory allow.
    progress
        Show a bar with rate, time left and failures where the output is a terminal or a notebook (needs ``rich``).

    Returns
    -------
    BatchReport
        A row a date. It is also written as JSON into ``output_dir/_vizflow/reports``.

    Raises
    ------
    BatchError
        At the end, when dates failed. All others are done; ``error.report`` has every date.
    ConfigError
        Before anything runs: a date is no date, a folder is not set, the function cannot travel.
    KeyboardInterrupt
        After Ctrl-C; the processes are ended, what was done is done, and the report says what was not.

    Notes
    -----
    A process that is killed (by the kernel, for memory) costs its date only. Partials are written whole or not at
    all, so a batch can be killed and started again at any moment, and several may work on one folder. A date that
    takes over three times the median, and over a second, is logged as a hot partition, and inputs outside 100 MB to
    50 GB are noted.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> for date in ["20241001", "20241002", "20241003"]:
    ...     path = vf.save(pl.DataFrame({"side": ["B", "S", "B"]}), f"days/{date}.feather")
    >>> def sides(df, ctx):
    ...     return vf.aggregate(df, ["side"], {"n": pl.len()})
    >>> config = vf.Config(input_dir="days", output_dir="partials")
    >>> report = vf.run_batch(sides, config, ["20241001", "20241002", "20241003"], parallel=False, progress=False)
    >>> report.frame.select("date", "status", "rows").rows()
    [('20241001', 'done', 2), ('20241002', 'done', 2), ('20241003', 'done', 2)]
    >>> report = vf.run_batch(sides, config, ["20241002", "20241003"], progress=False)
    >>> report.frame["status"].to_list()
    ['skipped', 'skipped']
    """
    pipelines.stop_loading("vf.run_batch")
    todo = check_dates(dates)
    if max_workers is not None and (isinstance(max_workers, bool) or max_workers < 1):
        raise ConfigError(f"max_workers is {max_workers!r}; a number from 1 is accepted")
    if not callable(pipeline_fn):
        raise ConfigError(f"the pipeline is {pipeline_fn!r}; a function of (frame, context) is accepted")
    _refuse_forks(executor)
    batch = _Batch(pipeline_fn, config, todo, skip_existing)
    return batch.run(parallel, executor, max_workers, progress)


def _refuse_forks(executor: concurrent.futures.Executor | None) -> None:
    """Refuse a pool of forked processes: Polars' threads are not there after a fork, and it waits for them forever."""
    if isinstance(executor, concurrent.futures.ProcessPoolExecutor):
        method = getattr(executor, "_mp_context", multiprocessing).get_start_method()
        if method == "fork":
            raise ConfigError(
                "the executor forks its processes, in which Polars hangs; give it "
                "mp_context=multiprocessing.get_context('spawn')"
            )


def run_one(function: Pipeline, config: Config, date: str, *, skip_existing: bool) -> Outcome:
    """Run one date as a batch does: the outcome as plain values, a failure noted for `status`."""
    pipelines.stop_loading("vf.run")
    code = fingerprint.code_digest(function)
    outcome = job.run_date(function, config, check_date(date), skip_existing=skip_existing, code=code)
    for category, text in outcome.pop("warnings", ()):
        warnings.warn(f"{text} ({category})", stacklevel=2)
    if outcome["status"] == "failed":
        _note_failure(config.get_partial_path(date).parent, outcome, None)
    return outcome


def _note_failure(folder: Path, outcome: Outcome, batch: str | None) -> None:
    record = {"date": outcome["date"], "error": outcome["error"], "traceback": outcome.get("traceback")}
    _folder.note_failure(folder, outcome["date"], {**record, "batch": batch})


class _Batch:
    """One call of `run_batch`."""

    def __init__(self, function: Pipeline, config: Config, dates: list[str], skip_existing: bool) -> None:
        self.function = function
        self.config = config
        self.dates = dates
        self.skip_existing = skip_existing
        self.folder = config.get_partial_path("20000101").parent
        self.inputs = {date: Stamp.of(config.get_file_path(date)) for date in dates}
        self.code = fingerprint.code_digest(function)
        self.outcomes: dict[str, Outcome] = {}
        self.warnings: dict[tuple[str, str], list[str]] = {}
        self.started = time.perf_counter()
        self.name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{socket.gethostname()}-{os.getpid()}"

    def run(
        self, parallel: bool, executor: concurrent.futures.Executor | None, max_workers: int | None, progress: bool
    ) -> BatchReport:
        _folder.clean(self.folder)
        todo = self._todo()
        # The largest first: a hot day that is begun last is waited for by all.
        todo.sort(key=lambda date: -self.inputs[date].size)
        source = self._source(todo, parallel, executor, max_workers)
        try:
            sizes = {date: self.inputs[date].size for date in todo}
            with _progress.bar(progress, sizes) as advance, contextlib.closing(source):
                for outcome in source:
                    self._take(outcome)
                    advance(outcome["date"], outcome["status"])
        except KeyboardInterrupt:
            report = self._report()
            _log.warning("interrupted: %s", str(report).splitlines()[0])
            raise
        report = self._report()
        if report.count("failed"):
            raise BatchError(_failures(report), report)
        return report

    def _todo(self) -> list[str]:
        """Settle the dates that need nothing, and give the others."""
        if not self.skip_existing:
            return list(self.dates)
        todo = []
        for date in self.dates:
            verdict = day.verdict(self.function, self.config, date, self.code)
            if verdict is None or verdict.reasons:
                todo.append(date)
            else:
                path = self.config.get_partial_path(date)
                _folder.forget_failure(self.folder, date)
                counts = _counts_in(path)
                status = "empty" if _counts.is_empty(counts) else "skipped"
                self._take(
                    {"date": date, "status": status, "seconds": 0.0, "bytes": Stamp.of(path).size, "trusted": True}
                    | {"notes": verdict.notes, "counts": counts}
                )
        return todo

    def _source(
        self, todo: list[str], parallel: bool, executor: concurrent.futures.Executor | None, max_workers: int | None
    ) -> Outcomes:
        """Return the outcomes as they come, a generator that ends what it started when it is closed."""
        if not todo:
            return _each(())
        if executor is None and not parallel:
            return _each(
                job.run_date(self.function, self.config, date, skip_existing=self.skip_existing, code=self.code)
                for date in todo
            )
        reference = pipelines.refer(self.function)
        packed = Job(reference, self.config, self.skip_existing, self.code, uuid.uuid4().hex).packed()
        if executor is not None:
            return _through(executor, packed, todo)
        workers, threads = machine.workers([self.inputs[date].size for date in todo], max_workers)
        _log.info("%d dates, %d processes of %d threads", len(todo), workers, threads)
        return Pool(packed, workers, threads).run(todo)

    def _take(self, outcome: Outcome) -> None:
        date = outcome["date"]
        self.outcomes[date] = outcome
        for category, text in outcome.get("warnings", ()):
            self.warnings.setdefault((category, text), []).append(date)
        if outcome["status"] == "failed":
            _log.info("%s failed: %s", date, outcome["error"])
            _note_failure(self.folder, outcome, self.name)

    def _report(self) -> BatchReport:
        _folder.clean(self.folder)
        cancelled = {date: {"date": date, "status": "cancelled"} for date in self.dates}
        rows = [{**cancelled[date], **self.outcomes.get(date, {})} for date in sorted(self.dates)]
        notes = {date: list(self.outcomes.get(date, {}).get("notes", ())) for date in self.dates}
        self._note_hot(notes)
        self._note_sizes(notes)
        self._note_gone(notes)
        for row in rows:
            counts = row.get("counts") or {}
            row |= {"read": counts.get("read"), "nulled": _counts.nulled(counts)}
            row |= {"kept": counts.get("aggregated", counts.get("kept")), "counts": _json.text(counts, indent=None)}
            row["input_bytes"] = size if (size := self.inputs[row["date"]].size) >= 0 else None
            row["note"] = "; ".join(notes[row["date"]]) or None
        frame = pl.DataFrame([{name: row.get(name) for name in SCHEMA} for row in rows], schema=SCHEMA)
        report = BatchReport(frame, time.perf_counter() - self.started)
        path = _folder.write_report(self.folder, self.name, report.to_dict())
        self._warn(notes)
        self._alert()
        return BatchReport(report.frame, report.seconds, path)

    def _note_hot(self, notes: dict[str, list[str]]) -> None:
        seconds = {date: found["seconds"] for date, found in self.outcomes.items() if found["status"] == "done"}
        if len(seconds) < 3:
            return
        median = statistics.median(seconds.values())
        hot = {date: took for date, took in sorted(seconds.items()) if took > max(HOT * median, HOT_SECONDS)}
        for date, took in hot.items():
            notes[date].append(f"hot partition: {took / median:.1f} times the median")
        if hot:
            shown = ", ".join(f"{date} ({took:.1f} s)" for date, took in list(hot.items())[:10])
            more = f" and {len(hot) - 10} more" if len(hot) > 10 else ""
            _log.warning("hot partitions, over %g times the median of %.2f s: %s%s", HOT, median, shown, more)

    def _note_gone(self, notes: dict[str, list[str]]) -> None:
        for date, found in self.outcomes.items():
            if found["status"] in KEPT and Stamp.of(self.config.get_partial_path(date)).size < 0:
                notes[date].append("its partial was gone when the batch ended")
                _log.warning("%s: its partial was gone when the batch ended", date)

    def _note_sizes(self, notes: dict[str, list[str]]) -> None:
        sizes = {date: stamp.size for date, stamp in self.inputs.items() if stamp.size >= 0}
        for word, chosen, log in (
            ("smaller than 100 MB", [d for d, size in sizes.items() if size < SMALL], _log.info),
            ("larger than 50 GB", [d for d, size in sizes.items() if size > LARGE], _log.warning),
        ):
            for date in chosen:
                notes[date].append(f"input {word}")
            if chosen:
                log("%d of %d inputs are %s, the first %s", len(chosen), len(sizes), word, min(chosen))

    def _alert(self) -> None:
        """Warn where partials of this batch do not belong together."""
        there = [date for date, found in self.outcomes.items() if found["status"] in KEPT]
        paths = [path for date in there if (path := self.config.get_partial_path(date)).is_file()]
        with contextlib.suppress(StorageError):  # one went meanwhile; the report says so
            versions.alert(paths, warn=lambda text: warnings.warn(text, SchemaChangeWarning, stacklevel=7))

    def _warn(self, notes: dict[str, list[str]]) -> None:
        """Return each warning once, with the dates it came on; partials of older code among them."""
        older: dict[str, list[str]] = {}
        for date, found in self.outcomes.items():
            if found["status"] == "skipped" or found.get("trusted"):
                for note in found.get("notes", ()):
                    older.setdefault(note, []).append(date)
        for note, on in older.items():
            warnings.warn(f"{_on(on)} kept, though {note}; skip_existing=False makes all again", stacklevel=5)
        for (category, text), on in self.warnings.items():
            warnings.warn(f"{text} ({category}, {_on(on)})", stacklevel=5)
        empty = sorted(date for date, found in self.outcomes.items() if found["status"] == "empty")
        if empty:
            counts = _counts.words(self.outcomes[empty[0]].get("counts", {}))
            text = f"nothing was kept of {_on(empty)}; of {empty[0]}: {counts}"
            _log.warning("%s", text)
            warnings.warn(text, EmptyWarning, stacklevel=5)


def _on(dates: list[str]) -> str:
    return f"{dates[0]}" if len(dates) == 1 else f"{len(dates)} dates from {min(dates)}"


def _each(outcomes: Iterable[Outcome]) -> Outcomes:
    """Yield a generator, which can be closed, of anything that can be gone through."""
    yield from outcomes


def _through(executor: concurrent.futures.Executor, packed: bytes, dates: list[str]) -> Outcomes:
    """Run dates in someone else's executor; what it raises is the failure of the date it was at."""
    started = time.perf_counter()
    futures: dict[concurrent.futures.Future[Outcome], str] = {}
    submit: Callable[..., concurrent.futures.Future[Outcome]] = executor.submit
    refused: list[Outcome] = []
    try:
        for date in dates:
            try:
                futures[submit(job.run_packed, packed, date)] = date
            except Exception as error:  # an executor that broke takes no more
                refused.append(job.failed(date, 0.0, error))
        yield from refused
        waiting = set(futures)
        while waiting:
            # Not as_completed: a wait without end does not see Ctrl-C on every platform.
            ended, waiting = concurrent.futures.wait(waiting, 0.5, concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                yield _ended(future, futures[future], time.perf_counter() - started)
    finally:
        for future in futures:
            future.cancel()


def _ended(future: concurrent.futures.Future[Outcome], date: str, seconds: float) -> Outcome:
    if future.cancelled():
        return job.failed(date, seconds, "cancelled by the executor")
    raised = future.exception()
    return future.result() if raised is None else job.failed(date, seconds, raised)


def _first_line(text: str) -> str:
    lines = text.splitlines() or [""]
    return lines[0] + (" …" if len(lines) > 1 else "")


def _failures(report: BatchReport) -> str:
    rows = report.failed.rows()
    table = "\n".join(f"  {date}  {_first_line(error)}" for date, error, _ in rows[:20])
    more = f"\n  and {len(rows) - 20} more" if len(rows) > 20 else ""
    where = f"; tracebacks are in {report.path}" if report.path else ""
    return f"{len(rows)} of {report.frame.height} dates failed, the others are done{where}\n{table}{more}"


# ---- status -------------------------------------------------------------------------------------------------------


def status(config: Config, dates: Sequence[str] | None = None, *, pipeline_fn: Pipeline | None = None) -> pl.DataFrame:
    """Return which dates are done.

    Parameters
    ----------
    config
        The run's `Config`.
    dates
        ``YYYYMMDD`` each; otherwise every date that has an input file or a partial.
    pipeline_fn
        The pipeline function. Without it, whether the metrics or its code changed is not looked at.

    Returns
    -------
    DataFrame
        A row a date: ``date``; ``status``: ``done`` (the partial is what would be made today), ``empty`` (it is, and
        nothing was kept of the date), ``stale`` (it is not), ``damaged`` (the partial cannot be read, or is not what
        was written), ``failed`` (there is no such partial, and the last attempt failed) or ``missing``; ``why``;
        ``written`` (UTC, text) and ``bytes`` of the partial.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> for date in ["20241001", "20241002"]:
    ...     path = vf.save(pl.DataFrame({"side": ["B", "S", "B"]}), f"days/{date}.feather")
    >>> config = vf.Config(input_dir="days", output_dir="partials")
    >>> frame = vf.run(lambda df, ctx: df, config, "20241001")
    >>> vf.status(config).select("date", "status").rows()
    [('20241001', 'done'), ('20241002', 'missing')]
    """
    chosen = check_dates(dates) if dates is not None else known_dates(config)
    code = fingerprint.code_digest(pipeline_fn) if pipeline_fn is not None else None
    rows = [_status_of(config, date, pipeline_fn, code) for date in chosen]
    kinds = {"date": pl.String, "status": pl.String, "why": pl.String, "written": pl.String, "bytes": pl.Int64}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def known_dates(config: Config) -> list[str]:
    """Return the dates that have an input file or a partial."""
    found: set[str] = set()
    for folder, pattern in ((config.input_dir, config.input_pattern), (config.output_dir, "{date}.parquet")):
        if folder is not None:
            try:
                found |= {date for date in places.dates(Path(folder), pattern) if _is_date(date)}
            except OSError as error:
                raise StorageError(f"{error.filename}: it cannot be looked into ({error.strerror})") from error
    return sorted(found)


def _is_date(text: str) -> bool:
    with contextlib.suppress(ConfigError):
        return bool(check_date(text))
    return False


def _status_of(config: Config, date: str, function: Pipeline | None, code: str | None) -> tuple[Any, ...]:
    path = config.get_partial_path(date)
    try:
        fingerprint.stored_in(path)
    except StorageError as error:
        return date, "damaged", str(error), None, Stamp.of(path).size
    verdict: Verdict | None = day.verdict(function, config, date, code)
    failure = _folder.failure(path.parent, date)
    written, size = _written(path)
    if verdict is not None and not verdict.reasons:
        counts = _counts_in(path)
        if _counts.is_empty(counts):
            return date, "empty", "; ".join([_counts.words(counts), *verdict.notes]), written, size
        return date, "done", "; ".join(verdict.notes) or None, written, size
    if failure is not None:
        return date, "failed", str(failure.get("error", "")), written, size
    if verdict is None:
        return date, "missing", None, None, None
    return date, "stale", "; ".join(verdict.reasons), written, size


def _counts_in(path: Path) -> _counts.Counts:
    try:
        return _counts.stored(fingerprint.stored_in(path))
    except StorageError:
        return {}


def _written(path: Path) -> tuple[str | None, int | None]:
    try:
        stored = fingerprint.stored_in(path)
    except StorageError:
        stored = {}
    size = Stamp.of(path).size
    return (stored or {}).get("vizflow.written"), size if size >= 0 else None
