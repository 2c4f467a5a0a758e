"""The separator of a table's columns, found from its header and first rows."""

import csv
import io
import itertools
import pathlib
import re
from collections.abc import Sequence

from remedis.data.tables.table_form import SEPARATORS
from remedis.errors import UserError

_STATED = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_ROWS = 200  # rows that are looked at,
_BYTES = 400_000  # within the beginning of the text,
_HEADERS = 10  # which is at least as long as so many headers
_END = re.compile(rb"[\r\n]")


def beginning(contents: bytes) -> str:
    """Returns the beginning of a text that shows its separator: the header and whole rows."""
    header = _END.search(contents)
    size = max(_BYTES, _HEADERS * (header.end() if header else len(contents)))
    if size >= len(contents):
        return contents.decode()
    last = contents.rfind(b"\n", 0, size) + 1 or contents.rfind(b"\r", 0, size) + 1
    return contents[: last or size].decode(errors="ignore")


def stated(text: str) -> str:
    """Returns the separator in a first line such as `sep=;`, which is for Excel; empty if none."""
    match = _STATED.match(text)
    return match[1] if match and match[1] in SEPARATORS else ""


def find(path: pathlib.Path, text: str, required: Sequence[str]) -> str:
    """Returns the separator of a table.

    It divides the header, and the first rows into as many fields. If that is true of several, the
    right one makes the required columns.

    Args:
      path: the file, for errors.
      text: its `beginning`.
      required: names of columns that the table must have.

    Raises:
      UserError: several separators are possible.
    """
    headers = {mark: header for mark in SEPARATORS if len(header := _header(text, mark)) > 1}
    if not headers:
        return ","
    consistent = [m for m, header in headers.items() if _fits(text, m, len(header))]
    if not consistent and "," not in headers and _fits(text, ",", 1):
        return ","  # the only column has a separator in its name
    possible = consistent or list(headers)
    if len(possible) == 1:
        return possible[0]
    complete = [mark for mark in possible if required and set(required) <= set(headers[mark])]
    if len(complete) == 1:
        return complete[0]
    if not consistent:  # rows are damaged; the error that follows names the first
        return possible[0]
    names = " or ".join(SEPARATORS[mark] for mark in possible)
    raise UserError(
        f"{path}, row 1: columns may be separated by {names}, and the rows fit each; name the "
        "separator, or quote values that contain it."
    )


def _header(text: str, mark: str) -> list[str]:
    try:
        row = next(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True), [])
    except csv.Error:
        return []
    # Empty names are those of further separators at the end.
    return [name.strip() for name in row]


def _fits(text: str, mark: str, width: int) -> bool:
    """Returns whether the first rows have as many fields as the header."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    try:
        return all(
            len(row) == width or not any(row) or (len(row) > width and not any(row[width:]))
            for row in itertools.islice(rows, 1, _ROWS)
        )
    except csv.Error:
        return False
