"""The configs of label-budget studies: locked, readable, and one rehearsal runs to the end."""

import importlib

import pytest
import rehearsals
from json_file import read_json

from configs import camelyon16, common, pretrain_cxr
from remedis import label_budget
from remedis.data import judged_images, sources
from remedis.errors import UserError
from remedis.label_budget import rehearsal
from remedis.label_budget.settings import HOSPITALS, StudySettings
from remedis.reporting import label_budget_report

NAMES = rehearsals.STUDY_NAMES


def get(name, arg=None):
    return importlib.import_module(f"configs.{name}").get_config(arg)


def test_there_are_four():
    assert NAMES == ["ood_cxr", "ood_dermatology", "ood_own", "ood_path"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arg", [None, "", "rehearsal"])
def test_every_config_is_locked_and_can_be_read(name, arg):
    config = get(name, arg)
    assert config.is_locked
    assert config.id.is_locked
    with pytest.raises((AttributeError, KeyError)):
        config.seds = 1
    assert bool(config.rehearsal) == bool(arg)
    if not arg:
        config.arms, config.baseline = "one=scratch:50x1", "one"
    study = StudySettings.from_config(config)
    for key in HOSPITALS:
        recipe = study.finetuning(key, "scratch:50x1", 3)
        # The limit on pixels is the study's, for all of its cells.
        assert set(recipe.to_dict()) == set(common.finetuning()) - {"max_megapixels"}
        assert recipe.data.source in sources.NAMES
        assert recipe.seed == 3
        assert recipe.model.checkpoint == "scratch:50x1"
        recipe.images.operations()
    if arg:
        assert config.rehearsal in rehearsal.PAIRS


@pytest.mark.parametrize(
    ("inside", "outside", "names"),
    [
        ("/data/clinic", "/data/north/", ["clinic", "north"]),
        ("/data/clinic/images", "/data/north/images", ["clinic/images", "north/images"]),
        ("/data/all", "/data/all", ["all (sites 0, 1)", "all (sites 2)"]),
    ],
)
def test_a_hospital_without_a_name_has_that_of_its_folder(inside, outside, names):
    config = get("ood_own")
    config.arms, config.baseline = "one=scratch:50x1", "one"
    config.id_data_dir, config.ood_data_dir = inside, outside
    config.id_sites, config.ood_sites = "0, 1", "2"
    study = StudySettings.from_config(config)
    assert [study.hospital(key).name for key in HOSPITALS] == names
    config.ood_name = "Northern Hospital"
    assert StudySettings.from_config(config).ood.name == "Northern Hospital"


@pytest.mark.parametrize("name", NAMES)
def test_what_both_hospitals_share_is_said_once(name):
    config = get(name)
    config.image_size = 96
    config.labels = ("w", "x", "y", "z")
    config.ood.steps = 7
    config.arms, config.baseline = "one=scratch:50x1", "one"
    study = StudySettings.from_config(config)
    for key in HOSPITALS:
        assert study.hospital(key).finetuning.images.image_size == 96
        assert study.hospital(key).finetuning.data.labels == config.labels
    assert study.ood.finetuning.optimization.steps == 7
    assert study.id.finetuning.optimization.steps is None


def test_a_study_of_skin_compares_exclusive_classes():
    config = get("ood_dermatology")
    config.labels = ("eczema", "psoriasis", "acne", "other")
    config.arms, config.baseline = "one=scratch:50x1", "one"
    study = StudySettings.from_config(config)
    assert (study.task, study.metric.title) == ("multi_class", "top-3 accuracy")
    for key in HOSPITALS:
        assert study.hospital(key).finetuning.data.stratify == config.labels
        assert study.finetuning(key, "scratch:50x1").model.task == "multi_class"
    config.labels = config.labels[:3]
    with pytest.raises(UserError, match=r"with 3 classes in config\.labels"):
        StudySettings.from_config(config)


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_has_the_command(name):
    doc = importlib.import_module(f"configs.{name}").__doc__
    assert f"finetune/ood_curves.py --config=configs/{name}.py" in doc
    assert "`:rehearsal`" in doc


def test_an_unknown_argument_gets_the_choices():
    with pytest.raises(UserError, match="Unknown config argument 'rehersal': did you mean 'rehe"):
        get("ood_cxr", "rehersal")


def test_reports_of_both_configs_of_radiographs_are_taken_as_is_usual():
    assert get("ood_cxr").id.uncertain == get("ood_own", "rehearsal").id.uncertain
    assert get("ood_cxr").ood.uncertain == "ignore"


def test_wilds_is_the_default_of_pathology_and_excludes_the_slides():
    assert get("ood_path") == get("ood_path", "wilds")
    assert get("ood_path", "rehearsal") == get("ood_path", "wilds,rehearsal")
    config = get("ood_path", "camelyon16-17")
    assert (config.id.source, config.ood.source) == ("camelyon16", "camelyon17")
    assert config.id.source_options == camelyon16.get_config().source_options
    assert config.id.splits == camelyon16.get_config().splits
    assert not config.id_sites
    assert not config.ood_sites
    assert get("ood_path", "rehearsal,camelyon16-17").rehearsal == "camelyon16-17"
    with pytest.raises(UserError, match="arguments wilds and camelyon16-17 exclude each other"):
        get("ood_path", "camelyon16-17,wilds")


@pytest.mark.parametrize(
    ("name", "arg"),
    [
        run if run in rehearsals.STUDIES_QUICK else pytest.param(*run, marks=pytest.mark.guarantee)
        for run in rehearsals.STUDIES
    ],
)
@pytest.mark.usefixtures("few_patients")
def test_a_rehearsal_runs_to_its_report(name, arg, tiny_checkpoint, tmp_path):
    config = get(name, arg)
    if "stand-in" not in config.arms:
        config.update(arms=f"tiny={tiny_checkpoint}", baseline="tiny")
    config.update(image_size=32, seeds=1, resamples=40, modes=("probe",))
    assert label_budget.run(config, tmp_path)
    assert label_budget_report.write(tmp_path).is_file()
    report = (tmp_path / "report.html").read_text()
    assert "drawn by a program" in report
    assert "RANDOM WEIGHTS" in report
    if "two_hospitals" in arg:
        assert "reports/MIMIC-CXR.html" in report
        judged = {one.split for one in judged_images.read(tmp_path)}
        assert judged >= {"ood/test", "ood/MIMIC-CXR/test"}


@pytest.mark.guarantee
@pytest.mark.usefixtures("few_patients")
def test_two_centres_can_be_two_sets(tiny_checkpoint, tmp_path):
    config = get("ood_path", "rehearsal")
    config.update(
        arms=f"tiny={tiny_checkpoint}",
        baseline="tiny",
        seeds=1,
        resamples=40,
        modes=("probe",),
        id_sites="0, 3, 4",
        further_ood_options="centre 1: sites=1",
    )
    assert label_budget.run(config, tmp_path)
    found = [read_json(tmp_path / of / "summary.json") for of in (".", "ood/centre 1")]
    assert [study["data"]["ood"]["name"] for study in found] == ["centre 2", "centre 1"]
    assert found[0]["id"] == found[1]["id"]
    assert found[0]["points"] != found[1]["points"]


@pytest.mark.parametrize(
    ("arg", "arms", "baseline"),
    [
        ("methods", ["simclr", "moco", "relic", "barlow_twins", "bit"], "bit"),
        ("augmentations", [*rehearsals.ABLATIONS, "all"], "all"),
    ],
)
def test_arms_of_pretrainings_name_runs_that_a_config_makes(arg, arms, baseline, tmp_path):
    config = get("ood_cxr", arg)
    study = StudySettings.from_config(config)
    assert list(study.arms) == arms
    assert study.baseline == baseline
    for folder, made_by in study.pretrained_by.items():
        assert folder in study.arms.values()
        path, _, argument = made_by.partition(":")
        assert path == "configs/pretrain_cxr.py"
        pretrain_cxr.get_config(argument)
        assert folder == "runs/pretrain-cxr" + (argument and f"-{argument.replace('_', '-')}")
    rehearsed = StudySettings.from_config(get("ood_cxr", f"{arg},rehearsal"))
    assert list(rehearsed.arms) == [f"stand-in-{name}" for name in arms]
    assert all(checkpoint.startswith("scratch:") for checkpoint in rehearsed.arms.values())
    assert len(set(rehearsed.arms.values())) == len(arms)
    with pytest.raises(UserError, match="methods and augmentations exclude each other"):
        get("ood_cxr", "methods,augmentations")


@pytest.mark.parametrize("name", NAMES)
def test_the_152x2_trains_in_little_memory_at_both_hospitals(name):
    config = get(name, "152x2")
    config.arms, config.baseline = "one=scratch:152x2", "one"
    study = StudySettings.from_config(config)
    fine = common.finetuning()
    fine.image_size = config.image_size
    common.r152x2(fine)
    for key in HOSPITALS:
        settings = study.finetuning(key, "scratch:152x2")
        assert settings.model.gradient_checkpointing
        assert settings.optimization.accumulate == fine.accumulate > 1
    rehearsed = StudySettings.from_config(get(name, "152x2,rehearsal"))
    assert rehearsed.finetuning("ood", "").optimization.accumulate == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ood_cxr", "ood_path"])
def test_the_other_hospital_hurts_and_labels_heal(name, tmp_path):
    config = get(name, "rehearsal")
    config.update(arms="narrow=scratch:1-1-1-1x0.5", budgets="100%", seeds=2, seed=5)
    config.id_trainings = 1
    assert label_budget.run(config, tmp_path)
    summary = read_json(tmp_path / "summary.json")
    assert [gap["mode"] for gap in summary["gap"]] == ["probe", "finetune"]
    for gap in summary["gap"]:
        everyone = gap["recovered"][-1]["share"]
        assert gap["gap"]["low"] > 0, gap
        assert everyone["low"] > 0, gap
