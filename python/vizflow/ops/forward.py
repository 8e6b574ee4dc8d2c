"""Returns at horizons. Not for looking up other columns: see `quotes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import polars as pl

import vizflow._core as _core
from vizflow.dates import Day
from vizflow.errors import ConfigError, SchemaError, translated
from vizflow.lazy.frames import Frame, as_lazy, column_type, plugin, require, require_new, threads
from vizflow.lazy.two_pass import batches, origin, two_pass
from vizflow.market import Market
from vizflow.numbers import real
from vizflow.ops.columns import ELAPSED, METHODS, NO_END, SECOND
from vizflow.ops.stamps import local_day as _local_day
from vizflow.schema.groups import Groups, Names, Reading, groups_of, key_names, paired

Method: TypeAlias = Literal["backward", "forward", "nearest"]
Gaps: TypeAlias = Literal["bridge", "null"]


def forward_return(
    df: Frame,
    horizons: Sequence[float],
    price_col: str = "price",
    time_col: str = ELAPSED,
    symbol_col: Names = "symbol",
    *,
    method: Method = "backward",
    tolerance: float | None = None,
    end: float | Market | None = None,
    prices: Frame | None = None,
    gaps: Gaps = "bridge",
    date: Day | None = None,
    date_col: str | None = "date",
) -> pl.LazyFrame:
    """Add ``return_{h}`` for each horizon: ``p(t + h) / p(t) - 1``.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``, in any row order.
    horizons
        Seconds, positive, each once; fractions make names such as ``return_0.5``.
    price_col
        The row's own price p(t); any number or decimal. Without `prices` also where p(t + h) is looked up. What a price
        is: see `mid`.
    time_col
        Seconds (integer or float), Duration, Time, Datetime or Date.
    symbol_col
        Instrument: a column's name, a list of names, or None for one instrument. A column ``date``, where the frame has
        one, separates days too: days never mix.
    method
        Which observation is p(t + h): ``"backward"`` the last at or before t + h, ``"forward"`` the first at or after,
        ``"nearest"`` the closest (a tie takes the earlier).
    tolerance
        Seconds that the observation may lie from t + h; None for no limit.
    end
        No return reaches past it: seconds in `time_col`'s terms, or a `Market`, the end of whose day counts: that of
        each row's ``date`` where the frame has that column, that of `date` where it is given (`Market.end_on`), so no
        return reaches past the end of a half day; else the market's usual length. ``end=market.seconds`` is its usual
        length on every day.
    prices
        A second frame, quotes for example, with `symbol_col`, `time_col`, `price_col`, to look up p(t + h) in. Both
        frames have the column ``date``, or neither; or `date` says of which day the one without it is.
    gaps
        What a row without a price is, where p(t + h) is looked up: ``"bridge"``, none at all, so that the observation
        before it (or after it: `method`) is taken, if it is within `tolerance`; or ``"null"``, an observation of no
        price, so that the return is null: while a stock is at its price limit its mid is not known.
    date
        Trading day of all rows of a frame without ``date``: for `end`, a `Market`, and to look up in a frame that has
        the column (or where only `df` has it: each of its rows must then be of that day).
    date_col
        Column of the day; ``"date"`` need not be there. None: no column of the frame is a day.

    Returns
    -------
    LazyFrame
        The input's rows in their order, its columns unchanged, and a Float64 column a horizon. Observations are rows
        with a price (under ``gaps="null"`` also those without) and a time; the last row wins among equal times. Null
        when t + h is past the symbol's last observation or `end` (a late trade is never priced with the day's last
        quote), when the observation is out of `tolerance`, when there is none, when the row's own price or time is
        missing, or where the quotient leaves Float64. Never NaN or infinite.

    Raises
    ------
    SchemaError
        A column is missing, of another type, or ``return_{h}`` is there already.
    ConfigError
        No horizon, one that is not positive, or one given twice; another option not accepted.
    DataError, CalendarRangeError
        When collected, ``end`` being a `Market`: a ``date`` is not traded, or not known (count and row: the batch's);
        or `date` is not the day of the rows that it is said to be (count and row: the batch's).
    ReplayError
        When collected: the input gave other rows when read a second time; ``.collect()`` it first.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"symbol": ["a"] * 4, "elapsed_seconds": [0, 60, 90, 150], "price": [100.0, 101, 102, 99]})
    >>> vf.forward_return(df, [60]).collect()["return_60"].to_list()
    [0.010000000000000009, 0.00990099009900991, -0.02941176470588236, None]

    The stock is at its limit at 60 s, so its mid is missing. The return is bridged with the mid of 0 s, or null, which
    is what `merge_forward` gives of the same quotes:

    >>> mids = pl.DataFrame({"symbol": ["a"] * 3, "elapsed_seconds": [0, 60, 120], "price": [10.0, None, 11.0]})
    >>> vf.forward_return(mids, [60]).collect()["return_60"].to_list()
    [0.0, None, None]
    >>> vf.forward_return(mids, [60], gaps="null").collect()["return_60"].to_list()
    [None, None, None]
    >>> vf.merge_forward(mids, mids, ["price"], [60]).collect()["price_60"].to_list()
    [None, 11.0, None]
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    seconds = _check_horizons(horizons)
    names = [f"return_{_spell(h)}" for h in seconds]
    _check_observations(schema, price_col, time_col)
    quotes = None if prices is None else as_lazy(prices)
    if quotes is None:
        groups, quoted = groups_of(schema, symbol_col, date_col, "symbol_col"), None
    else:
        require(quotes.collect_schema(), [price_col, time_col, *key_names(symbol_col, "symbol_col")], "prices")
        _check_observations(quotes.collect_schema(), price_col, time_col)
        named = ("symbol_col", "the frame", "prices")
        groups, quoted = paired(schema, quotes.collect_schema(), symbol_col, date_col, date, named)
    require_new(schema, names, "forward_return")
    if method not in METHODS:
        raise ConfigError(f"method is {method!r}; 'backward', 'forward' or 'nearest' is accepted")
    within = real(tolerance)
    if tolerance is not None and (within is None or not 0 <= within < 1e9):
        raise ConfigError(f"tolerance is {tolerance!r}; seconds from 0 to below 1e9, or None, are accepted")
    if gaps not in ("bridge", "null"):
        raise ConfigError(f"gaps is {gaps!r}; 'bridge' or 'null' is accepted")
    end_ns, left = day_end(end, date, schema, time_col, groups)
    options: dict[str, Any] = {
        "horizons_ns": [round(h * SECOND) for h in seconds],
        "method": METHODS[method],
        "tolerance_ns": -1 if within is None else round(within * SECOND),
        "end_ns": end_ns,
        "quotes": quotes is not None,
        "gaps": gaps == "null",
        "names": "".join(name + "\0" for name in names).encode(),
        "n_threads": threads(),
    }
    columns = [time_col, price_col, *groups.names]

    def marked(frame: pl.LazyFrame) -> pl.LazyFrame:
        return two_pass(
            frame,
            lambda wanted: _MarkStep([time_col, price_col], groups, quoted, names, options, quotes, left),
            schema={**frame.collect_schema(), **dict.fromkeys(names, pl.Float64())},
            added=names,
            name="forward_return",
            one_to_one=True,
        )

    under = origin(lf)
    if under is None or not set(columns) <= set(under.frame.collect_schema()):
        return marked(lf)
    # The frame repeats rows (FIFO pieces). Neighbours that are the same observation change no return, so the rows are
    # marked before they are repeated: the same result from fewer rows.
    return under.rebuild(marked(under.frame), [*schema.names(), *names])


def _check_observations(schema: pl.Schema, price_col: str, time_col: str) -> None:
    price = column_type(schema, price_col, "price_col")
    time = column_type(schema, time_col, "time_col")
    if not (price.is_numeric() or price == pl.Null):
        raise SchemaError(f"price_col {price_col!r} is {price}; a number is needed, so cast it first", column=price_col)
    if not (time.is_integer() or time.is_float() or time.is_temporal() or time == pl.Null):
        raise SchemaError(
            f"time_col {time_col!r} is {time}; seconds, Duration, Time, Datetime and Date are accepted", column=time_col
        )


def _check_horizons(horizons: Sequence[float]) -> list[float]:
    if real(horizons) is not None:
        raise ConfigError(f"horizons is a list of seconds, for example [{horizons}]")
    seconds = []
    for given in horizons:
        h = real(given)
        if h is None or not 0 < h < 1e9 or round(h * SECOND) == 0:
            raise ConfigError(f"horizon {given!r}: a positive number of seconds, below 1e9, is accepted")
        seconds.append(h)
    if not seconds:
        raise ConfigError("horizons is empty; seconds such as [60, 300] are accepted")
    seen: set[int] = set()
    for h in seconds:
        if round(h * SECOND) in seen:
            raise ConfigError(f"horizon {h!r} is given twice")
        seen.add(round(h * SECOND))
    return seconds


def _spell(seconds: float) -> str:
    return str(int(seconds)) if seconds == int(seconds) else repr(float(seconds))


def day_end(
    end: float | Market | None, date: Day | None, schema: pl.Schema, time_col: str, groups: Groups
) -> tuple[int, pl.Expr | None]:
    """Return the end of all rows' days in ns; or, where each row's ``date`` has its own, what is left of it (ns)."""
    column = groups.date if groups.said is None else None
    if isinstance(end, Market):
        if isinstance(schema[time_col], (pl.Datetime, pl.Date, pl.Time)):
            raise ConfigError(
                f"end={end.name} counts trading time from the open, and time_col {time_col!r} is {schema[time_col]}; "
                "take elapsed_seconds, which parse_time gives, or leave end out"
            )
        if date is not None and column is not None:
            raise ConfigError(f"date={date!r} is given, but the frame has a column {column!r}; leave one out")
        if date is not None:
            return end.end_on(date) * SECOND, None
        text = end._ends_text if column is not None else None
        if text is None or column is None:
            return end.seconds * SECOND, None
        day = _local_day(column, schema[column], end, f"end={end.name} (end={end.name}.seconds reads no dates): column")
        return NO_END, plugin("clock_left_on", [pl.col(time_col), day], calendar=text, zone=end._zone_text)
    if date is not None and groups.said is None:
        raise ConfigError(
            "date says how long a market is traded (give end=, the Market), or of which day a frame without a column "
            "of days is where the other has one; here it says nothing: leave it out"
        )
    if end is None:
        return NO_END, None
    seconds = real(end)
    if seconds is None or not abs(seconds) <= 9e9:
        raise ConfigError(f"end is {end!r}; seconds, a Market, or None are accepted")
    return round(seconds * SECOND), None


def before_end(values: pl.Series, left: pl.Series, horizon_ns: int) -> pl.Series:
    """Null the values of rows whose t + h lies past their day's end, of which `left` ns are left."""
    both = pl.DataFrame([values.alias("values"), left.alias("left")])
    kept = both.select(pl.when(pl.col("left") >= horizon_ns).then(pl.col("values")))
    return kept.to_series().alias(values.name)


def left_of(batch: pl.DataFrame, left: pl.Expr) -> pl.Series:
    """Return what is left of each row's day, in ns."""
    with translated():
        return batch.select(left).to_series()


class _MarkStep:
    """`forward_return` for `two_pass`."""

    def __init__(
        self,
        values: list[str],
        groups: Groups,
        quoted: Groups | None,
        names: list[str],
        options: dict[str, Any],
        quotes: pl.LazyFrame | None,
        left: pl.Expr | None,
    ) -> None:
        self.columns = list(dict.fromkeys([*values, *groups.names]))
        self._groups, self._quoted = groups, quoted
        self._learnt = groups.reading()
        self._left = left
        self._horizons: dict[str, int] = dict(zip(names, options["horizons_ns"], strict=True))
        self._values = values
        self._names = names
        self._quotes = quotes
        self._mark = _core.Mark(**options)

    def covers(self, wanted: Sequence[str]) -> bool:
        return True

    def learn(self, batch: pl.DataFrame) -> None:
        self._mark.update(self._columns(batch, self._learnt))

    def _columns(self, batch: pl.DataFrame, reading: Reading) -> list[pl.Series]:
        return [*(batch[name] for name in self._values), *reading.keys(batch)]

    def learnt(self) -> None:
        self._learnt.done()
        if self._quotes is not None and self._quoted is not None:
            reading = self._quoted.reading()
            for batch in batches(self._quotes.select(list(dict.fromkeys([*self._values, *self._quoted.names])))):
                self._mark.observe(self._columns(batch, reading))
            reading.done()
        self._mark.finish()

    def emit(self, batch: pl.DataFrame, row: int, wanted: list[str]) -> Callable[[], pl.DataFrame]:
        again = self._columns(batch, self._groups.reading(row))
        found = zip(self._names, self._mark.emit(row, batch.height, again), strict=True)
        returns = {name: pl.Series(name, column) for name, column in found if name in wanted}
        return lambda: self._marked(batch, returns, wanted)

    def _marked(self, batch: pl.DataFrame, found: Mapping[str, pl.Series], wanted: list[str]) -> pl.DataFrame:
        returns = found
        if self._left is not None and returns:
            left = left_of(batch, self._left)
            returns = {name: before_end(values, left, self._horizons[name]) for name, values in returns.items()}
        return pl.DataFrame([returns[name] if name in returns else batch[name] for name in wanted])

    def emitted(self) -> None:
        self._mark.replayed()

    def counts(self) -> dict[str, int]:
        return {}
