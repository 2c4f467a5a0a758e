"""The sentences of the benchmark on real images, each held against a known study."""

import pytest
from ood_example import interval, make_answer, make_study

from remedis.evaluation.intervals import Estimate

FLOOR = Estimate(0.59, 0.5, 0.7, 122, 60)


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("transfer")


def _section(benchmark, study):
    floors = {"kermany to nih64": FLOOR, "nih64, 142 patients": Estimate(0.5, 0.4, 0.6, 122, 60)}
    return benchmark.section(study, floors, "COMMAND", "figure.png")


def test_an_arm_whose_curve_starts_at_the_level_is_not_said_to_fail(benchmark):
    """The sentence said 'does not reach' of a curve above the level at every budget."""
    study = make_study(("simclr", "scratch"), ("abnormal",), ("probe",))
    below = {
        "status": "below the first budget",
        "patients": interval(0.0, 0.0, 0.0),
        "ratio": None,
        "fold": None,
        "fold_missing": "below the first budget",
        "share_reached": 0.95,
    }
    study["answers"] = [make_answer("simclr", "probe", "scratch", "80 % of the gain", **below)]
    text = _section(benchmark, study)
    assert "does not reach" not in text
    assert (
        "- Linear probe: Without any labelled patient of General Hospital (zero-shot), simclr "
        "already reaches 80 % of the gain that scratch makes with all 310 labelled patients"
    ) in text
    assert "- Linear probe: Placebo: compared with itself, one half" in text


def test_the_section_names_hospitals_and_intervals(benchmark):
    text = _section(benchmark, make_study(("simclr", "scratch"), ("abnormal",), ("probe",)))
    assert "label budgets, University Clinic to General Hospital" in text
    where = "General Hospital (rows that say so: on those of University Clinic)"
    assert f"AUROC on 214 test patients of {where}, seeds: 10. Intervals: 95 %, " in text
    assert "| probe | simclr | 310 | 0.829 [0.799, 0.859] | +0.031 [+0.010, +0.052] |" in text
    assert "OOD data" not in text
    assert (
        "histogram of 16 bins: 0.590 [0.500, 0.700] (kermany to nih64), 0.500 [0.400, 0.600] "
        "(nih64, 142 patients). Intervals of the"
    ) in text
    assert "against the OOD floor of 0.590: " in text


def test_both_arms_have_the_same_rates_to_choose_from(benchmark, tmp_path):
    command = benchmark.command(tmp_path, "a=scratch:50x1; b=x", "a")
    assert f"--config.select={benchmark.RATES}" in command
    assert not [part for part in command if ".learning_rate=" in part]
    (caveats,) = [part for part in command if part.startswith("--config.caveats=")]
    assert "100 steps in distribution, 16 steps per budget" in caveats


@pytest.mark.parametrize(
    ("intervals", "words"),
    [
        (
            [(0.6, 0.7), (0.5, 0.7), (0.4, 0.55), (0.593, 0.9)],
            "Intervals of the 4 points against the OOD floor of 0.592: 2 lie above it, 1 lie below "
            "it, 1 include it.",
        ),
        (
            [(None, None), (0.592, 0.592)],
            "Intervals of the 2 points against the OOD floor of 0.592: 1 include it, 1 are not "
            "estimable.",
        ),
    ],
)
def test_the_floor_is_held_against_intervals(benchmark, intervals, words):
    points = [{"mean": {"low": low, "high": high}} for low, high in intervals]
    assert benchmark.above_floor(points, 0.592) == words
