"""Every config: locked, readable, its labels known, and its rehearsal runs to the end."""

import functools
import importlib
import pathlib

import ml_collections
import pytest

from remedis.data import sources
from remedis.errors import UserError
from remedis.preprocess import parse
from remedis.training import finetune, rehearsal

NAMES = sorted(
    path.stem
    for path in (pathlib.Path(__file__).parents[2] / "configs").glob("*.py")
    if path.stem not in ("__init__", "common")
)
ARGUMENTS = ("rehearsal", "head_only", "rehearsal,head_only")


def get(name: str, arg: str | None = None) -> ml_collections.ConfigDict:
    return importlib.import_module(f"configs.{name}").get_config(arg)


def test_there_are_configs():
    assert {"chexpert", "chestxray14", "own_data"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arg", [None, "", *ARGUMENTS])
def test_every_config_is_locked_and_can_be_read(name, arg):
    config = get(name, arg)
    assert config.is_locked
    with pytest.raises((AttributeError, KeyError)):
        config.learning_rat = 1.0
    for key in ("train_preprocess", "eval_preprocess"):
        parse(config[key].format(size=config.image_size), deterministic=key.startswith("eval"))
    assert config.source in sources.NAMES
    assert set(config) == set(get("chexpert"))
    assert config.trainable == ("head" if arg and "head_only" in arg else "all")
    assert bool(config.rehearsal) == bool(arg and "rehearsal" in arg)
    assert config.steps == (120 if config.rehearsal else None)


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_in_the_docstring(name):
    module = importlib.import_module(f"configs.{name}")
    for argument in ("rehearsal", "head_only"):
        assert f":{argument}`" in module.__doc__
    assert f"--config=configs/{name}.py" in module.__doc__


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arg", ["rehersal", "rehearsal,heads"])
def test_unknown_arguments_get_the_choices(name, arg):
    with pytest.raises(UserError, match="Choose from: rehearsal, head_only") as caught:
        get(name, arg)
    assert str(caught.value).startswith("Unknown config argument '")


def test_configs_do_not_share_what_they_hold():
    one, other = get("chexpert"), get("chexpert")
    with one.unlocked():
        one.splits.train = 0.5
    assert other.splits.train == 0.9


@pytest.fixture
def few_patients(monkeypatch):
    """Makes the made-up hospitals small; the learning is tested elsewhere."""
    for write, patients in (("write_chexpert", 60), ("write_chestxray14", 80)):
        small = functools.partial(getattr(rehearsal.rehearsal, write), patients=patients)
        monkeypatch.setattr(rehearsal.rehearsal, write, small)
    monkeypatch.setattr(rehearsal, "IMAGE_SIZE", 32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("few_patients")
def test_rehearsal_runs_to_the_end(name, tiny_checkpoint, tmp_path, monkeypatch):
    # The export has its own test and would take most of the time here.
    monkeypatch.setattr(finetune, "_export", lambda *_: None)
    config = get(name, "rehearsal")
    config.checkpoint = str(tiny_checkpoint)
    config.update(image_size=32, steps=2, evaluate_every=2, checkpoint_every=2, resamples=40)
    results = finetune.finetune(config, tmp_path / "run")
    assert (tmp_path / "run" / "rehearsal" / "data").is_dir()
    assert set(results["test"]["labels"]) == set(config.labels)
    # All labels are those of the source: each is positive somewhere in the training split.
    positives = results["data"]["counts"]["train"]
    assert all(positives[label] > 0 for label in config.labels)
    assert results["random_weights"] is True


@pytest.mark.usefixtures("few_patients")
@pytest.mark.parametrize("name", [name for name in NAMES if name != "own_data"])
def test_labels_of_the_whole_config_are_known_to_its_source(name, tmp_path):
    config = get(name)
    folder = rehearsal._LAYOUTS[config.source](tmp_path)
    options = sources.parse_options(filter(None, config.source_options.split(";")))
    manifest = sources.load(config.source, folder, tuple(config.labels), **options)
    assert manifest.labels == tuple(config.labels)
