import numpy as np
import pytest
import tensorflow as tf

from remedis.training.losses import masked_sigmoid_cross_entropy


def twin(labels, logits):
    probabilities = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    losses = -np.log(np.where(labels == 1, probabilities, 1 - probabilities))
    return losses[np.isfinite(labels)].mean()


def loss_and_gradient(labels, logits):
    logits = tf.constant(logits, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = masked_sigmoid_cross_entropy(tf.constant(labels, tf.float32), logits)
    return float(loss), tape.gradient(loss, logits).numpy()


@pytest.mark.parametrize("unknown", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("shape", [(1, 1), (8, 1), (7, 5)])
def test_is_the_mean_over_what_is_known(unknown, shape):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, shape).astype(np.float32)
    labels[rng.uniform(size=shape) < unknown] = np.nan
    labels[0, 0] = 1
    logits = rng.normal(size=shape).astype(np.float32) * 4
    loss, gradient = loss_and_gradient(labels, logits)
    assert loss == pytest.approx(twin(labels, logits), rel=1e-5)
    known = np.isfinite(labels)
    expected = (1 / (1 + np.exp(-logits)) - np.nan_to_num(labels)) * known / known.sum()
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert (gradient[~known] == 0).all()


def test_nothing_known_is_no_loss_and_no_gradient():
    loss, gradient = loss_and_gradient(np.full((3, 2), np.nan), np.ones((3, 2)))
    assert loss == 0
    np.testing.assert_array_equal(gradient, 0)


def test_extreme_logits_give_finite_numbers():
    loss, gradient = loss_and_gradient([[1, 0, np.nan, 1]], [[-1e4, 1e4, 1e30, 1e4]])
    assert loss == pytest.approx(2e4 / 3)
    np.testing.assert_allclose(gradient, [[-1 / 3, 1 / 3, 0, 0]], atol=1e-6)


def test_an_infinite_logit_of_an_unknown_label_does_no_harm():
    _, gradient = loss_and_gradient([[1, np.nan]], [[0.0, 1e38]])
    assert np.isfinite(gradient).all()
