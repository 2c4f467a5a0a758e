"""Masks as run lengths: a case by hand, random masks there and back, and boxes of masks."""

import numpy as np
import pytest

from remedis.data import run_lengths


def test_by_hand():
    # 3 pixels are the first column; then two of the second; 4 on, one in the fourth.
    expected = [[0, 1, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
    assert run_lengths.decode("3 2 4 1", 3, 5).astype(int).tolist() == expected
    assert run_lengths.encode(np.array(expected, bool)) == "3 2 4 1"
    assert run_lengths.runs("3 2 4 1", 15).tolist() == [[3, 5], [9, 10]]
    assert run_lengths.box("3 2 4 1", 3, 5) == (1, 0, 3, 2)
    assert run_lengths.encode(np.zeros((3, 5), bool)) == ""


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 1.0])
def test_there_and_back_and_the_box_of_a_mask(share):
    for seed in range(20):
        mask = np.random.default_rng(seed).random((7, 11)) < share
        mask[3, 5] = True
        text = run_lengths.encode(mask)
        np.testing.assert_array_equal(run_lengths.decode(text, 7, 11), mask)
        rows, columns = np.nonzero(mask)
        assert run_lengths.box(text, 7, 11) == (
            *(columns.min(), rows.min()),
            *(columns.max() - columns.min() + 1, rows.max() - rows.min() + 1),
        )


@pytest.mark.parametrize(
    "text",
    ["", "3", "-1", "3 0", "-3 2", "a b", "3 2 9 2", "1.5 2", "16 1", "0 99999999999999999999"],
)
def test_what_is_no_mask(text):
    with pytest.raises(ValueError):  # noqa: PT011
        run_lengths.runs(text, 15)
