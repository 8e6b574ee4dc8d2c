"""Fuzz the decoders: build the targets, run each for a while, keep what was found, and keep account of it.

`make fuzz SECONDS=60` runs every target for a minute. What CI runs over and over is the committed corpus (`ctest`, by
tests/c/fuzz/replay.c, and tests/python/fuzz); this script is for finding what is not in it yet.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "tests" / "c" / "fuzz"
WORK = ROOT / "build" / "fuzz"
LEDGER = FUZZ / "ledger.json"
PLAN = ROOT / "tests" / "python" / "fuzz" / "fuzz_plan.py"

WHAT = {
    "arrow": "Arrow columns through every public function",
    "kwargs": "plugin keyword arguments (pickle subset)",
    "clock": "times and dates against a slow reading",
    "calendar": "texts of calendars",
    "fifo": "FIFO calls against a slow queue",
    "cube": "parts of a cube's file",
    "plan": "metadata of partials and cubes (Python)",
}
TARGETS = list(WHAT)
LONGEST = {"arrow": 4000, "kwargs": 2000, "clock": 600, "calendar": 3000, "fifo": 400, "cube": 600}
COMMITTED_MOST = 60  # generated inputs that are committed for each target, of at most 300 bytes; crashes come on top


# ---- building -------------------------------------------------------------------------------------------------------


def clang(install: bool) -> str:
    """Find clang with libFuzzer; on Debian as root it can be installed."""
    if shutil.which("clang") is None and install:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            sys.exit("clang is not there, and only root on Debian can have it installed by --install")
        subprocess.check_call(["apt-get", "update", "-qq"])
        subprocess.check_call(
            ["apt-get", "install", "-y", "-qq", "clang"], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        )
    found = shutil.which("clang")
    if found is None:
        sys.exit("fuzzing needs clang (libFuzzer is a part of it): install it, or say --install as root on Debian")
    return found


def build(install: bool) -> None:
    """Build every C target with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer.

    With tiny chunks, so that inputs of some hundred bytes cross the edges of blocks, batches and chains.
    """
    out = WORK / "clang"
    subprocess.check_call(
        ["cmake", "-S", ROOT, "-B", out, "-DVIZFLOW_BUILD_FUZZERS=ON", "-DVIZFLOW_SANITIZE=address,undefined",
         "-DVIZFLOW_WERROR=ON", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DVIZFLOW_SIZES=tiny"],
        env={**os.environ, "CC": clang(install)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    subprocess.check_call(["cmake", "--build", out], stdout=subprocess.DEVNULL)


# ---- seeds that a script can make -----------------------------------------------------------------------------------


def make_seeds(target: str, folder: Path) -> None:
    """Write inputs that are right, or nearly: what is far from any right one is refused at once."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {"calendar": calendar_seeds, "kwargs": kwargs_seeds, "clock": clock_seeds}.get(
        target, dict
    )().items():
        (folder / name).write_bytes(data)


def calendar_seeds() -> dict[str, bytes]:
    """Calendars: the first and last lines of those that are bundled."""
    out = {}
    for path in sorted((ROOT / "python" / "vizflow" / "_calendars").glob("*.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        short = [line for i, line in enumerate(lines) if not line[:1].isdigit() or not lines[i - 1][:1].isdigit()]
        out[path.stem] = "\n".join(short).encode()
    return out


def kwargs_seeds() -> dict[str, bytes]:
    """Keyword arguments as Python pickles them, each before a function that takes them."""
    import pickle

    text = "calendar X\nfirst 2024-09-01\nlast 2024-12-31\nclosed\nhours 2024-09-01 ^2100-2300 0930-1130\n"
    clock = {"outside": 0, "layout": 0, "grace_ns": 300 * 10**9}
    calls = {
        0: {**clock, "sessions": [34200 * 10**9, 41400 * 10**9, 46800 * 10**9, 54000 * 10**9]},
        3: {**clock, "calendar": text},
        5: {"calendar": text},
        9: {"width": 1e-4, "snap": True},
        10: {"format": "i", "tolerance": 1e-6},
        14: {"texts": "B\0Sell\0", "integers": [1, -1, 2**40], "signs": [1, -1, 1, -1, 1], "nulls_fail": False},
        16: {"cuts": "3ff0000000000000", "left_closed": True, "outside": 2, "low": float("-inf"), "high": 1e300},
        19: {"ddof": 1},
    }
    return {f"call{i}": bytes([i]) + pickle.dumps(kwargs, protocol=5) for i, kwargs in calls.items()}


def clock_seeds() -> dict[str, bytes]:
    """Texts of times, dates and temporary files, each behind the byte that says what it is."""
    texts = {
        0: ["09:30", "09:30:00", "09:30:00.123456789", "2024-10-01T24:00:00", "20241001 15:00,5", "09:30:00+08:00"],
        1: ["20240229", "2024-02-29", "0001-01-01", "9999-12-31", "2023-02-29"],
        2: [".a.parquet.0123abcd-77-1f-00000001.vftmp", ".x.0-1-0-0.vftmp", "a.vftmp"],
    }
    return {
        f"text{kind}_{i}": bytes([kind]) + text.encode()
        for kind, those in texts.items()
        for i, text in enumerate(those)
    }


# ---- running --------------------------------------------------------------------------------------------------------


def command(target: str, seconds: int, corpus: Path, artifacts: Path) -> list[str]:
    """Say how a target is run."""
    own = FUZZ / "corpus" / target
    if target == "plan":
        start = [sys.executable, str(PLAN)]
    else:
        start = [str(WORK / "clang" / f"fuzz_{target}"), f"-max_len={LONGEST[target]}"]
        words = FUZZ / f"{target}.dict"
        start += [f"-dict={words}"] if words.exists() else []
    return [*start, f"-max_total_time={seconds}", "-timeout=300", "-rss_limit_mb=2048", "-len_control=20",
            "-print_final_stats=1", "-reload=0", f"-artifact_prefix={artifacts}/", str(corpus), str(own)]  # fmt: skip


def run_one(target: str, seconds: int) -> dict[str, Any]:
    """Run a target, and tell what it cost and what it found."""
    corpus, artifacts, log = WORK / "corpus" / target, WORK / "found" / target, WORK / "log" / f"{target}.txt"
    for folder in (corpus, artifacts, log.parent, FUZZ / "corpus" / target):
        folder.mkdir(parents=True, exist_ok=True)
    make_seeds(target, corpus)
    before, used = set(artifacts.iterdir()), resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("wb") as out:
        process = subprocess.Popen(command(target, seconds, corpus, artifacts), stdout=out, stderr=out, cwd=ROOT)
        process.wait()
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = log.read_text(encoding="utf-8", errors="replace")
    seen = re.findall(r"^#\d+\s.*?cov: (\d+) ft: (\d+)", text, re.MULTILINE)
    runs = re.findall(r"number_of_executed_units:\s*(\d+)", text) or re.findall(r"^#(\d+)\s", text, re.MULTILINE)
    return {
        "cpu_seconds": round(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, 1),
        "executions": int(runs[-1]) if runs else 0,
        "edges": int(seen[-1][0]) if seen else 0,
        "features": int(seen[-1][1]) if seen else 0,
        "found": [str(path) for path in sorted(set(artifacts.iterdir()) - before) if fails(target, path)],
    }


def fails(target: str, path: Path) -> bool:
    """Say whether an input fails when it is run by itself: a run that was held looks like one that hangs."""
    start = (
        [sys.executable, str(PLAN)] if target == "plan" else [str(WORK / "clang" / f"fuzz_{target}"), "-timeout=300"]
    )
    return subprocess.run([*start, str(path)], capture_output=True, check=False, cwd=ROOT).returncode != 0


# ---- account --------------------------------------------------------------------------------------------------------


def load(path: Path) -> dict[str, Any]:
    """Read the ledger; an empty one where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def add(path: Path, target: str, result: dict[str, Any]) -> None:
    """Add a run to the ledger. Coverage is the most that a run has had; time and executions add up."""
    ledger = load(path)
    entry = ledger.setdefault(target, {"cpu_seconds": 0.0, "executions": 0, "edges": 0, "features": 0})
    entry["cpu_seconds"] = round(entry["cpu_seconds"] + result["cpu_seconds"], 1)
    entry["executions"] += result["executions"]
    entry["edges"] = max(entry["edges"], result["edges"])
    entry["features"] = max(entry["features"], result["features"])
    entry["date"] = dt.date.today().isoformat()
    entry["machine"] = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    path.write_text(
        json.dumps({name: ledger[name] for name in TARGETS if name in ledger}, indent=1) + "\n", encoding="utf-8"
    )


def kept(target: str) -> int:
    """Count the inputs that once failed: each is kept under the name of what it showed, and runs in CI."""
    return len(list((FUZZ / "corpus" / target).glob("crash_*")))


def report(path: Path) -> None:
    """Write build/trust/fuzz.json from the ledger."""
    rows = [
        {
            "what": f"{target}: {WHAT[target]}",
            "value": f"{entry['cpu_seconds'] / 60:.1f} CPU minutes, {entry['executions']:,} executions",
            "detail": f"{entry['edges']:,} edges, {entry['features']:,} features; failing inputs found, fixed, kept: "
            + f"{kept(target)}; {entry['date']}, {entry['machine']}",
        }
        for target, entry in load(path).items()
    ]
    out = ROOT / "build" / "trust" / "fuzz.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    trust = {"title": "Fuzzing", "command": "make fuzz SECONDS=3600", "rows": rows}
    out.write_text(json.dumps(trust, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(f"{row['what']}: {row['value']}; {row['detail']}")


# ---- the corpus that is committed -----------------------------------------------------------------------------------


def minimise(target: str) -> None:
    """Choose inputs to commit: small ones that cover what all of them do, and of these an even sample."""
    own, found = FUZZ / "corpus" / target, WORK / "corpus" / target
    if target == "plan" or not found.exists():
        return
    chosen, small = WORK / "minimised" / target, WORK / "small" / target
    for folder in (chosen, small):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for path in found.iterdir():
        if path.stat().st_size <= 300:
            shutil.copy(path, small / path.name)
    merge = [str(WORK / "clang" / f"fuzz_{target}"), "-set_cover_merge=1", str(chosen), str(small)]
    subprocess.check_call(merge, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for old in own.glob("seed_*"):
        old.unlink()
    every = sorted(chosen.iterdir(), key=lambda path: (path.stat().st_size, path.name))
    step = max(1, -(-len(every) // COMMITTED_MOST))  # of all sizes: the larger ones reach further
    for path in every[::step]:
        shutil.copy(path, own / f"seed_{path.name[:12]}")
    print(f"{target}: {len(list(own.iterdir()))} inputs")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "minimise", "report"])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this one; may be repeated")
    parser.add_argument("--ledger", type=Path, default=LEDGER)
    parser.add_argument("--install", action="store_true", help="install clang where it is missing (Debian, as root)")
    options = parser.parse_args()
    targets, failed = options.target or TARGETS, False
    interrupted: list[int] = []  # Ctrl-C ends the run in hand, in good order; its account is kept
    signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
    if options.what == "report":
        report(options.ledger)
        return 0
    build(options.install)
    for target in targets:
        if options.what == "minimise":
            minimise(target)
            continue
        result = run_one(target, options.seconds)
        add(options.ledger, target, result)
        print(f"{target}: {result}", flush=True)
        failed = failed or bool(result["found"])
        if interrupted:
            break
    report(options.ledger)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
