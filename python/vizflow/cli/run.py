"""The commands of ``vizflow``, on click.

Not imported but by `vizflow.cli`, since click is an extra; not for what the commands do.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from vizflow import errors
from vizflow.cli.options import (
    CONFIG,
    DATES,
    FROM,
    JSON,
    PATH,
    PIPELINE,
    TO,
    WorkFailed,
    dates_of,
    load,
    main,
    print_json,
    usage,
    work,
)
from vizflow.dates import check_date
from vizflow.errors import ConfigError, StorageError
from vizflow.jobs import batch, cluster, counts
from vizflow.jobs.batch import BatchError, BatchReport
from vizflow.run import run as run_date
from vizflow.run import run_batch, run_cluster

# ---- the program ---------------------------------------------------------------------------------------------------


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
    with usage():
        if chdir is not None:
            _chdir(chdir)
        function, config = load(pipeline, config_text, paths)
        check_date(date)
        if config_id is not None and cluster.config_id(config) != config_id:
            raise ConfigError(
                f"the Config that {pipeline.rpartition(':')[0]} holds is not the one this job was made for "
                f"({cluster.config_id(config)}, not {config_id}): it was changed after it was made, or the file was; "
                "set all of it where it is made, and make the commands again"
            )
        target = None if no_save else config.get_partial_path(date)
        config.get_file_path(date)
    with work():
        if target is None:
            result = run_date(function, config, date, save=False)
            print_json({"date": date, "rows": result.to_dicts()}) if as_json else click.echo(str(result))
            return
        said = batch.run_one(function, config, date, skip_existing=skip_existing)
    if said["status"] == "failed":
        if said.get("traceback"):
            logging.getLogger("vizflow").info("%s", said["traceback"])
        if as_json:
            print_json(said)
        own = said["error"].partition(":")[0] in errors.__all__  # which say enough
        raise WorkFailed(said["error"] if own else f"{said['error']} (-v shows the traceback)")
    if as_json:
        print_json({"path": str(target), **said})
    elif said["status"] == "empty":
        click.echo(f"{target}: empty: {counts.words(said['counts'])}")
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
    with usage():
        function, config = load(pipeline, config_text, paths)
        chosen = dates_of(config, dates, first, last)
        config.get_partial_path(chosen[0])
        executor = _executor(engine, address, settings)
    failed = False
    try:
        with work():
            report = run_batch(
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
        print_json(report.to_dict() | {"path": str(report.path) if report.path else None})
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
    with usage():
        function, config = load(pipeline, config_text, paths)
        chosen = dates_of(config, dates, first, last)
        commands = run_cluster(function, config, chosen, template=template, python=python, skip_existing=skip_existing)
    if as_json:
        print_json([{"date": date, "command": command} for date, command in zip(chosen, commands, strict=True)])
    else:
        click.echo("\n".join(commands))


# ---- looking -------------------------------------------------------------------------------------------------------
