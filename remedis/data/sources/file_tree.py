"""The directory of a data set and the files below it."""

import os
import pathlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NoReturn

from remedis import files
from remedis.errors import UserError


def find_root(
    data_dir: files.Path, marker: str, names: Sequence[str], dataset: str
) -> pathlib.Path:
    """Returns the directory of a data set: `data_dir`, or one of `names` inside it.

    Args:
      data_dir: the directory that the user named.
      marker: glob of a file that only the right directory has.
      names: directory names of the data set that may lie in `data_dir`.
      dataset: the name of the data set, for the error.

    Raises:
      UserError: neither has the marker, or several directories inside `data_dir` have it.
    """
    directory = pathlib.Path(data_dir)
    if not directory.is_dir():
        raise UserError(f"There is no directory {directory}; expected {dataset} there.")
    if any(directory.glob(marker)):
        return directory
    roots = [directory / name for name in names if any((directory / name).glob(marker))]
    if len(roots) > 1:
        raise UserError(
            f"{directory} holds {dataset} more than once: {', '.join(r.name for r in roots)}; name "
            "one of these directories."
        )
    if roots:
        return roots[0]
    raise UserError(
        f"{directory} does not hold {dataset}: no {marker} in it"
        + (f", nor in {' or '.join(names)} inside it." if names else ".")
    )


def walk(root: files.Path, skipped: Collection[str] = ()) -> Iterator[str]:
    """Yields the files of a directory and of those below it, relative to it, in order.

    Links to directories are followed after everything else. A directory that can be reached in
    several ways is visited once, by its own path rather than by a link. Files and directories whose
    name begins with a dot are skipped.

    Args:
      root: the directory.
      skipped: names of directories to skip.

    Raises:
      UserError: a directory cannot be read.
    """
    visited: set[tuple[int, int]] = set()
    starts = [os.fspath(root)]
    while starts:
        links: list[str] = []
        for start in starts:
            for directory, below, names in os.walk(start, onerror=_refuse_directory):
                status = os.stat(directory)
                if (status.st_dev, status.st_ino) in visited:
                    below.clear()
                    continue
                visited.add((status.st_dev, status.st_ino))
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

    Args:
      root: the directory of the images.
      paths: relative to it.

    Raises:
      UserError: the directory or a path is not UTF-8.
    """
    files.refuse_undecodable(os.path.abspath(root), *paths)


def _refuse_directory(error: OSError) -> NoReturn:
    raise UserError(f"The directory {error.filename} cannot be read ({error.strerror}).") from error
