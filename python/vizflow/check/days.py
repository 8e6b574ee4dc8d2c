"""The days of a check compared with what most of them are, and the rules that would settle their differences.

Not for reading files: `check.day` has counted what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import polars as pl

from vizflow.check.day import SIDES_SHOWN, Day, Options
from vizflow.schema import types as _schema

_HOT = 3.0  # times the median
_SMALL_FILE, _LARGE_FILE = 100_000_000, 50_000_000_000  # the design's partition sizes
_NULL_JUMP = 0.01  # a null share so far from the median day's is a finding


class Across:
    """Compares the days with what most of them are."""

    def __init__(self, days: list[Day], options: Options) -> None:
        self.options = options
        self.days = [day for day in days if day.schema is not None]
        self.all = days
        self.suggestions: dict[str, dict[str, Any]] = {}

    def compare(self) -> dict[str, dict[str, Any]]:
        """Add to each day what is different in it; give the rules that would settle it."""
        if self.days:
            self._names()
            self._types()
            self._nulls()
            self._sides()
        self._sizes()
        return self.suggestions

    def _needed(self) -> list[str]:
        """Columns that the config names."""
        config = self.options.config
        return list(dict.fromkeys([*config.schema, *config.columns.values()]))

    def _names(self) -> None:
        often = _often(name for day in self.days for name in _schema_of(day).names())
        needed = self._needed()
        aliases = {alias for rule in self.options.config.schema.values() for alias in rule.get("aliases", ())}
        usual = [name for name, n in often.items() if 2 * n > len(self.days) and name not in aliases]
        somewhere = {name for name in needed if any(self._has(day, name) for day in self.days)}
        for day in self.days:
            schema = _schema_of(day)
            free = [name for name in schema.names() if name not in needed and name not in aliases]
            spare = [name for name in free if name not in usual]
            for name in dict.fromkeys([*needed, *usual]):
                if self._has(day, name):
                    continue
                rule = self.options.config.schema.get(name, {})
                near = _near(
                    name, spare if name in somewhere or name in usual else free, self._usual_type(name), schema
                )
                made = name in needed and name not in somewhere and not rule  # by the pipeline, perhaps
                severity = "error" if name in needed and not made else "warning"
                if near is not None:
                    spare = [other for other in spare if other != near]
                    self._suggest_alias(name, near)
                    day.add("names", severity, name, detail=f"missing; {near!r} may be it")
                elif "default" in rule:
                    day.add("names", "info", name, detail="missing; the schema's default takes its place")
                elif not made:
                    day.add("names", severity, name, detail="missing")
            if len(self.days) > 1:
                for name in spare:
                    day.add("names", "info", name, detail="not there on most days")

    def _has(self, day: Day, name: str) -> bool:
        """Return whether a day has a column, or one of its aliases: of several, `Day` has said so."""
        aliases = self.options.config.schema.get(name, {}).get("aliases", ())
        return any(other in _schema_of(day) for other in (name, *aliases))

    def _usual_type(self, name: str) -> pl.DataType | None:
        types = [_schema_of(day)[name] for day in self.days if name in _schema_of(day)]
        return max(types, key=types.count) if types else None

    def _suggest_alias(self, name: str, alias: str) -> None:
        rule = self.suggestions.setdefault(name, dict(self.options.config.schema.get(name, {})))
        aliases = list(rule.get("aliases", ()))
        rule["aliases"] = aliases + [alias] * (alias not in aliases)

    def _types(self) -> None:
        """Compare each column's types; a day that has it under an alias, or a suggested one, counts too."""
        by_name: dict[str, list[tuple[Day, pl.DataType]]] = {}
        for day in self.days:
            schema = _schema_of(day)
            for name, dtype in schema.items():
                by_name.setdefault(self._canonical(name), []).append((day, dtype))
        for name, found in by_name.items():
            texts = [_schema.type_text(dtype) for _, dtype in found]
            if len(set(texts)) < 2:
                continue
            usual = max(texts, key=lambda text: (texts.count(text), -texts.index(text)))
            rule = self.options.config.schema.get(name, {})
            settled = "cast_to" in rule or "load_as" in rule
            for (day, _), text in zip(found, texts, strict=True):
                if text != usual:
                    detail = f"{text}, on most days {usual}" + ("; the schema settles it" if settled else "")
                    day.add("types", "info" if settled else "error", name, detail=detail)
            if not settled:
                self._suggest_type(name, [dtype for _, dtype in found], [day for day, _ in found])

    def _canonical(self, name: str) -> str:
        for rules in (self.options.config.schema, self.suggestions):
            for owner, rule in rules.items():
                if name in rule.get("aliases", ()):
                    return owner
        return name

    def _suggest_type(self, name: str, types: list[pl.DataType], days: list[Day]) -> None:
        rule: dict[str, Any] = {}
        if all(dtype.is_integer() for dtype in types):
            rule["cast_to"] = pl.Int64
        elif all(dtype.is_numeric() or dtype == pl.String for dtype in types):
            fraction = any(f["check"] == "fraction" and self._canonical(f["column"]) == name
                           for day in days for f in day.findings)  # fmt: skip
            is_quantity = any(
                self._canonical(day.columns["quantity"]) == name for day in days if "quantity" in day.columns
            )
            integers = sum(dtype.is_integer() for dtype in types)
            whole = not fraction and (2 * integers > len(types) or (integers > 0 and is_quantity))
            rule["load_as"], rule["cast_to"] = pl.Float64, pl.Int64 if whole else pl.Float64
        elif all(isinstance(dtype, (pl.Categorical, pl.Enum, pl.String)) for dtype in types):
            rule["cast_to"] = pl.String
        elif all(isinstance(dtype, pl.Datetime) for dtype in types) and (
            len({dtype.time_zone for dtype in types if isinstance(dtype, pl.Datetime)}) == 1
        ):
            rule["cast_to"] = next(
                d for d in types if isinstance(d, pl.Datetime) and d.time_unit == self._finest(types)
            )
        if rule:
            kept = self.suggestions.get(name, dict(self.options.config.schema.get(name, {})))
            self.suggestions[name] = kept | rule

    @staticmethod
    def _finest(types: list[pl.DataType]) -> str:
        units = {dtype.time_unit for dtype in types if isinstance(dtype, pl.Datetime)}
        return next(unit for unit in ("ns", "us", "ms") if unit in units)

    def _nulls(self) -> None:
        by_name: dict[str, list[tuple[Day, dict[str, Any]]]] = {}
        for day in self.days:
            for counts in day.nulls:
                by_name.setdefault(self._canonical(counts["column"]), []).append((day, counts))
        for name, found in by_name.items():
            shares = sorted(counts["share"] for _, counts in found if counts["share"] is not None)
            median = shares[len(shares) // 2] if shares else 0.0
            for day, counts in found:
                missing, share = counts["nulls"] + counts["nans"], counts["share"]
                if not missing or share is None:
                    continue
                if share == 1:
                    severity, detail = "warning", "every value is null"
                elif len(found) > 2 and abs(share - median) > _NULL_JUMP and not median / 2 <= share <= median * 2:
                    severity, detail = "warning", f"null or NaN; the median day has {median:.2%}"
                else:
                    severity, detail = "info", "null or NaN" if counts["nans"] else "null"
                day.add("nulls", severity, name, missing, None, detail)

    def _sides(self) -> None:
        days = [day for day in self.days if day.sides]
        often = _often(value for day in days for value, _ in day.sides if value is not None)
        for day in days:
            column = day.columns["side"]
            if len(day.sides) == SIDES_SHOWN:
                day.add("sides", "warning", column, None, None, f"{SIDES_SHOWN} or more values: is that a side?")
                continue
            for value, rows in day.sides:
                if value is not None and 2 * often[value] < len(days):
                    day.add("sides", "warning", column, rows, None, f"{value!r} is not there on most days")
            values = [value for value, _ in day.sides if value is not None]
            for text, n in often.items():
                if text not in values and 2 * n > len(days):
                    day.add("sides", "warning", column, 0, None, f"{text!r} is missing, which most days have")
            folded = _often(value.strip().lower() for value in values)
            for text, n in folded.items():
                if n > 1:
                    same = ", ".join(repr(value) for value in values if value.strip().lower() == text)
                    day.add("sides", "warning", column, None, None, f"written in several ways: {same}")

    def _sizes(self) -> None:
        for what in ("rows", "bytes"):
            sizes = sorted(value for day in self.all if (value := getattr(day, what)) is not None)
            if not sizes:
                continue
            median = sizes[len(sizes) // 2]
            for day in self.all:
                size = getattr(day, what)
                if size is None or len(sizes) < 3 or not median:
                    continue
                if size > _HOT * median or size * _HOT < median:
                    shown = f"{size:,} {what}; the median day has {median:,}"
                    kind = "hot partition: " if size > median else ""
                    day.add("size", "warning", None, None, None, f"{kind}{shown}")
        for day in self.all:
            if day.bytes is not None and not _SMALL_FILE <= day.bytes <= _LARGE_FILE:
                small = day.bytes < _SMALL_FILE
                why = "under 100 MB, where overhead weighs" if small else "over 50 GB, where retries and memory weigh"
                day.add("size", "info", None, None, None, f"{size_text(day.bytes)}: {why}")


def _schema_of(day: Day) -> pl.Schema:
    assert day.schema is not None
    return day.schema


def _often(values: Iterable[str]) -> dict[str, int]:
    out: dict[str, int] = {}
    for value in values:
        out[value] = out.get(value, 0) + 1
    return out


def _near(name: str, spare: Sequence[str], dtype: pl.DataType | None, schema: pl.Schema) -> str | None:
    """Return the spare column that a missing one may be: the same but for case and underscores, or nearly so."""
    fitting = [other for other in spare if dtype is None or _alike(dtype, schema[other])]
    plain = {other.replace("_", "").lower(): other for other in reversed(fitting)}
    same = plain.get(name.replace("_", "").lower())
    near = get_close_matches(name.replace("_", "").lower(), list(plain), n=1, cutoff=0.75)
    return same if same is not None else plain[near[0]] if near else None


def _alike(one: pl.DataType, other: pl.DataType) -> bool:
    return (one.is_numeric() and other.is_numeric()) or one.base_type() == other.base_type() or one == pl.String


def size_text(count: int) -> str:
    """Return a number of bytes as people read it."""
    if count < 1000:
        return f"{count} bytes"
    for unit, size in ("kB", 10**3), ("MB", 10**6):
        if count < 1000 * size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 10**9:,.1f} GB"
