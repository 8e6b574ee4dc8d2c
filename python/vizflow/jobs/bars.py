"""Prices across days and frames: overnight returns, the day's bars, marks to the close, quotes merged at other times.

Rows meet by key and by the calendar, never by shifting; what is found is a row number, computed in C. Not for returns
within one frame over a horizon: `vizflow.forward_return`. Quantile bins are in `vizflow.ops.quantiles`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow import io
from vizflow.config import Config
from vizflow.dates import as_day, check_date
from vizflow.errors import ConfigError, DataError, SchemaError, StorageError
from vizflow.files import places
from vizflow.lazy.frames import column_type, require
from vizflow.lazy.two_pass import batches, source
from vizflow.market import Market, Session, grace_nanoseconds
from vizflow.ops.clock import parse_time
from vizflow.ops.columns import DAY, DAY_SECONDS, ELAPSED, NO_END, SECOND, WALL, check_price
from vizflow.ops.stamps import TimeUnit
from vizflow.schema.groups import Groups, Names, check_key, groups_of, key_names

__all__ = ["daily"]


_BAR = ("open", "high", "low", "close")
_COUNTS = ("n", "n_outside", "n_invalid")
# ---- what several of them need ----------------------------------------------------------------------------------


# ---- over night -------------------------------------------------------------------------------------------------


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
            values[DAY] = pl.col(date_col or "")
        lf = lf.select(*symbols, pl.col(stamp).alias("__vf_stamp"), **values)
        today = _market_on(market, date)
        lf = parse_time(lf, _span(today, grace), "__vf_stamp", unit=unit).rename({ELAPSED: WALL})
        return parse_time(lf, today, "__vf_stamp", unit=unit, grace=grace)

    first = prepare(days[0]).collect_schema()
    check_price(first, "__vf_price", "price")
    if volume is not None:
        check_price(first, "__vf_volume", "volume")
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
                    if DAY in text:
                        text = f"{text.replace(DAY, date_col or '')}; or pass date_col=None where it is no day"
                    column = {"__vf_price": names[0], "__vf_volume": names[1], DAY: date_col}.get(
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
    """Return the market on a date."""
    if not market.sessions_on(date):
        raise ConfigError(f"{date} is no trading day of market {market.name!r}; leave it out of dates")
    return market.on(date)


def _span(market: Market, grace: float) -> Market:
    """Return one session from the first session's start to the last one's end, `grace` longer: no breaks."""
    bounds = market.bounds_ns
    start, end = bounds[0][0] // SECOND - math.ceil(grace), bounds[-1][1] // SECOND + math.ceil(grace)
    if end - start > DAY_SECONDS or end > DAY_SECONDS:
        start, end = bounds[0][0] // SECOND, bounds[-1][1] // SECOND

    def spell(seconds: int) -> str:
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

    return Market(market.name, [Session(spell(start % DAY_SECONDS), spell(end))], market.timezone, date=market.date)


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
    """Return decimals in units of their last place, which are exact."""
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
    day = _core.Daily(end_ns=NO_END, returns=False)
    dated = DAY in lf.collect_schema()
    reading = Groups(tuple(symbols), DAY if dated else None, "the file", said=as_day(date), whole=True).reading()
    keys = [pl.DataFrame(schema={"date": pl.Date(), **{symbol: out[symbol] for symbol in symbols}})]
    for batch in batches(lf):
        for name in [*symbols, *([DAY] if dated else [])]:
            _check_filled(batch[name])
        volume = batch["__vf_volume"] if has_volume else None
        if volume is not None and scale is not None:
            volume = _in_units(volume, scale)
        columns = [batch[ELAPSED], batch[WALL], batch["__vf_price"], volume, *reading.keys(batch)]
        fresh = pl.Series(day.update(columns))
        keys.append(batch.select(pl.lit(as_day(date)).alias("date"), *symbols)[fresh])
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


# ---- sides ------------------------------------------------------------------------------------------------------


# ---- quotes at other times --------------------------------------------------------------------------------------
