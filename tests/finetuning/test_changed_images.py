"""Images that are replaced while a training runs, and brought back."""

import os
import pathlib
import shutil

import pytest
from small_run import prepared

from remedis.errors import UserError
from remedis.finetuning.finetune import finetune
from remedis.training.run_directory import RunDirectory


def replace_at(step, path, other, patched):
    """Copies another image to the path when the metrics of a step are written."""
    append = RunDirectory.append_metrics

    def appended(run, row):
        append(run, row)
        if row["step"] == step:
            shutil.copyfile(other, path)

    patched.setattr(RunDirectory, "append_metrics", appended)


@pytest.mark.guarantee
def test_a_replaced_image_ends_the_run_before_it_is_in_a_checkpoint(
    squares, finished, configured, tmp_path, monkeypatch
):
    folder = tmp_path / "data" / squares.name
    shutil.copytree(squares, folder)  # with the times of modification
    config, run = configured(data_dir=str(folder)), tmp_path / "run"
    train = prepared(config, tmp_path / "prepared").train
    path = pathlib.Path(train.absolute_paths()[0])
    before, other = path.read_bytes(), folder / "extra.png"
    shutil.copyfile(folder / "1.png", other)
    scanned = os.stat(path)
    with monkeypatch.context() as patched:
        replace_at(8, path, other, patched)
        with pytest.raises(UserError, match=f"{path.name}' .* since it was scanned"):
            finetune(config, run)
    # Every image is used within the four steps of an epoch.
    assert not [*run.glob("checkpoints/last/ckpt-15*"), *run.glob("checkpoints/last/ckpt-20*")]
    assert not (run / "results.json").exists()
    with pytest.raises(UserError, match="began with other data"):
        finetune(config, run)
    path.write_bytes(before)
    os.utime(path, ns=(scanned.st_atime_ns, scanned.st_mtime_ns))
    results = finetune(config, run)
    assert results["test"] == finished[1]["test"]
    assert (run / "metrics.jsonl").read_text() == (finished[0] / "metrics.jsonl").read_text()
