"""The error tree, and how errors of the C library reach Python."""

from __future__ import annotations

import pickle

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.errors import from_c, from_polars, near_names, translated


@pytest.mark.parametrize(
    ("kind", "bases"),
    [
        (vf.ConfigError, (vf.Error, ValueError)),
        (vf.DataError, (vf.Error, ValueError)),
        (vf.SchemaError, (vf.ConfigError, ValueError)),
        (vf.CalendarRangeError, (vf.ConfigError, ValueError)),
        (vf.ReplayError, (vf.DataError, ValueError)),
        (vf.StorageError, (vf.Error, OSError)),
    ],
)
def test_tree(kind: type[vf.Error], bases: tuple[type, ...]) -> None:
    assert all(issubclass(kind, base) for base in bases)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("ERROR_ARGUMENT", vf.ConfigError),
        ("ERROR_TYPE", vf.SchemaError),
        ("ERROR_DATA", vf.DataError),
        ("ERROR_OVERFLOW", vf.DataError),
        ("ERROR_ARROW", vf.DataError),
        ("ERROR_REPLAY", vf.ReplayError),
        ("ERROR_STATE", vf.Error),
        ("ERROR_IO", vf.StorageError),
    ],
)
def test_each_status_has_its_kind(status: str, kind: type[vf.Error]) -> None:
    error = from_c(status, "text", 3, 2, "qty")
    assert type(error) is kind
    assert (error.row, error.count, error.column) == (3, 2, "qty")
    bare = from_c(status, "text", -1, 1, "")
    assert (bare.row, bare.column) == (None, None)


def test_plugin_errors_come_back_whole() -> None:
    frame = pl.DataFrame({"größe [x:1]": [1.0, None, 0.5]})
    with raises(vf.DataError, "größe", column="größe [x:1]", row=2, count=1), translated():
        frame.lazy().select(vf.near_integer("größe [x:1]")).collect(engine="in-memory")


def test_other_errors_of_polars_pass_as_they_are() -> None:
    assert from_polars(pl.exceptions.ComputeError("something else")) is None
    with pytest.raises(pl.exceptions.ColumnNotFoundError), translated():
        pl.LazyFrame({"a": [1]}).select("b").collect()


def test_errors_can_be_pickled() -> None:
    error = vf.DataError("text", column="qty", row=3, count=2)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is vf.DataError
    assert (str(again), again.column, again.row, again.count) == ("text", "qty", 3, 2)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tick_time", "did you mean 'ticktime'?"),
        ("TickTime", "did you mean 'ticktime'?"),
        ("quantiti", "did you mean 'quantity'?"),
        ("zzz", "the columns are 'ticktime', 'quantity', 'ukey'"),
    ],
)
def test_near_names(name: str, hint: str) -> None:
    assert near_names(name, ["ticktime", "quantity", "ukey"]) == hint


def test_near_names_of_few_and_many_columns() -> None:
    assert near_names("x", []) == "there are no columns"
    assert near_names("x", [f"column_{i}" for i in range(50)]).endswith("'column_11', …")
