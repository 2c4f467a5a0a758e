"""Matching of two lists of image paths that were written in different places.

Another program's file may hold the whole path on another machine, the end of it, the name of the
file, or the name without its suffix. The lists are compared in steps from strict to loose: whole
paths; the last 5, 4, 3, 2 parts; the name; the name without letter case and suffix. The step that
matches the most images is taken, of equal ones the strictest. What two images of a list share in
that step matches neither.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from remedis.data.similar_paths import parts_of, without_suffix

_MOST_PARTS = 5


@dataclasses.dataclass(frozen=True)
class Matching:
    """The images of one list in another.

    Attributes:
      rows: [n] int64, the place in the other list of every image of the first; -1 for none.
      by: what is the same, such as `path` or `file name`.
      ambiguous: number of images of the first list that match none because of a shared name.
    """

    rows: npt.NDArray[np.int64]
    by: str
    ambiguous: int

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Which images of the first list are in the other, [n] bool."""
        return self.rows >= 0


def match(paths: Sequence[str], others: Sequence[str]) -> Matching:
    """Returns the place of every path in another list.

    Args:
      paths: of images, with `/` or a backslash between their parts.
      others: those of the other list.
    """
    best: Matching | None = None
    for by, key in _steps():
        found = _matched([key(path) for path in paths], [key(path) for path in others], by)
        if best is None or found.found.sum() > best.found.sum():
            best = found
        if best.found.sum() == min(len(paths), len(others)):
            break
    assert best is not None
    return best


def _steps() -> Iterator[tuple[str, Callable[[str], Hashable]]]:
    yield "path", lambda path: path
    for count in range(_MOST_PARTS, 1, -1):
        yield f"last {count} parts of the path", functools.partial(_end_of, count=count)
    yield "file name", functools.partial(_end_of, count=1)
    yield "file name without suffix", lambda path: without_suffix(_end_of(path, 1))


def _end_of(path: str, count: int) -> tuple[str, ...]:
    return parts_of(path)[-count:]


def _matched(keys: Sequence[Hashable], others: Sequence[Hashable], by: str) -> Matching:
    times, place = collections.Counter(keys), {key: row for row, key in enumerate(others)}
    times_there = collections.Counter(others)
    single = [times[key] == 1 and times_there[key] == 1 for key in keys]
    rows = [place[key] if alone else -1 for key, alone in zip(keys, single, strict=True)]
    shared = sum(key in place and not alone for key, alone in zip(keys, single, strict=True))
    return Matching(np.array(rows, np.int64), by, shared)
