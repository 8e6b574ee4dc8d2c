"""Signs by side. Not for matching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import polars as pl

from vizflow.enrichment.side_values import SideValue, check_sides
from vizflow.errors import ConfigError, SchemaError
from vizflow.lazy.frames import as_lazy, column_type, plugin, require_new


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
