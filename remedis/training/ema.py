"""An average of the weights over the steps of a training, evaluated and kept in their place.

An exponential moving average (Polyak and Juditsky, SIAM J. Control Optim. 30:838-855, 1992, with a
window that forgets). Early on the decay is (1 + step) / (10 + step) where that is less, as
TensorFlow's `ExponentialMovingAverage` has it, so that the average does not hang on the start.
"""

import contextlib
from collections.abc import Iterator, Mapping

import keras
import tensorflow as tf

from remedis.errors import UserError


class Averages:
    """Averages of variables; none at all for a decay of 0.

    Attributes:
      variables: the averages by name; empty for a decay of 0.
    """

    def __init__(self, variables: Mapping[str, keras.Variable], decay: float) -> None:
        """Begins with the variables as they are.

        Raises:
          UserError: the decay is not in [0, 1).
        """
        if not 0 <= decay < 1:
            raise UserError(f"config.ema is {decay}; expected 0 for none, or up to below 1.")
        self._decay = decay
        self._of = {name: variable.value for name, variable in variables.items()} if decay else {}
        self.variables = {
            # Every replica computes the same average; which one's is kept does not matter.
            name: tf.Variable(
                value, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
            )
            for name, value in self._of.items()
        }

    def begin(self) -> None:
        """Begins anew with the variables as they are."""
        for name, average in self.variables.items():
            average.assign(self._of[name])

    def update(self, step: tf.Tensor) -> None:
        """Moves the averages towards the variables, as they are after `step` steps."""
        step = tf.cast(step, tf.float32)
        decay = tf.minimum(self._decay, (1 + step) / (10 + step))
        for name, average in self.variables.items():
            average.assign(self._of[name] + (average - self._of[name]) * decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Puts the averages into the variables until the block ends."""
        now = {name: tf.identity(value) for name, value in self._of.items()}
        for name, average in self.variables.items():
            self._of[name].assign(tf.identity(average))
        try:
            yield
        finally:
            for name, value in now.items():
                self._of[name].assign(value)
