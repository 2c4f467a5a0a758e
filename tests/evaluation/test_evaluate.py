import json

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from remedis.errors import UserError
from remedis.evaluation.evaluate import evaluate

NAMES = ("Edema", "Fracture", "Effusion")


def _hospital(seed, patients=60, images=3, shared=1.0, columns=3):
    """Labels by patient, and scores of which `shared` is the patient's and the rest the image's."""
    rng = np.random.default_rng(seed)
    labels = rng.random((patients, columns)) < 0.4
    person = labels + rng.normal(size=labels.shape) * np.sqrt(shared)
    rows = np.repeat(np.arange(patients), images)
    noise = rng.normal(size=(len(rows), columns)) * np.sqrt(1 - shared)
    return labels[rows].astype(float), person[rows] + noise, [f"p{row:03}" for row in rows]


def _width(estimate):
    return estimate.high - estimate.low


def test_value_counts_and_mean():
    labels, scores, patients = _hospital(0, shared=0.5)
    labels[:6, 0] = np.nan  # two patients
    result = evaluate(labels, scores, NAMES, patients)
    known = ~np.isnan(labels[:, 0])
    first = result.labels["Edema"]
    assert first.value == pytest.approx(roc_auc_score(labels[known, 0], scores[known, 0]))
    assert (first.patients, first.positives) == (58, int((labels[6::3, 0] == 1).sum()))
    assert first.low < first.value < first.high
    values = [estimate.value for estimate in result.labels.values()]
    assert result.mean.value == pytest.approx(np.mean(values))
    assert (result.mean.patients, result.averaged, result.left_out) == (60, NAMES, ())
    # Three labels drawn independently: their mean is known better than any of them.
    assert _width(result.mean) < min(_width(estimate) for estimate in result.labels.values())


def test_a_patient_is_positive_by_any_image():
    labels, scores, patients = _hospital(1)
    labels[1::3] = 0
    result = evaluate(labels, scores, NAMES, patients)
    assert result.labels["Edema"].positives == int((labels[::3, 0] == 1).sum())


def test_copies_of_images_do_not_narrow_the_interval():
    labels, scores, patients = _hospital(2, images=1)
    once = evaluate(labels, scores, NAMES, patients, seed=5)
    again = evaluate(np.tile(labels, (4, 1)), np.tile(scores, (4, 1)), NAMES, patients * 4, seed=5)
    assert again.labels == once.labels
    assert again.mean == once.mean
    by_image = evaluate(
        np.tile(labels, (4, 1)), np.tile(scores, (4, 1)), NAMES, [None] * len(labels) * 4, seed=5
    )
    # Four times the images, half the width.
    assert _width(by_image.mean) == pytest.approx(_width(once.mean) / 2, rel=0.15)


def test_labels_share_their_resamples():
    labels, scores, patients = _hospital(3)
    twice = evaluate(labels[:, [0, 0]], scores[:, [0, 0]], ("a", "b"), patients)
    assert twice.labels["a"] == twice.labels["b"]
    assert _width(twice.mean) == pytest.approx(_width(twice.labels["a"]))


def test_order_of_rows_does_not_matter_and_the_seed_does():
    labels, scores, patients = _hospital(4, shared=0.5)
    want = evaluate(labels, scores, NAMES, patients)
    order = np.random.default_rng(0).permutation(len(labels))
    got = evaluate(labels[order], scores[order], NAMES, np.array(patients)[order])
    assert got == want
    assert evaluate(labels, scores, NAMES, patients, seed=1).mean.low != want.mean.low


def test_interval_covers_the_truth():
    # Equal-variance binormal: AUROC = Phi(distance / (sigma sqrt 2)), here sigma = 1.
    truth = norm.cdf(1 / np.sqrt(2))
    by_patient = by_image = 0
    for draw in range(200):
        labels, scores, patients = _hospital(1000 + draw, images=4, shared=0.8, columns=1)
        for ids in (patients, [None] * len(patients)):
            found = evaluate(labels, scores, ("a",), ids, seed=draw, resamples=400).labels["a"]
            hit = found.low <= truth <= found.high
            by_patient += hit and ids is patients
            by_image += hit and ids is not patients
    assert 0.88 <= by_patient / 200 <= 0.995
    assert by_image / 200 < 0.80  # images taken for independent claim far too much


@pytest.mark.parametrize("flip", [False, True])
def test_fewer_than_five_patients_of_a_class_are_not_estimable(flip):
    labels, scores, patients = _hospital(5)
    labels[:, 0] = 0
    labels[: 4 * 3, 0] = 1  # four patients, twelve images
    labels[:, 1] = 0
    labels[: 5 * 3, 1] = 1
    if flip:
        labels = 1 - labels
    result = evaluate(labels, scores, NAMES, patients)
    positives = 56 if flip else 4
    assert str(result.labels["Edema"]) == f"not estimable, 60 patients, {positives} positive"
    assert result.labels["Fracture"].estimable
    assert (result.averaged, result.left_out) == (NAMES[1:], NAMES[:1])
    values = [result.labels[name].value for name in NAMES[1:]]
    assert result.mean.value == pytest.approx(np.mean(values))


def test_nothing_estimable():
    labels, scores, patients = _hospital(6)
    result = evaluate(np.full_like(labels, np.nan), scores, NAMES, patients)
    assert str(result.mean) == "not estimable, 0 patients, 0 positive"
    assert result.left_out == NAMES
    few = evaluate(labels[:6], scores[:6], NAMES, patients[:6])
    assert few.mean.value is None
    assert few.mean.patients == 2
    json.dumps(few.to_json(), allow_nan=False)


def test_result_prints_and_becomes_json():
    labels, scores, patients = _hospital(7)
    result = evaluate(labels, scores, NAMES, patients, seed=2, resamples=50)
    fields = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert list(fields["labels"]) == list(NAMES)
    assert fields["averaged"] == list(NAMES)
    assert (fields["images"], fields["resamples"], fields["seed"]) == (180, 50, 2)
    assert str(result).splitlines()[-1] == f"mean of 3: {result.mean}"


def test_malformed_input_is_one_sentence():
    labels, scores, patients = _hospital(8)
    with pytest.raises(UserError, match="179 patient ids for 180 rows"):
        evaluate(labels, scores, NAMES, patients[1:])
    with pytest.raises(UserError, match="2 label names for 3 columns"):
        evaluate(labels, scores, NAMES[:2], patients)
    with pytest.raises(UserError, match="names must differ; got a, b, a"):
        evaluate(labels, scores, ("a", "b", "a"), patients)
    scores[7, 2] = np.nan
    with pytest.raises(UserError, match=r"row 7 .*label 'Effusion' is nan"):
        evaluate(labels, scores, NAMES, patients)
