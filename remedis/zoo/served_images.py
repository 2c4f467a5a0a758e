"""Checks of the images that a served graph is called with, inside the graph.

TensorFlow alone loads a served graph, so no Python code of this package can check its input.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

IMAGES = tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")
EXPECTED = "expected float32 [N, H, W, 3] with values in [0, 1]"
# Far beyond the overshoot of interpolation or augmentation on [0, 1], well below any 8-bit image.
LARGEST = 8.0

Outputs = Any  # a tensor, or a dict of tensors by name


def checked(images: tf.Tensor) -> tf.Tensor:
    """Returns `images` as float32 [N, H, W, 3], with assertions in the graph.

    Raises (when run):
      tf.errors.InvalidArgumentError: wrong rank or channels, a height or width of 0, NaN or
        infinity, or values beyond 8, which are pixels in 0..255 rather than [0, 1].
    """
    images = tf.cast(images, tf.float32)
    largest = tf.reduce_max(tf.concat([tf.reshape(tf.abs(images), [-1]), [0.0]], 0))
    finite = tf.reduce_all(tf.math.is_finite(images))
    guards = [
        tf.debugging.Assert(finite, [f"images hold NaN or infinity; {EXPECTED}."]),
        tf.debugging.Assert(
            tf.logical_or(largest <= LARGEST, tf.logical_not(finite)),
            [f"images reach beyond [0, 1]; {EXPECTED}: divide 8-bit pixels by 255; got", largest],
        ),
    ]
    if images.shape.rank is None:
        shape = tf.shape(images)
        channels = tf.concat([[0], shape], 0)[-1]
        fits = tf.logical_and(tf.equal(tf.rank(images), 4), tf.equal(channels, 3))
        message = f"images have the wrong shape; {EXPECTED}; got"
        guards.append(tf.debugging.Assert(fits, [message, shape], summarize=8))
        # Without a branch, TensorFlow's own shape inference fails first, with a worse message.
        images = tf.cond(fits, lambda: images, lambda: tf.zeros([1, 1, 1, 3]))
    sides = tf.shape(images)[1:3]
    message = f"images have no pixels; {EXPECTED}; got"
    pixels = tf.debugging.Assert(tf.reduce_all(sides > 0), [message, tf.shape(images)], summarize=8)
    guards.append(pixels)
    with tf.control_dependencies(guards):
        return tf.ensure_shape(images, IMAGES.shape)


def on_any_number(compute: Callable[[tf.Tensor], Outputs]) -> Callable[[tf.Tensor], Outputs]:
    """Returns `compute` in a form that also takes an empty batch and gives outputs of length 0.

    TensorFlow's oneDNN convolution, the default on most CPUs, gives an empty batch a wrong shape.
    For an empty batch the returned function computes on one black image and cuts the outputs to
    length 0. For all others, padding and cut change nothing, and no branch is in the graph.

    Args:
      compute: from images [N, H, W, 3] to a tensor, or a dict of tensors, of length N.
    """

    def computed(images: tf.Tensor) -> Outputs:
        shape = tf.shape(images)
        # Height and width, too: or TensorFlow's shape inference fails before `checked` does.
        missing = tf.cast(tf.equal(shape, 0), tf.int32)
        outputs = compute(tf.pad(images, tf.stack([tf.zeros_like(missing), missing], axis=1)))
        return tf.nest.map_structure(lambda output: output[: shape[0]], outputs)

    return computed


def refused(dtype: tf.DType, outputs: Outputs) -> Outputs:
    """Returns outputs that fail, when run, with a sentence about pixels of the wrong type.

    Args:
      dtype: of the images.
      outputs: specifications of the outputs that the function has for images of the right type.
    """
    advice = "divide by the largest value a pixel can have, 255 for 8 bits"
    if dtype.is_floating:
        advice = "cast to float32"
    message = f"images are {dtype.name}; {EXPECTED}: {advice}."
    with tf.control_dependencies([tf.debugging.Assert(False, [message])]):
        return tf.nest.map_structure(
            lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), outputs
        )


def refused_floats(dtype: tf.DType) -> tf.Tensor:
    """Returns images that fail, when run, with a sentence about a decoded image of floats.

    The range of such an image is unknown: 0 to 255, as some decoders give, or 0 to 1.
    """
    message = (
        f"image is {dtype.name}; expected a decoded image [H, W, channels] uint8 or uint16: pass "
        "the pixels as they are stored."
    )
    with tf.control_dependencies([tf.debugging.Assert(False, [message])]):
        return tf.zeros([1, 1, 1, 3])
