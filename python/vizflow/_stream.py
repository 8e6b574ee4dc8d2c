"""Steps that need a whole day before they can give its first row, as lazy frames that stream.

Such a step reads its input twice: first only the columns it must know (*learn*), then every column that is asked for,
batch by batch (*emit*). The second reading is compared with the first, row by row, in C, so an input that gives other
rows the second time is an error and never a wrong number. Inputs that are dear to compute, or that need not come in
the same order twice, are collected once instead.

Not for element-wise operations: those are expressions.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import polars as pl
from polars.io.plugins import register_io_source

from vizflow.errors import translated

BATCH_ROWS = 262_144

# Plan nodes whose rows come again as they came, cheaply. A plan with any other is collected once.
_NODE = re.compile(r" *(?:(PYTHON\[[^\]]*\] SCAN|[A-Z][a-z]+ SCAN|[A-Z]+[A-Z_ ]*[A-Z])\b|\S)")
_CHEAP = re.compile(
    r"WITH_COLUMNS|SELECT|SELECTION|FILTER|FROM|SLICE|PROJECT|ESTIMATED ROWS|ROW INDEX|DF|(Ipc|Parquet) SCAN"
    r"|PYTHON\[vizflow .*\] SCAN"
)


class Step(Protocol):
    """What a step does with rows; `columns` are the names it wants to learn from."""

    columns: list[str]

    def covers(self, wanted: Sequence[str]) -> bool:
        """Tell whether this step, once it has learnt, can emit these columns."""

    def learn(self, batch: pl.DataFrame) -> None:
        """Take the next rows of `columns`."""

    def learnt(self) -> None:
        """Compute, all rows being there."""

    def emit(self, batch: pl.DataFrame, row: int, wanted: list[str]) -> pl.DataFrame:
        """Give the output of rows `row`, `row + 1`, …, which `batch` holds again, `columns` included."""

    def emitted(self) -> None:
        """Check that every row came again."""


def batches(frame: pl.LazyFrame, *, ordered: bool = True) -> Iterator[pl.DataFrame]:
    """Collect a frame batch by batch, in its order, in bounded memory."""
    with translated():
        yield from frame.collect_batches(maintain_order=ordered, engine="streaming")


def is_replayable(frame: pl.LazyFrame) -> bool:
    """Tell whether a plan may be run twice: only scans, projections and filters over columnar files or frames.

    A wrong yes costs an error (the replay is checked), a wrong no costs memory.
    """
    for line in frame.explain(optimized=False).splitlines():
        node = _NODE.match(line)
        if node is not None and node.group(1) is not None and _CHEAP.fullmatch(node.group(1)) is None:
            return False
    return True


# ---- what a step has learnt, kept while an outer step reads it twice --------------------------------------------


class _Scope:
    """Open while an outer step reads its input twice; inner steps leave here what they learnt the first time."""

    def __init__(self, upcoming: Sequence[str]) -> None:
        self.upcoming = upcoming  # columns that the second reading will ask for
        self.steps: dict[int, Step] = {}


_lock = threading.Lock()
_scopes: list[_Scope] = []


@contextmanager
def _scope(upcoming: Sequence[str]) -> Iterator[None]:
    scope = _Scope(upcoming)
    with _lock:
        _scopes.append(scope)
    try:
        yield
    finally:
        with _lock:
            _scopes.remove(scope)


def _upcoming() -> set[str]:
    with _lock:
        return {name for scope in _scopes for name in scope.upcoming}


def _take(key: int, wanted: Sequence[str]) -> Step | None:
    """Take a step out of its scope: nobody else uses it meanwhile."""
    with _lock:
        for scope in _scopes:
            if key in scope.steps and scope.steps[key].covers(wanted):
                return scope.steps.pop(key)
    return None


def _leave(key: int, step: Step) -> None:
    with _lock:
        if _scopes:
            _scopes[-1].steps[key] = step


# ---- sources ----------------------------------------------------------------------------------------------------


def _limited(
    frames: Iterator[pl.DataFrame], wanted: list[str] | None, predicate: pl.Expr | None, n_rows: int | None
) -> Iterator[pl.DataFrame]:
    """Apply what Polars pushes into a source: rows first, then the filter, then the order of columns."""
    left = n_rows
    for frame in frames:
        part = frame if left is None else frame.head(left)
        if left is not None:
            left -= part.height
        if predicate is not None:
            part = part.filter(predicate)
        yield part if wanted is None else part.select(wanted)
        if left is not None and left <= 0:
            return


def source(
    produce: Callable[[list[str]], Iterator[pl.DataFrame]], schema: Mapping[str, Any], name: str
) -> pl.LazyFrame:
    """Make a LazyFrame of a generator of frames that is told which columns are wanted."""
    names = list(schema)
    empty = pl.DataFrame(schema=schema)

    def generate(
        wanted: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        columns = names if wanted is None else wanted
        some = False
        for frame in _limited(produce(columns), wanted, predicate, n_rows):
            some = True
            yield frame
        if not some:
            yield empty.select(columns)

    return register_io_source(generate, schema=dict(schema), explain_name=f"vizflow {name}")


def two_pass(
    frame: pl.LazyFrame,
    make_step: Callable[[list[str]], Step],
    *,
    schema: Mapping[str, Any],
    added: list[str],
    name: str,
) -> pl.LazyFrame:
    """Make the lazy frame of a step that learns from all rows before it emits the first.

    Parameters
    ----------
    frame
        Input.
    make_step
        Given the wanted output columns, makes a fresh step.
    schema
        Of the output: the input's columns, and `added`.
    added
        Columns that the step adds.
    name
        Shown in query plans.
    """
    replayable = is_replayable(frame)
    new = set(added)
    token = object()

    def produce(wanted: list[str]) -> Iterator[pl.DataFrame]:
        step = _take(id(token), wanted)
        if step is None:
            fresh = make_step([*wanted, *(new & _upcoming())])
            needed = _needed(fresh, wanted, new)
            with _scope(needed):
                again = _read(frame, needed, replayable)
                _learn(fresh, again)
                yield from _emit(fresh, again, wanted)
            step = fresh
        else:
            yield from _emit(step, _read(frame, _needed(step, wanted, new), replayable), wanted)
        _leave(id(token), step)

    return source(produce, schema, name)


def _needed(step: Step, wanted: Sequence[str], new: set[str]) -> list[str]:
    return list(dict.fromkeys([*step.columns, *(column for column in wanted if column not in new)]))


def _read(frame: pl.LazyFrame, columns: list[str], replayable: bool) -> pl.LazyFrame:
    if replayable:
        return frame.select(columns)
    with translated():
        return frame.select(columns).collect(engine="streaming").lazy()


def _learn(step: Step, frame: pl.LazyFrame) -> None:
    columns = frame.select(step.columns)
    step.learn(pl.DataFrame(schema=columns.collect_schema()))  # types, should no rows come
    for batch in batches(columns):
        step.learn(batch)
    step.learnt()


def _emit(step: Step, again: pl.LazyFrame, wanted: list[str]) -> Iterator[pl.DataFrame]:
    row = 0
    for batch in batches(again):
        for part in batch.iter_slices(BATCH_ROWS):
            yield step.emit(part, row, wanted)
            row += part.height
    step.emitted()
