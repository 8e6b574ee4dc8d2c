"""Returns from one day's close to another's price. Not for returns within a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Literal

import polars as pl

from vizflow.dates import as_day
from vizflow.errors import CalendarRangeError, ConfigError, DataError, SchemaError
from vizflow.lazy.frames import Frame, as_lazy, column_type, require_new
from vizflow.lazy.two_pass import batches, source
from vizflow.ops.columns import check_price, collect, keyed, once, price_return, read_twice, slices
from vizflow.schema.groups import Names, as_dates, check_key, key_names


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
        check_price(price_schema, name, "daily" if daily is not None else "open_col, close_col, prev_close_col")
    require_new(schema, ["overnight_return"], "overnight_return")
    if missing not in ("raise", "null"):
        raise ConfigError(f"missing is {missing!r}; 'raise' or 'null' is accepted")
    days = _trading_days(calendar)

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        if "overnight_return" not in wanted:
            yield from batches(lf.select(wanted))
            return
        keys = [*symbols, *([date_col] if day is None else [])]
        needed = once(*keys, *(name for name in wanted if name != "overnight_return"))
        own = [*needed, *symbols, date_col, *price_columns] if daily is None else needed
        frame = read_twice(lf, own) if daily is None else lf
        held = frame if daily is None else prices
        table = _Nights(
            collect(held.select(once(*symbols, date_col, *price_columns))),
            days,
            symbols,
            (date_col, open_col, price_columns[1]),
            adjusted=prev_close_col is not None,
            missing=missing,
        )
        row = 0
        for part in slices(frame.select(needed)):
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
    return as_day(date)


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
    days = collect(frame.select("date", "next_date")).sort("date")
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
        self._index = keyed(unique=True)
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
        self._returns = price_return(frame[open_].gather(then), earlier)

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
