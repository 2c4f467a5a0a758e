"""The size of a compressed image, checked before a decoder allocates memory for it."""

import os
import struct
from typing import Any

from remedis import extras
from remedis.data.readers.dicom_file import BoundedFile
from remedis.data.readers.dicom_header import quietly
from remedis.data.readers.unreadable import Unreadable

# Tag, representation and length of the element with compressed pixels.
_ELEMENT_HEADER = 12
# Some writers store a whole JP2 file, with boxes around the codestream, against the standard.
_JP2_FILE = b"\0\0\0\x0cjP  "
_JPEG, _JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
# Markers of a JPEG or JPEG-LS frame header; C4, C8 and CC have other meanings.
_FRAME_HEADERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}


def check(source: Any, frame: int, count: int, expected: tuple[int, int], samples: int) -> None:
    """Refuses a frame whose codestream has another size than the DICOM header.

    Args:
      source: a DICOM file with JPEG, JPEG-LS or JPEG 2000 pixels: open at its start, or its
        dataset.
      frame: the frame, from 0.
      count: number of frames.
      expected: rows and columns in the DICOM header.
      samples: values per pixel in the DICOM header.

    Raises:
      Unreadable: the sizes differ, or there is no codestream with a size.
    """
    pydicom = extras.load("pydicom", "dicom")
    encaps = extras.load("pydicom.encaps", "dicom")

    def codestream_size() -> tuple[int, int, int]:
        data = source
        if isinstance(source, BoundedFile):
            # Positions the file at the pixels, so that other frames are not read.
            pydicom.dcmread(source, stop_before_pixels=True, specific_tags=["Rows"])
            source.seek(_ELEMENT_HEADER, os.SEEK_CUR)
        else:
            data = source.PixelData
        return size(encaps.get_frame(data, frame, number_of_frames=count))

    actual = quietly(codestream_size, "The pixel data are missing, truncated or damaged.")
    for found, stated in ((actual[:2], expected), (actual, (*expected, samples))):
        if found != stated:
            raise Unreadable(
                f"The compressed image is {'x'.join(map(str, found))}, but the DICOM header states "
                f"{'x'.join(map(str, stated))}."
            )


def size(codestream: bytes) -> tuple[int, int, int]:
    """Returns rows, columns and channels of a JPEG, JPEG-LS or JPEG 2000 codestream.

    Raises:
      ValueError: the codestream is of another kind or malformed.
      struct.error: the codestream ends before its size.
    """
    if codestream.startswith(_JP2_FILE):
        codestream = codestream[codestream.index(_JPEG_2000) :]
    if codestream.startswith(_JPEG_2000):
        # After the marker: length and capabilities (4 bytes), then the grid's size and its offset.
        columns, rows, left, top = struct.unpack_from(">4I", codestream, 8)
        # Behind the size of a tile and its offset.
        (channels,) = struct.unpack_from(">H", codestream, 40)
        return rows - top, columns - left, channels
    if not codestream.startswith(_JPEG):
        raise ValueError("unknown kind of codestream")
    place = 2
    while True:
        marker, code = struct.unpack_from(">BB", codestream, place)
        if marker != 0xFF:
            raise ValueError("no marker where one was expected")
        if code == 0xFF or code in _WITHOUT_LENGTH:
            place += 1 if code == 0xFF else 2
        elif code in _FRAME_HEADERS:
            rows, columns, channels = struct.unpack_from(">HHB", codestream, place + 5)
            return rows, columns, channels
        else:
            (length,) = struct.unpack_from(">H", codestream, place + 2)
            if length < 2:
                raise ValueError("a segment without a length")
            place += 2 + length
