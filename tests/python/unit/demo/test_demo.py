"""Generated days: their schema, their determinism, and the oddities they must have.

Statistical properties are checked on one seeded day, so nothing here is flaky.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

pytest.importorskip("numpy")

from vizflow.demo import days

if TYPE_CHECKING:
    from pathlib import Path

DATE = "20240102"
PARSED = pl.col("ticktime")
SECOND_OF_DAY = PARSED // 10_000_000 * 3_600 + PARSED // 100_000 % 100 * 60 + PARSED // 1_000 % 100
MS_OF_DAY = SECOND_OF_DAY * 1_000 + PARSED % 1_000


def make(folder: Path, **options: Any) -> bytes:
    """Generate one small day and give its bytes."""
    options = {"rows": 2_000, "symbols": 20} | options
    (path,) = days.generate(folder, [DATE], **options)
    return path.read_bytes()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One day of 300 000 rows, large enough for several blocks and batches."""
    folder = tmp_path_factory.mktemp("demo")
    (path,) = days.generate(folder, [DATE], rows=300_000, symbols=400)
    return path


@pytest.fixture(scope="module")
def day(path: Path) -> pl.DataFrame:
    return pl.read_ipc(path)


@pytest.fixture(scope="module")
def session(day: pl.DataFrame) -> pl.DataFrame:
    """Return the day with ``elapsed`` (ms, null outside the sessions) and ``mid``."""
    ms, minute = pl.col("ms"), 60_000
    morning = ms.is_between(570 * minute, 690 * minute)
    afternoon = ms.is_between(780 * minute, 900 * minute, closed="left")
    bid, ask = pl.col("BidPrice1"), pl.col("AskPrice1")
    return day.with_columns(ms=MS_OF_DAY).with_columns(
        elapsed=pl.when(morning).then(ms - 570 * minute).when(afternoon).then(ms - 660 * minute),
        mid=pl.when(bid > 0, ask > 0).then((bid + ask) / 2),
    )


def test_schema_and_row_count(day: pl.DataFrame) -> None:
    assert day.schema == pl.Schema(days.SCHEMA)
    assert day.height == 300_000


@pytest.mark.parametrize("rows", [1, 2, 3, 999, 131_072, 131_073])
def test_any_row_count_is_exact(tmp_path: Path, rows: int) -> None:
    (path,) = days.generate(tmp_path, [DATE], rows=rows, symbols=3)
    assert pl.scan_ipc(path).select(pl.len()).collect().item() == rows


def test_one_symbol(tmp_path: Path) -> None:
    (path,) = days.generate(tmp_path, [DATE], rows=50, symbols=1)
    assert pl.read_ipc(path)["ukey"].n_unique() == 1


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    assert make(tmp_path / "a") == make(tmp_path / "b")


def test_bytes_do_not_depend_on_batch_rows(tmp_path: Path) -> None:
    large = make(tmp_path / "a", rows=300_000)
    assert make(tmp_path / "b", rows=300_000, batch_rows=1) == large


def test_bytes_do_not_depend_on_the_other_dates(tmp_path: Path) -> None:
    alone = make(tmp_path / "a")
    paths = days.generate(tmp_path / "b", ["20240104", DATE], rows=2_000, symbols=20)
    assert [p.name for p in paths] == ["20240104.feather", f"{DATE}.feather"]
    assert paths[1].read_bytes() == alone
    assert paths[0].read_bytes() != alone


def test_seed_changes_the_day(tmp_path: Path) -> None:
    assert make(tmp_path / "a", seed=1) != make(tmp_path / "b", seed=2)


def test_compressed_file_holds_the_same_rows(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b", compression="zstd")
    plain, packed = (pl.read_ipc(tmp_path / d / f"{DATE}.feather") for d in "ab")
    assert plain.equals(packed, null_equal=True)


def test_hot_day_has_three_times_the_rows(tmp_path: Path) -> None:
    paths = days.generate(tmp_path, ["20240102", "20240103"], rows=500, symbols=5, hot_day="20240103")
    assert [pl.read_ipc(p).height for p in paths] == [500, 1_500]


def test_record_batches_are_bounded(path: Path) -> None:
    ipc = pytest.importorskip("pyarrow.ipc")
    file = ipc.open_file(path)
    sizes = [file.get_batch(i).num_rows for i in range(file.num_record_batches)]
    assert sizes == [131_072, 131_072, 300_000 - 2 * 131_072]


def test_frames_hold_at_most_a_block_more_than_asked() -> None:
    sessions = [(34_200_000, 41_400_000), (46_800_000, 54_000_000)]
    zone = days.zoneinfo.ZoneInfo("Asia/Shanghai")
    day = days._Day.make(DATE, 500_000, 50, 1, sessions, zone)
    heights = [f.height for f in day.frames(100_000)]
    assert sum(heights) == 500_000
    assert max(heights) <= 100_000 + 131_072


def test_stamps_are_times(day: pl.DataFrame) -> None:
    parts = day.select(
        hour=PARSED // 10_000_000,
        minute=PARSED // 100_000 % 100,
        second=PARSED // 1_000 % 100,
    )
    assert parts["hour"].is_between(9, 15).all()
    assert parts["minute"].is_between(0, 59).all()
    assert parts["second"].is_between(0, 59).all()


def test_global_time_is_the_same_instant_in_utc(day: pl.DataFrame) -> None:
    midnight = dt.datetime(2024, 1, 1, 16, tzinfo=dt.timezone.utc)  # 00:00 in Shanghai
    since = pl.col("GlobalExTime") // 1_000_000 - int(midnight.timestamp()) * 1_000
    assert day.select((since == MS_OF_DAY).all()).item()


def test_clock_has_opening_print_lunch_and_closing_cluster(day: pl.DataFrame) -> None:
    at = day.select(ms=MS_OF_DAY, side="orderSide")
    minute = 60_000

    def inside(low: float, high: float) -> pl.DataFrame:
        return at.filter(pl.col("ms").is_between(low * minute, high * minute))

    assert inside(565, 565.1)["side"].is_not_null().sum() > 1_000
    assert inside(565.1, 569.999).is_empty()
    assert inside(690.001, 779.999).is_empty()
    assert at.filter(ms=900 * minute).height > 1_000
    assert not inside(900.001, 900.1).is_empty()
    assert not inside(905.01, 930).is_empty()
    quotes = inside(555, 560)["side"]
    assert len(quotes) > 100
    assert quotes.is_null().all()


def test_volume_is_u_shaped(session: pl.DataFrame) -> None:
    minutes = session.group_by(pl.col("elapsed") // 60_000).len().sort("elapsed")
    counts = dict(minutes.drop_nulls().iter_rows())
    middle = sum(counts[m] for m in range(50, 70)) / 20
    assert counts[1] > 2 * middle  # after the open
    assert counts[118] > 1.5 * middle  # before lunch
    assert counts[121] > 1.5 * middle  # after lunch
    assert counts[238] > 1.5 * middle  # before the close


def test_activity_is_heavy_tailed(day: pl.DataFrame) -> None:
    counts = day.group_by("ukey").len()["len"].sort(descending=True)
    assert counts.len() > 390
    assert counts.head(20).sum() > 0.3 * day.height
    assert counts[0] > 20 * counts.median()  # type: ignore[operator]


def test_rows_arrive_in_order_but_for_late_prints(day: pl.DataFrame) -> None:
    clock = day.select(MS_OF_DAY.alias("ms"))["ms"]
    behind = (clock.cum_max() - clock).filter(clock < clock.cum_max())
    assert 0.001 < behind.len() / day.height < 0.003
    assert behind.max() <= 3_000  # type: ignore[operator]


def test_symbols_have_duplicate_times(day: pl.DataFrame) -> None:
    assert day.select("ukey", "ticktime").is_duplicated().mean() > 0.05  # type: ignore[operator]


def test_books_are_one_sided_at_the_limits(day: pl.DataFrame) -> None:
    sides = day.select(
        bid=pl.col("BidPrice1").fill_null(0) > 0,
        ask=pl.col("AskPrice1").fill_null(0) > 0,
    )
    shapes = sides.group_by("bid", "ask").len()
    assert shapes.height == 4  # both, either, and neither (halted)
    assert shapes.filter(bid=True, ask=True)["len"].item() > 0.95 * day.height
    for column in ("BidPrice1", "AskPrice1"):
        assert day[column].null_count() > 0
        assert (day[column] == 0).any()


def test_book_is_never_crossed_and_spreads_are_1_to_3_ticks(
    session: pl.DataFrame,
) -> None:
    book = session.filter(pl.col("elapsed").is_not_null(), pl.col("mid").is_not_null())
    ticks = book.select(((pl.col("AskPrice1") - pl.col("BidPrice1")) * 100).round())
    assert set(ticks.to_series().unique()) == {1.0, 2.0, 3.0}


def test_prices_are_cents(day: pl.DataFrame) -> None:
    for column in ("BidPrice1", "AskPrice1", "fillPrice"):
        price = day[column].drop_nulls()
        assert (price.round(2) == price).all()


def test_sides_and_their_nulls(day: pl.DataFrame) -> None:
    side = pl.col("orderSide")
    shares = dict(day.group_by("orderSide").len().iter_rows())
    assert set(shares) == {"Buy", "Sell", "Cancel", None}
    assert 0.05 < shares[None] / day.height < 0.12
    assert 0.005 < shares["Cancel"] / day.height < 0.02
    trades = day.filter(side.is_in(["Buy", "Sell"]))
    assert trades["quantity"].null_count() == trades["fillPrice"].null_count() == 0
    assert (trades["fillPrice"] > 0).all()
    assert day.filter(side.is_null())["quantity"].null_count() == shares[None]
    assert day.filter(orderSide="Cancel")["quantity"].null_count() == 0
    others = day.filter(side.is_in(["Buy", "Sell"]).not_().fill_null(value=True))
    assert others["fillPrice"].null_count() == others.height


def test_quantities_are_noisy_whole_lots(day: pl.DataFrame) -> None:
    quantity = day["quantity"].drop_nulls()
    near = quantity.round()
    assert 0 < (quantity - near).abs().max() < 1e-6  # type: ignore[operator]
    assert (quantity != near).mean() > 0.5  # type: ignore[operator]
    assert (near % 100 == 0).all()
    assert near.min() == 100


def test_symbols_end_with_inventory(day: pl.DataFrame) -> None:
    signed = pl.col("quantity").round() * (pl.when(orderSide="Buy").then(1).when(orderSide="Sell").then(-1))
    left = day.group_by("ukey").agg(signed.sum())["quantity"]
    assert (left > 0).sum() > 50
    assert (left < 0).sum() > 50


def test_halted_symbols_have_no_trade_and_no_book(tmp_path: Path) -> None:
    (path,) = days.generate(tmp_path, [DATE], rows=200_000, symbols=2_000)
    per = (
        pl.scan_ipc(path)
        .group_by("ukey")
        .agg(
            trades=pl.col("orderSide").is_not_null().sum(),
            quoted=(pl.col("BidPrice1").fill_null(0) > 0).any(),
            rows=pl.len(),
        )
        .collect()
    )
    silent = per.filter(~pl.col("quoted"), pl.col("trades") == 0)
    assert silent.height > 0


def test_alphas_foresee_a_little_less_as_the_horizon_grows(
    session: pl.DataFrame,
) -> None:
    seen = session.filter(pl.col("elapsed").is_not_null(), pl.col("mid").is_not_null()).sort(
        "elapsed", maintain_order=True
    )

    def ic(seconds: int) -> tuple[float, float]:
        later = seen.select("ukey", at="elapsed", later="mid")
        joined = seen.with_columns(until=pl.col("elapsed") + seconds * 1_000).join_asof(
            later,
            left_on="until",
            right_on="at",
            by="ukey",
            check_sortedness=False,
        )
        change = joined.filter(pl.col("until") < 14_300_000).with_columns(move=pl.col("later") / pl.col("mid") - 1)
        return change.select(a=pl.corr("alpha1", "move"), b=pl.corr("alpha2", "move")).row(0)

    minute, quarter = ic(60), ic(900)
    assert 0.03 < minute[0] < 0.1
    assert 0.01 < minute[1] < minute[0]
    assert quarter[0] < minute[0]


def test_alphas_are_null_in_the_auctions(day: pl.DataFrame) -> None:
    auction = day.filter(MS_OF_DAY < 570 * 60_000)
    assert auction["alpha1"].null_count() == auction.height
    assert not day["alpha1"].is_nan().any()


def test_round_the_clock_market(tmp_path: Path) -> None:
    (path,) = days.generate(tmp_path, [DATE], rows=5_000, symbols=5, market="crypto")
    day = pl.read_ipc(path)
    assert day["ticktime"].is_between(0, 235_959_999).all()
    assert day["ticktime"].max() > 234_000_000  # type: ignore[operator]
    midnight = int(dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc).timestamp())
    assert (day["GlobalExTime"] // 86_400_000_000_000 * 86_400 == midnight).all()


def test_summer_time_moves_the_epoch_of_new_york(tmp_path: Path) -> None:
    winter, summer = days.generate(tmp_path, ["20240105", "20240705"], rows=10, symbols=2, market="US")
    for file, hours in ((winter, 5), (summer, 4)):
        day = pl.read_ipc(file)
        utc = pl.col("GlobalExTime") // 1_000_000 % 86_400_000
        assert day.select((utc - MS_OF_DAY == hours * 3_600_000).all()).item()


def test_night_session_belongs_to_the_eve(tmp_path: Path) -> None:
    market = pytest.importorskip("vizflow.market")
    night = market.Market(
        "futures",
        [market.Session("21:00", "01:00"), market.Session("09:00", "15:00")],
    )
    (path,) = days.generate(tmp_path, [DATE], rows=5_000, symbols=5, market=night)
    day = pl.read_ipc(path)
    assert day["ticktime"][0] > 204_000_000
    hours = day["ticktime"] // 10_000_000
    assert hours.is_in([20, 21, 22, 23, 0, 9, 10, 11, 12, 13, 14, 15]).all()
    assert day["GlobalExTime"][0] < day["GlobalExTime"][-1]


def test_pattern_names_the_files(tmp_path: Path) -> None:
    (path,) = days.generate(tmp_path, [DATE], rows=10, symbols=2, pattern="alpha_{date}.feather")
    assert path == tmp_path / "alpha_20240102.feather"


def test_progress_is_a_line_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("20240102.feather  2,000 rows  ")


def test_failure_leaves_no_file_and_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = make(tmp_path)

    def fail(*_: object) -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr(days._Day, "_rows", fail)
    with pytest.raises(Exception, match="disk on fire"):
        make(tmp_path, seed=7)
    assert [p.name for p in tmp_path.iterdir()] == [f"{DATE}.feather"]
    assert (tmp_path / f"{DATE}.feather").read_bytes() == before


def test_without_numpy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "np", None)
    with pytest.raises(ImportError, match=r"pip install 'vizflow\[demo\]'"):
        days.generate(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows must be"),
        ({"rows": 1.5}, "rows must be"),
        ({"rows": True}, "rows must be"),
        ({"symbols": 0}, "symbols must be"),
        ({"symbols": 100_001}, "symbols must be"),
        ({"seed": -1}, "seed must be"),
        ({"batch_rows": 0}, "batch_rows must be"),
        ({"compression": "gzip"}, "compression must be"),
        ({"hot_day": "20240103"}, "hot_day='20240103' is not one of"),
        ({"pattern": "day.feather"}, "pattern must be"),
        ({"pattern": "../{date}.feather"}, "pattern must be"),
        ({"market": "mars"}, "mars"),
        ({"dates": ["20240230"]}, "YYYYMMDD"),
        ({"dates": ["２０２４０１０２"]}, "YYYYMMDD"),
        ({"dates": ["../20240"]}, "YYYYMMDD"),
        ({"dates": [DATE, DATE]}, "unique"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "new"
    with pytest.raises(ValueError, match=message):
        days.generate(folder, **({"dates": [DATE], "rows": 10} | options))
    assert not folder.exists()
