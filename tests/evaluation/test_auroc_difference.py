import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from remedis.errors import UserError
from remedis.evaluation.auroc_difference import compare, compare_tables
from remedis.evaluation.delong import delong, spread_ratio

NAMES = ("Edema", "Fracture")


def case(seed, patients=120, images=2, worse=0.5):
    rng = np.random.default_rng(seed)
    labels = (rng.random((patients, 2)) < 0.4).repeat(images, axis=0).astype(float)
    shared = rng.normal(size=labels.shape) + labels
    first = shared + rng.normal(size=labels.shape) * 0.3
    second = shared + rng.normal(size=labels.shape) * worse
    return labels, first, second, np.repeat(np.arange(patients), images)


def tables(seed=0):
    labels, first, second, patients = case(seed, images=1)
    predictions = []
    for scores in (first, second):
        table = pd.DataFrame(
            {"path": [f"{i}.png" for i in range(120)], "patient_id": patients, "split": "test"}
        )
        for i, name in enumerate(NAMES):
            table[f"label/{name}"], table[f"score/{name}"] = labels[:, i], scores[:, i]
        predictions.append(table)
    return predictions


def test_equal_ranks_are_no_proof_of_equal_models():
    labels, first, _, patients = case(0)
    # Scores that rank the images alike do not differ either, nor do two perfect models.
    for one, other in ((first, first), (first, np.exp(first)), (labels, 2 * labels)):
        comparison = compare(labels, one, other, NAMES, patients, resamples=40)
        for name, d in comparison.labels.items():
            positives = labels[::2, NAMES.index(name)].sum()
            # None of k pairs is ordered differently: at most this share of all pairs is.
            unseen = 1 - 0.025 ** (1 / min(positives, 120 - positives))
            assert (d.difference, d.low, d.high) == pytest.approx((0, -unseen, unseen))
        mean = comparison.mean
        assert mean.low == pytest.approx(-mean.high)
        assert 0.02 < mean.high < max(d.high for d in comparison.labels.values())
        for d in (*comparison.labels.values(), mean):
            assert (d.p, d.bootstrap_low, d.bootstrap_high, d.bootstrap_p) == (None,) * 4


def test_a_perfect_model_and_a_constant_one_differ_by_more_than_0():
    labels, _, _, patients = case(0)
    d = compare(labels, np.zeros_like(labels), labels, NAMES, patients, resamples=40).mean
    assert d.difference == 0.5
    assert 0.3 < d.low < 0.5 < d.high < 0.7
    assert (d.p, d.bootstrap_p) == (None, None)


def test_a_label_with_equal_ranks_is_not_certain_within_a_mean():
    labels, first, second, patients = case(0)
    second[:, 1] = first[:, 1]
    comparison = compare(labels, first, second, NAMES, patients, resamples=40)
    width = [d.high - d.low for d in (*comparison.labels.values(), comparison.mean)]
    assert comparison.labels["Fracture"].p is None
    assert comparison.mean.p is not None
    assert width[2] > np.hypot(*width[:2]) / 2.1


def test_difference_and_p_follow_from_the_covariance():
    labels, first, second, patients = case(1)
    comparison = compare(labels, first, second, NAMES, patients, resamples=200)
    areas = delong(np.hstack([labels] * 2), np.hstack([first, second]), patients)
    ratio = spread_ratio((areas.values[:2] + areas.values[2:]) / 2, areas.pairs[:2])
    factor = np.sqrt(np.tile(ratio, 2))
    covariance = areas.covariance * np.outer(factor, factor)
    edema = np.array([-1, 0, 1, 0.0])
    mean = np.array([-0.5, -0.5, 0.5, 0.5])
    for d, contrast in ((comparison.labels["Edema"], edema), (comparison.mean, mean)):
        error = np.sqrt(contrast @ covariance @ contrast)
        assert d.difference == pytest.approx(contrast @ areas.values)
        assert d.second - d.first == pytest.approx(d.difference)
        degrees = areas.pairs[0] - 1
        if d is comparison.mean:
            # Shares of the variance: of each label, with half of what both have in common.
            shares = contrast * (covariance @ contrast) / error**2
            shares = shares[:2] + shares[2:]
            degrees = (shares / np.sqrt(areas.pairs[:2] - 1)).sum() ** -2
        assert d.p == pytest.approx(2 * student.sf(abs(d.difference) / error, degrees))
        half = student.ppf(0.975, degrees) * error
        assert (d.low, d.high) == pytest.approx((d.difference - half, d.difference + half))
        assert (d.low + d.high) / 2 == pytest.approx(d.difference)
        # DeLong and the bootstrap give similar intervals.
        width = d.bootstrap_high - d.bootstrap_low
        assert d.high - d.low == pytest.approx(width, rel=0.25)
    json.dumps(comparison.to_json(), allow_nan=False)


def test_swapped_models_swap_the_sign():
    labels, first, second, patients = case(2)
    comparison = compare(labels, first, second, NAMES, patients, resamples=100).mean
    swapped = compare(labels, second, first, NAMES, patients, resamples=100).mean
    assert swapped.difference == pytest.approx(-comparison.difference)
    assert (swapped.low, swapped.high, swapped.p) == pytest.approx(
        (-comparison.high, -comparison.low, comparison.p)
    )
    assert swapped.bootstrap_low == pytest.approx(-comparison.bootstrap_high)
    assert swapped.bootstrap_p == pytest.approx(comparison.bootstrap_p)


def test_a_large_difference_has_a_small_p():
    labels, first, _, patients = case(3)
    noise = np.random.default_rng(0).normal(size=first.shape)
    comparison = compare(labels, first, noise, NAMES, patients, resamples=199).mean
    assert comparison.p < 1e-6
    assert comparison.bootstrap_p == pytest.approx(2 / 200)
    assert comparison.high < 0


def test_p_is_uniform_without_a_difference():
    values = []
    for seed in range(100):
        labels, first, second, patients = case(seed, patients=60, worse=0.3)
        values.append(compare(labels, first, second, NAMES, patients, resamples=40).mean.p)
    assert np.mean(np.array(values) < 0.05) <= 0.12
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)


def test_a_rare_label_is_not_estimable_and_not_in_the_mean():
    labels, first, second, patients = case(4)
    labels[:, 1] = 0
    labels[:8, 1] = 1  # four patients
    comparison = compare(labels, first, second, NAMES, patients, resamples=40)
    assert comparison.averaged == ("Edema",)
    assert comparison.labels["Fracture"].p is None
    assert comparison.labels["Fracture"].positives == 4
    assert comparison.mean.difference == comparison.labels["Edema"].difference


def test_patients_with_many_images_are_explained():
    labels, first, second, patients = case(4)
    rows = np.concatenate([np.arange(240), np.repeat(np.flatnonzero(labels[:, 0])[:1], 200)])
    comparison = compare(
        labels[rows], first[rows], second[rows], NAMES, patients[rows], resamples=40
    )
    edema = comparison.labels["Edema"]
    assert edema.difference is None
    assert edema.reason.startswith(f"{edema.positives} positive patients count as 2.1 because")
    assert edema.largest_patient_images == 202


def test_tables_are_matched_by_path():
    first, second = tables()
    want = compare_tables(first, second, resamples=40)
    shuffled = second.sample(frac=1, random_state=0)
    extra = shuffled.assign(split="validation", path="v" + shuffled["path"])
    assert compare_tables(first, pd.concat([extra, shuffled]), resamples=40) == want
    assert want.images == 120


def test_tables_of_different_images_are_refused():
    first, second = tables()

    def refused(sentence, table):
        with pytest.raises(UserError, match=sentence):
            compare_tables(first, table, resamples=40)

    refused(r"1 are in one of the two only, such as 7\.png", second.drop(index=7))
    refused(
        "labels differ: Edema, Fracture in the first, Edema in the second",
        second.drop(columns=["label/Fracture", "score/Fracture"]),
    )
    changed = second.copy()
    changed.loc[3, "label/Edema"] = np.nan
    refused(r"label/Edema of 3\.png is not the same .* for 1 of 120 images", changed)
    refused(r"patient_id of 0\.png .* 120 of 120", second.assign(patient_id=-1))
    refused("no rows of split 'test' in the second", second.assign(split="train"))
    refused(r"0\.png occurs twice", pd.concat([second, second.iloc[:1]]))
