"""Exponential moving averages of the weights, evaluated and exported in their place.

An exponential moving average (Polyak and Juditsky, SIAM J. Control Optim. 30:838-855, 1992, with a
window that forgets). The decay is at most (1 + step) / (10 + step), as in
TensorFlow's `ExponentialMovingAverage`, so that early averages do not stay near the start.
"""

import contextlib
from collections.abc import Iterator, Mapping

import keras
import tensorflow as tf

from remedis.errors import UserError


class Averages:
    """Averages of variables; a decay of 0 keeps none.

    Attributes:
      variables: the averages by name; empty for a decay of 0.
    """

    def __init__(self, variables: Mapping[str, keras.Variable], decay: float) -> None:
        """Starts from the current variables.

        Raises:
          UserError: the decay is not in [0, 1).
        """
        if not 0 <= decay < 1:
            raise UserError(f"config.ema is {decay}; expected 0 for none, or a number below 1.")
        self._decay = decay
        self._averaged = (
            {name: variable.value for name, variable in variables.items()} if decay else {}
        )
        self.variables = {
            # All replicas compute the same average; the first one's is stored.
            name: tf.Variable(
                value, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
            )
            for name, value in self._averaged.items()
        }

    def begin(self) -> None:
        """Restarts from the current variables."""
        for name, average in self.variables.items():
            average.assign(self._averaged[name])

    def update(self, step: tf.Tensor) -> None:
        """Moves the averages towards the variables after step number `step`."""
        step = tf.cast(step, tf.float32)
        decay = tf.minimum(self._decay, (1 + step) / (10 + step))
        for name, average in self.variables.items():
            average.assign(self._averaged[name] + (average - self._averaged[name]) * decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Sets the variables to their averages until the block ends."""
        current = {name: tf.identity(value) for name, value in self._averaged.items()}
        for name, average in self.variables.items():
            self._averaged[name].assign(tf.identity(average))
        try:
            yield
        finally:
            for name, value in current.items():
                self._averaged[name].assign(value)
