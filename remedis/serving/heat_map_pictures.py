"""Pictures for an answer: an image in the size of a page, and a heat map to lay over it."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from remedis.inference.heat_map_colours import AGAINST, FOR, limits, rgb

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

LONGEST = 1_024  # pixels of the longer side


def shrunk(image: Floats) -> Bytes:
    """Returns an image [H, W, 1 or 3] float32 in [0, 1] as bytes, at most `LONGEST` long."""
    height, width, channels = image.shape
    # Whole pixels are left out first: bytes of all of them would take as much memory again.
    step = max(1, max(height, width) // (2 * LONGEST))
    picture = np.rint(255 * image[::step, ::step]).astype(np.uint8)
    shown = Image.fromarray(picture[..., 0] if channels == 1 else picture)
    shown = shown.resize(_size(height, width)[::-1], Image.Resampling.BILINEAR)
    return np.asarray(shown).reshape(*_size(height, width), channels)


def overlay(placed: Floats, size: tuple[int, int]) -> tuple[Bytes, tuple[float, float]]:
    """Returns a heat map as colours with opacity, and the values at both ends of the colours.

    Vermilion is for the label, blue against it. The opacity is proportional to the value. What the
    network did not see is transparent.

    Args:
      placed: [H, W], signed; NaN where the network did not see the image.
      size: height and width of the picture.

    Returns:
      [height, width, 4] uint8, and (low, high).
    """
    rows, columns = (
        np.minimum(((np.arange(n) + 0.5) * of / n).astype(int), of - 1)
        for n, of in zip(size, placed.shape, strict=True)
    )
    low, high = limits(placed, signed=True)
    share = np.nan_to_num(placed[np.ix_(rows, columns)]) / (high or 1.0)
    colour = np.where(share[..., None] < 0, rgb(AGAINST), rgb(FOR))
    picture = np.concatenate([colour, np.abs(share)[..., None]], -1)
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8), (low, high)


def png_base64(picture: Bytes) -> str:
    """Returns a picture [H, W, 1, 3 or 4] uint8 as a PNG file in base64."""
    buffer = io.BytesIO()
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _size(height: int, width: int) -> tuple[int, int]:
    factor = min(1.0, LONGEST / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))
