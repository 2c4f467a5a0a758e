import numpy as np
import pytest
from scipy.optimize import curve_fit

from remedis.evaluation.label_budget import power_law

BUDGETS = (0, 3, 10, 20, 40, 66, 100, 200)


def test_power_law_is_recovered_exactly():
    n = np.array(BUDGETS[1:], dtype=float)
    exponent = power_law.EXPONENTS[500]
    curve = 0.9 - 0.3 * n**-exponent
    # Zero-shot is not used: the law is undefined at 0 patients.
    curves = np.tile([0.2, *curve], (3, 1))
    levels = 0.9 - 0.3 * np.array([50.0, 500.0, 2000.0]) ** -exponent
    np.testing.assert_allclose(
        power_law.patients_at(BUDGETS, curves, levels), [50, 500, 2000], rtol=1e-6
    )
    assert power_law.patients_at(BUDGETS, curves[:1], np.array([0.95])) == np.inf


def test_power_law_agrees_with_scipys_least_squares():
    rng = np.random.default_rng(2)
    n = np.array(BUDGETS[1:], dtype=float)
    curve = 0.88 - 0.35 * n**-0.5 + rng.normal(size=len(n)) * 0.003
    (a, b, c), _ = curve_fit(lambda x, a, b, c: a - b * x**-c, n, curve, p0=(0.9, 0.3, 0.4))
    level = a - b * 400**-c
    patients = power_law.patients_at(BUDGETS, np.array([[0.0, *curve]]), np.array([level]))
    assert patients == pytest.approx(400, rel=0.02)


def test_a_falling_curve_has_no_power_law():
    curve = np.array([[0.5, 0.8, 0.79, 0.78, 0.77, 0.76, 0.75, 0.74]])
    assert power_law.patients_at(BUDGETS, curve, np.array([0.81])) == np.inf
    assert power_law.has_enough_budgets(BUDGETS)
    assert not power_law.has_enough_budgets((0, 5, 10, 20))
