"""The tests of drift: their values beside other implementations, their null and their power."""

import itertools

import numpy as np
import pytest
import scipy.stats

from remedis.evaluation import permutations
from remedis.evaluation.embedding_drift import embedding_drift
from remedis.evaluation.estimate_drift import estimate_drift
from remedis.evaluation.permutations import Permuted, divisions, one_per_patient
from remedis.evaluation.score_drift import score_drift


def energy(x, y):
    """Returns the module's share by its definition, pair by pair."""
    cross = np.mean([np.linalg.norm(a - b) for a in x for b in y])
    within = [
        np.mean([np.linalg.norm(a - b) for a, b in itertools.permutations(z, 2)]) for z in (x, y)
    ]
    return (2 * cross - sum(within)) / (2 * cross)


def test_the_energy_distance_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    x, y = rng.normal(1e4, 1, (7, 3)), rng.normal(1e4, 2, (5, 3))
    assert embedding_drift(x, y, permutations=9).value == pytest.approx(energy(x, y), abs=1e-9)


def test_the_energy_distance_in_one_dimension_is_that_of_scipy():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=300), rng.normal(0.7, size=400)
    cross = np.abs(x[:, None] - y).mean()
    # SciPy's means include the pairs of a patient with itself, whose distance is 0.
    found = embedding_drift(x[:, None], y[:, None], permutations=1).value * 2 * cross
    within = [np.abs(z[:, None] - z).mean() / len(z) for z in (x, y)]
    expected = scipy.stats.energy_distance(x, y) ** 2 - sum(within)
    assert found == pytest.approx(expected, rel=0.01)


def test_the_score_distance_is_that_of_scipy_with_ties_too():
    rng = np.random.default_rng(2)
    for rounded in (8, 1):
        x, y = rng.normal(size=40).round(rounded), rng.normal(0.4, size=60).round(rounded)
        found = score_drift(x[:, None], y[:, None], permutations=1)[0].value
        assert found == pytest.approx(scipy.stats.ks_2samp(x, y).statistic)


def test_the_score_distance_does_not_depend_on_the_scale():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(30, 2)), rng.normal(0.5, size=(50, 2))
    assert score_drift(x, y) == score_drift(np.tanh(x / 9) * 7, np.tanh(y / 9) * 7)


def test_values_at_the_ends():
    point, other = np.zeros((20, 4)), np.ones((15, 4))
    apart = embedding_drift(point, other)
    assert (apart.value, apart.p_value) == (pytest.approx(1), 0.001)
    same = embedding_drift(point, point)
    assert (same.value, same.chance, same.p_value) == (0, 0, 1)
    (apart,) = score_drift(point[:, :1], other[:, :1])
    assert (apart.value, apart.p_value) == (1, 0.001)
    (same,) = score_drift(point[:, :1], point[:, :1])
    assert (same.value, same.p_value) == (0, 1)


def test_a_p_value_counts_the_observed_division():
    draws = np.array([0.1, 0.2, 0.3, 0.4])
    assert Permuted.from_draws(0.3, draws).p_value == 3 / 5
    assert Permuted.from_draws(0.5, draws).p_value == 1 / 5
    assert Permuted.from_draws(0.0, draws).p_value == 1


def test_divisions_keep_the_sizes_and_are_all_equally_likely():
    rows = divisions(2, 2, 6000, 0)
    assert rows[0].tolist() == [True, True, False, False]
    assert (rows.sum(axis=1) == 2).all()
    counts = np.unique(rows[1:], axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_each_patient_has_one_image_and_each_image_the_same_chance():
    codes = np.array([2, 0, 0, 0, 1, 1])
    drawn = np.array([one_per_patient(codes, 9, seed) for seed in range(3000)])
    assert all(sorted(codes[rows]) == [0, 1, 2] for rows in drawn[:50])
    assert (np.diff(drawn, axis=1) > 0).all()
    for images in ([1, 2, 3], [4, 5]):
        counts = [np.count_nonzero(drawn == image) for image in images]
        assert scipy.stats.chisquare(counts).pvalue > 0.001
    limited = [codes[one_per_patient(codes, 2, seed)] for seed in range(3000)]
    counts = np.bincount(np.concatenate(limited))
    assert {len(rows) for rows in limited} == {2}
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def simulated(draw, runs, permuted=99):
    """Returns the p-values [runs] of embeddings, and the smallest of those of scores."""
    of_embeddings, of_scores = [], []
    for run in range(runs):
        x, y = draw(np.random.default_rng([7, run]))
        of_embeddings.append(embedding_drift(x, y, permutations=permuted, seed=run).p_value)
        tests = score_drift(x[:, :3], y[:, :3], permutations=permuted, seed=run)
        of_scores.append(min(test.p_value for test in tests))
    return np.array(of_embeddings), np.array(of_scores)


def clustered(rng, patients, shift=0.0, spread=1.0):
    """Returns embeddings of images [n, 8] with heavy tails, and the patient of each.

    A patient has 1 to 20 images, which differ from each other a tenth as much as patients do.
    """
    codes = np.repeat(np.arange(patients), rng.integers(1, 21, patients))
    centres = rng.standard_t(4, (patients, 8)) * spread + shift
    return centres[codes] + rng.normal(0, 0.1, (len(codes), 8)), codes


def test_p_values_are_uniform_where_nothing_differs():
    def draw(rng):
        groups = [clustered(rng, patients) for patients in (15, 25)]
        return [rows[one_per_patient(codes, 99, 0)] for rows, codes in groups]

    of_embeddings, of_scores = simulated(draw, 400)
    assert scipy.stats.kstest(of_embeddings, "uniform").pvalue > 0.01
    # The smallest of three adjusted p-values. Shares of a few patients tie, which makes large
    # p-values larger; small ones are as frequent as they say.
    assert scipy.stats.kstest(of_scores, "uniform", alternative="greater").pvalue > 0.01
    for p_values in (of_embeddings, of_scores):
        assert 0.02 <= np.mean(p_values <= 0.05) <= 0.085


def test_images_in_place_of_patients_would_find_drift_where_nothing_differs():
    def draw(rng):
        return [clustered(rng, patients)[0][:120] for patients in (15, 25)]

    of_embeddings, of_scores = simulated(draw, 20)
    assert np.mean(of_embeddings <= 0.05) > 0.6
    assert np.mean(of_scores <= 0.05) > 0.6


@pytest.mark.parametrize("change", [{"shift": 0.8}, {"spread": 2.5}])
def test_a_change_of_the_mean_or_of_the_spread_alone_is_found(change):
    def draw(rng):
        groups = [clustered(rng, 60), clustered(rng, 60, **change)]
        return [rows[one_per_patient(codes, 99, 0)] for rows, codes in groups]

    of_embeddings, of_scores = simulated(draw, 20)
    assert np.mean(of_embeddings <= 0.05) >= 0.95
    assert np.mean(of_scores <= 0.05) >= 0.6


def test_more_labels_do_not_find_more_by_chance():
    p_values = []
    for run in range(200):
        rng = np.random.default_rng(run)
        x, y = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
        tests = score_drift(np.repeat(x, 14, 1), np.repeat(y, 14, 1), permutations=99, seed=run)
        (alone,) = score_drift(x, y, permutations=99, seed=run)
        assert {test.p_value for test in tests} == {alone.p_value}  # of labels that are one
        x, y = rng.normal(size=(20, 14)), rng.normal(size=(20, 14))
        p_values.append(min(t.p_value for t in score_drift(x, y, permutations=99, seed=run)))
    assert 0.015 <= np.mean(np.array(p_values) <= 0.05) <= 0.09


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_the_difference_of_two_symmetric_intervals_adds_variances():
    found = estimate_drift(estimate(0.8, 0.77, 0.83), estimate(0.7, 0.66, 0.74))
    assert found == pytest.approx({"value": -0.1, "low": -0.15, "high": -0.05})
    assert estimate_drift(estimate(None, None, None), estimate(0.7, 0.66, 0.74)) is None
    assert estimate_drift(estimate(0.7, 0.66, 0.74), estimate(None, None, None)) is None


def test_the_interval_of_a_difference_covers_it():
    """Of the shares of Newcombe's paper with Wilson's intervals, 95 % of draws or more."""
    rng = np.random.default_rng(0)

    def wilson(successes, n):
        interval = scipy.stats.binomtest(int(successes), n).proportion_ci(method="wilson")
        return estimate(successes / n, interval.low, interval.high)

    covered = []
    for _ in range(400):
        before, now = wilson(rng.binomial(60, 0.9), 60), wilson(rng.binomial(40, 0.7), 40)
        found = estimate_drift(before, now)
        covered.append(found["low"] <= -0.2 <= found["high"])
    assert 0.925 <= np.mean(covered) <= 0.985


def test_the_defaults_are_those_of_the_documentation():
    assert (permutations.PERMUTATIONS, permutations.MIN_PATIENTS) == (999, 10)
