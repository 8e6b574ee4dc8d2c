"""Steps that need a whole day before they can give its first row, as lazy frames that stream.

Such a step reads its input twice: first only the columns it must know (*learn*), then every column that is asked for,
batch by batch (*emit*). The second reading is compared with the first, row by row, in C, so an input that gives other
rows the second time is an error and never a wrong number. Inputs that are dear to compute, or that need not come in
the same order twice, are collected once instead.

Not for element-wise operations: those are expressions.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import polars as pl
from polars.io.plugins import register_io_source

import vizflow._core as _core
from vizflow.errors import ReplayError, StorageError, translated
from vizflow.lazy import notes as _notes
from vizflow.lazy.frames import columns as selected
from vizflow.lazy.lineage import scan_name
from vizflow.lazy.reading import Guarded, Reading, identity

T = TypeVar("T")

BATCH_ROWS = 131_072  # C works best on about so many, and takes a larger batch in such parts, beside one another
LARGE_BATCH_ROWS = 4 * BATCH_ROWS  # to emit of, where output is little more than input and nothing else is in memory
LEARNT_ROWS = 16 * BATCH_ROWS
GROUPED_ROWS = 8 * BATCH_ROWS

# Plan nodes whose rows come again as they came, cheaply. A plan with any other is collected once.
_NODE = re.compile(r" *(?:(PYTHON\[[^\]]*\] SCAN|[A-Z][a-z]+ SCAN|[A-Z]+[A-Z_ ]*[A-Z])\b|\S)")
_CHEAP = re.compile(
    r"WITH_COLUMNS|SELECT|SELECTION|FILTER|FROM|SLICE|PROJECT|ESTIMATED ROWS|ROW INDEX|DF|(Ipc|Parquet) SCAN"
    r"|PYTHON\[vizflow [^(]*\] SCAN"
)
_FILES = re.compile(r"^ *(?:Ipc|Parquet) SCAN \[(.*)\]$", re.MULTILINE)
# Plan nodes that give a row for each row.
_ALL_ROWS = re.compile(r"WITH_COLUMNS|SELECT|PROJECT|ESTIMATED ROWS|(Ipc|Parquet) SCAN")
_SELECTS_ROWS = re.compile(r"^ *SELECT \[col\(\"[^\"]*\"\)(?:, col\(\"[^\"]*\"\))*\]$", re.MULTILINE)
# Those, and sources without a count of their own.
_SAME_ROWS = re.compile(r"WITH_COLUMNS|SELECT|FROM|PROJECT|ESTIMATED ROWS|DF|(Ipc|Parquet|Csv) SCAN")
_Versions = Mapping[str, tuple[int, ...]]


class Step(Protocol):
    """What a step does with rows; `columns` are the names it wants to learn from."""

    columns: list[str]

    def covers(self, wanted: Sequence[str]) -> bool:
        """Return whether this step, once it has learnt, can emit these columns."""

    def learn(self, batch: pl.DataFrame) -> None:
        """Take the next rows of `columns`."""

    def learnt(self) -> None:
        """Compute, all rows being there."""

    def emit(self, batch: pl.DataFrame, row: int, wanted: list[str]) -> Callable[[], pl.DataFrame]:
        """Compare rows `row`, `row + 1`, …, which `batch` holds again, `columns` included.

        What makes their output is given; it runs beside the next call, and may only use what no call changes.
        """

    def emitted(self) -> None:
        """Check that every row came again."""

    def counts(self) -> dict[str, int]:
        """Tell of its rows what is not seen in what it gives."""


def batches(
    frame: pl.LazyFrame, *, ordered: bool = True, rows_of: pl.LazyFrame | None = None
) -> Iterator[pl.DataFrame]:
    """Collect a frame batch by batch, in its order, in bounded memory: whole, or an error is raised.

    `rows_of` is a frame that it has a row of for each row, where its own plan does not tell.
    """
    count = 0
    with translated(), Reading(frame, ordered=ordered) as reading:
        for batch in reading:
            yield batch
            count += batch.height
    refuse_fewer(frame if rows_of is None else rows_of, count)


def gathered(frames: Iterator[pl.DataFrame], most: int) -> Iterator[pl.DataFrame]:
    """Put small batches together, without copying, and cut large ones to at most `most` rows.

    What a symbol needs is touched once a batch, and a day's rows take turns among thousands of symbols.
    """
    waiting: list[pl.DataFrame] = []
    rows = 0
    for frame in frames:
        if rows + frame.height > most and waiting:
            yield pl.concat(waiting, rechunk=False)
            waiting, rows = [], 0
        for part in frame.iter_slices(most):
            if part.height == most:
                yield part
            else:
                waiting.append(part)
                rows += part.height
    if waiting:
        yield pl.concat(waiting, rechunk=False)


def is_replayable(frame: pl.LazyFrame) -> bool:
    """Return whether a plan may be run twice: only scans, projections and filters over columnar files or frames.

    A wrong yes costs an error (the replay is checked), a wrong no costs memory.
    """
    return _is_cheap(frame.explain(optimized=False))


def _nodes(plan: str) -> list[str]:
    """Name the nodes of a plan, as it is explained."""
    return [node.group(1) for node in map(_NODE.match, plan.splitlines()) if node is not None and node.group(1)]


def _is_cheap(plan: str) -> bool:
    return all(map(_CHEAP.fullmatch, _nodes(plan)))


def is_one_file(frame: pl.LazyFrame) -> bool:
    """Return whether a plan gives every row of one file, or of one frame in memory, and no other."""
    nodes = _nodes(frame.explain(optimized=False))
    read = [node for node in nodes if node == "DF" or node.endswith(" SCAN")]
    return len(read) == 1 and not read[0].startswith("PYTHON") and all(map(_SAME_ROWS.fullmatch, nodes))


def has_cheap_head(frame: pl.LazyFrame) -> bool:
    """Return whether the first rows of a plan cost little: of one that is replayable, or would be but for a CSV."""
    return _is_cheap(frame.explain(optimized=False).replace("Csv SCAN", "Ipc SCAN"))


def _files(plan: str) -> list[str]:
    """Name the files that a plan scans."""
    out: list[str] = []
    for text in _FILES.findall(plan):
        out += [text] if os.path.exists(text) else text.split(", ")  # noqa: PTH110 (a path may hold a comma)
    return out


def refuse_fewer(frame: pl.LazyFrame, count: int) -> None:
    """Compare how many rows a plan gave with what its file says, where it gives the rows of one file, all of them.

    Raises
    ------
    StorageError
        They are not as many.
    """
    plan = frame.explain(optimized=False)
    nodes, files = _nodes(plan), _files(plan)
    if len(files) != 1 or not all(map(_ALL_ROWS.fullmatch, nodes)):
        return
    if len(_SELECTS_ROWS.findall(plan)) != nodes.count("SELECT"):
        return  # what is selected may be one row of all
    scan: Any = pl.scan_parquet if "Parquet SCAN" in nodes else pl.scan_ipc
    try:
        stated = int(scan(files[0], glob=False, hive_partitioning=False).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return  # it is gone: whoever reads it tells
    if stated != count:
        raise StorageError(
            f"{files[0]}: {count:,} rows were read, and the file says that it has {stated:,}; it is damaged, or the "
            "reading ended early, so nothing of it was used"
        )


def _versions(files: Sequence[str]) -> _Versions:
    """Return which version of each file is there."""
    found = {name: identity(name) for name in files}
    return {name: version for name, version in found.items() if version is not None}


def _refuse_changed(before: _Versions) -> None:
    """Refuse what two readings gave of files that changed meanwhile: the columns of one may be another version's."""
    after = _versions(list(before))
    for name, version in before.items():
        if after.get(name) != version:
            raise ReplayError(
                f"{name}: the file was changed or replaced between its two readings, so nothing of it was used; try "
                "again when whoever writes it has finished"
            )


def is_in_memory(frame: pl.LazyFrame) -> bool:
    """Return whether a plan reads nothing but a frame in memory, row by row, and calls no Python."""
    text = frame.explain(optimized=False)
    return " SCAN" not in text and "python" not in text.lower() and _is_cheap(text)


# ---- what a step has learnt, kept while an outer step reads it twice --------------------------------------------


class _Scope:
    """Open while an outer step reads its input twice; inner steps leave here what they learnt the first time."""

    def __init__(self, upcoming: Sequence[str]) -> None:
        self.upcoming = upcoming  # columns that the second reading will ask for
        self.steps: dict[int, tuple[Step, _Versions]] = {}


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


def _is_read_by_step() -> bool:
    """Return whether a step reads its input, whose own batches are in memory meanwhile."""
    with _lock:
        return bool(_scopes)


def _take(key: int, wanted: Sequence[str]) -> tuple[Step | None, _Versions]:
    """Take a step, and which files it has learnt from, out of its scope: nobody else uses it meanwhile."""
    with _lock:
        for scope in _scopes:
            if key in scope.steps and scope.steps[key][0].covers(wanted):
                return scope.steps.pop(key)
    return None, {}


def _leave(key: int, step: Step, versions: _Versions) -> None:
    with _lock:
        if _scopes:
            _scopes[-1].steps[key] = step, versions


# ---- what is known of frames of ours ------------------------------------------------------------------------------


class _Known(Generic[T]):
    """What is known of a frame, as long as it is the very same object: whatever is built upon it is another."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[weakref.ref[pl.LazyFrame], T]] = {}

    def add(self, frame: pl.LazyFrame, what: T) -> None:
        key = id(frame)
        self._of[key] = weakref.ref(frame, lambda _: self._of.pop(key, None)), what

    def of(self, frame: pl.LazyFrame) -> T | None:
        found = self._of.get(id(frame))
        return found[1] if found is not None and found[0]() is frame else None


@dataclass(frozen=True)
class Origin:
    """What a row-repeating frame was made of: `rebuild(frame, names)` is these columns of that over another frame."""

    frame: pl.LazyFrame
    rebuild: Callable[[pl.LazyFrame, Sequence[str]], pl.LazyFrame]


@dataclass(frozen=True)
class _Made:
    """How a row-by-row step's frame was made, so that a step upon it can let both learn from one reading."""

    frame: pl.LazyFrame  # its input
    make_step: Callable[[list[str]], Step]
    added: frozenset[str]
    key: int


@dataclass(frozen=True)
class Function:
    """A column that Python makes of others, batch by batch."""

    roots: Sequence[str]
    make: Callable[[pl.DataFrame], pl.Series]
    dtype: Any

    def expr(self, name: str) -> pl.Expr:
        """Stand for the column in a plan. Only `rows` can read it."""

        def refuse(_: Sequence[pl.Series]) -> pl.Series:
            raise RuntimeError(f"column {name!r} was read by Polars")

        return pl.map_batches(self.roots, refuse, return_dtype=self.dtype, is_elementwise=True)


@dataclass(frozen=True)
class _Layer:
    """Columns that are made row by row, batch by batch, of another frame's."""

    frame: pl.LazyFrame
    added: Mapping[str, pl.Expr | Function]

    def below(self, columns: Sequence[str]) -> list[str]:
        """Return the columns of `frame` that these are made of."""
        made = [self.added[name] for name in columns if name in self.added]
        roots = [root for one in made for root in _roots(one)]
        return list(dict.fromkeys([*(name for name in columns if name not in self.added), *roots]))

    def over(self, batch: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        exprs = [one.alias(name) for name, one in self.added.items() if name in columns and isinstance(one, pl.Expr)]
        made = {series.name: series for series in batch.select(exprs)} if exprs else {}
        for name, one in self.added.items():
            if name in columns and isinstance(one, Function):
                made[name] = one.make(batch).alias(name)
        return pl.DataFrame({name: made[name] if name in made else batch[name] for name in columns})


def _roots(one: pl.Expr | Function) -> Sequence[str]:
    return one.roots if isinstance(one, Function) else one.meta.root_names()


_origins: _Known[Origin] = _Known()
_mades: _Known[_Made] = _Known()
_layers: _Known[_Layer] = _Known()
_sources: _Known[Callable[[list[str], bool], Iterator[pl.DataFrame]]] = _Known()


def origin(frame: pl.LazyFrame) -> Origin | None:
    """Return the origin of a frame that is, itself and untouched, what a row-repeating step gave.

    A step whose answer for a row does not change when rows are repeated next to themselves may then work before the
    repetition: fewer rows, the same result.
    """
    return _origins.of(frame)


def with_columns(frame: pl.LazyFrame, added: Mapping[str, pl.Expr]) -> pl.LazyFrame:
    """Add columns that are computed row by row; of a frame that repeats rows, before they are repeated."""
    roots = {root for expr in added.values() for root in expr.meta.root_names()}
    names = frame.collect_schema().names()
    under = origin(frame)
    if under is not None and roots <= set(under.frame.collect_schema().names()):
        return under.rebuild(with_columns(under.frame, added), [*names, *added])
    out = frame.with_columns(**added)
    if is_direct(frame):
        _layers.add(out, _Layer(frame, added))
    return out


def with_function(frame: pl.LazyFrame, name: str, function: Function) -> pl.LazyFrame:
    """Add a column that Python makes: for `rows` and steps, not for Polars."""
    out = frame.with_columns(function.expr(name).alias(name))
    _layers.add(out, _Layer(frame, {name: function}))
    return out


def is_direct(frame: pl.LazyFrame) -> bool:
    """Return whether `rows` reads a frame without Polars' engine around it."""
    return _sources.of(frame) is not None or _layers.of(frame) is not None


def rows(frame: pl.LazyFrame, columns: Sequence[str], *, ordered: bool = True) -> Iterator[pl.DataFrame]:
    """Read columns batch by batch: of a frame of ours straight from its step, of any other by Polars.

    Nested engines cost threads that wait for one another, and hundreds of megabytes of batches under way.
    """
    layer, produce = _layers.of(frame), _sources.of(frame)
    if layer is not None:
        for batch in rows(layer.frame, layer.below(columns), ordered=ordered):
            yield layer.over(batch, columns)
    elif produce is not None:
        with translated():
            for batch in produce(list(columns), False):
                yield pl.DataFrame({name: batch[name] for name in columns})
    else:
        yield from batches(frame.select(selected(columns)), ordered=ordered)


def ahead(made: Iterator[T]) -> Iterator[T]:
    """Make the next one while the last one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, made, None)
        while (one := waiting.result()) is not None:
            waiting = pool.submit(next, made, None)
            yield one


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
        yield part if wanted is None else part.select(selected(wanted))
        if left is not None and left <= 0:
            return


def source(
    produce: Callable[[list[str], bool], Iterator[pl.DataFrame]],
    schema: Mapping[str, Any],
    name: str,
    frame: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Make a LazyFrame of a generator of frames, told which columns are wanted and whether it may be stopped early.

    `frame` is what its columns come from: their bins are known of the new frame too.
    """
    names = list(schema)
    empty = pl.DataFrame(schema=schema)

    def generate(
        wanted: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        columns = names if wanted is None else wanted
        some = False
        for frame in _limited(produce(columns, n_rows is not None), wanted, predicate, n_rows):
            some = True
            yield frame
        if not some:
            yield empty.select(selected(columns))

    def scan(*asked: Any) -> Iterator[pl.DataFrame]:
        return Guarded(generate(*asked))

    out = register_io_source(scan, schema=dict(schema), explain_name=scan_name(name, frame))
    _sources.add(out, produce)
    return out


def two_pass(
    frame: pl.LazyFrame,
    make_step: Callable[[list[str]], Step],
    *,
    schema: Mapping[str, Any],
    added: list[str],
    name: str,
    one_to_one: bool,
    rebuild: Callable[[pl.LazyFrame, Sequence[str]], pl.LazyFrame] | None = None,
    key: object = None,
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
    one_to_one
        Every input row is one output row.
    rebuild
        Of a step that gives each row once or more: columns of the same step over another input; see `origin`.
    key
        Of a step that was rebuilt: that of the first, as which it counts.
    """
    plan = frame.explain(optimized=False)
    replayable = _is_cheap(plan)
    files = _files(plan) if replayable else []
    new = set(added)
    token = object()
    notes = _notes.current()

    def counted(step: Step, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        kept = None if notes is None else notes.steps.setdefault(key or token, (name, {}))[1]
        return frames if kept is None else _counted(step, frames, kept, added if one_to_one else [])

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        if one_to_one and not new.intersection(wanted):
            yield from rows(frame, wanted)  # nothing to learn for
            return
        again_is_cheap = replayable and not limited  # a replay that is stopped early cannot be judged
        most = LARGE_BATCH_ROWS if one_to_one and not _is_read_by_step() else BATCH_ROWS
        step, versions = _take(id(token), wanted)
        if step is None:
            versions = _versions(files) if again_is_cheap else {}
            fresh = make_step([*wanted, *(new & _upcoming())])
            needed = _needed(fresh, wanted, new)
            with _scope(needed):
                again = frame if again_is_cheap else collected(frame, needed)
                if not (again_is_cheap and _learn_together(fresh, frame, needed)):
                    learn_all([fresh], again)
                yield from counted(fresh, _emit(fresh, again, needed, wanted, most))
            step = fresh
        else:
            needed = _needed(step, wanted, new)
            again = frame if again_is_cheap else collected(frame, needed)
            yield from counted(step, _emit(step, again, needed, wanted, most))
        _refuse_changed(versions)
        _leave(id(token), step, versions)

    out = source(produce, schema, name if replayable else f"{name} (input collected)", frame)
    if rebuild is not None:
        _origins.add(out, Origin(frame, rebuild))
    if one_to_one and replayable:
        _mades.add(out, _Made(frame, make_step, frozenset(new), id(token)))
    return out


def _counted(
    step: Step, frames: Iterator[pl.DataFrame], kept: dict[str, Any], columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """Note what a step gives in a run, once it has given all of it: its rows, and the nulls of these columns."""
    height, nulls = 0, dict[str, int]()
    for frame in frames:
        yield frame
        height += frame.height
        for name in columns:
            if name in frame.columns:
                nulls[name] = nulls.get(name, 0) + frame[name].null_count()
    kept |= {"rows": height, **step.counts()}
    if nulls:
        kept["null"] = {**kept.get("null", {}), **nulls}


def _needed(step: Step, wanted: Sequence[str], new: set[str]) -> list[str]:
    return list(dict.fromkeys([*step.columns, *(column for column in wanted if column not in new)]))


def collected(frame: pl.LazyFrame, columns: list[str]) -> pl.LazyFrame:
    """Return columns of a frame that is read more than once: its own rows, or collected."""
    if is_direct(frame):
        empty = pl.DataFrame(schema=frame.select(selected(columns)).collect_schema())
        return pl.concat([empty, *rows(frame, columns)]).lazy()
    with translated():
        _core.tally_turn()
        return frame.select(selected(columns)).collect(engine="streaming").lazy()


def _learn_together(step: Step, frame: pl.LazyFrame, needed: list[str]) -> bool:
    """Let `step` and the step that made `frame`, if one did and its columns are needed, learn from one reading."""
    while (layer := _layers.of(frame)) is not None and not set(step.columns).intersection(layer.added):
        frame, needed = layer.frame, layer.below(needed)
    made = _mades.of(frame)
    if made is None or not made.added.intersection(needed) or made.added.intersection(step.columns):
        return False
    under = made.make_step([*needed, *(made.added & _upcoming())])
    versions = _versions(_files(made.frame.explain(optimized=False)))
    learn_all([step, under], made.frame)
    _leave(made.key, under, versions)
    return True


def learn_all(steps: list[Step], frame: pl.LazyFrame) -> None:
    """Let steps learn from one reading, side by side: C works without Python's lock."""
    columns = list(dict.fromkeys(name for step in steps for name in step.columns))
    empty = pl.DataFrame(schema=frame.select(selected(columns)).collect_schema())  # types, should no rows come
    for step in steps:
        step.learn(empty)
    with ThreadPoolExecutor(len(steps)) as pool:
        for batch in gathered(rows(frame, columns), LEARNT_ROWS):
            for done in [pool.submit(step.learn, batch) for step in steps]:
                done.result()
        for done in [pool.submit(step.learnt) for step in steps]:
            done.result()


def _emit(step: Step, again: pl.LazyFrame, needed: list[str], wanted: list[str], most: int) -> Iterator[pl.DataFrame]:
    """Emit batch by batch; a batch's output is made while the next batch is compared."""

    def compared() -> Iterator[Callable[[], pl.DataFrame]]:
        row = 0
        for batch in ahead(gathered(rows(again, needed), most)):
            yield step.emit(batch, row, wanted)
            row += batch.height
        step.emitted()

    for make in ahead(compared()):
        yield make()
