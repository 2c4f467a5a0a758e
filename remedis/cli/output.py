"""Output of commands and jobs: text and tables on standard output, and the same in files.

A command that prints tables takes `--json`, which prints all values for programs, and `--out=FILE`
(`--table` where `--out` names something else), whose ending names the form: `.json` has all values,
`.csv` the tables as rows, `.txt` and `.html` the report as it is printed.
"""

import argparse
import dataclasses
import json
import logging
import math
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis import csv_text, files
from remedis.errors import UserError
from remedis.reporting import report_text
from remedis.visible_text import unfiltered

SUFFIXES = (".json", ".csv", ".txt", ".html")
_LOG = logging.getLogger(__name__)


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
        console = Console(file=terminal, width=max(console.width, report_text.WIDTH))
    report = report_text.visible_report(report_text.brief_report(report))
    report_text.print_report(console, report)


def line(text: str) -> Text:
    """Returns a line that is printed as it is, however long, so that a path can be copied."""
    return Text(text, no_wrap=True, overflow="ignore")


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


def show_json(values: object) -> None:
    """Prints values as JSON, and nothing else.

    Args:
      values: as for `show_table`.
    """
    print(_json(values))


def show_table(parsed: argparse.Namespace, report: RenderableType, values: object) -> None:
    """Prints a report or its values, and writes them if the command line asks for a file.

    Args:
      parsed: with the arguments of `add_table_arguments`.
      report: for people.
      values: the same for programs: dicts, lists, dataclasses, numbers, text.
    """
    if parsed.json:
        show_json(values)
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
    if suffix == ".json":
        text = _json(values) + "\n"
    elif suffix == ".csv":
        text = _csv(report_text.visible_report(report))
    elif suffix == ".html":
        text = report_text.page_html(report)
    else:
        text = report_text.whole_text(report)
    with files.whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
