import dataclasses
import types

import numpy as np
import pandas as pd
import pytest
from json_file import read_json

from configs import own_data
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.finetuning import best_candidate
from remedis.finetuning.data import RunData
from remedis.finetuning.model import FitResult
from remedis.finetuning.settings import FinetuneSettings
from remedis.training.loop import Diverged
from remedis.training.run_directory import RunDirectory

# Share of the validation images that a model ranks, by learning rate. The others are ties, so that
# the AUROC is 1 - (1 - share)^2 / 2.
QUALITY = {0.003: 0.2, 0.03: 0.8, 0.3: 0.8}


def split(rows=40):
    table = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(rows)],
            "patient_id": [f"p{i}" for i in range(rows)],
            **dict.fromkeys(("study_id", "site"), ""),
            "split": "train",
            "label": np.arange(rows) % 2,
        }
    )
    return Manifest(table, ("label",), "/nowhere", "test")


class FakeModel:
    """Weights that a training changes."""

    def __init__(self):
        self.weights = "initial"

    def copied_weights(self):
        return self.weights

    def restore_weights(self, weights):
        self.weights = weights


class FakeFit:
    """Scores validation by the learning rate instead of training."""

    trained: tuple[float, ...] = ()

    def __init__(self, distribution, model):
        self.model = model

    def __call__(self, settings, directory, data, train_ops, eval_ops, scores_test):
        assert self.model.weights == "initial"
        rate = settings.optimization.learning_rate
        self.model.weights = rate
        if not directory.finished():
            FakeFit.trained += (rate,)
        if isinstance(QUALITY.get(rate), BaseException):
            raise QUALITY[rate]
        right = np.arange(40) < 40 * QUALITY[rate]
        logits = np.where(right, data.validation.targets()[:, 0] - 0.5, 0)[:, None]
        return FitResult(None, logits, logits if scores_test else logits[:0], {"steps": 3})


@pytest.fixture
def fitted(tmp_path, monkeypatch):
    """Returns a function that fits by a grid with faked trainings."""
    monkeypatch.setattr(best_candidate.gradient, "GradientFit", FakeFit)
    monkeypatch.setattr(FakeFit, "trained", ())

    def fit(select, workers=1):
        settings = FinetuneSettings.from_config(own_data.get_config())
        settings = dataclasses.replace(settings, select=select)
        run = RunDirectory(tmp_path, settings.to_dict())
        run.pin({"data": "d", "weights": "w"})
        data = RunData(split(), split(), split(), pd.Series(dtype=str), {})
        distribution = types.SimpleNamespace(workers=workers)
        best_candidate.check(settings, distribution)
        return best_candidate.fit(settings, run, distribution, FakeModel(), data, None, None)

    return fit


def test_the_best_candidate_on_validation_is_kept_and_the_first_of_equal_ones(fitted, tmp_path):
    result = fitted("learning_rate=0.003,0.03,0.3")
    assert FakeFit.trained == (0.003, 0.03, 0.3)
    assert len(result.test_logits) == 40
    tuning = result.summary.pop("tuning")
    assert result.summary == {"steps": 3}
    assert tuning == {
        "grid": "learning_rate=0.003,0.03,0.3",
        "names": ("learning_rate=0.003", "learning_rate=0.03", "learning_rate=0.3"),
        "scores": pytest.approx((0.68, 0.98, 0.98)),
        "chosen": 1,
    }
    assert fitted("learning_rate=0.003,0.03,0.3").summary["tuning"]["chosen"] == 1
    assert FakeFit.trained == (0.003, 0.03, 0.3)  # finished ones are not repeated
    inputs = read_json(tmp_path / "candidates" / "candidate-2" / "inputs.json")
    assert inputs == {"data": "d", "weights": "w"}


def test_a_killed_grid_of_a_run_resumes(fitted, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setitem(QUALITY, 0.03, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            fitted("learning_rate=0.003,0.03,0.3")
    fitted("learning_rate=0.003,0.03,0.3")
    assert FakeFit.trained == (0.003, 0.03, 0.03, 0.3)


def test_a_grid_of_diverging_candidates_is_a_sentence_and_starts_over(
    fitted, tmp_path, monkeypatch
):
    monkeypatch.setitem(QUALITY, 2.0, Diverged("it diverged"))
    monkeypatch.setitem(QUALITY, 3.0, Diverged("it diverged"))
    with pytest.raises(UserError) as caught:
        fitted("learning_rate=2,3")
    assert str(caught.value) == (
        "Every candidate diverged (learning_rate=2; learning_rate=3); name smaller learning rates "
        "in config.select, or set a smaller one."
    )
    assert not (tmp_path / "candidates").exists()
    assert fitted("learning_rate=2,0.03").summary["tuning"]["scores"] == (None, pytest.approx(0.98))


@pytest.mark.parametrize(
    ("select", "workers", "message"),
    [
        (
            "learning_rate=0.003,0.03",
            2,
            "config.select is 'learning_rate=0.003,0.03', which runs in",
        ),
        ("learning_rate=0.003,0", 1, "config.learning_rate is 0.0; expected a number above 0."),
        ("steps=10,0.5", 1, "config.select has steps=0.5; expected a whole number"),
    ],
)
def test_grids_that_cannot_be_trained_stop_before_the_first(fitted, select, workers, message):
    with pytest.raises(UserError) as caught:
        fitted(select, workers)
    assert str(caught.value).startswith(message)
    assert FakeFit.trained == ()
