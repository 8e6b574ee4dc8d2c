"""Config: what a pipeline run is told once. Context: what a pipeline function gets for its date.

Not for reading files: `vizflow.io` applies the schema that is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from vizflow import io
from vizflow.dates import check_date
from vizflow.errors import ConfigError, StorageError, near_names
from vizflow.files import places
from vizflow.files.stamp import Stamp
from vizflow.market import Market
from vizflow.schema import csv as _csv
from vizflow.schema import rules

__all__ = ["Config", "Context"]


@dataclass
class Config:
    """Central configuration of a pipeline run.

    Parameters
    ----------
    input_dir, output_dir
        Where the days' files lie, and where partial results go.
    input_pattern
        File name of a date; holds ``{date}``, and may name folders: ``"{date}/trade.csv"``. The suffix tells the
        format (see `vizflow.scan`).
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
        are Polars', Python's (``float``) or names (``"Float64"``). Columns without a rule pass through. A CSV file's
        columns are read in the types their rules begin with, so 000001 of a String stays text. Text becomes Boolean by
        ``true``, ``false``, ``1`` and ``0``, in any case; others are an error.
    inputs
        Other files of a date, which the pipeline reads with ``ctx.scan(name)``: name to pattern, below `input_dir`,
        such as ``{"quotes": "{date}/quote.csv"}``. One that is read and changes makes the date's partial stale.
    csv
        How CSV files are written, in the words of Polars' ``scan_csv``: ``has_header``, ``new_columns`` (names, in
        order), ``separator``, ``decimal_comma``, ``quote_char``, ``encoding``, ``null_values``, ``comment_prefix``,
        ``skip_rows``, ``infer_schema_length`` (rows that types are guessed from; ``"all"`` takes all of them) and the
        like.

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
    inputs: dict[str, str] = field(default_factory=dict)
    csv: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("input_dir", "output_dir", "calendar_path"):
            value = getattr(self, name)
            if value is not None:
                setattr(self, name, places.local(value, f"Config.{name}"))
        places.check_pattern(self.input_pattern, "input_pattern")
        if not isinstance(self.inputs, Mapping) or not all(isinstance(name, str) and name for name in self.inputs):
            raise ConfigError(f"inputs is {self.inputs!r}; a mapping of names to patterns of files' names is accepted")
        for name, pattern in self.inputs.items():
            places.check_pattern(pattern, f"the pattern of the input {name!r},")
        _csv.check_options(self.csv)
        Market.get(self.market)
        rules.check_rules(self.schema)

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

    def get_input_path(self, name: str, date: str) -> Path:
        """Get the path of another input of a date, by its name in `inputs`.

        Raises
        ------
        ConfigError
            There is no input of that name.
        """
        if name not in self.inputs:
            hint = near_names(name, self.inputs).replace("the columns are", "the inputs are")
            raise ConfigError(f"there is no input {name!r} in Config.inputs; {hint.replace('columns', 'inputs')}")
        return self._directory("input_dir") / self.inputs[name].format(date=check_date(date))

    def get_partial_path(self, date: str) -> Path:
        """Get the path of a date's partial result, ``output_dir/{date}.parquet``."""
        return self._directory("output_dir") / f"{check_date(date)}.parquet"

    def _directory(self, name: str) -> Path:
        value = getattr(self, name)
        if value is None:
            raise ConfigError(f"Config.{name} is not set")
        return Path(value)


@dataclass(frozen=True)
class Reading:
    """An input that a pipeline read beside its frame."""

    path: Path
    stamp: Stamp
    schema: Mapping[str, Mapping[str, Any]]
    csv: Mapping[str, Any]


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
    read
        What `scan` has read, by name.

    Examples
    --------
    See `run`.
    """

    config: Config
    calendar: pl.DataFrame
    market: Market
    date: str
    read: dict[str, Reading] = field(default_factory=dict, init=False, repr=False, compare=False)

    def col(self, semantic: str) -> str:
        """Shortcut to `Config.col`."""
        return self.config.col(semantic)

    def scan(
        self, name: str, *, schema: Mapping[str, Mapping[str, Any]] | None = None, csv: Mapping[str, Any] | None = None
    ) -> pl.LazyFrame:
        """Scan another input of the date, one of `Config.inputs`.

        Parameters
        ----------
        name
            Its name there.
        schema
            Rules for its columns, as in `Config`; none unless given.
        csv
            How it is written where it is CSV; as ``Config.csv`` unless given.

        Returns
        -------
        LazyFrame
            Its rows. The file's name, size and time go into the partial's fingerprint.

        Raises
        ------
        ConfigError
            There is no input of that name.
        StorageError
            Its file is missing, or cannot be read.
        """
        path = self.config.get_input_path(name, self.date)
        options = self.config.csv if csv is None else csv
        try:
            places.look(path)
        except StorageError as error:
            raise StorageError(f"{error}; it is the input {name!r} of {self.date}") from error
        self.read[name] = Reading(path, Stamp.of(path), schema or {}, options)
        return io.scan(path, schema=schema, csv=options)
