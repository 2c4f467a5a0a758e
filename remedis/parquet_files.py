"""Parquet files that are read back: size and columns checked before their content is read."""

import os
from collections.abc import Iterable, Sequence

import pandas as pd

from remedis import limits
from remedis.errors import Damaged, counted, first_line, quoted, shortened
from remedis.regular_files import NotRegular, Path, open_regular

MAX_ROWS = 50_000_000
MAX_CELLS = 200_000_000  # 1.6 GB as numbers


def read(
    path: Path, needed: Iterable[str], advice: str, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Returns the table in a Parquet file.

    Args:
      path: of the file.
      needed: columns that the file must have.
      advice: what to do about a damaged file, the end of the message.
      columns: the columns to read; all if None.

    Raises:
      Damaged: the file is not a regular file, not a Parquet file, too large, or lacks a column.
      OSError: it does not exist or may not be read.
    """
    import pyarrow
    from pyarrow import parquet

    def damaged(fault: str) -> Damaged:
        return Damaged(f"{os.fspath(path)} is damaged ({fault}); {advice}.")

    try:
        with open_regular(path, limits.MAX_PARQUET_BYTES) as opened:
            file = parquet.ParquetFile(opened)
            names, rows = file.schema_arrow.names, file.metadata.num_rows
            if missing := [name for name in needed if name not in names]:
                raise damaged(f"it has no column {quoted(missing[0])}")
            read_columns = names if columns is None else columns
            # Repeated values take no space in the file, so that its size does not bound the rows.
            if rows > MAX_ROWS or rows * len(read_columns) > MAX_CELLS:
                raise damaged(
                    f"it has {counted(rows, 'row')} of {len(read_columns):,} columns, expected at "
                    f"most {MAX_ROWS:,} rows and {MAX_CELLS:,} values"
                )
            return file.read(columns=columns).to_pandas()
    except (NotRegular, IsADirectoryError) as error:
        raise damaged(str(error.strerror)) from error
    except (pyarrow.ArrowException, ValueError, TypeError, KeyError) as error:
        if isinstance(error, Damaged):
            raise
        raise damaged(f"it is not a complete Parquet file: {_reason(error)}") from error
    except OSError as error:
        # Arrow raises one without an `errno` for pages that it cannot decode.
        if error.errno is not None:
            raise
        raise damaged(f"it is not a complete Parquet file: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return shortened(first_line(error).rstrip("."))
