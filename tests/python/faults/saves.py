"""Every kind of save with the N-th file operation refused, and with the power cut at any moment: by `test_faults.py`.

What `_core` asked of the system is written down, and from that follow all the states a power cut may leave: after each
operation, with every subset of what was not synced. Not for the order of operations itself:
tests/c/unit/files/test_file.c.
"""

# ruff: noqa: PTH120, PT018 (names of the model are texts; what holds together is asserted together)

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import shim

import vizflow as vf
from vizflow import demo
from vizflow.jobs import folder as _folder

CODES = (errno.ENOSPC, errno.EIO)
PIECES = 6  # of what one file is written in; each may be on the disk, or not
DAY = pl.DataFrame(
    {
        "symbol": [f"s{i % 7}" for i in range(200)],
        "side": ["B" if i % 3 else "S" for i in range(200)],
        "qty": [float(i % 9) for i in range(200)],
        "alpha": [(i * 37 % 101) / 100 for i in range(200)],
        "return_60": [(i * 53 % 97) / 1e4 for i in range(200)],
        "elapsed_seconds": [i * 60.0 for i in range(200)],
        "timestamp": [93000000 + i % 60 * 1000 for i in range(200)],
    }
)


# ---- kinds of saves ---------------------------------------------------------------------------------------------


def _grouped() -> pl.LazyFrame:
    return vf.aggregate(DAY.lazy(), ["symbol"], {"n": pl.len(), "total": pl.col("qty").sum()})


def _run(path: Path) -> None:
    config = vf.Config(input_dir=path.parent.parent, output_dir=path.parent)
    DAY.write_ipc(path.parent.parent / "20240102.feather")
    vf.run(lambda df, ctx: _grouped(), config, "20240102")


def _cube(path: Path) -> None:
    vf.Cube.from_frame(_grouped()).save(path)


def _check(path: Path) -> None:
    config = vf.Config(input_dir=path.parent.parent)
    DAY.write_ipc(path.parent.parent / "20240102.feather")
    vf.check(config, ["20240102"]).to_json(path)


@functools.cache
def _alpha() -> vf.reports.Report:
    frame = pl.concat([DAY.with_columns(date=pl.lit(date)) for date in ("20240102", "20240103")])
    report = vf.reports.alpha(frame, "alpha", ["return_60"])
    page = report.to_html()
    report.to_html = lambda: page  # type: ignore[method-assign]  # 5 MB, the same each time
    return report


def _report(path: Path) -> None:
    _alpha().save(path)


def _batch_report(path: Path) -> None:
    _folder.write_report(path.parent.parent.parent, path.stem, {"kind": "report"})


def _failure(path: Path) -> None:
    _folder.note_failure(path.parent.parent.parent, path.stem, {"kind": "failure"})


SLOW = {"report as HTML", "day of the demo"}  # one errno is enough for these
LOGGED = {"report of a batch", "failure of a date"}  # a failure to write them stops nobody's work
KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "frame as Parquet": ("out/frame.parquet", lambda path: vf.save(DAY, path)),
    "frame as Arrow": ("out/frame.arrow", lambda path: vf.save(DAY, path)),
    "frame as CSV": ("out/frame.csv", lambda path: vf.save(DAY, path)),
    "partial of run": ("out/20240102.parquet", _run),
    "cube": ("out/cube.arrow", _cube),
    "edges of bins": ("out/edges.json", lambda path: vf.qbin_edges(DAY, "alpha", 4).save(path)),
    "findings of check": ("out/check.json", _check),
    "report of a batch": (f"{_folder.NAME}/reports/20240102.json", _batch_report),
    "failure of a date": (f"{_folder.NAME}/failed/20240102.json", _failure),
    "report as HTML": ("out/report.html", _report),
    "day of the demo": (
        "out/20240102.feather",
        lambda path: demo.generate(path.parent, "20240102", rows=50, symbols=9),
    ),
}


# ---- operations that fail ---------------------------------------------------------------------------------------


def _written(ops: list[shim.Op], to: str) -> bytes | None:
    """Return what was written to the file that came to be called `to`, or to the last one meant for it."""
    bytes_of: dict[int, bytes] = {}
    last = None
    for op in ops:
        if op.kind == "create":
            bytes_of[op.handle] = b""
            last = op.handle
        elif op.kind == "write":
            bytes_of[op.handle] += op.data
    return None if last is None else bytes_of[last]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _temporaries(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.name.endswith(".vftmp")]


def every_operation(
    root: Path, name: str, save: Callable[[Path], object], *, codes: Sequence[int], logged: bool
) -> int:
    """Refuse one file operation after the other; give how many were."""
    path, refused = root / name, 0
    for code in codes:
        for for_ever in (False, True):
            for old in (True, False):
                at = 0
                while True:
                    at += 1
                    for leftover in _temporaries(root):  # of the round before, where nothing could be removed
                        leftover.unlink()
                    path.unlink(missing_ok=True)
                    if old:
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(b"the old file")
                    before = _content(path)
                    shim.note(True)
                    shim.refuse_files(at, code, for_ever=for_ever)
                    told = None
                    try:
                        save(path)
                    except vf.StorageError as error:
                        told = str(error)
                    failed, kinds = shim.files_failed(), shim.kinds_refused()
                    shim.refuse_files(0, 0)
                    ops = shim.noted()
                    shim.note(False)
                    after = _content(path)
                    new = _written(ops, str(path))
                    where = f"{name}, operation {at} of {code}, for ever {for_ever}, old {old}"
                    if failed == 0:
                        assert told is None and after == new and at > 6, where
                        break
                    refused += failed
                    renamed = any(op.kind == "rename" for op in ops)
                    assert after == (new if renamed else before), where
                    assert renamed or logged or told is not None, f"{where}: no error, but not the new file"
                    if told is not None:
                        assert path.name in told and ("written whole" in told) == renamed, f"{where}: {told}"
                    if "remove" not in kinds:
                        assert _temporaries(root) == [], where
    return refused


# ---- power cuts --------------------------------------------------------------------------------------------------


@dataclass
class Disk:
    """Names and bytes; the number of a file is what a name leads to, -1 a folder."""

    names: dict[str, int] = field(default_factory=dict)
    bytes_of: dict[int, dict[int, bytes]] = field(default_factory=dict)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, holes as zeros; None where there is none, or no way to it."""
        file, folder = self.names.get(name), os.path.dirname(name)
        if file is None or not self.reaches(folder):
            return None
        pieces = self.bytes_of.get(file, {})
        out = bytearray(max((at + len(data) for at, data in pieces.items()), default=0))
        for at, data in pieces.items():
            out[at : at + len(data)] = data
        return bytes(out)

    def reaches(self, folder: str) -> bool:
        """Return whether a folder and all above it are there."""
        return folder in ("", "/", ".") or (self.names.get(folder) == -1 and self.reaches(os.path.dirname(folder)))


@dataclass(frozen=True)
class Step:
    """One operation, of a file by its number: handles come round again."""

    kind: str
    file: int
    name: str = ""
    to: str = ""
    at: int = 0
    data: bytes = b""


def steps(ops: list[shim.Op]) -> list[Step]:
    """Number the files, and cut what each was written in into a few pieces."""
    sizes: dict[int, int] = {}
    out: list[Step] = []
    file_of: dict[int, int] = {}
    folder_of: dict[int, str] = {}
    for op in ops:
        if op.kind == "create":
            file_of[op.handle] = len(sizes) + 1
            folder_of.pop(op.handle, None)
            sizes[file_of[op.handle]] = 0
            out.append(Step("create", file_of[op.handle], op.name))
        elif op.kind == "open folder":
            folder_of[op.handle] = op.name
        elif op.kind == "write":
            file = file_of[op.handle]
            out.append(Step("write", file, at=sizes[file], data=op.data))
            sizes[file] += len(op.data)
        elif op.kind == "sync":
            folder = folder_of.get(op.handle)
            out.append(Step("sync", 0 if folder is not None else file_of[op.handle], folder or ""))
        elif op.kind == "close":
            out.append(Step("close", 0))
        elif op.kind in ("rename", "remove"):
            out.append(Step(op.kind, 0, op.name, op.to))
        elif op.kind == "make folder":
            out.append(Step("make folder", -1, op.name))
    return list(_pieces(out, sizes))


def _pieces(ops: list[Step], sizes: Mapping[int, int]) -> Iterator[Step]:
    run: list[Step] = []
    for op in [*ops, Step("end", 0)]:
        if op.kind == "write" and (not run or run[0].file == op.file):
            run.append(op)
            continue
        if run:
            data, at, file = b"".join(step.data for step in run), run[0].at, run[0].file
            size = max(1, -(-sizes[file] // PIECES))
            for begin in range(0, len(data), size):
                yield Step("write", file, at=at + begin, data=data[begin : begin + size])
            run = [op] if op.kind == "write" else []
        if op.kind not in ("write", "end"):
            yield op


def _durable(done: list[Step], i: int) -> bool:
    op = done[i]
    if op.kind == "write":
        return any(later.kind == "sync" and later.file == op.file for later in done[i + 1 :])
    folder = os.path.dirname(op.name)
    return any(later.kind == "sync" and later.file == 0 and later.name == folder for later in done[i + 1 :])


def _after(start: Disk, kept: list[Step]) -> Disk:
    disk = Disk(dict(start.names), {file: dict(pieces) for file, pieces in start.bytes_of.items()})
    for op in kept:
        if op.kind == "write":
            disk.bytes_of.setdefault(op.file, {})[op.at] = op.data
        elif op.kind in ("create", "make folder"):
            disk.names[op.name] = op.file
        elif op.kind == "remove":
            disk.names.pop(op.name, None)
    return disk


def every_power_cut(start: Disk, ops: list[Step], path: str) -> dict[str, int]:
    """Count the states that a cut may leave: the old file, the new one, anything else."""
    old = start.read(path)
    file_of = {op.name: op.file for op in ops if op.kind == "create"}
    target = [file_of[op.name] for op in ops if op.kind == "rename" and op.to == path][-1]
    pieces = sorted((op.at, op.data) for op in ops if op.kind == "write" and op.file == target)
    new = b"".join(data for _, data in pieces)
    counts = {"states": 0, "old": 0, "new": 0, "broken": 0, "not new at the end": 0}
    for n in range(len(ops) + 1):
        done = ops[:n]
        effects = [i for i, op in enumerate(done) if op.kind not in ("sync", "close")]
        loose = [i for i in effects if not _durable(done, i)]
        assert len(loose) <= 14, "too many subsets to look at each"
        for subset in range(1 << len(loose)):
            lost = {i for bit, i in enumerate(loose) if not subset >> bit & 1}
            disk = _after(start, [done[i] for i in effects if i not in lost and done[i].kind != "rename"])
            for i in effects:  # a rename whose file was never linked under its first name is one all the same
                op = done[i]
                if op.kind == "rename" and i not in lost:
                    disk.names.pop(op.name, None)
                    disk.names[op.to] = file_of[op.name]
            found = disk.read(path)
            counts["states"] += 1
            counts["old"] += found == old
            counts["new"] += found == new
            counts["broken"] += found not in (old, new)
            counts["not new at the end"] += n == len(ops) and found != new
    return counts


def power_cuts(root: Path, name: str, save: Callable[[Path], object]) -> dict[str, int]:
    """Save over an old file, and where there is none; give the states that were looked at."""
    path, total = root / name, {"states": 0, "old": 0, "new": 0, "broken": 0, "not new at the end": 0}
    for old in (True, False):
        path.unlink(missing_ok=True)
        if old:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"the old file")
        else:
            for folder in (path.parent, path.parent.parent):  # those of ours, where they are empty
                if folder != root and folder.exists():
                    with contextlib.suppress(OSError):
                        folder.rmdir()
        start = Disk()
        for folder in (path.parent, *path.parent.parents):
            if folder.exists():
                start.names[str(folder)] = -1
        if old:
            start.names[str(path)] = 0
            start.bytes_of[0] = {0: b"the old file"}
        shim.note(True)
        save(path)
        ops = steps(shim.noted())
        shim.note(False)
        counts = every_power_cut(start, ops, str(path))
        for key, value in counts.items():
            total[key] += value
        unsynced = [op for op in ops if op.kind != "sync"]  # the model must be able to say no
        assert every_power_cut(start, unsynced, str(path))["broken"] > 0, name
    return total


def main() -> None:
    """Run the kinds named, or all; print their counts as JSON."""
    warnings.simplefilter("ignore")
    shim.watch()
    out = {}
    for kind in sys.argv[1:] or KINDS:
        name, save = KINDS[kind]
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            try:
                cuts = power_cuts(root, name, save)
                assert cuts["broken"] == cuts["not new at the end"] == 0, cuts
                assert cuts["old"] > 0 and cuts["new"] > 0, cuts
                codes = CODES[:1] if kind in SLOW else CODES
                refused = every_operation(root, name, save, codes=codes, logged=kind in LOGGED)
                out[kind] = {"refused": refused, "states": cuts["states"]}
            except BaseException as error:
                error.args = (f"{kind}: {error}",)
                raise
    print(json.dumps(out))


if __name__ == "__main__":
    main()
