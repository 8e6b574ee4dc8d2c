"""What a partial result holds: the states behind metrics, and how metrics follow from them.

A `Plan` is written into the metadata of a partial's file as JSON of its own version, and read back from there: no
pickle, and no Polars' JSON. `partials.metrics` makes plans from users' metrics.

Not for computing states, which `_core.Agg` does, and not for files, which `partials.file` does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow.errors import DataError, StorageError
from vizflow.lazy.frames import columns as columns_of
from vizflow.lazy.frames import plugin
from vizflow.partials import language
from vizflow.partials.integers import checked_all
from vizflow.partials.language import Tree

PLAN_FORMAT = 2


@dataclass(frozen=True)
class Kind:
    """What is known of a kind of state: how it lies on disk, and how C merges it. A cube merges it by its own name."""

    columns: Mapping[str, pl.DataType | None]
    """Suffixes of its columns, and their types; None: that of the state."""
    merge: str
    """Operation of C that merges it, over all its columns."""
    cube_takes: tuple[int, ...]
    """Which of its columns a cube takes."""
    cube_gives: int
    """How many columns a cube gives, the first ones."""
    in_order: bool = False
    """Whether it depends on the order of the rows."""

    @property
    def is_placed(self) -> bool:
        """Whether it says of which date its value is."""
        return ".date" in self.columns

    @property
    def is_sum(self) -> bool:
        """Whether two are added up."""
        return self.merge in ("sum", "add_pair")


_ONE: dict[str, pl.DataType | None] = {"": None}
_PAIR: dict[str, pl.DataType | None] = {".hi": pl.Float64(), ".lo": pl.Float64()}
_PLACE: dict[str, pl.DataType | None] = {"": None, ".date": pl.Date(), ".row": pl.Int64()}  # row is null: no row

KINDS: dict[str, Kind] = {
    "add_int": Kind(_ONE, "sum", (0,), 1),  # Int64 or Duration: added up, checked
    "add_float": Kind(_PAIR, "add_pair", (0, 1), 2),  # the sum is hi + lo, and hi is the sum rounded to Float64
    "min": Kind(_ONE, "min", (0,), 1),  # null where there is no value; NaN where every value is NaN
    "max": Kind(_ONE, "max", (0,), 1),
    "first": Kind(_PLACE, "merge_first", (0, 2), 1, in_order=True),  # value, partition's date, row number in it
    "last": Kind(_PLACE, "merge_last", (0, 2), 1, in_order=True),
    "product_int": Kind(_ONE, "product", (0,), 1),  # Int64, checked
    "product_float": Kind({**_PAIR, ".exponent": pl.Int64()}, "merge_product", (0, 1, 2), 3, in_order=True),
}  # the last: (hi + lo) * 2**exponent


@dataclass(frozen=True)
class StateSpec:
    """One mergeable state, and the columns that hold it."""

    name: str
    kind: str
    columns: tuple[str, ...]
    dtype: pl.DataType
    of: str
    """What is aggregated, for people: ``sum of (price * qty)``."""
    id: str = ""
    """What tells it from others: a digest of all that is in its expression."""

    def schema(self) -> dict[str, pl.DataType]:
        """Return the columns' types."""
        types = KINDS[self.kind].columns.values()
        return {name: self.dtype if dtype is None else dtype for name, dtype in zip(self.columns, types, strict=True)}


@dataclass(frozen=True)
class LeafSpec:
    """A value computed from states: what the metrics' trees call their columns."""

    name: str
    op: str
    states: tuple[str, ...]
    ddof: int = 0


@dataclass(frozen=True)
class Plan:
    """States, and the metrics that follow from them.

    Attributes
    ----------
    group_by
        Names of the key columns.
    states
        What is stored of each group.
    leaves
        What is computed from states first.
    metrics
        Name to a tree (see `partials.language`) over the leaves' names.
    derived
        Name to a tree over the names of metrics, and of derived ones before it.
    """

    group_by: tuple[str, ...]
    states: tuple[StateSpec, ...]
    leaves: tuple[LeafSpec, ...]
    metrics: Mapping[str, Tree]
    derived: Mapping[str, Tree] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """Short text that is equal for equal plans, also of other sessions and releases of Polars."""
        tree = self._tree()
        for state in tree["states"]:
            del state["of"]  # for people: it may name a file of this machine
        return hashlib.sha256(_json(tree).encode()).hexdigest()[:16]

    @property
    def names(self) -> list[str]:
        """Names of the metrics, derived ones last."""
        return [*self.metrics, *self.derived]

    @cached_property
    def state_schema(self) -> dict[str, pl.DataType]:
        """Columns that hold the states, in order, without the keys."""
        return {name: dtype for state in self.states for name, dtype in state.schema().items()}

    @cached_property
    def finish(self) -> dict[str, pl.Expr]:
        """Metrics, as expressions over a frame with the states' columns: ``frame.select(**plan.finish)``."""
        states = {state.name: state for state in self.states}
        leaves = {leaf.name: leaf_expr(leaf, [states[name] for name in leaf.states]) for leaf in self.leaves}
        out: dict[str, pl.Expr] = {name: language.decode(tree, leaves) for name, tree in self.metrics.items()}
        for name, tree in self.derived.items():
            out[name] = language.decode(tree, out)
        return checked_all(out, pl.LazyFrame(schema=self.state_schema), "metric")

    def to_json(self) -> str:
        """Write the plan."""
        return _json(self._tree())

    def _tree(self) -> dict[str, Any]:
        return {
            "format": PLAN_FORMAT,
            "group_by": list(self.group_by),
            "states": [{**vars(state), "dtype": language.type_text(state.dtype)} for state in self.states],
            "leaves": [vars(leaf) for leaf in self.leaves],
            "metrics": dict(self.metrics),
            "derived": dict(self.derived),
        }

    def regrouped(self, group_by: Sequence[str]) -> Plan:
        """Return the plan of the same states under other keys."""
        return Plan(tuple(group_by), self.states, self.leaves, self.metrics, self.derived)

    @staticmethod
    @lru_cache(maxsize=64)
    def from_json(text: str, where: str = "plan") -> Plan:
        """Read a plan; `StorageError` where the text is none."""
        try:
            tree = json.loads(text)
            if tree["format"] != PLAN_FORMAT:
                raise StorageError(
                    f"{where}: its plan has format {tree['format']!r}, and this version of VizFlow reads format "
                    f"{PLAN_FORMAT}; compute the partial again"
                )
            plan = Plan(
                group_by=_texts(tree["group_by"]),
                states=tuple(_state_of(state) for state in tree["states"]),
                leaves=tuple(
                    LeafSpec(str(x["name"]), str(x["op"]), _texts(x["states"]), int(x["ddof"])) for x in tree["leaves"]
                ),
                metrics=dict(tree["metrics"]),
                derived=dict(tree["derived"]),
            )
            stored = [column for state in plan.states for column in state.columns]
            for names in ([*plan.group_by, *plan.names], [*plan.group_by, *stored]):
                if len(set(names)) < len(names):
                    raise ValueError("a name is there twice")
            _ = plan.finish, plan.id  # names of half characters have no id
        except (StorageError, MemoryError):
            raise
        except Exception as error:
            raise StorageError(f"{where}: its plan cannot be read ({type(error).__name__}: {error})") from error
        return plan

    def difference(self, other: Plan) -> str | None:
        """Word how another plan differs; None where it does not."""
        if self.id == other.id:
            return None
        if self.group_by != other.group_by:
            return f"group_by is {list(other.group_by)}, not {list(self.group_by)}"
        mine, theirs = _described(self), _described(other)
        known, others = _ids(self), _ids(other)
        parts = []
        for name in [*mine, *(name for name in theirs if name not in mine)]:
            if name not in theirs:
                parts.append(f"metric {name!r} is missing")
            elif name not in mine:
                parts.append(f"metric {name!r} = {theirs[name]} is one more")
            elif mine[name] != theirs[name]:
                parts.append(f"metric {name!r} is {theirs[name]}, not {mine[name]}")
            elif known[name] != others[name]:
                parts.append(f"metric {name!r}, {mine[name]}, has other literals or options")
        if not parts and list(mine) != list(theirs):
            parts.append(f"the metrics' order is {list(theirs)}, not {list(mine)}")
        return "; ".join(parts) or "the states are laid out differently"


def _json(tree: Any) -> str:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError("names are not a list of texts")
    return tuple(found)


def _state_of(tree: Mapping[str, Any]) -> StateSpec:
    dtype = language.type_of_text(tree["dtype"])
    spec = StateSpec(
        str(tree["name"]), str(tree["kind"]), _texts(tree["columns"]), dtype, str(tree["of"]), str(tree["id"])
    )
    if len(spec.columns) != len(KINDS[spec.kind].columns):
        raise ValueError(f"state {spec.name!r} of kind {spec.kind} has {len(spec.columns)} columns")
    return spec


def _ids(plan: Plan) -> dict[str, Any]:
    """Return what tells each metric from others of the same words: its tree, and its states' ids."""
    states = {state.name: [state.id, str(state.dtype)] for state in plan.states}
    leaves = {leaf.name: ["col", [leaf.op, leaf.ddof, [states[name] for name in leaf.states]]] for leaf in plan.leaves}
    out = {name: json.dumps(_replaced(tree, leaves)) for name, tree in plan.metrics.items()}
    return out | {name: json.dumps(tree) for name, tree in plan.derived.items()}


def _described(plan: Plan) -> dict[str, str]:
    """Metrics as people would write them, down to what is aggregated."""
    states = {state.name: state for state in plan.states}
    leaves: dict[str, Tree] = {}
    for leaf in plan.leaves:
        own = [s for name in leaf.states if (s := states[name]).name != "rows" or len(leaf.states) == 1]
        ddof = f", ddof={leaf.ddof}" if leaf.op in ("var", "std", "cov") else ""
        of = f"{own[0].of} as {own[0].dtype}" if own else ""
        leaves[leaf.name] = ["col", of if leaf.op == "value" else f"{leaf.op}({of}{ddof})"]
    out = {name: language.show(_replaced(tree, leaves)) for name, tree in plan.metrics.items()}
    return out | {name: language.show(tree) for name, tree in plan.derived.items()}


def _replaced(tree: Tree, columns: Mapping[str, Tree]) -> Tree:
    if tree[0] == "col":
        return columns.get(tree[1], tree)
    if tree[0] == "call":
        return ["call", tree[1], [_replaced(child, columns) for child in tree[2]], tree[3]]
    if tree[0] == "cast":
        return ["cast", tree[1], _replaced(tree[2], columns), tree[3]]
    if tree[0] == "when":
        return ["when", *(_replaced(child, columns) for child in tree[1:])]
    return tree


def leaf_expr(leaf: LeafSpec, states: list[StateSpec]) -> pl.Expr:
    """Compute a leaf from the columns of its states. The order of the states is that of `partials.metrics`."""
    columns = [pl.col(name) for state in states for name in state.columns]
    if leaf.op == "value":
        return columns[0]
    if leaf.op == "count":  # rows, nulls
        return columns[0] - columns[1]
    if leaf.op in ("mean", "mean_int", "product"):
        return plugin(f"state_{leaf.op}", columns)
    if leaf.op in ("var", "std", "cov"):
        return plugin(f"state_{leaf.op}", columns, ddof=leaf.ddof)
    if leaf.op == "corr":
        return plugin("state_corr", columns)
    raise ValueError(f"leaf {leaf.name!r} has the operation {leaf.op!r}")


def frame_of(agg: _core.Agg, keys: Mapping[str, pl.DataType], states: Sequence[StateSpec]) -> pl.DataFrame:
    """Return the keys and states that C holds as a frame, sorted by the keys."""
    types = {**keys, **{name: dtype for state in states for name, dtype in state.schema().items()}}
    try:
        columns = [pl.Series(column) for column in agg.states()]
    except DataError as error:  # name what was aggregated where it does not fit
        for state in states:
            if state.name == error.column:
                text = str(error).replace(f'leaf "{state.name}"', state.of)
                raise DataError(text, column=state.of.partition(" of ")[2], count=error.count) from None
        raise
    if len(columns) != len(types):
        raise DataError("the states are not of the types that their plan says; the partial is damaged, write it again")
    frame = pl.DataFrame(
        {name: column.cast(dtype) for column, (name, dtype) in zip(columns, types.items(), strict=True)}
    )
    return frame.sort(columns_of(keys)) if keys else frame
