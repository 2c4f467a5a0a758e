"""`remedis predict`: images without labels, scored as the SavedModel alone scores them."""

import dataclasses
import functools
import json
import re
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from PIL import Image

import remedis
from docs.generate import column_list
from remedis import cli
from remedis.cli import exit_status
from remedis.data import sources
from remedis.errors import UserError
from remedis.inference import exported, predictions
from remedis.zoo import tensors


def _run(*arguments):
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """Loads each export once: it takes longer than everything else here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exported, "load", functools.cache(exported.load))
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Six images in two folders, nothing else."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for i in range(6):
        folder = root / ("north" if i < 3 else "south/deep")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 24), np.uint8)).save(folder / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def predicted(small_export, images, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "scores.parquet"
    return out, remedis.predict(small_export, images, out=out)


def test_scores_are_those_of_the_saved_model_alone(predicted, small_export, images):
    import tensorflow as tf

    out, result = predicted
    table = pd.read_parquet(out)
    assert table["path"].tolist() == [
        *(f"north/{i}.png" for i in range(3)),
        *(f"south/deep/{i}.png" for i in range(3, 6)),
    ]
    model = tf.saved_model.load(str(small_export / "export"))
    for row, path in enumerate(table["path"]):
        want = model(model.preprocess(np.array(Image.open(images / path))[..., None]))
        for i, label in enumerate(("ill", "well")):
            probability = float(want["probabilities"][0, i])
            assert table[f"score/{label}"][row] == pytest.approx(probability, abs=1e-5)
            logit = float(want["logits"][0, i])
            assert table[f"logit/{label}"][row] == pytest.approx(logit, abs=1e-4)
            odds = np.log(probability) - np.log1p(-probability)
            assert table[f"log_odds/{label}"][row] == pytest.approx(odds, abs=1e-4)
    for kind, cut in (("youden", 0.5), ("target_sensitivity", 0.3)):
        called = (table["score/ill"] >= cut).astype("Int8")
        assert table[f"decision/{kind}/ill"].astype("Int8").equals(called.rename(None))
        assert table[f"decision/{kind}/well"].isna().all()  # no threshold was chosen
    assert table["patient_id"].isna().all()
    assert not table.columns.astype(str).str.startswith("label/").any()
    assert repr(result) == "<Predictions: 6 images, 2 labels; model: run>"
    assert result.random


def test_every_column_is_documented(predicted):
    known = column_list.PREDICTED.columns
    for name in predicted[1].table:
        assert any(one.matches(str(name)) for one in known), name
    for one in known:
        assert one.optional or any(one.matches(str(name)) for name in predicted[1].table), one.name


def test_the_record_names_the_weights_and_what_was_done(predicted, small_export):
    out, result = predicted
    stored = json.loads(pyarrow.parquet.read_schema(out).metadata[predictions.RECORD])
    assert stored == json.loads(json.dumps(result.record))
    assert stored["model_sha256"] == tensors.model_sha256(small_export / "export")
    assert stored["calibration"]["scale"] == [0.5, 2.0]
    assert stored["preprocess"] == "resize(16)"
    assert str(out.parent.parent) not in json.dumps(stored)


def test_csv_has_the_same_numbers_and_the_command_the_same_rows(
    predicted, small_export, images, tmp_path, capsys
):
    out = tmp_path / "new" / "scores.csv"
    folders = [images / "south", images / "north" / "*.png"]
    assert _run("predict", small_export, *folders, "--labels=well,ill", f"--out={out}") == 0
    printed = capsys.readouterr()
    assert "scores.csv: 2 labels of 6 images." in printed.out
    assert "RANDOM WEIGHTS" in printed.out
    table, expected = pd.read_csv(out), predicted[1].table
    assert table["path"].tolist() == expected["path"].tolist()
    assert table["sha256"].tolist() == expected["sha256"].tolist()
    for label in ("ill", "well"):
        for kind in ("score", "log_odds"):
            got, want = (of[f"{kind}/{label}"].to_numpy() for of in (table, expected))
            np.testing.assert_allclose(got, want, rtol=1e-5)
    assert table.columns.get_loc("score/well") < table.columns.get_loc("score/ill")
    stored = json.loads((out.parent / "scores.csv.json").read_text())
    assert stored["model_sha256"] == predicted[1].record["model_sha256"]
    before = out.read_bytes()
    # The labels are the model's: a folder alone needs no table beside them.
    assert _run("predict", small_export, images, "--labels=well,ill", f"--out={out}") == 0
    assert out.read_bytes() == before
    assert not (out.parent / "scores.csv.bad_images.csv").exists()


def test_unreadable_images_are_listed_and_the_status_says_so(
    small_export, images, tmp_path, capsys
):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "cut.png").write_bytes((images / "north" / "0.png").read_bytes()[:90])
    (tmp_path / "bad" / "notes.txt").write_text("")
    out = tmp_path / "scores.csv"
    command = ["predict", small_export, images / "north", tmp_path / "bad", f"--out={out}"]
    assert _run(*command) == exit_status.INCOMPLETE
    assert len(pd.read_csv(out)) == 3
    bad = pd.read_csv(tmp_path / "scores.csv.bad_images.csv")
    assert bad["path"].str.endswith("bad/cut.png").tolist() == [True]
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "1 image is unreadable and left out" in last
    assert str(tmp_path / "scores.csv.bad_images.csv") in last
    out.unlink()
    assert _run(*command, "--max-bad-images=0.1") == exit_status.MISTAKE
    assert "1 of 4 images cannot be used, more than the limit of 10.0%" in capsys.readouterr().err
    assert _run("predict", small_export, tmp_path / "bad", f"--out={out}") == exit_status.MISTAKE
    assert "None of the 1 image of" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"labels": "il"}, "error: Unknown label of .* 'il': did you mean 'ill'"),
        ({"data": "none"}, "none does not exist"),
        ({"data": ""}, "A path of images is empty; name a folder, a glob or files"),
        ({"data": "*.png"}, r"No file matches '.*\*\.png'"),
        ({"out": "scores.txt"}, r"--out=.*scores\.txt: expected a file that ends with \.parquet"),
        ({"source": "csf"}, "Unknown source 'csf': did you mean 'csv'"),
        ({"option": "sizes=3"}, "Unknown option of the source 'csv' 'sizes'"),
    ],
)
def test_a_wrong_command_is_one_sentence(changed, sentence, small_export, tmp_path, capsys):
    given = {"data": ".", "out": "scores.csv", **changed}
    options = [
        f"--{name}={given[name]}" for name in ("labels", "source", "option") if name in given
    ]
    Image.new("L", (8, 8)).save(tmp_path / "a.jpg")
    data = [given["data"] and tmp_path / given["data"], tmp_path / "a.jpg"]
    out = tmp_path / given["out"]
    assert _run("predict", small_export, *data, f"--out={out}", *options) == exit_status.MISTAKE
    said = capsys.readouterr().err
    assert re.search(sentence, said), said
    assert not out.exists()


def test_a_backbone_and_a_damaged_export_are_refused(tiny_checkpoint, small_export, tmp_path):
    with pytest.raises(UserError, match="holds no classifier; expected a run"):
        remedis.predict(tiny_checkpoint, tmp_path)
    damaged = tmp_path / "export"
    shutil.copytree(small_export / "export", damaged)
    text = (damaged / "remedis.json").read_bytes()
    (damaged / "remedis.json").write_bytes(text[:200])
    with pytest.raises(UserError, match=r"remedis\.json"):
        remedis.predict(damaged, tmp_path)


def test_an_output_that_cannot_be_written_is_refused_before_images_are_read(
    small_export, images, tmp_path
):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match=r"folder\.csv' is a directory; name a file to write"):
        remedis.predict(small_export, images, out=tmp_path / "folder.csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written: .*file is no folder"):
        remedis.predict(small_export, images, out=tmp_path / "file" / "scores.csv")


def test_exclusive_classes_have_the_most_probable_one(small_export, images):
    loaded = exported.load(small_export)
    exclusive = dataclasses.replace(loaded.description, task="multi_class")
    loaded = dataclasses.replace(loaded, description=exclusive)
    manifest = sources.load_images("csv", images, {})
    report = images.parent / "bad.csv"
    table = predictions.predict(loaded, manifest, report, labels=("well", "ill")).table
    larger = table[["logit/ill", "logit/well"]].idxmax(axis=1).str.removeprefix("logit/")
    assert table[predictions.CLASS].tolist() == larger.tolist()
    some = predictions.predict(loaded, manifest, report, labels=("ill",)).table
    assert predictions.CLASS not in some
