import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from remedis.evaluation.calibration_line import calibration_line
from remedis.evaluation.ranking import log_odds_of_probabilities


def case(seed, patients=300, slope=0.6, intercept=-0.4, columns=2, images=2):
    """Labels [n, L] drawn with sigmoid(intercept + slope * log odds), and the log odds."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(patients), images)
    odds = rng.normal(0, 1.5, (len(rows), columns)) + rng.normal(size=(patients, columns))[rows]
    labels = (rng.random(odds.shape) < expit(intercept + slope * odds)).astype(float)
    return labels, odds, rows


def test_slope_and_intercept_agree_with_scikit_learn():
    labels, odds, rows = case(0)
    labels[::5, 1] = np.nan
    line = calibration_line(labels, odds, rows)
    for column in range(2):
        use = ~np.isnan(labels[:, column])
        y, x = labels[use, column], odds[use, column]
        twin = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], y)
        assert line.slope[column] == pytest.approx(twin.coef_[0, 0], abs=1e-5)
        # With the slope fixed at 1, the mean probability is the share of positives.
        assert expit(line.intercept[column] + x).mean() == pytest.approx(y.mean(), abs=1e-9)


def test_the_truth_is_recovered():
    labels, odds, rows = case(1, patients=40_000, columns=1, images=1)
    line = calibration_line(labels, odds, rows)
    assert line.slope[0] == pytest.approx(0.6, abs=0.03)
    calibrated = calibration_line(*case(2, 40_000, 1.0, 0.0, columns=1, images=1))
    assert calibrated.slope[0] == pytest.approx(1, abs=0.04)
    assert calibrated.intercept[0] == pytest.approx(0, abs=0.04)


def test_contributions_are_those_of_leaving_a_patient_out():
    labels, odds, rows = case(3, patients=80)
    line = calibration_line(labels, odds, rows)
    for patient in (0, 17, 63):
        others = rows != patient
        without = calibration_line(labels[others], odds[others], rows[others])
        np.testing.assert_allclose(
            line.slope - without.slope, line.slope_contributions[patient], atol=2e-3, rtol=0.1
        )
        np.testing.assert_allclose(
            line.intercept - without.intercept,
            line.intercept_contributions[patient],
            atol=2e-3,
            rtol=0.1,
        )


def test_errors_agree_with_resampled_patients():
    labels, odds, rows = case(4, patients=400, columns=1)
    # Copies of the images of a patient add nothing.
    labels, odds, rows = (np.repeat(of, 3, axis=0) for of in (labels, odds, rows))
    line = calibration_line(labels, odds, rows)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(200):
        drawn = rng.integers(400, size=400)
        images = (drawn[:, None] * 6 + np.arange(6)).ravel()
        again = calibration_line(labels[images], odds[images], rows[images])
        draws.append((again.slope[0], again.intercept[0]))
    for contributions, deviation in zip(
        (line.slope_contributions, line.intercept_contributions), np.std(draws, axis=0), strict=True
    ):
        assert np.sqrt((contributions**2).sum()) == pytest.approx(deviation, rel=0.15)


def test_classes_that_are_separated_have_no_slope_but_an_intercept():
    y = np.repeat([0.0, 1.0], 10)[:, None]
    for x in (np.where(y > 0, 2.0, -2.0), np.zeros_like(y), np.where(y > 0, -90.0, 90.0)):
        line = calibration_line(y, x, np.arange(20))
        assert np.isnan(line.slope[0])
        if np.abs(x).max() < 10:
            assert line.intercept[0] == pytest.approx(0, abs=0.01)
    # Any intercept between -80 and 80 fits perfect log odds of -90 and 90.
    assert np.isnan(calibration_line(y, np.where(y > 0, 90.0, -90.0), np.arange(20)).intercept[0])
    line = calibration_line(np.zeros((20, 1)), np.zeros((20, 1)), np.arange(20))
    assert np.isnan([line.slope[0], line.intercept[0]]).all()


def test_saturated_probabilities_have_a_line():
    labels, odds, rows = case(5, columns=1)
    for of in (30 * odds, log_odds_of_probabilities(expit(30 * odds).astype(np.float32))):
        line = calibration_line(labels, of, rows)
        assert 0 < line.slope[0] < 0.2
        assert np.isfinite(line.intercept[0])
        assert np.isfinite(line.slope_contributions).all()
    # The share of positives cannot be reached before the offset is as large as the log odds.
    line = calibration_line(labels, odds + 700, rows)
    assert line.intercept[0] == pytest.approx(-700, abs=3)
