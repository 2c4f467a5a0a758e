import hashlib

import numpy as np
import pytest

from remedis.data import splits
from remedis.errors import UserError

THIRDS = {"train": 0.6, "validation": 0.2, "test": 0.2}


def landed(manifest, column="patient_id"):
    return dict(zip(manifest.table[column], manifest.table["split"], strict=True))


def test_patients_stay_whole_and_stay_when_rows_are_added(make):
    patients = [f"p{i % 200}" for i in range(600)]
    small = splits.assign(make(400, patient_id=patients[:400]), THIRDS, seed=1)
    large = splits.assign(make(600, patient_id=patients), THIRDS, seed=1)
    assert small.table.groupby("patient_id")["split"].nunique().eq(1).all()
    assert landed(small).items() <= landed(large).items()
    assert landed(splits.assign(small, THIRDS, seed=2)) != landed(small)


def test_golden_draws():
    """A split must be the same in every version: SHA-256 of seed/purpose/id, its first 53 bits."""
    golden = [0.13327114861358802, 0.5069487177802233, 0.13327114861358802]
    assert splits.uniform(["p0", "p1", "p0"], 0, "assign").tolist() == golden
    digest = hashlib.sha256(b"0/assign/p0").hexdigest()
    assert int(digest[:13], 16) / 2**52 == pytest.approx(golden[0], abs=2**-51)


def test_fractions_are_met(make):
    counts = splits.assign(make(5000), THIRDS, seed=0).counts()["patients"]
    # Binomial: 3.5 standard deviations of 5000 draws.
    np.testing.assert_allclose(counts / 5000, [0.6, 0.2, 0.2], atol=0.025)
    draws = splits.uniform(map(str, range(5000)), 0, "carve")
    assert draws.min() >= 0
    assert draws.max() < 1


def test_carving_takes_only_from_train(make):
    m = make(300, split=["train", "train", "test"] * 100)
    carved = splits.ensure(m, {"train": 0.5, "validation": 0.5, "test": 0.0}, seed=0)
    was, now = m.table["split"], carved.table["split"]
    assert (now[was == "test"] == "test").all()
    assert set(now[was == "train"]) == {"train", "validation"}
    assert 70 < (now == "validation").sum() < 130


def test_carving_is_independent_of_assigning(make):
    m = splits.assign(make(1000), {"train": 0.5, "test": 0.5}, seed=0)
    carved = splits.carve(m, {"validation": 0.2}, seed=0)
    assert 70 < (carved.table["split"] == "validation").sum() < 130


def test_complete_splits_are_left_alone(make):
    m = make(3, split=["train", "validation", "test"])
    assert splits.ensure(m, THIRDS, seed=0).table.equals(m.table)


def test_by_slide(make):
    m = make(200, slide_id=[f"s{i // 10}" for i in range(200)])
    done = splits.assign(m, {"train": 0.5, "test": 0.5}, seed=0, unit="slide_id")
    assert done.table.groupby("slide_id")["split"].nunique().eq(1).all()


def test_missing_ids(make):
    m = make(100, patient_id=None)
    with pytest.raises(UserError, match=r"100 of 100 images have no patient_id, the first '0.png'"):
        splits.assign(m, THIRDS, seed=0)
    done = splits.assign(m, THIRDS, seed=0, allow_missing_ids=True)
    assert done.table["split"].nunique() == 3


@pytest.mark.parametrize(
    ("fractions", "sentence"),
    [
        ({"train": 0.5, "test": 0.4}, "sum to 0.9, not 1"),
        ({"train": 1.5, "test": -0.5}, "The fraction of 'train' is 1.5; expected 0 to 1"),
        ({"train": 0.5, "tests": 0.5}, "Unknown split 'tests': did you mean 'test'"),
    ],
)
def test_wrong_fractions(make, fractions, sentence):
    with pytest.raises(UserError, match=sentence):
        splits.assign(make(10), fractions, seed=0)


def test_wrong_demands(make):
    with pytest.raises(UserError, match=r"The split 'validation' came out empty: .* has 1 images"):
        splits.assign(make(1, patient_id="p3"), THIRDS, seed=0)  # p3 draws 0.14: train
    with pytest.raises(UserError, match="The split 'train' came out empty"):
        splits.ensure(make(4, split="test"), THIRDS, seed=0)
    with pytest.raises(UserError, match=r"1 of 3 images have no split, the first '1.png'"):
        splits.ensure(make(3, split=["train", None, "test"]), THIRDS, seed=0)
    with pytest.raises(UserError, match="Unknown unit of splits 'patient'"):
        splits.assign(make(3), THIRDS, seed=0, unit="patient")
    with pytest.raises(UserError, match="has no column 'slide_id' to split by"):
        splits.assign(make(3), THIRDS, seed=0, unit="slide_id")
