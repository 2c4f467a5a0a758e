"""Overlays: known pixels, and what is left as it is."""

import io

import numpy as np
import pytest
from PIL import Image

from remedis.reporting import overlay

GREY = np.full((4, 6, 3), 0.5, np.float32)


def test_opacity_follows_the_value_and_colours_the_sign():
    heat_map = np.zeros((4, 6))
    heat_map[0, 0], heat_map[0, 1], heat_map[0, 2] = 2.0, 1.0, -2.0
    found = overlay.overlay(GREY, heat_map, signed=True)
    vermilion, blue = np.array([213, 94, 0]), np.array([0, 114, 178])
    np.testing.assert_allclose(found[0, 0], 0.35 * 127.5 + 0.65 * vermilion, atol=1)
    np.testing.assert_allclose(found[0, 1], 0.675 * 127.5 + 0.325 * vermilion, atol=1)
    np.testing.assert_allclose(found[0, 2], 0.35 * 127.5 + 0.65 * blue, atol=1)
    np.testing.assert_array_equal(found[1:], 128)
    assert overlay.limits(heat_map, signed=True) == (-2, 2)
    assert overlay.limits(heat_map, signed=False) == (0, 2)


@pytest.mark.parametrize("empty", [np.zeros((4, 6)), np.full((4, 6), np.nan)])
def test_an_empty_map_leaves_the_image(empty):
    np.testing.assert_array_equal(overlay.overlay(GREY, empty, signed=False), 128)
    assert overlay.limits(empty, signed=False) == (0, 0)


def test_boxes_are_outlined_to_their_last_pixel():
    found = overlay.overlay(GREY, np.zeros((4, 6)), False, [[1, 0, 5, 4]])
    drawn = (found != 128).any(-1)
    assert drawn[:, 1].all()
    assert drawn[:, 4].all()
    assert not drawn[:, [0, 5]].any()
    assert not drawn[1:3, 2:4].any()


def test_a_png_is_shrunk_only_if_asked():
    picture = np.zeros((40, 60, 3), np.uint8)
    for longest, size in ((None, (60, 40)), (30, (30, 20)), (100, (60, 40))):
        with Image.open(io.BytesIO(overlay.png(picture, longest))) as image:
            assert image.size == size
