"""Splits by hash: stable, by patient, in the fractions asked for, in every stratum."""

import dataclasses
import hashlib

import numpy as np
import pytest

from remedis.data import splits
from remedis.data.subsets import nested_subsets
from remedis.data.units import uniform
from remedis.errors import UserError

THIRDS = {"train": 0.6, "validation": 0.2, "test": 0.2}


def split_by(manifest, column="patient_id"):
    """Returns the split of each value of a column."""
    return dict(zip(manifest.table[column], manifest.table["split"], strict=True))


def test_patients_are_not_divided_and_keep_their_split_when_rows_are_added(make):
    patients = [f"p{i % 200}" for i in range(600)]
    small = splits.assign(make(400, patient_id=patients[:400]), THIRDS, seed=1)
    large = splits.assign(make(600, patient_id=patients), THIRDS, seed=1)
    assert small.table.groupby("patient_id")["split"].nunique().eq(1).all()
    assert split_by(small).items() <= split_by(large).items()
    assert split_by(splits.assign(small, THIRDS, seed=2)) != split_by(small)


def test_golden_draws():
    """Draws are the first 53 bits of SHA-256 of seed/purpose/id, the same in every version."""
    golden = [0.13327114861358802, 0.5069487177802233, 0.13327114861358802]
    assert uniform(["p0", "p1", "p0"], 0, "assign").tolist() == golden
    digest = hashlib.sha256(b"0/assign/p0").hexdigest()
    assert int(digest[:13], 16) / 2**52 == pytest.approx(golden[0], abs=2**-51)


def test_fractions_are_met(make):
    counts = splits.assign(make(5000), THIRDS, seed=0).counts()["patients"]
    # Binomial: 3.5 standard deviations of 5000 draws.
    np.testing.assert_allclose(counts / 5000, [0.6, 0.2, 0.2], atol=0.025)
    draws = uniform(map(str, range(5000)), 0, "carve")
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
    with pytest.raises(
        UserError, match=r"The split 'validation' came out empty: .* has 1 image of 1 patient\."
    ):
        splits.assign(make(1, patient_id="p3"), THIRDS, seed=0)  # the draw of p3 is 0.14: train
    with pytest.raises(UserError) as error:
        splits.ensure(make(4, split="test"), THIRDS, seed=0)
    assert str(error.value) == (
        "The manifest of a test comes with splits, but none of its 4 images is in 'train', "
        "'validation'; give some a split there, leave the column `split` empty to have all "
        "assigned, or ask for no share of it."
    )
    with pytest.raises(UserError, match=r"has 3 images of 1 slide\. Use more data"):
        splits.assign(make(3, slide_id="w"), THIRDS, seed=0, unit="slide_id")
    with pytest.raises(UserError, match=r"1 of 3 images have no split, the first '1.png'"):
        splits.ensure(make(3, split=["train", None, "test"]), THIRDS, seed=0)
    with pytest.raises(UserError, match="Unknown unit of splits 'patient'"):
        splits.assign(make(3), THIRDS, seed=0, unit="patient")
    with pytest.raises(UserError, match="has no column 'slide_id' to split by"):
        splits.assign(make(3), THIRDS, seed=0, unit="slide_id")


def completed(manifest, **changes):
    return splits.ensure(manifest, THIRDS, seed=0, complete=True, **changes)


def test_completing_keeps_recorded_splits_and_assigns_new_patients(make):
    whole = make(300, patient_id=[f"p{i % 150}" for i in range(300)])
    recorded = splits.assign(whole, THIRDS, seed=7)
    split = recorded.table["split"].to_numpy(object).copy()
    split[200:] = None  # second images of p50 to p149, whose first images have splits
    split[140:150] = None  # p140 to p149 have no image with a split
    done = completed(make(300, patient_id=whole.table["patient_id"], split=split))
    was, now = recorded.table["split"], done.table["split"]
    new = np.isin(whole.table["patient_id"], [f"p{i}" for i in range(140, 150)])
    assert (now[~new] == was[~new]).all()
    fresh = splits.assign(whole, THIRDS, seed=0).table["split"]
    assert (now[new] == fresh[new]).all()


def test_completing_in_two_steps_is_completing_in_one(make):
    ids = [f"p{i}" for i in range(90)]
    first = splits.assign(make(30, patient_id=ids[:30]), THIRDS, seed=0)

    def grown(manifest, n):
        known = manifest.table["split"].tolist()
        return completed(make(n, patient_id=ids[:n], split=known + [None] * (n - len(known))))

    assert split_by(grown(grown(first, 60), 90)) == split_by(grown(first, 90))


def test_completing_refuses_a_patient_in_several_splits(make):
    divided = make(4, patient_id=["a", "a", "a", "b"], split=["train", "test", None, "validation"])
    with pytest.raises(
        UserError, match=r"1 units of patient_id with new images .* first 'a'; move"
    ):
        completed(divided)


def test_a_new_image_of_a_slide_with_id_validation_is_for_training(make):
    split = ["train", "id_validation", None, "validation", "test"]
    done = completed(make(5, patient_id=["a", "a", "a", "b", "c"], split=split))
    assert done.table["split"][2] == "train"


STRATA = {
    "site": [f"h{i % 7 // 3}" for i in range(900)],
    "ill": [float(i % 5 == 0) for i in range(900)],
}


@pytest.mark.parametrize("seed", range(5))
def test_stratified_shares_hold_in_every_stratum(make, seed):
    m = make(900, **STRATA)
    done = splits.assign(m, THIRDS, seed, stratify=("ill", "site"))
    for _, stratum in done.table.groupby(["ill", "site"]):
        counts = stratum["split"].value_counts()
        # `train` and `test` have one bound each, with one unit of slack; `validation` has two.
        assert abs(counts["train"] - 0.6 * len(stratum)) <= 1
        assert abs(counts["test"] - 0.2 * len(stratum)) <= 1
        assert abs(counts["validation"] - 0.2 * len(stratum)) <= 2


def test_stratified_splits_differ_little_from_plain_ones(make):
    m = make(900, **STRATA)
    plain, done = (
        split_by(splits.assign(m, THIRDS, 0)),
        split_by(splits.assign(m, THIRDS, 0, stratify=("ill", "site"))),
    )
    moved = sum(plain[p] != done[p] for p in plain)
    # No more patients move than binomial deviations from the shares require: 3 standard deviations
    # at two bounds in six strata.
    strata = m.table.groupby(["ill", "site"]).size()
    assert 0 < moved <= 3 * sum(np.sqrt(n * b * (1 - b)) for n in strata for b in (0.6, 0.8))


def test_strata_of_a_single_unit_have_the_plain_splits(make):
    m = make(60, site=[f"h{i}" for i in range(60)])
    assert split_by(splits.assign(m, THIRDS, 3, stratify=("site",))) == split_by(
        splits.assign(m, THIRDS, 3)
    )


def test_few_move_when_rows_are_added(make):
    site = [f"h{i % 7 // 3}" for i in range(2200)]
    ill = [float(i % 5 == 0) for i in range(2200)]
    for seed in range(3):
        large = splits.assign(
            make(2200, site=site, ill=ill), THIRDS, seed, stratify=("ill", "site")
        )
        small = splits.assign(
            make(2000, site=site[:2000], ill=ill[:2000]), THIRDS, seed, stratify=("ill", "site")
        )
        moved = (large.table["split"][:2000] != small.table["split"]).mean()
        assert moved < 0.03


def shuffled(manifest, seed=0):
    order = np.random.default_rng(seed).permutation(len(manifest))
    table = manifest.table.iloc[order]
    return dataclasses.replace(manifest, table=table)


@pytest.mark.parametrize("stratify", [(), ("ill",), ("ill", "site")])
def test_the_order_of_rows_does_not_matter(make, stratify):
    patients = [f"p{i % 130}" for i in range(400)]
    m = make(400, patient_id=patients, site=[f"h{i % 3}" for i in range(400)])
    mixed = shuffled(m)

    def by_path(manifest, values):
        return dict(zip(manifest.table["path"], values, strict=True))

    one, two = (splits.assign(x, THIRDS, 0, stratify=stratify) for x in (m, mixed))
    assert split_by(one, "path") == split_by(two, "path")
    assert one.table.groupby("patient_id")["split"].nunique().eq(1).all()
    carved = [
        split_by(splits.carve(x, {"test": 0.5}, 0, stratify=stratify), "path") for x in (one, two)
    ]
    assert carved[0] == carved[1]
    subsets = [by_path(x, nested_subsets(x, [30], 0, stratify=stratify)[30]) for x in (m, mixed)]
    assert subsets[0] == subsets[1]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (("sight",), "Unknown column to stratify by 'sight': did you mean 'site'?"),
        (("split",), "Unknown column to stratify by 'split'"),
        ("site", "Expected a list of columns to stratify by; got 'site'."),
        (("age",), "The column 'age' is a measure, with as many values as images"),
    ],
)
def test_wrong_strata(make, columns, sentence):
    with pytest.raises(UserError) as caught:
        splits.assign(make(10, age=50.0), THIRDS, seed=0, stratify=columns)
    assert str(caught.value).startswith(sentence)
