"""Aggregation: metrics per group, as states that merge. Checks names and builds the plan; C computes.

Not for taking metrics apart: see `partials.metrics`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import polars as pl

import vizflow._core as _core
from vizflow.errors import ConfigError, DataError, SchemaError, near_names, translated
from vizflow.lazy import notes as _notes
from vizflow.lazy.frames import Frame, as_lazy, column, require, threads
from vizflow.lazy.frames import columns as selected
from vizflow.lazy.lineage import day_of
from vizflow.lazy.lineage import known as known_bins
from vizflow.lazy.two_pass import (
    GROUPED_ROWS,
    Function,
    ahead,
    batches,
    gathered,
    is_direct,
    origin,
    rows,
    source,
    with_function,
)
from vizflow.ops.columns import ELAPSED
from vizflow.partials import traced
from vizflow.partials.integers import checked
from vizflow.partials.metrics import Job, make_job
from vizflow.partials.plan import frame_of
from vizflow.schema.groups import DATE, Days

__all__ = ["aggregate"]


def aggregate(
    df: Frame,
    group_by: Sequence[str],
    metrics: Mapping[str, pl.Expr],
    *,
    derived: Mapping[str, pl.Expr] | None = None,
    mergeable: bool = True,
) -> pl.LazyFrame:
    """Group rows and compute metrics, in a form that merges over dates.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``.
    group_by
        Columns to group by: integers, booleans, strings, categoricals, dates, times. Null is a group of its own.
        Floats are refused; `bin` them first. An empty list gives one row.
    metrics
        Name to Polars expression, such as ``pl.col("notional").sum() / pl.col("quantity").sum()``: ``pl.len()``,
        ``len``, ``count``, ``null_count``, ``sum``, ``product``, ``min``, ``max``, ``mean``, ``var``, ``std``,
        ``first``, ``last``, ``any``, ``all``, ``pl.cov`` and ``pl.corr`` of row-wise expressions, each also behind
        ``.filter(...)``; and arithmetic, comparisons, ``when/then``, ``cast``, ``round``, ``log``, ``fill_null`` and
        the like over them.
    derived
        More metrics, computed from those of `metrics` by their names: ``{"vwap": pl.col("notional") / pl.col("qty")}``.
        Of partials that are merged they are computed after the merge.
    mergeable
        Refuse a metric that cannot be merged over dates (``median``, ``n_unique``, ``rank``, ``over``, Python
        functions and so on). With False, Polars' own ``group_by`` evaluates those, and `run` saves the metrics as they
        are, which `reduce` does not take.

    Returns
    -------
    LazyFrame
        Columns ``group_by + metrics + derived``, a row a group, sorted by `group_by`, nulls first. Float sums are
        exact before rounding, so order, chunks and threads change no bit; counts are Int64, integer sums Int64 and
        checked for overflow; ``mean``, ``var``, ``std``, ``cov`` and ``corr`` are Float64. `run` and `save` write this
        frame, untouched, as the states behind its metrics, so that `reduce` gives over many dates what one aggregate
        over all their rows would.

    Raises
    ------
    SchemaError
        A column is missing, a key is a float, or two of keys, metrics and derived have one name.
    ConfigError
        No metrics, one that is not an expression, or one that cannot be merged; the message says why, and what to do.
    DataError
        When collected: an integer sum or product does not fit Int64.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"side": ["B", "S", "B"], "price": [10.0, 11, 12], "qty": [100, 50, 300]})
    >>> vf.aggregate(df, ["side"], {
    ...     "count": pl.len(),
    ...     "vwap": (pl.col("price") * pl.col("qty")).sum() / pl.col("qty").sum(),
    ... }).collect()
    shape: (2, 3)
    ┌──────┬───────┬──────┐
    │ side ┆ count ┆ vwap │
    │ ---  ┆ ---   ┆ ---  │
    │ str  ┆ i64   ┆ f64  │
    ╞══════╪═══════╪══════╡
    │ B    ┆ 2     ┆ 11.5 │
    │ S    ┆ 1     ┆ 11.0 │
    └──────┴───────┴──────┘
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    keys = [group_by] if isinstance(group_by, str) else list(group_by)
    derived = dict(derived or {})
    _check_aggregate(schema, keys, metrics, derived)
    job = make_job(metrics, schema, keys, derived=derived, mergeable=mergeable)
    out = _result_schema(schema, keys, metrics, job)

    notes = _notes.current()

    bins = known_bins(lf)
    known = day_of(bins, ELAPSED)
    days = Days(DATE if job.plan is not None and known is None and DATE in schema else None)

    def states() -> pl.DataFrame:
        with _notes.resumed(notes):
            states, entered = _collect_states(lf, schema, keys, job, days)
            _notes.note_entered(id(job.plan or job), entered)
            return states

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        yield _finish_groups(states(), lf, keys, job, list(metrics))

    frame = source(produce, out, "aggregate")
    if job.plan is not None:
        bins = {name: what for name, what in bins.items() if name in keys and day_of(bins, name) is None}
        dates = () if known is None else (known,)
        traced.remember(frame, traced.Traced(job.plan, states, bins, dates, days.met))
    _notes.note_aggregate(mergeable)
    return frame


def _check_aggregate(
    schema: pl.Schema, keys: list[str], metrics: Mapping[str, pl.Expr], derived: Mapping[str, pl.Expr]
) -> None:
    require(schema, keys, "group_by")
    if not metrics:
        raise ConfigError("metrics is empty; a name and a Polars expression each are needed")
    if len(set(keys)) < len(keys):
        raise ConfigError(f"group_by names a column twice: {keys}")
    for key in keys:
        dtype = schema[key]
        if dtype.is_float():
            raise SchemaError(
                f"group_by: column {key!r} is {dtype}, and floats make poor groups; bin or cast it first", column=key
            )
        if dtype.is_nested() or dtype.is_decimal() or dtype in (pl.Int128, pl.UInt128, pl.Object):
            raise SchemaError(f"group_by: column {key!r} is {dtype}, which is no key; cast it first", column=key)
    for name, metric in metrics.items():
        _check_metric(f"metric {name!r}", name, metric, schema.names(), keys)
    known = list(metrics)
    for name, metric in derived.items():
        _check_metric(f"derived {name!r}", name, metric, known, keys)
        if name in known:
            raise SchemaError(f"derived {name!r} has the name of a metric", column=name)
        known.append(name)


def _check_metric(what: str, name: str, metric: object, columns: list[str], keys: list[str]) -> None:
    if name in keys:
        raise SchemaError(f"{what} has the name of a group_by column", column=name)
    if not isinstance(metric, pl.Expr):
        raise ConfigError(f"{what} is {type(metric).__name__}; a Polars expression is needed")
    if "\0" in name:
        raise SchemaError(f"{what}: the name has a NUL character in it; give it another", column=name)
    for root in metric.meta.root_names():
        if "\0" in root:
            raise SchemaError(f"{what}: the name of column {root!r} has a NUL character in it; rename it", column=root)
        if root not in columns and not metric.meta.has_multiple_outputs():
            raise SchemaError(f"{what}: there is no column {root!r}; {near_names(root, columns)}", column=root)


def _result_schema(
    schema: pl.Schema, keys: list[str], metrics: Mapping[str, pl.Expr], job: Job
) -> dict[str, pl.DataType]:
    states = {name: dtype for state in job.states for name, dtype in state.schema().items()}
    leaves = pl.LazyFrame(schema=states).select(**job.leaf_exprs()) if job.named else pl.LazyFrame()
    types = dict(leaves.select(**job.finish).collect_schema()) if job.finish else {}
    if job.others:
        empty = pl.LazyFrame(schema=schema)
        others = empty.group_by(selected(keys)).agg(**job.others) if keys else empty.select(**job.others)
        types |= dict(others.collect_schema())
    out = {**{key: schema[key] for key in keys}, **{name: types[name] for name in metrics}}
    for name, expr in job.derived.items():
        empty = pl.LazyFrame(schema=out)
        job.derived[name] = checked(expr, empty, f"derived {name!r}")
        out[name] = empty.select(job.derived[name]).collect_schema().dtypes()[0]
    return out


def _finish_groups(states: pl.DataFrame, lf: pl.LazyFrame, keys: list[str], job: Job, names: list[str]) -> pl.DataFrame:
    """Metrics of the groups whose keys and states these are; those that Polars computes are joined to them."""
    with translated():
        finished = states.select(**job.leaf_exprs()).select(**job.finish) if job.finish else pl.DataFrame()
        found = {**{key: states[key] for key in keys}, **{name: finished[name] for name in job.finish}}
        if job.others:
            with _totals_named(job.others):
                found |= _others(found, lf, keys, job)
        out = pl.DataFrame({name: found[name] for name in [*keys, *names]})
        for name, expr in job.derived.items():
            out = out.with_columns(expr.alias(name))
    return out


@contextmanager
def _totals_named(metrics: Mapping[str, pl.Expr]) -> Iterator[None]:
    """Name the metrics where a total of integers that Polars takes in 128 bits does not fit Int64."""
    try:
        yield
    except pl.exceptions.InvalidOperationError as error:
        if "from `i128` to `i64`" not in str(error):
            raise
        names = ", ".join(map(repr, metrics))
        raise DataError(
            f"a total of integers in metric {names} does not fit Int64: cast to Float64 first",
            column=next(iter(metrics)),
        ) from None


def _others(states: Mapping[str, pl.Series], lf: pl.LazyFrame, keys: list[str], job: Job) -> dict[str, pl.Series]:
    """Metrics that Polars evaluates, of the groups in the states' order: their own names are no hindrance there."""
    safe = {name: f"__vf_metric_{index}" for index, name in enumerate(job.others)}
    exprs = [expr.alias(safe[name]) for name, expr in job.others.items()]
    _core.tally_turn()
    if not keys:
        out = lf.select(exprs).collect(engine="streaming")
    else:
        by = [column(key).alias(f"__vf_key_{index}") for index, key in enumerate(keys)]
        groups = pl.DataFrame([states[key].alias(f"__vf_key_{index}") for index, key in enumerate(keys)])
        others = lf.group_by(by).agg(exprs).collect(engine="streaming")
        out = groups.join(others, on=groups.columns, how="left", nulls_equal=True, maintain_order="left")
    return {name: out[safe[name]] for name in job.others}


_GROUP, _DAY = "__vf_group", "__vf_day"


def _collect_states(
    lf: pl.LazyFrame, schema: pl.Schema, keys: list[str], job: Job, days: Days
) -> tuple[pl.DataFrame, int]:
    """Keys and states of every group, sorted by the keys, and how many rows there were.

    One pass, in any order where no bit depends on it.
    """
    numbered = _numbered(lf, keys, job, days)
    if numbered is None:
        agg, entered = _aggregated(lf, keys, job, days)
        return frame_of(agg, {key: schema[key] for key in keys}, job.states), entered
    frame, numbers = numbered
    agg, entered = _aggregated(frame, [_GROUP], job, days)
    states = frame_of(agg, {_GROUP: pl.UInt32()}, job.states)
    found = {key: pl.Series(made).cast(schema[key]) for key, made in zip(keys, numbers.finish(), strict=True)}
    return pl.DataFrame(found)[states[_GROUP]].hstack(states.drop(_GROUP)).sort(selected(keys)), entered


def _numbered(lf: pl.LazyFrame, keys: list[str], job: Job, days: Days) -> tuple[pl.LazyFrame, _core.Agg] | None:
    """Return a frame that repeats rows with a number for each row's keys, made before the rows are repeated."""
    under = origin(lf)
    if under is None or not keys or not set(keys) <= set(under.frame.collect_schema()):
        return None
    numbers = _core.Agg(leaves=[], n_keys=len(keys), n_values=0, n_threads=1)

    def number(batch: pl.DataFrame) -> pl.Series:
        return pl.Series(numbers.number([batch[key] for key in keys], [], batch.height))

    number(pl.DataFrame(schema=under.frame.select(selected(keys)).collect_schema()))  # types, should no rows come
    frame = with_function(under.frame, _GROUP, Function(keys, number, pl.UInt32()))
    return under.rebuild(frame, list(dict.fromkeys([_GROUP, *_roots(job.values), *days.names]))), numbers


def _roots(exprs: Sequence[pl.Expr]) -> list[str]:
    return list(dict.fromkeys(root for expr in exprs for root in expr.meta.root_names()))


def _aggregated(lf: pl.LazyFrame, keys: list[str], job: Job, days: Days) -> tuple[_core.Agg, int]:
    """Every row of a frame, in C, and how many there were."""
    values = job.value_names()
    key_names = [f"__vf_key_{index}" for index in range(len(keys))]
    agg = _core.Agg(
        leaves=[leaf.spec(state.name) for leaf, state in zip(job.leaves, job.states, strict=True)],
        n_keys=len(keys),
        n_values=len(values),
        n_threads=threads(),
    )
    columns = [column(key).alias(name) for key, name in zip(keys, key_names, strict=True)]
    columns += [value.alias(name) for value, name in zip(job.values, values, strict=True)]
    columns += [pl.col(name).alias(_DAY) for name in days.names]
    rows_only = not columns
    frame = lf.select(pl.len().cast(pl.Int64)) if rows_only else lf.select(columns)
    empty = pl.DataFrame(schema=[] if rows_only else frame.collect_schema())  # types, should no rows come
    agg.update([empty[name] for name in key_names], [empty[name] for name in values], 0)
    direct = is_direct(lf) and not rows_only
    if direct:
        plain = rows(lf, list(dict.fromkeys([*keys, *_roots(job.values), *days.names])))
    else:
        plain = batches(frame, ordered=job.in_order, rows_of=None if rows_only else lf)
    given = plain if direct else gathered(plain, GROUPED_ROWS)  # an update starts its threads once for so many rows
    entered = 0
    for given_batch in ahead(given):
        batch = given_batch.select(columns) if direct else given_batch
        height = batch.item() if rows_only else batch.height
        if _DAY in batch.columns:
            days.see(batch[_DAY])
        agg.update([batch[name] for name in key_names], [batch[name] for name in values], height)
        entered += height
    return agg, entered
