import itertools

import numpy as np
import pytest

from remedis.data import splits
from remedis.errors import UserError


@pytest.fixture
def cohort(make):
    """200 patients with one to four images, of three hospitals, a fifth of them ill."""

    def build(patients=200):
        owner = [i for i in range(patients) for _ in range(1 + i % 4)]
        return make(
            len(owner),
            patient_id=[f"p{i}" for i in owner],
            site=[f"h{i % 7 // 3}" for i in owner],
            ill=[float(i % 5 == 0) for i in owner],
        )

    return build


def by_patient(manifest, values):
    return dict(zip(manifest.table["patient_id"], values.tolist(), strict=True))


@pytest.mark.parametrize("stratify", [(), ("ill", "site")])
@pytest.mark.parametrize("seed", range(5))
def test_folds_are_disjoint_by_patient_and_complete(cohort, seed, stratify):
    m = cohort()
    fold = splits.folds(m, 5, seed, stratify=stratify)
    assert fold.shape == (len(m),)
    assert set(fold) == set(range(5))
    assert m.table.groupby("patient_id")["path"].count().sum() == len(m)
    assert all(len(set(fold[(m.table["patient_id"] == p)])) == 1 for p in ("p0", "p3", "p199"))
    assert (fold == splits.folds(m, 5, seed, stratify=stratify)).all()
    assert (fold != splits.folds(m, 5, seed + 1, stratify=stratify)).any()


def test_folds_stay_when_patients_are_added(cohort):
    small, large = cohort(150), cohort(200)
    few, many = (by_patient(m, splits.folds(m, 5, 0)) for m in (small, large))
    assert few.items() <= many.items()


def test_sizes_of_folds(cohort):
    m = cohort(1000)
    counts = np.bincount(list(by_patient(m, splits.folds(m, 5, 0)).values()))
    # Binomial: 4 standard deviations of 1000 draws of 1 in 5.
    assert (abs(counts - 200) <= 4 * np.sqrt(1000 * 0.2 * 0.8)).all()
    fold = by_patient(m, splits.folds(m, 5, 0, stratify=("ill", "site")))
    strata = m.table.drop_duplicates("patient_id").groupby(["ill", "site"])["patient_id"]
    for _, patients in strata:
        counts = np.bincount([fold[p] for p in patients], minlength=5)
        # One unit of slack at either end of a fold.
        assert (abs(counts - len(patients) / 5) <= 2).all()


@pytest.mark.parametrize("stratify", [(), ("ill", "site")])
def test_smaller_subsets_lie_in_larger_ones(cohort, stratify):
    m = cohort()
    subsets = splits.nested_subsets(m, [150, 5, 40, 200], 0, stratify=stratify)
    assert list(subsets) == [5, 40, 150, 200]
    for size, mask in subsets.items():
        part = m.subset(mask)
        assert part.table["patient_id"].nunique() == size
        # Patients come with all of their images.
        assert len(part) == m.table["patient_id"].isin(part.table["patient_id"]).sum()
    masks = list(subsets.values())
    for smaller, larger in itertools.pairwise(masks):
        assert (larger | ~smaller).all()
    again = splits.nested_subsets(m, [40], 0, stratify=stratify)[40]
    assert (again == subsets[40]).all()
    assert (splits.nested_subsets(m, [40], 1, stratify=stratify)[40] != again).any()


@pytest.mark.parametrize("seed", range(4))
def test_every_stratum_has_its_share_of_every_subset(cohort, seed):
    m = cohort(600)
    strata = m.table.drop_duplicates("patient_id").groupby(["ill", "site"]).size()
    for size, mask in splits.nested_subsets(
        m, [20, 60, 300], seed, stratify=("ill", "site")
    ).items():
        part = m.subset(mask).table.drop_duplicates("patient_id").groupby(["ill", "site"]).size()
        for stratum, count in strata.items():
            assert abs(part.get(stratum, 0) - count * size / 600) <= 2


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda m: splits.folds(m, 1, 0), "Asked for 1 folds; expected 2 or more."),
        (lambda m: splits.folds(m, 9, 0), "came out empty: the manifest of a test has only 4 unit"),
        (lambda m: splits.nested_subsets(m, [0], 0), "a subset of 0 units of patient_id; the man"),
        (lambda m: splits.nested_subsets(m, [2, 5], 0), "has 4: expected 1 to 4."),
        (lambda m: splits.folds(m, 2, 0, unit="slide"), "Unknown unit of splits 'slide'"),
    ],
)
def test_wrong_wishes(cohort, ask, sentence):
    with pytest.raises(UserError) as caught:
        ask(cohort(4))
    assert sentence in str(caught.value)


def test_images_without_a_patient_are_units_of_their_own_on_request(make):
    m = make(50, patient_id=None)
    with pytest.raises(UserError, match="50 of 50 images have no patient_id"):
        splits.folds(m, 2, 0)
    assert set(splits.folds(m, 2, 0, allow_missing_ids=True)) == {0, 1}
