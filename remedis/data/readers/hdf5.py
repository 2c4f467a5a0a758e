"""HDF5 arrays with one image a row: `file.h5#17` is row 17, counted from 0.

Names: `*.h5`, `*.hdf5`.
Items: the row of the array `x`, or of the only array of the file if none is called so.
Gives: [H, W, channels] uint8 or uint16 as stored. An array [rows, H, W] is grey.

Files stay open between reads, a few at a time. HDF5 lets one thread in at a time, so more threads
do not read faster; whoever is bound by that packs the images as JPEG or PNG.
"""

import functools
import os
import re

import h5py
import numpy as np

from remedis.data.readers.unreadable import Unreadable

NAMES = re.compile(r"\.(h5|hdf5)$", re.IGNORECASE)
KEY = "x"
_ITEM = re.compile(r"[0-9]{1,18}")
_OPEN_FILES = 16
_CHANNELS = (1, 2, 3, 4)


def read_pixels(file: str, item: str) -> np.ndarray:
    """Returns the image of one row.

    Args:
      file: path of an HDF5 file.
      item: number of the row, from 0, in decimal digits.

    Returns:
      [H, W, channels] uint8 or uint16 with 1 to 4 channels.

    Raises:
      Unreadable: there is no such file or row, the file cannot be opened or is damaged, or it holds
        no images.
    """
    try:
        status = os.stat(file)
        # A forked process must open files of its own, and a file that was replaced is another one.
        images = _images(file, status.st_ino, status.st_size, status.st_mtime_ns, os.getpid())
        if not (_ITEM.fullmatch(item) and int(item) < len(images)):
            raise Unreadable(
                f"There is no row {item!r}; expected {os.path.basename(file)}#ROW with ROW from 0 "
                f"to {len(images) - 1:,}."
            )
        pixels: np.ndarray = images[int(item)]
    except FileNotFoundError as error:
        raise Unreadable("There is no such file.") from error
    except (IsADirectoryError, PermissionError) as error:
        # HDF5 puts a text of its own in place of the system's.
        reason = os.strerror(error.errno) if error.errno else "no permission"
        raise Unreadable(f"The file cannot be read ({reason}).") from error
    # A link that leads nowhere is a `KeyError`.
    except (OSError, RuntimeError, KeyError) as error:
        raise Unreadable("The HDF5 file is truncated or damaged.") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


# What falls out of the cache is closed as soon as no thread reads it any more.
@functools.lru_cache(_OPEN_FILES)
def _images(file: str, inode: int, size: int, mtime_ns: int, process: int) -> h5py.Dataset:
    """Returns the open array of a file; all but `file` tells one state of it from another."""
    contents = h5py.File(file, "r")
    arrays = {name: a for name, a in contents.items() if isinstance(a, h5py.Dataset)}
    if KEY not in arrays and len(arrays) != 1:
        raise Unreadable(
            f"The HDF5 file has no array {KEY!r}; it has {', '.join(sorted(contents)) or 'none'}."
        )
    images = arrays.get(KEY, next(iter(arrays.values())))
    # An empty dataspace has no shape at all.
    shape: tuple[int, ...] = images.shape or ()
    channels = shape[3] if len(shape) == 4 else 1
    if images.dtype not in (np.uint8, np.uint16) or not (
        len(shape) in (3, 4) and channels in _CHANNELS and all(shape[1:])
    ):
        raise Unreadable(
            f"The array {images.name.strip('/')!r} is {images.dtype} {list(shape)}; expected uint8 "
            "or uint16 [rows, H, W, channels] with 1 to 4 channels and at least one pixel."
        )
    return images
