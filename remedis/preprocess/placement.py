"""Where the pixels of a network's input lie in the image they were made from.

The operations of an evaluation's preprocessing scale and crop along the axes. The way back is one
factor and one shift per axis. Positions are of edges: pixel i reaches from i to i + 1.
"""

import dataclasses
import inspect
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from remedis.errors import UserError, some
from remedis.preprocess import registry
from remedis.preprocess.registry import Preprocess, Step

Floats = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis of an image after some operations: position u lies at shift + factor * u before.

    Attributes:
      size: pixels after the operations.
      factor: pixels of the image per pixel.
      shift: position in the image of the position 0.
    """

    size: int
    factor: float = 1.0
    shift: float = 0.0

    def cropped(self, start: int, size: int) -> "Axis":
        """Returns the axis of `size` pixels from `start`."""
        return Axis(size, self.factor, self.shift + self.factor * start)

    def resized(self, size: int, from_first: bool = False) -> "Axis":
        """Returns the axis of the same extent in `size` pixels.

        Args:
          size: in pixels.
          from_first: the centres of the first pixels coincide, and not the edges (TensorFlow 1).
        """
        scale = self.size / size
        offset = (1 - scale) / 2 if from_first else 0.0
        return Axis(size, self.factor * scale, self.shift + self.factor * offset)


@dataclasses.dataclass(frozen=True)
class Placement:
    """The place of a network's input in an image.

    Attributes:
      height: of the image in pixels.
      width: of the image in pixels.
      rows: the vertical axis of the input.
      columns: the horizontal axis.
    """

    height: int
    width: int
    rows: Axis
    columns: Axis

    def to_image(self, heat_map: npt.ArrayLike, stride: int | None = None) -> Floats:
        """Returns a heat map of the input as [height, width] float32; NaN outside the input.

        Values between the cells' centres are bilinear; beyond the outermost centres the map keeps
        its value.

        Args:
          heat_map: [h, w].
          stride: of the map, for backbones whose cell i is centred on pixel `stride` * i of the
            input, as padding of (k - 1) / 2 makes it (BiT). None for cells that tile the input.
        """
        cells = np.asarray(heat_map, np.float32)
        for axis, (of, size) in enumerate(((self.rows, self.height), (self.columns, self.width))):
            inside = (np.arange(size) + 0.5 - of.shift) / of.factor  # position in the input
            count = cells.shape[axis]
            place = inside * count / of.size - 0.5 if stride is None else (inside - 0.5) / stride
            place = np.clip(place, 0, count - 1)
            low = np.minimum(place.astype(int), max(count - 2, 0))
            high = np.minimum(low + 1, count - 1)
            share = (place - low).astype(np.float32)
            share = share[:, None] if axis == 0 else share[None, :]
            cells = np.take(cells, low, axis) * (1 - share) + np.take(cells, high, axis) * share
            outside = (inside < 0) | (inside > of.size)
            cells[(outside, slice(None)) if axis == 0 else (slice(None), outside)] = np.nan
        return cells

    @property
    def covered(self) -> float:
        """The share of the image's pixels whose centres lie in the input."""
        shares = []
        for of, size in ((self.rows, self.height), (self.columns, self.width)):
            inside = (np.arange(size) + 0.5 - of.shift) / of.factor
            shares.append(float(np.mean((inside >= 0) & (inside <= of.size))))
        return shares[0] * shares[1]


def placement(preprocess: Preprocess, height: int, width: int) -> Placement:
    """Returns the place of the result of a preprocessing in an image of a size.

    Args:
      preprocess: operations of which none is random.
      height: of the image in pixels.
      width: of the image in pixels.

    Raises:
      UserError: an operation is random, or may move pixels in a way that is not known here.
    """
    rows, columns = Axis(height), Axis(width)
    for step in preprocess.steps:
        if step.name not in _MOVES:
            raise UserError(
                f"Preprocessing {preprocess.specification!r}: {step.name} may move pixels in a way "
                "that heat maps cannot follow back to the image; they can follow "
                f"{some(tuple(_MOVES), limit=len(_MOVES))}."
            )
        rows, columns = _MOVES[step.name](step, rows, columns)
    return Placement(height, width, rows, columns)


def _argument(step: Step, name: str) -> float:
    bound = inspect.signature(registry.get(step.name)).bind(None, *step.arguments, **step.keywords)
    bound.apply_defaults()
    value: float = bound.arguments[name]
    return value


def _resize(step: Step, rows: Axis, columns: Axis) -> tuple[Axis, Axis]:
    size = int(_argument(step, "size"))
    return rows.resized(size), columns.resized(size)


def _released_resize(step: Step, rows: Axis, columns: Axis) -> tuple[Axis, Axis]:
    size = int(_argument(step, "size"))
    return rows.resized(size, from_first=True), columns.resized(size, from_first=True)


def _central_crop(step: Step, rows: Axis, columns: Axis) -> tuple[Axis, Axis]:
    fraction = _argument(step, "fraction")

    def cropped(axis: Axis) -> Axis:
        start = int((axis.size - axis.size * fraction) / 2)  # as tf.image.central_crop rounds
        return axis.cropped(start, axis.size - 2 * start)

    return cropped(rows), cropped(columns)


def _released_central_crop(step: Step, rows: Axis, columns: Axis) -> tuple[Axis, Axis]:
    shorter = np.float32(min(rows.size, columns.size))
    # Rounds half to even, as TensorFlow does.
    side = max(int(np.round(np.float32(_argument(step, "fraction")) * shorter)), 1)
    rows, columns = (axis.cropped((axis.size - side + 1) // 2, side) for axis in (rows, columns))
    return _released_resize(step, rows, columns)


def _stays(step: Step, rows: Axis, columns: Axis) -> tuple[Axis, Axis]:
    return rows, columns


_MOVES: dict[str, Callable[[Step, Axis, Axis], tuple[Axis, Axis]]] = {
    "resize": _resize,
    "central_crop": _central_crop,
    "released_resize": _released_resize,
    "released_central_crop": _released_central_crop,
    "clip": _stays,
}
