"""What a partial was made from, as text in its metadata, and whether it would be made from the same today.

Not for the metrics' plan itself (`vizflow.partials.file`): only its id is compared here.
"""

from __future__ import annotations

import bisect
import datetime as dt
import hashlib
import json
import sys
import sysconfig
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow.config import Config, Context, Reading
from vizflow.errors import StorageError, first_line
from vizflow.files import digest as _digest
from vizflow.files import places
from vizflow.files.stamp import Stamp
from vizflow.jobs.pipelines import name_of
from vizflow.market import Market, Session
from vizflow.partials.versions import FORMAT
from vizflow.schema.types import text_of


@dataclass
class Verdict:
    """Whether a partial can be trusted: why not (`reasons`), and what else is worth saying (`notes`)."""

    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def parts(pipeline: Any, ctx: Context, stamp: Stamp, plan: str, code: str | None = None) -> dict[str, str]:
    """Return a partial's fingerprint, as it goes into the file's metadata."""
    return {
        "vizflow.format": FORMAT,
        "vizflow.version": _core.version,
        "vizflow.input": stamp.name,
        "vizflow.input_bytes": str(stamp.size),
        "vizflow.input_mtime_ns": str(stamp.mtime_ns),
        "vizflow.settings": settings(ctx.config, ctx.date, with_metrics=plan.startswith("columns:")),
        "vizflow.inputs": json.dumps({name: _of_reading(read) for name, read in sorted(ctx.read.items())}),
        "vizflow.calendar": calendar_digest(ctx.calendar, ctx.date),
        "vizflow.plan_id": plan,
        "vizflow.pipeline": name_of(pipeline),
        "vizflow.code": code if code is not None else code_digest(pipeline),
    }


def compare(stored: Mapping[str, str], now: Mapping[str, str]) -> Verdict:
    """Compare a partial's fingerprint with what it would be now; what `now` lacks is not compared."""
    out = Verdict()
    if "vizflow.settings" not in stored:
        out.reasons.append("it holds no fingerprint of VizFlow's")
        return out
    changed = [name for name, value in now.items() if stored.get(name) != value]
    if "vizflow.format" in changed:
        out.reasons.append(f"VizFlow's format was {stored.get('vizflow.format')}, and is {now['vizflow.format']}")
    if {"vizflow.input_bytes", "vizflow.input_mtime_ns", "vizflow.input"} & set(changed):
        then, today = _stamp(stored), _stamp(now)
        name = f"{then.name} then, {today.name} now: " if then.name != today.name else ""
        out.reasons.append(f"the input changed: {name}{then} then, {today} now")
    if "vizflow.inputs" in changed:
        out.reasons += _input_changes(_plain(stored.get("vizflow.inputs", "{}")), _plain(now["vizflow.inputs"]))
    if "vizflow.settings" in changed:
        out.reasons += _changes(_plain(stored["vizflow.settings"]), _plain(now["vizflow.settings"]))
    if "vizflow.calendar" in changed:
        out.reasons.append("the calendar up to that date changed")
    if "vizflow.plan_id" in changed:
        out.reasons.append("the metrics changed")
    if "vizflow.bins" in changed:
        out.reasons += _changes(*({"bin width": _plain(made.get("vizflow.bins", ""))} for made in (stored, now)))
    if "vizflow.version" in changed:
        out.notes.append(f"made by VizFlow {stored.get('vizflow.version')}, this is {now['vizflow.version']}")
    out.notes += _code_notes(stored, now)
    return out


def _code_notes(stored: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    if "vizflow.pipeline" in now and stored.get("vizflow.pipeline") != now["vizflow.pipeline"]:
        return [f"made by the function {stored.get('vizflow.pipeline')}, this is {now['vizflow.pipeline']}"]
    then, today = stored.get("vizflow.code", ""), now.get("vizflow.code", "")
    same_python = then.partition(":")[0] == today.partition(":")[0]
    if then and today and same_python and then != today:
        return [f"made by older code of {now['vizflow.pipeline']}"]
    return []


def inputs_now(stored: Mapping[str, str], config: Config, date: str) -> str:
    """Return the other inputs that a partial was made from as they are now, for `compare`."""
    now = {}
    for name, (_, _, _, how) in _plain(stored.get("vizflow.inputs", "{}")).items():
        if name in config.inputs:
            now[name] = [*_of_stamp(Stamp.of(config.get_input_path(name, date))), how]
    return json.dumps(now)


def _of_reading(read: Reading) -> list[Any]:
    rules = {name: _rule(rule) for name, rule in read.schema.items()}
    how = json.dumps([rules, read.csv], sort_keys=True, default=repr)
    return [*_of_stamp(read.stamp), hashlib.sha256(how.encode()).hexdigest()[:16]]


def _of_stamp(stamp: Stamp) -> list[Any]:
    return [stamp.name, stamp.size, stamp.mtime_ns]


def _input_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    out = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            out.append(f"the input {name!r} is {'no longer' if after is None else 'now'} read")
        elif before[:3] != after[:3]:
            then, today = Stamp(*before[:3]), Stamp(*after[:3])
            names = f"{then.name} then, {today.name} now: " if then.name != today.name else ""
            out.append(f"the input {name!r} changed: {names}{then} then, {today} now")
        elif before != after:
            out.append(f"the input {name!r} is read by another schema")
    return out


def _stamp(values: Mapping[str, str]) -> Stamp:
    try:
        return Stamp(values["vizflow.input"], int(values["vizflow.input_bytes"]), int(values["vizflow.input_mtime_ns"]))
    except (KeyError, ValueError):
        return Stamp(values.get("vizflow.input", "?"), -1, 0)


def stored_in(path: Path) -> dict[str, str] | None:
    """Return a partial's metadata; None where there is no file.

    Raises
    ------
    StorageError
        It is no whole Parquet file, is not what was written, or may not be looked at.
    """
    if places.look(path, missing_ok=True) is None:
        return None
    proved = not path.is_file() or _digest.check(path)
    try:
        metadata = pl.read_parquet_metadata(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise StorageError(f"{path}: the partial cannot be read ({first_line(error)})") from error
    if not proved and any(key.startswith("vizflow.") for key in metadata):
        raise _digest.missing(path)
    return metadata


# ---- settings -----------------------------------------------------------------------------------------------------


def settings(config: Config, date: str | None, *, with_metrics: bool) -> str:
    """Return what a pipeline function can read of a config, paths left out, as canonical JSON.

    With a date, what a market does on days after it is left out too.
    """
    market = Market.get(config.market)
    until = dt.date.max if date is None else dt.date(int(date[:4]), int(date[4:6]), int(date[6:]))
    values: dict[str, Any] = {
        "market": [market.name, market.timezone, market.calendar, _sessions(market.sessions)],
        "hours": {
            f"{first} to {last}": _sessions(sessions) for first, last, sessions in market._overrides if first <= until
        },
        "columns": config.columns,
        "binwidths": config.binwidths,
        "group_by": config.group_by,
        "horizons": config.horizons,
        "time_cutoff": config.time_cutoff,
        "schema": {name: _rule(rule) for name, rule in config.schema.items()},
        # Where the plan is known it says what the metrics are; their order and names are part of it.
        "metrics": {name: str(metric) for name, metric in config.metrics.items()} if with_metrics else {},
        **({"csv": config.csv} if config.csv else {}),
    }
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=repr, ensure_ascii=False)


def _sessions(sessions: Iterable[Session]) -> list[list[Any]]:
    return [[session.start, session.end, session.night] for session in sessions]


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: text_of(value) if key in ("load_as", "cast_to") else repr(value) if key == "default" else value
        for key, value in rule.items()
    }


def _plain(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    out = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            out += [
                f"{name} of {key!r} changed: {_short(before.get(key))} then, {_short(after.get(key))} now"
                for key in sorted(before.keys() | after.keys())
                if before.get(key) != after.get(key)
            ]
        else:
            out.append(f"{name} changed: {_short(before)} then, {_short(after)} now")
    return out or ["the settings changed"]


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


# ---- calendar -----------------------------------------------------------------------------------------------------

_calendars: dict[int, tuple[pl.DataFrame, list[dt.date], list[str]]] = {}


def calendar_digest(calendar: pl.DataFrame, date: str) -> str:
    """Sum up a calendar's rows up to a date: days that are added later change nothing for those before."""
    if calendar.height == 0:
        return "none"
    found = _calendars.get(id(calendar))
    if found is None or found[0] is not calendar:
        days: list[dt.date] = calendar["date"].to_list()
        digest, sums = hashlib.sha256(repr(calendar.columns).encode()), []
        for row in calendar.iter_rows():
            digest.update(repr(row).encode())
            sums.append(digest.hexdigest()[:16])
        if len(_calendars) >= 4:
            _calendars.clear()
        _calendars[id(calendar)] = found = (calendar, days, sums)
    day = dt.date(int(date[:4]), int(date[4:6]), int(date[6:]))
    index = bisect.bisect_right(found[1], day)
    return found[2][index - 1] if index else "none"


# ---- plan ---------------------------------------------------------------------------------------------------------


def columns_id(schema: Mapping[str, pl.DataType]) -> str:
    """Return an id of what a pipeline computes that is no plan of ours: of the columns it gives."""
    columns = json.dumps([[name, str(dtype)] for name, dtype in schema.items()], ensure_ascii=False)
    return f"columns:{hashlib.sha256(columns.encode()).hexdigest()[:16]}"


# ---- code ---------------------------------------------------------------------------------------------------------


def code_digest(function: Any) -> str:
    """Sum up a function's code, and that of the user's own code it uses: ``python version:digest``.

    Not a proof: what it reaches by way of objects, files and the network is not seen. So a change only warns.
    """
    digest = hashlib.sha256()
    _Walk(digest).value(function)
    return f"{sys.version_info.major}.{sys.version_info.minor}:{digest.hexdigest()[:16]}"


_LIBRARIES = [Path(path) for kind in ("stdlib", "purelib", "platlib") if (path := sysconfig.get_path(kind))]
_OURS = Path(__file__).parents[1]


class _Walk:
    def __init__(self, digest: Any) -> None:
        self.digest = digest
        self.seen: set[int] = set()
        self.depth = 0

    def value(self, value: Any) -> None:
        if id(value) in self.seen or self.depth > 40:
            return
        self.depth += 1
        if isinstance(value, (types.FunctionType, type, types.ModuleType)):
            self.seen.add(id(value))
        try:
            self._value(value)
        finally:
            self.depth -= 1

    def _value(self, value: Any) -> None:
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            self.text(f"{type(value).__name__}:{value!r}")
        elif isinstance(value, (list, tuple)):
            self.text(type(value).__name__)
            for item in value:
                self.value(item)
        elif isinstance(value, (set, frozenset)):
            self.text(repr(sorted(map(repr, value))))
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.value(key)
                self.value(item)
        elif isinstance(value, (pl.Expr, pl.DataType)):
            self.text(str(value))
        elif isinstance(value, types.FunctionType):
            self.function(value)
        elif isinstance(value, types.MethodType):
            self.value(value.__func__)
        elif isinstance(value, type):
            self.text(value.__qualname__)
            if _is_users(sys.modules.get(value.__module__)):
                for name, member in sorted(vars(value).items()):
                    if not name.startswith("__") or name in ("__init__", "__call__"):
                        self.text(name)
                        self.value(getattr(member, "__func__", getattr(member, "fget", member)))
        elif hasattr(value, "func") and hasattr(value, "keywords"):  # functools.partial
            self.value([value.func, value.args, value.keywords])
        else:
            self.text(type(value).__qualname__)

    def function(self, function: types.FunctionType) -> None:
        home = sys.modules.get(function.__module__ or "")
        self.text(function.__qualname__)
        if home is not None and not _is_users(home):
            return
        self.code(function.__code__, function.__doc__)
        self.value([function.__defaults__, function.__kwdefaults__])
        for cell in function.__closure__ or ():
            try:
                self.value(cell.cell_contents)
            except ValueError:  # not yet filled
                continue
        self.names(function.__code__, function.__globals__)

    def names(self, code: types.CodeType, where: Mapping[str, Any]) -> None:
        for name in sorted(code.co_names):
            if name not in where:
                continue
            value = where[name]
            if isinstance(value, types.ModuleType):
                if _is_users(value):
                    members = [getattr(value, other) for other in sorted(code.co_names) if hasattr(value, other)]
                    self.value(members)
                continue
            self.text(name)
            self.value(value)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.names(constant, where)

    def code(self, code: types.CodeType, doc: str | None) -> None:
        self.digest.update(code.co_code)
        self.text(repr((code.co_names, code.co_varnames, code.co_freevars)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.code(constant, None)
            elif constant is None or constant != doc:
                self.value(constant)

    def text(self, text: str) -> None:
        self.digest.update(text.encode("utf-8", "backslashreplace") + b"\0")


def _is_users(module: types.ModuleType | None) -> bool:
    if module is None or module.__name__ == "__main__":
        return True
    file = getattr(module, "__file__", None)
    if file is None:
        return False
    path = Path(file)
    return not any(path.is_relative_to(root) for root in [*_LIBRARIES, _OURS])
