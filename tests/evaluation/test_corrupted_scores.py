"""Scores of corrupted images beside clean ones: known truth, the null, and what destroys all."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from remedis.evaluation import corrupted_scores
from remedis.evaluation.auroc import auroc
from remedis.evaluation.corrupted_scores import Sweep, cosines, mean_cosine


def table(scores, labels, patients=None):
    count = len(scores)
    ids = [f"p{i}" for i in range(count)] if patients is None else patients
    odds = np.asarray(scores, float)
    return pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(count)],
            "patient_id": pd.array(ids, dtype="string"),
            "split": "test",
            "label/ill": labels.astype(float),
            "score/ill": 1 / (1 + np.exp(-odds)),
            "log_odds/ill": odds,
        }
    )


def sweep(clean, resamples=40):
    return Sweep(clean, ["ill"], "multi_label", 0, resamples)


def drawn(rng, count=200):
    labels = rng.permutation(np.arange(count) % 2)
    return labels, rng.normal(size=count)


def test_a_corruption_that_cannot_matter_changes_nothing_at_all():
    labels, noise = drawn(np.random.default_rng(0))
    clean = table(labels + noise, labels, [f"p{i // 2}" for i in range(200)])
    of_clean, again = sweep(clean).metrics(), sweep(clean).metrics(clean.copy())
    assert set(of_clean) == set(corrupted_scores.METRICS)
    for name, metric in again.items():
        for measured in (metric["labels"]["ill"], metric["mean"]):
            assert measured["change"]["difference"] == 0.0
            assert measured["change"]["low"] <= 0 <= measured["change"]["high"]
        assert metric["mean"]["estimate"] == of_clean[name]["mean"]["estimate"]
        assert of_clean[name]["mean"]["change"] is None
    expected = auroc(labels[:, None].astype(float), (labels + noise)[:, None])[0]
    assert of_clean["auroc"]["mean"]["estimate"]["value"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.guarantee
def test_a_corruption_that_destroys_everything_leaves_chance():
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        labels, noise = drawn(rng, 120)
        clean = table(2 * labels + noise, labels)
        found = sweep(clean).metrics(table(rng.normal(size=120), labels))["auroc"]["mean"]
        covered.append(found["estimate"]["low"] <= 0.5 <= found["estimate"]["high"])
        assert found["change"]["high"] < 0
    assert np.mean(covered) >= 0.87


@pytest.mark.guarantee
def test_the_paired_interval_covers_a_known_loss():
    """Binormal scores: the AUROC is the normal distribution at the distance of the means / sqrt 2.

    Clean and corrupted scores share most of their noise, as those of one image do.
    """
    truth = norm.cdf(0.7 / np.sqrt(2)) - norm.cdf(1.5 / np.sqrt(2))
    covered, width = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        labels, common = drawn(rng, 200)
        own = [np.sqrt(0.7) * common + np.sqrt(0.3) * rng.normal(size=200) for _ in range(2)]
        clean = table(1.5 * labels + own[0], labels)
        change = sweep(clean).metrics(table(0.7 * labels + own[1], labels))["auroc"]["mean"][
            "change"
        ]
        covered.append(change["low"] <= truth <= change["high"])
        width.append(change["high"] - change["low"])
    assert np.mean(covered) >= 0.88
    assert np.mean(width) < 0.2


def test_scores_without_any_signal_are_at_chance_and_the_loss_is_seen():
    rng = np.random.default_rng(5)
    labels, noise = drawn(rng)
    clean = table(2 * labels + noise, labels)
    found = sweep(clean).metrics(table(rng.normal(size=200), labels))["auroc"]["mean"]
    assert found["estimate"]["low"] < 0.5 < found["estimate"]["high"]
    assert found["change"]["high"] < -0.2


def test_probabilities_that_become_overconfident_show_in_the_calibration():
    labels, noise = drawn(np.random.default_rng(1), 400)
    odds = labels - 0.5 + noise  # log odds of 1 per unit: calibrated
    found = sweep(table(odds, labels)).metrics(table(4 * odds, labels))
    assert found["auroc"]["mean"]["change"]["difference"] == 0.0
    assert found["brier"]["mean"]["change"]["low"] > 0
    slope = found["calibration_slope"]["mean"]
    before = slope["estimate"]["value"] - slope["change"]["difference"]
    assert slope["estimate"]["value"] == pytest.approx(before / 4, rel=1e-6)


def test_a_single_class_is_not_estimable_and_says_why():
    clean = table(np.arange(20.0), np.zeros(20))
    measured = sweep(clean).metrics(clean)["auroc"]["mean"]
    assert measured["estimate"]["value"] is None
    assert measured["change"]["difference"] is None
    assert "positive" in measured["estimate"]["reason"] or measured["estimate"]["reason"]


def test_cosines_are_those_of_their_angles():
    rows = np.array([[1, 0], [0, 2], [0, 0], [3, 4], [0, 0]], np.float32)
    others = np.array([[2, 0], [1, 0], [0, 0], [-3, -4], [1, 1]], np.float32)
    np.testing.assert_array_equal(cosines(rows, others), [1, 0, 1, -1, 0])
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(50, 300)).astype(np.float32)
    assert (cosines(wide, wide) == 1).all()


def test_the_mean_cosine_has_an_interval_by_patient():
    ids = pd.Series([f"p{i // 4}" for i in range(200)], dtype="string")
    whole = mean_cosine(np.ones(200), ids)
    assert whole.value == 1.0
    assert whole.low < 1 == whole.high
    covered = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        people = rng.uniform(-0.4, 0.8, size=50).repeat(4)
        found = mean_cosine(people, ids)
        assert found.patients == 50
        covered.append(found.low <= 0.2 <= found.high)
    assert np.mean(covered) >= 0.87


@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_the_mean_is_over_the_labels(task):
    rng = np.random.default_rng(0)
    labels, noise = drawn(rng)
    clean = table(labels + noise, labels)
    worse = table(0.3 * labels + noise, labels)
    for of in (clean, worse):
        odds = rng.normal(size=200) - labels
        of["label/well"] = 1.0 - labels
        of["score/well"], of["log_odds/well"] = 1 / (1 + np.exp(-odds)), odds
    found = Sweep(clean, ["ill", "well"], task, 0, 40).metrics(worse)
    for metric in ("auroc", "brier"):
        changes = [found[metric]["labels"][name]["change"] for name in ("ill", "well")]
        mean = np.mean([change["difference"] for change in changes])
        assert found[metric]["mean"]["change"]["difference"] == pytest.approx(mean, abs=1e-12)
