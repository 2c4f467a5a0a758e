"""A file of another program with scores of images, as a table of strings with row numbers."""

import dataclasses
import logging
import pathlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from remedis import files, parquet_files
from remedis.data.tables import spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, counted, quoted, some, unknown_choice
from remedis.options import quoted_pairs, spelled

_LOG = logging.getLogger(__name__)
# Columns of vectors, such as embeddings, are neither ids nor scores.
_VECTORS = (np.ndarray, list, tuple, dict)
_ADVICE = "export the table again, or as CSV"


@dataclasses.dataclass(frozen=True, eq=False)
class ScoreFile:
    """A file of scores.

    Attributes:
      path: of the file.
      sha256: of its content.
      table: its rows as strings; the index is the row in a spreadsheet (of Parquet: from 1).
      where: the values by column that chose among its rows.
    """

    path: pathlib.Path
    sha256: str
    table: pd.DataFrame
    where: Mapping[str, str]


def read(path: files.Path, where: str | None = None) -> ScoreFile:
    """Reads a CSV file (also `.csv.gz`, `.tsv`) or a Parquet file.

    Args:
      path: the file.
      where: rows to take, such as `model=densenet; split=test`; all if None.

    Raises:
      UserError: the file cannot be read, has no column of `where`, or no row of its value.
    """
    path = pathlib.Path(path)
    table = _parquet(path) if path.suffix == ".parquet" else spreadsheet.read_table(path)
    sha256 = files.sha256(path)
    chosen: dict[str, str] = {}
    if where is not None:
        chosen = quoted_pairs(
            where, what=spelled("where"), expected="COLUMN=VALUE, such as 'model=densenet'"
        )
    for column, value in chosen.items():
        if column not in table:
            raise unknown_choice(f"column in {spelled('where')}", column, map(str, table))
        rows = table[column] == value
        if not rows.any():
            values = [quoted(text) for text in sorted(table[column].unique())]
            raise UserError(
                f"{spelled('where')} names {column}={value}, which no row of {path} has; the "
                f"values of the column are {some(values)}."
            )
        table = table[rows]
        _LOG.info(f"{path}: {counted(len(table), 'row')} with {column}={value}.")
    return ScoreFile(path, sha256, table, chosen)


def _parquet(path: pathlib.Path) -> pd.DataFrame:
    try:
        frame = parquet_files.read(path, (), _ADVICE)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}; expected a CSV or a Parquet file.") from error
    columns = {
        str(name): values.astype(object).where(values.notna(), "").map(str)
        for name, values in frame.items()
        if not any(isinstance(value, _VECTORS) for value in values)
    }
    index = pd.RangeIndex(1, len(frame) + 1, name="row")
    if not len(frame):
        raise UserError(f"{path} has no rows; expected one row per image.")
    table = pd.DataFrame(columns).astype(STRING)
    return table.set_index(index)
