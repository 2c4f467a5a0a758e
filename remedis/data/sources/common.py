"""What the sources share."""

import os
import pathlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NoReturn

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from remedis import files
from remedis.data.manifest import check_labels
from remedis.data.tables import spreadsheet
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


def walk(root: files.Path, skipped: Collection[str] = ()) -> Iterator[str]:
    """Yields the files of a directory and those below it, relative to it, in order.

    Links to directories are followed, after all else; a directory that can be reached in several
    ways is looked into once, as what it is rather than by a link. Files and directories whose name
    begins with a dot are passed over.

    Args:
      root: the directory.
      skipped: names of directories to pass over.

    Raises:
      UserError: a directory cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    starts = [os.fspath(root)]
    while starts:
        links: list[str] = []
        for start in starts:
            for directory, below, names in os.walk(start, onerror=_refuse_directory):
                status = os.stat(directory)
                if (status.st_dev, status.st_ino) in seen:
                    below.clear()
                    continue
                seen.add((status.st_dev, status.st_ino))
                below[:] = sorted(n for n in below if not n.startswith(".") and n not in skipped)
                inside = [os.path.join(directory, name) for name in below]
                links += (path for path in inside if os.path.islink(path))
                relative = os.path.relpath(directory, root)
                for name in sorted(names):
                    if not name.startswith("."):
                        yield name if relative == os.curdir else os.path.join(relative, name)
        starts = links


def refuse_undecodable(root: files.Path, paths: Iterable[str]) -> None:
    """Raises an error that names the first path that is not UTF-8, if any.

    Neither tables nor TensorFlow can hold such a path.

    Args:
      root: the directory of the images.
      paths: relative to it.

    Raises:
      UserError: the directory or a path is not UTF-8.
    """
    for path in (os.path.abspath(root), *paths):
        try:
            path.encode()
        except UnicodeEncodeError:
            # Without a cause: it says nothing more.
            raise UserError(
                f"The name {path!r} is not UTF-8; rename it, so that tables can hold it."
            ) from None


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


def _refuse_directory(error: OSError) -> NoReturn:
    raise UserError(f"The directory {error.filename} cannot be read ({error.strerror}).") from error
