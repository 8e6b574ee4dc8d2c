"""What all commands share: options, errors, tables. Not for any one command."""

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
from typing import Any

import click
import polars as pl

from vizflow import calendar
from vizflow import dates as _dates
from vizflow._core import version
from vizflow.config import Config
from vizflow.dates import check_date
from vizflow.errors import ConfigError, Error
from vizflow.files import json
from vizflow.jobs import pipelines, settings
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
    """Return whether it was what is printed that could not be written: errors of files name them."""
    of_output = (errno.EPIPE, errno.ENOSPC, errno.EIO)
    return isinstance(error, OSError) and error.filename is None and error.errno in of_output


def _without_output(code: int) -> int:
    """Give up standard output, so that what is left in its buffer fails nobody at the end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stdout.flush()
    return code


@contextmanager
def usage() -> Iterator[None]:
    """Take errors in what was asked for as wrong usage."""
    try:
        yield
    except Error as error:
        raise WrongUsage(f"{type(error).__name__}: {error}") from error


@contextmanager
def work() -> Iterator[None]:
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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version, "--version", message="vizflow %(version)s")
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


FIRST, LAST = (partial(click.option, *names, metavar="YYYYMMDD") for names in (("--from", "first"), ("--to", "last")))


FROM, TO = FIRST(help="First date, where no dates are listed."), LAST(help="Last date, where no dates are listed.")


JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout, and nothing else.")
PATH = click.option(
    "--path", "paths", multiple=True, type=click.Path(path_type=Path), help="Folder to import modules from; repeatable."
)


def load(pipeline: str, config_text: str | None, paths: Sequence[Path] = ()) -> tuple[Pipeline, Config]:
    """Return the pipeline function and its config."""
    for path in paths:
        sys.path.insert(0, str(path.resolve()))
    module, function = pipelines.load(pipeline)
    return function, config_of(config_text, module, pipeline)


def config_of(text: str | None, module: ModuleType | None, pipeline: str) -> Config:
    """Return the config that `--config` means: JSON, a TOML file, or a name in the pipeline's module."""
    if text is not None and text.lstrip().startswith("{"):
        return _with_metrics(settings.from_json(text), module)
    if text is not None and text.endswith(".toml"):
        return _with_metrics(settings.read_toml(Path(text)), module)
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


def dates_of(config: Config, dates: Sequence[str], first: str | None, last: str | None) -> list[str]:
    """Return the dates that were listed, or those that there are between two."""
    if dates:
        if first or last:
            raise ConfigError("--from and --to choose among the dates there are; here dates are listed too")
        return _dates.check_dates(dates)
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


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.text(value))


def print_table(frame: pl.DataFrame) -> None:
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
