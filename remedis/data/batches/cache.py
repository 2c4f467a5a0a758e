"""A cache of images in memory, up to a budget of bytes."""

import threading
import weakref
from collections.abc import Callable

import numpy as np
import tensorflow as tf


class ImageCache:
    """Caches the image of each row of one manifest until the budget is used up.

    A cached image is returned bit for bit, so a cache changes the speed of batches and nothing
    else. A full cache evicts nothing: training reads every row once per epoch, and with eviction of
    the oldest image each row would be gone before its next turn.

    Images are freed when neither a dataset nor another reference uses the cache any longer.

    Attributes:
      budget: bytes to use at most.
      used: bytes in use.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._images: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._images)

    def through(self, row: tf.Tensor, make: Callable[[], tf.Tensor]) -> tf.Tensor:
        """Returns the image of a row, [H, W, channels] float32: the cached one, or that of `make`.

        Args:
          row: scalar int64.
          make: computes the image; called in the graph, only for a row that is not cached.
        """
        # TensorFlow never releases a Python function it was given: one with a strong reference to
        # the cache would keep all images until the process ends.
        reference = weakref.ref(self)

        def find(row: np.int64) -> tuple[np.bool_, np.ndarray]:
            cache = reference()
            return (np.False_, _NOTHING) if cache is None else cache._find(row)

        def keep(row: np.int64, image: np.ndarray) -> np.ndarray:
            cache = reference()
            return image if cache is None else cache._keep(row, image)

        is_cached, cached = tf.numpy_function(find, [row], [tf.bool, tf.float32], stateful=False)

        def make_and_keep() -> tf.Tensor:
            return tf.numpy_function(keep, [row, make()], tf.float32, stateful=False)

        image = tf.cond(is_cached, lambda: cached, make_and_keep)
        return tf.ensure_shape(image, [None, None, None])

    def _find(self, row: np.int64) -> tuple[np.bool_, np.ndarray]:
        image = self._images.get(int(row))
        return np.bool_(image is not None), _NOTHING if image is None else image

    def _keep(self, row: np.int64, image: np.ndarray) -> np.ndarray:
        with self._lock:
            if int(row) not in self._images and self.used + image.nbytes <= self.budget:
                self.used += image.nbytes
                # A copy: the memory of `image` belongs to TensorFlow, which uses it again.
                self._images[int(row)] = image.copy()
        return image


_NOTHING = np.zeros((0, 0, 3), np.float32)
