"""CSV files of unknown quality, read strictly into tables of strings with row numbers.

A row that does not fit the header is an error; nothing is guessed. The index of a table is the row
number that a spreadsheet shows (the header is row 1), so that every later error can name the row.
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
      path: the file; UTF-8, with or without a byte order mark; compressed by gzip if its name ends
        in `.gz`.
      required: columns that the file must have.

    Returns:
      One row per line that is not blank, all columns as stripped strings (an empty value is an
      empty string, never missing), indexed by the row number in a spreadsheet. Columns without a
      name are left out.

    Raises:
      UserError: the file is missing, empty, damaged, not UTF-8 or not a CSV file; a row is longer
        or shorter than the header; the header lacks a required column or has a column twice.
    """
    return parse_table(path, read_bytes(path), required)


def read_bytes(path: pathlib.Path) -> bytes:
    """Returns the contents of a file, decompressed if its name ends in `.gz`.

    Raises:
      UserError: the file is missing, or cannot be read or decompressed.
    """
    try:
        contents = path.read_bytes()
        return gzip.decompress(contents) if path.suffix == ".gz" else contents
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}; expected a CSV file.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be decompressed: it is truncated, damaged or not compressed by gzip "
            f"({error}); download it again."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error


def parse_table(path: pathlib.Path, contents: bytes, required: Sequence[str]) -> pd.DataFrame:
    """Parses the contents of a CSV file; see `read_table`.

    Args:
      path: the file, for errors.
      contents: the bytes of the file, decompressed.
      required: columns that the file must have.

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
        raise UserError(f"{path} has a header but no rows; expected one row per image.")
    return table[~blank] if blank.any() else table


def _refuse_nul(path: pathlib.Path, contents: bytes) -> None:
    """Raises an error that names the row of the first NUL byte, if there is any.

    Text has no NUL byte, a path may not have one, and readers of CSV files treat it differently.
    """
    if (place := contents.find(b"\0")) >= 0:
        row = contents.count(b"\n", 0, place) + 1
        raise UserError(
            f"{path}, row {row}: a NUL byte, which no text has; the file is damaged or not text in "
            "UTF-8, save or download it again."
        )


def _read_plain(contents: bytes, width: int) -> list[Any] | None:
    """Reads a file without quotes whose rows all fit the header, several times faster.

    Returns:
      One array per column; None for any other file, which `_read_any` reads or refuses.
    """
    if b'"' in contents:
        return None
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(contents),
            # Blank lines are kept, so that rows keep their numbers.
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
    """Reads any CSV file; returns one array per column."""
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
    if repeated := sorted({name for name in named if named.count(name) > 1}):
        raise UserError(f"{path}, row 1: the column {repeated[0]!r} appears twice; remove one.")
    if missing := [name for name in required if name not in named]:
        names = ", ".join(repr(name) for name in missing)
        if len(named) == 1 and any(mark in named[0] for mark in ";\t|"):
            raise UserError(
                f"{path}, row 1: expected columns separated by commas, got {named[0]!r}; "
                "save it with commas."
            )
        raise UserError(
            f"{path}, row 1: no column {names}; the columns are: {', '.join(named)}. "
            "Add or rename a column."
        )


def _fitted(path: pathlib.Path, number: int, row: list[str], width: int) -> list[str]:
    """Returns a row without empty fields beyond the header; refuses a row of another length."""
    if not any(row):
        return [""] * width
    if len(row) < width or any(row[width:]):
        raise UserError(
            f"{path}, row {number}: {len(row)} fields where the header has {width}; "
            "quote values that contain a comma, and check for a truncated row."
        )
    return row[:width]


def refuse(path: pathlib.Path, values: pd.Series, bad: npt.ArrayLike, expected: str) -> None:
    """Raises an error that names the first bad value of a column, if there is one.

    Args:
      path: the file of the values, for the error.
      values: a column of `read_table`: its name and index name the column and row.
      bad: boolean, one per value.
      expected: the expectation and the advice; ends the sentence.

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
    """Parses a column of strings; each distinct value once.

    Args:
      path: the file of the values, for errors.
      values: a column of `read_table`.
      parse: turns one string into its value; raises `ValueError` or `KeyError` for a wrong one.
      expected: the expectation, for the error.

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
      path: the file of the values, for errors.
      values: a column of `read_table`.
      pattern: regular expression in the syntax of RE2 that matches the whole value.
      expected: the expectation, for the error.

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
