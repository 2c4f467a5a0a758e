"""Configs of fine-tuning: locked, readable, with known labels; their rehearsals finish."""

import functools
import importlib
import itertools
import shutil

import ml_collections
import pandas as pd
import pytest
import rehearsals

from configs import common
from remedis import options
from remedis.data import labels, sources
from remedis.errors import UserError
from remedis.finetuning import data as finetuning_data
from remedis.finetuning import finetune, rehearsal
from remedis.finetuning.settings import FinetuneSettings
from remedis.options import literals
from remedis.preprocess import parse
from remedis.synthetic import LESIONS
from remedis.training.run_directory import RunDirectory

NAMES = rehearsals.FINETUNING_NAMES
ARGUMENTS = ("rehearsal", "head_only", "released", "notebook", "50x1", "152x2")
TRAININGS = ("released", "notebook", "head_only")
CHOICES = "released, notebook, 50x1, 152x2, head_only, rehearsal"


def get(name: str, arg: str | None = None) -> ml_collections.ConfigDict:
    return importlib.import_module(f"configs.{name}").get_config(arg)


def test_there_are_configs():
    assert set(NAMES) == {
        "camelyon",
        "camelyon16",
        "chestxray14",
        "chexpert",
        "dermatology",
        "fundus",
        "mammography",
        "mimic_cxr",
        "own_data",
        "patch_camelyon",
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arg", [None, "", *ARGUMENTS, "rehearsal,head_only"])
def test_every_config_is_locked_and_can_be_read(name, arg):
    config = get(name, arg)
    assert config.is_locked
    with pytest.raises((AttributeError, KeyError)):
        config.learning_rat = 1.0
    for key in ("train_preprocess", "eval_preprocess"):
        parse(config[key].format(size=config.image_size), deterministic=key.startswith("eval"))
    assert config.source in sources.NAMES
    assert set(config) == set(get("chexpert"))
    asked = (arg or "").split(",")
    assert config.method == ("probe" if "head_only" in asked else "finetune")
    assert bool(config.rehearsal) == ("rehearsal" in asked)
    assert config.steps == (120 if config.rehearsal else None)
    assert config.architecture == next((a for a in asked if a in ("50x1", "152x2")), "")
    assert config.gradient_checkpointing == ("152x2" in asked)
    assert config.batch_size % config.accumulate == 0
    literals(config.source_options.split(";"), "")


@pytest.mark.parametrize("name", NAMES)
def test_a_152x2_has_micro_batches_of_the_pixels_of_two_radiographs(name):
    for argument in ("152x2", "152x2,released", "152x2,notebook"):
        config = get(name, argument)
        pixels = config.batch_size // config.accumulate * config.image_size**2
        # A mammogram alone has more.
        assert pixels <= max(2 * 448**2, config.image_size**2)
    assert get(name).accumulate == 1


@pytest.mark.parametrize("name", NAMES)
def test_arguments_mean_the_same_in_any_order(name):
    for training in TRAININGS:
        arguments = ("rehearsal", training, "152x2")
        orders = [", ".join(order) for order in itertools.permutations(arguments)]
        configs = [get(name, order) for order in orders]
        assert all(config.to_dict() == configs[0].to_dict() for config in configs)


# run.py:34-61, 188-192, 241 of the released code, and cells 8 and 9 of its notebook.
RELEASED = {
    "optimizer": "released_lars",
    "learning_rate": 0.3,
    "learning_rate_batch": 256,
    "batch_size": 512,
    "momentum": 0.9,
    "weight_decay": 1e-6,
    "schedule": "cosine",
    "epochs": 100.0,
    "warmup_epochs": 10.0,
    "warmup": None,
    "eval_preprocess": "released_evaluation({size})",
    "mixup": 0.0,
    "class_weights": "none",
    "learning_rates": "",
    "head_norm": True,
    "head_stddev": 0.01,
}
NOTEBOOK = {
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "learning_rate_batch": 0,
    "batch_size": 64,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": "constant",
    "epochs": 10.0,
    "warmup_epochs": None,
    "warmup": 0,
    "train_preprocess": "released_evaluation({size})",
    "eval_preprocess": "released_evaluation({size})",
    "mixup": 0.0,
    "class_weights": "none",
    "learning_rates": "head/.*=1; .*=0",
    "head_norm": False,
    "head_stddev": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_released_and_notebook_have_the_numbers_of_the_release(name):
    for argument, numbers in (("released", RELEASED), ("notebook", NOTEBOOK)):
        config = get(name, argument)
        assert {key: config[key] for key in numbers} == numbers
        assert (config.steps, config.examples, config.method) == (None, None, "finetune")
        assert (config.clip_norm, config.ema, config.focal_gamma) == (0, 0, 0)
        assert config.image_size == get(name).image_size
    operations = parse(get(name, "released").train_preprocess.format(size=96)).specification
    assert operations == "released_random_crop(96) | flip_left_right()"


def test_the_released_schedule_follows_from_the_number_of_images():
    """model_util.py:37-61 of the released code: 100 epochs, 10 of warm-up, 0.3 x 512 / 256."""
    settings = FinetuneSettings.from_config(get("chexpert", "released"))
    schedule = settings.optimization.for_images(51_200)
    assert (schedule.kind, schedule.steps, schedule.warmup) == ("cosine", 10_000, 1_000)
    assert schedule.learning_rate == pytest.approx(0.6)
    notebook = FinetuneSettings.from_config(get("chexpert", "notebook"))
    schedule = notebook.optimization.for_images(51_200)
    assert (schedule.kind, schedule.steps, schedule.warmup) == ("constant", 8_000, 0)
    assert schedule.learning_rate == 0.1


def test_the_recipe_of_released_has_the_name_of_the_kind_of_images():
    assert get("chexpert", "released").train_preprocess == "released_finetune_cxr({size})"
    assert get("camelyon", "released").train_preprocess == "released_finetune_pathology({size})"
    assert (get("chexpert").image_size, get("camelyon").image_size) == (448, 224)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("training", ["released", "notebook"])
def test_a_rehearsal_keeps_recipe_and_optimizer(name, training):
    whole, small = get(name, training), get(name, f"{training},152x2,rehearsal")
    kept = ("optimizer", "momentum", "weight_decay", "schedule", "learning_rate", "learning_rates")
    head = ("head_norm", "head_stddev")
    for key in (*kept, *head, "train_preprocess", "eval_preprocess", "mixup"):
        assert small[key] == whole[key]
    assert (small.batch_size, small.accumulate, small.steps) == (32, 1, 120)
    assert (small.epochs, small.warmup_epochs) == (None, None)


@pytest.mark.parametrize("pair", [*itertools.combinations(TRAININGS, 2)])
def test_trainings_exclude_each_other(pair):
    with pytest.raises(UserError) as caught:
        get("chexpert", ",".join(reversed(pair)))
    first, second = pair
    assert (
        str(caught.value)
        == f"The config arguments {first} and {second} exclude each other: name one of them."
    )


def test_chexpert_has_all_14_labels_in_any_order_but_not_in_a_rehearsal():
    config = get("chexpert", "14")
    assert set(config.labels) == set(labels.CHEXPERT)
    assert len(config.labels) == 14
    assert get("chexpert", "head_only,14") == get("chexpert", "14,head_only")
    assert get("chexpert").labels == labels.FIVE_CONDITIONS
    for arg in ("14,rehearsal", "rehearsal,14"):
        assert get("chexpert", arg).labels == labels.FIVE_CONDITIONS


def test_chestxray14_has_its_14_findings():
    assert len(get("chestxray14").labels) == 14
    assert "No Finding" not in get("chestxray14").labels


def test_camelyon_is_the_official_split():
    options = literals(get("camelyon").source_options.split(";"), "")
    assert options == {"validation_centres": (1,), "test_centres": (2,)}


def test_classes_in_folders_need_no_table(tmp_path):
    table = rehearsal.synthetic.write_skin(tmp_path, 80, image_size=32)
    rows = pd.read_csv(table / "manifest.csv")
    for row in rows.to_dict("records"):
        folder = tmp_path / "folders" / next(name for name in LESIONS if row[name])
        folder.mkdir(parents=True, exist_ok=True)
        name = row["path"].replace("/", "_")
        shutil.copy(table / row["path"], folder / name)
    config = get("dermatology")
    config.update(source="folder", data_dir=str(tmp_path / "folders"))
    config.source_options = r"patient_pattern=^(p\d+)_"
    settings = FinetuneSettings.from_config(config)
    run = RunDirectory(tmp_path / "run", {})
    found = finetuning_data.prepare(settings.data, settings.model.task, run)
    counts = found.summary["counts"]
    assert sum(of["images"] for of in counts.values()) == len(rows)
    assert all(counts["test"][name] > 0 for name in LESIONS)


def test_two_architectures_exclude_each_other():
    with pytest.raises(UserError) as caught:
        get("camelyon", "152x2,50x1")
    assert (
        str(caught.value)
        == "The config arguments 50x1 and 152x2 exclude each other: name one of them."
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_in_the_docstring(name):
    module = importlib.import_module(f"configs.{name}")
    for argument in (*ARGUMENTS, *(["14"] if name == "chexpert" else [])):
        assert f":{argument}`" in module.__doc__
    assert f"--config=configs/{name}.py" in module.__doc__


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arg", ["rehersal", "rehearsal,heads"])
def test_unknown_arguments_get_the_choices(name, arg):
    with pytest.raises(UserError, match=f"Choose from: .*{CHOICES}.$") as caught:
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
    sizes = {
        "write_chexpert": {"patients": 60},
        "write_chestxray14": {"patients": 80},
        "write_fundus": {"patients": 60},
        "write_mammograms": {"patients": 60},
        "write_skin": {"patients": 110},
        "write_mimic_cxr": {"patients": 60},
        "write_patch_camelyon": {"patches": 16, "held_out_patches": 16},
        "write_camelyon16": {"slides": 8, "test_slides": 10},
        "write_wilds_camelyon17": {"slides_per_centre": 2, "patches_per_slide": 8},
    }
    for write, size in sizes.items():
        small = functools.partial(getattr(rehearsal.synthetic, write), **size)
        monkeypatch.setattr(rehearsal.synthetic, write, small)
    monkeypatch.setattr(rehearsal, "IMAGE_SIZE", 32)


@pytest.mark.parametrize(
    ("name", "arg"),
    [
        run
        if run in rehearsals.FINETUNING_QUICK
        else pytest.param(*run, marks=pytest.mark.guarantee)
        for run in rehearsals.FINETUNING
    ],
)
@pytest.mark.usefixtures("few_patients")
def test_rehearsal_runs_to_the_end(name, arg, tiny_checkpoint, tmp_path, monkeypatch):
    # The export has its own test and would take most of the time here.
    monkeypatch.setattr(finetune.save_classifier, "save", lambda *_, **__: None)
    config = get(name, arg)
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
@pytest.mark.parametrize("name", [name for name in NAMES if get(name).source != "csv"])
def test_labels_of_the_whole_config_are_known_to_its_source(name, tmp_path):
    config = get(name, "14" if name == "chexpert" else None)
    folder = rehearsal.LAYOUTS[config.source](tmp_path)
    options = literals(config.source_options.split(";"), "")
    if config.allow_missing_patient_ids:
        options["allow_missing_patient_ids"] = True
    manifest = sources.load(config.source, folder, tuple(config.labels), **options)
    assert manifest.labels == tuple(config.labels)
    labels.policies(config.uncertain, manifest.labels)


@pytest.mark.parametrize(
    ("name", "arg", "built"),
    [
        ("chexpert", "rehearsal", "cxr-50x1-remedis-m"),
        ("own_data", "rehearsal,50x1", "cxr-50x1-remedis-m"),
        ("camelyon", "rehearsal,152x2", "path-152x2-remedis-m"),
        ("patch_camelyon", "rehearsal", "path-50x1-remedis-m"),
    ],
)
def test_a_rehearsal_builds_the_checkpoint_the_config_asks_for(
    name, arg, built, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(rehearsal.builder, "build", lambda *args, **_: asked.append(args))
    config = get(name, arg)
    config.data_dir = "somewhere"
    settings = FinetuneSettings.from_config(config)
    prepared = rehearsal.prepared(settings, RunDirectory(tmp_path, {}))
    folder = tmp_path / "rehearsal"
    assert asked == [(built, "random:0", folder)]
    assert prepared.model.checkpoint == str(folder / built)
    assert prepared.data.data_dir == "somewhere"


def test_an_unknown_layout_is_refused(tmp_path):
    config = get("chexpert", "rehearsal")
    config.rehearsal = "chexprt"
    with pytest.raises(UserError, match="Unknown layout of made-up data 'chexprt': did you mean"):
        rehearsal.prepared(FinetuneSettings.from_config(config), RunDirectory(tmp_path, {}))


KEYS_OF_0_1 = """
    accumulate allow_missing_patient_ids architecture balance batch_size cache_gb
    calibration checkpoint checkpoint_every class_weights clip_norm complete_splits
    data_dir distribution drops ema embeddings_dir epochs eval_preprocess evaluate_every
    examples focal_gamma head_norm image_size labels learning_rate learning_rate_batch
    learning_rates log_every max_bad_images method mixup momentum optimizer patience
    precision refuse_near_duplicates rehearsal rematerialise resamples schedule seed
    source source_options split_seed split_unit splits steps stratify target_sensitivity
    task train_preprocess uncertain unmentioned warmup weight_decay
"""


def test_run_directories_of_version_0_1_lack_added_keys_only():
    now = {options.RENAMED_KEYS.get(key, key) for key in KEYS_OF_0_1.split()}
    # `select` is empty, which is no other config than one without it.
    assert common.finetuning().select == ""
    # Nor are keys that are unset.
    unset = {"warmup_epochs", "head_stddev"}
    assert all(common.finetuning()[key] is None for key in unset)
    assert set(common.finetuning()) - now == options.ADDED_KEYS | {"select"} | unset
    old = {key: value for key, value in common.finetuning().items() if key in now}
    settings = FinetuneSettings.from_config(old)
    assert settings.data.policies.evaluation == settings.data.policies.training
    assert settings.report.weighting == "images"
