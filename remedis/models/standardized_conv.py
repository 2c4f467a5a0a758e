"""Convolution with weight standardisation.

Qiao et al. 2019, "Weight Standardization", arXiv 1903.10520, with BiT's epsilon.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

EPSILON = 1e-10  # of BiT; added to the variance, not to the deviation

# The gradient with respect to the input is a transposed convolution. For small maps with many
# channels, a CPU needs up to 18 times as long for it as for a convolution with as many
# multiply-adds. With stride 1 the convolution is always faster. With stride 2 it has four times
# the multiply-adds, and is faster only up to this height and width. Measured by
# `benchmarks/convolution.py`.
SMALL_MAP = 8  # pixels


def standardize(kernel: tf.Tensor) -> tf.Tensor:
    """Returns (w - mean) / sqrt(variance + 1e-10) over H, W and I of an HWIO kernel.

    The variance is the biased one (divided by H * W * I).
    """
    wide = tf.cast(kernel, tf.float32)
    mean = tf.reduce_mean(wide, [0, 1, 2], keepdims=True)
    centred = wide - mean
    # Rounding leaves a rest of the mean, with the same sign in every weight of a filter. The
    # thousands of non-negative inputs behind a ReLU would add it up.
    centred -= tf.reduce_mean(centred, [0, 1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), [0, 1, 2], keepdims=True)
    return tf.cast(centred * tf.math.rsqrt(variance + EPSILON), kernel.dtype)


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int = 1) -> tf.Tensor:
    """Returns a convolution padded with as many zeros on both sides, as in PyTorch and BiT.

    TensorFlow's SAME pads an image of even size on one side only where the stride is 2.

    Args:
      x: [N, H, W, I].
      kernel: [size, size, I, O], size odd.
      stride: in both directions.

    Returns:
      [N, ceil(H / stride), ceil(W / stride), O].
    """
    size = kernel.shape[0]
    if size == 1:
        return _pointwise(x[:, ::stride, ::stride] if stride > 1 else x, kernel)
    return _spatial(x, kernel, stride)


def _padding(size: int) -> list[list[int]]:
    pad = size // 2
    return [[0, 0], [pad, pad], [pad, pad], [0, 0]]


def _pointwise(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A 1x1 convolution as a matrix product, whose gradients on a CPU are up to 7 times as fast."""
    inputs, outputs = kernel.shape[2:]
    product = tf.reshape(x, [-1, inputs]) @ tf.reshape(kernel, [inputs, outputs])
    return tf.reshape(product, tf.concat([tf.shape(x)[:3], [outputs]], 0))


def _spatial(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """A convolution whose gradient by `x` is a convolution, too, where that is faster."""
    padding = _padding(kernel.shape[0])
    sides = x.shape[1:3]
    small = sides.is_fully_defined() and max(sides) <= SMALL_MAP
    if stride > 1 and not small:
        return tf.nn.conv2d(x, kernel, stride, padding)

    @tf.custom_gradient
    def convolution(
        x: tf.Tensor, kernel: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
            spread = _spread(upstream, stride, tf.shape(x))
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=x,
                filter_sizes=kernel.shape,
                out_backprop=upstream,
                strides=[1, stride, stride, 1],
                padding="EXPLICIT",
                explicit_paddings=[side for pair in padding for side in pair],
            )
            return tf.nn.conv2d(spread, turned, 1, padding), by_kernel

        return tf.nn.conv2d(x, kernel, stride, padding), gradient

    return convolution(x, kernel)


def _spread(y: tf.Tensor, stride: int, shape: tf.Tensor) -> tf.Tensor:
    """Returns zeros of the sides of `shape` with `y` at every `stride`-th row and column."""
    if stride == 1:
        return y
    count, height, width, channels = tf.unstack(tf.shape(y))
    apart = tf.reshape(y, [count, height, 1, width, 1, channels])
    apart = tf.pad(apart, [[0, 0], [0, 0], [0, stride - 1], [0, 0], [0, stride - 1], [0, 0]])
    zeros_between = tf.reshape(apart, [count, height * stride, width * stride, y.shape[-1]])
    return zeros_between[:, : shape[1], : shape[2]]


class StandardizedConv2D(keras.layers.Layer):
    """A convolution without bias whose kernel is standardised at each use.

    The kernel is standardised in float32. The convolution computes in the dtype of its input,
    whatever Keras' policy.

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
        super().__init__(name=name, autocast=False, **kwargs)
        self.filters, self.size, self.stride = filters, size, stride

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the kernel, with zeros: the caller assigns the weights."""
        shape = (self.size, self.size, input_shape[-1], self.filters)
        # Otherwise Keras casts it to half precision inside another layer's call.
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer="zeros", autocast=False
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Maps [N, H, W, I] to [N, ceil(H / stride), ceil(W / stride), filters]."""
        kernel = standardize(tf.convert_to_tensor(self.kernel))
        return convolve(x, tf.cast(kernel, x.dtype), self.stride)
