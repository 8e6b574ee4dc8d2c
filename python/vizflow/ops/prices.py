"""Prices made of others. Not for returns."""

from __future__ import annotations

import polars as pl

from vizflow.lazy.frames import plugin


def mid(bid: str | pl.Expr, ask: str | pl.Expr) -> pl.Expr:
    """Middle of a book, ``(bid + ask) / 2``: Float64, null where either side is no price.

    A one-sided book (a stock at its price limit) has no mid; half of the other side would be a wrong number. A price,
    here and in every operation that takes one, is finite, above zero and below 1e300: vendors write
    1.7976931348623157e308 where there is none. Nor is the largest value of a 32 or 64 bit column (Float32's 3.4e38,
    Int32's 2147483647, Int64's 9223372036854775807) a price. What is no price is as if it were null. Integers, floats
    and decimals are taken, decimals as the closest Float64.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> book = pl.DataFrame({"BidPrice1": [9.99, 10.0, 0.0, 9.99], "AskPrice1": [10.01, None, 11.0, 1.79e308]})
    >>> book.select(mid=vf.mid("BidPrice1", "AskPrice1"))["mid"].to_list()
    [10.0, None, None, None]
    """
    sides = [pl.col(side) if isinstance(side, str) else side for side in (bid, ask)]
    return plugin("mid", sides)
