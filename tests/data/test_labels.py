"""Policies for uncertain and unmentioned labels, and the vocabularies of the data sets."""

import dataclasses

import numpy as np
import pytest

from remedis.data import labels, splits
from remedis.errors import UserError

RAW = [1, 0, -1, np.nan]


@pytest.fixture
def two(make):
    m = make(4, ill=RAW, old=np.float32(RAW))
    return dataclasses.replace(m, labels=("ill", "old"))


@pytest.mark.parametrize(
    ("uncertain", "unmentioned", "expected"),
    [
        ("ignore", "ignore", [1, 0, np.nan, np.nan]),
        ("ignore", "zeros", [1, 0, np.nan, 0]),
        ("zeros", "ones", [1, 0, 0, 1]),
        ("ones", "keep", [1, 0, 1, np.nan]),
        ("keep", "zeros", [1, 0, -1, 0]),
    ],
)
def test_each_policy(two, uncertain, unmentioned, expected):
    done = labels.apply_policies(two, uncertain, unmentioned)
    np.testing.assert_array_equal(done.targets(), np.float32([expected, expected]).T)
    assert done.policies == {
        label: {"uncertain": uncertain, "unmentioned": unmentioned} for label in ("ill", "old")
    }
    np.testing.assert_array_equal(two.targets()[:, 0], np.float32(RAW))


def test_a_policy_per_label(two):
    done = labels.apply_policies(two, {"ill": "ones", "old": "zeros"}, "keep")
    assert done.targets()[2].tolist() == [1, 0]
    assert done.policies["old"] == {"uncertain": "zeros", "unmentioned": "keep"}


def test_wrong_policies(two):
    with pytest.raises(UserError, match="Unknown policy for uncertain values 'zero': did you mean"):
        labels.apply_policies(two, "zero", "keep")
    with pytest.raises(UserError, match="Unknown label in the policy for unmentioned values 'bad'"):
        labels.apply_policies(two, "ones", {"ill": "keep", "old": "keep", "bad": "keep"})
    with pytest.raises(UserError, match="No policy for uncertain values of 'old'; name one for"):
        labels.apply_policies(two, {"ill": "ones"}, "keep")


def test_policies_are_applied_once(two):
    done = labels.apply_policies(two, "ignore", "keep")
    with pytest.raises(UserError, match="Label 'ill' has had a policy already"):
        labels.apply_policies(done, "ignore", "zeros")
    kept = labels.apply_policies(two, "keep", "keep")
    assert labels.apply_policies(kept, "ones", "zeros").targets()[2:, 0].tolist() == [1, 0]


def test_the_five_conditions_are_in_both_vocabularies():
    for names in (labels.CHEXPERT, labels.CHESTXRAY14):
        assert set(labels.FIVE_CONDITIONS) <= set(names.values())
    assert len(labels.CHEXPERT) == 14
    assert len(labels.CHESTXRAY14) == 14 + 1
    assert len(labels.MIMIC_CXR) == 14


def test_names_of_a_vocabulary_are_distinct():
    for names in (labels.CHEXPERT, labels.CHESTXRAY14, labels.CAMELYON):
        assert len(set(names.values())) == len(names)


def test_the_record_of_policies_stays_with_the_images(two):
    done = labels.apply_policies(
        two, {"ill": "ones", "old": "ignore"}, {"ill": "zeros", "old": "keep"}
    )
    expected = {
        "ill": {"uncertain": "ones", "unmentioned": "zeros"},
        "old": {"uncertain": "ignore", "unmentioned": "keep"},
    }
    assert done.policies == expected
    assert done.subset([True, False, True, False]).policies == expected
    assert done.without(["0.png"]).policies == expected
    halves = {"train": 0.5, "test": 0.5}
    assert splits.assign(done, halves, seed=0).policies == expected
    nan = np.nan
    np.testing.assert_array_equal(done.targets().T, np.float32([[1, 0, 1, 0], [1, 0, nan, nan]]))


def test_policies_from_text():
    names = ("ill", "old")
    assert labels.policies("zeros", names) == {"ill": "zeros", "old": "zeros"}
    # An exception for a label that is not used is ignored.
    written = "zeros; old = ones; bad=keep"
    assert labels.policies(written, names) == {"ill": "zeros", "old": "ones"}
    with pytest.raises(UserError, match=r"The policy 'zeros; ill' has 'ill'; expected LABEL="):
        labels.policies("zeros; ill", names)
