"""The release's operations against twins in NumPy, written from its formulas and TensorFlow's."""

import re

import numpy as np
import pytest
import tensorflow as tf
from operation_helpers import apply, draws, noise, seeded, smooth

from remedis.errors import UserError
from remedis.preprocess import parse
from remedis.preprocess.operations import released
from remedis.preprocess.operations.blur import blurred

Sides = tuple[int, int]


def legacy_weights(length: int, size: int) -> np.ndarray:
    """Returns [size, length]: TensorFlow 1's bicubic along one axis (resize_bicubic_op.cc)."""
    weights = np.zeros((size, length))
    for row in range(size):
        place = np.float32(row) * (np.float32(length) / np.float32(size))  # no half pixel
        start = int(np.floor(place))
        # The kernel is a table of 1,024 steps.
        fraction = np.rint((place - np.float32(start)) * np.float32(1024)) / 1024
        for offset in (-1, 0, 1, 2):
            x = abs(fraction - offset)
            near = 1.25 * x**3 - 2.25 * x**2 + 1
            far = -0.75 * (x**3 - 5 * x**2 + 8 * x - 4)
            pixel = min(max(start + offset, 0), length - 1)  # edge pixels are repeated
            weights[row, pixel] += near if x <= 1 else far
    return weights


def legacy_resize(image: np.ndarray, size: int) -> np.ndarray:
    rows, columns = (legacy_weights(length, size) for length in image.shape[:2])
    return np.einsum("ih,hwc,jw->ijc", rows, image, columns)


@pytest.mark.parametrize(
    ("sides", "size"), [((40, 56), 24), ((37, 61), 16), ((9, 30), 24), ((1, 2), 8), ((24, 24), 24)]
)
def test_resize_is_the_bicubic_of_tensorflow_1(sides, size):
    image = noise(*sides)
    expected = np.clip(legacy_resize(image, size), 0, 1)
    np.testing.assert_allclose(apply(f"released_resize({size})", image), expected, atol=2e-6)


def test_resize_neither_averages_nor_centres():
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 1
    np.testing.assert_allclose(apply("released_resize(8)", stripes), 1)  # every eighth column
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], (64, 1, 3))
    centred, got = (apply(f"{name}(8)", ramp)[4, :, 0] for name in ("resize", "released_resize"))
    np.testing.assert_allclose((centred - got)[2:6] * 63, 3.5, atol=0.01)  # of 8 pixels


@pytest.mark.parametrize(("side", "size"), [(64, 32), (640, 64), (32, 64), (16, 160)])
def test_resize_moves_what_is_shrunk_right_and_down_and_what_is_enlarged_left_and_up(side, size):
    bump = np.exp(-((np.linspace(-6, 6, side) / 2) ** 2)).astype(np.float32)  # in the centre
    got = apply(f"released_resize({size})", np.repeat(np.outer(bump, bump)[..., None], 3, 2))
    centres = [np.average(np.arange(size), weights=got[..., 0].sum(axis)) for axis in (0, 1)]
    moved = (1 - side / size) / 2 if side < size else (1 - size / side) / 2
    moved *= -size / side if side < size else 1  # in pixels of the result
    np.testing.assert_allclose(centres, (size - 1) / 2 + moved, atol=0.02)


@pytest.mark.parametrize(
    ("sides", "fraction", "box"),
    [
        ((40, 56), 0.875, (3, 11, 35)),  # top, left and side; 2.5 and 10.5 are rounded up
        ((56, 40), 0.875, (11, 3, 35)),
        ((33, 33), 0.875, (2, 2, 29)),
        ((20, 60), 0.875, (1, 21, 18)),  # 17.5 is rounded to even
        ((12, 60), 0.875, (1, 25, 10)),  # 10.5 too
        ((17, 23), 1.0, (0, 3, 17)),
        ((1, 5), 0.3, (0, 2, 1)),
    ],
)
def test_central_crop_is_the_square_of_the_shorter_side(sides, fraction, box):
    image = noise(*sides)
    top, left, side = box
    cut = image[top : top + side, left : left + side]
    got = apply(f"released_central_crop(16, {fraction})", image)
    np.testing.assert_allclose(got, np.clip(legacy_resize(cut, 16), 0, 1), atol=2e-6)


@pytest.mark.parametrize("sides", [(40, 56), (61, 33)])
def test_random_crop_resizes_its_rectangle_and_clips_if_asked(sides):
    image = np.round(noise(*sides))  # sharp edges overshoot
    for seed in range(5):
        begin, shape = released.crop_box(tf.constant([*sides, 3]), seeded(seed))
        (top, left, _), (height, width, channels) = begin.numpy(), shape.numpy()
        assert channels in (-1, 3)
        cut = legacy_resize(image[top : top + height, left : left + width], 24)
        got = released.released_random_crop(tf.constant(image), 24, clip=False, seed=seeded(seed))
        np.testing.assert_allclose(got, cut, atol=1e-5)
        assert cut.max() > 1.01
        clipped = released.released_random_crop(tf.constant(image), 24, seed=seeded(seed))
        np.testing.assert_array_equal(clipped, np.clip(got, 0, 1))


def boxes_of_tensorflow(rng: np.random.Generator, count: int, sides: Sides) -> np.ndarray:
    """Returns [count, 4] top, left, height, width: sample_distorted_bounding_box_op.cc."""
    height, width = sides
    boxes = np.tile([0, 0, height, width], (count, 1))
    missing = np.arange(count)
    low, high = np.float32(0.08) * width * height, 1.0 * width * height
    for _ in range(100):
        aspect = rng.uniform(3 / 4, 4 / 3, len(missing)).astype(np.float32)
        most = np.rint(np.sqrt(high / aspect)).astype(int)
        wide = np.rint(most * aspect) > width
        most = np.where(wide, ((width + 0.5 - 1e-7) / aspect).astype(int), most)
        most -= wide & (np.rint(most * aspect) > width)
        most = np.minimum(most, height)
        least = np.minimum(np.rint(np.sqrt(low / aspect)).astype(int), most)
        h = rng.integers(least, most, endpoint=True)
        h += np.rint(h * aspect) * h < low  # rounding must not miss the least area
        h -= np.rint(h * aspect) * h > high
        w = np.rint(h * aspect).astype(int)
        fits = (low <= w * h) & (w * h <= high) & (w <= width) & (h <= height) & (w > 0) & (h > 0)
        fits &= w * h >= np.float32(0.1) * width * height  # min_object_covered, of the whole image
        h, w = h[fits], w[fits]
        # The last place is never drawn: the range ends before the largest offset.
        top = rng.integers(0, np.maximum(height - h, 1))
        left = rng.integers(0, np.maximum(width - w, 1))
        boxes[missing[fits]] = np.stack([top, left, h, w], -1)
        missing = missing[~fits]
    return boxes


def boxes(count: int, sides: Sides) -> np.ndarray:
    """Returns [count, 4] top, left, height, width of the rectangles for as many seeds."""

    def box(number: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([tf.cast(number, tf.int32), 3])
        begin, shape = released.crop_box(tf.constant([*sides, 3]), seed)
        return tf.concat([begin[:2], shape[:2]], 0)

    dataset = tf.data.Dataset.range(count).batch(1000)
    mapped = dataset.map(
        lambda numbers: tf.map_fn(box, numbers, fn_output_signature=tf.int32), tf.data.AUTOTUNE
    )
    return np.concatenate(list(mapped.as_numpy_iterator()))


def moments(rectangles: np.ndarray, sides: Sides) -> np.ndarray:
    """Returns [n, 8]: place, sides, share of the area and its square, ratio and its square."""
    top, left, high, wide = (rectangles / np.tile(sides, 2)).T
    area, ratio = high * wide, rectangles[:, 3] / rectangles[:, 2]
    return np.stack([top, left, high, wide, area, area**2, ratio, ratio**2], -1)


def assert_same_law(count: int, sides: Sides) -> float:
    """Returns the mean share of the area after comparing all moments with the twin's."""
    got = moments(boxes(count, sides), sides)
    twin = moments(boxes_of_tensorflow(np.random.default_rng(5), count, sides), sides)
    error = np.sqrt((got.var(axis=0) + twin.var(axis=0)) / count)
    assert (np.abs(got.mean(axis=0) - twin.mean(axis=0)) <= 4.5 * error + 1e-9).all()
    return got[:, 4].mean()


@pytest.mark.parametrize("sides", [(390, 320), (40, 170), (9, 7)])
def test_random_crops_follow_the_law_of_tensorflow(sides):
    assert_same_law(5_000, sides)


def closed_mean_area() -> float:
    """Returns the mean share of a large square image: ratio and height uniform, share >= 0.1."""
    aspect = np.linspace(3 / 4, 4 / 3, 2001)[:, None]
    low, high = np.sqrt(0.08 / aspect), np.minimum(1, 1 / aspect)
    height = low + (high - low) * (np.arange(2000) + 0.5) / 2000
    area = aspect * height**2
    return float(area[area >= 0.1].mean())


def test_the_mean_area_of_a_square_image_is_the_closed_one():
    assert closed_mean_area() == pytest.approx(0.421, abs=0.0005)
    area = moments(boxes(10_000, (1000, 1000)), (1000, 1000))[:, 4]
    assert area.mean() == pytest.approx(closed_mean_area(), abs=4.5 * area.std() / 100)
    assert area.min() == pytest.approx(0.1, abs=0.001)


@pytest.mark.slow
@pytest.mark.parametrize("sides", [(224, 224), (390, 320)])
def test_the_law_of_the_crop_over_100_000_draws(sides):
    mean = assert_same_law(100_000, sides)
    if sides == (224, 224):
        assert mean == pytest.approx(closed_mean_area(), abs=0.003)


def equalised(pixels: np.ndarray) -> np.ndarray:
    """Returns [H, W] levels 0 to 255 for [H, W, 3] 8-bit pixels: data_util.py:25-47."""
    levels = pixels / 255 @ np.array([0.2989, 0.5870, 0.1140]) * 255
    bins = np.minimum((levels / (255 / 256)).astype(int), 255)
    up_to = np.cumsum(np.bincount(bins.ravel(), minlength=256))
    darkest = up_to[up_to > 0][0]
    curve = np.rint((up_to - darkest) * 255 / max(levels.size - 1, 1))
    return np.maximum(curve, 0)[levels.astype(int)]


def test_equalisation_is_that_of_the_release():
    rng = np.random.default_rng(1)
    for case in range(40):
        height, width = rng.integers(1, 40, 2)
        low, high = np.sort(rng.integers(0, 256, 2))
        grey = rng.integers(low, high + 1, (height, width, 1)).astype(np.uint8)
        if case % 2:
            grey[: height // 2] = 0  # a black background
        got = apply("released_histogram_equalisation(1)", as_image(grey))
        np.testing.assert_allclose(
            got * 255, equalised(np.repeat(grey, 3, 2))[..., None] + np.zeros(3), atol=1e-4
        )


def as_image(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels, 3 // pixels.shape[-1], axis=-1).astype(np.float32) / 255


def test_equalisation_of_colours_is_grey_and_of_their_luminance():
    pixels = np.random.default_rng(2).integers(0, 256, (60, 50, 3)).astype(np.uint8)
    got = apply("released_histogram_equalisation(1)", as_image(pixels))
    np.testing.assert_array_equal(got, np.repeat(got[..., :1], 3, axis=-1))
    # Rounding decides for luminances at a whole number.
    difference = np.abs(got[..., 0] * 255 - equalised(pixels))
    assert difference.max() <= 1.001
    assert np.mean(difference > 0.5) < 0.01


def test_equalisation_darkens_with_the_black_share_and_is_off_by_one_level():
    levels = np.tile(np.arange(256, dtype=np.uint8), (256, 1))[..., None]
    half = np.where(np.arange(256)[:, None, None] < 128, 0, levels).astype(np.uint8)
    for pixels, brightest in ((levels, 253), (half, 127)):
        got = apply("released_histogram_equalisation(1)", as_image(pixels))
        assert round(255 * got[-1, -1, 0]) == brightest
        assert round(255 * got[-1, 1, 0]) == 0  # level 1 gets the value of level 0
        ours = apply("histogram_equalisation(1)", as_image(pixels))
        assert ours[-1, -1, 0] == 1


@pytest.mark.parametrize("level", [0, 1, 77, 255])
def test_equalisation_makes_a_single_level_black(level):
    pixels = np.full((7, 9, 1), level, np.uint8)
    assert apply("released_histogram_equalisation(1)", as_image(pixels)).max() == 0


def blurred_with_zeros(image: np.ndarray, sigma: float) -> np.ndarray:
    """Returns the image convolved along both axes, zeros outside: data_util.py:364-402."""
    radius = int(image.shape[0] // 10 / 2)
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        image = np.apply_along_axis(
            lambda line: np.convolve(np.pad(line, radius), kernel, "valid"), axis, image
        )
    return image


@pytest.mark.parametrize("sides", [(60, 80), (45, 31), (20, 7), (5, 5)])
@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
def test_blur_is_a_convolution_with_zeros_outside(sides, sigma):
    got = blurred(tf.constant(smooth(*sides)), tf.constant(sigma), zeros_outside=True)
    np.testing.assert_allclose(
        got, np.clip(blurred_with_zeros(smooth(*sides), sigma), 0, 1), atol=1e-5
    )


def test_blur_has_a_uniform_sigma_and_dark_borders():
    dot = np.zeros((61, 61, 3), np.float32)
    dot[30, 30] = 1
    sigmas = np.linspace(0.1, 2, 400)
    peaks = np.array([blurred_with_zeros(dot[..., :1], sigma)[30, 30, 0] for sigma in sigmas])
    drawn = []
    for got in draws("released_gaussian_blur(1)", dot, 150):
        sigma = np.interp(-got[30, 30, 0], -peaks, sigmas)
        np.testing.assert_allclose(got, blurred_with_zeros(dot, sigma), atol=1e-4)
        drawn.append(sigma)
    assert np.mean(drawn) == pytest.approx(1.05, abs=4 * 1.9 / np.sqrt(12 * 150))
    assert min(drawn) < 0.4
    assert max(drawn) > 1.7
    white = np.ones((60, 60, 3), np.float32)
    corners = [got[0, 0, 0] for got in draws("released_gaussian_blur(1)", white, 20)]
    assert np.median(corners) < 0.6
    assert apply("gaussian_blur(1)", white)[0, 0, 0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("specification", "reason"),
    [
        ("released_random_crop(0)", "size is 0; expected a number from 1"),
        ("released_central_crop(24, 1.5)", "fraction is 1.5; expected a number from 0 to 1"),
        ("released_resize(-3)", "size is -3; expected a number from 1"),
        ("released_gaussian_blur(2)", "probability is 2; expected a number from 0 to 1"),
        ("released_histogram_equalisation(-1)", "probability is -1; expected a number from 0 to 1"),
    ],
)
def test_wrong_arguments_are_refused(specification, reason):
    with pytest.raises(UserError, match=re.escape(reason)):
        parse(specification)
