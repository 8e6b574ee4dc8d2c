"""The day itself: stretches of the clock, prices, quotes, orders and fills. Not a market simulator."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
import zoneinfo
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.io.plugins import register_io_source

from vizflow.dates import check_date, check_day
from vizflow.errors import ConfigError
from vizflow.files import places
from vizflow.market import Market
from vizflow.numbers import whole

try:
    import numpy as np
except ModuleNotFoundError:  # the extra is not installed: generate() says so
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal, TypeAlias

    import numpy.typing as npt

    IpcCompression: TypeAlias = Literal["uncompressed", "lz4", "zstd"]

    Floats: TypeAlias = npt.NDArray[np.float64]
    Ints: TypeAlias = npt.NDArray[np.int64]

__all__ = ["SCHEMA", "generate"]

SCHEMA: dict[str, pl.DataType] = {
    "GlobalExTime": pl.Int64(),
    "ticktime": pl.Int64(),
    "ukey": pl.Int64(),
    "alpha1": pl.Float64(),
    "alpha2": pl.Float64(),
    "BidPrice1": pl.Float64(),
    "AskPrice1": pl.Float64(),
    "orderSide": pl.String(),
    "quantity": pl.Float64(),
    "fillPrice": pl.Float64(),
}
"""Columns of a generated day, in order."""

_DAY_MS = 86_400_000
_BLOCK_ROWS = 131_072  # rows drawn from one random stream, and of one record batch
_PANEL_STEPS = 120  # steps of the price path held in memory at a time
_STEP_MS = 3_000.0  # of the price path, or longer:
_DAY_STEPS = 4_800  # at most so many steps a day
_TABLE_SLOTS = 1 << 18  # resolution of the symbol lottery
_LOT_SLOTS = 1 << 12
_MAX_SYMBOLS = 100_000
_HOT_FACTOR = 3

_NO_TRADE, _CANCEL = 5_243, 655  # of 65 536 rows: 8 % quotes only, 1 % cancels
_LATE, _SWEEP, _PASSIVE = (
    131,
    3_932,
    6_554,
)  # 0.2 % late, 6 % sweeps, 10 % filled passively
_IMPACT = 0.05  # drift of a step per unit of signal, in units of its noise
_HALF_LIFE_STEPS = 14.0  # of the signal; about 40 s on a four-hour day

_SIDES = ("Buy", "Sell", "Cancel", None)
_CODE_BUY, _CODE_SELL, _CODE_CANCEL, _CODE_NONE = range(4)

_ZONES = {
    "CN": "Asia/Shanghai",
    "KR": "Asia/Seoul",
    "HK": "Asia/Hong_Kong",
    "HKEX_NORTHBOUND": "Asia/Shanghai",
    "US": "America/New_York",
}


def generate(
    output_dir: str | os.PathLike[str],
    dates: Sequence[str] = ("20240102", "20240103", "20240104"),
    *,
    rows: int = 1_000_000,
    symbols: int = 5_000,
    seed: int = 2024,
    market: Any = "CN",
    hot_day: str | None = None,
    batch_rows: int = 1_000_000,
    compression: IpcCompression = "uncompressed",
    pattern: str = "{date}.feather",
    progress: bool = False,
) -> list[Path]:
    """Write one Feather file of synthetic ticks per date.

    The days have what real ones have: a few symbols that make most of the rows, volume
    that is U-shaped inside each session, an opening print five minutes before the first
    session, a closing cluster on and just after the last bell, trades after it, price
    limits with a one-sided book, halted symbols, sweeps (rows that share symbol and
    time), late prints (a stamp up to 3 s before its neighbours'), cancels, quote-only
    rows and lots with float noise.

    Parameters
    ----------
    output_dir
        Folder of the files; made if it is missing.
    dates
        Trading days as ``YYYYMMDD``. A date's file does not depend on the other dates.
    rows
        Rows of one day, 1 or more.
    symbols
        Number of symbols, 1 to 100 000. The same seed gives the same keys and price
        levels on every date.
    seed
        Any integer >= 0. Same arguments, same bytes (on one version of numpy and
        Polars).
    market
        Name or :class:`vizflow.Market`: whose sessions, and whose local time.
    hot_day
        One of `dates`, to be given three times the rows.
    batch_rows
        Rows handed to the writer at a time: bounds the memory, does not change the
        file.
    compression
        Of the Feather (Arrow IPC) file.
    pattern
        File name, with ``{date}``.
    progress
        Print a line per file to standard error.

    Returns
    -------
    list of Path
        The files, in the order of `dates`. Each has the columns of :data:`SCHEMA`:
        ``GlobalExTime`` (ns since 1970, UTC), ``ticktime`` (local ``HHMMSSmmm``),
        ``ukey``, ``alpha1`` and ``alpha2`` (a noisy forecast of the return of the next
        minute, null in the auctions), ``BidPrice1`` and ``AskPrice1`` (0 or null where
        the side is empty), ``orderSide`` ("Buy", "Sell", "Cancel"; null on a quote-only
        row), ``quantity`` (null on a quote-only row) and ``fillPrice`` (null unless
        "Buy" or "Sell").

    Raises
    ------
    ImportError
        numpy is not installed.
    ConfigError
        An argument is outside what is said above. Nothing has been written then.

    Notes
    -----
    Rows are in order of arrival: by time but for the late prints. A file appears under
    its name only when it is whole.

    Examples
    --------
    >>> import tempfile, polars as pl
    >>> from vizflow import demo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = demo.generate(folder, ["20240102"], rows=10_000, symbols=50)
    ...     pl.read_ipc(path).shape
    (10000, 10)
    """
    if np is None:
        raise ImportError("vizflow.demo needs numpy: pip install 'vizflow[demo]'")
    dates = [dates] if isinstance(dates, str) else list(dates)
    _check(dates, rows, symbols, seed, hot_day, batch_rows, compression, pattern)
    sessions, zone = _sessions(market)
    folder = places.local(output_dir)
    paths = []
    for date in dates:
        began = time.perf_counter()
        count = rows * _HOT_FACTOR if date == hot_day else rows
        day = _Day.make(date, count, symbols, seed, sessions, zone)
        path = folder / pattern.format(date=date)
        _write(day.frames(batch_rows), path, compression)
        paths.append(path)
        if progress:
            took = time.perf_counter() - began
            print(f"{path.name}  {count:,} rows  {took:.1f} s", file=sys.stderr)
    return paths


def _check(
    dates: list[str],
    rows: int,
    symbols: int,
    seed: int,
    hot_day: str | None,
    batch_rows: int,
    compression: str,
    pattern: str,
) -> None:
    """Refuse what `generate` cannot do, before anything is written."""
    for date in dates:
        check_date(date)
    if len(set(dates)) != len(dates):
        raise ConfigError(f"dates must be unique, got {dates}")
    if hot_day is not None and hot_day not in dates:
        raise ConfigError(f"hot_day={hot_day!r} is not one of dates {dates}")
    bounds = {
        "rows": (rows, 1, 1 << 40),
        "symbols": (symbols, 1, _MAX_SYMBOLS),
        "seed": (seed, 0, 1 << 63),
        "batch_rows": (batch_rows, 1, 1 << 40),
    }
    for name, (value, low, high) in bounds.items():
        if whole(value) is None or not low <= value <= high:
            raise ConfigError(f"{name} must be an integer from {low} to {high}, got {value!r}")
    if compression not in ("uncompressed", "lz4", "zstd"):
        raise ConfigError(f"compression must be 'uncompressed', 'lz4' or 'zstd', got {compression!r}")
    if "{date}" not in pattern or Path(pattern).name != pattern:
        raise ConfigError(f"pattern must be a file name with '{{date}}' in it, got {pattern!r}")


def _sessions(market: Any) -> tuple[list[tuple[int, int]], zoneinfo.ZoneInfo]:
    """Return a market's sessions in ms from midnight (below 0: the eve), and its zone."""
    if isinstance(market, str):
        market = Market.get(market)
    sessions = []
    for session in market.sessions:
        start, end = _clock_ms(session.start), _clock_ms(session.end)
        sessions.append((start if start < end else start - _DAY_MS, end))
    zone = getattr(market, "timezone", None) or _ZONES.get(str(market.name).upper(), "UTC")
    return sessions, zoneinfo.ZoneInfo(str(zone))


def _clock_ms(text: str) -> int:
    """Turn ``HH:MM[:SS]`` into ms since midnight."""
    hour, minute, second = (*map(int, text.split(":")), 0)[:3]
    return (hour * 3_600 + minute * 60 + second) * 1_000


def _write(frames: Iterator[pl.DataFrame], path: Path, compression: IpcCompression) -> None:
    """Stream frames into a file that has its name only once it is whole."""
    from vizflow.files import atomic

    def source(
        columns: list[str] | None,
        predicate: pl.Expr | None,
        limit: int | None,
        size: int | None,
    ) -> Iterator[pl.DataFrame]:
        return frames  # a plain sink: Polars asks for every column and row

    with atomic.atomic(path) as file:
        target: Any = file  # it has the `write` that Polars asks for
        register_io_source(source, schema=SCHEMA).sink_ipc(
            target,
            compression=compression,
            record_batch_size=_BLOCK_ROWS,
            engine="streaming",
        )


def _random(*key: int) -> np.random.Generator:
    """Open the random stream of this key."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))


@dataclass(frozen=True)
class _Universe:
    """What each symbol is on one day: arrays indexed by symbol number."""

    ukey: Ints
    lottery: npt.NDArray[np.int32]  # slot -> symbol number, slots in proportion to activity
    open_tick: npt.NDArray[np.float32]
    low_tick: npt.NDArray[np.float32]  # price limits
    high_tick: npt.NDArray[np.float32]
    volatility: npt.NDArray[np.float32]  # of the return of one step
    drift: npt.NDArray[np.float32]  # per step; not 0 for those that run to their limit
    sell_below: npt.NDArray[np.uint16]  # a draw below this is no buy
    empty: Floats  # how an empty side of the book is written: 0 or NaN (null)
    halted: npt.NDArray[np.bool_]
    lots: Floats  # sizes, to be drawn from with equal chances

    @classmethod
    def make(cls, symbols: int, steps: int, seed: int, date: int) -> _Universe:
        """Draw the lasting traits from the seed and the day's from seed and date."""
        lasting, daily = _random(seed), _random(seed, date)
        rank = lasting.permutation(symbols)
        level = np.exp(lasting.normal(2.7, 0.8, symbols)).clip(2.0, 500.0)
        empty = np.where(lasting.random(symbols) < 0.5, 0.0, np.nan)
        yearly = np.exp(lasting.normal(-3.85, 0.35, symbols))  # daily volatility, about 2 %

        halted = daily.random(symbols) < 0.01
        weight = (rank + 4.0) ** -0.85 * np.exp(daily.normal(0.0, 0.4, symbols))
        weight[halted] *= 0.02
        slots = (np.arange(_TABLE_SLOTS) + 0.5) / _TABLE_SLOTS
        lottery = np.searchsorted(np.cumsum(weight) / weight.sum(), slots).clip(max=symbols - 1)

        close = np.rint(level * 100.0 * np.exp(daily.normal(0.0, 0.05, symbols)))
        runner = daily.random(symbols) < 0.015
        toward = np.where(daily.random(symbols) < 0.7, 0.5, -0.5) / steps  # 10 % after a fifth
        buys = daily.normal(0.5, 0.02, symbols).clip(0.4, 0.6)
        untraded = _NO_TRADE + _CANCEL
        return cls(
            ukey=600_000 + np.arange(symbols, dtype=np.int64),
            lottery=lottery.astype(np.int32),
            open_tick=np.rint(close * np.exp(daily.normal(0.0, 0.01, symbols))).astype(np.float32),
            low_tick=np.rint(close * 0.9).astype(np.float32),
            high_tick=np.rint(close * 1.1).astype(np.float32),
            volatility=(yearly / np.sqrt(steps)).astype(np.float32),
            drift=np.where(runner, toward, 0.0).astype(np.float32),
            sell_below=(untraded + (65_536 - untraded) * (1.0 - buys)).astype(np.uint16),
            empty=empty,
            halted=halted,
            lots=100.0 * np.ceil(lasting.lognormal(0.9, 1.1, _LOT_SLOTS)),
        )


@dataclass(frozen=True)
class _Stretch:
    """A part of the clock with its share of the day's rows."""

    kind: Literal["quotes", "auction", "trading"]
    weight: float  # share of the day's volume, in units of continuous trading's mean
    times: Floats  # knots of the clock, ms from midnight
    quantiles: Floats  # share of the rows before each knot, 0 to 1
    opened_ms: float  # no stamp is earlier
    rows: int = 0

    @property
    def steps(self) -> int:
        """Steps of the price path; it stands still outside continuous trading."""
        return len(self.times) - 1 if self.kind == "trading" else 1


def _plan(sessions: list[tuple[int, int]], rows: int) -> list[_Stretch]:
    """Lay out the day and share its rows among the stretches."""
    minute = 60_000.0
    first, last = float(sessions[0][0]), float(sessions[-1][1])
    span = sum(end - start for start, end in sessions)
    before = [
        _still("quotes", 0.002, [first - 15 * minute, first - 10 * minute]),
        _still("auction", 0.006, [first - 5 * minute, first - 5 * minute + 300.0]),
    ]
    after = [
        _still("auction", 0.009, [last, last, last + 3_000.0], [0.0, 0.7, 1.0]),
        _still("auction", 0.0005, [last + 5 * minute + 1_000.0, last + 30 * minute]),
    ]
    # An auction outside the calendar day is left out: round the clock there is none.
    earliest = min(0.0, first - 15 * minute if first < 0 else 0.0)
    day = [s for s in before if s.times[0] >= earliest]
    for start, end in sessions:
        day += _panels(start, end, span)
    day += [s for s in after if s.times[-1] <= _DAY_MS]
    weights = np.array([s.weight for s in day])
    edges = np.rint(np.cumsum(weights) / weights.sum() * rows)
    shares = np.diff(edges, prepend=0.0).astype(int).tolist()
    return [replace(s, rows=share) for s, share in zip(day, shares, strict=True)]


def _still(
    kind: Literal["quotes", "auction"],
    weight: float,
    times: list[float],
    quantiles: Sequence[float] = (0.0, 1.0),
) -> _Stretch:
    """Make a stretch without continuous trading."""
    return _Stretch(kind, weight, np.array(times), np.array(quantiles), times[0])


def _panels(start: int, end: int, span: int) -> Iterator[_Stretch]:
    """Cut a session into panels, with its U-shaped volume."""
    steps = max(1, round((end - start) / max(_STEP_MS, span / _DAY_STEPS)))
    edges = np.linspace(start, end, steps + 1)
    place = (np.arange(steps) + 0.5) / steps
    busy = 1.0 + 3.0 * np.exp(-place / 0.08) + 2.0 * np.exp((place - 1.0) / 0.1)
    volume = np.concatenate(([0.0], np.cumsum(busy))) * (end - start) / steps / span
    for low in range(0, steps, _PANEL_STEPS):
        cut = slice(low, min(low + _PANEL_STEPS, steps) + 1)
        inside = volume[cut] - volume[low]
        yield _Stretch("trading", float(inside[-1]), edges[cut], inside / inside[-1], start)


@dataclass(frozen=True)
class _Path:
    """Book and signal over a stretch: flat arrays, a step's symbols side by side."""

    bid: Floats
    ask: Floats
    signal: npt.NDArray[np.float32]


@dataclass
class _Walk:
    """Where the price paths stand, carried from stretch to stretch."""

    universe: _Universe
    move: npt.NDArray[np.float32]  # return since the open
    signal: npt.NDArray[np.float32]  # what the alphas see of the moves to come

    def advance(self, stretch: _Stretch, random: np.random.Generator) -> _Path:
        """Walk over a stretch; only continuous trading has moves and a spread."""
        symbols = len(self.move)
        if stretch.kind != "trading":
            return self._quote(self.move[None], np.full((1, symbols), np.nan, np.float32), 0)
        shape = (stretch.steps, symbols)
        signal = random.standard_normal(shape, dtype=np.float32)
        moves = random.standard_normal(shape, dtype=np.float32)
        keep = 0.5 ** (1.0 / _HALF_LIFE_STEPS)
        signal *= (1.0 - keep * keep) ** 0.5
        # A step's move follows the signal of the step before: alphas look ahead.
        for step in range(stretch.steps):
            moves[step] += _IMPACT * self.signal
            signal[step] += keep * self.signal
            self.signal = signal[step]
        moves *= self.universe.volatility
        moves += self.universe.drift
        moves[0] += self.move
        np.cumsum(moves, axis=0, out=moves)
        self.move, self.signal = moves[-1].copy(), self.signal.copy()
        return self._quote(moves, signal, random.integers(1, 4, symbols))

    def _quote(
        self,
        moves: npt.NDArray[np.float32],
        signal: npt.NDArray[np.float32],
        spread: Ints | int,
    ) -> _Path:
        """Quote in ticks of 0.01; at a price limit the side beyond it is empty."""
        u = self.universe
        ticks = np.rint((1.0 + moves) * u.open_tick).astype(np.float64)
        low, high = ticks <= u.low_tick, ticks >= u.high_tick
        bid = np.clip(ticks - spread // 2, u.low_tick, u.high_tick) / 100.0
        ask = np.clip(ticks - spread // 2 + spread, u.low_tick, u.high_tick) / 100.0
        np.copyto(bid, u.empty, where=low | u.halted)
        np.copyto(ask, u.empty, where=high | u.halted)
        return _Path(bid.ravel(), ask.ravel(), signal.ravel())


@dataclass(frozen=True)
class _Day:
    """One date's plan, ready to be turned into rows."""

    universe: _Universe
    stretches: list[_Stretch]
    key: tuple[int, int]  # seed and date: the root of every random stream
    midnight_ns: int  # local midnight, ns since 1970

    @classmethod
    def make(
        cls,
        date: str,
        rows: int,
        symbols: int,
        seed: int,
        sessions: list[tuple[int, int]],
        zone: zoneinfo.ZoneInfo,
    ) -> _Day:
        """Plan a date."""
        stretches = _plan(sessions, rows)
        steps = sum(s.steps for s in stretches if s.kind == "trading")
        universe = _Universe.make(symbols, steps, seed, int(date))
        noon = dt.datetime.combine(check_day(date), dt.time(12), tzinfo=zone)
        midnight = int(noon.timestamp()) - 43_200
        return cls(universe, stretches, (seed, int(date)), midnight * 1_000_000_000)

    def frames(self, batch_rows: int) -> Iterator[pl.DataFrame]:
        """Yield the day's rows in frames of `batch_rows` or up to a block more."""
        held: list[pl.DataFrame] = []
        for block in self._blocks():
            held.append(block)
            if sum(map(len, held)) >= batch_rows:
                yield pl.concat(held)
                held = []
        if held:
            yield pl.concat(held)

    def _blocks(self) -> Iterator[pl.DataFrame]:
        """Walk the prices and draw the rows, a block at a time."""
        symbols = len(self.universe.ukey)
        walk = _Walk(self.universe, np.zeros(symbols, np.float32), np.zeros(symbols, np.float32))
        for number, stretch in enumerate(self.stretches):
            path = walk.advance(stretch, _random(*self.key, number, 0))
            for first in range(0, stretch.rows, _BLOCK_ROWS):
                size = min(_BLOCK_ROWS, stretch.rows - first)
                random = _random(*self.key, number, 1 + first // _BLOCK_ROWS)
                yield self._rows(stretch, path, first, size, random)

    def _rows(
        self,
        stretch: _Stretch,
        path: _Path,
        first: int,
        size: int,
        random: np.random.Generator,
    ) -> pl.DataFrame:
        """Draw rows `first` to `first + size` of a stretch."""
        u = self.universe
        sweep, side, passive, late, lot = random.integers(0, 65_536, (5, size), np.uint16)
        # A draw inside each row's own slice of the volume: in order without a sort.
        quantile = (first + np.arange(size) + random.random(size)) / stretch.rows
        clock = np.interp(quantile, stretch.quantiles, stretch.times).astype(np.int32)
        np.minimum(clock, int(stretch.times[-1]) - 1, out=clock)
        symbol = u.lottery[random.integers(0, _TABLE_SLOTS, size, np.uint32)]
        leader = np.maximum.accumulate(np.where(sweep < _SWEEP, 0, np.arange(size, dtype=np.int32)))
        clock, symbol = clock[leader], symbol[leader]

        width = (stretch.times[-1] - stretch.times[0]) / stretch.steps
        step = ((clock - stretch.times[0]) / width).astype(np.int32)
        cell = np.minimum(step, stretch.steps - 1) * len(u.ukey) + symbol
        bid, ask, signal = path.bid[cell], path.ask[cell], path.signal[cell]
        delayed = np.flatnonzero(late < _LATE)
        back = clock[delayed] - random.integers(1, 3_000, len(delayed), np.int32)
        clock[delayed] = np.maximum(back, int(stretch.opened_ms))

        code = (side < u.sell_below[symbol]).astype(np.uint8)
        code[side < _NO_TRADE + _CANCEL] = _CODE_CANCEL
        code[(side < _NO_TRADE) | u.halted[symbol]] = _CODE_NONE
        if stretch.kind == "quotes":
            code[:] = _CODE_NONE
        quantity = u.lots[lot >> 4] + random.integers(-3, 4, size, np.int8) * 1e-8
        return self._frame(
            clock=clock,
            nanos=random.integers(0, 1_000_000, size, np.int32),
            ukey=u.ukey[symbol],
            alphas=_alphas(signal, random),
            book=(bid, ask),
            code=code,
            quantity=np.where(code == _CODE_NONE, np.nan, quantity),
            fill=_fills(bid, ask, code, passive < _PASSIVE),
        )

    def _frame(
        self,
        *,
        clock: npt.NDArray[np.int32],
        nanos: npt.NDArray[np.int32],
        ukey: Ints,
        alphas: tuple[Floats, Floats],
        book: tuple[Floats, Floats],
        code: npt.NDArray[np.uint8],
        quantity: Floats,
        fill: Floats,
    ) -> pl.DataFrame:
        """Put the columns together; NaN has stood for null until here."""
        columns = {
            "GlobalExTime": self.midnight_ns + clock * np.int64(1_000_000) + nanos,
            "ticktime": _stamps(clock).astype(np.int64),
            "ukey": ukey,
            "alpha1": alphas[0],
            "alpha2": alphas[1],
            "BidPrice1": book[0],
            "AskPrice1": book[1],
            "orderSide": pl.Series(_SIDES).gather(pl.Series(code)),
            "quantity": quantity,
            "fillPrice": fill,
        }
        return pl.DataFrame(columns, schema=SCHEMA).with_columns(pl.col(pl.Float64).fill_nan(None))


def _stamps(clock: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Turn ms from midnight into ``HHMMSSmmm``."""
    seconds, ms = np.divmod(clock % np.int32(_DAY_MS), np.int32(1_000))
    minutes, second = np.divmod(seconds, np.int32(60))
    hour, minute = np.divmod(minutes, np.int32(60))
    return ((hour * 100 + minute) * 100 + second) * 1_000 + ms


def _alphas(signal: npt.NDArray[np.float32], random: np.random.Generator) -> tuple[Floats, Floats]:
    """Hide the signal under noise: two forecasts, the second the weaker."""
    noise = random.standard_normal((2, len(signal)), dtype=np.float32)
    alpha1 = (0.5 * signal + 0.87 * noise[0]).astype(np.float64) * 5e-4
    alpha2 = (0.3 * signal + 0.95 * noise[1]).astype(np.float64) * 5e-4
    return alpha1, alpha2


def _fills(bid: Floats, ask: Floats, code: npt.NDArray[np.uint8], passive: Any) -> Floats:
    """Fill a buy at the ask, a sell at the bid, a passive order at the other side."""
    at_ask = (code == _CODE_BUY) ^ passive
    near, far = np.where(at_ask, ask, bid), np.where(at_ask, bid, ask)
    fill = np.where(near > 0, near, far)  # an empty side trades at the other
    return np.where(code <= _CODE_SELL, fill, np.nan)
