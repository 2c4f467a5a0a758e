"""Random decisions and draws from stateless seeds."""

from collections.abc import Callable

import tensorflow as tf


def split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Returns `count` seeds, [2] int32 each, whose draws are independent of each other."""
    return tf.unstack(tf.random.experimental.stateless_split(seed, count))


def sometimes(
    change: Callable[[], tf.Tensor], image: tf.Tensor, probability: float, seed: tf.Tensor
) -> tf.Tensor:
    """Returns `change()` with a probability, else the image; `change` must not draw from `seed`.

    In a graph too, `change` costs nothing where it is not chosen.
    """
    chosen = tf.random.stateless_uniform([], seed) < probability
    return tf.cond(chosen, change, lambda: tf.identity(image))
