"""The design document's own job over generated days: what ``vizflow demo`` runs and prints.

Not for generating data (`vizflow.demo`), and not part of the pipeline's interface.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from vizflow import demo, io
from vizflow.config import Config, Context
from vizflow.enrichment.enricher import Enricher
from vizflow.enrichment.fifo import FIFOMatch
from vizflow.jobs.context import context
from vizflow.ops.aggregate import aggregate
from vizflow.ops.bins import bin
from vizflow.ops.clock import parse_time
from vizflow.ops.columns import ELAPSED
from vizflow.ops.forward import forward_return
from vizflow.ops.prices import mid
from vizflow.run import run

__all__ = ["config", "process_day", "show"]

Stage = Callable[[pl.LazyFrame], pl.LazyFrame]


def config(input_dir: Path, output_dir: Path) -> Config:
    """Return the configuration of the demo's job."""
    return Config(
        input_dir=input_dir,
        output_dir=output_dir,
        market="CN",
        columns={"timestamp": "ticktime", "symbol": "ukey", "price": "mid", "side": "orderSide"},
        binwidths={"alpha1": 1e-4, "return_60": 1e-4},
        group_by=["alpha1_bin", "return_60_bin", "orderSide"],
        metrics={
            "count": pl.len(),
            "total_qty": pl.col("matched_qty").sum(),
            "vwap": (pl.col("fillPrice") * pl.col("matched_qty")).sum() / pl.col("matched_qty").sum(),
            "closed": pl.col("is_closed").mean(),
            "holding": pl.col("holding_period").mean(),
        },
        horizons=[60, 300],
        schema={"quantity": {"load_as": pl.Float64, "cast_to": pl.Int64}},
    )


def stages(ctx: Context, *, extras: bool = False) -> dict[str, Stage]:
    """Return the job's stages in order, by name; `extras` has FIFOMatch add realised profits."""
    enricher = Enricher(
        rules=[
            FIFOMatch(
                side_col=ctx.col("side"),
                qty_col="quantity",
                time_col=ELAPSED,
                price_col="fillPrice",
                entry_side="Buy",
                exit_side="Sell",
                extras=extras,
            )
        ],
        by=ctx.col("symbol"),
        sort_by=ELAPSED,
    )
    cfg = ctx.config
    return {
        "clock, mid": lambda df: (
            parse_time(df, ctx.market, ctx.col("timestamp"), unit="HHMMSSmmm", grace=300)
            .filter(pl.col(ELAPSED).is_not_null())
            .with_columns(mid=mid("BidPrice1", "AskPrice1"))
        ),
        "FIFO": enricher.run,
        "forward returns": lambda df: forward_return(
            df,
            horizons=cfg.horizons,
            price_col=ctx.col("price"),
            symbol_col=ctx.col("symbol"),
        ),
        "bins": lambda df: bin(df, cfg.binwidths),
        "aggregation": lambda df: aggregate(df, group_by=cfg.group_by, metrics=cfg.metrics),
    }


def process_day(df: pl.LazyFrame, ctx: Context) -> pl.LazyFrame:
    """Run the document's pipeline: clock, FIFO, forward returns, bins, aggregation."""
    for stage in stages(ctx).values():
        df = stage(df)
    return df


def show(
    output: Path,
    dates: Sequence[str],
    rows: int,
    symbols: int,
    write: Callable[[str], None] = print,
    *,
    serve: bool = False,
) -> None:
    """Generate days where they are missing, run the job over each, print what came out, and report on it."""
    cfg = config(output / "days", output / "partials")
    write(f"Days of {rows:,} rows, {symbols:,} symbols (the last one is hot: three times the rows)")
    started = time.perf_counter()
    files = demo.generate(output / "days", dates, rows=rows, symbols=symbols, hot_day=dates[-1])
    for path in files:
        write(f"  {path}  {path.stat().st_size / 1e6:,.0f} MB")
    write(f"  generated in {time.perf_counter() - started:.1f} s\n")
    result = pl.DataFrame()
    for date in dates:
        started = time.perf_counter()
        result = run(process_day, cfg, date)
        seconds = time.perf_counter() - started
        height = io.scan(cfg.get_file_path(date)).select(pl.len()).collect().item()
        write(
            f"{date}: {height:,} rows -> {result.height:,} cells in {seconds:.2f} s "
            f"({height / seconds / 1e6:.1f} M rows/s)  {cfg.get_partial_path(date)}"
        )
    write(f"\nStage by stage, {dates[0]}, each materialised (run() streams through them and needs less):")
    for name, seconds in _time_stages(cfg, dates[0]):
        write(f"  {name:<22}{seconds:8.3f} s")
    with pl.Config(tbl_rows=12, tbl_cols=-1, thousands_separator=",", float_precision=4):
        busiest = result.sort("count", descending=True).head(12)
        write(f"\nThe partial of {dates[-1]}, its 12 largest cells (bins are basis points):\n{busiest}")
    write(f"\nRead it: import vizflow as vf; vf.load({str(cfg.get_partial_path(dates[-1]))!r})")
    _report(cfg, output, dates, write)
    write(f"Look at it: vizflow explore {output / 'partials'} --unit alpha1=bp --unit return_60=bp")
    if serve:
        from vizflow.viz import explorer

        explorer.serve(output / "partials", units={"alpha1": "bp", "return_60": "bp"}, title="demo", open_browser=True)


def _report(cfg: Config, output: Path, dates: Sequence[str], write: Callable[[str], None]) -> None:
    """Write both reports where Plotly is installed; say what is missing where it is not."""
    from vizflow import reports

    started = time.perf_counter()
    write("\nThe reports read every day again ...")

    def through(*names: str) -> Callable[[pl.LazyFrame, Context], pl.LazyFrame]:
        def prepare(df: pl.LazyFrame, ctx: Context) -> pl.LazyFrame:
            for name, stage in stages(ctx, extras=True).items():
                df = stage(df) if name in names else df
            return df

        return prepare

    # A forecast is judged once a row: behind FIFO, a row that closes three lots would count three times.
    marked, matched = through("clock, mid", "forward returns"), through("clock, mid", "FIFO", "forward returns")
    alpha = reports.alpha(cfg, "alpha1", dates=dates, prepare=marked, title="Demo: alpha1")
    trades = reports.trades(cfg, alpha="alpha1", dates=dates, prepare=matched, title="Demo: fills")
    try:
        paths = [alpha.save(output / "alpha.html"), trades.save(output / "trades.html")]
    except ImportError as error:
        write(f"\nNo report: {error}")
        return
    write(f"Reports in {time.perf_counter() - started:.1f} s: {', '.join(map(str, paths))}")


def _time_stages(cfg: Config, date: str) -> list[tuple[str, float]]:
    ctx = context(cfg, date)
    frame = io.scan(cfg.get_file_path(date), schema=cfg.schema)
    out = []
    for name, stage in {"read": lambda df: df, **stages(ctx)}.items():
        started = time.perf_counter()
        frame = stage(frame).collect(engine="streaming").lazy()
        out.append((name, time.perf_counter() - started))
    return out
