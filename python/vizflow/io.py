"""Files in and out: formats by suffix, the config's schema applied on the way in, atomic writes on the way out.

Polars reads and writes them; not for what is in them.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from vizflow.errors import (
    ConfigError,
    DataError,
    Error,
    PanicError,
    SchemaError,
    StorageError,
    first_line,
    from_polars,
    translated,
)
from vizflow.files import arrow, digest, places
from vizflow.files.atomic import atomic, refuse_folder
from vizflow.lazy.frames import Frame, as_lazy
from vizflow.lazy.reading import identity
from vizflow.lazy.two_pass import batches, refuse_fewer
from vizflow.partials import file as _file
from vizflow.partials import traced as _traced
from vizflow.schema import csv as _csv
from vizflow.schema import rules

__all__ = ["load", "save", "scan"]


def _ipc(source: Path) -> pl.LazyFrame:
    """Scan the very file that is named: no pattern, no columns from the names of folders. So do the others."""
    arrow.check(source)
    return pl.scan_ipc(source, glob=False, hive_partitioning=False)


def _parquet(source: Any) -> pl.LazyFrame:
    return pl.scan_parquet(source, glob=False, hive_partitioning=False)


_READERS: dict[str, Callable[..., pl.LazyFrame]] = {
    ".feather": _ipc,
    ".arrow": _ipc,
    ".ipc": _ipc,
    ".parquet": _parquet,
    ".csv": pl.scan_csv,
}
_HELD_MOST = 1 << 28  # bytes of a partial that a scan of it holds, so that what is used is what was checked
_COMPRESSED = (".gz", ".zst")


def scan(
    path: str | os.PathLike[str],
    *,
    schema: Mapping[str, Mapping[str, Any]] | None = None,
    states: bool = False,
    verify: bool = True,
    csv: Mapping[str, Any] | None = None,
) -> pl.LazyFrame:
    """Scan a file lazily. The path is a path: ``run[1]/a*.parquet`` is a file of that name.

    Parameters
    ----------
    path
        ``.feather``, ``.arrow``, ``.ipc`` (Arrow IPC), ``.parquet``, or ``.csv``, also ``.csv.gz`` and ``.csv.zst``.
    schema
        Rules by column name, as in `Config`: casts, defaults, aliases.
    states
        Of a partial that `run` (or `save`, of what `aggregate` or `reduce` gave) wrote: give the keys and the mergeable
        states as they are stored, and not the metrics that follow from them.
    verify
        Compare a partial with the digest of its contents that it carries, now, before anything of it is used; of up to
        256 MiB, what was compared is what is read later. False: take it as it is, and read it lazily.
    csv
        How a CSV file is written, as `Config` takes it: ``{"separator": ";", "decimal_comma": True}``.

    Returns
    -------
    LazyFrame
        The file's rows and columns, unknown ones included, in the schema's types. Of a partial: its keys and metrics,
        the bits that `aggregate` gave.

    Raises
    ------
    StorageError
        The file is missing, empty, truncated, or not of its suffix's format; a partial is not what was written.
    ConfigError
        The suffix is not known, or `states` of a file that holds none.
    SchemaError
        A column that the schema names is missing and has no default.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> path = vf.save(pl.DataFrame({"TickTime": [93000], "qty": [1.00000002]}), "day.feather")
    >>> rules = {"ticktime": {"aliases": ["TickTime"]}, "qty": {"cast_to": pl.Int64}, "venue": {"default": "SSE"}}
    >>> vf.scan(path, schema=rules).collect().row(0, named=True)
    {'qty': 1, 'ticktime': 93000, 'venue': 'SSE'}
    """
    path = places.local(path)
    reader = _reader(path, csv, schema)
    size = places.look(path) or 0
    if size == 0:
        raise StorageError(f"{path}: the file is empty")
    with reading(path, csv=csv):
        whole = digest.read(path) if verify and reader is _parquet and size <= _HELD_MOST else None
        lf = reader(path if whole is None else whole)
        lf.collect_schema()
    if reader is _parquet:
        lf = _file.view(path, lf, states=states, verify=verify, whole=whole)
    elif states:
        raise ConfigError(f"{path.name}: it holds no states; partials are Parquet files")
    return rules.apply(lf, schema or {}, str(path))


def load(
    path: str | os.PathLike[str],
    *,
    schema: Mapping[str, Mapping[str, Any]] | None = None,
    states: bool = False,
    verify: bool = True,
    csv: Mapping[str, Any] | None = None,
) -> pl.DataFrame:
    """Read a file whole: ``scan(path, schema=schema, states=states, verify=verify, csv=csv)`` collected; see `scan`."""
    lf = scan(path, schema=schema, states=states, verify=verify, csv=csv)
    with reading(Path(os.fspath(path)), schema, csv), translated():
        frame = lf.collect(engine="streaming")
        refuse_fewer(lf, frame.height)
    traced = _traced.traced(lf)
    if traced is not None:
        _traced.remember(frame, traced)
    return frame


def save(df: Frame, path: str | os.PathLike[str], *, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a frame atomically: a file under its final name is whole.

    Parameters
    ----------
    df
        LazyFrame (which is collected), DataFrame, or an object with ``__arrow_c_stream__``. What `aggregate` or
        `reduce` gave, untouched, goes into a Parquet file as mergeable states; `load` gives its metrics back. The file
        says of which dates it is where that is known: of `parse_time` (``date=``, or a market on a day), or of a column
        ``date`` of the frame that was aggregated.
    path
        ``.parquet``, ``.feather``, ``.arrow``, ``.ipc`` or ``.csv``. Folders are made; an existing file is replaced.
    metadata
        Text that goes into the file (Parquet only).

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    StorageError
        It could not be written; then nothing is there, and what was there before still is.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> path = vf.save(pl.DataFrame({"side": ["B", "S"]}), "partials/20241001.parquet")
    >>> vf.load(path)["side"].to_list()
    ['B', 'S']
    """
    path = places.local(path)
    traced = _traced.traced(df) if path.suffix.lower() == ".parquet" else None
    if traced is not None:
        with translated():
            df = traced.dated()
        metadata = {**(metadata or {}), **traced.describe(df.schema)}
    write = _writer(path, metadata)
    refuse_folder(path)
    with translated():
        frame = df if isinstance(df, pl.DataFrame) else as_lazy(df).collect(engine="streaming")
    with atomic(path) as file:
        write(frame, file)
    return path


# ---- reading ----------------------------------------------------------------------------------------------------


def _reader(
    path: Path, csv: _csv.Options | None = None, schema: rules.Rules | None = None
) -> Callable[..., pl.LazyFrame]:
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises where it may not look)
        raise StorageError(f"{path} is a folder, and a file is read; vf.reduce({str(path)!r}) merges its partials")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-1] if suffixes else ""
    if suffix in _COMPRESSED:
        suffix = suffixes[-2] if len(suffixes) > 1 else ""
        if suffix != ".csv":
            raise ConfigError(
                f"{path.name}: only CSV is read compressed from outside; Arrow and Parquet compress inside"
            )
    if suffix not in _READERS:
        accepted = ", ".join(_READERS)
        raise ConfigError(f"{path.name}: the suffix tells the format; {accepted}, .csv.gz and .csv.zst are read")
    if suffix == ".csv":
        return lambda file: _csv.scan(file, csv or {}, schema or {})
    return _READERS[suffix]


@contextmanager
def reading(path: Path, schema: rules.Rules | None = None, csv: _csv.Options | None = None) -> Iterator[None]:
    """Name the file when its bytes cannot be read, and the file's row when one of `schema`'s casts fails.

    A file that vanishes or changes meanwhile is an error too: what was read of it belongs to no version of it.
    """
    before = identity(path)
    try:
        yield
    except (DataError, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        _unless_it_changed(path, before, error)
        if isinstance(error, Error) and not isinstance(error, DataError):
            raise
        if schema and isinstance(error, (DataError, pl.exceptions.InvalidOperationError, pl.exceptions.ComputeError)):
            rules.raise_bad_values(_as_in_file(path, csv), schema, str(path))
        if is_csv(path) and isinstance(error, pl.exceptions.ComputeError):
            _csv.raise_unparsed(path, csv or {}, error)
        ours = isinstance(error, Error) and not isinstance(error, PanicError)
        if isinstance(error, _UNREADABLE) and "[vizflow:" not in str(error) and not ours:
            known = _of_another_kind(path)
            if known is not None:
                raise StorageError(f"{path}: {known}") from error
            if _reads_well(path, csv):
                raise DataError(
                    f"{path}: the file itself reads well; what is computed of its rows fails: {first_line(error)}"
                ) from error
            raise StorageError(
                f"{path}: the file cannot be read; it is truncated, corrupt, or not what its suffix says "
                f"({first_line(error)})"
            ) from error
        if isinstance(error, pl.exceptions.PolarsError) and from_polars(error) is None:
            raise _of_rows(path, error) from error
        raise
    _unless_it_changed(path, before, None)


def _of_rows(path: Path, error: pl.exceptions.PolarsError) -> Error:
    """Name the file whose columns an expression does not fit."""
    kind = SchemaError if isinstance(error, _OF_COLUMNS) else DataError
    return kind(f"{path}: what is computed of its rows fails: {first_line(error)}")


def _of_another_kind(path: Path) -> str | None:
    """Say what a file is that is whole, and that Polars does not read, and what to do with it."""
    with suppress(OSError):
        if path.suffix.lower() in (".feather", ".arrow", ".ipc"):
            with path.open("rb") as file:
                if file.read(4) == b"FEA1":
                    return (
                        "this is Feather version 1, of before 2020, and version 2 (Arrow IPC) is read; write it anew: "
                        f"from pyarrow import feather; feather.write_feather(feather.read_table({str(path)!r}), "
                        "'new.feather', version=2)"
                    )
        if path.suffix.lower() == ".csv":
            at = _not_utf8(path)
            if at is not None:
                return (
                    f"this is CSV that is not UTF-8 (byte {at:,} is the first that cannot be read), and UTF-8 is read; "
                    f"write it anew with its encoding named: pl.read_csv({str(path)!r}, encoding='gb18030')"
                    ".write_parquet('new.parquet'), where 'gb18030' is of Chinese vendors, 'cp949' of Korean ones, "
                    "and 'latin-1' of most others"
                )
    return None


def _not_utf8(path: Path) -> int | None:
    """Return the place of the first byte that is not UTF-8."""
    decoder, done = codecs.getincrementaldecoder("utf-8")(), 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(1 << 20)
            kept = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return done - kept + error.start
            if not chunk:
                return None
            done += len(chunk)


def height(path: Path, csv: _csv.Options | None) -> int:
    """Count a file's rows: by its footer, where it has one."""
    return int(_reader(path, csv)(path).select(pl.len()).collect(engine="streaming").item())


def read_through(path: Path, schema: rules.Rules | None, csv: _csv.Options | None) -> None:
    """Read a file to its end, for what is raised on the way."""
    for _ in batches(scan(path, schema=schema, csv=csv)):
        pass


def is_csv(path: Path) -> bool:
    """Return whether a file is read as CSV, by its name."""
    return path.name.lower().removesuffix(".gz").removesuffix(".zst").endswith(".csv")


def _as_in_file(path: Path, csv: _csv.Options | None) -> pl.LazyFrame:
    """Scan a file's columns before any cast: those of a CSV file are text."""
    return _csv.as_text(path, csv or {}) if is_csv(path) else _reader(path)(path)


_UNREADABLE = (
    pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError, pl.exceptions.PanicException, PanicError,
    pl.exceptions.NoDataError, OSError,
)  # fmt: skip
_OF_COLUMNS = (pl.exceptions.ColumnNotFoundError, pl.exceptions.DuplicateError, pl.exceptions.SchemaError)


def _reads_well(path: Path, csv: _csv.Options | None) -> bool:
    """Return whether a file that something failed on can be read, every column of it."""
    try:
        for _ in batches(_reader(path, csv)(path)):
            pass
    except (Error, pl.exceptions.PolarsError, OSError):
        return False
    return True


def _unless_it_changed(path: Path, before: tuple[int, ...] | None, error: BaseException | None) -> None:
    after = identity(path)
    if after is None:
        raise StorageError(f"{path}: the file vanished while it was read") from error
    if before is not None and after != before:
        raise StorageError(
            f"{path}: the file was changed or replaced while it was read, so nothing of it was used; try again when "
            "whoever writes it has finished"
        ) from error


# ---- writing ----------------------------------------------------------------------------------------------------


def _writer(path: Path, metadata: Mapping[str, str] | None) -> Callable[[pl.DataFrame, Any], None]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        if metadata and "vizflow.kind" in metadata:
            return lambda frame, to: _write_sealed(frame, to, {**metadata, digest.KEY: digest.PLACE})
        return lambda frame, to: frame.write_parquet(to, metadata=dict(metadata) if metadata else None)
    if metadata:
        raise ConfigError(f"{path.name}: only Parquet files hold metadata")
    if suffix in (".feather", ".arrow", ".ipc"):
        return lambda frame, to: frame.write_ipc(to)
    if suffix == ".csv":
        return lambda frame, to: frame.write_csv(to)
    raise ConfigError(
        f"{path.name}: the suffix tells the format; .parquet, .feather, .arrow, .ipc and .csv are written"
    )


def _write_sealed(frame: pl.DataFrame, to: Any, metadata: dict[str, str]) -> None:
    sealing: Any = digest.Sealing(to)
    frame.write_parquet(sealing, metadata=metadata)
    sealing.finish()
