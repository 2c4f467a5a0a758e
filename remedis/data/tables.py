"""CSV files of unknown quality as tables of strings that know their row numbers.

Spreadsheets, exports and downloads are read here once, strictly: nothing is guessed from a row that
does not fit its header. The index of a table read here is the row number as a spreadsheet shows
it (the header is row 1), so that every later complaint can name the row.
"""

import csv
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from remedis.errors import UserError

STRING = pd.StringDtype("pyarrow")
_OLDEST = 120.0
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M"}
_NO_SEX = ("", "o", "u", "other", "unknown")
_YEARS_PER = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def read_table(path: pathlib.Path, required: Sequence[str] = ()) -> pd.DataFrame:
    """Reads a comma-separated file with a header.

    Args:
      path: the file; UTF-8, with or without a byte order mark.
      required: columns that must be there.

    Returns:
      One row a line that is not blank, all columns as stripped `str` (empty where nothing is
      written), indexed by the row number in a spreadsheet. Columns without a name are left out.

    Raises:
      UserError: the file is missing, empty, not UTF-8 or not a CSV; a row is longer or shorter than
        the header; the header lacks a required column or has one twice.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}; expected a CSV file.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not text in UTF-8 (byte {error.start}); save it as a UTF-8 CSV file."
        ) from error
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as a CSV file: {error}.") from error
    if not rows or not any(rows[0]):
        raise UserError(f"{path} has no header; expected the names of its columns in row 1.")
    header = [name.strip() for name in rows[0]]
    _check_header(path, header, required)
    numbers, body = [], []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            row = _fitted(path, number, row, len(header))
        if any(row):
            numbers.append(number)
            body.append(row)
    if not body:
        raise UserError(f"{path} has a header but no rows; expected one row an image.")
    columns = {
        name: [value.strip() for value in values]
        for name, values in zip(header, zip(*body, strict=True), strict=True)
        if name
    }
    return pd.DataFrame(columns, index=pd.Index(numbers, name="row"), dtype=object)


def _check_header(path: pathlib.Path, header: list[str], required: Sequence[str]) -> None:
    named = [name for name in header if name]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise UserError(f"{path}, row 1: the column {twice[0]!r} appears twice; remove one.")
    if missing := [name for name in required if name not in named]:
        lack = ", ".join(repr(name) for name in missing)
        if len(named) == 1 and any(mark in named[0] for mark in ";\t|"):
            raise UserError(
                f"{path}, row 1: expected columns separated by commas, got {named[0]!r}; "
                "save it with commas."
            )
        raise UserError(
            f"{path}, row 1: no column {lack}; the columns are: {', '.join(named)}. "
            "Add or rename a column."
        )


def _fitted(path: pathlib.Path, number: int, row: list[str], width: int) -> list[str]:
    """Returns a row without the empty fields that exceed the header; others must fit it."""
    if not any(row):
        return [""] * width
    if len(row) < width or any(row[width:]):
        raise UserError(
            f"{path}, row {number}: {len(row)} fields where the header has {width}; "
            "quote values that contain a comma, and look for a row cut off."
        )
    return row[:width]


def refuse(path: pathlib.Path, values: pd.Series, bad: np.ndarray, expected: str) -> None:
    """Raises an error that names the first bad value of a column, if any is bad.

    Args:
      path: the file the values come from.
      values: a column of `read_table`: its name and index name the column and row.
      bad: boolean, one a value.
      expected: what was expected instead and what to do, ending the sentence.

    Raises:
      UserError: any of `bad` is true.
    """
    count = int(bad.sum())
    if not count:
        return
    first = int(np.argmax(bad))
    more = f" (and {count - 1:,} more rows)" if count > 1 else ""
    raise UserError(
        f"{path}, row {values.index[first]}, column {values.name!r}: got "
        f"{values.iloc[first]!r}{more}; expected {expected}."
    )


def parsed(
    path: pathlib.Path, values: pd.Series, parse: Callable[[str], object], expected: str
) -> pd.Series:
    """Parses a column of strings value by distinct value.

    Args:
      path: the file the values come from.
      values: a column of `read_table`.
      parse: turns one string into its value; raises `ValueError` or `KeyError` if it cannot.
      expected: what was expected, for the error.

    Raises:
      UserError: a value cannot be parsed; names the first such row.
    """
    codes, distinct = pd.factorize(values)
    results, wrong = [], np.zeros(len(distinct), bool)
    for i, text in enumerate(distinct):
        try:
            results.append(parse(text))
        except (ValueError, KeyError):
            wrong[i] = True
            results.append(None)
    refuse(path, values, wrong[codes], expected)
    return pd.Series(pd.Series(results).to_numpy()[codes], index=values.index, name=values.name)


def strings(values: pd.Series) -> pd.Series:
    """Returns a column of strings with missing values where nothing is written."""
    return values.mask(values == "").astype(STRING)


def sexes(path: pathlib.Path, values: pd.Series) -> pd.Series:
    """Returns F, M or missing for F, M, Female, Male, in any case, and for unknown or other.

    Raises:
      UserError: a value is none of these.
    """

    def parse(text: str) -> str | None:
        return None if text.lower() in _NO_SEX else _SEXES[text.lower()]

    known = parsed(path, values, parse, "F, M, Female, Male, Unknown or nothing")
    return known.astype(STRING)


def ages(path: pathlib.Path, values: pd.Series, implausible: str = "refuse") -> pd.Series:
    """Returns ages in years as float64, NaN where nothing is written.

    Args:
      path: the file the values come from.
      values: numbers of years, or DICOM's form with a unit: `058Y`, `011M`, `006W`, `013D`.
      implausible: `refuse` an age outside 0 to 120 years, or take it as `unknown`.

    Raises:
      UserError: a value is no age.
    """

    def parse(text: str) -> float:
        if not text:
            return float("nan")
        unit = _YEARS_PER.get(text[-1].upper())
        years = float(text) if unit is None else float(text[:-1]) * unit
        if 0 <= years <= _OLDEST:
            return years
        if implausible == "unknown" and np.isfinite(years):
            return float("nan")
        raise ValueError

    return parsed(path, values, parse, f"an age from 0 to {_OLDEST:.0f} years").astype("float64")


def some(names: Iterable[object], limit: int = 5) -> str:
    """Returns the first few names of many as text: `a, b, c and 7 more`."""
    listed = [str(name) for name in names]
    more = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {more:,} more" if more > 0 else "")
