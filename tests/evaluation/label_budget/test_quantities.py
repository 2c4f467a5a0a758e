import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm, ttest_rel

from remedis.evaluation.label_budget.quantities import (
    Quantities,
    capped_widening,
    floors,
    holm,
)


def quantities(per_unit, influence=None, floor=0.0, low_at_one=0.5):
    per_unit = np.atleast_2d(np.asarray(per_unit, float))
    count = len(per_unit)
    influence = np.zeros((4, count)) if influence is None else influence
    full = np.full(count, 1.0)
    return Quantities(per_unit.mean(axis=1), influence, floor * full, per_unit, low_at_one * full)


def test_without_patients_a_difference_is_the_paired_t_test():
    first, second = np.random.default_rng(0).normal(0.8, 0.02, (2, 7))
    twin = ttest_rel(first, second)
    (difference,), (p,) = quantities(first).minus(quantities(second)).differences()
    assert p == pytest.approx(twin.pvalue)
    ends = twin.confidence_interval()
    assert (difference.low, difference.high) == pytest.approx((ends.low, ends.high))


def test_without_seeds_a_difference_is_a_z_test_of_the_paired_influences():
    influence = np.random.default_rng(1).normal(size=(50, 2)) * 0.003
    both = quantities([[0.8], [0.75]], influence)
    difference, p = both.at(0).minus(both.at(1)).differences()
    error = np.sqrt(((influence[:, 0] - influence[:, 1]) ** 2).sum())
    assert p[0] == pytest.approx(2 * norm.sf(0.05 / error))
    assert difference[0].high - 0.05 == pytest.approx(1.95996 * error, rel=1e-4)


def test_the_squares_of_both_halves_add_up():
    seeds = np.array([[0.78, 0.8, 0.82]])
    influence = np.full((4, 1), 0.01)
    of_seeds, of_patients, of_both = (
        one.half_widths()[0]
        for one in (quantities(seeds), quantities([[0.8]], influence), quantities(seeds, influence))
    )
    assert of_seeds == pytest.approx(4.3027 * 0.02 / np.sqrt(3), rel=1e-4)
    assert of_patients == pytest.approx(1.96 * 0.02, rel=1e-4)
    assert of_both == pytest.approx(np.hypot(of_seeds, of_patients))
    half_apart = quantities(seeds - 0.8 + of_both, influence)
    assert half_apart.differences()[1] == pytest.approx([0.05])


def test_equal_numbers_from_equal_scores_do_not_differ():
    one = quantities([[0.8, 0.82]])
    (difference,), (p,) = one.minus(one).differences()
    assert (difference.low, difference.value, difference.high, p) == (0, 0, 0, 1)


def test_perfect_arms_may_differ():
    one = quantities([[1, 1]], floor=floors(np.array([1.0]), np.array([20.0]))[0])
    (difference,), (p,) = one.minus(one).differences()
    assert difference.low < -0.1 < 0.1 < difference.high
    assert p == 1


def test_a_difference_stays_in_its_range():
    few = quantities([[0.9, 0.4]]).minus(quantities([[0.2, 0.5]]))
    (difference,), _ = few.differences()
    assert (difference.low, difference.high) == (-1, 1)


def test_draws_have_the_interval_of_the_points():
    rng = np.random.default_rng(2)
    influence = rng.normal(size=(300, 2)) * 0.003
    seeds = np.array([[0.9], [0.7]]) + rng.normal(size=(2, 10)) * 0.01
    both = quantities(seeds, influence)
    draws = both.draws(20_000, seed=0, stream=0)
    np.testing.assert_allclose(draws[0], both.values)
    ends = np.quantile(draws[1:], [0.025, 0.975], axis=0).T
    np.testing.assert_allclose(logit(ends), logit(both.intervals()), atol=0.06)


def test_draws_of_a_perfect_arm_reach_down_to_the_interval_of_its_pairs():
    draws = quantities([[1, 1]], low_at_one=0.7).draws(20_000, seed=0, stream=0)[1:, 0]
    assert np.quantile(draws, 0.025) == pytest.approx(0.7, abs=0.02)
    assert draws.max() <= 1
    worthless = quantities([[0, 0]], low_at_one=0.7).draws(20_000, seed=0, stream=0)[1:, 0]
    assert np.quantile(worthless, 0.975) == pytest.approx(0.3, abs=0.02)


def test_the_band_of_one_or_of_equal_numbers_is_their_interval():
    seeds = np.random.default_rng(3).normal(0.8, 0.02, (1, 6))
    assert quantities(seeds).band_factor(20_000, 0) == pytest.approx(1, abs=0.03)
    equal = quantities(np.repeat(seeds, 8, axis=0))
    assert equal.band_factor(20_000, 0) == pytest.approx(1, abs=0.03)


def test_the_band_of_independent_numbers_is_sidaks():
    apart = quantities(np.full((8, 1), 0.8), np.eye(8) * 0.01)
    want = norm.ppf(0.5 + 0.95 ** (1 / 8) / 2) / 1.96
    assert apart.band_factor(20_000, 0) == pytest.approx(want, rel=0.02)


def test_widening_ends_at_the_exact_interval_of_the_pairs():
    areas, pairs = np.array([0.996, 0.9]), np.array([5.0, 200.0])
    errors = np.array([0.006, 0.01])
    factors = capped_widening(areas, errors, np.array([5.0, 1.1]), pairs)
    assert factors[1] == 1.1
    half = 1.96 * errors[0] * factors[0] / (areas[0] * (1 - areas[0]))
    # Not below the lower end for a perfect AUROC of as many pairs by much: 0.025^(1/5) = 0.48.
    assert 0.4 < 1 / (1 + np.exp(-(logit(areas[0]) - half))) < 0.48


def test_holm_of_a_worked_example():
    # Of 4 tests: 4 x 0.005, 3 x 0.01, 2 x 0.03, and no smaller than the one before it.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1, 1])
    assert holm([]).size == 0
