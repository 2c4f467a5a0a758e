"""HDF5 arrays with one image per row: `file.h5#17` is row 17, counted from 0.

Names: `*.h5`, `*.hdf5`.
Items: the row of the array `x`, or of the only array in the file if it has another name.
Result: [H, W, channels] uint8 or uint16 as stored. An array [rows, H, W] is grey.

An array whose values are in other files (external storage, links, virtual data sets) is refused: it
could show any file of the machine. So are symbolic links within the file, and filters besides gzip,
lzf, shuffle and checksum.

A few files stay open between reads. HDF5 admits one thread at a time, so more threads do not read
faster; where this limits training, pack the images as JPEG or PNG.
"""

import functools
import os
import re

import h5py
import numpy as np

from remedis import hdf5_files, limits
from remedis.data.readers.unreadable import Unreadable
from remedis.regular_files import NotRegular, check_regular

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
        status = check_regular(file)
        # A forked process must open the file itself, and a replaced file must be opened again.
        images = _images(file, status.st_ino, status.st_size, status.st_mtime_ns, os.getpid())
        if not (_ITEM.fullmatch(item) and int(item) < len(images)):
            raise Unreadable(
                f"There is no row {item!r}; expected {os.path.basename(file)}#ROW with ROW from 0 "
                f"to {len(images) - 1:,}."
            )
        if sentence := limits.refusal(*images.shape[1:3]):
            raise Unreadable(sentence)
        hdf5_files.check_chunks(images, int(item))
        pixels: np.ndarray = images[int(item)]
    except hdf5_files.Refused as error:
        raise Unreadable(str(error)) from error
    except FileNotFoundError as error:
        raise Unreadable("There is no such file.") from error
    except (IsADirectoryError, PermissionError, NotRegular) as error:
        # HDF5 replaces the system's message by its own.
        reason = os.strerror(error.errno) if error.errno else "no permission"
        if isinstance(error, NotRegular):
            reason = str(error.strerror)
        raise Unreadable(f"The file cannot be read ({reason}).") from error
    # Damaged bytes raise nearly every error in h5py.
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("The HDF5 file is truncated or damaged.") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


# A file that the cache drops is closed when no thread reads it any longer.
@functools.lru_cache(_OPEN_FILES)
def _images(file: str, inode: int, size: int, mtime_ns: int, process: int) -> h5py.Dataset:
    """Returns the open array of a file; the other arguments identify its state and the process."""
    contents = hdf5_files.open_file(file)
    members = dict(hdf5_files.members(contents))
    arrays = {name: a for name, a in members.items() if isinstance(a, h5py.Dataset)}
    if KEY not in arrays and len(arrays) != 1:
        raise Unreadable(
            f"The HDF5 file has no array {KEY!r}; it has {', '.join(sorted(members)) or 'none'}."
        )
    images = arrays.get(KEY, next(iter(arrays.values())))
    # The shape of an empty dataspace is None.
    shape: tuple[int, ...] = images.shape or ()
    channels = shape[3] if len(shape) == 4 else 1
    if images.dtype not in (np.uint8, np.uint16) or not (
        len(shape) in (3, 4) and channels in _CHANNELS and all(shape[1:])
    ):
        raise Unreadable(
            f"The array {images.name.strip('/')!r} is {images.dtype} {list(shape)}; expected uint8 "
            "or uint16 [rows, H, W, channels] with 1 to 4 channels and at least one pixel."
        )
    hdf5_files.check_filters(images)
    return images
