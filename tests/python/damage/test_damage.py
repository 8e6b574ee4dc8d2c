"""Damaged files of every kind, thousands of them: right numbers or an error of ours, and never the end of the process.

Not the damage, nor what is used: `changes.py` and `kinds.py`. ``make damage VARIANTS=50000`` runs as many as one likes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import vizflow as vf
from damage import changes, harness, kinds
from support import raises

VARIANTS = 300 * len(kinds.KINDS)


@pytest.mark.slow
def test_damaged_files_of_every_kind(tmp_path: Path) -> None:
    told = harness.run(VARIANTS, "a seed", max(2, os.cpu_count() or 2), tmp_path)
    print(told.table())
    assert not told.bad, "\n".join(map(harness.words, told.bad[:10]))
    assert told.variants == VARIANTS >= 5_000
    assert set(told.counts) == set(kinds.KINDS)
    for name, count in told.counts.items():
        assert count["refused"] > 50, name  # damage of any kind is mostly found, and CSV has no way to tell
        assert not kinds.KINDS[name].ours or count["same"] < 30, name  # where a blank of JSON is another one


def test_the_same_number_gives_the_same_damage() -> None:
    content, other = bytes(range(256)) * 40, bytes(10_000)
    again = [changes.damaged(content, other, str(seed)) for seed in range(300)]
    assert again == [changes.damaged(content, other, str(seed)) for seed in range(300)]
    assert {name for name, _ in again} == set(changes.CHANGES)
    assert all(out != content for _, out in again)


# ---- what it found ------------------------------------------------------------------------------------------------


def arrow(path: Path, compression: str) -> bytes:
    frame = pl.DataFrame({"x": list(range(100)), "s": ["a text that is longer than twelve"] * 100})
    frame.write_ipc(path, compression=compression)  # type: ignore[arg-type]
    return path.read_bytes()


def stated_size(content: bytes) -> bytes:
    """Say that the first compressed buffer holds petabytes: Polars asked for them, and the process ended."""
    at = content.index(struct.pack("<q", 800))  # of the 100 integers
    return content[:at] + struct.pack("<q", 1 << 52) + content[at + 8 :]


def block_outside(content: bytes) -> bytes:
    """Say that a block of rows begins behind the end: a thread of Polars panicked, and the others waited for it."""
    size = struct.unpack("<i", content[-10:-6])[0]
    footer = content[-10 - size : -10]
    at = footer.rindex(struct.pack("<q", content.index(b"\xff\xff\xff\xff", 16)))
    at += len(content) - 10 - size
    return content[:at] + struct.pack("<q", len(content) + 8) + content[at + 8 :]


@pytest.mark.parametrize(
    ("compression", "change", "said"),
    [
        ("lz4", stated_size, "a compressed buffer"),
        ("zstd", stated_size, "a compressed buffer"),
        ("uncompressed", block_outside, "a block of rows"),
        ("lz4", block_outside, "a block of rows"),
    ],
)
def test_places_and_sizes_of_an_arrow_file(
    tmp_path: Path, compression: str, change: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "day.feather"
    whole = arrow(path, compression)
    assert vf.load(path).height == 100
    path.write_bytes(change(whole))
    with raises(vf.StorageError, "day.feather: the file cannot be read", f"{said} lies outside"):
        vf.load(path)
