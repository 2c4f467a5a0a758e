"""Output on the console, visible and in any encoding; information and warnings as log lines.

Modules of the library log by `logging.getLogger(__name__)` and configure nothing. Commands and jobs
show their lines within `shown`: information on standard output, warnings on standard error.
"""

import codecs
import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TextIO, cast

from remedis.visible_text import VisibleStream, visible

LIBRARY = logging.getLogger("remedis")
PROGRESS = "remedis.progress"

# What stands for a character that the encoding of the console lacks; others are escaped.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        **dict.fromkeys("\u2018\u2019", "'"),
        **dict.fromkeys("\u201c\u201d", '"'),
        **dict(zip("\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588", "12345678", strict=True)),
        "\u2026": "...",
        "\u2022": "*",
        "\u2500": "-",
        "\u2501": "-",
        "\u2502": "|",
        "\u2264": "<=",
        "\u2265": ">=",
        "\u00b1": "+/-",
        "\u00d7": "x",
        "\u00b5": "u",
        "\u03bc": "u",
    }
)
_HANDLER = "remedis.plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replaces what cannot be encoded by plain characters, or else by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(_HANDLER, _plain)


@contextlib.contextmanager
def any_text() -> Iterator[None]:
    """Makes every text printable in the block, in any encoding of the console.

    The encoding may be ASCII or that of a Windows code page, and a file name may have bytes that
    are not UTF-8, or escape sequences for a terminal (`visible_text`).
    """
    streams = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    changed = [s for s in streams.values() if hasattr(s, "reconfigure")]
    before = [stream.errors for stream in changed]
    for stream in changed:
        stream.reconfigure(errors=_HANDLER)
    shown = {
        name: VisibleStream(stream)
        for name, stream in streams.items()
        if stream is not None and not isinstance(stream, VisibleStream)
    }
    for name, stream in shown.items():
        setattr(sys, name, stream)
    try:
        yield
    finally:
        for name, stream in shown.items():
            if getattr(sys, name) is stream:
                setattr(sys, name, streams[name])
        for stream, errors in zip(changed, before, strict=True):
            if not getattr(stream, "closed", False):
                stream.reconfigure(errors=errors)


def show_last_traceback(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Prints the traceback that ends the program; a `sys.excepthook`."""
    with any_text():
        sys.__excepthook__(kind, error, traceback)


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
            stream = cast(TextIO, getattr(sys, self._stream_name))
            stream.write(f"{visible(self.format(record), lines=True)}\n")
            stream.flush()
        except Exception:
            self.handleError(record)


class _Format(logging.Formatter):
    """Formats information as the bare line and the rest with its level, in lower case.

    A record is one line, and a traceback below it: the end of a line in a name begins no other.
    """

    def __init__(self, names: bool) -> None:
        super().__init__("%(name)s: %(message)s" if names else "%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return visible(super().formatMessage(record))

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
