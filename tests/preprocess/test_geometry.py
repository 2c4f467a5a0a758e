"""Crops, rotations and mirroring against other implementations in NumPy, SciPy and Pillow."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from operation_helpers import apply, coordinates, draws, noise, seeded, smooth
from PIL import Image

from remedis.preprocess import parse
from remedis.preprocess.operations import geometry

Range = tuple[float, float]


@pytest.mark.parametrize("size", [16, 24, 100])
def test_resize_is_the_bicubic_one_of_pillow(size):
    expected = [
        np.asarray(Image.fromarray(channel).resize((size, size), Image.Resampling.BICUBIC))
        for channel in np.moveaxis(smooth(), -1, 0)
    ]
    got = apply(f"resize({size})", smooth())
    np.testing.assert_allclose(got, np.clip(np.stack(expected, -1), 0, 1), atol=2e-3)


@pytest.mark.parametrize("method", ["bicubic", "bilinear", "nearest", "area", "lanczos3"])
@pytest.mark.parametrize("sides", [(1, 7, 3), (40, 40, 1), (61, 48, 3)])
def test_resampling_is_that_of_tensorflow(method, sides):
    image = tf.constant(np.random.default_rng(0).random(sides), tf.float32)
    expected = tf.image.resize(image, [24, 50], method, antialias=True)
    got = geometry.resampled(image, 24, 50, method)
    np.testing.assert_allclose(got, expected, atol=3e-7)


def test_shrinking_averages_instead_of_picking():
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 1
    np.testing.assert_allclose(apply("resize(8)", stripes)[1:-1, 1:-1], 0.5, atol=0.02)


@pytest.mark.parametrize("degrees", [10, -25, 90])
def test_a_positive_angle_turns_counter_clockwise_as_in_scipy(degrees):
    # SciPy rotates the first axis towards the second, which is counter-clockwise in an image.
    image = smooth(61, 61)
    expected = scipy.ndimage.rotate(image, degrees, reshape=False, order=1, cval=0.0)
    got = geometry.rotated(tf.constant(image), tf.constant(np.radians(degrees), tf.float32)).numpy()
    # The two differ in the outermost pixels, which lie half outside.
    y, x = np.mgrid[0:61, 0:61] - 30
    inside = np.hypot(x, y) < 29
    np.testing.assert_allclose(got[inside], expected[inside], atol=2e-3)
    assert np.abs(got[inside] - image[inside]).max() > 0.1
    assert got[0, 0].max() == 0 or degrees == 90


def test_the_angle_is_within_its_bounds_in_both_directions():
    image = coordinates(101, 101)
    angles = []
    for turned in draws("rotate(20)", image, 40):
        # The change of the row coordinate along the middle row is the sine of the angle.
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


def test_random_crop_is_a_part_of_the_image_at_any_place():
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


def test_random_resized_crop_cuts_rectangles_within_its_bounds():
    height, width, size = 120, 160, 32
    image = coordinates(height, width)
    areas, aspects = [], []
    specification = f"random_resized_crop({size}, area=(0.2, 0.6), aspect=(0.5, 2.0))"
    for got in draws(specification, image, 200):
        inner = slice(4, size - 4)
        rows, columns = got[inner, inner, 0] * height, got[inner, inner, 1] * width
        # Rows increase downwards equally in all columns, and columns to the right in all rows: the
        # crop is upright, not mirrored, and scaled linearly.
        down, right = np.diff(rows, axis=0), np.diff(columns, axis=1)
        assert down.min() > 0
        assert right.min() > 0
        np.testing.assert_allclose(down, down.mean(), rtol=0.03)
        np.testing.assert_allclose(right, right.mean(), rtol=0.03)
        np.testing.assert_allclose(rows, np.broadcast_to(rows[:, :1], rows.shape), atol=0.02)
        high, wide = down.mean() * size, right.mean() * size
        assert high <= height + 0.5
        assert wide <= width + 0.5
        areas.append(high * wide / (height * width))
        aspects.append(wide / high)
    assert 0.19 <= min(areas) < 0.25
    assert 0.45 < max(areas) <= 0.61
    assert 0.48 <= min(aspects) < 0.65
    assert 1.5 < max(aspects) <= 2.05


def rectangles_of_torchvision(
    rng: np.random.Generator, count: int, sides: tuple[int, int], area: Range, aspect: Range
) -> np.ndarray:
    """Returns [count, 4] top, left, height, width: the documented algorithm, step by step."""
    height, width = sides
    rectangles = np.zeros((count, 4), np.int64)
    missing = np.arange(count)
    for _ in range(10):
        pixels = height * width * rng.uniform(*area, len(missing))
        ratio = np.exp(rng.uniform(*np.log(aspect), len(missing)))
        w = np.rint(np.sqrt(pixels * ratio)).astype(int)
        h = np.rint(np.sqrt(pixels / ratio)).astype(int)
        fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
        w, h = w[fits], h[fits]
        top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        rectangles[missing[fits]] = np.stack([top, left, h, w], -1)
        missing = missing[~fits]
    if width / height < aspect[0]:
        h, w = round(width / aspect[0]), width
    elif width / height > aspect[1]:
        h, w = height, round(height * aspect[1])
    else:
        h, w = height, width
    rectangles[missing] = (height - h) // 2, (width - w) // 2, h, w
    return rectangles


@pytest.mark.parametrize(
    ("sides", "area", "aspect"),
    [
        ((224, 224), (0.08, 1.0), (3 / 4, 4 / 3)),
        ((390, 320), (0.08, 1.0), (3 / 4, 4 / 3)),
        ((100, 400), (0.3, 1.0), (3 / 4, 4 / 3)),  # the fallback: 4 of 10 rectangles
        ((400, 90), (0.9, 1.0), (3 / 4, 4 / 3)),  # the fallback alone
        ((9, 12), (0.01, 1.0), (0.5, 3.0)),
    ],
)
def test_rectangles_follow_the_law_of_torchvision(sides, area, aspect):
    count = 100_000
    attempts = tf.random.stateless_uniform([count, geometry.CROP_ATTEMPTS, 4], [3, 4])
    got = geometry.crop_rectangles(attempts, tf.constant(sides), area, aspect).numpy()
    twin = rectangles_of_torchvision(np.random.default_rng(5), count, sides, area, aspect)
    ends = got[:, :2] + got[:, 2:]
    assert got.min() >= 0
    assert got[:, 2:].min() >= 1
    assert (ends <= sides).all()
    mine, theirs = moments_of(got, sides), moments_of(twin, sides)
    error = np.sqrt((mine.var(axis=0) + theirs.var(axis=0)) / count)
    assert (np.abs(mine.mean(axis=0) - theirs.mean(axis=0)) <= 4.5 * error + 1e-9).all()


def moments_of(rectangles: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """Returns [n, 9]: place, sides, area and ratio of rectangles, squares, and the whole height."""
    top, left, high, wide = (rectangles / np.tile(sides, 2)).T
    area, ratio = high * wide, np.log(wide / high)
    whole = high == 1
    return np.stack([top, left, high, wide, area, area**2, ratio, ratio**2, whole], -1)


def test_the_mean_area_of_default_crops_is_the_closed_one():
    # A share a with the log ratio u fits into a square if a <= exp(-|u|). Attempts are independent;
    # after 10 that do not fit, the crop is the whole image.
    log_ratio = np.linspace(0, np.log(4 / 3), 10_001)
    largest = np.exp(-log_ratio)
    fits = np.mean((largest - 0.08) / 0.92)
    area = np.mean((largest**2 - 0.08**2) / (2 * 0.92)) / fits
    expected = area + (1 - fits) ** 10 * (1 - area)
    assert expected == pytest.approx(0.4778, abs=1e-4)
    attempts = tf.random.stateless_uniform([100_000, geometry.CROP_ATTEMPTS, 4], [1, 2])
    got = geometry.crop_rectangles(attempts, tf.constant([2000, 2000]), (0.08, 1.0), (3 / 4, 4 / 3))
    mean = np.prod(got[:, 2:] / 2000, axis=-1).mean()
    assert mean == pytest.approx(expected, abs=0.003)


def test_random_resized_crop_of_the_whole_is_a_resize():
    got = apply("random_resized_crop(24, area=(1.0, 1.0), aspect=(1.0, 1.0))", noise(40, 40))
    np.testing.assert_allclose(got, apply("resize(24)", noise(40, 40)), atol=1e-6)


@pytest.mark.parametrize("sides", [(31, 31), (20, 33)])
def test_a_rotation_by_90_degrees_is_a_quarter_turn(sides):
    image = noise(*sides)
    if sides[0] == sides[1]:
        got = geometry.rotated(tf.constant(image), tf.constant(np.pi / 2, tf.float32))
        np.testing.assert_allclose(got[1:-1, 1:-1], np.rot90(image)[1:-1, 1:-1], atol=1e-4)
    half = geometry.rotated(tf.constant(image), tf.constant(np.pi, tf.float32))
    np.testing.assert_allclose(half[1:-1, 1:-1], image[::-1, ::-1][1:-1, 1:-1], atol=1e-4)


def test_no_rotation_changes_nothing():
    np.testing.assert_array_equal(apply("rotate(0)", noise()), noise())


def test_flip_up_down_mirrors_up_and_down_about_half_the_time():
    image = noise(9, 8)
    flipped = [np.array_equal(got, image[::-1]) for got in draws("flip_up_down()", image, 200)]
    assert 70 <= sum(flipped) <= 130
    np.testing.assert_array_equal(apply("flip_up_down(1)", image), image[::-1])
    np.testing.assert_array_equal(apply("flip_up_down(0)", image), image)


def test_quarter_turns_are_those_of_numpy_and_equally_likely():
    image = noise(5, 7)
    turned = [np.rot90(image, turns) for turns in range(4)]
    counts = [0] * 4
    for got in draws("quarter_turns()", image, 400):
        counts[next(i for i, other in enumerate(turned) if np.array_equal(got, other))] += 1
    assert min(counts) > 65  # binomial with mean 100: below this once in 10,000 times
    assert sum(counts) == 400


def test_quarter_turns_keep_a_known_square():
    shape = parse("resize(8) | quarter_turns()")(tf.constant(noise()), seeded(0)).shape
    assert shape == (8, 8, 3)
