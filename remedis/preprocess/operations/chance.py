"""Random decisions and independent seeds from a stateless seed."""

from collections.abc import Callable

import tensorflow as tf


def split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Returns `count` seeds, [2] int32 each, whose draws are independent of each other."""
    return tf.unstack(tf.random.experimental.stateless_split(seed, count))


def sometimes(
    change: Callable[[], tf.Tensor], image: tf.Tensor, probability: float, seed: tf.Tensor
) -> tf.Tensor:
    """Returns `change()` with a probability, otherwise the image.

    `change` is not computed unless it is chosen, in a graph too.

    Args:
      change: returns the changed image; must not draw from `seed`.
      image: [H, W, C].
      probability: of `change`.
      seed: [2] int32, decides.
    """
    chosen = tf.random.stateless_uniform([], seed) < probability
    return tf.cond(chosen, change, lambda: tf.identity(image))
