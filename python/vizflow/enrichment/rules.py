"""Rules as users write them: a function of rows, a condition, a running value. Not for running them: see `enricher`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl


class State:
    """Base class for a user's state, shared by an Enricher's rules. Reset before each symbol of each day.

    Examples
    --------
    See `TagRule`.
    """

    def reset(self, symbol: Any) -> None:
        """Forget the symbol before; called before the first row of each, day by day where the frame has a ``date``.

        `symbol` is the value of the Enricher's `by`: a tuple of values where it names several columns, None where it is
        None.
        """


class TagRule:
    """Base class for enrichment rules.

    A rule adds columns (`process` gives a dict), or expands rows (it gives a list of dicts: one output row each, none
    for an empty list). At most one rule of an `Enricher` may expand rows.

    Attributes
    ----------
    output_columns : list of str
        Columns the rule adds.
    output_schema : mapping of str to polars data type, or None
        Their types. None infers each from its first values that are not None; a later value of another type is an
        error with its row.
    input_columns : list of str or None
        Columns `process` reads. None hands over all of them, which costs a dict of every column for every row.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> class Held(vf.State):
    ...     def reset(self, symbol):
    ...         self.quantity = 0
    >>> class TagHeld(vf.TagRule):
    ...     output_columns = ["held"]
    ...     output_schema = {"held": pl.Int64}
    ...     def process(self, row, state):
    ...         state.quantity += row["qty"] if row["side"] == "B" else -row["qty"]
    ...         return {"held": state.quantity}
    >>> df = pl.DataFrame({"symbol": ["a", "b", "a"], "timestamp": [1, 2, 3], "side": list("BSS"), "qty": [5, 7, 2]})
    >>> vf.Enricher([TagHeld()], state_class=Held).run(df).collect()["held"].to_list()
    [5, -7, 3]
    """

    output_schema: Mapping[str, Any] | None = None
    input_columns: Sequence[str] | None = None

    output_columns: Sequence[str]

    def process(self, row: dict[str, Any], state: Any) -> dict[str, Any] | list[dict[str, Any]]:
        """Process one row.

        Parameters
        ----------
        row
            Column name to value; columns of earlier rules are in it.
        state
            The Enricher's state object.

        Returns
        -------
        dict or list of dict
            Values of `output_columns` for this row, or one dict for each row that it expands to. A missing key is null.
        """
        raise NotImplementedError

    def finish(self, state: Any) -> None:
        """Run after the last row of each symbol (of each day)."""


class TagCondition(TagRule):
    """Tag rows that meet a condition, as a Boolean column.

    Parameters
    ----------
    name
        Column to add.
    condition
        A callable that takes a row as a dict and gives a bool, or a Polars expression, which is evaluated over each
        symbol's rows in order and is much faster.
    input_columns
        Columns that the callable reads; None hands over all.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"symbol": ["a", "a"], "timestamp": [1, 2], "qty": [50, 500]})
    >>> rule = vf.TagCondition("large", pl.col("qty") >= 100)
    >>> vf.Enricher([rule]).run(df).collect()["large"].to_list()
    [False, True]
    """

    output_columns: list[str]

    def __init__(
        self,
        name: str,
        condition: Callable[[dict[str, Any]], bool] | pl.Expr,
        *,
        input_columns: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.condition = condition
        self.output_columns = [name]
        self.output_schema = {name: pl.Boolean}
        self.input_columns = input_columns

    def process(self, row: dict[str, Any], state: Any) -> dict[str, Any]:
        """Evaluate the callable for one row."""
        assert not isinstance(self.condition, pl.Expr)
        value = self.condition(row)
        return {self.name: None if value is None else bool(value)}


class TagRunning(TagRule):
    """Tag rows with a running statistic of their symbol.

    Parameters
    ----------
    name
        Column to add.
    update_fn
        ``update_fn(accumulator, row) -> accumulator``: the row's value is what it gives. Or a Polars expression such as
        ``pl.col("qty").cum_sum()``, evaluated over each symbol's rows in order.
    initial
        The accumulator before a symbol's first row; it must not be changed in place.
    dtype
        Type of the column; None infers it.
    input_columns
        Columns that the callable reads; None hands over all.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"symbol": ["a", "b", "a"], "timestamp": [1, 2, 3], "qty": [5, 7, 1]})
    >>> rule = vf.TagRunning("position", lambda held, row: held + row["qty"])
    >>> vf.Enricher([rule]).run(df).collect()["position"].to_list()
    [5, 7, 6]
    """

    output_columns: list[str]

    def __init__(
        self,
        name: str,
        update_fn: Callable[[Any, dict[str, Any]], Any] | pl.Expr,
        initial: Any = 0,
        *,
        dtype: Any = None,
        input_columns: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.update_fn = update_fn
        self.initial = initial
        self.output_columns = [name]
        self.output_schema = None if dtype is None else {name: dtype}
        self.input_columns = input_columns
        self._running = initial

    def begin(self) -> None:
        """Start a symbol."""
        self._running = self.initial

    def process(self, row: dict[str, Any], state: Any) -> dict[str, Any]:
        """Move the accumulator on by one row."""
        assert not isinstance(self.update_fn, pl.Expr)
        self._running = self.update_fn(self._running, row)
        return {self.name: self._running}
