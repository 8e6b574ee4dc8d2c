"""Marks to a day's close. Not for other times: see `forward` and `quotes`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import polars as pl

import vizflow._core as _core
from vizflow.dates import Day
from vizflow.errors import ConfigError, DataError
from vizflow.lazy.frames import Frame, as_lazy, plugin, require, require_new
from vizflow.lazy.two_pass import batches, source, two_pass
from vizflow.market import Market
from vizflow.ops.columns import (
    ELAPSED,
    NO_END,
    check_price,
    check_time,
    collect,
    keyed,
    once,
    price_return,
    slices,
)
from vizflow.ops.forward import before_end, day_end, left_of
from vizflow.schema.groups import Groups, Names, Reading, groups_of, key_names, paired


def mark_to_close(
    df: Frame,
    price_col: str = "price",
    time_col: str = ELAPSED,
    symbol_col: Names = "symbol",
    *,
    close: str | Frame | None = None,
    close_col: str = "close",
    prices: Frame | None = None,
    end: float | Market | None = None,
    date: Day | None = None,
    date_col: str | None = "date",
) -> pl.LazyFrame:
    """Add ``close_return``: ``close of the day / own price - 1``.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``, in any row order.
    price_col
        The row's own price (see `mid`); any number or decimal.
    time_col
        Seconds (integer or float), Duration, Time, Datetime or Date. Not read where `close` is given.
    symbol_col
        Instrument: a column's name, a list of names, or None for one instrument. A column ``date``, where the frame has
        one, separates days too: days never mix.
    close
        What the close is. None: the symbol's last observation, a row with a price and a time; the last
        row wins among equal times. A name: that column of `df`, row by row. A frame: its `close_col`, by symbol (and
        ``date``, which both frames have or neither), a row each, such as `daily` gives.
    close_col
        Price column of a `close` frame.
    prices
        A second frame, quotes for example, whose observations the close is the last of (only where `close` is None).
    end
        The close is the last observation at or before it, and rows after it get null: seconds in `time_col`'s terms, or
        a `Market`, the end of whose day counts, as in `forward_return`: of each row's ``date``, of `date`, or else its
        usual one. Only where `close` is None.
    date
        Trading day of all rows of a frame without ``date``: for `end`, a `Market`, and to look up in a frame that has
        the column (or where only `df` has it: each of its rows must then be of that day).
    date_col
        Column of the day; ``"date"`` need not be there. None: no column of the frame is a day.

    Returns
    -------
    LazyFrame
        The input's rows in their order, its columns unchanged, and ``close_return`` (Float64). Null when the row's own
        price (or time, or symbol) is not valid, when there is no close, and when the row is past the observation that
        is the close: a late trade is not marked to an earlier quote.

    Raises
    ------
    SchemaError
        A column is missing, of another type, or ``close_return`` is there already.
    ConfigError
        Options that exclude each other.
    DataError
        When collected: a `close` frame has two rows of one symbol (and date); or ``end`` is a `Market`, and a ``date``
        is not traded (`CalendarRangeError`: not known).
    ReplayError
        When collected: the input gave other rows when read a second time; ``.collect()`` it first.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"symbol": ["a", "b", "a"], "elapsed_seconds": [0, 5, 60], "price": [100.0, 50.0, 101.0]})
    >>> vf.mark_to_close(df).collect()["close_return"].to_list()
    [0.010000000000000009, 0.0, 0.0]
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    check_price(schema, price_col, "price_col")
    require_new(schema, ["close_return"], "mark_to_close")
    if close is not None and (prices is not None or end is not None):
        raise ConfigError("close= says what the close is; prices= and end= are for finding it, so leave them out")
    if isinstance(close, str):
        if date is not None:
            raise ConfigError("close= says what the close is, row by row; date= says nothing here, so leave it out")
        check_price(schema, close, "close")
        ratio = plugin("price_return", [pl.col(close), pl.col(price_col)])
        return lf.with_columns(ratio.alias("close_return"))
    other = close if close is not None else prices
    if other is None:
        groups = quoted = groups_of(schema, symbol_col, date_col, "symbol_col")
    else:
        what = "close" if close is not None else "prices"
        named = ("symbol_col", "the frame", what)
        require(as_lazy(other).collect_schema(), key_names(symbol_col, "symbol_col"), what)
        groups, quoted = paired(schema, as_lazy(other).collect_schema(), symbol_col, date_col, date, named)
    end_ns, left = day_end(end, date, schema, time_col, groups) if close is None else (NO_END, None)
    if close is not None:
        if date is not None and groups.said is None:
            raise ConfigError("date= is for a frame without a column of days, where the other has one; leave it out")
        return _marked_to_frame(lf, schema, as_lazy(close), groups, quoted, price_col, close_col)
    check_time(schema, time_col, "time_col")
    columns = [time_col, price_col]
    out = {**schema, "close_return": pl.Float64()}
    if prices is None:
        return two_pass(
            lf,
            lambda wanted: _CloseStep(columns, groups, end_ns, left),
            schema=out,
            added=["close_return"],
            name="mark_to_close",
            one_to_one=True,
        )
    quotes = as_lazy(prices)
    quote_schema = quotes.collect_schema()
    require(quote_schema, columns, "prices")
    check_price(quote_schema, price_col, "prices")
    check_time(quote_schema, time_col, "prices")
    quote_left = day_end(end, date, quote_schema, time_col, quoted)[1]

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        if "close_return" not in wanted:
            yield from batches(lf.select(wanted))
            return
        days = _core.Daily(end_ns=end_ns, returns=False)
        seen, reading = quoted.reading(), groups.reading()
        held = once(*columns, *quoted.names)
        none = pl.DataFrame(schema={name: quote_schema[name] for name in held})
        days.update(_close_columns(none, columns, seen, quote_left))
        for batch in batches(quotes.select(held)):
            days.update(_close_columns(batch, columns, seen, quote_left))
        seen.done()
        row = 0
        needed = once(*columns, *groups.names, *(name for name in wanted if name != "close_return"))
        for part in slices(lf.select(needed)):
            returns = pl.Series(days.returns(row, _close_columns(part, columns, reading, left)))
            yield part.with_columns(returns.alias("close_return")).select(wanted)
            row += part.height

    return source(produce, out, "mark_to_close", lf)


def _close_columns(
    batch: pl.DataFrame, columns: list[str], reading: Reading, left: pl.Expr | None
) -> list[pl.Series | None]:
    """Order (time, price, key, …) as `_core.Daily` wants it; a price past its day's end is none."""
    time, price = columns
    prices = batch[price] if left is None else before_end(batch[price], left_of(batch, left), 0)
    return [batch[time], None, prices, None, *reading.keys(batch)]


class _CloseStep:
    """`mark_to_close` by the frame's own observations, for `two_pass`."""

    def __init__(self, columns: list[str], groups: Groups, end_ns: int, left: pl.Expr | None) -> None:
        self.columns = once(*columns, *groups.names)
        self._order = columns
        self._groups = groups
        self._left = left
        self._days = _core.Daily(end_ns=end_ns, returns=True)

    def covers(self, wanted: Sequence[str]) -> bool:
        return True

    def learn(self, batch: pl.DataFrame) -> None:
        self._days.update(_close_columns(batch, self._order, self._groups.reading(), self._left))

    def learnt(self) -> None:
        pass

    def emit(self, batch: pl.DataFrame, row: int, wanted: list[str]) -> Callable[[], pl.DataFrame]:
        columns = _close_columns(batch, self._order, self._groups.reading(), self._left)
        returns = pl.Series(self._days.returns(row, columns))
        return lambda: pl.DataFrame([returns.alias(name) if name == "close_return" else batch[name] for name in wanted])

    def emitted(self) -> None:
        self._days.replayed()

    def counts(self) -> dict[str, int]:
        return {}


def _marked_to_frame(
    lf: pl.LazyFrame,
    schema: pl.Schema,
    closes: pl.LazyFrame,
    groups: Groups,
    held: Groups,
    price_col: str,
    close_col: str,
) -> pl.LazyFrame:
    close_schema = closes.collect_schema()
    check_price(close_schema, close_col, "close")

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        if "close_return" not in wanted:
            yield from batches(lf.select(wanted))
            return
        table = collect(closes.select(once(*held.names, close_col)))
        index, seen, reading = keyed(unique=True), held.reading(), groups.reading()
        keys = seen.keys(table)
        seen.done()
        try:
            index.observe([None, *keys])
            index.finish()
        except DataError as error:
            if error.row is None:
                raise
            what = ", ".join(f"{key} {table[key][error.row]!r}" for key in held.names) or "one instrument"
            raise DataError(
                f"close: there are two rows of {what}, the second in row {error.row}; one row each is needed",
                column=held.names[0] if held.names else close_col,
                row=error.row,
            ) from error
        needed = once(*groups.names, price_col, *(name for name in wanted if name != "close_return"))
        for part in slices(lf.select(needed)):
            found = pl.Series(index.find([None, *reading.keys(part)])[0])
            returns = price_return(table[close_col].gather(found), part[price_col])
            yield part.with_columns(returns.alias("close_return")).select(wanted)

    return source(produce, {**schema, "close_return": pl.Float64()}, "mark_to_close", lf)
