import json

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from remedis.errors import UserError
from remedis.evaluation import calibration


def _case(seed, rows=4000, scale=0.4, offset=0.0, labels=2):
    """Raw logits, and labels drawn with sigmoid(scale * logit + offset)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.5, 3, (rows, labels))
    return logits, (rng.random(logits.shape) < expit(scale * logits + offset)).astype(float)


def test_a_known_temperature_is_recovered():
    logits, y = _case(0, rows=40_000)
    fitted = calibration.fit(logits, y, ("a", "b"), "temperature")
    np.testing.assert_allclose(fitted.scale, 0.4, atol=0.015)
    assert fitted.offset == (0.0, 0.0)


def test_temperature_and_platt_agree_with_scikit_learn():
    logits, y = _case(1, offset=-1.0)
    y[::7, 1] = np.nan
    temperature = calibration.fit(logits, y, ("a", "b"), "temperature")
    platt = calibration.fit(logits, y, ("a", "b"), "platt")
    for i in range(2):
        known = np.isfinite(y[:, i])
        z, t = logits[known, i, None], y[known, i]
        for fitted, intercept in ((temperature, False), (platt, True)):
            # A smoothed target is a mixture of both classes: two weighted copies of the image.
            positives, negatives = (t == 1).sum(), (t == 0).sum()
            target = np.where(t == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
            twin = LogisticRegression(C=np.inf, fit_intercept=intercept, tol=1e-10)
            twin.fit(
                np.vstack([z, z]),
                np.repeat([1, 0], len(z)),
                sample_weight=np.concatenate([target, 1 - target]),
            )
            assert fitted.scale[i] == pytest.approx(twin.coef_[0, 0], abs=1e-4)
            assert fitted.offset[i] == pytest.approx(
                twin.intercept_[0] if intercept else 0, abs=1e-4
            )


@pytest.mark.parametrize("method", ["temperature", "platt"])
@pytest.mark.parametrize("seed", range(5))
def test_fitted_cases_are_never_less_likely_and_keep_their_order(method, seed):
    logits, y = _case(seed, rows=60, scale=0.2, offset=0.5 * seed, labels=1)
    fitted = calibration.fit(logits, y, ("a",), method)
    before, after = expit(logits), fitted.probabilities(logits)
    assert log_loss(y[:, 0], after[:, 0]) <= log_loss(y[:, 0], before[:, 0]) + 1e-12
    assert brier_score_loss(y[:, 0], after[:, 0]) <= brier_score_loss(y[:, 0], before[:, 0]) + 1e-12
    assert (np.diff(after[np.argsort(logits[:, 0]), 0]) >= 0).all()


@pytest.mark.parametrize("method", ["temperature", "platt"])
def test_separating_and_anticorrelated_logits_stay_within_bounds(method):
    logits = np.linspace(-1, 1, 40)[:, None]
    for y in ((logits > 0).astype(float), (logits < 0).astype(float)):
        fitted = calibration.fit(logits, y, ("a",), method)
        # With 20 images per class and no error, the smoothed target is 21 / 22, not 1.
        assert 0 <= fitted.scale[0] <= 20
        assert np.isfinite(fitted.probabilities(logits)).all()
        # Calibration keeps the order of the images even then.
        assert (np.diff(np.float32(fitted.probabilities(logits)[:, 0])) > 0).all()
    same = calibration.fit(np.ones((40, 1)), np.arange(40)[:, None] % 2, ("a",), method)
    assert np.isfinite(same.probabilities(np.ones((40, 1)))).all()


def test_multi_class_has_one_temperature():
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 4, (20_000, 3))
    shares = softmax(0.5 * logits, axis=1)
    classes = (rng.random((20_000, 1)) > np.cumsum(shares, axis=1)).sum(axis=1)
    y = np.eye(3)[classes]
    y[:10, 2] = np.nan
    fitted = calibration.fit(logits, y, ("a", "b", "c"), "temperature", "multi_class")
    assert len(set(fitted.scale)) == 1
    assert fitted.scale[0] == pytest.approx(0.5, abs=0.02)
    assert fitted.fitted_on["cases"] == 19_990
    np.testing.assert_allclose(fitted.probabilities(logits[:5]).sum(axis=1), 1)
    assert calibration.fit(logits, y, ("a", "b", "c"), "platt", "multi_class") == fitted
    assert {label["method"] for label in fitted.fitted_on["labels"].values()} == {"temperature"}


def test_labels_with_too_few_patients_are_left_out_and_named():
    logits, y = _case(5, rows=200)
    y[:, 1] = 0
    y[:8, 1] = 1  # eight images of four patients
    patients = np.arange(200) // 2
    fitted = calibration.fit(logits, y, ("a", "b"), "temperature", patient_ids=patients)
    assert fitted.left_out == ("b",)
    assert (fitted.scale[1], fitted.offset[1]) == (1.0, 0.0)
    assert fitted.fitted_on["labels"]["b"] == {
        "method": "none",
        "cases": 100,
        "positives": 4,
        "negatives": 96,
        "prevalence": 0.04,
    }
    assert fitted.fitted_on["labels"]["a"]["method"] == "temperature"
    assert calibration.fit(logits, y, ("a", "b"), "temperature").left_out == ()


def test_an_offset_corrects_the_shift_of_balanced_training_and_a_temperature_does_not():
    logits, y = _case(9, rows=20_000, scale=1.0, labels=1)
    shifted = logits + 2.0  # the effect of a class weight of e^2 for positives
    platt = calibration.fit(shifted, y, ("a",), "platt")
    near = np.abs(platt.probabilities(shifted)[:, 0] - 0.3) < 0.05
    assert y[near].mean() == pytest.approx(0.3, abs=0.04)
    temperature = calibration.fit(shifted, y, ("a",), "temperature").probabilities(shifted)
    assert temperature.mean() > y.mean() + 0.05
    assert platt.probabilities(shifted).mean() == pytest.approx(y.mean(), abs=0.005)


def test_a_fit_that_makes_the_labels_less_likely_is_dropped():
    y = np.repeat([0.0, 1.0], 6)[:, None]
    fitted = calibration.fit(np.where(y, 9.0, -9.0), y, ("a",), "platt")
    assert (fitted.scale, fitted.offset) == ((1.0,), (0.0,))
    assert fitted.fitted_on["labels"]["a"]["method"] == "none"
    assert fitted.left_out == ()


def test_none_changes_nothing_and_json_restores_it():
    logits, y = _case(6, rows=50)
    none = calibration.fit(logits, y, ("a", "b"), "none")
    np.testing.assert_array_equal(none.probabilities(logits), expit(logits))
    platt = calibration.fit(logits, y, ("a", "b"), "platt")
    text = json.dumps(platt.to_json(), allow_nan=False)
    assert calibration.Calibration.from_json(json.loads(text)) == platt
    shortest = {"method": "platt", "scale": [1.5], "offset": [0.1], "left_out": None}
    assert calibration.Calibration.from_json(shortest).to_json() == {
        **shortest,
        "fitted_on": {},
        "left_out": [],
        "task": "multi_label",
    }


def test_the_same_images_reach_moved_thresholds():
    logits, y = _case(7, rows=300)
    before = calibration.fit(logits, y, ("a", "b"), "platt")
    after = calibration.fit(logits[::3], y[::3], ("a", "b"), "temperature")
    thresholds = {"youden": {"a": 0.3, "b": None}, "target": 0.9}
    moved = calibration.move_thresholds(thresholds, ("a", "b"), before, after)
    assert moved["target"] == 0.9
    assert moved["youden"]["b"] is None
    np.testing.assert_array_equal(
        before.probabilities(logits)[:, 0] >= 0.3,
        after.probabilities(logits)[:, 0] >= moved["youden"]["a"],
    )


def test_malformed_input_is_one_sentence():
    logits, y = _case(8, rows=20)
    with pytest.raises(UserError, match="Unknown method of calibration 'plat': did you mean"):
        calibration.fit(logits, y, ("a", "b"), "plat")
    with pytest.raises(UserError, match="1 label names for 2 columns"):
        calibration.fit(logits, y, ("a",), "platt")
