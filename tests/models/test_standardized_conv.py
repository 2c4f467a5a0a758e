import numpy as np
import pytest
import tensorflow as tf

from remedis.models.standardized_conv import StandardizedConv2D, constant_kernels, convolve


def library(x, kernel, stride):
    pad = kernel.shape[0] // 2
    return tf.nn.conv2d(x, kernel, stride, [[0, 0], [pad, pad], [pad, pad], [0, 0]])


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("sides", [(1, 1), (2, 2), (5, 8), (7, 4), (9, 12), (16, 15)])
def test_convolution_and_its_gradients_agree_with_the_library(sides, stride, size, static):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((2, *sides, 4)), tf.float32)
    kernel = tf.constant(rng.standard_normal((size, size, 4, 6)), tf.float32)
    weight = tf.constant(rng.standard_normal(library(x, kernel, stride).shape), tf.float32)

    def gradients(convolution):
        spec = tf.TensorSpec(x.shape if static else [None, None, None, 4], tf.float32)

        @tf.function(input_signature=[spec])
        def compute(x):
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = convolution(x, kernel, stride)
                total = tf.reduce_sum(weight * y)
            return y, *tape.gradient(total, [x, kernel])

        return compute(x)

    for got, expected in zip(gradients(convolve), gradients(library), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-4)


def test_constant_kernels_give_the_same_and_are_standardised_once():
    layer = StandardizedConv2D(4, 3)
    layer.build((None, None, None, 2))
    rng = np.random.default_rng(0)
    layer.kernel.assign(rng.standard_normal((3, 3, 2, 4)))
    x = tf.constant(rng.standard_normal((1, 5, 5, 2)), tf.float32)

    def operations(function):
        return {
            operation.type for operation in function.get_concrete_function(x).graph.get_operations()
        }

    plain = tf.function(lambda x: layer(x), autograph=False)
    with constant_kernels():
        constant = tf.function(lambda x: layer(x), autograph=False)
        np.testing.assert_allclose(constant(x), plain(x), atol=1e-6)
    assert "FusedBatchNormV3" in operations(tf.function(lambda x: layer(x), autograph=False))
    assert "FusedBatchNormV3" not in operations(constant)
