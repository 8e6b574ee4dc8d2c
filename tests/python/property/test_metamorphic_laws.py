"""What must not matter, for every operation: laws between runs, with no expected value and no oracle.

a. n days in one frame give what n single days give, concatenated;
b. other names for the symbols, and their rows in other turns, change nothing else;
c. a day in several files, chunks or frames is the same day;
d. so are its sides in another spelling;
e. prices and quantities times a power of ten change only what is a price or a quantity, by that power.

EXACT, but for e where a power of ten below one does not keep the numbers exact: EPS(1e-12 relative). Every type that is
accepted as a key, a time, a quantity and a price is drawn. Not for right values: the oracles, and `differential`.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import vizflow as vf
from support import chunked

pytestmark = pytest.mark.filterwarnings("ignore::vizflow.UnlistedSideWarning")
DAYS = [dt.date(2024, 1, 2), dt.date(2024, 1, 3), dt.date(2024, 1, 4)]
CALENDAR = vf.calendar.generate(DAYS)
EXAMPLES = 10


# ---- a world: a few days of a few symbols, in the types that were drawn ----------------------------------------------

SIDES: dict[str, tuple[Any, Any, Any, Any]] = {  # spelling: entry, exit, no trade, dtype
    "text": ("B", "S", "C", pl.String),
    "words": ("a buyer's side, long", "a seller's side, long", "nobody's", pl.String),
    "category": ("B", "S", "C", pl.Categorical),
    "enum": ("S", "B", "C", pl.Enum(["B", "C", "S"])),
    "fix": (1, 2, 0, pl.Int64),
    "sign": (1, -1, 0, pl.Int8),
    "bytes": (66, 83, 67, pl.UInt8),
    "bool": (True, False, None, pl.Boolean),
}
SYMBOLS: dict[str, Callable[[int], Any]] = {
    "String": lambda i: f"s{i}",
    "Categorical": lambda i: f"s{i}",
    "Enum": lambda i: f"s{i}",
    "long": lambda i: f"a symbol longer than twelve bytes {i}",
    "Int8": lambda i: i - 1,
    "UInt32": lambda i: 2**32 - 1 - i,
    "Int64": lambda i: 600_000 + i,
    "UInt64": lambda i: i,
    "Date": lambda i: dt.date(2030, 1, 1 + i),
    "Time": lambda i: dt.time(9, i),
    "Datetime": lambda i: dt.datetime(2030, 1, 1, i),
    "Boolean": lambda i: i == 1,
}
DATES: dict[str, Callable[[dt.date], Any]] = {
    "Date": lambda d: d,
    "text": lambda d: f"{d:%Y%m%d}",
    "iso": lambda d: f"{d}",
    "Int32": lambda d: int(f"{d:%Y%m%d}"),
    "Datetime": lambda d: dt.datetime(d.year, d.month, d.day),
    "moments": lambda d: dt.datetime(d.year, d.month, d.day, 9, 30),
}
TIMES: list[Any] = [
    pl.Int64, pl.Int32, pl.UInt16, pl.Int8, pl.Float64, pl.Float32, pl.Duration("ns"), pl.Duration("us"),
    pl.Duration("ms"),
    pl.Datetime("ns"), pl.Datetime("us", "Asia/Shanghai"), pl.Datetime("ms"), pl.Time,
]  # fmt: skip
QUANTITIES: list[Any] = [
    pl.Int64, pl.Int32, pl.Int16, pl.UInt16, pl.UInt32, pl.UInt64, pl.Float64, pl.Float32, pl.Int8, pl.UInt8,
    pl.Decimal(20, 3),
]  # fmt: skip
PRICES: list[Any] = [
    pl.Float64, pl.Float64, pl.Float32, pl.Int64, pl.Int32, pl.UInt16, pl.Int16, pl.UInt64, pl.Decimal(20, 4),
]  # fmt: skip


@dataclass(frozen=True)
class World:
    """Rows, quotes and lots of some days. `rows` has a column `row`, the identity of each."""

    rows: pl.DataFrame
    quotes: pl.DataFrame
    lots: pl.DataFrame
    sides: str = "text"
    cut: str = ""  # how the frames are handed over
    price_scale: float = 1.0
    by: Any = "symbol"
    said: dict[str, Any] = field(default_factory=dict)

    def feed(self, name: str) -> Any:
        """Return a frame as the operation is handed it."""
        frame: pl.DataFrame = getattr(self, name)
        if self.cut == "chunks":
            return chunked(frame, 3)
        if self.cut == "frames":
            at = frame.height // 2
            return pl.concat([frame.head(at).lazy(), frame.slice(at).lazy()])
        if self.cut in ("ipc", "parquet"):
            folder = Path(_folder().name)
            paths = [folder / f"{name}-{part}.{self.cut}" for part in range(2)]
            for path, part in zip(paths, (frame.head(frame.height // 3), frame.slice(frame.height // 3)), strict=True):
                path.unlink(missing_ok=True)
                (part.write_ipc if self.cut == "ipc" else part.write_parquet)(path)
            read = vf.scan if self.cut == "ipc" else vf.load
            return pl.concat([read(path).lazy() for path in paths])
        return frame

    def map(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> World:
        return replace(self, rows=change(self.rows), quotes=change(self.quotes), lots=change(self.lots))


@cache
def _folder() -> Any:
    return tempfile.TemporaryDirectory(prefix="metamorphic-", ignore_cleanup_errors=True)


def _times(seconds: list[int | None], dtype: Any) -> pl.Series:
    values = pl.Series("t", seconds, dtype=pl.Int64)
    if isinstance(dtype, (pl.Duration, pl.Datetime)):
        per = {"ns": 10**9, "us": 10**6, "ms": 10**3}[dtype.time_unit or "us"]
        start = 0 if isinstance(dtype, pl.Duration) else 1_704_153_600
        return ((values + start) * per).cast(dtype)
    return (values * 10**9).cast(dtype) if dtype == pl.Time else values.cast(dtype)


def _keys(name: str, values: list[Any], kind: str) -> pl.Series:
    kinds: dict[str, Any] = {
        "Enum": pl.Enum([f"s{i}" for i in range(20)]), "Datetime": pl.Datetime("us"), "moments": pl.Datetime("ms"),
        "text": pl.String, "iso": pl.String, "long": pl.String,
    }  # fmt: skip
    return pl.Series(name, values, dtype=kinds.get(kind) or getattr(pl, kind))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw up to three days of up to three symbols; ties, runs, unlisted sides, empty quotes among them."""
    n_days, kind, spelling = (
        draw(st.integers(1, 3)),
        draw(st.sampled_from(list(SYMBOLS))),
        draw(st.sampled_from(list(DATES))),
    )
    n_symbols = 2 if kind == "Boolean" else 3
    time, quantity, price = (
        draw(st.sampled_from(TIMES)),
        draw(st.sampled_from(QUANTITIES)),
        draw(st.sampled_from(PRICES)),
    )
    rng = random.Random(draw(st.integers(0, 2**32)))
    sides = draw(st.sampled_from(list(SIDES)))

    def frame(n: int, most: int) -> tuple[list[int], list[int], pl.DataFrame]:
        days = [rng.randrange(n_days) for _ in range(n)]
        who = [rng.randrange(n_symbols) for _ in range(n)]
        return days, who, pl.DataFrame([
            _keys("date", [DATES[spelling](DAYS[day]) for day in days], spelling),
            _keys("symbol", [SYMBOLS[kind](one) for one in who], kind),
            pl.Series("who", who, dtype=pl.Int64),
            _times([rng.randint(0, most) for _ in range(n)], time),
            pl.Series("price", [rng.randint(1, 60) / (1 if price.is_integer() else 4) for _ in range(n)]).cast(price),
            pl.Series("qty", [rng.choice([0, 1, 1, 2, 3, 5, 8]) for _ in range(n)]).cast(quantity),
        ])  # fmt: skip

    size = draw(st.sampled_from([3, 8, 20, 40]))
    days, _, rows = frame(size, 20)
    entry, exit_, other, dtype = SIDES[sides]
    listed = [rng.choice([entry, entry, exit_, exit_, other]) for _ in range(size)]
    for day in range(n_days):  # a frame of which no row has a listed side is refused
        if day in days:
            listed[days.index(day)] = entry
    rows = rows.with_columns(pl.Series("side", listed, dtype=dtype)).with_row_index("row")
    _, _, quotes = frame(draw(st.sampled_from([0, 5, 30])), 30)
    bid = pl.Series("bid", [rng.choice([None, 0.0, 1.0, 2.25]) for _ in range(size)], dtype=pl.Float64)
    _, _, lots = frame(draw(st.sampled_from([0, 3])), 1)
    lots = lots.join(rows.select("date").unique(), on="date", how="semi", maintain_order="left")
    return World(rows.with_columns(bid), quotes, lots, sides)


# ---- the operations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """What it computes, and how its columns follow prices (`p`), quantities (`q`) or both (`pq`)."""

    run: Callable[[World], pl.LazyFrame]
    scaled: tuple[tuple[str, str], ...] = ()
    sides: bool = False
    key: tuple[str, ...] = ("row",)


class Held(vf.State):
    def reset(self, symbol: Any) -> None:
        self.count = 0


class Nth(vf.TagRule):
    output_columns = ("nth",)
    output_schema = {"nth": pl.Int64}  # noqa: RUF012
    input_columns = ("qty",)

    def process(self, row: dict[str, Any], state: Any) -> dict[str, Any]:
        state.count += 1
        return {"nth": state.count}


class Copies(Nth):
    def process(self, row: dict[str, Any], state: Any) -> Any:
        state.count += 1
        return [{"nth": state.count}] * (1 + state.count % 2)


def enriched(rule: vf.TagRule) -> Operation:
    return Operation(lambda w: vf.Enricher([rule], w.by, "t", state_class=Held).run(w.feed("rows")))


def matched(shape: str = "both", on_excess: str = "unclosed", *, opening: bool = False) -> Operation:
    def run(world: World) -> pl.LazyFrame:
        entry, exit_, *_ = SIDES[world.sides]
        rule = vf.FIFOMatch(
            "side", "qty", "t", "price", entry, exit_, rows=shape, on_excess=on_excess, extras=True, id_col="row",  # type: ignore[arg-type]
            opening=world.feed("lots") if opening else None,
        )  # fmt: skip
        return vf.Enricher([rule], world.by, "t").run(world.feed("rows"))

    scaled = (("matched_qty", "q"), ("entry_price", "p"), ("exit_price", "p"), ("realized_pnl", "pq"))
    return Operation(run, scaled, sides=True)


def returned(**options: Any) -> Operation:
    return Operation(lambda w: vf.forward_return(w.feed("rows"), [1, 5], "price", "t", w.by, **options))


def signs(world: World) -> pl.LazyFrame:
    buy, sell, *_ = SIDES[world.sides]
    rows = world.feed("rows").lazy().filter(pl.col("side").cast(pl.String).is_in([spelt(buy), spelt(sell)]))
    return vf.sign_by_side(rows, buy=buy, sell=sell)


def spelt(side: Any) -> str:
    return str(side).lower() if isinstance(side, bool) else str(side)


def parsed(world: World) -> pl.LazyFrame:
    rows = world.feed("rows").lazy()
    clock = rows.with_columns(clock=pl.lit(93_000) + pl.col("who") * 100 + pl.col("row").cast(pl.Int64) % 60)
    return vf.parse_time(clock, vf.CN, "clock", date_col="date", unit="HHMMSS")


def nights(world: World) -> pl.LazyFrame:
    bars = (
        world.quotes.with_columns(pl.col("price").cast(pl.Float64))
        .group_by("date", "symbol", "who")
        .agg(open=pl.col("price").min(), close=pl.col("price").max())
    )
    return vf.overnight_return(world.feed("rows"), CALENDAR, daily=bars, symbol_col=world.by, missing="null")


def closes(world: World) -> pl.LazyFrame:
    keys = [name for name in ("date", "symbol", "who") if name in world.quotes.columns]
    table = world.quotes.group_by(keys).agg(close=pl.col("price").cast(pl.Float64).max())
    return vf.mark_to_close(world.feed("rows"), symbol_col=world.by, close=table, **world.said)


def bars(world: World) -> pl.LazyFrame:
    """The days' files, each with its rows in the order of the frame."""
    rows = world.feed("rows").lazy().with_columns(clock=93_000 + pl.col("row").cast(pl.Int64) * 7 % 60)
    with tempfile.TemporaryDirectory() as folder:
        names = {day: spelt_day(day) for day in world.rows["date"].unique(maintain_order=True)}
        for day, name in names.items():
            vf.save(rows.filter(pl.col("date") == day), f"{folder}/{name}.feather")
        config = vf.Config(input_dir=folder, columns={"timestamp": "clock", "volume": "qty"})
        return vf.daily(config, sorted(names.values()), unit="HHMMSS", symbol_col="who").collect().lazy()


def spelt_day(day: Any) -> str:
    return f"{day:%Y%m%d}" if isinstance(day, dt.date) else str(day).replace("-", "")


def metrics(world: World) -> dict[str, pl.Expr]:
    """Metrics of every kind; a decimal is not merged by them, so it is cast, as the error says."""
    price, qty = (
        pl.col(name).cast(pl.Float64) if world.rows.schema[name].is_decimal() else pl.col(name)
        for name in ("price", "qty")
    )
    return {
        "n": pl.len(), "q": qty.cast(pl.Int64).sum(), "p": price.cast(pl.Float64).sum(),
        "low": price.min(), "mean": price.mean(), "std": price.std(),
        "vwap": (price.cast(pl.Float64) * qty).sum() / qty.cast(pl.Float64).sum(),
        **vf.stats.weighted("w", price, qty),
    }  # fmt: skip


SCALED = (
    ("q", "q"), ("p", "p"), ("low", "p"), ("mean", "p"), ("std", "p"), ("vwap", "p"),
    ("w", "p"), ("w_sum", "pq"), ("w_weight", "q"),
)  # fmt: skip


def by_day(world: World) -> dict[str, pl.LazyFrame]:
    rows = world.feed("rows").lazy()
    parts = {}
    for day in world.rows["date"].unique(maintain_order=True):
        part = rows.filter(pl.col("date") == day).drop("date")
        parts[spelt_day(day)] = vf.aggregate(part, ["who"], metrics(world))
    return parts


def run_daily(world: World, then: Callable[[list[Path]], Any]) -> Any:
    """Run a pipeline on each day's file; `then` takes the partials."""
    rows = world.feed("rows").lazy()
    with tempfile.TemporaryDirectory() as folder:
        config = vf.Config(input_dir=folder, output_dir=f"{folder}/out", input_pattern="{date}.ipc")
        paths = []
        for day in world.rows["date"].unique(maintain_order=True):
            vf.save(rows.filter(pl.col("date") == day).drop("date"), f"{folder}/{spelt_day(day)}.ipc")
            done = vf.run(lambda df, ctx: vf.aggregate(df, ["who"], metrics(world)), config, spelt_day(day))
            assert done.height == world.rows.filter(pl.col("date") == day)["who"].n_unique()
            paths.append(Path(folder) / "out" / f"{spelt_day(day)}.parquet")
        return then(paths)


def held_at_the_end(world: World) -> pl.LazyFrame:
    """The lots that each day leaves, by the symbol's own name."""
    entry, exit_, *_ = SIDES[world.sides]
    by = [name for name in ([world.by] if isinstance(world.by, str) else world.by or []) if name != "who"]
    rows, opening, out = world.feed("rows").lazy(), world.feed("lots").lazy(), []
    for day in world.rows["date"].unique(maintain_order=True):
        rule = vf.FIFOMatch(
            "side", "qty", "t", "price", entry, exit_, on_excess="open_short",
            opening=opening.filter(pl.col("date") == day),
        )  # fmt: skip
        lots = vf.closing_lots(rows.filter(pl.col("date") == day), rule, by=["who", *by])
        out.append(lots.select(pl.lit(spelt_day(day)).alias("date"), "who", "qty", "price"))
    return pl.concat(out)


def counted(world: World) -> pl.LazyFrame:
    """The reasons of each day's times, by number, and which row is the first of each."""
    rows = world.feed("rows").lazy()
    clock = rows.with_columns(clock=pl.lit(112_950) + pl.col("who") * 1_000 + pl.col("row").cast(pl.Int64) % 60)
    out = []
    for day in world.rows["date"].unique(maintain_order=True):
        part = clock.filter(pl.col("date") == day)
        found = vf.time_report(part, vf.CN, "clock", date_col="date", unit="HHMMSS")
        out.append({"date": spelt_day(day), **{name: n for name, n in found.items() if not name.startswith("first_")}})
    return pl.LazyFrame(out)


def edges(world: World) -> pl.LazyFrame:
    """Edges of each symbol's prices, of each day."""
    rows, out = world.feed("rows").lazy().with_columns(pl.col("price").cast(pl.Float64)), []
    for day in world.rows["date"].unique(maintain_order=True):
        for who in sorted(world.rows.filter(pl.col("date") == day)["who"].unique()):
            part = rows.filter(pl.col("date") == day, pl.col("who") == who)
            cuts = vf.qbin_edges(part, "price", 3, duplicates="drop").cuts
            out.append({"date": spelt_day(day), "who": who, **{f"cut{i}": cut for i, cut in enumerate(cuts[:2])}})
    return pl.LazyFrame(out, schema={"date": pl.String, "who": pl.Int64, "cut0": pl.Float64, "cut1": pl.Float64})


def findings(world: World) -> pl.LazyFrame:
    """What `check` finds in the days' files, but for texts, row numbers and bytes."""
    rows = world.feed("rows").lazy().with_columns(clock=93_000 + pl.col("row").cast(pl.Int64) % 29)
    with tempfile.TemporaryDirectory() as folder:
        days = [spelt_day(day) for day in world.rows["date"].unique(maintain_order=True)]
        for day, name in zip(world.rows["date"].unique(maintain_order=True), days, strict=True):
            vf.save(rows.filter(pl.col("date") == day).drop("date", "symbol"), f"{folder}/{name}.feather")
        config = vf.Config(input_dir=folder, columns={"timestamp": "clock", "symbol": "who"})
        found = [vf.check(config, dates=[day], unit="HHMMSS").frame for day in sorted(days)]
    out = pl.concat(found).filter(~pl.col("check").is_in(["size", "unsorted"]))  # which the turns of symbols change
    return out.select("date", "check", "severity", pl.col("column").fill_null(""), "rows").lazy()


EDGES = [3.0, 9.0, 14.0]
TICKS = {"price": 0.5}

OPERATIONS: dict[str, Operation] = {
    "parse_time": Operation(parsed),
    "mid": Operation(lambda w: w.feed("rows").lazy().with_columns(mid=vf.mid("bid", "price"))),
    "near_integer": Operation(
        lambda w: w.feed("rows").lazy().with_columns(near=vf.near_integer(pl.col("qty").cast(pl.Float64))),
        (("near", "q"),),
    ),
    "sign_by_side": Operation(signs, sides=True),
    "bin": Operation(lambda w: vf.bin(w.feed("rows"), {"price": 0.5 * w.price_scale})),
    "qbin": Operation(lambda w: vf.qbin(w.feed("rows"), {"price": [edge * w.price_scale for edge in EDGES]})),
    "condition, expression": enriched(vf.TagCondition("tag", pl.col("who").cum_count() == pl.len())),
    "condition, callable": enriched(vf.TagCondition("tag", lambda row: row["who"] > 1, input_columns=["who"])),
    "running, expression": enriched(vf.TagRunning("run", pl.col("who").cum_sum())),
    "running, callable": enriched(vf.TagRunning("run", lambda n, row: n + 1, input_columns=["who"], dtype=pl.Int64)),
    "python rule": enriched(Nth()),
    "python rule that expands": enriched(Copies()),
    "fifo": matched(),
    "fifo exits": matched("exits"),
    "fifo lots": matched("lots"),
    "fifo open_short": matched(on_excess="open_short"),
    "fifo exits, open_short": matched("exits", "open_short"),
    "fifo opening": matched(opening=True),
    "fifo opening, lots": matched("lots", "open_short", opening=True),
    "forward_return": returned(),
    "forward_return forward": returned(method="forward", tolerance=4),
    "forward_return nearest": returned(method="nearest"),
    "forward_return prices": Operation(
        lambda w: vf.forward_return(w.feed("rows"), [2, 7], "price", "t", w.by, prices=w.feed("quotes"), **w.said)
    ),
    "merge_forward": Operation(
        lambda w: vf.merge_forward(w.feed("rows"), w.feed("quotes"), ["price", "qty"], [-3, 0, 3], "t", w.by, **w.said),
        tuple((f"{name}_{h}", kind) for name, kind in (("price", "p"), ("qty", "q")) for h in (-3, 0, 3)),
    ),
    "merge_forward strict": Operation(
        lambda w: vf.merge_forward(
            w.feed("rows"), w.feed("quotes"), ["qty"], [0, 3], "t", w.by,
            strict=True, past_last="keep", method="nearest",
            **w.said,
        ),
        (("qty_0", "q"), ("qty_3", "q")),
    ),
    "mark_to_close": Operation(lambda w: vf.mark_to_close(w.feed("rows"), "price", "t", w.by)),
    "mark_to_close prices": Operation(
        lambda w: vf.mark_to_close(w.feed("rows"), "price", "t", w.by, prices=w.feed("quotes"), **w.said)
    ),
    "mark_to_close close": Operation(closes),
    "overnight_return": Operation(nights),
    "aggregate": Operation(
        lambda w: vf.aggregate(w.feed("rows"), ["date", "who"], metrics(w)), SCALED, key=("date", "who")
    ),
    "reduce": Operation(lambda w: vf.reduce(by_day(w), by="date"), SCALED, key=("date", "who")),
    "cube": Operation(
        lambda w: vf.Cube.from_partials(by_day(w)).table(["date", "who"]).lazy(), SCALED, key=("date", "who")
    ),
    "run": Operation(
        lambda w: run_daily(w, lambda paths: vf.reduce(paths, by="date").collect().lazy()), SCALED, key=("date", "who")
    ),
    "closing_lots": Operation(
        held_at_the_end, (("qty", "q"), ("price", "p")), sides=True, key=("date", "who")
    ),
    "time_report": Operation(counted, key=("date",)),
    "qbin_edges": Operation(edges, (("cut0", "p"), ("cut1", "p")), key=("date", "who")),
    "check": Operation(findings, key=("date", "check", "column")),
    "daily": Operation(
        bars, (*((name, "p") for name in ("open", "high", "low", "close")), ("volume", "q")), key=("date", "who")
    ),
}  # fmt: skip


def answer(operation: Operation, world: World) -> pl.DataFrame:
    """Return what it computes: by row, without the columns that a law may change."""
    out = operation.run(world).collect(engine="streaming" if world.cut == "frames" else "in-memory")
    given = [name for name in world.rows.columns if name not in operation.key]
    return out.drop([name for name in given if name in out.columns]).sort(operation.key, maintain_order=True)


SLOW = {
    "run",
    "reduce",
    "cube",
    "daily",
    "check",
    "time_report",
    "qbin_edges",
    "closing_lots",
    "aggregate",
}  # a plan a day


def laws(test: Callable[[str, st.DataObject], None]) -> Any:
    """Try a law on every operation; of slow ones fewer examples."""
    few, many = (settings(max_examples=n)(given(data=st.data())(test)) for n in (3, EXAMPLES))

    def law(name: str) -> None:
        (few if name in SLOW else many)(name)

    law.__name__, law.__doc__ = test.__name__, test.__doc__
    return pytest.mark.parametrize("name", list(OPERATIONS))(law)


# ---- a: days ---------------------------------------------------------------------------------------------------------


@laws
def test_days_in_one_frame_are_single_days(name: str, data: st.DataObject) -> None:
    operation, world = OPERATIONS[name], data.draw(worlds())
    singles = []
    for day in world.rows["date"].unique(maintain_order=True):
        one = world.map(lambda frame: frame.filter(pl.col("date") == day))  # noqa: B023
        if name == "overnight_return":  # which looks at the next day
            one = replace(one, quotes=world.quotes)
        singles.append(answer(operation, one))
    whole = pl.concat(singles).sort(operation.key, maintain_order=True)
    assert_frame_equal(answer(operation, world), whole, check_exact=True)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in SLOW])
@settings(max_examples=4)
@given(data=st.data())
def test_a_day_without_its_column_is_the_same_day(name: str, data: st.DataObject) -> None:
    """Of one day the column says nothing new; nor does it beside the symbol, by name."""
    operation, world = OPERATIONS[name], data.draw(worlds())
    if operation.key != ("row",) or name in ("overnight_return", "parse_time") or "opening" in name or "close" in name:
        return
    first = world.rows["date"][0]
    one = world.map(lambda frame: frame.filter(pl.col("date") == first))
    bare = one.map(lambda frame: frame.drop("date"))
    assert_frame_equal(answer(operation, one), answer(operation, bare), check_exact=True)


LOOK_UPS = [
    "forward_return prices",
    "merge_forward",
    "merge_forward strict",
    "mark_to_close prices",
    "mark_to_close close",
]


@pytest.mark.parametrize("name", LOOK_UPS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_day_that_is_said_is_a_day_that_is_there(name: str, data: st.DataObject) -> None:
    operation, world = OPERATIONS[name], data.draw(worlds())
    day = world.rows["date"][0]
    one = replace(world, rows=world.rows.filter(pl.col("date") == day))
    if not world.quotes["date"].is_in([day]).any():
        return  # an error: nothing is of that day
    said = {"date": spelt_day(day)}
    bare = replace(one, rows=one.rows.drop("date"), said=said)
    assert_frame_equal(answer(operation, bare), answer(operation, one), check_exact=True)
    quiet = replace(one, quotes=one.quotes.filter(pl.col("date") == day).drop("date"), said=said)
    assert_frame_equal(answer(operation, quiet), answer(operation, one), check_exact=True)


# ---- b: symbols ------------------------------------------------------------------------------------------------------


@laws
def test_names_and_turns_of_symbols_do_not_matter(name: str, data: st.DataObject) -> None:
    operation, world = OPERATIONS[name], data.draw(worlds())
    kind, turn = (
        data.draw(st.sampled_from([k for k in SYMBOLS if k != "Boolean"])),
        data.draw(st.permutations(range(3))),
    )
    rng = random.Random(data.draw(st.integers(0, 2**32)))

    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        named = _keys("symbol", [SYMBOLS[kind](turn[one]) for one in frame["who"]], kind)
        places: dict[Any, list[int]] = {}
        groups = list(zip(frame["date"], frame["who"], strict=True))
        for at, group in enumerate(groups):
            places.setdefault(group, []).append(at)
        mixed = rng.sample(groups, len(groups))  # whose turn it is; a group's own rows stay in order
        turns = {group: iter(rows) for group, rows in places.items()}
        return frame.with_columns(named)[[next(turns[group]) for group in mixed]]

    assert_frame_equal(answer(operation, world), answer(operation, world.map(renamed)), check_exact=True)


@laws
def test_one_name_several_or_none_say_the_same(name: str, data: st.DataObject) -> None:
    operation, world = OPERATIONS[name], data.draw(worlds())
    by = data.draw(st.sampled_from([["symbol"], ["who"], "who", ["who", "symbol"], ["symbol", "who"], None]))
    if by is None:
        world = world.map(lambda frame: frame.filter(pl.col("who") == world.rows["who"][0]))
        entry = world.rows["side"].is_in(SIDES[world.sides][:1]).any()
        if not entry:
            return
    assert_frame_equal(answer(operation, replace(world, by=by)), answer(operation, world), check_exact=True)


# ---- c: files --------------------------------------------------------------------------------------------------------


@laws
def test_a_day_in_several_files_is_one_day(name: str, data: st.DataObject) -> None:
    operation, world = OPERATIONS[name], data.draw(worlds())
    whole = answer(operation, world)
    cut = data.draw(st.sampled_from(["chunks", "frames", "ipc", "parquet"]))
    assert_frame_equal(answer(operation, replace(world, cut=cut)), whole, check_exact=True)


# ---- d: sides --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, operation in OPERATIONS.items() if operation.sides])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_the_spelling_of_sides_does_not_matter(name: str, data: st.DataObject) -> None:
    operation, world = OPERATIONS[name], data.draw(worlds())
    other = data.draw(st.sampled_from(list(SIDES)))
    before, after = SIDES[world.sides], SIDES[other]
    meaning = [next(i for i, side in enumerate(before[:3]) if side == one) for one in world.rows["side"]]
    rows = world.rows.with_columns(pl.Series("side", [after[i] for i in meaning], dtype=after[3]))
    assert_frame_equal(
        answer(operation, world), answer(operation, replace(world, rows=rows, sides=other)), check_exact=True
    )


# ---- e: powers of ten ------------------------------------------------------------------------------------------------


@laws
def test_a_power_of_ten_is_only_a_power_of_ten(name: str, data: st.DataObject) -> None:
    operation, world = OPERATIONS[name], data.draw(worlds())
    p, q = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 6))
    if name not in ("bin", "qbin", "mid", "near_integer"):  # edges and whole numbers have no tolerance
        p = data.draw(st.integers(-6, 6))
    wide = world.map(lambda frame: frame.with_columns(pl.col("price").cast(pl.Float64), pl.col("qty").cast(pl.Int64)))
    price = 10.0**p if p >= 0 else 10.0**-p
    by = (lambda x: x * price) if p >= 0 else (lambda x: x / price)  # so that each step rounds once

    def scaled(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(by(pl.col("price")), pl.col("qty") * 10**q).with_columns(
            [by(pl.col("bid"))] if "bid" in frame.columns else []
        )

    before, after = (
        answer(operation, wide),
        answer(operation, replace(wide.map(scaled), price_scale=price if p >= 0 else 1 / price)),
    )
    if name == "mid":
        before = before.with_columns(by(pl.col("mid")))
    for column, kind in operation.scaled:
        if column not in before.columns:
            continue
        value = pl.col(column) * 10**q if "q" in kind else pl.col(column)
        before = before.with_columns(by(value) if "p" in kind else value)
    exact = p >= 0 and not {"std", "vwap", "mean", "realized_pnl", "w", "cut0"} & set(before.columns)
    assert_frame_equal(after, before, check_exact=exact, rel_tol=1e-12, abs_tol=1e-12 * (1 if p > 0 else price**0))


def test_laws_can_fail() -> None:
    """A law that nothing breaks holds for nothing: an operation that mixes days breaks a."""
    mixing = Operation(lambda w: vf.Enricher([Nth()], sort_by="t", state_class=Held, date_col=None).run(w.feed("rows")))
    rows = pl.DataFrame({"row": [0, 1], "date": DAYS[:2], "symbol": ["a", "a"], "t": [0, 1], "qty": [1, 1]})
    world = World(rows, rows, rows)
    singles = [answer(mixing, world.map(lambda f: f.filter(pl.col("date") == day))) for day in DAYS[:2]]  # noqa: B023
    assert not answer(mixing, world).equals(pl.concat(singles))
    assert math.isfinite(answer(mixing, world)["nth"].sum())


COVERED = {  # what is not an operation of its own name
    "Enricher": "fifo", "FIFOMatch": "fifo", "TagCondition": "condition, expression", "TagRunning": "running, callable",
    "TagRule": "python rule", "State": "python rule", "Cube": "cube", "stats": "aggregate", "Edges": "qbin",
    "scan": "fifo", "load": "fifo", "save": "run",
}  # fmt: skip
NO_ROWS = {  # what takes no rows, or rows only through what is covered
    "Config", "Context", "Market", "Session", "calendar", "demo", "status", "viz", "CheckReport", "BatchReport",
    "run_batch", "run_cluster", "cluster", "reports",
}  # fmt: skip


def test_no_public_operation_is_left_out() -> None:
    for name in set(vf.__all__) - NO_ROWS - {"__version__"}:
        thing = getattr(vf, name)
        if isinstance(thing, vf.Market) or (isinstance(thing, type) and issubclass(thing, (Exception, Warning))):
            continue
        assert COVERED.get(name, name) in OPERATIONS, f"{name}: add it to OPERATIONS, or to NO_ROWS"
