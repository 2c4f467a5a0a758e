"""Bounds on a table, so that a small file does not take all memory or all time.

MIMIC-CXR, the largest table of the supported data sets, has 377,110 rows of 12 columns.
"""

import pathlib

from remedis import limits
from remedis.data.tables.table_form import SEPARATORS
from remedis.errors import UserError

MAX_LINES = 10_000_000
# 400 MB, at 8 bytes per field for the offset of its text.
MAX_FIELDS = 50_000_000
MAX_COLUMNS = 100_000
# 160 bytes per column of a table with `MAX_COLUMNS`.
MAX_LINE_BYTES = 16 << 20


def too_large(path: pathlib.Path) -> UserError:
    """Returns the error for a table of more than `limits.MAX_TABLE_BYTES`, unpacked, in UTF-8."""
    return UserError(
        f"{path} is too large: it has more than {limits.MAX_TABLE_BYTES / 2**20:,.0f} MiB of text; "
        "leave out columns and rows that are not needed, or divide the table."
    )


def check(path: pathlib.Path, contents: bytes, separator: str) -> None:
    """Refuses a table with too many lines or fields.

    Args:
      path: the file, for errors.
      contents: its text in UTF-8.
      separator: of the columns.

    Raises:
      UserError: a bound is exceeded.
    """
    ends = contents.count(b"\n")
    if b"\r" in contents:
        ends += contents.count(b"\r") - contents.count(b"\r\n")
    if ends > MAX_LINES:
        raise UserError(
            f"{path} has {ends:,} lines, many of them perhaps blank; expected at most "
            f"{MAX_LINES:,}. Leave out blank lines, or divide the table."
        )
    fields = contents.count(separator.encode()) + ends
    if fields > MAX_FIELDS:
        raise UserError(
            f"{path} has {fields:,} fields, many of them perhaps empty, if its columns are "
            f"separated by {SEPARATORS[separator]}s; expected at most {MAX_FIELDS:,}. Leave out "
            "columns and rows that are not needed, or divide the table."
        )


def check_lines(path: pathlib.Path, contents: bytes) -> None:
    """Refuses a line of more than `MAX_LINE_BYTES`; called before anything is parsed.

    Args:
      path: the file, for errors.
      contents: its text in UTF-8.

    Raises:
      UserError: a line is longer.
    """
    start = 0
    while len(contents) - start > MAX_LINE_BYTES:
        stop = start + MAX_LINE_BYTES
        last = max(contents.rfind(end, start, stop) for end in (b"\n", b"\r"))
        if last < 0:
            row = contents.count(b"\n", 0, start) + 1
            raise UserError(
                f"{path}, row {row}: a line of more than {MAX_LINE_BYTES / 2**20:.0f} MiB; the "
                "file is damaged or not a table; save or download it again."
            )
        start = last + 1
