"""Merging of what is finished, while other processes compute the rest."""

import numpy as np
import pytest
from fake_probe import FakeProbe
from small_study import summary_of

from remedis import label_budget
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.label_budget import arm, run_study, shard_locks
from remedis.label_budget.cell_store import CellStore
from remedis.label_budget.finished_part import finished_part
from remedis.label_budget.settings import Shard
from remedis.reporting import label_budget_report

ARMS = "one=scratch:1-1-1-1x0.5; two=scratch:1-1-1-1x0.5"


class FakeFinetune(FakeProbe):
    """Stands for a fine-tuned arm."""

    def __init__(self, study, name):
        super().__init__(study.settings, study.run, study.data, name)
        self.in_distribution(0).write(arm.scores_file(study.run, name, "finetune"))

    def adapt(self, draw, cell):
        return super().adapt(draw, cell._replace(patients=cell.patients + 1))


@pytest.fixture(autouse=True)
def no_networks(monkeypatch):
    monkeypatch.setattr(run_study, "ProbeArm", FakeProbe)
    monkeypatch.setattr(
        run_study, "_finetune_arm", lambda study, name, _: FakeFinetune(study, name)
    )


class Killed(Exception):
    """Stands for the end of a process."""


def run_for(cells, studies, monkeypatch):
    """Runs studies until a number of cells is written."""
    write, written = CellStore.write, []

    def dying(store, cell, *results):
        if len(written) == cells:
            raise Killed
        written.append(cell)
        write(store, cell, *results)

    with monkeypatch.context() as patched:
        patched.setattr(CellStore, "write", dying)
        with pytest.raises(Killed):
            run_study.run_studies(studies, Shard())


def begun(config, tmp_path, monkeypatch):
    """A study of 12 cells, of which 10 are finished."""
    config.select = "learning_rate=1.6"
    config.primary = "two, finetune, 100%"
    studies = run_study.studies_of(config, tmp_path)
    with pytest.raises(UserError, match=r"nothing to merge yet: 0 of 12 cells are finished, and"):
        run_study.merge_studies(studies)
    run_for(10, studies, monkeypatch)
    return studies


def test_what_is_finished_is_merged_while_a_shard_runs(study_config, tmp_path, monkeypatch, caplog):
    config = study_config(arms=ARMS, baseline="one", modes=("probe", "finetune"), budgets="0")
    begun(config, tmp_path, monkeypatch)
    with shard_locks.held(tmp_path, Shard(1, 2), config.copy_and_resolve_references().to_dict()):
        left_out = label_budget.merge(config, tmp_path)
    assert left_out == [
        "two is left out of the mode finetune: 2 cells of it are not finished.",
        "The primary comparison is left out, since its cells are not finished.",
    ]
    assert left_out[0] in caplog.text
    found = summary_of(tmp_path)
    assert found["cells"] == {"done": 9, "planned": 12}
    assert {(p["arm"], p["mode"]) for p in found["points"]} == {
        *(("one", "probe"), ("one", "finetune"), ("two", "probe"))
    }
    assert found["primary"] is None
    assert found["caveats"][:2] == left_out


@pytest.mark.guarantee
def test_the_report_of_a_part_says_so_and_the_rest_completes_it(
    study_config, tmp_path, monkeypatch
):
    config = study_config(arms=ARMS, baseline="one", modes=("probe", "finetune"), budgets="0")
    studies = begun(config, tmp_path, monkeypatch)
    run_study.merge_studies(studies)
    page = label_budget_report.write(tmp_path).read_text()
    assert "UNFINISHED: 9 of 12 cells are done" in page
    assert "two is left out of the mode finetune: 2 cells of it are not finished." in page
    # With the rest, both ways to merge write the same.
    run_study.run_studies(studies, None)
    whole = summary_of(tmp_path), (tmp_path / "curves.csv").read_bytes()
    assert whole[0]["cells"] == {"done": 12, "planned": 12}
    assert run_study.merge_studies(studies) == (studies, [])
    assert (summary_of(tmp_path), (tmp_path / "curves.csv").read_bytes()) == whole


def test_a_mode_without_the_baseline_is_left_out(study_config, tmp_path):
    config = study_config(arms=ARMS, baseline="two", modes=("probe", "finetune"), budgets="0")
    config.select = "learning_rate=1.6"
    (study,) = run_study.studies_of(config, tmp_path)

    def finish(*cells):
        for cell in cells:
            study.cells.write(Cell(*cell), np.zeros(study.cells._shape), 1.0)

    finish(("two", "finetune", 0, 0), ("two", "finetune", 24, 0), ("one", "probe", 0, 0))
    with pytest.raises(UserError, match=r"baseline two has not all of its cells in any mode; star"):
        finished_part(study)
    finish(("two", "finetune", 24, 1))
    part, left_out = finished_part(study)
    assert (part.settings.modes, list(part.settings.arms)) == (("finetune",), ["two"])
    assert sorted(part.cells) == [
        ("two", "finetune", 0, 0),
        *[("two", "finetune", 24, s) for s in (0, 1)],
    ]
    assert left_out == [
        "one is left out of the mode finetune: 3 cells of it are not finished.",
        "The mode probe is left out: the baseline two has not all of its cells.",
    ]
    # A cell that is finished meanwhile changes nothing.
    finish(("one", "finetune", 0, 0))
    assert len(part.cells) == 3
    assert part.cells.planned == 12
