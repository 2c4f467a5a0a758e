"""Output of commands and jobs: text and tables on standard output, and the same in files.

A command that prints tables takes `--json`, which prints all values for programs, and `--out=FILE`
(`--table` where `--out` names something else), whose ending names the form: `.json` has all values,
`.csv` the tables as rows, `.txt` and `.html` the report as it is printed.
"""

import argparse
import copy
import dataclasses
import io
import json
import logging
import math
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Row, Table
from rich.text import Text

from remedis import csv_text, files
from remedis.errors import UserError
from remedis.visible_text import unfiltered, visible

WIDTH = 110  # columns without a terminal, as in a log; the widest table needs somewhat fewer
SUFFIXES = (".json", ".csv", ".txt", ".html")
# Of a table on the console: the first rows, and the last, one of which is often a mean.
_FIRST_ROWS, _LAST_ROWS = 50, 3
_LONGEST_TEXT = 2000  # characters on the console
_LOG = logging.getLogger(__name__)
_PLAIN = Console(file=io.StringIO())  # knows the names of styles


def show(report: RenderableType) -> None:
    """Prints a report; text as it is, tables as wide as the terminal.

    Without a terminal, as in a log, there are no colours and the width is enough for every table;
    rich would take 80 columns and cut tables off.
    """
    if isinstance(report, str):
        print(report)
        return
    terminal = unfiltered(sys.stdout)
    console = Console(file=terminal)
    if not console.is_terminal:
        console = Console(file=terminal, width=max(console.width, WIDTH))
    _print(console, visible_report(brief_report(report)))


def line(text: str) -> Text:
    """Returns a line that is printed as it is, however long, so that a path can be copied."""
    return Text(text, no_wrap=True, overflow="ignore")


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


def add_table_arguments(parser: argparse.ArgumentParser, file_option: str = "--out") -> None:
    """Adds `--json` and the option of a file to a command that prints tables; see `show_table`.

    Args:
      parser: of the command.
      file_option: name of the option of the file, if `--out` names something else.
    """
    parser.add_argument(
        "--json", action="store_true", help="print all values as JSON, and nothing else"
    )
    parser.add_argument(
        file_option,
        dest="table_file",
        type=_table_file,
        metavar="FILE",
        help=f"also write the report: {', '.join(SUFFIXES)} (all values; tables; as printed)",
    )


def show_table(parsed: argparse.Namespace, report: RenderableType, values: object) -> None:
    """Prints a report or its values, and writes them if the command line asks for a file.

    Args:
      parsed: with the arguments of `add_table_arguments`.
      report: for people.
      values: the same for programs: dicts, lists, dataclasses, numbers, text.
    """
    if parsed.json:
        print(_json(values))
    else:
        show(report)
    if parsed.table_file is not None:
        _write(parsed.table_file, report, values)
        _LOG.info(f"The report is in {parsed.table_file}.")


def _table_file(path: str) -> str:
    """Returns a path whose ending names a form, for argparse."""
    if pathlib.Path(path).suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"{path!r} does not end in one of {', '.join(SUFFIXES)}")
    if os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"{path!r} is a directory; expected a file to write")
    return path


def _write(path: str, report: RenderableType, values: object) -> None:
    suffix = pathlib.Path(path).suffix.lower()
    report = visible_report(report)
    if suffix == ".json":
        text = _json(values) + "\n"
    elif suffix == ".csv":
        text = _csv(report)
    else:
        console = Console(record=True, width=WIDTH, file=io.StringIO())
        _print(console, report)
        # No fonts from elsewhere: a report is read without a network, too.
        html = suffix == ".html"
        text = console.export_html(inline_styles=True) if html else console.export_text()
    with files.whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _print(console: Console, report: RenderableType) -> None:
    # Lines that must not be wrapped, such as those with paths, may be longer than the width.
    console.print(report, highlight=False, crop=False)


def _json(values: object) -> str:
    return json.dumps(_plain(values), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    """Returns values of JSON; what is not finite becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _csv(report: RenderableType) -> str:
    """Returns the tables of a report as rows of cells, with their titles; an empty row between."""
    tables = list(_tables(report))
    if not tables:
        raise UserError("This report has no tables for a .csv file; name a .json or .txt file.")
    rows: list[Sequence[str]] = []
    for i, table in enumerate(tables):
        if i:
            rows.append([])
        if table.title:
            rows.append([_cell(table.title)])
        if table.show_header:
            rows.append([_cell(column.header) for column in table.columns])
        rows += zip(*(map(_cell, column.cells) for column in table.columns), strict=True)
    return csv_text.table(rows)


def _tables(report: RenderableType) -> Iterator[Table]:
    if isinstance(report, Table):
        yield report
    elif isinstance(report, Group):
        for part in report.renderables:
            yield from _tables(part)


def _cell(cell: RenderableType) -> str:
    if isinstance(cell, Group):  # of several lines
        return "; ".join(map(_cell, cell.renderables))
    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain
