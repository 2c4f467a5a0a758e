import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from remedis.errors import UserError
from remedis.evaluation import calibration
from remedis.evaluation.evaluate import evaluate_table
from remedis.evaluation.evaluation_result import Metric
from remedis.evaluation.nested_bootstrap import nested_intervals
from remedis.evaluation.thresholds import choose_by_log_odds

NAMES = ("a", "b")


def case(seed, validation, test=200, method="platt", shift=0.0):
    """A table of both splits, its evaluation on test, and the calibration."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(validation + test), 2)
    labels = (rng.random((validation + test, 2)) < 0.3)[rows].astype(float)
    logits = 20 * (rng.normal(size=labels.shape) + 1.3 * labels - 1) + shift
    table = pd.DataFrame({"patient_id": [f"p{row}" for row in rows]})
    table["split"] = np.where(rows < validation, "validation", "test")
    for i, name in enumerate(NAMES):
        table[f"label/{name}"], table[f"logit/{name}"] = labels[:, i], logits[:, i]
    chosen = rows < validation
    fitted = calibration.fit(
        logits[chosen], labels[chosen], NAMES, method, patient_ids=rows[chosen]
    )
    odds = fitted.log_odds(logits)
    for i, name in enumerate(NAMES):
        table[f"log_odds/{name}"], table[f"score/{name}"] = odds[:, i], expit(odds[:, i])
    thresholds = choose_by_log_odds(labels[chosen], odds[chosen], NAMES, 0.9)
    evaluated = evaluate_table(table, NAMES, "test", thresholds=thresholds, resamples=40)
    return table, evaluated, fitted


def widths(metrics, name):
    return np.array([of.high - of.low for of in Metric.from_json(metrics[name]).labels.values()])


def test_intervals_include_the_choice_and_keep_the_values():
    table, evaluated, fitted = case(0, 60)
    nested = nested_intervals(table, NAMES, evaluated, fitted, resamples=60)
    metrics = nested["metrics"]
    assert sorted(metrics) == sorted(
        name for name in evaluated["metrics"] if name not in ("average_precision", "accuracy")
    )
    for name, metric in metrics.items():
        before, after = Metric.from_json(evaluated["metrics"][name]), Metric.from_json(metric)
        for old, new in (
            (before.mean, after.mean),
            *zip(before.labels.values(), after.labels.values(), strict=True),
        ):
            assert (new.value, new.patients) == (old.value, old.patients)
            assert new.low <= old.low <= old.high <= new.high
    # At a threshold chosen on 60 patients, the choice matters more than the test patients.
    name = "target_sensitivity/sensitivity"
    assert (widths(metrics, name) > 1.3 * widths(evaluated["metrics"], name)).all()
    assert nested["resamples"] == 60
    json.dumps(nested, allow_nan=False)


def test_with_many_validation_patients_the_choice_adds_little():
    table, evaluated, fitted = case(1, 8000)
    metrics = nested_intervals(table, NAMES, evaluated, fitted, resamples=40)["metrics"]
    for name in ("target_sensitivity/sensitivity", "brier", "calibration_slope"):
        ratio = widths(metrics, name) / widths(evaluated["metrics"], name)
        assert (ratio < 1.35).all(), name


def test_the_draws_agree_with_the_real_functions_applied_to_a_resample():
    table, evaluated, fitted = case(2, 80, shift=60.0)
    from remedis.evaluation.nested_bootstrap import _Resampled, _Split

    test = _Split.of(table, "test", NAMES)
    whole = _Resampled.of(test, fitted, NAMES)
    kinds = evaluated["thresholds"]["log_odds"]
    cuts = {kind: np.array(list(of.values())) for kind, of in kinds.items()}
    found = whole.metrics(fitted, cuts, np.ones(len(test.known)))
    gaps = found.pop("gaps")
    for name, values in found.items():
        want = [of["value"] for of in evaluated["metrics"][name]["labels"].values()]
        np.testing.assert_allclose(values, want, rtol=1e-5)
    errors = [of["value"] for of in evaluated["metrics"]["calibration_error"]["labels"].values()]
    np.testing.assert_allclose(np.abs(gaps).sum(axis=1), errors, rtol=1e-5)


def test_a_label_that_was_not_calibrated_stays_so_and_a_rare_one_is_not_estimable():
    table, _, _ = case(3, 60)
    rare = (table["split"] == "validation") & (table["label/b"] == 1)
    keep = table.loc[rare, "patient_id"].unique()[:3]
    table.loc[rare & ~table["patient_id"].isin(keep), "label/b"] = 0
    chosen = table[table["split"] == "validation"]
    labels, logits = (
        chosen[[f"{kind}/{name}" for name in NAMES]].to_numpy() for kind in ("label", "logit")
    )
    fitted = calibration.fit(logits, labels, NAMES, "platt", patient_ids=chosen["patient_id"])
    assert fitted.left_out == ("b",)
    thresholds = choose_by_log_odds(labels, fitted.log_odds(logits), NAMES)
    evaluated = evaluate_table(table, NAMES, "test", thresholds=thresholds, resamples=40)
    metrics = nested_intervals(table, NAMES, evaluated, fitted, resamples=40)["metrics"]
    brier = metrics["brier"]["labels"]["b"]
    before = evaluated["metrics"]["brier"]["labels"]["b"]
    assert brier["value"] == pytest.approx(before["value"])
    assert metrics["youden/sensitivity"]["labels"]["a"]["value"] is not None


def test_a_number_that_resamples_do_not_have_says_why():
    table, _, fitted = case(3, 60)
    validation = table["split"] == "validation"
    table.loc[validation, "label/b"] = table["patient_id"].isin(["p0", "p1"]).astype(float)
    names = [f"{kind}/{name}" for kind in ("label", "log_odds") for name in NAMES]
    labels, odds = np.split(table.loc[validation, names].to_numpy(), 2, axis=1)
    thresholds = choose_by_log_odds(labels, odds, NAMES)
    evaluated = evaluate_table(table, NAMES, "test", thresholds=thresholds, resamples=40)
    metrics = nested_intervals(table, NAMES, evaluated, fitted, resamples=40)["metrics"]
    of_label = metrics["youden/sensitivity"]["labels"]["b"]
    assert evaluated["metrics"]["youden/sensitivity"]["labels"]["b"]["value"] is not None
    assert (of_label["value"], of_label["low"]) == (None, None)
    assert of_label["reason"].startswith("undefined in too many resamples")


def test_without_logits_thresholds_or_validation_it_says_so():
    table, evaluated, fitted = case(4, 40)
    with pytest.raises(UserError, match="need thresholds"):
        nested_intervals(table, NAMES, {**evaluated, "thresholds": None}, fitted)
    with pytest.raises(UserError, match="need the logits of the validation split"):
        nested_intervals(table[table["split"] == "test"], NAMES, evaluated, fitted)
    with pytest.raises(UserError, match="3 resamples are too few"):
        nested_intervals(table, NAMES, evaluated, fitted, resamples=3)
