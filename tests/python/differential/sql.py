"""DuckDB, asked over Polars' frames.

Not for anything that VizFlow computes: types that DuckDB has no equal for are handed over as the integers they are.
"""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl

_engine: Any = None


def engine() -> Any:
    """Return the one connection, of one thread."""
    global _engine
    if _engine is None:
        _engine = duckdb.connect(config={"threads": 1})
        _engine.execute("SET preserve_insertion_order = true; SET TimeZone = 'UTC'")
    return _engine


def ask(query: str, **frames: pl.DataFrame) -> pl.DataFrame:
    """Run a query over frames by name."""
    con = engine()
    for name, frame in frames.items():
        con.register(name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    try:
        return pl.DataFrame(pl.from_arrow(con.sql(query).to_arrow_table()))
    finally:
        for name in frames:
            con.unregister(name)
