"""Files of finished cells and models that are damaged are named, with what to remove."""

import os
import types

import numpy as np
import pytest

from remedis.errors import UserError
from remedis.evaluation.label_budget import Cell
from remedis.finetuning.tuning_grid import Choice
from remedis.label_budget.arm import SCORES, InDistributionScores, pin_weights
from remedis.label_budget.cell_store import CellStore
from remedis.zoo.provenance import Provenance

CELL = Cell("a", "probe", 4, 0)
CHOICE = Choice(("step 0", "penalty 1"), (None, 0.5), 1)
AGAIN = "remove it, so that its cell is run again."


@pytest.fixture
def cells(tmp_path):
    store = CellStore(tmp_path, [CELL], (3, 2))
    store.write(CELL, np.ones((3, 2)), 1.5, CHOICE)
    return store


def replaced(file, **values):
    with np.load(file) as content:
        np.savez(file, **{**content, **values})


def test_a_cell_comes_back(cells):
    np.testing.assert_array_equal(cells[CELL], np.ones((3, 2), np.float32))
    assert (cells.seconds(CELL), cells.choice(CELL)) == (1.5, CHOICE)


@pytest.mark.parametrize(
    ("values", "read", "fault"),
    [
        ({"scores": np.full((3, 2), np.nan)}, "__getitem__", "(scores has NaN or infinity)"),
        (
            {"scores": np.array("x")},
            "__getitem__",
            "(scores has the shape () and type <U1, expected ",
        ),
        ({"seconds": np.array(np.nan)}, "seconds", "(seconds has NaN or infinity)"),
        (
            {"seconds": np.array("1")},
            "seconds",
            "(seconds has the shape () and type <U1, expected ",
        ),
        ({"choice": "{"}, "choice", "choice in "),
        ({"choice": "[]"}, "choice", "choice in "),
        (
            {"choice": '{"names": ["a"], "scores": [1], "chosen": 1}'},
            "choice",
            "one score per name",
        ),
    ],
)
def test_a_damaged_cell_is_a_sentence(cells, tmp_path, values, read, fault):
    file = tmp_path / f"{CELL}.npz"
    replaced(file, **values)
    with pytest.raises(UserError) as caught:
        getattr(cells, read)(CELL)
    assert str(file) in str(caught.value)
    assert fault in str(caught.value)
    assert str(caught.value).endswith(AGAIN)


def test_half_a_cell_is_a_sentence(cells, tmp_path):
    file = tmp_path / f"{CELL}.npz"
    os.truncate(file, 200)
    with pytest.raises(UserError) as caught:
        cells[CELL]
    assert str(caught.value) == f"{file} is damaged (File is not a zip file); {AGAIN}"


@pytest.mark.parametrize("values", [{"inside": np.array([[np.inf]])}, {"provenance": "{}"}])
def test_damaged_scores_of_a_model_say_what_to_remove(tmp_path, values):
    scores = np.zeros((2, 1))
    for file, removed in (
        (tmp_path / "m" / SCORES, tmp_path / "m"),
        *[(tmp_path / "a-probe.npz",) * 2],
    ):
        InDistributionScores(scores, scores, Provenance("random", "Drawn."), 1.0).write(file)
        assert InDistributionScores.read(file).pool is None
        replaced(file, **values)
        with pytest.raises(UserError) as caught:
            InDistributionScores.read(file)
        assert str(file) in str(caught.value)
        assert f"; remove {removed}, so that" in str(caught.value)


@pytest.mark.parametrize(
    "finished", ["id/one/scores.npz", "id-1/one/scores.npz", "id/one-probe.npz"]
)
def test_a_checkpoint_replaced_between_two_trainings_is_refused(tmp_path, finished):
    run = types.SimpleNamespace(models=tmp_path)
    pin_weights(run, "one", "first")
    pin_weights(run, "one", "second", training=1)  # nothing is finished yet
    (tmp_path / finished).parent.mkdir(parents=True)
    (tmp_path / finished).touch()
    for training in (0, 1, 2):
        pin_weights(run, "one", "second", training)
        with pytest.raises(UserError, match="arm 'one' has other weights than the finished cells"):
            pin_weights(run, "one", "third", training)
    pin_weights(run, "on", "third")  # another arm
    pin_weights(run, "one", "third", training=3, drawn=True)  # each training draws its own
    (tmp_path / "weights" / "one.txt").unlink()
    os.mkfifo(tmp_path / "weights" / "one.txt")
    with pytest.raises(UserError, match=r"one\.txt is damaged \(a pipe"):
        pin_weights(run, "one", "second")
