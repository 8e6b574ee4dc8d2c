"""One day of a check: its columns found, its rows counted.

Not for comparing days: `check.days` does, and `vizflow.check` words what both found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow import io
from vizflow.config import Config
from vizflow.errors import DataError, Error, SchemaError, StorageError, translated
from vizflow.jobs.context import context
from vizflow.lazy.two_pass import batches
from vizflow.market import Market
from vizflow.ops import stamps
from vizflow.ops.stamps import TimeUnit
from vizflow.schema import rules as _rules

# What a semantic name may be called in Config.columns, or, where it is not there, in the files.
SEMANTIC = {
    "timestamp": ("timestamp", "time"),
    "symbol": ("symbol",),
    "side": ("side",),
    "quantity": ("quantity", "qty", "volume"),
    "price": ("price",),
    "bid": ("bid",),
    "ask": ("ask",),
    "id": ("id", "order_id", "trade_id"),
}
_LIKE = {  # what such a column is often called, for a hint
    "timestamp": ("time", "stamp"), "symbol": ("symbol", "ukey", "ticker", "code"), "side": ("side",),
    "quantity": ("qty", "quantity", "vol", "size"), "price": ("price", "px"), "bid": ("bid",), "ask": ("ask", "offer"),
    "id": ("id",),
}  # fmt: skip

_ROW = "__vizflow_row"
_HASH = "__vizflow_hash"
_FLAG = "__vizflow_flag"
_PART_ROWS = 16_000_000  # hashes held at a time: 128 MB
_EXACT = 1_000_000  # so many candidates for duplicates are compared in full
SIDES_SHOWN = 32
# The largest values of a type, as Float64: vendors write them where there is no price, and C takes them for none.
_NONE_FROM: dict[pl.DataType, float] = {
    pl.Float32(): 3.4028234663852886e38, pl.Int32(): 2.0**31 - 1, pl.UInt32(): 2.0**32 - 1, pl.Int64(): 2.0**63,
    pl.UInt64(): 2.0**64,
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What a check was asked to look at, and by which rules."""

    config: Config
    market: Market
    keys: Sequence[str] | None
    unit: TimeUnit | None
    grace_ns: int
    columns: Sequence[str] | None

    def semantic(self, name: str) -> str | None:
        """Return the name that Config.columns has for a semantic one."""
        return next((self.config.columns[s] for s in SEMANTIC[name] if s in self.config.columns), None)


@dataclass
class Day:
    """A date's findings. Row numbers are those of its file."""

    date: str
    options: Options
    path: Path = field(init=False)
    market: Market = field(init=False)
    bytes: int | None = None
    rows: int | None = None
    schema: pl.Schema | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    nulls: list[dict[str, Any]] = field(default_factory=list)
    sides: list[tuple[str | None, int]] = field(default_factory=list)
    not_checked: list[tuple[str, str]] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = self.options.config.get_file_path(self.date)
        self.market = self.options.market

    def read(self) -> Day:
        """Read the file and note what is wrong with it; a file that cannot be read is a finding, too."""
        try:
            self.market = context(self.options.config, self.date).market  # with that date's own sessions
        except Error as error:
            self.add("calendar", "error", None, detail=str(error))
        try:
            lf = io.scan(self.path, csv=self.options.config.csv)
            self.bytes = self.path.stat().st_size
            with io.reading(self.path, csv=self.options.config.csv), translated():
                self.schema = lf.collect_schema()
                self._find_columns()
                self._count(lf)
                self._clock(lf)
                self._find_sides(lf)
                self._find_repeats(lf)
                self._find_uncastable(lf)
        except (StorageError, OSError) as error:
            self.add("file", "error", None, detail=str(error))
        except pl.exceptions.PolarsError as error:
            self.add("file", "error", None, detail=f"{self.path}: {str(error).splitlines()[0]}")
        return self

    def add(
        self, check: str, severity: str, column: str | None, count: int | None = None, row: int | None = None,
        detail: str = "",
    ) -> None:  # fmt: skip
        """Note a finding."""
        share = count / self.rows if count is not None and self.rows else None
        self.findings.append(
            {
                "date": self.date, "check": check, "severity": severity, "column": column, "count": count,
                "rows": self.rows, "share": share, "first_row": row, "detail": detail,
            }
        )  # fmt: skip

    # -- columns --

    def _find_columns(self) -> None:
        """Find each semantic name's column in this file, under its name or one of the schema's aliases."""
        assert self.schema is not None
        rules = self.options.config.schema
        for name, synonyms in SEMANTIC.items():
            wanted = self.options.semantic(name)
            if wanted is None and name == "id":
                continue  # a column of that name may well repeat: an order's fills share its id
            for candidate in [wanted] if wanted is not None else synonyms:
                actual = self.actual(candidate, rules.get(candidate, {}))
                if actual is not None:
                    self.columns[name] = actual
                    break
        for name in ("timestamp", "symbol", "side", "quantity", "price", "bid", "ask"):
            if name not in self.columns:
                self.not_checked.append((name, self._why_not(name)))

    def actual(self, name: str, rule: Mapping[str, Any]) -> str | None:
        """Return the column that a rule means, by its name or an alias; note it where there is none."""
        assert self.schema is not None
        try:
            return _rules.actual_name(name, rule, self.schema.names(), str(self.path))
        except SchemaError as error:
            self.add("names", "error", name, detail=str(error))
            return None

    def _why_not(self, name: str) -> str:
        assert self.schema is not None
        wanted = self.options.semantic(name)
        if wanted is not None:
            return f"there is no column {wanted!r}; one that the pipeline makes is not checked"
        like = [c for c in self.schema.names() if any(part in c.lower() for part in _LIKE[name])]
        hint = f", perhaps {like[0]!r}" if like else ""
        return f"Config.columns names no {name!r}{hint}"

    def _number(self, name: str) -> pl.Expr | None:
        """Return a semantic column as a number, where it is one."""
        assert self.schema is not None
        if name not in self.columns:
            return None
        dtype = self.schema[self.columns[name]]
        if dtype.is_numeric():
            return pl.col(self.columns[name])
        if dtype == pl.String:
            return pl.col(self.columns[name]).cast(pl.Float64, strict=False)
        self.not_checked.append((name, f"column {self.columns[name]!r} is {dtype}, no number"))
        return None

    def _none_from(self, name: str) -> float | None:
        """Return the number from which on a semantic column's values are no prices to `mid` and what looks them up."""
        assert self.schema is not None
        dtype = self.schema[self.columns[name]]
        return _NONE_FROM.get(dtype, 1e300 if dtype == pl.String or dtype.is_float() else None)

    def _is_quote(self, name: str, value: pl.Expr) -> pl.Expr:
        """Return whether `mid` takes a side of a book: whether it is a price."""
        number, none = value.cast(pl.Float64), self._none_from(name)
        below = pl.lit(value=True) if none is None else number < none
        return (_finite(value) & (value > 0) & below).fill_null(value=False)

    # -- counts, in one streaming pass --

    def _count(self, lf: pl.LazyFrame) -> None:
        assert self.schema is not None
        present = self.schema.names()
        counted = list(present)
        if self.options.columns is not None:
            counted = [self.columns.get(name) or self.options.config.col(name) for name in self.options.columns]
            self.not_checked += [("nulls", f"there is no column {name!r}") for name in counted if name not in present]
            counted = [name for name in counted if name in present]
        conditions = self._conditions()
        exprs = [pl.len().alias("n")]
        for i, name in enumerate(counted):
            exprs.append(pl.col(name).null_count().alias(f"null{i}"))
            if self.schema[name].is_float():
                exprs.append(pl.col(name).is_nan().sum().alias(f"nan{i}"))
        for i in range(len(conditions)):
            flag = f"{_FLAG}{i}"  # once a row, for the count and for the first
            exprs.append(pl.col(flag).sum().alias(f"count{i}"))
            exprs.append(pl.col(_ROW).filter(pl.col(flag)).min().alias(f"row{i}"))
        flags = [expr.alias(f"{_FLAG}{i}") for i, (*_, expr) in enumerate(conditions)]
        frame = lf.with_row_index(_ROW).with_columns(flags) if conditions else lf
        counts = frame.select(exprs).collect(engine="streaming").row(0, named=True)
        self.rows = counts["n"]
        for i, name in enumerate(counted):
            nulls, nans = counts[f"null{i}"], counts.get(f"nan{i}") or 0
            share = (nulls + nans) / self.rows if self.rows else None
            self.nulls.append(
                {
                    "date": self.date, "column": name, "dtype": str(self.schema[name]), "nulls": nulls, "nans": nans,
                    "share": share,
                }
            )  # fmt: skip
        if self.rows == 0:
            self.add("rows", "error", None, 0, detail="the file has no rows")
        for i, (name, severity, column, detail, _) in enumerate(conditions):
            if counts[f"count{i}"]:
                self.add(name, severity, column, counts[f"count{i}"], counts[f"row{i}"], detail)

    def _conditions(self) -> list[tuple[str, str, str, str, pl.Expr]]:
        """Return (check, severity, column, detail, rows concerned) of everything that is told row by row."""
        out: list[tuple[str, str, str, str, pl.Expr]] = []
        for name in ("timestamp", "symbol"):
            if name in self.columns:
                column = self.columns[name]
                out.append(("null_key", "error", column, f"null {name}", pl.col(column).is_null()))
        numbers = {name: self._number(name) for name in ("quantity", "price", "bid", "ask")}
        quantity, price, bid, ask = numbers.values()
        for name, value in numbers.items():
            if value is not None:
                column = self.columns[name]
                finite = _finite(value)
                severity = "error" if name == "quantity" else "warning"
                out.append(("negative", severity, column, f"negative {name}", finite & (value < 0)))
                out.append(("infinite", "error", column, f"infinite {name}", value.cast(pl.Float64).is_infinite()))
                none = None if name == "quantity" else self._none_from(name)
                if none is not None:
                    detail = f'a vendor\'s "no price": {none:.17g} or more'
                    out.append(("no_price", "warning", column, detail, finite & (value.cast(pl.Float64) >= none)))
        if quantity is not None:
            column = self.columns["quantity"]
            out.append(("zero", "info", column, "quantity 0", quantity == 0))
            out.append(
                ("fraction", "warning", column, "quantity is no integer", _is_fraction(quantity, self._tolerance()))
            )
        if price is not None:
            out.append(("zero", "warning", self.columns["price"], "price 0", price == 0))
        if bid is not None and ask is not None:
            has_bid, has_ask = self._is_quote("bid", bid), self._is_quote("ask", ask)
            column = f"{self.columns['bid']}, {self.columns['ask']}"
            both = has_bid & has_ask
            out += [
                ("crossed", "warning", column, "bid above ask", both & (bid > ask)),
                ("locked", "info", column, "bid equal to ask", both & (bid == ask)),
                ("one_sided", "info", column, "one side is empty", has_bid != has_ask),
                ("empty_book", "info", column, "both sides are empty", ~has_bid & ~has_ask),
            ]
        return out

    def _tolerance(self) -> float:
        """Return the tolerance that the schema has for the quantity."""
        wanted = self.options.semantic("quantity") or self.columns["quantity"]
        return float(self.options.config.schema.get(wanted, {}).get("tolerance", 1e-6))

    # -- times: the C clock, batch by batch --

    def _clock(self, lf: pl.LazyFrame) -> None:
        assert self.schema is not None
        if "timestamp" not in self.columns or self.rows == 0:
            return
        column, symbol = self.columns["timestamp"], self.columns.get("symbol")
        unit = self._unit(lf, column)
        if isinstance(unit, _Refused):
            self.not_checked.append(("sessions, order", unit.reason))
            return
        try:
            read = stamps.reading(column, self.schema[column], self.market, unit)
        except Error as error:
            self.not_checked.append(("sessions, order", str(error)))
            return
        keyed = symbol is not None and not (self.schema[symbol].is_float() or self.schema[symbol].is_nested())
        if symbol is not None and not keyed:
            self.not_checked.append(("order", f"column {symbol!r} is {self.schema[symbol]}, no symbol"))
        wanted = [read.expr.alias(column)] + ([pl.col(symbol).alias(_ROW)] if symbol is not None and keyed else [])
        counts = _Clock(self.market, self.options.grace_ns, read)
        try:
            for batch in batches(lf.select(wanted)):
                counts.update(batch[column], batch[_ROW] if keyed else None)
        except (DataError, SchemaError) as error:
            self.add("times", "error", column, detail=str(error))
            return
        self._clock_findings(column, counts)

    def _clock_findings(self, column: str, counts: _Clock) -> None:
        market = self.market.name
        if counts.unreadable:
            self.add("impossible_time", "error", column, counts.unreadable, counts.first_unreadable, "impossible times")
        if counts.other_date:
            detail = f"stamps of other days than {self.market.date}"
            self.add("other_date", "error", column, counts.other_date, counts.first_other_date, detail)
        if counts.outside:
            detail = f"outside every session of {market}"
            self.add("out_of_session", "warning", column, counts.outside, counts.first_outside, detail)
        if counts.graced:
            self.add("grace", "info", column, counts.graced, None, "moved into a session by grace")
        report = counts.order.report()
        if report["late_of_key"]:
            detail = f"earlier than a row of its symbol before it, by up to {report['most_late_of_key_ns'] / 1e9:g} s"
            self.add("late", "warning", column, report["late_of_key"], report["first_late_of_key"], detail)
        if report["late"] > report["late_of_key"]:
            detail = f"earlier than a row before it, by up to {report['most_late_ns'] / 1e9:g} s"
            self.add("unsorted", "info", column, report["late"], report["first_late"], detail)

    def _unit(self, lf: pl.LazyFrame, column: str) -> TimeUnit | _Refused | None:
        """Settle what integers are for the whole day: the clock's own digit rule sees a batch at a time."""
        assert self.schema is not None
        if not self.schema[column].is_integer():
            return None
        if self.options.unit is not None:
            return self.options.unit
        time = pl.col(column)
        short, long, most = (
            lf.select(
                ((time > 0) & (time <= 999_999)).sum(), (time > 999_999).sum().alias("long"), time.max().alias("most")
            )
            .collect(engine="streaming")
            .row(0)
        )
        if most is not None and most >= 10**9:
            return _Refused(f"{column!r} holds {most}, which looks like {_core.clock_guess(most)}")
        if short and long:
            detail = f"{short} values of up to 6 digits and {long} of 7 to 9: HHMMSS or HHMMSSmmm? give unit="
            self.add("times", "error", column, min(short, long), None, detail)
        if long and not short and most <= 86_400_000:
            return _Refused(f"{column!r} may be HHMMSSmmm or milliseconds since midnight; give unit=")
        return "HHMMSSmmm" if long > short else "HHMMSS" if short and long else None

    # -- sides, repeats, casts --

    def _find_sides(self, lf: pl.LazyFrame) -> None:
        assert self.schema is not None
        if "side" not in self.columns:
            return
        if self.schema[self.columns["side"]].is_nested():
            self.not_checked.append(("side", f"column {self.columns['side']!r} is {self.schema[self.columns['side']]}"))
            return
        side = pl.col(self.columns["side"]).cast(pl.String, strict=False).alias("value")
        values = lf.select(side).group_by("value").len().sort("len", "value", descending=[True, False])
        self.sides = [(value, rows) for value, rows in values.head(SIDES_SHOWN).collect(engine="streaming").rows()]

    def _find_repeats(self, lf: pl.LazyFrame) -> None:
        keys = self._keys()
        if not keys or not self.rows:
            return
        count, row = _repeats(lf, keys, self.rows)
        if count == 0:
            return
        shown = ", ".join(keys)
        if self.options.keys is not None or "id" in self.columns:
            self.add("duplicate_keys", "error", shown, count, row, "a key that a row before has, too")
        else:
            detail = "the same in every checked column as a row before; keys= names what must differ"
            self.add("repeated_rows", "info", shown, count, row, detail)

    def _keys(self) -> list[str]:
        assert self.schema is not None
        if self.options.keys is None:
            keys = [self.columns["id"]] if "id" in self.columns else list(dict.fromkeys(self.columns.values()))
        else:
            keys = []
            for name in self.options.keys:
                rule = self.options.config.schema.get(self.options.config.col(name), {})
                actual = self.columns.get(name) or self.actual(self.options.config.col(name), rule)
                if actual is None:
                    self.not_checked.append(("duplicate_keys", f"there is no column {self.options.config.col(name)!r}"))
                    return []
                keys.append(actual)
        nested = [key for key in keys if self.schema[key].is_nested()]
        if nested:
            self.not_checked.append(("duplicate_keys", f"column {nested[0]!r} is {self.schema[nested[0]]}"))
            return []
        return keys

    def _find_uncastable(self, lf: pl.LazyFrame) -> None:
        """Count what the config's schema would refuse."""
        assert self.schema is not None
        for name, rule in self.options.config.schema.items():
            try:
                if self.actual(name, rule) is None:
                    continue
                for bad in _rules.bad_values(lf, {name: rule}, str(self.path)):
                    self.add("schema", "error", name, bad.count, bad.row, bad.text)
            except (SchemaError, pl.exceptions.PolarsError) as error:
                self.add("schema", "error", name, detail=str(error).splitlines()[0])


@dataclass(frozen=True)
class _Refused:
    reason: str


class _Clock:
    """Counts of a day's times, batch by batch; rows are numbered over all batches."""

    def __init__(self, market: Market, grace_ns: int, read: stamps.Reading) -> None:
        self.market = market
        self.grace_ns = grace_ns
        self.read = read
        self.order = _core.Order()
        self.rows = self.unreadable = self.other_date = self.outside = self.graced = 0
        self.first_unreadable: int | None = None
        self.first_other_date: int | None = None
        self.first_outside: int | None = None

    def update(self, times: pl.Series, keys: pl.Series | None) -> None:
        """Take the next rows."""
        elapsed, counts = self.read.counts(times, self.market, self.market._day_number, self.grace_ns)
        lost = elapsed.null_count() - counts["null"] - counts["unreadable"] - counts["other_date"]
        for name in ("unreadable", "other_date"):
            if counts[name] and getattr(self, "first_" + name) is None:
                setattr(self, "first_" + name, self.rows + counts["first_" + name])
            setattr(self, name, getattr(self, name) + counts[name])
        if lost and self.first_outside is None:
            self.first_outside = self._first_lost(times, elapsed)
        self.outside += lost
        self.graced += counts["outside"] - lost
        self.order.update(keys, elapsed)
        self.rows += times.len()

    def _first_lost(self, times: pl.Series, elapsed: pl.Series) -> int | None:
        """Find the first row that is outside: clipped, it has a time."""
        clipped, _ = self.read.counts(times, self.market, self.market._day_number, self.grace_ns, outside=1)
        row = (elapsed.is_null() & clipped.is_not_null()).arg_true().min()
        return self.rows + row if isinstance(row, int) else None


def _finite(value: pl.Expr) -> pl.Expr:
    return value.is_not_null() & value.cast(pl.Float64).is_finite()


def _is_fraction(value: pl.Expr, tolerance: float) -> pl.Expr:
    """Return which finite values `near_integer` refuses."""
    value = value.cast(pl.Float64)
    allowed = (value.abs().clip(1.0) * tolerance).clip(upper_bound=max(tolerance, 1e-3))
    return _finite(value) & ((value - value.round()).abs() > allowed)


def _repeats(lf: pl.LazyFrame, keys: Sequence[str], rows: int) -> tuple[int, int | None]:
    """Count the rows whose keys a row before has, and find the first.

    Hashes are compared, a part of them at a time, and then the rows whose hashes meet.
    """
    hashed = lf.select(*keys).with_row_index(_ROW).with_columns(pl.struct(keys).hash(7).alias(_HASH))
    parts = -(-rows // _PART_ROWS)
    count, first = 0, None
    for part in range(parts):
        mine = hashed if parts == 1 else hashed.filter(pl.col(_HASH) % parts == part)
        hashes = mine.select(_HASH).collect(engine="streaming")[_HASH].sort()
        again = hashes.filter(hashes == hashes.shift(1))
        if again.is_empty():
            continue
        candidates = again.unique()
        met = mine.filter(pl.col(_HASH).is_in(candidates.implode()))
        exact = candidates.len() <= _EXACT
        groups = met.group_by(keys if exact else [_HASH]).agg(pl.len(), pl.col(_ROW).bottom_k(2).max().alias("second"))
        found = (
            groups.filter(pl.col("len") > 1)
            .select((pl.col("len") - 1).sum(), pl.col("second").min())
            .collect(engine="streaming")
            .row(0)
        )
        count += found[0] or 0
        if found[1] is not None:
            first = found[1] if first is None else min(first, found[1])
    return count, first
