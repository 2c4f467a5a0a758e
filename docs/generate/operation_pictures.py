"""Pictures of preprocessing operations on made-up images, as `remedis augmentations` draws them."""

import functools
import io
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from numpy.typing import NDArray

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
SIZE = 256  # pixels of the side of the made-up images
DRAWS = 3  # pictures of a random operation
ACROSS = 5  # pictures side by side of a recipe
_CELL = 1.45  # inches of a picture
_LINE = 0.24  # inches of the text above a row
_DPI = 100
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
    the first ones of which one changes an image: with a probability of 0.5, several may not.
    """
    preprocess = parse(specification)
    draws = DRAWS if preprocess.random else 1
    for first in range(_MOST_SEEDS):
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
    after = [f"draw {draw + 1}" for draw in range(draws)] if draws > 1 else ["after"]
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
        captions = [f"before, {image.shape[1]} px"]
        for name, earlier, later in zip(names, images, images[1:], strict=False):
            is_resized = earlier.shape != later.shape
            captions.append(f"{name}, {later.shape[1]} px" if is_resized else name)
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
    width, height = max(map(len, rows)) * _CELL, len(rows) * (_CELL + _LINE)
    figure = Figure(figsize=(width, height), facecolor="white")
    largest = max(max(image.shape[:2]) for row in rows for image in row)
    for i, (names, images) in enumerate(zip(titles, rows, strict=True)):
        top = i * (_CELL + _LINE)
        for j, (name, image) in enumerate(zip(names, images, strict=True)):
            figure.text((j * _CELL + 0.04) / width, 1 - (top + 0.17) / height, name, fontsize=7)
            unit = (_CELL - 0.06) / (largest if to_scale else max(image.shape[:2]))
            down, across = image.shape[0] * unit, image.shape[1] * unit
            left, up = j * _CELL + 0.03, top + _LINE
            axes = figure.add_axes(
                (left / width, 1 - (up + down) / height, across / width, down / height)
            )
            pixels = np.clip(contact_sheet.smaller(image), 0, 1)  # bicubic overshoots
            axes.imshow(pixels, interpolation="antialiased")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color(GREY)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", dpi=_DPI, pil_kwargs={"quality": 70})
    return buffer.getvalue()
