"""`remedis embed` and `probe`."""

import os
import re
import sys

import numpy as np
import pandas as pd
from PIL import Image

from remedis import cli, locks
from remedis.cli import exit_status
from remedis.inference import embedding_file, predict


def _run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_a_folder_of_images_embeds_without_labels_and_patients(tiny_checkpoint, tmp_path, capsys):
    for name in ("a.png", "deep/er/b.jpg"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "images" / name)
    out = tmp_path / "e.parquet"
    command = ["embed", tiny_checkpoint, str(tmp_path / "images"), f"--store={tmp_path / 's'}"]
    assert _run(*command, "--preprocess=resize(16)", f"--out={out}") == 0
    table = pd.read_parquet(out)
    assert table["path"].tolist() == ["a.png", "deep/er/b.jpg"]
    assert list(table) == [*predict.IDS, "sha256", "embedding"]
    assert table["patient_id"].isna().all()
    capsys.readouterr()
    for kind in ("ill", "well"):
        (tmp_path / "images" / kind).mkdir()
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "images" / kind / "c.png")
    assert _run("probe", *command[1:], "--labels=ill") == 1
    assert "set --source=folder" in capsys.readouterr().err


def test_embed_leaves_a_file_that_another_process_writes_to_it(tmp_path, capsys):
    out = tmp_path / "new" / "e.npz"
    with locks.held(locks.file_beside(out), out):
        assert _run("embed", "scratch:1-1-1-1x0.5", tmp_path, f"--out={out}") == 1
    assert f"error: --out={out} is in use by process {os.getpid()} on" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_embed_through_the_store(data, tiny_checkpoint, tmp_path, capsys):
    out, store = tmp_path / "e.parquet", tmp_path / "store"
    command = ["embed", tiny_checkpoint, data, "--labels=ill", f"--store={store}"]
    assert _run(*command, "--preprocess=resize(16)", f"--out={out}") == 0
    printed = capsys.readouterr()
    assert "embeddings of 40 images, 1,024 numbers each." in printed.out
    assert "RANDOM WEIGHTS" in printed.out
    first = np.stack(pd.read_parquet(out)["embedding"])
    assert first.shape == (40, 1024)
    second = tmp_path / "e.npz"
    assert _run(*command, "--preprocess=resize(16)", f"--out={second}") == 0
    assert "Embedding " not in capsys.readouterr().err  # nothing was left to compute
    np.testing.assert_array_equal(np.load(second)["embedding"], first)
    assert _run(*command, "--preprocess=resize(16)", "--out=e.csv") == 1
    assert "expected a file that ends with .parquet, .npz, .h5 or .zarr" in capsys.readouterr().err


def test_probe_prints_intervals_by_patient(data, tiny_checkpoint, tmp_path, capsys):
    command = ["probe", tiny_checkpoint, data, "--labels=ill", f"--store={tmp_path / 'store'}"]
    command += ["--preprocess=resize(16)", "--resamples=50"]
    assert _run(*command, "--methods=linear,knn,few_shot", "--neighbours=3") == 0
    printed = capsys.readouterr().out
    assert "Linear probe, test split" in printed
    assert "3 nearest neighbours, test split" in printed
    assert "10 patients, 5 positive" in printed
    assert re.search(r"^ +1  0\.\d+ \[.*; a draw has \d+% of the pool$", printed, re.MULTILINE)
    assert _run(*command, "--methods=linea") == 1
    assert "did you mean 'linear'?" in capsys.readouterr().err
    table = pd.read_csv(data / "manifest.csv")
    table["patient_id"] = "p0"
    table.to_csv(data / "manifest.csv", index=False)
    stored = set((tmp_path / "store").rglob("*.npz"))
    assert _run(*command, "--preprocess=resize(8)") == 1
    assert "share 1 patients" in capsys.readouterr().err
    # The gate comes before the hours of embedding.
    assert set((tmp_path / "store").rglob("*.npz")) == stored


def test_probe_takes_uncertain_labels_for_training_alone(data, tiny_checkpoint, tmp_path, capsys):
    table = pd.read_csv(data / "manifest.csv")
    table.loc[[0, 30, 32], "ill"] = -1  # one of training, two of test
    table.to_csv(data / "manifest.csv", index=False)
    command = ["probe", tiny_checkpoint, data, "--labels=ill", f"--store={tmp_path / 'store'}"]
    command += ["--preprocess=resize(16)", "--resamples=50", "--methods=knn", "--uncertain=ones"]
    assert _run(*command) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^ *ill .* 8 +5 *$", printed, re.MULTILINE)  # patients, positive
    assert "Uncertain labels, of 2 images of 2 patients, are ignored." in printed
    assert _run(*command, "--eval-uncertain=ones") == 0
    printed = capsys.readouterr().out
    assert re.search(r"^ *ill .* 10 +7 *$", printed, re.MULTILINE)
    assert "Uncertain labels, of 2 images of 2 patients, count as positive." in printed


def test_a_folder_that_grew_embeds_only_the_new_images_and_lists_the_unreadable(
    tiny_checkpoint, tmp_path, capsys
):
    folder, out = tmp_path / "images", tmp_path / "e.h5"
    folder.mkdir()

    def add(name, grey):
        Image.fromarray(np.full((32, 32), grey, np.uint8)).save(folder / name)

    command = ["embed", tiny_checkpoint, folder, f"--store={tmp_path / 's'}", f"--out={out}"]
    add("a.png", 0)
    add("c.png", 90)
    assert _run(*command, "--preprocess=resize(16)") == 0
    first = embedding_file.read(out)
    add("b.png", 200)
    (folder / "bad.png").write_text("no image")
    capsys.readouterr()
    # One path more, which is named already.
    command.insert(3, folder / "a.png")
    assert _run(*command, "--preprocess=resize(16)") == exit_status.INCOMPLETE == 3
    printed = "".join(capsys.readouterr())
    assert "Embedding 1 new image; 2 known before." in printed
    assert "1 image is unreadable and left out" in printed
    listed = pd.read_csv(tmp_path / "e.h5.bad_images.csv")
    assert listed["path"].tolist() == ["bad.png"]
    second = embedding_file.read(out)
    assert second.table["path"].tolist() == ["a.png", "b.png", "c.png"]
    np.testing.assert_array_equal(second.rows[[0, 2]], first.rows)
    assert second.record["weights"] == first.record["weights"]
    assert second.record["checkpoint"] == tiny_checkpoint.name
    assert second.record["random_weights"]
    assert str(tmp_path) not in str(second.record)
    assert _run(*command, "--preprocess=resize(16)", "--max-bad-images=0.1") == 1
    assert _run(*command, "--labels=ill") == 1
    assert "--labels needs one table or data set, and got 2 paths" in capsys.readouterr().err


def test_what_does_not_go_with_a_runner_is_said_before_any_work(tmp_path, capsys, monkeypatch):
    command = ["embed", "scratch:1-1-1-1x0.5", tmp_path, "--out=o", "--preprocess=resize(16)"]

    def refused(sentence, *more):
        assert _run(*command, *more) == 1
        assert sentence in capsys.readouterr().err

    runner = "--runner=DirectRunner"
    refused(f"--labels does not go with {runner}, which takes the", runner, "--labels=ill")
    refused("--source does not go with", runner, "--source=slides")
    refused("--max-bad-images does not go with", runner, "--max-bad-images=0.1")
    refused("--store does not go with", runner, "--store=mine")
    refused("--images-per-file is for the folder that --runner writes", "--images-per-file=8")
    command.insert(3, tmp_path)
    refused(f"{runner} takes one directory, and got 2 paths; name the", runner)
    del command[3]
    refused("does not begin with --; write --NAME=VALUE", runner, "--", "direct_num_workers=2")
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    refused("pip install 'remedis[beam]'", runner)
    assert not (tmp_path / "o").exists()
