"""CSV files of unknown quality, read strictly into tables of strings with row numbers.

Encoding and separator are found from the file, and what is not UTF-8 with commas is logged. A row
that does not fit the header is an error. The index of a table is the row number that a spreadsheet
shows (the header is row 1), so that every later error can name the row.
"""

import array
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

from remedis import limits, regular_files
from remedis.data.tables import decoding, header, separators, table_bounds
from remedis.data.tables.strings import STRING
from remedis.data.tables.table_form import AS_FOUND, SEPARATORS, TableForm
from remedis.errors import UserError, quoted, some, unknown_choice

_LOG = logging.getLogger(__name__)

_BLOCK = 4 << 20  # bytes that Arrow parses at a time; a longer row is read by `_read_any`
_FIELDS = 1_000_000  # that `_read_any` holds as strings of Python, which take 60 bytes or more


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
      UserError: the file is missing, cannot be read or decompressed, or is too large.
    """
    most = limits.MAX_TABLE_BYTES
    try:
        with regular_files.open_regular(path) as file:
            packed = path.suffix == ".gz"
            contents = (gzip.GzipFile(fileobj=file) if packed else file).read(most + 1)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}; expected a CSV file.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"{path} cannot be decompressed: it is truncated, damaged or not compressed by gzip "
            f"({error}); download it again."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    if len(contents) > most:
        raise table_bounds.too_large(path)
    return contents


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
    contents, remark = decoding.decode(path, contents, form.encoding)
    table_bounds.check_lines(path, contents)
    beginning = separators.beginning(contents)
    stated = separators.stated(beginning)
    # The line of the header in the file, from 1.
    start = 2 if stated else 1
    if stated:
        beginning = beginning.partition("\n")[2]
        contents = contents[contents.index(b"\n") + 1 :]
    wanted = _names_in_file(required, form.columns)
    separator = form.separator or stated or separators.find(path, beginning, wanted)
    table_bounds.check(path, contents, separator)
    try:
        lines = csv.reader(io.StringIO(beginning, newline=""), delimiter=separator, strict=True)
        names = [name.strip() for name in next(lines, [])]
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as a CSV file: {error}.") from error
    if not any(names):
        raise UserError(f"{path} has no header; expected the names of its columns in row {start}.")
    if len(names) > table_bounds.MAX_COLUMNS:
        raise UserError(
            f"{path}, row {start}: {len(names):,} columns; expected at most "
            f"{table_bounds.MAX_COLUMNS:,}."
        )
    if separator != "," and not form.separator:
        remark += f"{' with' if remark else 'with'} columns separated by {SEPARATORS[separator]}s"
    if remark:
        _LOG.info(f"{path}: read {remark}.")
    names = _renamed(path, names, form.columns)
    header.check(path, names, required, start, advice)
    named = [place for place, name in enumerate(names) if name]
    rows = _read_plain(contents, len(names), named, separator, start) or _read_any(
        path, contents, len(names), named, separator, start
    )
    if not rows.numbers.size:
        raise UserError(f"{path} has a header but no rows; expected one row per image.")
    del contents
    columns = {names[place]: rows.pop_column() for place in named}
    return pd.DataFrame(columns, index=rows.index(start), copy=False)


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


class _Rows:
    """The rows that are not blank, collected in batches, and their numbers in the file."""

    def __init__(self) -> None:
        self._batches: list[list[pa.Array]] = []
        self._numbers: list[np.ndarray] = []
        self._last_column = 0
        self.numbers = np.zeros(0, np.int64)

    def add(self, columns: list[pa.Array], numbers: np.ndarray) -> None:
        """Adds rows; leaves out blank ones, and spaces around values.

        Args:
          columns: the named columns, large strings without missing ones.
          numbers: of the rows in the file, [rows] int64.
        """
        columns = [pc.utf8_trim_whitespace(column) for column in columns]
        blank = np.arange(len(numbers))
        for column in columns:
            if not blank.size:
                break
            lengths = np.asarray(
                pc.binary_length(
                    column if blank.size == len(column) else column.take(pa.array(blank))
                )
            )
            blank = blank[lengths == 0]
        if blank.size:
            kept = np.ones(len(numbers), bool)
            kept[blank] = False
            numbers = numbers[kept]
            columns = [column.filter(pa.array(kept)) for column in columns]
        if len(numbers):
            self._batches.append(columns[::-1])
            self._numbers.append(numbers)

    def close(self) -> "_Rows":
        """Ends the collection."""
        if self._numbers:
            self.numbers = np.concatenate(self._numbers)
        return self

    def pop_column(self) -> Any:
        """Returns the next column, and frees its memory here."""
        return pd.array(pa.chunked_array([batch.pop() for batch in self._batches]), dtype=STRING)

    def index(self, start: int) -> pd.Index:
        """Returns the numbers of the rows below the header, which is row `start`."""
        count = len(self.numbers)
        if self.numbers[-1] == start + count:
            return pd.RangeIndex(start + 1, start + 1 + count, name="row")
        return pd.Index(self.numbers, name="row")


def _read_plain(
    contents: bytes, width: int, named: Sequence[int], separator: str, start: int
) -> _Rows | None:
    """Reads a file without quotes whose rows all fit the header, several times faster.

    Returns:
      The rows; None for any other file, which `_read_any` reads or refuses.
    """
    if b'"' in contents:
        return None
    rows, row = _Rows(), start + 1
    try:
        batches = arrow_csv.open_csv(
            io.BytesIO(contents),
            # Blank lines are kept, so that rows keep their numbers.
            parse_options=arrow_csv.ParseOptions(delimiter=separator, ignore_empty_lines=False),
            read_options=arrow_csv.ReadOptions(
                skip_rows=1, autogenerate_column_names=True, block_size=_BLOCK
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={f"f{i}": pa.large_string() for i in range(width)},
                strings_can_be_null=False,
            ),
        )
        if len(batches.schema) != width:
            return None
        for batch in batches:
            rows.add([batch.column(place) for place in named], np.arange(row, row + len(batch)))
            row += len(batch)
    except pa.ArrowInvalid:
        return None
    return rows.close()


def _read_any(
    path: pathlib.Path,
    contents: bytes,
    width: int,
    named: Sequence[int],
    separator: str,
    start: int,
) -> _Rows:
    """Reads any CSV file whose header is row `start`."""
    result, numbers = _Rows(), array.array("q")
    rows: list[list[str]] = []
    text = io.TextIOWrapper(io.BytesIO(contents), encoding="utf-8", newline="")
    lines = csv.reader(text, delimiter=separator, strict=True)
    number = start - 1
    most = max(1, _FIELDS // width)

    def add() -> None:
        values = [[row[place] for row in rows] for place in named]
        result.add([pa.array(column, pa.large_string()) for column in values], np.array(numbers))

    try:
        for number, row in enumerate(lines, start):
            if number == start or not any(row):
                continue
            rows.append(row if len(row) == width else _fitted(path, number, row, width))
            numbers.append(number)
            if len(rows) >= most:
                add()
                del rows[:], numbers[:]
    except csv.Error as error:
        raise UserError(
            f"{path} cannot be read as a CSV file: {error} (after row {max(number, start)})."
        ) from error
    add()
    return result.close()


def _fitted(path: pathlib.Path, number: int, row: list[str], width: int) -> list[str]:
    """Returns a row without empty fields beyond the header; refuses a row of another length."""
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
