import itertools

import numpy as np
import pandas as pd
import pytest

from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.label_budget import budgets
from remedis.label_budget.cell_store import CellStore, plan_cells, time_left
from remedis.label_budget.settings import Shard
from remedis.progress import duration

LABELS = ("common", "rare")


def pool(patients=80, images=2, rare=0.15, seed=0) -> Manifest:
    rng = np.random.default_rng(seed)
    ids = np.repeat([f"p{i:03d}" for i in range(patients)], images)
    common = np.repeat(rng.random(patients) < 0.4, images).astype(float)
    few = np.repeat(rng.permutation(patients) < rare * patients, images).astype(float)
    table = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(len(ids))],
            "patient_id": ids,
            "study_id": "",
            "site": "",
            "split": "train",
            "common": common,
            "rare": few,
        }
    )
    return Manifest(table, LABELS, "/nowhere", "test")


def patients_of(manifest, mask):
    return set(manifest.table["patient_id"][mask])


def test_sizes_of_shares_and_counts_with_duplicates_merged():
    assert budgets.sizes("0, 1%, 5%, 10%, 50, 100%", 200) == {
        0: "0",
        2: "1%",
        10: "5%",
        20: "10%",
        50: "50",
        200: "100%",
    }
    # Half rounds up; a share above 0 is one patient; the first name counts; 0 and all are added.
    assert budgets.sizes("1%, 2%, 12.5%, 1", 20) == {0: "0", 1: "1%", 3: "12.5%", 20: "100%"}


@pytest.mark.parametrize("text", ["5%%", "0.5", "-3", "101%", "all", "1e3"])
def test_wrong_budgets_are_a_sentence(text):
    with pytest.raises(UserError, match=r"config.budgets has .*expected shares from 0% to 100%"):
        budgets.sizes(text, 100)


def test_a_budget_beyond_the_pool_is_a_sentence():
    with pytest.raises(UserError) as caught:
        budgets.sizes("0, 500", 120)
    assert str(caught.value) == (
        "config.budgets asks for 500 patients, but the OOD pool has 120; name fewer."
    )


def test_draws_are_nested_disjoint_and_of_whole_patients():
    manifest = pool()
    planned = budgets.plan(manifest, "0, 10%, 25%, 50%", 3, 7, 0.25)
    assert [b.patients for b in planned] == [0, 8, 20, 40, 80]
    assert planned[0].draws == ()
    for seed in range(3):
        smaller = set()
        for budget in planned[1:]:
            draw = budget.draws[seed]
            train, held = (patients_of(manifest, m) for m in (draw.train, draw.validation))
            assert not train & held
            assert len(train | held) == budget.patients
            assert abs(len(held) - budget.patients / 4) <= 2
            assert smaller <= train | held
            smaller = train | held
            # Two images per patient, all of them.
            assert (draw.train | draw.validation).sum() == 2 * budget.patients
    first, second = (patients_of(manifest, planned[1].draws[s].train) for s in range(2))
    assert first != second
    assert planned[-1].images == len(manifest)
    assert planned[-1].positives["rare"] == 12


def test_subsets_are_stratified():
    manifest = pool(patients=200)
    half = budgets.plan(manifest, "50%", 2, 0, 0.25)[1]
    for draw in half.draws:
        rows = manifest.table[draw.train | draw.validation]
        for label in LABELS:
            assert abs(rows[label].mean() - manifest.table[label].mean()) < 0.02


def test_another_budget_in_the_text_changes_no_draw():
    one = budgets.plan(pool(), "10%, 50%", 2, 0, 0.25)
    other = {b.patients: b for b in budgets.plan(pool(), "10%, 20%, 50%", 2, 0, 0.25)}
    for budget in one[1:]:
        for a, b in zip(budget.draws, other[budget.patients].draws, strict=True):
            assert (a.train == b.train).all()
            assert (a.validation == b.validation).all()


def test_both_parts_get_what_two_patients_have():
    rng = np.random.default_rng(0)
    for _ in range(50):
        ill = np.zeros(40, bool)
        ill[rng.choice(40, 2, replace=False)] = True
        held = budgets.held_out(np.column_stack([ill, ~ill]), rng.permutation(40) / 40, 0.25)
        assert (ill & held).sum() == 1
        assert held.sum() in (10, 11)


def test_the_only_patient_with_a_label_trains():
    for order in np.random.default_rng(1).random((20, 12)):
        ill = np.arange(12) == 5
        assert not budgets.held_out(np.column_stack([ill, ~ill]), order, 0.5)[5]


def test_a_budget_without_a_positive_patient_is_left_out_with_the_reason():
    planned = {b.name: b for b in budgets.plan(pool(), "1%, 3, 50%", 2, 0, 0.25)}
    assert planned["1%"].left_out == "no patient is left to validate on in 2 of 2 draws"
    assert planned["3"].left_out == "no patient with rare positive to train on in 2 of 2 draws"
    assert planned["50%"].left_out is None
    cells = plan_cells(["a"], {"probe": 1}, list(planned.values()), 2)
    assert {c.patients for c in cells} == {0, 40, 80}


def test_a_pool_in_which_a_label_is_missing_is_a_sentence():
    with pytest.raises(UserError, match=r"Too few OOD patients .* no patient with rare positive"):
        budgets.plan(pool(rare=0), "0", 1, 0, 0.25)


def test_unknown_labels_are_neither_positive_nor_negative():
    manifest = pool()
    table = manifest.table.copy()
    table.loc[table["common"] == 0, "common"] = np.nan
    with pytest.raises(UserError, match="no patient with common negative to train on"):
        budgets.plan(Manifest(table, LABELS, "/nowhere", "test"), "0", 1, 0, 0.25)


def test_shards_share_the_cells_out(tmp_path):
    planned = plan_cells(
        ["a", "b"], {"probe": 1, "finetune": 2}, budgets.plan(pool(), "50%", 3, 0, 0.25), 3
    )
    assert len(planned) == 2 * (1 + 2 + 2 * 2 * 3)
    cells = CellStore(tmp_path, planned, (4, 2))
    parts = [cells.unfinished(Shard(k, 3)) for k in (1, 2, 3)]
    assert sorted(itertools.chain(*parts)) == sorted(planned)
    cells.write(planned[0], np.zeros((4, 2)), 2.0)
    cells.write(planned[1], np.ones((4, 2)), 4.0)
    assert list(cells) == planned[:2]
    assert cells[planned[1]].dtype == np.float32
    assert cells.unfinished(Shard(1, 3)) == parts[0][1:]
    with pytest.raises(UserError, match="the data have changed since"):
        CellStore(tmp_path, planned, (5, 2))[planned[0]]


def test_time_left_is_told_by_arm_and_mode(tmp_path):
    planned = plan_cells(
        ["a", "b"], {"probe": 1, "finetune": 1}, budgets.plan(pool(), "50%", 1, 0, 0.25), 1
    )
    cells = CellStore(tmp_path, planned, (4, 2))
    homes = {c: None for c in planned if not c.patients}
    nothing = "for {} the time is known after the first cells".format
    assert time_left(cells, planned, homes) == f"{nothing('probe')}; {nothing('finetune')}"
    own = {(c.arm, c.mode): [d for d in planned if d[:2] == c[:2] and d.patients] for c in planned}
    assert {len(found) for found in own.values()} == {2}

    def finish(arm, mode, seconds):
        cells.write(own[arm, mode][0], np.zeros((4, 2)), seconds)

    finish("a", "probe", 2.0)
    homes[Cell("a", "probe", 0, 0)] = 30.0
    # One cell and one model of b, expected to take as long as those of a, and one cell of a.
    probing = [c for c in planned if c.mode == "probe"]
    left = [c for c in cells.unfinished() if c.mode == "probe"]
    assert time_left(cells, left, homes) == "about 36 s"
    assert time_left(cells, probing[:1], homes) == "about 0 s"  # zero-shot
    assert time_left(cells, cells.unfinished(), homes) == f"about 36 s; {nothing('finetune')}"
    finish("a", "finetune", 120.0)
    finish("b", "finetune", 600.0)
    homes[Cell("a", "finetune", 0, 0)] = homes[Cell("b", "finetune", 0, 0)] = 1.0
    # Modes and arms differ: 120 and 600 s are left beside the 36.
    assert time_left(cells, cells.unfinished(), homes) == "about 13 min"
    # Two further models of each arm, of 300 s each.
    homes |= {Cell(arm, "finetune", 0, r): None for arm in "ab" for r in (1, 2)}
    homes[Cell("a", "finetune", 0, 0)] = homes[Cell("b", "finetune", 0, 0)] = 300.0
    assert time_left(cells, cells.unfinished(), homes) == "about 33 min"


@pytest.mark.parametrize("text", ["3/2", "0/2", "1", "a/b", "1/2/3"])
def test_a_wrong_shard_is_a_sentence(text):
    with pytest.raises(UserError) as caught:
        Shard.parse(text)
    assert str(caught.value) == (
        f"--shard={text}: expected K/N with K from 1 to N, such as 1/4 for the first of four "
        "processes."
    )


def test_durations_read_well():
    assert [duration(s) for s in (5, 600, 7200)] == ["5 s", "10 min", "2.0 h"]


@pytest.mark.parametrize(("patients", "most"), [(10, 0.4), (20, 0.4), (40, 0.35), (100, 0.28)])
def test_every_one_of_seven_classes_trains_and_validates(patients, most):
    rng = np.random.default_rng(patients)
    for _ in range(20):
        of_class = rng.choice(7, size=patients, p=[0.4, *[0.1] * 6])
        is_class = np.eye(7, dtype=bool)[of_class]
        held = budgets.held_out(
            np.column_stack([is_class, ~is_class]), rng.permutation(patients).astype(float), 0.25
        )
        counts = is_class.sum(axis=0)
        assert is_class[~held].any(axis=0)[counts >= 1].all()
        assert is_class[held].any(axis=0)[counts >= 2].all()
        assert 0.2 < held.mean() <= most  # rare classes need patients beyond the share
