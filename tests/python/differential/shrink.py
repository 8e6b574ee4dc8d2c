"""Makes the case of a difference small, and writes it down so that it can be pasted into a shell.

Delta debugging: whatever can be taken away, made simpler or set to nought while the two still differ, is. Not for
finding differences.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import polars as pl

from differential.core import UNIT, Case, Difference, Operation, compare

SECONDS = 30.0


def shrink(operation: Operation, found: Difference, seconds: float = SECONDS) -> Difference:
    """Return the same difference on as small a case as `seconds` allow."""
    shrinker = _Shrinker(operation, found, time.monotonic() + seconds)
    shrinker.run()
    return shrinker.best


class _Shrinker:
    """The smallest case so far, and attempts to make it smaller."""

    def __init__(self, operation: Operation, found: Difference, end: float) -> None:
        self.operation = operation
        self.best = found
        self.kind = found.kind
        self.end = end
        self.seen = {_written(found.case)}

    def run(self) -> None:
        before = ""
        while before != (now := _written(self._case())) and time.monotonic() < self.end:
            before = now
            self._units()
            for name in self._frames():
                self._rows(name)
            self._options()
            self._whole_frames()
            self._chunks()
            self._columns()
            self._values()

    def attempt(self, case: Case) -> bool:
        """Keep a case where the two still differ in the same way; a peer that cannot take it tells nothing."""
        text = _written(case)
        if text in self.seen or time.monotonic() > self.end:
            return False
        self.seen.add(text)
        try:
            found = compare(self.operation, case, self.best.peer).difference
        except Exception:
            return False
        if found is None or found.kind != self.kind:
            return False
        self.best = found
        return True

    # ---- what can be taken away

    def _case(self) -> Case:
        return self.best.case

    def _frames(self) -> list[str]:
        return list(self._case().frames)

    def _with(self, name: str, frame: pl.DataFrame) -> Case:
        case = self._case()
        return case.but(frames={**case.frames, name: frame.rechunk()})

    def _units(self) -> None:
        frames = self._case().frames
        if all(frame.schema.get(UNIT) == pl.Int64 for frame in frames.values()):
            for unit in self.best.units[:3]:
                if self.attempt(
                    self._case().but(frames={k: v.filter(pl.col(UNIT) == unit) for k, v in frames.items()})
                ):
                    return

    def _rows(self, name: str) -> None:
        """Take out halves, quarters, … single rows."""
        length = max(self._case()[name].height // 2, 1)
        while True:
            at = 0
            while at < self._case()[name].height:
                frame = self._case()[name]
                if not self.attempt(self._with(name, pl.concat([frame.slice(0, at), frame.slice(at + length)]))):
                    at += length
            if length == 1:
                return
            length //= 2

    def _options(self) -> None:
        for name, value in self.operation.simplest.items():
            if self._case().options.get(name, value) != value:
                self._set_option(name, value)
        for name, value in list(self._case().options.items()):
            if isinstance(value, list) and len(value) > 1:
                any(self._set_option(name, [one]) for one in value)
            at = len(self._case().options[name]) - 1 if isinstance(value, (list, dict)) else -1
            for place in range(at, -1, -1):
                now = self._case().options[name]
                items = list(now.items()) if isinstance(now, dict) else list(now)
                less = [*items[:place], *items[place + 1 :]]
                self._set_option(name, dict(less) if isinstance(now, dict) else less)

    def _set_option(self, name: str, value: Any) -> bool:
        case = self._case()
        return self.attempt(case.but(options={**case.options, name: value}))

    def _whole_frames(self) -> None:
        for name in self._frames():
            if name != "rows":
                case = self._case()
                self.attempt(case.but(frames={k: v for k, v in case.frames.items() if k != name}))

    def _chunks(self) -> None:
        case = self._case()
        for easier in ({"source": "frame"}, {"engine": "in-memory"}):
            self.attempt(self._case().but(**easier))
        case = self._case()
        if not case.chunks or self.attempt(case.but(chunks={})):
            return
        for name in list(case.chunks):
            case = self._case()
            self.attempt(case.but(chunks={k: v for k, v in case.chunks.items() if k != name}))
            place = 0
            while place < len(self._case().chunks.get(name, [])):
                lengths = self._case().chunks[name]
                less = [*lengths[:place], *lengths[place + 1 :]]
                if not self.attempt(self._case().but(chunks={**self._case().chunks, name: less})):
                    place += 1

    def _columns(self) -> None:
        for name in self._frames() if self.kind == "value" else ():
            for column in self._case()[name].columns:
                self.attempt(self._with(name, self._case()[name].drop(column)))

    # ---- what can be simpler

    def _values(self) -> None:
        for name in self._frames():
            for column in self._case()[name].columns:
                simple = _simple(self._case()[name].schema[column]) if column != UNIT else []
                for value in simple:
                    self._set(name, column, None, value)
                for row in range(min(self._case()[name].height, 40)):
                    any(self._set(name, column, row, value) for value in simple)

    def _set(self, name: str, column: str, row: int | None, value: Any) -> bool:
        """Put a simpler value into a cell, or a whole column; never a less simple one, so that this ends."""
        series = self._case()[name][column]
        simple = _simple(series.dtype)
        old = series.cast(pl.Int64).to_list() if series.dtype.is_temporal() else series.to_list()
        places = range(len(old)) if row is None else [row]
        new = [
            value if at in places and _rank(simple, value) < _rank(simple, one) else one for at, one in enumerate(old)
        ]
        if repr(new) == repr(old):
            return False
        base = pl.Int64 if series.dtype.is_temporal() else series.dtype
        changed = pl.Series(column, new, dtype=base).cast(series.dtype)
        return self.attempt(self._with(name, self._case()[name].with_columns(changed)))


def _written(case: Case) -> str:
    """Return a text that is the same for equal cases only."""
    frames = {  # dates beyond Python's are told as numbers
        name: (frame.schema, [(x.to_physical() if x.dtype.is_temporal() else x).to_list() for x in frame.get_columns()])
        for name, frame in case.frames.items()
    }
    return repr((frames, case.options, case.chunks, case.source, case.engine))


def _simple(dtype: Any) -> list[Any]:
    """Return the simplest values of a type, the simplest first."""
    if dtype.is_float():
        return [1.0, 0.0, 2.0, 0.5, None]
    if dtype.is_integer():
        return [1, 0, 2, 3, None]
    if dtype == pl.Boolean:
        return [True, False, None]
    if dtype.is_temporal():
        return [0, 1_000_000_000, None]
    return ["a", "b", None] if dtype == pl.String else []


def _rank(simple: Sequence[Any], value: Any) -> int:
    """Return how simple a value is; all odd ones are alike."""
    for place, one in enumerate(simple):
        if repr(one) == repr(value):
            return place
    return len(simple)


# ---- written down ----------------------------------------------------------------------------------------------------


def reproduction(operation: Operation, found: Difference, origin: str) -> str:
    """Write a difference as a program: frames as literals, the call, and both answers."""
    lines = [
        f"# {found.operation}: VizFlow and {found.peer} differ in {found.column or 'whether there is an answer'}",
        f"# {origin}",
        "import polars as pl, vizflow as vf",
        "nan, inf = float('nan'), float('inf')",
    ]
    for name, frame in found.case.frames.items():
        lines += [f"{name} = pl.DataFrame([", *(f"    {literal(series)}," for series in frame), "])"]
        at = 0
        parts = []
        for length in found.case.chunks.get(name, []):
            parts.append(f"{name}.slice({at}, {length})")
            at += length
        if parts:
            lines.append(f"{name} = pl.concat([{', '.join([*parts, f'{name}.slice({at})'])}], rechunk=False)")
        if found.case.source == "lazy":
            lines.append(f"{name} = {name}.lazy()")
        elif found.case.source != "frame":
            groups = ", row_group_size=max(1, {name}.height // 3)" if found.case.source == "parquet" else ""
            lines.append(f"{name}.write_{found.case.source}('{name}.{found.case.source}'{groups.format(name=name)})")
            lines.append(f"{name} = pl.scan_{found.case.source}('{name}.{found.case.source}')")
    lines += [f"got = {operation.code(found.case)}  # engine={found.case.engine!r}"]
    lines += [f"# VizFlow: {line}" for line in _shown(found.ours)]
    lines += [f"# {found.peer}: {line}" for line in _shown(found.theirs)]
    return "\n".join(lines)


def _shown(answer: Any) -> list[str]:
    if isinstance(answer, list):
        return [repr(row) for row in answer[:12]] or ["nothing"]
    return str(answer).splitlines()[:30]


def literal(series: pl.Series) -> str:
    """Write a series as Python."""
    dtype = series.dtype
    shown = "pl." + repr(dtype).removeprefix("pl.")
    if dtype.is_temporal():
        return f"pl.Series({series.name!r}, {series.cast(pl.Int64).to_list()}, dtype=pl.Int64).cast({shown})"
    if isinstance(dtype, pl.Enum):
        used = dtype.categories.to_list()
        kept = used if len(used) <= 20 else [one for one in used if one in set(series.cast(pl.String))]
        return f"pl.Series({series.name!r}, {series.to_list()}, dtype=pl.Enum({kept}))"
    if isinstance(dtype, pl.Categorical):
        return f"pl.Series({series.name!r}, {series.to_list()}, dtype=pl.String).cast(pl.Categorical)"
    return f"pl.Series({series.name!r}, {series.to_list()}, dtype={shown})"
