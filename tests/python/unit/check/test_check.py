"""`vf.check`: counts against those made by hand or by a plain loop, drift and the rules that settle it, the report."""

from __future__ import annotations

import datetime as dt
import io as text_io
import json
import math
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import Watched, chunked, raises
from vizflow import io
from vizflow.check import day
from vizflow.check.check import command
from vizflow.errors import ConfigError, StorageError

NAMES = {
    "timestamp": "ticktime", "symbol": "ukey", "side": "orderSide", "quantity": "qty", "price": "px",
    "bid": "Bid1", "ask": "Ask1",
}  # fmt: skip
GOOD = pl.DataFrame(
    {
        "ticktime": [93000000, 93000500, 113000000, 130000000, 150000000],
        "ukey": [1, 2, 1, 2, 1],
        "orderSide": ["B", "S", "B", "S", "B"],
        "qty": [100.0, 200.0, 100.0, 300.0, 100.00000002],
        "px": [10.0, 20.0, 10.5, 20.5, 11.0],
        "Bid1": [9.9, 19.9, 10.4, 20.4, 10.9],
        "Ask1": [10.0, 20.0, 10.5, 20.5, 11.0],
        "alpha": [0.1, 0.2, 0.3, 0.4, 0.5],
    }
)
DATES = ["20240102", "20240103", "20240104"]


def put(frame: pl.DataFrame, row: int, **values: Any) -> pl.DataFrame:
    at = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(at).then(pl.lit(value, dtype=frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def days(tmp_path: Path, *frames: pl.DataFrame, **options: Any) -> tuple[vf.Config, list[str]]:
    """Save a frame a day; `options` go to the config."""
    for date, frame in zip(DATES, frames, strict=False):
        vf.save(chunked(frame), tmp_path / f"{date}.feather")
    return vf.Config(input_dir=tmp_path, **({"columns": NAMES} | options)), DATES[: len(frames)]


def check(tmp_path: Path, *frames: pl.DataFrame, unit: Any = "HHMMSSmmm", **options: Any) -> vf.CheckReport:
    config = {name: options.pop(name) for name in ("columns", "schema", "market") if name in options}
    if "counted" in options:
        options["columns"] = options.pop("counted")
    return vf.check(*days(tmp_path, *frames, **config), unit=unit, **options)


def found(report: vf.CheckReport, *checks: str) -> list[tuple[Any, ...]]:
    """Return (check, severity, column, count, first_row) of the findings, those of size left out."""
    frame = report.frame.filter(pl.col("check") != "size")
    if checks:
        frame = frame.filter(pl.col("check").is_in(checks))
    return frame.select("check", "severity", "column", "count", "first_row").rows()


def test_good_days_have_no_finding(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD, GOOD, GOOD)
    assert found(report) == []
    assert report.ok
    assert report.suggestions == {}
    assert report.not_checked.is_empty()
    assert report.columns == NAMES
    assert report.days["rows"].to_list() == [5, 5, 5]
    assert report.sides.filter(date=DATES[0]).rows() == [(DATES[0], "B", 3), (DATES[0], "S", 2)]


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"qty": -1.0}, ("negative", "error", "qty", 1, 3)),
        ({"qty": 0.0}, ("zero", "info", "qty", 1, 3)),
        ({"qty": 125.5}, ("fraction", "warning", "qty", 1, 3)),
        ({"qty": math.inf}, ("infinite", "error", "qty", 1, 3)),
        ({"qty": math.nan}, ("nulls", "info", "qty", 1, None)),
        ({"qty": None}, ("nulls", "info", "qty", 1, None)),
        ({"px": -0.5}, ("negative", "warning", "px", 1, 3)),
        ({"px": 0.0}, ("zero", "warning", "px", 1, 3)),
        ({"px": -math.inf}, ("infinite", "error", "px", 1, 3)),
        ({"Bid1": 20.6}, ("crossed", "warning", "Bid1, Ask1", 1, 3)),
        ({"Bid1": 20.5}, ("locked", "info", "Bid1, Ask1", 1, 3)),
        ({"Bid1": 0.0}, ("one_sided", "info", "Bid1, Ask1", 1, 3)),
        ({"Ask1": math.nan}, ("one_sided", "info", "Bid1, Ask1", 1, 3)),
        ({"Ask1": -1.0}, ("negative", "warning", "Ask1", 1, 3)),
        ({"Bid1": 0.0, "Ask1": None}, ("empty_book", "info", "Bid1, Ask1", 1, 3)),
        ({"ticktime": 120000000}, ("out_of_session", "warning", "ticktime", 1, 3)),
        ({"ticktime": 99990000}, ("impossible_time", "error", "ticktime", 1, 3)),
        ({"ticktime": 93000499}, ("late", "warning", "ticktime", 1, 3)),
        ({"ticktime": None}, ("null_key", "error", "ticktime", 1, 3)),
        ({"ukey": None}, ("null_key", "error", "ukey", 1, 3)),
    ],
)
def test_one_bad_row(tmp_path: Path, change: dict[str, Any], want: tuple[Any, ...]) -> None:
    report = check(tmp_path, put(GOOD, 3, **change))
    assert want in found(report), found(report)
    others = {"nulls", "one_sided", "unsorted"} - {want[0]}
    assert [f for f in found(report) if f[0] not in others] == [want] or want[0] in others | {"nulls", "one_sided"}
    assert report.ok == (want[1] != "error")


def test_rows_late_for_their_symbol_and_for_the_file(tmp_path: Path) -> None:
    frame = GOOD.with_columns(ticktime=pl.Series([93010000, 93005000, 93003000, 93020000, 93019000]))
    report = check(tmp_path, frame)
    assert found(report, "late", "unsorted") == [
        ("late", "warning", "ticktime", 1, 2),  # symbol 1 at 93003, after 93010
        ("unsorted", "info", "ticktime", 3, 1),
    ]
    assert "by up to 7 s" in report.frame.filter(check="late")["detail"].item()


def test_grace_takes_the_auction_in(tmp_path: Path) -> None:
    frame = put(GOOD, 0, ticktime=92500000)
    assert found(check(tmp_path, frame), "out_of_session") == [("out_of_session", "warning", "ticktime", 1, 0)]
    assert found(check(tmp_path, frame, grace=300), "grace", "out_of_session") == [
        ("grace", "info", "ticktime", 1, None)
    ]


def test_repeated_keys(tmp_path: Path) -> None:
    twice = pl.concat([GOOD, GOOD.slice(1, 2), GOOD.slice(1, 1)])
    assert found(check(tmp_path, twice), "repeated_rows", "duplicate_keys") == [
        ("repeated_rows", "info", ", ".join(NAMES.values()), 3, 5)
    ]
    keyed = check(tmp_path, twice.with_columns(px=pl.int_range(1, 9)), keys=["symbol", "ticktime"])
    assert found(keyed, "repeated_rows", "duplicate_keys") == [("duplicate_keys", "error", "ukey, ticktime", 3, 5)]
    with_id = GOOD.with_columns(oid=pl.Series(["a", "b", "c", "b", None]))
    report = check(tmp_path, with_id, columns=NAMES | {"id": "oid"})
    assert found(report, "duplicate_keys") == [("duplicate_keys", "error", "oid", 1, 3)]
    none = check(tmp_path, GOOD, keys=["nothing"])
    assert none.not_checked.rows() == [(None, "duplicate_keys", "there is no column 'nothing'")]


@pytest.mark.parametrize(("part", "exact"), [(16_000_000, 1_000_000), (50, 1_000_000), (50, 0), (16_000_000, 0)])
def test_repeats_are_counted_alike_in_parts(monkeypatch: pytest.MonkeyPatch, part: int, exact: int) -> None:
    monkeypatch.setattr(day, "_PART_ROWS", part)
    monkeypatch.setattr(day, "_EXACT", exact)
    random.seed(part + exact)
    for keys in (3, 200, 10**9):
        rows = [(random.randrange(keys), random.choice("ab"), random.choice([1.0, None])) for _ in range(500)]
        frame = pl.DataFrame(rows, schema=["k", "s", "x"], orient="row")
        seen: set[Any] = set()
        again = [i for i, row in enumerate(rows) if row in seen or seen.add(row)]
        want = (len(again), again[0] if again else None)
        assert day._repeats(frame.lazy(), ["k", "s", "x"], 500) == want


def test_counts_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    random.seed(7)
    rows = 3_000
    price = [random.choice([None, math.nan, 0.0, -1.0, 10.0, 10.5, 11.0, math.inf]) for _ in range(2 * rows)]
    bid, ask = price[:rows], price[rows:]
    qty = [random.choice([None, math.nan, -2.0, 0.0, 1.0, 2.5, 1e9 + 0.5, 1.0 + 1e-7, 1e15, math.inf]) for _ in bid]
    stamp = [
        random.choice([None, 92959999, 93000000, 113000000, 113000001, 93060000, 130000000, 240000000]) for _ in bid
    ]
    frame = pl.DataFrame(
        {"ticktime": stamp, "ukey": [random.randrange(4) for _ in bid], "qty": qty, "Bid1": bid, "Ask1": ask},
        schema_overrides={"qty": pl.Float64, "Bid1": pl.Float64, "Ask1": pl.Float64},
    )
    report = check(tmp_path, frame, schema={"qty": {"cast_to": pl.Int64}})

    def quote(x: float | None) -> bool:
        return x is not None and math.isfinite(x) and x > 0

    def first(flags: list[bool]) -> tuple[int, int]:
        return sum(flags), flags.index(True)

    def counted(name: str, *column: str) -> tuple[int, int]:
        row = report.frame.filter((pl.col("check") == name) & (pl.col("column").is_in(column) if column else True))
        return row["count"].item(), row["first_row"].item()

    both = [(b or 0, a or 0) if quote(b) and quote(a) else None for b, a in zip(bid, ask, strict=True)]
    assert counted("crossed") == first([p is not None and p[0] > p[1] for p in both])
    assert counted("locked") == first([p is not None and p[0] == p[1] for p in both])
    assert counted("one_sided") == first([quote(b) != quote(a) for b, a in zip(bid, ask, strict=True)])
    assert counted("empty_book") == first([not quote(b) and not quote(a) for b, a in zip(bid, ask, strict=True)])
    finite = [x if x is not None and math.isfinite(x) else None for x in qty]
    assert counted("negative", "qty") == first([x is not None and x < 0 for x in finite])
    assert counted("zero", "qty") == first([x == 0 for x in finite])
    assert counted("infinite", "qty") == first([x == math.inf for x in qty])
    # A fraction is what near_integer refuses of finite values, and the schema refuses all that it does.
    assert counted("fraction", "qty") == first([x is not None and refused(x) for x in finite])
    assert counted("schema", "qty") == first([x is not None and refused(x) for x in qty])
    times = vf.time_report(frame, vf.CN, "ticktime", unit="HHMMSSmmm")
    assert counted("impossible_time") == first([x == 93060000 for x in stamp])
    assert counted("out_of_session") == first([x in (92959999, 113000001, 240000000) for x in stamp])
    assert times["unreadable"] == counted("impossible_time")[0]
    assert times["outside"] == counted("out_of_session")[0]
    assert counted("null_key", "ticktime") == first([x is None for x in stamp])
    nulls = {row["column"]: (row["nulls"], row["nans"]) for row in report.nulls.to_dicts()}
    assert nulls["qty"] == (sum(x is None for x in qty), sum(x is not None and math.isnan(x) for x in qty))
    latest: dict[int, float] = {}
    late = []
    elapsed = vf.parse_time(frame, vf.CN, "ticktime", unit="HHMMSSmmm").collect()["elapsed_seconds"]
    for key, time in zip(frame["ukey"], elapsed, strict=True):
        late.append(time is not None and time < latest.get(key, -1))
        latest[key] = max(latest.get(key, -1), -1 if time is None else time)
    assert counted("late") == first(late)


def refused(value: float) -> bool:
    try:
        pl.DataFrame({"x": [value]}).select(vf.near_integer("x"))
    except pl.exceptions.ComputeError:
        return True
    return False


# ---- drift -------------------------------------------------------------------------------------------------------


def test_renamed_column_is_found_and_the_suggested_alias_settles_it(tmp_path: Path) -> None:
    odd = GOOD.rename({"ticktime": "tick_time", "alpha": "Alpha"}).with_columns(extra=1)
    report = check(tmp_path, GOOD, odd, GOOD)
    rows = report.frame.filter(check="names").select("date", "severity", "column", "detail").rows()
    assert rows == [
        (DATES[1], "error", "ticktime", "missing; 'tick_time' may be it"),
        (DATES[1], "warning", "alpha", "missing; 'Alpha' may be it"),
        (DATES[1], "info", "extra", "not there on most days"),
    ]
    assert report.suggestions == {"ticktime": {"aliases": ["tick_time"]}, "alpha": {"aliases": ["Alpha"]}}
    reason = "there is no column 'ticktime'; one that the pipeline makes is not checked"
    assert (DATES[1], "timestamp", reason) in report.not_checked.rows()
    again = check(tmp_path, GOOD, odd, GOOD, schema=report.suggestions)
    assert [f for f in found(again) if f[0] == "names"] == [("names", "info", "extra", None, None)]
    assert again.suggestions == {}
    config = vf.Config(input_dir=tmp_path, schema=report.suggestions)
    assert vf.scan(tmp_path / f"{DATES[1]}.feather", schema=config.schema).collect()["ticktime"][0] == 93000000


def test_missing_column_without_a_likeness(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD, GOOD.drop("px", "alpha"), GOOD)
    assert report.frame.filter(check="names").select("severity", "column", "detail").rows() == [
        ("error", "px", "missing"),
        ("warning", "alpha", "missing"),
    ]
    assert report.suggestions == {}
    settled = check(tmp_path, GOOD, GOOD.drop("px"), GOOD, schema={"px": {"default": 0.0}})
    assert settled.ok
    assert found(settled, "names") == [("names", "info", "px", None, None)]


def test_column_that_the_pipeline_makes_is_no_error(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD, GOOD, columns=NAMES | {"price": "notional"})
    assert found(report) == []
    assert report.not_checked.rows() == [
        (None, "price", "there is no column 'notional'; one that the pipeline makes is not checked")
    ]
    report = check(tmp_path, GOOD, GOOD, columns=NAMES | {"price": "p_x"})
    assert found(report, "names") == [("names", "warning", "p_x", None, None)] * 2
    assert report.suggestions == {"p_x": {"aliases": ["px"]}}


def test_orders_may_have_several_fills_unless_the_config_says_what_the_id_is(tmp_path: Path) -> None:
    fills = GOOD.with_columns(order_id=pl.Series([1, 1, 2, 2, 2]), id=pl.lit(1))
    assert found(check(tmp_path, fills)) == []


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    vf.save(put(GOOD, 3, qty=-1.0), tmp_path / f"{DATES[0]}.{suffix}")
    config = vf.Config(input_dir=tmp_path, columns=NAMES, input_pattern="{date}." + suffix)
    report = vf.check(config, DATES[:1], unit="HHMMSSmmm")
    assert found(report) == [("negative", "error", "qty", 1, 3)]
    assert report.not_checked.is_empty()


def test_two_aliases_on_one_day(tmp_path: Path) -> None:
    odd = GOOD.rename({"px": "Px"}).with_columns(PX=1.0)
    report = check(tmp_path, GOOD, odd, GOOD, schema={"px": {"aliases": ["Px", "PX"]}})
    assert "'Px' and 'PX'" in report.frame.filter(check="names", severity="error")["detail"][0]


@pytest.mark.parametrize(
    ("column", "types", "rule"),
    [
        ("qty", [pl.Float64, pl.Int64, pl.Float64], {"load_as": pl.Float64, "cast_to": pl.Int64}),
        ("px", [pl.Float64, pl.String, pl.Float64], {"load_as": pl.Float64, "cast_to": pl.Float64}),
        ("ukey", [pl.Int64, pl.Int32, pl.UInt16], {"cast_to": pl.Int64}),
        ("ukey", [pl.Int64, pl.Float64, pl.Int64], {"load_as": pl.Float64, "cast_to": pl.Int64}),
        ("orderSide", [pl.String, pl.Categorical, pl.String], {"cast_to": pl.String}),
    ],
)
def test_other_type_on_one_day_and_the_rule_that_settles_it(
    tmp_path: Path, column: str, types: list[Any], rule: dict[str, Any]
) -> None:
    value = pl.col(column).round() if column == "qty" else pl.col(column)
    frames = [GOOD.with_columns(value.cast(dtype)) for dtype in types]
    report = check(tmp_path, *frames)
    assert ("types", "error", column, None, None) in found(report)
    assert report.suggestions == {column: rule}
    schema = json.loads(report.to_json())["suggestions"]  # names of types, as a configuration file has them
    again = check(tmp_path, *frames, schema=schema)
    assert again.ok
    assert {f[1] for f in found(again, "types")} == {"info"}
    assert again.suggestions == {}
    config = vf.Config(input_dir=tmp_path, schema=schema)
    read = [vf.load(tmp_path / f"{date}.feather", schema=config.schema) for date in DATES]
    assert len({frame.schema[column] for frame in read}) == 1


def test_fractions_are_not_suggested_to_become_integers(tmp_path: Path) -> None:
    report = check(tmp_path, put(GOOD, 0, qty=2.5), GOOD.with_columns(pl.col("qty").round().cast(pl.Int64)), GOOD)
    assert report.suggestions == {"qty": {"load_as": pl.Float64, "cast_to": pl.Float64}}


def test_datetimes_of_several_units(tmp_path: Path) -> None:
    base = GOOD.with_columns(ticktime=pl.Series([dt.datetime(2024, 1, 2, 9, 30)] * 5, dtype=pl.Datetime("us")))
    other = base.with_columns((pl.col("ticktime") + pl.duration(days=1)).cast(pl.Datetime("ns")))
    report = check(tmp_path, base, other, unit=None)
    assert report.suggestions == {"ticktime": {"cast_to": pl.Datetime("ns")}}  # the finer: nothing is lost
    assert found(report, "other_date") == []
    assert found(check(tmp_path, base, base, unit=None), "other_date") == [("other_date", "error", "ticktime", 5, 0)]


def test_epochs_are_asked_for_and_read_in_the_markets_zone(tmp_path: Path) -> None:
    ns = [1704159000_000000000 + i for i in range(5)]  # 2024-01-02 09:30:00 in Shanghai
    frame = GOOD.with_columns(ticktime=pl.Series(ns))
    report = check(tmp_path, frame, unit=None)
    assert 'give unit="ns"' in report.not_checked["reason"][0]
    report = check(tmp_path, frame, frame, unit="ns")
    assert found(report, "impossible_time", "out_of_session") == []
    assert report.frame.filter(check="other_date")["date"].to_list() == [DATES[1]]


def test_digits_of_two_kinds(tmp_path: Path) -> None:
    frame = put(GOOD, 2, ticktime=93001)
    report = check(tmp_path, frame, unit=None)
    assert report.frame.filter(check="times").select("severity", "count").rows() == [("error", 1)]
    assert found(check(tmp_path, GOOD, unit=None)) == []


def test_sides(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD, put(put(GOOD, 0, orderSide="buy"), 2, orderSide=" Buy"), GOOD)
    details = report.frame.filter(check="sides", date=DATES[1])["detail"].to_list()
    assert sorted(details) == [
        "' Buy' is not there on most days",
        "'buy' is not there on most days",
        "written in several ways: 'buy', ' Buy'",
    ] or sorted(details) == [
        "' Buy' is not there on most days",
        "'buy' is not there on most days",
        "written in several ways: ' Buy', 'buy'",
    ]
    gone = check(tmp_path, GOOD, GOOD.with_columns(orderSide=pl.lit("B")), GOOD)
    assert gone.frame.filter(check="sides")["detail"].to_list() == ["'S' is missing, which most days have"]
    many = pl.concat([GOOD] * 20).with_columns(orderSide=pl.int_range(100).cast(pl.String))
    assert "is that a side?" in "".join(check(tmp_path, many).frame.filter(check="sides")["detail"])


def test_sizes_against_the_median_day(tmp_path: Path) -> None:
    hot = check(tmp_path, GOOD, pl.concat([GOOD] * 4), GOOD)
    rows = hot.frame.filter((pl.col("check") == "size") & pl.col("detail").str.contains("rows"))
    assert rows.select("date", "severity", "detail").rows() == [
        (DATES[1], "warning", "hot partition: 20 rows; the median day has 5")
    ]
    small = check(tmp_path, GOOD, GOOD.head(1), GOOD)
    assert "1 rows; the median day has 5" in small.frame.filter(check="size", severity="warning")["detail"].to_list()
    assert small.frame.filter(check="size", severity="info").height == 3  # under 100 MB, each


def test_nulls_that_jump(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD, GOOD.with_columns(alpha=pl.lit(None, pl.Float64)), put(GOOD, 0, alpha=None))
    assert report.frame.filter(check="nulls").select("date", "severity", "count", "share").rows() == [
        (DATES[1], "warning", 5, 1.0),
        (DATES[2], "info", 1, 0.2),
    ]
    frames = [pl.concat([GOOD] * 20), pl.concat([GOOD] * 20), pl.concat([GOOD] * 19 + [GOOD.with_columns(alpha=None)])]
    report = check(tmp_path, *frames)
    assert report.frame.filter(check="nulls").select("date", "severity", "count").rows() == [(DATES[2], "warning", 5)]


# ---- files -------------------------------------------------------------------------------------------------------


def test_bad_files_are_findings_and_the_others_are_checked(tmp_path: Path) -> None:
    config, dates = days(tmp_path, put(GOOD, 3, qty=-1.0), GOOD, GOOD)
    (tmp_path / f"{dates[1]}.feather").write_bytes(b"ARROW1 and nothing more")
    (tmp_path / f"{dates[2]}.feather").unlink()
    report = vf.check(config, [*dates, "20240105"], unit="HHMMSSmmm")
    files = report.frame.filter(check="file")
    assert files["date"].to_list() == [dates[1], dates[2], "20240105"]
    assert "truncated, corrupt" in files["detail"][0]
    assert "no such file" in files["detail"][1]
    assert found(report, "negative") == [("negative", "error", "qty", 1, 3)]
    assert report.days.height == 4
    assert report.not_checked.is_empty()
    assert not report.ok
    assert str(report)


def test_calendar_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    config, dates = days(tmp_path, put(GOOD, 3, qty=-1.0), calendar_path=tmp_path / "calendar.csv")
    report = vf.check(config, dates, unit="HHMMSSmmm")
    assert found(report, "calendar", "negative") == [
        ("calendar", "error", None, None, None),
        ("negative", "error", "qty", 1, 3),
    ]


def test_no_file_at_all(tmp_path: Path) -> None:
    report = vf.check(vf.Config(input_dir=tmp_path), ["20240102"])
    assert found(report) == [("file", "error", None, None, None)]
    assert "no such file" in str(report)
    json.loads(report.to_json())


def test_empty_day(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD, GOOD.clear(), GOOD)
    assert ("rows", "error", None, 0, None) in found(report)
    assert str(report)


def test_file_that_changes_meanwhile_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, dates = days(tmp_path, GOOD)
    find = day.Day._find_sides

    def replace(self: day.Day, lf: pl.LazyFrame) -> None:
        find(self, lf)
        vf.save(GOOD.head(2), self.path)

    monkeypatch.setattr(day.Day, "_find_sides", replace)
    assert found(vf.check(config, dates, unit="HHMMSSmmm"), "file") == [("file", "error", None, None, None)]


def test_only_checked_columns_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, dates = days(tmp_path, GOOD)
    watched = Watched(GOOD.with_columns(wide=pl.lit("x")))
    monkeypatch.setattr(io, "scan", lambda path, **_: watched.lazy)
    vf.check(config, dates, unit="HHMMSSmmm", columns=["quantity"])
    assert watched.columns == set(NAMES.values())
    vf.check(config, dates, unit="HHMMSSmmm", columns=["quantity", "wide"])
    assert watched.columns == set(NAMES.values()) | {"wide"}


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD.select("ukey", "alpha", pl.col("Bid1").alias("BidPrice1")), columns={})
    reasons = dict(report.not_checked.select("check", "reason").rows())
    assert reasons["bid"] == "Config.columns names no 'bid', perhaps 'BidPrice1'"
    assert reasons["symbol"] == "Config.columns names no 'symbol', perhaps 'ukey'"
    assert reasons["quantity"] == "Config.columns names no 'quantity'"
    assert set(reasons) == {"timestamp", "symbol", "side", "quantity", "price", "bid", "ask"}
    odd = GOOD.with_columns(px=pl.lit([1]), ticktime=pl.lit(dt.date(2024, 1, 2)), ukey=pl.lit(1.5), orderSide=[1])
    reasons = dict(check(tmp_path, odd).not_checked.select("check", "reason").rows())
    assert "List(Int32), no number" in reasons["price"] or "List(Int64), no number" in reasons["price"]
    assert "a Date has no time of day" in reasons["sessions, order"]


def test_names_found_without_a_mapping(tmp_path: Path) -> None:
    plain = GOOD.rename(
        {"ticktime": "timestamp", "ukey": "symbol", "qty": "volume", "px": "price", "orderSide": "side"}
    )
    report = check(tmp_path, plain, columns={})
    assert report.columns == {
        "timestamp": "timestamp", "symbol": "symbol", "side": "side", "quantity": "volume", "price": "price"
    }  # fmt: skip


def test_text_numbers_are_counted(tmp_path: Path) -> None:
    frame = GOOD.with_columns(qty=pl.Series(["1", "-2", "x", "2.5", None]))
    report = check(tmp_path, frame, schema={"qty": {"load_as": pl.Float64, "cast_to": pl.Int64}})
    assert found(report, "negative", "fraction") == [
        ("negative", "error", "qty", 1, 1),
        ("fraction", "warning", "qty", 1, 3),
    ]
    assert found(report, "schema") == [("schema", "error", "qty", 1, 2)]


# ---- options, report, command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"unit": "minutes"}, "unit is 'minutes'"),
        ({"grace": -1}, "grace is -1"),
        ({"keys": "ukey"}, "keys is 'ukey'"),
        ({"keys": []}, "keys is []"),
        ({"columns": [1]}, "columns is [1]"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, Any], part: str) -> None:
    config, dates = days(tmp_path, GOOD)
    with raises(ConfigError, part):
        vf.check(config, dates, **options)


@pytest.mark.parametrize("dates", [[], ["2024-01-02"], ["../../x"]])
def test_bad_dates(tmp_path: Path, dates: list[str]) -> None:
    with raises(ConfigError):
        vf.check(vf.Config(input_dir=tmp_path), dates)


def test_progress_and_dates_given_twice(tmp_path: Path) -> None:
    config, dates = days(tmp_path, GOOD, GOOD)
    seen: list[Any] = []
    report = vf.check(config, [*dates, dates[0]], unit="HHMMSSmmm", progress=lambda *args: seen.append(args))
    assert seen == [(dates[0], 0, 2), (dates[1], 1, 2)]
    assert report.days.height == 2


def test_json_holds_everything(tmp_path: Path) -> None:
    report = check(tmp_path, GOOD, put(GOOD.rename({"px": "Px"}), 1, qty=-5.0), GOOD)
    path = tmp_path / "reports" / "check.json"
    content = json.loads(report.to_json(path))
    assert json.loads(path.read_text()) == content
    assert content["ok"] is False
    assert content["findings"] == report.frame.to_dicts()
    assert content["days"] == report.days.to_dicts()
    assert content["nulls"] == report.nulls.to_dicts()
    assert content["suggestions"] == {"px": {"aliases": ["Px"]}}
    (tmp_path / "folder").mkdir()
    with raises(StorageError, "folder"):
        report.to_json(tmp_path / "folder")


def test_text_of_a_report(tmp_path: Path) -> None:
    odd = put(GOOD, 1, qty=-2.0).rename({"px": "Px"})
    report = check(tmp_path, GOOD, odd, put(put(GOOD, 1, qty=-2.0), 2, qty=-3.0), columns=NAMES | {"bid": "Bid"})
    text = str(report)
    assert text.startswith("3 days (20240102 to 20240104), 15 rows, ")
    assert "\nERRORS\n" in text
    assert (
        "  negative        qty: negative quantity: 3 of 10 rows (2 of 3 days; most on 20240104: 2, first row 1)\n"
        in text
    )
    assert "  names           px: missing; 'Px' may be it (20240103)\n" in text
    assert '    "px": {"aliases": ["Px"]},' in text
    assert "NOT CHECKED\n  bid             there is no column 'Bid'" in text
    pasted = {}
    for line in text[text.index("TO PASTE") :].splitlines()[1:]:
        pasted |= eval("{" + line + "}", {"pl": pl})
    assert pasted == report.suggestions
    assert repr(report) == "<CheckReport of 3 days: 3 error, 3 warning, 3 info; print() shows it>"


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, dates = days(tmp_path, GOOD, put(GOOD, 1, qty=-2.0))
    assert command(config, dates[:1], unit="HHMMSSmmm") == 0
    assert "1 day (20240102)" in capsys.readouterr().out
    out = text_io.StringIO()
    assert command(config, dates, unit="HHMMSSmmm", as_json=True, output=tmp_path / "x.json", stream=out) == 1
    assert json.loads(out.getvalue()) == json.loads((tmp_path / "x.json").read_text())
    assert capsys.readouterr().out == ""
