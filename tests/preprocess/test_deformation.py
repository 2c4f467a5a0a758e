"""Elastic deformation: sampling against SciPy, the field against its closed form."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from operation_helpers import apply, coordinates, draws, noise, seeded, smooth

from remedis.preprocess.operations import deformation


def fields(height, width, alpha, sigma, count):
    function = tf.function(
        lambda seed: deformation.displacements(
            tf.constant(height), tf.constant(width), alpha, sigma, seed
        )
    )
    return np.stack([function(seeded(i)).numpy() for i in range(count)])


def test_no_displacement_changes_nothing():
    np.testing.assert_array_equal(apply("elastic_deformation(0, 4, 1)", noise()), noise())
    still = deformation.displaced(tf.constant(noise()), tf.zeros([2, *noise().shape[:2]]))
    np.testing.assert_allclose(still, noise(), atol=1e-5)


@pytest.mark.parametrize("sides", [(60, 80), (81, 33)])
def test_sampling_is_that_of_scipy(sides):
    image = smooth(*sides)
    field = np.random.default_rng(0).uniform(-7, 7, (2, *sides)).astype(np.float32)
    places = np.mgrid[0 : sides[0], 0 : sides[1]] + field
    expected = [
        scipy.ndimage.map_coordinates(channel, places, order=1, mode="grid-constant")
        for channel in np.moveaxis(image, -1, 0)
    ]
    got = deformation.displaced(tf.constant(image), tf.constant(field))
    np.testing.assert_allclose(got, np.stack(expected, -1), atol=2e-5)


def test_a_field_down_and_right_samples_down_and_right():
    image = np.zeros((20, 30, 3), np.float32)
    image[12, 20] = 1
    field = np.zeros((2, 20, 30), np.float32)
    field[0], field[1] = 3, 5
    got = deformation.displaced(tf.constant(image), tf.constant(field)).numpy()
    assert np.unravel_index(got[..., 0].argmax(), (20, 30)) == (9, 15)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 7.5])
def test_the_field_has_the_covariance_of_smoothed_uniform_numbers(sigma):
    alpha = 10 * sigma
    height, width, count = 24, 40, 800
    sample = fields(height, width, alpha, sigma, count)
    # The covariance of uniform numbers on [-1, 1], one per pixel, smoothed by a Gaussian is
    # alpha^2 / 3 times the autocorrelation of the Gaussian.
    variance = alpha**2 / 3 / (4 * np.pi * sigma**2)
    assert np.abs(sample.mean(0)).max() < 5 * np.sqrt(variance / count)
    assert sample.var() == pytest.approx(variance, rel=0.03)
    # The variance is the same in corners, at borders and in the middle.
    np.testing.assert_allclose(sample.var(0), variance, rtol=0.3)
    for distance in (1, 2, 5):
        decay = np.exp(-(distance**2) / (4 * sigma**2))
        for axis in (2, 3):
            near = np.take(sample, np.arange(sample.shape[axis] - distance), axis)
            far = np.take(sample, np.arange(distance, sample.shape[axis]), axis)
            assert (near * far).mean() == pytest.approx(variance * decay, abs=0.04 * variance)
    # The two directions are independent.
    assert abs((sample[:, 0] * sample[:, 1]).mean()) < 0.05 * variance


@pytest.mark.parametrize("sigma", [1.0, 2.5, 30.0])
def test_nodes_one_sigma_apart_give_the_covariance_of_the_gaussian(sigma):
    bumps = deformation._bumps(tf.constant(50), sigma).numpy().astype(float)
    distance = np.arange(50)[:, None] - np.arange(50)
    expected = np.sqrt(np.pi) * np.exp(-(distance**2) / (4 * sigma**2))
    np.testing.assert_allclose(bumps @ bumps.T, expected, atol=1.5e-4 * np.sqrt(np.pi))


def test_the_field_is_as_large_as_one_smoothed_by_scipy():
    alpha, sigma = 200, 6
    rng = np.random.default_rng(0)
    uniform = rng.uniform(-1, 1, (40, 120, 120))
    theirs = alpha * scipy.ndimage.gaussian_filter(uniform, sigma, mode="wrap", axes=(1, 2))
    ours = fields(120, 120, float(alpha), float(sigma), 20)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.08)
    steepness = [np.diff(field, axis=-1).std() for field in (ours, theirs)]
    assert steepness[0] == pytest.approx(steepness[1], rel=0.08)


def test_displacements_do_not_depend_on_the_size_of_the_image():
    assert fields(30, 200, 90.0, 9.0, 200).std() == pytest.approx(0.163 * 10, rel=0.1)


def test_the_image_stays_in_its_place():
    # The mean displacement over many draws is zero.
    image = coordinates(40, 50)
    mean = np.mean(draws("elastic_deformation(40, 5, 1)", image, 150), axis=0)
    np.testing.assert_allclose(mean[8:-8, 8:-8, 0] * 40, image[8:-8, 8:-8, 0] * 40, atol=0.55)
    np.testing.assert_allclose(mean[8:-8, 8:-8, 1] * 50, image[8:-8, 8:-8, 1] * 50, atol=0.55)
