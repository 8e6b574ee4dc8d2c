"""Where a report's rows come from: a day at a time, whatever was given. Not for measuring them."""

from __future__ import annotations

import datetime as dt
import glob
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from vizflow import io
from vizflow.config import Config, Context
from vizflow.errors import ConfigError, DataError, SchemaError, near_names, translated
from vizflow.files import places
from vizflow.jobs.context import context
from vizflow.lazy.frames import as_lazy
from vizflow.viz.dims import is_partials

Prepare: TypeAlias = "Callable[[pl.LazyFrame, Context], pl.LazyFrame]"

DAY = 864_000.0  # seconds, and more on either side of the open is no time of a trading day
_DATE = re.compile(r"(?<!\d)(\d{8})(?!\d)")


def days(
    source: Any, *, dates: Sequence[str] | None, prepare: Prepare | None, date_col: str
) -> Iterator[tuple[str, pl.LazyFrame]]:
    """Yield each day's date and rows, in order of dates."""
    if isinstance(source, Config):
        yield from _of_config(source, dates, prepare)
        return
    if prepare is not None:
        raise ConfigError("prepare= is called with a Config's context; give the Config as the source, and dates=")
    if is_partials(source):
        yield from _of_files(paths_of(source), dates)
    elif isinstance(source, Mapping):
        for date in sorted(source):
            if dates is None or date in dates:
                yield str(date), as_lazy(source[date])
    else:
        yield from _of_frame(as_lazy(source), dates, date_col)


def _of_config(
    config: Config, dates: Sequence[str] | None, prepare: Prepare | None
) -> Iterator[tuple[str, pl.LazyFrame]]:
    if dates is None:
        raise ConfigError("a Config as the source needs dates=, as run_batch does")
    for date in sorted(dates):
        path = config.get_file_path(date)
        frame = io.scan(path, schema=config.schema, csv=config.csv)
        yield date, frame if prepare is None else as_lazy(prepare(frame, context(config, date)))


def _of_files(paths: Sequence[Path], dates: Sequence[str] | None) -> Iterator[tuple[str, pl.LazyFrame]]:
    dated = sorted((date_of(path), path) for path in paths)
    for (date, path), (after, other) in itertools.pairwise(dated):
        if date == after:
            raise DataError(f"{path} and {other} are both of {date}; a file a date is needed")
    for date, path in dated:
        if dates is None or date in dates:
            yield date, io.scan(path)


def _of_frame(lf: pl.LazyFrame, dates: Sequence[str] | None, date_col: str) -> Iterator[tuple[str, pl.LazyFrame]]:
    schema = lf.collect_schema()
    if date_col not in schema:
        raise SchemaError(
            f"the frame has no column {date_col!r} ({near_names(date_col, schema.names())}); add the day to it, or "
            'give a mapping {"20240102": frame, …}',
            column=date_col,
        )
    with translated():
        found = lf.select(pl.col(date_col).unique().sort()).collect(engine="streaming").to_series()
    for value in found.drop_nulls():
        date = value.strftime("%Y%m%d") if isinstance(value, dt.date) else str(value)
        if dates is None or date in dates:
            yield date, lf.filter(pl.col(date_col) == pl.lit(value, schema[date_col]))


def paths_of(source: Any) -> list[Path]:
    """Return the files of a path, folder, glob or list of paths."""
    items = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    found: list[Path] = []
    for item in items:
        path = places.local(item)
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.suffix in (".parquet", ".feather", ".arrow", ".ipc"))
        elif any(mark in str(path) for mark in "*?["):
            found += sorted(Path(p) for p in glob.glob(str(path), recursive=True))  # noqa: PTH207
        else:
            found.append(path)
    if not found:
        raise ConfigError(
            f"{source}: there are no files; a folder, a glob or paths of .parquet or .feather are accepted"
        )
    return found


def date_of(path: Path) -> str:
    """Read the date in a file's name."""
    found = _DATE.findall(path.stem)
    if len(found) != 1:
        raise ConfigError(f"{path.name}: the name needs one date as YYYYMMDD to tell the day from")
    return str(found[0])


def choose(schema: pl.Schema, names: Sequence[str], what: str) -> None:
    """Check columns, naming what each is needed for."""
    for name in names:
        if name not in schema:
            raise SchemaError(f"{what}: there is no column {name!r}; {near_names(name, schema.names())}", column=name)


def check_numbers(schema: pl.Schema, names: Iterable[str], times: Sequence[str] = ()) -> None:
    """Refuse columns that hold no numbers; times may be durations."""
    for name in (*names, *times):
        dtype = schema[name]
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null) or (name in times and dtype == pl.Duration)):
            raise SchemaError(
                f"column {name!r} is {dtype}; numbers are needed: cast it, pl.col({name!r}).cast(pl.Float64)",
                column=name,
            )


def check_every(every: Any) -> None:
    """Check the length of a day's slices."""
    if isinstance(every, bool) or not isinstance(every, (int, float)) or not 1 <= every < DAY:
        raise ConfigError(f"every is {every!r}; a number of seconds from 1 to {DAY:g} is accepted")
