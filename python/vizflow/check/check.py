"""Check days before they are run: what drifts between them, and what in them would be refused or silently lost.

Not for mending anything: it reads, counts and suggests; a config's schema mends.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import polars as pl

import vizflow._core as _core
from vizflow.check.day import Day, Options
from vizflow.check.days import Across, size_text
from vizflow.config import Config
from vizflow.dates import check_date
from vizflow.errors import ConfigError
from vizflow.files import atomic
from vizflow.files import json as _json
from vizflow.market import Market, grace_nanoseconds
from vizflow.ops import stamps
from vizflow.ops.stamps import TimeUnit
from vizflow.schema import rules, types

__all__ = ["CheckReport", "check", "command"]

_SEVERITIES = ("error", "warning", "info")
_TITLES = {"error": "ERRORS", "warning": "WARNINGS", "info": "NOTED"}
_FINDINGS = {
    "date": pl.String, "check": pl.String, "severity": pl.String, "column": pl.String, "count": pl.Int64,
    "rows": pl.Int64, "share": pl.Float64, "first_row": pl.Int64, "detail": pl.String,
}  # fmt: skip
_DAYS = {"date": pl.String, "file": pl.String, "bytes": pl.Int64, "rows": pl.Int64, "columns": pl.Int64}
_NULLS = {
    "date": pl.String, "column": pl.String, "dtype": pl.String, "nulls": pl.Int64, "nans": pl.Int64,
    "share": pl.Float64,
}  # fmt: skip
_SIDES = {"date": pl.String, "value": pl.String, "rows": pl.Int64}
_NOT_CHECKED = {"date": pl.String, "check": pl.String, "reason": pl.String}


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    Attributes
    ----------
    frame : DataFrame
        A row a finding and date: ``date``, ``check``, ``severity`` ("error", "warning", "info"), ``column``, ``count``
        of the ``rows`` concerned and their ``share``, ``first_row`` in the day's file, ``detail``.
    days : DataFrame
        A row a date: ``file``, ``bytes``, ``rows``, ``columns``.
    nulls : DataFrame
        Null and NaN counts of each column of each date.
    sides : DataFrame
        The values of the side column, with their rows, of each date.
    not_checked : DataFrame
        What could not be checked, and why; ``date`` is null where that holds for all.
    suggestions : dict
        Rules ready for ``Config(schema=...)`` that settle the drift that was found.
    columns : dict
        Semantic name to the column that was checked for it.
    market : str
        The market whose sessions times were held against.

    Examples
    --------
    See `check`.
    """

    frame: pl.DataFrame
    days: pl.DataFrame
    nulls: pl.DataFrame
    sides: pl.DataFrame
    not_checked: pl.DataFrame
    suggestions: dict[str, dict[str, Any]]
    columns: dict[str, str]
    market: str

    @property
    def ok(self) -> bool:
        """True where nothing that was found is an error."""
        return self.frame.filter(pl.col("severity") == "error").is_empty()

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return all of it as JSON, types by their names; write it to a file too where a path is given."""
        content = {
            "vizflow": _core.version,
            "ok": self.ok,
            "market": self.market,
            "columns": self.columns,
            "findings": self.frame.to_dicts(),
            "days": self.days.to_dicts(),
            "nulls": self.nulls.to_dicts(),
            "sides": self.sides.to_dicts(),
            "not_checked": self.not_checked.to_dicts(),
            "suggestions": {
                name: {key: _jsonable(value) for key, value in rule.items()} for name, rule in self.suggestions.items()
            },
        }
        text = _json.text(content)
        if path is not None:
            with atomic.atomic(Path(os.fspath(path))) as file:
                file.write(text.encode() + b"\n")
        return text

    def __str__(self) -> str:
        return _text(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.frame.filter(severity=s).height} {s}" for s in _SEVERITIES)
        return f"<CheckReport of {self.days.height} days: {counts}; print() shows it>"


def check(
    config: Config,
    dates: Iterable[str],
    *,
    keys: Sequence[str] | None = None,
    unit: TimeUnit | None = None,
    grace: float = 0,
    columns: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> CheckReport:
    """Check days' files before they are run: drift of names and types, and values that mean trouble.

    Each day is streamed, only its checked columns, in bounded memory. Columns are found by `Config.columns`' semantic
    names: timestamp, symbol, side, quantity, price, bid, ask, id; and as they are in the files, with the schema's
    aliases, before its casts.

    Parameters
    ----------
    config
        The run's `Config`.
    dates
        ``YYYYMMDD``.
    keys
        Columns (semantic or actual names) that together identify a row; repeats are errors. By default the column that
        `Config.columns` names for "id"; without one, rows that agree in every checked column are counted, which is no
        error.
    unit, grace
        As in `parse_time`: what integer timestamps are, and the seconds around sessions that count as inside.
    columns
        Columns whose nulls are counted; None counts all, and reads them.
    progress
        Called with (date, number, of) before each day.

    Returns
    -------
    CheckReport
        ``print`` shows it; ``.frame`` has the findings, ``.ok`` is whether no error is among them, ``.to_json()``.

    Raises
    ------
    ConfigError
        An option is not acceptable. A file that cannot be read, or lacks a column, is a finding.

    Notes
    -----
    What is counted: missing and additional columns and other types than most days have; values the schema's casts would
    refuse; repeated keys; nulls; null, impossible and out-of-session times, and other days' dates; rows earlier than a
    row before them, of any and of the same symbol; quantities that are negative, zero or no integers; prices not above
    zero, and vendors' "no price" (``no_price``: 1e300 and more, or the largest value of the column's type); crossed,
    locked, one-sided and empty books; sides, and ways to write them; days much larger or smaller than the median.
    Lateness is in seconds of trading time.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> for date, time in ("20240102", "ticktime"), ("20240103", "ticktime"), ("20240104", "tick_time"):
    ...     day = {time: [93000, 93001, 93000], "ukey": [1, 1, 1], "side": ["B", "S", "S"], "qty": [1.0, 2.5, -3.0]}
    ...     path = vf.save(pl.DataFrame(day), f"days/{date}.feather")
    >>> names = {"timestamp": "ticktime", "symbol": "ukey", "quantity": "qty"}
    >>> config = vf.Config(input_dir="days", columns=names)
    >>> report = vf.check(config, ["20240102", "20240103", "20240104"], unit="HHMMSS")
    >>> report.ok, report.suggestions
    (False, {'ticktime': {'aliases': ['tick_time']}})
    >>> report.frame.filter(date="20240102", severity="error")["check", "column", "count", "first_row"].rows()
    [('negative', 'qty', 1, 2)]
    """
    days = list(dict.fromkeys(check_date(date) for date in dates))
    if not days:
        raise ConfigError("there are no dates to check")
    if unit not in stamps.LAYOUTS:
        raise stamps.unknown_unit(unit)
    for option, names in ("keys", keys), ("columns", columns):
        if names is not None and (isinstance(names, str) or not names or not all(isinstance(n, str) for n in names)):
            raise ConfigError(f"{option} is {names!r}; a list of column names is accepted")
    market = Market.get(config.market)
    options = Options(config, market, keys, unit, grace_nanoseconds(grace), columns)
    found = []
    for number, date in enumerate(days):
        if progress is not None:
            progress(date, number, len(days))
        found.append(Day(date, options).read())
    suggestions = Across(found, options).compare()
    return _report(found, options, suggestions)


def command(
    config: Config,
    dates: Sequence[str],
    *,
    as_json: bool = False,
    output: str | os.PathLike[str] | None = None,
    keys: Sequence[str] | None = None,
    unit: TimeUnit | None = None,
    grace: float = 0,
    stream: TextIO | None = None,
) -> int:
    """Check dates, print the report, and give the exit code of ``vizflow check``: 0, or 1 where errors were found.

    Parameters
    ----------
    config, dates, keys, unit, grace
        As `check` takes them.
    as_json
        Print JSON.
    output
        Write the JSON to this file too.
    stream
        Where to print; standard output by default.
    """
    stream = stream or sys.stdout
    watched = sys.stderr.isatty() and not as_json

    def progress(date: str, number: int, of: int) -> None:
        print(f"\rchecking {date} ({number + 1} of {of})", end="", file=sys.stderr, flush=True)

    report = check(config, dates, keys=keys, unit=unit, grace=grace, progress=progress if watched else None)
    if watched:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    text = report.to_json(output) if as_json or output is not None else ""
    print(text if as_json else report, file=stream)
    return 0 if report.ok else 1


# ---- the report --------------------------------------------------------------------------------------------------


def _report(days: list[Day], options: Options, suggestions: dict[str, dict[str, Any]]) -> CheckReport:
    findings = [finding for day in days for finding in day.findings]
    order = {severity: i for i, severity in enumerate(_SEVERITIES)}
    findings.sort(key=lambda f: (order[f["severity"]], f["check"], f["column"] or "", f["date"]))
    unique = list({(f["date"], f["check"], f["column"], f["detail"]): f for f in findings}.values())
    skipped = [(day.date, check, reason) for day in days for check, reason in day.not_checked]
    per_reason: dict[tuple[str, str], list[str]] = {}
    for date, what, reason in skipped:
        per_reason.setdefault((what, reason), []).append(date)
    read = sum(day.schema is not None for day in days)
    not_checked = [
        (date, what, reason)
        for (what, reason), dates in per_reason.items()
        for date in ([None] if len(dates) == read else dates)
    ]
    columns: dict[str, str] = {}
    for day in days:
        for name, actual in day.columns.items():
            columns.setdefault(name, options.semantic(name) or actual)
    return CheckReport(
        frame=pl.DataFrame(unique, schema=_FINDINGS),
        days=pl.DataFrame(
            [
                (day.date, day.path.name, day.bytes, day.rows, None if day.schema is None else len(day.schema))
                for day in days
            ],
            schema=_DAYS,
            orient="row",
        ),
        nulls=pl.DataFrame([counts for day in days for counts in day.nulls], schema=_NULLS),
        sides=pl.DataFrame([(day.date, *side) for day in days for side in day.sides], schema=_SIDES, orient="row"),
        not_checked=pl.DataFrame(not_checked, schema=_NOT_CHECKED, orient="row"),
        suggestions=suggestions,
        columns=columns,
        market=options.market.name,
    )


def _text(report: CheckReport) -> str:
    days = report.days
    dates = sorted(days["date"].to_list())
    span = dates[0] if days.height == 1 else f"{dates[0]} to {dates[-1]}"
    rows, size = int(days["rows"].sum()), int(days["bytes"].sum())
    lines = [f"{days.height} day{'s' if days.height > 1 else ''} ({span}), {rows:,} rows, {size_text(size)}, "
             f"market {report.market}"]  # fmt: skip
    if report.columns:
        lines.append("  " + "  ".join(f"{name}={column}" for name, column in report.columns.items()))
    for severity in _SEVERITIES:
        found = report.frame.filter(severity=severity)
        if found.height:
            lines += ["", _TITLES[severity], *_finding_lines(found, days.height)]
    if report.not_checked.height:
        lines += ["", "NOT CHECKED"]
        for date, what, reason in report.not_checked.rows():
            lines.append(f"  {what:<16}{'' if date is None else f'{date}: '}{reason}")
    if report.suggestions:
        lines += ["", "TO PASTE INTO Config(schema={...})"]
        lines += [f"    {_quoted(name)}: {_rule_text(rule)}," for name, rule in report.suggestions.items()]
    if report.frame.is_empty():
        lines += ["", "Nothing was found."]
    return "\n".join(lines)


def _finding_lines(found: pl.DataFrame, n_days: int) -> list[str]:
    """Word the findings of a severity: one line for each check, column and detail, over its dates."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for finding in found.iter_rows(named=True):
        # Counts and figures differ from day to day: such findings belong together all the same.
        detail = finding["detail"].partition(", by up to")[0].partition("; the median day")[0]
        if finding["check"] in ("schema", "times", "file", "size"):
            detail = finding["detail"]
        groups.setdefault((finding["check"], finding["column"] or "", detail), []).append(finding)
    lines = []
    for (what, column, detail), findings in groups.items():
        worst = max(findings, key=lambda f: f["count"] or 0)
        text = f"  {what:<16}{column + ': ' if column else ''}{worst['detail'] if worst['count'] else detail}"
        if worst["count"] and worst["rows"]:
            text += f": {sum(f['count'] or 0 for f in findings):,} of {sum(f['rows'] or 0 for f in findings):,} rows"
        lines.append(text + _where(findings, worst, n_days))
    return lines


def _where(findings: list[dict[str, Any]], worst: dict[str, Any], n_days: int) -> str:
    at = f" row {worst['first_row']}" if worst["first_row"] is not None else ""
    if len(findings) == 1:
        return f" ({worst['date']}{', first' + at if at else ''})"
    days = "every day" if len(findings) == n_days else f"{len(findings)} of {n_days} days"
    if worst["count"]:
        return f" ({days}; most on {worst['date']}: {worst['count']:,}{', first' + at if at else ''})"
    dates = sorted(f["date"] for f in findings)
    return f" ({days}: {', '.join(dates[:3])}{', …' if len(dates) > 3 else ''})"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _rule_text(rule: Mapping[str, Any]) -> str:
    parts = []
    for key, value in rule.items():
        shown = f"[{', '.join(_quoted(v) for v in value)}]" if key == "aliases" else _value_text(value)
        parts.append(f"{_quoted(key)}: {shown}")
    return "{" + ", ".join(parts) + "}"


def _value_text(value: Any) -> str:
    if isinstance(value, (pl.DataType, type)):
        return f"pl.{value!r}" if isinstance(value, pl.DataType) or issubclass(value, pl.DataType) else value.__name__
    return _quoted(value) if isinstance(value, str) else repr(value)


def _jsonable(value: Any) -> Any:
    if isinstance(value, (pl.DataType, type)):
        return types.type_text(rules._type(value, "schema"))
    return value if isinstance(value, (str, int, float, bool, list, tuple, type(None))) else str(value)
