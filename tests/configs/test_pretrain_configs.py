"""Configs of pretraining: locked, readable, with rehearsals that fit them."""

import functools
import importlib
import itertools
import math

import keras
import pytest
import rehearsals

from configs import common, common_ablation, common_pretraining
from remedis.errors import UserError
from remedis.finetuning import data as supervised
from remedis.finetuning import rehearsal
from remedis.options import literals
from remedis.preprocess import parse
from remedis.pretraining import methods, pretrain, unlabelled
from remedis.pretraining.methods.simclr import SimCLR
from remedis.pretraining.settings import PretrainingSettings
from remedis.training import learning_rate_factors, optimizers
from remedis.training.run_directory import RunDirectory

NAMES = rehearsals.PRETRAINING_NAMES
METHODS = rehearsals.METHODS
ARGUMENTS = (*METHODS, "released", "50x1", "152x2", "rehearsal")
ABLATIONS = {
    "pretrain_cxr": rehearsals.ABLATIONS,
    "pretrain_path": ("no_rotation", "no_crop", "no_colour", "no_blur"),
    "pretrain_own": ("no_crop", "no_colour"),
}


def get(name, arg=None):
    return importlib.import_module(f"configs.{name}").get_config(arg)


def test_there_are_three():
    assert NAMES == ["pretrain_cxr", "pretrain_own", "pretrain_path"]
    assert set(common_pretraining.METHODS) == set(methods.METHODS) == set(METHODS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arg", [None, "", *ARGUMENTS, "rehearsal,moco,50x1"])
def test_every_config_is_locked_and_can_be_read(name, arg):
    config = get(name, arg)
    asked = (arg or "").split(",")
    assert config.is_locked
    assert config.probe.is_locked
    with pytest.raises((AttributeError, KeyError)):
        config.probe.label = ()
    assert set(config) == set(common_pretraining.pretraining())
    if arg in (None, "released", "rehearsal"):  # the other arguments do not change it
        parse(config.preprocess.format(size=config.image_size))
        parse(config.probe.eval_preprocess.format(size=config.image_size), deterministic=True)
    assert config.method == next((a for a in asked if a in METHODS), "simclr")
    assert config.optimizer in optimizers.NAMES
    assert config.batch_size % config.accumulate == 0
    learning_rate_factors.parse(config.learning_rates)
    assert bool(config.rehearsal) == ("rehearsal" in asked) == bool(config.probe.source)
    assert config.checkpoint == (
        f"scratch:{config.architecture or '50x0.5'}" if config.rehearsal else ""
    )
    assert config.architecture == next((a for a in asked if a in ("50x1", "152x2")), "")
    assert (config.steps, config.examples) == (None, None)
    assert config.warmup is None or config.warmup_epochs is None


def test_keys_that_mean_the_same_are_called_the_same_and_mean_it():
    ours, theirs = common_pretraining.pretraining(), common.finetuning()
    own = {
        *("data", "leave_out_splits", "preprocess", "method_options", "partners"),
        *("stop_on_collapse", "probe", "name"),
    }
    assert set(ours) - set(theirs) == own
    for key in set(ours) - own:
        assert ours.get_type(key) is theirs.get_type(key)
    assert ours.probe.to_dict() == {key: theirs.to_dict()[key] for key in common_pretraining.PROBE}


# As published: the optimizer, the rate at the batch it is for, the decay and the length.
PUBLISHED = {
    "simclr": ("lars", 0.3, 256, 1e-6, 512, 100),
    "micle": ("lars", 0.3, 256, 1e-6, 512, 100),
    "moco": ("sgd", 0.03, 256, 1e-4, 256, 200),
    "relic": ("lars", 0.3, 256, 1.5e-6, 512, 100),
    "barlow_twins": ("lars", 0.2, 256, 1e-6, 512, 100),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_each_method_trains_as_published(name, method):
    config = get(name, method)
    keys = ("optimizer", "learning_rate", "learning_rate_batch", "weight_decay", "batch_size")
    assert (*(config[key] for key in keys), config.epochs) == PUBLISHED[method]
    assert config.momentum == 0.9
    assert config.schedule == "cosine"
    assert config.method_options == ""
    assert config.warmup == (0 if method == "moco" else None)
    assert config.warmup_epochs == (None if method == "moco" else 10)


def test_barlow_twins_move_norms_and_biases_at_a_rate_of_their_own():
    config = get("pretrain_cxr", "barlow_twins")
    names = ["block1/unit01/a/group_norm/gamma", "group_norm/beta", "projection/dense/bias"]
    kernels = ["block1/unit01/a/standardized_conv2d/kernel", "projection/dense/kernel"]
    factors = learning_rate_factors.parse(config.learning_rates).factors([*names, *kernels])
    assert all(math.isclose(factors[n] * config.learning_rate, 0.0048) for n in names)
    assert all(factors[name] == 1 for name in kernels)


@pytest.mark.parametrize("method", METHODS)
def test_a_rehearsal_has_settings_its_method_knows(method):
    config = get("pretrain_own", f"{method},rehearsal")
    options = literals(config.method_options.split(";"), "")
    model = methods.make(config.method, options, 64, 0)
    model.check_batch(config.batch_size)
    assert config.learning_rates == ""
    # Heads and queues that two cores do not notice.
    variables: dict[str, keras.Variable] = {**model.trained(), **model.statistics()}
    assert sum(math.prod(variable.shape) for variable in variables.values()) < 2 * 10**5


@pytest.mark.parametrize("arg", ["152x2", "moco,152x2", "152x2,micle"])
def test_a_152x2_has_micro_batches_of_the_pixels_of_two_radiographs_at_448(arg):
    config = get("pretrain_cxr", arg)
    assert config.gradient_checkpointing
    micro_batch = config.batch_size // config.accumulate
    assert 2 * micro_batch * config.image_size**2 <= 2 * 448**2
    assert get("pretrain_cxr", f"{arg},rehearsal").accumulate == 1


def test_arguments_mean_the_same_in_any_order():
    for arguments in (("relic", "152x2", "rehearsal"), ("barlow_twins", "50x1")):
        orders = [", ".join(order) for order in itertools.permutations(arguments)]
        configs = [get("pretrain_path", order).to_dict() for order in orders]
        assert all(config == configs[0] for config in configs)


# run.py:34-61, 188-225 and objective.py:81-85 of the released code.
RELEASED = {
    "method": "simclr",
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
    "image_size": 224,
}


@pytest.mark.parametrize("name", NAMES)
def test_released_changes_the_views_the_optimizer_and_the_loss_alone(name):
    config, ours = get(name, "released"), get(name)
    assert {key: config[key] for key in RELEASED} == RELEASED
    changed = {key for key in ours if config[key] != ours[key]}
    assert changed == {"preprocess", "optimizer", "method_options"}
    model = methods.make("simclr", literals(config.method_options.split(";"), ""), 64, 0)
    assert isinstance(model, SimCLR)
    assert (model.temperature, model.constant_loss(4)) == (0.1, 2 * math.log(7))
    recipe = "cxr" if name == "pretrain_cxr" else "pathology"
    assert config.preprocess == f"released_contrastive_{recipe}({{size}})"


@pytest.mark.parametrize("name", NAMES)
def test_a_rehearsal_keeps_what_released_and_the_ablations_chose(name):
    config = get(name, "released,rehearsal")
    for key in ("preprocess", "optimizer", "learning_rate", "learning_rate_batch"):
        assert config[key] == get(name, "released")[key]
    assert config.method_options == "temperature=0.2; sum_of_views=True"
    assert (config.batch_size, config.accumulate) == (32, 1)
    ablation = ABLATIONS[name][0]
    assert get(name, f"{ablation},rehearsal").preprocess == get(name, ablation).preprocess


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name in NAMES for argument in ABLATIONS[name]]
)
def test_an_ablation_takes_one_group_out_of_the_views(name, argument):
    def operations(config):
        return parse(config.preprocess.format(size=64)).specification.split(" | ")

    whole, left = operations(get(name)), operations(get(name, argument))
    gone = [operation for operation in whole if operation not in left]
    assert {operation.partition("(")[0] for operation in gone} == {
        "no_equalisation": {"histogram_equalisation"},
        "no_elastic": {"elastic_deformation"},
        "no_rotation": {"rotate"} if name == "pretrain_cxr" else {"quarter_turns"},
        "no_crop": {"random_resized_crop"},
        "no_colour": {
            "pretrain_cxr": {"colour_distortion"},
            "pretrain_path": {"colour_distortion", "grey"},
            "pretrain_own": {"brightness", "contrast"},
        }[name],
        "no_blur": {"gaussian_blur"},
    }[argument]
    expected = ["resize(64)" if op in gone and argument == "no_crop" else op for op in whole]
    assert left == [op for op in expected if op in left]
    config, ours = get(name, argument).to_dict(), get(name).to_dict()
    assert {**config, "preprocess": ours["preprocess"]} == ours


@pytest.mark.parametrize("name", NAMES)
def test_every_group_of_the_views_can_be_left_out(name):
    operations = parse(get(name).preprocess.format(size=64)).specification.split(" | ")
    names = {operation.partition("(")[0] for operation in operations}
    assert set(ABLATIONS[name]) == {
        argument for argument, group in common_ablation.GROUPS.items() if names & set(group)
    }


def test_ablations_combine_and_apply_to_the_released_views():
    assert get("pretrain_cxr", "no_elastic,no_equalisation").preprocess == (
        "resize(448) | rotate(45) | random_resized_crop({size}) | flip_left_right() | "
        "colour_distortion(1.0) | gaussian_blur(0.5)"
    )
    assert get("pretrain_cxr", "no_equalisation,no_crop,released").preprocess == (
        "released_resize({size}) | flip_left_right() | colour_distortion(1.0) | grey(0.2) | "
        "clip() | released_gaussian_blur(0.5)"
    )


def test_an_ablation_of_what_the_views_lack_is_refused():
    with pytest.raises(UserError) as caught:
        get("pretrain_cxr", "released,no_elastic")
    assert str(caught.value) == (
        "The config argument no_elastic leaves out elastic_deformation, but the views have none: "
        "released_histogram_equalisation(0.5) | released_random_crop({size}, clip=False) | "
        "flip_left_right() | colour_distortion(1.0) | grey(0.2) | clip() | "
        "released_gaussian_blur(0.5); leave the argument out."
    )


@pytest.mark.parametrize(
    "arg", ["moco,relic", "simclr,micle", "152x2,50x1", "released,moco", "micle,released"]
)
def test_arguments_that_exclude_each_other(arg):
    first, second = sorted(arg.split(","), key=ARGUMENTS.index)
    with pytest.raises(UserError) as caught:
        get("pretrain_cxr", arg)
    assert (
        str(caught.value)
        == f"The config arguments {first} and {second} exclude each other: name one of them."
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_argument_gets_the_choices(name):
    with pytest.raises(UserError, match=r"Unknown config argument 'moko': did you mean 'moco'\?"):
        get(name, "moko")
    with pytest.raises(UserError, match=r"Choose from: simclr, .*, 50x1, 152x2, rehearsal\.$"):
        get(name, "rehearsal,head_only")


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_in_the_docstring(name):
    doc = importlib.import_module(f"configs.{name}").__doc__
    assert f"pretrain/pretrain.py --config=configs/{name}.py" in doc
    for argument in (*ARGUMENTS, *ABLATIONS[name]):
        assert f"`:{argument}`" in doc


@pytest.fixture
def few_patients(monkeypatch):
    sizes = {
        "write_chexpert": {"patients": 60, "image_size": 32},
        "write_wilds_camelyon17": {"slides_per_centre": 2, "patches_per_slide": 8},
    }
    for write, size in sizes.items():
        whole = getattr(rehearsal.synthetic, write)

        def small(folder, *, whole=whole, size=size, **_):
            return whole(folder, **size)

        monkeypatch.setattr(rehearsal.synthetic, write, functools.wraps(whole)(small))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("few_patients")
def test_a_rehearsal_has_images_to_learn_from_and_labels_to_probe(name, tmp_path):
    config = get(name, "micle,rehearsal")
    asked = PretrainingSettings.from_config(config)
    settings = unlabelled.rehearsed(asked, RunDirectory(tmp_path, {}))
    found = unlabelled.prepare(settings.unlabelled, RunDirectory(tmp_path / "run", {}))
    assert len(found.manifest) > config.batch_size
    assert (found.partners.size > 1).any()
    probe, run = settings.probe, RunDirectory(tmp_path / "probe", {})
    probed = supervised.prepare(probe.data, probe.task, run)
    assert probed.train.labels == tuple(config.probe.labels)
    # Images of the probe's test split are not trained on, if the source has splits.
    assert not set(probed.test.table["path"].map(probed.hashes)) & set(found.hashes)


@pytest.mark.guarantee
@pytest.mark.parametrize(("name", "arg"), rehearsals.PRETRAINING)
@pytest.mark.usefixtures("few_patients")
def test_a_rehearsal_runs_to_its_export(name, arg, tiny_checkpoint, tmp_path):
    config = get(name, arg)
    config.checkpoint = str(tiny_checkpoint)
    config.update(image_size=32, epochs=None, steps=2, evaluate_every=2, checkpoint_every=2)
    results = pretrain.pretrain(config, tmp_path / "run")
    assert results["steps"] == 2
    assert results["method"] == config.method
    assert results["data"]["labels_used"] is False
    assert (tmp_path / "run" / "export" / "saved_model.pb").is_file()
