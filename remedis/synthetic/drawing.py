"""Soft shapes and textures that drawings consist of, and their seeded generators."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from remedis.errors import check_at_least

# float32 where speed matters.
Floats = NDArray[np.floating[Any]]


def generator(seed: int, *keys: int) -> np.random.Generator:
    """Returns the random generator of one patient, study, view, slide or patch.

    Its keys are the numbers of the patient, study and so on. It does not depend on earlier draws:
    added patients do not change a byte of the images of the others.

    Raises:
      UserError: `seed` is negative.
    """
    check_at_least("seed", seed, 0)
    return np.random.default_rng([seed, *keys])


def soft_step(depth: Floats, softness: float | Floats) -> Floats:
    """Returns a smooth step from 0 to 1 at `depth` 0, with a width of `softness`."""
    ramp = np.clip(depth / softness + 0.5, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def bump(distance: Floats, width: float) -> Floats:
    """Returns a Gaussian of `distance` with height 1 and standard deviation `width`."""
    return np.exp(-0.5 * np.square(distance / width))


def clouds(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Floats:
    """Returns smooth noise of about unit variance, [H, W] float32, with `cells` bumps per side."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    height, width = shape
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
