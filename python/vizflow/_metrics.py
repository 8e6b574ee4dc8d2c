"""Takes metrics apart: Polars expressions into grouped leaves that C computes, and what is left to finish with.

``(pl.col("notional").sum() / pl.col("quantity").sum()).round(4)`` has the leaves ``sum(notional)`` and
``sum(quantity)`` and finishes as ``(leaf_0 / leaf_1).round(4)``. Leaves are recognised by building the candidate
and comparing (`meta.eq`); the serialised form serves only to put a leaf's column in its place.

Not for computing anything.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

# enum vf_agg_op
LEN, COUNT, NULL_COUNT, SUM, MEAN, MIN, MAX = range(7)

_OPERATIONS = {"count": COUNT, "null_count": NULL_COUNT, "sum": SUM, "mean": MEAN, "min": MIN, "max": MAX}
_CHILDREN = {
    "BinaryExpr": ("left", "right"),
    "Cast": ("expr",),
    "Ternary": ("predicate", "truthy", "falsy"),
    "Function": ("input",),
}


class _NotLeaves(Exception):
    """The expression is not made of leaves and row-wise functions of them."""


@dataclass
class Leaf:
    """One grouped state: an operation over one value (none for LEN)."""

    op: int
    value: int
    name: str


@dataclass
class Plan:
    """What C aggregates (`values`, `leaves`), how metrics follow (`finish`), and what Polars does (`others`)."""

    values: list[pl.Expr] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    finish: dict[str, pl.Expr] = field(default_factory=dict)
    others: dict[str, pl.Expr] = field(default_factory=dict)

    def value_names(self) -> list[str]:
        """Names of the value columns, in order."""
        return [f"__vf_value_{index}" for index in range(len(self.values))]


def make_plan(metrics: Mapping[str, pl.Expr], schema: pl.Schema) -> Plan:
    """Take each metric apart; one that cannot be is left to Polars."""
    plan = Plan()
    for name, metric in metrics.items():
        before = len(plan.values), len(plan.leaves)
        try:
            plan.finish[name] = _Taker(plan, schema).take(metric)
        except _NotLeaves:
            del plan.values[before[0] :], plan.leaves[before[1] :]
            plan.others[name] = metric
    return plan


def leaf_type(leaf: Leaf, value: pl.DataType | None) -> pl.DataType:
    """Give the type of a leaf's column, as the C library makes it."""
    if leaf.op in (LEN, COUNT, NULL_COUNT):
        return pl.Int64()
    if leaf.op == MEAN:
        return pl.Float64()
    assert value is not None
    if leaf.op == SUM:
        return pl.Float64() if value.is_float() else pl.Int64()
    return value


def _load(tree: Any) -> pl.Expr:
    return pl.Expr.deserialize(io.StringIO(json.dumps(tree)), format="json")


def _dump(expr: pl.Expr) -> Any:
    return json.loads(expr.meta.serialize(format="json"))


def _is_function_row_wise(tree: Any) -> bool:
    try:
        return bool(_load(tree).meta.is_row_separable())
    except Exception:
        # Polars cannot tell for functions it does not know, Python's for example.
        return False


class _Taker:
    def __init__(self, plan: Plan, schema: pl.Schema) -> None:
        self.plan = plan
        self.schema = schema

    def take(self, metric: pl.Expr) -> pl.Expr:
        try:
            tree = _dump(metric.meta.undo_aliases())
        except Exception as error:  # Python functions and the like have no serialised form
            raise _NotLeaves from error
        found = len(self.plan.leaves)
        finished = _load(self._walk(tree))
        if len(self.plan.leaves) == found and not finished.meta.root_names():
            raise _NotLeaves  # a constant: Polars knows how long to make it
        return finished

    def _walk(self, node: Any) -> Any:
        leaf = self._leaf(node)
        if leaf is not None:
            return {"Column": leaf.name}
        kind, body = _only_item(node)
        if kind == "Literal":
            return node
        if kind not in _CHILDREN or (kind == "Function" and not _is_function_row_wise(node)):
            raise _NotLeaves
        return {kind: {**body, **{slot: self._walk_slot(body[slot]) for slot in _CHILDREN[kind] if slot in body}}}

    def _walk_slot(self, slot: Any) -> Any:
        return [self._walk(child) for child in slot] if isinstance(slot, list) else self._walk(slot)

    def _leaf(self, node: Any) -> Leaf | None:
        if node == "Len":
            return self._add(LEN, None)
        kind, body = _only_item(node)
        if kind == "Agg" or (kind == "Function" and body.get("function") == "NullCount"):
            expr = _load(node)
            for child in expr.meta.pop():
                for method, op in _OPERATIONS.items():
                    if getattr(child, method)().meta.eq(expr):
                        return self._add(op, child)
            raise _NotLeaves
        return None

    def _add(self, op: int, value: pl.Expr | None) -> Leaf:
        index = 0
        if value is not None:
            self._check_value(op, value)
            index = next((i for i, known in enumerate(self.plan.values) if known.meta.eq(value)), -1)
            if index < 0:
                index = len(self.plan.values)
                self.plan.values.append(value)
        for leaf in self.plan.leaves:
            if leaf.op == op and (op == LEN or leaf.value == index):
                return leaf
        leaf = Leaf(op, index, f"__vf_leaf_{len(self.plan.leaves)}")
        self.plan.leaves.append(leaf)
        return leaf

    def _check_value(self, op: int, value: pl.Expr) -> None:
        if not value.meta.root_names() or not _is_row_wise(_dump(value)):
            raise _NotLeaves
        kind = pl.LazyFrame(schema=self.schema).select(value).collect_schema().dtypes()[0]
        if isinstance(kind, pl.Float16) or kind in (pl.Int128, pl.UInt128) or kind.is_decimal():
            raise _NotLeaves
        number = kind.is_numeric() or kind == pl.Boolean
        if op in (SUM, MEAN) and not number:
            raise _NotLeaves
        if op in (MIN, MAX) and not (number or kind.is_temporal()):
            raise _NotLeaves
        if op in (COUNT, NULL_COUNT) and kind.is_nested():
            raise _NotLeaves


def _only_item(node: Any) -> tuple[str, Any]:
    if isinstance(node, dict) and len(node) == 1:
        return next(iter(node.items()))
    raise _NotLeaves


def _is_row_wise(node: Any) -> bool:
    """Tell whether each row's value follows from that row alone, looking at every node."""
    try:
        kind, body = _only_item(node)
    except _NotLeaves:
        return False
    if kind in ("Column", "Literal"):
        return True
    if kind not in _CHILDREN or (kind == "Function" and not _is_function_row_wise(node)):
        return False
    slots = [body[slot] for slot in _CHILDREN[kind] if slot in body]
    return all(_is_row_wise(child) for slot in slots for child in (slot if isinstance(slot, list) else [slot]))
