"""A pipeline and its Config, as a cluster's jobs and `vizflow batch` find them: in a file, under plain names.

Try it: python examples/python/job.py makes three small days; then vizflow batch examples/python/job.py:process_day
"""

import polars as pl

import vizflow as vf

config = vf.Config(
    input_dir="demo-output/days",
    output_dir="demo-output/partials",
    market="CN",
    columns={"timestamp": "ticktime", "symbol": "ukey"},
    binwidths={"alpha1": 1e-3},
    schema={"quantity": {"load_as": pl.Float64, "cast_to": pl.Int64}},
)


def process_day(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    """Put trades on the clock, match them, and sum up by side and signal."""
    df = vf.parse_time(df, ctx.market, ctx.col("timestamp"), unit="HHMMSSmmm", grace=300)
    df = df.filter(pl.col("elapsed_seconds").is_not_null())
    fifo = vf.FIFOMatch("orderSide", "quantity", "elapsed_seconds", "fillPrice", entry_side="Buy", exit_side="Sell")
    df = vf.Enricher([fifo], by=ctx.col("symbol"), sort_by="elapsed_seconds").run(df)
    df = vf.bin(df, ctx.config.binwidths)
    return vf.aggregate(df, ["alpha1_bin", "orderSide"], {"pieces": pl.len(), "qty": pl.col("matched_qty").sum()})


if __name__ == "__main__":
    dates = ["20240102", "20240103", "20240104"]
    for path in vf.demo.generate("demo-output/days", dates, rows=20_000, symbols=50):
        print(path)
