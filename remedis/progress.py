"""Progress of long work with the time left: bars on a terminal, a log line now and then elsewhere.

The time left follows from the steps of this process: those that an earlier process finished count
as done, not as fast. The first step is left out, since it traces functions and fills caches.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from remedis.visible_text import unfiltered, visible

SECONDS_BETWEEN_LINES = 10.0  # at first
_SLOWEST = 6  # times as far apart are the lines of work that lasts for hours
_SHARE = 30  # lines are as far apart as this part of the time so far, within these limits
_SECONDS_BETWEEN_UPDATES = 1.0  # of a bar's words
_LOG = logging.getLogger(__name__)

Words = str | Callable[[], str]
_BAR: ContextVar[Progress | None] = ContextVar("_BAR", default=None)
_OUTER: ContextVar[bool] = ContextVar("_OUTER", default=False)


class Report(Protocol):
    """A function that shows progress."""

    def __call__(self, done: int, status: Words, left: Words | None = None) -> None:
        """Shows that `done` steps are finished.

        Args:
          done: number of finished steps, with those before this process.
          status: a few words on the state of the work, such as the unit of the steps; a function is
            called only when its words are shown.
          left: the time left, where it is known better than by the mean time per step; empty for
            unknown.
        """


@contextlib.contextmanager
def progress(title: str, total: int, done: int = 0, *, even: bool = False) -> Iterator[Report]:
    """Yields a function to call after each step.

    Within another work that shows progress, a terminal has one bar per work, and elsewhere only
    work that takes longer than `SECONDS_BETWEEN_LINES` has lines.

    Args:
      title: of the work.
      total: number of steps.
      done: steps finished before, e.g. by a killed run.
      even: whether the first step of this process takes as long as the others; else it is left out
        of the mean.
    """
    pace = _Pace(total, done if even else None)
    bar, nested = _BAR.get(), _OUTER.get()
    _OUTER.set(True)
    try:
        if bar is not None:
            yield from _task(bar, title, pace, done)
            return
        console = Console(file=unfiltered(sys.stderr))
        quiet = logging.getLogger("remedis").level > logging.INFO
        if nested or quiet or not console.is_terminal:
            yield _lines(title, pace, nested)
            return
        # Names in brackets are no markup of rich's.
        title_column = TextColumn("{task.description}", markup=False)
        words_column = TextColumn("{task.fields[words]}", markup=False)
        columns = (title_column, BarColumn(20), MofNCompleteColumn(), words_column)
        with Progress(*columns, console=console) as bar:
            _BAR.set(bar)
            try:
                yield from _task(bar, title, pace, done, keep=True)
            finally:
                _BAR.set(None)
    finally:
        _OUTER.set(nested)


class Speed:
    """Steps per second of this process since its first report, which is left out of the mean."""

    def __init__(self, unit: str) -> None:
        """Takes the unit of the steps, such as `images`."""
        self._unit = unit
        self._since: tuple[int, float] | None = None

    def words(self, done: int) -> str:
        """Returns the unit and the speed: `images, 35 per second`; the unit alone at first."""
        now = time.monotonic()
        if self._since is None:
            self._since = done, now
        steps, start = self._since
        if done <= steps or now <= start:
            return self._unit
        speed = (done - steps) / (now - start)
        return (
            f"{self._unit}, {speed:,.0f} per second"
            if speed >= 10
            else (f"{self._unit}, {speed:.2g} per second")
        )


def duration(seconds: float) -> str:
    """Returns for example `40 s`, `12 min`, `3.5 h` or `2.5 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:.1f} days"


class _Pace:
    """The mean time per step of this process: from `done` steps on, or from its first report."""

    def __init__(self, total: int, done: int | None) -> None:
        self.total = total
        self._since = None if done is None else (done, time.monotonic())

    def seconds_left(self, done: int) -> float | None:
        """Returns the time left after `done` steps; None if there is no mean yet."""
        now = time.monotonic()
        if self._since is None:
            self._since = done, now
        steps, start = self._since
        if done <= steps:
            return None
        return (now - start) / (done - steps) * (self.total - done)

    def words(self, done: int, status: Words, left: Words | None) -> str:
        """Returns the status, and the time left, in words."""
        seconds = self.seconds_left(done)
        if done >= self.total:
            remaining = ""
        elif left is not None:
            remaining = _text(left)
        else:
            remaining = "" if seconds is None else f"about {duration(seconds)} left"
        return ", ".join(filter(None, (_text(status), remaining)))


def _text(words: Words) -> str:
    return words if isinstance(words, str) else words()


def _task(
    bar: Progress, title: str, pace: _Pace, done: int, keep: bool = False
) -> Iterator[Report]:
    """Yields the report of one bar; the bar of nested work goes when the work is done."""
    task = bar.add_task(visible(title), total=pace.total, completed=done, words="")
    last = -_SECONDS_BETWEEN_UPDATES

    def report(done: int, status: Words, left: Words | None = None) -> None:
        nonlocal last
        pace.seconds_left(done)
        bar.update(task, completed=done)
        if done >= pace.total or time.monotonic() - last >= _SECONDS_BETWEEN_UPDATES:
            last = time.monotonic()
            bar.update(task, words=visible(pace.words(done, status, left)))

    try:
        yield report
    finally:
        if not keep:
            bar.remove_task(task)


def _lines(title: str, pace: _Pace, nested: bool) -> Report:
    start = last = time.monotonic()

    def report(done: int, status: Words, left: Words | None = None) -> None:
        nonlocal last
        pace.seconds_left(done)
        now = time.monotonic()
        shortest = SECONDS_BETWEEN_LINES
        wait = min(max(shortest, (now - start) / _SHARE), _SLOWEST * shortest)
        # Work of one step, and short work within another, has no progress to show.
        ends = done >= pace.total > 1 and (not nested or now - start >= shortest)
        if ends or now - last >= wait:
            last = now
            _LOG.info(f"{title} {done:,}/{pace.total:,} {pace.words(done, status, left)}")

    return report
