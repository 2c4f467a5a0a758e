"""Losses of the methods against loops in NumPy, closed-form limits and finite differences."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import tensorflow as tf

from remedis.pretraining.methods.barlow_twins import barlow_twins
from remedis.pretraining.methods.moco import info_nce
from remedis.pretraining.methods.relic import relic
from remedis.pretraining.methods.simclr import nt_xent

EPSILON = 1e-5  # of Barlow Twins' batch norm
TEMPERATURES = pytest.mark.parametrize("temperature", [0.02, 0.1, 1.0])
SHAPES = pytest.mark.parametrize(("batch", "dims"), [(2, 3), (5, 8), (16, 4)])


def unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def nt_xent_twin(first, second, temperature):
    z, n, total = unit(np.concatenate([first, second])), len(first), 0.0
    for i in range(2 * n):
        others = [z[i] @ z[j] / temperature for j in range(2 * n) if j != i]
        total += scipy.special.logsumexp(others) - z[i] @ z[(i + n) % (2 * n)] / temperature
    return total / (2 * n)


def info_nce_twin(queries, keys, queue, temperature):
    total = 0.0
    for query, key in zip(unit(queries), unit(keys), strict=True):
        logits = [query @ key / temperature, *(query @ old / temperature for old in queue)]
        total += scipy.special.logsumexp(logits) - logits[0]
    return total / len(queries)


def relic_twin(first, second, temperature, alpha):
    first, second, total = unit(first), unit(second), 0.0
    for i in range(len(first)):
        p = scipy.special.softmax([first[i] @ other / temperature for other in second])
        q = scipy.special.softmax([second[i] @ other / temperature for other in first])
        kl = scipy.special.rel_entr(p, q).sum() + scipy.special.rel_entr(q, p).sum()
        total += (-np.log(p[i]) - np.log(q[i]) + alpha * kl) / 2
    return total / len(first)


def barlow_twin(first, second, off_diagonal):
    total = 0.0
    for i in range(first.shape[1]):
        for j in range(second.shape[1]):
            a, b = first[:, i], second[:, j]
            c = np.mean((a - a.mean()) * (b - b.mean()))
            c /= np.sqrt((a.var() + EPSILON) * (b.var() + EPSILON))
            total += (c - 1) ** 2 if i == j else off_diagonal * c**2
    return total


def drawn(batch, dims, seed=0):
    """Returns two correlated views, with rows of different lengths, as float64 of float32."""
    rng = np.random.default_rng([seed, batch, dims])
    shared = rng.normal(size=(batch, dims))
    views = (shared + rng.normal(size=shared.shape) for _ in range(2))
    lengths = (rng.uniform(0.1, 10, (batch, 1)) for _ in range(2))
    return [
        np.float64(np.float32(view * length)) for view, length in zip(views, lengths, strict=True)
    ]


def queue(rows, dims):
    return np.float64(np.float32(unit(np.random.default_rng(9).normal(size=(rows, dims)))))


def value(loss, *arguments):
    tensors = [
        tf.constant(argument, tf.float32) if isinstance(argument, np.ndarray) else argument
        for argument in arguments
    ]
    result = loss(*tensors)
    assert result.dtype == tf.float32
    assert result.shape == ()
    return float(result)


@SHAPES
@TEMPERATURES
def test_nt_xent_equals_that_of_loops(batch, dims, temperature):
    views = drawn(batch, dims)
    expected = nt_xent_twin(views[0], views[1], temperature)
    assert value(nt_xent, *views, temperature) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@SHAPES
@TEMPERATURES
@pytest.mark.parametrize("rows", [1, 7, 40])
def test_info_nce_equals_that_of_loops(batch, dims, temperature, rows):
    views, old = drawn(batch, dims), queue(rows, dims)
    expected = info_nce_twin(views[0], views[1], old, temperature)
    assert value(info_nce, *views, old, temperature) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@SHAPES
@TEMPERATURES
@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.5])
def test_relic_equals_that_of_loops(batch, dims, temperature, alpha):
    views = drawn(batch, dims)
    expected = relic_twin(views[0], views[1], temperature, alpha)
    assert value(relic, *views, temperature, alpha) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@SHAPES
@pytest.mark.parametrize("off_diagonal", [0.0, 0.0051, 1.0])
def test_barlow_twins_equals_that_of_loops(batch, dims, off_diagonal):
    first, second = drawn(batch, dims)
    first += 3  # the loss does not depend on the mean
    expected = barlow_twin(np.float64(np.float32(first)), second, off_diagonal)
    result = value(barlow_twins, first, second, off_diagonal)
    assert result == pytest.approx(expected, rel=1e-4, abs=1e-5)


LOSSES = {
    "nt_xent": (
        lambda a, b: nt_xent(a, b, 0.3),
        lambda a, b: nt_xent_twin(a, b, 0.3),
    ),
    "info_nce": (
        lambda a, b: info_nce(a, b, tf.constant(queue(6, 4), tf.float32), 0.3),
        lambda a, b: info_nce_twin(a, b, queue(6, 4), 0.3),
    ),
    "relic": (
        lambda a, b: relic(a, b, 0.3, 2.0),
        lambda a, b: relic_twin(a, b, 0.3, 2.0),
    ),
    "barlow_twins": (
        lambda a, b: barlow_twins(a, b, 0.2),
        lambda a, b: barlow_twin(a, b, 0.2),
    ),
}
losses = pytest.mark.parametrize("name", LOSSES)
SYMMETRIC = pytest.mark.parametrize("name", ["nt_xent", "relic", "barlow_twins"])
OF_DIRECTIONS = pytest.mark.parametrize("name", ["nt_xent", "info_nce", "relic"])


def gradients(loss, *views):
    views = [tf.constant(view, tf.float32) for view in views]
    with tf.GradientTape() as tape:
        tape.watch(views)
        result = loss(*views)
    none = tf.UnconnectedGradients.ZERO
    by_view = tape.gradient(result, views, unconnected_gradients=none)
    return float(result), [gradient.numpy() for gradient in by_view]


@losses
def test_gradients_equal_finite_differences(name):
    loss, twin = LOSSES[name]
    views = drawn(5, 4)
    for which, gradient in enumerate(gradients(loss, *views)[1]):

        def of_view(flat, which=which):
            changed = list(views)
            changed[which] = flat.reshape(5, 4)
            return twin(*changed)

        expected = scipy.optimize.approx_fprime(views[which].ravel(), of_view, 1e-6)
        if name == "info_nce" and which == 1:
            expected = np.zeros(20)  # no gradient reaches the teacher's keys
        np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-3, atol=1e-4)


def test_no_gradient_reaches_the_queue():
    old = tf.constant(queue(6, 4), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(old)
        first, second = (tf.constant(view, tf.float32) for view in drawn(5, 4))
        loss = info_nce(first, second, old, 0.2)
    assert tape.gradient(loss, old) is None


@SYMMETRIC
def test_views_may_be_exchanged(name):
    loss, _ = LOSSES[name]
    first, second = drawn(7, 5)
    assert value(loss, first, second) == pytest.approx(value(loss, second, first), rel=1e-5)


@losses
def test_examples_may_come_in_any_order(name):
    loss, _ = LOSSES[name]
    first, second = drawn(7, 4)
    order = np.random.default_rng(1).permutation(7)
    other = value(loss, first[order], second[order])
    assert value(loss, first, second) == pytest.approx(other, rel=1e-5)
    unmatched = value(loss, first, np.roll(second, 1, axis=0))
    assert unmatched > value(loss, first, second) + 0.1


@OF_DIRECTIONS
def test_the_length_of_a_projection_does_not_matter(name):
    loss, _ = LOSSES[name]
    first, second = drawn(6, 4)
    lengths = np.random.default_rng(1).uniform(1e-3, 1e3, (6, 1))
    scaled = value(loss, first * lengths, second * lengths[::-1])
    assert value(loss, first, second) == pytest.approx(scaled, rel=1e-4)


def test_scale_and_mean_of_a_dimension_do_not_matter_to_barlow_twins():
    first, second = drawn(12, 4)
    scales, means = np.array([1, 5, 0.5, 20]), np.array([0, 1, -2, 3])
    moved = value(barlow_twins, first * scales + means, second * scales[::-1], 0.2)
    assert value(barlow_twins, first, second, 0.2) == pytest.approx(moved, rel=1e-3)


EQUAL = np.tile([[0.3, -2.0, 1.0, 0.7]], (9, 1))


@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0])
def test_losses_of_a_constant_network(temperature):
    same = np.tile(unit(EQUAL[:1]), (30, 1))
    assert value(nt_xent, EQUAL, EQUAL, temperature) == pytest.approx(np.log(17), rel=1e-5)
    assert value(info_nce, EQUAL, EQUAL, same, temperature) == pytest.approx(np.log(31), rel=1e-5)
    assert value(relic, EQUAL, EQUAL, temperature, 5.0) == pytest.approx(np.log(9), rel=1e-5)
    assert value(barlow_twins, EQUAL, EQUAL, 0.3) == pytest.approx(4, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("batch", [2, 6])
def test_losses_of_equal_positives_orthogonal_to_all_negatives(temperature, batch):
    views, pull = np.eye(16)[:batch] * 3, np.exp(-1 / temperature)
    expected = np.log1p((2 * batch - 2) * pull)
    assert value(nt_xent, views, views, temperature) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    old = np.eye(16)[batch:]
    expected = np.log1p(len(old) * pull)
    result = value(info_nce, views, views, old, temperature)
    assert result == pytest.approx(expected, rel=1e-4, abs=1e-6)
    expected = np.log1p((batch - 1) * pull)
    result = value(relic, views, views, temperature, 7.0)
    assert result == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_relic_of_identical_views_has_no_divergence():
    view = drawn(8, 5)[0]
    assert value(relic, view, view, 0.1, 100.0) == pytest.approx(
        value(relic, view, view, 0.1, 0.0), rel=1e-5
    )


def test_relics_divergence_is_never_negative():
    first, second = drawn(8, 5)
    weights = [value(relic, first, second, 0.1, alpha) for alpha in (0.0, 1.0, 2.0)]
    assert weights[0] < weights[1] < weights[2]
    assert weights[2] - weights[1] == pytest.approx(weights[1] - weights[0], rel=1e-4)


def test_barlow_twins_of_whitened_identical_views_is_zero():
    z = np.random.default_rng(0).normal(size=(40, 6))
    white = np.linalg.qr(z - z.mean(0))[0] * np.sqrt(40)
    assert value(barlow_twins, white, white, 1.0) == pytest.approx(0, abs=1e-6)
    assert value(barlow_twins, white, -white, 1.0) == pytest.approx(4 * 6, rel=1e-4)
    turned = np.roll(white, 1, axis=1)  # all correlation is off the diagonal
    assert value(barlow_twins, white, turned, 0.5) == pytest.approx(6 + 0.5 * 6, rel=1e-4)


@losses
@pytest.mark.parametrize(
    "views",
    [(EQUAL, EQUAL), (EQUAL * 0, EQUAL * 0), (EQUAL, EQUAL * 0), (EQUAL * 1e-12, EQUAL * 1e12)],
    ids=["identical", "zero", "zero second", "tiny and huge"],
)
def test_gradients_of_degenerate_projections_are_finite(name, views):
    loss, both = gradients(LOSSES[name][0], *views)
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in both)


@pytest.mark.parametrize("temperature", [1e-3, 1e-6])
def test_tiny_temperatures_are_stable(temperature):
    views, old = drawn(8, 5), queue(10, 5)
    first, second = views
    for loss, twin in [
        (lambda a, b: nt_xent(a, b, temperature), nt_xent_twin(first, second, temperature)),
        (
            lambda a, b: info_nce(a, b, tf.constant(old, tf.float32), temperature),
            info_nce_twin(first, second, old, temperature),
        ),
        (lambda a, b: relic(a, b, temperature, 0.0), None),
        (lambda a, b: relic(a, b, temperature, 1.0), None),
    ]:
        result, both = gradients(loss, *views)
        assert np.isfinite(result)
        assert all(np.isfinite(gradient).all() for gradient in both)
        if twin is not None:
            assert result == pytest.approx(twin, rel=1e-4, abs=2e-7 / temperature)
