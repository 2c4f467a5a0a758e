"""Every method learns: `benchmarks/selfsup.py` at the length that `docs/results.md` tells of."""

import pytest

from remedis.pretraining.methods import METHODS


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("selfsup")


def estimate(value, low, high):
    return {"value": value, "low": low, "high": high}


@pytest.fixture
def found():
    """What two methods came to, of which one was not shown to learn."""
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


def test_a_row_holds_a_method_against_its_backbone_at_initialisation(benchmark, found):
    lines = benchmark.section(found).splitlines()
    assert [line for line in lines if line.startswith(("| simclr", "| moco"))] == [
        "| simclr | 0.600 [0.570, 0.630] | 0.700 [0.660, 0.740] | +0.100 [+0.070, +0.130] | "
        "+0.090 to +0.110, 2 | 0.5 |",
        "| moco | 0.600 [0.570, 0.630] | 0.610 [0.560, 0.660] | +0.010 [-0.020, +0.040] | "
        "+0.000 to +0.020, 2 | 1.2 |",
    ]


def test_a_method_not_shown_to_learn_is_named(benchmark, found):
    (sentence,) = benchmark.failures(found)
    assert sentence.startswith("moco was not shown to learn")
    assert "+0.010 [-0.020, +0.040]" in sentence


@pytest.mark.slow
def test_every_method_beats_its_backbone_at_initialisation(benchmark, tmp_path):
    found = benchmark.measure(list(METHODS), benchmark.SEEDS, tmp_path)
    differences = benchmark.differences(found)
    assert list(differences) == list(METHODS)
    assert all(len(point["per_seed"]) == 3 for point in found["points"])
    assert not benchmark.failures(found), differences
    assert all(row["low"] > 0 for row in differences.values()), differences
    # Nobody is left out for want of patients, and everybody judged is a stranger to the training.
    assert found["facts"]["judges"] == benchmark.TEST_PATIENTS
    assert found["facts"]["patients"] == benchmark.PATIENTS
