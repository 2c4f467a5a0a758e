"""Convolution with weight standardisation.

Qiao et al. 2019, "Weight Standardization", arXiv 1903.10520, with BiT's epsilon.
"""

import keras
import tensorflow as tf

EPSILON = 1e-10  # of BiT; added to the variance, not to the deviation


def standardize(kernel: tf.Tensor) -> tf.Tensor:
    """Returns (w - mean) / sqrt(variance + 1e-10) over H, W and I of an HWIO kernel.

    The variance is the biased one (divided by H * W * I).
    """
    wide = tf.cast(kernel, tf.float32)
    mean = tf.reduce_mean(wide, [0, 1, 2], keepdims=True)
    centred = wide - mean
    # What rounding left of the mean is the same sign in every weight of a filter; behind a ReLU,
    # thousands of non-negative inputs would add it up.
    centred -= tf.reduce_mean(centred, [0, 1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), [0, 1, 2], keepdims=True)
    return tf.cast(centred * tf.math.rsqrt(variance + EPSILON), kernel.dtype)


class StandardizedConv2D(keras.layers.Layer):
    """A convolution without bias whose kernel is standardised at each use.

    Zeros are padded on both sides alike before a VALID convolution, as in PyTorch and in BiT;
    TensorFlow's SAME would pad an even image on one side only where the stride is 2.

    Attributes:
      filters: output channels.
      size: height and width of the kernel, odd.
      stride: in both directions.
    """

    def __init__(
        self,
        filters: int,
        size: int,
        stride: int = 1,
        name: str = "standardized_conv2d",
        **kwargs: object,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.filters, self.size, self.stride = filters, size, stride

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the kernel, zero: the trunk's weights are assigned by whoever builds it."""
        shape = (self.size, self.size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Maps [N, H, W, I] to [N, ceil(H / stride), ceil(W / stride), filters]."""
        pad = self.size // 2
        return tf.nn.conv2d(
            x,
            standardize(tf.convert_to_tensor(self.kernel)),
            strides=self.stride,
            padding=[[0, 0], [pad, pad], [pad, pad], [0, 0]] if pad else "VALID",
        )
