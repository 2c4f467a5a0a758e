"""A run may be named in place of its export: in configs, and in commands on backbones."""

import shutil

import numpy as np
import pytest

from remedis.cli import main
from remedis.finetuning.finetune import finetune
from remedis.zoo.seen_images import SeenImages


@pytest.fixture
def run(tmp_path, tiny_checkpoint):
    """The directory of a run that has seen one image, with its export."""
    shutil.copytree(tiny_checkpoint, tmp_path / "run" / "export")
    (tmp_path / "run" / "config.json").write_text("{}")
    SeenImages.from_hashes(["a"]).write(tmp_path / "run" / "export")
    return tmp_path / "run"


@pytest.mark.guarantee
def test_a_config_takes_a_run(run, configured, tmp_path):
    one, other = (
        finetune(configured(checkpoint=str(checkpoint), method="probe"), tmp_path / name)
        for name, checkpoint in {"one": run, "other": run / "export"}.items()
    )
    assert one["test"] == other["test"]
    assert SeenImages.read(tmp_path / "one" / "export").count(["a"]) == 1


def test_the_command_embed_takes_a_run(run, squares, tmp_path):
    rows = []
    for checkpoint in (run, run / "export"):
        out = tmp_path / "out.npz"
        common = ["--labels=square", "--preprocess=resize(32)", f"--store={tmp_path / 'store'}"]
        manifest = str(squares / "manifest.csv")
        assert main(["embed", str(checkpoint), manifest, *common, f"--out={out}"]) == 0
        with np.load(out, allow_pickle=False) as content:
            rows.append(content["embedding"])
    np.testing.assert_array_equal(*rows)
