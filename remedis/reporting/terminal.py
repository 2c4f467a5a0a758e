"""Where tables are printed."""

from rich.console import Console

WIDTH = 110  # columns of a log; the widest table has somewhat fewer


def console() -> Console:
    """Returns standard output: as wide as the terminal, or wide enough for every table in a log.

    Without a terminal there are no colours, and rich would take 80 columns and cut tables off.
    """
    out = Console()
    return out if out.is_terminal else Console(width=max(out.width, WIDTH))
