"""Heat maps drawn over their images, in the image's own pixels."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from remedis.inference.heat_map_colours import AGAINST, FOR, limits, rgb

__all__ = ["AGAINST", "FOR", "limits", "overlay", "png"]

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

_OPACITY = 0.65  # of the largest value
_BOX = "#F0E442"  # their yellow


def overlay(
    pixels: npt.ArrayLike, heat_map: npt.ArrayLike, signed: bool, boxes: npt.ArrayLike = ()
) -> Bytes:
    """Returns the image with the map over it, [H, W, 3].

    Vermilion is for the label, blue against it. The opacity is proportional to the value: 0 leaves
    the image as it is, and so does what the network did not see.

    Args:
      pixels: [H, W, 3] in [0, 1].
      heat_map: [H, W].
      signed: as for `limits`.
      boxes: [boxes, 4] left, top, right and bottom in pixels, drawn as outlines.
    """
    _, largest = limits(heat_map, signed)
    share = np.nan_to_num(np.asarray(heat_map, np.float32)) / (largest or 1.0)
    share = np.clip(share, -1 if signed else 0, 1)[..., None]
    colour = np.where(share < 0, rgb(AGAINST), rgb(FOR))
    opacity = _OPACITY * np.abs(share)
    blended = np.asarray(pixels, np.float32) * (1 - opacity) + colour * opacity
    picture = Image.fromarray(np.rint(255 * np.clip(blended, 0, 1)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(min(picture.size) / 200))
    for left, top, right, bottom in np.asarray(boxes, float).reshape(-1, 4):
        # Pixel i reaches from i to i + 1, and a rectangle includes its last pixel.
        corners = [round(left), round(top), max(round(right) - 1, round(left)), 0]
        corners[3] = max(round(bottom) - 1, corners[1])
        draw.rectangle(corners, outline=_BOX, width=width)
    return np.asarray(picture)


def png(picture: Bytes, longest: int | None = None) -> bytes:
    """Returns a picture [H, W, 3] as a PNG file.

    Args:
      picture: the pixels.
      longest: of its sides; larger pictures are shrunk.
    """
    image = Image.fromarray(picture)
    if longest is not None:
        image.thumbnail((longest, longest))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
