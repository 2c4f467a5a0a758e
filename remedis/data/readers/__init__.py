"""Readers of images: from a file of its own, or from an item of a container.

The `path` of a manifest names a JPEG, PNG, DICOM or small TIFF file, or one item of a container as
`file#item`, such as row 17 of an HDF5 array, `train_x.h5#17`. A `#` separates an item only after
the name of a container; everywhere else it is part of the file's name. The module of each reader
documents its file names, its items and its results.

A reader's module has `NAMES`, a pattern that is searched for in file names, and one of two
functions. `read_encoded(file, item)` returns the bytes of a JPEG or PNG. `read_pixels(file, item)`
returns [H, W, channels] uint8 or uint16 with 1 to 4 channels, as
`remedis.preprocess.decode.from_pixels` takes them, or [H, W, 1 or 3] float32 in [0, 1]. Both are
called from many threads at once and raise `Unreadable`.
"""

import dataclasses
import os
from types import ModuleType

import numpy as np

from remedis import limits, regular_files
from remedis.data.readers import dicom_image, hdf5, npz, slide, tfrecord, tiff_image
from remedis.data.readers.unreadable import Unreadable

__all__ = ["ENCODED", "FILE", "PIXELS", "Location", "Unreadable", "locate"]

_READERS: tuple[ModuleType, ...] = (dicom_image, hdf5, npz, tfrecord, slide)
# A path without an item: a TIFF file is then an image, and not a slide.
_WITHOUT_ITEM = (tiff_image, *_READERS)

# Kinds of location: TensorFlow reads and decodes the file, a reader returns encoded bytes, or a
# reader returns pixels.
FILE, ENCODED, PIXELS = range(3)


@dataclasses.dataclass(frozen=True)
class Location:
    """The parts of a path in a manifest.

    Attributes:
      file: the file of the image.
      item: the image in the file; empty if the file has a single image.
      reader: the module that reads the file; None for JPEG and PNG files.
    """

    file: str
    item: str = ""
    reader: ModuleType | None = None

    @property
    def kind(self) -> int:
        """`FILE`, `ENCODED` or `PIXELS`."""
        if self.reader is None:
            return FILE
        return ENCODED if hasattr(self.reader, "read_encoded") else PIXELS

    def read_bytes(self) -> bytes:
        """Returns the encoded image of a `FILE` or `ENCODED` location.

        Raises:
          Unreadable: the image cannot be read.
        """
        if self.reader is not None:
            contents: bytes = self.reader.read_encoded(self.file, self.item)
            return contents
        try:
            return regular_files.read_bytes(self.file, limits.max_encoded_bytes())
        except OSError as error:
            raise Unreadable(f"The file cannot be read ({error.strerror}).") from error

    def read_pixels(self) -> np.ndarray:
        """Returns the image of a `PIXELS` location.

        The image is [H, W, 3] float32 in [0, 1], or [H, W, 1] for a grey DICOM image.

        Raises:
          Unreadable: the image cannot be read.
        """
        assert self.reader is not None
        pixels: np.ndarray = self.reader.read_pixels(self.file, self.item)
        if pixels.dtype == np.float32:
            return pixels
        # The arithmetic of `decode.from_pixels`, without a graph for every thread.
        image = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
        return np.repeat(image[..., :1], 3, axis=-1) if image.shape[-1] < 3 else image[..., :3]


def locate(path: str) -> Location:
    """Returns the file, the item and the reader of a path in a manifest."""
    file, mark, item = path.rpartition("#")
    for reader in _READERS:
        if mark and reader.NAMES.search(os.path.basename(file)):
            return Location(file, item, reader)
    for reader in _WITHOUT_ITEM:
        if reader.NAMES.search(os.path.basename(path)):
            return Location(path, "", reader)
    return Location(path)
