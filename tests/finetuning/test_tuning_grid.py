import dataclasses
import functools

import pytest
from json_file import read_json

from configs import own_data
from remedis.errors import UserError
from remedis.finetuning import tuning_grid
from remedis.finetuning.settings import FinetuneSettings
from remedis.finetuning.tuning_grid import CandidateDirectory, Choice, Grid, train_candidates
from remedis.training import loop


def test_a_grid_is_every_value_with_every_other_in_the_order_of_the_text():
    grid = Grid.parse("learning_rate = 0.003, 0.03; weight_decay=0,1e-4 ; steps=100")
    assert [candidate.name for candidate in grid.candidates()] == [
        "learning_rate=0.003, weight_decay=0, steps=100",
        "learning_rate=0.003, weight_decay=0.0001, steps=100",
        "learning_rate=0.03, weight_decay=0, steps=100",
        "learning_rate=0.03, weight_decay=0.0001, steps=100",
    ]
    assert len(grid) == 4
    assert grid.budget() == "2 learning rates x 2 weight decays x 1 length = 4 trainings"
    assert all(isinstance(c.values["steps"], int) for c in grid.candidates())


def test_a_grid_may_hold_words():
    grid = Grid.parse("layers=all,decaying; decay_to=start; warmup_epochs=0,2")
    assert [candidate.name for candidate in grid.candidates()] == [
        "layers=all, decay_to=start, warmup_epochs=0",
        "layers=all, decay_to=start, warmup_epochs=2",
        "layers=decaying, decay_to=start, warmup_epochs=0",
        "layers=decaying, decay_to=start, warmup_epochs=2",
    ]
    assert grid.budget() == "2 choices of layers x 1 end of the decay x 2 warm-ups = 4 trainings"
    base = FinetuneSettings.from_config(own_data.get_config())
    changed = {"layers": "decaying", "decay_to": "start", "warmup_epochs": 2.0}
    assert grid.candidates()[-1].of(base).to_dict() == base.to_dict() | changed


def test_an_empty_grid_is_the_config_as_it_is():
    grid = Grid.parse("")
    (candidate,) = grid.candidates()
    base = FinetuneSettings.from_config(own_data.get_config())
    assert candidate.of(base) == base
    assert candidate.name == "as configured"
    assert len(grid) == 1
    assert grid.budget() == "no grid: 1 training"


def test_a_candidate_changes_its_own_keys_and_the_length():
    base = FinetuneSettings.from_config(own_data.get_config())
    base = dataclasses.replace(
        base, optimization=dataclasses.replace(base.optimization, epochs=3.0)
    )
    (candidate,) = Grid.parse("steps=7; learning_rate=0.5").candidates()
    got = candidate.of(base)
    changed = {"steps": 7, "epochs": None, "learning_rate": 0.5}
    assert got.to_dict() == base.to_dict() | changed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.003,0.03", "config.select has '0.003,0.03'; expected keys with their values, separ"),
        ("learning_rat=1", "Unknown key in config.select 'learning_rat': did you mean 'learning_r"),
        ("momentum=0.9", "Unknown key in config.select 'momentum'"),
        ("learning_rate=a", "config.select has learning_rate=a; expected a number of 0 or more"),
        ("learning_rate=-1", "config.select has learning_rate=-1; expected a number of 0 or more"),
        ("learning_rate=nan", "config.select has learning_rate=nan; expected a number of 0 or"),
        ("learning_rate=inf", "config.select has learning_rate=inf; expected a number of 0 or"),
        ("layers=al", "Unknown value of layers in config.select 'al': did you mean 'all'? Choose"),
        ("layers=all,all", "config.select has layers=all twice; list every value once"),
        ("steps=1.5", "config.select has steps=1.5; expected a whole number of 0 or more"),
        ("learning_rate=,", "config.select has no value of learning_rate; expected keys with"),
        ("learning_rate=1,1.0", "config.select has learning_rate=1.0 twice; list every value once"),
        ("steps=1; steps=2", "config.select names steps twice; list its values once, as in"),
        ("steps=1; epochs=2", "config.select names steps and epochs, which are lengths both; name"),
    ],
)
def test_mistakes_in_a_grid_are_a_sentence(text, message):
    with pytest.raises(UserError) as caught:
        Grid.parse(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ((0.5, 0.7, 0.6), 1),
        ((0.7, 0.7, 0.7), 0),  # the first among equals
        ((0.6, 0.7, 0.7), 1),
        ((None, 0.2, 0.1), 1),
        ((None, None), 0),
        ((-0.7, -0.6, None), 1),  # negative losses
    ],
)
def test_the_best_score_is_chosen_and_the_first_of_equal_ones(scores, chosen):
    choice = Choice.best([str(i) for i in range(len(scores))], scores)
    assert choice.chosen == chosen
    assert choice.ranked == any(score is not None for score in scores)
    assert Choice.from_json(choice.to_json()) == choice


def directories(folder, count=3):
    return [CandidateDirectory(folder / f"candidate-{i}", {"n": i}) for i in range(count)]


def training(made, scores, trained):
    """A training that writes checkpoints and has a known score."""

    def train(index):
        trained.append(index)
        (made[index] / "checkpoints" / "last").mkdir(parents=True, exist_ok=True)
        (made[index] / "checkpoints" / "last" / "ckpt-1.index").touch()
        if isinstance(scores[index], BaseException):
            raise scores[index]
        return scores[index]

    return train


@pytest.mark.parametrize(
    ("scores", "kept"),
    [((0.5, 0.7, 0.6), 1), ((0.7, 0.6, 0.7), 0), ((loop.Diverged("it diverged"), 0.2, 0.1), 1)],
)
def test_only_the_best_candidate_keeps_its_checkpoints(tmp_path, scores, kept):
    made, trained = directories(tmp_path), []
    got = train_candidates(made, training(made, scores, trained))
    assert got == [None if isinstance(score, UserError) else score for score in scores]
    assert trained == [0, 1, 2]
    assert [(d / "checkpoints").is_dir() for d in made] == [i == kept for i in range(3)]


def test_a_killed_grid_repeats_no_finished_candidate(tmp_path):
    trained = []
    made = directories(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train_candidates(made, training(made, (0.7, KeyboardInterrupt(), 0.6), trained))
    made = directories(tmp_path)
    assert train_candidates(made, training(made, (0.1, 0.5, 0.6), trained)) == [0.7, 0.5, 0.6]
    assert trained == [0, 1, 1, 2]
    assert [(d / "checkpoints").is_dir() for d in made] == [True, False, False]
    with pytest.raises(UserError, match="holds a run with another config: n differ"):
        CandidateDirectory(tmp_path / "candidate-1", {"n": 5})


def test_candidates_that_all_diverged_have_no_score_and_no_checkpoints(tmp_path):
    made = directories(tmp_path, 2)
    scores = (loop.Diverged("a"), loop.Diverged("b"))
    assert train_candidates(made, training(made, scores, [])) == [None, None]
    assert not any((d / "checkpoints").exists() for d in made)
    assert read_json(made[0] / "candidate.json") == {"score": None}


def test_other_faults_of_a_training_are_not_hidden(tmp_path):
    made = directories(tmp_path, 1)
    with pytest.raises(UserError, match="no memory"):
        train_candidates(made, training(made, (UserError("no memory"),), []))


def test_the_keys_are_settings_of_a_run():
    names = {field.name for field in dataclasses.fields(type(_optimization()))}
    assert set(tuning_grid.KEYS) <= names


@functools.cache
def _optimization():
    return FinetuneSettings.from_config(own_data.get_config()).optimization
