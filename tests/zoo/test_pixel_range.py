"""The range check against what interpolation and other scalings make of images in [0, 1]."""

import numpy as np
import pytest
import tensorflow as tf

from remedis.preprocess import parse, recipes
from remedis.zoo import checkpoint, pixel_range, save_backbone
from remedis.zoo.pixel_range import TOLERANCE, range_fault

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def cubic(a):
    """Keys 1981, equation 4."""

    def weight(x):
        x = np.abs(x)
        inner = (a + 2) * x**3 - (a + 3) * x**2 + 1
        outer = a * (x**3 - 5 * x**2 + 8 * x - 4)
        return np.where(x <= 1, inner, np.where(x < 2, outer, 0))

    return weight


def lanczos(x):
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


def overshoots(weight, radius, factors):
    """Returns the largest overshoot of a 2-D interpolation, and that beside a straight edge."""
    worst = edge = 0.0
    for factor in factors:
        reach = int(np.ceil(radius * factor)) + 1
        for place in np.linspace(0, 1, 21):
            weights = weight((np.arange(-reach, reach + 2) - place) / factor)
            weights /= weights.sum()
            positive = weights[weights > 0].sum()
            worst = max(worst, 2 * positive * (positive - 1))
            edge = max(edge, -np.cumsum(weights).min())
    return worst, edge


@pytest.mark.parametrize(
    ("weight", "radius", "factors", "expected"),
    [
        (cubic(-0.5), 2, [1], (0.28125, 0.074)),
        (cubic(-0.5), 2, np.linspace(1, 4, 301), (0.305, 0.074)),
        (cubic(-0.75), 2, [1], (0.4453125, 0.111)),
        (lanczos, 3, np.linspace(1, 4, 301), (0.705, 0.118)),
    ],
    ids=["bicubic", "antialiased", "bicubic of a = -0.75", "Lanczos"],
)
def test_the_table_of_overshoots(weight, radius, factors, expected):
    worst, edge = overshoots(weight, radius, factors)
    assert (worst, edge) == pytest.approx(expected, abs=6e-4)
    assert edge < TOLERANCE
    if weight is not lanczos:
        assert worst < TOLERANCE


def test_the_worst_image_of_a_bicubic_is_accepted():
    # Negative weights meet white pixels and positive ones black pixels, half-way between pixels.
    signs = np.outer([-1, 1, 1, -1], [-1, 1, 1, -1])
    image = np.tile((signs < 0).astype(np.float32), (4, 4))[None, ..., None]
    enlarged = tf.raw_ops.ResizeBicubic(
        images=image, size=[31, 31], align_corners=True, half_pixel_centers=False
    ).numpy()
    assert enlarged.min() == pytest.approx(-0.4453, abs=1e-3)
    assert range_fault(float(enlarged.min()), float(enlarged.max())) is None


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_ends_within_the_tolerance(name):
    preprocess = parse(f"{name}(24)")
    image = tf.constant(np.random.default_rng(0).integers(0, 2, (30, 40, 3)), tf.float32)
    for seed in range(10):
        values = preprocess(image, tf.constant([0, seed])).numpy()
        assert pixel_range.pixel_fault(values) is None


@pytest.mark.parametrize(
    ("change", "looks"),
    [
        (lambda x: 2 * x - 1, "like values in [-1, 1]"),
        (lambda x: (x - MEAN) / DEVIATION, "normalised with ImageNet's mean"),
        (lambda x: 1.8 * (2 * x - 1), "normalised with ImageNet's mean"),
        (lambda x: (x - 0.5) / 0.1, "standardised"),
        (lambda x: x - 5, "standardised"),
        (lambda x: 255 * x, "like values from 0 to 255;"),
        (lambda x: 255 * (1.2 * x - 0.1), "like values from 0 to 255;"),
        (lambda x: 3 * x, "like values from 0 to 255;"),
        (lambda x: 255 * (x - MEAN), "with ImageNet's mean subtracted (BGR)"),
        (lambda x: 4095 * x, "like values of more than 8 bits"),
        (lambda x: 65535 * x, "like values of more than 8 bits"),
        (lambda x: 4000 * x - 1024, "like Hounsfield units"),
        (lambda x: 1e9 * x, "images are not in [0, 1]"),
    ],
)
def test_a_wrong_range_is_named(change, looks):
    images = change(np.random.default_rng(0).uniform(size=(2, 20, 20, 3))).astype(np.float32)
    assert looks in pixel_range.pixel_fault(images)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.function(pixel_range.assert_pixels)(images)
    assert looks.replace("'", "") in str(caught.value).replace("\\", "").replace("'", "")
    assert pixel_range.pixel_fault(images, "any") is None
    np.testing.assert_array_equal(pixel_range.assert_pixels(images, "any"), images)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 4, 4, 3), np.float32),
        np.ones((1, 4, 4, 3), np.float32),
        np.full((1, 4, 4, 3), 0.5, np.float32),
        np.float32([0, 1, 1.07, -0.11]),
        np.zeros((0, 4, 4, 3), np.float32),
    ],
    ids=["black", "white", "grey", "overshoot", "empty"],
)
def test_right_images_pass_unchanged_and_so_do_gradients(images):
    assert pixel_range.pixel_fault(images) is None
    variable = tf.Variable(images)
    with tf.GradientTape() as tape:
        passed = tf.function(pixel_range.assert_pixels)(variable)
        loss = tf.reduce_sum(passed)
    np.testing.assert_array_equal(passed, images)
    np.testing.assert_array_equal(tape.gradient(loss, variable), np.ones_like(images))


@pytest.mark.guarantee
@pytest.mark.usefixtures("few_traces")
def test_an_export_for_any_range_takes_it_and_says_so(tmp_path, tiny_weights):
    folder = save_backbone.save(
        checkpoint.build_backbone(tiny_weights),
        name="any",
        provenance=tiny_weights.provenance,
        directory=tmp_path / "any",
        pixel_range="any",
    )
    assert checkpoint.describe(folder).pixel_range == "any"
    card = (folder / "MODEL_CARD.md").read_text()
    assert "- Built with --any-pixel-range: no pixel value is refused, right or wrong." in card
    model = tf.saved_model.load(str(folder))
    images = np.random.default_rng(0).uniform(-3, 3, size=(1, 40, 40, 3)).astype(np.float32)
    expected = checkpoint.load_backbone(folder)(images)
    np.testing.assert_allclose(model(images), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="hold NaN or infinity"):
        model(images * np.nan)
