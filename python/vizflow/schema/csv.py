"""CSV files: the options that Polars' reader is given, types that a schema knows before it guesses, what went wrong.

Not for the schema's casts themselves (`vizflow.schema.rules`), nor for other formats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl

from vizflow.errors import ConfigError, DataError, StorageError
from vizflow.lazy.frames import plugin
from vizflow.schema import rules as _rules
from vizflow.schema.casts import near_integer

Options = Mapping[str, Any]

SAMPLE = 100  # rows that Polars guesses types from unless it is told
_TEXT, _NUMBER, _YES_NO, _LIST = (str,), (int,), (bool,), (list, tuple)
_OPTIONS: dict[str, tuple[type, ...]] = {
    "has_header": _YES_NO, "new_columns": _LIST, "separator": _TEXT, "decimal_comma": _YES_NO, "quote_char": _TEXT,
    "encoding": _TEXT, "null_values": (str, list, tuple, dict), "infer_schema_length": _NUMBER, "comment_prefix": _TEXT,
    "skip_rows": _NUMBER, "skip_lines": _NUMBER, "skip_rows_after_header": _NUMBER, "eol_char": _TEXT,
    "try_parse_dates": _YES_NO, "truncate_ragged_lines": _YES_NO, "empty_string_is_null": _YES_NO,
}  # fmt: skip
_MAY_BE_NONE = ("quote_char", "infer_schema_length")
_OTHER_NAMES = {
    "names": "new_columns", "header": "has_header", "delimiter": "separator", "sep": "separator",
    "decimal": "decimal_comma", "quote": "quote_char", "nulls": "null_values", "comment": "comment_prefix",
}  # fmt: skip
_SEPARATORS = {";": ";", "\t": "\\t", "|": "|"}


def check_options(options: Any) -> None:
    """Check options for CSV files.

    Raises
    ------
    ConfigError
        Names the option, and what is accepted.
    """
    if not isinstance(options, Mapping):
        raise ConfigError(f"csv is {options!r}; a mapping of options is accepted, such as {{'separator': ';'}}")
    for name, value in options.items():
        if name not in _OPTIONS:
            near = _OTHER_NAMES.get(str(name)) or next(iter(get_close_matches(str(name), _OPTIONS, n=1)), None)
            hint = f"did you mean {near!r}?" if near else f"{', '.join(_OPTIONS)} are accepted"
            raise ConfigError(f"csv: there is no option {name!r}; {hint}")
        kinds = _OPTIONS[name]
        right = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        right |= (value is None and name in _MAY_BE_NONE) or (value == "all" and name == "infer_schema_length")
        if not right:
            words = " or ".join(kind.__name__ for kind in kinds)
            raise ConfigError(f"csv: {name} is {value!r}; {words} is accepted")


def _for_polars(options: Options) -> dict[str, Any]:
    out = {**options, "glob": False}  # the path is a path
    if out.get("infer_schema_length") == "all":
        out["infer_schema_length"] = None
    return out


def scan(path: Path, options: Options, rules: _rules.Rules) -> pl.LazyFrame:
    """Scan a CSV file; columns that the rules name come in the types the rules begin with, not in guessed ones.

    Raises
    ------
    StorageError
        Its first row, or its separator, is not what the options say.
    """
    check_options(options)
    given = _for_polars(options)
    guessed = pl.scan_csv(path, **given).collect_schema()
    _check_separator(path, guessed, options)
    _check_header(path, guessed, options)
    types: dict[str, Any] = {}
    numbers: list[pl.Expr] = []
    for name, rule in rules.items():
        actual = _rules.actual_name(name, rule, guessed, str(path))
        wanted = _rules.wanted(rule, f"schema of {name!r}") if actual is not None else []
        if actual is None or not wanted:
            continue
        first, seen = wanted[0], guessed[actual]
        if first in (pl.String, pl.Categorical, pl.Enum) or first.is_decimal():
            types[actual] = pl.String
        elif first in (pl.UInt64, pl.Int128, pl.UInt128) and seen.is_integer():
            types[actual] = first
        elif first.is_float() and seen.is_integer():
            types[actual] = pl.Float64 if options.get("decimal_comma") else pl.String
            if types[actual] is pl.String:
                numbers.append(_number(pl.col(actual), wanted, rule))
        elif seen == pl.String:
            numbers.append(_filled(pl.col(actual)).alias(actual))
    lf = pl.scan_csv(path, **given, schema_overrides=types) if types else pl.scan_csv(path, **given)
    return lf.with_columns(numbers) if numbers else lf


def _number(text: pl.Expr, wanted: list[pl.DataType], rule: _rules.Rule) -> pl.Expr:
    """Read text as numbers whose first rows are whole; whole ones past 2^53 keep their digits, or are refused."""
    text = _filled(text)
    whole = text.cast(pl.Int64, strict=False)
    other = pl.when(whole.is_null()).then(text).cast(pl.Float64)
    if len(wanted) > 1 and wanted[1].is_integer():
        return pl.coalesce(whole, near_integer(other, tolerance=rule.get("tolerance", _rules.TOLERANCE)))
    return pl.coalesce(plugin("cast_float", [whole]), other)


def _filled(text: pl.Expr) -> pl.Expr:
    """Take quoted nothing for null, as Polars does where it reads numbers."""
    return pl.when(text != "").then(text)


def as_text(path: Path, options: Options) -> pl.LazyFrame:
    """Scan a CSV file with every column as text, quoted nothing as null."""
    lf = pl.scan_csv(path, **{**_for_polars(options), "infer_schema_length": 0}, infer_schema=False)
    return lf.with_columns(_filled(pl.all()).name.keep())


# ---- what is wrong -----------------------------------------------------------------------------------------------


def _check_separator(path: Path, guessed: pl.Schema, options: Options) -> None:
    if len(guessed) != 1 or "separator" in options:
        return
    (name,) = guessed.names()
    if options.get("has_header") is False or "new_columns" in options:
        rows = as_text(path, options).head(1).collect()
        name = str(rows.item()) if rows.height else ""
    for mark, shown in _SEPARATORS.items():
        if mark in name:
            raise StorageError(
                f"{path}: with commas it has one column, {name!r}; if the separator is {shown!r}, say "
                f'csv={{"separator": "{shown}"}}; if not, csv={{"separator": ","}}'
            )


_DATA = re.compile(r"[-+]?(\d+(?P<fraction>\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_STAMP = re.compile(r"\d{4}[-/.]?\d\d[-/.]?\d\d([T -].*)?|\d\d?:\d\d(:\d\d.*)?", re.ASCII)


def _check_header(path: Path, guessed: pl.Schema, options: Options) -> None:
    """Refuse a first row that looks like the rows below it: it is data, and would be lost."""
    if "has_header" in options or "new_columns" in options:
        return
    names = {name: re.sub(r"_duplicated_\d+$", "", name) for name in guessed}
    if not any(_DATA.fullmatch(name) or _STAMP.fullmatch(name) for name in names.values()):
        return
    rows = as_text(path, options).head(SAMPLE).collect()
    alike = [_is_alike(name, guessed[column], rows[column].drop_nulls()) for column, name in names.items()]
    if any(alike) and None not in alike:
        raise StorageError(
            f"{path}: its first row, {', '.join(map(repr, list(names.values())[:6]))}, looks like data and not like "
            'names, and would be lost; if it has no header, say csv={"has_header": false, "new_columns": [...]} '
            '(False in Python) with its columns\' names; if these are names, csv={"has_header": true}'
        )


def _is_alike(name: str, dtype: pl.DataType, values: pl.Series) -> bool | None:
    """Return whether a name looks like its column's values: True, that shows data; False, nothing; None: no."""
    number = _DATA.fullmatch(name)
    if dtype.is_numeric():
        if number is None:
            return False if name == "" else None
        return dtype.is_integer() or number["fraction"] is not None
    shapes = {_shape(value) for value in values.to_list()}
    if not name or not shapes:
        return False
    return bool(_STAMP.fullmatch(name)) if _shape(name) in shapes else None


def _shape(text: str) -> str:
    """Return what a text looks like: runs of digits, of capitals, of small letters, and other signs as they are."""
    return re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", re.sub(r"[0-9]+", "0", text)))


_UNPARSED = re.compile(r"could not parse `(.*?)` as dtype `(\w+)` at column '(.*)' \(column", re.DOTALL)
_TYPES = {"i64": pl.Int64, "f64": pl.Float64, "bool": pl.Boolean, "u64": pl.UInt64, "i128": pl.Int128}


def raise_unparsed(path: Path, options: Options, error: BaseException) -> None:
    """Raise what a column's later rows have that its first rows, which its type was guessed from, have not.

    Raises
    ------
    DataError
        With column, count, row and value, and the rule that reads them.
    """
    found = _UNPARSED.search(str(error))
    if found is None:
        return
    value, kind, column = found.groups()
    dtype = _TYPES.get(kind)
    text, lf = pl.col(column), as_text(path, options)
    if dtype is None or column not in lf.collect_schema():
        return
    if dtype == pl.Boolean:
        bad = ~text.str.to_lowercase().is_in(["true", "false"])
    else:
        plain = text.str.replace(",", ".", literal=True) if options.get("decimal_comma") else text
        bad = plain.cast(dtype, strict=False).is_null() & text.is_not_null()
    number = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    try:
        rows, count, row, decimals = (
            lf.select(bad=bad.fill_null(value=False), number=number.is_not_null())
            .with_row_index("row")
            .select(
                pl.len(),
                pl.col("bad").sum(),
                pl.col("row").filter(pl.col("bad")).min(),
                pl.col("number").filter(pl.col("bad")).all(),
            )
            .collect(engine="streaming")
            .row(0)
        )
    except pl.exceptions.PolarsError:
        return  # it is damaged: that is for the caller to tell
    if not count:
        return
    better = "Float64" if decimals and dtype.is_integer() else "String"
    raise DataError(
        f"{path}: column {column!r}: {count} of {rows} values are no {dtype.__name__} as its first rows are, the first "
        f"in row {row}: {value!r}; say what they are with schema={{{json.dumps(column)}: "
        f'{{"load_as": "{better}"}}}}, or, if that is no value, csv={{"null_values": [{json.dumps(value)}]}}',
        column=column,
        row=row,
        count=count,
    ) from error
