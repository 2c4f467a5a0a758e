"""Points of the growth of time and memory, and the table of their numbers."""

import pytest

from remedis.models.architectures import Architecture


@pytest.fixture(scope="module")
def growth(load_benchmark):
    for name in ("turn", "turns", "bench_ours", "bench_lines", "bench_page"):
        load_benchmark(name)
    return load_benchmark("growth")


@pytest.mark.parametrize(("name", "expected"), [("50x1", 4.1), ("101x1", 7.8)])
def test_multiply_adds_are_those_of_published_resnets(growth, name, expected):
    # Of ResNet-50 and -101 with the stride in the second convolution of a unit, at 224 pixels.
    found = growth.multiply_adds(Architecture.parse(name), 224) / 1e9
    assert found == pytest.approx(expected, abs=0.06)


def test_they_grow_with_the_square_of_width_and_side(growth):
    count = growth.multiply_adds(Architecture((1, 1, 1, 1), 1), 64)
    root = 7 * 7 * 3 * 64 * 32**2
    wide = growth.multiply_adds(Architecture((1, 1, 1, 1), 2), 64)
    assert wide - 2 * root == 4 * (count - root)
    assert growth.multiply_adds(Architecture((1, 1, 1, 1), 1), 128) == 4 * count


def test_costs_are_multiples_of_the_first_row(growth, load_benchmark):
    turns = load_benchmark("turns")
    axis = (growth.Point(batch=1), growth.Point(batch=2))

    def measured(ours, peer):
        of = {"remedis": [turns.Turn(ours, 1, 1.5)] * 3, "timm": [turns.Turn(peer, 1, 2.5)] * 3}
        return turns.Measured(of, 0.0)

    rows = growth.table(axis, [measured(0.2, 0.1), measured(0.1, 0.15)])
    assert rows[2] == "| 50x1 | 224 | 1 | 4.09 | 200.0 | 1.00 | 1.50 | 100.0 | 1.00 | 2.50 |"
    assert rows[3] == "| 50x1 | 224 | 2 | 4.09 | 100.0 | 0.50 | 1.50 | 150.0 | 1.50 | 2.50 |"
