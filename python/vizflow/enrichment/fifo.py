"""FIFO matching as a rule: its options, and the step that C runs. Not for other rules."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import polars as pl

import vizflow._core as _core
from vizflow.enrichment.rules import TagRule
from vizflow.enrichment.side_values import SideValue, check_sides
from vizflow.errors import ConfigError, DataError, SchemaError, UnlistedSideWarning, translated
from vizflow.lazy.frames import Frame, as_lazy, require, threads
from vizflow.schema.groups import Groups, days_of, spelt_as

Rows: TypeAlias = Literal["both", "exits", "lots"]
Excess: TypeAlias = Literal["unclosed", "open_short", "raise"]


class FIFOMatch(TagRule):
    """FIFO entry/exit matching with trade splitting, in C.

    Every input row stays. An exit closes the oldest open entries of its symbol first; a row that is matched in several
    pieces becomes that many adjacent rows, on both legs, so quantities add up. Price never affects matching.

    Parameters
    ----------
    side_col, qty_col, time_col, price_col
        Columns. `time_col` is what ``holding_period`` is measured in; the Enricher's `sort_by` orders the rows. Side:
        string, categorical, enum, number or Boolean. Quantity: integer, decimal, or float (see Notes). Price: any
        number.
    entry_side, exit_side
        The value, or a list of values, that marks an entry and an exit: text for strings, categoricals and enums, whole
        numbers and Booleans for columns of these; 1.0 is 1, and the case of letters does not matter. A row with another
        side, or null, is no trade and passes through.
    rows
        ``"both"``: as above. ``"exits"``: an entry stays one row, with its closed part. ``"lots"``: only matched exit
        pieces, unmatched exits and open rests; no row is passed through.
    extras
        Add ``matched_exit_id`` (UInt32 row number), ``entry_price``, ``exit_price``, ``close_markout``
        (exit / entry - 1, negated for a lot that the exit side opened), ``realized_pnl`` ((exit - entry) * quantity,
        signed alike, on the exit leg only, so that its sum counts a match once) and ``fill_id`` (on every row: the row
        number, or `id_col`'s value, of the input row that the piece is of, so that fills can be counted and not pieces;
        an input that has a column ``fill_id`` keeps its own).
    on_excess
        What an exit beyond the inventory is: ``"unclosed"`` (a piece with ``is_closed`` false), ``"open_short"`` (its
        rest opens a lot of the opposite direction) or ``"raise"``.
    opening
        Frame with the symbol (the Enricher's `by`), ``qty`` and ``price``: lots held at the open, oldest first. A
        negative quantity is a short lot and needs ``on_excess="open_short"``. Where the rows have a ``date``, lots have
        one too: they are held at the open of that day alone. Lots without one are those of the rows' only day; several
        days are then an error.
    id_col
        Column whose values ``matched_entry_id``, ``matched_exit_id`` and ``fill_id`` take, in place of row numbers.

    Notes
    -----
    Columns added: ``matched_entry_id`` (UInt32 row number of the entry in the input, counted from 0; an entry's own
    rows carry their own; null on an exit beyond the inventory), ``matched_qty`` (type of the quantity: size of this
    piece; of an open piece, the open size), ``holding_period`` (exit time - entry time on both legs; null when open)
    and ``is_closed`` (true matched, false unclosed, null no trade).

    Integers and decimals are matched exactly. Floats: where every quantity of a symbol, opening lots included, is a
    decimal of at most nine places within one unit in the last place of its type, they are matched in whole units of
    that decimal place, so 0.1 and 0.2 are closed by 0.3, and 0.00000001 is a lot; ``matched_qty`` is the closest float.
    Other floats (1/3, say) are matched as they are, rests kept to twice their precision, and a rest below four units in
    the last place of the larger of lot and exit is nothing.

    Errors name the column, the count and the first row: a negative, NaN or null quantity, a null time, symbol or
    ``date`` on a trade row; where ``holding_period`` is asked for, a trade whose `time_col` is earlier than that of the
    trade before it in the order of `sort_by`: no holding period is negative. When no row carries either side, that is
    an error that shows the sides found. Rows whose side is not listed and looks like one (``"Buy"`` where ``"B"`` is, 5
    where 1 and 2 are) pass as no trades with an `UnlistedSideWarning` on collecting, which names the values and counts
    the rows; so do, where no row carries one of the two sides, values that begin like one that is listed for it.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> trades = pl.DataFrame({
    ...     "symbol": ["a"] * 3, "side": ["B", "B", "S"], "quantity": [100, 50, 120], "price": [10.0, 11.0, 12.0],
    ...     "elapsed_seconds": [0, 60, 100],
    ... })
    >>> rule = vf.FIFOMatch("side", "quantity", "elapsed_seconds", "price")
    >>> enricher = vf.Enricher([rule], sort_by="elapsed_seconds")
    >>> enricher.run(trades).collect().select("side", "matched_entry_id", "matched_qty", "holding_period", "is_closed")
    shape: (5, 5)
    ┌──────┬──────────────────┬─────────────┬────────────────┬───────────┐
    │ side ┆ matched_entry_id ┆ matched_qty ┆ holding_period ┆ is_closed │
    │ ---  ┆ ---              ┆ ---         ┆ ---            ┆ ---       │
    │ str  ┆ u32              ┆ i64         ┆ i64            ┆ bool      │
    ╞══════╪══════════════════╪═════════════╪════════════════╪═══════════╡
    │ B    ┆ 0                ┆ 100         ┆ 100            ┆ true      │
    │ B    ┆ 1                ┆ 20          ┆ 40             ┆ true      │
    │ B    ┆ 1                ┆ 30          ┆ null           ┆ false     │
    │ S    ┆ 0                ┆ 100         ┆ 100            ┆ true      │
    │ S    ┆ 1                ┆ 20          ┆ 40             ┆ true      │
    └──────┴──────────────────┴─────────────┴────────────────┴───────────┘
    """

    output_columns: Sequence[str] = ["matched_entry_id", "matched_qty", "holding_period", "is_closed"]
    extra_columns = ("matched_exit_id", "entry_price", "exit_price", "close_markout", "realized_pnl", "fill_id")

    def __init__(
        self,
        side_col: str,
        qty_col: str,
        time_col: str,
        price_col: str,
        entry_side: SideValue | Sequence[SideValue] = "B",
        exit_side: SideValue | Sequence[SideValue] = "S",
        *,
        rows: Rows = "both",
        extras: bool = False,
        on_excess: Excess = "unclosed",
        opening: Frame | None = None,
        id_col: str | None = None,
    ) -> None:
        self.side_col = side_col
        self.qty_col = qty_col
        self.time_col = time_col
        self.price_col = price_col
        self.sides = check_sides(entry_side, exit_side)
        self.rows = _choice("rows", rows, _core.FIFO_ROWS)
        self.on_excess = _choice("on_excess", on_excess, _core.EXCESS)
        self.opening = opening
        self.id_col = id_col
        self.output_columns = [*FIFOMatch.output_columns, *(FIFOMatch.extra_columns if extras else ())]

    def process(self, row: dict[str, Any], state: Any) -> dict[str, Any]:
        """Refuse: matching works on columns."""
        raise TypeError("FIFOMatch works on columns; run it through an Enricher")


_FILL = "fill_id"


_NEEDS_PRICE = {"entry_price", "exit_price", "close_markout", "realized_pnl"}


def _choice(option: str, value: str, accepted: Mapping[str, int]) -> str:
    if value not in accepted:
        raise ConfigError(f"{option} is {value!r}; {', '.join(map(repr, accepted))} are accepted")
    return value


def fifo_schema(rule: FIFOMatch, schema: pl.Schema) -> dict[str, pl.DataType]:
    """Return the types of the columns that matching adds."""
    quantity, time = schema[rule.qty_col], schema[rule.time_col]
    if not quantity.is_numeric():
        raise SchemaError(
            f"qty_col {rule.qty_col!r} is {quantity}; integers, floats and decimals are accepted", column=rule.qty_col
        )
    identity = pl.UInt32() if rule.id_col is None else schema[rule.id_col]
    types: dict[str, pl.DataType] = {
        "matched_entry_id": identity,
        "matched_qty": quantity,
        "holding_period": _difference(time, rule.time_col),
        "is_closed": pl.Boolean(),
        "matched_exit_id": identity,
        _FILL: identity,
    }
    names = [name for name in rule.output_columns if name != _FILL or name not in schema]
    return {name: types.get(name, pl.Float64()) for name in names}


def _difference(dtype: pl.DataType, name: str) -> pl.DataType:
    if dtype.is_integer():
        return pl.Int64()
    if dtype.is_float():
        return pl.Float64()
    if isinstance(dtype, (pl.Datetime, pl.Duration)):
        return pl.Duration(dtype.time_unit)
    if dtype == pl.Time:
        return pl.Duration("ns")
    if dtype == pl.Date:
        return pl.Duration("us")
    raise SchemaError(
        f"time_col {name!r} is {dtype}; numbers, Datetime, Time, Date and Duration are accepted", column=name
    )


_ANY_DAY = pl.Series([0], dtype=pl.Int32)


class Opening:
    """Lots held at the open, and the days that they are of."""

    def __init__(self, frame: Frame, groups: Groups, date_col: str | None) -> None:
        lots = as_lazy(frame)
        schema = lots.collect_schema()
        require(schema, [*groups.symbols, "qty", "price"], "opening")
        dated = date_col is not None and date_col in schema and date_col not in groups.symbols
        if dated and groups.date is None:
            raise SchemaError(
                f"opening has the column {date_col!r}, which keeps days apart, and the rows have none: which of them "
                f"the lots are for would be a guess; add {date_col!r} to the rows, or drop it from opening where "
                "the rows are of the lots' one day",
                column=date_col,
            )
        self.keys = replace(groups, date=date_col if dated else None, what="opening")
        self._date = groups.date
        self._lots = lots.select(list(dict.fromkeys([*self.keys.names, "qty", "price"])))
        self._of: set[Any] = set()  # days of the lots
        self._seen: dict[Any, None] = {}  # days of the rows

    @property
    def waits(self) -> bool:
        """Whether it is not known yet of which day the lots are."""
        return self._date is not None and self.keys.date is None and not self._seen

    def see(self, batch: pl.DataFrame, row: int) -> None:
        """Note the days of the next rows, which may be one only where the lots have none."""
        if self._date is None:
            return
        days = days_of(batch[self._date])
        self._seen |= dict.fromkeys(days.drop_nulls().unique(maintain_order=True).to_list())
        if self.keys.date is not None or len(self._seen) < 2:
            return
        first = next(iter(self._seen))
        other = (days != first).fill_null(False)
        at = int(other.arg_max() or 0)
        raise DataError(
            f"opening has no column {self._date!r}, and the rows hold more than one day: {first}, and {days[at]} in "
            f"row {row + at}; give opening the column {self._date!r}, the day at whose open each lot is held",
            column=self._date,
            row=row + at,
        )

    def columns(self, dtype: pl.DataType) -> list[pl.Series]:
        """Return (quantity, price, key, ...); lots without a day are of the rows' only one, a column of this type."""
        with translated():
            lots = self._lots.collect(engine="streaming")
        keys = self.keys.reading().keys(lots)
        if self.keys.date is not None:
            keys[-1] = spelt_as(keys[-1], dtype)
            self._of = set(keys[-1].drop_nulls().unique().to_list())
        elif self._date is not None:  # no row has a day: then any is another one
            keys = keys if self.keys.symbols else []
            day = pl.Series(self._date, [next(iter(self._seen))], dtype) if self._seen else _ANY_DAY.cast(dtype)
            keys.append(days_of(day.alias(self._date)).new_from_index(0, lots.height))
        return [lots["qty"], lots["price"], *keys]

    def check(self) -> None:
        """Raise where lots are of a day that no row is of: they would be left out unseen."""
        lost = sorted(self._of - set(self._seen), key=str)
        if lost:
            raise DataError(
                f"opening holds lots of {len(lost)} days that no row is of, the first is {lost[0]}; filter opening to "
                f"the rows' days, or drop its column {self._date!r} where the rows are of one day and the lots held at "
                "its open",
                column=self._date,
                count=len(lost),
            )


class FifoStep:
    """`FIFOMatch` for `two_pass`."""

    def __init__(
        self,
        rule: FIFOMatch,
        groups: Groups,
        sort_by: str,
        opening: Opening | None,
        added: list[str],
        wanted: Sequence[str],
        *,
        rests: bool = False,
    ) -> None:
        columns = [name for name in added if name in wanted]
        price = rule.price_col if _NEEDS_PRICE.intersection(columns) else None
        time = rule.time_col if rule.time_col != sort_by else None
        self._order = [sort_by, time, rule.side_col, rule.qty_col, price]
        self._added = added
        self._given = columns
        self._fill = rule.id_col if _FILL in columns else None
        self._id_col = rule.id_col if {"matched_entry_id", "matched_exit_id"}.intersection(columns) else None
        self._ids: list[pl.Series] = []
        self._groups = groups
        self._opening = opening
        self._begun = opening is None
        self._waiting: list[pl.DataFrame] = []
        self._row = 0
        names = (*self._order, *groups.names, self._id_col, self._fill)
        self.columns = list(dict.fromkeys(name for name in names if name is not None))
        self._fifo = _core.Fifo(
            sides=rule.sides,
            rows=_core.FIFO_ROWS[rule.rows],
            on_excess=_core.EXCESS[rule.on_excess],
            columns=_mask(columns),
            n_threads=threads(),
            rests=rests,
        )

    def covers(self, wanted: Sequence[str]) -> bool:
        """Return whether matching has been done for all of these columns."""
        return all(name in self._given for name in wanted if name in self._added)

    def _keys(self, batch: pl.DataFrame) -> list[pl.Series | None]:
        values = [None if name is None else batch[name] for name in self._order]
        return [*values, *self._groups.reading().keys(batch)]

    def _begin(self, schema: pl.Schema) -> None:
        """Return the lots, and the rows that waited for them."""
        assert self._opening is not None
        date = self._groups.date
        self._fifo.inventory(self._opening.columns(pl.Null() if date is None else schema[date]))
        self._begun = True
        for batch in self._waiting:
            self._fifo.update(self._keys(batch))
        self._waiting = []

    def learn(self, batch: pl.DataFrame) -> None:
        """Take the next rows: keys, sides, quantities, times."""
        if self._opening is not None:
            self._opening.see(batch, self._row)
            self._row += batch.height
            if not self._begun and not self._opening.waits:
                self._begin(batch.schema)
        if self._begun:
            self._fifo.update(self._keys(batch))
        else:
            self._waiting.append(batch)
        if self._id_col is not None:
            self._ids.append(batch[self._id_col])

    def learnt(self) -> None:
        """Match, all rows being there."""
        if self._opening is not None:
            if not self._begun:  # no row has a day, and the lots have none either
                self._begin(self._waiting[0].schema)
            self._opening.check()
        doubt = self._fifo.match()
        if doubt is not None:
            warnings.warn(doubt, UnlistedSideWarning, stacklevel=2)
        if self._ids:
            self._ids = [pl.concat(self._ids, rechunk=True)]

    def emit(self, batch: pl.DataFrame, row: int, wanted: list[str]) -> Callable[[], pl.DataFrame]:
        """Prepare the pieces of rows that come again, in order."""
        match = [name for name in self._given if name in wanted and name != _FILL]
        columns, counts = self._fifo.emit(row, batch.height, _mask(match), self._keys(batch))
        found = {name: pl.Series(name, column) for name, column in zip(match, columns, strict=True)}
        passed = [batch[name] for name in wanted if name not in self._given]
        if _FILL in self._given and _FILL in wanted:
            passed.append(self._fills(batch, row))
        return lambda: self._expanded(passed, batch.height, found, counts, wanted)

    def compare(self, batch: pl.DataFrame, row: int) -> None:
        """Read a batch again for nothing but to see that it is the same."""
        self._fifo.emit(row, batch.height, 0, self._keys(batch))

    def rests(self) -> list[pl.Series]:
        """Return what is held at the end: row, lot, qty, short, price; see vf_fifo_rests."""
        return [pl.Series(column) for column in self._fifo.rests()]

    def _fills(self, batch: pl.DataFrame, row: int) -> pl.Series:
        """Return what the rows of a batch are called."""
        if self._fill is not None:
            return batch[self._fill].alias(_FILL)
        return pl.int_range(row, row + batch.height, eager=True, dtype=pl.UInt32).alias(_FILL)

    def _expanded(
        self, passed: list[pl.Series], n: int, found: Mapping[str, pl.Series], counts: bytes, wanted: list[str]
    ) -> pl.DataFrame:
        out = dict(found)
        nested = [series for series in passed if _is_gathered(series.dtype)]
        plain = [series for series in passed if not _is_gathered(series.dtype)]
        index = [pl.int_range(n, eager=True, dtype=pl.UInt32)] if nested else []
        columns = _core.expand([*plain, *index], counts, threads())
        out |= {series.name: pl.Series(series.name, column) for series, column in zip(plain, columns, strict=False)}
        if nested:
            rows = pl.Series(columns[-1])
            out |= {series.name: series.gather(rows) for series in nested}
        for name in ("matched_entry_id", "matched_exit_id"):
            if self._id_col is not None and name in out:
                out[name] = self._ids[0].gather(out[name]).alias(name)
        return pl.DataFrame([out[name] for name in wanted])

    def emitted(self) -> None:
        """Check that every row came again."""
        self._fifo.replayed()

    def counts(self) -> dict[str, int]:
        """Return the numbers of rows, of trades among them, and of pieces."""
        rows, trades = self._fifo.rows_in()
        return {"rows": rows, "trades": trades, "pieces": self._fifo.rows_out()}


def _is_gathered(dtype: pl.DataType) -> bool:
    """Return whether Polars gathers a passed-through column.

    Those are the types C does not expand, and text, which Polars would validate anew on its way back from C.
    """
    fixed = dtype.is_integer() or dtype.is_float() or dtype.is_temporal() or dtype == pl.Boolean
    return not fixed or dtype in (pl.Int128, pl.UInt128, pl.Float16)


def _mask(columns: Sequence[str]) -> int:
    return sum(_core.FIFO_COLUMNS[name] for name in columns if name != _FILL)
