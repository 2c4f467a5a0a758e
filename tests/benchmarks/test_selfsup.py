"""The benchmark of self-supervised methods: what its section says of each outcome."""

import pytest


@pytest.fixture(scope="module")
def benchmark(load_benchmark):
    return load_benchmark("selfsup")


@pytest.fixture
def summary(benchmark):
    """Returns a function that makes a summary from the differences of two methods."""

    def made(simclr, moco):
        rows = {"simclr": simclr, "moco": moco}
        before = {"value": 0.6, "low": 0.55, "high": 0.65}
        points = [{"arm": benchmark.INITIALISATION, "mean": before, "per_seed": [0.59, 0.61]}]
        points += [{"arm": arm, "mean": before, "per_seed": [0.60, 0.66]} for arm in rows]
        names = ("runs", "seeds", "steps", "images", "patients", "labels", "train", "validation")
        return {
            "interval": "by patient",
            "points": points,
            "paired": [
                {"arm": arm, "against": benchmark.INITIALISATION, "difference": difference}
                for arm, difference in rows.items()
            ],
            "facts": dict.fromkeys((*names, "test", "judges"), 2),
            "minutes": dict.fromkeys(rows, 1.0),
        }

    return made


ABOVE = {"value": 0.03, "low": 0.01, "high": 0.05}
NONE = {"value": None, "low": None, "high": None}


@pytest.mark.parametrize(
    ("difference", "sentence"),
    [
        ({"value": 0.03, "low": 0.0, "high": 0.06}, "is +0.030 [+0.000, +0.060], with no interval"),
        ({"value": -0.03, "low": -0.05, "high": -0.01}, "is -0.030 [-0.050, -0.010], with no"),
        (NONE, "is not estimable, with no interval above 0."),
    ],
)
def test_a_method_whose_interval_is_not_above_0_was_not_shown_to_learn(
    benchmark, summary, difference, sentence
):
    found = summary(ABOVE, difference)
    (failure,) = benchmark.failures(found)
    assert failure.startswith("moco was not shown to learn")
    section = benchmark.section(found)
    assert sentence in failure
    assert failure in section
    assert "The interval of every difference lies" not in section


def test_all_methods_learn(benchmark, summary):
    found = summary(ABOVE, ABOVE)
    assert benchmark.failures(found) == []
    section = benchmark.section(found)
    assert "The interval of every difference lies above 0." in section
    # Seed by seed, 0.60 - 0.59 and 0.66 - 0.61.
    assert "| +0.030 [+0.010, +0.050] | +0.010 to +0.050, 2 | 1.0 |" in section
