"""Pictures of preprocessing operations on made-up images, as `remedis augmentations` draws them."""

import functools
import io
from collections.abc import Sequence

import numpy as np
import PIL.Image
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from remedis.data import image_pixels
from remedis.preprocess import parse
from remedis.preprocess.registry import three_channels
from remedis.reporting import contact_sheet
from remedis.reporting.figures import GREY
from remedis.synthetic import CENTRES, HOSPITAL_A
from remedis.synthetic.anatomy import draw_anatomy
from remedis.synthetic.chest import draw_chest
from remedis.synthetic.drawing import generator
from remedis.synthetic.histology import draw_patch

Image = NDArray[np.float32]
LARGEST_FILE = 60_000  # bytes
SIZE = 256  # pixels of the side of the made-up images
DRAWS = 3  # pictures of a random operation
ACROSS = 3  # pictures side by side of a recipe: names are legible on a phone
_CELL = 1.6  # inches of a picture
_LINE = 0.16  # inches of a line of text above a row
_DPI = 100
# Uniform draws of an operation that draws once are 0.83, 0.00 and 0.22: far apart.
_FIRST_SEED = 15
_MOST_SEEDS = 20


@functools.cache
def radiograph() -> Image:
    """Returns a made-up radiograph, [SIZE, SIZE, 3] float32 in [0, 1]."""
    anatomy = draw_anatomy(generator(0, 1), "F", 60)
    drawn = draw_chest(
        anatomy, {"Pleural Effusion": 0.7}, HOSPITAL_A, "PA", generator(0, 2), (SIZE, SIZE)
    )
    pixels = tf.constant(drawn[..., None] / np.float32(255))
    image: Image = three_channels(pixels).numpy()
    return image


@functools.cache
def patch() -> Image:
    """Returns a made-up patch of a lymph node with metastasis, [SIZE, SIZE, 3]."""
    drawn = draw_patch(True, CENTRES[0], generator(0, 3), SIZE)
    return (drawn / np.float32(255)).astype(np.float32)


def of_operation(specification: str, images: Sequence[Image]) -> bytes:
    """Returns a picture of an operation: each image before it, and what it becomes.

    An image that stays as it is, such as a grey one whose hue is shifted, has no row. The draws are
    the first from `_FIRST_SEED` of which one changes an image: with a probability, several may not.
    """
    preprocess = parse(specification)
    draws = DRAWS if preprocess.random else 1
    for first in range(_FIRST_SEED, _FIRST_SEED + _MOST_SEEDS):
        rows = []
        for image in images:
            seeds = range(first, first + draws)
            results = [contact_sheet.applied(preprocess, image, seed) for seed in seeds]
            if not all(_same(result, image) for result in results):
                rows.append([image, *results])
        if rows:
            break
    else:
        raise ValueError(f"{specification!r} changes no image; take a stronger example.")
    if all(_same(result, row[1]) for row in rows for result in row[2:]):
        rows = [row[:2] for row in rows]  # not random, or random only in whether it is applied
    after = [f"draw {draw + 1}" for draw in range(len(rows[0]) - 1)]
    after = after if len(after) > 1 else ["after"]
    return drawn([["before", *after]] * len(rows), rows, to_scale=True)


def of_recipe(specification: str, image: Image) -> bytes:
    """Returns a picture of a recipe: an image before it and after each step, for two draws."""
    preprocess = parse(specification)
    names = [step.name.removeprefix("released_") for step in preprocess.steps]
    titles, rows = [], []
    for draw in range(2 if preprocess.random else 1):
        seed, pixels = tf.constant([draw, 0]), tf.constant(image)
        images = [image]
        for step in range(len(names)):
            pixels = preprocess(pixels, seed, step, step + 1)
            images.append(three_channels(pixels).numpy())
        captions = [f"before\n{image.shape[1]} px"]
        for name, earlier, later in zip(names, images, images[1:], strict=False):
            is_resized = earlier.shape != later.shape
            captions.append(f"{name}\n{later.shape[1]} px" if is_resized else name)
        for first in range(0, len(images), ACROSS):
            titles.append(captions[first : first + ACROSS])
            rows.append(images[first : first + ACROSS])
    return drawn(titles, rows, to_scale=False)


def _same(result: Image, image: Image) -> bool:
    return result.shape == image.shape and bool(np.abs(result - image).max() < 1 / 255)


def drawn(
    titles: Sequence[Sequence[str]], rows: Sequence[Sequence[Image]], *, to_scale: bool
) -> bytes:
    """Returns rows of images with a title above each, as a WebP file.

    Args:
      titles: per row, one per image.
      rows: images [H, W, 3] float32 in [0, 1].
      to_scale: whether images of fewer pixels are drawn smaller.
    """
    lines = 1 + max(name.count("\n") for names in titles for name in names)
    text = _LINE * lines + 0.08
    width, height = max(map(len, rows)) * _CELL, len(rows) * (_CELL + text)
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    largest = max(max(image.shape[:2]) for row in rows for image in row)
    for i, (names, images) in enumerate(zip(titles, rows, strict=True)):
        top = i * (_CELL + text)
        for j, (name, image) in enumerate(zip(names, images, strict=True)):
            place = (j * _CELL + 0.04) / width, 1 - (top + 0.05) / height
            figure.text(*place, name, fontsize=8, va="top")
            unit = (_CELL - 0.06) / (largest if to_scale else max(image.shape[:2]))
            down, across = image.shape[0] * unit, image.shape[1] * unit
            left, up = j * _CELL + 0.03, top + text
            axes = figure.add_axes(
                (left / width, 1 - (up + down) / height, across / width, down / height)
            )
            pixels = np.clip(
                image_pixels.smaller(image, contact_sheet.PIXELS), 0, 1
            )  # bicubic overshoots
            axes.imshow(pixels, interpolation="antialiased")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color(GREY)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    for quality in (70, 55, 40, 25):
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=quality)
        if len(buffer.getvalue()) < LARGEST_FILE:
            break
    return buffer.getvalue()
