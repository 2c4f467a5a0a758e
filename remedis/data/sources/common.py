"""What the sources share."""

import pathlib
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from remedis import files
from remedis.data import spreadsheet
from remedis.data.manifest import check_labels
from remedis.errors import UserError, unknown_choice


def find_root(
    data_dir: files.Path, marker: str, names: Sequence[str], dataset: str
) -> pathlib.Path:
    """Returns the directory of a dataset: `data_dir`, or the one of `names` inside it.

    Args:
      data_dir: what the user gave.
      marker: glob of a file that only the right directory has.
      names: directory names of the dataset that may lie in `data_dir`.
      dataset: what to call it in the error.

    Raises:
      UserError: neither has the marker, or several inside it have.
    """
    directory = pathlib.Path(data_dir)
    if not directory.is_dir():
        raise UserError(f"There is no directory {directory}; expected {dataset} there.")
    if any(directory.glob(marker)):
        return directory
    found = [directory / name for name in names if any((directory / name).glob(marker))]
    if len(found) > 1:
        raise UserError(
            f"{directory} holds {dataset} more than once: {', '.join(p.name for p in found)}; name "
            "the directory of one."
        )
    if found:
        return found[0]
    raise UserError(
        f"{directory} does not hold {dataset}: no {marker} in it"
        + (f", nor in {' or '.join(names)} inside it." if names else ".")
    )


def choose_labels(labels: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Returns the labels asked for, or all of them.

    Raises:
      UserError: one is not among `known`, or listed twice.
    """
    if labels is None:
        return tuple(known)
    check_labels(labels)
    for label in labels:
        if label not in known:
            raise unknown_choice("label", label, known)
    return tuple(labels)


def refuse_repeated(
    path: pathlib.Path, values: pd.Series, expected: str = "every image once; remove the row"
) -> None:
    """Raises an error that names the first value of a column that stood there before, if any.

    Raises:
      UserError: a value is repeated.
    """
    spreadsheet.refuse(path, values, values.duplicated(), expected)


def refuse_second(path: pathlib.Path, table: pd.DataFrame, key: str, name: str) -> None:
    """Raises an error that names the first row whose value differs from another row of its key.

    Args:
      path: the file the values come from.
      table: from `read_table`.
      key: a column, such as that of studies.
      name: the column whose value a key decides, such as that of patients.

    Raises:
      UserError: a key has two values.
    """
    pairs = table[[key, name]].drop_duplicates()
    first = pairs.index[pairs[key].duplicated()][:1]
    expected = f"the same {name} in every row of one {key}"
    spreadsheet.refuse(path, table[name], table.index.isin(first), expected)


def refuse_non_digits(path: pathlib.Path, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Raises an error that names the first value that is no whole number, 0 or more.

    Args:
      path: the file the values come from.
      table: from `read_table`.
      names: the columns to look at.

    Raises:
      UserError: a value is empty or has anything but the digits 0 to 9.
    """
    for name in names:
        good = pc.match_substring_regex(pa.array(table[name].array), "^[0-9]+$")
        spreadsheet.refuse(path, table[name], pc.invert(good), "a number in digits")
