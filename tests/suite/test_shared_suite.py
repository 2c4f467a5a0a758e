"""A suite that is killed, shared out, merged meanwhile or extended is the same suite."""

import pytest
from fake_probe import FakeProbe
from small_study import write_hospital
from small_suite import ARMS, contents, suite_config

from remedis import suite
from remedis.label_budget import run_study
from remedis.label_budget.cell_store import CellStore
from remedis.label_budget.settings import Shard
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


def test_killed_shared_out_and_merged_meanwhile_it_is_the_same_suite(sets, tmp_path, monkeypatch):
    """With real probes and thumbnails."""
    alone, killed, shared = (tmp_path / name for name in ("alone", "killed", "shared"))
    config = suite_config(sets, arms="one=scratch:1-1-1-1x0.5", baseline="one")
    whole = suite.run(config, alone)
    assert len(whole.studies) == 2
    for cells in (4, 8):  # in the first set, then in the second
        kill_after(cells, lambda: suite.run(config, killed), monkeypatch)
    assert len(list(killed.glob("sets/*/cells/*.npz"))) == 12
    suite.run(config, killed)
    assert contents(killed) == contents(alone)

    assert not suite.run(config, shared, Shard(2, 2)).studies
    kill_after(6, lambda: suite.run(config, shared, Shard(1, 2)), monkeypatch)
    result = suite.merge(config, shared)  # all of north, and a part of south
    assert list(result.studies["north"].settings.arms) == ["one", "thumbnails"]
    partial = board.of(result.studies)
    assert {len(of["standings"]) for of in partial["contests"] if of["set"] == "north"} == {2}
    assert all(sentence.startswith("Set south: ") for sentence in result.unfinished)
    assert result.unfinished
    suite.run(config, shared, Shard(1, 2))
    result = suite.merge(config, shared)
    assert (len(result.studies), result.unfinished) == (2, ())
    boards = [board.of(of.studies, "", at) for of, at in ((result, shared), (whole, alone))]
    assert boards[0] == boards[1]
    assert contents(shared) == contents(alone)
    suite.run(config, shared)
    assert contents(shared) == contents(alone)


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
