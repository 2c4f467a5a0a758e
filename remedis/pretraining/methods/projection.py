"""The projection head: a multilayer perceptron between the features and the loss.

Checkpoints contain the head, so that training can continue from them; the SavedModel does not.
"""

import keras
import numpy as np
import tensorflow as tf

# Layer after the last matrix product: a bias, a batch norm without an offset (in SimCLR's head an
# offset common to all projections would only move them closer together), or nothing.
BIAS, NORM, BARE = LASTS = ("bias", "norm", "bare")

# Small compared to the variance of the inputs, so that the variance of the outputs is 1. With
# Keras' default of 0.001 a head that shrinks its inputs would have outputs of less variance.
EPSILON = 1e-5
MOMENTUM = 0.9  # of the batch norms' moving averages, which training does not use


class Projection(keras.layers.Layer):
    """Dense layers with ReLU between them, optionally with batch norm, in float32.

    Variables are `projection/dense1/kernel`, `projection/norm1/gamma` and so on in every process. A
    dense layer has a bias only where no batch norm follows, which would subtract it.
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
        """Makes the layers; kernels are drawn as in He et al. 2015, arXiv 1502.01852.

        Args:
          channels: number of channels of the features.
          widths: output channels of each dense layer; the last is the size of the projections.
          seed: of the kernels, 0 or more.
          hidden_norm: whether a batch norm with scale and offset precedes each ReLU.
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
        """Returns projections [N, D] float32, rows of any length.

        Args:
          features: [N, C], pooled features.
          training: whether batch norms normalise by these N rows and update their moving averages.
        """
        z = features
        for layer in self.stack:
            z = layer(z, training=training)
        return z


def _derived(seed: int, number: int) -> int:
    """Returns a seed per layer: with one seed, layers of equal shape would have equal kernels."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def _batch_norm(name: str, center: bool) -> keras.layers.Layer:
    return keras.layers.BatchNormalization(
        momentum=MOMENTUM, epsilon=EPSILON, center=center, name=name, dtype="float32"
    )
