"""Prices across days and frames: overnight returns, the day's bars, marks to the close, quotes merged at other times.

Rows meet by key and by the calendar, never by shifting; what is found is a row number, computed in C. Not for returns
within one frame over a horizon: `vizflow.ops.forward_return`. Quantile bins are in `vizflow.quantiles`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal, overload

import polars as pl

import vizflow._core as _core
from vizflow import io
from vizflow._clock import TimeUnit
from vizflow._sides import SideValue, check_sides
from vizflow.config import Config
from vizflow.dates import Day, _day, check_date
from vizflow.errors import CalendarRangeError, ConfigError, DataError, SchemaError, StorageError, translated
from vizflow.files import places
from vizflow.lazy.frames import Frame, as_lazy, column_type, plugin, require, require_new, threads
from vizflow.lazy.two_pass import BATCH_ROWS, batches, is_replayable, source, two_pass
from vizflow.market import Market, Session, grace_nanoseconds
from vizflow.numbers import real
from vizflow.ops import ELAPSED, Gaps, Method, _before_end, _day_end, _left, parse_time
from vizflow.schema.groups import Groups, Names, Reading, as_dates, check_key, groups_of, key_names, paired

__all__ = ["daily", "mark_to_close", "merge_forward", "overnight_return", "sign_by_side"]


_METHODS = {"backward": 0, "forward": 1, "nearest": 2}
_SECOND = 1_000_000_000
_DAY_SECONDS = 86_400
_NO_END = 2**63 - 1
_FLOAT32_NONE = 3.4028234663852886e38  # its largest: vendors' "no price"; of Float64 that is 1e300 and more
_BAR = ("open", "high", "low", "close")
_COUNTS = ("n", "n_outside", "n_invalid")
_WALL = "__vf_wall"
_DAY = "__vf_day"

# ---- what several of them need ----------------------------------------------------------------------------------


def _once(*names: str) -> list[str]:
    return list(dict.fromkeys(names))


def _parts(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    for batch in batches(frame):
        yield from batch.iter_slices(BATCH_ROWS)


def _collect(frame: pl.LazyFrame) -> pl.DataFrame:
    with translated():
        return frame.collect(engine="streaming")


def _cheap(frame: pl.LazyFrame, columns: Iterable[str]) -> pl.LazyFrame:
    """Give a frame that may be read twice: itself, or its columns collected once where it is dear to compute."""
    names = _once(*columns)
    return frame.select(names) if is_replayable(frame) else _collect(frame.select(names)).lazy()


def _price_return(later: pl.Series, earlier: pl.Series) -> pl.Series:
    """``later / earlier - 1`` in C; null where either is no price."""
    with translated():
        return pl.DataFrame([later.alias("later"), earlier.alias("earlier")]).select(
            plugin("price_return", [pl.col("later"), pl.col("earlier")])
        )["later"]


def _keyed(*, unique: bool) -> _core.Asof:
    """Make a look-up by key alone."""
    return _core.Asof(
        horizons_ns=[0],
        method=_METHODS["backward"],
        tolerance_ns=-1,
        end_ns=_NO_END,
        strict=False,
        past_last=True,
        unique=unique,
        n_threads=threads(),
    )


def _check_price(schema: pl.Schema, name: str, option: str) -> None:
    dtype = column_type(schema, name, option)
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise SchemaError(f"{option} {name!r} is {dtype}; a number is needed, so cast it first", column=name)


def _check_time(schema: pl.Schema, name: str, option: str) -> None:
    dtype = column_type(schema, name, option)
    if not (dtype.is_integer() or dtype.is_float() or dtype.is_temporal() or dtype == pl.Null):
        raise SchemaError(
            f"{option} {name!r} is {dtype}; seconds, Duration, Time, Datetime and Date are accepted", column=name
        )


# ---- over night -------------------------------------------------------------------------------------------------


def overnight_return(
    df: Frame,
    calendar: pl.DataFrame | pl.LazyFrame,
    *,
    daily: Frame | None = None,
    date_col: str = "date",
    symbol_col: Names = "symbol",
    open_col: str = "open",
    close_col: str = "close",
    prev_close_col: str | None = None,
    date: str | dt.date | None = None,
    missing: Literal["raise", "null"] = "raise",
) -> pl.LazyFrame:
    """Add ``overnight_return``: ``open(next trading day) / close(day) - 1``.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``, of one date or of many, in any row order.
    calendar
        Trading days with ``date`` and ``next_date`` (see `vizflow.calendar`).
    daily
        A frame with a row a symbol and date, which holds the prices: `daily` makes one of the days' files. None: `df`
        is such a frame itself.
    date_col, symbol_col
        Columns that `df` and `daily` share. Dates are Date, Datetime (its day), or integers or text written YYYYMMDD
        (ISO text too). The symbol: a column's name, a list of names, or None for one instrument.
    open_col, close_col
        Price columns of `daily`.
    prev_close_col
        Column of `daily` with the previous close that the exchange publishes for the day, adjusted for what the stock
        went ex. The return is then ``open(next) / prev_close(next) - 1``, and `close_col` is not read.
    date
        The date of a `df` that has no `date_col`; needs `daily`.
    missing
        What a next trading day is of which `daily` holds no row at all: an error (``"raise"``), or null returns.

    Returns
    -------
    LazyFrame
        The input's rows in their order, its columns unchanged, and ``overnight_return`` (Float64). Rows are joined on
        (symbol, the calendar's next date). Null where either price is missing or none (see `mid`): a stock that
        is suspended on the next day has no row there, or no open, and never gets the open of a later one. Null where
        symbol or date is null, and on the calendar's last day, whose next is not known.

    Raises
    ------
    SchemaError
        A column is missing, of another type, or ``overnight_return`` is there already.
    ConfigError
        An option is not accepted, or the calendar has a gap.
    CalendarRangeError
        When collected: a date of `df` lies outside the calendar.
    DataError
        When collected: a date of `df` is no trading day; `daily` holds no row of the next one; or it has two rows of
        one symbol and date.

    Notes
    -----
    The previous close is the exchange's reference price of an ex-date. Shanghai's is ``((previous close - cash
    dividend) + rights price * change in shares) / (1 + change in shares)`` (Trading Rules of Shanghai Stock Exchange,
    2018 revision, 4.3.2); on other days it is the previous close, and both returns are the same. Without it a dividend
    shows as a loss. A data vendor's suspended day may repeat the old close as its open: drop such rows (volume 0)
    first.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> days = vf.calendar.generate(["20240102", "20240103", "20240104"])
    >>> daily = pl.DataFrame({
    ...     "symbol": ["a", "b", "a", "a", "b"],
    ...     "date": pl.Series(["2024-01-02", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-04"]).str.to_date(),
    ...     "open": [10.0, 20.0, 10.5, 10.0, 30.0],
    ...     "close": [10.0, 20.0, 10.0, 11.0, 30.0],
    ... })
    >>> vf.overnight_return(daily, days).collect().select("symbol", "date", "overnight_return")
    shape: (5, 3)
    ┌────────┬────────────┬──────────────────┐
    │ symbol ┆ date       ┆ overnight_return │
    │ ---    ┆ ---        ┆ ---              │
    │ str    ┆ date       ┆ f64              │
    ╞════════╪════════════╪══════════════════╡
    │ a      ┆ 2024-01-02 ┆ 0.05             │
    │ b      ┆ 2024-01-02 ┆ null             │
    │ a      ┆ 2024-01-03 ┆ 0.0              │
    │ a      ┆ 2024-01-04 ┆ null             │
    │ b      ┆ 2024-01-04 ┆ null             │
    └────────┴────────────┴──────────────────┘
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    prices = lf if daily is None else as_lazy(daily)
    price_schema = schema if daily is None else prices.collect_schema()
    symbols = key_names(symbol_col, "symbol_col")
    for name in symbols:
        check_key(schema, name, "symbol_col")
    day = _one_date(date, schema, date_col, daily is not None)
    if day is None:
        _check_dates(schema, date_col, "date_col")
    for name in symbols:
        check_key(price_schema, name, "daily")
    _check_dates(price_schema, date_col, "daily")
    price_columns = [open_col, close_col if prev_close_col is None else prev_close_col]
    for name in price_columns:
        _check_price(price_schema, name, "daily" if daily is not None else "open_col, close_col, prev_close_col")
    require_new(schema, ["overnight_return"], "overnight_return")
    if missing not in ("raise", "null"):
        raise ConfigError(f"missing is {missing!r}; 'raise' or 'null' is accepted")
    days = _trading_days(calendar)

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        if "overnight_return" not in wanted:
            yield from batches(lf.select(wanted))
            return
        keys = [*symbols, *([date_col] if day is None else [])]
        needed = _once(*keys, *(name for name in wanted if name != "overnight_return"))
        own = [*needed, *symbols, date_col, *price_columns] if daily is None else needed
        frame = _cheap(lf, own) if daily is None else lf
        held = frame if daily is None else prices
        table = _Nights(
            _collect(held.select(_once(*symbols, date_col, *price_columns))),
            days,
            symbols,
            (date_col, open_col, price_columns[1]),
            adjusted=prev_close_col is not None,
            missing=missing,
        )
        row = 0
        for part in _parts(frame.select(needed)):
            dates = as_dates(part[date_col], row) if day is None else pl.repeat(day, part.height, eager=True)
            yield part.with_columns(
                table.returns([part[name] for name in symbols], dates).alias("overnight_return")
            ).select(wanted)
            row += part.height

    return source(produce, {**schema, "overnight_return": pl.Float64()}, "overnight_return", lf)


def _one_date(date: str | dt.date | None, schema: pl.Schema, date_col: str, has_daily: bool) -> dt.date | None:
    if date is None:
        if date_col not in schema:
            raise SchemaError(
                f"date_col: there is no column {date_col!r}; give date= (and daily=) for a frame of one date, or the "
                "column's name",
                column=date_col,
            )
        return None
    if date_col in schema:
        raise ConfigError(f"date={date!r} is given, but the frame has a column {date_col!r}; leave one out")
    if not has_daily:
        raise ConfigError("date= is for a frame of one date, which needs daily= for the next day's prices")
    return _day(date)


def _check_dates(schema: pl.Schema, name: str, option: str) -> None:
    dtype = column_type(schema, name, option)
    if not (dtype in (pl.Date, pl.Datetime, pl.String, pl.Null) or dtype.is_integer()):
        raise SchemaError(
            f"{option}: the column {name!r} is {dtype}; Date, Datetime, or text or integers written YYYYMMDD, are "
            "accepted",
            column=name,
        )


def _trading_days(calendar: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """Check a calendar: each day once, next_date after it and null only on the last."""
    frame = as_lazy(calendar)
    schema = frame.collect_schema()
    for name in ("date", "next_date"):
        if column_type(schema, name, "calendar") != pl.Date:
            raise SchemaError(f"calendar: the column {name!r} is {schema[name]}; Date is needed", column=name)
    days = _collect(frame.select("date", "next_date")).sort("date")
    if days.height == 0:
        raise ConfigError(
            "the calendar holds no day; make one with vf.calendar (generate, load, from_files), or set "
            "Config.calendar_path for ctx.calendar"
        )
    if days["date"].null_count() > 0 or days["date"].n_unique() < days.height:
        raise ConfigError("the calendar holds a day twice, or a null date")
    following = days.with_columns(after=pl.col("date").shift(-1))
    wrong = following.filter(
        (pl.col("next_date").is_null() & pl.col("after").is_not_null())
        | (pl.col("next_date") <= pl.col("date"))
        | (pl.col("next_date") > pl.col("after"))
    )
    if wrong.height > 0:
        date, said, after = wrong.row(0)
        raise ConfigError(
            f"the calendar says that {said or 'no day'} follows {date}, though it knows {after}: next_date may be null "
            "on its last day only; make it anew with vf.calendar.generate(days)"
        )
    return days


class _Nights:
    """Overnight returns of a symbol x date frame, to be looked up."""

    def __init__(
        self,
        frame: pl.DataFrame,
        days: pl.DataFrame,
        symbols: list[str],
        columns: tuple[str, str, str],
        *,
        adjusted: bool,
        missing: str,
    ) -> None:
        date, open_, base = columns
        keys = [frame[name] for name in symbols]
        self._missing = missing
        self._next: dict[dt.date, dt.date | None] = dict(days.iter_rows())
        dates = as_dates(frame[date])
        self._present = set(dates.drop_nulls().unique().to_list())
        self._checked: set[dt.date] = set()
        self._index = _keyed(unique=True)
        try:
            self._index.observe([None, *keys, dates])
            self._index.finish()
        except DataError as error:
            if error.row is None:
                raise
            what = ", ".join(f"{key.name} {key[error.row]!r}" for key in keys) or "one instrument"
            raise DataError(
                f"there are two rows of {what} on {dates[error.row]}, the second in row "
                f"{error.row}; one row a symbol and date is needed: pass daily=, which vf.daily makes of the days' "
                "files",
                column=[*symbols, date][0],
                row=error.row,
            ) from error
        following = dates.to_frame("date").join(days, on="date", how="left", maintain_order="left")["next_date"]
        then = pl.Series(self._index.find([None, *keys, following])[0])
        earlier = frame[base].gather(then) if adjusted else frame[base]
        self._returns = _price_return(frame[open_].gather(then), earlier)

    def returns(self, symbols: list[pl.Series], dates: pl.Series) -> pl.Series:
        for date in dates.unique().drop_nulls().sort().to_list():
            self._check(date)
        return self._returns.gather(pl.Series(self._index.find([None, *symbols, dates])[0]))

    def _check(self, date: dt.date) -> None:
        if date in self._checked:
            return
        if date not in self._next:
            first, last = min(self._next), max(self._next)
            if first <= date <= last:
                raise DataError(
                    f"{date} is no trading day of the calendar; take another calendar, or filter the date out"
                )
            raise CalendarRangeError(
                f"{date} lies outside the calendar, which knows {first} to {last}; extend it with calendar.generate, "
                "load or from_files"
            )
        following = self._next[date]
        self._require(date, date)
        if following is not None:
            self._require(following, date)
        self._checked.add(date)

    def _require(self, date: dt.date, asked: dt.date) -> None:
        if date in self._present or self._missing == "null":
            return
        which = "" if date == asked else f", the trading day after {asked},"
        raise DataError(
            f"there is no row of {date}{which} among the daily prices; add that day to daily= "
            f"(vf.daily(config, [..., '{date:%Y%m%d}'])), pass missing='null', or make a calendar that ends before it "
            "with vf.calendar.generate"
        )


# ---- days -------------------------------------------------------------------------------------------------------


def daily(
    config: Config,
    dates: Sequence[str],
    *,
    price: str | pl.Expr | None = None,
    volume: str | pl.Expr | None = None,
    symbol_col: Names = None,
    timestamp_col: str | None = None,
    unit: TimeUnit | None = None,
    grace: float = 0,
    where: pl.Expr | None = None,
    date_col: str | None = "date",
) -> pl.LazyFrame:
    """Make a symbol x date frame of the days' files: open, high, low, close, volume, first and last time.

    Parameters
    ----------
    config
        Where the files lie, their schema, the market, and the columns' names (`Config.col`).
    dates
        ``YYYYMMDD``, each once. Each needs its file.
    price
        Column or expression; None takes ``config.col("price")``. A file without one may have
        ``vf.mid("BidPrice1", "AskPrice1")``.
    volume
        Column or expression to sum; None takes ``config.col("volume")`` where the first file has it, and else gives no
        volume. It must be what was traded, not a running total.
    symbol_col, timestamp_col
        None takes ``config.col("symbol")`` and ``config.col("timestamp")``. Several names of the symbol's columns are a
        list; ``[]`` is one instrument. Stamps that have a date and are of another trading day are outside, as in
        `parse_time`.
    unit
        How integers spell time, as in `parse_time`.
    grace
        The auction prints' policy, as in `parse_time`: seconds within which a print outside every session counts, at
        the session's end. 0: continuous trading only, so CN's open is the first print from 09:30 on; 300: its 09:25
        auction print is the open. The closing auction of a market that prints it after the close needs one too.
    where
        Rows to count, an expression over the file's columns: trades only, say.
    date_col
        Column of the day, where the files have it: each row must be of its file's date. None: it is no day.

    Returns
    -------
    LazyFrame
        Sorted by date as given, then symbol. Columns ``date`` (Date), the symbol (name and type as in the files),
        ``open``, ``high``, ``low``, ``close`` (Float64), ``volume`` (Int64; of floats Float64, of decimals
        Decimal(38, their scale)), ``first_time`` and
        ``last_time`` (elapsed seconds, in the type `parse_time` gives), ``n`` (rows that count), ``n_outside`` (rows
        whose time is in no session, of another trading day, null or impossible, not counted) and ``n_invalid`` (rows
        without a price, see `mid`, not counted). A symbol of which no row counts has null prices and times. Rows
        that share an elapsed time are ordered by the wall clock, then as in the file. Files are read day by day when
        the frame is collected, batch by batch; memory holds one row a symbol.

    Raises
    ------
    StorageError
        A day's file is missing or unreadable.
    ConfigError
        No date, one given twice, or one that is not written YYYYMMDD.
    SchemaError
        A column is missing, or of another type than on the first day: settle it in ``Config(schema=...)``.
    DataError
        When collected: a null symbol, a row of another date than its file, or a negative or NaN volume.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> for date, prices in {"20240102": [10.0, 10.2, 10.1], "20240103": [10.3, 10.4, 10.0]}.items():
    ...     day = pl.DataFrame({"symbol": ["a"] * 3, "t": [92500, 93001, 145959], "price": prices, "volume": [5, 1, 2]})
    ...     path = vf.save(day, f"days/{date}.feather")
    >>> config = vf.Config(input_dir="days", columns={"timestamp": "t"})
    >>> bars = vf.daily(config, ["20240102", "20240103"], unit="HHMMSS", grace=300).collect()
    >>> bars.select("date", "open", "high", "low", "close", "volume", "first_time", "last_time")
    shape: (2, 8)
    ┌────────────┬──────┬──────┬──────┬───────┬────────┬────────────┬───────────┐
    │ date       ┆ open ┆ high ┆ low  ┆ close ┆ volume ┆ first_time ┆ last_time │
    │ ---        ┆ ---  ┆ ---  ┆ ---  ┆ ---   ┆ ---    ┆ ---        ┆ ---       │
    │ date       ┆ f64  ┆ f64  ┆ f64  ┆ f64   ┆ i64    ┆ i64        ┆ i64       │
    ╞════════════╪══════╪══════╪══════╪═══════╪════════╪════════════╪═══════════╡
    │ 2024-01-02 ┆ 10.0 ┆ 10.2 ┆ 10.0 ┆ 10.1  ┆ 8      ┆ 0          ┆ 14399     │
    │ 2024-01-03 ┆ 10.3 ┆ 10.4 ┆ 10.0 ┆ 10.0  ┆ 8      ┆ 0          ┆ 14399     │
    └────────────┴──────┴──────┴──────┴───────┴────────┴────────────┴───────────┘
    """
    days = _check_days(config, dates)
    market = Market.get(config.market)
    grace_nanoseconds(grace)
    symbols = [config.col("symbol")] if symbol_col is None else key_names(symbol_col, "symbol_col")
    stamp = timestamp_col or config.col("timestamp")
    if volume is None:
        day = io.scan(config.get_file_path(days[0]), schema=config.schema, csv=config.csv)
        volume = config.col("volume") if config.col("volume") in day.collect_schema() else None

    def prepare(date: str) -> pl.LazyFrame:
        lf = io.scan(config.get_file_path(date), schema=config.schema, csv=config.csv)
        schema = lf.collect_schema()
        for symbol in symbols:
            check_key(schema, symbol, f"{config.get_file_path(date)}: symbol")
        require(schema, [stamp], f"{config.get_file_path(date)}: timestamp")
        lf = lf if where is None else lf.filter(where)
        values = {"__vf_price": _expression(price, config.col("price"), schema, config.get_file_path(date))}
        if volume is not None:
            values["__vf_volume"] = _expression(volume, "", schema, config.get_file_path(date))
        if groups_of(schema, symbols, date_col, "symbol_col").date is not None:
            values[_DAY] = pl.col(date_col or "")
        lf = lf.select(*symbols, pl.col(stamp).alias("__vf_stamp"), **values)
        today = _market_on(market, date)
        lf = parse_time(lf, _span(today, grace), "__vf_stamp", unit=unit).rename({ELAPSED: _WALL})
        return parse_time(lf, today, "__vf_stamp", unit=unit, grace=grace)

    first = prepare(days[0]).collect_schema()
    _check_price(first, "__vf_price", "price")
    if volume is not None:
        _check_price(first, "__vf_volume", "volume")
    out = _daily_schema(first, symbols, volume is not None)
    names = [
        value if isinstance(value, str) else default
        for value, default in ((price, config.col("price")), (volume, config.col("volume")))
    ]

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        for date in days:
            path = config.get_file_path(date)
            lf = prepare(date)
            _check_drift(lf.collect_schema(), first, path, symbols)
            with io.reading(path):
                try:
                    bars = _one_day(lf, date, symbols, out)
                except DataError as error:
                    text = str(error).replace("__vf_price", names[0]).replace("__vf_volume", names[1])
                    if _DAY in text:
                        text = f"{text.replace(_DAY, date_col or '')}; or pass date_col=None where it is no day"
                    column = {"__vf_price": names[0], "__vf_volume": names[1], _DAY: date_col}.get(
                        error.column or "", error.column
                    )
                    raise type(error)(f"{path}: {text}", column=column, row=error.row, count=error.count) from None
            yield bars.select(wanted)

    return source(produce, out, "daily")


def _check_days(config: Config, dates: Sequence[str]) -> list[str]:
    if isinstance(dates, str):
        raise ConfigError(f"dates is a list of days, for example [{dates!r}]")
    days = [check_date(date) for date in dates]
    if not days:
        raise ConfigError("dates is empty; days such as ['20240102', '20240103'] are accepted")
    seen: set[str] = set()
    for date in days:
        if date in seen:
            raise ConfigError(f"date {date!r} is given twice")
        seen.add(date)
    paths = [config.get_file_path(date) for date in days]
    missing = [path for path in paths if places.look(path, missing_ok=True) is None]
    if missing:
        raise StorageError(
            f"{len(missing)} of {len(days)} days have no file, the first is {missing[0]}; take the dates from "
            "vf.calendar.from_files, or add the file"
        )
    return days


def _expression(value: str | pl.Expr | None, default: str, schema: pl.Schema, path: Any) -> pl.Expr:
    if isinstance(value, pl.Expr):
        require(schema, value.meta.root_names(), str(path))
        return value
    name = default if value is None else value
    column_type(schema, name, str(path))
    return pl.col(name)


def _market_on(market: Market, date: str) -> Market:
    """Give the market on a date."""
    if not market.sessions_on(date):
        raise ConfigError(f"{date} is no trading day of market {market.name!r}; leave it out of dates")
    return market.on(date)


def _span(market: Market, grace: float) -> Market:
    """Give one session from the first session's start to the last one's end, `grace` longer: a clock without breaks."""
    bounds = market.bounds_ns
    start, end = bounds[0][0] // _SECOND - math.ceil(grace), bounds[-1][1] // _SECOND + math.ceil(grace)
    if end - start > _DAY_SECONDS or end > _DAY_SECONDS:
        start, end = bounds[0][0] // _SECOND, bounds[-1][1] // _SECOND

    def spell(seconds: int) -> str:
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    return Market(market.name, [Session(spell(start % _DAY_SECONDS), spell(end))], market.timezone, date=market.date)


def _daily_schema(first: pl.Schema, symbols: list[str], has_volume: bool) -> dict[str, pl.DataType]:
    keys = {symbol: first[symbol] for symbol in symbols}
    out: dict[str, pl.DataType] = {"date": pl.Date(), **keys, **dict.fromkeys(_BAR, pl.Float64())}
    if has_volume:
        volume = first["__vf_volume"]
        exact = pl.Decimal(38, volume.scale) if isinstance(volume, pl.Decimal) else pl.Int64()
        out["volume"] = pl.Float64() if volume.is_float() else exact
    out |= {"first_time": first[ELAPSED], "last_time": first[ELAPSED], **dict.fromkeys(_COUNTS, pl.Int64())}
    names = 1 + len(symbols) + len(_BAR) + has_volume + 2 + len(_COUNTS)
    if len(out) < names:
        raise SchemaError(f"a symbol column of {symbols} has the name of a column that daily gives; rename it")
    return out


def _check_drift(schema: pl.Schema, first: pl.Schema, path: Any, symbols: list[str]) -> None:
    for name, option in (
        *((symbol, "symbol") for symbol in symbols),
        (ELAPSED, "timestamp"),
        ("__vf_volume", "volume"),
    ):
        if name not in first:
            continue
        now, then = schema[name], first[name]
        both = now.is_float() == then.is_float() and now.is_numeric() and now.is_decimal() == then.is_decimal()
        same = both and _scale(now) == _scale(then) if option == "volume" else now == then
        if not same:
            raise SchemaError(
                f"{path}: {option} is {now}, and was {then} on the first day; give it one type in Config(schema=...)",
                column=name,
            )


def _scale(dtype: pl.DataType) -> int:
    return dtype.scale if isinstance(dtype, pl.Decimal) else 0


def _in_units(volume: pl.Series, scale: int) -> pl.Series:
    """Give decimals in units of their last place, which are exact."""
    units: pl.Series = (volume.cast(pl.Decimal(38, scale), strict=False) * 10**scale).cast(pl.Int64, strict=False)
    lost = units.is_null() & volume.is_not_null()
    if lost.any():
        raise DataError(
            f"column {volume.name!r}: {volume[int(lost.arg_max() or 0)]} is too large: up to 2^63 units of the last "
            "decimal place are summed; cast the column to fewer places, or to Float64",
            column=volume.name,
            count=int(lost.sum()),
        )
    return units.alias(volume.name)


def _one_day(lf: pl.LazyFrame, date: str, symbols: list[str], out: dict[str, pl.DataType]) -> pl.DataFrame:
    has_volume = "volume" in out
    scale = _scale(out["volume"]) if has_volume and out["volume"].is_decimal() else None
    day = _core.Daily(end_ns=_NO_END, returns=False)
    dated = _DAY in lf.collect_schema()
    reading = Groups(tuple(symbols), _DAY if dated else None, "the file", said=_day(date), whole=True).reading()
    keys = [pl.DataFrame(schema={"date": pl.Date(), **{symbol: out[symbol] for symbol in symbols}})]
    for batch in batches(lf):
        for name in [*symbols, *([_DAY] if dated else [])]:
            _check_filled(batch[name])
        volume = batch["__vf_volume"] if has_volume else None
        if volume is not None and scale is not None:
            volume = _in_units(volume, scale)
        columns = [batch[ELAPSED], batch[_WALL], batch["__vf_price"], volume, *reading.keys(batch)]
        fresh = pl.Series(day.update(columns))
        keys.append(batch.select(pl.lit(_day(date)).alias("date"), *symbols)[fresh])
    bars = pl.DataFrame([pl.Series(one) for one in day.finish()])
    bars = pl.concat(keys).hstack(bars.drop(symbols, strict=False))
    if scale is not None:
        sums = [None if units is None else Decimal(units).scaleb(-scale) for units in bars["volume"]]
        bars = bars.with_columns(pl.Series("volume", sums, dtype=out["volume"]))
    return bars.select(pl.col(name).cast(dtype) for name, dtype in out.items()).sort(symbols or "date")


def _check_filled(column: pl.Series) -> None:
    if column.null_count() > 0:
        raise DataError(
            f"column {column.name!r} has nulls, {column.null_count()} in one batch; fill them, or leave those rows out "
            "with where=",
            column=column.name,
            count=column.null_count(),
        )


# ---- to the close -----------------------------------------------------------------------------------------------


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
    _check_price(schema, price_col, "price_col")
    require_new(schema, ["close_return"], "mark_to_close")
    if close is not None and (prices is not None or end is not None):
        raise ConfigError("close= says what the close is; prices= and end= are for finding it, so leave them out")
    if isinstance(close, str):
        if date is not None:
            raise ConfigError("close= says what the close is, row by row; date= says nothing here, so leave it out")
        _check_price(schema, close, "close")
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
    end_ns, left = _day_end(end, date, schema, time_col, groups) if close is None else (_NO_END, None)
    if close is not None:
        if date is not None and groups.said is None:
            raise ConfigError("date= is for a frame without a column of days, where the other has one; leave it out")
        return _marked_to_frame(lf, schema, as_lazy(close), groups, quoted, price_col, close_col)
    _check_time(schema, time_col, "time_col")
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
    _check_price(quote_schema, price_col, "prices")
    _check_time(quote_schema, time_col, "prices")
    quote_left = _day_end(end, date, quote_schema, time_col, quoted)[1]

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        if "close_return" not in wanted:
            yield from batches(lf.select(wanted))
            return
        days = _core.Daily(end_ns=end_ns, returns=False)
        seen, reading = quoted.reading(), groups.reading()
        held = _once(*columns, *quoted.names)
        none = pl.DataFrame(schema={name: quote_schema[name] for name in held})
        days.update(_close_columns(none, columns, seen, quote_left))
        for batch in batches(quotes.select(held)):
            days.update(_close_columns(batch, columns, seen, quote_left))
        seen.done()
        row = 0
        needed = _once(*columns, *groups.names, *(name for name in wanted if name != "close_return"))
        for part in _parts(lf.select(needed)):
            returns = pl.Series(days.returns(row, _close_columns(part, columns, reading, left)))
            yield part.with_columns(returns.alias("close_return")).select(wanted)
            row += part.height

    return source(produce, out, "mark_to_close", lf)


def _close_columns(
    batch: pl.DataFrame, columns: list[str], reading: Reading, left: pl.Expr | None
) -> list[pl.Series | None]:
    """Order (time, price, key, …) as `_core.Daily` wants it; a price past its day's end is none."""
    time, price = columns
    prices = batch[price] if left is None else _before_end(batch[price], _left(batch, left), 0)
    return [batch[time], None, prices, None, *reading.keys(batch)]


class _CloseStep:
    """`mark_to_close` by the frame's own observations, for `two_pass`."""

    def __init__(self, columns: list[str], groups: Groups, end_ns: int, left: pl.Expr | None) -> None:
        self.columns = _once(*columns, *groups.names)
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
    _check_price(close_schema, close_col, "close")

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        if "close_return" not in wanted:
            yield from batches(lf.select(wanted))
            return
        table = _collect(closes.select(_once(*held.names, close_col)))
        index, seen, reading = _keyed(unique=True), held.reading(), groups.reading()
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
        needed = _once(*groups.names, price_col, *(name for name in wanted if name != "close_return"))
        for part in _parts(lf.select(needed)):
            found = pl.Series(index.find([None, *reading.keys(part)])[0])
            returns = _price_return(table[close_col].gather(found), part[price_col])
            yield part.with_columns(returns.alias("close_return")).select(wanted)

    return source(produce, {**schema, "close_return": pl.Float64()}, "mark_to_close", lf)


# ---- sides ------------------------------------------------------------------------------------------------------


@overload
def sign_by_side(
    side: str | pl.Expr,
    side_col: str = ...,
    *,
    buy: SideValue | Sequence[SideValue],
    sell: SideValue | Sequence[SideValue],
    nulls: Literal["raise", "null"] = ...,
) -> pl.Expr: ...


@overload
def sign_by_side(
    side: pl.LazyFrame | pl.DataFrame,
    side_col: str = ...,
    *,
    buy: SideValue | Sequence[SideValue],
    sell: SideValue | Sequence[SideValue],
    nulls: Literal["raise", "null"] = ...,
) -> pl.LazyFrame: ...


def sign_by_side(
    side: Any,
    side_col: str = "side",
    *,
    buy: SideValue | Sequence[SideValue],
    sell: SideValue | Sequence[SideValue],
    nulls: Literal["raise", "null"] = "raise",
) -> pl.Expr | pl.LazyFrame:
    """Sign of a trade's side: +1 where it is a value of `buy`, -1 where it is one of `sell`; anything else raises.

    Parameters
    ----------
    side
        Column name or expression, which gives an expression; or a frame, which gives the frame with a column ``sign``.
    side_col
        The frame's column.
    buy, sell
        A value, or a list of values: text for strings, categoricals and enums, in any case; whole numbers and Booleans
        for columns of these, 1.0 being 1.
    nulls
        ``"raise"``: a null is an error like any other value. ``"null"``: it stays null.

    Returns
    -------
    Expr or LazyFrame
        Int64, wide enough to multiply any quantity.

    Raises
    ------
    ConfigError
        No value, or one on both sides.
    SchemaError
        The column is missing or of another type, or ``sign`` is there already.
    DataError
        When collected: values that are neither, with count, first row and the values found. (From a bare ``collect()``
        of an expression Polars raises its ``ComputeError`` with the same text.)

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"side": ["B", "S", "Sell"], "return_60": [0.01, 0.01, -0.02]})
    >>> sign = vf.sign_by_side("side", buy="B", sell=["S", "Sell"])
    >>> df.select(alpha=sign * pl.col("return_60"))["alpha"].to_list()
    [0.01, -0.01, 0.02]
    """
    options = _sign_options(buy, sell, nulls)
    if isinstance(side, (str, pl.Expr)):
        column = pl.col(side) if isinstance(side, str) else side
        return plugin("side_sign", [column], whole=True, **options)
    lf = as_lazy(side)
    schema = lf.collect_schema()
    dtype = column_type(schema, side_col, "side_col")
    if dtype.is_nested() or dtype.is_temporal() or dtype.is_decimal():
        raise SchemaError(
            f"side_col {side_col!r} is {dtype}; strings, numbers and Booleans are accepted", column=side_col
        )
    require_new(schema, ["sign"], "sign_by_side")
    return lf.with_columns(plugin("side_sign", [pl.col(side_col)], whole=True, **options).alias("sign"))


def _sign_options(buy: Any, sell: Any, nulls: str) -> dict[str, Any]:
    if nulls not in ("raise", "null"):
        raise ConfigError(f"nulls is {nulls!r}; 'raise' or 'null' is accepted")
    sides = check_sides(buy, sell, ("buy", "sell"))
    texts = [(value, 1 if is_buy else -1) for value, is_buy in sides if isinstance(value, str)]
    integers = [(value, 1 if is_buy else -1) for value, is_buy in sides if not isinstance(value, str)]
    if any("\0" in text for text, _ in texts):
        raise ConfigError("text with a NUL character is no side; other text, whole numbers and Booleans are accepted")
    return {
        "texts": "".join(f"{text}\0" for text, _ in texts),
        "integers": [value for value, _ in integers],
        "signs": [sign for _, sign in [*texts, *integers]],
        "nulls_fail": nulls == "raise",
    }


# ---- quotes at other times --------------------------------------------------------------------------------------


def merge_forward(
    df: Frame,
    quotes: Frame,
    columns: Sequence[str],
    horizons: Sequence[float] = (0,),
    time_col: str = ELAPSED,
    symbol_col: Names = "symbol",
    *,
    method: Method = "backward",
    tolerance: float | None = None,
    end: float | Market | None = None,
    strict: bool = False,
    past_last: Literal["null", "keep"] = "null",
    gaps: Gaps = "null",
    date: Day | None = None,
    date_col: str | None = "date",
) -> pl.LazyFrame:
    """Add columns of a quote frame as they are at t + h: ``{col}_{h}`` for each of `columns` and `horizons`.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``, in any row order.
    quotes
        Frame to look up in, in any row order, with `time_col`, `symbol_col` and `columns`. Those columns are held in
        memory. Both frames have the column ``date``, or neither; or `date` says of which day the one without it is.
    columns
        Columns of `quotes`, of any type.
    horizons
        Seconds from the row's own time, each once: positive ahead, negative back, 0 as of the row. Names are
        ``mid_60``, ``mid_0``, ``mid_-60``, ``mid_0.5``.
    time_col
        In both frames: seconds (integer or float), Duration, Time, Datetime or Date.
    symbol_col
        In both frames: instrument: a column's name, a list of names, or None for one instrument. A column ``date``
        separates days too: days never mix.
    method
        Which quote: ``"backward"`` the last at or before t + h, ``"forward"`` the first at or after, ``"nearest"`` the
        closest (a tie takes the earlier).
    tolerance
        Seconds that the quote may lie from t + h; None for no limit.
    end
        Nothing is looked up at a t + h past it: seconds in `time_col`'s terms, or a `Market`, the end of whose day
        counts, as in `forward_return`: of each row's ``date``, of `date`, or else its usual one.
    strict
        A quote exactly at t + h does not count: with ``horizons=[0]``, only what was known before.
    past_last
        What h > 0 gives where t + h is past the symbol's last quote: ``"null"``, as `forward_return`, for what comes
        then is not known; or ``"keep"``, the quote that the method finds. For h <= 0 the last quote is known, and kept.
    gaps
        What a quote without a value in one of `columns` is: ``"null"``, a quote like any other, which gives null; or
        ``"bridge"``, none at all for that column, so that the quote before it (or after it: `method`) is taken, as
        `forward_return` does unless told otherwise (its example shows both). The default differs because a column here
        need not be a price: that there is no value may be what is asked for.
    date
        Trading day of all rows of a frame without ``date``: for `end`, a `Market`, and to look up in a frame that has
        the column (or where only `df` has it: each of its rows must then be of that day).
    date_col
        Column of the day; ``"date"`` need not be there. None: no column of the frames is a day.

    Returns
    -------
    LazyFrame
        The input's rows in their order, its columns unchanged, and for each horizon in order one column for each of
        `columns`, in the type it has in `quotes`. A quote is a row with a symbol (and date) and a time; of equal times
        the last row wins, also where its value is null (`gaps` has it otherwise). Null where the row's own symbol or
        time is null, and where no quote is found. Of columns of floats NaN, infinities and numbers of 1e300 and more
        (Float32: its largest), which vendors write where there is no price, are null; zero and numbers below it are
        not, since a column need not be a price: `mid` knows of these.

    Raises
    ------
    SchemaError
        A column is missing, of another type, or would be overwritten.
    ConfigError
        No column, no horizon, or one given twice; another option not accepted.
    DataError, CalendarRangeError
        When collected, ``end`` being a `Market`: a ``date`` is not traded, or not known (count and row: the batch's).

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> trades = pl.DataFrame({"symbol": ["a", "a"], "elapsed_seconds": [10, 70]})
    >>> quotes = pl.DataFrame({"symbol": ["a"] * 3, "elapsed_seconds": [0, 60, 120], "mid": [10.0, 10.5, 11.0]})
    >>> vf.merge_forward(trades, quotes, ["mid"], [-10, 0, 60]).collect()
    shape: (2, 5)
    ┌────────┬─────────────────┬─────────┬───────┬────────┐
    │ symbol ┆ elapsed_seconds ┆ mid_-10 ┆ mid_0 ┆ mid_60 │
    │ ---    ┆ ---             ┆ ---     ┆ ---   ┆ ---    │
    │ str    ┆ i64             ┆ f64     ┆ f64   ┆ f64    │
    ╞════════╪═════════════════╪═════════╪═══════╪════════╡
    │ a      ┆ 10              ┆ 10.0    ┆ 10.0  ┆ 10.5   │
    │ a      ┆ 70              ┆ 10.5    ┆ 10.5  ┆ null   │
    └────────┴─────────────────┴─────────┴───────┴────────┘
    """
    lf, seen = as_lazy(df), as_lazy(quotes)
    schema, quote_schema = lf.collect_schema(), seen.collect_schema()
    wanted_columns = _check_columns(columns)
    seconds = _check_horizons(horizons)
    groups, quoted = paired(schema, quote_schema, symbol_col, date_col, date, ("symbol_col", "df", "quotes"))
    for one, option in ((schema, "df"), (quote_schema, "quotes")):
        _check_time(one, time_col, f"time_col of {option}")
    require(quote_schema, wanted_columns, "quotes")
    added = {f"{name}_{_seconds(h)}": (name, i) for i, h in enumerate(seconds) for name in wanted_columns}
    require_new(schema, added, "merge_forward")
    end_ns, left = _day_end(end, date, schema, time_col, groups)
    if gaps not in ("bridge", "null"):
        raise ConfigError(f"gaps is {gaps!r}; 'null' or 'bridge' is accepted")
    options = _asof_options(seconds, method, tolerance, end_ns, strict, past_last)

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        new = [name for name in wanted if name in added]
        if not new:
            yield from batches(lf.select(wanted))
            return
        held = _once(*(added[name][0] for name in new))
        table = _collect(seen.select(_once(time_col, *quoted.names, *held)))
        reading, read = quoted.reading(), groups.reading()
        order = [table[time_col], *reading.keys(table)]
        reading.done()
        looks = _lookups(order, {name: _known(table[name]) for name in held}, options, bridge=gaps == "bridge")
        del table, order
        needed = _once(time_col, *groups.names, *(name for name in wanted if name not in added))
        for part in _parts(lf.select(needed)):
            asked, found = [part[time_col], *read.keys(part)], {}
            for index, values in looks:
                rows = [pl.Series(column) for column in index.find(asked)]
                if left is not None:
                    room = _left(part, left)
                    rows = [_before_end(one, room, h) for one, h in zip(rows, options["horizons_ns"], strict=True)]
                for name in new:
                    column, i = added[name]
                    if column in values:
                        found[name] = values[column].gather(rows[i]).alias(name)
            yield pl.DataFrame([found[name] if name in found else part[name] for name in wanted])

    out = {**schema, **{name: quote_schema[column] for name, (column, _) in added.items()}}
    return source(produce, out, "merge_forward", lf)


def _known(column: pl.Series) -> pl.Series:
    """Null what is no number in a column of floats: NaN, infinities, and what vendors write for "none"."""
    if not column.dtype.is_float():
        return column.rechunk()
    value = pl.col("value")
    most = pl.lit(_FLOAT32_NONE if column.dtype == pl.Float32 else 1e300)
    known = column.alias("value").to_frame().select(pl.when(value.is_finite() & (value.abs() < most)).then(value))
    return known.to_series().rechunk()


def _lookups(
    order: Sequence[pl.Series], columns: dict[str, pl.Series], options: dict[str, Any], *, bridge: bool
) -> list[tuple[_core.Asof, dict[str, pl.Series]]]:
    """Make an index of the quotes with what they hold; where gaps are bridged, one for each column's own quotes."""
    out = []
    for names in [[name] for name in columns] if bridge else [list(columns)]:
        there = columns[names[0]].is_not_null() if bridge else None
        index = _core.Asof(**options)
        index.observe([*order] if there is None else [one.filter(there) for one in order])
        index.finish()
        held = {name: columns[name] if there is None else columns[name].filter(there) for name in names}
        out.append((index, held))
    return out


def _check_columns(columns: Sequence[str]) -> list[str]:
    if isinstance(columns, str):
        raise ConfigError(f"columns is a list of names, for example [{columns!r}]")
    names = list(columns)
    if not names:
        raise ConfigError("columns is empty; names of columns of `quotes` are needed")
    if len(set(names)) < len(names):
        raise ConfigError(f"columns names one twice: {names}")
    return names


def _check_horizons(horizons: Sequence[float]) -> list[float]:
    if real(horizons) is not None:
        raise ConfigError(f"horizons is a list of seconds, for example [{horizons}]")
    seconds = []
    for given in horizons:
        h = real(given)
        if h is None or not abs(h) < 1e9:
            raise ConfigError(f"horizon {given!r}: a number of seconds above -1e9 and below 1e9 is accepted")
        seconds.append(h)
    if not seconds:
        raise ConfigError("horizons is empty; seconds such as [-60, 0, 60] are accepted")
    seen: set[int] = set()
    for h in seconds:
        if (round(h * _SECOND) == 0) != (h == 0):
            raise ConfigError(f"horizon {h!r} is less than a nanosecond")
        if round(h * _SECOND) in seen:
            raise ConfigError(f"horizon {h!r} is given twice")
        seen.add(round(h * _SECOND))
    return [h + 0 for h in seconds]  # -0.0 is 0.0


def _seconds(h: float) -> str:
    return str(int(h)) if h == int(h) else repr(float(h))


def _asof_options(
    seconds: list[float],
    method: str,
    tolerance: float | None,
    end_ns: int,
    strict: bool,
    past_last: str,
) -> dict[str, Any]:
    if method not in _METHODS:
        raise ConfigError(f"method is {method!r}; 'backward', 'forward' or 'nearest' is accepted")
    if past_last not in ("null", "keep"):
        raise ConfigError(f"past_last is {past_last!r}; 'null' or 'keep' is accepted")
    within = real(tolerance)
    if tolerance is not None and (within is None or not 0 <= within < 1e9):
        raise ConfigError(f"tolerance is {tolerance!r}; seconds from 0 to below 1e9, or None, are accepted")
    return {
        "horizons_ns": [round(h * _SECOND) for h in seconds],
        "method": _METHODS[method],
        "tolerance_ns": -1 if within is None else round(within * _SECOND),
        "end_ns": end_ns,
        "strict": strict,
        "past_last": past_last == "keep",
        "unique": False,
        "n_threads": threads(),
    }
