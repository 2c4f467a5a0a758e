"""The parts of the estimator: monotone curves, crossings, draws of seeds, power laws."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator
from scipy.optimize import curve_fit, isotonic_regression
from scipy.stats import t as student

from remedis.evaluation.intervals import patient_counts
from remedis.evaluation.label_budget import power_law
from remedis.evaluation.label_budget.answers import Cost
from remedis.evaluation.label_budget.crossing import crossing, monotone
from remedis.evaluation.label_budget.resampling import (
    Interval,
    area_estimate,
    interval,
    patient_draws,
    seed_draws,
    two_sided_p,
)

BUDGETS = (0, 3, 10, 20, 40, 66, 100, 200)


@pytest.mark.parametrize("points", [1, 2, 3, 9])
def test_monotone_is_scipys_isotonic_regression(points):
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
    found = crossing(BUDGETS, np.tile(line, (30, 1)), levels)
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-9)


def test_crossing_lies_on_scipys_curve():
    rng = np.random.default_rng(1)
    curves = monotone(rng.normal(size=(200, len(BUDGETS))).cumsum(axis=1))
    levels = rng.uniform(curves[:, 0] - 0.5, curves[:, -1] + 0.5)
    found = crossing(BUDGETS, curves, levels)
    for curve, level, patients in zip(curves, levels, found, strict=True):
        if level > curve[-1]:
            assert patients == np.inf
        elif level <= curve[0]:
            assert patients == 0
        else:
            at = PchipInterpolator(np.log1p(BUDGETS), curve)
            assert at(np.log1p(patients)) == pytest.approx(level, abs=1e-9)
            assert at(np.log1p(patients) - 1e-6) < level


def test_crossing_takes_the_first_of_equal_budgets_and_the_ends():
    flat = np.array([[0.6, 0.7, 0.7, 0.8]] * 4)
    found = crossing([0, 5, 20, 60], flat, np.array([0.5, 0.6, 0.7, 0.8]))
    np.testing.assert_allclose(found, [0, 0, 5, 60], atol=1e-9)
    # Without zero-shot the first budget is the least one can say.
    assert crossing([5, 20], np.array([[0.6, 0.7]]), np.array([0.5])) == 5


def test_two_budgets_and_one_are_enough():
    found = crossing([0, 20], np.array([[0.5, 0.6]]), np.array([0.55]))
    assert found == pytest.approx(np.sqrt(21) - 1)
    assert crossing([20], np.array([[0.6], [0.6]]), np.array([0.5, 0.7])).tolist() == [20, np.inf]


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_means_over_seeds_vary_as_students_t(seeds):
    values = np.random.default_rng(seeds).normal(size=seeds)
    weights = seed_draws(seeds, 200_000, seed=0)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[0], 1 / seeds)
    error = values.std(ddof=1) / np.sqrt(seeds)
    for tail in (0.025, 0.25, 0.5, 0.9):
        want = values.mean() + error * student.ppf(tail, seeds - 1)
        found = np.quantile(weights[1:] @ values, tail)
        assert found == pytest.approx(want, abs=error * 0.01 * student.ppf(0.99, seeds - 1))


def test_one_seed_has_no_chance():
    np.testing.assert_array_equal(seed_draws(1, 50, seed=0), np.ones((51, 1)))


def test_patients_of_row_0_count_once_each():
    draws = patient_draws(30, 60, seed=5)
    np.testing.assert_array_equal(draws[0], np.ones(30))
    np.testing.assert_array_equal(draws[1:], patient_counts(30, 60, seed=5))


def test_seeds_are_not_drawn_from_the_stream_of_patients():
    patients = patient_draws(40, 2000, seed=0)[1:, 0]
    seeds = seed_draws(5, 2000, seed=0)[1:]
    for column in seeds.T:
        assert abs(np.corrcoef(patients, column)[0, 1]) < 0.1


def test_interval_keeps_open_ends_open():
    reached = np.linspace(1, 2, 99)
    assert interval(np.array([1.5, *reached, np.inf])) == Interval(
        1.5, pytest.approx(1.02, abs=0.02), pytest.approx(1.98, abs=0.02)
    )
    assert interval(np.array([1.5, *reached, *[np.inf] * 5])).high is None
    assert interval(np.array([1.5, *reached, *[-np.inf] * 5])).low is None
    unknown = interval(np.array([1.5, *reached, *[np.nan] * 10]))
    assert (unknown.low, unknown.high) == (None, None)
    assert interval(np.array([np.inf, *reached])).to_json() is None


def test_area_of_weighted_seeds_stays_in_0_to_1():
    found = area_estimate(np.array([0.98, *np.linspace(0.9, 1.1, 100)]), (20, 8))
    assert (found.value, found.high, found.positives) == (0.98, 1.0, 8)
    assert not area_estimate(np.full(50, np.nan), (20, 8)).estimable


def test_p_is_twice_the_smaller_tail():
    assert two_sided_p(np.array([1.0, *[1.0] * 95, *[-1.0] * 4])) == pytest.approx(2 * 5 / 100)
    assert two_sided_p(np.array([1.0] * 100)) == pytest.approx(2 / 100)
    assert two_sided_p(np.zeros(100)) == 1


def test_power_law_is_found_again_exactly():
    n = np.array(BUDGETS[1:], dtype=float)
    exponent = power_law.EXPONENTS[500]
    curve = 0.9 - 0.3 * n**-exponent
    # Zero-shot, which the law has no place for, is not looked at.
    curves = np.tile([0.2, *curve], (3, 1))
    levels = 0.9 - 0.3 * np.array([50.0, 500.0, 2000.0]) ** -exponent
    np.testing.assert_allclose(
        power_law.patients_at(BUDGETS, curves, levels), [50, 500, 2000], rtol=1e-6
    )
    assert power_law.patients_at(BUDGETS, curves[:1], np.array([0.95])) == np.inf


def test_power_law_is_scipys_least_squares():
    rng = np.random.default_rng(2)
    n = np.array(BUDGETS[1:], dtype=float)
    curve = 0.88 - 0.35 * n**-0.5 + rng.normal(size=len(n)) * 0.003
    (a, b, c), _ = curve_fit(lambda x, a, b, c: a - b * x**-c, n, curve, p0=(0.9, 0.3, 0.4))
    level = a - b * 400**-c
    found = power_law.patients_at(BUDGETS, np.array([[0.0, *curve]]), np.array([level]))
    assert found == pytest.approx(400, rel=0.02)


def test_a_falling_curve_has_no_power_law():
    curve = np.array([[0.5, 0.8, 0.79, 0.78, 0.77, 0.76, 0.75, 0.74]])
    assert power_law.patients_at(BUDGETS, curve, np.array([0.81])) == np.inf
    assert power_law.enough(BUDGETS)
    assert not power_law.enough((0, 5, 10, 20))


def test_costs_are_of_whole_patients():
    assert Cost(minutes=2).of(11.2) == {"minutes": 24, "price": None}
    assert Cost(minutes=2).of(11 + 1e-12) == {"minutes": 22, "price": None}
    assert Cost(minutes=2.5, price=4).of(12) == {"minutes": 30, "price": 48}
    assert Cost(price=4).of(12) == {"minutes": None, "price": 48}
    assert Cost().of(12) is None
    assert Cost(minutes=1).of(None) is None
