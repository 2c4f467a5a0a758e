"""Saturated probabilities tie; log odds do not. Each case is ranked through the real functions."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, log_softmax, logsumexp, softmax
from sklearn.metrics import average_precision_score, roc_auc_score

from remedis.evaluation import calibration
from remedis.evaluation.auroc_difference import compare_tables
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.ranking import (
    SATURATION,
    class_log_odds,
    log_odds_of_probabilities,
    ranking_of,
)
from remedis.evaluation.thresholds import choose, choose_by_log_odds
from remedis.reporting.roc_plot import roc_curves


def logits_of(seed, mean, deviation, distance, rows=400):
    """Labels [n, 1] and float32 logits [n, 1]: positives are higher by `distance` deviations."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(rows) % 2).astype(float)[:, None]
    logits = mean + deviation * (rng.normal(size=labels.shape) + distance * (labels - 0.5))
    return labels, logits.astype(np.float32)


def table_of(labels, logits, probabilities, names=("a",), log_odds=None, split="test"):
    table = pd.DataFrame({"path": [f"{i}.png" for i in range(len(labels))], "split": split})
    table["patient_id"] = [f"p{i}" for i in range(len(labels))]
    for i, name in enumerate(names):
        table[f"label/{name}"] = labels[:, i]
        table[f"score/{name}"] = probabilities[:, i].astype(np.float32)
        if logits is not None:
            table[f"logit/{name}"] = logits[:, i]
        if log_odds is not None:
            table[f"log_odds/{name}"] = log_odds[:, i]
    return table


@pytest.mark.parametrize("with_log_odds", [True, False])
@pytest.mark.parametrize(
    ("mean", "deviation", "distance"), [(98, 1, 3.1), (23.5, 3, 1.67), (15, 4, 1.26)]
)
def test_saturated_scores_are_ranked_by_their_logits(mean, deviation, distance, with_log_odds):
    labels, logits = logits_of(0, mean, deviation, distance)
    probabilities = expit(logits)
    odds = logits.astype(np.float64) if with_log_odds else None
    table = table_of(labels, logits, probabilities, log_odds=odds)
    evaluated = evaluate_table(table, ("a",), "test", resamples=40)
    want = roc_auc_score(labels, logits)
    saturated = roc_auc_score(labels, table["score/a"])
    assert abs(want - saturated) > 0.008
    assert evaluated["labels"]["a"]["value"] == pytest.approx(want)
    assert evaluated["labels"]["a"]["low"] < want < evaluated["labels"]["a"]["high"]
    assert evaluated["metrics"]["average_precision"]["labels"]["a"]["value"] == pytest.approx(
        average_precision_score(labels, logits)
    )
    assert evaluated["ranked_by"] == ("log odds" if with_log_odds else "logits")
    assert (evaluated["ties"]["a"]["images"], evaluated["warnings"]) == (0, [])

    other = table.assign(**{"score/a": 0.5, "logit/a": 0.0})
    if with_log_odds:
        other["log_odds/a"] = 0.0
    comparison = compare_tables(other, table, resamples=40)
    assert comparison.labels["a"].difference == pytest.approx(want - 0.5)


def test_saturated_scores_alone_are_ranked_and_their_ties_counted():
    labels, logits = logits_of(1, 23.5, 3, 1.67)
    table = table_of(labels, None, expit(logits))
    evaluated = evaluate_table(table, ("a",), "test", resamples=40)
    assert evaluated["labels"]["a"]["value"] == pytest.approx(
        roc_auc_score(labels, table["score/a"])
    )
    ones = table["score/a"] == 1
    positive = labels[:, 0] == 1
    pairs = (ones & positive).sum() * (ones & ~positive).sum() / (200 * 200)
    assert evaluated["ties"]["a"]["pairs"] == pytest.approx(pairs)
    assert evaluated["ties"]["a"]["images"] == ones.sum()
    (warning,) = evaluated["warnings"]
    assert warning.startswith(f"Scores of positive and negative images tie: a ({ones.sum()} images")
    # Half of the tied pairs is all that the AUROC can be off by.
    assert abs(roc_auc_score(labels, logits) - evaluated["labels"]["a"]["value"]) <= pairs / 2


def classes(seed, rows=600, names=3):
    """One class per row, and float32 logits that make most softmaxes exactly 0 or 1."""
    rng = np.random.default_rng(seed)
    labels = np.eye(names)[rng.integers(names, size=rows)]
    return labels, (14 * (rng.normal(size=labels.shape) + 1.5 * labels)).astype(np.float32)


def test_log_odds_of_classes():
    _, logits = classes(2)
    z = logits.astype(np.float64)
    probabilities = softmax(z, axis=1)
    inside = (probabilities > 1e-8) & (probabilities < 1 - 1e-8)
    odds = class_log_odds(logits)
    np.testing.assert_allclose(
        odds[inside], np.log(probabilities[inside]) - np.log1p(-probabilities[inside]), rtol=1e-6
    )
    np.testing.assert_allclose(odds[:, 0], z[:, 0] - logsumexp(z[:, 1:], axis=1))
    np.testing.assert_allclose(expit(odds).sum(axis=1), 1)
    # Two classes have opposite log odds, the difference of their logits.
    np.testing.assert_allclose(class_log_odds(z[:, :2])[:, 0], z[:, 0] - z[:, 1])


@pytest.mark.parametrize("columns", ["log_odds", "logit", "score"])
@pytest.mark.parametrize("scale", [1.0, 0.3, 3.0])
def test_classes_are_ranked_by_their_log_odds(columns, scale):
    labels, logits = classes(3)
    names = ("a", "b", "c")
    odds = class_log_odds(scale * logits.astype(np.float64))
    probabilities = softmax(scale * logits.astype(np.float64), axis=1)
    table = table_of(
        labels,
        None if columns == "score" else logits,
        probabilities,
        names,
        odds if columns == "log_odds" else None,
    )
    evaluated = evaluate_table(table, names, "test", task="multi_class", resamples=40)
    if columns != "log_odds" and (table.filter(like="score/") == 0).any(axis=None):
        assert scale == 3  # nothing but log odds or uncalibrated logits remain
        assert evaluated["ranked_by"] == ("logits" if columns == "logit" else "scores")
        return
    for column, name in enumerate(names):
        want = roc_auc_score(labels[:, column], odds[:, column])
        assert evaluated["labels"][name]["value"] == pytest.approx(want, abs=1e-5)


def test_some_classes_of_a_model_are_not_ranked_by_their_raw_logits():
    labels, logits = classes(4)
    table = table_of(labels, logits, softmax(logits / 10.0, axis=1), ("a", "b", "c"))
    ranked = ranking_of(table, ("a", "b"))
    assert ranked.source == "scores"
    np.testing.assert_array_equal(ranked.values, table[["score/a", "score/b"]])


@pytest.mark.parametrize("method", ["platt", "temperature", "none"])
@pytest.mark.parametrize("slope", [1.0, -1.0])
def test_calibration_does_not_change_the_order(method, slope):
    labels, logits = logits_of(5, 98, 3, 1.2)
    validation, of_validation = logits_of(6, 98, 3, slope * 1.2)  # -1: the scale is clamped
    fitted = calibration.fit(of_validation, validation, ("a",), method)
    if slope < 0 and method != "none":
        assert fitted.scale[0] == calibration.SCALES[0]
    odds = fitted.log_odds(logits)
    assert roc_auc_score(labels, odds) == roc_auc_score(labels, logits)
    np.testing.assert_array_equal(np.argsort(odds[:, 0]), np.argsort(logits[:, 0]))
    table = table_of(labels, logits, fitted.probabilities(logits), log_odds=odds)
    evaluated = evaluate_table(table, ("a",), "test", resamples=40)
    assert evaluated["labels"]["a"]["value"] == pytest.approx(roc_auc_score(labels, logits))


def test_a_label_that_calibration_leaves_out_keeps_its_order():
    labels, logits = logits_of(7, 20, 4, 1.02)
    validation, of_validation = logits_of(8, 20, 4, 1.02, rows=40)
    validation[:] = 0
    validation[:4] = 1
    fitted = calibration.fit(of_validation, validation, ("a",), "platt", patient_ids=range(40))
    assert fitted.left_out == ("a",)
    table = table_of(labels, logits, fitted.probabilities(logits), log_odds=fitted.log_odds(logits))
    assert roc_auc_score(labels, table["score/a"]) < roc_auc_score(labels, logits) - 0.02
    evaluated = evaluate_table(table, ("a",), "test", resamples=40)
    assert evaluated["labels"]["a"]["value"] == pytest.approx(roc_auc_score(labels, logits))


def test_a_threshold_lies_between_saturated_scores():
    validation, of_validation = logits_of(9, 98, 1, 3.1)
    labels, logits = logits_of(10, 98, 1, 3.1)
    chosen = choose_by_log_odds(validation, of_validation, ("a",), 0.9)
    assert chosen.youden["a"] == 1.0
    assert 90 < chosen.log_odds["youden"]["a"] < 106
    table = table_of(labels, logits, expit(logits), log_odds=logits.astype(np.float64))
    table["sex"] = np.where(np.arange(len(table)) % 4 < 2, "F", "M")
    evaluated = evaluate_table(table, ("a",), "test", thresholds=chosen, resamples=40)
    for kind in ("youden", "target_sensitivity"):
        called = logits >= chosen.log_odds[kind]["a"]
        for rate, want in (
            ("sensitivity", called[labels == 1].mean()),
            ("specificity", (~called)[labels == 0].mean()),
        ):
            assert evaluated["metrics"][f"{kind}/{rate}"]["labels"]["a"]["value"] == pytest.approx(
                want
            )
            assert want > 0.8
    women = evaluated["subgroups"]["sex"]["a"]["groups"]["F"]
    rows = (table["sex"] == "F").to_numpy()
    called = logits[rows] >= chosen.log_odds["youden"]["a"]
    assert women["specificity"]["value"] == pytest.approx((~called)[labels[rows] == 0].mean())
    assert women["auroc"]["value"] == pytest.approx(roc_auc_score(labels[rows], logits[rows]))


def test_thresholds_of_log_odds_and_of_scores_call_the_same_images():
    labels, logits = logits_of(11, 0, 2, 1.5)
    by_odds = choose_by_log_odds(labels, logits, ("a",))
    by_score = choose(labels, expit(logits.astype(np.float64)), ("a",))
    for kind in ("youden", "target_sensitivity"):
        odds = by_odds.log_odds[kind]["a"]
        want = logits >= odds
        for thresholds in (by_odds, by_score):
            threshold = np.float32(getattr(thresholds, kind)["a"])
            np.testing.assert_array_equal(expit(logits) >= threshold, want)
        assert getattr(by_odds, kind)["a"] == pytest.approx(expit(odds))


def test_a_probability_threshold_separates_neighbours_in_single_precision():
    low = np.float64(np.float32(0.3))
    high = np.float64(np.nextafter(np.float32(0.3), np.float32(1)))
    odds = np.log(np.array([[low], [high]]) / (1 - np.array([[low], [high]])))
    threshold = np.float32(choose_by_log_odds([[0.0], [1.0]], odds, ("a",)).youden["a"])
    assert (np.float32([low, high]) >= threshold).tolist() == [False, True]


def test_the_roc_curve_is_that_of_the_ranking_values():
    labels, logits = logits_of(12, 98, 1, 3.1)
    table = table_of(labels, logits, expit(logits))
    from remedis.evaluation.evaluation_result import Result

    evaluated = evaluate_table(table, ("a",), "test", resamples=40)
    ranked = ranking_of(table, ("a",))
    figure = roc_curves(labels, ranked.values, Result.from_json(evaluated), random_weights=False)
    across, up = figure.axes[0].lines[-1].get_data()
    assert np.trapezoid(up, across) == pytest.approx(evaluated["labels"]["a"]["value"])


def test_log_odds_of_probabilities_are_finite_and_ordered():
    probabilities = np.array([0.0, 1e-12, 0.2, 0.5, 1 - 1e-12, 1.0])
    odds = log_odds_of_probabilities(probabilities)
    assert (np.diff(odds) >= 0).all()
    np.testing.assert_allclose(expit(odds[1:5]), probabilities[1:5])
    assert log_odds_of_probabilities([1.0])[0] == SATURATION
    assert np.float32(expit(np.float64(SATURATION) + 1e-9)) == 1
    assert np.float32(expit(np.float64(SATURATION) - 1e-6)) < 1


def test_the_loss_of_saturated_classes_is_exact():
    from remedis.evaluation.selection import Selection
    from remedis.finetuning.gradient import validation_score

    labels, logits = classes(13)
    selection = Selection.of(labels, ("a", "b", "c"), range(len(labels)))
    value, logged = validation_score(labels, logits, "multi_class", selection)
    odds = class_log_odds(logits)
    assert value == pytest.approx(
        np.mean([roc_auc_score(labels[:, i], odds[:, i]) for i in range(3)])
    )
    want = -(labels * log_softmax(logits.astype(np.float64), axis=1)).sum(axis=1).mean()
    assert logged["validation/loss"] == pytest.approx(want)
