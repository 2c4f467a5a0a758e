"""Ranks of arms: on numbers worked out by hand, and on simulated studies whose truth is known."""

import numpy as np
import pytest

from remedis.evaluation.label_budget.quantities import Quantities
from remedis.suite.ranks import Ranked, SetDraws, overall

PAIRS = np.array([[0, 1], [0, 2], [1, 2]])


def exact(value, spread=0.0, patients=40, units=3, seed=0):
    """A quantity whose influences and units are drawn, of a standard deviation about `spread`."""
    rng = np.random.default_rng(seed)
    influence = rng.normal(size=(patients, 1)) * spread / np.sqrt(patients)
    return Quantities(
        np.array([value]),
        influence - influence.mean(),
        np.zeros(1),
        np.full((1, units), value),
        np.array([0.5]),
    )


def test_ranks_follow_from_the_differences_that_are_no_ties():
    # 0 beats 1 and 2; 1 and 2 are tied.
    ranked = Ranked.of(3, PAIRS, np.array([0.3, 0.2, -0.1]), np.array([0.1, 0.1, 0.1]), 1.5)
    assert ranked.low.tolist() == [1, 2, 2]
    assert ranked.high.tolist() == [1, 3, 3]
    # Nothing is shown: every rank is possible.
    ranked = Ranked.of(3, PAIRS, np.array([0.3, 0.2, -0.1]), np.array([0.1, 0.1, 0.1]), 4)
    assert (ranked.low.tolist(), ranked.high.tolist()) == ([1, 1, 1], [3, 3, 3])
    # Ties are no equivalence: 0 beats 2 alone.
    ranked = Ranked.of(3, PAIRS, np.array([0.1, 0.2, 0.1]), np.array([0.15, 0.15, 0.15]), 1)
    assert (ranked.low.tolist(), ranked.high.tolist()) == ([1, 1, 2], [2, 3, 3])


def test_equal_scores_tie_and_one_arm_is_first():
    same = SetDraws.of([exact(0.8, 0.1)] * 2, 200, 0, 0)
    assert same.ranked().low.tolist() == [1, 1]
    assert same.ranked().halves.tolist() == [0]
    alone = SetDraws.of([exact(0.8, 0.1)], 200, 0, 0)
    assert (alone.ranked().low.tolist(), alone.ranked().high.tolist()) == ([1], [1])
    assert overall([alone, alone], True).mean_ranks.tolist() == [1]
    assert overall([same], True).unbeaten.tolist() == [1, 1]


def test_many_pairs_widen_the_intervals_as_independent_ones_would_at_most():
    arms = [exact(0.8, 0.2, seed=seed) for seed in range(6)]
    few, many = (SetDraws.of(arms[:n], 4000, 0, 0).ranked() for n in (2, 6))
    assert few.factor == pytest.approx(1, abs=0.03)
    # 15 pairs; Bonferroni's factor is 1.5 and the pairs are dependent.
    assert 1.3 < many.factor < 1.5


def test_over_sets_means_and_ranks_are_averaged():
    values = [[0.9, 0.8, 0.7], [0.6, 0.7, 0.5]]
    sets = [
        SetDraws.of([exact(v, 1e-4, seed=i) for i, v in enumerate(of)], 200, 0, number)
        for number, of in enumerate(values)
    ]
    found = overall(sets, one_metric=True)
    np.testing.assert_allclose(found.means, [0.75, 0.75, 0.6])
    ends = np.array([one.arms.intervals() for one in sets])
    off = np.sqrt(((ends - np.array(values)[..., None]) ** 2).sum(axis=0)) / 2
    np.testing.assert_allclose(found.mean_ends, found.means[:, None] + off * [-1, 1])
    assert found.mean_ranks.tolist() == [1.5, 1.5, 3]
    assert found.rank_low.tolist() == found.rank_high.tolist() == [1.5, 1.5, 3]
    assert found.unbeaten.tolist() == [1, 1, 0]
    assert found.by_mean.low.tolist() == [1, 1, 3]
    assert overall(sets, one_metric=False).means is None


def test_an_error_that_sets_have_in_common_does_not_average_out():
    sets = [
        SetDraws.of([exact(v, 0.1, seed=i) for i, v in enumerate((0.8, 0.7))], 200, 0, n)
        for n in (0, 1)
    ]
    alone, apart, same = (
        overall(*of) for of in ((sets[:1], True), (sets, True), (sets, True, [0, 0]))
    )
    np.testing.assert_allclose(same.mean_ends, alone.mean_ends)
    np.testing.assert_allclose(same.by_mean.halves, alone.by_mean.halves)
    np.testing.assert_allclose(apart.by_mean.halves, alone.by_mean.halves / np.sqrt(2), rtol=0.1)
    three = overall([*sets, sets[0]], True, [0, 1, 0])
    own = sets[0].differences.half_widths()
    np.testing.assert_array_less(own * np.sqrt(5) / 3, three.by_mean.halves + 1e-12)


def test_rounding_makes_no_arm_better():
    ranked = Ranked.of(2, PAIRS[:1], np.array([1e-16]), np.zeros(1), 1.0)
    assert (ranked.low.tolist(), ranked.high.tolist()) == ([1, 1], [2, 2])
    assert ranked.tied.tolist() == [True]


def test_a_simulated_study_shows_what_is_far_apart(load_benchmark):
    arms = load_benchmark("suite_ranks").arms_of([0.0, 0.2, 3.0], np.random.default_rng(0))
    ranked = SetDraws.of(arms, 500, 0, 0).ranked()
    assert ranked.low[2] == ranked.high[2] == 1
    assert set(ranked.low[:2]) == {2}


@pytest.mark.guarantee
@pytest.mark.parametrize("separations", [(1.0,) * 5, (0.6, 0.6, 1.2, 2.2)])
def test_equal_arms_are_tied_and_true_ranks_are_in_the_intervals(load_benchmark, separations):
    """The null: all arms of all pairs are tied in 95 % of studies. Known truth: ranks are held."""
    draws = 150
    least = 0.95 - 2 * np.sqrt(0.95 * 0.05 / draws)  # minus two standard errors
    found = load_benchmark("suite_ranks").measure(separations, draws, resampled=False)
    for name in ("tied", "ranks", "mean_rank", "mean"):
        assert np.mean(getattr(found, name)) >= least, name
    if len(set(separations)) > 1:
        assert np.mean(found.best) > 0.5  # power: the best arm is alone
