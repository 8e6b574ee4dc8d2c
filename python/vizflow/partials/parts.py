"""Partials to be merged, found and compared with one another. Not for merging."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from vizflow.dates import check_date
from vizflow.errors import ConfigError, StorageError
from vizflow.partials import file
from vizflow.partials import traced as _traced
from vizflow.partials.file import stored
from vizflow.partials.plan import KINDS
from vizflow.partials.traced import Traced


@dataclass(frozen=True)
class Part:
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
        """Return keys that are null throughout the type that they take."""
        null = [name for name, dtype in self.keys.items() if name in frame.columns and self.stored[name] != dtype]
        return frame.with_columns(frame[name].cast(self.keys[name]) for name in null) if null else frame


def parts_of(partials: Any) -> list[Part]:
    """Return the partials that files, folders, frames or mappings of dates to them mean."""
    if isinstance(partials, Mapping):
        parts = [part for date, one in partials.items() for part in _dated_parts(check_date(date), one)]
    elif isinstance(partials, (str, os.PathLike)):
        parts = [_file(path) for path in file.find(partials)]
    elif isinstance(partials, (pl.LazyFrame, pl.DataFrame)):
        parts = [_frame(partials, 0)]
    else:
        parts = []
        for one in partials:
            if isinstance(one, (pl.LazyFrame, pl.DataFrame)):
                parts.append(_frame(one, len(parts)))
            else:
                parts.extend(_file(path) for path in file.find(one))
    if not parts:
        raise ConfigError("reduce: there is no partial to merge")
    return sorted(parts, key=lambda part: part.traced.dates)


def _dated_parts(date: str, one: Any) -> list[Part]:
    out = []
    for part in parts_of([one]):
        _check_given(part, part.traced.dates, date)
        traced = replace(part.traced, dates=(date,))
        name = date if part.path is None else part.name
        out.append(replace(part, name=name, traced=traced))
    return out


def _check_given(part: Part, known: tuple[str, ...], date: str) -> None:
    if known not in ((), (date,)):
        raise ConfigError(f"{part.name}: it holds the dates {', '.join(known)}, and is given as {date}")


def _file(path: Path) -> Part:
    known = file.info(path)
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
        return stored(path, columns, known.digest)

    return Part(str(path), Traced(known.plan, states, known.bins, known.dates), path, keys, keys, known.digest)


def _frame(frame: pl.LazyFrame | pl.DataFrame, position: int) -> Part:
    traced = _traced.traced(frame)
    name = f"partials[{position}]"
    if traced is None:
        raise ConfigError(
            f"{name}: this frame does not know its states; pass what vf.aggregate, vf.reduce, vf.scan or vf.load gave, "
            "untouched, or the file's path"
        )
    schema = frame.collect_schema()
    keys = {key: schema[key] for key in traced.plan.group_by}
    return Part(name, traced, None, keys, keys)


def alike(parts: list[Part]) -> list[Part]:
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


def _check_alike(parts: list[Part]) -> None:
    first = parts[0]
    for part in parts[1:]:
        difference = first.traced.plan.difference(part.traced.plan)
        if difference is not None:
            raise ConfigError(f"{part.name} has another plan than {first.name}: {difference}")
        _check_bins(first, part)
        for key, dtype in first.keys.items():
            if part.keys[key] != dtype:
                raise ConfigError(f"{part.name}: column {key!r} is {part.keys[key]}, in {first.name} it is {dtype}")


def _check_bins(first: Part, part: Part) -> None:
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


def _check_dates(parts: list[Part]) -> None:
    places = any(KINDS[state.kind].is_placed for state in parts[0].traced.plan.states)
    for part in parts if places and len(parts) > 1 else ():
        require_dates(part, "first and last values")
    _check_once(parts, lambda part: part.traced.dates)
    _check_copies(parts)


def _check_copies(parts: list[Part]) -> None:
    """Refuse a file beside a copy of itself, where no date tells them apart."""
    seen: dict[str, Part] = {}
    for part in parts:
        first = seen.setdefault(part.digest, part)
        if first is part or not part.digest or part.traced.dates or first.traced.dates:
            continue
        if part.traced.states().height > 0:
            raise ConfigError(
                f"{part.name} is {first.name} once more; its rows would count twice, so leave one out (of two days "
                "that are alike, pass a mapping of dates to partials)"
            )


def _check_once(parts: list[Part], days: Callable[[Part], tuple[str, ...]]) -> None:
    seen: dict[str, str] = {}
    for part in parts:
        for date in days(part):
            if date in seen:
                raise ConfigError(
                    f"date {date} is in {seen[date]} and in {part.name}; its rows would count twice, so leave one out "
                    "(parts of one day: aggregate them together, of pl.concat)"
                )
            seen[date] = part.name


def check_met(parts: list[Part]) -> None:
    """Check what the rows of frames said of their days, when they have been read."""
    for part in parts:
        if part.path is None and part.traced.dates:
            met = tuple(sorted(part.traced.met))
            if len(part.traced.dates) == 1:
                _check_given(part, met, part.traced.dates[0])
    _check_once(parts, lambda part: part.traced.days)


def chosen_parts(parts: list[Part], dates: Sequence[str] | None) -> list[Part]:
    """Return the partials of the dates that are asked for."""
    if dates is None:
        return parts
    for part in parts:
        require_dates(part, "dates")
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


def require_dates(part: Part, option: str) -> None:
    """Check that it is known of which dates a partial is."""
    if not part.traced.days:
        raise ConfigError(f"{option}: the date of {part.name} is not known; pass a mapping of dates to partials")
