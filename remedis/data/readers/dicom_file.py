"""DICOM files of which pydicom reads and unpacks no more than an image needs.

pydicom reads private elements of undefined length into memory to find their end, and unpacks a
deflated file whole. Elements of defined length that are not asked for are skipped.
"""

import io
import os
import struct
import zlib
from typing import BinaryIO

from remedis import files, limits
from remedis.data.readers.unreadable import Unreadable
from remedis.regular_files import open_regular

# Read besides the pixels. Most headers have some kB; one of 10,000 frames with attributes per frame
# has 20 MB.
HEADER_BYTES = 32 << 20
# pydicom needs up to 10 microseconds per read, and two reads per element.
_MOST_READS = 1_000_000

_PREAMBLE = 132  # 128 bytes and the letters DICM
_META_GROUP, _SYNTAX = 2, 16
_LONG = (b"OB", b"OW", b"UN", b"SQ", b"UT", b"OF", b"OD", b"OL", b"OV", b"UC", b"UR", b"SV", b"UV")
_DEFLATED, _EXPLICIT = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1\0"


class BoundedFile:
    """A DICOM file for pydicom, with a limit on the bytes and the number of reads.

    Attributes:
      size: bytes of the file, unpacked if it was deflated.
      name: path of the file.
    """

    def __init__(self, opened: BinaryIO, name: str, size: int) -> None:
        self._opened = opened
        self.name = name
        self.size = size
        self._bytes = HEADER_BYTES
        self._reads = _MOST_READS

    def rewind(self, pixel_bytes: int = 0) -> "BoundedFile":
        """Returns to the start, and allows as many bytes as a header and these pixels need."""
        self._opened.seek(0)
        self._bytes = HEADER_BYTES + pixel_bytes
        self._reads = _MOST_READS
        return self

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes.

        Raises:
          Unreadable: the limit on bytes or reads is exceeded, or `size` is negative (all of the
            rest), which pydicom asks for only to unpack a file.
        """
        # If the file is shorter, it is truncated, and pydicom says so.
        size = min(size, max(0, self.size - self._opened.tell()))
        self._bytes -= size
        self._reads -= 1
        if size < 0 or self._bytes < 0 or self._reads < 0:
            raise Unreadable(
                f"The DICOM file has more than {HEADER_BYTES >> 20} MB of data besides the pixels, "
                "or pixel data far larger than the image; remove private elements, or save the "
                "image alone."
            )
        return self._opened.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to another byte, as `io.IOBase.seek` does."""
        return self._opened.seek(offset, whence)

    def tell(self) -> int:
        """Returns the number of the next byte."""
        return self._opened.tell()

    def close(self) -> None:
        """Closes the file."""
        self._opened.close()

    def __enter__(self) -> "BoundedFile":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_bounded(file: files.Path) -> BoundedFile:
    """Opens a DICOM file; a deflated one is unpacked in memory.

    Raises:
      Unreadable: a deflated dataset is damaged or too large.
      OSError: the file cannot be opened or is no regular file.
    """
    name = os.fspath(file)
    opened = open_regular(name)
    try:
        size = os.fstat(opened.fileno()).st_size
        unpacked = _unpacked(opened, size)
    except BaseException:
        opened.close()
        raise
    if unpacked is None:
        opened.seek(0)
        return BoundedFile(opened, name, size)
    opened.close()
    return BoundedFile(io.BytesIO(unpacked), name, len(unpacked))


def _unpacked(opened: BinaryIO, size: int) -> bytes | None:
    """Returns the unpacked contents of a deflated file, as explicit VR; None for other files."""
    start = opened.read(_PREAMBLE)
    meta = start
    deflated = False
    # The elements of the file's meta information, which is never deflated.
    while len(meta) < HEADER_BYTES:
        header = opened.read(8)
        if len(header) < 8:
            return None
        group, element, kind, length = struct.unpack("<HH2sH", header)
        if group != _META_GROUP:
            opened.seek(-len(header), os.SEEK_CUR)
            break
        if kind in _LONG:
            extended = opened.read(4)
            if len(extended) < 4:
                return None
            (length,) = struct.unpack("<L", extended)
            header += extended
        if length > min(size, HEADER_BYTES):
            return None
        value = opened.read(length)
        if element == _SYNTAX and kind == b"UI" and value.strip(b"\0 ") == _DEFLATED:
            deflated = True
            header, value = header[:6] + struct.pack("<H", len(_EXPLICIT)), _EXPLICIT
        # The group's length changes; it may be left out.
        if element:
            meta += header + value
    if not deflated:
        return None
    most = limits.max_unpacked_bytes()
    try:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        # Deflate makes nothing longer by more than a few bytes.
        dataset = unpacker.decompress(opened.read(most), most + 1)
    except zlib.error:
        raise Unreadable("The DICOM file is deflated, and truncated or damaged.") from None
    if len(dataset) > most:
        raise Unreadable(
            f"The DICOM file is deflated and has more than {most >> 20} MB unpacked, more than an "
            f"image of {limits.max_pixels() / 1e6:g} megapixels needs."
        )
    return meta + dataset
