"""Settings are checked before the data, the data before a network is built."""

import dataclasses

import pytest

from remedis.errors import UserError
from remedis.finetuning import data, model
from remedis.finetuning.finetune import finetune
from remedis.finetuning.settings import FinetuneSettings
from remedis.training.run_directory import RunDirectory


@pytest.fixture
def no_data(monkeypatch):
    """Fails a test that reads the data."""
    monkeypatch.setattr(data, "prepare", lambda *_: pytest.fail("the data were read"))


@pytest.fixture
def no_network(monkeypatch):
    """Fails a test that builds a network."""
    monkeypatch.setattr(model, "build", lambda *_: pytest.fail("a network was built"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checkpoint": "no/such/folder"}, "no/such/folder is not a folder."),
        ({"checkpoint": "bit:none.npz"}, "none.npz is not a file"),
        ({"checkpoint": "scratch:50x1", "architecture": "152x2"}, "scratch:50x1 is of the arch"),
        ({"optimizer": "sdg"}, "Unknown value of config.optimizer 'sdg': did you mean 'sgd'?"),
        ({"precision": "float8"}, "Unknown value of config.precision 'float8'"),
        ({"labels": ("square",), "task": "multi_class"}, "config.task is multi_class, but"),
        ({"epochs": 3.0}, "The duration is given by config.steps (20) and config.epochs (3.0)"),
        ({"warmup": 20}, "config.warmup is 20; expected 0 or more and fewer than the 20 steps"),
        ({"batch_size": 0}, "config.batch_size is 0; expected at least 1."),
        ({"evaluate_every": 0}, "config.evaluate_every is 0; expected at least 1."),
        ({"learning_rates": "head=x"}, "config.learning_rates: the factor of 'head=x' is 'x'"),
        ({"select": "learning_rate=0.1,0"}, "config.learning_rate is 0.0; expected a number above"),
        ({"focal_gamma": -1.0}, "config.focal_gamma is -1.0; expected 0 or more."),
        ({"schedule": "cosine", "steps": None}, "config.schedule is cosine, which has no length"),
        ({"method": "probe", "ema": 0.5}, "config.ema is 0.5, which a probe does not use"),
    ],
)
def test_wrong_settings_stop_before_the_data_are_read(
    configured, tmp_path, no_data, no_network, changes, message
):
    with pytest.raises(UserError) as caught:
        finetune(configured(**changes), tmp_path / "run")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("sqare",)}, "sqare"),
        ({"data_dir": "no/such/folder"}, "no/such/folder"),
        ({"warmup": 5, "steps": None, "epochs": 0.5}, "fewer than the 2 steps"),
        ({"balance": "sites"}, "sites"),
    ],
)
def test_wrong_data_stop_before_a_network_is_built(
    configured, tmp_path, no_network, changes, message
):
    with pytest.raises(UserError, match=message):
        finetune(configured(**changes), tmp_path / "run")


def test_few_images_have_the_length_that_the_run_says(configured, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", logger="remedis")

    class Built(Exception):
        """The data are read and the length is said."""

    def build(*_):
        raise Built

    monkeypatch.setattr(model, "build", build)
    for fitted, batch_size, workdir in ((True, 8, "a"), (False, 8, "b"), (True, 64, "c")):
        config = configured(steps=None, fit_to_data=fitted, batch_size=batch_size)
        with pytest.raises(Built):
            finetune(config, tmp_path / workdir)
    lines = [line for line in caplog.messages if "epochs" in line or "repeats" in line]
    assert lines == [
        "Length: 1,125 steps of 8 images = 500 epochs of 18 training images, evaluated every "
        "10 steps.",
        "Length: 32,000 steps of 8 images = 14,222 epochs of 18 training images, evaluated every "
        "10 steps.",
        "The training sees each of the 18 images 14,222 times, which is more than 1,000 epochs; a "
        "smaller config.steps or config.epochs shortens it.",
        "Length: 500 steps of 64 images = 1,778 epochs of 18 training images, evaluated every "
        "10 steps.",
        "The training sees each of the 18 images 1,778 times, which is more than 1,000 epochs; a "
        "smaller config.steps or config.epochs shortens it.",
        "config.batch_size is 64, and there are 18 training images: every batch repeats some; a "
        "batch of at most that many takes less time per step.",
    ]


def test_a_run_of_an_earlier_version_keeps_its_length(configured, tmp_path):
    values = configured().to_dict()
    settings = FinetuneSettings.from_config(values)
    assert settings.optimization.fit_to_data
    earlier = {key: value for key, value in values.items() if key != "fit_to_data"}
    assert not FinetuneSettings.from_config(earlier).optimization.fit_to_data
    run = RunDirectory(tmp_path / "earlier", earlier)
    (run / "results.json").write_text("{}")
    begun = settings.as_begun(RunDirectory(tmp_path / "earlier", values))
    expected = dataclasses.replace(settings.optimization, fit_to_data=False)
    assert begun.optimization == expected
    assert settings.as_begun(RunDirectory(tmp_path / "new", values)) == settings
