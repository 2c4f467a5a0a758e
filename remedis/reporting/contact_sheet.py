"""A contact sheet: what every operation and every recipe of preprocessing makes of one image."""

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from numpy.typing import NDArray

from remedis.data.readers import Unreadable, locate
from remedis.errors import UserError
from remedis.files import Path
from remedis.preprocess import Preprocess, parse, recipes
from remedis.preprocess.decode import decode_image
from remedis.preprocess.registry import three_channels
from remedis.reporting.figures import GREY, write

_LEAST = 160  # pixels a side of the image

# One example an operation, strong enough to be seen. Where a probability is not what is shown, it
# is 1.
EXAMPLES = (
    "resize(224)",
    "central_crop(0.875)",
    f"random_crop({_LEAST})",
    "random_resized_crop(224)",
    "flip_left_right()",
    "flip_up_down()",
    "quarter_turns()",
    "rotate(45)",
    "elastic_deformation(1000, 30, 1)",
    "brightness(0.4)",
    "contrast(0.4)",
    "saturation(0.8)",
    "hue(0.2)",
    "colour_distortion(1.0, 1)",
    "grey(1)",
    "histogram_equalisation(1)",
    "gaussian_blur(1)",
    "stain_jitter(0.2, 0.2)",
    "cut_out(0.4)",
    "solarise(0.5, 1)",
)

_COLUMNS = 5  # seeds
_CELL = 1.7  # inches
_LABEL = 0.45  # inches for the text above a row
_GAP = 0.08  # inches between cells
_MARGIN = 0.15  # inches at the sides
_HEAD = 0.95  # inches above the rows
_PIXELS = 340  # the longer side of what is drawn; more would be lost in print

Image = NDArray[np.float32]


def write_contact_sheet(image: Path, out: Path, seed: int = 0) -> pathlib.Path:
    """Draws every operation and every recipe on one image and writes the figure.

    Args:
      image: a path as a manifest may have it.
      out: the figure; its suffix names the format.
      seed: the first of the seeds, one a column.

    Returns:
      The path of the figure.

    Raises:
      UserError: the image cannot be read or is smaller than an operation needs, or the figure's
        suffix names no format.
    """
    suffix = pathlib.Path(out).suffix
    if suffix.lstrip(".").lower() not in Figure().canvas.get_supported_filetypes():
        raise UserError(
            f"The contact sheet cannot be written as {str(out)!r}: {suffix or 'no suffix'!r} is "
            "not a format of figures; name it, for example, sheet.png."
        )
    name = pathlib.Path(image).name
    return write(contact_sheet(_read(str(image)), seed, title=f"Preprocessing of {name}"), out)


def contact_sheet(image: Image, seed: int = 0, *, title: str = "Preprocessing") -> Figure:
    """Returns the figure: a row each operation and recipe, the original and one column a seed.

    Operations that are not random have one picture. Any two of a recipe's are two views as
    contrastive learning sees them.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      seed: the first of the seeds.
      title: above all rows.

    Raises:
      UserError: the image is smaller than the examples need.
    """
    if min(image.shape[:2]) < _LEAST:
        raise UserError(
            f"The image is {image.shape[1]} x {image.shape[0]} pixels; the contact sheet needs "
            f"{_LEAST} x {_LEAST}: resize it, or take another."
        )
    rows = [*EXAMPLES, *(f"{name}()" for name in recipes.names())]
    width = 2 * _MARGIN + (_COLUMNS + 1) * (_CELL + _GAP)
    height = _HEAD + len(rows) * (_CELL + _LABEL) + 2 * _MARGIN
    figure = Figure(figsize=(width, height))
    _text(figure, 0, 0.25, title, fontsize=13, weight="bold")
    shape = f"{image.shape[1]} x {image.shape[0]} pixels"
    _text(figure, 0, 0.5, f"{shape}; below a picture its size where it differs", color=GREY)
    heads = ("original", *(f"seed {seed + column}" for column in range(_COLUMNS)))
    for column, head in enumerate(heads):
        _text(figure, column, _HEAD - 0.12, head, weight="bold")
    original = _smaller(image)
    for row, specification in enumerate(rows):
        top = _HEAD + row * (_CELL + _LABEL)
        preprocess = parse(specification)
        _text(figure, 0, top + 0.38, specification, family="monospace")
        _draw(figure, 0, top + _LABEL, original)
        for column in range(_COLUMNS if preprocess.random else 1):
            made = _made(preprocess, image, seed + column)
            note = f"{made.shape[1]} x {made.shape[0]}" if made.shape != image.shape else ""
            _draw(figure, column + 1, top + _LABEL, _smaller(made), note)
    return figure


def _read(path: str) -> Image:
    location = locate(path)
    try:
        if hasattr(location.reader, "read_pixels"):
            return three_channels(tf.constant(location.read_pixels())).numpy()
        return decode_image(tf.constant(location.read_bytes())).numpy()
    except Unreadable as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    except tf.errors.InvalidArgumentError as error:
        raise UserError(f"{path} cannot be read: it is no whole JPEG or PNG file.") from error


def _made(preprocess: Preprocess, image: Image, seed: int) -> Image:
    pixels: Image = preprocess(tf.constant(image), tf.constant([seed, 0])).numpy()
    return pixels


def _smaller(image: Image) -> Image:
    """Returns the image with no side longer than is drawn."""
    longest = max(image.shape[:2])
    if longest <= _PIXELS:
        return image
    sides = [max(1, round(side * _PIXELS / longest)) for side in image.shape[:2]]
    return np.clip(tf.image.resize(image, sides, "area").numpy(), 0, 1)


def _draw(figure: Figure, column: int, top: float, image: Image, note: str = "") -> None:
    width, height = figure.get_size_inches()
    left = _MARGIN + column * (_CELL + _GAP)
    axes = figure.add_axes(
        (left / width, 1 - (top + _CELL) / height, _CELL / width, _CELL / height)
    )
    axes.imshow(image, interpolation="antialiased", vmin=0, vmax=1)
    axes.set_anchor("NW")
    axes.set_axis_off()
    if note:
        _text(figure, column, top + _CELL + 0.13, note, fontsize=7, color=GREY)


def _text(figure: Figure, column: int, down: float, text: str, **style: Any) -> None:
    width, height = figure.get_size_inches()
    left = _MARGIN + column * (_CELL + _GAP)
    figure.text(left / width, 1 - down / height, text, **({"fontsize": 9} | style))
