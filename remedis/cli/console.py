"""Log lines on the console: information on standard output, warnings on standard error.

Modules of the library log by `logging.getLogger(__name__)` and configure nothing. Commands and jobs
show their lines within `shown`.
"""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

LIBRARY = logging.getLogger("remedis")
PROGRESS = "remedis.progress"


class _Lines(logging.Handler):
    """Writes one record after the other to a stream of `sys`, looked up each time.

    A progress bar on a terminal replaces `sys.stdout` and `sys.stderr` while it is drawn.
    """

    def __init__(self, name: str, shows: Callable[[logging.LogRecord], bool]) -> None:
        super().__init__()
        self._stream_name = name
        self.addFilter(shows)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream: TextIO = getattr(sys, self._stream_name)
            stream.write(f"{self.format(record)}\n")
            stream.flush()
        except Exception:
            self.handleError(record)


class _Format(logging.Formatter):
    """Formats information as the bare line and the rest with its level, in lower case."""

    def __init__(self, names: bool) -> None:
        super().__init__("%(name)s: %(message)s" if names else "%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line if record.levelno == logging.INFO else f"{record.levelname.lower()}: {line}"


@contextlib.contextmanager
def shown(
    quiet: bool = False, verbose: bool = False, information_on_stderr: bool = False
) -> Iterator[None]:
    """Shows the library's log lines in the block; leaves logging as it was before.

    INFO is a bare line on standard output; WARNING and above are `warning: ...` on standard error.
    Progress is on standard error, too.

    Args:
      quiet: show warnings only.
      verbose: show debugging lines too, and the name of the logger in every line; has precedence.
      information_on_stderr: leave standard output to the command, such as for JSON.
    """
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO

    def on_stdout(record: logging.LogRecord) -> bool:
        progress = record.name == PROGRESS
        return record.levelno <= logging.INFO and not progress and not information_on_stderr

    handlers = (
        _Lines("stdout", on_stdout),
        _Lines("stderr", lambda record: not on_stdout(record)),
    )
    before = (LIBRARY.handlers[:], LIBRARY.level, LIBRARY.propagate)
    for handler in handlers:
        handler.setFormatter(_Format(names=verbose))
    # The handlers of the root logger, such as absl's, would write every line a second time.
    LIBRARY.handlers, LIBRARY.propagate = list(handlers), False
    LIBRARY.setLevel(level)
    try:
        yield
    finally:
        LIBRARY.handlers, LIBRARY.propagate = before[0], before[2]
        LIBRARY.setLevel(before[1])
