"""Checks of tables that several sources make: repeated rows, contradictions, numbers."""

import pathlib
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from remedis.data.tables import spreadsheet


def refuse_repeated(
    path: pathlib.Path, values: pd.Series, expected: str = "every image once; remove the row"
) -> None:
    """Raises an error that names the first repeated value of a column, if there is one.

    Args:
      path: the file that the values come from.
      values: a column of a table from `read_table`.
      expected: what the message says was expected.

    Raises:
      UserError: a value is repeated.
    """
    spreadsheet.refuse(path, values, values.duplicated(), expected)


def refuse_contradicting(path: pathlib.Path, table: pd.DataFrame, key: str, name: str) -> None:
    """Raises an error that names the first row that contradicts an earlier row of the same key.

    Args:
      path: the file that the values come from.
      table: from `read_table`.
      key: a column, such as that of studies.
      name: the column that has one value per key, such as that of patients.

    Raises:
      UserError: a key has two values.
    """
    distinct = table[[key, name]].drop_duplicates()
    first = distinct.index[distinct[key].duplicated()][:1]
    expected = f"the same {name} in every row of one {key}"
    spreadsheet.refuse(path, table[name], table.index.isin(first), expected)


def refuse_non_digits(path: pathlib.Path, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Raises an error that names the first value that is no whole number, 0 or more.

    Args:
      path: the file that the values come from.
      table: from `read_table`.
      names: the columns to check.

    Raises:
      UserError: a value is empty or has anything but the digits 0 to 9.
    """
    for name in names:
        is_number = pc.match_substring_regex(pa.array(table[name].array), "^[0-9]+$")
        spreadsheet.refuse(path, table[name], pc.invert(is_number), "a number in digits")


def pixels(text: str) -> float:
    """Returns a number of pixels, 0 or more.

    Raises:
      ValueError: the text is none.
    """
    if 0 <= (number := float(text)) < float("inf"):
        return number
    raise ValueError
