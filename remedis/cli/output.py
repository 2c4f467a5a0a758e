"""Standard output of commands and jobs: text, and tables in the width of the terminal."""

from rich.console import Console, RenderableType

WIDTH = 110  # columns without a terminal, as in a log; the widest table needs somewhat fewer


def show(report: RenderableType) -> None:
    """Prints a report; text as it is, tables as wide as the terminal.

    Without a terminal, as in a log, there are no colours and the width is enough for every table;
    rich would take 80 columns and cut tables off.
    """
    if isinstance(report, str):
        print(report)
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, WIDTH))
    # Lines that must not be wrapped, such as those with paths, may be longer than the width.
    console.print(report, highlight=False, crop=False)
