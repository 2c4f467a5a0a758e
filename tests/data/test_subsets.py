"""Nested subsets: whole patients, smaller in larger, each stratum with its share."""

import itertools

import pytest

from remedis.data.subsets import nested_subsets
from remedis.errors import UserError


@pytest.fixture
def cohort(make):
    """Returns a function that makes patients of one to four images, of three hospitals."""

    def build(patients=200):
        owner = [i for i in range(patients) for _ in range(1 + i % 4)]
        return make(
            len(owner),
            patient_id=[f"p{i}" for i in owner],
            site=[f"h{i % 7 // 3}" for i in owner],
            ill=[float(i % 5 == 0) for i in owner],
        )

    return build


@pytest.mark.parametrize("stratify", [(), ("ill", "site")])
def test_smaller_subsets_lie_in_larger_ones(cohort, stratify):
    m = cohort()
    subsets = nested_subsets(m, [150, 5, 40, 200], 0, stratify=stratify)
    assert list(subsets) == [5, 40, 150, 200]
    for size, mask in subsets.items():
        subset = m.subset(mask)
        assert subset.table["patient_id"].nunique() == size
        # Patients come with all of their images.
        assert len(subset) == m.table["patient_id"].isin(subset.table["patient_id"]).sum()
    for smaller, larger in itertools.pairwise(subsets.values()):
        assert (larger | ~smaller).all()
    alone = nested_subsets(m, [40], 0, stratify=stratify)[40]
    assert (alone == subsets[40]).all()
    assert (nested_subsets(m, [40], 1, stratify=stratify)[40] != alone).any()


@pytest.mark.parametrize("seed", range(4))
def test_every_stratum_has_its_share_of_every_subset(cohort, seed):
    m = cohort(600)
    strata = m.table.drop_duplicates("patient_id").groupby(["ill", "site"]).size()
    for size, mask in nested_subsets(m, [20, 60, 300], seed, stratify=("ill", "site")).items():
        subset = m.subset(mask).table.drop_duplicates("patient_id")
        counts = subset.groupby(["ill", "site"]).size()
        for stratum, count in strata.items():
            assert abs(counts.get(stratum, 0) - count * size / 600) <= 2


@pytest.mark.parametrize(
    ("sizes", "unit", "sentence"),
    [
        ([0], "patient_id", "a subset of 0 units of patient_id; the manifest of a test has 4"),
        ([2, 5], "patient_id", "has 4: expected 1 to 4."),
        ([2], "slide", "Unknown unit of splits 'slide'"),
    ],
)
def test_wrong_sizes_and_units(cohort, sizes, unit, sentence):
    with pytest.raises(UserError) as caught:
        nested_subsets(cohort(4), sizes, 0, unit)
    assert sentence in str(caught.value)


def test_images_without_a_patient_are_units_of_their_own_on_request(make):
    m = make(50, patient_id=None)
    with pytest.raises(UserError, match="50 of 50 images have no patient_id"):
        nested_subsets(m, [2], 0)
    (mask,) = nested_subsets(m, [2], 0, allow_missing_ids=True).values()
    assert mask.sum() == 2
