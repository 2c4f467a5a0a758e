"""Reading of `predictions.parquet`, the table of predictions of a run or an evaluation."""

import pathlib
from collections.abc import Sequence

import pandas as pd

from remedis import files, parquet_files
from remedis.errors import Damaged, quoted

FILE = "predictions.parquet"
_TEXTS = ("split", "patient_id")
_NUMBERS = ("label/", "found/", "score/", "logit/", "log_odds/")
_ADVICE = (
    "remove it and the results.json beside it, and run the same command again, which writes both"
)


def read(folder: files.Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Returns the predictions of a run or an evaluation.

    Args:
      folder: of the file.
      columns: the columns to read; all if None.

    Raises:
      UserError: the file is damaged, or a column is of another type than it is written in.
      OSError: there is no such file.
    """
    file = pathlib.Path(folder, FILE)
    table = parquet_files.read(file, _TEXTS, _ADVICE, columns)
    for name in map(str, table.columns):
        column = table[name]
        if name.startswith(_NUMBERS) and not pd.api.types.is_numeric_dtype(column):
            expected = "numbers"
        elif name in _TEXTS and not _is_text(column):
            expected = "texts"
        else:
            continue
        raise Damaged(
            f"{file} is damaged (the column {quoted(name)} is of type {column.dtype}, expected "
            f"{expected}); {_ADVICE}."
        )
    return table


def _is_text(column: "pd.Series[str]") -> bool:
    if pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        return True
    # A column without any id is read with the type of numbers or of null.
    return bool(column.dropna().map(lambda value: isinstance(value, str)).all())
