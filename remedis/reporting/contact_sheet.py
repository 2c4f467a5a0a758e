"""A contact sheet: one image after every operation and recipe, or after those of one's own."""

import ast
import pathlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from matplotlib.figure import Figure

from remedis.data import image_pixels
from remedis.data.image_pixels import Image
from remedis.errors import UserError
from remedis.files import Path
from remedis.preprocess import Preprocess, parse, recipes
from remedis.progress import progress
from remedis.reporting.figures import GREY, write
from remedis.specifications import piped

_MIN_SIDE = 160  # pixels of the image

# One example per operation, strong enough to be visible. Probabilities are 1 where the operation
# itself is the point. Operations of the released code stand below ours.
EXAMPLES = (
    "resize(224)",
    "released_resize(224)",
    "central_crop(0.875)",
    "released_central_crop(224)",
    f"random_crop({_MIN_SIDE})",
    "random_resized_crop(224)",
    "released_random_crop(224)",
    "released_random_crop(224, clip=False) | clip()",
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
    "released_histogram_equalisation(1)",
    "gaussian_blur(1)",
    "released_gaussian_blur(1)",
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
_LONGEST = 110  # characters above a row
PIXELS = 340  # the longer side of a drawn image; print does not show more


def write_contact_sheet(
    image: Path, out: Path, seed: int = 0, specifications: Sequence[str] = ()
) -> pathlib.Path:
    """Applies every operation and every recipe to one image and writes the figure.

    Args:
      image: a path as in a manifest.
      out: the path of the figure; its suffix names the format.
      seed: of the first column; each further column has the next seed.
      specifications: as for `contact_sheet`.

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
    title = f"Preprocessing of {name}"
    return write(
        contact_sheet(image_pixels.read(str(image)), seed, specifications, title=title), out
    )


def contact_sheet(
    image: Image,
    seed: int = 0,
    specifications: Sequence[str] = (),
    *,
    title: str = "Preprocessing",
) -> Figure:
    """Returns a figure with one row per operation or recipe: the original and one column per seed.

    Operations that are not random have one picture. Any two pictures of a recipe are two views for
    contrastive learning.

    Args:
      image: [H, W, 3] float32 in [0, 1].
      seed: of the first column; each further column has the next seed.
      specifications: to draw in place of all operations and recipes. Each has one row per
        operation in it: the image after all operations up to this one.
      title: text above all rows.

    Raises:
      UserError: a specification is wrong, or the image is smaller than the examples need.
    """
    if not specifications and min(image.shape[:2]) < _MIN_SIDE:
        raise UserError(
            f"The image is {image.shape[1]} x {image.shape[0]} pixels; the contact sheet needs "
            f"at least {_MIN_SIDE} x {_MIN_SIDE}: resize it, or take another image."
        )
    rows = [row for text in specifications for row in _with_steps(text)] or _everything()
    width = 2 * _MARGIN + (_COLUMNS + 1) * (_CELL + _GAP)
    height = _HEAD + len(rows) * (_CELL + _LABEL) + 2 * _MARGIN
    figure = Figure(figsize=(width, height))
    _text(figure, 0, 0.25, title, fontsize=13, weight="bold")
    shape = f"{image.shape[1]} x {image.shape[0]} pixels"
    _text(figure, 0, 0.5, f"{shape}; below a picture its size where it differs", color=GREY)
    headings = ("original", *(f"seed {seed + column}" for column in range(_COLUMNS)))
    for column, heading in enumerate(headings):
        _text(figure, column, _HEAD - 0.12, heading, weight="bold")
    original = image_pixels.smaller(image, PIXELS)
    with progress("Drawing operations", len(rows)) as report:
        for row, specification in enumerate(rows):
            top = _HEAD + row * (_CELL + _LABEL)
            preprocess = parse(specification)
            _text(figure, 0, top + 0.38, _shortened(specification), family="monospace")
            _draw(figure, 0, top + _LABEL, original)
            for column in range(_COLUMNS if preprocess.random else 1):
                result = applied(preprocess, image, seed + column)
                size = f"{result.shape[1]} x {result.shape[0]}"
                note = size if result.shape != image.shape else ""
                _draw(figure, column + 1, top + _LABEL, image_pixels.smaller(result, PIXELS), note)
            report(row + 1, "")
    return figure


def _everything() -> list[str]:
    """Returns every operation and recipe; a released recipe stands below ours of its purpose."""
    names = sorted(recipes.names(), key=lambda name: (name.removeprefix("released_"), name))
    return [*EXAMPLES, *(f"{name}()" for name in names)]


def _with_steps(specification: str) -> list[str]:
    """Returns the beginnings of a specification, after one operation, two, ..., and all of it."""
    steps = [ast.unparse(step) for step in piped(parse(specification).specification)]
    return [*(" | ".join(steps[:n]) for n in range(1, len(steps))), specification]


def _shortened(text: str) -> str:
    """Returns the end of a text that is longer than a row, where the last operation stands."""
    return text if len(text) <= _LONGEST else f"... {text[-_LONGEST:]}"


def applied(preprocess: Preprocess, image: Image, seed: int) -> Image:
    """Returns an image [H, W, 3] float32 in [0, 1] after a specification, drawn from a seed."""
    pixels: Image = preprocess(tf.constant(image), tf.constant([seed, 0])).numpy()
    return pixels


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
