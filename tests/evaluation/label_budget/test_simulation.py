"""Bias and coverage of budgets and x-fold reductions where the learning curve is known.

The made-up studies are those of `benchmarks/label_budget.py`, which runs more of them.
"""

import numpy as np
import pytest

from remedis.evaluation.label_budget.arm_differences import arm_differences
from remedis.evaluation.label_budget.learning_curves import LearningCurve
from remedis.evaluation.label_budget.required_patients import Questions, required_patients


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


def noisy_curves(benchmark, laws, seeds, rng):
    """The learning curves of one study with normal errors of patients and seeds, without images."""
    budgets = benchmark.BUDGETS
    count = len(budgets)
    # Most of the error is common to the whole curve of an arm, half of that to both arms.
    common, own = np.full((1, count), 0.01 / np.sqrt(2)), 0.003 * np.eye(count)
    nothing, of_arm = np.zeros((1 + count, count)), np.vstack([common, own])
    influences = [np.vstack([common, of_arm, nothing]), np.vstack([common, nothing, of_arm])]
    errors = rng.normal(size=len(influences[0]))
    spread = 0.03 / np.sqrt(1 + np.array(budgets)) + 0.003
    curves = {}
    for arm, law, influence in zip(("arm", "base"), laws, influences, strict=True):
        truth = np.array([law(n) for n in budgets]) + errors @ influence
        per_seed = truth[:, None] + rng.normal(size=(count, seeds)) * spread[:, None]
        curves[arm, "probe"] = LearningCurve(
            arm,
            "probe",
            budgets,
            per_seed[:, :, None],
            influence[:, :, None],
            np.array([100.0]),
            per_seed,
        )
    return curves


def drawn(curves, rng, resamples=150):
    seed = int(rng.integers(2**31))
    return {key: curve.drawn(resamples, seed, k) for k, (key, curve) in enumerate(curves.items())}


@pytest.mark.parametrize("seeds", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_bias_and_coverage_in_200_studies(benchmark, seeds):
    laws, rng = benchmark.LAWS["steep"], np.random.default_rng(0)
    middle = round(laws[1](100), 3)
    gain = laws[1](0) + 0.8 * (laws[1](200) - laws[1](0))
    estimates = {}
    for _ in range(200):
        curves = drawn(noisy_curves(benchmark, laws, seeds, rng), rng)
        for answer in required_patients(curves, "base", Questions((0.8,), (middle,))):
            if answer["arm"] == "arm":
                for key, ends in benchmark.estimates(answer).items():
                    estimates.setdefault((answer["target"], key), []).append(ends)
    levels = {"reference": laws[1](200), "80 % of the gain": gain}
    for (target, key), ends in estimates.items():
        level = levels.get(target, middle)
        needed, base = laws[0].needed(level), laws[1].needed(level)
        truth = needed if key == "patients" else base / needed
        value, low, high = np.array(ends).T
        assert abs(np.median(value) / truth - 1) < 0.1, (target, key)
        covers = ((low <= truth) & (truth <= high))[~np.isnan(low)]
        assert covers.mean() >= 0.93, (target, key)
        assert len(covers) >= 170


def test_two_arms_of_one_law_have_a_ratio_of_1_and_rarely_a_multiple(benchmark):
    """The null: a level that the arms do not cross alike would favour one of them."""
    rng, answers = np.random.default_rng(1), []
    for _ in range(40):
        for law in benchmark.SHAPES.values():
            curves = drawn(noisy_curves(benchmark, (law, law), 10, rng), rng, 100)
            rows = required_patients(curves, "base", Questions((0.8,)))
            answers += [row for row in rows if (row["arm"], row["headline"]) == ("arm", True)]
    ratios = np.array([row["ratio"]["value"] for row in answers])
    assert 0.8 < np.median(ratios) < 1.25
    assert np.mean([row["fold"] is not None for row in answers]) < 0.07


def test_arms_of_one_law_differ_no_more_often_than_p_says(benchmark):
    law, rng = benchmark.LAWS["steep"][0], np.random.default_rng(0)
    studies = [
        arm_differences(noisy_curves(benchmark, (law, law), 3, rng), "base") for _ in range(400)
    ]
    values = np.array([[pair["p"] for pair in pairs] for pairs in studies])
    # Without Student's t for three seeds, p would be below 0.05 twice as often.
    assert 0.01 <= np.mean(values < 0.05) <= 0.06
    assert np.mean(values) == pytest.approx(0.5, abs=0.07)
    adjusted = np.array([[pair["p_adjusted"] for pair in pairs] for pairs in studies])
    assert np.mean(adjusted.min(axis=1) < 0.05) <= 0.07


@pytest.mark.parametrize("seeds", [3, 10])
def test_the_band_holds_the_whole_curve(benchmark, seeds):
    law, rng, inside = benchmark.LAWS["steep"][0], np.random.default_rng(0), []
    truth = np.array([law(n) for n in benchmark.BUDGETS])
    for _ in range(400):
        mean = noisy_curves(benchmark, (law, law), seeds, rng)["arm", "probe"].quantities()
        low, high = mean.intervals(mean.band_factor(300, int(rng.integers(2**31)))).T
        inside.append(((low <= truth) & (truth <= high)).all())
    assert 0.92 <= np.mean(inside) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("law", ["steep", "far apart"])
def test_bias_is_under_a_tenth_and_nine_in_ten_intervals_hold_the_truth(benchmark, law):
    rows = benchmark.outcomes(benchmark.LAWS[law], 2, 10, 400, draws=300, resamples=200)
    for name, _, bias, covers, given in rows:
        if not name.endswith("first touch"):
            assert abs(bias) < 0.1, name
            assert covers >= 0.9, name
            assert given > 0.9, name
