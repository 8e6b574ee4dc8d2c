"""Lots over nights: what a day leaves held, as the next day takes it.

C matches and keeps the rests; here their keys are gathered. Not for matching itself: `vizflow.enrichment`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl

from vizflow.enrichment.enricher import Enricher, require_columns
from vizflow.enrichment.fifo import FIFOMatch, FifoStep, Opening, fifo_schema
from vizflow.errors import ConfigError, DataError, SchemaError
from vizflow.lazy.frames import Frame, as_lazy, column_type
from vizflow.lazy.two_pass import BATCH_ROWS, collected, gathered, is_replayable, learn_all, rows, source
from vizflow.schema.groups import Groups, Names, days_of

__all__ = ["closing_lots"]

_PRICE = "entry_price"


def closing_lots(
    df: Frame,
    rule: FIFOMatch | Enricher,
    *,
    by: Names = "symbol",
    sort_by: str | None = None,
    date_col: str | None = "date",
) -> pl.LazyFrame:
    """Lots that are held at the end of a frame, as `opening` of the next day's `FIFOMatch` takes them.

    What is left of the frame's entries and of the opening lots (of those that no row touched, all), and under
    ``on_excess="open_short"`` the short lots. Of each symbol: opening + entries - exits = closing, but for exits that
    had nothing to close. To match day by day with lots carried on gives the matches of the undivided frame.

    Parameters
    ----------
    df
        The day's rows, in any order. Where they have a `date_col`, of one day.
    rule
        The day's `FIFOMatch`, its `opening` included, or the `Enricher` that has it: then rules before it run first,
        and `by` and `sort_by` are the Enricher's. How it gives rows (`rows`, `extras`, `id_col`) does not matter here.
    by
        What separates symbols: a column's name, a list of names, or None for one instrument. Only with a bare rule.
    sort_by
        Column that orders a symbol's rows; the rule's `time_col` unless given. Only with a bare rule.
    date_col
        Column of the day, which need not be there: rows of several days are an error, and so are opening lots of
        another one. None: no column is a day, and lots run on. Only with a bare rule.

    Returns
    -------
    LazyFrame
        Columns `by`, ``qty`` (type of the quantity column, Int64 of unsigned ones; what is left, below zero for a short
        lot) and ``price`` (Float64, the price at which the lot was opened; null where it had none). A row per lot,
        oldest first within a symbol; symbols of the opening lots first, then the others in the order of their first
        trade. The work is done when it is collected; the input is read twice.

    Raises
    ------
    ConfigError
        No `FIFOMatch`, or `by`, `sort_by` or `date_col` beside an `Enricher`.
    SchemaError, DataError
        As `Enricher.run`; rows of more than one day, when collected.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> def fifo(opening=None):
    ...     return vf.FIFOMatch("side", "quantity", "elapsed_seconds", "price", opening=opening)
    >>> monday = pl.DataFrame({
    ...     "symbol": ["a", "a", "b", "a"], "side": ["B", "B", "B", "S"], "quantity": [100, 50, 30, 120],
    ...     "price": [10.0, 11.0, 5.0, 12.0], "elapsed_seconds": [0, 60, 80, 100],
    ... })
    >>> held = vf.closing_lots(monday, fifo()).collect()
    >>> held.rows()
    [('a', 30, 11.0), ('b', 30, 5.0)]
    >>> tuesday = pl.DataFrame({
    ...     "symbol": ["a"], "side": ["S"], "quantity": [10], "price": [12.5], "elapsed_seconds": [5],
    ... })
    >>> vf.closing_lots(tuesday, fifo(opening=held)).collect().rows()
    [('a', 20, 11.0), ('b', 30, 5.0)]
    """
    enricher = _enricher(rule, by, sort_by, date_col)
    place = next((i for i, one in enumerate(enricher.rules) if isinstance(one, FIFOMatch)), None)
    if place is None:
        raise ConfigError("the Enricher has no FIFOMatch, whose lots these would be")
    fifo = enricher.rules[place]
    assert isinstance(fifo, FIFOMatch)
    lf = as_lazy(df)
    if place > 0:
        lf = _with_rules(enricher, enricher.rules[:place]).run(lf)
    schema = lf.collect_schema()
    groups = enricher._groups(lf)
    column_type(schema, enricher.sort_by, "sort_by")
    require_columns(fifo, schema)
    fifo_schema(fifo, schema)
    keys = list(groups.symbols)
    if {"qty", "price"}.intersection(keys):
        raise SchemaError("closing_lots gives the columns 'qty' and 'price', which `by` names; rename it")
    quantity = schema[fifo.qty_col]
    out = {
        **{key: schema[key] for key in keys},
        "qty": pl.Int64() if quantity.is_unsigned_integer() else quantity,
        "price": pl.Float64(),
    }

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        opening = None if fifo.opening is None else as_lazy(fifo.opening).collect()
        step = _ClosingStep(fifo, groups, enricher.sort_by, opening)
        again = lf if is_replayable(lf) else collected(lf, step.columns)
        learn_all([step], again)
        rests = pl.DataFrame(dict(zip(("row", "lot", "qty", "short", "price"), step.rests(), strict=True)))
        named = _named(rests, again, step, keys, opening) if keys else rests
        signed = pl.col("qty").cast(out["qty"])
        frame = named.with_columns(qty=pl.when("short").then(-signed).otherwise(signed))
        yield frame.select(pl.col(name).cast(out[name]) for name in wanted)

    return source(produce, out, "closing_lots")


def _enricher(rule: FIFOMatch | Enricher, by: Names, sort_by: str | None, date_col: str | None) -> Enricher:
    if isinstance(rule, FIFOMatch):
        return Enricher([rule], by, sort_by or rule.time_col, date_col=date_col)
    if not isinstance(rule, Enricher):
        raise ConfigError(f"rule is {type(rule).__name__}; a FIFOMatch, or an Enricher that has one, is accepted")
    if (by, sort_by, date_col) != ("symbol", None, "date"):
        raise ConfigError("by, sort_by and date_col are the Enricher's; leave them out, or give its FIFOMatch")
    return rule


def _with_rules(enricher: Enricher, rules: list[Any]) -> Enricher:
    return Enricher(rules, enricher.by, enricher.sort_by, enricher.state_class, date_col=enricher.date_col)


class _ClosingStep(FifoStep):
    """`FIFOMatch` of one day, whose lots are kept: the day is no key, so that lots of symbols without rows stay."""

    def __init__(self, rule: FIFOMatch, groups: Groups, sort_by: str, opening: pl.DataFrame | None) -> None:
        self._day = groups.date
        self._days: list[Any] = []
        self._learnt_rows = 0
        whole = replace(groups, date=None, moments=False)
        lots = None if opening is None else Opening(opening, whole, None)
        super().__init__(rule, whole, sort_by, lots, [_PRICE], [_PRICE], rests=True)
        if self._day is not None:
            self.columns = list(dict.fromkeys([*self.columns, self._day]))
            if opening is not None and self._day in opening.columns:
                self._see(days_of(opening[self._day]), "opening")

    def learn(self, batch: pl.DataFrame) -> None:
        if self._day is not None:
            self._see(days_of(batch[self._day]), "the rows", self._learnt_rows)
        self._learnt_rows += batch.height
        super().learn(batch)

    def _see(self, days: pl.Series, what: str, row: int = 0) -> None:
        for day in days.unique(maintain_order=True):
            if not self._days:
                self._days.append(day)
            if day != self._days[0] or day is None:
                place = row + int((days.is_null() if day is None else days == day).arg_max() or 0)
                found = "no day" if day is None else f"{day}, and {self._days[0]} before,"
                raise DataError(
                    f"column {self._day!r}: {what} hold {found} in row {place}; lots are closed a day at a time: "
                    "filter to one day, or say date_col=None and let lots run on",
                    column=self._day,
                    row=place,
                )


def _named(
    rests: pl.DataFrame, again: pl.LazyFrame, step: _ClosingStep, keys: list[str], opening: pl.DataFrame | None
) -> pl.DataFrame:
    """Add the keys: of rows from a second reading, which is compared with the first, of opening lots from theirs."""
    numbered = rests.with_row_index("__vf_place")
    opened = numbered.filter(pl.col("row").is_not_null()).sort("row")
    parts = [pl.DataFrame(schema=again.select(keys).collect_schema())]
    first = taken = 0
    for batch in gathered(rows(again, step.columns), BATCH_ROWS):
        step.compare(batch, first)
        end = opened["row"].search_sorted(first + batch.height, side="left")
        parts.append(batch.select(keys)[opened["row"][taken:end] - first])
        first, taken = first + batch.height, end
    step.emitted()
    named = [opened.hstack(pl.concat(parts))]
    if opening is not None:
        carried = numbered.filter(pl.col("lot").is_not_null())
        types = parts[0].schema
        values = opening.select(pl.col(key).cast(types[key]) for key in keys)
        named.append(carried.hstack(values[carried["lot"]]))
    return pl.concat(named).sort("__vf_place")
