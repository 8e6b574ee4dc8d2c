"""Puts checked integer arithmetic into expressions: in Int64, in C, an error where a result does not fit.

Polars computes integers in the type of their columns, and lets them wrap: Int32 price times quantity, UInt32 ask less
bid. What is put in can be taken out again (`given`), so that what is computed can be compared with what was given.

Not for taking metrics apart: that is `partials.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow.lazy.frames import plugin
from vizflow.partials.trees import Changed, dump, load, packed

__all__ = ["checked", "checked_all", "given"]

_BINARY = {
    name: _core.INTEGER_OPS[op]
    for name, op in (("Plus", "add"), ("Minus", "sub"), ("Multiply", "mul"), ("FloorDivide", "floor_divide"))
}
_POW, _NEG, _ABS = (_core.INTEGER_OPS[op] for op in ("pow", "neg", "abs"))
_BINARY_BACK = {op: name for name, op in _BINARY.items()}
_PLUGINS = ("integer_one", "integer_two", "integer_one_where", "integer_two_where")
_TOTALS = ("Product", "CumSum", "CumProd")  # and the aggregate Sum


def checked(expr: pl.Expr, empty: pl.LazyFrame, what: str) -> pl.Expr:
    """Return an expression over the columns of a frame, its integer arithmetic checked; `what` stands in errors.

    A branch of when/then is computed only on the rows that take it.
    """
    try:
        node = dump(expr)
    except Exception:  # Python functions have no serialised form
        return expr
    made, changed = _Checker(empty, what).walk(node, None)
    if not changed:
        return expr
    if packed(given(made)) != packed(given(node)):
        raise Changed(f"{what}: integers cannot be checked in it")
    return load(made)


def checked_all(exprs: Mapping[str, pl.Expr], empty: pl.LazyFrame, what: str) -> dict[str, pl.Expr]:
    """Check several, each under its name."""
    return {name: checked(expr, empty, f"{what} {name!r}") for name, expr in exprs.items()}


def given(node: Any) -> Any:
    """Take out of a tree what `checked` put in."""
    if isinstance(node, list):
        return [given(child) for child in node]
    if not isinstance(node, Mapping):
        return node
    total = _total_of(node)
    if total is not None:
        return given(total)
    function = node.get("Function")
    if isinstance(function, Mapping):
        symbol, op = _symbol(function["function"])
        if symbol in _PLUGINS:
            inputs = [given(child) for child in function["input"]]
            return _back(op, inputs[: 1 if symbol.startswith("integer_one") else 2])
    return {key: given(child) for key, child in node.items()}


def _symbol(function: Any) -> tuple[str, int]:
    body = function.get("FfiPlugin") if isinstance(function, Mapping) else None
    if body is None or body["symbol"] not in _PLUGINS:
        return "", 0
    kwargs = bytes(body["kwargs"])  # {"op": op, "what": ...}, pickled
    return body["symbol"], kwargs[kwargs.index(b"op\x94K") + 4]


def _back(op: int, inputs: list[Any]) -> Any:
    if op in _BINARY_BACK:
        return {"BinaryExpr": {"left": inputs[0], "op": _BINARY_BACK[op], "right": inputs[1]}}
    return {"Function": {"input": inputs, "function": {_POW: {"Pow": "Generic"}, _NEG: "Negate", _ABS: "Abs"}[op]}}


def _total_slot(node: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """Return where a sum's or product's input stands: what holds it, and its key there."""
    aggregate, function = node.get("Agg"), node.get("Function")
    if isinstance(aggregate, dict) and "Sum" in aggregate:
        return aggregate, "Sum"
    if isinstance(function, Mapping):
        kind = function["function"]
        if (next(iter(kind)) if isinstance(kind, Mapping) else kind) in _TOTALS:
            return function["input"], 0
    return None


def _cast(node: Any, dtype: str) -> Any:
    return {"Cast": {"expr": node, "dtype": {"Literal": dtype}, "options": "Strict"}}


def _total_of(node: Mapping[str, Any]) -> Any:
    """Return the sum in ``sum(x.cast(Int128)).cast(Int64)``, as it was given: over x; else None."""
    inner = node.get("Cast", {}).get("expr") if isinstance(node.get("Cast"), Mapping) else None
    if not isinstance(inner, Mapping) or node != _cast(inner, "Int64"):
        return None
    slot = _total_slot(inner)
    held = slot[0][slot[1]] if slot is not None else None
    if slot is None or not isinstance(held, Mapping) or "Cast" not in held:
        return None
    if held != _cast(held["Cast"]["expr"], "Int128"):
        return None
    holder: Any = list(slot[0]) if isinstance(slot[0], list) else dict(slot[0])
    holder[slot[1]] = held["Cast"]["expr"]
    return {"Agg": holder} if "Agg" in inner else {"Function": {**inner["Function"], "input": holder}}


class _Checker:
    def __init__(self, empty: pl.LazyFrame, what: str) -> None:
        self.empty = empty
        self.what = what

    def walk(self, node: Any, where: Any) -> tuple[Any, bool]:
        """Return the tree, and whether it was changed; `where`: the rows that count (a tree), None for all."""
        if isinstance(node, list):
            made = [self.walk(child, where) for child in node]
            return [child for child, _ in made], any(changed for _, changed in made)
        if not isinstance(node, Mapping) or "Literal" in node:
            return node, False
        if "Ternary" in node:
            return self._ternary(node["Ternary"], where)
        parts = {key: self.walk(child, where) for key, child in node.items()}
        made_node = {key: child for key, (child, _) in parts.items()}
        changed = any(changed for _, changed in parts.values())
        op, inputs = _operation(made_node)
        if op is not None and self._are_integers(op, inputs):
            return self._call(op, inputs, where), True
        slot = _total_slot(made_node)
        if slot is not None and self._are_integers(_ABS, [slot[0][slot[1]]]):
            holder, key = slot
            holder[key] = _cast(holder[key], "Int128")
            return _cast(made_node, "Int64"), True
        return made_node, changed

    def _ternary(self, body: Any, where: Any) -> tuple[Any, bool]:
        predicate, first = self.walk(body["predicate"], where)
        true = predicate if where is None else _binary("And", where, predicate)
        other = _binary("NotEqValidity", predicate, dump(pl.lit(True)))
        false = other if where is None else _binary("And", where, other)
        truthy, second = self.walk(body["truthy"], true)
        falsy, third = self.walk(body["falsy"], false)
        made = {"predicate": predicate, "truthy": truthy, "falsy": falsy}
        return {"Ternary": {key: made[key] for key in body}}, first or second or third

    def _are_integers(self, op: int, inputs: list[Any]) -> bool:
        if all("Literal" in child for child in inputs):
            return False
        try:
            types = [self.empty.select(load(child)).collect_schema().dtypes()[0] for child in inputs]
        except (pl.exceptions.PolarsError, Changed, IndexError):
            return False  # no column on its own: pl.element(), for example
        if any(not (dtype.is_integer() or dtype == pl.Boolean) or dtype in _WIDE for dtype in types):
            return False
        if op == 3 and pl.UInt64 in types:
            return False  # no quotient of UInt64 leaves it, and it may lie past Int64
        return any(dtype.is_integer() for dtype in types)

    def _call(self, op: int, inputs: list[Any], where: Any) -> Any:
        symbol = f"integer_{'one' if len(inputs) == 1 else 'two'}{'' if where is None else '_where'}"
        args = [*inputs, *(() if where is None else (where,))]
        made = dump(plugin(symbol, [pl.col(str(index)) for index in range(len(args))], op=op, what=self.what))
        made["Function"]["input"] = args
        return made


_WIDE = (pl.Int128, pl.UInt128)


def _binary(op: str, left: Any, right: Any) -> Any:
    return {"BinaryExpr": {"left": left, "op": op, "right": right}}


def _operation(node: Mapping[str, Any]) -> tuple[int | None, list[Any]]:
    body = node.get("BinaryExpr")
    if isinstance(body, Mapping) and body.get("op") in _BINARY:  # functions of binary columns are called so too
        return _BINARY[body["op"]], [body["left"], body["right"]]
    body = node.get("Function")
    if isinstance(body, Mapping):
        function = body["function"]
        if function == {"Pow": "Generic"}:
            return _POW, list(body["input"])
        if function in ("Negate", "Abs"):
            return (_NEG if function == "Negate" else _ABS), list(body["input"])
    return None, []
