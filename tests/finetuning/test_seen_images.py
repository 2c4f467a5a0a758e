"""Fine-tuning from weights that record the images they have seen: no test on these images."""

import json
import pathlib
import shutil

import pandas as pd
import pytest
from small_run import prepared

from remedis.errors import UserError
from remedis.finetuning.finetune import finetune
from remedis.zoo import save_classifier
from remedis.zoo.seen_images import SeenImages

ELSEWHERE = "0" * 64  # of an image of other data


@pytest.fixture(scope="module")
def hashes(configured, tmp_path_factory) -> "dict[str, pd.Series]":
    """SHA-256 of the images of each split, as the config makes them."""
    workdir = tmp_path_factory.mktemp("splits")
    parts = prepared(configured(), workdir)
    return {
        split: getattr(parts, split).table["path"].map(parts.hashes)
        for split in ("train", "validation", "test")
    }


@pytest.fixture
def pretrained(tiny_checkpoint, tmp_path) -> pathlib.Path:
    """A checkpoint folder as a pretraining writes it, without a record yet."""
    return pathlib.Path(shutil.copytree(tiny_checkpoint, tmp_path / "pretrained"))


@pytest.fixture
def quickly_exported(tiny_checkpoint, monkeypatch):
    """Exports the backbone as it was: tracing functions to serve takes seconds."""

    def save(*_, directory, seen, **__):
        shutil.copytree(tiny_checkpoint, directory)
        seen.write(directory)

    monkeypatch.setattr(save_classifier, "save", save)


def refused(config, workdir) -> str:
    with pytest.raises(UserError) as caught:
        finetune(config, workdir)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_checkpoint_that_has_seen_test_images_is_refused_before_training(
    configured, hashes, pretrained, tmp_path
):
    run, test = tmp_path / "run", hashes["test"]
    SeenImages.from_hashes(pd.concat(list(hashes.values()))).write(pretrained)
    assert refused(configured(checkpoint=str(pretrained)), run) == (
        f"config.checkpoint is {pretrained}, which was trained on {len(test)} of the {len(test)} "
        "test images (its seen.json); choose other test images, or train it without them, which a "
        f"pretraining does by --config.leave_out={run}."
    )
    # Training has not begun; the file that the sentence names exists.
    assert not {"checkpoints", "inputs.json", "results.json", "export"} & {
        path.name for path in run.iterdir()
    }
    assert json.loads((run / "config.json").read_text())["data_dir"]
    # One image is too many, also for a probe, which trains no backbone.
    SeenImages.from_hashes([test.iloc[0], ELSEWHERE]).write(pretrained)
    config = configured(checkpoint=str(pretrained), method="probe")
    assert f"trained on 1 of the {len(test)} test images" in refused(config, run)


@pytest.mark.usefixtures("quickly_exported")
def test_what_a_checkpoint_has_seen_is_handed_on_with_what_the_run_adds(
    configured, hashes, pretrained, tmp_path
):
    # As after a run on the same data, whose test images it has not seen.
    own = pd.concat([hashes["train"], hashes["validation"]])
    SeenImages.from_hashes([ELSEWHERE, *hashes["train"]]).write(pretrained)
    finetune(configured(checkpoint=str(pretrained), method="probe"), tmp_path / "run")
    seen = SeenImages.read(tmp_path / "run" / "export")
    assert seen.count([ELSEWHERE]) == 1
    assert seen.count(own) == len(own) == len(seen.digests) - 1
    assert seen.count(hashes["test"]) == 0
    # With other splits, training images would be tested on.
    config = configured(checkpoint=str(tmp_path / "run" / "export"), method="probe", split_seed=1)
    assert "test images (its seen.json); choose other" in refused(config, tmp_path / "other")


@pytest.mark.parametrize("spec", ["scratch:1-1-1-1x0.5", "bit:FILE.npz", "keras:MobileNetV2:FILE"])
def test_what_is_no_folder_of_a_run_cannot_be_asked(spec, pretrained):
    assert SeenImages.read(spec) is None
    assert SeenImages.read(pretrained) is None


def test_a_damaged_file_is_named(configured, pretrained, tmp_path):
    (pretrained / "seen.json").write_text("{")
    config = configured(checkpoint=str(pretrained))
    assert refused(config, tmp_path / "run").startswith(f"{pretrained / 'seen.json'} is damaged (")
