"""Opens damaged files, one after another, and says what came of each: run by `harness.py`, in processes of its own.

A line on standard input names a kind's number and a variant's; a line of JSON comes back. Where no line comes back,
the process died, or hangs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import changes
import kinds

import vizflow as vf

SOUND, FOLDER, SEED = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
_names = list(kinds.KINDS)
_right: dict[tuple[str, str], str] = {}


def _text(value: Any) -> str:
    return repr(value)


def _state(folder: Path) -> str:
    """Return a digest of everything below a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        total.update(f"{path.relative_to(folder)}\0".encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def _place(kind: kinds.Kind) -> Path:
    """Make a folder with what was there before: a sound partial, and nothing else."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "out").mkdir(parents=True)
    (FOLDER / "out" / f"{kinds.DATE}.parquet").write_bytes(b"what was there before")
    return FOLDER / kind.name


def _sound(kind: kinds.Kind, use: str, content: bytes, name: str) -> str:
    """Return what comes of a sound file."""
    if (name, use) not in _right:
        path = _place(kind)
        path.write_bytes(content)
        _right[name, use] = _text(kind.uses[use](path))
    return _right[name, use]


def one(kind_number: int, variant: int) -> dict[str, Any]:
    """Use one damaged file in one way."""
    name = _names[kind_number]
    kind = kinds.KINDS[name]
    use = list(kind.uses)[variant % len(kind.uses)]
    sound = (SOUND / str(kind_number) / "0" / kind.name).read_bytes()
    other = (SOUND / str(kind_number) / "1" / kind.name).read_bytes()
    right = _sound(kind, use, sound, name)
    path = _place(kind)
    how, content = changes.damaged(sound, other, f"{SEED} {name} {variant}")
    path.write_bytes(content)
    before, noise = _state(FOLDER / "out"), os.fstat(2).st_size
    out = {"kind": name, "use": use, "how": how, "variant": variant, "noise": False, "detail": ""}
    try:
        got = _text(kind.uses[use](path))
        out["outcome"] = "same" if got == right else "other"
        if kind.ours and got != right and not (how == "spliced" and got == _sound(kind, use, other, f"{name}, other")):
            out |= {"outcome": "LIES", "detail": f"{got[:200]} in place of {right[:200]}"}
    except vf.Error as error:
        out |= {"outcome": "refused", "detail": f"{type(error).__name__}: {error}"}
        if _state(FOLDER / "out") != before:
            out["outcome"] = "WROTE"
        elif kind.name not in str(error) and (kind.ours or isinstance(error, vf.StorageError) or "panic" in str(error)):
            out["outcome"] = "UNNAMED"  # what a pipeline makes of readable rows may say its column alone
    except BaseException as error:
        out |= {"outcome": "RAW", "detail": traceback.format_exc()[-1500:], "error": type(error).__name__}
    out["noise"] = os.fstat(2).st_size > noise
    return out


def main() -> None:
    """Answer lines until there are no more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        kind, variant = map(int, line.split())
        random.seed(variant)
        print(json.dumps(one(kind, variant)), file=answers, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
