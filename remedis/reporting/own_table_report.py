"""A user's own table as `remedis manifest` shows it: what becomes of the columns, and problems."""

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from remedis.data.own_table import ColumnReading, OwnTable, ValueReading
from remedis.errors import quoted

_MOST_VALUES = 8
_GUESS = "?"


def own_table_report(own: OwnTable) -> RenderableType:
    """Returns the columns with their values, then the problems, numbered."""
    name_of_images = f"{len(own.table):,} {'row' if len(own.table) == 1 else 'rows'}"
    heading = Text(f"{own.path}: {name_of_images}, images in {own.images}", style="bold")
    table = Table("column", "becomes", "values", box=box.SIMPLE_HEAD)
    for column in own.columns:
        values = Group(*map(Text, _values(own, column)))
        table.add_row(Text(quoted(column.column)), Text(_becomes(column)), values)
    lines: list[RenderableType] = [heading, table]
    if own.kept:
        lines.append(Text(f"Kept as they are: {', '.join(map(quoted, own.kept))}."))
    if own.has_guesses:
        lines.append(Text(f"{_GUESS} marks a guess.", style="yellow"))
    for number, problem in enumerate(own.problems, 1):
        kind, style = ("problem", "bold red") if problem.is_serious else ("remark", "yellow")
        lines.append(Text.assemble((f"{number}. {kind}: ", style), problem.sentence))
    return Group(*lines)


def to_json(own: OwnTable) -> dict[str, Any]:
    """Returns the same for programs."""
    return {
        "table": str(own.path),
        "images": str(own.images),
        "rows": len(own.table),
        "columns": [
            {
                "column": column.column,
                "becomes": column.becomes,
                "is_label": column.is_label,
                "guessed": column.guessed,
                "values": [vars(value) for value in column.values],
            }
            for column in own.columns
        ],
        "kept": list(own.kept),
        "labels": list(own.labels),
        "path_prefix": own.form.path_prefix,
        "problems": [vars(problem) for problem in own.problems],
    }


def _becomes(column: ColumnReading) -> str:
    label = "label " if column.is_label else ""
    return f"{label}{column.becomes}{' ' + _GUESS if column.guessed else ''}"


def _values(own: OwnTable, column: ColumnReading) -> list[str]:
    """Returns lines on the values of a column."""
    if column.becomes == "path" and column.remark and own.prefix_is_guessed:
        return [f"{column.remark} {_GUESS}"]
    shown = [_value(value) for value in column.values[:_MOST_VALUES]]
    if (more := len(column.values) - len(shown)) > 0:
        shown.append(f"and {more:,} more")
    return shown or [column.remark]


def _value(value: ValueReading) -> str:
    if not value.meaning:
        return f"{quoted(value.value)} cannot be read ({value.rows:,})"
    same = value.value == value.meaning
    read = value.value if same else f"{quoted(value.value)} as {value.meaning}"
    return f"{read}{' ' + _GUESS if value.guessed else ''} ({value.rows:,})"
