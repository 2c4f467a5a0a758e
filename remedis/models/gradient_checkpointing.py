"""Gradient checkpointing: activations are computed a second time instead of being kept.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174.
"""

from collections.abc import Callable, Iterable

import keras
import tensorflow as tf


def checkpointed(layer: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
    """Returns `layer(x)`. For the backward pass it keeps only `x` and computes the rest again.

    This saves memory inside a `tf.function`. An eager tape keeps all activations in any case.

    Args:
      layer: a layer of one input and one output, built. It reads its variables when it is called.
      x: [N, H, W, C].
    """
    variables = layer.variables

    def compute(x: tf.Tensor, *values: tf.Tensor) -> tf.Tensor:
        # Reads `values` where the layer reads its variables: a custom gradient knows tensors only.
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return layer(x)

    @tf.custom_gradient
    def twice(x: tf.Tensor, *values: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            inputs = _after(upstream, (x, *values))
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                y = compute(*inputs)
            return tape.gradient(y, inputs, upstream)

        # Or the kernels of all layers would be standardised, and kept, before the first is used.
        return compute(x, *_after(x, values)), gradient

    return twice(x, *(tf.convert_to_tensor(variable) for variable in variables))


def _after(event: tf.Tensor, values: Iterable[tf.Tensor]) -> list[tf.Tensor]:
    """Returns `values` unchanged, as tensors that depend on `event`.

    Operations on the result therefore run after `event`. The graph optimizers of TensorFlow and
    XLA do not merge them with the same operations on `values`.
    """
    first = tf.reduce_max(tf.cast(tf.reshape(event, [-1])[:1], tf.float32))  # -inf if empty
    nothing = tf.minimum(tf.abs(first), 0.0)
    return [value + tf.cast(nothing, value.dtype) for value in values]
