import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from remedis.errors import UserError
from remedis.evaluation.auroc import auroc
from remedis.evaluation.delong import delong
from remedis.evaluation.evaluate import evaluate
from remedis.evaluation.repeated_runs import auroc_over_runs, variance_of_runs


def _runs(rng, runs=3, patients=120, distance=1.2, spread=0.1, labels=1):
    """Labels [n, L], scores [R, n, L] of runs that differ in discrimination, and patients."""
    positive = rng.random((patients, labels)) < 0.25
    rows = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    shared = rng.normal(size=positive.shape)[rows] * 0.8
    shift = distance + spread * rng.normal(size=(runs, 1, 1))
    noise = 0.6 * rng.normal(size=(runs, len(rows), labels))
    return positive[rows].astype(float), shift * positive[rows] + shared + noise, rows


def test_one_run_and_equal_runs_have_the_interval_of_an_evaluation():
    y, scores, rows = _runs(np.random.default_rng(0), labels=2)
    want = evaluate(y, scores[0], ("a", "b"), rows, resamples=40).mean
    for same in (scores[:1], np.repeat(scores[:1], 4, axis=0)):
        got = auroc_over_runs(y, same, rows)
        np.testing.assert_allclose(
            [got.value, got.low, got.high], [want.value, want.low, want.high], rtol=1e-9
        )
        assert (got.patients, got.positives) == (want.patients, want.positives)


def test_the_variance_is_that_of_averaged_components_and_of_the_runs():
    rng = np.random.default_rng(1)
    # With so many patients the widening for small classes is negligible.
    y, scores, rows = _runs(rng, patients=6000, spread=0.5)
    got = auroc_over_runs(y, scores, rows)
    areas = [auroc(y, of_run)[0, 0] for of_run in scores]
    assert got.value == pytest.approx(np.mean(areas))
    # Components of each run by brute force over pairs, averaged over runs, summed by patient.
    positive, negative = np.flatnonzero(y[:, 0] == 1), np.flatnonzero(y[:, 0] == 0)
    influence = np.zeros(rows.max() + 1)
    for of_run, area in zip(scores[..., 0], areas, strict=True):
        below = np.searchsorted(np.sort(of_run[negative]), of_run[positive]) / len(negative)
        above = 1 - np.searchsorted(np.sort(of_run[positive]), of_run[negative]) / len(positive)
        np.add.at(influence, rows[positive], (below - area) / len(positive) / 3)
        np.add.at(influence, rows[negative], (above - area) / len(negative) / 3)
    of_patients, of_runs = (influence**2).sum(), np.var(areas, ddof=1) / 3
    total = of_patients + of_runs
    quantile = student.ppf(0.975, total**2 / (of_runs**2 / 2))
    half = quantile * np.sqrt(total) / (got.value * (1 - got.value))
    assert np.log(got.high / (1 - got.high)) == pytest.approx(
        np.log(got.value / (1 - got.value)) + half, rel=0.01
    )


def test_perfect_runs_are_not_certain_and_malformed_input_is_one_sentence():
    y = np.repeat([[0.0], [1.0]], 20, axis=0)
    estimate = auroc_over_runs(y, np.stack([y, y]), np.arange(40))
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert 0.8 < estimate.low < 0.9
    with pytest.raises(UserError, match="both must be"):
        auroc_over_runs(y, np.stack([y[1:]]), np.arange(40))


@pytest.mark.parametrize("distance", [0.6, 2.3])
def test_intervals_cover_the_truth(distance):
    spread = 0.15
    turns = np.random.default_rng(0).normal(size=100_000)
    truth = norm.cdf((distance + spread * turns) / np.sqrt(2)).mean()
    rng, covers = np.random.default_rng(5), []
    for _ in range(300):
        estimate = auroc_over_runs(*_runs(rng, distance=distance, spread=spread))
        covers.append(estimate.low <= truth <= estimate.high)
    # Nominal 0.95; three standard errors in 300 draws below it are 0.912.
    assert np.mean(covers) >= 0.93


def test_labels_known_of_different_images_are_averaged_as_by_delong():
    y, scores, rows = _runs(np.random.default_rng(3), runs=1, labels=2)
    y[rows % 3 == 0, 1] = np.nan
    assert auroc_over_runs(y, scores, rows).value == pytest.approx(
        delong(y, scores[0], rows).values.mean()
    )


def test_the_variance_of_overlapping_draws_is_that_of_means_over_patients():
    # A mean over the patients of a draw: the variance of the mean of many draws is known.
    rng = np.random.default_rng(4)
    pool, drawn, runs = 40, 12, 5
    found, means = [], []
    for _ in range(4000):
        numbers = rng.normal(size=(pool, 1))
        values = np.stack(
            [numbers[rng.permutation(pool)[:drawn]].mean(axis=0) for _ in range(runs)]
        )
        found.append(variance_of_runs(values, drawn / pool))
        means.append(values.mean())
    assert np.mean(found) == pytest.approx(np.var(means), rel=0.07)


def test_the_variance_of_independent_runs_and_of_whole_pools():
    values = np.random.default_rng(5).normal(size=(6, 3))
    independent = values.mean(axis=1).var(ddof=1) / 6
    assert variance_of_runs(values) == pytest.approx(independent)
    assert variance_of_runs(values, 1) == pytest.approx(independent)  # conditional on the pool
    assert variance_of_runs(values[:1], 0.5) == 0
    half = variance_of_runs(values, [0.5, 0.5, 0.5])
    assert half == pytest.approx(independent * 6 * (1 / 6 + 1))
    with pytest.raises(UserError, match=r"shares of the pool are \[1.2\]; expected 0 to 1"):
        variance_of_runs(values[:, :1], 1.2)


@pytest.mark.parametrize("runs", [6, 7, 10, 20])
def test_the_mean_of_perfect_runs_is_1(runs):
    labels = np.repeat([0.0, 1.0], 10)[:, None]
    estimate = auroc_over_runs(labels, np.repeat(labels[None], runs, axis=0), np.arange(20))
    assert (estimate.value, estimate.high) == (1, 1)
