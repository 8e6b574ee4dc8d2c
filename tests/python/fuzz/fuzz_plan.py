"""What a partial or a cube says of itself, damaged: refused by an error of ours, or read; nothing else may happen.

Input: a byte that picks what is damaged, and then how, place by place. `atheris` (libFuzzer for Python) runs this file;
without it, it replays the files that are named, as the tests do. Not for the columns' bytes: Polars reads those.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import random
import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    atheris = None

if atheris is not None and __name__ == "__main__":
    with atheris.instrument_imports(include=["vizflow"]):
        import vizflow as vf
else:
    import vizflow as vf

import polars as pl

from vizflow import io
from vizflow.cube import store
from vizflow.files import atomic, digest
from vizflow.lazy import notes
from vizflow.partials import file as _file
from vizflow.partials import plan as _plan
from vizflow.partials import versions

ROWS = pl.DataFrame(
    {
        "alpha": [-1e-4, 0.0, 1e-4, 1e-4, 2e-4],
        "side": ["B", "S", "B", None, "S"],
        "price": [10.0, 11.0, 12.5, 9.0, 10.25],
        "qty": [100, 200, 50, 75, 0],
    }
)
PRICE, QTY = pl.col("price"), pl.col("qty")
METRICS: list[dict[str, pl.Expr]] = [
    {"n": pl.len(), "qty": QTY.sum(), "vwap": (PRICE * QTY).sum() / QTY.sum()},
    {"low": PRICE.min(), "high": PRICE.max(), "first": PRICE.first(), "last": PRICE.last(), "all": (QTY + 1).product()},
    {"mean": PRICE.mean(), "std": PRICE.std(), "corr": pl.corr("price", "qty"), "some": PRICE.filter(QTY > 60).var()},
    {
        "up": pl.when(QTY.sum() > 100).then(PRICE.sum().round(2)).otherwise(None),
        "date": pl.lit(1) + QTY.max().cast(pl.Float64),
    },
]
ODD: list[Any] = [
    None, True, -1, 0, 1, 2**63, -(2**63), 2**200, 1e308, "", "price", "rows", "col", "lit", "call", "cast", "when",
    "Int64", "Datetime(us, Nowhere)", "Duration(", "20240230", "../20240101", "\0", "\ud800", [], {}, [[]],
    ["col", "n"], ["lit", None, 1], ["call", "+", [], {}], ["cast", "Date", ["lit", None, 1], True],
    ["lit", "Date", 10**12],
    ["lit", "Float64", "x"], "value", "add_int", "mean", "corr", "first", "NaN", "x" * 300,
]  # fmt: skip


class Bytes:
    """Bytes taken one after another; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def __bool__(self) -> bool:
        return self.at < len(self.data)

    def take(self, below: int) -> int:
        byte = self.data[self.at] if self else 0
        self.at += 1
        return byte % below

    def text(self) -> str:
        length = self.take(24)
        part = self.data[self.at : self.at + length]
        self.at += length
        return part.decode("latin-1")


# ---- what is sound ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def folder() -> Path:
    """Return a folder that is there as long as the process."""
    keep = tempfile.TemporaryDirectory()
    _kept.append(keep)
    return Path(keep.name)


_kept: list[Any] = []


@lru_cache(maxsize=16)
def partial(which: int) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return what a partial stores, and its metadata."""
    frame = vf.bin(ROWS.lazy(), {"alpha": 1e-4})
    path = folder() / f"sound{which}.parquet"
    with notes.noting():
        vf.save(vf.aggregate(frame, ["alpha_bin", "side"][: 1 + which % 2], METRICS[which % 4]), path)
    known = {k: v for k, v in pl.read_parquet_metadata(path).items() if k.startswith("vizflow.")}
    dated = {"vizflow.date": "20240102", "vizflow.dates": '["20240102"]', "vizflow.bins": '{"alpha_bin": 0.0001}'}
    frame = pl.read_parquet(path)
    return frame, resealed({**known, **dated}, frame)


@lru_cache(maxsize=2)
def cube(which: int) -> pl.DataFrame:
    """Return a saved cube's frame: its description, then its parts."""
    made = vf.aggregate(vf.bin(ROWS.lazy(), {"alpha": 1e-4}), ["alpha_bin", "side"], METRICS[which])
    path = folder() / f"sound{which}.arrow"
    vf.Cube.from_partials({"20240102": made, "20240103": made}, bins={"alpha_bin": 1e-4}).save(path)
    return pl.read_ipc(path.read_bytes())


# ---- damage ----------------------------------------------------------------------------------------------------------


def places(tree: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """List every (container, key) of a JSON tree, but for its depths."""
    if len(found) > 5000:
        return found
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        found.append((tree, key))
        places(tree[key], found)
    return found


def damaged(text: str, b: Bytes) -> str:
    """Damage a JSON text, or any."""
    how = b.take(8)
    if how == 0:
        return text
    if how == 1:
        at = b.take(256) * len(text) // 256
        return text[:at] + b.text() + text[at + b.take(16) :]
    if how == 2:
        return b.text()
    try:
        tree = json.loads(text)
        for _ in range(1 + b.take(3)):
            damage(tree, b)
        return json.dumps(tree)
    except ValueError:
        return str(ODD[b.take(len(ODD))]).encode("utf-8", "replace").decode()
    except RecursionError:  # deeper than is written here; a file may hold it
        return '{"format":2,"group_by":' + "[" * 100_000 + "]" * 100_000 + "}"


def damage(tree: Any, b: Bytes) -> None:
    """Damage a JSON tree in one place."""
    all_places = places(tree, [])
    if not all_places:
        return
    container, key = all_places[(b.take(256) * 256 + b.take(256)) % len(all_places)]
    action = b.take(6)
    if action == 0:
        del container[key]
    elif action == 1:
        other, other_key = all_places[b.take(256) % len(all_places)]
        container[key] = copy.deepcopy(other[other_key])
    elif action == 2:
        container[key] = b.text()
    elif action == 3 and isinstance(container, dict):
        container[str(ODD[b.take(len(ODD))])] = container.pop(key)
    elif action == 4:
        for _ in range(1 << b.take(11)):
            container[key] = ["call", "negate", [container[key]], {}]
    else:
        container[key] = copy.deepcopy(ODD[b.take(len(ODD))])


def resealed(metadata: dict[str, str], frame: pl.DataFrame) -> dict[str, str]:
    """Make the version right again: it is there against accidents, and would stop nearly every input at the door."""
    try:
        bins = _file._bins(Path(), metadata.get("vizflow.bins", "null"))
        plan = _plan.Plan.from_json(metadata["vizflow.plan"])
    except (KeyError, vf.Error):
        return metadata
    return {**metadata, "vizflow.schema_version": versions.schema_version(frame.schema, plan.id, bins)}


def resummed(text: str) -> str:
    """The same for a cube's description."""
    try:
        return store.with_sum(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return text


def write_partial(frame: pl.DataFrame, path: Path, metadata: dict[str, str]) -> None:
    """Write a partial with a right digest: it is there against accidents too."""
    with atomic.atomic(path) as file:
        io._write_sealed(frame, file, {**metadata, digest.KEY: digest.PLACE})


def write_cube(frame: pl.DataFrame, path: Path, text: str) -> None:
    """Write a cube with another description, and a right digest."""
    with atomic.atomic(path) as file:
        store.write(frame.with_columns(pl.Series("vizflow", [text])), file)


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_partial(path: Path, good: Path) -> None:
    """Read a partial in every way that there is."""
    known = _file.info(path)  # only errors of ours
    if known is not None and known.plan is not None:
        again = _plan.Plan.from_json(known.plan.to_json())
        assert again.id == known.plan.id
    for read in (
        lambda: vf.load(path),
        lambda: vf.load(path, states=True),
        lambda: vf.reduce(path).collect(),
        lambda: vf.reduce([path, good], by="month").collect(),
        lambda: vf.Cube.from_partials([path]).table([]),
    ):
        with contextlib.suppress(vf.Error, pl.exceptions.PolarsError):  # a plan that fits no column shows here
            read()


def read_cube(path: Path) -> None:
    """Open a cube and ask it."""
    opened = vf.Cube.open(path)  # only errors of ours
    with contextlib.suppress(vf.Error, pl.exceptions.PolarsError):
        opened.table(list(opened.dims)[:1])


def test_one_input(data: bytes) -> None:
    """Run one input."""
    b = Bytes(data)
    which = b.take(10)
    if which < 8:
        frame, metadata = partial(which)
        path, good = folder() / "damaged.parquet", folder() / f"sound{which}.parquet"
        metadata = dict(metadata)
        keys = list(metadata)
        while b:
            key = ["vizflow.plan", keys[b.take(len(keys))]][b.take(2)]
            metadata[key] = damaged(metadata.get(key, ""), b)
            if b.take(16) == 1:
                del metadata[key]
        metadata = resealed(metadata, frame) if b.take(8) != 1 else metadata
        write_partial(frame, path, metadata)
        with contextlib.suppress(vf.Error):
            read_partial(path, good)
    else:
        frame = cube(which - 8)
        path = folder() / "damaged.arrow"
        text = damaged(frame["vizflow"].item(), b)
        text = resummed(text) if b.take(8) != 1 else text
        write_cube(frame, path, text)
        with contextlib.suppress(vf.Error):
            read_cube(path)


def without_coverage(seconds: float, artifacts: str) -> None:
    """Damage at random, for Pythons that atheris has no wheel for; tells what libFuzzer would."""
    end, runs, seed = time.monotonic() + seconds, 0, random.randrange(2**32)
    draw = random.Random(seed)
    try:
        while time.monotonic() < end:
            data = draw.randbytes(draw.randrange(1, 60))
            runs += 1
            test_one_input(data)
    except BaseException:
        Path(f"{artifacts}crash-{hashlib.sha1(data).hexdigest()}").write_bytes(data)
        raise
    finally:
        print(f"seed {seed}\nstat::number_of_executed_units: {runs}")


if __name__ == "__main__":
    given = dict(option[1:].split("=", 1) for option in sys.argv[1:] if option.startswith("-"))
    if atheris is not None:
        atheris.Setup(sys.argv, test_one_input)
        atheris.Fuzz()
    elif "max_total_time" in given:
        without_coverage(float(given["max_total_time"]), given.get("artifact_prefix", ""))
    else:
        for name in sys.argv[1:]:
            test_one_input(Path(name).read_bytes())
