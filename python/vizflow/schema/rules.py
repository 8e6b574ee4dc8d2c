"""A config's schema: its rules checked and applied to a day, and the versions of what partials hold.

Not for files: `vizflow.io` reads them and hands their columns to `apply`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import polars as pl

from vizflow.errors import ConfigError, DataError, SchemaError, near_names, translated
from vizflow.lazy.frames import plugin
from vizflow.lazy.two_pass import batches
from vizflow.numbers import real
from vizflow.schema.casts import near_integer
from vizflow.schema.types import is_type

Rule = Mapping[str, Any]
Rules = Mapping[str, Rule]

_KEYS = ("load_as", "cast_to", "tolerance", "default", "aliases")
TOLERANCE = 1e-6
_PYTHON_TYPES: dict[type, pl.DataType] = {
    bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), str: pl.String(), bytes: pl.Binary(),
    dt.datetime: pl.Datetime("us"), dt.date: pl.Date(), dt.time: pl.Time(), dt.timedelta: pl.Duration("us"),
}  # fmt: skip


# ---- rules: checked when a config is made ------------------------------------------------------------------------


def check_rules(rules: Any) -> None:
    """Check a schema's rules, as far as that can be done without a file.

    Raises
    ------
    ConfigError
        Names the rule, what is wrong with it and what is accepted.
    """
    if not isinstance(rules, Mapping):
        raise ConfigError(f"schema is {type(rules).__name__}; a mapping of column names to rules is accepted")
    owners: dict[str, str] = {}
    for name, rule in rules.items():
        where = f"schema of {name!r}"
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{where}: a column's name is text")
        if not isinstance(rule, Mapping):
            raise ConfigError(f"{where}: a rule is a mapping such as {{'cast_to': pl.Int64}}, not {rule!r}")
        for key in rule:
            if key not in _KEYS:
                near = get_close_matches(str(key), _KEYS, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"{', '.join(_KEYS)} are accepted"
                raise ConfigError(f"{where}: there is no key {key!r}; {hint}")
        types = {key: _type(rule[key], f"{where}, {key}") for key in ("load_as", "cast_to") if key in rule}
        _check_tolerance(rule, types, where)
        if "default" in rule:
            _default_series(rule, where)
        for alias in _aliases(rule, where):
            taken = alias if alias in rules and alias != name else owners.get(alias)
            if taken is not None and taken != name:
                raise ConfigError(f"{where}: its alias {alias!r} belongs to {taken!r} too; a column has one meaning")
            owners[alias] = name


def _check_tolerance(rule: Rule, types: Mapping[str, pl.DataType], where: str) -> None:
    if "tolerance" not in rule:
        return
    value = rule["tolerance"]
    found = real(value)
    if found is None or not 0 <= found < 0.5:
        raise ConfigError(f"{where}: tolerance is {value!r}; 0 <= tolerance < 0.5 is accepted")
    if not any(dtype.is_integer() for dtype in types.values()):
        raise ConfigError(f"{where}: tolerance is for casts of floats to integers, and cast_to is no integer type")


def _aliases(rule: Rule, where: str) -> Sequence[str]:
    aliases = rule.get("aliases", ())
    if isinstance(aliases, str) or not isinstance(aliases, Sequence) or not all(isinstance(a, str) for a in aliases):
        raise ConfigError(f"{where}: aliases is {aliases!r}; a list of names is accepted")
    return aliases


def _type(value: Any, where: str) -> pl.DataType:
    """Return a data type: a Polars type, a Python type (int, float, str, ...), or a Polars type's name."""
    if isinstance(value, pl.DataType):
        return value
    if isinstance(value, str):
        names = [name for name in dir(pl.datatypes) if is_type(getattr(pl.datatypes, name))]
        if value not in names:
            near = get_close_matches(value, names, n=2, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else "a Polars type, as pl.Int64, is accepted"
            raise ConfigError(f"{where}: there is no type {value!r}; {hint}")
        value = getattr(pl.datatypes, value)
    if value in _PYTHON_TYPES:
        return _PYTHON_TYPES[value]
    if is_type(value):
        try:
            return value()  # type: ignore[no-any-return]
        except TypeError:
            raise ConfigError(f"{where}: {value.__name__} needs to be told of what, as pl.List(pl.Int64)") from None
    raise ConfigError(f"{where}: {value!r} is no data type; a Polars type, as pl.Int64, is accepted")


def _default_series(rule: Rule, where: str) -> pl.Series:
    """Return the default as a column of one row, in the type that the rule ends with."""
    value = rule["default"]
    target = rule.get("cast_to", rule.get("load_as"))
    if target is None:
        dtype = _PYTHON_TYPES.get(type(value))
        if dtype is None:
            raise ConfigError(f"{where}: the default {value!r} needs a type beside it, as 'cast_to': pl.Float64")
    else:
        dtype = _type(target, where)
    try:
        if isinstance(value, bool) and dtype != pl.Boolean:
            raise TypeError
        series = pl.Series("default", [value], dtype=dtype, strict=True)
        if series.dtype != dtype:
            raise TypeError
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        raise ConfigError(f"{where}: the default {value!r} is no {dtype}; give one that is") from None
    return series


# ---- rules applied to a day's columns ----------------------------------------------------------------------------


def apply(lf: pl.LazyFrame, rules: Rules, where: str) -> pl.LazyFrame:
    """Rename, default and cast columns by a schema; `where` names the file in errors. Other columns pass through."""
    if not rules:
        return lf
    check_rules(rules)
    present = lf.collect_schema()
    exprs: list[pl.Expr] = []
    dropped: list[str] = []
    for name, rule in rules.items():
        actual = actual_name(name, rule, present, where)
        if actual is None:
            exprs.append(_default(name, rule, present, where))
            continue
        if actual != name:
            dropped.append(actual)
        expr = pl.col(actual)
        for dtype, target in steps(name, rule, present[actual], where):
            expr = _cast(expr, dtype, target, rule)
        exprs.append(expr.alias(name))
    return lf.with_columns(exprs).drop(dropped)


def actual_name(name: str, rule: Rule, present: Iterable[str], where: str) -> str | None:
    """Return the name that a rule's column has in a file: its own before its aliases. None: it is not there.

    Raises
    ------
    SchemaError
        Two of its aliases are there, and it cannot be told which is meant.
    """
    names = set(present)
    if name in names:
        return name
    found = [alias for alias in dict.fromkeys(rule.get("aliases", ())) if alias in names]
    if len(found) > 1:
        shown = " and ".join(repr(alias) for alias in found)
        raise SchemaError(
            f"{where}: column {name!r} may be {shown}, which are both its aliases and both there; rename the one that "
            "is meant, or leave the other out of the aliases",
            column=name,
        )
    return found[0] if found else None


def _default(name: str, rule: Rule, present: pl.Schema, where: str) -> pl.Expr:
    if "default" not in rule:
        raise SchemaError(
            f"{where}: there is no column {name!r} ({near_names(name, present.names())}); name it in the schema's "
            "aliases, or give it a default",
            column=name,
        )
    series = _default_series(rule, f"schema of {name!r}")
    return pl.lit(series[0], dtype=series.dtype).alias(name)


def wanted(rule: Rule, where: str) -> list[pl.DataType]:
    """Return the types that a rule takes a column to, in order."""
    return [_type(rule[key], where) for key in ("load_as", "cast_to") if key in rule]


def steps(name: str, rule: Rule, dtype: pl.DataType, where: str) -> list[tuple[pl.DataType, pl.DataType]]:
    """Return the casts, from type to type, that take a column of type `dtype` where its rule wants it."""
    targets = wanted(rule, where)
    if dtype.is_integer() and len(targets) == 2 and targets[0].is_float() and targets[1].is_integer():
        targets = targets[1:]  # by way of a float, integers past 2^53 would lose digits
    out = []
    for target in targets:
        if dtype.is_decimal() and target.is_integer():
            raise SchemaError(
                f"{where}: column {name!r} is {dtype}, and Polars' cast to {target} would drop its fraction; put "
                "'load_as': pl.Float64 before it",
                column=name,
            )
        if target != dtype:
            out.append((dtype, target))
        dtype = target
    return out


def _cast(expr: pl.Expr, dtype: pl.DataType, target: pl.DataType, rule: Rule, *, strict: bool = True) -> pl.Expr:
    if dtype.is_float() and target.is_integer():
        return near_integer(expr, target, tolerance=rule.get("tolerance", TOLERANCE))
    if dtype in (pl.Int64, pl.UInt64) and target == pl.Float64:
        return plugin("cast_float", [expr])  # integers past 2^53 would lose digits
    if dtype == pl.String and target == pl.Boolean:
        words = expr.str.to_lowercase()
        others = {} if strict else {"default": None}
        return words.replace_strict(_BOOLEANS, return_dtype=pl.Boolean, **others)
    return expr.cast(target, strict=strict)


_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


# ---- what a cast failed on ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BadValues:
    """Values of a column that its rule refuses: how many of the rows, the first one's row, and why."""

    column: str
    count: int
    rows: int
    row: int
    text: str


def bad_values(lf: pl.LazyFrame, rules: Rules, where: str) -> Iterator[BadValues]:
    """Look through a file's columns, as they are in the file, for values that the rules' casts refuse: reads each."""
    present = lf.collect_schema()
    for name, rule in rules.items():
        actual = actual_name(name, rule, present, where)
        if actual is None:
            continue
        expr = pl.col(actual)
        for dtype, target in steps(name, rule, present[actual], where):
            if (dtype.is_float() and target.is_integer()) or (dtype in (pl.Int64, pl.UInt64) and target == pl.Float64):
                found = _refused_by_c(lf, name, expr, dtype, target, rule)
            else:
                found = _not_cast(lf, name, expr, dtype, target)
            if found is not None:
                yield found
                break
            expr = _cast(expr, dtype, target, rule)


def _refused_by_c(
    lf: pl.LazyFrame, name: str, expr: pl.Expr, dtype: pl.DataType, target: pl.DataType, rule: Rule
) -> BadValues | None:
    """Cast batch by batch in order, with rows counted over all: what a cast raises counts a batch's."""
    rows = 0
    found: dict[str, tuple[int, int, Any]] = {}  # what is wrong -> count, first row, its value
    cast = _cast(pl.col(name), dtype, target, rule)
    for batch in batches(lf.select(expr.alias(name))):
        try:
            with translated():
                batch.select(cast)
        except DataError as error:
            row = error.row or 0
            what = next(what for mark, what in _WRONG.items() if mark in str(error))
            count, first, value = found.get(what, (0, rows + row, batch[name][row]))
            found[what] = count + error.count, first, value
        rows += batch.height
    for what in _WRONG.values():  # C counts what does not fit only where all is near an integer: so does the whole
        if what in found:
            count, first, value = found[what]
            wording = what.format(target=target, tolerance=rule.get("tolerance", TOLERANCE))
            text = f'column "{name}": {count} of {rows} values {wording}, the first in row {first}: {value!r}'
            return BadValues(name, count, rows, first, text)
    return None


_WRONG = {
    "are not integers": "are no {target} within {tolerance:g}",
    "past 2^53": "are past 2^53 and would lose digits as {target}",
    "": "do not fit {target}",
}


def _not_cast(lf: pl.LazyFrame, name: str, expr: pl.Expr, dtype: pl.DataType, target: pl.DataType) -> BadValues | None:
    lost = expr.is_not_null() & _cast(expr, dtype, target, {}, strict=False).is_null()
    rows, count, row = (
        lf.select(expr.alias("value"), lost=lost)
        .with_row_index("row")
        .select(pl.len(), pl.col("lost").sum(), pl.col("row").filter(pl.col("lost")).min().alias("first"))
        .collect(engine="streaming")
        .row(0)
    )
    if not count:
        return None
    value = lf.select(expr.alias("value")).slice(row, 1).collect().item()
    hint = ""
    if dtype == pl.String and target == pl.Boolean:
        hint = "; true, false, 1 and 0 are read (any case); for others keep it text, 'cast_to': pl.String, and compare"
    return BadValues(
        name,
        count,
        rows,
        row,
        f"column {name!r}: {count} of {rows} values cannot be cast from {dtype} to {target}, the first in row {row}: "
        f"{value!r}{hint}",
    )


def raise_bad_values(lf: pl.LazyFrame, rules: Rules, where: str) -> None:
    """Raise the DataError of the first column whose cast fails, if one does."""
    for bad in bad_values(lf, rules, where):
        raise DataError(f"{where}: {bad.text}", column=bad.column, row=bad.row, count=bad.count)


# ---- versions of what partials hold ------------------------------------------------------------------------------
