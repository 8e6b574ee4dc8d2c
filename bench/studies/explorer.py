"""Times the explorer on 300 dates of a 4-D cube: start, and a brush, at the page and in the server.

The page is real: Chromium moves the date window with the keyboard, and the page itself measures from the key to the
last panel drawn. Needs the extras ``viz`` and ``browser``, and a Chromium.

    python bench/studies/explorer.py --check
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
from playwright.sync_api import sync_playwright

import vizflow as vf

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
LIMITS = {"start s": 10.0, "brush at the page ms": 50.0, "brush in the server ms": 10.0}
WIDTHS = {"alpha": 1e-4, "hold": 60.0, "clock": 1800.0}
METRICS = {
    "n": pl.len(),
    "markout": vf.viz.weighted_mean("ret", "qty"),
    "markout_coverage": vf.viz.coverage("ret", "qty"),
    "qty": pl.col("qty").sum(),
    "ret": pl.col("ret").mean(),
    "ret_sd": pl.col("ret").std(),
}


def write_partials(folder: Path, dates: int, rows: int) -> None:
    """Write a partial a date."""
    config = vf.Config(input_dir=folder / "days", output_dir=folder / "partials", binwidths=WIDTHS)
    first = dt.date(2023, 1, 2)
    for number in range(dates):
        rng = random.Random(number)
        alpha = [max(-12e-4, min(12e-4, rng.gauss(0, 4e-4))) for _ in range(rows)]
        frame = pl.DataFrame(
            {
                "alpha": alpha,
                "hold": [min(900.0, rng.expovariate(1 / 240)) for _ in range(rows)],
                "clock": [rng.uniform(0, 14_400) for _ in range(rows)],
                "side": [rng.choice(("Buy", "Sell")) for _ in range(rows)],
                "ret": [None if rng.random() < 0.06 else a * 0.1 + rng.gauss(0, 8e-4) for a in alpha],
                "qty": [float(rng.randrange(1, 10) * 100) for _ in range(rows)],
            }
        )
        date = (first + dt.timedelta(days=number)).strftime("%Y%m%d")
        vf.save(frame, folder / "days" / f"{date}.feather")
        vf.run(pipeline, config, date)


def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    """Bin and aggregate over four dimensions."""
    return vf.aggregate(vf.bin(df, ctx.config.binwidths), ["alpha_bin", "hold_bin", "side", "clock_bin"], METRICS)


def measure(folder: Path, brushes: int) -> dict[str, list[float]]:
    """Start the explorer as a user does, and brush."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "vizflow", "explore", str(folder), "--port", "0", "--no-browser"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise SystemExit(f"the explorer did not start: {line}{server.stderr.read()}")
        with sync_playwright() as playwright:
            started = time.perf_counter() - began
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page(viewport={"width": 1480, "height": 1000})
            page.goto(f"{found[0]}?d=20230110-20230310&m=markout")
            shown = "() => Boolean(window.vizflow && window.vizflow.idle())"
            while not page.evaluate(shown):
                page.wait_for_timeout(20)
            for _ in range(brushes + 5):
                page.keyboard.press("]")
                page.wait_for_timeout(30)
                while not page.evaluate(shown):
                    page.wait_for_timeout(10)
            timings = page.evaluate("() => window.vizflow.timing")[-brushes:]
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=10)
    panels = {tuple(sorted(timing["panels"])) for timing in timings}
    assert panels == {("curve", "heat", "total")}, panels
    return {
        "start s": [started],
        "brush at the page ms": [timing["total"] for timing in timings],
        "of it drawing ms": [timing["draw"] for timing in timings],
        "brush in the server ms": [timing["server"] for timing in timings],
    }


def main() -> int:
    """Measure, print, and with --check compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, default=300)
    parser.add_argument("--rows", type=int, default=2_100, help="a date (default: 2100, for 400,000 cells in all)")
    parser.add_argument("--brushes", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="make the partials here, or take those that are here")
    parser.add_argument("--check", action="store_true", help="fail where a median is beyond its limit")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = args.folder or Path(name)
        if not (folder / "partials").is_dir():
            write_partials(folder, args.dates, args.rows)
        partials = folder / "partials"
        cells = sum(pl.scan_parquet(path).select(pl.len()).collect().item() for path in partials.iterdir())
        print(f"{len(list(partials.iterdir()))} dates, 4 dimensions, {cells:,} cells; {os.cpu_count()} cores, ", end="")
        print(f"load {os.getloadavg()[0]:.1f}")
        found = measure(partials, args.brushes)
    late = []
    for what, values in found.items():
        middle, limit = statistics.median(values), LIMITS.get(what)
        spread = ""
        if len(values) > 1:
            spread = f"  (5 % to 95 %: {quantile(values, 0.05):.1f} to {quantile(values, 0.95):.1f})"
        print(f"  {what:<24}{middle:8.1f}{f'  limit {limit:g}' if limit else ''}{spread}")
        if limit is not None and middle > limit:
            late.append(what)
    if args.check and late:
        print(f"beyond the limit: {', '.join(late)}", file=sys.stderr)
        return 1
    return 0


def quantile(values: list[float], share: float) -> float:
    """Return the value that a share of the values stay below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    sys.exit(main())
