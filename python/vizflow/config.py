"""Config: what a pipeline run is told once. Context: what a pipeline function gets for its date.

Not for reading files: `vizflow.io` applies the schema that is written here.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from vizflow import _schema
from vizflow.errors import ConfigError
from vizflow.market import Market

__all__ = ["Config", "Context", "check_date"]


def check_date(date: str) -> str:
    """Check a date: ``YYYYMMDD``, ASCII digits, a day that exists.

    Raises
    ------
    ConfigError
        Anything else, before it can reach a path.
    """
    if isinstance(date, str) and re.fullmatch(r"[0-9]{8}", date, re.ASCII):
        try:
            dt.date(int(date[:4]), int(date[4:6]), int(date[6:]))
        except ValueError:
            pass
        else:
            return date
    raise ConfigError(f"date {date!r} is not a day written YYYYMMDD, such as '20241001'")


@dataclass
class Config:
    """Central configuration of a pipeline run.

    Parameters
    ----------
    input_dir, output_dir
        Where the days' files lie, and where partial results go.
    input_pattern
        File name of a date; holds ``{date}``. The suffix tells the format (see `vizflow.scan`).
    calendar_path
        File of a trading calendar (see `vizflow.calendar.load`), for ``Context.calendar``; None for the bundled one of
        `market`.
    market
        Name of a preset (``"CN"``, ``"KR"``, ``"HK"``, ``"US"``, ``"crypto"``, ``"hkex_northbound"``, any case), or a
        `Market`.
    columns
        Semantic to actual column name, for `col`.
    binwidths, group_by, metrics, horizons, time_cutoff
        Settings of the pipeline function's own, for it to read.
    schema
        Column name to a rule, applied when a day is read: ``load_as`` (type to cast to first), ``cast_to`` (type to
        end with; a float is cast to an integer only within ``tolerance`` of one, 1e-6 relative unless given, and
        anything else is an error), ``default`` (value of a missing column, of the type the rule ends with; without one
        it is an error), ``aliases`` (names the column had on other days; two of them on one day are an error). Types
        are Polars', Python's (``float``) or names (``"Float64"``). Columns without a rule pass through.

    Raises
    ------
    ConfigError
        A setting that is not acceptable.

    Examples
    --------
    >>> import vizflow as vf
    >>> config = vf.Config(columns={"timestamp": "ticktime", "price": "mid"})
    >>> config.col("timestamp"), config.col("alpha1")
    ('ticktime', 'alpha1')
    """

    input_dir: Path | str | None = None
    output_dir: Path | str | None = None
    input_pattern: str = "{date}.feather"
    calendar_path: Path | str | None = None
    market: str | Market = "CN"
    columns: dict[str, str] = field(default_factory=dict)
    binwidths: dict[str, float] = field(default_factory=dict)
    group_by: list[str] = field(default_factory=list)
    metrics: dict[str, pl.Expr] = field(default_factory=dict)
    horizons: list[int] = field(default_factory=list)
    time_cutoff: int | None = None
    schema: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("input_dir", "output_dir", "calendar_path"):
            value = getattr(self, name)
            if value is not None:
                setattr(self, name, Path(os.fspath(value)))
        if "{date}" not in self.input_pattern:
            raise ConfigError(f"input_pattern {self.input_pattern!r} does not hold {{date}}")
        Market.get(self.market)
        _schema.check_rules(self.schema)

    def col(self, semantic: str) -> str:
        """Get the actual column name from a semantic name; a name that is not mapped is its own."""
        return self.columns.get(semantic, semantic)

    def get_file_path(self, date: str) -> Path:
        """Get the input file's path for a date.

        Raises
        ------
        ConfigError
            The date is not a day written YYYYMMDD, or no input_dir is set.
        """
        return self._directory("input_dir") / self.input_pattern.format(date=check_date(date))

    def get_partial_path(self, date: str) -> Path:
        """Get the path of a date's partial result, ``output_dir/{date}.parquet``."""
        return self._directory("output_dir") / f"{check_date(date)}.parquet"

    def _directory(self, name: str) -> Path:
        value = getattr(self, name)
        if value is None:
            raise ConfigError(f"Config.{name} is not set")
        return Path(value)


@dataclass
class Context:
    """Runtime state that a pipeline function gets with its frame.

    Attributes
    ----------
    config
        The run's `Config`.
    calendar
        Trading calendar as a frame: of the config's ``calendar_path``, else the bundled one of its market (see
        `vizflow.calendar.get`); without rows for a market that has none.
    market
        The config's market on that day (`Market.on`): with its sessions, half days and late openings included, and with
        stamps of other days outside. On a day that its calendar does not know, or says is closed, with the usual ones.
    date
        The day, ``YYYYMMDD``.

    Examples
    --------
    See `run`.
    """

    config: Config
    calendar: pl.DataFrame
    market: Market
    date: str

    def col(self, semantic: str) -> str:
        """Shortcut to `Config.col`."""
        return self.config.col(semantic)
