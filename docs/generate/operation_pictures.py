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


def of_operation(specification: str) -> bytes:
    """Returns a picture of an operation: per made-up image the original, and what it becomes.

    An image that stays as it is, such as a grey one whose hue is shifted, has no row.
    """
    preprocess = parse(specification)
    draws = DRAWS if preprocess.random else 1
    rows = []
    for image in (radiograph(), patch()):
        results = [contact_sheet.applied(preprocess, image, seed) for seed in range(draws)]
        if not all(_same(result, image) for result in results):
            rows.append([image, *results])
    names = ["before", *(f"draw {draw + 1}" for draw in range(draws))]
    return drawn([names if draws > 1 else ["before", "after"]] * len(rows), rows)


def of_recipe(specification: str, image: Image) -> bytes:
    """Returns a picture of a recipe: an image before it and after each step, for two draws."""
    names = [
        "before",
        *(step.name.removeprefix("released_") for step in parse(specification).steps),
    ]
    chain = [parse(text) for text in contact_sheet.with_steps(specification)]
    titles, rows = [], []
    for seed in range(2 if any(step.random for step in chain) else 1):
        images = [image, *(contact_sheet.applied(step, image, seed) for step in chain)]
        for first in range(0, len(images), ACROSS):
            titles.append(names[first : first + ACROSS])
            rows.append(images[first : first + ACROSS])
    return drawn(titles, rows)


def _same(result: Image, image: Image) -> bool:
    return result.shape == image.shape and bool(np.abs(result - image).max() < 1 / 255)


def drawn(titles: Sequence[Sequence[str]], rows: Sequence[Sequence[Image]]) -> bytes:
    """Returns rows of images with a title above each, as a WebP file.

    Args:
      titles: per row, one per image.
      rows: images [H, W, 3] float32 in [0, 1]; smaller ones are drawn smaller.
    """
    width, height = max(map(len, rows)) * _CELL, len(rows) * (_CELL + _LINE)
    figure = Figure(figsize=(width, height), facecolor="white")
    largest = max(max(image.shape[:2]) for row in rows for image in row)
    for i, (names, images) in enumerate(zip(titles, rows, strict=True)):
        top = i * (_CELL + _LINE)
        for j, (name, image) in enumerate(zip(names, images, strict=True)):
            figure.text((j * _CELL + 0.04) / width, 1 - (top + 0.17) / height, name, fontsize=8)
            sides = [side / largest * (_CELL - 0.06) for side in image.shape[:2]]
            left, up = j * _CELL + 0.03, top + _LINE
            axes = figure.add_axes(
                (left / width, 1 - (up + sides[0]) / height, sides[1] / width, sides[0] / height)
            )
            axes.imshow(contact_sheet.smaller(image), interpolation="antialiased", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color(GREY)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", dpi=_DPI, pil_kwargs={"quality": 80})
    return buffer.getvalue()
