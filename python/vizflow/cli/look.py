"""Commands that look at what is there. Not for those that run pipelines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click
import polars as pl

from vizflow import calendar, io
from vizflow import dates as _dates
from vizflow.check import check as checked
from vizflow.cli.options import (
    CONFIG,
    FIRST,
    FROM,
    JSON,
    LAST,
    PATH,
    TO,
    config_of,
    dates_of,
    load,
    main,
    print_json,
    print_table,
    usage,
    work,
)
from vizflow.config import Config
from vizflow.dates import check_date
from vizflow.errors import ConfigError
from vizflow.jobs import counts as _counts
from vizflow.jobs.batch import status as batch_status
from vizflow.jobs.pipelines import Pipeline
from vizflow.partials.reduce import reduce as merged


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
    with usage():
        function, config, dates = _maybe_pipeline(words, config_text, paths)
        chosen = _dates.check_dates(dates) if dates else None
    with work():
        frame = batch_status(config, chosen, pipeline_fn=function)
    shown = frame.filter(pl.col("status") == only) if only else frame
    if as_json:
        print_json(shown.to_dicts())
    else:
        if shown.height:
            print_table(shown)
        counts = dict(frame["status"].value_counts(sort=True).rows())
        click.echo(f"{frame.height} dates: " + (", ".join(f"{n} {word}" for word, n in counts.items()) or "none"))
    if check and set(frame["status"]) - {"done"}:
        raise click.exceptions.Exit(1)


def _maybe_pipeline(
    words: Sequence[str], config_text: str | None, paths: Sequence[Path]
) -> tuple[Pipeline | None, Config, Sequence[str]]:
    if words and ":" in words[0]:
        return *load(words[0], config_text, paths), words[1:]
    if config_text is None or not (config_text.endswith(".toml") or config_text.lstrip().startswith("{")):
        raise ConfigError("which Config? Name a pipeline (module:function), or --config FILE.toml")
    return None, config_of(config_text, None, ""), words


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
    with work():
        lf = io.scan(path)
        with io.reading(path):
            height = int(lf.select(pl.len()).collect().item())
            head = lf.head(rows).collect()
        columns = {name: str(dtype) for name, dtype in lf.collect_schema().items()}
        made = _made(path)
        counts = _counts.stored(made)
    if as_json:
        print_json(
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
@FIRST(help="List no day before this one.")
@LAST(help="List no day after this one.")
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
    with usage():
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
        print_json(found)
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
    with usage():
        _, config, dates = _maybe_pipeline(words, config_text, paths)
        chosen = dates_of(config, dates, first, last)
    with work():
        report = checked(config, chosen, keys=list(keys) or None)
    click.echo(report.to_json() if as_json else str(report))
    if not report.ok:
        sys.stdout.flush()
        raise click.exceptions.Exit(1)


@main.command("reduce")
@click.argument("partials", nargs=-1, required=True, metavar="PARTIAL|FOLDER...")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Where to save the result; else it is printed.")
@click.option("--by", type=click.Choice(["date", "month", "year"]), help="Keep dates, months or years apart.")
@click.option("--key", "keys", multiple=True, help="Of the partials' group_by columns, one to keep; repeatable.")
@FIRST(help="Leave out earlier dates.")
@LAST(help="Leave out later dates.")
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
    with usage():
        if (first is None) != (last is None):
            raise ConfigError("--from and --to go together")
        span = (check_date(first), check_date(last)) if first and last else None
    with work():
        result = merged(list(partials) if len(partials) > 1 else partials[0], by, span, list(keys) or None)
        if output is not None:
            io.save(result, output)
        frame = (io.scan(output) if output is not None else result).collect()
    if as_json:
        print_json({"rows": frame.height, "path": str(output)} if output else frame.to_dicts())
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
    from vizflow.cli import showcase

    with usage():
        chosen = _dates.check_dates(dates.replace(",", " ").split())
    with work():
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
    with usage():
        for item in units:
            name, equals, unit = item.partition("=")
            if not (name and equals and unit):
                raise ConfigError(f"--unit {item!r}: NAME=UNIT is accepted, for example alpha1=bp")
            shown[name] = unit
    with work():
        explorer.serve(
            partials[0] if len(partials) == 1 else list(partials),
            host=host,
            port=port,
            title=title,
            units=shown,
            allowed_hosts=list(hosts),
            open_browser=not no_browser,
        )
