"""A suite that is killed, shared out, merged meanwhile or extended is the same suite."""

import pytest
from fake_probe import FakeProbe
from small_study import write_hospital
from small_suite import ARMS, contents, suite_config

from remedis import suite
from remedis.label_budget import run_study
from remedis.label_budget.cell_store import CellStore
from remedis.label_budget.settings import Shard
from remedis.reporting import leaderboard
from remedis.suite import board

pytestmark = pytest.mark.guarantee


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("hospitals")
    inside, north, south = (
        write_hospital(root / name, i, dark)
        for i, (name, dark) in enumerate((("id", 240), ("north", 0), ("south", 10)))
    )
    return {"north": (inside, north), "south": (inside, south)}


def kill_after(cells, run, monkeypatch):
    """Runs something until a number of cells is written."""
    write, written = CellStore.write, []

    def dying(store, cell, *results):
        if len(written) == cells:
            raise KeyboardInterrupt
        written.append(cell)
        write(store, cell, *results)

    with monkeypatch.context() as patched:
        patched.setattr(CellStore, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            run()


def with_board(result, folder):
    """What a suite and its leaderboard are, without dates and durations."""
    board.write(result.studies, folder, result.settings.title)
    leaderboard.write(folder)
    names = ("board.json", *(f"leaderboard.{end}" for end in ("html", "csv", "md", "svg")))
    return contents(folder) | {name: (folder / name).read_bytes() for name in names}


def test_killed_shared_out_and_merged_meanwhile_it_is_the_same_suite(sets, tmp_path, monkeypatch):
    """With real probes and thumbnails."""
    alone, killed, shared = (tmp_path / name for name in ("alone", "killed", "shared"))
    config = suite_config(sets, arms="one=scratch:1-1-1-1x0.5", baseline="one")
    expected = with_board(suite.run(config, alone), alone)
    assert {"north", "south", "suite", "leaderboard.csv"} <= set(expected)
    for cells in (4, 8):  # in the first set, then in the second
        kill_after(cells, lambda: suite.run(config, killed), monkeypatch)
    assert len(list(killed.glob("sets/*/cells/*.npz"))) == 12
    assert with_board(suite.run(config, killed), killed) == expected

    assert not suite.run(config, shared, Shard(2, 2)).studies
    kill_after(6, lambda: suite.run(config, shared, Shard(1, 2)), monkeypatch)
    result = suite.merge(config, shared)  # all of north, and a part of south
    assert list(result.studies["north"].settings.arms) == ["one", "thumbnails"]
    assert all(sentence.startswith("Set south: ") for sentence in result.unfinished)
    assert result.unfinished
    suite.run(config, shared, Shard(1, 2))
    result = suite.merge(config, shared)
    assert (len(result.studies), result.unfinished) == (2, ())
    assert with_board(result, shared) == expected
    assert with_board(suite.run(config, shared), shared) == expected


def test_arms_that_are_added_later_are_as_from_the_start(sets, tmp_path, monkeypatch):
    monkeypatch.setattr(run_study, "ProbeArm", FakeProbe)
    whole, extended = tmp_path / "whole", tmp_path / "extended"
    more = {"arms": f"{ARMS}; three=scratch:1-2-1-1x0.5", "seeds": 3}
    suite.run(suite_config(sets, **more), whole)
    config = suite_config(sets)
    config.only = "south"
    suite.run(config, extended)
    suite.run(suite_config(sets, **more), extended)
    assert contents(extended) == contents(whole)
