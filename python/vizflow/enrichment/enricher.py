"""Replay: stateful rules over each symbol's rows in time order, FIFO matching among them.

`FIFOMatch` runs in C over columns; rules written in Python run row by row through a loop in C. Not for element-wise
columns (`polars` has those) and not for returns: `vizflow.ops`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import polars as pl

from vizflow.enrichment.fifo import FIFOMatch, FifoStep, Opening, fifo_schema
from vizflow.enrichment.rules import State, TagCondition, TagRule, TagRunning
from vizflow.errors import ConfigError
from vizflow.lazy.frames import Frame, as_lazy, column_type, require, require_new
from vizflow.lazy.two_pass import two_pass
from vizflow.schema.groups import Groups, Names, groups_of

__all__ = ["Enricher"]


class Enricher:
    """Stateful enrichment with pluggable rules.

    Parameters
    ----------
    rules
        Applied as a chain: a rule sees the columns of the rules before it. At most one may expand rows.
    by
        What separates symbols: a column's name, a list of names, or None for one instrument.
    sort_by
        Column that orders a symbol's rows; equal values keep the input's order.
    state_class
        Class of the state that Python rules share, made once a run and reset before each symbol.
    date_col
        Column that separates days, which never mix: every rule works by day and symbol. ``"date"`` need not be there.
        None: no column of the frame is a day.

    Examples
    --------
    See `FIFOMatch`, `TagCondition` and `TagRunning`.
    """

    def __init__(
        self,
        rules: Sequence[TagRule],
        by: Names = "symbol",
        sort_by: str = "timestamp",
        state_class: type[State] | None = None,
        *,
        date_col: str | None = "date",
    ) -> None:
        self.rules = list(rules)
        self.by = by
        self.date_col = date_col
        self.sort_by = sort_by
        self.state_class = state_class or State
        if not self.rules:
            raise ConfigError("an Enricher needs at least one rule")
        for rule in self.rules:
            if not isinstance(rule, TagRule):
                raise ConfigError(f"rules are TagRule objects, not {type(rule).__name__}")
            if type(rule).process is TagRule.process:
                raise ConfigError(
                    f"the rule {type(rule).__name__} has no process; write def process(self, row, state) in its class, "
                    "which returns a dict of its output_columns"
                )
        if sum(isinstance(rule, FIFOMatch) for rule in self.rules) > 1:
            raise ConfigError("only one rule of an Enricher may expand rows, and FIFOMatch does; chain two Enrichers")

    def run(self, df: Frame) -> pl.LazyFrame:
        """Apply all rules; lazy, like every operation.

        Parameters
        ----------
        df
            LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``, in any row order.

        Returns
        -------
        LazyFrame
            The input's columns and the rules'. Rows in the input's order, the pieces of one row adjacent. Asks its
            input only for the columns that are needed; the work is done when it is collected.

        Raises
        ------
        SchemaError
            A column is missing, of another type, or would be overwritten.
        DataError
            When collected: a trade that cannot be matched (see `FIFOMatch`); a Python rule that gave a value of
            another type.
        """
        lf = as_lazy(df)
        self._groups(lf)
        require(lf.collect_schema(), [self.sort_by], "sort_by")
        for python, group in itertools.groupby(self.rules, key=_is_python):
            rules = list(group)
            if python:
                lf = self._run_python(lf, rules)
            else:
                for rule in rules:
                    lf = self._run_fifo(lf, rule) if isinstance(rule, FIFOMatch) else self._run_expr(lf, rule)
        return lf

    def _groups(self, lf: pl.LazyFrame) -> Groups:
        return groups_of(lf.collect_schema(), self.by, self.date_col, "by")

    # ---- expressions ----

    def _run_expr(self, lf: pl.LazyFrame, rule: TagRule) -> pl.LazyFrame:
        given = rule.condition if isinstance(rule, TagCondition) else getattr(rule, "update_fn", None)
        assert isinstance(given, pl.Expr)
        expr: pl.Expr = given
        (name,) = rule.output_columns
        schema = lf.collect_schema()
        require_new(schema, [name], type(rule).__name__)
        require(schema, expr.meta.root_names(), name)
        dtype = (rule.output_schema or {}).get(name)
        over = expr.over(self._groups(lf).exprs() or [pl.lit(True)], order_by=self.sort_by)
        return lf.with_columns((over if dtype is None else over.cast(dtype)).alias(name))

    # ---- FIFO ----

    def _run_fifo(
        self, lf: pl.LazyFrame, rule: FIFOMatch, names: Sequence[str] | None = None, key: object = None
    ) -> pl.LazyFrame:
        key = key or object()
        schema = lf.collect_schema()
        require_columns(rule, schema)
        if rule.id_col:
            column_type(schema, rule.id_col, "id_col")
        added = fifo_schema(rule, schema)
        require_new(schema, added, "FIFOMatch")
        groups = self._groups(lf)
        opening = self._opening(rule, groups)
        types = {**schema, **added}
        return two_pass(
            lf,
            lambda wanted: FifoStep(rule, groups, self.sort_by, opening(), list(added), wanted),
            schema={name: types[name] for name in names or types},
            added=list(added),
            name="FIFOMatch",
            one_to_one=False,
            rebuild=None if rule.rows == "lots" else lambda frame, names: self._run_fifo(frame, rule, names, key),
            key=key,
        )

    def _opening(self, rule: FIFOMatch, groups: Groups) -> Callable[[], Opening | None]:
        """Return what makes the opening lots of one reading; wrong columns are told at once."""

        def make() -> Opening | None:
            return None if rule.opening is None else Opening(rule.opening, groups, self.date_col)

        make()
        return make

    # ---- Python rules ----

    def _run_python(self, lf: pl.LazyFrame, rules: list[TagRule]) -> pl.LazyFrame:
        from vizflow.enrichment.python_rules import run_rules

        may_expand = not any(isinstance(rule, FIFOMatch) for rule in self.rules)
        return run_rules(lf, rules, self._groups(lf), self.sort_by, self.state_class, may_expand=may_expand)


def _is_python(rule: TagRule) -> bool:
    if isinstance(rule, TagCondition):
        return not isinstance(rule.condition, pl.Expr)
    if isinstance(rule, TagRunning):
        return not isinstance(rule.update_fn, pl.Expr)
    return not isinstance(rule, FIFOMatch)


def require_columns(rule: FIFOMatch, schema: pl.Schema) -> None:
    """Check that the columns are there that matching reads."""
    for option in ("side_col", "qty_col", "time_col", "price_col"):
        column_type(schema, getattr(rule, option), option)
