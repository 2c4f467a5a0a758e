"""Stain jitter against scikit-image's colour deconvolution with the same matrix."""

import numpy as np
import skimage.color
import tensorflow as tf
from operation_helpers import apply, draws, noise

from remedis.preprocess.operations import pathology
from remedis.synthetic.histology import CENTRES, draw_patch


def patch() -> np.ndarray:
    drawn = draw_patch(True, CENTRES[0], np.random.default_rng(0), 48)
    return np.clip(drawn, 20, 235).astype(np.float32) / 255


def stains(image: np.ndarray) -> np.ndarray:
    """Returns the amounts of the stains in optical density; scikit-image has a base of 10^-6."""
    image = np.asarray(image, float)
    light = np.log(image) / np.log(1e-6)
    return 6 * light @ np.linalg.inv(np.array(pathology.STAINS))


def test_the_matrix_is_that_of_scikit_image():
    np.testing.assert_array_equal(np.array(pathology.STAINS), skimage.color.rgb_from_hed)
    ours = stains(patch())
    np.testing.assert_allclose(np.maximum(ours, 0) / 6, skimage.color.rgb2hed(patch()), atol=1e-6)


def test_amounts_are_scaled_and_shifted_stain_by_stain():
    factors, shifts = np.array([1.1, 0.9, 1.05]), np.array([0.02, 0.03, 0.01])
    got = pathology.restained(
        tf.constant(patch()), tf.constant(factors, tf.float32), tf.constant(shifts, tf.float32)
    ).numpy()
    expected = 10.0 ** -((stains(patch()) * factors + shifts) @ np.array(pathology.STAINS))
    np.testing.assert_allclose(got, np.minimum(expected, 1), atol=1e-5)
    reference = skimage.color.combine_stains(
        (stains(patch()) * factors + shifts) / 6, np.array(pathology.STAINS)
    )
    np.testing.assert_allclose(got, reference, atol=1e-5)


def test_the_draws_are_within_their_bounds_and_independent_per_stain():
    image = patch()
    before = stains(image)
    fits = []
    for got in draws("stain_jitter(0.2, 0.1)", image, 100):
        free = (got < 0.999).all(axis=-1)
        after = stains(got)
        for stain in range(3):
            slope, offset = np.polyfit(before[free][:, stain], after[free][:, stain], 1)
            fits.append((slope, offset))
    slopes, offsets = np.array(fits).reshape(-1, 3, 2).transpose(2, 1, 0)
    for values, centre, reach in ((slopes, 1, 0.2), (offsets, 0, 0.1)):
        assert np.abs(values - centre).max() <= reach * 1.01
        assert np.ptp(values, axis=1).min() > 1.7 * reach
        assert np.abs(np.corrcoef(values) - np.eye(3)).max() < 0.4
    assert abs(np.corrcoef(slopes.ravel(), offsets.ravel())[0, 1]) < 0.3


def test_more_haematoxylin_makes_nuclei_bluer_and_darker():
    more = pathology.restained(
        tf.constant(patch()), tf.constant([1.4, 1.0, 1.0]), tf.zeros([3])
    ).numpy()
    assert (more <= patch() + 1e-5).mean() > 0.9
    nuclei = stains(patch())[..., 0] > np.quantile(stains(patch())[..., 0], 0.9)
    loss = (patch() - more)[nuclei].mean(axis=0)
    # Haematoxylin absorbs green and red the most, blue the least.
    assert loss[0] > 1.5 * loss[2]


def test_strength_0_changes_only_values_below_1_in_8_bits():
    image = noise()
    got = apply("stain_jitter(0, 0)", image)
    np.testing.assert_allclose(got, np.maximum(image, 1 / 255), atol=2e-6)
    white = np.ones((4, 4, 3), np.float32)
    np.testing.assert_allclose(apply("stain_jitter(0, 0)", white), white, atol=1e-6)
