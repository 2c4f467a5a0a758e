"""Every method learns: `benchmarks/selfsup.py` at its full length."""

import pytest

from remedis.pretraining.methods import METHODS


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("selfsup")


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high}


@pytest.fixture
def result():
    """Returns the result of two methods, one of which was not shown to learn."""
    points = {
        "initialisation": (estimate(0.6, 0.57, 0.63), [0.58, 0.62]),
        "simclr": (estimate(0.7, 0.66, 0.74), [0.69, 0.71]),
        "moco": (estimate(0.61, 0.56, 0.66), [0.6, 0.62]),
    }
    differences = {
        ("simclr", "moco"): estimate(0.09, 0.04, 0.14),
        ("simclr", "initialisation"): estimate(0.1, 0.07, 0.13),
        ("moco", "initialisation"): estimate(0.01, -0.02, 0.04),
    }
    facts = (
        "runs",
        "steps",
        "images",
        "patients",
        "labels",
        "train",
        "validation",
        "test",
        "judges",
    )
    return {
        "interval": "95 % percentiles",
        "points": [
            {"arm": arm, "mean": mean, "per_seed": seeds} for arm, (mean, seeds) in points.items()
        ],
        "paired": [
            {"arm": arm, "against": other, "difference": difference}
            for (arm, other), difference in differences.items()
        ],
        "facts": {"seeds": 2, **{name: 100 + i for i, name in enumerate(facts)}},
        "minutes": {"simclr": 0.5, "moco": 1.25},
    }


def test_a_row_compares_a_method_with_its_backbone_at_initialisation(benchmark, result):
    lines = benchmark.section(result).splitlines()
    assert [line for line in lines if line.startswith(("| simclr", "| moco"))] == [
        "| simclr | 0.600 [0.570, 0.630] | 0.700 [0.660, 0.740] | +0.100 [+0.070, +0.130] | "
        "+0.090 to +0.110, 2 | 0.5 |",
        "| moco | 0.600 [0.570, 0.630] | 0.610 [0.560, 0.660] | +0.010 [-0.020, +0.040] | "
        "+0.000 to +0.020, 2 | 1.2 |",
    ]


def test_a_method_not_shown_to_learn_is_named(benchmark, result):
    (sentence,) = benchmark.failures(result)
    assert sentence.startswith("moco was not shown to learn")
    assert "+0.010 [-0.020, +0.040]" in sentence


@pytest.mark.slow
def test_every_method_beats_its_backbone_at_initialisation(benchmark, tmp_path):
    result = benchmark.measure(list(METHODS), benchmark.SEEDS, tmp_path)
    differences = benchmark.differences(result)
    assert list(differences) == list(METHODS)
    assert all(len(point["per_seed"]) == 3 for point in result["points"])
    assert not benchmark.failures(result), differences
    assert all(row["low"] > 0 for row in differences.values()), differences
    # No patient is left out, and no test patient is in the training.
    assert result["facts"]["judges"] == benchmark.TEST_PATIENTS
    assert result["facts"]["patients"] == benchmark.PATIENTS
