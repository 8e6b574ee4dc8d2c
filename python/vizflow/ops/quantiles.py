"""Quantile bins whose edges are learnt once, kept, and used again: on other days, in other processes.

Not for bins of one width: `vizflow.bin`.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

import vizflow._core as _core
from vizflow.errors import ConfigError, DataError, SchemaError, StorageError, translated
from vizflow.files import atomic, digest, places
from vizflow.lazy.frames import Frame, as_lazy, column_type, plugin, require_new
from vizflow.lazy.lineage import edges_text, note
from vizflow.lazy.two_pass import batches, is_replayable
from vizflow.numbers import whole

__all__ = ["Edges", "qbin", "qbin_edges"]

_KIND = "vizflow.qbin_edges"
_VERSION = 2
_MAX_CUTS = 65_535


@dataclass(frozen=True)
class Edges:
    """Edges of quantile bins of one column, as `qbin_edges` learns and `qbin` applies them.

    Parameters
    ----------
    column
        The column they were learnt on.
    cuts
        Inner edges, ascending strictly; there is one bin more.
    low, high
        Smallest and largest value that was learnt from.
    closed
        The end that a bin includes: ``"right"`` is (a, b], ``"left"`` is [a, b).
    method
        The quantile's definition; see `qbin_edges`.
    asked
        How many bins were asked for.
    n, n_null, n_nan, n_infinite
        Values learnt from, and those passed over.

    Raises
    ------
    ConfigError
        Cuts that are not finite or do not ascend, or a setting not accepted.

    Examples
    --------
    >>> import vizflow as vf
    >>> edges = vf.Edges("alpha", (-0.1, 0.1), low=-1.0, high=1.0)
    >>> edges.labels()
    ['(-inf, -0.1]', '(-0.1, 0.1]', '(0.1, inf)']
    >>> path = edges.save("alpha.json")
    >>> vf.Edges.load(path) == edges
    True
    """

    column: str
    cuts: tuple[float, ...]
    low: float = -math.inf
    high: float = math.inf
    closed: Literal["right", "left"] = "right"
    method: str = "given"
    asked: int = 0
    n: int = 0
    n_null: int = 0
    n_nan: int = 0
    n_infinite: int = 0

    def __post_init__(self) -> None:
        if self.closed not in ("right", "left"):
            raise ConfigError(f"closed is {self.closed!r}; 'right' or 'left' is accepted")
        object.__setattr__(self, "cuts", tuple(float(cut) for cut in self.cuts))
        if len(self.cuts) > _MAX_CUTS:
            raise ConfigError(f"edges of {self.column!r}: {len(self.cuts)} cuts; at most {_MAX_CUTS} are accepted")
        for before, cut in zip((-math.inf, *self.cuts), self.cuts, strict=False):
            if not math.isfinite(cut) or not before < cut:
                raise ConfigError(
                    f"edges of {self.column!r}: {cut!r} after {before!r}; finite cuts that ascend strictly are accepted"
                )
        if not self.low <= self.high:
            raise ConfigError(f"edges of {self.column!r}: low {self.low!r} is not below high {self.high!r}")

    @property
    def bins(self) -> int:
        """How many bins there are: cuts and one; fewer than asked for where edges were equal."""
        return len(self.cuts) + 1

    def labels(self) -> list[str]:
        """Return each bin's interval as text; the outer ones are open, for they take values beyond what was learnt."""
        ends = [repr(cut) for cut in self.cuts]
        lows, highs = ["-inf", *ends], [*ends, "inf"]
        if self.closed == "right":
            return [f"({a}, {b}{')' if b == 'inf' else ']'}" for a, b in zip(lows, highs, strict=True)]
        return [f"{'(' if a == '-inf' else '['}{a}, {b})" for a, b in zip(lows, highs, strict=True)]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write them as JSON, whole or not at all; numbers are written so that the same doubles come back."""
        path = places.local(path)
        if path.suffix.lower() != ".json":
            raise ConfigError(f"{path.name}: edges are kept as .json")
        ends = {"low": _finite(self.low), "high": _finite(self.high)}
        content = digest.sealed({"kind": _KIND, "version": _VERSION, **asdict(self), **ends, "cuts": list(self.cuts)})
        with atomic.atomic(path) as file:
            file.write((json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
        return path

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Edges:
        """Read edges that `Edges.save` wrote.

        Raises
        ------
        StorageError
            The file is missing, or not one of these; a newer version's names the version.
        """
        path = places.local(path)
        places.look(path)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StorageError(f"{path}: the edges cannot be read ({error})") from error
        if not isinstance(content, dict) or content.pop("kind", None) != _KIND:
            raise StorageError(f"{path}: these are no edges; Edges.save writes them")
        version = content.pop("version", None)
        if version != _VERSION:
            raise StorageError(f"{path}: edges of version {version!r}; this VizFlow reads version {_VERSION}")
        if not digest.is_whole({**content, "kind": _KIND, "version": version}):
            raise digest.damaged(path)
        content.pop("digest")
        low, high = content.get("low"), content.get("high")
        content |= {"low": -math.inf if low is None else low, "high": math.inf if high is None else high}
        try:
            return Edges(**content)
        except (TypeError, ValueError) as error:
            raise StorageError(f"{path}: the edges are damaged ({error})") from error


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def qbin_edges(
    df: Frame | Sequence[Frame],
    col: str,
    n: int = 10,
    *,
    method: Literal["linear", "inverse_cdf"] = "linear",
    closed: Literal["right", "left"] = "right",
    duplicates: Literal["raise", "drop"] = "raise",
) -> Edges:
    """Learn the edges of `n` quantile bins of a column: reads that column five times, in bounded memory.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``; or a list of them, a frame a day for example,
        which count as one.
    col
        Numeric column. Null, NaN and infinities are passed over, and counted. Integers past 2^53 are rounded to
        doubles.
    n
        Bins, 2 to 4096.
    method
        The quantile at p = k / n of N values in ascending order x[0] … x[N-1]. ``"linear"``: x[j] + g (x[j+1] - x[j])
        with j + g = (N - 1) k / n (type 7 of Hyndman and Fan, Sample Quantiles in Statistical Packages, The American
        Statistician 50, 1996; the default of numpy and pandas). ``"inverse_cdf"``: x[ceil(N k / n) - 1] (type 1), a
        value that occurs.
    closed
        ``"right"``: a value equal to an edge is in the bin below, as in ``pandas.qcut``. ``"left"``: in the bin above.
    duplicates
        Equal edges, which heavy ties make: ``"raise"``, or ``"drop"`` them for fewer bins, as in ``pandas.qcut``. Edges
        are those between bins and the smallest and largest value.

    Returns
    -------
    Edges
        The same for any order of the rows, any batches, chunks and engine: order statistics are found exactly.

    Raises
    ------
    SchemaError
        The column is missing or not numeric.
    ConfigError
        An option is not accepted.
    DataError
        There is no finite value, or edges are equal under ``duplicates="raise"``.
    ReplayError
        The input gave other values when read again; ``.collect()`` it first.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> train = pl.DataFrame({"alpha": [1.0, 2.0, 3.0, 4.0, 5.0, None]})
    >>> edges = vf.qbin_edges(train, "alpha", 4)
    >>> edges.cuts, edges.n, edges.n_null
    ((2.0, 3.0, 4.0), 5, 1)
    >>> vf.qbin(pl.DataFrame({"alpha": [0.5, 2.0, 2.5, 9.0]}), edges).collect()["alpha_qbin"].to_list()
    [0, 0, 1, 3]
    """
    count = whole(n)
    if count is None or not 2 <= count <= 4096:
        raise ConfigError(f"n is {n!r}; 2 to 4096 bins are accepted")
    n = count
    if method not in _core.QUANTILE_METHODS:
        raise ConfigError(f"method is {method!r}; 'linear' or 'inverse_cdf' is accepted")
    if closed not in ("right", "left"):
        raise ConfigError(f"closed is {closed!r}; 'right' or 'left' is accepted")
    if duplicates not in ("raise", "drop"):
        raise ConfigError(f"duplicates is {duplicates!r}; 'raise' or 'drop' is accepted")
    frames = [_column(frame, col) for frame in (df if isinstance(df, (list, tuple)) else [df])]
    if not frames:
        raise ConfigError("df is an empty list; one frame or more are needed")
    quantiles = _core.Quantiles(n_bins=n, method=_core.QUANTILE_METHODS[method])
    more = True
    try:
        while more:
            for batch in _batches(frames):
                quantiles.update(batch[col])
            more = quantiles.end_pass()
    except DataError as error:
        raise type(error)(f"column {col!r}: {error}", column=col, count=error.count) from None
    cuts, (low, high, valid, null, nan, infinite) = quantiles.cuts()
    kept = sorted({low, *cuts, high})
    if len(kept) < len(cuts) + 2 and duplicates == "raise":
        raise DataError(
            f"column {col!r}: of the {n + 1} edges of {n} bins, {len(kept)} are distinct: a value occurs too often; "
            "take fewer bins, or duplicates='drop' for at most "
            f"{max(len(kept) - 1, 1)}",
            column=col,
        )
    return Edges(
        column=col,
        cuts=tuple(kept[1:-1]),
        low=low,
        high=high,
        closed=closed,
        method=method,
        asked=n,
        n=valid,
        n_null=null,
        n_nan=nan,
        n_infinite=infinite,
    )


def _column(frame: Frame, col: str) -> pl.LazyFrame:
    """Return the column alone, so that it may be read several times."""
    lf = as_lazy(frame)
    dtype = column_type(lf.collect_schema(), col, "qbin_edges")
    if not dtype.is_numeric() and dtype != pl.Null:
        raise SchemaError(f"qbin_edges: column {col!r} is {dtype}; a numeric column is needed", column=col)
    one = lf.select(pl.col(col).cast(pl.Float64) if dtype.is_decimal() else pl.col(col))
    if is_replayable(lf):
        return one
    with translated():
        return one.collect(engine="streaming").lazy()


def _batches(frames: list[pl.LazyFrame]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        yield from batches(frame, ordered=False)


def qbin(
    df: Frame,
    edges: Edges | Sequence[Edges] | Mapping[str, Edges | Sequence[float]],
    *,
    outside: Literal["clip", "null", "raise"] = "clip",
) -> pl.LazyFrame:
    """Add ``{col}_qbin``: the number of the quantile bin that a value falls in, from 0.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``.
    edges
        What `qbin_edges` gave, or several of them; or a mapping of column to edges, also to a list of your own inner
        edges.
    outside
        What a value below the smallest or above the largest that the edges were learnt from becomes: ``"clip"``, the
        first or last bin; ``"null"``; or ``"raise"``.

    Returns
    -------
    LazyFrame
        The input, and an Int64 column for each of `edges`. Null, NaN and infinities give null. A value equal to an edge
        is in the bin that includes it (`Edges.closed`).

    Raises
    ------
    SchemaError
        A column is missing or not numeric, or ``{col}_qbin`` is there already.
    ConfigError
        No edges, or some that are not acceptable.
    DataError
        When collected: values outside under ``outside="raise"``, with count and first row.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> day = pl.DataFrame({"alpha": [-0.2, -0.1, 0.0, 0.3, None]})
    >>> vf.qbin(day, {"alpha": [-0.1, 0.1]}).collect()["alpha_qbin"].to_list()
    [0, 0, 1, 2, None]
    """
    if outside not in _core.CUT_OUTSIDE:
        raise ConfigError(f"outside is {outside!r}; 'clip', 'null' or 'raise' is accepted")
    lf = as_lazy(df)
    schema = lf.collect_schema()
    bins = []
    given = _by_column(edges)
    for name, one in given.items():
        dtype = column_type(schema, name, "qbin")
        if not dtype.is_numeric() and dtype != pl.Null:
            raise SchemaError(f"qbin: column {name!r} is {dtype}; a numeric column is needed", column=name)
        value = pl.col(name).cast(pl.Float64) if dtype.is_decimal() else pl.col(name)
        number = plugin(
            "cut_index",
            [value, note({f"{name}_qbin": edges_text((one.cuts, one.closed, outside, *_ends(one, outside)))})],
            cuts="".join(struct.pack(">d", cut).hex() for cut in one.cuts),
            left_closed=one.closed == "left",
            low=float(one.low),
            high=float(one.high),
            outside=_core.CUT_OUTSIDE[outside],
            whole=outside == "raise",
        )
        bins.append(number.alias(f"{name}_qbin"))
    require_new(schema, [f"{name}_qbin" for name in given], "qbin")
    return lf.with_columns(bins)


def _ends(edges: Edges, outside: str) -> tuple[float, ...]:
    """Return the values below and above which `outside` makes a difference."""
    return () if outside == "clip" else (edges.low, edges.high)


def _by_column(edges: Any) -> dict[str, Edges]:
    if isinstance(edges, Edges):
        edges = [edges]
    if isinstance(edges, Mapping):
        out = {name: one if isinstance(one, Edges) else Edges(name, tuple(one)) for name, one in edges.items()}
    elif isinstance(edges, (list, tuple)) and all(isinstance(one, Edges) for one in edges):
        out = {one.column: one for one in edges}
        if len(out) < len(edges):
            raise ConfigError("edges names a column twice")
    else:
        raise ConfigError("edges are what qbin_edges gives, a list of such, or a mapping of column to edges")
    if not out:
        raise ConfigError("edges is empty; what qbin_edges gives is needed")
    return out
