"""Reports of texts and tables as plain text and HTML: for consoles, files and notebooks."""

import copy
import dataclasses
import io

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Column, Row, Table
from rich.text import Text

from remedis.visible_text import visible

WIDTH = 110  # columns without a terminal, as in a log; the widest table needs somewhat fewer
# Of a table on the console: the first rows, and the last, one of which is often a mean.
_FIRST_ROWS, _LAST_ROWS = 50, 3
_BETWEEN = 3  # characters between two columns
_LONGEST_TEXT = 2000  # characters on the console
_PLAIN = Console(file=io.StringIO())  # knows the names of styles
# The page around a report brings fonts and colours.
_IN_A_NOTEBOOK = '<pre style="overflow-x:auto;line-height:1.3">{code}</pre>'


def text(report: RenderableType) -> str:
    """Returns a report as it is printed without a terminal."""
    return _recorded(brief_report(report)).export_text().rstrip()


def notebook_html(report: RenderableType) -> str:
    """Returns a report as the HTML that a notebook shows."""
    console = _recorded(brief_report(report))
    return console.export_html(inline_styles=True, code_format=_IN_A_NOTEBOOK)


def page_html(report: RenderableType) -> str:
    """Returns a whole report as a page of HTML; it needs no network."""
    return _recorded(report).export_html(inline_styles=True)


def whole_text(report: RenderableType) -> str:
    """Returns a whole report as text."""
    return _recorded(report).export_text()


def _recorded(report: RenderableType) -> Console:
    # In a notebook, rich would show what is printed here, too.
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_jupyter=False)
    print_report(console, visible_report(report))
    return console


def print_report(console: Console, report: RenderableType) -> None:
    """Prints a report on a console of rich's.

    A table whose columns do not fit into a narrow terminal is wider than it, up to `WIDTH`: rich
    would drop the names of its rows.
    """
    # Lines that must not be wrapped, such as those with paths, may be longer than the width.
    console.print(_kept_whole(console, report), highlight=False, crop=False)


def _kept_whole(console: Console, report: RenderableType) -> RenderableType:
    if isinstance(report, Group):
        return Group(*(_kept_whole(console, part) for part in report.renderables))
    if not isinstance(report, Table) or console.width >= WIDTH:
        return report
    needed = sum(_least_width(console, column) + _BETWEEN for column in report.columns)
    if needed <= console.width:
        return report
    table = copy.copy(report)
    table.width = min(needed, WIDTH)
    return table


def _least_width(console: Console, column: Column) -> int:
    """Returns the characters below which numbers of a column would be cut."""
    if column.overflow == "fold":
        return column.min_width or 1
    options = console.options.update(max_width=WIDTH)
    sizes = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
    of_cells = max(size.maximum if column.no_wrap else size.minimum for size in sizes)
    return max(of_cells, column.min_width or 0)


def brief_report(report: RenderableType) -> RenderableType:
    """Returns a report for a console: long tables without the rows in their middle, long texts cut.

    Hundreds of labels are hundreds of rows. Files and JSON have all of them.

    Args:
      report: texts, tables and groups of them.
    """
    if isinstance(report, Text) and len(report) > _LONGEST_TEXT:
        return Text.assemble(report[:_LONGEST_TEXT], f"... ({len(report) - _LONGEST_TEXT:,} more)")
    if isinstance(report, Group):
        return Group(*map(brief_report, report.renderables))
    if not isinstance(report, Table) or report.row_count <= _FIRST_ROWS + _LAST_ROWS + 1:
        return report
    table = copy.copy(report)
    left_out = report.row_count - _FIRST_ROWS - _LAST_ROWS
    marks = [Text(f"... {left_out:,} more")] + [Text("...")] * (len(report.columns) - 1)
    table.columns = [
        dataclasses.replace(
            column,
            _cells=[*column._cells[:_FIRST_ROWS], mark, *column._cells[-_LAST_ROWS:]],
        )
        for column, mark in zip(report.columns, marks, strict=True)
    ]
    table.rows = [*report.rows[:_FIRST_ROWS], Row(style="dim"), *report.rows[-_LAST_ROWS:]]
    return Group(table, Text(f"The table has {left_out:,} more rows; files and JSON have all."))


def visible_report(report: RenderableType) -> RenderableType:
    """Returns a report whose texts are visible (`visible_text`); each stays on its line.

    Args:
      report: texts, tables and groups of them.
    """
    if isinstance(report, Text):
        return _visible_line(report)
    if isinstance(report, Group):
        return Group(*map(visible_report, report.renderables))
    if isinstance(report, Table):
        table = copy.copy(report)
        table.title = report.title and visible_report(report.title)  # type: ignore[assignment]
        table.columns = [
            dataclasses.replace(
                column,
                header=visible_report(column.header),
                _cells=list(map(visible_report, column.cells)),
            )
            for column in report.columns
        ]
        return table
    assert isinstance(report, str), report
    return visible(report)


def _visible_line(text: Text) -> Text:
    """Returns a text in which escapes stand for what acts, in the colours of the text."""
    if visible(text.plain) == text.plain:
        return text
    characters = list(text.divide(range(1, len(text))))
    shown = text.blank_copy()
    for character in characters:
        shown.append(visible(character.plain), character.get_style_at_offset(_PLAIN, 0))
    return shown
