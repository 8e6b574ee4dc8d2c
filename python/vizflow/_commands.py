"""The commands of ``vizflow``, on click.

Not imported but by `vizflow.cli`, since click is an extra; not for what the commands do.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import click
import polars as pl

import vizflow
from vizflow import __version__, calendar, errors, io
from vizflow import dates as dates_
from vizflow.config import Config
from vizflow.dates import check_date
from vizflow.errors import ConfigError, Error, StorageError
from vizflow.files import json as _json
from vizflow.jobs import batch, cluster, pipelines
from vizflow.jobs import counts as _counts
from vizflow.jobs import settings as _settings
from vizflow.jobs.batch import BatchError, BatchReport
from vizflow.jobs.context import context
from vizflow.jobs.pipelines import Pipeline
from vizflow.jobs.processes.worker import open_standard_files


class WrongUsage(click.ClickException):
    """What was asked for does not make sense: exit code 2, one line."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the line."""
        _complain(self.message)


class WorkFailed(click.ClickException):
    """The work was begun, and failed: exit code 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print the line."""
        _complain(self.message)


def _complain(message: str) -> None:
    click.echo(f"vizflow: {message}", err=True)


def call(argv: Sequence[str] | None) -> int:
    """Run a command; give its exit code."""
    open_standard_files()
    logger, handler = logging.getLogger("vizflow"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("vizflow: %(message)s"))
    logger.addHandler(handler)
    before = logger.level
    try:
        code = main.main(args=list(argv) if argv is not None else None, prog_name="vizflow", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        return 130
    except SystemExit:  # click's way of saying that the reader of our output, such as head, has enough
        return _without_output(0)
    except OSError as error:
        if error.errno == errno.EPIPE:
            return _without_output(0)
        _complain(f"the output could not be written ({error.strerror or error})")
        return _without_output(1)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    return code if isinstance(code, int) else 0


def _is_of_output(error: BaseException) -> bool:
    """Tell whether it was what is printed that could not be written: errors of files name them."""
    of_output = (errno.EPIPE, errno.ENOSPC, errno.EIO)
    return isinstance(error, OSError) and error.filename is None and error.errno in of_output


def _without_output(code: int) -> int:
    """Give up standard output, so that what is left in its buffer fails nobody at the end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stdout.flush()
    return code


@contextmanager
def _usage() -> Iterator[None]:
    """Take errors in what was asked for as wrong usage."""
    try:
        yield
    except Error as error:
        raise WrongUsage(f"{type(error).__name__}: {error}") from error


@contextmanager
def _work() -> Iterator[None]:
    """Take errors as failed work."""
    try:
        yield
    except Error as error:
        raise WorkFailed(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        if isinstance(error, click.ClickException) or _is_of_output(error):
            raise
        logging.getLogger("vizflow").debug("traceback", exc_info=True)
        raise WorkFailed(f"{type(error).__name__}: {error} (-v shows the traceback)") from error


# ---- the program ---------------------------------------------------------------------------------------------------


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", message="vizflow %(version)s")
@click.option("-v", "--verbose", count=True, help="Say more on stderr; twice: everything.")
def main(verbose: int) -> None:
    """Run pipelines over days of market data, a file a day.

    A pipeline is a Python function of (frame, context) in a module or a file, named MODULE:FUNCTION or
    path/to/file.py:FUNCTION; beside it lives the Config that says where the days are.

    \b
      vizflow demo                                     see it work, on generated days
      vizflow run job.py:process_day 20240102          one date, to try a pipeline
      vizflow batch job.py:process_day                 every date there is a file for, on this machine's cores
      vizflow status job.py:process_day                which dates are done, stale, damaged, failed, missing
      vizflow cluster job.py:process_day | sh          a cluster job for each date
      vizflow reduce partials/ -o all.parquet          all dates in one
      vizflow explore partials/                        brush dates and bins in the browser

    Exit codes: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted.
    """  # noqa: D301
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.getLogger("vizflow").setLevel(level)


PIPELINE = click.argument("pipeline", metavar="PIPELINE")
DATES = click.argument("dates", nargs=-1, metavar="[YYYYMMDD]...")
CONFIG = click.option(
    "--config",
    "-c",
    "config_text",
    default=None,
    metavar="NAME|FILE.toml|JSON",
    help="The Config: the name of a global in the pipeline's module (default: config), a TOML file, or a JSON object.",
)
_FIRST, _LAST = (partial(click.option, *names, metavar="YYYYMMDD") for names in (("--from", "first"), ("--to", "last")))
FROM, TO = _FIRST(help="First date, where no dates are listed."), _LAST(help="Last date, where no dates are listed.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout, and nothing else.")
PATH = click.option(
    "--path", "paths", multiple=True, type=click.Path(path_type=Path), help="Folder to import modules from; repeatable."
)


def _load(pipeline: str, config_text: str | None, paths: Sequence[Path] = ()) -> tuple[Pipeline, Config]:
    for path in paths:
        sys.path.insert(0, str(path.resolve()))
    module, function = pipelines.load(pipeline)
    return function, _config(config_text, module, pipeline)


def _config(text: str | None, module: ModuleType | None, pipeline: str) -> Config:
    if text is not None and text.lstrip().startswith("{"):
        return _with_metrics(_settings.from_json(text), module)
    if text is not None and text.endswith(".toml"):
        return _with_metrics(_settings.read_toml(Path(text)), module)
    name = text or "config"
    found = getattr(module, name, None)
    if not isinstance(found, Config):
        where = pipeline.rpartition(":")[0]
        raise ConfigError(f"{where} holds no Config named {name!r}; --config takes a name, a .toml file or JSON")
    return found


def _with_metrics(config: Config, module: ModuleType | None) -> Config:
    """Fill in what no file can hold: the metrics, from the global of that name in the pipeline's module."""
    metrics = getattr(module, "metrics", None)
    if isinstance(metrics, dict) and all(isinstance(metric, pl.Expr) for metric in metrics.values()):
        return dataclasses.replace(config, metrics=metrics)
    return config


def _dates(config: Config, dates: Sequence[str], first: str | None, last: str | None) -> list[str]:
    if dates:
        if first or last:
            raise ConfigError("--from and --to choose among the dates there are; here dates are listed too")
        return dates_.check_dates(dates)
    if first and last and (days := context(config, check_date(first)).calendar).height:
        return calendar.range(check_date(first), check_date(last), days)
    if config.input_dir is None:
        raise ConfigError("Config.input_dir is not set, so there are no dates to find; list them")
    found = calendar.from_files(config.input_dir, config.input_pattern)["date"].dt.strftime("%Y%m%d").to_list()
    low, high = check_date(first or "00010101"), check_date(last or "99991231")
    chosen = [date for date in sorted(found) if low <= date <= high]
    if not chosen:
        raise ConfigError(f"no input file of {config.input_dir} has a date from {low} to {high}")
    return chosen


def _print_json(value: Any) -> None:
    click.echo(_json.text(value))


def _print_table(frame: pl.DataFrame) -> None:
    """Print a frame as aligned text, nulls as nothing."""
    kinds = frame.schema
    cells = [[_cell(value) for value in row] for row in frame.rows()]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(frame.columns)]
    right = [dtype.is_numeric() for dtype in kinds.values()]
    for row in [frame.columns, *cells]:
        words = [
            word.rjust(width) if end else word.ljust(width) for word, width, end in zip(row, widths, right, strict=True)
        ]
        click.echo("  ".join(words).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value).splitlines()[0] if str(value) else ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


# ---- running -------------------------------------------------------------------------------------------------------


@main.command("run")
@PIPELINE
@click.argument("date", metavar="YYYYMMDD")
@CONFIG
@PATH
@click.option("--chdir", type=click.Path(path_type=Path), help="Folder to work in, from which relative paths count.")
@click.option("--config-id", help="Refuse to run unless the Config is the one of this id (cluster jobs carry it).")
@click.option("--no-save", is_flag=True, help="Print the result and write nothing.")
@click.option("--skip-existing", is_flag=True, help="Leave a partial alone that is what would be made.")
@JSON
def _run(
    pipeline: str,
    date: str,
    config_text: str | None,
    paths: Sequence[Path],
    chdir: Path | None,
    config_id: str | None,
    no_save: bool,
    skip_existing: bool,
    as_json: bool,
) -> None:
    """Run a pipeline for one date.

    Writes output_dir/YYYYMMDD.parquet, whole or not at all, and says where. With --no-save it prints the result,
    which is the way to try a pipeline.

    \b
      vizflow run job.py:process_day 20240102 --no-save
      vizflow run mypackage.jobs:process_day 20240102 --config settings.toml
    """  # noqa: D301
    with _usage():
        if chdir is not None:
            _chdir(chdir)
        function, config = _load(pipeline, config_text, paths)
        check_date(date)
        if config_id is not None and cluster.config_id(config) != config_id:
            raise ConfigError(
                f"the Config that {pipeline.rpartition(':')[0]} holds is not the one this job was made for "
                f"({cluster.config_id(config)}, not {config_id}): it was changed after it was made, or the file was; "
                "set all of it where it is made, and make the commands again"
            )
        target = None if no_save else config.get_partial_path(date)
        config.get_file_path(date)
    with _work():
        if target is None:
            result = vizflow.run(function, config, date, save=False)
            _print_json({"date": date, "rows": result.to_dicts()}) if as_json else click.echo(str(result))
            return
        said = batch.run_one(function, config, date, skip_existing=skip_existing)
    if said["status"] == "failed":
        if said.get("traceback"):
            logging.getLogger("vizflow").info("%s", said["traceback"])
        if as_json:
            _print_json(said)
        own = said["error"].partition(":")[0] in errors.__all__  # which say enough
        raise WorkFailed(said["error"] if own else f"{said['error']} (-v shows the traceback)")
    if as_json:
        _print_json({"path": str(target), **said})
    elif said["status"] == "empty":
        click.echo(f"{target}: empty: {_counts.words(said['counts'])}")
    elif said["status"] == "skipped":
        click.echo(f"{target}: is what would be made; left as it is")
    else:
        click.echo(f"{target}: {said['rows']:,} rows")


def _chdir(folder: Path) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise StorageError(f"{folder}: cannot work in that folder ({error.strerror})") from error


@main.command("batch")
@PIPELINE
@DATES
@FROM
@TO
@CONFIG
@PATH
@click.option("--workers", type=click.IntRange(min=1), help="Processes at once (default: what cores and memory allow).")
@click.option("--serial", is_flag=True, help="One date after another, in this process.")
@click.option("--again", is_flag=True, help="Make all dates again, also those whose partial is what would be made.")
@click.option("--no-progress", is_flag=True, help="Draw no progress bar.")
@click.option(
    "--on", "engine", type=click.Choice(["slurm", "dask", "ray"]), help="Run the dates there instead of in processes."
)
@click.option("--address", help="Where the Dask scheduler or the Ray cluster is.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the engine, such as slurm_partition=cpu or mem_gb=32; repeatable.",
)
@JSON
def _batch(
    pipeline: str,
    dates: Sequence[str],
    first: str | None,
    last: str | None,
    config_text: str | None,
    paths: Sequence[Path],
    workers: int | None,
    serial: bool,
    again: bool,
    no_progress: bool,
    engine: str | None,
    address: str | None,
    settings: Sequence[str],
    as_json: bool,
) -> None:
    """Run a pipeline for many dates.

    Without dates: all that input_dir has a file for, or those of them from --from on, or up to --to. With both, the
    trading days between the two by the Config's calendar: a day without a file then is a failure. Dates whose partial
    is what would be made today are skipped, so the same command carries on after whatever stopped it. Dates that fail
    are listed at the end; the others are done.

    \b
      vizflow batch job.py:process_day
      vizflow batch job.py:process_day --from 20240101 --to 20240331 --workers 8
      vizflow batch job.py:process_day --on slurm --set slurm_partition=cpu --set mem_gb=32
    """  # noqa: D301
    with _usage():
        function, config = _load(pipeline, config_text, paths)
        chosen = _dates(config, dates, first, last)
        config.get_partial_path(chosen[0])
        executor = _executor(engine, address, settings)
    failed = False
    try:
        with _work():
            report = vizflow.run_batch(
                function,
                config,
                chosen,
                parallel=not serial,
                skip_existing=not again,
                executor=executor,
                max_workers=workers,
                progress=not no_progress,
            )
    except WorkFailed as error:
        if not isinstance(error.__cause__, BatchError):
            raise
        report, failed = error.__cause__.report, True
    finally:
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
    _say_report(report, as_json)
    if failed:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)


def _say_report(report: BatchReport, as_json: bool) -> None:
    if as_json:
        _print_json(report.to_dict() | {"path": str(report.path) if report.path else None})
        return
    click.echo(str(report))
    if report.path is not None and report.count("failed"):
        click.echo(f"tracebacks: {report.path}")


def _executor(engine: str | None, address: str | None, settings: Sequence[str]) -> Any:
    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {setting!r}: KEY=VALUE is accepted")
        given[key] = _number(value)
    if engine is None:
        if address or given:
            raise ConfigError("--address and --set are for an engine: say which, with --on")
        return None
    if engine == "slurm":
        return cluster.slurm(**given)
    return cluster.dask(address, **given) if engine == "dask" else cluster.ray(address, **given)


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@main.command("cluster")
@PIPELINE
@DATES
@FROM
@TO
@CONFIG
@PATH
@click.option(
    "--template",
    default=cluster.TEMPLATE,
    show_default=True,
    help="The command, with the places {date}, {name}, {command}, and {quoted} (the command as one word).",
)
@click.option("--python", default="python", show_default=True, help="The interpreter on the cluster's machines.")
@click.option("--skip-existing", is_flag=True, help="Have jobs leave partials alone that are what they would make.")
@JSON
def _cluster(
    pipeline: str,
    dates: Sequence[str],
    first: str | None,
    last: str | None,
    config_text: str | None,
    paths: Sequence[Path],
    template: str,
    python: str,
    skip_existing: bool,
    as_json: bool,
) -> None:
    """Print a cluster job's command for each date, a line each; nothing is submitted.

    \b
      vizflow cluster job.py:process_day > jobs.sh          look, then: sh jobs.sh
      vizflow cluster job.py:process_day --template 'sbatch --job-name={name} --wrap={quoted}'
    """  # noqa: D301
    with _usage():
        function, config = _load(pipeline, config_text, paths)
        chosen = _dates(config, dates, first, last)
        commands = vizflow.run_cluster(
            function, config, chosen, template=template, python=python, skip_existing=skip_existing
        )
    if as_json:
        _print_json([{"date": date, "command": command} for date, command in zip(chosen, commands, strict=True)])
    else:
        click.echo("\n".join(commands))


# ---- looking -------------------------------------------------------------------------------------------------------


@main.command("status")
@click.argument("words", nargs=-1, metavar="[PIPELINE] [YYYYMMDD]...")
@CONFIG
@PATH
@click.option(
    "--only",
    type=click.Choice(["done", "empty", "stale", "damaged", "failed", "missing"]),
    help="Show dates of one status.",
)
@click.option("--check", is_flag=True, help="Exit with 1 unless every date is done.")
@JSON
def _status(
    words: Sequence[str], config_text: str | None, paths: Sequence[Path], only: str | None, check: bool, as_json: bool
) -> None:
    """Tell for each date whether its partial is done, empty, stale, damaged, failed or missing, and why.

    Without dates: all that have an input file or a partial. With PIPELINE, whether the metrics or the pipeline's
    code changed is looked at too; without it, --config names a TOML file.

    \b
      vizflow status job.py:process_day
      vizflow status job.py:process_day --only failed
      vizflow status --config settings.toml 20240102 20240103
    """  # noqa: D301
    with _usage():
        function, config, dates = _maybe_pipeline(words, config_text, paths)
        chosen = dates_.check_dates(dates) if dates else None
    with _work():
        frame = vizflow.status(config, chosen, pipeline_fn=function)
    shown = frame.filter(pl.col("status") == only) if only else frame
    if as_json:
        _print_json(shown.to_dicts())
    else:
        if shown.height:
            _print_table(shown)
        counts = dict(frame["status"].value_counts(sort=True).rows())
        click.echo(f"{frame.height} dates: " + (", ".join(f"{n} {word}" for word, n in counts.items()) or "none"))
    if check and set(frame["status"]) - {"done"}:
        raise click.exceptions.Exit(1)


def _maybe_pipeline(
    words: Sequence[str], config_text: str | None, paths: Sequence[Path]
) -> tuple[Pipeline | None, Config, Sequence[str]]:
    if words and ":" in words[0]:
        return *_load(words[0], config_text, paths), words[1:]
    if config_text is None or not (config_text.endswith(".toml") or config_text.lstrip().startswith("{")):
        raise ConfigError("which Config? Name a pipeline (module:function), or --config FILE.toml")
    return None, _config(config_text, None, ""), words


@main.command("inspect")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--rows", type=click.IntRange(min=0), default=5, show_default=True, help="Rows to show.")
@JSON
def _inspect(path: Path, rows: int, as_json: bool) -> None:
    """Show what a file holds: columns, types, rows, and what a partial says of how it was made.

    \b
      vizflow inspect partials/20240102.parquet
      vizflow inspect days/20240102.feather --rows 20
    """  # noqa: D301
    with _work():
        lf = io.scan(path)
        with io.reading(path):
            height = int(lf.select(pl.len()).collect().item())
            head = lf.head(rows).collect()
        columns = {name: str(dtype) for name, dtype in lf.collect_schema().items()}
        made = _made(path)
        counts = _counts.stored(made)
    if as_json:
        _print_json(
            {"path": str(path), "bytes": path.stat().st_size, "rows": height, "columns": columns, "made": made}
            | {"counts": counts, "head": head.to_dicts()}
        )
        return
    click.echo(f"{path}: {height:,} rows, {len(columns)} columns, {path.stat().st_size:,} bytes")
    for name, kind in columns.items():
        click.echo(f"  {name}: {kind}")
    if counts:
        click.echo(f"  made of: {_counts.words(counts)}")
    for key, value in made.items():
        click.echo(f"  [{key}] {value if len(value) <= 200 else value[:197] + '...'}")
    if rows:
        with pl.Config(tbl_rows=rows, tbl_cols=-1, tbl_width_chars=160, tbl_hide_dataframe_shape=True):
            click.echo(str(head))


def _made(path: Path) -> dict[str, str]:
    if path.suffix.lower() != ".parquet":
        return {}
    metadata = pl.read_parquet_metadata(path)
    return {key: value for key, value in sorted(metadata.items()) if key.startswith("vizflow.")}


@main.command("calendar")
@click.option("--market", default="CN", show_default=True, help="The market whose calendar to show.")
@click.option("--file", type=click.Path(path_type=Path), help="A calendar file, in place of the market's.")
@click.option("--days", type=click.Path(path_type=Path), help="A folder of day files, in place of the market's.")
@click.option("--pattern", default="{date}.feather", show_default=True, help="How the files of --days are named.")
@_FIRST(help="List no day before this one.")
@_LAST(help="List no day after this one.")
@JSON
def _calendar(
    market: str,
    file: Path | None,
    days: Path | None,
    pattern: str,
    first: str | None,
    last: str | None,
    as_json: bool,
) -> None:
    """List trading days, one a line.

    Of a market, what is known comes first; without --from, that is all.

    \b
      vizflow calendar --market KR --from 20240101 --to 20240131
      vizflow calendar --days demo-output/days
      vizflow calendar --file my-calendar.csv --from 20240101 --to 20240131
    """  # noqa: D301
    with _usage():
        if file is None and days is None and not as_json:
            click.echo(calendar.show(market, first, last))
            return
        if file is not None:
            known = calendar.load(file)
        else:
            known = calendar.from_files(days, pattern) if days is not None else calendar.get(market)
        dates = known["date"].dt.strftime("%Y%m%d").to_list()
        found = calendar.range(first or dates[0], last or dates[-1], known) if dates else []
    if as_json:
        _print_json(found)
    elif found:
        click.echo("\n".join(found))


@main.command("check")
@click.argument("words", nargs=-1, metavar="[PIPELINE] [YYYYMMDD]...")
@FROM
@TO
@CONFIG
@PATH
@click.option("--key", "keys", multiple=True, help="Column that identifies a row, with others given; repeatable.")
@JSON
def _check(
    words: Sequence[str],
    first: str | None,
    last: str | None,
    config_text: str | None,
    paths: Sequence[Path],
    keys: Sequence[str],
    as_json: bool,
) -> None:
    """Look for what is wrong in the days' files: drift of columns and types, duplicates, nulls, bad books and times.

    Exits with 1 where something that was found is an error.

    \b
      vizflow check job.py:process_day
      vizflow check --config settings.toml 20240102 20240103
    """  # noqa: D301
    with _usage():
        _, config, dates = _maybe_pipeline(words, config_text, paths)
        chosen = _dates(config, dates, first, last)
    with _work():
        report = vizflow.check(config, chosen, keys=list(keys) or None)
    click.echo(report.to_json() if as_json else str(report))
    if not report.ok:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)


@main.command("reduce")
@click.argument("partials", nargs=-1, required=True, metavar="PARTIAL|FOLDER...")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Where to save the result; else it is printed.")
@click.option("--by", type=click.Choice(["date", "month", "year"]), help="Keep dates, months or years apart.")
@click.option("--key", "keys", multiple=True, help="Of the partials' group_by columns, one to keep; repeatable.")
@_FIRST(help="Leave out earlier dates.")
@_LAST(help="Leave out later dates.")
@JSON
def _reduce(
    partials: Sequence[str],
    output: Path | None,
    by: Literal["date", "month", "year"] | None,
    keys: Sequence[str],
    first: str | None,
    last: str | None,
    as_json: bool,
) -> None:
    """Merge the partials of many dates into one, exactly as if all rows had been aggregated at once.

    \b
      vizflow reduce partials/ -o all.parquet
      vizflow reduce partials/ --by month --key orderSide --from 20240101 --to 20241231
    """  # noqa: D301
    with _usage():
        if (first is None) != (last is None):
            raise ConfigError("--from and --to go together")
        span = (check_date(first), check_date(last)) if first and last else None
    with _work():
        result = vizflow.reduce(list(partials) if len(partials) > 1 else partials[0], by, span, list(keys) or None)
        if output is not None:
            vizflow.save(result, output)
        frame = (vizflow.scan(output) if output is not None else result).collect()
    if as_json:
        _print_json({"rows": frame.height, "path": str(output)} if output else frame.to_dicts())
    else:
        click.echo(f"{output}: {frame.height:,} rows" if output else str(frame))


@main.command("demo")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("demo-output"), show_default=True, help="Folder."
)
@click.option("--rows", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Rows a day.")
@click.option("--symbols", type=click.IntRange(min=1), default=5_000, show_default=True, help="Symbols.")
@click.option("--dates", default="20240102 20240103 20240104", show_default=True, help="Days to make.")
@click.option("--serve", is_flag=True, help="Open the explorer on the result at the end.")
def _demo(output: Path, rows: int, symbols: int, dates: str, serve: bool) -> None:
    """Generate realistic days, run the whole job over them, and write the reports.

    Nothing is downloaded. The last day is a hot one: three times the rows.
    """
    from vizflow import showcase

    with _usage():
        chosen = dates_.check_dates(dates.replace(",", " ").split())
    with _work():
        showcase.show(output, chosen, rows, symbols, serve=serve)


@main.command("explore")
@click.argument("partials", nargs=-1, required=True, metavar="PARTIAL|FOLDER...")
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface; others than 127.0.0.1 have no login.")
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True, help="0 takes a free one.")
@click.option("--title", help="What the page is called (default: the folder's name).")
@click.option("--unit", "units", multiple=True, metavar="NAME=UNIT", help="How a column is shown: alpha1=bp.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="A name the page may be asked under.")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def _explore(
    partials: tuple[str, ...],
    host: str,
    port: int,
    title: str | None,
    units: tuple[str, ...],
    hosts: tuple[str, ...],
    no_browser: bool,
) -> None:
    """Explore partials in the browser: served on this machine only, until Ctrl-C.

    \b
      vizflow explore partials/
      vizflow explore partials/ --unit alpha1=bp --port 0
    """  # noqa: D301
    from vizflow.viz import explorer

    shown = {}
    with _usage():
        for item in units:
            name, equals, unit = item.partition("=")
            if not (name and equals and unit):
                raise ConfigError(f"--unit {item!r}: NAME=UNIT is accepted, for example alpha1=bp")
            shown[name] = unit
    with _work():
        explorer.serve(
            partials[0] if len(partials) == 1 else list(partials),
            host=host,
            port=port,
            title=title,
            units=shown,
            allowed_hosts=list(hosts),
            open_browser=not no_browser,
        )
