"""Lots over nights: what a day leaves held, as the next day takes it.

C matches and keeps the rests; here their keys are gathered. Not for matching itself: `vizflow.enrichment`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from vizflow._plans import Frame, as_lazy, column_type
from vizflow._stream import BATCH_ROWS, _collected, _learn, gathered, is_replayable, rows, source
from vizflow.enrichment import Enricher, FIFOMatch, _fifo_schema, _FifoStep, _Opening
from vizflow.errors import ConfigError, SchemaError

__all__ = ["closing_lots"]

_PRICE = "entry_price"


def closing_lots(
    df: Frame, rule: FIFOMatch | Enricher, *, by: str | Sequence[str] | None = None, sort_by: str | None = None
) -> pl.LazyFrame:
    """Lots that are held at the end of a frame, as `opening` of the next day's `FIFOMatch` takes them.

    What is left of the frame's entries and of the opening lots (of those that no row touched, all), and under
    ``on_excess="open_short"`` the short lots. Of each symbol: opening + entries - exits = closing, but for exits that
    had nothing to close. To match day by day with lots carried on gives the matches of the undivided frame.

    Parameters
    ----------
    df
        The day's rows, in any order.
    rule
        The day's `FIFOMatch`, its `opening` included, or the `Enricher` that has it: then rules before it run first,
        and `by` and `sort_by` are the Enricher's. How it gives rows (`rows`, `extras`, `id_col`) does not matter here.
    by
        Column that separates symbols, or a list of such; ``"symbol"`` unless given. Only with a bare rule. A frame with
        a column ``date`` has closing lots of each day.
    sort_by
        Column that orders a symbol's rows; the rule's `time_col` unless given. Only with a bare rule.

    Returns
    -------
    LazyFrame
        Columns `by`, the frame's ``date`` where it has one (the day at whose end the lot is held: drop it to open the
        next day with), ``qty`` (type of the quantity column, Int64 of unsigned ones; what is left, below zero for a
        short lot) and ``price`` (Float64, the price at which the lot was opened; null where it had none). A row per
        lot, oldest first within a symbol; symbols of the opening lots first, then the others in the order of their first
        trade. The work is done when it is collected; the input is read twice.

    Raises
    ------
    ConfigError
        No `FIFOMatch`, or `by` or `sort_by` beside an `Enricher`.
    SchemaError, DataError
        As `Enricher.run`.

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
    enricher = _enricher(rule, by, sort_by)
    place = next((i for i, one in enumerate(enricher.rules) if isinstance(one, FIFOMatch)), None)
    if place is None:
        raise ConfigError("the Enricher has no FIFOMatch, whose lots these would be")
    fifo = enricher.rules[place]
    assert isinstance(fifo, FIFOMatch)
    lf = as_lazy(df)
    if place > 0:
        before = enricher.rules[:place], enricher.by, enricher.sort_by, enricher.state_class
        lf = Enricher(*before, date_col=enricher.date_col).run(lf)
    groups = enricher._groups(lf)
    make_opening = enricher._opening(fifo, groups)
    keys = groups.names
    schema = lf.collect_schema()
    for name, option in (
        (enricher.sort_by, "sort_by"),
        (fifo.side_col, "side_col"),
        (fifo.qty_col, "qty_col"),
        (fifo.time_col, "time_col"),
        (fifo.price_col, "price_col"),
    ):
        column_type(schema, name, option)
    _fifo_schema(fifo, schema)
    if {"qty", "price"}.intersection(keys):
        raise SchemaError("closing_lots gives the columns 'qty' and 'price', which `by` names; rename it")
    quantity = schema[fifo.qty_col]
    out = {
        **{key: schema[key] for key in keys},
        "qty": pl.Int64() if quantity.is_unsigned_integer() else quantity,
        "price": pl.Float64(),
    }

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        opening = make_opening()
        step = _FifoStep(fifo, groups, enricher.sort_by, opening, [_PRICE], [_PRICE], rests=True)
        again = lf if is_replayable(lf) else _collected(lf, step.columns)
        _learn([step], again)
        rests = pl.DataFrame(dict(zip(("row", "lot", "qty", "short", "price"), step.rests(), strict=True)))
        named = _named(rests, again, step, keys, opening)
        signed = pl.col("qty").cast(out["qty"])
        frame = named.with_columns(qty=pl.when("short").then(-signed).otherwise(signed))
        yield frame.select(pl.col(name).cast(out[name]) for name in wanted)

    return source(produce, out, "closing_lots")


def _enricher(rule: FIFOMatch | Enricher, by: str | Sequence[str] | None, sort_by: str | None) -> Enricher:
    if isinstance(rule, FIFOMatch):
        return Enricher([rule], by or "symbol", sort_by or rule.time_col)
    if not isinstance(rule, Enricher):
        raise ConfigError(f"rule is {type(rule).__name__}; a FIFOMatch, or an Enricher that has one, is accepted")
    if by is not None or sort_by is not None:
        raise ConfigError("by and sort_by are the Enricher's; leave them out, or give its FIFOMatch")
    return rule


def _named(
    rests: pl.DataFrame, again: pl.LazyFrame, step: _FifoStep, keys: list[str], opening: _Opening | None
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
    if opening is not None and opening.lots is not None:
        carried = numbered.filter(pl.col("lot").is_not_null())
        types = parts[0].schema
        day = pl.lit(opening.day())
        values = opening.lots.select(
            (pl.col(key) if key in opening.keys.names else day).cast(types[key]).alias(key) for key in keys
        )
        named.append(carried.hstack(values[carried["lot"]]))
    return pl.concat(named).sort("__vf_place")
