"""The configs of suites: locked, readable, with values that are set once."""

import importlib

import pytest
import rehearsals

from configs import common_suite
from remedis import suite
from remedis.data import sources
from remedis.label_budget import rehearsal
from remedis.reporting import label_budget_report, leaderboard
from remedis.suite import board, suite_record
from remedis.suite.settings import SuiteSettings

NAMES = rehearsals.SUITE_NAMES


def get(name, arg=None):
    return importlib.import_module(f"configs.{name}").get_config(arg)


def test_there_are_two():
    assert NAMES == ["suite_own", "suite_remedis"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arg", [None, "rehearsal"])
def test_every_config_is_locked_and_can_be_read(name, arg):
    config = get(name, arg)
    assert config.is_locked
    with pytest.raises((AttributeError, KeyError)):
        config.sets.north.id.seds = 1
    if not arg:
        config.arms = "one=keras:DenseNet121:FILE.h5; random=scratch:50x1"
    settings = SuiteSettings.from_config(config)
    for study in settings.sets.values():
        for key in ("id", "ood"):
            assert study.hospital(key).finetuning.data.source in sources.NAMES
    assert all(bool(study.rehearsal) == bool(arg) for study in settings.sets.values())
    if arg:
        assert {study.rehearsal for study in settings.sets.values()} <= set(rehearsal.PAIRS)
        assert list(settings.arms) == ["deeper", "wider", "random", "thumbnails"]
        assert settings.modes == ("probe",)
    doc = importlib.import_module(f"configs.{name}").__doc__
    assert f"finetune/suite.py --config=configs/{name}.py" in doc


def test_the_rehearsal_of_the_paper_s_tasks_has_five_sets():
    assert len(SuiteSettings.from_config(get("suite_remedis", "rehearsal")).sets) == 5


@pytest.mark.parametrize("key", common_suite.SHARED)
def test_a_shared_key_has_one_value(key):
    config = get("suite_own")
    other = {"modes": ("probe",), "levels": (0.7,)}.get(key, 7)
    if isinstance(config[key], str):
        other = "x"
    elif isinstance(config[key], float):
        other = 0.3
    config[key] = other
    assert [study[key] for study in config.sets.values()] == [other, other]


@pytest.mark.guarantee
@pytest.mark.usefixtures("few_patients")
@pytest.mark.parametrize(("name", "arg"), rehearsals.SUITES)
def test_a_rehearsal_runs_to_its_leaderboard(name, arg, tiny_checkpoint, tmp_path):
    config = get(name, arg)
    config.update(arms=f"tiny={tiny_checkpoint}", baseline="tiny")
    config.update(seeds=1, resamples=40)
    for study in config.sets.values():
        study.image_size = 32
    result = suite.run(config, tmp_path)
    assert (list(result.studies), result.faults) == (sorted(config.sets), {})
    for each in result.studies:
        label_budget_report.write(tmp_path / suite_record.directory(each))
    board.write(result.studies, tmp_path, result.settings.title)
    leaderboard.write(tmp_path)
    page = (tmp_path / "leaderboard.html").read_text()
    assert all(f'href="sets/{each}/report.html"' in page for each in config.sets)
    assert "RANDOM WEIGHTS" in page
