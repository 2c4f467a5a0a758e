"""Measures of a training against independent implementations and closed-form limits."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import pairwise_distances

from remedis.pretraining.methods.method import Outcome
from remedis.pretraining.monitoring import (
    MAX_ROWS,
    alignment,
    effective_rank,
    instance_top1,
    monitored,
    spread,
    uniformity,
)


def units(rows, dims, seed=0):
    z = np.random.default_rng([seed, rows, dims]).normal(size=(rows, dims))
    return np.float32(z / np.linalg.norm(z, axis=1, keepdims=True))


def pairs(rows, dims):
    first = units(rows, dims)
    second = first + units(rows, dims, 1)
    return first, second / np.linalg.norm(second, axis=1, keepdims=True)


def rank_twin(features):
    centred = np.float64(features) - np.float64(features).mean(0)
    shares = np.linalg.svd(centred, compute_uv=False)
    shares = shares[shares > 0] / shares.sum()
    return np.exp(-(shares * np.log(shares)).sum())


SHAPES = pytest.mark.parametrize(("rows", "dims"), [(2, 3), (9, 4), (12, 30)])


@SHAPES
def test_alignment_uniformity_and_top1_are_those_of_loops(rows, dims):
    first, second = pairs(rows, dims)
    squared = [((a - b) ** 2).sum() for a, b in zip(first, second, strict=True)]
    assert float(alignment(first, second)) == pytest.approx(np.mean(squared), rel=1e-5)

    apart = [((a - b) ** 2).sum() for a, b in itertools.combinations(np.float64(first), 2)]
    expected = np.log(np.mean(np.exp(-2 * np.array(apart))))
    assert float(uniformity(first)) == pytest.approx(expected, rel=1e-4)

    nearest = pairwise_distances(first, second).argmin(1)
    expected = np.mean(nearest == np.arange(rows))
    assert float(instance_top1(first, second)) == pytest.approx(expected)


@SHAPES
def test_effective_rank_is_that_of_singular_values(rows, dims):
    features = np.random.default_rng(0).normal(size=(rows, dims)).astype(np.float32) * 5 + 3
    assert float(effective_rank(features)) == pytest.approx(rank_twin(features), rel=1e-4)


def test_effective_rank_of_equal_directions_is_their_number():
    directions = np.concatenate([np.eye(6), -np.eye(6)]).astype(np.float32)
    for count in range(1, 7):
        rows = np.concatenate([directions[:count], directions[6 : 6 + count]])
        assert float(effective_rank(rows)) == pytest.approx(count, rel=1e-5)
        assert float(effective_rank(100 * rows + 7)) == pytest.approx(count, rel=1e-4)


def test_effective_rank_of_rows_that_differ_by_rounding_is_one():
    row = np.random.default_rng(0).normal(size=200).astype(np.float32)
    constant = np.tile(row, (32, 1))
    assert float(effective_rank(constant)) == 1
    assert float(effective_rank(constant * 0)) == 1
    towards = np.random.default_rng(1).choice([-np.inf, np.inf], constant.shape)
    rounded = np.nextafter(constant, towards.astype(np.float32))
    assert (rounded != constant).any()
    assert float(effective_rank(rounded)) == 1
    noise = np.random.default_rng(2).normal(size=constant.shape).astype(np.float32)
    assert float(effective_rank(constant + 1e-3 * noise)) > 20


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_effective_rank_of_features_that_are_not_finite_is_nan(odd):
    features = units(6, 4)
    features[2, 1] = odd
    assert np.isnan(effective_rank(features))
    assert np.isnan(tf.function(effective_rank, autograph=False)(features))


def test_spread_is_one_in_all_directions_and_zero_when_equal():
    z = np.random.default_rng(0).normal(size=(4000, 16)).astype(np.float32)
    assert float(spread(z)) == pytest.approx(1, abs=0.02)
    assert float(spread(np.tile(z[:1], (9, 1)))) == pytest.approx(0, abs=1e-6)
    normed = np.float64(z) / np.linalg.norm(z, axis=1, keepdims=True)
    expected = normed.std(0).mean() * 4
    assert float(spread(z)) == pytest.approx(expected, rel=1e-5)
    assert float(spread(z * 7)) == pytest.approx(expected, rel=1e-5)


def test_limits_of_a_constant_and_of_an_orthogonal_embedding():
    same, apart = np.tile(units(1, 8), (6, 1)), np.eye(8, dtype=np.float32)
    assert float(uniformity(same)) == pytest.approx(0, abs=1e-5)
    assert float(uniformity(apart)) == pytest.approx(-4, rel=1e-5)
    assert float(alignment(same, same)) == 0
    assert float(alignment(apart, np.roll(apart, 1, 0))) == pytest.approx(2)
    assert float(instance_top1(same, same)) == pytest.approx(1 / 6)
    assert float(instance_top1(apart, apart)) == 1
    assert float(instance_top1(apart, np.roll(apart, 1, 0))) == 0


def test_monitored_returns_every_measure_in_a_graph_of_unknown_batch_size():
    first, second = pairs(9, 4)
    features = np.random.default_rng(0).normal(size=(9, 20)).astype(np.float32)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, 4]),
            tf.TensorSpec([None, 4]),
            tf.TensorSpec([None, 20]),
        ],
    )
    def look(first, second, features):
        return monitored(Outcome(tf.constant(0.0), first, second), features)

    values = look(first, second, features)
    expected = {
        "alignment": alignment(first, second),
        "uniformity": uniformity(first),
        "instance_top1": instance_top1(first, second),
        "embedding_std": spread(first),
        "effective_rank": effective_rank(features),
    }
    assert set(values) == set(expected)
    for name, value in values.items():
        assert value.dtype == tf.float32
        assert value.shape == ()
        assert float(value) == pytest.approx(float(expected[name]), rel=1e-5)


def test_monitored_computes_the_rank_of_at_most_max_rows():
    z = units(MAX_ROWS + 50, 4)
    values = monitored(Outcome(tf.constant(0.0), z, z), z)
    expected = effective_rank(z[:MAX_ROWS])
    assert float(values["effective_rank"]) == pytest.approx(float(expected), rel=1e-6)
