"""Every kind of file that VizFlow reads: how a sound one is made, and the ways in which it is used.

Not for the damage (`changes.py`), nor for what is made of it (`worker.py`).
"""

from __future__ import annotations

import datetime as dt
import gzip
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

import vizflow as vf
from vizflow.jobs import folder as _folder
from vizflow.jobs import settings

DATE = "20240102"


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    name: str
    """The file's name."""
    make: Callable[[Path, int], None]
    """Write it; the number, 0 or 1, tells one sound file from another."""
    uses: dict[str, Callable[[Path], Any]]
    """Ways to use it, each of which gives what can be compared."""
    ours: bool
    """Whether VizFlow wrote it: then no other numbers may come of it."""


# ---- days ---------------------------------------------------------------------------------------------------------


def day(number: int, rows: int = 90) -> pl.DataFrame:
    at = range(rows)
    return pl.DataFrame(
        {
            "symbol": [f"s{i * 7 % (5 + number)}" for i in at],
            "side": ["B" if i % 3 else "S" for i in at],
            "qty": [1 + (i + number) % 4 for i in at],
            "price": [None if i % 31 == 5 else 100 + (i * 37 % (11 + number)) / 8 for i in at],
            "timestamp": [93000000 + i % 60 * 1000 + number for i in at],
            "note": [f"a text that is longer than twelve bytes, {i % 9}" if i % 2 else "short" for i in at],
            "flag": [i % 5 == 0 for i in at],
            "date": [dt.date(2024, 1, 2)] * rows,
        }
    )


def _arrow(frame: pl.DataFrame) -> Any:
    """Return the frame as other programs write it: dictionaries, plain texts, a list, a struct, a decimal."""
    import pyarrow as pa  # which only making needs

    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    table = table.set_column(0, "symbol", table["symbol"].cast(pa.string()).dictionary_encode())
    table = table.append_column("levels", pa.array([[1.0, 2.0], None, [3.0]] * (table.num_rows // 3)))
    table = table.append_column("fee", pa.array([None, 1, 2] * (table.num_rows // 3)).cast(pa.decimal128(28, 4)))
    structs = [{"bid": 1.5, "ask": 2}, None, {"bid": None, "ask": 3}] * (table.num_rows // 3)
    return table.append_column("quote", pa.array(structs))


def _polars_ipc(compression: Any) -> Callable[[Path, int], None]:
    def make(path: Path, number: int) -> None:
        frame = day(number).with_columns(pl.col("symbol").cast(pl.Categorical))
        pl.concat([frame[:50], frame[50:]], rechunk=False).write_ipc(path, compression=compression)

    return make


def _pyarrow_ipc(compression: str) -> Callable[[Path, int], None]:
    def make(path: Path, number: int) -> None:
        from pyarrow import feather

        feather.write_feather(_arrow(day(number)), str(path), compression=compression, chunksize=40)

    return make


def _polars_parquet(path: Path, number: int) -> None:
    day(number).write_parquet(path, row_group_size=40)


def _pyarrow_parquet(path: Path, number: int) -> None:
    from pyarrow import parquet

    parquet.write_table(_arrow(day(number)), str(path), row_group_size=40, compression="snappy")


def _csv(path: Path, number: int) -> None:
    day(number).write_csv(path)


def _csv_gz(path: Path, number: int) -> None:
    path.write_bytes(gzip.compress(day(number).write_csv().encode(), mtime=0))


def _csv_zst(path: Path, number: int) -> None:
    import pyarrow as pa

    with pa.CompressedOutputStream(str(path), "zstd") as out:
        out.write(day(number).write_csv().encode())


def _config(path: Path) -> vf.Config:
    return vf.Config(
        input_dir=path.parent,
        input_pattern="{date}" + path.name.removeprefix(DATE),
        output_dir=path.parent / "out",
        market="CN",
        columns={"quantity": "qty"},
    )


METRICS = {"n": pl.len(), "qty": pl.col("qty").sum(), "mean": pl.col("price").mean(), "last": pl.col("price").last()}


def one_pass(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.aggregate(df, ["symbol", "side"], METRICS)


def two_passes(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    df = vf.parse_time(df, ctx.market)
    fifo = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price")
    df = vf.Enricher([fifo], by="symbol", sort_by="elapsed_seconds").run(df)
    df = vf.forward_return(df, [5], price_col="price")
    return vf.aggregate(df, ["symbol"], {"n": pl.len(), "r": pl.col("return_5").sum()})


def _ran(function: Callable[..., pl.LazyFrame]) -> Callable[[Path], Any]:
    def use(path: Path) -> Any:
        return vf.run(function, _config(path), DATE).rows()

    return use


def _loaded(path: Path) -> Any:
    frame = vf.load(path, schema={"note": {"default": ""}})
    return frame.with_columns(cs.temporal().to_physical()).rows()  # Python has no year 90,000


def _checked(path: Path) -> Any:
    return vf.check(_config(path), [DATE]).frame.rows()


_DAYS: dict[str, Callable[[Path], Any]] = {
    "load": _loaded,
    "run": _ran(one_pass),
    "run twice read": _ran(two_passes),
    "check": _checked,
}


# ---- ours ---------------------------------------------------------------------------------------------------------


def grouped(number: int) -> pl.LazyFrame:
    return vf.aggregate(day(number), ["symbol", "side"], METRICS)


def _partial(path: Path, number: int) -> None:
    vf.save(grouped(number), path)


def _metrics(path: Path, number: int) -> None:
    frame = day(number)
    frame.write_ipc(path.with_suffix(".feather"))
    config = vf.Config(input_dir=path.parent, output_dir=path.parent)
    vf.run(lambda df, ctx: df.group_by("symbol", maintain_order=True).agg(METRICS["mean"]), config, path.stem)
    path.with_suffix(".feather").unlink()


def _cube(path: Path, number: int) -> None:
    vf.Cube.from_frame(grouped(number)).save(path)


def _edges(path: Path, number: int) -> None:
    vf.Edges("x", (0.1, 0.2 + number, 1 / 3 + number), low=0.0, high=9.0).save(path)


def _note(path: Path, number: int) -> None:
    folder = path.parent / f"noted{number}"
    _folder.note_failure(folder, DATE, {"error": f"disk on fire, {number} times", "date": DATE, "seconds": 1.5})
    (folder / "_vizflow" / "failed" / f"{DATE}.json").rename(path)


def _noted(path: Path) -> Any:
    place = path.parent / "_vizflow" / "failed" / f"{DATE}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(path.read_bytes())
    found = _folder.failure(path.parent, DATE)
    if found is None or "note of it is damaged" in found["error"]:
        raise vf.StorageError(f"{path.name}: damaged")
    return found


def _status(path: Path) -> Any:
    """Damaged is what `status` has to say; what else it says is compared."""
    config = vf.Config(input_dir=path.parent, output_dir=path.parent)
    row = vf.status(config).filter(date=path.stem).row(0, named=True)
    if row["status"] == "damaged":
        raise vf.StorageError(row["why"])
    return row["status"], row["why"]


def _cube_rows(path: Path) -> Any:
    return vf.Cube.open(path).to_polars().rows()


_PARTIALS: dict[str, Callable[[Path], Any]] = {
    "load": lambda path: vf.load(path).rows(),
    "scan": lambda path: vf.scan(path, states=True).collect().rows(),
    "reduce": lambda path: vf.reduce(path).collect().rows(),
    "cube": lambda path: vf.Cube.from_partials(path).to_polars().rows(),
    "status": _status,
}


# ---- settings -----------------------------------------------------------------------------------------------------


_TOML = """input_dir = "days"
output_dir = "out{number}"
input_pattern = "{{date}}.feather"
market = {{ name = "Mine", sessions = [["21:00", "23:00", "night"], ["09:30", "11:30"]], timezone = "Asia/Shanghai" }}
columns = {{ quantity = "qty" }}
csv = {{ separator = ";", has_header = true }}
[schema.qty]
load_as = "Float64"
cast_to = "Int64"
[schema.symbol]
load_as = "Enum(['a', 'b'])"
aliases = ["Ticker"]
"""


def _toml(path: Path, number: int) -> None:
    path.write_text(_TOML.format(number=number), encoding="utf-8")


def _calendar(path: Path, number: int) -> None:
    vf.save(vf.calendar.generate(["20240102", "20240103", f"2024010{4 + number}"]), path)


KINDS: dict[str, Kind] = {
    "day, Arrow, plain": Kind(f"{DATE}.feather", _polars_ipc("uncompressed"), _DAYS, False),
    "day, Arrow, lz4": Kind(f"{DATE}.arrow", _polars_ipc("lz4"), _DAYS, False),
    "day, Arrow, zstd": Kind(f"{DATE}.ipc", _polars_ipc("zstd"), _DAYS, False),
    "day, Arrow of others, plain": Kind(f"{DATE}.feather", _pyarrow_ipc("uncompressed"), _DAYS, False),
    "day, Arrow of others, lz4": Kind(f"{DATE}.feather", _pyarrow_ipc("lz4"), _DAYS, False),
    "day, Parquet": Kind(f"{DATE}.parquet", _polars_parquet, _DAYS, False),
    "day, Parquet of others": Kind(f"{DATE}.parquet", _pyarrow_parquet, _DAYS, False),
    "day, CSV": Kind(f"{DATE}.csv", _csv, _DAYS, False),
    "day, CSV, gzip": Kind(f"{DATE}.csv.gz", _csv_gz, _DAYS, False),
    "day, CSV, zstd": Kind(f"{DATE}.csv.zst", _csv_zst, _DAYS, False),
    "calendar": Kind("calendar.parquet", _calendar, {"load": lambda path: vf.calendar.load(path).rows()}, False),
    "config": Kind("config.toml", _toml, {"load": lambda path: repr(settings.read_toml(path))}, False),
    "partial": Kind(f"{DATE}.parquet", _partial, _PARTIALS, True),
    "partial, metrics": Kind(f"{DATE}.parquet", _metrics, {"load": _PARTIALS["load"], "status": _status}, True),
    "cube": Kind("cube.arrow", _cube, {"open": _cube_rows}, True),
    "edges": Kind("edges.json", _edges, {"load": vf.Edges.load}, True),
    "failure note": Kind("note.json", _note, {"status": _noted}, True),
}


def make(folder: Path) -> None:
    """Write two sound files of each kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for at, kind in enumerate(KINDS.values()):
            for number in (0, 1):
                place = folder / str(at) / str(number)
                place.mkdir(parents=True)
                kind.make(place / kind.name, number)
