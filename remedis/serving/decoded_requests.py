"""Images of requests: bytes to pixels, through the readers of the project and within limits.

The kind of a file is that of its first bytes; its name and its stated type are not looked at. The
size is read from the header before any pixel is decoded.
"""

import contextlib
import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis.data.readers import dicom_header, dicom_image
from remedis.data.readers.unreadable import Unreadable
from remedis.errors import UserError
from remedis.preprocess import decode
from remedis.serving.refusals import Refusal

Floats = npt.NDArray[np.float32]

_DAMAGED = "The file is not a complete JPEG or PNG file; send it again."


def decoded(contents: bytes, frame: str, most_pixels: int) -> Floats:
    """Returns the image of a JPEG, PNG or DICOM file.

    Args:
      contents: of the file.
      frame: of a DICOM file with several, from 1; empty for one.
      most_pixels: height times width, at most.

    Returns:
      [H, W, 1] for grey, or [H, W, 3], float32 in [0, 1].

    Raises:
      Refusal: it is no such file, is damaged, has too many pixels, or cannot be shown correctly.
    """
    is_dicom = dicom_header.has_mark(contents[: dicom_header.MARK_END])
    is_coded = contents.startswith((decode.PNG_SIGNATURE, decode.JPEG_SIGNATURE))
    if is_dicom and is_coded:
        raise Refusal(
            400, "The file is an image and a DICOM file at once; send the one that is meant."
        )
    if is_dicom:
        return _dicom(contents, frame, most_pixels)
    if not is_coded:
        raise Refusal(415, "The file is none of JPEG, PNG and DICOM; expected one of these.")
    if frame:
        raise Refusal(400, "A frame is named, but the file is not DICOM; leave frame out.")
    return _coded(contents, most_pixels)


def _coded(contents: bytes, most_pixels: int) -> Floats:
    size = decode.stated_size(contents)
    if size is None:
        raise Refusal(400, _DAMAGED)
    check_pixels(*size, most_pixels)
    if sentence := decode.refusal(contents):
        raise Refusal(413, sentence)
    try:
        image: Floats = decode.decode_stored(tf.constant(contents)).numpy()
    # TensorFlow says so, too, of an image that is larger than the memory that is left.
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        raise Refusal(400, _DAMAGED) from None
    return image


def _dicom(contents: bytes, frame: str, most_pixels: int) -> Floats:
    try:
        with _in_memory(contents) as path:
            header = dicom_header.read(path, ("Rows", "Columns"))
            rows, columns = (dicom_header.value_of(header, n) for n in ("Rows", "Columns"))
            if not isinstance(rows, int) or not isinstance(columns, int):
                raise Refusal(400, "The DICOM file has no image; send one that has.")
            check_pixels(rows, columns, most_pixels)
            image: Floats = dicom_image.read_pixels(path, frame)
            return image
    except Unreadable as error:
        raise Refusal(400, str(error)) from None
    except UserError as error:  # a decoder is not installed here
        raise Refusal(501, str(error)) from None


@contextlib.contextmanager
def _in_memory(contents: bytes) -> Iterator[str]:
    """Yields the path of a file that is in no folder: no patient's image is on a disk."""
    descriptor = os.memfd_create("image")
    try:
        with open(descriptor, "wb", closefd=False) as opened:
            opened.write(contents)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def check_pixels(height: int, width: int, most: int) -> None:
    """Refuses an image of more pixels than `most`, or of none."""
    if height * width > most:
        raise Refusal(
            413,
            f"The image has {width:,} x {height:,} pixels; expected at most {most / 1e6:g} "
            "megapixels: make it smaller.",
        )
    if not height * width:
        raise Refusal(400, "The image has no pixels; send another one.")
