"""Bias and coverage of budgets and x-fold reductions where the learning curve is known.

The made-up studies are those of `benchmarks/label_budget.py`, which runs more of them.
"""

import numpy as np
import pytest

from remedis.evaluation.label_budget.arm_differences import arm_differences
from remedis.evaluation.label_budget.learning_curves import LearningCurve
from remedis.evaluation.label_budget.required_patients import Cost, required_patients
from remedis.evaluation.label_budget.resampling import seed_draws


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("label_budget")


def test_made_up_scores_have_the_aurocs_of_the_law(benchmark):
    laws = benchmark.LAWS["steep"]
    test, cells = benchmark.simulate(laws, labels=2, seeds=2, patients=4000, seed=0)
    result = benchmark.analyse_study(test, cells, "base", resamples=40)
    for point in result["points"]:
        law = laws[0] if point["arm"] == "arm" else laws[1]
        noise = 3 * (0.005 + 0.03 / np.sqrt(1 + point["patients"]) + 0.003) / np.sqrt(2)
        assert point["mean"]["value"] == pytest.approx(law(point["patients"]), abs=noise)
    assert laws[0].needed(laws[0](37)) == pytest.approx(37)


def noisy_curves(benchmark, laws, seeds, rng, resamples=150):
    """The learning curves of one study with normal errors of patients and seeds, without images."""
    budgets = benchmark.BUDGETS
    shape = (len(laws), len(budgets))

    def patients(draws):
        # Most of the error is common to the whole curve of an arm, half of that to both arms.
        shared = rng.normal(size=(draws, 1, 1)) + rng.normal(size=(draws, shape[0], 1))
        return 0.01 * (shared / np.sqrt(2) + 0.3 * rng.normal(size=(draws, *shape)))

    spread = 0.03 / np.sqrt(1 + np.array(budgets)) + 0.003
    truth = np.array([[law(n) for n in budgets] for law in laws])
    per_seed = truth + patients(1) + rng.normal(size=(seeds, *shape)) * spread
    drawn = np.concatenate([np.zeros((1, *shape)), patients(resamples)])
    weights = seed_draws(seeds, resamples, int(rng.integers(2**32)))
    means = np.einsum("bs,sak->bak", weights, per_seed) + drawn
    return {
        (arm, "probe"): LearningCurve(arm, "probe", budgets, means[:, i, :, None], per_seed[:, i].T)
        for i, arm in enumerate(("arm", "base"))
    }


@pytest.mark.parametrize("seeds", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_bias_and_coverage_in_300_studies(benchmark, seeds):
    laws, rng = benchmark.LAWS["steep"], np.random.default_rng(0)
    middle = round(laws[1](100), 3)
    estimates = {}
    for _ in range(300):
        curves = noisy_curves(benchmark, laws, seeds, rng)
        for answer in required_patients(curves, "base", (middle,), Cost(), extrapolate=False):
            if answer["arm"] == "arm":
                for key, ends in benchmark.estimates(answer).items():
                    estimates.setdefault((answer["target"], key), []).append(ends)
    for (target, key), ends in estimates.items():
        level = laws[1](200) if target == "reference" else middle
        needed, base = laws[0].needed(level), laws[1].needed(level)
        truth = needed if key == "patients" else base / needed
        value, low, high = np.array(ends).T
        assert abs(np.median(value) / truth - 1) < 0.1, (target, key)
        covers = ((low <= truth) & (truth <= high))[~np.isnan(low)]
        assert covers.mean() >= 0.9, (target, key)
        assert len(covers) >= 250


def test_arms_of_one_law_differ_no_more_often_than_p_says(benchmark):
    law, rng = benchmark.LAWS["steep"][0], np.random.default_rng(0)
    values = [
        [pair["p"] for pair in arm_differences(noisy_curves(benchmark, (law, law), 3, rng), "base")]
        for _ in range(200)
    ]
    # Without Student's t for three seeds, p would be below 0.05 twice as often.
    assert 0.01 <= np.mean(np.array(values) < 0.05) <= 0.08
    assert np.mean(values) == pytest.approx(0.5, abs=0.07)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["steep", "far apart"])
def test_bias_is_under_a_tenth_and_nine_in_ten_intervals_hold_the_truth(benchmark, law):
    rows = benchmark.outcomes(benchmark.LAWS[law], 2, 10, 400, draws=300, resamples=200)
    for name, _, bias, covers, given in rows:
        if not name.endswith("first touch"):
            assert abs(bias) < 0.1, name
            assert covers >= 0.9, name
            assert given > 0.9, name
