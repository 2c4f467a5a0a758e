"""Heat maps of an exported classifier: the SavedModel alone, files, boxes and wrong input."""

import dataclasses
import json
import pathlib
import types
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

import remedis
from remedis.api import explanations
from remedis.cli import main
from remedis.errors import UserError
from remedis.evaluation.intervals import Estimate, patient_codes
from remedis.evaluation.localisation import MAPS, Localisation
from remedis.inference import exported, heat_maps, weight_randomisation
from remedis.models import activation_maps
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.reporting import heat_map_page
from remedis.zoo import resolve, save_classifier

LABELS = ("Mass", "Edema")
PREPROCESS = "central_crop(0.875) | resize(32)"


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> pathlib.Path:
    """A tiny classifier with random weights."""
    loaded = resolve.load_backbone("scratch:1-1-1-1x0.5", 0)
    classifier = Classifier(loaded.backbone, LABELS)
    rng = np.random.default_rng(0)
    classifier.set_head(rng.normal(0, 1, classifier.head.dense.kernel.shape), [0.5, -1.0])
    folder = tmp_path_factory.mktemp("explained") / "export"
    return save_classifier.save(
        classifier,
        parse(PREPROCESS),
        name="tiny",
        provenance=loaded.provenance,
        directory=folder,
    )


@pytest.fixture(scope="module")
def loaded(export) -> exported.ExportedClassifier:
    return exported.load(export)


@pytest.fixture(autouse=True)
def loaded_once(export, loaded, monkeypatch):
    """Loading takes most of the time of an explanation."""
    load = exported.load
    monkeypatch.setattr(exported, "load", lambda path: loaded if path == export else load(path))


@pytest.fixture
def images(tmp_path) -> pathlib.Path:
    """Five images of three sizes, without a table."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for i, (height, width) in enumerate([(40, 60), (64, 64), (33, 20), (64, 64), (64, 64)]):
        pixels = rng.integers(0, 255, (height, width), np.uint8)
        Image.fromarray(pixels).save(folder / ("more" if i > 2 else "") / f"{i}.png")
    return folder


def boxes(folder: pathlib.Path, *rows: str) -> pathlib.Path:
    file = folder / "boxes.csv"
    file.write_text("path,label,x,y,width,height\n" + "".join(f"{row}\n" for row in rows))
    return file


def test_the_saved_model_alone_gives_every_map(export, loaded):
    """Its maps add up to its own logits; the next test compares them with the formulas."""
    model = loaded.model
    pixels = np.random.default_rng(2).random((2, 64, 32, 3)).astype(np.float32)
    found = model.heat_maps(pixels, [1, 0])
    logits = model(pixels)["logits"].numpy()
    np.testing.assert_allclose(
        found["cam"].numpy().mean((1, 2)) + found["bias"], [logits[0, 1], logits[1, 0]], rtol=1e-4
    )
    one = model.heat_maps(pixels, 1)  # one label for all images
    np.testing.assert_allclose(one["cam"][0], found["cam"][0], rtol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="positions from 0 to 1; got"):
        model.heat_maps(pixels, 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="divide 8-bit pixels by 255"):
        model.heat_maps(255 * pixels, 0)


def test_an_export_of_an_earlier_version_is_explained_from_its_variables(loaded):
    """The graph that computes maps is built from the variables where the SavedModel has none."""
    old = dataclasses.replace(loaded, model=types.SimpleNamespace())
    pixels = tf.random.stateless_uniform([1, 32, 32, 3], [0, 0])
    ours = heat_maps.of_export(loaded)(pixels, tf.constant(0))
    theirs = heat_maps.of_export(old)(pixels, tf.constant(0))
    assert ours.keys() == theirs.keys()
    np.testing.assert_allclose(ours["block2_grad_cam"], theirs["block2_grad_cam"], rtol=1e-3)
    for method in activation_maps.METHODS:
        kind = heat_maps.choose(loaded, method)
        assert kind.output in ours
        assert kind.stride == 32


def test_an_export_without_variables_is_refused(export, loaded, tmp_path):
    """As a frozen one is, whose weights are constants."""
    (tmp_path / "remedis.json").write_bytes((export / "remedis.json").read_bytes())
    frozen = dataclasses.replace(loaded, model=types.SimpleNamespace(), folder=tmp_path)
    with pytest.raises(UserError, match=r"has no heat_maps in its graph, .*; explain the run"):
        heat_maps.of_export(frozen)


def test_a_folder_of_images_becomes_files_and_a_page(export, loaded, images, tmp_path):
    (images / "notes.txt").write_text("not an image")
    done = remedis.explain(export, images, tmp_path / "out", sanity_images=2)
    assert done.table["path"].tolist()[::2] == [
        "0.png",
        "1.png",
        "2.png",
        "more/3.png",
        "more/4.png",
    ]
    assert done.table["label"].tolist() == list(LABELS) * 5
    for row in done.table.itertuples():
        with (
            Image.open(tmp_path / "out" / row.overlay) as drawn,
            Image.open(images / row.path) as of,
        ):
            assert drawn.size == of.size
            assert 0 <= row.x < of.width
            assert 0 <= row.y < of.height
    assert (done.table["low"] == -done.table["high"]).all()
    page = (tmp_path / "out" / "heat_maps.html").read_text()
    ET.fromstring(page.replace("<!DOCTYPE html>", ""))
    assert page.count("<img ") == 10
    assert "RANDOM WEIGHTS" in page
    record = json.loads((tmp_path / "out" / "heat_maps.json").read_text())
    assert record["method"] == "cam"
    assert record["localisation"] == []
    assert [step["randomised"] for step in record["sanity"]] == [
        "trained",
        "head",
        "block4",
        "block3",
        "block2",
        "block1",
        "root",
    ]
    assert pd.read_csv(tmp_path / "out" / "heat_maps.csv")["logit"].tolist() == pytest.approx(
        done.table["logit"].tolist()
    )
    # Logits are those of the scored images.
    scored = done.table.set_index(["path", "label"])["logit"]
    pixels = parse(PREPROCESS)(
        tf.constant(np.asarray(Image.open(images / "0.png"))[..., None] / 255, tf.float32)
    )
    logits = loaded.model(pixels[None])["logits"].numpy()[0]
    np.testing.assert_allclose([scored["0.png", name] for name in LABELS], logits, atol=2e-3)


def test_boxes_choose_images_and_judge_maps(export, images, tmp_path):
    file = boxes(
        images,
        *(f"{name},Mass,0,0,64,64" for name in ("1.png", "more/3.png", "more/4.png")),
        "0.png,Edema,0,0,1,1",
        "2.png,Hernia,0,0,9,9",
        "gone.png,Mass,0,0,9,9",
    )
    done = remedis.explain(
        export, images, tmp_path / "out", boxes=file, method="grad_cam++", endpoint="block1",
        sanity_images=1,
    )  # fmt: skip
    assert done.table[["path", "label"]].values.tolist() == [
        ["0.png", "Edema"],
        ["1.png", "Mass"],
        ["more/3.png", "Mass"],
        ["more/4.png", "Mass"],
    ]
    # A box that is the whole image is hit wherever the map points.
    assert done.table["hit"].tolist()[1:] == [1, 1, 1]
    assert [(j.label, j.cases) for j in done.localisation] == [("Edema", 1), ("Mass", 3), ("", 4)]
    assert "3 patients, 5 are needed" in done.localisation[1].pointing["heat maps"].reason
    page = (tmp_path / "out" / "heat_maps.html").read_text()
    assert "The file has boxes of other labels, too: Hernia." in page
    assert "1 box is of images that are not here." in page
    assert "an image counts as its own patient" in page


def test_findings_of_one_image_are_of_one_patient_even_if_nobody_knows_whom():
    table = pd.DataFrame({"path": ["a.png", "b.png", "c.png"], "patient_id": [None, None, "p"]})
    drawn = pd.DataFrame({"row": [0, 0, 1, 2], "label": ["Mass", "Edema", "Mass", "Mass"]})
    drawn = drawn.assign(x=0.0, y=0.0, width=9.0, height=9.0, image_width=9.0, image_height=9.0)
    images = types.SimpleNamespace(table=table)
    work = explanations._Work(None, None, images, LABELS, drawn, 0.03, 1)

    def patient(row, label):
        pixels = np.zeros((9, 9, 3))
        return work._case(types.SimpleNamespace(row=row, pixels=pixels), label).patient

    first, second, other, known = (
        patient(row, label) for row, label in ((0, "Mass"), (0, "Edema"), (1, "Mass"), (2, "Mass"))
    )
    assert len(set(patient_codes([first, second, other, known]))) == 3
    assert first == second
    assert known == "p"


def test_the_command_goes_on_without_unreadable_images(export, images, tmp_path, capsys):
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    out = tmp_path / "out"
    status = main(
        ["explain", str(export), str(images), f"--out={out}", "--labels=Edema", "--sanity-images=0"]
    )
    assert status == 3
    assert "broken.png" in (tmp_path / "out.bad_images.csv").read_text()
    assert len(list((out / "overlays").iterdir())) == 5
    captured = capsys.readouterr()
    assert "1 image is unreadable" in captured.err
    assert "5 heat maps" in captured.out + captured.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ["Hernia"]}, "Unknown label .*'Hernia'.*Mass, Edema"),
        ({"method": "camm"}, "Unknown method 'camm': did you mean 'cam'"),
        ({"endpoint": "block2"}, "CAM is of the map that the head pools"),
        ({"method": "grad_cam", "endpoint": "block5"}, "Unknown endpoint .*'block5': did you mean"),
        ({"tolerance": 1.5}, "tolerance=1.5: expected a share"),
        ({"boxes": "no.csv"}, r"no\.csv"),
        ({"sanity_images": -1}, "sanity_images is -1"),
        ({"resamples": 5}, "5 resamples are too few"),
    ],
)
def test_wrong_arguments_are_refused(export, images, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        remedis.explain(export, images, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_boxes_of_other_labels_or_images_are_refused(export, images, tmp_path):
    file = boxes(images, "1.png,Hernia,0,0,9,9")
    with pytest.raises(UserError, match="has boxes of Hernia, and none of the labels"):
        remedis.explain(export, images, tmp_path / "out", boxes=file)
    file = boxes(images, "else.png,Mass,0,0,9,9")
    with pytest.raises(UserError, match="none of them of the 5 images"):
        remedis.explain(export, images, tmp_path / "out", boxes=file)


def test_folders_without_a_classifier_or_images_are_refused(export, images, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="empty"):
        remedis.explain(empty, images, tmp_path / "out")
    with pytest.raises(UserError, match="empty"):
        remedis.explain(export, empty, tmp_path / "out")
    with pytest.raises(UserError, match="exists"):
        remedis.explain(export, images, empty)


def test_randomisation_reaches_every_weight_and_follows_its_seed(export):
    classifier, _, _ = save_classifier.load(export)
    parts = weight_randomisation.parts(classifier)
    named = [name for _, names in parts for name in names]
    variables = classifier.named_variables()
    assert sorted(named) == sorted(variables)
    before = {name: variable.numpy() for name, variable in variables.items()}
    done = []
    for part in weight_randomisation.cascade(classifier, 0):
        done.append(part)
        for name, names in parts:
            changed = [not np.array_equal(variables[n], before[n]) for n in names if "kernel" in n]
            assert all(changed) if name in done else not any(changed)
    after = {name: variable.numpy() for name, variable in variables.items()}
    for name, values in after.items():
        np.testing.assert_array_equal(np.sort(values, None), np.sort(before[name], None))
    again, _, _ = save_classifier.load(export)
    list(weight_randomisation.cascade(again, 0))
    for name, variable in again.named_variables().items():
        np.testing.assert_array_equal(variable.numpy(), after[name])


def test_the_answer_says_what_a_hit_is_and_what_is_not_estimable():
    few = Estimate(None, None, None, 3, 3, reason="3 patients, 5 are needed")
    share, gain = Estimate(0.9, 0.8, 0.95, 40, 40), Estimate(0.5, 0.3, 0.7, 40, 40)
    none = Estimate(0.1, -0.1, 0.3, 40, 40)
    judged = Localisation("", 40, {MAPS: share}, {}, {"a": gain, "b": none}, {})
    assert heat_map_page.answer(judged) == (
        "The largest value of the map is in a box, or as near as the tolerance, in a share of "
        "0.900 [0.800, 0.950] of 40 cases. This is more than: a. It is not shown to be more "
        "than: b."
    )
    judged = Localisation("", 3, {MAPS: few}, {}, {"a": few}, {})
    assert heat_map_page.answer(judged) == (
        "How often the largest value of the map is in a box is not estimable from 3 cases: "
        "3 patients, 5 are needed."
    )


def test_similarity_of_equal_opposite_and_constant_maps():
    a = np.random.default_rng(0).random((7, 7)).astype(np.float32)
    same = weight_randomisation.similarity("x", [a, a], [a, 3 * a + 1])
    assert same.rank_correlation == pytest.approx(1)
    assert same.ssim == pytest.approx(1, abs=1e-3)
    assert weight_randomisation.similarity("x", [a], [-a]).rank_correlation == pytest.approx(-1)
    flat = weight_randomisation.similarity("x", [a], [np.ones((7, 7), np.float32)])
    assert flat.rank_correlation == 0
    assert flat.ssim < 0.2
