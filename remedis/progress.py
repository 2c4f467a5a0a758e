"""Progress of long work: a bar on a terminal, a log line every few seconds elsewhere."""

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0
_LOG = logging.getLogger(__name__)


class Report(Protocol):
    """A function that shows progress."""

    def __call__(self, done: int, status: str) -> None:
        """Shows that `done` steps are finished, with a few words on the state of the work."""


@contextlib.contextmanager
def progress(title: str, total: int, done: int = 0) -> Iterator[Report]:
    """Yields a function to call after each step.

    Args:
      title: of the work.
      total: number of steps.
      done: steps finished before, e.g. by a killed run.
    """
    console = Console(stderr=True)
    quiet = logging.getLogger("remedis").level > logging.INFO
    if quiet or not console.is_terminal:
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
            _LOG.info(f"{title} {done}/{total} {status}".rstrip())

    return report
