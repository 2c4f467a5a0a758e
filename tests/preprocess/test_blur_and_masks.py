"""Blur and cut-out against other implementations in SciPy and NumPy."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from operation_helpers import apply, draws, noise

from remedis.preprocess.operations import blur


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
@pytest.mark.parametrize("sides", [(60, 90), (120, 50)])
def test_blur_is_that_of_scipy_with_a_renormalised_border(sigma, sides):
    image = noise(*sides)
    radius = sides[0] // 10 // 2

    def theirs(values):
        return scipy.ndimage.gaussian_filter(
            values, sigma, mode="constant", radius=(radius, radius), axes=(0, 1)
        )

    # Zeros beyond the border contribute to neither sum.
    expected = theirs(image.astype(float)) / theirs(np.ones(image.shape))
    got = blur.blurred(tf.constant(image), tf.constant(sigma))
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_blur_spreads_a_dot_evenly_and_keeps_its_brightness():
    image = np.zeros((61, 81, 3), np.float32)
    image[20, 50] = 1
    got = apply("gaussian_blur(1, (1.5, 1.5))", image)
    assert np.unravel_index(got[..., 0].argmax(), (61, 81)) == (20, 50)
    assert got[..., 1].sum() == pytest.approx(1, abs=1e-5)
    around = got[17:24, 47:54, 0]
    np.testing.assert_allclose(around, around[::-1], atol=1e-7)
    np.testing.assert_allclose(around, around.T, atol=1e-7)


def test_blur_does_not_change_a_uniform_image_even_at_the_border():
    image = np.full((50, 40, 3), 0.7, np.float32)
    np.testing.assert_allclose(apply("gaussian_blur(1)", image), image, atol=1e-6)


def test_sigma_is_within_its_bounds():
    image = np.zeros((101, 101, 3), np.float32)
    image[50, 50] = 1
    sigmas = []
    for got in draws("gaussian_blur(1, (0.8, 1.6))", image, 60):
        rows = np.arange(101) - 50
        sigmas.append(np.sqrt((got[..., 0].sum(1) * rows**2).sum()))
    assert 0.78 <= min(sigmas) < 0.9
    assert 1.5 < max(sigmas) <= 1.61


def test_cut_out_covers_a_rectangle_anywhere():
    image = noise(40, 60)
    assert not (image == 0.25).any()
    centres = []
    for got in draws("cut_out(0.5, 0.25)", image, 200):
        covered = (got == 0.25).all(axis=-1)
        np.testing.assert_array_equal(got[~covered], image[~covered])
        rows, columns = (np.flatnonzero(covered.any(axis)) for axis in (1, 0))
        # The covered pixels are one rectangle, clipped only by the border of the image.
        assert covered.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert len(rows) == 20 or rows[0] == 0 or rows[-1] == 39
        assert len(columns) == 30 or columns[0] == 0 or columns[-1] == 59
        assert 10 <= len(rows) <= 20
        assert 15 <= len(columns) <= 30
        centres.append((rows.mean() / 40, columns.mean() / 60))
    assert np.ptp(centres, axis=0).min() > 0.6
    np.testing.assert_allclose(np.mean(centres, axis=0), 0.5, atol=0.06)


@pytest.mark.parametrize(("fraction", "covered"), [(0, 0), (1, None)])
def test_cut_out_of_nothing_and_of_everything(fraction, covered):
    share = (apply(f"cut_out({fraction}, 0.0)", noise()) == 0).all(axis=-1).mean()
    assert share == covered if covered is not None else share >= 0.25
