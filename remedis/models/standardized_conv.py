"""Convolution with weight standardisation.

Qiao et al. 2019, "Weight Standardization", arXiv 1903.10520, with BiT's epsilon.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

EPSILON = 1e-10  # of BiT; added to the variance, not to the deviation
SOME = 256  # rows whose mean is near that of all, see `standardize`

# The gradient with respect to the input is a transposed convolution. For small maps with many
# channels, a CPU without oneDNN needs up to 18 times as long for it as for a convolution with as
# many multiply-adds. With stride 1 the convolution is always as fast. With stride 2 it has four
# times the multiply-adds, and is faster only up to this height and width. Measured by
# `benchmarks/convolution.py`.
SMALL_MAP = 8  # pixels

_constant = contextvars.ContextVar("constant", default=False)


@contextlib.contextmanager
def constant_kernels() -> Iterator[None]:
    """Lets functions that are traced in the block keep the kernels as they are now, standardised.

    Such a function does not see later changes of the weights. It needs no time to standardise.
    """
    token = _constant.set(True)
    try:
        yield
    finally:
        _constant.reset(token)


def standardize(kernel: tf.Tensor) -> tf.Tensor:
    """Returns (w - mean) / sqrt(variance + 1e-10) over H, W and I of an HWIO kernel.

    The variance is the biased one (divided by H * W * I). It is the batch norm of an image of the
    kernel's values: one operation with a gradient of its own, faster than its parts.
    """
    wide, outputs, none = tf.cast(kernel, tf.float32), kernel.shape[-1], tf.zeros([0])
    # The operation leaves a rest of a large mean, with the same sign in every weight of a filter,
    # which the thousands of non-negative inputs behind a ReLU would add up. So the mean of some
    # rows, most of it, is taken off before. Neither the result nor the gradient depends on it.
    rows = tf.reshape(wide, [-1, outputs])
    rows -= tf.stop_gradient(tf.reduce_mean(rows[:SOME], 0))
    standardized = tf.raw_ops.FusedBatchNormV3(
        x=rows[None, None],
        scale=tf.ones([outputs]),
        offset=tf.zeros([outputs]),
        mean=none,
        variance=none,
        epsilon=EPSILON,
        is_training=True,
    ).y
    return tf.cast(tf.reshape(standardized, kernel.shape), kernel.dtype)


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
    if kernel.shape[0] == 1:
        return _pointwise(_every(x, stride), kernel)
    return _spatial(x, kernel, stride)


def _every(x: tf.Tensor, stride: int) -> tf.Tensor:
    """Returns every `stride`-th row and column, by an operation that is faster than a slice."""
    return x if stride == 1 else tf.nn.avg_pool2d(x, 1, stride, "VALID")


def _pointwise(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A 1x1 convolution as a matrix product, whose gradients on a CPU are up to 7 times as fast."""
    inputs, outputs = kernel.shape[2:]
    product = tf.reshape(x, [-1, inputs]) @ tf.reshape(kernel, [inputs, outputs])
    return tf.reshape(product, tf.concat([tf.shape(x)[:3], [outputs]], 0))


def _spatial(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """A convolution with gradients that are fast on a CPU, with oneDNN and without."""
    pad = kernel.shape[0] // 2
    padding = [[0, 0], [pad, pad], [pad, pad], [0, 0]]
    sides = x.shape[1:3]
    small = sides.is_fully_defined() and max(sides) <= SMALL_MAP

    @tf.custom_gradient
    def convolution(
        x: tf.Tensor, kernel: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # oneDNN has no gradients of convolutions with explicit padding.
            padded = x if stride == 1 else tf.pad(x, padding)
            same = {
                "strides": [1, stride, stride, 1],
                "padding": "SAME" if stride == 1 else "VALID",
            }
            by_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=padded, filter_sizes=kernel.shape, out_backprop=upstream, **same
            )
            if stride == 1 or small:
                turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
                spread = _spread(upstream, stride, tf.shape(x))
                return tf.nn.conv2d(spread, turned, 1, padding), by_kernel
            by_padded = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(padded), filter=kernel, out_backprop=upstream, **same
            )
            return by_padded[:, pad:-pad, pad:-pad], by_kernel

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
        with tf.init_scope() if _constant.get() else contextlib.nullcontext():
            kernel = standardize(tf.convert_to_tensor(self.kernel))
        return convolve(x, tf.cast(kernel, x.dtype), self.stride)
