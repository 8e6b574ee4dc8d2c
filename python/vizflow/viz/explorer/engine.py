"""What the explorer's page asks, and the answer: panels computed from a source of cells, each on its own.

Holds no state of any user: a question carries everything, and the only thing kept is a cache of answers about data that
never change. Not for HTTP and not for drawing.
"""

from __future__ import annotations

import array
import base64
import json
import math
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from vizflow.errors import ConfigError, Error, near_names
from vizflow.ops.clusters import t_quantile
from vizflow.viz.dims import centre, number
from vizflow.viz.units import Unit

__all__ = ["Axis", "Engine", "Question", "Source"]

NONE = "∅"  # a null key, in the page and in its address
MAX_CELLS = 250_000
MAX_LINES = 12
TABLE_ROWS = 100
_CACHE_BYTES = 64 << 20


@dataclass(frozen=True)
class Axis:
    """A dimension of the source: its keys in order, and what they mean."""

    name: str
    kind: str  # "bin", "integer" or "category"
    keys: tuple[Any, ...]
    width: float | None = None
    unit: Unit = field(default_factory=Unit)

    @property
    def title(self) -> str:
        """Label with the unit."""
        return self.unit.label((self.name.removesuffix("_bin") if self.kind == "bin" else self.name).replace("_", " "))

    @property
    def note(self) -> str:
        """Width of the bins."""
        if self.kind != "bin" or self.width is None:
            return ""
        return f"bins of {number(self.width * self.unit.scale)}{' ' + self.unit.name if self.unit.name else ''}"

    def text(self, key: Any) -> str:
        """Spell a key."""
        if key is None:
            return NONE
        return number(self.place(key)) if self.kind == "bin" else str(key)

    def place(self, key: Any) -> float:
        """Return a bin's centre in the unit."""
        return centre(key, self.width, self.unit.scale)


class Source(Protocol):
    """Cells that merge over any of their dimensions: a `Cube`, seen through `vizflow.viz.explorer.source`."""

    title: str
    axes: tuple[Axis, ...]
    dates: tuple[str, ...]
    metrics: tuple[str, ...]
    units: Mapping[str, Unit]
    count: str | None

    def cells(self, by: Sequence[str], where: Mapping[str, Any]) -> pl.DataFrame:
        """Return `by` and every metric of the cells that hold rows, merged over the rest; ``"date"`` may be in `by`."""

    def look(self, metric: str, by: Sequence[str], where: Mapping[str, Any], *, clustered: bool) -> pl.DataFrame:
        """Return `by`, ``value``, ``rows``, ``coverage``, and if asked for ``error`` and ``dates``, as far as known."""


@dataclass(frozen=True)
class Question:
    """A view, checked against the source: what is on the axes, and what is let through."""

    x: str
    y: str
    metric: str
    by: str | None
    dates: tuple[str, str] | None
    where: Mapping[str, tuple[Any, Any] | tuple[Any, ...]]
    ranges: frozenset[str]
    min_count: int
    sort: str
    descending: bool

    @classmethod
    def read(cls, given: Any, source: Source) -> Question:
        """Check what came from a page; whatever does not fit the source is refused with what would."""
        if not isinstance(given, Mapping):
            raise ConfigError(f"a question is an object, not {type(given).__name__}")
        axes = {axis.name: axis for axis in source.axes}
        names = list(axes)
        x = _name(given, "x", names, names[0])
        y = _name(given, "y", names, names[min(1, len(names) - 1)])
        plain = [name for name in source.metrics if name != source.count]
        metric = _name(given, "metric", list(source.metrics), (plain or list(source.metrics))[0])
        by = given.get("by") or None
        if by is not None:
            by = _name(given, "by", names, None)
        where: dict[str, Any] = {}
        ranges = set()
        filters = given.get("where") or {}
        if not isinstance(filters, Mapping):
            raise ConfigError(f"where is an object of dimensions, not {type(filters).__name__}")
        for name, wanted in filters.items():
            if name not in axes:
                raise ConfigError(f"where: there is no dimension {_short(name)}; {near_names(str(name)[:200], names)}")
            where[name] = _filter(axes[name], wanted)
            if axes[name].kind != "category":
                ranges.add(name)
        columns = [x, y, *source.metrics]
        return cls(
            x=x,
            y=y,
            metric=metric,
            by=by,
            dates=_dates(given.get("dates"), source.dates),
            where=where,
            ranges=frozenset(ranges),
            min_count=_whole(given.get("min", 0), "min"),
            sort=_name(given, "sort", columns, source.count or metric),
            descending=bool(given.get("descending", True)),
        )

    def filters(self, source: Source, *, without: Sequence[str] = ()) -> dict[str, Any]:
        """Return what is let through, as a source takes it, but for the dimensions that a panel itself shows."""
        out: dict[str, Any] = {}
        for name, wanted in self.where.items():
            if name not in without:
                out[name] = wanted if name in self.ranges else list(wanted)
        if self.dates is not None and "date" not in without:
            out["date"] = self.dates
        return out


def _name(given: Mapping[str, Any], option: str, accepted: Sequence[str], default: str | None) -> str:
    value = given.get(option)
    if value in (None, "") and default is not None:
        return default
    if not isinstance(value, str) or value not in accepted:
        raise ConfigError(f"{option}: there is no {_short(value)}; {near_names(str(value)[:200], accepted)}")
    return value


def _whole(value: Any, option: str) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not 0 <= value < 2**63:
        raise ConfigError(f"{option} is {_short(value)}; a whole number from 0 to 2^63 is accepted")
    return int(value)


def _short(value: Any) -> str:
    """Spell what a page sent, in an answer that stays short."""
    try:
        text = repr(value)
    except RecursionError:
        return "nested too deeply"
    return text if len(text) <= 200 else f"{text[:200]}…"


def _dates(given: Any, known: Sequence[str]) -> tuple[str, str] | None:
    if given in (None, []):
        return None
    if not (isinstance(given, (list, tuple)) and len(given) == 2 and all(isinstance(d, str) for d in given)):
        raise ConfigError(f"dates is {_short(given)}; a pair of YYYYMMDD is accepted")
    low, high = given
    if any(len(d) != 8 or not (d.isascii() and d.isdigit()) for d in given) or low > high:
        raise ConfigError(f"dates is {_short(given)}; a pair of YYYYMMDD, the earlier first, is accepted")
    if known and not any(low <= date <= high for date in known):
        raise ConfigError(
            f"dates is {_short(given)}: none of the data's {len(known):,} dates, {known[0]} to {known[-1]}"
        )
    return (low, high)


def _filter(axis: Axis, wanted: Any) -> tuple[Any, ...]:
    what = f"where[{axis.name!r}]"
    if not isinstance(wanted, (list, tuple)):
        raise ConfigError(f"{what} is {_short(wanted)}; a list is accepted")
    if axis.kind == "category":
        by_text = {axis.text(key): key for key in axis.keys}
        for text in wanted:
            if not isinstance(text, str) or text not in by_text:
                raise ConfigError(f"{what}: there is no {_short(text)}; {near_names(str(text)[:200], by_text)}")
        return tuple(by_text[text] for text in dict.fromkeys(wanted))
    whole = len(wanted) == 2 and all(isinstance(v, int) and not isinstance(v, bool) for v in wanted)
    if not whole or wanted[0] > wanted[1]:
        raise ConfigError(f"{what} is {_short(wanted)}; a pair of bins, the lower first, is accepted")
    keys = [key for key in axis.keys if key is not None]
    if not keys or wanted[1] < min(keys) or wanted[0] > max(keys):
        raise ConfigError(f"{what} is {_short(wanted)}: outside the data's bins")
    return (max(wanted[0], min(keys)), min(wanted[1], max(keys)))  # no bin is beyond 64 bits


class Engine:
    """Answers questions about one source; may be shared by any number of threads and users."""

    def __init__(self, source: Source, confidence: float = 0.95) -> None:
        self.source = source
        self.confidence = confidence
        self._axes = {axis.name: axis for axis in source.axes}
        self._cache: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._cached = 0
        self._lock = threading.Lock()
        self._known: dict[str, list[Any]] = {}

    # ---- what the page is told once --------------------------------------------------------------------------------

    def about(self) -> dict[str, Any]:
        """Describe the source: dimensions with keys and how the rows lie on them, dates, metrics."""
        source = self.source
        return {
            "title": source.title,
            "dates": list(source.dates),
            "date_rows": [self._rows("date").get(date, 0) for date in source.dates] if source.count else None,
            "count": source.count,
            "metrics": [{"name": m, "label": source.units.get(m, Unit()).label(m),
                         "scale": source.units.get(m, Unit()).scale} for m in source.metrics],
            "axes": [self._about(axis) for axis in source.axes],
        }  # fmt: skip

    def _about(self, axis: Axis) -> dict[str, Any]:
        keys = self._places(axis.name)
        rows = self._rows(axis.name)
        return {
            "name": axis.name,
            "kind": axis.kind,
            "title": axis.title,
            "note": axis.note,
            "keys": [axis.text(key) for key in keys] if axis.kind == "category" else keys,
            "dense": axis.kind != "category" and len(keys) > 0 and keys[-1] - keys[0] + 1 == len(keys),
            "width": None if axis.width is None else axis.width * axis.unit.scale,
            "rows": [rows.get(key, 0) for key in keys] if rows else None,
            "without": rows.get(None, 0) if axis.kind != "category" else 0,
        }

    def _rows(self, name: str) -> dict[Any, int]:
        if self.source.count is None:
            return {}
        frame = self.source.look(self.source.metrics[0], [name], {}, clustered=False)
        return dict(frame.select(name, "rows").iter_rows())

    # ---- answers ---------------------------------------------------------------------------------------------------

    def answer(self, given: Any) -> bytes:
        """Answer a question in JSON: each panel its data or its error; a panel that the page has is not sent again."""
        started = time.perf_counter()
        question = Question.read(given, self.source)
        have = given.get("have") or {}
        panels: dict[str, Callable[[Question], dict[str, Any]]] = {
            "total": self.total,
            "heat": self.heat,
            "curve": self.curve,
            "series": self.series,
            "table": self.table,
        }
        wanted = given.get("panels") or ["total", "heat", "curve", "series"]
        if not isinstance(wanted, list):
            raise ConfigError(f"panels is {_short(wanted)}; a list of {', '.join(panels)} is accepted")
        for name in wanted:
            if not isinstance(name, str) or name not in panels:
                raise ConfigError(f"panels: there is no {_short(name)}; {near_names(str(name)[:200], panels)}")
        parts = []
        for name in dict.fromkeys(wanted):  # each once, however often it was asked for
            key = self._key(name, question)
            mark = f"{hash(key) & 0xFFFFFFFFFFFF:x}"
            if isinstance(have, Mapping) and have.get(name) == mark:
                continue
            parts.append(f'"{name}":'.encode() + self._panel(name, mark, key, panels[name], question))
        spent = (time.perf_counter() - started) * 1e3
        return b'{"panels":{' + b",".join(parts) + f'}},"ms":{spent:.3f}}}'.encode()

    def _key(self, name: str, q: Question) -> tuple[Any, ...]:
        shown = {"heat": (q.x, q.y), "curve": (q.x, q.by), "series": ("date",), "table": (q.x, q.y), "total": ()}[name]
        # A panel ignores the filters on what it shows itself; the table and the total heed all.
        without = () if name in ("table", "total") else tuple(n for n in shown if n)
        where = tuple(sorted((n, v) for n, v in q.where.items() if n not in without))
        dates = None if name == "series" else q.dates
        sort = (q.sort, q.descending) if name == "table" else ()
        return (name, shown, q.metric if name != "table" else "", where, dates, q.min_count, sort)

    def _panel(
        self, name: str, mark: str, key: tuple[Any, ...], compute: Callable[[Question], dict[str, Any]], q: Question
    ) -> bytes:
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        try:
            body = _json({**compute(q), "mark": mark})
        except Exception as error:  # one panel's failure is shown in its place; the others go on
            return _json({"error": _told(error)})
        with self._lock:
            if key not in self._cache:
                self._cache[key] = body
                self._cached += len(body)
                while self._cached > _CACHE_BYTES:
                    self._cached -= len(self._cache.popitem(last=False)[1])
        return body

    def total(self, q: Question) -> dict[str, Any]:
        """Return the metric over all that is let through."""
        frame = self.source.look(q.metric, [], q.filters(self.source), clustered=True)
        row = frame.row(0, named=True) if frame.height else {}
        dates = [d for d in self.source.dates if q.dates is None or q.dates[0] <= d <= q.dates[1]]
        return {
            "value": _plain(row.get("value")),
            "rows": _plain(row.get("rows")),
            "coverage": _plain(row.get("coverage")),
            "half": _plain(_halves(frame, self.confidence)[0]) if "error" in frame.columns and frame.height else None,
            "dates": len(dates),
        }

    def heat(self, q: Question) -> dict[str, Any]:
        """Return the metric over x and y, dense, row by row from the lowest y; NaN where there is nothing."""
        if q.x == q.y:
            raise ConfigError(f"x and y are both {q.x!r}; choose two dimensions")
        columns, rows = self._places(q.x), self._places(q.y)
        size = len(columns) * len(rows)
        if size > MAX_CELLS:
            raise ConfigError(
                f"{len(columns):,} × {len(rows):,} cells are more than a page shows ({MAX_CELLS:,}); use wider bins"
            )
        where = q.filters(self.source, without=(q.x, q.y))
        frame, masked = self._masked(self.source.look(q.metric, [q.x, q.y], where, clustered=False), q)
        at = self._at(frame, q.x, q.y)
        return {"nx": len(columns), "ny": len(rows), "masked": masked, "cells": len(at) - at.count(None),
                **_spread(frame, at, size)}  # fmt: skip

    def curve(self, q: Question) -> dict[str, Any]:
        """Return the metric along x, a line for each value of `by`, with bands."""
        by = q.by if q.by != q.x else None
        axes = [q.x] if by is None else [q.x, by]
        where = q.filters(self.source, without=axes)
        if by is not None and by in q.where:
            where[by] = q.filters(self.source)[by]  # lines that are not let through are not drawn
        frame, masked = self._masked(self.source.look(q.metric, axes, where, clustered=True), q)
        groups = [None] if by is None else self._groups(frame, by)
        lines = []
        for group in groups[:MAX_LINES]:
            part = frame if by is None else frame.filter(pl.col(by).eq_missing(pl.lit(group)))
            name = "" if by is None else self._axes[by].text(group)
            lines.append({"name": name, **self._line(part, self._at(part, q.x), len(self._places(q.x)))})
        return {"lines": lines, "masked": masked, "dropped": max(0, len(groups) - MAX_LINES)}

    def _groups(self, frame: pl.DataFrame, by: str) -> list[Any]:
        """Return the lines' keys in order; where there are too many, first those that hold most rows."""
        found = frame[by].unique().to_list()
        order = {key: index for index, key in enumerate(self._axes[by].keys)}
        if len(found) > MAX_LINES and "rows" in frame.columns:
            heavy = frame.group_by(by).agg(pl.col("rows").sum()).sort("rows", descending=True)[by].to_list()
            return sorted(heavy[:MAX_LINES], key=order.__getitem__) + heavy[MAX_LINES:]
        return sorted(found, key=order.__getitem__)

    def series(self, q: Question) -> dict[str, Any]:
        """Return the metric per date."""
        where = q.filters(self.source, without=("date",))
        frame, masked = self._masked(self.source.look(q.metric, ["date"], where, clustered=False), q)
        places = {date: index for index, date in enumerate(self.source.dates)}
        at = [places[date] for date in frame["date"].to_list()]
        return {"masked": masked, **self._line(frame, at, len(places))}

    def table(self, q: Question) -> dict[str, Any]:
        """Return the cells that are seen, every metric, the first rows in the asked order."""
        frame = self.seen(q)
        columns = frame.columns
        top = frame.sort(q.sort, descending=q.descending, nulls_last=True).head(TABLE_ROWS)
        rows = [
            [
                self._axes[name].text(value) if name in self._axes else _plain(value)
                for name, value in zip(columns, row, strict=True)
            ]
            for row in top.iter_rows()
        ]
        return {"columns": columns, "rows": rows, "height": frame.height, "sort": q.sort, "descending": q.descending}

    def seen(self, q: Question) -> pl.DataFrame:
        """Return the table whole, as it is exported: keys as the partials have them, every metric, filters applied."""
        axes = [q.x, q.y] if q.x != q.y else [q.x]
        frame = self.source.cells(axes, q.filters(self.source))
        return self._masked(frame, q, self.source.count or "")[0].sort(axes)

    # ---- pieces ----------------------------------------------------------------------------------------------------

    def _places(self, name: str) -> list[Any]:
        """Return every position on an axis: between the lowest and highest bin all bins, else the keys."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._make_places(self._axes[name])
        return found

    def _make_places(self, axis: Axis) -> list[Any]:
        if axis.kind == "category":
            return list(axis.keys)
        keys = [key for key in axis.keys if key is not None]
        if axis.kind == "integer" and keys and keys[-1] - keys[0] + 1 > 4 * len(keys):
            return keys
        if keys and keys[-1] - keys[0] + 1 > MAX_CELLS:
            raise ConfigError(
                f"{axis.name!r} runs over {keys[-1] - keys[0] + 1:,} bins ({keys[0]} to {keys[-1]}), more than a page "
                "shows; use wider bins"
            )
        return list(range(keys[0], keys[-1] + 1)) if keys else []

    def _at(self, frame: pl.DataFrame, x: str, y: str | None = None) -> list[int | None]:
        """Return each cell's position, row by row; None for keys without a place (no bin)."""
        places = {key: index for index, key in enumerate(self._places(x))}
        across = [places.get(key) for key in frame[x].to_list()]
        if y is None:
            return across
        width = len(places)
        up = {key: index * width for index, key in enumerate(self._places(y))}
        return [
            None if i is None or (j := up.get(key)) is None else i + j
            for i, key in zip(across, frame[y].to_list(), strict=True)
        ]

    def _masked(self, frame: pl.DataFrame, q: Question, rows: str = "rows") -> tuple[pl.DataFrame, int]:
        if q.min_count <= 0 or rows not in frame.columns:
            return frame, 0
        kept = frame.filter(pl.col(rows) >= q.min_count)
        return kept, frame.height - kept.height

    def _line(self, part: pl.DataFrame, at: Sequence[int | None], size: int) -> dict[str, Any]:
        out = _spread(part, at, size)
        if "error" in part.columns:
            out["half"] = _scatter(_halves(part, self.confidence), at, size)
        return out


def _spread(frame: pl.DataFrame, at: Sequence[int | None], size: int) -> dict[str, str]:
    names = [name for name in ("value", "rows", "coverage") if name in frame.columns]
    return {name: _scatter(_numbers(frame[name]), at, size) for name in names}


def _numbers(values: pl.Series) -> list[Any]:
    if values.dtype == pl.Duration:
        return [None if v is None else v.total_seconds() for v in values.to_list()]
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        return values.to_list()
    raise ConfigError(f"the metric is {values.dtype}; numbers and durations can be drawn, the table shows it")


def _told(error: Exception) -> str:
    if isinstance(error, Error):
        return str(error)
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:400]}"


def _halves(frame: pl.DataFrame, confidence: float) -> list[float | None]:
    wide: dict[int, float] = {}
    out: list[float | None] = []
    for error, dates in zip(frame["error"].to_list(), frame["dates"].to_list(), strict=True):
        if error is None or dates is None or dates < 2:
            out.append(None)
            continue
        if dates not in wide:
            wide[dates] = t_quantile(0.5 + confidence / 2, dates - 1)
        out.append(error * wide[dates])
    return out


def _scatter(values: Sequence[Any], at: Sequence[int | None], size: int) -> str:
    """Return values at their positions as base64 of little-endian doubles, NaN elsewhere."""
    out = array.array("d", [math.nan]) * size
    for index, value in zip(at, values, strict=True):
        if index is not None and value is not None:
            out[index] = value
    if sys.byteorder == "big":
        out.byteswap()
    return base64.b64encode(out.tobytes()).decode("ascii")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "total_seconds"):
        return value.total_seconds()
    if isinstance(value, int) and abs(value) > 2**53:
        return str(value)  # a browser's numbers end there
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
