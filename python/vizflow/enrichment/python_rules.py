"""Runs rules written in Python: brings each symbol's rows in order to the C row loop, and types what comes out.

Not for `FIFOMatch` and expressions, which never leave columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

import vizflow._core as _core
from vizflow.errors import ConfigError, DataError, SchemaError, translated
from vizflow.lazy.frames import require, require_new
from vizflow.lazy.two_pass import source
from vizflow.schema.groups import Groups

if TYPE_CHECKING:
    from vizflow.enrichment.rules import State, TagRule

_ROW = "__vf_row"
_SAMPLE_ROWS = 1000


def run_rules(
    lf: pl.LazyFrame, rules: Sequence[TagRule], by: Groups, sort_by: str, state_class: type[State], *, may_expand: bool
) -> pl.LazyFrame:
    """Yield the lazy frame of rules that share one pass over the rows."""
    schema = lf.collect_schema()
    added: list[str] = []
    for rule in rules:
        require_new(schema, rule.output_columns, type(rule).__name__)
        if set(added) & set(rule.output_columns):
            raise SchemaError(f"two rules add the column {(set(added) & set(rule.output_columns)).pop()!r}")
        if rule.input_columns is not None:
            require(schema, [name for name in rule.input_columns if name not in added], "input_columns")
        added += rule.output_columns
    inputs = _inputs(rules, schema, added)
    types = _output_types(lf, rules, inputs, by, sort_by, state_class)

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        passed = [name for name in wanted if name not in types]
        with translated():
            frame = lf.select(list(dict.fromkeys([*by.names, sort_by, *inputs, *passed]))).collect(engine="streaming")
        run = _Run(rules, inputs, by, sort_by, state_class)
        rows, values = run.run(frame)
        if run.expanding >= 0 and not may_expand:
            raise ConfigError(
                f"{type(rules[run.expanding]).__name__} expands rows, and so does FIFOMatch: one rule of an Enricher "
                "may; chain two Enrichers"
            )
        columns = [_typed(name, values[name], types[name], rows) for name in wanted if name in types]
        ordered = pl.DataFrame([rows, *columns]).sort(_ROW, maintain_order=True)
        yield frame.select(passed or [sort_by])[ordered[_ROW]].hstack(ordered.drop(_ROW)).select(wanted)

    return source(produce, {**schema, **types}, "rules", lf)


def _inputs(rules: Sequence[TagRule], schema: pl.Schema, added: Sequence[str]) -> list[str]:
    named = [rule.input_columns for rule in rules]
    if any(names is None for names in named):
        return schema.names()
    return list(dict.fromkeys(name for names in named for name in names or () if name not in added))


def _output_types(
    lf: pl.LazyFrame, rules: Sequence[TagRule], inputs: list[str], by: Groups, sort_by: str, state_class: type[State]
) -> dict[str, pl.DataType]:
    declared: dict[str, Any] = {}
    for rule in rules:
        for name, dtype in (rule.output_schema or {}).items():
            if name not in rule.output_columns:
                raise ConfigError(f"output_schema names {name!r}, which is not one of output_columns")
            declared[name] = dtype
    names = [name for rule in rules for name in rule.output_columns]
    missing = [name for name in names if name not in declared]
    if missing:
        with translated():
            sample = lf.select(list(dict.fromkeys([*by.names, sort_by, *inputs]))).head(_SAMPLE_ROWS).collect()
        _, values = _Run(rules, inputs, by, sort_by, state_class).run(sample)
        declared |= {name: _infer(name, values[name]) for name in missing}
    return {name: pl.Series(dtype=declared[name]).dtype for name in names}


def _infer(name: str, values: list[Any]) -> pl.DataType:
    for value in values:
        if value is not None:
            return pl.Series([value]).dtype
    raise SchemaError(
        f"the type of {name!r} cannot be inferred from the first {_SAMPLE_ROWS} rows, which hold no value; declare it "
        "in output_schema",
        column=name,
    )


def _typed(name: str, values: list[Any], dtype: pl.DataType, rows: pl.Series) -> pl.Series:
    try:
        return pl.Series(name, values, dtype=dtype, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        bad = next((i for i, value in enumerate(values) if not _fits(value, dtype)), None)
        if bad is None:
            raise
        row = int(rows[bad])
        raise DataError(
            f"column {name!r}, row {row}: {values[bad]!r} is {type(values[bad]).__name__}, and the column is {dtype}; "
            "declare a type that holds every value in output_schema",
            column=name,
            row=row,
        ) from error


def _fits(value: Any, dtype: pl.DataType) -> bool:
    try:
        pl.Series([value], dtype=dtype, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return False
    return True


class _Run:
    """One pass of the rules over a frame."""

    def __init__(
        self, rules: Sequence[TagRule], inputs: list[str], by: Groups, sort_by: str, state_class: type[State]
    ) -> None:
        self.rules = rules
        self.inputs = inputs
        self.by = by
        self.sort_by = sort_by
        self.state = state_class()
        self.expanding = -1

    def run(self, frame: pl.DataFrame) -> tuple[pl.Series, Mapping[str, list[Any]]]:
        """Return the input row of each output row, and the rules' values, day by day and symbol by symbol."""
        names = [name for rule in self.rules for name in rule.output_columns]
        values: tuple[list[Any], ...] = tuple([] for _ in names)
        counts: list[int] = []
        indexed = frame.with_row_index(_ROW)
        keys = {f"__vf_key_{i}": key for i, key in enumerate(self.by.exprs())}
        ordered = indexed.with_columns(**keys).sort(*keys, self.sort_by, _ROW, nulls_last=True)
        if ordered[self.sort_by].null_count() > 0:
            row = int(indexed.filter(pl.col(self.sort_by).is_null())[_ROW][0])
            raise DataError(
                f"sort_by: column {self.sort_by!r} is null in {ordered[self.sort_by].null_count()} rows, the first in "
                f"row {row}; filter them out",
                column=self.sort_by,
                row=row,
                count=ordered[self.sort_by].null_count(),
            )
        parts = ordered.partition_by(list(keys), maintain_order=True) if keys else [ordered] if ordered.height else []
        for group in parts:
            self._symbol(group, values, counts)
        rows = ordered[_ROW].gather(_repeat(pl.Series(counts, dtype=pl.UInt32)))
        return rows, dict(zip(names, values, strict=True))

    def _symbol(self, group: pl.DataFrame, values: tuple[list[Any], ...], counts: list[int]) -> None:
        symbol = tuple(group[name][0] for name in self.by.symbols)
        self.state.reset(symbol[0] if len(symbol) == 1 else symbol or None)
        for rule in self.rules:
            begin = getattr(rule, "begin", None)
            if begin is not None:
                begin()
        self.expanding = _core.run_rows(
            tuple(self.inputs),
            tuple(group[name].to_list() for name in self.inputs),
            tuple(rule.process for rule in self.rules),
            tuple(tuple(rule.output_columns) for rule in self.rules),
            group[_ROW].to_list(),
            self.state,
            0,
            group.height,
            values,
            counts,
            self.expanding,
        )
        for rule in self.rules:
            rule.finish(self.state)


def _repeat(counts: pl.Series) -> pl.Series:
    """Index i, counts[i] times."""
    index = pl.int_range(counts.len(), eager=True, dtype=pl.UInt32)
    return index.to_frame("i").select(pl.col("i").repeat_by(counts).explode()).to_series().drop_nulls()
