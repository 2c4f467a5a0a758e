import pytest

from remedis.errors import UserError
from remedis.inference.expectation import expectation


def test_expectation_of_a_folder(tiny_checkpoint):
    expected = expectation(tiny_checkpoint)
    assert expected.name == tiny_checkpoint.name
    assert expected.random
    assert expected.value_range == (0.0, 1.0)
    assert expected.data_type is None


def test_expectation_of_no_folder(tmp_path):
    with pytest.raises(UserError, match=r"saved_model\.pb"):
        expectation(tmp_path)
