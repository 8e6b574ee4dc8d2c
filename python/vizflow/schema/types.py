"""Types of Polars as text, and back. Not for values."""

from __future__ import annotations

import ast
import json
from typing import Any

import polars as pl

from vizflow.errors import ConfigError


def text_of(dtype: Any) -> str:
    """Write a Polars type as `dtype_of` reads it."""
    text = str(dtype() if isinstance(dtype, type) else dtype)
    dtype_of(text, "schema")
    return text


def dtype_of(text: Any, where: str) -> pl.DataType:
    """Read a Polars type: ``Int64``, ``Datetime('us')``, ``List(Int64)`` and so on.

    Raises
    ------
    ConfigError
        It names no type. Nothing in it is evaluated.
    """
    try:
        if isinstance(text, str):
            made = _dtype(ast.parse(text.strip().removeprefix("pl."), mode="eval").body)
            if isinstance(made, pl.DataType):
                return made
    except (SyntaxError, ValueError, TypeError, KeyError, AttributeError, pl.exceptions.PolarsError):
        pass
    raise ConfigError(f"{where}: {text!r} is no Polars type; such as 'Int64', 'Float64', 'String', \"Datetime('us')\"")


def _dtype(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        kind = getattr(pl, node.id)
        if isinstance(kind, type) and issubclass(kind, pl.DataType):
            return kind()
        raise ValueError(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        kind = getattr(pl, node.func.id)
        if not (isinstance(kind, type) and issubclass(kind, pl.DataType)):
            raise ValueError(node.func.id)
        return kind(*map(_argument, node.args), **{str(word.arg): _argument(word.value) for word in node.keywords})
    raise ValueError(ast.dump(node))


def _argument(node: ast.expr) -> Any:
    if isinstance(node, (ast.Name, ast.Call)):
        return _dtype(node)
    if isinstance(node, ast.Dict):
        return {
            ast.literal_eval(key): _argument(value) for key, value in zip(node.keys, node.values, strict=True) if key
        }
    if isinstance(node, ast.List):
        return [_argument(item) for item in node.elts]
    return ast.literal_eval(node)


def is_type(value: Any) -> bool:
    """Return whether a value is a class of Polars' types."""
    return isinstance(value, type) and issubclass(value, pl.DataType)


def type_text(dtype: Any) -> str:
    """Name a type the same in every version of Polars."""
    dtype = dtype() if is_type(dtype) and dtype not in (pl.List, pl.Array, pl.Struct, pl.Enum) else dtype
    if isinstance(dtype, pl.Datetime):
        return f"Datetime[{dtype.time_unit}, {dtype.time_zone}]" if dtype.time_zone else f"Datetime[{dtype.time_unit}]"
    if isinstance(dtype, pl.Duration):
        return f"Duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.Decimal):
        return f"Decimal[{dtype.precision}, {dtype.scale}]"
    if isinstance(dtype, pl.Enum):
        return f"Enum[{json.dumps(dtype.categories.to_list(), ensure_ascii=False)}]"
    if isinstance(dtype, pl.List):
        return f"List[{type_text(dtype.inner)}]"
    if isinstance(dtype, pl.Array):
        return f"Array[{type_text(dtype.inner)}, {dtype.shape}]"
    if isinstance(dtype, pl.Struct):
        return f"Struct[{', '.join(f'{field.name}: {type_text(field.dtype)}' for field in dtype.fields)}]"
    return type(dtype).__name__ if isinstance(dtype, pl.DataType) else getattr(dtype, "__name__", str(dtype))
