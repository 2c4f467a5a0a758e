"""The header of a table: its names are checked without pandas, which takes seconds to load."""

import collections
import csv
import difflib
import pathlib
from collections.abc import Sequence

from remedis import regular_files
from remedis.errors import UserError, quoted, some

LISTED = 30  # names of columns in a sentence
_LONGEST = 1 << 16  # bytes of a header
_UNUSUAL = (";", "\t", "|", "\0", "\r")  # other separators, encodings and ends of lines


def check(
    path: pathlib.Path, header: Sequence[str], required: Sequence[str], row: int, advice: str
) -> None:
    """Raises a UserError for a column that occurs twice or is missing.

    Args:
      path: the file, for errors.
      header: names of the columns; empty for a column without a name.
      required: columns that the file must have.
      row: of the header in a spreadsheet, from 1.
      advice: if a required column is missing; a sentence.
    """
    named = [name for name in header if name]
    if repeated := sorted(name for name, times in collections.Counter(named).items() if times > 1):
        raise UserError(
            f"{path}, row {row}: the column {quoted(repeated[0])} appears twice; remove one."
        )
    if missing := [name for name in required if name not in named]:
        by_lower = {name.lower(): name for name in named}
        near = difflib.get_close_matches(missing[0].lower(), list(by_lower), n=1)
        hint = f" (did you mean {quoted(by_lower[near[0]])}?)" if near else ""
        names = some([quoted(name) for name in missing], limit=LISTED)
        raise UserError(
            f"{path}, row {row}: no column {names}{hint}; the columns are: "
            f"{some(named, limit=LISTED)}. {advice}"
        )


def plain(path: pathlib.Path) -> list[str]:
    """Returns the header of a file of UTF-8 and commas; empty for any other file.

    `spreadsheet.read_table` reads the others, and has the last word on all.
    """
    try:
        with regular_files.open_regular(path) as file:
            first = file.readline(_LONGEST)
        line = first.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
        fields = next(csv.reader([line], strict=True), [])
    except (OSError, ValueError, csv.Error):
        return []
    if not first.endswith(b"\n") or any(mark in line for mark in _UNUSUAL):
        return []
    header = [name.strip() for name in fields]
    return header if sum(map(bool, header)) > 1 else []


def to_map(path: pathlib.Path) -> str:
    """Returns the advice for a user's own table that lacks a column."""
    return f"Rename a column, or map it: remedis manifest {path} proposes how."
