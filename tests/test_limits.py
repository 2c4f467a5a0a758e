import math

import pytest

from remedis import limits, options
from remedis.errors import UserError


def test_the_limit_holds_in_the_block_only():
    assert limits.max_pixels() == 40_000_000
    with limits.megapixels(0.002):
        assert limits.max_pixels() == 2_000
        with limits.megapixels(None):
            assert limits.max_pixels() == 2_000
    assert limits.max_pixels() == 40_000_000


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, 179])
def test_a_limit_that_is_no_limit(value):
    with (
        options.spelled_for("command"),
        pytest.raises(UserError) as error,
        limits.megapixels(value),
    ):
        pass
    assert str(error.value) == (
        f"--max-megapixels is {value:g}; expected million pixels per image, above 0 and at most "
        "178."
    )


def test_an_image_above_the_limit():
    with limits.megapixels(0.002), options.spelled_for("config"):
        assert limits.refusal(40, 50) is None
        assert limits.refusal(40, 51) == (
            "The image has 51 x 40 pixels, more than the limit of 0.002 megapixels; if the file "
            "is sound, make the image smaller or raise config.max_megapixels."
        )
