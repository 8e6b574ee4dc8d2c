"""Small pieces that every operation's plan needs: frames made lazy, names checked, the C plugin called.

Not for operations themselves, and not for reading rows: `lazy.two_pass` does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import polars as pl
import polars.selectors as cs
from polars.plugins import register_plugin_function

import vizflow._core as _core
from vizflow.errors import SchemaError, near_names

Frame: TypeAlias = "pl.LazyFrame | pl.DataFrame | Any"


def as_lazy(frame: Frame) -> pl.LazyFrame:
    """Make a LazyFrame of a LazyFrame, a DataFrame, or anything that exports an Arrow stream."""
    if isinstance(frame, pl.LazyFrame):
        return frame
    if isinstance(frame, pl.DataFrame):
        return frame.lazy()
    if hasattr(frame, "__arrow_c_stream__"):
        return pl.DataFrame(frame).lazy()
    raise SchemaError(
        f"a polars LazyFrame or DataFrame, or an object with __arrow_c_stream__, is needed, not {type(frame).__name__}"
    )


def column_type(schema: pl.Schema, name: str, option: str) -> pl.DataType:
    """Return a column's type; a missing column is an error that shows near names."""
    if name not in schema:
        raise SchemaError(f"{option}: there is no column {name!r}; {near_names(name, schema.names())}", column=name)
    if "\0" in name:
        raise SchemaError(f"{option}: the name of column {name!r} has a NUL character in it; rename it", column=name)
    return schema[name]


def require(schema: pl.Schema, names: Iterable[str], option: str) -> None:
    """Check that columns exist."""
    for name in names:
        column_type(schema, name, option)


def require_new(schema: pl.Schema, names: Iterable[str], what: str) -> None:
    """Check that columns to be added are not there yet: nothing is ever overwritten."""
    for name in names:
        if name in schema:
            raise SchemaError(f"{what} would overwrite the column {name!r}; drop or rename it first", column=name)


def column(name: str) -> pl.Expr:
    """Return the column of that name: ``*`` and ``^x$`` are patterns to Polars, and names to us."""
    return cs.by_name(name).as_expr() if name == "*" or (name[:1] == "^" and name[-1:] == "$") else pl.col(name)


def columns(names: Iterable[str]) -> list[pl.Expr]:
    """Return the columns of these names; see `column`."""
    return [column(name) for name in names]


def plugin(function: str, args: Sequence[pl.Expr], *, whole: bool = False, **kwargs: Any) -> pl.Expr:
    """Call a function of the C plugin: batch by batch, or with the whole column where what it raises depends on it."""
    return register_plugin_function(
        plugin_path=_core.__file__,
        function_name=function,
        args=list(args),
        kwargs=kwargs or None,
        is_elementwise=not whole,
        use_abs_path=True,
    )


def threads() -> int:
    """Return the number of threads C may use: what Polars was given (``POLARS_MAX_THREADS``)."""
    return pl.thread_pool_size()
