"""Time of the gradients of the backbone's convolutions, compared with those of `tf.nn.conv2d`.

    python benchmarks/convolution.py [--rounds=9]

Prints the time of the gradient with respect to the input for each shape, and the ratio of our time
to TensorFlow's. The shapes are those of the 3x3 and 1x1 convolutions of a R50x1 at 64 and 224
pixels.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import tensorflow as tf

from remedis.models.standardized_conv import convolve

# Batch, side of the map, channels in and out, size of the kernel, stride.
SHAPES = [
    (32, 2, 512, 512, 3, 1),
    (32, 4, 512, 512, 3, 2),
    (32, 8, 256, 256, 3, 2),
    (32, 2, 2048, 512, 1, 1),
    (32, 4, 1024, 256, 1, 1),
    (8, 7, 512, 512, 3, 1),
    (8, 14, 512, 512, 3, 2),
    (8, 28, 128, 128, 3, 1),
    (8, 7, 512, 2048, 1, 1),
    (8, 28, 512, 128, 1, 1),
]


def library(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """Returns the same convolution with TensorFlow's own gradients."""
    pad = kernel.shape[0] // 2
    return tf.nn.conv2d(x, kernel, stride, [[0, 0], [pad, pad], [pad, pad], [0, 0]])


def input_gradient(convolution: Callable[..., tf.Tensor], stride: int) -> Callable[..., tf.Tensor]:
    """Returns a function that computes the gradient of a convolution with respect to its input."""

    @tf.function
    def gradient(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.square(convolution(x, kernel, stride)))
        return tape.gradient(total, x)

    return gradient


def seconds(function: Callable[..., tf.Tensor], *arguments: tf.Tensor) -> float:
    """Returns the time of one call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    """Prints the table; calls alternate, so that both sides share any drift of the machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="timed calls per shape and side")
    options = parser.parse_args()
    print("batch side  in -> out  kernel stride    library       ours   ratio")
    for batch, side, inputs, outputs, size, stride in SHAPES:
        x = tf.random.stateless_normal([batch, side, side, inputs], [0, 0])
        kernel = tf.random.stateless_normal([size, size, inputs, outputs], [0, 1])
        theirs, ours = input_gradient(library, stride), input_gradient(convolve, stride)
        theirs(x, kernel), ours(x, kernel)
        pairs = [
            (seconds(theirs, x, kernel), seconds(ours, x, kernel)) for _ in range(options.rounds)
        ]
        medians = [statistics.median(column) * 1e3 for column in zip(*pairs, strict=True)]
        ratio = statistics.median(our / their for their, our in pairs)
        print(
            f"{batch:5} {side:4} {inputs:5} -> {outputs:<5} {size:4} {stride:6}"
            f"   {medians[0]:7.1f} ms {medians[1]:7.1f} ms   {ratio:5.2f}"
        )


if __name__ == "__main__":
    main()
