import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from remedis.finetuning.mixup import mixup


def batch(rows=6):
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(rows, 4, 5, 3)).astype(np.float32)
    return images, rng.integers(0, 2, (rows, 3)).astype(np.float32)


def test_is_a_weighted_mean_of_neighbours_with_one_share_for_images_and_labels():
    images, labels = batch()
    mixed_images, mixed_labels = mixup(images, labels, 0.4, [1, 2])
    partners = [1, 0, 3, 2, 5, 4]
    difference = images - images[partners]
    share = float(np.sum((mixed_images - images[partners]) * difference) / np.sum(difference**2))
    assert 0 < share < 1
    for mixed, values in ((mixed_images, images), (mixed_labels, labels)):
        np.testing.assert_allclose(
            mixed, share * values + (1 - share) * values[partners], atol=1e-6
        )


@pytest.mark.parametrize("parts", [[2, 4], [4, 2], [2, 2, 2]])
def test_does_not_depend_on_the_parts_of_a_batch(parts):
    images, labels = batch()
    whole = mixup(images, labels, 0.4, [3, 4])
    bounds = np.cumsum(parts)[:-1]
    cut = [
        mixup(*part, 0.4, [3, 4])
        for part in zip(np.split(images, bounds), np.split(labels, bounds), strict=True)
    ]
    for i in range(2):
        np.testing.assert_array_equal(whole[i], np.concatenate([part[i] for part in cut]))


def test_seeds_decide_and_repeat():
    images, labels = batch()
    first, again, other = (
        mixup(images, labels, 1.0, seed)[0].numpy() for seed in ([0, 1], [0, 1], [0, 2])
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize("rows", [1, 5])
def test_the_last_of_an_odd_number_stays_as_it_is(rows):
    images, labels = batch(rows)
    mixed_images, mixed_labels = mixup(images, labels, 0.4, [1, 2])
    np.testing.assert_array_equal(mixed_images[-1], images[-1])
    np.testing.assert_array_equal(mixed_labels[-1], labels[-1])


def test_what_either_does_not_know_stays_unknown():
    images, _ = batch(4)
    nan = np.nan
    labels = np.array([[nan, 1], [0, 1], [1, 0], [1, nan]], np.float32)
    _, mixed = mixup(images, labels, 0.4, [1, 2])
    np.testing.assert_array_equal(np.isnan(mixed), [[1, 0], [1, 0], [0, 1], [0, 1]])


def test_alpha_0_mixes_nothing():
    images, labels = batch()
    assert mixup(images, labels, 0, [1, 2]) == (images, labels)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 3.0])
def test_shares_are_those_of_the_beta_distribution(alpha):
    images, labels = tf.zeros([2, 1, 1, 3]), tf.constant([[1.0], [0.0]])

    @tf.function
    def share(i):
        return mixup(images, labels, alpha, tf.stack([7, i]))[1][0, 0]

    shares = tf.map_fn(share, tf.range(400), fn_output_signature=tf.float32).numpy()
    assert np.isfinite(shares).all()
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_a_tiny_alpha_gives_numbers():
    images, labels = batch()
    for i in range(20):
        assert np.isfinite(mixup(images, labels, 1e-3, [0, i])[0]).all()
