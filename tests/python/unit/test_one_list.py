"""Numbers of C's enums stand in one list, in vizflow.h; Python knows them by name."""

import re
from pathlib import Path
from types import MappingProxyType

import pytest

import vizflow as vf
from vizflow import _core
from vizflow.partials.plan import KINDS

LISTS = {name: value for name, value in vars(_core).items() if isinstance(value, MappingProxyType)}


def test_the_types_tell_every_list() -> None:
    told = re.findall(
        r"^(\w+): MappingProxyType\[str, int\]$", Path(vf.__file__).with_name("_core.pyi").read_text(), re.M
    )
    assert sorted(told) == sorted(LISTS)


@pytest.mark.parametrize("name", LISTS)
def test_numbers_are_counted_from_zero(name: str) -> None:
    numbers = list(LISTS[name].values())
    assert numbers == [1 << n if name == "FIFO_COLUMNS" else n for n in range(len(numbers))]
    with pytest.raises(TypeError):
        LISTS[name]["new"] = 1  # type: ignore[index]


def test_a_kind_of_state_is_one_row() -> None:
    assert list(KINDS) == list(_core.CUBE_MERGES)
    for kind in KINDS.values():
        assert kind.merge in _core.AGG_OPS
        assert set(kind.cube_takes) <= set(range(len(kind.columns)))
        assert 0 < kind.cube_gives <= len(kind.columns)


def test_c_knows_no_operation_more() -> None:
    with pytest.raises(vf.ConfigError, match="is no aggregation"):
        _core.Agg(leaves=[(len(_core.AGG_OPS), 0, "x", 0, 0)], n_keys=0, n_values=1, n_threads=1)


def test_matching_names_its_columns_as_c_does() -> None:
    columns = [*vf.FIFOMatch.output_columns, *vf.FIFOMatch.extra_columns]
    assert [name for name in columns if name != "fill_id"] == list(_core.FIFO_COLUMNS)
