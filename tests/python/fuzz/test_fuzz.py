"""Metadata that was damaged, as fuzzing found it: refused by errors that say the file, and the corpus once more.

Not for finding anything new: fuzz_plan.py, which `make fuzz` runs for as long as one likes, and a little of it here.
"""

import json
import random
from pathlib import Path

import pytest

import vizflow as vf
from fuzz import fuzz_plan

CORPUS = Path(__file__).resolve().parents[2] / "c" / "fuzz" / "corpus" / "plan"


def damaged(tmp_path: Path, *, seal: bool = True, **changes: str | None) -> Path:
    frame, metadata = fuzz_plan.partial(1)
    metadata = {**metadata, **{f"vizflow.{key}": text for key, text in changes.items() if text is not None}}
    for key, text in changes.items():
        if text is None:
            del metadata[f"vizflow.{key}"]
    metadata = fuzz_plan.resealed(metadata, frame) if seal else metadata
    path = tmp_path / "damaged.parquet"
    fuzz_plan.write_partial(frame, path, metadata)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": None},
        {"kind": "metrics"},
        {"kind": "cube"},
        {"dates": "[2024"},
        {"dates": "[20240102]"},
        {"dates": '["20240230"]'},
        {"dates": '["../../x"]'},
        {"dates": '["20240102", "20240102"]'},
        {"dates": '{"20240102": 1}'},
        {"date": "20241301"},
        {"bins": "{"},
        {"bins": "[1]"},
        {"bins": '{"alpha_bin": true}'},
        {"bins": '{"alpha_bin": -1}'},
        {"bins": '{"alpha_bin": NaN}'},
        {"bins": '{"\\ud800": 1}'},
        {"dates": "[" * 100_000 + "]" * 100_000},
        {"plan": "[" * 100_000 + "]" * 100_000},
    ],
    ids=str,
)
def test_metadata_that_is_damaged_is_refused_with_the_file_named(
    changes: dict[str, str | None], tmp_path: Path
) -> None:
    path = damaged(tmp_path, **changes)
    for read in (vf.load, vf.reduce, lambda path: vf.Cube.from_partials([path])):
        with pytest.raises(vf.errors.StorageError, match=r"damaged\.parquet"):
            read(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan["states"][0].update(columns="n"),
        lambda plan: plan["states"][0].update(columns=[["n"]]),
        lambda plan: plan.update(group_by="ab"),
        lambda plan: plan.update(group_by=plan["group_by"] * 2),
        lambda plan: plan.update(group_by=[next(iter(plan["metrics"]))]),
        lambda plan: plan["states"].append(plan["states"][0]),
        lambda plan: plan["leaves"][0].update(states=[{}]),
        lambda plan: plan["states"][0].update(name="\ud800"),
    ],
)
def test_plan_whose_names_are_none_is_refused_when_it_is_read(change, tmp_path: Path) -> None:
    plan = json.loads(fuzz_plan.partial(1)[1]["vizflow.plan"])
    change(plan)
    with pytest.raises(vf.errors.StorageError, match=r"damaged\.parquet: its plan cannot be read"):
        vf.load(damaged(tmp_path, plan=json.dumps(plan)))


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": lambda text: text.replace('"low":["col","leaf_0"]', '"low":["col","leaf_1"]')},
        {"bins": lambda text: text.replace("0.0001", "0.0002")},
        {"bins": lambda _: None},
        {"format": lambda _: "1"},
        {"format": lambda _: None},
        {"schema_version": lambda _: None},
    ],
)
def test_metadata_damaged_into_other_sound_metadata_is_refused(changes, tmp_path: Path) -> None:
    sound = fuzz_plan.partial(1)[1]
    texts = {key: change(sound[f"vizflow.{key}"]) for key, change in changes.items()}
    assert all(text != sound[f"vizflow.{key}"] for key, text in texts.items())
    for read in (vf.load, vf.reduce, lambda path: vf.Cube.from_partials([path])):
        with pytest.raises(vf.errors.StorageError, match=r"damaged\.parquet.*(schema_version|vizflow\.format)"):
            read(damaged(tmp_path, seal=False, **texts))


def test_sound_metadata_is_read(tmp_path: Path) -> None:
    assert vf.load(damaged(tmp_path, seal=False)).height > 0


def test_cube_whose_bins_were_damaged_into_others_is_refused(tmp_path: Path) -> None:
    frame, path = fuzz_plan.cube(0), tmp_path / "damaged.arrow"
    sound = frame["vizflow"].item()
    for text in (sound.replace('"width": 0.0001', '"width": 0.0002'), sound.replace('"dated": true', '"dated": false')):
        assert text != sound
        fuzz_plan.write_cube(frame, path, text)
        with pytest.raises(vf.errors.StorageError, match=r"damaged\.arrow: its description .* is not what was written"):
            vf.Cube.open(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda cube: cube.update(axes=cube["axes"][:1]),
        lambda cube: cube["axes"].append(cube["axes"][0]),
        lambda cube: cube["axes"].append({"name": "more", "width": None, "dtype": "Int64"}),
        lambda cube: cube["axes"][1].update(dtype={"Enum": ["one"]}),
        lambda cube: cube["axes"][1].update(dtype="Nothing"),
        lambda cube: cube["axes"][1].update(width="wide"),
        lambda cube: cube["axes"][1].update(name=7),
        lambda cube: cube.update(states=cube["states"][:1]),
        lambda cube: cube.update(states=[*cube["states"], "more"]),
        lambda cube: cube.update(metrics=["none"]),
        lambda cube: cube.update(dated="yes"),
        lambda cube: cube.pop("plan"),
        lambda cube: cube.update(plan=[]),
    ],
)
def test_cube_that_describes_itself_wrongly_is_refused_when_it_is_opened(change, tmp_path: Path) -> None:
    frame = fuzz_plan.cube(0)
    description = json.loads(frame["vizflow"].item())
    change(description)
    for text in (fuzz_plan.resummed(json.dumps(description)), json.dumps(description)[:-1], "[1]"):
        path = tmp_path / "damaged.arrow"
        fuzz_plan.write_cube(frame, path, text)
        with pytest.raises(vf.errors.StorageError, match=r"damaged\.arrow"):
            vf.Cube.open(path)


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_corpus(path: Path) -> None:
    fuzz_plan.test_one_input(path.read_bytes())


def test_some_damage_at_random() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for number in range(200):
        data = draw.randbytes(draw.randrange(1, 40))
        try:
            fuzz_plan.test_one_input(data)
        except BaseException as error:
            raise AssertionError(f"seed {seed}, input {number}: {data!r}") from error
