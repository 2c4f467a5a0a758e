"""The check that pixels can be values in [0, 1], and the ranges that wrong ones look like.

Interpolation leaves [0, 1]: bicubic weights are negative beside the middle. If the positive weights
in one direction have the sum p, those in both directions have the sum 1 + N with N = 2 p (p - 1),
and values in [0, 1] end in [-N, 1 + N]. Half-way between two pixels p is 1 - a / 4 for the cubic
with the parameter a (Keys 1981, IEEE Trans. ASSP 29:1153):

| interpolation | largest N | beside a straight edge |
|---|---:|---:|
| bicubic, a = -0.5 (TensorFlow 2, Pillow) | 0.281 | 0.074 |
| the same with antialiasing, any factor | 0.305 | 0.074 |
| bicubic, a = -0.75 (PyTorch, OpenCV, TensorFlow 1) | 0.445 | 0.111 |
| Lanczos, three lobes, any factor | 0.705 | 0.118 |

The largest N needs one certain pattern of single black and white pixels. The tolerance is the
bound of all bicubics, and far beyond the edges of Lanczos. Values that happen to lie within it
cannot be told from right ones. A constant or inverted image is in [0, 1], and accepted.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

EXPECTED = "expected float32 [N, H, W, 3] with values in [0, 1]"
TOLERANCE = 0.45

# Descriptions of exports. "checked" refuses other pixels than [0, 1], "any" takes every finite one.
CHECKED, ANY = "checked", "any"
PIXEL_RANGES = (CHECKED, ANY)


@dataclasses.dataclass(frozen=True)
class _Look:
    """A range of pixels that is not [0, 1].

    Attributes:
      looks: the range in words, as the message continues.
      advice: the way from it to [0, 1].
      least: the smallest value is this or larger.
      most: the largest value is this or smaller.
      below: the smallest value is below this.
    """

    looks: str
    advice: str
    least: float
    most: float
    below: float = math.inf

    @property
    def message(self) -> str:
        """The sentence, up to the two values."""
        return f"images look {self.looks}; {EXPECTED}: {self.advice}; smallest and largest value:"

    def fits(self, low: Any, high: Any) -> Any:
        """Returns whether it fits the smallest and largest value, numbers or tensors."""
        return (low >= self.least) & (low < self.below) & (high <= self.most)


# The first that fits is named. Bounds leave room for the overshoot beside an edge, an eighth of the
# range. ImageNet's means are 0.485, 0.456, 0.406 with the deviations 0.229, 0.224, 0.225, which
# maps [0, 1] to [-2.12, 2.64]. Keras' caffe mode maps 0..255 to [-123.7, 151.1].
_LOOKS = (
    _Look("like values in [-1, 1]", "add 1 and divide by 2", -1.25, 1.25, -TOLERANCE),
    _Look(
        "normalised with ImageNet's mean and standard deviation",
        "multiply by (0.229, 0.224, 0.225) and add (0.485, 0.456, 0.406)",
        -2.2,
        2.75,
    ),
    _Look(
        "standardised (a mean was subtracted)", "pass the pixels without it", -8.0, 8.0, -TOLERANCE
    ),
    _Look("like values from 0 to 255", "divide 8-bit pixels by 255", -32.0, 287.0),
    _Look(
        "like values from 0 to 255 with ImageNet's mean subtracted (BGR)",
        "leave out preprocess_input and divide by 255",
        -156.0,
        183.0,
    ),
    _Look(
        "like values of more than 8 bits",
        "divide by the largest value that a pixel can have, 65535 for 16 bits, 4095 for 12 bits",
        -32.0,
        65535.0 * 9 / 8,
    ),
    _Look("like Hounsfield units", "choose a window and map it to [0, 1]", -4096.0, 4096.0 * 9 / 8),
)
_OTHER = f"images are not in [0, 1]; {EXPECTED}; smallest and largest value:"
NOT_FINITE = f"images hold NaN or infinity; {EXPECTED}."


def range_fault(low: float, high: float) -> str | None:
    """Returns a sentence if pixels from `low` to `high`, both finite, cannot be in [0, 1]."""
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        return None
    message = next((look.message for look in _LOOKS if look.fits(low, high)), _OTHER)
    return f"{message} {low:.4g} and {high:.4g}."


def assert_in_graph(condition: tf.Tensor, data: Sequence[Any]) -> tf.Operation | None:
    """Returns the operation that fails with `data` if a condition is false; eagerly it runs.

    `tf.debugging.Assert` puts every assertion into a branch of its own, of which TensorFlow logs
    warnings where a loop comes before it.
    """
    return tf.raw_ops.Assert(condition=condition, data=data, summarize=8)


@tf.function(
    input_signature=[tf.TensorSpec([], tf.float32), tf.TensorSpec([], tf.float32)],
    autograph=False,
)
def _assert_range(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Asserts in a graph what `range_fault` says. There is one such function in a SavedModel."""
    fine = (low >= -TOLERANCE) & (high <= 1 + TOLERANCE)
    guards = []
    for look in _LOOKS:
        fits = look.fits(low, high)
        guards.append(assert_in_graph(fine | ~fits, [look.message, low, high]))
        fine |= fits  # only the first is named
    guards.append(assert_in_graph(fine, [_OTHER, low, high]))
    with tf.control_dependencies(guards):
        return tf.identity(low)


def assert_pixels(images: tf.Tensor, pixel_range: str = CHECKED) -> tf.Tensor:
    """Returns float32 `images`, with assertions on their values in the graph.

    Gradients pass unchanged. An empty tensor is right. XLA compiles the assertions away.

    Args:
      images: float32, of any shape.
      pixel_range: one of `PIXEL_RANGES`.

    Raises (when run):
      tf.errors.InvalidArgumentError: NaN or infinity, or values that cannot be in [0, 1].
    """
    finite = tf.reduce_all(tf.math.is_finite(images))
    guards = [assert_in_graph(finite, [NOT_FINITE])]
    if pixel_range == CHECKED:
        # Clipped, so that NaN and infinity get their own sentence, and none at all has a smallest.
        low, high = (
            tf.where(finite & (tf.size(images) > 0), extreme, 0.5)
            for extreme in (tf.reduce_min(images), tf.reduce_max(images))
        )
        guards.append(_assert_range(low, high))
    with tf.control_dependencies([guard for guard in guards if guard is not None]):
        return tf.identity(images)


def pixel_fault(images: np.ndarray, pixel_range: str = CHECKED) -> str | None:
    """Returns what `assert_pixels` says about an array, as a sentence; None if it is right."""
    if not np.isfinite(images).all():
        return NOT_FINITE
    if pixel_range == ANY or not images.size:
        return None
    return range_fault(float(images.min()), float(images.max()))
