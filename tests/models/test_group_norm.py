import numpy as np
import pytest
import tensorflow as tf

from remedis.models.group_norm import EPSILON, gradients_of_operations, group_norm_relu
from remedis.models.standardized_conv import standardize


def numpy_group_norm_relu(x, gamma, beta, groups):
    x = np.asarray(x, np.float64)
    n, h, w, c = x.shape
    grouped = x.reshape(n, h, w, groups, c // groups)
    mean = grouped.mean((1, 2, 4), keepdims=True)
    variance = grouped.var((1, 2, 4), keepdims=True)
    normalised = ((grouped - mean) / np.sqrt(variance + EPSILON)).reshape(x.shape)
    return np.maximum(normalised * gamma + beta, 0)


@pytest.mark.parametrize("groups", [1, 4, 32])
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (5, 0.1), (1e3, 1), (-300, 0.05), (0, 0)])
def test_agrees_with_float64_also_far_from_zero(groups, mean, deviation):
    rng = np.random.default_rng(0)
    x = (mean + deviation * rng.standard_normal((2, 9, 7, 64))).astype(np.float32)
    gamma, beta = rng.uniform(0.5, 2, 64), rng.uniform(-1, 1, 64)
    got = group_norm_relu(x, gamma.astype(np.float32), beta.astype(np.float32), groups)
    expected = numpy_group_norm_relu(x, gamma, beta, groups)
    # One rounding of x is |mean| * 2^-24; divided by the deviation it is what one can hope for.
    unit = abs(mean) * 2.0**-24 / np.sqrt(deviation**2 + EPSILON)
    np.testing.assert_allclose(got, expected, atol=1e-5 + 8 * unit)


def test_gradients_agree_with_differences():
    rng = np.random.default_rng(1)
    x = tf.constant(rng.standard_normal((1, 3, 3, 8)), tf.float32)
    gamma = tf.constant(rng.uniform(0.5, 2, 8), tf.float32)
    beta = tf.constant(rng.uniform(8, 9, 8), tf.float32)  # away from the kink of the ReLU
    weight = tf.constant(rng.standard_normal((1, 3, 3, 8)), tf.float32)

    def objective(x, gamma, beta):
        return tf.reduce_sum(weight * group_norm_relu(x, gamma, beta, groups=2))

    analytic, numeric = tf.test.compute_gradient(objective, [x, gamma, beta], delta=1e-2)
    for a, n in zip(analytic, numeric, strict=True):
        np.testing.assert_allclose(a, n, atol=2e-2)


@pytest.mark.parametrize("groups", [1, 4, 32])
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (5, 0.5), (-30, 1)])
def test_gradients_are_those_of_its_operations_in_float64(groups, mean, deviation):
    rng = np.random.default_rng(2)
    x = (mean + deviation * rng.standard_normal((3, 5, 4, 64))).astype(np.float32)
    gamma, beta = rng.normal(0, 1, 64).astype(np.float32), rng.normal(0, 1, 64).astype(np.float32)
    gamma[::5] = 0  # of channels that a training has switched off
    upstream = rng.standard_normal(x.shape)

    def plain(x, gamma, beta, groups):
        grouped = tf.reshape(x, [3, 5, 4, groups, -1])
        mean, variance = tf.nn.moments(grouped, [1, 2, 4], keepdims=True)
        normalised = tf.reshape((grouped - mean) / tf.sqrt(variance + EPSILON), x.shape)
        return tf.nn.relu(normalised * gamma + beta)

    def gradients(function, dtype):
        inputs = [tf.constant(value, dtype) for value in (x, gamma, beta)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = function(*inputs, groups)
        return tape.gradient(y, inputs, tf.constant(upstream, dtype))

    expected = gradients(plain, tf.float64)
    own = gradients(group_norm_relu, tf.float32)
    with gradients_of_operations():
        of_operations = gradients(group_norm_relu, tf.float32)
    for found in (own, of_operations):
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_in_and_out_with_statistics_in_float32(dtype):
    # 1,000 squared overflows float16: statistics taken in it would be infinite.
    x = tf.cast(1000 + tf.random.stateless_normal([1, 8, 8, 32], [0, 0]) * 50, dtype)
    got = group_norm_relu(x, tf.ones(32), tf.zeros(32))
    assert got.dtype == dtype
    expected = numpy_group_norm_relu(np.asarray(tf.cast(x, tf.float64)), 1, 0, 32)
    np.testing.assert_allclose(np.asarray(tf.cast(got, tf.float64)), expected, atol=0.05)


def test_standardized_kernel_has_mean_0_and_biased_variance_1_a_filter():
    kernel = np.random.default_rng(0).normal(3, 0.1, (3, 3, 16, 8)).astype(np.float32)
    got = np.asarray(standardize(tf.constant(kernel)), np.float64)
    np.testing.assert_allclose(got.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(got.var((0, 1, 2)), 1, rtol=1e-4)
    wide = kernel.astype(np.float64)
    mean, variance = wide.mean((0, 1, 2)), wide.var((0, 1, 2))
    np.testing.assert_allclose(got, (wide - mean) / np.sqrt(variance + 1e-10), atol=1e-4)


def test_gradient_of_a_standardized_kernel_is_that_of_its_operations():
    rng = np.random.default_rng(0)
    kernel = rng.normal(3, 0.1, (3, 3, 96, 8)).astype(np.float32)  # more rows than make its mean
    upstream = rng.standard_normal(kernel.shape)

    def plain(kernel):
        mean, variance = tf.nn.moments(kernel, [0, 1, 2])
        return (kernel - mean) / tf.sqrt(variance + 1e-10)

    def gradient(function, dtype):
        value = tf.constant(kernel, dtype)
        with tf.GradientTape() as tape:
            tape.watch(value)
            y = function(value)
        return tape.gradient(y, value, tf.constant(upstream, dtype))

    wanted = gradient(plain, tf.float64)
    got = gradient(standardize, tf.float32)
    np.testing.assert_allclose(got, wanted, atol=1e-4 * np.abs(wanted).max())
