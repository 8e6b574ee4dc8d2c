"""Takes metrics apart: Polars expressions into mergeable states that C computes, and what is left to finish with.

``(pl.col("notional").sum() / pl.col("quantity").sum()).round(4)`` has the leaves ``sum(notional)`` and
``sum(quantity)`` and finishes as ``(leaf / leaf).round(4)``. Leaves are recognised by building the candidate and
comparing, literals to the bit; the serialised form serves only to put a leaf's column in its place. The tree that is
made of what C is told must be the tree that was given, for every metric.

Not for computing anything, and not for what is stored: that is `partials.plan`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow.errors import ConfigError
from vizflow.partials import language
from vizflow.partials.integers import checked, checked_all
from vizflow.partials.language import NotInLanguage, Tree, only_item
from vizflow.partials.plan import KINDS, LeafSpec, Plan, StateSpec, leaf_expr
from vizflow.partials.trees import Changed, digest, dump, load, packed, same

_CHILDREN = {
    "BinaryExpr": ("left", "right"),
    "Cast": ("expr",),
    "Ternary": ("predicate", "truthy", "falsy"),
    "Function": ("input",),
}


class _Refused(Exception):
    """A metric that does not merge: the reason, and the remedy, where there is one that gives the same number."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True)
class CLeaf:
    """One leaf of `_core.Agg`: an operation over value columns (`more`: index + 1, 0 for none)."""

    op: str
    value: int
    more: tuple[int, int] = (0, 0)

    def spec(self, name: str) -> tuple[int, int, str, int, int]:
        """Write it as `_core.Agg` takes it."""
        return (_core.AGG_OPS[self.op], self.value, name, *self.more)


@dataclass
class Job:
    """What C aggregates (`values`, and `leaves`: one a state), how metrics follow, and what is left to Polars."""

    values: list[pl.Expr] = field(default_factory=list)  # integer arithmetic checked
    given: list[pl.Expr] = field(default_factory=list)  # the same, as they were given
    leaves: list[CLeaf] = field(default_factory=list)
    states: list[StateSpec] = field(default_factory=list)
    named: list[LeafSpec] = field(default_factory=list)
    finish: dict[str, pl.Expr] = field(default_factory=dict)  # over the columns that `named` calls
    others: dict[str, pl.Expr] = field(default_factory=dict)  # metrics that Polars evaluates
    derived: dict[str, pl.Expr] = field(default_factory=dict)
    plan: Plan | None = None

    def value_names(self) -> list[str]:
        """Names of the value columns, in order."""
        return [f"__vf_value_{index}" for index in range(len(self.values))]

    @property
    def in_order(self) -> bool:
        """Whether rows must come in their order."""
        return any(KINDS[state.kind].in_order for state in self.states)

    def leaf_exprs(self) -> dict[str, pl.Expr]:
        """Leaves, as expressions over the states' columns."""
        states = {state.name: state for state in self.states}
        return {leaf.name: leaf_expr(leaf, [states[name] for name in leaf.states]) for leaf in self.named}


def make_job(
    metrics: Mapping[str, pl.Expr],
    schema: pl.Schema,
    keys: Sequence[str],
    *,
    derived: Mapping[str, pl.Expr] | None = None,
    mergeable: bool = True,
) -> Job:
    """Take each metric apart. One that cannot be is refused, or with ``mergeable=False`` left to Polars."""
    job = Job()
    empty = pl.LazyFrame(schema=schema)
    trees: dict[str, Tree] = {}
    for name, metric in metrics.items():
        lists = (job.values, job.given, job.leaves, job.states, job.named)
        before = [len(kept) for kept in lists]
        try:
            finished = _Taker(job, empty, keys, name).take(metric)
            if mergeable:
                trees[name] = _tree(finished)
            job.finish[name] = finished
        except _Refused as refused:
            if mergeable:
                way = f"{refused.remedy}, or pass" if refused.remedy else "pass"
                raise ConfigError(
                    f"metric {name!r} cannot be merged over dates: {refused.reason}; {way} mergeable=False, which "
                    "computes and saves the metrics as they are",
                    column=name,
                ) from None
            for kept, n in zip(lists, before, strict=True):
                del kept[n:]  # type: ignore[attr-defined]
            job.others[name] = metric
        except Changed as error:
            raise _changed(f"metric {name!r}", name, error) from error
    job.derived = dict(derived or {})
    if mergeable:
        job.plan = Plan(tuple(keys), tuple(job.states), tuple(job.named), trees, _derived_trees(job.derived))
    _check_integers(job, empty)
    return job


def _check_integers(job: Job, empty: pl.LazyFrame) -> None:
    """Check the integer arithmetic of what is computed of a group's aggregates, and of what Polars evaluates."""
    states = {name: dtype for state in job.states for name, dtype in state.schema().items()}
    leaves = pl.LazyFrame(schema=states).select(**job.leaf_exprs()) if job.named else pl.LazyFrame()
    try:
        job.finish = checked_all(job.finish, leaves, "metric")
        job.others = checked_all(job.others, empty, "metric")
    except Changed as error:
        raise _changed("metrics", None, error) from error


def _changed(what: str, name: str | None, error: Changed) -> ConfigError:
    return ConfigError(
        f"{what}: what would be computed is not the expression that was given ({error}); this is a fault of VizFlow or "
        "of this version of Polars: nothing is computed",
        column=name,
    )


def _tree(finished: pl.Expr) -> Tree:
    try:
        return language.encode(finished)
    except NotInLanguage as lacks:
        raise _Refused(
            f"what is computed from the aggregates holds {lacks}, and a partial's file cannot hold that",
            "give its parts as metrics, and compute the rest on what vf.load or vf.reduce gives (with_columns)",
        ) from None


def _derived_trees(derived: Mapping[str, pl.Expr]) -> dict[str, Tree]:
    trees = {}
    for name, expr in derived.items():
        try:
            trees[name] = language.encode(expr)
        except NotInLanguage as lacks:
            raise ConfigError(
                f"derived {name!r} holds {lacks}, and a partial's file cannot hold that; compute it on what vf.load or "
                "vf.reduce gives (with_columns), or pass mergeable=False",
                column=name,
            ) from None
    return trees


def merging(plan: Plan) -> tuple[list[CLeaf], list[str]]:
    """Return what merges a plan's states: C's leaves, one a state, and the columns they are over."""
    leaves: list[CLeaf] = []
    columns: list[str] = []
    for state in plan.states:
        at = len(columns)
        more = (at + 2 if len(state.columns) > 1 else 0, at + 3 if len(state.columns) > 2 else 0)
        leaves.append(CLeaf(KINDS[state.kind].merge, at, more))
        columns.extend(state.columns)
    return leaves, columns


# ---- leaves ---------------------------------------------------------------------------------------------------------

_Build = Callable[[pl.Expr], pl.Expr]
_ONE: dict[str, _Build] = {
    "sum": pl.Expr.sum,
    "mean": pl.Expr.mean,
    "min": pl.Expr.min,
    "max": pl.Expr.max,
    "count": pl.Expr.count,
    "len": pl.Expr.len,
    "null_count": pl.Expr.null_count,
    "product": pl.Expr.product,
    "first": pl.Expr.first,
    "last": pl.Expr.last,
    "first_non_null": lambda x: x.first(ignore_nulls=True),
    "last_non_null": lambda x: x.last(ignore_nulls=True),
    "any": lambda x: x.any(ignore_nulls=True),
    "any_kleene": lambda x: x.any(ignore_nulls=False),
    "all": lambda x: x.all(ignore_nulls=True),
    "all_kleene": lambda x: x.all(ignore_nulls=False),
}
_BEFORE = "compute it as a column before aggregate (with_columns)"
_COUNTS = (
    "bin the column (vf.bin), put the bin into group_by with pl.len(), and ask Cube.quantile: right to a bin's width"
)
_DISTINCT = "put the column into group_by, and count the rows of the reduced frame"
_SORTED = "; of merged dates it is then the last date's"
_SORT = "sort the frame before aggregate (df.sort), for first() and last()" + _SORTED
# Of functions that need all rows of a group: how users write them, and what gives the same number.
_REMEDIES = {
    "median": ("median", _COUNTS),
    "quantile": ("quantile", _COUNTS),
    "n_unique": ("n_unique", _DISTINCT),
    "approx_n_unique": ("approx_n_unique", _DISTINCT),
    "unique": ("unique", "put the column into group_by: the reduced frame has a row for each of its values"),
    "mode": ("mode", "put the column into group_by with pl.len(), and look for the largest in the reduced frame"),
    "value_counts": ("value_counts", "put the column into group_by with pl.len()"),
    "implode": ("implode", ""),
    "arg_max": ("arg_max", ""),  # a row's number on one day
    "arg_min": ("arg_min", ""),
    "max_by": ("max_by", "sort the frame by that column before aggregate (df.sort), and use last()" + _SORTED),
    "min_by": (
        "min_by",
        "sort the frame by that column before aggregate (df.sort with descending=True), and use last()" + _SORTED,
    ),
    "skew": ("skew", "give its power sums as metrics ((x ** 3).sum(), ...) and combine them with derived="),
    "kurtosis": ("kurtosis", "give its power sums as metrics ((x ** 4).sum(), ...) and combine them with derived="),
    "nan_max": ("nan_max", "use pl.when(x.is_nan().any()).then(float('nan')).otherwise(x.max())"),
    "nan_min": ("nan_min", "use pl.when(x.is_nan().any()).then(float('nan')).otherwise(x.min())"),
    "has_nulls": ("has_nulls", "use null_count() > 0"),
    "strptime": (
        "reading dates or times without a format, which is guessed from all rows,",
        "give the format, as in str.to_date('%Y-%m-%d')",
    ),
    "item": ("item", "use first()"),
    "explode": ("explode", "explode the frame before aggregate (df.explode)"),
}
_NAMES = {
    "rolling_expr": "rolling", "fill_null_with_strategy": "fill_null(strategy=...)", "r_l_e_i_d": "rle_id",
    "q_cut": "qcut", "random": "sample or shuffle", "bitwise": "a bitwise aggregate", "as_struct": "struct",
    "shift_and_fill": "shift", "cum_count": "cum_count", "concat": "concat_list",
}  # fmt: skip
_KINDS_OF_NODES = {
    "Over": "over", "SortBy": "sort_by", "Sort": "sort", "Slice": "head, tail or slice", "Gather": "get or gather",
    "Explode": "explode", "Rolling": "rolling", "Filter": "filter", "Selector": "a selector",
    "AnonymousFunction": "a Python function", "AnonymousAgg": "a Python function",
}  # fmt: skip
_PASSES_NULLS = ("sum", "mean", "min", "max", "count", "product", "var", "std", "any", "all")


def _python_function() -> _Refused:
    return _Refused(
        "a Python function may look at anything",
        f"{_BEFORE}, or on what vf.load or vf.reduce gives, or write it as a Polars expression",
    )


class _Taker:
    """Takes one metric apart, into a job that others may have put states into already."""

    def __init__(self, job: Job, empty: pl.LazyFrame, keys: Sequence[str], name: str) -> None:
        self.job = job
        self.empty = empty
        self.keys = keys
        self.name = name

    def take(self, metric: pl.Expr) -> pl.Expr:
        if metric.meta.has_multiple_outputs():
            raise _Refused("it selects several columns", "name each column in a metric of its own")
        try:
            node = dump(metric.meta.undo_aliases())
        except Exception:
            # Python functions have no serialised form, unless cloudpickle is installed.
            raise _python_function() from None
        made, again = self._walk(node)
        if packed(again) != packed(node):
            raise Changed("its aggregates are not those that were given")
        finished = load(made)
        if not finished.meta.root_names():
            raise _Refused("it is a constant", "add it to what vf.load or vf.reduce gives (with_columns)")
        return finished

    def _walk(self, node: Any) -> tuple[Any, Any]:
        """Return the tree over leaves, and the tree again, made of what C is told of each aggregate."""
        leaf = self._leaf(node)
        if leaf is not None:
            return dump(leaf[0]), dump(leaf[1])
        kind, body = only_item(node)
        if kind == "Literal":
            return node, node
        if kind == "Column":
            raise _Refused(
                f"column {body!r} stands in it without an aggregate", "add one, such as .sum(), .mean() or .last()"
            )
        if kind not in _CHILDREN:
            raise self._refusal(kind, node)
        if kind == "Function" and not _is_function_row_wise(node):
            raise self._function_refusal(node)
        made, again = dict(body), dict(body)
        for slot in _CHILDREN[kind]:
            if slot in body:
                made[slot], again[slot] = self._walk_slot(body[slot])
        return {kind: made}, {kind: again}

    def _walk_slot(self, slot: Any) -> tuple[Any, Any]:
        if not isinstance(slot, list):
            return self._walk(slot)
        pairs = [self._walk(child) for child in slot]
        return [made for made, _ in pairs], [again for _, again in pairs]

    def _refusal(self, kind: str, node: Any) -> _Refused:
        if kind == "Filter" and node["Filter"]["input"] == "Len":
            return _Refused(
                "pl.len().filter(...) is a list: the group's length, repeated", "use pl.col(...).filter(...).len()"
            )
        if kind.startswith("Anonymous"):
            return _python_function()
        what = _KINDS_OF_NODES.get(kind, language.function_name(kind))
        remedy = {
            "Over": _BEFORE,
            "Sort": f"use min() or max(), or {_SORT}",
            "SortBy": _SORT,
            "Slice": self._numbered("filter by it: .filter(pl.col('row') < n) is head(n)"),
            "Gather": self._numbered("filter by it: .filter(pl.col('row') == i).first() is get(i)"),
            "Explode": _REMEDIES["explode"][1],
        }.get(kind, "")
        return _Refused(f"{what} needs all rows of a group at once", remedy)

    def _inner(self) -> str:
        return f"compute the inner one as a column before aggregate: with_columns(inner=(...){self._over()})"

    def _numbered(self, rest: str) -> str:
        number = f"pl.int_range(pl.len()){self._over()}"
        return f"number the group's rows before aggregate (with_columns(row={number})), and {rest}"

    def _over(self) -> str:
        return f".over({', '.join(map(repr, self.keys))})" if self.keys else ""

    def _function_refusal(self, node: Any, op: str = "") -> _Refused:
        """Refuse a function that is not of one row: say what gives the same number, if anything does."""
        function = node["Function"]["function"]
        name = language.function_name(function)
        if name == "anonymous_function":
            return _python_function()
        if name in ("drop_nulls", "drop_nans"):
            return _Refused(f"{name} needs all rows of a group at once", self._dropping(name, op))
        if name in _REMEDIES:
            return _refusal_of(name)
        shown = _NAMES.get(name, name)
        remedy = ""
        if _keeps_length(node) and name != "random":
            call = shown if shown.endswith(")") else f"{shown}(...)"
            column = f"with_columns(pl.col(...).{call}{self._over()})"
            remedy = f"compute it as a column before aggregate, within its group: {column}"
        return _Refused(f"{shown} needs all rows of a group at once", remedy)

    def _dropping(self, name: str, op: str) -> str:
        if name == "drop_nulls":
            if op == "len":
                return "use count(), which counts what is not null"
            if op in ("first", "last"):
                return f"use {op}(ignore_nulls=True)"
            if op in _PASSES_NULLS or op.endswith("_non_null"):
                return f"leave it out: {op.removesuffix('_non_null')} passes over nulls"
            return "filter in its place: .filter(x.is_not_null())"
        if op in _PASSES_NULLS and op not in ("any", "all"):
            return f"use fill_nan(None) in its place: {op} passes over nulls"
        return "filter in its place: .filter(x.is_not_nan() | x.is_null())"

    # ---- recognition

    def _leaf(self, node: Any) -> tuple[pl.Expr, pl.Expr] | None:
        """Return what stands for an aggregate (over leaves), and the aggregate as it was taken; None: it is none."""
        if node == "Len":
            return self._named("value", [self._rows()]), pl.len()
        kind, body = only_item(node)
        if kind != "Agg" and kind != "Function":
            return None
        expr = load(node)
        children = expr.meta.pop()
        if kind == "Function" and "Correlation" in (body["function"] if isinstance(body["function"], dict) else ()):
            return self._correlation(expr, node)
        if kind == "Agg" and next(iter(body)) in ("Var", "Std"):
            return self._variance(expr, body)
        for name, build in _ONE.items() if len(children) == 1 else ():
            if same(build(children[0]), expr):
                value, where = self._value(children[0], name)
                return self._one(name, value, where), build(_filtered(value, where))
        if kind == "Function":
            return None
        for name in ("nan_max", "nan_min"):
            if len(children) == 1 and getattr(children[0], name)().meta.eq(expr):
                raise _refusal_of(name)
        raise _refusal_of(language.function_name(next(iter(body))))

    def _variance(self, expr: pl.Expr, body: Any) -> tuple[pl.Expr, pl.Expr]:
        kind, (_, ddof) = only_item(body)
        child = expr.meta.pop()[0]
        op = kind.lower()
        if not same(getattr(child, op)(ddof=ddof), expr):
            raise _refusal_of(op)
        taken, where = self._value(child, op)
        value = self._number(self._masked(taken, where), op)
        leaf = self._named(
            op,
            [self._sum(value), self._state("squares", value, "add_float", pl.Float64()), *self._counts(value)],
            ddof,
        )
        return leaf, getattr(_filtered(taken, where), op)(ddof=ddof)

    def _correlation(self, expr: pl.Expr, node: Any) -> tuple[pl.Expr, pl.Expr]:
        first, second = (load(child) for child in node["Function"]["input"])
        method = node["Function"]["function"]["Correlation"]["method"]
        if method == "Pearson" and same(pl.corr(first, second), expr):
            op, ddof = "corr", 0
        elif isinstance(method, dict) and "Covariance" in method:
            op, ddof = "cov", method["Covariance"]
            if not same(pl.cov(first, second, ddof=ddof), expr):
                raise _refusal_of("cov")
        else:
            raise _Refused(
                "a rank correlation needs all rows of a group at once",
                f"compute ranks as columns before aggregate (with_columns(rank=pl.col(...).rank(){self._over()})), and "
                "take pl.corr of them: they are then ranks within a date",
            )
        (x, x_filter), (y, y_filter) = self._value(first, op), self._value(second, op)
        if (x_filter is None) != (y_filter is None) or (
            x_filter is not None and y_filter is not None and not same(x_filter, y_filter)
        ):
            raise _Refused(f"the two columns of {op} are filtered in different ways", "filter both in the same way")
        taken = _filtered(x, x_filter), _filtered(y, y_filter)
        x, y = self._number(x, op), self._number(y, op)
        both = x.is_not_null() & y.is_not_null()
        both = both if x_filter is None else both & x_filter
        x, y = pl.when(both).then(x), pl.when(both).then(y)
        sums = [self._sum(x), self._sum(y)]
        dot = self._state("dot", x, "add_float", pl.Float64(), (y,))
        squares = [self._state("squares", value, "add_float", pl.Float64()) for value in (x, y)] if op == "corr" else []
        again = pl.corr(*taken) if op == "corr" else pl.cov(*taken, ddof=ddof)
        return self._named(op, [*sums, *squares, dot, *self._counts(x)], ddof), again

    def _one(self, name: str, value: pl.Expr, where: pl.Expr | None) -> pl.Expr:
        if name in ("first", "last", "first_non_null", "last_non_null"):
            return self._place(name, value, where)
        if name == "len":
            return self._named("value", [self._rows()]) if where is None else self._true(where)
        if name == "null_count" and where is not None:
            return self._true(where & value.is_null())
        if name in ("any", "any_kleene", "all", "all_kleene"):
            return self._logical(name, value, where)
        value = self._masked(value, where)
        if name in ("count", "null_count") and _is_foreign(self._any_type(value)):
            value = pl.when(value.is_not_null()).then(True)
        if name == "count":
            return self._named("count", self._counts(value))
        if name == "null_count":
            return self._named("value", [self._nulls(value)])
        dtype = self._type(value)
        if name == "sum":
            self._accept(dtype.is_numeric() or dtype == pl.Boolean or isinstance(dtype, pl.Duration), name, value)
            return self._named("value", [self._sum(value)])
        if name == "mean":
            return self._mean(value, dtype)
        if name == "product":
            self._accept(dtype.is_numeric() or dtype == pl.Boolean, name, value)
            return self._product(value, dtype)
        self._accept(dtype.is_numeric() or dtype == pl.Boolean or dtype.is_temporal(), name, value)
        return self._named("value", [self._state(name, value, name, dtype)])

    def _mean(self, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        self._accept(dtype.is_numeric() or dtype == pl.Boolean or isinstance(dtype, pl.Duration), "mean", value)
        if dtype in (pl.Int64, pl.UInt64):  # sums of a day's epoch times leave Int64
            value = value.cast(pl.Float64)
        whole = not self._type(value).is_float()
        return self._named("mean_int" if whole else "mean", [self._sum(value), *self._counts(value)])

    def _product(self, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        if dtype.is_float():
            return self._named("product", [self._state("product", value, "product_float", pl.Float64())])
        return self._named("value", [self._state("product", value, "product_int", pl.Int64())])

    def _place(self, name: str, value: pl.Expr, where: pl.Expr | None) -> pl.Expr:
        dtype = self._type(value)
        self._accept(dtype.is_numeric() or dtype == pl.Boolean or dtype.is_temporal(), name, value)
        if name.endswith("_non_null"):
            where = value.is_not_null() if where is None else value.is_not_null() & where
        kind = name.partition("_")[0]
        more = () if where is None else (where,)
        return self._named("value", [self._state(kind, value, kind, dtype, more)])

    def _logical(self, name: str, value: pl.Expr, where: pl.Expr | None) -> pl.Expr:
        self._accept(self._type(value) == pl.Boolean, name.partition("_")[0], value)
        decides = name.startswith("any")
        test = value if decides else ~value
        found = self._true(test if where is None else test & where) > 0
        out = found if decides else ~found
        if name.endswith("_kleene"):
            nulls = value.is_null() if where is None else value.is_null() & where
            out = pl.when(found).then(decides).when(self._true(nulls) > 0).then(None).otherwise(not decides)
        return out

    # ---- values

    def _value(self, child: pl.Expr, op: str) -> tuple[pl.Expr, pl.Expr | None]:
        """Take filters off an aggregate's input: the value, and which rows count."""
        node = dump(child)
        where: pl.Expr | None = None
        kind, body = only_item(node)
        if kind == "Filter":
            self._check_row_wise(body["by"], op)
            where, node = load(body["by"]), body["input"]
            if only_item(node)[0] == "Filter":
                raise _Refused(f"what {op} is taken of is filtered twice", "combine the conditions with &")
        value = load(node)
        self._check_row_wise(node, op)
        if not value.meta.root_names():
            raise _Refused(
                f"there is no column in what {op} is taken of",
                "use pl.len() to count rows, or add the constant to what vf.load or vf.reduce gives (with_columns)",
            )
        if where is not None and self._type(where) != pl.Boolean:
            raise _Refused(f"{op} is filtered by something that is not Boolean", "filter by a comparison")
        return value.meta.undo_aliases(), where

    def _masked(self, value: pl.Expr, where: pl.Expr | None) -> pl.Expr:
        return value if where is None else pl.when(where).then(value)

    def _check_row_wise(self, node: Any, op: str) -> None:
        kind, body = only_item(node)
        if kind in ("Column", "Literal"):
            return
        if kind in ("Agg", "Len"):
            raise _Refused(f"{op} is taken of another aggregate", self._inner())
        if kind == "Filter":
            raise _Refused(f"a filter stands in the middle of what {op} is taken of", "filter last, or use when/then")
        if kind not in _CHILDREN:
            raise self._refusal(kind, node)
        if kind == "Function" and not _is_function_row_wise(node):
            if _is_aggregate(node):
                name = language.function_name(body["function"])
                raise (
                    _refusal_of(name)
                    if name in _REMEDIES
                    else _Refused(f"{op} is taken of another aggregate", self._inner())
                )
            raise self._function_refusal(node, op)
        for slot in _CHILDREN[kind]:
            children = body.get(slot, [])
            for each in children if isinstance(children, list) else [children]:
                self._check_row_wise(each, op)

    def _any_type(self, value: pl.Expr) -> pl.DataType:
        return self.empty.select(self._checked(value)).collect_schema().dtypes()[0]

    def _checked(self, value: pl.Expr) -> pl.Expr:
        return checked(value, self.empty, f"metric {self.name!r}")

    def _type(self, value: pl.Expr) -> pl.DataType:
        dtype = self._any_type(value)
        if dtype == pl.Null:
            raise _Refused(
                f"{_text(value)} is null throughout, so that its type is not known here",
                f"give it the one of the other days: {_source(value)}.cast(pl.Float64)",
            )
        if _is_foreign(dtype):
            way = "take a number out of it first" if dtype.is_nested() else "cast it to Float64 or Int64"
            raise _Refused(f"{_text(value)} is {dtype}", way)
        return dtype

    def _accept(self, fits: bool, op: str, value: pl.Expr) -> None:
        if not fits:
            dtype = self._type(value)
            raise _Refused(f"{op} of {_text(value)}, which is {dtype}, has no mergeable state", _remedy_of(op, dtype))

    def _number(self, value: pl.Expr, op: str) -> pl.Expr:
        dtype = self._type(value)
        self._accept(dtype.is_numeric() or dtype == pl.Boolean, op, value)
        return value if dtype.is_float() else value.cast(pl.Float64)

    # ---- states

    def _rows(self) -> StateSpec:
        return self._state("len", None, "add_int", pl.Int64())

    def _nulls(self, value: pl.Expr) -> StateSpec:
        return self._state("null_count", value, "add_int", pl.Int64())

    def _counts(self, value: pl.Expr) -> list[StateSpec]:
        return [self._rows(), self._nulls(value)]

    def _sum(self, value: pl.Expr) -> StateSpec:
        dtype = self._type(value)
        if dtype.is_float():
            return self._state("sum", value, "add_float", pl.Float64())
        return self._state("sum", value, "add_int", dtype if isinstance(dtype, pl.Duration) else pl.Int64())

    def _true(self, where: pl.Expr) -> pl.Expr:
        """Count the rows where a condition is true."""
        return self._named("count", self._counts(pl.when(where).then(True)))

    def _state(
        self, op: str, value: pl.Expr | None, kind: str, dtype: pl.DataType, more: tuple[pl.Expr, ...] = ()
    ) -> StateSpec:
        places = [self._place_of(expr) + 1 for expr in more] + [0, 0]
        leaf = CLeaf(op, self._place_of(value) if value is not None else 0, (places[0], places[1]))
        for known, state in zip(self.job.leaves, self.job.states, strict=True):
            if known == leaf:
                return state
        if value is None:
            name, of = "rows", "len()"
        else:
            short = "nulls" if op == "null_count" else op
            name = f"{_short(value)}.{short}"
            of = f"{short} of {', '.join(_text(expr) for expr in (value, *more))}"
        suffixes = tuple(KINDS[kind].columns)
        name = self._free(name, suffixes)
        id_ = " ".join(_id(expr) for expr in ((value, *more) if value is not None else ()))
        state = StateSpec(name, kind, tuple(name + suffix for suffix in suffixes), dtype, of, id_)
        self.job.leaves.append(leaf)
        self.job.states.append(state)
        return state

    def _place_of(self, value: pl.Expr) -> int:
        for index, known in enumerate(self.job.given):
            if same(known, value):
                return index
        self.job.given.append(value)
        self.job.values.append(self._checked(value))
        return len(self.job.values) - 1

    def _free(self, name: str, suffixes: tuple[str, ...]) -> str:
        taken = {*self.keys, *(text for state in self.job.states for text in (state.name, *state.columns))}
        number, found = 1, name
        while any(found + suffix in taken for suffix in ("", *suffixes)):
            number += 1
            found = f"{name}#{number}"
        return found

    def _named(self, op: str, states: Sequence[StateSpec], ddof: int = 0) -> pl.Expr:
        names = tuple(state.name for state in states)
        for leaf in self.job.named:
            if (leaf.op, leaf.states, leaf.ddof) == (op, names, ddof):
                return pl.col(leaf.name)
        leaf = LeafSpec(f"leaf_{len(self.job.named)}", op, names, ddof)
        self.job.named.append(leaf)
        return pl.col(leaf.name)


# ---- small questions ------------------------------------------------------------------------------------------------


def _refusal_of(name: str) -> _Refused:
    shown, remedy = _REMEDIES.get(name, (name, ""))
    return _Refused(f"{shown} needs all rows of a group at once", remedy)


def _remedy_of(op: str, dtype: pl.DataType) -> str:
    """Say what gives an aggregate of a type that has no state of its own."""
    if dtype.is_temporal():
        return f"cast it to Int64, and the {op} back"
    if dtype in (pl.String, pl.Categorical, pl.Enum) and op in ("min", "max"):
        return f"put it into group_by, and take the {op} of the reduced frame's column"
    if dtype in (pl.String, pl.Categorical, pl.Enum) and op in ("first", "last", "first_non_null", "last_non_null"):
        return "take the number of its category: cast(pl.Enum([...])).to_physical()"
    return "cast it to a number" if dtype in (pl.String, pl.Boolean) else ""


def _keeps_length(node: Any) -> bool:
    try:
        return bool(load(node).meta.is_length_preserving())
    except Exception:  # a function that Polars does not know
        return False


def _is_foreign(dtype: pl.DataType) -> bool:
    """Whether C does not read a type."""
    wide = isinstance(dtype, pl.Float16) or dtype in (pl.Int128, pl.UInt128, pl.Object)
    return wide or dtype.is_decimal() or dtype.is_nested()


def _is_function_row_wise(node: Any) -> bool:
    """Whether each row's value follows from that row alone, whatever the function's inputs are computed from."""
    body = node["Function"]
    literal = [isinstance(child, dict) and "Literal" in child for child in body["input"]]
    inputs = [
        child if fixed and not (all(literal) and index == 0) else {"Column": str(index)}
        for index, (child, fixed) in enumerate(zip(body["input"], literal, strict=True))
    ]
    try:
        meta = load({"Function": {**body, "input": inputs}}).meta
        return bool(meta.is_row_separable() and meta.is_length_preserving())
    except Exception:
        # Polars cannot tell for functions it does not know, Python's for example.
        return False


def _is_aggregate(node: Any) -> bool:
    try:
        return bool(load(node).meta.is_scalar())
    except Exception:
        return False


def _filtered(value: pl.Expr, where: pl.Expr | None) -> pl.Expr:
    return value if where is None else value.filter(where)


def _id(value: pl.Expr) -> str:
    """Return a text that equal expressions share, and no others: of the small language where it can hold it."""
    try:
        tree = language.encode(value)
    except NotInLanguage:
        return digest(value)
    return hashlib.sha256(json.dumps(tree, ensure_ascii=True).encode()).hexdigest()[:32]


def _text(value: pl.Expr) -> str:
    """Write a value for people and for plans: in the small language, which no release of Polars changes, if it can."""
    try:
        return language.show(language.encode(value))
    except NotInLanguage:
        return str(value)


def _source(value: pl.Expr) -> str:
    """Write what an aggregate is taken of as users write it, where it is a column."""
    roots = value.meta.root_names()
    return f"pl.col({roots[0]!r})" if same(value, pl.col(roots[0])) else f"({value})"


def _short(value: pl.Expr) -> str:
    """Name a value after the column it is mostly about."""
    roots = value.meta.root_names()
    return roots[0] if len(set(roots)) == 1 else value.meta.output_name() if roots else "value"
