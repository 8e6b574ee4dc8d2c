"""What FIFO matching means, in plain Python: slow, obvious, and sharing nothing with the C library.

One queue of lots a symbol; every step looks at the front lot only. Not for speed, and not for types: quantities are
whatever the rows bring (int, float, Fraction, Decimal), times anything that can be subtracted.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oracle.quantities import Dust

COLUMNS = (
    "row",
    "matched_entry_id",
    "matched_qty",
    "holding_period",
    "is_closed",
    "matched_exit_id",
    "entry_price",
    "exit_price",
    "close_markout",
    "realized_pnl",
)


class ExcessError(ValueError):
    """An exit goes beyond the inventory and ``on_excess="raise"``."""


class _Lot:
    def __init__(self, row: int | None, time: Any, price: Any, whole: Any, left: Any, short: bool) -> None:
        self.row = row  # None: held when the day opened
        self.time = time
        self.price = price
        self.whole = whole
        self.left = left
        self.short = short


def is_side(value: Any, listed: Any) -> bool:
    values = listed if isinstance(listed, (list, tuple, set, frozenset)) else [listed]
    return any(_side(v) == _side(value) for v in values if isinstance(v, str) == isinstance(value, str))


def _side(value: Any) -> Any:
    """The case of ASCII letters does not matter."""
    return value.encode().lower() if isinstance(value, str) else value


def _price(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _piece(row: int, **values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS), "row": row, **values}


def _matched(row: int, lot: _Lot, exit_row: int, exit_: dict[str, Any], qty: Any, *, exit_leg: bool) -> dict[str, Any]:
    entry_price, exit_price = lot.price, _price(exit_.get("price"))
    sign = -1 if lot.short else 1
    markout = pnl = None
    if entry_price is not None and exit_price is not None:
        if entry_price > 0 and math.isfinite(exit_price / entry_price - 1):
            markout = sign * (exit_price / entry_price - 1)
        gain = (exit_price - entry_price) * float(qty)
        if exit_leg and math.isfinite(gain):
            pnl = sign * gain
    return _piece(
        row,
        matched_entry_id=lot.row,
        matched_qty=qty,
        holding_period=None if lot.row is None else exit_["t"] - lot.time,
        is_closed=True,
        matched_exit_id=exit_row,
        entry_price=entry_price,
        exit_price=exit_price,
        close_markout=markout,
        realized_pnl=pnl,
    )


def _open(row: int, price: Any, qty: Any) -> dict[str, Any]:
    return _piece(row, matched_entry_id=row, matched_qty=qty, is_closed=False, entry_price=price)


def _unmatched(row: int, price: Any, qty: Any) -> dict[str, Any]:
    return _piece(row, matched_qty=qty, is_closed=False, matched_exit_id=row, exit_price=price)


class _Book:
    """One symbol's day. ``closing[row]`` and ``opening[row]`` are the pieces of a row, in match order."""

    def __init__(self, lots: Iterable[_Lot], on_excess: str, dust: Dust | None) -> None:
        self.queue = deque(lots)
        self.dust = dust
        self.on_excess = on_excess
        self.closing: dict[int, list[dict[str, Any]]] = {}
        self.opening: dict[int, list[dict[str, Any]]] = {}

    def trade(self, number: int, row: dict[str, Any], *, is_exit: bool) -> None:
        qty = row["qty"]
        price = _price(row.get("price"))
        if qty == 0:
            piece = _unmatched(number, price, abs(qty)) if is_exit else _open(number, price, abs(qty))
            self.closing[number] = [piece]
            return
        left = qty
        pieces = self.closing.setdefault(number, [])
        while left and self.queue and self.queue[0].short != is_exit:
            lot = self.queue[0]
            take = min(lot.left, left)
            pieces.append(_matched(number, lot, number, row, take, exit_leg=True))
            if lot.row is not None:
                self.opening[lot.row].append(_matched(lot.row, lot, number, row, take, exit_leg=False))
            left = self.rest(left - take, lot.whole, qty)
            lot.left = self.rest(lot.left - take, lot.whole, qty)
            if not lot.left:
                self.queue.popleft()
        if not left:
            return
        if not is_exit or self.on_excess == "open_short":
            self.opening[number] = []
            self.queue.append(_Lot(number, row["t"], price, qty, left, is_exit))
        elif self.on_excess == "raise":
            msg = f"row {number}: the exit goes beyond the inventory by {left}"
            raise ExcessError(msg)
        else:
            pieces.append(_unmatched(number, price, left))

    def rest(self, left: Any, lot: Any, row: Any) -> Any:
        """What is left, unless that is nothing."""
        return left * 0 if self.dust is not None and self.dust(left, lot, row) else left

    def end(self) -> None:
        for lot in self.queue:
            if lot.row is not None:
                self.opening[lot.row].append(_open(lot.row, lot.price, lot.left))


def _summary(pieces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a row opened, in one piece: its closed part, and whether that is all of it."""
    first = pieces[0]
    closed = [p["matched_qty"] for p in pieces if p["is_closed"]]
    total = first["matched_qty"] * 0
    for qty in closed:
        total += qty
    return _piece(
        first["row"],
        matched_entry_id=first["row"],
        matched_qty=total,
        is_closed=len(closed) == len(pieces),
        entry_price=first["entry_price"],
    )


def _shape(number: int, book: _Book, rows: str) -> list[dict[str, Any]]:
    closing, opening = book.closing.get(number, []), book.opening.get(number, [])
    if rows == "both":
        return closing + opening
    if rows == "exits":
        return closing + ([_summary(opening)] if opening else [])
    kept = [p for p in closing if p["matched_qty"] != 0]
    return kept + [p for p in opening if not p["is_closed"]]


def _books(
    trades: list[dict[str, Any]],
    entry: Any,
    exit_: Any,
    on_excess: str,
    opening: Iterable[tuple[Any, ...]],
    dust: Mapping[Any, Dust],
) -> dict[Any, _Book]:
    lots: dict[Any, list[_Lot]] = {}
    for symbol, qty, *price in opening:
        if qty:
            lot = _Lot(None, None, _price(price[0]) if price else None, abs(qty), abs(qty), qty < 0)
            lots.setdefault(symbol, []).append(lot)
    books: dict[Any, _Book] = {}
    numbers = [number for number, row in enumerate(trades) if _trades(row, entry, exit_)]
    for number in sorted(numbers, key=lambda number: trades[number]["t"]):  # sorted() is stable
        row = trades[number]
        symbol = row["symbol"]
        if symbol not in books:
            books[symbol] = _Book(lots.get(symbol, []), on_excess, dust.get(symbol))
        books[symbol].trade(number, row, is_exit=is_side(row["side"], exit_))
    for book in books.values():
        book.end()
    return books


def _trades(row: dict[str, Any], entry: Any, exit_: Any) -> bool:
    return is_side(row["side"], entry) or is_side(row["side"], exit_)


def fifo_oracle(
    rows_in: list[dict[str, Any]],
    *,
    entry: Any,
    exit: Any,
    rows: str = "both",
    on_excess: str = "unclosed",
    opening: Iterable[tuple[Any, ...]] = (),
    dust: Mapping[Any, Dust] = {},
) -> list[dict[str, Any]]:
    """
    Match rows first in, first out.

    Parameters
    ----------
    rows_in
        Dicts of ``symbol, side, qty, t`` and, if wanted, ``price``, in input order. Rows are matched in the stable
        order of ``t`` within a symbol. Rows on neither side are no trades; their other values are not looked at.
    entry, exit
        A side's value, or a list of them. ``1`` is ``1.0`` and ``True``, and not ``"1"``; ``"b"`` is ``"B"``.
    rows
        ``"both"``, ``"exits"`` or ``"lots"``.
    on_excess
        ``"unclosed"``, ``"open_short"`` or ``"raise"``.
    opening
        Tuples of ``(symbol, qty)`` or ``(symbol, qty, price)``, oldest first; a negative quantity is a short lot.
    dust
        By symbol: whether a rest, of a lot and a row of such quantities, is nothing; see `oracle.quantities`.

    Returns
    -------
    list of dict
        One dict of ``COLUMNS`` for each output row, in output order: input order, a row's closing pieces before its
        opening ones, each in match order. ``row`` is the number of the input row.
    """
    if rows not in {"both", "exits", "lots"}:
        msg = f"rows={rows!r}"
        raise ValueError(msg)
    books = _books(rows_in, entry, exit, on_excess, opening, dust)
    out: list[dict[str, Any]] = []
    for number, row in enumerate(rows_in):
        if _trades(row, entry, exit):
            out.extend(_shape(number, books[row["symbol"]], rows))
        elif rows != "lots":
            out.append(_piece(number))
    return out
