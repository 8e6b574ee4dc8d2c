"""The job in DuckDB, as an expert would write it for speed: one engine, SQL only.

Time stays integer milliseconds. FIFO matching is done without a loop: cumulative entries
and cumulative exits (less what ran beyond the inventory) are two rulers laid on each other,
and each gap between two marks is one match. It shares no code with VizFlow.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

import job

if TYPE_CHECKING:
    from pathlib import Path

MASK = (1 << 30) - 1  # a trade is one integer: time above, row below


def connect() -> Any:
    """Open an engine in memory that uses the cores we are given."""
    engine = duckdb.connect()
    engine.execute(f"SET threads = {os.environ['BENCH_CORES']}")
    engine.execute("SET preserve_insertion_order = false")
    return engine


# ------------------------------------------------------------------- fragments

_MS = "(ticktime // 10000000 * 3600000 + ticktime // 100000 % 100 * 60000 + ticktime % 100000)"
_POSSIBLE = "ticktime BETWEEN 0 AND 239999999 AND ticktime // 100000 % 100 < 60 AND ticktime % 100000 < 60000"
ELAPSED_MS = (
    f"CASE WHEN NOT ({_POSSIBLE}) THEN NULL "
    + " ".join(
        f"WHEN {_MS} BETWEEN {start - job.GRACE_MS} AND {end + job.GRACE_MS}"
        f" THEN least(greatest({_MS}, {start}), {end}) - {start - offset}"
        for start, end, offset in job.SESSIONS_MS
    )
    + " END"
)
MID = "CASE WHEN BidPrice1 > 0 AND AskPrice1 > 0 THEN (BidPrice1 + AskPrice1) / 2 END"
LOTS = (
    "CASE WHEN quantity IS NULL OR abs(quantity - round(quantity))"
    f" <= {job.QTY_TOLERANCE} * greatest(1, abs(quantity))"
    " THEN CAST(round(quantity) AS BIGINT)"
    " ELSE error('a quantity is no whole number')::BIGINT END"
)


def binned(column: str) -> str:
    """Bin index, rounded half to even."""
    return f"CAST(round_even({column} / {job.WIDTH}, 0) AS BIGINT)"


def grouped(pieces: str) -> str:
    """Group the binned pieces: the result of the job."""
    return f"""
        SELECT alpha1_bin, return_60_bin, orderSide, count(*) AS count,
               coalesce(sum(matched_qty), 0)::BIGINT AS total_qty,
               coalesce(sum(fillPrice * matched_qty), 0)
                   / coalesce(sum(matched_qty), 0)::DOUBLE AS vwap
        FROM {pieces} GROUP BY ALL
        ORDER BY alpha1_bin NULLS FIRST, return_60_bin NULLS FIRST, orderSide NULLS FIRST
    """


def match(engine: Any, rows: str) -> None:
    """Match the trades of a table (row, ukey, ms, orderSide, quantity).

    Makes the view `pieces` (row, entry, qty, held, closed) of every row. An exit is matched
    as far as the running sum of entries less exits makes no new low below 0. A trade is
    carried as one integer: time above, row below. Running sums are doubles, exact to 2^53:
    sums of integers are HUGEINT here, and six times slower.
    """
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE ruled AS
        WITH signed AS (
            SELECT ukey, ms::BIGINT << 30 | row AS id, quantity::DOUBLE AS qty,
                   orderSide = 'Buy' AS buy
            FROM {rows} WHERE orderSide IN ('Buy', 'Sell')
        ), sums AS (
            SELECT *, (sum(CASE WHEN buy THEN qty ELSE 0 END) OVER w)::BIGINT AS bought,
                   (sum(CASE WHEN buy THEN qty ELSE -qty END) OVER w)::BIGINT AS net
            FROM signed
            WINDOW w AS (PARTITION BY ukey ORDER BY id ROWS UNBOUNDED PRECEDING)
        ), lows AS (
            SELECT *, least(0, coalesce(min(net) OVER (PARTITION BY ukey ORDER BY id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)) AS low
            FROM sums
        )
        SELECT ukey, id, qty::BIGINT AS qty, buy,
               CASE WHEN buy THEN bought ELSE bought - net + least(low, net) END AS upto,
               CASE WHEN buy THEN 0 ELSE greatest(0, low - net) END AS excess
        FROM lows
    """)
    engine.execute("""
        CREATE OR REPLACE TEMP TABLE gaps AS
        SELECT upto - lag(upto, 1, 0) OVER w AS size,
               first_value(CASE WHEN buy THEN id END IGNORE NULLS) OVER ahead AS entry,
               first_value(CASE WHEN NOT buy THEN id END IGNORE NULLS) OVER ahead AS exit
        FROM ruled WHERE qty > excess
        WINDOW w AS (PARTITION BY ukey ORDER BY upto),
               ahead AS (PARTITION BY ukey ORDER BY upto
                         ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
    """)
    engine.execute(f"""
        CREATE OR REPLACE TEMP VIEW pieces AS
        SELECT unnest([entry & {MASK}, exit & {MASK}]) AS row, entry & {MASK} AS entry,
               size AS qty, (exit >> 30) - (entry >> 30) AS held, true AS closed
        FROM gaps WHERE size > 0 AND exit IS NOT NULL
        UNION ALL
        SELECT entry & {MASK}, entry & {MASK}, size, NULL, false
        FROM gaps WHERE size > 0 AND exit IS NULL
        UNION ALL
        SELECT id & {MASK}, CASE WHEN buy THEN id & {MASK} END, excess, NULL, false
        FROM ruled WHERE excess > 0 OR qty = 0
        UNION ALL
        SELECT row, NULL, NULL, NULL, NULL
        FROM {rows} WHERE orderSide IS NULL OR orderSide NOT IN ('Buy', 'Sell')
    """)


def later(horizon: int, rows: str = "rows", seen: str = "seen") -> str:
    """Look the last price up at or before a horizon: an `ASOF` join's tail.

    Time and row are one integer, so that the last row wins among equal times.
    """
    return f"""
        ASOF LEFT JOIN {seen} AS at_{horizon}
        ON {rows}.ukey = at_{horizon}.ukey
        AND ({rows}.ms + {horizon * 1000})::BIGINT << 30 | {MASK} >= at_{horizon}.id
    """


def change(horizon: int, rows: str = "rows") -> str:
    """Return to a horizon, null past the symbol's last observation."""
    return f"""
        CASE WHEN {rows}.ms + {horizon * 1000} <= lasts.ms
        THEN at_{horizon}.mid / {rows}.mid - 1 END AS return_{horizon}
    """


# --------------------------------------------------------------------- stages


def load(paths: list[Path], rows: int | None) -> list[Any]:
    """Open an engine with the stage's tables, numbered; the first is called `rows`. This is not timed."""
    engine = connect()
    for path, name in zip(paths, ("rows", "quotes"), strict=False):
        engine.register("source", number(path, rows))
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM source")
        engine.unregister("source")
    return [engine]


def number(source: Path, rows: int | None = None) -> Any:
    """Map a Feather file into memory and add row numbers."""
    table = pa.ipc.open_file(pa.memory_map(str(source))).read_all().slice(0, rows)
    numbers = np.arange(table.num_rows, dtype=np.int64)
    return table.append_column("row", pa.array(numbers))


def shown(case: str, result: tuple[Any, str]) -> pl.DataFrame:
    """Fetch what a stage left in its table."""
    engine, query = result
    engine.execute("SET preserve_insertion_order = true")
    return pl.from_arrow(engine.sql(query).to_arrow_table())


def clock(engine: Any) -> tuple[Any, str]:
    """Stage: ticktime -> elapsed_seconds."""
    seconds = f"({ELAPSED_MS}) / 1000 AS elapsed_seconds"
    engine.execute(f"CREATE OR REPLACE TEMP TABLE result AS SELECT {seconds}, row FROM rows")
    return engine, "SELECT elapsed_seconds FROM result ORDER BY row"


def fifo(engine: Any) -> tuple[Any, str]:
    """Stage: match, and expand every column."""
    engine.execute(
        "CREATE OR REPLACE TEMP VIEW timed AS SELECT row, ukey, orderSide, quantity,"
        " round(elapsed_seconds * 1000)::INTEGER AS ms FROM rows"
    )
    match(engine, "timed")
    engine.execute("""
        CREATE OR REPLACE TEMP TABLE result AS
        SELECT rows.* EXCLUDE (row), entry::UINTEGER AS matched_entry_id, pieces.qty AS matched_qty,
               held / 1000 AS holding_period, closed AS is_closed
        FROM pieces JOIN rows ON pieces.row = rows.row
    """)
    return engine, "SELECT * FROM result"


def forward(engine: Any) -> tuple[Any, str]:
    """Stage: two forward returns, with `ASOF` joins."""
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE result AS
        WITH rows AS (
            SELECT ukey, mid, row, round(elapsed_seconds * 1000)::INTEGER AS ms FROM rows
        ), {SEEN}
        SELECT rows.row, {change(60)}, {change(300)}
        FROM rows LEFT JOIN lasts ON rows.ukey = lasts.ukey {later(60)} {later(300)}
    """)
    return engine, "SELECT return_60, return_300 FROM result ORDER BY row"


def quotes(engine: Any) -> tuple[Any, str]:
    """Stage: mids of quotes for trades, with `ASOF` joins."""
    mids = ", ".join(f"at_{h}.mid AS mid_{h}" for h in job.LOOK_UPS)
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE result AS
        WITH trades AS (
            SELECT ukey, row, round(elapsed_seconds * 1000)::INTEGER AS ms FROM rows
        ), seen AS (
            SELECT ukey, mid, round(elapsed_seconds * 1000)::BIGINT << 30 | row AS id FROM quotes
        )
        SELECT trades.row, {mids}
        FROM trades {" ".join(later(h, "trades") for h in job.LOOK_UPS)}
    """)
    return engine, f"SELECT {', '.join(f'mid_{h}' for h in job.LOOK_UPS)} FROM result ORDER BY row"


SEEN = """
    seen AS (
        SELECT ukey, ms::BIGINT << 30 | row AS id, mid
        FROM rows WHERE mid > 0 AND isfinite(mid)
    ), lasts AS (
        SELECT ukey, max(id) >> 30 AS ms FROM seen GROUP BY ukey
    )
"""


def aggregate(engine: Any) -> tuple[Any, str]:
    """Stage: bin two columns, group by them and the side."""
    binned_rows = (
        f"(SELECT {binned('alpha1')} AS alpha1_bin,"
        f" {binned('return_60')} AS return_60_bin, orderSide, matched_qty, fillPrice"
        " FROM rows)"
    )
    engine.execute(f"CREATE OR REPLACE TEMP TABLE result AS {grouped(binned_rows)}")
    return engine, (
        "SELECT * FROM result ORDER BY alpha1_bin NULLS FIRST, return_60_bin NULLS FIRST, orderSide NULLS FIRST"
    )


def day(source: Path, target: Path) -> None:
    """Run the whole job, from Feather to Parquet."""
    engine = connect()
    engine.register("source", number(source))
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE rows AS
        SELECT * FROM (
            SELECT row, ukey, orderSide, fillPrice, {LOTS} AS quantity, {MID} AS mid,
                   ({ELAPSED_MS})::INTEGER AS ms, {binned("alpha1")} AS alpha1_bin
            FROM source
        ) WHERE ms IS NOT NULL
    """)
    engine.unregister("source")
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE keyed AS
        WITH {SEEN}, returns AS (
            SELECT rows.row, alpha1_bin, orderSide, fillPrice, {change(60)}
            FROM rows LEFT JOIN lasts ON rows.ukey = lasts.ukey {later(60)}
        )
        SELECT row, alpha1_bin, orderSide, fillPrice, {binned("return_60")} AS return_60_bin
        FROM returns
    """)
    match(engine, "rows")
    expanded = (
        "(SELECT keyed.* EXCLUDE (row), pieces.qty AS matched_qty FROM pieces JOIN keyed ON pieces.row = keyed.row)"
    )
    engine.execute(f"COPY ({grouped(expanded)}) TO '{target}' (FORMAT parquet)")
    engine.close()
