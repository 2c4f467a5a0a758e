"""The list of an archive's images on disk, in parts: no process ever holds the whole list.

A part is a file of paths relative to the root, with NUL behind each, which no path can contain.
Parts are written whole and never change. A later listing adds parts for images that are in none:
new ones, and those after the moment at which a listing was killed. Each image is in one part.
"""

import heapq
import itertools
import logging
import os
import pathlib
from collections.abc import Iterable, Iterator

from remedis import files
from remedis.data.sources import image_paths
from remedis.errors import UserError, counted

_LOG = logging.getLogger(__name__)
_SUFFIX = ".txt"


def extend(root: files.Path, folder: files.Path, images_per_part: int) -> int:
    """Lists the images below a directory that no part has; returns their number.

    The names in one directory are held in memory, and no others. Links to directories are not
    followed: an image would be listed twice.

    Args:
      root: of the archive.
      folder: of the parts.
      images_per_part: the most images per part.

    Raises:
      UserError: a directory cannot be read, or a name is not UTF-8.
    """
    lists = pathlib.Path(folder)
    lists.mkdir(parents=True, exist_ok=True)
    new = _without(_walk(root), _known(lists))
    run = len({name.partition("-")[0] for name in parts(lists)})
    total = number = 0
    while names := list(itertools.islice(new, images_per_part)):
        total += len(names)
        # The name sorts by listing, then by part.
        content = "".join(f"{name}\0" for name in names)
        files.write_text(lists / f"{run:04}-{number:06}{_SUFFIX}", content)
        number += 1
    return total


def parts(folder: files.Path) -> list[str]:
    """Returns the names of all parts, sorted: one per thousand images or so."""
    found = (path for path in pathlib.Path(folder).glob(f"[!.]*{_SUFFIX}"))
    return sorted(path.name.removesuffix(_SUFFIX) for path in found)


def read(folder: files.Path, part: str) -> list[str]:
    """Returns the paths of a part, relative to the root."""
    path = pathlib.Path(folder) / f"{part}{_SUFFIX}"
    return path.read_text(encoding="utf-8").split("\0")[:-1]


def _known(folder: pathlib.Path) -> Iterator[str]:
    """Yields the listed paths in the order of `_walk`: each listing is in this order."""
    runs = itertools.groupby(parts(folder), key=lambda name: name.partition("-")[0])
    listings = [list(names) for _, names in runs]
    return heapq.merge(
        *(
            itertools.chain.from_iterable(read(folder, name) for name in names)
            for names in listings
        ),
        key=_order,
    )


def _order(path: str) -> list[str]:
    return path.split(os.sep)


def _without(paths: Iterable[str], known: Iterator[str]) -> Iterator[str]:
    """Yields the paths that are not known; both are in order."""
    following = next(known, None)
    for path in paths:
        while following is not None and _order(following) < _order(path):
            following = next(known, None)
        if following != path:
            yield path


def _walk(root: files.Path) -> Iterator[str]:
    """Yields the images below a directory in the order of the parts of their paths."""
    others = links = 0
    waiting = [_entries(os.fspath(root))]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
        elif entry.is_dir(follow_symlinks=False):
            if entry.name not in image_paths.SKIPPED:
                waiting.append(_entries(entry.path))
        elif entry.is_dir():
            links += 1
        elif image_paths.is_image_file(entry.name):
            files.refuse_undecodable(entry.path)
            yield os.path.relpath(entry.path, root)
        else:
            others += 1
    if others:
        _LOG.warning(f"{root}: skipped {counted(others, 'file')} without the name of an image.")
    if links:
        _LOG.warning(f"{root}: skipped {counted(links, 'link')} to directories.")


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
    except OSError as error:
        raise UserError(
            f"The directory {folder} cannot be read ({error.strerror}); correct the path or the "
            "rights, and start again."
        ) from error
    return iter(sorted(entries, key=lambda entry: entry.name))
