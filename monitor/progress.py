"""Progress bars: on a terminal only, always on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from alerts.text import plain
from warehouse.records import Listing


def progress_bar() -> Progress:
    """A bar for long work; it shows nothing where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def listing_progress(publishers: int) -> Iterator[Callable[[Listing], None]]:
    """What to call with each listing of a walk."""
    with progress_bar() as bar:
        task = bar.add_task("collecting", total=publishers)
        yield lambda listing: bar.update(task, advance=1, description=f"collecting {plain(listing.publisher, 30):30}")
