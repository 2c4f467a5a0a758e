import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from remedis.errors import UserError
from remedis.evaluation.auroc_difference import compare, compare_tables
from remedis.evaluation.delong import delong, widened_covariance

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
    made = []
    for scores in (first, second):
        table = pd.DataFrame(
            {"path": [f"{i}.png" for i in range(120)], "patient_id": patients, "split": "test"}
        )
        for i, name in enumerate(NAMES):
            table[f"label/{name}"], table[f"score/{name}"] = labels[:, i], scores[:, i]
        made.append(table)
    return made


def test_identical_scores_do_not_differ():
    labels, first, _, patients = case(0)
    # Nor do scores of the same order.
    for same in (first, np.exp(first)):
        found = compare(labels, first, same, NAMES, patients, resamples=40)
        for of in (*found.labels.values(), found.mean):
            assert (of.difference, of.low, of.high, of.p) == pytest.approx((0, 0, 0, 1))
            assert (of.bootstrap_low, of.bootstrap_high, of.bootstrap_p) == pytest.approx((0, 0, 1))


def test_difference_and_p_follow_from_the_covariance():
    labels, first, second, patients = case(1)
    found = compare(labels, first, second, NAMES, patients, resamples=200)
    areas = delong(np.hstack([labels] * 2), np.hstack([first, second]), patients)
    covariance = widened_covariance(areas)
    one = np.array([-1, 0, 1, 0.0])
    both = np.array([-0.5, -0.5, 0.5, 0.5])
    for of, contrast in ((found.labels["Edema"], one), (found.mean, both)):
        error = np.sqrt(contrast @ covariance @ contrast)
        assert of.difference == pytest.approx(contrast @ areas.values)
        assert of.second - of.first == pytest.approx(of.difference)
        assert of.p == pytest.approx(2 * norm.sf(abs(of.difference) / error))
        assert (of.low + of.high) / 2 == pytest.approx(of.difference)
        # Two ways to one interval.
        width = of.bootstrap_high - of.bootstrap_low
        assert of.high - of.low == pytest.approx(width, rel=0.25)
    json.dumps(found.to_json(), allow_nan=False)


def test_swapped_models_swap_the_sign():
    labels, first, second, patients = case(2)
    found = compare(labels, first, second, NAMES, patients, resamples=100).mean
    back = compare(labels, second, first, NAMES, patients, resamples=100).mean
    assert back.difference == pytest.approx(-found.difference)
    assert (back.low, back.high, back.p) == pytest.approx((-found.high, -found.low, found.p))
    assert back.bootstrap_low == pytest.approx(-found.bootstrap_high)
    assert back.bootstrap_p == pytest.approx(found.bootstrap_p)


def test_a_large_difference_has_a_small_p():
    labels, first, _, patients = case(3)
    noise = np.random.default_rng(0).normal(size=first.shape)
    found = compare(labels, first, noise, NAMES, patients, resamples=199).mean
    assert found.p < 1e-6
    assert found.bootstrap_p == pytest.approx(2 / 200)
    assert found.high < 0


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
    found = compare(labels, first, second, NAMES, patients, resamples=40)
    assert found.averaged == ("Edema",)
    assert found.labels["Fracture"].p is None
    assert found.labels["Fracture"].positives == 4
    assert found.mean.difference == found.labels["Edema"].difference


def test_tables_are_matched_by_path():
    first, second = tables()
    want = compare_tables(first, second, resamples=40)
    shuffled = second.sample(frac=1, random_state=0)
    extra = shuffled.assign(split="validation", path="v" + shuffled["path"])
    assert compare_tables(first, pd.concat([extra, shuffled]), resamples=40) == want
    assert want.images == 120


def test_tables_of_other_cases_are_refused():
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
