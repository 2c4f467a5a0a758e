"""The outlier score: closed forms, known truth and the null."""

import numpy as np
import pytest

from remedis.errors import UserError
from remedis.evaluation import outliers


def of_hospital(rng, patients, images=2, shift=0.0, channels=8):
    """Embeddings whose patients differ more than the images of a patient, and the patients' ids."""
    centre = np.full(channels, 3.0)
    centre[0] += shift
    people = centre + rng.normal(size=(patients, 1, channels))
    rows = people + 0.3 * rng.normal(size=(patients, images, channels))
    ids = np.repeat([f"p{i}" for i in range(patients)], images)
    return rows.reshape(-1, channels).astype(np.float32), ids


def test_the_score_is_the_distance_to_the_kth_neighbour():
    angles = np.deg2rad([0, 10, 30, 60])
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    got = outliers.scores(circle, circle[[0]], 3)
    np.testing.assert_allclose(got, 1 - np.cos(np.deg2rad(30)), rtol=1e-6)
    # The images of the patient of the first two are not their neighbours.
    got = outliers.own_scores(circle, ["a", "a", "b", None], 1)
    np.testing.assert_allclose(got, 1 - np.cos(np.deg2rad([30, 20, 20, 30])), rtol=1e-6)


def test_too_few_other_patients_are_refused():
    with pytest.raises(UserError, match="4 images have fewer than 3 images of other patients"):
        outliers.own_scores(np.eye(4), ["a", "a", "b", "b"], 3)


def auroc(rng, shift, engine="exact"):
    own, own_ids = of_hospital(rng, 60)
    other, other_ids = of_hospital(rng, 60, shift=shift)
    mine = outliers.own_scores(own, own_ids, 5, engine)
    return outliers.told_apart(
        mine, own_ids, outliers.scores(own, other, 5, engine=engine), other_ids
    )


def test_another_hospital_is_told_apart_and_equal_ids_are_other_people():
    far = auroc(np.random.default_rng(0), 8.0)
    assert far.low > 0.9
    assert (far.patients, far.positives) == (120, 60)
    assert auroc(np.random.default_rng(0), 8.0, "faiss") == far


def test_the_same_hospital_is_not_told_apart():
    found = [auroc(np.random.default_rng(seed), 0.0) for seed in range(40)]
    assert np.mean([estimate.value for estimate in found]) == pytest.approx(0.5, abs=0.02)
    covered = np.mean([estimate.low <= 0.5 <= estimate.high for estimate in found])
    assert covered >= 0.85


def test_the_own_patient_as_a_neighbour_would_tell_the_same_hospital_apart():
    rng = np.random.default_rng(0)
    (own, own_ids), (other, other_ids) = of_hospital(rng, 60), of_hospital(rng, 60)
    images = np.arange(len(own))
    unfair = outliers.scores(own, own, 1, groups=images, query_groups=images)
    found = outliers.told_apart(unfair, own_ids, outliers.scores(own, other, 1), other_ids)
    assert found.low > 0.75
