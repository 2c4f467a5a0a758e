"""Masks as run lengths in SIIM's form: pairs of a gap and a run, down the columns of an image.

`3 2 4 1` leaves out 3 pixels, marks 2, leaves out 4 and marks 1. Pixels are counted from the upper
left corner down each column, then on to the next column to the right. Gaps count from the end of
the run before, unlike in other competitions, whose starts count from the corner.
"""

import numpy as np
import numpy.typing as npt


def runs(text: str, pixels: int) -> npt.NDArray[np.int64]:
    """Returns the first pixel of every run and the one behind its last: [runs, 2].

    Args:
      text: whole numbers separated by spaces, a gap and a run by turns.
      pixels: their number in the image.

    Raises:
      ValueError: the text has another form, or runs leave the image.
    """
    whole = [int(number) for number in text.split()]
    if max(map(abs, whole), default=0) > pixels:  # also what no int64 holds
        raise ValueError(text)
    numbers = np.array(whole, np.int64)
    if len(numbers) == 0 or len(numbers) % 2 or (numbers < 0).any() or (numbers[1::2] == 0).any():
        raise ValueError(text)
    if numbers.sum() > pixels:
        raise ValueError(text)
    ends = np.cumsum(numbers)[1::2]
    return np.stack([ends - numbers[1::2], ends], axis=1)


def decode(text: str, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Returns the mask of an image, [height, width].

    Raises:
      ValueError: as `runs`.
    """
    flat = np.zeros(height * width, bool)
    for first, end in runs(text, height * width):
        flat[first:end] = True
    return flat.reshape(width, height).T


def encode(mask: npt.NDArray[np.bool_]) -> str:
    """Returns the run lengths of a mask, [height, width]; empty for an empty mask."""
    flat = np.concatenate([[False], mask.T.ravel(), [False]])
    borders = np.flatnonzero(flat[1:] != flat[:-1])
    return " ".join(map(str, np.diff(borders, prepend=0)))


def box(text: str, height: int, width: int) -> tuple[int, int, int, int]:
    """Returns the smallest box around a mask: left, top, width and height in pixels.

    Raises:
      ValueError: as `runs`.
    """
    found = runs(text, height * width)
    left, right = found[:, 0] // height, (found[:, 1] - 1) // height
    # A run that goes on in the next column reaches the last row of one and the first of the next.
    goes_on = left != right
    top = np.where(goes_on, 0, found[:, 0] % height)
    bottom = np.where(goes_on, height - 1, (found[:, 1] - 1) % height)
    x, y = int(left.min()), int(top.min())
    return x, y, int(right.max()) - x + 1, int(bottom.max()) - y + 1
