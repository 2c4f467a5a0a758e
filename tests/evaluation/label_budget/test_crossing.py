import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from remedis.evaluation.label_budget.crossing import crossing, monotone

BUDGETS = (0, 3, 10, 20, 40, 66, 100, 200)


@pytest.mark.parametrize("points", [1, 2, 3, 9])
def test_monotone_agrees_with_scipys_isotonic_regression(points):
    curves = np.random.default_rng(points).normal(size=(40, points))
    curves[:, points // 2] = curves[:, 0]  # ties
    for curve, fitted in zip(curves, monotone(curves), strict=True):
        np.testing.assert_allclose(fitted, isotonic_regression(curve).x, atol=1e-12)


def test_a_curve_that_never_falls_is_left_alone():
    curves = np.sort(np.random.default_rng(0).random((20, 6)), axis=1)
    np.testing.assert_allclose(monotone(curves), curves, atol=1e-15)


def test_crossing_of_a_line_is_exact():
    # A line over log(1 + n), from 0.6 at 0 to 0.8 at 200 patients.
    line = 0.6 + 0.2 * np.log1p(BUDGETS) / np.log(201)
    levels = np.linspace(0.6, 0.8, 30)
    want = np.expm1((levels - 0.6) / 0.2 * np.log(201))
    crossings = crossing(BUDGETS, np.tile(line, (30, 1)), levels)
    np.testing.assert_allclose(crossings, want, rtol=1e-9, atol=1e-9)


def test_crossing_lies_on_scipys_curve():
    rng = np.random.default_rng(1)
    curves = monotone(rng.normal(size=(200, len(BUDGETS))).cumsum(axis=1))
    levels = rng.uniform(curves[:, 0] - 0.5, curves[:, -1] + 0.5)
    crossings = crossing(BUDGETS, curves, levels)
    for curve, level, patients in zip(curves, levels, crossings, strict=True):
        if level > curve[-1]:
            assert patients == np.inf
        elif level <= curve[0]:
            assert patients == 0
        else:
            cubic = PchipInterpolator(np.log1p(BUDGETS), curve)
            assert cubic(np.log1p(patients)) == pytest.approx(level, abs=1e-9)
            assert cubic(np.log1p(patients) - 1e-6) < level


def test_crossing_takes_the_first_of_equal_budgets_and_the_ends():
    flat = np.array([[0.6, 0.7, 0.7, 0.8]] * 4)
    crossings = crossing([0, 5, 20, 60], flat, np.array([0.5, 0.6, 0.7, 0.8]))
    np.testing.assert_allclose(crossings, [0, 0, 5, 60], atol=1e-9)
    # Without zero-shot, the first budget is the smallest possible answer.
    assert crossing([5, 20], np.array([[0.6, 0.7]]), np.array([0.5])) == 5


def test_two_budgets_and_one_are_enough():
    crossings = crossing([0, 20], np.array([[0.5, 0.6]]), np.array([0.55]))
    assert crossings == pytest.approx(np.sqrt(21) - 1)
    assert crossing([20], np.array([[0.6], [0.6]]), np.array([0.5, 0.7])).tolist() == [20, np.inf]
