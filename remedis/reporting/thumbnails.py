"""Small pictures of images for pages, as data URLs."""

import base64
import logging
import os
import pathlib
from collections.abc import Iterable

import tensorflow as tf

from remedis import files
from remedis.data import image_pixels
from remedis.errors import UserError, counted
from remedis.options import spelled

PIXELS = 256  # the longer side
_QUALITY = 88  # of JPEG
_LOG = logging.getLogger(__name__)


def data_url(path: str) -> str:
    """Returns an image as a JPEG in a data URL, its longer side at most `PIXELS`.

    Raises:
      UserError: the image cannot be read.
    """
    image = image_pixels.smaller(image_pixels.read(path), PIXELS)
    pixels = tf.image.convert_image_dtype(image, tf.uint8, saturate=True)
    encoded = tf.io.encode_jpeg(pixels, quality=_QUALITY).numpy()
    return f"data:image/jpeg;base64,{base64.b64encode(encoded).decode()}"


def data_urls(paths: Iterable[str], folder: files.Path | None) -> dict[str, str]:
    """Returns the pictures of images by path; an image that cannot be read has none.

    A warning counts those, and names the first.

    Args:
      paths: relative to the folder, or absolute.
      folder: where relative paths start; the working directory if None.
    """
    found, faults = {}, []
    wanted = list(dict.fromkeys(paths))
    for path in wanted:
        place = os.path.join(pathlib.Path("" if folder is None else folder), path)
        try:
            found[path] = data_url(place)
        except UserError as error:
            faults.append(str(error))
    if faults:
        hint = f"; name their folder with {spelled('images')}" if folder is None else ""
        _LOG.warning(
            f"{counted(len(faults), 'image')} of {len(wanted):,} cannot be shown: {faults[0]}{hint}"
        )
    return found
