"""The bar of a batch: dates done, rate, time left, failures.

Not for what a batch logs. Drawn by rich where it is installed and the output is a terminal or a notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Advance = Callable[[str, str], None]


@contextmanager
def bar(shown: bool, sizes: Mapping[str, int]) -> Iterator[Advance]:
    """Give a function that is told each date's end; the bar moves by bytes, since days differ in size."""
    if not shown or not sizes:
        yield lambda date, status: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    except ImportError:
        yield lambda date, status: None
        return
    console = Console(stderr=True)
    if not console.is_terminal and not console.is_jupyter:
        yield lambda date, status: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[done]}/{task.fields[dates]} dates"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[{task.fields[colour]}]{task.fields[failed]} failed"),
    )
    with Progress(*columns, console=console) as drawn:
        task = drawn.add_task(
            "", total=sum(map(_weight, sizes.values())), done=0, dates=len(sizes), rate="", failed=0, colour="green"
        )
        counts = {"done": 0, "failed": 0}

        def advance(date: str, status: str) -> None:
            counts["done"] += 1
            counts["failed"] += status == "failed"
            elapsed = drawn.tasks[0].elapsed or 0
            drawn.update(
                task,
                advance=_weight(sizes.get(date, 0)),
                done=counts["done"],
                failed=counts["failed"],
                colour="red" if counts["failed"] else "green",
                rate=_rate(counts["done"], elapsed),
            )

        yield advance


def _weight(size: int) -> int:
    return max(size, 1)


def _rate(done: int, elapsed: float) -> str:
    if elapsed <= 0:
        return ""
    per_second = done / elapsed
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{per_second * 60:.1f}/min"
