"""Operations against twins in NumPy, SciPy and Pillow, and what all of them owe."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from PIL import Image

from remedis.preprocess import operations, parse, registry

EVERY = (
    "resize(24)",
    "resize(24, method='bilinear')",
    "central_crop(0.5)",
    "random_crop(16)",
    "random_resized_crop(24)",
    "flip_left_right()",
    "brightness(0.4)",
    "contrast(0.4)",
    "rotate(30)",
)
RANDOM = tuple(specification for specification in EVERY if parse(specification).random)


def noise(height: int = 40, width: int = 56) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(height, width, 3)).astype(np.float32)


def smooth(height: int = 60, width: int = 80) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    bump = np.exp(-(((x - 50) / 18) ** 2) - ((y - 20) / 12) ** 2)
    return np.stack([0.1 + 0.8 * bump, x / width, 0.5 + 0.4 * np.sin(y / 9)], -1).astype(np.float32)


def coordinates(height: int, width: int) -> np.ndarray:
    """An image whose red is the row and whose green is the column of each pixel, in [0, 1]."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([y / height, x / width, np.zeros_like(x)], -1).astype(np.float32)


def seeded(i: int) -> tf.Tensor:
    return tf.constant([i, 7], tf.int32)


def draws(specification: str, image: np.ndarray, count: int) -> list[np.ndarray]:
    """Returns the image under seeds 0 to count - 1, made in a pipeline, which is faster."""
    preprocess = parse(specification)

    def unknown(pixels: tf.Tensor) -> tf.Tensor:
        # The graph knows no height and width, as of decoded images.
        return tf.compat.v1.placeholder_with_default(pixels, [None, None, 3])

    pixels = tf.data.Dataset.from_tensors(image).map(unknown)
    seeds = tf.data.Dataset.range(count).map(lambda i: tf.stack([tf.cast(i, tf.int32), 7]))
    both = tf.data.Dataset.zip(pixels.repeat(), seeds)
    return list(both.map(preprocess).as_numpy_iterator())


def apply(specification: str, image: np.ndarray, seed: int = 0) -> np.ndarray:
    return parse(specification)(tf.constant(image), seeded(seed)).numpy()


def test_every_registered_operation_is_tested_here():
    tested = {step.name for specification in EVERY for step in parse(specification).steps}
    assert tested == set(registry.names())


@pytest.mark.parametrize("specification", EVERY)
def test_the_same_eagerly_and_in_a_pipeline(specification):
    for i, got in enumerate(draws(specification, noise(), 3)):
        np.testing.assert_allclose(got, apply(specification, noise(), i), rtol=0, atol=1e-6)


@pytest.mark.parametrize("specification", EVERY)
@pytest.mark.parametrize("extreme", ["noise", "checks"])
def test_stays_an_image_with_values_from_0_to_1(specification, extreme):
    image = noise() if extreme == "noise" else np.round(noise())  # sharp edges overshoot most
    for got in draws(specification, image, 20):
        assert got.dtype == np.float32
        assert got.ndim == 3
        assert got.shape[2] == 3
        assert got.min() >= 0
        assert got.max() <= 1


@pytest.mark.parametrize(
    "specification", ["flip_left_right()", "brightness(0.4)", "contrast(0.4)", "rotate(30)"]
)
def test_the_size_is_kept(specification):
    assert apply(specification, noise()).shape == noise().shape


@pytest.mark.parametrize("specification", RANDOM)
def test_a_seed_decides_everything(specification):
    first, again = (draws(specification, noise(), 8) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert any(not np.array_equal(first[0], other) for other in first[1:])


@pytest.mark.parametrize("size", [16, 24, 100])
def test_resize_is_pillows_bicubic(size):
    expected = [
        np.asarray(Image.fromarray(channel).resize((size, size), Image.Resampling.BICUBIC))
        for channel in np.moveaxis(smooth(), -1, 0)
    ]
    got = apply(f"resize({size})", smooth())
    np.testing.assert_allclose(got, np.clip(np.stack(expected, -1), 0, 1), atol=2e-3)


def test_shrinking_averages_instead_of_picking():
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 1
    np.testing.assert_allclose(apply("resize(8)", stripes)[1:-1, 1:-1], 0.5, atol=0.02)


@pytest.mark.parametrize("degrees", [10, -25, 90])
def test_a_positive_angle_turns_counter_clockwise_as_in_scipy(degrees):
    # scipy turns the first axis towards the second: on an image, counter-clockwise.
    image = smooth(61, 61)
    expected = scipy.ndimage.rotate(image, degrees, reshape=False, order=1, cval=0.0)
    got = operations.rotated(
        tf.constant(image), tf.constant(np.radians(degrees), tf.float32)
    ).numpy()
    # The two treat the outermost pixels, half outside, differently.
    y, x = np.mgrid[0:61, 0:61] - 30
    inside = np.hypot(x, y) < 29
    np.testing.assert_allclose(got[inside], expected[inside], atol=2e-3)
    assert np.abs(got[inside] - image[inside]).max() > 0.1
    assert got[0, 0].max() == 0 or degrees == 90


def test_the_angle_is_within_its_bounds_both_ways():
    image = coordinates(101, 101)
    angles = []
    for turned in draws("rotate(20)", image, 40):
        # How the row changes along the middle row gives the sine.
        angles.append(np.degrees(np.arcsin((turned[50, 70, 0] - turned[50, 30, 0]) * 101 / 40)))
    assert max(map(abs, angles)) <= 20.1
    assert min(angles) < -5
    assert max(angles) > 5


def test_flip_mirrors_left_and_right_about_half_the_time():
    image = noise(8, 9)
    kinds = []
    for got in draws("flip_left_right()", image, 200):
        kinds.append(np.array_equal(got, image[:, ::-1]))
        assert kinds[-1] or np.array_equal(got, image)
    assert 70 <= sum(kinds) <= 130
    np.testing.assert_array_equal(apply("flip_left_right(1)", image), image[:, ::-1])
    np.testing.assert_array_equal(apply("flip_left_right(0)", image), image)


@pytest.mark.parametrize(
    ("fraction", "rows", "columns"), [(0.5, (10, 30), (14, 42)), (1, (0, 40), (0, 56))]
)
def test_central_crop_keeps_the_centre(fraction, rows, columns):
    expected = noise()[slice(*rows), slice(*columns)]
    np.testing.assert_array_equal(apply(f"central_crop({fraction})", noise()), expected)


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


def test_random_crop_is_a_piece_of_the_image_anywhere():
    image = coordinates(20, 30)
    starts = set()
    for got in draws("random_crop(18)", image, 300):
        top, left = (round(v) for v in got[0, 0, :2] * (20, 30))
        np.testing.assert_array_equal(got, image[top : top + 18, left : left + 18])
        starts.add((top, left))
    assert {top for top, _ in starts} == {0, 1, 2}
    assert {left for _, left in starts} == set(range(13))


def test_random_crop_of_a_smaller_image_says_so():
    with pytest.raises(ValueError, match="the image is only 40 x 56 pixels: resize before it"):
        apply("random_crop(64)", noise())
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"random_crop\(64\) of a smaller image"
    ):
        draws("random_crop(64)", noise(), 1)


def test_random_resized_crop_cuts_true_rectangles_within_its_bounds():
    height, width, size = 120, 160, 32
    image = coordinates(height, width)
    areas, aspects, clipped = [], [], 0
    specification = f"random_resized_crop({size}, area=(0.2, 0.6), aspect=(0.5, 2.0))"
    for got in draws(specification, image, 200):
        inner = slice(4, size - 4)
        rows, columns = got[inner, inner, 0] * height, got[inner, inner, 1] * width
        # Rows grow downwards alike in all columns, and columns rightwards in all rows: the piece is
        # upright, not mirrored, and one linear stretch of the image.
        down, right = np.diff(rows, axis=0), np.diff(columns, axis=1)
        assert down.min() > 0
        assert right.min() > 0
        np.testing.assert_allclose(down, down.mean(), rtol=0.03)
        np.testing.assert_allclose(right, right.mean(), rtol=0.03)
        np.testing.assert_allclose(rows, np.broadcast_to(rows[:, :1], rows.shape), atol=0.02)
        high, wide = down.mean() * size, right.mean() * size
        assert high <= height + 0.5
        assert wide <= width + 0.5
        if high > height - 1.5 or wide > width - 1.5:
            clipped += 1  # a side that would be longer than the image is cut
            continue
        areas.append(high * wide / (height * width))
        aspects.append(wide / high)
    assert 0.19 <= min(areas) < 0.25
    assert 0.45 < max(areas) <= 0.61
    assert 0.48 <= min(aspects) < 0.65
    assert 1.5 < max(aspects) <= 2.05
    assert clipped < 100


def test_random_resized_crop_of_the_whole_is_a_resize():
    got = apply("random_resized_crop(24, area=(1.0, 1.0), aspect=(1.0, 1.0))", noise(40, 40))
    np.testing.assert_allclose(got, apply("resize(24)", noise(40, 40)), atol=1e-6)
