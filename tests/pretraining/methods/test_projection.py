"""The projection head against NumPy, and the names and seeds of its variables."""

import numpy as np
import pytest
import tensorflow as tf

from remedis.pretraining.methods.projection import EPSILON, LASTS, Projection

WIDTHS = pytest.mark.parametrize("widths", [(5,), (6, 4), (7, 6, 5, 4)])


def features(rows=9, channels=8):
    return np.random.default_rng(0).normal(size=(rows, channels)).astype(np.float32)


def twin(layer, x, widths, hidden_norm, last):
    values = {v.path.removeprefix("projection/"): np.float64(v) for v in layer.variables}
    x = np.float64(x)
    for number in range(1, len(widths) + 1):
        final = number == len(widths)
        x = x @ values[f"dense{number}/kernel"] + values.get(f"dense{number}/bias", 0)
        if (last == "norm") if final else hidden_norm:
            x = (x - x.mean(0)) / np.sqrt(x.var(0) + EPSILON)
            x = x * values[f"norm{number}/gamma"] + values.get(f"norm{number}/beta", 0)
        if not final:
            x = np.maximum(x, 0)
    return x


@WIDTHS
@pytest.mark.parametrize("hidden_norm", [True, False])
@pytest.mark.parametrize("last", LASTS)
def test_the_head_computes_its_layers(widths, hidden_norm, last):
    layer = Projection(8, widths, 3, hidden_norm=hidden_norm, last=last)
    rng = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    x = features()
    np.testing.assert_allclose(
        layer(x, training=True), twin(layer, x, widths, hidden_norm, last), rtol=1e-3, atol=1e-3
    )

    kernels = sum(a * b for a, b in zip((8, *widths), widths, strict=False))
    hidden, out = sum(widths[:-1]), widths[-1]
    after = {"bias": out, "norm": out, "bare": 0}[last]
    count = sum(int(np.prod(v.shape)) for v in layer.trainable_variables)
    assert count == kernels + hidden * (2 if hidden_norm else 1) + after
    normed = hidden * hidden_norm + (out if last == "norm" else 0)
    assert sum(v.shape[0] for v in layer.non_trainable_variables) == 2 * normed


def test_names_are_paths_and_the_same_for_every_head():
    expected = [
        "projection/dense1/kernel",
        "projection/norm1/gamma",
        "projection/norm1/beta",
        "projection/norm1/moving_mean",
        "projection/norm1/moving_variance",
        "projection/dense2/kernel",
        "projection/dense2/bias",
    ]
    for _ in range(2):
        head = Projection(8, (6, 4), 0, last="bias")
        assert {variable.path for variable in head.variables} == set(expected)


def test_kernels_follow_from_the_seed_and_differ_by_layer():
    def kernels(seed):
        head = Projection(8, (8, 8), seed, last="bare")
        return [np.asarray(layer.kernel) for layer in head.stack if hasattr(layer, "kernel")]

    (first, second), same, other = kernels(5), kernels(5), kernels(6)
    np.testing.assert_array_equal([first, second], same)
    assert not np.allclose(first, second)
    assert not np.allclose(first, other[0])


def test_kernels_have_the_variance_of_he():
    kernel = np.asarray(Projection(400, (300,), 0, last="bare").variables[0])
    assert kernel.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert kernel.mean() == pytest.approx(0, abs=1e-3)


def test_averages_of_norms_change_in_training_only():
    head = Projection(8, (6, 4), 0)
    before = [np.asarray(v) for v in head.non_trainable_variables]
    head(features(), training=False)
    np.testing.assert_array_equal(before[0], head.non_trainable_variables[0])
    head(features(), training=True)
    mean = np.float64(features()) @ np.float64(head.variables[0])
    np.testing.assert_allclose(head.non_trainable_variables[0], 0.1 * mean.mean(0), atol=1e-5)


def test_the_head_computes_in_float32_under_any_policy():
    import keras

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        head = Projection(8, (6, 4), 0)
    finally:
        keras.config.set_dtype_policy(policy)
    z = head(features(), training=True)
    assert z.dtype == tf.float32
    np.testing.assert_array_equal(z, Projection(8, (6, 4), 0)(features(), training=True))
