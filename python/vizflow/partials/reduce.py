"""Merges partials: what one aggregate over the rows of all their dates would give, from the states they hold.

C merges the states; this module reads, checks and sorts out. Not for the cube, which keeps dates apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import polars as pl

import vizflow._core as _core
from vizflow.errors import ConfigError, SchemaError, near_names, translated
from vizflow.lazy.frames import columns as selected
from vizflow.lazy.frames import threads
from vizflow.lazy.two_pass import source
from vizflow.partials import traced
from vizflow.partials.file import stored
from vizflow.partials.metrics import merging
from vizflow.partials.parts import Part, alike, check_met, chosen_parts, parts_of, require_dates
from vizflow.partials.plan import Plan, frame_of
from vizflow.partials.traced import Traced

__all__ = ["reduce"]

By = Literal["date", "month", "year"]
_FILES_AT_ONCE = 32
_PERIODS: dict[str, pl.DataType] = {"date": pl.Date(), "month": pl.Date(), "year": pl.Date()}


def reduce(
    partials: Any,
    by: By | None = None,
    dates: Sequence[str] | tuple[str, str] | None = None,
    group_by: Sequence[str] | None = None,
) -> pl.LazyFrame:
    """Merge partials over dates: exactly what `aggregate` over the rows of all the dates would give.

    Parameters
    ----------
    partials
        A file that `run` wrote, a folder of them, a glob pattern, a frame that `aggregate`, `reduce`, `scan` or `load`
        gave (untouched), a list of any of these, or a mapping of dates to them.
    by
        Give a series: ``"date"`` keeps the dates apart, in a first column ``date`` (Date); ``"month"`` and ``"year"``
        merge those of a month or a year, in a column of that name that holds its first day. None merges all.
    dates
        Which dates to merge: a tuple of the first and the last one (``("20240101", "20240331")``), or a list of them.
        None: all.
    group_by
        Which of the partials' group_by columns to keep; the others are merged over. None: all; ``[]``: one row.

    Returns
    -------
    LazyFrame
        Columns ``[by] + group_by + metrics``, a row a group, sorted, nulls first. Counts and integers are exact, floats
        are sums of what the partials hold (106 bits each) rounded once: the same bits for every order of the files,
        and for every number of threads. `save` writes it, untouched, as states that can be merged further.

    Raises
    ------
    StorageError
        A file is missing or no Parquet file, or there is none.
    ConfigError
        A partial that holds metrics only, or has another plan, other bin widths or other edges than the first: the
        message shows the difference. A date that is in two partials (when collected, where only their rows say so), a
        copy of a partial whose date is not known, or a date in none where a list asks for it. Dates that are not known,
        or that a merged partial does not keep apart.
    SchemaError
        A column of `group_by` is not among the partials'.
    DataError
        When collected: an integer sum does not fit Int64.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> metrics = {"n": pl.len(), "vwap": (pl.col("price") * pl.col("qty")).sum() / pl.col("qty").sum()}
    >>> monday = pl.DataFrame({"side": ["B", "S"], "price": [10.0, 9.0], "qty": [100, 50]})
    >>> tuesday = pl.DataFrame({"side": ["B"], "price": [12.0], "qty": [300]})
    >>> days = {
    ...     "20240102": vf.aggregate(monday, ["side"], metrics),
    ...     "20240103": vf.aggregate(tuesday, ["side"], metrics),
    ... }
    >>> vf.reduce(days).collect().rows()
    [('B', 2, 11.5), ('S', 1, 9.0)]
    >>> vf.reduce(days, by="date", group_by=[]).collect()
    shape: (2, 3)
    ┌────────────┬─────┬──────────┐
    │ date       ┆ n   ┆ vwap     │
    │ ---        ┆ --- ┆ ---      │
    │ date       ┆ i64 ┆ f64      │
    ╞════════════╪═════╪══════════╡
    │ 2024-01-02 ┆ 2   ┆ 9.666667 │
    │ 2024-01-03 ┆ 1   ┆ 12.0     │
    └────────────┴─────┴──────────┘
    """
    parts = alike(parts_of(partials))
    parts = chosen_parts(parts, dates)
    plan, keys = _plan(parts[0], by, group_by)
    bins = parts[0].traced.bins
    kept = None if bins is None else {name: width for name, width in bins.items() if name in plan.group_by}
    known = all(part.traced.dates for part in parts)
    all_dates = tuple(sorted(date for part in parts for date in part.traced.dates)) if known else ()
    met: set[str] = set()

    def states() -> pl.DataFrame:
        merged = _merge(parts, plan, keys, by)
        if all(part.traced.days for part in parts):
            met.update(date for part in parts for date in part.traced.days)
        return merged

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        with translated():
            yield states().select(selected(plan.group_by), **plan.finish)

    schema = {**keys, **dict(pl.LazyFrame(schema=plan.state_schema).select(**plan.finish).collect_schema())}
    out = source(produce, schema, "reduce")
    traced.remember(out, Traced(plan, states, kept, all_dates, met))
    return out


# ---- what is merged -----------------------------------------------------------------------------------------------


def _plan(part: Part, by: By | None, group_by: Sequence[str] | None) -> tuple[Plan, dict[str, pl.DataType]]:
    names = list(part.keys) if group_by is None else [group_by] if isinstance(group_by, str) else list(group_by)
    for name in names:
        if name not in part.keys:
            raise SchemaError(
                f"group_by: the partials have no column {name!r} to group by; {near_names(name, part.keys)}",
                column=name,
            )
    if len(set(names)) < len(names):
        raise ConfigError(f"group_by names a column twice: {names}")
    keys = {name: part.keys[name] for name in names}
    if by is None:
        return part.traced.plan.regrouped(names), keys
    if by not in _PERIODS:
        raise ConfigError(f"by is {by!r}; 'date', 'month', 'year' and None are accepted")
    if by in (*part.keys, *part.traced.plan.names):
        raise ConfigError(f"by={by!r}: the partials have a column of this name already")
    return part.traced.plan.regrouped([by, *names]), {by: _PERIODS[by], **keys}


# ---- merging --------------------------------------------------------------------------------------------------------


def _merge(parts: list[Part], plan: Plan, keys: dict[str, pl.DataType], by: By | None) -> pl.DataFrame:
    leaves, columns = merging(plan)
    agg = _core.Agg(
        leaves=[leaf.spec(state.name) for leaf, state in zip(leaves, plan.states, strict=True)],
        n_keys=len(keys),
        n_values=len(columns),
        n_threads=threads(),
    )
    names = list(keys)
    with translated():
        for frame in _frames(parts, plan, keys, by):
            agg.update([frame[name] for name in names], [frame[name] for name in columns], frame.height)
    return frame_of(agg, keys, plan.states)


def _frames(parts: list[Part], plan: Plan, keys: dict[str, pl.DataType], by: By | None) -> Iterator[pl.DataFrame]:
    """Keys and states of the parts, in their order where a bit may depend on it."""
    yield pl.DataFrame(schema={**keys, **plan.state_schema})  # types, should no rows come
    wanted = [*keys, *plan.state_schema]
    with ThreadPoolExecutor(threads()) as pool:
        for start in range(0, len(parts), _FILES_AT_ONCE):
            some = parts[start : start + _FILES_AT_ONCE]
            frames = list(pool.map(lambda part: _stored(part, plan, keys, by).select(selected(wanted)), some))
            if start + _FILES_AT_ONCE >= len(parts):
                check_met(parts)
            yield pl.concat(frames, rechunk=False)


def _stored(part: Part, plan: Plan, keys: Mapping[str, pl.DataType], by: By | None) -> pl.DataFrame:
    if part.path is not None:
        inner = [name for name in keys if name != by]
        frame = stored(part.path, [*inner, *plan.state_schema], part.digest)
    else:
        frame = part.traced.states()
    frame = part.typed(frame)
    if len(part.traced.days) == 1:
        frame = traced.with_date(frame, plan, part.traced.days[0])
    return frame if by is None else frame.with_columns(_period(part, by))


def _period(part: Part, by: By) -> pl.Expr:
    require_dates(part, f"by={by!r}")
    days = [dt.datetime.strptime(date, "%Y%m%d").date() for date in part.traced.days]
    starts = {day if by == "date" else day.replace(day=1, month=day.month if by == "month" else 1) for day in days}
    if len(starts) > 1:
        raise ConfigError(
            f"by={by!r}: {part.name} holds {len(days)} dates merged, of more than one {by}; reduce the dates' own "
            "partials"
        )
    return pl.lit(starts.pop()).alias(by)
