"""Soft shapes and textures the drawings are put together from, and their seeded generators."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from remedis.errors import check_at_least

# [...] arrays of drawings, float32 wherever speed matters.
Floats = NDArray[np.floating[Any]]


def generator(seed: int, *keys: int) -> np.random.Generator:
    """Returns the random generator of one patient, study, view, slide or patch.

    Keyed by what it is for and not by what was drawn before, so that adding patients leaves the
    images of the former ones as they are, byte for byte.

    Raises:
      UserError: `seed` is negative.
    """
    check_at_least("seed", seed, 0)
    return np.random.default_rng([seed, *keys])


def soft_step(depth: Floats, softness: float | Floats) -> Floats:
    """Returns a smooth step from 0 to 1 where `depth` passes through 0, `softness` wide."""
    ramp = np.clip(depth / softness + 0.5, 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def bump(distance: Floats, width: float) -> Floats:
    """Returns a bell of height 1 over `distance` with the standard deviation `width`."""
    return np.exp(-0.5 * np.square(distance / width))


def clouds(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> Floats:
    """Returns [H, W] float32 smooth noise of about unit variance, `cells` bumps across."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    height, width = shape
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
