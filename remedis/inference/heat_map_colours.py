"""Colours of heat maps, the same in every report and every answer."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Okabe and Ito's vermilion and blue: distinct with every common colour blindness, and on grey.
FOR, AGAINST = "#D55E00", "#0072B2"


def limits(heat_map: npt.ArrayLike, signed: bool) -> tuple[float, float]:
    """Returns the values at both ends of the colours.

    Args:
      heat_map: [H, W]; NaN where the network did not see the image.
      signed: whether values below 0 mean something: the range is then symmetric.
    """
    values = np.asarray(heat_map)[np.isfinite(heat_map)]
    largest = float(np.abs(values).max(initial=0.0)) if signed else float(values.max(initial=0.0))
    return (-largest if signed else 0.0, largest)


def rgb(colour: str) -> Floats:
    """Returns red, green and blue in [0, 1] of a colour such as `#D55E00`."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)
