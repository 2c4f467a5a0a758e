"""Brightness, colour and grey levels against other implementations in NumPy and scikit-image."""

import numpy as np
import pytest
import skimage.color
import skimage.exposure
import tensorflow as tf
from operation_helpers import apply, draws, noise, seeded, smooth

from remedis.preprocess.operations import colour, grey_levels
from remedis.preprocess.operations.chance import split

WHITE = np.ones((3, 3, 3), np.float32)
RAMP = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[None, :, None], 3, axis=2)


def test_brightness_multiplies_by_a_factor_within_bounds():
    grey = np.full((4, 4, 3), 0.5, np.float32)
    factors = [got[0, 0, 0] / 0.5 for got in draws("brightness(0.4)", grey, 200)]
    assert 0.6 <= min(factors) < 0.65
    assert 1.35 < max(factors) <= 1.4
    factor = apply("brightness(0.4)", grey, 3)[0, 0, 0] / 0.5
    expected = np.clip(noise() * factor, 0, 1)
    np.testing.assert_allclose(apply("brightness(0.4)", noise(), 3), expected, atol=1e-6)


def test_contrast_scales_differences_from_the_mean_of_each_channel():
    image = 0.4 + 0.2 * noise()  # nothing is clipped
    mean = image.mean((0, 1), keepdims=True)
    factors = []
    for got in draws("contrast(0.4)", image, 100):
        np.testing.assert_allclose(got.mean((0, 1)), mean[0, 0], atol=1e-5)
        factor = np.std(got[..., 0]) / np.std(image[..., 0])
        np.testing.assert_allclose(got, (image - mean) * factor + mean, atol=1e-4)
        factors.append(factor)
    assert 0.599 <= min(factors) < 0.68
    assert 1.32 < max(factors) <= 1.401


def test_saturation_scales_that_of_hsv():
    hsv = skimage.color.rgb2hsv(noise())
    factors = []
    for got in draws("saturation(0.8)", noise(), 60):
        changed = skimage.color.rgb2hsv(got)
        free = (changed[..., 1] < 0.98) & (changed[..., 1] > 0.02) & (hsv[..., 2] > 0.1)
        factor = np.median((changed[..., 1] / hsv[..., 1])[free])
        factors.append(factor)
        scaled = hsv * [1, factor, 1]
        expected = skimage.color.hsv2rgb(np.clip(scaled, 0, 1))
        np.testing.assert_allclose(got, expected, atol=2e-3)
    assert 0.199 <= min(factors) < 0.3
    assert 1.7 < max(factors) <= 1.801


def test_hue_shifts_that_of_hsv_in_both_directions():
    hsv = skimage.color.rgb2hsv(noise())
    turns = []
    for got in draws("hue(0.2)", noise(), 60):
        changed = skimage.color.rgb2hsv(got)
        clear = hsv[..., 1] > 0.5
        turn = (changed[..., 0] - hsv[..., 0] + 0.5) % 1 - 0.5
        turns.append(np.median(turn[clear]))
        expected = skimage.color.hsv2rgb((hsv + np.array([turns[-1], 0, 0])) % [1, 2, 2])
        np.testing.assert_allclose(got, expected, atol=2e-3)
    assert -0.2001 <= min(turns) < -0.15
    assert 0.15 < max(turns) <= 0.2001


@pytest.mark.parametrize("specification", ["saturation(0.9)", "hue(0.5)", "grey(1)"])
def test_grey_images_have_no_colour_to_change(specification):
    image = np.repeat(smooth()[..., :1], 3, axis=2)
    for got in draws(specification, image, 5):
        np.testing.assert_allclose(got, image, atol=1e-6)


@pytest.mark.parametrize(
    "specification",
    ["brightness(0)", "contrast(0)", "saturation(0)", "hue(0)", "colour_distortion(0.0, 1)"],
)
def test_strength_0_changes_nothing(specification):
    np.testing.assert_allclose(apply(specification, smooth(), 4), smooth(), atol=2e-6)


def test_colour_distortion_is_its_four_operations_in_every_order():
    image = tf.constant(smooth(12, 16))
    operations = (colour.brightness, colour.contrast, colour.saturation, colour.hue)
    strengths = (0.4, 0.4, 0.4, 0.1)
    firsts, lasts = set(), set()
    for seed in range(40):
        got = colour.colour_distortion(image, 0.5, 1.0, seed=seeded(seed)).numpy()
        _, order, *seeds = split(seeded(seed), 6)
        expected = image
        shuffled = tf.random.experimental.stateless_shuffle(tf.range(4), order).numpy()
        for i in shuffled:
            expected = operations[i](expected, strengths[i], seed=seeds[i])
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
        firsts.add(shuffled[0])
        lasts.add(shuffled[-1])
    assert firsts == lasts == {0, 1, 2, 3}


def test_grey_is_the_luminance_in_all_channels():
    expected = noise() @ np.array([0.299, 0.587, 0.114], np.float32)
    got = apply("grey(1)", noise())
    np.testing.assert_allclose(got, np.repeat(expected[..., None], 3, axis=2), atol=1e-6)
    assert apply("grey(1)", WHITE).max() == pytest.approx(1, abs=1e-6)


def test_solarise_inverts_the_bright_part():
    got = apply("solarise(0.5, 1)", RAMP)
    expected = np.where(RAMP < 0.5, RAMP, 1 - RAMP)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(apply("solarise(0, 1)", RAMP), 1 - RAMP)


@pytest.mark.parametrize("kind", ["skewed", "few levels", "black border"])
def test_equalisation_is_that_of_scikit_image_with_the_darkest_level_at_0(kind):
    rng = np.random.default_rng(1)
    levels = 255 * rng.beta(2, 5, (64, 80))
    if kind == "few levels":
        levels = levels // 40 * 40
    if kind == "black border":
        levels[:, :20] = 0
    levels = np.round(levels)
    image = np.repeat((levels / 255).astype(np.float32)[..., None], 3, axis=2)
    # scikit-image gives the share of pixels up to a level, and has one of 256 bins per 8-bit level.
    # It interpolates between the centres of bins, hence the tolerance of two bins below.
    table = np.cumsum(np.bincount(levels.astype(int).ravel(), minlength=256)) / levels.size
    share = table[levels.astype(int)]
    expected = (share - share.min()) / (1 - share.min())
    got = apply("histogram_equalisation(1)", image)
    np.testing.assert_allclose(got, np.repeat(expected[..., None], 3, axis=2), atol=1e-6)
    if kind == "skewed":
        reference = skimage.exposure.equalize_hist(levels / 255, nbins=256)
        largest_bin = np.bincount(levels.astype(int).ravel()).max() / levels.size
        scaled = (reference - reference.min()) / (1 - reference.min())
        np.testing.assert_allclose(got[..., 0], scaled, atol=2 * largest_bin)


def test_equalised_levels_are_equally_frequent():
    values = np.random.default_rng(2).beta(1.5, 8, (60, 80, 1)).astype(np.float32)
    image = np.repeat(values, 3, axis=2)
    got = apply("histogram_equalisation(1)", image)[..., 0]
    shares = np.histogram(got, bins=8, range=(0, 1))[0] / got.size
    before = np.histogram(image[..., 0], bins=8, range=(0, 1))[0] / got.size
    assert before.max() > 0.4
    assert shares.max() < 0.2
    # The order of levels is kept.
    order = np.argsort(image[..., 0].ravel(), kind="stable")
    assert np.diff(got.ravel()[order]).min() >= 0


@pytest.mark.parametrize("level", [0, 1, 77, 128, 254, 255])
def test_an_image_of_one_level_does_not_change(level):
    image = np.full((6, 5, 3), level / 255, np.float32)
    got = grey_levels.equalised(tf.constant(image))
    np.testing.assert_allclose(got, image, atol=1e-6)


def test_each_of_the_256_levels_has_its_own_bin():
    np.testing.assert_allclose(apply("histogram_equalisation(1)", RAMP), RAMP, atol=1e-6)
