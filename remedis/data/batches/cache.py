"""Images kept in memory, as many as a budget allows."""

import threading
import weakref
from collections.abc import Callable

import numpy as np
import tensorflow as tf


class ImageCache:
    """Keeps what was computed for a row of one manifest, until a budget is used up.

    What it keeps goes with the last batches that are made with it, and whoever else holds it.

    What is kept is what is given back, bit for bit, so a cache changes how fast batches come and
    nothing else. Once the budget is used up, the rows that are in stay in: in a training, which
    comes by every row once an epoch, throwing the oldest out would leave nothing to be found.

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
        """Returns a row's image, [H, W, channels] float32: as kept, or as `make` makes it now."""
        # TensorFlow never lets go of a Python function it was given: one that held the cache would
        # keep all images until the process ends.
        held = weakref.ref(self)

        def find(row: np.int64) -> tuple[np.bool_, np.ndarray]:
            cache = held()
            return (np.False_, _NOTHING) if cache is None else cache._find(row)

        def keep(row: np.int64, image: np.ndarray) -> np.ndarray:
            cache = held()
            return image if cache is None else cache._keep(row, image)

        found, kept = tf.numpy_function(find, [row], [tf.bool, tf.float32], stateful=False)

        def new() -> tf.Tensor:
            return tf.numpy_function(keep, [row, make()], tf.float32, stateful=False)

        return tf.ensure_shape(tf.cond(found, lambda: kept, new), [None, None, None])

    def _find(self, row: np.int64) -> tuple[np.bool_, np.ndarray]:
        image = self._images.get(int(row))
        return np.bool_(image is not None), _NOTHING if image is None else image

    def _keep(self, row: np.int64, image: np.ndarray) -> np.ndarray:
        with self._lock:
            if int(row) not in self._images and self.used + image.nbytes <= self.budget:
                self.used += image.nbytes
                # A copy: TensorFlow takes back the memory it lent.
                self._images[int(row)] = image.copy()
        return image


_NOTHING = np.zeros((0, 0, 3), np.float32)
