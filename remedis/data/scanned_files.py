"""Size and time of image files at the scan, compared with those at a later time.

Training reads every image again in every epoch. A file that is replaced in the meantime has other
pixels than those that were scanned, hashed and compared between the splits. Size and time of
modification reveal this, as they do for `make` and `rsync`. Hashing all images a second time would
take as long as an epoch.

A cache in memory may still hold the scanned image after its file is replaced. It is refused all the
same: the cache does not know which of the two it read, and a resumed run would read the new one.
"""

import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import regular_files
from remedis.errors import UserError, counted, quoted

_ABSENT = -1  # no file has this size
# Files per task, and tasks at a time. On a network file system each file costs a round trip.
_PER_TASK, _THREADS = 500, 16


class ScannedFiles:
    """Size and time of modification of files at the scan."""

    def __init__(
        self, images: Iterable[str], sizes: npt.ArrayLike, mtimes_ns: npt.ArrayLike
    ) -> None:
        """Takes the values of the scan.

        Args:
          images: paths of the images, such as `DIR/1.png` or `DIR/x.h5#17`.
          sizes: of their files, in bytes.
          mtimes_ns: times of modification in nanoseconds.
        """
        index = _files_of(images)
        first = ~index.duplicated()
        self._index = index[first]
        self._status = np.stack(
            [np.asarray(sizes, np.int64)[first], np.asarray(mtimes_ns, np.int64)[first]], axis=1
        )

    def check(self, images: Iterable[str]) -> None:
        """Compares the files of images with the scan; skips images that were not scanned.

        Args:
          images: paths, spelled as those of the scan.

        Raises:
          UserError: a file has another size or time, or cannot be found any longer.
        """
        rows = self._index.get_indexer(_files_of(images).unique())
        rows = rows[rows >= 0]
        names = self._index[rows].tolist()
        now = np.array(_status_of(names), np.int64).reshape(-1, 2)
        changed = np.flatnonzero((now != self._status[rows]).any(axis=1))
        if len(changed):
            first = changed[0]
            raise UserError(
                _sentence(names[first], self._status[rows[first]], now[first], len(changed) - 1)
            )


def _files_of(images: Iterable[str]) -> "pd.Index[str]":
    from remedis.data import readers  # loads TensorFlow, which tables do not need

    return pd.Index([readers.locate(image).file for image in images], dtype=object)


def _status_of(names: Sequence[str]) -> list[tuple[int, int]]:
    """Returns size and time of files, `_ABSENT` for both if there is no file."""
    if len(names) <= _PER_TASK:
        return _task(names)
    tasks = [names[i : i + _PER_TASK] for i in range(0, len(names), _PER_TASK)]
    with ThreadPoolExecutor(_THREADS) as threads:
        return [status for task in threads.map(_task, tasks) for status in task]


def _task(names: Sequence[str]) -> list[tuple[int, int]]:
    found = []
    for name in names:
        try:
            status = os.stat(name)
        except OSError:
            found.append((_ABSENT, _ABSENT))
        else:
            found.append((status.st_size, regular_files.modified_ns(status)))
    return found


def _sentence(
    name: str, before: npt.NDArray[np.int64], now: npt.NDArray[np.int64], others: int
) -> str:
    if now[0] == _ABSENT:
        fault = "is missing, but was there when it was scanned"
    elif now[0] != before[0]:
        fault = f"has changed since it was scanned, from {before[0]:,} to {now[0]:,} bytes"
    else:
        fault = f"was rewritten after it was scanned, on {_time(now[1])}"
    more = f" (as well as {counted(others, 'other file')})" if others else ""
    return (
        f"{quoted(name)} {fault}{more}: the results would not be those of the checked images. "
        "Restore the scanned images and start the same command again, which scans what "
        "changed; to use other images, start in another directory."
    )


def _time(nanoseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nanoseconds / 1e9))
