"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0


class Report(Protocol):
    """Tells that step `done` is finished, with a few words on how it goes."""

    def __call__(self, done: int, status: str) -> None:
        """Reports."""


@contextlib.contextmanager
def progress(title: str, total: int, done: int = 0) -> Iterator[Report]:
    """Yields a function to call after each step.

    Args:
      title: what is going on.
      total: number of steps.
      done: steps finished before, e.g. by a run that was killed.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(title, total)
        return
    status_column = TextColumn("{task.fields[status]}")
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, status_column, console=console) as bar:
        task = bar.add_task(title, total=total, completed=done, status="")
        yield lambda finished, status: bar.update(task, completed=finished, status=status)


def _lines(title: str, total: int) -> Report:
    last = -SECONDS_BETWEEN_LINES

    def report(done: int, status: str) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{title} {done}/{total} {status}".rstrip(), file=sys.stderr, flush=True)

    return report
