"""What a cube holds, how it is read from partials, and how much memory it may take.

Not for users: `cube` is the face.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import polars as pl

import vizflow._core as _core
from vizflow import io
from vizflow.cube.axes import Dim
from vizflow.errors import ConfigError, DataError, SchemaError, StorageError, near_names, translated
from vizflow.files import digest
from vizflow.files import places as _places
from vizflow.lazy.frames import columns as selected
from vizflow.lazy.frames import threads
from vizflow.lazy.lineage import Bins
from vizflow.numbers import real, whole
from vizflow.partials import traced as _traced
from vizflow.partials.file import is_width
from vizflow.partials.file import stored as read_states
from vizflow.partials.parts import Part, alike, chosen_parts, parts_of
from vizflow.partials.plan import KINDS, Plan, StateSpec

DATE = "date"
Layout = Literal["auto", "dense", "sparse"]
LAYOUTS = tuple(_core.CUBE_LAYOUTS)
_FORMAT = 3
_MOST_AXES = 16


@dataclass(frozen=True)
class Estimate:
    """What a cube will hold, told before anything of it is allocated.

    Attributes
    ----------
    rows : int
        Rows of the partials.
    shape : tuple of int
        Lengths of the axes, dates first.
    cells : int
        Their product: cells of the dense layout.
    dense_bytes, sparse_bytes : int
        Held at most while the cube is made, in each layout.
    dense_kept, sparse_kept : int
        Held afterwards (sparse: at most).
    layout : str
        What ``layout="auto"`` takes under this limit: ``"dense"``, ``"sparse"``, or ``"none"``.
    memory_limit : int
        The limit, in bytes.
    """

    rows: int
    shape: tuple[int, ...]
    cells: int
    dense_bytes: int
    dense_kept: int
    sparse_bytes: int
    sparse_kept: int
    layout: str
    memory_limit: int


# ---- what is held ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Prepared:
    """Which states some metrics need, what columns they come as, and the expressions over them."""

    states: bytes
    columns: list[tuple[str, pl.DataType]]
    exprs: list[pl.Expr]


@dataclass
class Held:
    """The cells in C, and what Python knows of them; views share it."""

    core: _core.Cube
    axes: list[Dim]
    dated: bool
    plan: Plan
    kept: list[StateSpec]
    finish: dict[str, pl.Expr]
    limit: int
    looked: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What `viz.cube_cells` has worked out of the metrics."""
    _known: dict[tuple[str, ...], _Prepared] = field(default_factory=dict, repr=False)

    @cached_property
    def names(self) -> dict[str, int]:
        """Return each axis by its name, as a number; the first is the dates', where there are any."""
        return {dim.name: at for at, dim in enumerate(self.axes) if at > 0 or self.dated}

    def needed(self, exprs: Iterable[pl.Expr]) -> tuple[bytes, list[tuple[str, pl.DataType]]]:
        """Return the numbers of the states behind expressions, and the columns that they come as."""
        roots = {name for expr in exprs for name in expr.meta.root_names()}
        return self.columns(state.name for state in self.kept if roots.intersection(state.columns))

    def columns(self, names: Iterable[str]) -> tuple[bytes, list[tuple[str, pl.DataType]]]:
        """Return the numbers of states, and the columns that they come as."""
        wanted = set(names)
        numbers = [number for number, state in enumerate(self.kept) if state.name in wanted]
        columns = [column for number in numbers for column in given(self.kept[number])]
        return array("I", numbers).tobytes(), columns

    def prepared(self, metrics: tuple[str, ...]) -> _Prepared:
        """Return the states and expressions behind metrics; found once."""
        known = self._known.get(metrics)
        if known is None:
            exprs = [self.finish[metric].alias(metric) for metric in metrics]
            known = self._known[metrics] = _Prepared(*self.needed(exprs), exprs)
        return known

    def query(
        self,
        picks: Mapping[int, array[int]],
        axes: Sequence[int],
        states: bytes,
        columns: Sequence[tuple[str, pl.DataType]],
    ) -> tuple[list[pl.Series], list[pl.Series]]:
        """Return each cell's places on the axes, sorted by them, and its states as these columns."""
        picked = [picks[at].tobytes() if at in picks else None for at in range(len(self.axes))]
        given_columns = self.core.query(picked, array("I", axes).tobytes(), states, self.limit)
        found = [pl.Series(column) for column in given_columns]
        named = [
            column.alias(name) if column.dtype == dtype else column.cast(dtype).alias(name)
            for column, (name, dtype) in zip(found[len(axes) :], columns, strict=True)
        ]
        return found[: len(axes)], named

    def keys(self, axes: Sequence[int], places: Sequence[pl.Series]) -> list[pl.Series]:
        """Return the values at places on axes, under the axes' names."""
        return [self.axes[at].values[place].alias(self.axes[at].name) for at, place in zip(axes, places, strict=True)]

    def table(self, picks: Mapping[int, array[int]], axes: Sequence[int], metrics: tuple[str, ...]) -> pl.DataFrame:
        """Return one row per cell of these axes that holds anything: the places, then the metrics."""
        prepared = self.prepared(metrics)
        places, states = self.query(picks, axes, prepared.states, prepared.columns)
        with translated():
            out = pl.DataFrame(states).select(prepared.exprs) if states else pl.DataFrame()
        return pl.DataFrame({column.name: column for column in [*self.keys(axes, places), *out.get_columns()]})

    # ---- as text

    def describe(self) -> str:
        """Return the text that a saved cube carries: axes, states and plan, with a digest."""
        return with_sum(
            {
                "format": _FORMAT,
                "kind": "cube",
                "dated": self.dated,
                "axes": [
                    {"name": dim.name, "width": dim.width, "dtype": _type_text(dim.values.dtype)} for dim in self.axes
                ],
                "states": [state.name for state in self.kept],
                "metrics": list(self.finish),
                "plan": self.plan.to_json(),
            }
        )

    @staticmethod
    def described(text: str, parts: Sequence[Any], limit: int, where: str) -> Held:
        """Return the cube that a text describes, of the parts of a file."""
        try:
            return Held._described(json.loads(text), parts, limit, where)
        except (StorageError, DataError, MemoryError):
            raise
        except (Exception, pl.exceptions.PanicException) as error:
            raise StorageError(f"{where}: its description cannot be read ({type(error).__name__}: {error})") from error

    @staticmethod
    def _described(tree: Any, parts: Sequence[Any], limit: int, where: str) -> Held:
        if tree.get("kind") != "cube" or tree.get("format") != _FORMAT:
            raise StorageError(
                f"{where}: it is a {tree.get('kind')!r} of format {tree.get('format')!r}, and this version of VizFlow "
                f"reads cubes of format {_FORMAT}; make the cube again"
            )
        if tree.get("sum") != _sum_of(tree):
            raise ValueError("it is not what was written")
        plan = Plan.from_json(tree["plan"], where)
        kept = [state for state in plan.states if state.name in tree["states"]]
        axes, finish = tree["axes"], {name: plan.finish[name] for name in tree["metrics"]}
        names = [axis["name"] for axis in axes]
        if [state.name for state in kept] != tree["states"] or not isinstance(tree["dated"], bool):
            raise ValueError("its states are not those of its plan")
        if len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
            raise ValueError("its axes have no names, or the same")
        if not all(axis["width"] is None or is_width(axis["width"]) for axis in axes):
            raise ValueError("a bin's width is none")
        columns = {column for state in kept for column in state.columns}
        if not columns.issuperset(name for expr in finish.values() for name in expr.meta.root_names()):
            raise ValueError("a metric needs a state that it has not got")
        core = _core.Cube.attach(len(axes), merges(kept), parts, threads())
        dims = [
            Dim(axis["name"], _axis_values(core, at, _type_of_text(axis["dtype"])).alias(axis["name"]), axis["width"])
            for at, axis in enumerate(axes)
        ]
        return Held(core, dims, tree["dated"], plan, kept, finish, limit)


def with_sum(tree: Mapping[str, Any]) -> str:
    """Write a description with a sum over it: changed into another sound one, it would name the numbers wrongly."""
    return json.dumps({**tree, "sum": _sum_of(tree)}, ensure_ascii=False)


def _sum_of(tree: Mapping[str, Any]) -> str:
    text = json.dumps({key: tree[key] for key in tree if key != "sum"}, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def given(state: StateSpec) -> list[tuple[str, pl.DataType]]:
    """Columns that C gives of a state, in the names that the plan's expressions use."""
    types = state.schema()
    names = state.columns[: KINDS[state.kind].cube_gives]
    return [(name, types[name]) for name in names]


def merges(states: Sequence[StateSpec]) -> list[tuple[int, str]]:
    """Return how each state merges, as C's number, and its name."""
    return [(_core.CUBE_MERGES[state.kind], state.name) for state in states]


def _axis_values(core: _core.Cube, at: int, dtype: pl.DataType) -> pl.Series:
    values = pl.Series(core.axis(at))
    if isinstance(dtype, pl.Enum):
        return dtype.categories.gather(values).cast(dtype)
    return values if values.dtype == dtype else values.cast(dtype)


_PLAIN: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        pl.Boolean, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64,
        pl.String, pl.Binary, pl.Date, pl.Time,
    )
}  # fmt: skip


def _type_text(dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.Enum):
        return {"Enum": dtype.categories.to_list()}
    if isinstance(dtype, pl.Duration):
        return {"Duration": dtype.time_unit}
    if isinstance(dtype, pl.Datetime):
        return {"Datetime": [dtype.time_unit, dtype.time_zone]}
    if isinstance(dtype, pl.Categorical):
        categories = dtype.categories
        return {"Categorical": [categories.name(), categories.namespace(), str(categories.physical())]}
    return type(dtype).__name__ if type(dtype).__name__ in _PLAIN else "String"


def _type_of_text(text: Any) -> pl.DataType:
    if isinstance(text, str):
        return _PLAIN[text]()  # type: ignore[no-any-return]
    kind, body = next(iter(text.items()))
    if kind == "Enum":
        return pl.Enum(body)
    if kind == "Categorical":
        name, namespace, physical = body
        return pl.Categorical(pl.Categories(name, namespace=namespace, physical=_PLAIN[physical]) if name else None)
    return pl.Duration(body) if kind == "Duration" else pl.Datetime(*body)


# ---- what is read ---------------------------------------------------------------------------------------------------


@dataclass
class Feed:
    """Keys and states, piece by piece, as often as asked for."""

    plan: Plan
    keys: dict[str, pl.DataType]
    """Columns of the axes, dates first; the date's name is the axis's."""
    dated: bool
    kept: list[StateSpec]
    finish: dict[str, pl.Expr]
    bins: Mapping[str, float]
    dates: list[dt.date]
    """Days that the axis of dates has, whether rows are of them or not."""
    frames: Callable[[], Iterator[tuple[str, pl.DataFrame]]]

    @staticmethod
    def of_parts(
        parts: list[Part],
        plan: Plan,
        names: list[str],
        metrics: Sequence[str] | None,
        bins: Mapping[str, float] | None,
    ) -> Feed:
        """Return what feeds a cube of partials, a date each."""
        kept, finish = _needed(plan, metrics)
        wanted = [*names, *_columns(kept)]
        dated = bool(parts[0].traced.dates)

        def frames() -> Iterator[tuple[str, pl.DataFrame]]:
            for part in parts:
                if part.path is not None:
                    frame = read_states(part.path, wanted, part.digest)
                else:
                    frame = part.traced.states().select(selected(wanted))
                day = _day(part.traced.dates[0]) if dated else None
                yield part.name, part.typed(frame).with_columns(pl.lit(day, dtype=pl.Date).alias(DATE))

        keys = {DATE: pl.Date(), **{name: parts[0].keys[name] for name in names}}
        widths = _widths(names, plan.group_by, parts[0].traced.bins, bins)
        days = [_day(date) for part in parts for date in part.traced.dates]
        return Feed(plan, keys, dated, kept, finish, widths, days, frames)

    @staticmethod
    def of_frame(
        traced: _traced.Traced,
        names: list[str],
        date: str | None,
        metrics: Sequence[str] | None,
        bins: Mapping[str, float] | None,
    ) -> Feed:
        """Return what feeds a cube of one frame of states, its dates in a column or none."""
        kept, finish = _needed(traced.plan, metrics)
        states = traced.dated()
        if date is not None and states.schema[date] != pl.Date:
            raise SchemaError(
                f"column {date!r} is {states.schema[date]}; the axis of dates is of type Date", column=date
            )
        day = pl.lit(None, dtype=pl.Date) if date is None else pl.col(date)
        if date is None and len(traced.days) == 1:
            day = pl.lit(_day(traced.days[0]))
        places = [state for state in kept if KINDS[state.kind].is_placed]
        if len(traced.days) != 1:  # dates may be merged: their order is in the states
            states = states.with_columns(_order(state) for state in places)
        frame = states.select(day.cast(pl.Date).alias(DATE), *selected([*names, *_columns(kept)]))
        keys = {DATE: pl.Date(), **{name: states.schema[name] for name in names}}
        dated = date is not None or len(traced.days) == 1
        widths = _widths(names, traced.plan.group_by, traced.bins, bins)
        days = [_day(known) for known in traced.days] if dated and date in (None, DATE) else []
        return Feed(traced.plan, keys, dated, kept, finish, widths, days, lambda: iter([("the frame", frame)]))

    def columns(self, frame: pl.DataFrame) -> tuple[list[pl.Series], list[pl.Series]]:
        """Return a frame's keys and states as C takes them."""
        keys = [_key(frame[name]) for name in self.keys]
        return keys, [frame[name] for name in _columns(self.kept)]


def _day(date: str) -> dt.date:
    return dt.datetime.strptime(date, "%Y%m%d").date()


def _order(state: StateSpec) -> pl.Expr:
    """Rank the rows of merged dates by date and row; what had no row stays null."""
    date, row = pl.col(state.columns[1]), pl.col(state.columns[2])
    rank = pl.struct(date, row).rank("dense").cast(pl.Int64)
    return pl.when(row.is_not_null()).then(rank).alias(state.columns[2])


def _key(column: pl.Series) -> pl.Series:
    return column.to_physical() if isinstance(column.dtype, pl.Enum) else column


def _columns(states: Sequence[StateSpec]) -> list[str]:
    return [state.columns[at] for state in states for at in KINDS[state.kind].cube_takes]


def _needed(plan: Plan, metrics: Sequence[str] | None) -> tuple[list[StateSpec], dict[str, pl.Expr]]:
    finish = plan.finish
    names = list(finish) if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        if name not in finish:
            hint = near_names(name, finish).replace("the columns are", "there are")
            raise SchemaError(f"metrics: the partials have no metric {name!r}; {hint}", column=name)
    if not names:
        raise ConfigError("metrics is empty; None takes all")
    chosen = {name: finish[name] for name in names}
    roots = {root for expr in chosen.values() for root in expr.meta.root_names()}
    # the number of rows costs nothing more: it says which cells there are
    kept = [state for state in plan.states if roots.intersection(state.columns) or state.name == "rows"]
    return kept, chosen


def _widths(
    names: Sequence[str],
    have: Sequence[str],
    known: Bins | None,
    given: Mapping[str, float] | None,
) -> dict[str, float]:
    out = {name: width for name, width in (known or {}).items() if not isinstance(width, str)}
    for name, width in (given or {}).items():
        if name not in have:
            raise SchemaError(f"bins: there is no dimension {name!r}; {near_names(name, have)}", column=name)
        if out.get(name, width) != width:
            raise ConfigError(f"bins: {name!r} has width {out[name]} in the partials, not {width}")
        if not 0 < (real(width) or 0) < float("inf"):
            raise ConfigError(f"bins: {name!r} has width {width}; a finite number above 0 is needed")
        out[name] = float(width)
    return {name: width for name, width in out.items() if name in names}


def dim_names(have: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """Return the names of a cube's axes: those wanted, checked against those there are."""
    names = list(have) if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in have:
            hint = near_names(name, have)
            raise SchemaError(f"dims: the partials have no group_by column {name!r}; {hint}", column=name)
    if len(set(names)) < len(names):
        raise ConfigError(f"dims names a column twice: {names}")
    if DATE in names:
        raise ConfigError(
            f"a dimension {DATE!r} would be taken for the axis of dates; rename the column before aggregate"
        )
    if len(names) >= _MOST_AXES:
        raise ConfigError(
            f"{len(names)} dims; a cube has at most {_MOST_AXES - 1} and the dates: choose with dims=[...]"
        )
    return names


def sorted_out(
    partials: Any,
    dates: Sequence[str] | tuple[str, str] | None,
    dims: Sequence[str] | None,
    bins: Mapping[str, float] | None,
) -> tuple[list[Part], Plan, list[str]]:
    """Return the partials of a cube that agree, their plan, and the names of its axes."""
    parts = alike(parts_of(partials))
    parts = chosen_parts(parts, dates)
    for part in parts:
        if len(part.traced.dates) > 1:
            raise ConfigError(
                f"{part.name} holds {len(part.traced.dates)} dates merged, which a cube cannot keep apart; pass the "
                "dates' own partials, or Cube.from_frame(vf.load(...)) for a cube without dates"
            )
        if not part.traced.dates and len(parts) > 1:
            raise ConfigError(f"the date of {part.name} is not known; pass a mapping of dates to partials")
    names = dim_names(list(parts[0].keys), dims)
    return parts, parts[0].traced.plan, names


# ---- made -----------------------------------------------------------------------------------------------------------


def learnt(feed: Feed) -> tuple[_core.Cube, int]:
    """Read a feed's keys: return a cube that knows the values on its axes, and the number of rows."""
    core = _core.Cube(n_axes=len(feed.keys), states=merges(feed.kept), n_threads=threads())
    rows = 0
    for name, frame in feed.frames():
        keys, values = feed.columns(frame)
        with _named(name):
            core.learn(keys, values, frame.height)
        rows += frame.height
    if feed.dates:
        core.learn_axis(0, [pl.Series(DATE, feed.dates, dtype=pl.Date)], len(feed.dates))
    return core, rows


class _named:
    """Names the partial in an error of C."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, (DataError, SchemaError)) and error.args:
            error.args = (f"{self.name}: {error.args[0]}", *error.args[1:])


def estimated(core: _core.Cube, limit: int) -> Estimate:
    """Return what a cube would need of memory, dense and sparse, and which layout fits the limit."""
    rows, cells, dense, dense_kept, sparse, sparse_kept, *_ = core.size()
    layout = "dense" if dense <= limit else "sparse" if sparse <= limit else "none"
    return Estimate(rows, tuple(core.lengths()), cells, dense, dense_kept, sparse, sparse_kept, layout, limit)


def made(feed: Feed, layout: Layout, limit: int) -> Held:
    """Return a cube built of a feed, in a layout that fits the limit."""
    if layout not in LAYOUTS:
        raise ConfigError(f"layout is {layout!r}; 'auto', 'dense' and 'sparse' are accepted")
    core, _ = learnt(feed)
    told = estimated(core, limit)
    needed = min(told.dense_bytes, told.sparse_bytes) if layout == "auto" else getattr(told, f"{layout}_bytes")
    if needed > limit:
        raise ConfigError(_too_large(told, feed, layout))
    core.build(_core.CUBE_LAYOUTS[layout], limit)
    for name, frame in feed.frames():
        keys, values = feed.columns(frame)
        with _named(name):
            core.add(keys, values, frame.height)
    core.finish()
    axes = []
    for at, (name, dtype) in enumerate(feed.keys.items()):
        own = dtype if _type_text(dtype) != "String" else pl.String()
        axes.append(Dim(name, _axis_values(core, at, own).alias(name), feed.bins.get(name)))
    return Held(core, axes, feed.dated, feed.plan, feed.kept, feed.finish, limit)


def _too_large(told: Estimate, feed: Feed, layout: str) -> str:
    axes = " x ".join(f"{name} {n}" for name, n in zip(feed.keys, told.shape, strict=True))
    return (
        f"the cube needs {_size(told.dense_bytes)} dense ({axes} = {told.cells} cells) or {_size(told.sparse_bytes)} "
        f"sparse ({told.rows} rows), and memory_limit is {_size(told.memory_limit)}"
        + (f" with layout={layout!r}" if layout != "auto" else "")
        + "; take fewer dims=, dates= or metrics=, wider bins, or a larger memory_limit="
    )


def _size(n: int) -> str:
    size = float(n)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def memory_limit_of(given: int | str | None) -> int:
    """Return a memory limit in bytes, of a number or a text; by default half of what is free."""
    if given is None:
        return max(_free_memory() // 2, 1)
    if isinstance(given, str):
        text = given.strip().lower()
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyz").strip()
        unit = text[len(text.rstrip("abcdefghijklmnopqrstuvwxyz")) :] or "b"
        try:
            limit = int(float(digits) * _UNITS[unit])
        except (ValueError, KeyError, OverflowError):
            raise ConfigError(
                f"memory_limit is {given!r}; bytes, or text such as '8 GiB' and '500 MB' are accepted"
            ) from None
    else:
        bytes_ = whole(given)
        if bytes_ is None:
            raise ConfigError(f"memory_limit is {given!r}; bytes, or text such as '8 GiB' are accepted")
        limit = bytes_
    if limit <= 0:
        raise ConfigError(f"memory_limit is {given!r}; it must be above 0")
    return limit


def _free_memory() -> int:
    """Bytes that can be had now, as far as the system says; the smaller of the machine's and the control group's."""
    free = 8 * 2**30
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    try:
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text(encoding="ascii"))
        free = min(free, most - int((group / "memory.current").read_text(encoding="ascii")))
    except (OSError, ValueError):
        pass
    return max(free, 2**20)


# ---- stored ---------------------------------------------------------------------------------------------------------


def write(frame: pl.DataFrame, to: Any) -> None:
    """Write a cube's columns, with their digest in a last one."""
    sealing: Any = digest.Sealing(to)
    frame.with_columns(pl.lit(digest.PLACE).alias(digest.KEY)).write_ipc(sealing)
    sealing.finish()


def stored(path: Path, limit: int) -> tuple[str, list[Any]]:
    """Return a file's description and its parts, read into memory: a file that is cut later is no matter to them."""
    _places.look(path)
    size = path.stat().st_size
    if size > limit:
        raise ConfigError(
            f"{path}: the file's {_size(size)} are read into memory, and memory_limit is {_size(limit)}; raise "
            "memory_limit="
        )
    with io.reading(path):
        whole = digest.read(path)
        if whole is None:
            raise StorageError(
                f"{path}: it carries no digest of its contents, which Cube.save writes; it is damaged, no cube, or one "
                "of an older version: make the cube again"
            )
        frame = pl.read_ipc(whole)
    if frame.height != 1 or frame.columns[0] != "vizflow" or frame.columns[-1] != digest.KEY:
        raise StorageError(f"{path}: it is no cube that VizFlow saved")
    return frame["vizflow"].item(), [frame[name].item() for name in frame.columns[1:-1]]
