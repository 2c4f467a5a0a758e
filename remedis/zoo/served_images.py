"""Checks of the images that a served graph is called with, inside the graph.

TensorFlow alone loads a served graph, so no Python code of this package can check its input.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from remedis.zoo.pixel_range import CHECKED, EXPECTED, assert_in_graph, assert_pixels

IMAGES = tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")

Outputs = Any  # a tensor, or a dict of tensors by name


def checked(images: tf.Tensor, pixel_range: str = CHECKED) -> tf.Tensor:
    """Returns `images` as float32 [N, H, W, 3], with assertions in the graph.

    Args:
      images: of any type and shape.
      pixel_range: `checked`, or `any` for a graph that takes every finite value.

    Raises (when run):
      tf.errors.InvalidArgumentError: wrong rank or channels, a height or width of 0, NaN or
        infinity, or values that cannot be in [0, 1], see `pixel_range`.
    """
    images = assert_pixels(tf.cast(images, tf.float32), pixel_range)
    guards = []
    if images.shape.rank is None:
        shape = tf.shape(images)
        channels = tf.concat([[0], shape], 0)[-1]
        fits = tf.logical_and(tf.equal(tf.rank(images), 4), tf.equal(channels, 3))
        message = f"images have the wrong shape; {EXPECTED}; got"
        guards.append(assert_in_graph(fits, [message, shape]))
        # Without a branch, TensorFlow's own shape inference fails first, with a worse message.
        images = tf.cond(fits, lambda: images, lambda: tf.zeros([1, 1, 1, 3]))
    sides = tf.shape(images)[1:3]
    message = f"images have no pixels; {EXPECTED}; got"
    pixels = assert_in_graph(tf.reduce_all(sides > 0), [message, tf.shape(images)])
    guards.append(pixels)
    with tf.control_dependencies(guards):
        return tf.ensure_shape(images, IMAGES.shape)


def on_any_number(compute: Callable[[tf.Tensor], Outputs]) -> Callable[[tf.Tensor], Outputs]:
    """Returns `compute` in a form that also takes an empty batch and gives outputs of length 0.

    TensorFlow's oneDNN convolution, the default on most CPUs, gives an empty batch a wrong shape.
    For an empty batch the returned function computes on one black image and cuts the outputs to
    length 0. For all others, padding and cut change nothing, and no branch is in the graph. Where
    the number of images is known beforehand, not even these are there.

    Args:
      compute: from images [N, H, W, 3] to a tensor, or a dict of tensors, of length N.
    """

    def computed(images: tf.Tensor) -> Outputs:
        if images.shape.is_fully_defined() and images.shape.num_elements():
            return compute(images)
        shape = tf.shape(images)
        # Height and width, too: or TensorFlow's shape inference fails before `checked` does.
        missing = tf.cast(tf.equal(shape, 0), tf.int32)
        padded = tf.pad(images, tf.stack([tf.zeros_like(missing), missing], axis=1))
        # Known sides stay known: the fastest gradient of a convolution depends on them.
        outputs = compute(tf.ensure_shape(padded, [None, *(n or None for n in images.shape[1:])]))
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
    with tf.control_dependencies([assert_in_graph(False, [message])]):
        return tf.nest.map_structure(
            lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), outputs
        )
