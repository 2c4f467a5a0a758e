import dataclasses
import itertools

import pytest

from configs import common, ood_own, own_data
from remedis.finetuning import finetune, scratch_rates
from remedis.finetuning.settings import FinetuneSettings
from remedis.label_budget.settings import StudySettings
from remedis.zoo import resolve


def settings(**changes):
    asked = FinetuneSettings.from_config(own_data.get_config()).optimization
    return dataclasses.replace(asked, **changes)


@pytest.mark.parametrize(
    ("changes", "rates", "enough"),
    [
        ({}, (0.003,), False),
        ({}, (0.003, 0.02), False),
        ({}, (0.003, 1.6), True),
        ({}, (0.16,), True),
        ({}, (0.159,), False),
        ({"batch_size": 512}, (0.159,), False),  # rates scale with the batch on both sides
        ({"learning_rate_batch": 0}, (0.01,), True),  # 1.6 at 512 is 0.1 at 32
        ({"learning_rate_batch": 0}, (0.009,), False),
        ({"optimizer": "adamw", "learning_rate_batch": 0}, (0.0001,), True),
        ({"optimizer": "adamw", "learning_rate_batch": 0}, (0.00005,), False),
        ({"optimizer": "lars", "learning_rate_batch": 256}, (0.03,), True),
        ({"optimizer": "lars", "learning_rate_batch": 256}, (0.02,), False),
        ({"optimizer": "released_lars", "learning_rate_batch": 256}, (0.02,), False),
        ({"optimizer": "adam"}, (1e-9,), True),
    ],
)
def test_untrained_weights_need_a_tenth_of_the_recipe_from_scratch(changes, rates, enough):
    assert (scratch_rates.fault(settings(**changes), rates) is None) == enough


def test_the_fault_names_the_rate_in_the_units_of_the_config():
    fault = scratch_rates.fault(settings(), (0.003,))
    assert fault is not None
    assert "largest learning rate is 0.003" in fault
    assert "random weights train by sgd at about 1.6" in fault
    fault = scratch_rates.fault(settings(learning_rate_batch=0), (0.003,))
    assert fault is not None
    assert "by sgd at about 0.1" in fault


def test_the_recipe_is_that_of_the_benchmark(load_benchmark):
    recipes = {recipe.name: recipe for recipe in load_benchmark("finetuning_recipes").RECIPES}
    assert "--config.learning_rate=1.6" in recipes["kermany-scratch"].overrides
    assert scratch_rates.FROM_SCRATCH["sgd"] == (1.6, common.finetuning().learning_rate_batch)
    adamw = recipes["nih64-densenet"].overrides
    assert {"--config.learning_rate=0.001", "--config.learning_rate_batch=0"} <= set(adamw)
    assert scratch_rates.FROM_SCRATCH["adamw"] == (0.001, 0)


@pytest.mark.parametrize(
    ("checkpoint", "changes", "warned"),
    [
        ("scratch:50x1", {}, True),
        ("random:0", {}, True),
        ("keras:DenseNet121", {}, True),
        ("keras:DenseNet121:weights.h5", {}, False),
        ("bit:BiT-M-R50x1.npz", {}, False),
        ("scratch:50x1", {"learning_rate": 0.8}, False),  # that of the rehearsals
        ("scratch:50x1", {"method": "probe"}, False),
    ],
)
def test_a_run_from_random_weights_at_a_rate_of_pretrained_ones_says_so(
    checkpoint, changes, warned
):
    config = own_data.get_config()
    config.update(checkpoint=checkpoint, **changes)
    warning = finetune._rate_warning(FinetuneSettings.from_config(config))
    assert bool(warning) == warned
    if warning:
        assert warning.startswith(f"config.checkpoint is {checkpoint}, whose weights are random, ")


def test_the_rate_of_rehearsals_suits_random_weights():
    config = own_data.get_config("rehearsal")
    asked = FinetuneSettings.from_config(config).optimization
    assert scratch_rates.fault(asked, (asked.learning_rate,)) is None


@pytest.mark.parametrize("arg", [None, "rehearsal"])
def test_the_default_grid_of_studies_spans_pretrained_and_random_weights(arg):
    config = ood_own.get_config(arg)
    if not arg:
        config.arms, config.baseline = "one=scratch:50x1", "one"
    study = StudySettings.from_config(config)
    rates = study.select.values["learning_rate"]
    for side in ("id", "ood"):
        asked = study.finetuning(side, "").optimization
        assert scratch_rates.fault(asked, rates) is None
    if not arg:
        assert min(rates) == common.finetuning().learning_rate
        assert max(rates) == scratch_rates.FROM_SCRATCH["sgd"][0]
        assert all(b / a < 10 for a, b in itertools.pairwise(rates))


def test_the_sentence_names_no_folder_above_the_checkpoint(monkeypatch):
    # It is in the card of the export.
    monkeypatch.setattr(resolve, "is_random", lambda _: True)
    config = own_data.get_config()
    config.checkpoint = "/home/alice/ward 3/cxr-50x1-remedis-m"
    warning = finetune._rate_warning(FinetuneSettings.from_config(config))
    assert warning.startswith("config.checkpoint is cxr-50x1-remedis-m, whose weights are random, ")
