"""Settings of memory per arm, and arms whose pretraining has not been run."""

import pytest

from remedis import label_budget
from remedis.data import judged_images
from remedis.errors import UserError
from remedis.label_budget.run_study import studies_of
from remedis.label_budget.settings import StudySettings


def test_an_arm_has_its_own_settings_of_memory_and_all_others_in_common(study_config):
    config = study_config(arm_options="one: gradient_checkpointing=True, accumulate=4")
    config.ood.accumulate = 2
    settings = StudySettings.from_config(config)
    for key, accumulate in (("id", 1), ("ood", 2)):
        own, other = (settings.finetuning(key, "scratch:50x1", 3, arm) for arm in ("one", "two"))
        changed = {k for k, v in own.to_dict().items() if v != other.to_dict()[k]}
        assert changed == {"accumulate", "gradient_checkpointing"}
        assert own.optimization.accumulate == 4
        assert own.model.gradient_checkpointing
        assert other.optimization.accumulate == accumulate
        assert other == settings.finetuning(key, "scratch:50x1", 3)
    # `:152x2` for all arms but one, whose network has no checkpointing.
    config = study_config(arm_options="two: gradient_checkpointing=False")
    config.id.gradient_checkpointing = True
    settings = StudySettings.from_config(config)
    checked = [settings.finetuning("id", "", arm=arm).model for arm in settings.arms]
    assert [model.gradient_checkpointing for model in checked] == [True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("three: accumulate=2", "Unknown arm in config.arm_options 'three'"),
        (
            "one: precision=bfloat16",
            "Unknown key of 'one' in config.arm_options 'precision'. Choose from: accumulate, grad",
        ),
        (
            "one: accumulate=0",
            "config.arm_options has one: accumulate=0; expected a whole number from 1.",
        ),
        ("one: accumulate=True", "config.arm_options has one: accumulate=True; expected a whole"),
        (
            "one: gradient_checkpointing=1",
            "config.arm_options has one: gradient_checkpointing=1; expected True or False.",
        ),
        ("one=2", "config.arm_options has 'one=2'; expected ARM: KEY=VALUE, KEY=VALUE, several"),
    ],
)
def test_mistakes_are_a_sentence(study_config, options, message):
    with pytest.raises(UserError) as caught:
        StudySettings.from_config(study_config(arm_options=options))
    assert str(caught.value).startswith(message)


def test_micro_batches_that_a_batch_cannot_be_divided_into_stop_before_the_first_cell(
    study_config, tmp_path
):
    config = study_config(modes=("probe", "finetune"), arm_options="one: accumulate=3", seeds=3)
    for start in (label_budget.run, label_budget.list_cells):
        with pytest.raises(UserError) as caught:
            start(config, tmp_path)
        assert str(caught.value) == (
            "Fine-tuning the arm one by config.id: config.batch_size is 8, which "
            "config.accumulate=3 micro-batches cannot share evenly; expected a multiple of 3."
        )
    assert not (tmp_path / "embeddings").exists()


def test_an_arm_without_checkpointing_stops_before_the_first_cell(study_config, tmp_path):
    config = study_config(
        arms="bit=scratch:1-1-1-1x0.5; densenet=keras:DenseNet121", baseline="bit", seeds=3
    )
    config.update(modes=("finetune",), select="learning_rate=1.6")
    config.id.gradient_checkpointing = config.ood.gradient_checkpointing = True
    with pytest.raises(UserError) as caught:
        label_budget.list_cells(config, tmp_path)
    assert str(caught.value) == (
        "config.arms has densenet=keras:DenseNet121, and gradient_checkpointing works for BiT "
        "backbones only; set config.arm_options='densenet: gradient_checkpointing=False, "
        "accumulate=1'."
    )
    config.arm_options = "densenet: gradient_checkpointing=False, accumulate=1"
    assert label_budget.list_cells(config, tmp_path)


def test_settings_of_memory_may_change_in_a_begun_study(study_config, tmp_path):
    config = study_config(budgets="0", seeds=1)
    studies_of(config, tmp_path)[0]
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "one-probe-0-0.npz").touch()
    config.arm_options = "one: accumulate=2"
    assert studies_of(config, tmp_path)[0].settings.arm_options


def test_a_missing_pretraining_is_named_with_its_command_after_the_test_images_are_listed(
    study_config, tiny_checkpoint, tmp_path
):
    """The pretraining leaves out the images of `judged.json`, so `--list` comes before it."""
    arms = f"moco={tmp_path}/runs/moco; two={tiny_checkpoint}"
    config = study_config(arms=arms, baseline="two")
    config.pretrained_by = f"{tmp_path}/runs/moco=configs/pretrain_cxr.py:moco"
    study = tmp_path / "study"
    sentence = (
        f"config.arms has moco={tmp_path}/runs/moco, which is not there yet; make it by "
        "pretrain/pretrain.py --config=configs/pretrain_cxr.py:moco "
        f"--workdir={tmp_path}/runs/moco "
        f"--config.leave_out={study} and the data that this config asks for, or name another "
        "folder in config.arms."
    )
    listed = label_budget.list_cells(config, study)
    assert sentence in listed.splitlines()
    assert "0 of 10 cells are finished, 10 to do here" in listed
    assert len(judged_images.read(study)) == 3
    with pytest.raises(UserError) as caught:
        label_budget.run(config, study)
    assert str(caught.value) == sentence
    # A folder that no pretraining makes is a mistake, as ever.
    config.arms = f"moco={tmp_path}/runs/other; two={tiny_checkpoint}"
    with pytest.raises(UserError, match=r"runs/other is not a folder"):
        label_budget.list_cells(config, study)
