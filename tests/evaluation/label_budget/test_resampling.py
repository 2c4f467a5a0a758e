import numpy as np
import pytest
from scipy.stats import t as student

from remedis.evaluation.label_budget.resampling import (
    Interval,
    arm_noise,
    interval,
    patient_noise,
    seed_draws,
    unit_noise,
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


def test_noise_of_patients_has_the_covariance_of_their_influences():
    influence = np.random.default_rng(0).normal(size=(1500, 3)) @ np.array(
        [[1, 0.9, 0], [0, 0.1, 0], [0, 0, 2.0]]
    )
    noise = patient_noise(influence, 20_000, seed=5)
    np.testing.assert_allclose(np.cov(noise.T), influence.T @ influence, rtol=0.05, atol=60)
    # The numbers of a patient do not depend on which quantities are drawn.
    np.testing.assert_allclose(patient_noise(influence[:, 1:], 20_000, seed=5), noise[:, 1:])


def test_streams_of_patients_seeds_and_arms_are_independent():
    patients = patient_noise(np.eye(40)[:, :3], 2000, seed=0)
    seeds = seed_draws(5, 2000, seed=0)[1:]
    arms = np.stack([arm_noise(2000, 0, stream) for stream in (0, 1)], axis=1)
    correlations = np.corrcoef(np.hstack([patients, seeds[:, :4], arms]).T)
    for i, j in ((0, 3), (1, 4), (2, 7), (3, 7), (0, 8), (7, 8)):
        assert abs(correlations[i, j]) < 0.1


def test_new_units_have_the_variance_of_the_study_and_estimate_it():
    deviations = np.random.default_rng(1).normal(size=(2, 6))
    deviations -= deviations.mean(axis=1, keepdims=True)
    means, variances = unit_noise(deviations, 20_000, seed=0)
    want = deviations @ deviations.T / 5 / 6
    np.testing.assert_allclose(np.cov(means.T), want, atol=0.02 * want.max())
    np.testing.assert_allclose(variances.mean(axis=0), np.diag(want), rtol=0.02)


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
