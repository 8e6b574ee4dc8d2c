"""What a differential test is made of: a case, an operation with its implementations, and how answers are compared.

Not for making cases (`shapes`), for making them small (`shrink`), or for any one operation (`ops_*`).
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

import vizflow as vf

EXACT = "EXACT"  # the same value: bits of floats too, -0.0 is not 0.0, NaN is NaN
EPS = "EPS"  # 1e-12 relative to the value; of what cancels, to the column `NAME__scale` that a peer gives beside it
TOLERANCE = 1e-12
UNIT = "unit"
REFUSED = "refused"

Options = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Frames and options that every implementation is fed.

    Attributes
    ----------
    frames
        By name. A row's `unit` says which small, independent problem it belongs to: an instrument on a day, a group.
    options
        Python literals.
    chunks
        By frame's name, how many rows its first chunks have; the frames themselves are of one chunk. Only VizFlow
        sees them.
    source
        What VizFlow is handed: a ``"frame"``, ``"lazy"``, or a scan of a ``"parquet"`` or ``"ipc"`` file.
    engine
        Polars' engine that collects it.
    """

    frames: dict[str, pl.DataFrame]
    options: Options = field(default_factory=dict)
    chunks: dict[str, list[int]] = field(default_factory=dict)
    source: str = "frame"
    engine: Any = "in-memory"

    def __getitem__(self, name: str) -> pl.DataFrame:
        return self.frames[name]

    def get(self, name: str) -> pl.DataFrame | None:
        return self.frames.get(name)

    def cut(self, name: str) -> pl.DataFrame:
        """Return a frame in the chunks that the case says."""
        return cut(self.frames[name], self.chunks.get(name, []))

    def feed(self, name: str) -> Any:
        """Return a frame as VizFlow is handed it."""
        frame = self.cut(name)
        if self.source == "frame":
            return frame
        if self.source == "lazy":
            return frame.lazy()
        path = Path(_scratch().name) / f"{name}.{self.source}"
        path.unlink(missing_ok=True)  # what still maps the old file keeps it
        if self.source == "parquet":
            frame.write_parquet(path, row_group_size=max(1, frame.height // 3))
            return pl.scan_parquet(path)
        frame.write_ipc(path)
        return pl.scan_ipc(path)

    def but(self, **changes: Any) -> Case:
        return replace(self, **changes)

    @property
    def rows(self) -> int:
        return sum(frame.height for frame in self.frames.values())


@lru_cache(maxsize=1)
def _scratch() -> Any:
    return tempfile.TemporaryDirectory(prefix="differential-", ignore_cleanup_errors=True)


def cut(frame: pl.DataFrame, lengths: Sequence[int]) -> pl.DataFrame:
    """Cut a frame into chunks of these lengths, what is left being the last."""
    parts, at = [], 0
    for length in lengths:
        parts.append(frame.slice(at, length))
        at += length
    if not parts:
        return frame
    return pl.concat([*parts, frame.slice(at)], rechunk=False)


Implementation = Callable[[Case], "pl.DataFrame | None"]


@dataclass
class Operation:
    """One operation of VizFlow, and who else computes it.

    Attributes
    ----------
    make
        Gives a case, drawn from a generator of random numbers.
    ours
        VizFlow's answer: a frame with a column `unit` and columns of values.
    peers
        Name to implementation. What it gives is compared column by column: it may leave columns out, or units, or give
        None where it cannot express the case at all.
    code
        How VizFlow is called, as a line of Python over the names of the case's frames.
    classes
        Column, or ``"peer:column"``, to EXACT or EPS; EXACT where neither is named.
    unordered
        Peers whose rows come in an order of their own: UNORDERED, both sides are sorted by unit and values first.
    inner
        Peers that are VizFlow on another way; they are counted apart.
    simplest
        Option to its simplest value, for shrinking.
    """

    name: str
    make: Callable[[random.Random], Case]
    ours: Callable[[Case], pl.DataFrame]
    peers: dict[str, Implementation]
    code: Callable[[Case], str]
    classes: Mapping[str, str] = field(default_factory=dict)
    unordered: frozenset[str] = frozenset()
    inner: frozenset[str] = frozenset()
    simplest: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Difference:
    """Where two implementations gave different answers."""

    operation: str
    peer: str
    case: Case
    units: list[Any]
    column: str
    ours: Any
    theirs: Any
    kind: str = "value"  # or the exception that VizFlow raised unexpectedly, with the first words of its text


@dataclass
class Compared:
    """What comparing one case with one peer came to."""

    units: int = 0
    values: int = 0
    difference: Difference | None = None


def refusable(call: Callable[[], pl.DataFrame], case: Case, *, details: bool = False) -> pl.DataFrame:
    """Return the answer of a call that may refuse its data; a refusal is an answer of one row for the whole case."""
    try:
        return call()
    except vf.Error as error:
        return refusal(error, details=details)
    except pl.exceptions.PolarsError as error:
        ours = vf.errors.from_polars(error)
        if ours is None:
            raise
        return refusal(ours, details=details)


def refusal(error: vf.Error, *, details: bool) -> pl.DataFrame:
    row = {UNIT: -1, REFUSED: type(error).__name__}
    if details:
        row |= {"count": error.count, "row": error.row}
    return pl.DataFrame(row, schema_overrides={UNIT: pl.Int64})


def refused(kind: str, **details: int) -> pl.DataFrame:
    """Return a peer's refusal."""
    return pl.DataFrame({UNIT: -1, REFUSED: kind, **details}, schema_overrides={UNIT: pl.Int64})


# ---- comparing -------------------------------------------------------------------------------------------------------


def compare(operation: Operation, case: Case, peer: str, ours: pl.DataFrame | None = None) -> Compared:
    """Compare VizFlow's answer with one peer's."""
    theirs = operation.peers[peer](case)
    if theirs is None:
        return Compared()
    try:
        ours = operation.ours(case) if ours is None else ours
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        kind = re.match(r"\w+: [A-Za-z ]*", text)
        assert kind is not None
        return Compared(1, 1, Difference(operation.name, peer, case, [], "", text, theirs, kind.group()))
    return _compared(operation, case, peer, ours, theirs)


def _compared(operation: Operation, case: Case, peer: str, ours: pl.DataFrame, theirs: pl.DataFrame) -> Compared:
    scales = {name for name in theirs.columns if name.endswith("__scale")}
    columns = [name for name in theirs.columns if name != UNIT and name not in scales]
    if REFUSED in ours.columns or REFUSED in theirs.columns:
        same = ours.columns == theirs.columns and ours.rows() == theirs.rows()
        found = Difference(operation.name, peer, case, [], REFUSED, ours.rows()[:3], theirs.rows()[:3], REFUSED)
        return Compared(1, len(columns), None if same else found)
    kept = ours.select(UNIT, *columns)
    if peer in operation.unordered:
        kept, theirs = kept.sort(kept.columns), theirs.sort(kept.columns)
    units = kept[UNIT].n_unique()
    values = kept.height * len(columns)
    classes = operation.classes
    classes = {name: classes.get(f"{peer}:{name}", classes.get(name, EXACT)) for name in columns}
    bad = differing(kept, theirs, columns, classes)
    if bad is None:
        return Compared(units, values)
    column, where = bad
    mine = kept.filter(pl.col(UNIT) == where[0])
    other = theirs.filter(pl.col(UNIT) == where[0])
    return Compared(
        units,
        values,
        Difference(operation.name, peer, case, where, column, mine.rows(named=True), other.rows(named=True)),
    )


def differing(
    ours: pl.DataFrame, theirs: pl.DataFrame, columns: Sequence[str], classes: Mapping[str, str]
) -> tuple[str, list[Any]] | None:
    """Return the first column that differs and the units where it does; None where all is the same."""
    if ours.height == theirs.height and ours[UNIT].equals(theirs[UNIT].cast(ours[UNIT].dtype)):
        both = pl.concat([ours, theirs.rename(lambda name: f"{name}__peer").drop(f"{UNIT}__peer")], how="horizontal")
    else:
        both = _aligned(ours, theirs)
    for name in columns:
        drift = _types_differ(ours.schema[name], theirs.schema[name])
        if drift:
            return f"{name}: {ours.schema[name]}, not {theirs.schema[name]}", both[UNIT].unique().sort().to_list()
        scale = f"{name}__scale__peer"
        same = _same(name, ours.schema[name], classes.get(name, EXACT), scale if scale in both.columns else None)
        if "here" in both.columns:
            same = same & pl.col("here").is_not_null() & pl.col("there").is_not_null()
        wrong = both.filter(~same)[UNIT].unique(maintain_order=True)
        if wrong.len():
            return name, wrong.to_list()
    return None


def _aligned(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    place = pl.int_range(pl.len()).over(UNIT)
    left = ours.with_columns(place.alias("place"), here=True)
    right = theirs.with_columns(pl.col(UNIT).cast(ours[UNIT].dtype))
    right = right.with_columns(place.alias("place"), there=True)
    keys = [UNIT, "place", "there"]
    right = right.rename({name: f"{name}__peer" for name in right.columns if name not in keys})
    return left.join(
        right, on=[UNIT, "place"], how="full", coalesce=True, nulls_equal=True, maintain_order="left_right"
    )


def _text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, (pl.String, pl.Categorical, pl.Enum))


def _types_differ(ours: pl.DataType, theirs: pl.DataType) -> bool:
    if ours.is_integer() and theirs.is_integer():
        return False
    if _text(ours) and _text(theirs):
        return False
    return ours != theirs


def _same(name: str, dtype: pl.DataType, kind: str, scale: str | None) -> pl.Expr:
    a, b = pl.col(name), pl.col(f"{name}__peer")
    if _text(dtype):
        a, b = a.cast(pl.String), b.cast(pl.String)
    null = a.is_null() & b.is_null()
    if not dtype.is_float():
        return null | (a == b).fill_null(False)
    a, b = a.cast(pl.Float64), b.cast(pl.Float64)
    same = ((a == b) & ((a != 0) | (1 / a == 1 / b))) | (a.is_nan() & b.is_nan())
    if kind == EPS:
        size = pl.max_horizontal(a.abs(), b.abs(), *([pl.col(scale)] if scale else []))
        near = a.is_finite() & b.is_finite() & ((a - b).abs() <= TOLERANCE * size)
        same = (a == b) | (a.is_nan() & b.is_nan()) | near
    return null | same.fill_null(False)
