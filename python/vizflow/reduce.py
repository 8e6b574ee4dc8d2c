"""Merges partials: what one aggregate over the rows of all their dates would give, from the states they hold.

C merges the states; this module reads, checks and sorts out. Not for the cube, which keeps dates apart.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

import vizflow._core as _core
from vizflow import _partial, io
from vizflow._metrics import merging
from vizflow._partial import Traced
from vizflow._states import Plan, frame_of
from vizflow.dates import check_date
from vizflow.errors import ConfigError, SchemaError, StorageError, near_names, translated
from vizflow.lazy.frames import columns as selected
from vizflow.lazy.frames import threads
from vizflow.lazy.two_pass import source

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
    parts = alike(_parts(partials))
    parts = _chosen(parts, dates)
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
    _partial.remember(out, Traced(plan, states, kept, all_dates, met))
    return out


# ---- what is merged -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """One partial: a file or a frame."""

    name: str
    traced: Traced
    path: Path | None
    keys: Mapping[str, pl.DataType]
    stored: Mapping[str, pl.DataType]
    """Types of the keys as they are stored; `keys` has those that they take."""
    digest: str = ""
    """Of a file: which version of it is meant."""

    def typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give keys that are null throughout the type that they take."""
        null = [name for name, dtype in self.keys.items() if name in frame.columns and self.stored[name] != dtype]
        return frame.with_columns(frame[name].cast(self.keys[name]) for name in null) if null else frame


def _parts(partials: Any) -> list[_Part]:
    if isinstance(partials, Mapping):
        parts = [part for date, one in partials.items() for part in _dated_parts(check_date(date), one)]
    elif isinstance(partials, (str, os.PathLike)):
        parts = [_file(path) for path in _partial.find(partials)]
    elif isinstance(partials, (pl.LazyFrame, pl.DataFrame)):
        parts = [_frame(partials, 0)]
    else:
        parts = []
        for one in partials:
            if isinstance(one, (pl.LazyFrame, pl.DataFrame)):
                parts.append(_frame(one, len(parts)))
            else:
                parts.extend(_file(path) for path in _partial.find(one))
    if not parts:
        raise ConfigError("reduce: there is no partial to merge")
    return sorted(parts, key=lambda part: part.traced.dates)


def _dated_parts(date: str, one: Any) -> list[_Part]:
    out = []
    for part in _parts([one]):
        _check_given(part, part.traced.dates, date)
        traced = replace(part.traced, dates=(date,))
        name = date if part.path is None else part.name
        out.append(replace(part, name=name, traced=traced))
    return out


def _check_given(part: _Part, known: tuple[str, ...], date: str) -> None:
    if known not in ((), (date,)):
        raise ConfigError(f"{part.name}: it holds the dates {', '.join(known)}, and is given as {date}")


def _file(path: Path) -> _Part:
    known = _partial.info(path)
    if known is None or known.plan is None:
        what = "VizFlow did not write it" if known is None else "it holds metrics as they are, and not their states"
        raise ConfigError(
            f"{path}: {what}, so that it cannot be merged; run the pipeline again with a mergeable vf.aggregate at its "
            "end"
        )
    columns = [*known.plan.group_by, *known.plan.state_schema]
    schema = known.schema
    missing = [name for name in columns if name not in schema]
    if missing:
        raise StorageError(f"{path}: its plan names columns that it has not got: {', '.join(missing)}")
    keys = {name: schema[name] for name in known.plan.group_by}

    def states() -> pl.DataFrame:
        return io.stored(path, columns, known.digest)

    return _Part(str(path), Traced(known.plan, states, known.bins, known.dates), path, keys, keys, known.digest)


def _frame(frame: pl.LazyFrame | pl.DataFrame, position: int) -> _Part:
    traced = _partial.traced(frame)
    name = f"partials[{position}]"
    if traced is None:
        raise ConfigError(
            f"{name}: this frame does not know its states; pass what vf.aggregate, vf.reduce, vf.scan or vf.load gave, "
            "untouched, or the file's path"
        )
    schema = frame.collect_schema()
    keys = {key: schema[key] for key in traced.plan.group_by}
    return _Part(name, traced, None, keys, keys)


def alike(parts: list[_Part]) -> list[_Part]:
    """Check that parts merge; a key column that is null throughout (Arrow's type null) takes the others' type."""
    types: dict[str, pl.DataType] = {}
    for part in parts:
        types |= {key: dtype for key, dtype in part.keys.items() if dtype != pl.Null and key not in types}
    parts = [
        replace(
            part, keys={key: types.get(key, dtype) if dtype == pl.Null else dtype for key, dtype in part.keys.items()}
        )
        for part in parts
    ]
    _check_alike(parts)
    _check_dates(parts)
    return parts


def _check_alike(parts: list[_Part]) -> None:
    first = parts[0]
    for part in parts[1:]:
        difference = first.traced.plan.difference(part.traced.plan)
        if difference is not None:
            raise ConfigError(f"{part.name} has another plan than {first.name}: {difference}")
        _check_bins(first, part)
        for key, dtype in first.keys.items():
            if part.keys[key] != dtype:
                raise ConfigError(f"{part.name}: column {key!r} is {part.keys[key]}, in {first.name} it is {dtype}")


def _check_bins(first: _Part, part: _Part) -> None:
    """Refuse bins that differ, and bins of which only one side is known: they might."""
    mine, theirs = first.traced.bins or {}, part.traced.bins or {}
    names = [name for name in first.keys if mine.get(name) != theirs.get(name)]
    if not names:
        return
    text = "; ".join(f"{name} has {_bins_text(theirs.get(name))}, not {_bins_text(mine.get(name))}" for name in names)
    unknown = any(name not in mine or name not in theirs for name in names)
    raise ConfigError(
        f"{part.name} has other bins than {first.name}: {text}"
        + (
            "; bin with vf.bin or vf.qbin in the frame that is aggregated, without collecting between"
            if unknown
            else ""
        )
    )


def _bins_text(what: float | str | None) -> str:
    return "a width that is not known" if what is None else what if isinstance(what, str) else f"width {what}"


def _check_dates(parts: list[_Part]) -> None:
    places = any(state.kind in ("first", "last") for state in parts[0].traced.plan.states)
    for part in parts if places and len(parts) > 1 else ():
        _require_dates(part, "first and last values")
    _check_once(parts, lambda part: part.traced.dates)
    _check_copies(parts)


def _check_copies(parts: list[_Part]) -> None:
    """Refuse a file beside a copy of itself, where no date tells them apart."""
    seen: dict[str, _Part] = {}
    for part in parts:
        first = seen.setdefault(part.digest, part)
        if first is part or not part.digest or part.traced.dates or first.traced.dates:
            continue
        if part.traced.states().height > 0:
            raise ConfigError(
                f"{part.name} is {first.name} once more; its rows would count twice, so leave one out (of two days "
                "that are alike, pass a mapping of dates to partials)"
            )


def _check_once(parts: list[_Part], days: Callable[[_Part], tuple[str, ...]]) -> None:
    seen: dict[str, str] = {}
    for part in parts:
        for date in days(part):
            if date in seen:
                raise ConfigError(
                    f"date {date} is in {seen[date]} and in {part.name}; its rows would count twice, so leave one out "
                    "(parts of one day: aggregate them together, of pl.concat)"
                )
            seen[date] = part.name


def _check_met(parts: list[_Part]) -> None:
    """Check what the rows of frames said of their days, when they have been read."""
    for part in parts:
        if part.path is None and part.traced.dates:
            met = tuple(sorted(part.traced.met))
            if len(part.traced.dates) == 1:
                _check_given(part, met, part.traced.dates[0])
    _check_once(parts, lambda part: part.traced.days)


def _chosen(parts: list[_Part], dates: Sequence[str] | None) -> list[_Part]:
    if dates is None:
        return parts
    for part in parts:
        _require_dates(part, "dates")
    if isinstance(dates, tuple):
        if len(dates) != 2:
            raise ConfigError(f"dates is {dates!r}; a tuple is the first and the last date, a list names each")
        first, last = check_date(dates[0]), check_date(dates[1])
        wanted = {date for part in parts for date in part.traced.dates if first <= date <= last}
        text = f"from {first} to {last}"
    else:
        wanted = {check_date(date) for date in ([dates] if isinstance(dates, str) else dates)}
        missing = wanted.difference(date for part in parts for date in part.traced.dates)
        text = "of " + ", ".join(sorted(wanted))
        if missing:
            raise ConfigError(f"dates: there is no partial of {', '.join(sorted(missing))}")
    out = []
    for part in parts:
        inside = wanted.intersection(part.traced.dates)
        if inside and len(inside) < len(part.traced.dates):
            raise ConfigError(
                f"{part.name} holds {len(part.traced.dates)} dates merged, of which {len(inside)} are asked for; "
                "reduce the dates' own partials"
            )
        if inside:
            out.append(part)
    if not out:
        raise ConfigError(f"dates: there is no partial {text}")
    return out


def _require_dates(part: _Part, option: str) -> None:
    if not part.traced.days:
        raise ConfigError(f"{option}: the date of {part.name} is not known; pass a mapping of dates to partials")


def _plan(part: _Part, by: By | None, group_by: Sequence[str] | None) -> tuple[Plan, dict[str, pl.DataType]]:
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


def _merge(parts: list[_Part], plan: Plan, keys: dict[str, pl.DataType], by: By | None) -> pl.DataFrame:
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


def _frames(parts: list[_Part], plan: Plan, keys: dict[str, pl.DataType], by: By | None) -> Iterator[pl.DataFrame]:
    """Keys and states of the parts, in their order where a bit may depend on it."""
    yield pl.DataFrame(schema={**keys, **plan.state_schema})  # types, should no rows come
    wanted = [*keys, *plan.state_schema]
    with ThreadPoolExecutor(threads()) as pool:
        for start in range(0, len(parts), _FILES_AT_ONCE):
            some = parts[start : start + _FILES_AT_ONCE]
            frames = list(pool.map(lambda part: _stored(part, plan, keys, by).select(selected(wanted)), some))
            if start + _FILES_AT_ONCE >= len(parts):
                _check_met(parts)
            yield pl.concat(frames, rechunk=False)


def _stored(part: _Part, plan: Plan, keys: Mapping[str, pl.DataType], by: By | None) -> pl.DataFrame:
    if part.path is not None:
        inner = [name for name in keys if name != by]
        frame = io.stored(part.path, [*inner, *plan.state_schema], part.digest)
    else:
        frame = part.traced.states()
    frame = part.typed(frame)
    if len(part.traced.days) == 1:
        frame = _partial.with_date(frame, plan, part.traced.days[0])
    return frame if by is None else frame.with_columns(_period(part, by))


def _period(part: _Part, by: By) -> pl.Expr:
    _require_dates(part, f"by={by!r}")
    days = [dt.datetime.strptime(date, "%Y%m%d").date() for date in part.traced.days]
    starts = {day if by == "date" else day.replace(day=1, month=day.month if by == "month" else 1) for day in days}
    if len(starts) > 1:
        raise ConfigError(
            f"by={by!r}: {part.name} holds {len(days)} dates merged, of more than one {by}; reduce the dates' own "
            "partials"
        )
    return pl.lit(starts.pop()).alias(by)
