"""Images for the tests of operations, and functions that apply a specification."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from remedis.preprocess import Preprocess, parse


def noise(height: int = 40, width: int = 56) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(height, width, 3)).astype(np.float32)


def smooth(height: int = 60, width: int = 80) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    bump = np.exp(-(((x - 50) / 18) ** 2) - ((y - 20) / 12) ** 2)
    return np.stack([0.1 + 0.8 * bump, x / width, 0.5 + 0.4 * np.sin(y / 9)], -1).astype(np.float32)


def coordinates(height: int, width: int) -> np.ndarray:
    """Returns an image whose red is the row and whose green is the column, in [0, 1]."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([y / height, x / width, np.zeros_like(x)], -1).astype(np.float32)


def seeded(i: int) -> tf.Tensor:
    return tf.constant([i, 7], tf.int32)


@functools.cache
def parsed(specification: str) -> Preprocess:
    return parse(specification)


@functools.cache
def traced(specification: str) -> Callable[[np.ndarray, tf.Tensor], tf.Tensor]:
    """Returns a graph without known height and width, as after decoding."""
    signature = [tf.TensorSpec([None, None, 3], tf.float32), tf.TensorSpec([2], tf.int32)]
    preprocess = parsed(specification)
    return tf.function(lambda image, seed: preprocess(image, seed), input_signature=signature)


def draws(specification: str, image: np.ndarray, count: int) -> list[np.ndarray]:
    """Returns the results for seeds 0 to count - 1, computed in a graph, which is faster."""
    function = traced(specification)
    return [function(image, seeded(i)).numpy() for i in range(count)]


def apply(specification: str, image: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns the result for one seed, computed eagerly."""
    return parsed(specification)(tf.constant(image), seeded(seed)).numpy()
