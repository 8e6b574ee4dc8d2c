"""A small language for what is computed row by row from a few columns: expressions that a file can hold.

A tree of lists, text and numbers: ``["call", "/", [["col", "a"], ["col", "b"]], {}]``. Written from Polars expressions
and read back into them; `encode` reads back what it wrote and compares, so that a tree never means something else than
the expression it was written for. Neither Polars' own JSON nor a pickle is ever stored.

Not for aggregates, and not for Python functions.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import polars as pl

from vizflow.partials.trees import dump, same

Tree: TypeAlias = "list[Any]"


class NotInLanguage(Exception):
    """The expression holds something that the language lacks; the text says what."""


def only_item(node: Any) -> tuple[str, Any]:
    """Take a node of Polars' serialised form apart: its kind and its body."""
    if isinstance(node, dict) and len(node) == 1:
        return next(iter(node.items()))
    if isinstance(node, str):
        return node, None
    raise NotInLanguage("something that has no name")


# ---- types ------------------------------------------------------------------------------------------------------

_TYPES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        pl.Boolean, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64,
        pl.Float32, pl.Float64, pl.String, pl.Date, pl.Time, pl.Null,
    )
}  # fmt: skip


def type_text(dtype: pl.DataType) -> str:
    """Write a type: ``Int64``, ``Duration(us)``, ``Datetime(us, Asia/Shanghai)``."""
    name = type(dtype).__name__
    if name in _TYPES:
        return name
    if isinstance(dtype, pl.Duration):
        return f"Duration({dtype.time_unit})"
    if isinstance(dtype, pl.Datetime):
        return f"Datetime({dtype.time_unit}{f', {dtype.time_zone}' if dtype.time_zone else ''})"
    raise NotInLanguage(f"the type {dtype}")


def type_of_text(text: str) -> pl.DataType:
    """Read a type that `type_text` wrote."""
    if text in _TYPES:
        return _TYPES[text]()  # type: ignore[no-any-return]
    name, _, rest = text.rstrip(")").partition("(")
    unit, _, zone = rest.partition(", ")
    if unit in ("ns", "us", "ms") and name in ("Duration", "Datetime"):
        return pl.Duration(unit) if name == "Duration" else pl.Datetime(unit, zone or None)  # type: ignore[arg-type]
    raise NotInLanguage(f"the type {text!r}")


# ---- functions --------------------------------------------------------------------------------------------------

_BINARY: dict[str, tuple[str, Callable[[Any, Any], pl.Expr]]] = {
    "Plus": ("+", operator.add),
    "Minus": ("-", operator.sub),
    "Multiply": ("*", operator.mul),
    "TrueDivide": ("/", operator.truediv),
    "FloorDivide": ("//", operator.floordiv),
    "Modulus": ("%", operator.mod),
    "Eq": ("==", operator.eq),
    "NotEq": ("!=", operator.ne),
    "Lt": ("<", operator.lt),
    "LtEq": ("<=", operator.le),
    "Gt": (">", operator.gt),
    "GtEq": (">=", operator.ge),
    "And": ("&", operator.and_),
    "Or": ("|", operator.or_),
    "Xor": ("^", operator.xor),
    "EqValidity": ("eq_missing", pl.Expr.eq_missing),
    "NotEqValidity": ("ne_missing", pl.Expr.ne_missing),
}

# name here -> (name in Polars' serialised form, how it is called). Options are keyword arguments of the same names.
_FUNCTIONS: dict[str, tuple[Any, Callable[..., pl.Expr]]] = {
    "abs": ("Abs", pl.Expr.abs),
    "neg": ("Negate", operator.neg),
    "not": ({"Boolean": "Not"}, operator.invert),
    "sign": ("Sign", pl.Expr.sign),
    "sqrt": ({"Pow": "Sqrt"}, pl.Expr.sqrt),
    "cbrt": ({"Pow": "Cbrt"}, pl.Expr.cbrt),
    "pow": ({"Pow": "Generic"}, pl.Expr.pow),
    "exp": ("Exp", pl.Expr.exp),
    "log": ("Log", pl.Expr.log),
    "log1p": ("Log1p", pl.Expr.log1p),
    "floor": ("Floor", pl.Expr.floor),
    "ceil": ("Ceil", pl.Expr.ceil),
    "fill_null": ("FillNull", pl.Expr.fill_null),
    "is_null": ({"Boolean": "IsNull"}, pl.Expr.is_null),
    "is_not_null": ({"Boolean": "IsNotNull"}, pl.Expr.is_not_null),
    "is_nan": ({"Boolean": "IsNan"}, pl.Expr.is_nan),
    "is_not_nan": ({"Boolean": "IsNotNan"}, pl.Expr.is_not_nan),
    "is_finite": ({"Boolean": "IsFinite"}, pl.Expr.is_finite),
    "is_infinite": ({"Boolean": "IsInfinite"}, pl.Expr.is_infinite),
    "coalesce": ("Coalesce", pl.coalesce),
    "max_horizontal": ("MaxHorizontal", pl.max_horizontal),
    "min_horizontal": ("MinHorizontal", pl.min_horizontal),
    "round_sig_figs": ("RoundSF", pl.Expr.round_sig_figs),
}
_ROUND_MODES = {"HalfToEven": "half_to_even", "HalfAwayFromZero": "half_away_from_zero", "ToZero": "to_zero"}
_CLOSED = {"Both": "both", "Left": "left", "Right": "right", "None": "none"}


def _call(name: str, args: list[pl.Expr], options: Mapping[str, Any]) -> pl.Expr:
    for symbol, function in _BINARY.values():
        if symbol == name:
            return function(*args)
    if name == "round":
        return args[0].round(options["decimals"], mode=options["mode"])
    if name == "clip":
        bounds = iter(args[1:])
        lower = next(bounds) if options["lower"] else None
        return args[0].clip(lower, next(bounds) if options["upper"] else None)
    if name == "is_between":
        return args[0].is_between(args[1], args[2], closed=options["closed"])
    if name in _FUNCTIONS:
        return _FUNCTIONS[name][1](*args, **options)
    raise NotInLanguage(f"the function {name!r}")


_WRAPPERS = ("Boolean", "TemporalExpr", "StringExpr", "ListExpr", "ArrayExpr", "StructExpr", "Trigonometry")


def function_name(function: Any) -> str:
    """Name a function of Polars' serialised form as users write it: ``cum_sum``."""
    while isinstance(function, dict) and len(function) == 1:
        name, inner = next(iter(function.items()))
        function = inner if name in _WRAPPERS else name
    text = str(function)
    return "".join("_" + c.lower() if c.isupper() and i > 0 else c.lower() for i, c in enumerate(text))


def _function(function: Any) -> tuple[str, dict[str, Any]]:
    for name, (form, _) in _FUNCTIONS.items():
        if form == function:
            return name, {}
    if isinstance(function, dict) and len(function) == 1:
        kind, body = next(iter(function.items()))
        if kind == "Round" and body.get("mode") in _ROUND_MODES:
            return "round", {"decimals": body["decimals"], "mode": _ROUND_MODES[body["mode"]]}
        if kind == "RoundSF":
            return "round_sig_figs", {"digits": body["digits"]}
        if kind == "Clip":
            return "clip", {"lower": body["has_min"], "upper": body["has_max"]}
        if kind == "Boolean" and isinstance(body, dict) and "IsBetween" in body:
            return "is_between", {"closed": _CLOSED[body["IsBetween"]["closed"]]}
    raise NotInLanguage(f"the function {function_name(function)!r}")


# ---- literals ---------------------------------------------------------------------------------------------------

_EPOCH = dt.date(1970, 1, 1)


def _literal(body: Any) -> Tree:
    kind, value = only_item(body)
    if kind == "Dyn":
        kind, value = only_item(value)
        if kind in ("Int", "Float"):
            return ["lit", None, _number(value)]
        raise NotInLanguage(f"a literal of kind {kind}")
    if kind != "Scalar":
        raise NotInLanguage("a series as a literal")
    kind, value = only_item(value)
    if kind == "Null":
        return ["lit", "Null", None]
    if kind in _TYPES and not isinstance(value, (dict, list, bytes)):
        return ["lit", kind, _number(value)]
    raise NotInLanguage(f"a literal of type {kind}")


def _number(value: Any) -> Any:
    """Write a number so that JSON holds each of its bits: of what is not finite, the 16 hexadecimal digits too."""
    if isinstance(value, bytes):  # of 128 bits
        return int.from_bytes(value, "big", signed=True)
    if not isinstance(value, float):
        return value
    plain = float(value)
    return plain if math.isfinite(plain) else f"{plain!r} {struct.pack('>d', plain).hex()}"


def _float(value: Any) -> float:
    if not isinstance(value, str):
        return float(value)
    name, _, digits = value.partition(" ")
    out: float = struct.unpack(">d", bytes.fromhex(digits))[0]
    if repr(out) != name:
        raise NotInLanguage(f"the number {value!r}")
    return out


def _literal_expr(dtype: str | None, value: Any) -> pl.Expr:
    if isinstance(value, (list, dict)):
        raise NotInLanguage("a list as a literal")
    if dtype is None:
        return pl.lit(_float(value) if isinstance(value, str) else value)
    if dtype == "Null":
        return pl.lit(None)
    if dtype in ("Float32", "Float64"):
        value = _float(value)
    if dtype == "Date":
        value = _EPOCH + dt.timedelta(days=value)
    if dtype in ("Boolean", "String", "Date"):
        return pl.lit(value)
    return pl.lit(value, dtype=type_of_text(dtype))


# ---- whole expressions ------------------------------------------------------------------------------------------

# What users write for a node that is none of the language.
_FORMS = {
    "Agg": "an aggregate",
    "Over": "over",
    "SortBy": "sort_by",
    "Sort": "sort",
    "Gather": "gather",
    "Slice": "slice",
}


def _write(node: Any) -> Tree:
    kind, body = only_item(node)
    if kind == "Column":
        return ["col", body]
    if kind == "Literal":
        return _literal(body)
    if kind == "BinaryExpr":
        if body["op"] not in _BINARY:
            raise NotInLanguage(f"the operator {body['op']}")
        return ["call", _BINARY[body["op"]][0], [_write(body["left"]), _write(body["right"])], {}]
    if kind == "Cast":
        _, dtype = only_item(body["dtype"])
        if body["options"] not in ("Strict", "NonStrict"):
            raise NotInLanguage("a cast that may overflow")
        text = type_text(_type_of_form(dtype))
        return ["cast", text, _write(body["expr"]), body["options"] == "Strict"]
    if kind == "Ternary":
        return ["when", *(_write(body[slot]) for slot in ("predicate", "truthy", "falsy"))]
    if kind == "Function":
        name, options = _function(body["function"])
        return ["call", name, [_write(child) for child in body["input"]], options]
    raise NotInLanguage("a Python function" if kind.startswith("Anonymous") else _FORMS.get(kind, kind))


def _type_of_form(form: Any) -> pl.DataType:
    if isinstance(form, str) and form in _TYPES:
        return _TYPES[form]()  # type: ignore[no-any-return]
    if isinstance(form, dict):
        kind, body = only_item(form)
        units = {"Nanoseconds": "ns", "Microseconds": "us", "Milliseconds": "ms"}
        if kind == "Duration" and body in units:
            return pl.Duration(units[body])  # type: ignore[arg-type]
        if kind == "Datetime" and body[0] in units:
            zone = body[1]["inner"] if isinstance(body[1], dict) else body[1]
            return pl.Datetime(units[body[0]], zone)  # type: ignore[arg-type]
    raise NotInLanguage(f"the type {form}")


def encode(expr: pl.Expr) -> Tree:
    """Write an expression over columns as a tree; `NotInLanguage` where that cannot be done without a doubt."""
    expr = expr.meta.undo_aliases()
    try:
        node = dump(expr)
    except Exception as error:
        raise NotInLanguage("a Python function") from error
    try:
        tree = _write(node)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise NotInLanguage("a form that this version of Polars writes in another way") from error
    if not same(decode(tree), expr):
        raise NotInLanguage("something that does not read back as it was written")
    return tree


def decode(tree: Tree, columns: Mapping[str, pl.Expr] | None = None) -> pl.Expr:
    """Read a tree; `columns` tells what stands for its columns (else columns of these names do)."""
    kind = tree[0]
    if kind == "col":
        return pl.col(tree[1]) if columns is None else columns[tree[1]]
    if kind == "lit":
        return _literal_expr(tree[1], tree[2])
    if kind == "call":
        return _call(tree[1], [decode(child, columns) for child in tree[2]], tree[3])
    if kind == "cast":
        return decode(tree[2], columns).cast(type_of_text(tree[1]), strict=tree[3])
    if kind == "when":
        predicate, truthy, falsy = (decode(child, columns) for child in tree[1:])
        return pl.when(predicate).then(truthy).otherwise(falsy)
    raise NotInLanguage(f"the node {kind!r}")


def columns_of(tree: Tree) -> set[str]:
    """Return the names of the columns in a tree."""
    if tree[0] == "col":
        return {tree[1]}
    if tree[0] == "lit":
        return set()
    children = tree[1:] if tree[0] == "when" else tree[2] if tree[0] == "call" else [tree[2]]
    return {name for child in children for name in columns_of(child)}


def show(tree: Tree) -> str:
    """Write a tree for people."""
    kind = tree[0]
    if kind == "col":
        return str(tree[1])
    if kind == "lit":
        return repr(tree[2])
    if kind == "cast":
        return f"{show(tree[2])}.cast({tree[1]})"
    if kind == "when":
        return f"when({show(tree[1])}).then({show(tree[2])}).otherwise({show(tree[3])})"
    args = [show(child) for child in tree[2]]
    if len(args) == 2 and not tree[1].isidentifier():
        return f"({args[0]} {tree[1]} {args[1]})"
    return f"{tree[1]}({', '.join([*args, *(f'{name}={value!r}' for name, value in tree[3].items())])})"
