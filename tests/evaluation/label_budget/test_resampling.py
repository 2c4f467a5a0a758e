import numpy as np
import pytest
from scipy.stats import t as student

from remedis.evaluation.intervals import patient_counts
from remedis.evaluation.label_budget.resampling import (
    Interval,
    auroc_estimate,
    interval,
    patient_draws,
    seed_draws,
)


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_means_over_seeds_vary_as_students_t(seeds):
    values = np.random.default_rng(seeds).normal(size=seeds)
    weights = seed_draws(seeds, 200_000, seed=0)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[0], 1 / seeds)
    error = values.std(ddof=1) / np.sqrt(seeds)
    for tail in (0.025, 0.25, 0.5, 0.9):
        want = values.mean() + error * student.ppf(tail, seeds - 1)
        got = np.quantile(weights[1:] @ values, tail)
        assert got == pytest.approx(want, abs=error * 0.01 * student.ppf(0.99, seeds - 1))


def test_one_seed_has_no_variance():
    np.testing.assert_array_equal(seed_draws(1, 50, seed=0), np.ones((51, 1)))


def test_row_0_draws_every_patient_once():
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


def test_auroc_of_weighted_seeds_stays_in_0_to_1():
    estimate = auroc_estimate(np.array([0.98, *np.linspace(0.9, 1.1, 100)]), (20, 8))
    assert (estimate.value, estimate.high, estimate.positives) == (0.98, 1.0, 8)
    assert not auroc_estimate(np.full(50, np.nan), (20, 8)).estimable
