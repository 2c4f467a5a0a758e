"""Lines of the comparison with peers, and the page of its numbers."""

import pytest


@pytest.fixture(scope="module")
def modules(load_benchmark):
    for name in ("turn", "turns", "bench_ours", "bench_lines"):
        load_benchmark(name)
    return load_benchmark("bench_lines"), load_benchmark("bench_page"), load_benchmark("turns")


@pytest.fixture
def measured(modules):
    """A line of two engines of ours and two peers, of which `fast` and `quick` are the best."""
    lines, _, turns = modules
    seconds = {
        "slow": [4.0, 4.0, 4.0],
        "fast": [1.0, 2.0, 1.0],
        "peer": [9.0, 9.0, 9.0],
        "quick": [2.0, 2.0, 3.0],
    }
    line = lines.Line(
        "a work",
        "image",
        tuple(turns.Contender(name, ()) for name in seconds),
        (
            lines.Goal(("slow", "fast"), ("peer", "quick"), 2.5),
            lines.Goal(("fast",), (), 0.9),
            lines.Goal(("fast",), ("absent",), 1.0),
        ),
    )
    return line, turns.Measured(
        {name: [turns.Turn(s, 2 * s, 1.5) for s in of] for name, of in seconds.items()}, 0.2
    )


def test_a_ratio_is_the_median_over_rounds_of_the_best_of_both_sides(modules, measured):
    _, page, _ = modules
    line, found = measured
    assert page.ratios(line.goals[0], found.turns, "seconds") == [2.0, 1.0, 3.0]
    assert page.verdict(line.goals[0], line, found) == [
        *("fast", "quick", "2.00 (1.00 to 3.00)", "2.50", "no")
    ]
    assert page.verdict(line.goals[1], line, found) == ["fast", "", "1.00 s", "at most 0.9 s", "no"]
    assert page.verdict(line.goals[2], line, found) == ["fast", "not measured", "", "1.00", ""]


def test_the_table_has_rates_processor_seconds_and_what_disturbed(modules, measured):
    _, page, _ = modules
    rows = page.table(*measured)
    assert rows[3] == "| fast | 1 (0.5 to 1) | 2 | 1.50 |"
    assert rows[-1] == "\nOther programs took 20% of the processors meanwhile."


def test_the_page_has_every_goal_and_its_picture(modules, measured, tmp_path):
    _, page, _ = modules
    page.write(tmp_path / "page.md", [measured], 2, "", 3)
    text = (tmp_path / "page.md").read_text()
    assert "1 of 2 works were measured." in text
    assert "| a work | fast | quick | 2.00 (1.00 to 3.00) | 2.50 | no |" in text
    assert "tensorflow " in text
    assert "a work: fast v quick" in (tmp_path / page.PLOT).read_text().replace("<!-- ", "")


@pytest.mark.parametrize("peer_python", ["", "python"])
def test_goals_are_of_contenders_of_their_line(modules, tmp_path, peer_python):
    lines, _, _ = modules
    found = lines.lines(lines.Programs(tmp_path, peer_python, quick=False))
    names = [line.name for line in found]
    assert len(set(names)) == len(names) > 10
    for line in found:
        here = {contender.name for contender in line.contenders}
        assert len(here) == len(line.contenders)
        for goal in line.goals:
            assert set(goal.ours) <= here
            assert not peer_python or set(goal.peers) <= here
            assert goal.least > 0


def test_a_work_that_is_unknown_is_a_sentence(load_benchmark, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench.py", "--only=nothing"])
    with pytest.raises(SystemExit):
        load_benchmark("bench").main()
    assert "--only=nothing: expected one of: 224 px, batch 8; " in capsys.readouterr().err
