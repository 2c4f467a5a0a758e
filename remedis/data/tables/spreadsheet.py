"""CSV files of unknown quality, read strictly into tables of strings with row numbers.

Encoding and separator are found from the file, and what is not UTF-8 with commas is logged. A row
that does not fit the header is an error. The index of a table is the row number that a spreadsheet
shows (the header is row 1), so that every later error can name the row.
"""

import csv
import gzip
import io
import logging
import pathlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from remedis.data.tables import decoding, header, separators
from remedis.data.tables.strings import STRING
from remedis.data.tables.table_form import AS_FOUND, SEPARATORS, TableForm
from remedis.errors import UserError, quoted, some, unknown_choice

_LOG = logging.getLogger(__name__)


def read_table(
    path: pathlib.Path,
    required: Sequence[str] = (),
    form: TableForm = AS_FOUND,
    advice: str = "Add or rename a column.",
) -> pd.DataFrame:
    """Reads a text file of columns with a header.

    Args:
      path: the file; UTF-8, UTF-16 or Windows-1252, with or without a byte order mark; columns
        separated by commas, semicolons, tabs or vertical bars; compressed by gzip if its name ends
        in `.gz`.
      required: columns that the file must have.
      form: the separator, encoding and names of columns if the user states them.
      advice: if a required column is missing; a sentence.

    Returns:
      One row per line that is not blank, all columns as stripped strings (an empty value is an
      empty string, never missing), indexed by the row number in a spreadsheet. Columns without a
      name are left out.

    Raises:
      UserError: the file is missing, empty, damaged, not text or not a CSV file; several separators
        are possible; a row is longer or shorter than the header; the header lacks a required column
        or has a column twice.
    """
    return parse_table(path, read_bytes(path), required, form, advice)


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


def parse_table(
    path: pathlib.Path,
    contents: bytes,
    required: Sequence[str] = (),
    form: TableForm = AS_FOUND,
    advice: str = "Add or rename a column.",
) -> pd.DataFrame:
    """Parses the contents of a CSV file; see `read_table`.

    Args:
      path: the file, for errors.
      contents: the bytes of the file, decompressed.
      required: columns that the file must have.
      form: as for `read_table`.
      advice: as for `read_table`.

    Raises:
      UserError: as `read_table`.
    """
    text, remark = decoding.decode(path, contents, form.encoding)
    stated = separators.stated(text)
    # The line of the header in the file, from 1.
    start = 2 if stated else 1
    if stated:
        text = text.partition("\n")[2]
    if remark or form.encoding or stated:
        contents = text.encode()
    wanted = _names_in_file(required, form.columns)
    separator = form.separator or stated or separators.find(path, text, wanted)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        names = [name.strip() for name in next(lines, [])]
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as a CSV file: {error}.") from error
    if not any(names):
        raise UserError(f"{path} has no header; expected the names of its columns in row {start}.")
    if separator != "," and not form.separator:
        remark += f"{' with' if remark else 'with'} columns separated by {SEPARATORS[separator]}s"
    if remark:
        _LOG.info(f"{path}: read {remark}.")
    names = _renamed(path, names, form.columns)
    header.check(path, names, required, start, advice)
    columns = _read_plain(contents, len(names), separator) or _read_any(
        path, text, len(names), separator, start
    )
    table = pd.DataFrame(
        {name: values for name, values in zip(names, columns, strict=True) if name}
    )
    table.index = pd.RangeIndex(start + 1, len(table) + start + 1, name="row")
    blank = np.ones(len(table), bool)
    for name in table:
        blank &= (table[name] == "").to_numpy(dtype=bool)
    if blank.all():
        raise UserError(f"{path} has a header but no rows; expected one row per image.")
    return table[~blank] if blank.any() else table


def _names_in_file(names: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """Returns the names that required columns have in the file, before they are renamed."""
    in_file = {new: old for old, new in columns.items()}
    return [in_file.get(name, name) for name in names]


def _renamed(path: pathlib.Path, header: list[str], columns: Mapping[str, str]) -> list[str]:
    """Returns the header with the names that the user states.

    Raises:
      UserError: the file lacks a column that is to be renamed, or has one of its new name already.
    """
    for old, new in columns.items():
        if old not in header:
            raise unknown_choice(f"column of {path}:", old, filter(None, header))
        if new != old and new in header and new not in columns:
            raise UserError(
                f"{path}, row 1: the column {old!r} is to be {new!r}, but there is a column of "
                f"that name; rename that one too, such as '{new}={new}_before'."
            )
    return [columns.get(name, name) for name in header]


def _read_plain(contents: bytes, width: int, separator: str) -> list[Any] | None:
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
            parse_options=arrow_csv.ParseOptions(delimiter=separator, ignore_empty_lines=False),
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


def _read_any(path: pathlib.Path, text: str, width: int, separator: str, start: int) -> list[Any]:
    """Reads any CSV file whose header is row `start`; returns one array per column."""
    rows = []
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for number, row in enumerate(lines, start):
            if number > start:
                rows.append(row if len(row) == width else _fitted(path, number, row, width))
    except csv.Error as error:
        raise UserError(
            f"{path} cannot be read as a CSV file: {error} (after row {len(rows) + start})."
        ) from error
    columns = zip(*rows, strict=True) if rows else [()] * width
    return [pd.array([v.strip() for v in values], dtype=STRING) for values in columns]


def _fitted(path: pathlib.Path, number: int, row: list[str], width: int) -> list[str]:
    """Returns a row without empty fields beyond the header; refuses a row of another length."""
    if not any(row):
        return [""] * width
    if len(row) < width or any(row[width:]):
        raise UserError(
            f"{path}, row {number}: {len(row)} fields where the header has {width}; "
            "quote values that contain a separator, and check for a truncated row."
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
        f"{quoted(values.iloc[first])}{more}; expected {expected}."
    )


def parsed(
    path: pathlib.Path,
    values: pd.Series,
    parse: Callable[[str], object],
    expected: str,
    is_plain: Callable[[str], bool] | None = None,
) -> pd.Series:
    """Parses a column of strings; each distinct value once.

    Args:
      path: the file of the values, for errors.
      values: a column of `read_table`.
      parse: turns one string into its value; raises `ValueError` or `KeyError` for a wrong one.
      expected: the expectation, for the error.
      is_plain: whether a string is in the form that manifests have; what others are read as is
        logged, in one line. Nothing is logged if not given.

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
    if is_plain is not None:
        odd = [i for i, text in enumerate(distinct) if not is_plain(text)]
        if odd:
            counts = np.bincount(codes, minlength=len(distinct))
            read_as = [
                f"{quoted(distinct[i])} as {shown(results[i])} ({counts[i]:,} "
                f"{'row' if counts[i] == 1 else 'rows'})"
                for i in odd
            ]
            _LOG.info(f"{path}, column {values.name!r}: read {some(read_as)}.")
    return pd.Series(pd.Series(results).to_numpy()[codes], index=values.index, name=values.name)


def shown(value: object) -> str:
    """Returns a parsed value as messages write it: `1` for 1.0, `unknown` for what is missing."""
    if value is None or value is pd.NA or value != value:
        return "unknown"
    return f"{value:g}" if isinstance(value, float) else str(value)


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
