"""Files in and out: formats by suffix, the config's schema applied on the way in, atomic writes on the way out.

Polars reads and writes them; not for what is in them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from vizflow import _partial
from vizflow._plans import Frame, as_lazy
from vizflow.errors import ConfigError, DataError, SchemaError, StorageError, near_names, translated
from vizflow.ops import near_integer

__all__ = ["load", "save", "scan"]

_READERS: dict[str, Callable[..., pl.LazyFrame]] = {
    ".feather": pl.scan_ipc,
    ".arrow": pl.scan_ipc,
    ".ipc": pl.scan_ipc,
    ".parquet": pl.scan_parquet,
    ".csv": pl.scan_csv,
}
_COMPRESSED = (".gz", ".zst")


def scan(
    path: str | os.PathLike[str], *, schema: Mapping[str, Mapping[str, Any]] | None = None, states: bool = False
) -> pl.LazyFrame:
    """Scan a file lazily.

    Parameters
    ----------
    path
        ``.feather``, ``.arrow``, ``.ipc`` (Arrow IPC), ``.parquet``, or ``.csv``, also ``.csv.gz`` and ``.csv.zst``.
    schema
        Rules by column name, as in `Config`: casts, defaults, aliases.
    states
        Of a partial that `run` (or `save`, of what `aggregate` or `reduce` gave) wrote: give the keys and the mergeable
        states as they are stored, and not the metrics that follow from them.

    Returns
    -------
    LazyFrame
        The file's rows and columns, unknown ones included, in the schema's types. Of a partial: its keys and metrics,
        the bits that `aggregate` gave.

    Raises
    ------
    StorageError
        The file is missing, empty, truncated, or not of its suffix's format.
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
    path = Path(os.fspath(path))
    reader = _reader(path)
    if not path.is_file():
        raise StorageError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise StorageError(f"{path}: the file is empty")
    with reading(path):
        lf = reader(path)
        lf.collect_schema()
    if path.suffix.lower() == ".parquet":
        lf = _partial.view(path, lf, states=states)
    elif states:
        raise ConfigError(f"{path.name}: it holds no states; partials are Parquet files")
    return apply_schema(lf, schema or {}, str(path))


def load(
    path: str | os.PathLike[str], *, schema: Mapping[str, Mapping[str, Any]] | None = None, states: bool = False
) -> pl.DataFrame:
    """Read a file whole: ``scan(path, schema=schema, states=states)`` collected; see `scan`."""
    lf = scan(path, schema=schema, states=states)
    with reading(Path(os.fspath(path)), lf.select(*(schema or ()))), translated():
        frame = lf.collect(engine="streaming")
    traced = _partial.traced(lf)
    if traced is not None:
        _partial.remember(frame, traced)
    return frame


def save(df: Frame, path: str | os.PathLike[str], *, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a frame atomically: a file under its final name is whole.

    Parameters
    ----------
    df
        LazyFrame (which is collected), DataFrame, or an object with ``__arrow_c_stream__``. What `aggregate` or
        `reduce` gave, untouched, goes into a Parquet file as mergeable states; `load` gives its metrics back.
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
    path = Path(os.fspath(path))
    traced = _partial.traced(df) if path.suffix.lower() == ".parquet" else None
    if traced is not None:
        with translated():
            df = traced.dated()
        metadata = {**(metadata or {}), **traced.describe(df.schema)}
    write = _writer(path, metadata)
    with translated():
        frame = df if isinstance(df, pl.DataFrame) else as_lazy(df).collect(engine="streaming")
    with atomic(path) as temporary:
        write(frame, temporary)
    return path


# ---- reading ----------------------------------------------------------------------------------------------------


def _reader(path: Path) -> Callable[..., pl.LazyFrame]:
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
    return _READERS[suffix]


@contextmanager
def reading(path: Path, casts: pl.LazyFrame | None = None) -> Iterator[None]:
    """Name the file when its bytes cannot be read, and the file's row when one of `casts`, its schema's, fails."""
    try:
        yield
    except (DataError, pl.exceptions.InvalidOperationError):
        if casts is not None:
            _cast_whole(casts)
        raise
    except (pl.exceptions.ComputeError, pl.exceptions.PanicException, pl.exceptions.NoDataError, OSError) as error:
        if isinstance(error, StorageError) or "[vizflow:" in str(error):
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise StorageError(
            f"{path}: the file cannot be read; it is truncated, corrupt, or not what its suffix says ({first})"
        ) from error


def _cast_whole(casts: pl.LazyFrame) -> None:
    """Cast each column in one piece, for its error: streamed batches count rows from their own start."""
    for name in casts.collect_schema().names():
        try:
            with translated():
                casts.select(name).collect(engine="in-memory")
        except pl.exceptions.InvalidOperationError as error:
            raise DataError(f"column {name!r}: {str(error).splitlines()[0]}", column=name) from error


def apply_schema(lf: pl.LazyFrame, schema: Mapping[str, Mapping[str, Any]], where: str) -> pl.LazyFrame:
    """Rename, default and cast columns by a config's schema."""
    if not schema:
        return lf
    present = lf.collect_schema()
    exprs: list[pl.Expr] = []
    dropped: list[str] = []
    for name, rule in schema.items():
        actual = next((other for other in (name, *rule.get("aliases", ())) if other in present), None)
        if actual is None:
            exprs.append(_default(name, rule, present, where))
            continue
        if actual != name:
            dropped.append(actual)
        exprs.append(_cast(name, pl.col(actual), present[actual], rule, where).alias(name))
    return lf.with_columns(exprs).drop(dropped)


def _default(name: str, rule: Mapping[str, Any], present: pl.Schema, where: str) -> pl.Expr:
    if "default" not in rule:
        raise SchemaError(
            f"{where}: there is no column {name!r} ({near_names(name, present.names())}); name it in the schema's "
            "aliases, or give it a default",
            column=name,
        )
    return pl.lit(rule["default"], dtype=rule.get("cast_to", rule.get("load_as"))).alias(name)


def _cast(name: str, column: pl.Expr, dtype: pl.DataType, rule: Mapping[str, Any], where: str) -> pl.Expr:
    if "load_as" in rule:
        column, dtype = column.cast(rule["load_as"], strict=True), _instance(rule["load_as"])
    target = rule.get("cast_to")
    if target is None:
        return column
    if dtype.is_float() and _instance(target).is_integer():
        return near_integer(column, target, tolerance=rule.get("tolerance", 1e-6))
    return column.cast(target, strict=True)


def _instance(dtype: Any) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype  # type: ignore[no-any-return]


# ---- writing ----------------------------------------------------------------------------------------------------


def _writer(path: Path, metadata: Mapping[str, str] | None) -> Callable[[pl.DataFrame, Path], None]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
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


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put it in `path`'s place, durably, when the block ends well."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise StorageError(f"{path}: the folder cannot be written to ({error.strerror})") from error
    temporary = Path(name)
    try:
        yield temporary
        _fsync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _fsync(path.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, (OSError, pl.exceptions.ComputeError)) and not isinstance(error, StorageError):
            raise StorageError(f"{path}: the file could not be written ({error})") from error
        raise


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
