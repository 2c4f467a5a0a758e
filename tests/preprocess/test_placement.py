"""The way back from a network's input to the image, against the operations themselves."""

import numpy as np
import pytest
import tensorflow as tf

from remedis.errors import UserError
from remedis.preprocess import parse
from remedis.preprocess.placement import placement

HEIGHT, WIDTH = 61, 90
SPECIFICATIONS = (
    "",
    "resize(48)",
    "resize(120, 'bilinear')",
    "central_crop(0.7)",
    "central_crop(0.875) | resize(48)",
    "resize(100) | central_crop(fraction=0.5) | clip()",
    "released_resize(40)",
    "released_central_crop(48, 0.8)",
    "released_evaluation(150)",
)


@pytest.mark.parametrize("specification", SPECIFICATIONS)
def test_positions_are_those_of_the_operations(specification):
    """A ramp of positions goes through the operations, which keep straight lines straight."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    ramps = np.stack([y / HEIGHT, x / WIDTH, np.zeros_like(x)], -1)
    preprocess = parse(specification, deterministic=True)
    found = preprocess(tf.constant(ramps, tf.float32)).numpy()
    placed = placement(preprocess, HEIGHT, WIDTH)
    assert found.shape[:2] == (placed.rows.size, placed.columns.size)
    for axis, of, size in ((0, placed.rows, HEIGHT), (1, placed.columns, WIDTH)):
        expected = of.shift + of.factor * (np.arange(of.size) + 0.5)
        got = np.take(found[..., axis], of.size // 2, 1 - axis) * size
        edge = 4 + of.size // 20  # antialiased and cubic kernels reach beyond the border
        # The cubic of TensorFlow 1 bends a straight line by 0.05 pixels.
        np.testing.assert_allclose(got[edge:-edge], expected[edge:-edge], atol=0.06)


@pytest.mark.parametrize("specification", SPECIFICATIONS)
@pytest.mark.parametrize("stride", [None, 4])
def test_a_map_of_positions_comes_back_as_positions(specification, stride):
    placed = placement(parse(specification), HEIGHT, WIDTH)
    for axis, of, size in ((0, placed.rows, HEIGHT), (1, placed.columns, WIDTH)):
        cells = of.size // 4
        centres = (
            (np.arange(cells) + 0.5) * of.size / cells
            if stride is None
            else (np.arange(cells) * stride + 0.5)
        )
        line = of.shift + of.factor * centres
        heat_map = np.stack([line, line], 1 - axis)
        found = np.take(
            placed.to_image(heat_map, stride), (HEIGHT // 2, WIDTH // 2)[1 - axis], 1 - axis
        )
        place = np.arange(size) + 0.5
        inside = (place >= line[0]) & (place <= line[-1])
        np.testing.assert_allclose(found[inside], place[inside], atol=1e-3)
        beyond = (place < of.shift) | (place > of.shift + of.factor * of.size)
        assert np.isnan(found[beyond]).all()
        assert not np.isnan(found[~beyond]).any()


def test_what_is_cropped_away_is_not_drawn():
    placed = placement(parse("central_crop(0.5)"), 8, 8)
    found = placed.to_image(np.ones((2, 2)))
    assert found.shape == (8, 8)
    assert np.nansum(found) == 16
    assert placed.covered == 0.25
    np.testing.assert_array_equal(found[2:6, 2:6], 1)


def test_one_cell_fills_the_image():
    np.testing.assert_array_equal(placement(parse("resize(32)"), 5, 7).to_image([[3.0]]), 3)


def test_an_operation_that_cannot_be_undone_is_refused():
    with pytest.raises(UserError, match=r"rotate may move pixels .* resize, central_crop"):
        placement(parse("resize(32) | rotate(10)"), 64, 64)
