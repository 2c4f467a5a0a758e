"""CSV files of unknown quality as tables of strings that know their row numbers.

Spreadsheets, exports and downloads are read here once, strictly: nothing is guessed from a row that
does not fit its header. The index of a table read here is the row number as a spreadsheet shows
it (the header is row 1), so that every later complaint can name the row.
"""

import csv
import gzip
import io
import pathlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from remedis.data.tables.strings import STRING
from remedis.errors import UserError


def read_table(path: pathlib.Path, required: Sequence[str] = ()) -> pd.DataFrame:
    """Reads a comma-separated file with a header.

    Args:
      path: the file; UTF-8, with or without a byte order mark; packed by gzip if its name ends in
        `.gz`.
      required: columns that must be there.

    Returns:
      One row a line that is not blank, all columns as stripped strings (empty, never missing, where
      nothing is written), indexed by the row number in a spreadsheet. Columns without a name are
      left out.

    Raises:
      UserError: the file is missing, empty, damaged, not UTF-8 or not a CSV; a row is longer or
        shorter than the header; the header lacks a required column or has one twice.
    """
    return parse_table(path, read_bytes(path), required)


def read_bytes(path: pathlib.Path) -> bytes:
    """Returns what a file holds, unpacked if its name ends in `.gz`.

    Raises:
      UserError: the file is missing, or cannot be read or unpacked.
    """
    try:
        contents = path.read_bytes()
        return gzip.decompress(contents) if path.suffix == ".gz" else contents
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}; expected a CSV file.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be unpacked: it is truncated, damaged or not packed by gzip "
            f"({error}); get it anew."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error


def parse_table(path: pathlib.Path, contents: bytes, required: Sequence[str]) -> pd.DataFrame:
    """Returns what `read_table` would of a file with other contents.

    Args:
      path: the file, for errors.
      contents: to be read as a CSV file.
      required: columns that must be there.

    Raises:
      UserError: as `read_table`.
    """
    _refuse_nul(path, contents)
    try:
        text = contents.decode("utf-8-sig")
        lines = io.StringIO(text, newline="")
        header = [name.strip() for name in next(csv.reader(lines, strict=True), [])]
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not text in UTF-8 (byte {error.start}); save it as a UTF-8 CSV file."
        ) from error
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as a CSV file: {error}.") from error
    if not any(header):
        raise UserError(f"{path} has no header; expected the names of its columns in row 1.")
    _check_header(path, header, required)
    columns = _read_plain(contents, len(header)) or _read_any(path, text, len(header))
    table = pd.DataFrame(
        {name: values for name, values in zip(header, columns, strict=True) if name}
    )
    table.index = pd.RangeIndex(2, len(table) + 2, name="row")
    blank = np.ones(len(table), bool)
    for name in table:
        blank &= (table[name] == "").to_numpy(dtype=bool)
    if blank.all():
        raise UserError(f"{path} has a header but no rows; expected one row an image.")
    return table[~blank] if blank.any() else table


def _refuse_nul(path: pathlib.Path, contents: bytes) -> None:
    """Raises an error that names the row of the first NUL byte, if there is any.

    No text has one, no path may have one, and readers of CSV files disagree on what to do with it.
    """
    if (place := contents.find(b"\0")) >= 0:
        row = contents.count(b"\n", 0, place) + 1
        raise UserError(
            f"{path}, row {row}: a NUL byte, which no text has; the file is damaged or not text in "
            "UTF-8, save or get it anew."
        )


def _read_plain(contents: bytes, width: int) -> list[Any] | None:
    """Reads the columns of a file of hundreds of thousands of rows that all fit their header.

    Returns:
      One array a column; None for a file with quotes or where any row is amiss: `_read_any` knows
      what to make of that, and is right, but several times slower.
    """
    if b'"' in contents:
        return None
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(contents),
            # Blank lines count, so that rows keep their numbers.
            parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False),
            read_options=arrow_csv.ReadOptions(skip_rows=1, autogenerate_column_names=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types={f"f{i}": pa.string() for i in range(width)}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_columns != width:
        return None
    return [pd.array(pc.utf8_trim_whitespace(column), dtype=STRING) for column in table.columns]


def _read_any(path: pathlib.Path, text: str, width: int) -> list[Any]:
    rows = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1):
            if number > 1:
                rows.append(row if len(row) == width else _fitted(path, number, row, width))
    except csv.Error as error:
        raise UserError(
            f"{path} cannot be read as a CSV file: {error} (after row {len(rows) + 1})."
        ) from error
    columns = zip(*rows, strict=True) if rows else [()] * width
    return [pd.array([v.strip() for v in values], dtype=STRING) for values in columns]


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


def refuse(path: pathlib.Path, values: pd.Series, bad: npt.ArrayLike, expected: str) -> None:
    """Raises an error that names the first bad value of a column, if any is bad.

    Args:
      path: the file the values come from.
      values: a column of `read_table`: its name and index name the column and row.
      bad: boolean, one a value.
      expected: what was expected instead and what to do, ending the sentence.

    Raises:
      UserError: any of `bad` is true.
    """
    mask = np.asarray(bad, dtype=bool)
    count = int(mask.sum())
    if not count:
        return
    first = int(np.argmax(mask))
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


def extract(path: pathlib.Path, values: pd.Series, pattern: str, expected: str) -> pd.DataFrame:
    """Returns the named groups of a regular expression that every value of a column must match.

    Args:
      path: the file the values come from.
      values: a column of `read_table`.
      pattern: in the syntax of RE2, to match the whole value.
      expected: what was expected, for the error.

    Raises:
      UserError: a value does not match; names the first such row.
    """
    groups = pc.extract_regex(pa.array(values.array), f"^(?:{pattern})$")
    refuse(path, values, groups.is_null(), expected)
    columns = {
        field.name: pd.array(pc.struct_field(groups, [i]), dtype=STRING)
        for i, field in enumerate(groups.type)
    }
    return pd.DataFrame(columns, index=values.index)
