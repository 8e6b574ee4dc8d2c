"""What operations on prices share: checks of columns, units and methods. Not for numbers, which C makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

import vizflow._core as _core
from vizflow.errors import SchemaError, translated
from vizflow.lazy.frames import column_type, plugin, threads
from vizflow.lazy.two_pass import BATCH_ROWS, batches, is_replayable

ELAPSED = "elapsed_seconds"
METHODS = _core.MARK_METHODS


SECOND = 1_000_000_000
DAY_SECONDS = 86_400
NO_END = 2**63 - 1


FLOAT32_NONE = 3.4028234663852886e38  # its largest: vendors' "no price"; of Float64 that is 1e300 and more


WALL = "__vf_wall"
DAY = "__vf_day"


def once(*names: str) -> list[str]:
    """Return names, each once."""
    return list(dict.fromkeys(names))


def slices(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Yield a frame's rows in slices that C takes one at a time."""
    for batch in batches(frame):
        yield from batch.iter_slices(BATCH_ROWS)


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """Collect a frame; errors are VizFlow's."""
    with translated():
        return frame.collect(engine="streaming")


def read_twice(frame: pl.LazyFrame, columns: Iterable[str]) -> pl.LazyFrame:
    """Return a frame that may be read twice: itself, or its columns collected once where it is dear to compute."""
    names = once(*columns)
    return frame.select(names) if is_replayable(frame) else collect(frame.select(names)).lazy()


def price_return(later: pl.Series, earlier: pl.Series) -> pl.Series:
    """``later / earlier - 1`` in C; null where either is no price."""
    with translated():
        return pl.DataFrame([later.alias("later"), earlier.alias("earlier")]).select(
            plugin("price_return", [pl.col("later"), pl.col("earlier")])
        )["later"]


def keyed(*, unique: bool) -> _core.Asof:
    """Make a look-up by key alone."""
    return _core.Asof(
        horizons_ns=[0],
        method=METHODS["backward"],
        tolerance_ns=-1,
        end_ns=NO_END,
        strict=False,
        past_last=True,
        unique=unique,
        n_threads=threads(),
    )


def check_price(schema: pl.Schema, name: str, option: str) -> None:
    """Check that a column can hold prices."""
    dtype = column_type(schema, name, option)
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise SchemaError(f"{option} {name!r} is {dtype}; a number is needed, so cast it first", column=name)


def check_time(schema: pl.Schema, name: str, option: str) -> None:
    """Check that a column can hold times."""
    dtype = column_type(schema, name, option)
    if not (dtype.is_integer() or dtype.is_float() or dtype.is_temporal() or dtype == pl.Null):
        raise SchemaError(
            f"{option} {name!r} is {dtype}; seconds, Duration, Time, Datetime and Date are accepted", column=name
        )
