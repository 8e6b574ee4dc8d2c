"""What the tests share: frames cut into chunks, errors caught whichever way they come, sources that can be watched.

Not fixtures (`conftest.py` has those) and not expected values.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from vizflow.errors import Error, from_polars

CHUNK_ROWS = int(os.environ.get("VIZFLOW_TEST_CHUNKS", "0"))


def chunked(frame: pl.DataFrame, rows: int = 0) -> pl.DataFrame:
    """Cut a frame into chunks of `rows` rows; by default of VIZFLOW_TEST_CHUNKS rows, or not at all."""
    rows = rows or CHUNK_ROWS
    if rows <= 0:
        return frame
    whole = frame.rechunk()
    parts = [whole.slice(start, rows) for start in range(0, frame.height, rows)]
    return pl.concat(parts, rechunk=False) if parts else whole


class Caught:
    """What `raises` caught."""

    error: Error


@contextmanager
def raises(kind: type[Error], *parts: str, **attributes: Any) -> Iterator[Caught]:
    """Expect a VizFlow error of exactly this kind, its text to hold each of `parts`, and its attributes to be so.

    Polars wraps what an element-wise plugin raises under a bare collect; such an error is unwrapped first.
    """
    caught = Caught()
    try:
        yield caught
    except Error as error:
        caught.error = error
    except pl.exceptions.PolarsError as error:
        ours = from_polars(error)
        if ours is None:
            raise
        caught.error = ours
    else:
        raise AssertionError(f"{kind.__name__} was not raised")
    ours = caught.error
    assert type(ours) is kind, f"{type(ours).__name__} in place of {kind.__name__}: {ours}"
    for part in parts:
        assert part in str(ours), f"{part!r} is not in {str(ours)!r}"
    for name, value in attributes.items():
        assert getattr(ours, name) == value, f"{name} is {getattr(ours, name)!r}, not {value!r}: {ours}"


class Watched:
    """A lazy frame that notes which columns, and how often, its reader asks for.

    `cheap` names it so that VizFlow takes it for one that may be read twice. `change`, called with the number of the
    reading (from 1) and the frame, gives the rows of that reading.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        *,
        cheap: bool = True,
        change: Callable[[int, pl.DataFrame], pl.DataFrame] | None = None,
        batch_rows: int = 0,
    ) -> None:
        self.frame = frame
        self.reads: list[list[str]] = []
        self.rows = 0
        self._change = change
        self._batch_rows = batch_rows
        self.lazy = register_io_source(
            self._generate, schema=frame.schema, explain_name="vizflow evil" if cheap else "foreign"
        )

    @property
    def columns(self) -> set[str]:
        """Every column that was asked for."""
        return {name for read in self.reads for name in read}

    def _generate(
        self, wanted: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        self.reads.append(self.frame.columns if wanted is None else wanted)
        frame = self.frame if self._change is None else self._change(len(self.reads), self.frame)
        frame = frame if n_rows is None else frame.head(n_rows)
        for part in frame.iter_slices(self._batch_rows or max(frame.height, 1)):
            self.rows += part.height
            kept = part if predicate is None else part.filter(predicate)
            yield kept if wanted is None else kept.select(wanted)


def eager_steps(frame: pl.LazyFrame, *steps: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
    """Apply steps with everything collected in between: what a lazy chain of them must equal."""
    for step in steps:
        frame = step(frame).collect().lazy()
    return frame.collect()
