"""Differences of two models' calibration and of their rates at thresholds, by patient."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from remedis.errors import UserError
from remedis.evaluation.calibration_error import bin_count, bins
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.metric_differences import CALIBRATION, metric_differences
from remedis.evaluation.thresholds import KINDS, Thresholds

NAMES = ("a", "b")


def pair(seed=0, patients=120, distance=1.5, gain=0.0, names=NAMES, noise=0.7):
    """Two tables of predictions of equally good models; the second is `gain` better."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    tables = [
        pd.DataFrame(
            {
                "path": np.arange(len(patient)).astype(str),
                "split": "test",
                "patient_id": patient.astype(str),
            }
        )
        for _ in range(2)
    ]
    for name in names:
        positive = (rng.random(patients) < 0.3)[patient].astype(float)
        common = rng.normal(size=patients)[patient]
        for i, table in enumerate(tables):
            logits = (distance + i * gain) * (positive - 0.5) + common
            logits = logits + noise * rng.normal(size=len(patient))
            table[f"label/{name}"], table[f"log_odds/{name}"] = positive, logits
            table[f"score/{name}"] = expit(logits)
    return tables


def cuts(value=0.0, names=NAMES):
    odds = {kind: dict.fromkeys(names, value) for kind in KINDS}
    probabilities = dict.fromkeys(names, float(expit(value)))
    return Thresholds(probabilities, probabilities, 0.9, odds)


def test_every_metric_is_that_of_the_evaluations():
    first, second = pair()
    chosen = cuts(-0.3), cuts(0.4)
    found = metric_differences(first, second, "test", chosen)
    evaluated = [
        evaluate_table(table, NAMES, "test", thresholds=cut, resamples=40)
        for table, cut in zip((first, second), chosen, strict=True)
    ]
    assert set(found) == set(CALIBRATION) | {
        f"{kind}/{rate}" for kind in KINDS for rate in ("sensitivity", "specificity")
    }
    for name, of in found.items():
        for label in NAMES:
            values = [e["metrics"][name]["labels"][label]["value"] for e in evaluated]
            assert [of.labels[label].first, of.labels[label].second] == pytest.approx(values)
            assert of.labels[label].difference == pytest.approx(values[1] - values[0])
        assert of.averaged == NAMES
        means = [e["metrics"][name]["mean"]["value"] for e in evaluated]
        assert of.mean.difference == pytest.approx(means[1] - means[0])
        assert of.mean.low < of.mean.difference < of.mean.high
        assert 0 < of.mean.p <= 1


def test_the_interval_is_that_of_a_paired_bootstrap_by_patient():
    first, second = pair(1, patients=300, names=("a",))
    chosen = cuts(names=("a",)), cuts(names=("a",))
    found = metric_differences(first, second, "test", chosen)
    patient = first["patient_id"].astype(int).to_numpy()
    rng = np.random.default_rng(0)
    weights = rng.multinomial(300, np.full(300, 1 / 300), 1500)[:, patient]
    y = first["label/a"].to_numpy()
    p = [table["score/a"].to_numpy() for table in (first, second)]
    bin_of = [bins(of, bin_count(300)) for of in p]
    draws = {
        "brier": [weights @ (of - y) ** 2 / weights.sum(1) for of in p],
        "youden/sensitivity": [weights @ ((of >= 0.5) * y) / (weights @ y) for of in p],
        "youden/specificity": [weights @ ((of < 0.5) * (1 - y)) / (weights @ (1 - y)) for of in p],
        "calibration_error": [
            sum(np.abs(weights @ ((of == b) * (y - q))) for b in range(bin_count(300)))
            / weights.sum(1)
            for of, q in zip(bin_of, p, strict=True)
        ],
    }
    for name, (of_first, of_second) in draws.items():
        spread = np.std(of_second - of_first)
        width = found[name].labels["a"].high - found[name].labels["a"].low
        # Student's t and few patients with the rarer outcome widen by some percent.
        assert width / (2 * 1.96 * spread) == pytest.approx(1.05, abs=0.12), name


def test_under_the_null_few_p_values_are_small():
    small = dict.fromkeys(("brier", "target_sensitivity/specificity", "calibration_slope"), 0)
    for seed in range(60):
        tables = pair(seed, patients=80, names=("a",))
        chosen = cuts(names=("a",)), cuts(names=("a",))
        found = metric_differences(*tables, "test", chosen, resamples=40)
        for name in small:
            small[name] += found[name].labels["a"].p < 0.05
    # 60 draws hold at most 8 with probability 99.4 % at a level of 5 %.
    assert max(small.values()) <= 8


def test_a_better_model_is_found_better():
    first, second = pair(3, patients=400, gain=1.5)
    found = metric_differences(first, second, "test", (cuts(), cuts()))
    for name, sign in (("brier", -1), ("youden/sensitivity", 1), ("youden/specificity", 1)):
        assert sign * found[name].mean.difference > 0
        assert found[name].mean.p < 0.001


def test_equal_models_have_no_p_value_and_an_interval_of_what_was_not_seen():
    first, _ = pair(4, names=("a",))
    found = metric_differences(first, first, "test", (cuts(names=("a",)), cuts(names=("a",))))
    of = found["youden/sensitivity"].labels["a"]
    assert (of.difference, of.p) == (0, None)
    assert -of.low == of.high > 0.05
    assert found["calibration_slope"].labels["a"].p is None


def test_a_label_without_a_threshold_or_a_class_says_why():
    first, second = pair(5)
    first["label/b"] = second["label/b"] = 0.0
    none = {"a": 0.5, "b": None}
    chosen = Thresholds(none, none, 0.9)
    found = metric_differences(first, second, "test", (chosen, chosen))
    of = found["youden/sensitivity"]
    assert of.averaged == ("a",)
    assert of.labels["b"].reason == "0 positive patients, 5 are needed"
    assert found["brier"].averaged == NAMES
    without = metric_differences(first, second, "test", (None, chosen))
    assert set(without) == set(CALIBRATION)
    scores = [table.assign(**{"score/a": 7.0, "score/b": 8.0}) for table in (first, second)]
    assert metric_differences(*scores, "test", (None, None)) == {}


def test_other_images_are_refused():
    first, second = pair(6)
    with pytest.raises(UserError, match="images of split 'test' differ"):
        metric_differences(first, second.iloc[1:], "test", (None, None))
