"""The pixels of one image of any kind, read and decoded at once."""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from remedis.data.readers import Unreadable, locate
from remedis.errors import UserError
from remedis.preprocess.decode import decode_image, refusal
from remedis.preprocess.registry import three_channels

Image = npt.NDArray[np.float32]


def read(path: str) -> Image:
    """Returns an image, [H, W, 3] float32 in [0, 1].

    Args:
      path: as in a manifest: a file, or an item of a container such as `train.h5#17`.

    Raises:
      UserError: the image cannot be read; says why.
    """
    location = locate(path)
    pixels: Image
    try:
        if hasattr(location.reader, "read_pixels"):
            pixels = three_channels(tf.constant(location.read_pixels())).numpy()
            return pixels
        contents = location.read_bytes()
        if sentence := refusal(contents):
            raise Unreadable(sentence)
        pixels = decode_image(tf.constant(contents)).numpy()
        return pixels
    except Unreadable as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    except tf.errors.InvalidArgumentError as error:
        raise UserError(f"{path} cannot be read: it is not a complete JPEG or PNG file.") from error


def smaller(image: Image, longest: int) -> Image:
    """Returns an image [H, W, 3] averaged by area, its longer side at most `longest` pixels."""
    if max(image.shape[:2]) <= longest:
        return image
    sides = [max(1, round(side * longest / max(image.shape[:2]))) for side in image.shape[:2]]
    return np.clip(tf.image.resize(image, sides, "area").numpy(), 0, 1)
