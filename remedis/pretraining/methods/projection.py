"""The projection head: a multilayer perceptron between the features and the loss.

It is kept in checkpoints, so that one can go on from them, and left out of exports.
"""

import keras
import numpy as np
import tensorflow as tf

# What follows the last product: a bias, a batch norm without an offset (SimCLR's head: a common
# offset would only bring all projections closer to each other), or nothing at all.
BIAS, NORM, BARE = LASTS = ("bias", "norm", "bare")

# Small against the variance of what is normalised, so that this is 1 afterwards; Keras' own 0.001
# would let a head that shrinks its outputs get away with it.
EPSILON = 1e-5
MOMENTUM = 0.9  # of the batch norms' averages, which training itself makes no use of


class Projection(keras.layers.Layer):
    """Dense layers with ReLU between them, and batch norm if asked for, in float32.

    Variables are `projection/dense1/kernel`, `projection/norm1/gamma` and so on in every process. A
    dense layer has a bias only where no batch norm follows, which would take it away again.
    """

    def __init__(
        self,
        channels: int,
        widths: tuple[int, ...],
        seed: int,
        *,
        hidden_norm: bool = True,
        last: str = NORM,
    ) -> None:
        """Makes the layers and draws their kernels.

        He et al. 2015, arXiv 1502.01852, for all of them.

        Args:
          channels: of the features.
          widths: outputs of each dense layer; the last is that of the projection.
          seed: of the kernels, 0 or more.
          hidden_norm: whether a batch norm, with scale and offset, stands before each ReLU.
          last: one of `LASTS`.
        """
        assert last in LASTS
        super().__init__(name="projection", dtype="float32")
        self.stack: list[keras.layers.Layer] = []
        for number, width in enumerate(widths, start=1):
            final = number == len(widths)
            norm = last == NORM if final else hidden_norm
            dense = keras.layers.Dense(
                width,
                use_bias=last == BIAS if final else not hidden_norm,
                kernel_initializer=keras.initializers.HeNormal(_derived(seed, number)),
                name=f"dense{number}",
                dtype="float32",
            )
            self.stack.append(dense)
            if norm:
                self.stack.append(_batch_norm(f"norm{number}", center=not final))
            if not final:
                self.stack.append(keras.layers.ReLU(name=f"relu{number}", dtype="float32"))
        self.build((None, channels))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the variables."""
        for layer in self.stack:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the projections [N, D] float32, of whatever length, of features [N, C].

        Args:
          features: pooled features.
          training: whether batch norms normalise by these N rows and update their averages.
        """
        z = features
        for layer in self.stack:
            z = layer(z, training=training)
        return z


def _derived(seed: int, number: int) -> int:
    """A seed for each layer: with the same one, layers of one shape would be the same."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def _batch_norm(name: str, center: bool) -> keras.layers.Layer:
    return keras.layers.BatchNormalization(
        momentum=MOMENTUM, epsilon=EPSILON, center=center, name=name, dtype="float32"
    )
