"""NumPy archives with one image per row of an array: `file.npz#train_images,17` is its row 17.

Names: `*.npz`.
Items: `array,row`: the name of the array in the archive, and the row, from 0.
Result: [H, W, channels] uint8 or uint16 as stored. An array [rows, H, W] is grey.

The archive is a ZIP file of `.npy` members, stored or deflated. A row of a stored member is read in
place. A deflated member has to be unpacked from its beginning; the state of the unpacking is kept
at regular places, so that a row costs no more than the way from the place before it. Rows in order
are unpacked once. Nothing of the archive stays in memory but these states, about 50 kB each. Where
reading in random order limits training, pack the images with `remedis prepare`.
"""

import bisect
import dataclasses
import functools
import math
import os
import re
import threading
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis import limits
from remedis.data.readers.unreadable import Unreadable
from remedis.npz_files import DamagedNpz, NpzFile
from remedis.regular_files import check_regular

NAMES = re.compile(r"\.npz$", re.IGNORECASE)
_ITEM = re.compile(r"(?P<array>.+),(?P<row>[0-9]{1,18})")
_OPEN_FILES = 4
_CHANNELS = (1, 2, 3, 4)
_BLOCK = 16 << 10  # packed bytes read at once
# Kept states per array, and the shortest way between two of them, in unpacked bytes.
_MOST_STATES = 1000
_SHORTEST_WAY = 64 << 10


@dataclasses.dataclass(frozen=True)
class _State:
    """The unpacking of a member at one place: bytes unpacked and read so far, and zlib's object."""

    unpacked: int
    packed: int
    inflate: Any


class Array:
    """An array of an archive, of which rows are read one by one, from many threads.

    Attributes:
      shape: [rows, ...].
      dtype: of the values.
      is_by_column: whether a row does not lie in one piece.
    """

    def __init__(self, archive: NpzFile, name: str) -> None:
        header = archive.headers[name]
        self.shape, self.dtype = header.shape, header.dtype
        self._archive, self._name = archive, name
        self._start = header.start
        self.is_by_column = header.fortran and len(self.shape) > 1
        self._packed = archive.packed(name)
        self._way = max(_SHORTEST_WAY, -(-(header.start + header.size) // _MOST_STATES))
        self._states = [_State(0, 0, zlib.decompressobj(-zlib.MAX_WBITS))]
        self._latest = self._states[0]
        self._lock = threading.Lock()

    def row(self, number: int) -> npt.NDArray[Any]:
        """Returns a row, [...] as stored.

        Raises:
          Unreadable: the archive is damaged.
        """
        size = self.dtype.itemsize * math.prod(self.shape[1:])
        contents = self._read(self._start + number * size, size)
        return np.frombuffer(contents, self.dtype).reshape(self.shape[1:])

    def whole(self) -> npt.NDArray[Any]:
        """Returns the array, which should be a small one.

        Raises:
          Unreadable: the archive is damaged.
        """
        try:
            return self._archive[self._name]
        except DamagedNpz as error:
            raise Unreadable(f"The array {self._name!r} cannot be read: {error}.") from error

    def _read(self, first: int, size: int) -> bytes:
        """Returns bytes of the unpacked member."""
        read = self._unpack if self._packed.is_deflated else self._packed.read
        contents = read(first, size)
        if len(contents) != size:
            raise Unreadable("The archive is truncated or damaged.")
        return contents

    def _unpack(self, first: int, size: int) -> bytes:
        state = self._before(first)
        parts = []
        while state.unpacked < first + size:
            # Not beyond the next place of a state, nor beyond what is asked for.
            next_place = (state.unpacked // self._way + 1) * self._way
            end = min(next_place, first if state.unpacked < first else first + size)
            part, state = self._step(state, end - state.unpacked)
            if not part:
                break
            if state.unpacked > first:
                parts.append(part)
            if state.unpacked == next_place:
                self._keep(state)
        with self._lock:
            self._latest = state
        return b"".join(parts)

    def _step(self, state: _State, most: int) -> tuple[bytes, _State]:
        """Returns at most so many next bytes, and the state behind them; no bytes at the end."""
        inflate = state.inflate.copy()
        packed, part = state.packed, b""
        while not part and not inflate.eof:
            block = self._packed.read(packed, _BLOCK)
            part = inflate.decompress(block, most)
            # What is not consumed is read again, so that no state holds it.
            packed += len(block) - len(inflate.unconsumed_tail)
            if not block and not part:
                break
        return part, _State(state.unpacked + len(part), packed, inflate)

    def _before(self, place: int) -> _State:
        """Returns the last known state at or before a place."""
        with self._lock:
            index = bisect.bisect_right(self._states, place, key=lambda state: state.unpacked)
            state = self._states[index - 1]
            if state.unpacked < self._latest.unpacked <= place:
                return self._latest
            return state

    def _keep(self, state: _State) -> None:
        with self._lock:
            if state.unpacked > self._states[-1].unpacked:
                self._states.append(state)


def read_pixels(file: str, item: str) -> npt.NDArray[Any]:
    """Returns the image of one row.

    Args:
      file: path of an archive.
      item: name of the array, a comma, and the number of the row, from 0.

    Returns:
      [H, W, channels] uint8 or uint16 with 1 to 4 channels.

    Raises:
      Unreadable: there is no such file, array or row, the archive cannot be opened or is damaged,
        or the array does not hold images.
    """
    found = arrays(file)
    match = _ITEM.fullmatch(item)
    images = found.get(match["array"]) if match else None
    if match is None or images is None:
        named = ", ".join(sorted(found)) or "none"
        raise Unreadable(
            f"There is no array of {item!r}; expected {os.path.basename(file)}#ARRAY,ROW with one "
            f"of the arrays {named}."
        )
    check_images(match["array"], images)
    if int(match["row"]) >= images.shape[0]:
        raise Unreadable(
            f"There is no row {match['row']} in the array {match['array']!r}; expected 0 to "
            f"{images.shape[0] - 1:,}."
        )
    if sentence := limits.refusal(*images.shape[1:3]):
        raise Unreadable(sentence)
    try:
        pixels = images.row(int(match["row"]))
    except OSError as error:
        raise Unreadable(f"The file cannot be read ({error.strerror}).") from error
    except zlib.error as error:
        raise Unreadable("The archive is truncated or damaged.") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def check_images(name: str, images: Array) -> None:
    """Raises Unreadable for an array that does not hold images."""
    channels = images.shape[3] if len(images.shape) == 4 else 1
    if images.dtype not in (np.uint8, np.uint16) or not (
        len(images.shape) in (3, 4) and channels in _CHANNELS and all(images.shape)
    ):
        raise Unreadable(
            f"The array {name!r} is {images.dtype} {list(images.shape)}; expected uint8 or uint16 "
            "[rows, H, W] or [rows, H, W, channels] with 1 to 4 channels and at least one pixel."
        )
    if images.is_by_column:
        raise Unreadable(f"The array {name!r} is stored by column; expected the order of rows.")


def arrays(file: str) -> dict[str, Array]:
    """Returns the arrays of an archive by name, without their values.

    Raises:
      Unreadable: the file is missing, cannot be read or is no such archive.
    """
    try:
        status = check_regular(file)
        # A forked process must open the file itself, and a replaced file must be opened again.
        return _arrays(file, status.st_ino, status.st_size, status.st_mtime_ns, os.getpid())
    except FileNotFoundError as error:
        raise Unreadable("There is no such file.") from error
    except OSError as error:
        raise Unreadable(f"The file cannot be read ({error.strerror}).") from error
    except DamagedNpz as error:
        raise Unreadable(
            f"The file is no NumPy archive, or is truncated or damaged: {error}."
        ) from error


# A file that the cache drops is closed when no thread reads it any longer.
@functools.lru_cache(_OPEN_FILES)
def _arrays(file: str, inode: int, size: int, mtime_ns: int, process: int) -> dict[str, Array]:
    """Returns the arrays of a file; the other arguments identify its state and the process."""
    archive = NpzFile(file)
    return {name: Array(archive, name) for name in archive}
