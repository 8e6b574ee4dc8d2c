"""Reports against plain Python: each number from the rows, by hand; the file stands alone."""

from __future__ import annotations

import math
import random
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError, SchemaError
from vizflow.reports.sums import profit_edge

DATES = ["20240102", "20240103", "20240104"]


def day(seed: int, n: int = 600) -> pl.DataFrame:
    rng = random.Random(seed)
    out = []
    for k in range(n):
        a = round(rng.gauss(0, 3))
        out.append({
            "symbol": rng.randrange(40), "elapsed_seconds": k * 3.0,
            "a": None if rng.random() < 0.1 else float("nan") if rng.random() < 0.02 else float(a),
            "return_60": None if rng.random() < 0.2 else a * 1e-5 + rng.gauss(0, 1e-4),
            "return_0.5": a * 1e-6 + rng.gauss(0, 1e-4),
        })  # fmt: skip
    return chunked(pl.DataFrame(out))


def ranks(values: list[float]) -> list[float]:
    order = sorted(values)
    return [(order.index(v) + len(order) - 1 - order[::-1].index(v)) / 2 for v in values]


def pearson(x: list[float], y: list[float]) -> float:
    mx, my = math.fsum(x) / len(x), math.fsum(y) / len(y)
    xy = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return xy / math.sqrt(math.fsum((a - mx) ** 2 for a in x) * math.fsum((b - my) ** 2 for b in y))


def valid(frame: pl.DataFrame, r: str) -> list[tuple[float, float]]:
    pairs = frame.select("a", r).rows()
    return [(a, b) for a, b in pairs if a is not None and b is not None and not math.isnan(a)]


def test_alpha_by_date_is_what_plain_python_gives() -> None:
    days = {date: day(i) for i, date in enumerate(DATES)}
    report = vf.reports.alpha(days, "a", quantiles=5)
    assert report.frame["horizon"].to_list() == ["0.5", "60.0"]
    rows = {(r["date"], r["horizon"]): r for r in report.frames["dates"].iter_rows(named=True)}
    assert len(rows) == 6
    for date, frame in days.items():
        pairs = valid(frame, "return_60")
        row = rows[date, "60.0"]
        x, y = [p[0] for p in pairs], [p[1] for p in pairs]
        assert (row["rows"], row["rows_valid"]) == (frame.height, len(pairs))
        assert row["coverage"] == len(pairs) / frame.height
        assert row["ic"] == pytest.approx(pearson(x, y), rel=1e-9)
        assert row["rank_ic"] == pytest.approx(pearson(ranks(x), ranks(y)), rel=1e-9)
        signed = [(a, b) for a, b in pairs if a != 0 and b != 0]
        assert row["hit_rate"] == sum((a > 0) == (b > 0) for a, b in signed) / len(signed)


def test_alpha_quantiles_and_spread() -> None:
    frame = day(7)
    report = vf.reports.alpha({"20240102": frame}, "a", ["return_60"], quantiles=5)
    there = [(a, r) for a, r in frame.select("a", "return_60").rows() if a is not None and not math.isnan(a)]
    at = [min(4, int((rank + 0.5) / len(there) * 5)) + 1 for rank in ranks([a for a, _ in there])]
    groups = defaultdict(list)
    for q, (_, r) in zip(at, there, strict=True):
        groups[q].append(r)
    got = {row["quantile"]: row for row in report.frames["quantiles"].iter_rows(named=True)}
    assert set(got) == set(groups)
    for q, members in groups.items():
        known = [r for r in members if r is not None]
        assert (got[q]["rows"], got[q]["rows_valid"]) == (len(members), len(known))
        assert got[q]["mean"] == pytest.approx(math.fsum(known) / len(known), rel=1e-10)
    spread = report.frames["dates"]["spread"][0]
    assert spread == pytest.approx(got[5]["mean"] - got[1]["mean"], rel=1e-12)


def test_alpha_turnover_by_hand() -> None:
    """Four symbols, two groups: in the second slice b and c change places, in the third nothing moves."""
    alphas = [{"a": 1, "b": 2, "c": 3, "d": 4}, {"a": 1, "b": 3, "c": 2, "d": 4}, {"a": 1, "b": 3, "c": 2, "d": 4}]
    rows = [
        {"symbol": s, "elapsed_seconds": 10.0 * k + i, "a": float(v) if i else 99.0, "return_60": 0.1 * v}
        for k, slice_ in enumerate(alphas) for s, v in slice_.items() for i in (0, 1)
    ]  # fmt: skip
    report = vf.reports.alpha({"20240102": pl.DataFrame(rows)}, "a", quantiles=2, every=10)
    turnover = report.frames["turnover"].row(0, named=True)
    assert turnover == {"date": "20240102", "top_turnover": 0.25, "bottom_turnover": 0.25, "slices": 2}


def test_alpha_summary_takes_dates_as_observations() -> None:
    days = {date: day(i) for i, date in enumerate(DATES)}
    report = vf.reports.alpha(days, "a", ["return_60"])
    ics = report.frames["dates"]["ic"].to_list()
    mean = sum(ics) / 3
    error = math.sqrt(sum((v - mean) ** 2 for v in ics) / 2 / 3)
    row = report.frame.row(0, named=True)
    assert (row["horizon"], row["dates"], row["rows"]) == (60, 3, 1800)
    assert row["ic"] == pytest.approx(mean)
    assert row["ic_t"] == pytest.approx(mean / error)


def test_alpha_without_variation_or_values_is_null_and_not_zero() -> None:
    frame = pl.DataFrame({"a": [1.0, 1.0, 1.0], "return_60": [1.0, 2.0, None], "return_300": [None] * 3})
    frame = frame.with_columns(pl.col("return_300").cast(pl.Float64))
    rows = {
        r["horizon"]: r
        for r in vf.reports.alpha({"20240102": frame}, "a", quantiles=2).frames["dates"].iter_rows(named=True)
    }
    assert rows[60]["ic"] is None
    assert rows[60]["spread"] is None  # equal forecasts are one group
    assert (rows[300]["ic"], rows[300]["hit_rate"], rows[300]["coverage"]) == (None, None, 0.0)


def test_alpha_sources_agree(tmp_path: Path) -> None:
    days = {date: day(i) for i, date in enumerate(DATES)}
    expected = vf.reports.alpha(days, "a").frame
    for date, frame in days.items():
        vf.save(frame, tmp_path / "days" / f"day_{date}.parquet")
    whole = pl.concat([frame.with_columns(date=pl.lit(date)) for date, frame in days.items()])
    config = vf.Config(input_dir=tmp_path / "days", input_pattern="day_{date}.parquet")
    for report in (
        vf.reports.alpha(tmp_path / "days", "a"),
        vf.reports.alpha(str(tmp_path / "days" / "*.parquet"), "a"),
        vf.reports.alpha(sorted((tmp_path / "days").iterdir(), reverse=True), "a"),
        vf.reports.alpha(whole.lazy(), "a"),
        vf.reports.alpha(whole.with_columns(pl.col("date").str.to_date("%Y%m%d")), "a"),
        vf.reports.alpha(config, "a", dates=DATES[::-1]),
        vf.reports.alpha(config, "a", dates=DATES, prepare=lambda df, ctx: df.with_columns(pl.lit(ctx.date))),
    ):
        assert report.frame.equals(expected)
    assert vf.reports.alpha(whole, "a", dates=DATES[:1]).frame["rows"][0] == 600


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"alpha": "b"}, SchemaError, "alpha: there is no column 'b'"),
        ({"returns": ["return_61"]}, SchemaError, "did you mean 'return_60'"),
        ({"returns": ["a"]}, ConfigError, "holds no horizon"),
        ({"returns": {60: "a"}}, ConfigError, "is the alpha itself"),
        ({"returns": []}, ConfigError, "there are no columns return_*"),
        ({"quantiles": 1}, ConfigError, "quantiles is 1"),
        ({"every": 0}, ConfigError, "every is 0"),
        ({"dates": ["20250101"]}, DataError, "no date holds rows"),
        ({"prepare": lambda df, ctx: df}, ConfigError, "Config"),
    ],
)
def test_what_the_alpha_report_refuses(arguments: dict[str, Any], kind: type[vf.Error], text: str) -> None:
    options = {"alpha": "a", **arguments}
    with raises(kind, text):
        vf.reports.alpha({"20240102": day(1)}, **options)


def test_files_that_do_not_tell_their_day(tmp_path: Path) -> None:
    vf.save(day(1), tmp_path / "today.parquet")
    with raises(ConfigError, "today.parquet", "YYYYMMDD"):
        vf.reports.alpha(tmp_path, "a")
    (tmp_path / "empty").mkdir()
    with raises(ConfigError, "there are no files"):
        vf.reports.alpha(tmp_path / "empty", "a")
    vf.save(day(1), tmp_path / "two" / "a_20240102.parquet")
    vf.save(day(1), tmp_path / "two" / "b_20240102.parquet")
    with raises(DataError, "both of 20240102"):
        vf.reports.alpha(tmp_path / "two", "a")
    with raises(SchemaError, "no column 'date'"):
        vf.reports.alpha(day(1), "a")
    with raises(ConfigError, "needs dates="):
        vf.reports.alpha(vf.Config(input_dir=tmp_path), "a")


# ---- trades -----------------------------------------------------------------------------------------------------


def fills(seed: int, n: int = 500) -> pl.DataFrame:
    rng = random.Random(seed)
    out = []
    for k in range(n):
        side = rng.choice(["Buy", "Sell", "Cancel", None])
        closed = rng.random() < 0.8
        price = round(rng.uniform(5, 15), 2)
        out.append({
            "orderSide": side, "matched_qty": rng.randrange(1, 60) * 100, "fillPrice": price,
            "mid": price * (1 + rng.gauss(0, 3e-4)),
            "elapsed_seconds": rng.uniform(0, 14_400), "return_60": None if rng.random() < 0.3 else rng.gauss(0, 1e-3),
            "return_300": rng.gauss(0, 1e-3), "alpha": rng.gauss(0, 1), "is_closed": closed,
            "holding_period": rng.expovariate(1 / 600) if closed else None, "fill": k // 2,
            "realized_pnl": round(rng.gauss(0, 300), 2) if closed and side == "Sell" else None,
        })  # fmt: skip
    return chunked(pl.DataFrame(out))


def test_markouts_by_side_are_signed_weighted_and_counted() -> None:
    days = {date: fills(i) for i, date in enumerate(DATES)}
    report = vf.reports.trades(days, alpha="alpha")
    members = [row for frame in days.values() for row in frame.iter_rows(named=True)]
    turned = vf.reports.trades(days, signed=True).frame.rows(named=True)
    for got, other in zip(report.frame.iter_rows(named=True), turned, strict=True):
        mine = [
            r
            for r in members
            if r["orderSide"] == got["side"] or (got["side"] == "both" and r["orderSide"] in ("Buy", "Sell"))
        ]
        assert got["rows"] == len(mine)
        for h in (60, 300):
            known = [r for r in mine if r[f"return_{h}"] is not None]
            weights = [r["matched_qty"] * r["fillPrice"] for r in known]
            total = math.fsum(r["matched_qty"] * r["fillPrice"] for r in mine)
            for found, signed in ((got, False), (other, True)):
                made = []
                for r in known:
                    sign = 1 if r["orderSide"] == "Buy" else -1
                    later = r["mid"] * (1 + r[f"return_{h}"] * (sign if signed else 1))
                    made.append(sign * (later / r["fillPrice"] - 1))
                mean = math.fsum(v * w for v, w in zip(made, weights, strict=True)) / math.fsum(weights)
                assert found[f"markout_{h}"] == pytest.approx(mean, rel=1e-9)
                assert found[f"coverage_{h}"] == pytest.approx(math.fsum(weights) / total, rel=1e-12)


def test_forecast_buckets_hold_equally_many_fills_each_day() -> None:
    report = vf.reports.trades({"20240102": fills(3)}, alpha="alpha", buckets=4)
    both = pl.concat([report.frames["alpha_buy"], report.frames["alpha_sell"]]).filter(pl.col("horizon") == 60)
    sizes = both.group_by("bucket").agg(pl.col("rows").sum())["rows"].to_list()
    assert len(sizes) == 4
    assert max(sizes) - min(sizes) <= 1


def test_holding_counts_closed_exits_once() -> None:
    frame = fills(4).drop("realized_pnl")  # exits are told by the side
    report = vf.reports.trades({"20240102": frame})
    closed = [r for r in frame.iter_rows(named=True) if r["orderSide"] == "Sell" and r["is_closed"]]
    held = report.frames["holding"]
    assert held["lots"].sum() == len(closed)
    short = [r for r in closed if r["holding_period"] < 1]
    assert held.filter(pl.col("bin") == 0)["lots"].sum() == len(short)
    minute = [r for r in closed if 60 <= r["holding_period"] < 120]
    assert held.filter(pl.col("bin") == 5)["lots"].sum() == len(minute)
    mean = math.fsum(r["holding_period"] * r["matched_qty"] * r["fillPrice"] for r in closed) / math.fsum(
        r["matched_qty"] * r["fillPrice"] for r in closed
    )
    assert report.frame["holding"][2] == pytest.approx(mean)


def test_profit_per_lot_and_date() -> None:
    days = {date: fills(i) for i, date in enumerate(DATES)}
    report = vf.reports.trades(days)
    lots = [
        r["realized_pnl"]
        for frame in days.values()
        for r in frame.iter_rows(named=True)
        if r["realized_pnl"] is not None
    ]
    assert report.frames["pnl_dates"]["lots"].sum() == len(lots)
    assert report.frames["pnl_dates"]["pnl"].sum() == pytest.approx(math.fsum(lots))
    assert report.frame["won"][2] == sum(v > 0 for v in lots) / len(lots)
    for b, count in report.frames["pnl"].group_by("bin").agg(pl.col("lots").sum()).iter_rows():
        near, far = sorted((abs(profit_edge(abs(b) - 1)) if b else 0.0, abs(profit_edge(b))))
        inside = [v for v in lots if (v == 0 if b == 0 else v * b > 0 and near < abs(v) <= far)]
        assert count == len(inside)


def test_sizes_of_pieces_or_of_fills() -> None:
    frame = pl.DataFrame({
        "orderSide": ["Buy"] * 3, "matched_qty": [100, 200, 1000], "fillPrice": [1.0] * 3, "order": [7, 7, 8],
    })  # fmt: skip
    pieces = vf.reports.trades({"20240102": frame}).frames["sizes"]
    assert dict(pieces.select("bin", "rows").iter_rows()) == {6: 1, 7: 1, 9: 1}
    whole = vf.reports.trades({"20240102": frame}, fill_col="order").frames["sizes"]
    assert dict(whole.select("bin", "rows").iter_rows()) == {8: 1, 9: 1}


def test_what_is_not_there_is_left_out_and_said() -> None:
    frame = fills(1).select("orderSide", "matched_qty", "fillPrice")
    report = vf.reports.trades({"20240102": frame})
    missing = {s.name: s.missing for s in report.sections if s.missing}
    absent = {"markouts", "alpha_buy", "alpha_sell", "spread", "holding", "pnl", "pnl_dates", "profile"}
    assert set(missing) == absent
    assert "FIFOMatch(extras=True)" in missing["pnl"]
    assert set(report.frames) == {"sizes", "dates", "left_out"}
    assert "forward_return" in missing["markouts"]


def test_hot_dates_are_those_of_three_times_the_median() -> None:
    days = {"20240102": fills(1, 100), "20240103": fills(2, 110), "20240104": fills(3, 1000)}
    report = vf.reports.trades(days)
    assert report.frames["dates"].filter("hot")["date"].to_list() == ["20240104"]
    assert any("20240104" in note for note in report.notes)


def test_fills_without_a_price_are_counted_and_weigh_nothing() -> None:
    frame = pl.DataFrame(
        {"orderSide": ["Buy", "Buy"], "matched_qty": [1, 1], "fillPrice": [2.0, None], "return_60": [1.0, 5.0]}
    )
    report = vf.reports.trades({"20240102": frame})
    assert report.frame["return_60"][0] == 1.0
    assert report.notes[0].startswith("No price: counted, without weight: 1 rows (by side, Buy: 1)")


def test_sides_that_are_not_known_are_refused_with_those_that_are_there() -> None:
    frame = pl.DataFrame({"orderSide": ["up", "down"], "matched_qty": [1, 1], "fillPrice": [1.0, 1.0]})
    with raises(DataError, "'down', 'up'"):
        vf.reports.trades({"20240102": frame})
    assert vf.reports.trades({"20240102": frame}, buy=["up"], sell=["down"]).frame["rows"].to_list() == [1, 1, 2]
    numbers = frame.with_columns(orderSide=pl.Series([1, -1]))
    assert vf.reports.trades({"20240102": numbers}).frame["rows"].to_list() == [1, 1, 2]
    with raises(SchemaError, "side: there is no column"):
        vf.reports.trades({"20240102": frame.drop("orderSide")})


# ---- the file ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reports() -> list[vf.reports.Report]:
    pytest.importorskip("plotly")
    return [
        vf.reports.alpha({date: day(i) for i, date in enumerate(DATES)}, "a"),
        vf.reports.trades({date: fills(i) for i, date in enumerate(DATES)}, alpha="alpha"),
    ]


def test_figures_are_there_for_every_section(reports: list[vf.reports.Report]) -> None:
    for report in reports:
        assert list(report.figures) == [s.name for s in report.sections if s.draw and not s.missing]
        assert all(figure.data for figure in report.figures.values())


def test_a_saved_report_asks_for_nothing_from_elsewhere(reports: list[vf.reports.Report], tmp_path: Path) -> None:
    for report in reports:
        path = report.save(tmp_path / "r.html")
        text = path.read_text(encoding="utf-8")
        ours = re.sub(r"<script>/\*\*\s+\* plotly\.js.*?</script>", "", text, flags=re.DOTALL)
        assert len(ours) < 500_000 < len(text)
        assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", ours)
        assert "http" not in ours.replace("http-equiv", "")
        assert "default-src 'none'" in ours
        assert "@" not in re.sub(r"@(media|font|page)", "", ours)


def test_a_report_of_hostile_names_is_text(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    name = "</script><script>alert(1)</script>"
    frame = day(1).rename({"a": name})
    text = vf.reports.alpha({"20240102": frame}, name, title=name).to_html()
    assert name not in text
    assert "&lt;/script&gt;" in text


def test_a_report_is_saved_as_html_only(reports: list[vf.reports.Report], tmp_path: Path) -> None:
    with raises(ConfigError, "saved as .html"):
        reports[0].save(tmp_path / "r.pdf")
    assert "<table>" in reports[0]._repr_html_()
    assert reports[0].to_html() == reports[0].to_html()
