"""Corruptions: closed forms, twins of other libraries, and draws that follow from the pixels."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage

from remedis.errors import UserError
from remedis.preprocess import corruptions
from remedis.preprocess.corruptions import CORRUPTIONS, STRENGTHS

RNG = np.random.default_rng(0)
SMOOTH = ndimage.gaussian_filter(RNG.uniform(size=(64, 48, 3)), (3, 3, 0))
COLOURS = ((SMOOTH - SMOOTH.min()) / np.ptp(SMOOTH)).astype(np.float32)
GREY = np.repeat(COLOURS[..., :1], 3, axis=-1)
NAMES = list(CORRUPTIONS)


def corrupted(name, image, strength):
    return CORRUPTIONS[name](tf.constant(image), strength).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_strength_0_is_the_image_itself_and_others_stay_in_range(name):
    grey = GREY[..., :1]
    assert corrupted(name, grey, 0).tobytes() == grey.tobytes()
    for strength in (1, 5):
        found = corrupted(name, COLOURS, strength)
        assert found.dtype == np.float32
        assert 0 <= found.min() <= found.max() <= 1
        assert found.shape != COLOURS.shape or not np.array_equal(found, COLOURS)


def test_an_image_has_one_corruption_however_it_is_stored_and_read():
    in_graph = tf.function(
        lambda image: [CORRUPTIONS[name](image, 4) for name in NAMES],
        input_signature=[tf.TensorSpec([None, None, None], tf.float32)],
        autograph=False,
    )
    stored = [[found.numpy() for found in in_graph(image)] for image in (GREY, GREY[..., :1])]
    for name, *both in zip(NAMES, *stored, strict=True):
        of_grey = corrupted(name, GREY, 4)
        for found in both:
            np.testing.assert_allclose(found, of_grey, atol=2e-6)
        # A grey image stays grey; JPEG's colour planes are rounded.
        spread = of_grey.max(axis=-1) - of_grey.min(axis=-1)
        assert spread.max() <= (2 / 255 if name == "jpeg" else 1e-6)


def test_other_pixels_have_another_draw_and_strengths_share_theirs():
    for name in ("noise", "rotation", "crop", "gamma"):
        seeds = [corruptions.content_seed(tf.constant(image), name) for image in (COLOURS, GREY)]
        assert not np.array_equal(*seeds)
    flat = np.full((50, 50, 3), 0.5, np.float32)
    noise = [corrupted("noise", flat, strength) - 0.5 for strength in (1, 2)]
    inside = np.abs(noise[1]) < 0.49
    np.testing.assert_allclose(noise[0][inside] * 0.12 / 0.08, noise[1][inside], atol=1e-5)


def test_noise_has_its_deviation_and_a_grain_of_the_size_of_the_image():
    flat = np.full((224, 224, 3), 0.5, np.float32)
    flat[0, 0] = 0.5, 0.4, 0.5  # a colour: all channels have noise of their own
    found = corrupted("noise", flat, 1) - flat
    assert found.std() == pytest.approx(0.08, rel=0.02)
    assert abs(np.corrcoef(found[..., 0].ravel(), found[..., 1].ravel())[0, 1]) < 0.02
    large = corrupted("noise", np.full((448, 448, 1), 0.5, np.float32), 1)
    blocks = large.reshape(224, 2, 224, 2, 3)
    np.testing.assert_array_equal(blocks, np.broadcast_to(blocks[:, :1, :, :1], blocks.shape))


def test_blur_is_a_gaussian_as_wide_as_the_strength_says():
    point = np.zeros((112, 112, 1), np.float32)
    point[56, 56] = 1.0
    found = corrupted("blur", point, 3)[..., 0]
    rows, mass = np.arange(112) - 56, found.sum(axis=1)
    assert mass.sum() == pytest.approx(1, rel=1e-4)
    # Half of ImageNet-C's 3 pixels; a cut at three widths takes 2 % of the variance.
    assert (mass * rows**2).sum() == pytest.approx(1.5**2, rel=0.05)
    np.testing.assert_allclose(
        found, ndimage.gaussian_filter(point[..., 0], 1.5, truncate=10 / 3), atol=2e-4
    )


def test_contrast_and_gamma_are_their_formulas():
    mean = COLOURS.mean(axis=(0, 1))
    np.testing.assert_allclose(
        corrupted("contrast", COLOURS, 3), mean + 0.2 * (COLOURS - mean), atol=1e-5
    )
    exponents = set()
    for i in range(8):
        image = np.clip(COLOURS + i / 100, 0.01, 0.99)
        found = corrupted("gamma", image, 3)
        exponents.add(round(float(np.median(np.log(found) / np.log(image))), 3))
    assert exponents == {0.5, 2.0}


def test_jpeg_is_that_of_another_encoder():
    stream = io.BytesIO()
    Image.fromarray(np.round(255 * COLOURS).astype(np.uint8)).save(stream, "JPEG", quality=10)
    other = np.asarray(Image.open(stream), np.float32) / 255
    assert np.abs(corrupted("jpeg", COLOURS, 4) - other).mean() < 0.01


def test_rotation_turns_by_its_angle_and_mirrors_into_corners():
    angles = []
    for i in range(6):
        image = np.clip(COLOURS + i / 100, 0, 1)[:48]
        found = corrupted("rotation", image, 5)
        turned = [
            ndimage.rotate(image, sign * 30, (0, 1), reshape=False, order=1) for sign in (1, -1)
        ]
        errors = [np.abs(found - other)[12:36, 12:36].max() for other in turned]
        assert min(errors) < 0.02
        angles.append(int(np.argmin(errors)))
    assert set(angles) == {0, 1}
    assert corrupted("rotation", np.ones((40, 60, 1), np.float32), 5).min() > 0.999


def test_a_crop_is_a_part_of_the_image():
    found = corrupted("crop", COLOURS, 5)
    assert found.shape == (45, 34, 3)  # 0.7 of 64 and 48
    places = [
        (top, left)
        for top in range(20)
        for left in range(15)
        if np.array_equal(COLOURS[top : top + 45, left : left + 34], found)
    ]
    assert len(places) == 1
    assert corrupted("crop", np.zeros((1, 1, 3), np.float32), 5).shape == (1, 1, 3)


def test_stain_leaves_grey_images_and_changes_optical_densities_linearly():
    np.testing.assert_array_equal(corrupted("stain", GREY, 5), GREY)
    image = np.clip(COLOURS, 0.3, 0.7)
    found = corrupted("stain", image, 1)
    density = -np.log10(image).reshape(-1, 3)
    design = np.c_[density, np.ones(len(density))]
    fitted, *_ = np.linalg.lstsq(design, -np.log10(found).reshape(-1, 3), rcond=None)
    np.testing.assert_allclose(design @ fitted, -np.log10(found).reshape(-1, 3), atol=1e-4)
    # The factors of the stains are the eigenvalues of the map of densities.
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(fitted[:3]) - 1), 0.1, atol=2e-3)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"crop"}))
def test_a_stronger_corruption_is_farther_from_the_image(name):
    distances = [np.abs(corrupted(name, COLOURS, s) - COLOURS).mean() for s in STRENGTHS]
    assert (np.diff(distances) > 0).all()


def test_values_are_five_and_a_wrong_name_gets_the_nearest():
    assert all(len(each.values) == 5 for each in CORRUPTIONS.values())
    with pytest.raises(UserError, match="Unknown corruption 'nose': did you mean 'noise'"):
        corruptions.get("nose")
