"""The cube: partials of many dates as an N-d array of states in C, asked by brushes and pivots in microseconds.

Dates stay an axis of their own. Not for merging partials once and for all: `reduce` does that and keeps nothing.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import polars as pl

from vizflow.cube.axes import Dim
from vizflow.cube.store import (
    DATE,
    LAYOUTS,
    Estimate,
    Feed,
    Held,
    Layout,
    dim_names,
    estimated,
    learnt,
    made,
    memory_limit_of,
    sorted_out,
    stored,
    write,
)
from vizflow.errors import ConfigError, DataError, SchemaError, StorageError, near_names
from vizflow.files import atomic, places
from vizflow.lazy.frames import columns as selected
from vizflow.partials import traced as _traced
from vizflow.partials.plan import Plan

__all__ = ["Cube"]

_CELLS_AT_ONCE = 1 << 22  # of a result that is made in pieces


class Cube:
    """States of many dates as an array: brush, pivot, rank and follow them over the dates.

    Made by `from_partials`, `from_frame` or `open`; a `brush` or `slice` gives a view of the same cells. Numbers are
    those that `reduce` gives: integers exactly, float sums as the exact sum of what the partials hold, rounded once.
    Sums of any brush are differences of running sums, which lose nothing here because the running sums are kept as
    integers long enough for every value.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> metrics = {"n": pl.len(), "mean": pl.col("ret").mean()}
    >>> days = {}
    >>> for date, shift in (("20240102", 0.0), ("20240103", 1e-4)):
    ...     day = pl.DataFrame({"alpha": [-1e-4, 0.0, 1e-4, 1e-4], "side": ["B", "S", "B", "S"]})
    ...     day = day.with_columns(ret=pl.col("alpha") * 2 + shift)
    ...     days[date] = vf.aggregate(vf.bin(day, {"alpha": 1e-4}), ["alpha_bin", "side"], metrics)
    >>> cube = vf.Cube.from_partials(days, bins={"alpha_bin": 1e-4})
    >>> cube.dates, list(cube.dims), cube.metrics
    (['20240102', '20240103'], ['alpha_bin', 'side'], ['n', 'mean'])
    >>> cube.brush({"side": "B", "date": ("20240103", None)}).pivot("alpha_bin")
    shape: (2, 3)
    ┌───────────┬─────┬─────────┐
    │ alpha_bin ┆ n   ┆ mean    │
    │ ---       ┆ --- ┆ ---     │
    │ i64       ┆ i64 ┆ f64     │
    ╞═══════════╪═════╪═════════╡
    │ -1        ┆ 1   ┆ -0.0001 │
    │ 1         ┆ 1   ┆ 0.0003  │
    └───────────┴─────┴─────────┘
    """

    def __init__(self) -> None:
        raise ConfigError("a cube is made by Cube.from_partials, Cube.from_frame or Cube.open")

    _held: Held
    _picks: dict[int, array[int]]
    _dropped: frozenset[int]

    @classmethod
    def _over(cls, held: Held, picks: Mapping[int, array[int]] | None = None, dropped: Iterable[int] = ()) -> Cube:
        cube = object.__new__(cls)
        cube._held = held
        cube._picks = dict(picks or {})
        cube._dropped = frozenset(dropped)
        return cube

    # ---- made from partials

    @classmethod
    def from_partials(
        cls,
        partials: Any,
        *,
        dates: Sequence[str] | tuple[str, str] | None = None,
        dims: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
        bins: Mapping[str, float] | None = None,
        layout: Layout = "auto",
        memory_limit: int | str | None = None,
    ) -> Cube:
        """Make a cube of partials, one date each.

        Parameters
        ----------
        partials
            As in `reduce`: a file that `run` wrote, a folder of them, a glob pattern, a list of these, or a mapping of
            dates to frames that `aggregate` gave. The date of one without rows is on the axis of dates all the same.
        dates
            A tuple of the first and the last date, or a list of dates; None: all.
        dims
            Which of the partials' group_by columns become axes; the others are merged over. None: all. At most 15.
        metrics
            Which metrics it will be asked for: less memory. None: all.
        bins
            Widths of bin columns, where the partials do not say.
        layout
            ``"dense"``: an array over all axes, answers in microseconds. ``"sparse"``: only cells that hold something,
            answers in time that grows with their number. ``"auto"``: dense where that fits the limit, else sparse.
        memory_limit
            Bytes, or text such as ``"8 GiB"``. None: half of the memory that is free now.

        Returns
        -------
        Cube

        Raises
        ------
        ConfigError
            Both layouts need more than the limit (nothing is allocated then, and the message shows the numbers); the
            partials do not fit together; a partial holds several dates; a name is not known.
        StorageError
            A file is missing or cannot be read.
        ReplayError
            A partial changed between the first and the second reading.

        Notes
        -----
        Partials are read twice: once for the values of each axis, once for the cells; one partial is in memory at a
        time.

        Examples
        --------
        See `Cube`.
        """
        parts, plan, names = sorted_out(partials, dates, dims, bins)
        feed = Feed.of_parts(parts, plan, names, metrics, bins)
        return cls._over(made(feed, layout, memory_limit_of(memory_limit)))

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        date: str | None = DATE,
        dims: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
        bins: Mapping[str, float] | None = None,
        layout: Layout = "auto",
        memory_limit: int | str | None = None,
    ) -> Cube:
        """Make a cube of one frame that knows its states.

        Parameters
        ----------
        frame
            What `aggregate`, `reduce`, `scan` or `load` gave, untouched.
        date
            The column (Date) that becomes the axis of dates, such as ``reduce(..., by="date")`` has; where there is no
            such column, or with None, the cube has no dates.
        dims, metrics, bins, layout, memory_limit
            As in `from_partials`.

        Returns
        -------
        Cube

        Raises
        ------
        ConfigError
            The frame does not know its states; else as in `from_partials`.

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"side": ["B", "S", "B"], "qty": [100, 50, 300]})
        >>> cube = vf.Cube.from_frame(vf.aggregate(df, ["side"], {"qty": pl.col("qty").sum()}))
        >>> cube.total()
        {'qty': 450}
        """
        traced = _traced.traced(frame)
        if traced is None:
            raise ConfigError(
                "from_frame: this frame does not know its states; pass what vf.aggregate, vf.reduce, vf.scan or "
                "vf.load gave, untouched"
            )
        plan = traced.plan
        has_date = date in plan.group_by
        names = dim_names([name for name in plan.group_by if not (has_date and name == date)], dims)
        feed = Feed.of_frame(traced, names, date if has_date else None, metrics, bins)
        return cls._over(made(feed, layout, memory_limit_of(memory_limit)))

    @classmethod
    def estimate(
        cls,
        partials: Any,
        *,
        dates: Sequence[str] | tuple[str, str] | None = None,
        dims: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
        memory_limit: int | str | None = None,
    ) -> Estimate:
        """Return what `from_partials` would hold, reading the partials once and allocating nothing of it.

        Parameters
        ----------
        partials, dates, dims, metrics, memory_limit
            As in `from_partials`.

        Returns
        -------
        Estimate

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"side": ["B", "S", "B"], "qty": [100, 50, 300]})
        >>> days = {"20240102": vf.aggregate(df, ["side"], {"qty": pl.col("qty").sum()})}
        >>> e = vf.Cube.estimate(days, memory_limit="1 GiB")
        >>> e.shape, e.layout, e.dense_kept
        ((1, 2), 'dense', 16)
        """
        parts, plan, names = sorted_out(partials, dates, dims, None)
        core = learnt(Feed.of_parts(parts, plan, names, metrics, None))[0]
        return estimated(core, memory_limit_of(memory_limit))

    # ---- what it is

    @property
    def dims(self) -> dict[str, Dim]:
        """The axes but the dates, by name; of a brush only the values it has picked."""
        return {
            dim.name: self._picked(at) for at, dim in enumerate(self._held.axes) if at > 0 and at not in self._dropped
        }

    @property
    def dates(self) -> list[str]:
        """The dates, ``YYYYMMDD``, in order; of a brush those it has picked."""
        if not self._held.dated:
            return []
        return [value.strftime("%Y%m%d") for value in self._picked(0).values.to_list()]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics it can be asked for."""
        return list(self._held.finish)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, dates first."""
        return tuple(len(self._picked(at)) for at in range(len(self._held.axes)) if at not in self._dropped)

    @property
    def layout(self) -> str:
        """``"dense"`` or ``"sparse"``."""
        return LAYOUTS[self._held.core.shape()[0]]

    @property
    def nbytes(self) -> int:
        """Bytes that the cells hold."""
        return self._held.core.shape()[1]

    @property
    def plan(self) -> Plan:
        """The partials' plan: states, and how metrics follow."""
        return self._held.plan

    def __repr__(self) -> str:
        """Show shape, layout and size."""
        axes = [f"{len(self.dates)} dates"] if self._held.dated else []
        axes += [f"{name} {len(dim)}" for name, dim in self.dims.items()]
        size = f"{self.nbytes / 2**20:.1f} MiB"
        return f"Cube({' x '.join(axes) or 'one cell'}, {len(self.metrics)} metrics, {self.layout}, {size})"

    # ---- views

    def brush(self, selection: Mapping[str, Any]) -> Cube:
        """Keep a part of the axes: a view, which costs nothing, of what is picked.

        Parameters
        ----------
        selection
            By name of a dimension, or ``"date"``: a tuple ``(first, last)`` is a range, both ends included, None at
            an end is open, and null is in no range; a list names values (None is null); anything else is one value.
            Bins are named by their numbers; a range under the name without ``_bin`` (``alpha`` for ``alpha_bin``) is
            one of bin centres. Dates are ``YYYYMMDD`` or `datetime.date`. Brushes of brushes narrow further.

        Returns
        -------
        Cube
            A view with the same dimensions.

        Raises
        ------
        SchemaError
            There is no such dimension.
        ConfigError
            A value that is not on the axis (bins apart, which may be empty), or of another type.

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"bin": [-2, -1, 0, 3], "side": ["B", "S", None, "B"], "qty": [1, 2, 4, 8]})
        >>> metrics = {"qty": pl.col("qty").sum()}
        >>> cube = vf.Cube.from_frame(vf.aggregate(df, ["bin", "side"], metrics), bins={"bin": 0.5})
        >>> cube.brush({"bin": (-1, None)}).total(), cube.brush({"side": ["B", None]}).total()
        ({'qty': 14}, {'qty': 13})
        """
        picks = dict(self._picks)
        for name, wanted in selection.items():
            at, by_centre = self._axis(name, "brush")
            dim = self._held.axes[at]
            picked = dim.positions(wanted, by_centre=by_centre)
            if at in picks:
                before = set(picks[at])
                picked = array("I", [position for position in picked if position in before])
            picks[at] = picked
        return Cube._over(self._held, picks, self._dropped)

    def slice(self, selection: Mapping[str, Any]) -> Cube:
        """Keep one value of each dimension named, and drop the dimension: a view.

        Parameters
        ----------
        selection
            A value by name of a dimension; a range or a list merges what it picks. As in `brush`.

        Returns
        -------
        Cube

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"side": ["B", "S", "B"], "venue": [1, 1, 2], "qty": [100, 50, 300]})
        >>> cube = vf.Cube.from_frame(vf.aggregate(df, ["side", "venue"], {"qty": pl.col("qty").sum()}))
        >>> list(cube.slice({"side": "B"}).dims)
        ['venue']
        """
        view = self.brush(selection)
        dropped = {self._axis(name, "slice")[0] for name in selection}
        return Cube._over(view._held, view._picks, view._dropped | dropped)

    # ---- tables

    def table(
        self, by: Sequence[str] | str = (), metrics: Sequence[str] | str | None = None, *, centres: bool = False
    ) -> pl.DataFrame:
        """Merge over every axis but some, and give the metrics: what `reduce` with this group_by gives.

        Parameters
        ----------
        by
            Dimensions to keep, and ``"date"``; outermost first. None: one row.
        metrics
            Which; None: all.
        centres
            Add a column ``{dim}_centre`` (Float64) behind each bin column.

        Returns
        -------
        DataFrame
            Columns ``by + metrics``, a row for each combination that rows fall in, sorted by `by`, nulls first.

        Raises
        ------
        SchemaError
            There is no such dimension or metric.
        DataError
            An integer sum does not fit Int64.
        ConfigError
            The result would need more working memory than the cube's limit.

        Examples
        --------
        See `pivot`.
        """
        names = [by] if isinstance(by, str) else list(by)
        axes = [self._axis(name, "table", exact=True)[0] for name in names]
        if len(set(axes)) < len(axes):
            raise ConfigError(f"a dimension is named twice: {names}")
        frame = self._table(axes, self._metrics(metrics))
        for name, at in zip(names, axes, strict=True) if centres else ():
            width = self._held.axes[at].width
            if width is not None:
                centre = (frame[name].cast(pl.Float64) * width).alias(f"{name}_centre")
                frame = frame.with_columns(centre).select(selected(_inserted(frame.columns, name, f"{name}_centre")))
        return frame

    def pivot(
        self,
        x: str,
        y: str | None = None,
        metrics: Sequence[str] | str | None = None,
        *,
        centres: bool = False,
        wide: bool = False,
    ) -> pl.DataFrame:
        """Return the metrics over one or two dimensions, everything else merged.

        Parameters
        ----------
        x, y
            Dimensions, or ``"date"``.
        metrics
            Which; None: all.
        centres
            Add bin centres, as in `table`.
        wide
            With `y` and one metric: a row for each `x`, a column for each `y` named by its label, null where there is
            nothing.

        Returns
        -------
        DataFrame
            A row for each cell that rows fall in, sorted; empty cells are not there.

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"bin": [-1, -1, 2, 2], "side": ["B", "S", "B", "B"], "qty": [1, 2, 4, 8]})
        >>> metrics = {"qty": pl.col("qty").sum()}
        >>> cube = vf.Cube.from_frame(vf.aggregate(df, ["bin", "side"], metrics), bins={"bin": 0.5})
        >>> cube.pivot("bin", centres=True).rows()
        [(-1, -0.5, 3), (2, 1.0, 12)]
        >>> cube.pivot("bin", "side", "qty", wide=True)
        shape: (2, 3)
        ┌─────┬─────┬──────┐
        │ bin ┆ B   ┆ S    │
        │ --- ┆ --- ┆ ---  │
        │ i64 ┆ i64 ┆ i64  │
        ╞═════╪═════╪══════╡
        │ -1  ┆ 1   ┆ 2    │
        │ 2   ┆ 12  ┆ null │
        └─────┴─────┴──────┘
        """
        for name in [x] if y is None else [x, y]:
            self._axis(name, "pivot", exact=True)
        if not wide:
            return self.table([x] if y is None else [x, y], metrics, centres=centres)
        names = self._metrics(metrics)
        if y is None or len(names) != 1:
            raise ConfigError("wide=True takes x, y and one metric")
        dim = self._held.axes[self._axis(y, "pivot", exact=True)[0]]
        frame = self.table([x, y], names, centres=centres)
        label = frame[y].alias("y").replace_strict(dim.values, dim.labels, return_dtype=pl.String)
        present = frame[y].alias("y").unique().sort()
        columns = present.replace_strict(dim.values, dim.labels, return_dtype=pl.String).to_list()
        index = [name for name in frame.columns if name not in (y, names[0], f"{y}_centre")]
        rows = {f"__vf_index_{at}": frame[name] for at, name in enumerate(index)}  # names that are no patterns
        keyed = pl.DataFrame({**rows, "__vf_label": label, "__vf_value": frame[names[0]]})
        turned = keyed.pivot("__vf_label", on_columns=columns, index=list(rows), values="__vf_value")
        return pl.DataFrame(dict(zip([*index, *columns], (turned[name] for name in [*rows, *columns]), strict=True)))

    def marginal(self, dim: str, metrics: Sequence[str] | str | None = None) -> pl.DataFrame:
        """Return the metrics over one dimension, or ``"date"``: `pivot` of it alone.

        Parameters
        ----------
        dim
            The dimension.
        metrics
            Which; None: all.

        Returns
        -------
        DataFrame

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"side": ["B", "S", "B"], "venue": [1, 1, 2], "qty": [100, 50, 300]})
        >>> cube = vf.Cube.from_frame(vf.aggregate(df, ["side", "venue"], {"qty": pl.col("qty").sum()}))
        >>> cube.marginal("venue").rows()
        [(1, 150), (2, 300)]
        """
        return self.table([dim], metrics)

    def total(self, metrics: Sequence[str] | str | None = None) -> dict[str, Any]:
        """Return the metrics of everything that is picked.

        Parameters
        ----------
        metrics
            Which; None: all.

        Returns
        -------
        dict
            Name to value.
        """
        return self.table([], metrics).row(0, named=True)

    def top(
        self,
        metric: str,
        n: int = 10,
        *,
        by: Sequence[str] | str | None = None,
        metrics: Sequence[str] | str | None = None,
        descending: bool = True,
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """Return the cells with the largest (or smallest) values of a metric.

        Parameters
        ----------
        metric
            What to rank by. Null and NaN are last.
        n
            How many.
        by
            What a cell is; None: every dimension, dates merged.
        metrics
            What else to show; None: all.
        descending
            False: the smallest first.
        where
            Only cells for which this expression over the metrics holds, such as ``pl.col("n") >= 100``.

        Returns
        -------
        DataFrame
            Columns ``by + metrics``, best first; of equal values the first cell in the order of `by`.

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"side": ["B", "S", "B"], "venue": [1, 1, 2], "qty": [100, 50, 300]})
        >>> cube = vf.Cube.from_frame(vf.aggregate(df, ["side", "venue"], {"qty": pl.col("qty").sum()}))
        >>> cube.top("qty", 1).rows()
        [('B', 2, 300)]
        """
        shown = self._metrics(metrics)
        wanted = [*shown, *(self._metrics(metric) if metric not in shown else [])]
        needed = [name for name in (where.meta.root_names() if where is not None else []) if name in self.metrics]
        names = list(self.dims) if by is None else by
        frame = self.table(names, [*wanted, *(name for name in needed if name not in wanted)])
        if where is not None:
            frame = frame.filter(where)
        key = frame[metric]
        if frame.schema[metric].is_float():
            key = key.fill_nan(None)
        ranked = frame.sort(pl.lit(key), descending=descending, nulls_last=True, maintain_order=True).head(n)
        return ranked.select(selected([*([names] if isinstance(names, str) else names), *wanted]))

    def quantile(
        self,
        dim: str,
        q: float | Sequence[float],
        *,
        by: Sequence[str] | str = (),
        weight: str | None = None,
        interpolation: Literal["nearest", "lower", "higher", "midpoint", "linear"] = "nearest",
    ) -> pl.DataFrame:
        """Return quantiles of a binned column from the counts of its bins, with their bounds.

        Parameters
        ----------
        dim
            A bin dimension, or one of whole numbers.
        q
            One or more numbers of 0 to 1.
        by
            Dimensions to give them for, and ``"date"``.
        weight
            A metric that says how often each bin counts: a number of rows (default: the rows themselves, where a metric
            ``pl.len()`` was aggregated), or any sum that is not negative, such as a quantity.
        interpolation
            Of the two values next to ``(n - 1) * q``, as in Polars. With `weight` there is one definition: the first
            bin at which the weights reach ``q`` of their total (the inverse of the distribution function), and
            ``"nearest"`` or ``"lower"`` name it.

        Returns
        -------
        DataFrame
            Columns ``by + [q, quantile, low, high, n]``, a row for each group and q. `quantile` is the bin's centre;
            the quantile of the raw values, by the same definition, lies in ``[low, high]``: half a bin at either side.
            Null bins do not count. `n` is the number (or the weight) that did.

        Notes
        -----
        A value is in the bin of its rounded quotient, so it is at most half a width from the bin's centre, and order is
        kept: the k-th smallest value lies in the bin of the k-th smallest bin number. Interpolation mixes two such
        values with the same factors. Definitions: Hyndman & Fan (1996), type 7 (linear) and type 1 (weights).

        Raises
        ------
        ConfigError
            A dimension that is not of numbers, a q outside 0 to 1, a weight that is negative somewhere.

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = vf.bin(pl.DataFrame({"ret": [0.011, 0.019, 0.032, 0.5]}), {"ret": 0.01})
        >>> cube = vf.Cube.from_frame(vf.aggregate(df, ["ret_bin"], {"n": pl.len()}), bins={"ret_bin": 0.01})
        >>> cube.quantile("ret_bin", 0.5, interpolation="lower").rows()
        [(0.5, 0.02, 0.015, 0.025, 4)]
        """
        from vizflow.cube.quantile import quantiles

        return quantiles(self, dim, list(q) if isinstance(q, Iterable) else [q], by, weight, interpolation)

    # ---- whole

    def to_polars(self, metrics: Sequence[str] | str | None = None, *, dates: bool = True) -> pl.DataFrame:
        """Return every cell that holds something.

        Parameters
        ----------
        metrics
            Which; None: all.
        dates
            Keep the dates apart, in a first column ``date`` (Date).

        Returns
        -------
        DataFrame
            Columns ``[date] + dims + metrics``, sorted.

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"side": ["B", "S", "B"], "qty": [100, 50, 300]})
        >>> days = {"20240102": vf.aggregate(df, ["side"], {"qty": pl.col("qty").sum()})}
        >>> vf.Cube.from_partials(days).to_polars().rows()
        [(datetime.date(2024, 1, 2), 'B', 400), (datetime.date(2024, 1, 2), 'S', 50)]
        """
        axes = [
            at
            for at in range(len(self._held.axes))
            if at not in self._dropped and (at > 0 or (dates and self._held.dated))
        ]
        names = self._metrics(metrics)
        size = 1
        for at in axes:
            size *= len(self._picked(at))
        if size <= _CELLS_AT_ONCE or not axes or self.layout == "sparse":
            return self._table(axes, names)
        first = self._picks.get(axes[0]) or array("I", range(len(self._held.axes[axes[0]])))
        step = max(1, _CELLS_AT_ONCE * len(first) // size)
        views = [
            Cube._over(self._held, {**self._picks, axes[0]: first[start : start + step]}, self._dropped)
            for start in range(0, len(first), step)
        ]
        return pl.concat([view._table(axes, names) for view in views])

    def to_xarray(self, metrics: Sequence[str] | str | None = None) -> Any:
        """Return the cube as an `xarray.Dataset` (xarray must be installed).

        Parameters
        ----------
        metrics
            Which; None: all.

        Returns
        -------
        xarray.Dataset
            A variable for each metric over ``[date] + dims``, NaN (NaT, None) where there are no rows: integers become
            floats unless every cell holds something. Coordinates are the axes' values, and ``{dim}_centre`` for bins.

        Raises
        ------
        ConfigError
            xarray is not installed, or the dense array would be larger than the cube's memory limit.
        """
        from vizflow.cube.xarray import dataset

        return dataset(self, self._metrics(metrics))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the cube to an Arrow file, atomically, with a digest of its contents.

        Parameters
        ----------
        path
            ``.arrow``, ``.feather`` or ``.ipc``. Views are saved whole.

        Returns
        -------
        Path

        Examples
        --------
        >>> import polars as pl, vizflow as vf
        >>> df = pl.DataFrame({"side": ["B", "S", "B"], "qty": [100, 50, 300]})
        >>> cube = vf.Cube.from_frame(vf.aggregate(df, ["side"], {"qty": pl.col("qty").sum()}))
        >>> vf.Cube.open(cube.save("cube.arrow")).total()
        {'qty': 450}
        """
        path = places.local(path)
        if path.suffix.lower() not in (".arrow", ".feather", ".ipc"):
            raise ConfigError(f"{path.name}: a cube is saved as .arrow, .feather or .ipc")
        columns = [pl.Series("vizflow", [self._held.describe()])]
        for number, part in enumerate(self._held.core.parts()):
            columns.append(pl.Series(part).rename(f"part_{number:03}").implode())
        target: Any
        with atomic.atomic(path) as target:
            write(pl.DataFrame(columns), target)
        return path

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, memory_limit: int | str | None = None) -> Cube:
        """Open a cube that `save` wrote.

        Parameters
        ----------
        path
            The file. It is compared with the digest that it carries and read into memory, so that nothing that happens
            to it later matters.
        memory_limit
            On what a query works in, as in `from_partials`; also on the file.

        Returns
        -------
        Cube

        Raises
        ------
        StorageError
            The file is missing, damaged, no cube, or of another version.

        Examples
        --------
        See `save`.
        """
        path = places.local(path)
        limit = memory_limit_of(memory_limit)
        described, parts = stored(path, limit)
        try:
            held = Held.described(described, parts, limit, str(path))
        except DataError as error:
            raise StorageError(f"{path}: {error}; save it again") from error
        return cls._over(held)

    # ---- inside

    def _picked(self, at: int) -> Dim:
        dim = self._held.axes[at]
        if at not in self._picks:
            return dim
        return Dim(dim.name, dim.values.gather(pl.Series(self._picks[at], dtype=pl.UInt32)), dim.width)

    def _axis(self, name: str, option: str, *, exact: bool = False) -> tuple[int, bool]:
        """Return the axis of a name, and whether the name is that of its centres."""
        names = self._held.names
        if name in names and names[name] not in self._dropped:
            return names[name], False
        if not exact and f"{name}_bin" in names and self._held.axes[names[f"{name}_bin"]].width is not None:
            return names[f"{name}_bin"], True
        left = [known for known, at in names.items() if at not in self._dropped]
        hint = near_names(name, left).replace("the columns are", "there are")
        raise SchemaError(f"{option}: there is no dimension {name!r}; {hint}", column=name)

    def _metrics(self, metrics: Sequence[str] | str | None) -> list[str]:
        known = self._held.finish
        names = list(known) if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)
        for name in names:
            if name not in known:
                hint = near_names(name, known).replace("the columns are", "there are")
                raise SchemaError(f"there is no metric {name!r}; {hint}", column=name)
        return list(dict.fromkeys(names))

    def _table(self, axes: Sequence[int], metrics: Sequence[str]) -> pl.DataFrame:
        return self._held.table(self._picks, axes, tuple(metrics))


def _inserted(columns: Sequence[str], after: str, name: str) -> list[str]:
    out = [column for column in columns if column != name]
    out.insert(out.index(after) + 1, name)
    return out
