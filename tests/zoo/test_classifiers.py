"""Classifiers written to folders, served by TensorFlow alone and loaded as Keras models."""

import dataclasses
import hashlib
import io
import json
import subprocess
import sys

import bit_weights
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from rich.console import Console
from small_application import small_application  # noqa: F401
from zoo_helpers import TINY, relative_error, said

from remedis import compat, limits
from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.reporting import checkpoint_info
from remedis.zoo import checkpoint, resolve, save_classifier, serving
from remedis.zoo.provenance import Provenance
from remedis.zoo.seen_images import SeenImages
from remedis.zoo.served_preprocessing import decode_and_prepare

LABELS = ("normal", "benign", "malignant")
IMAGES = tf.constant(np.random.RandomState(0).uniform(size=(2, 40, 36, 3)), tf.float32)
SCALE, OFFSET = np.array([0.5, 2.0, 1.25], np.float32), np.array([0.1, 0.0, -1.5], np.float32)
THRESHOLDS = {
    "youden": {"normal": 0.25, "benign": None, "malignant": 1 / 3},
    "target_sensitivity": {"normal": 0.125, "benign": 0.5, "malignant": None},
    "target": 0.9,
}
CALIBRATION = {
    "method": "platt",
    "fitted_on": {
        "cases": 1200,
        "labels": {
            "normal": {
                "method": "platt",
                "cases": 1200,
                "positives": 300,
                "negatives": 910,
                "prevalence": 0.2453,
            },
            "malignant": {"method": "platt", "cases": 900, "data": "hospital A"},
        },
    },
    "data": "hospital B",
    "left_out": ["benign"],
}
START = Provenance("bit", "Made for a test.")
TRAINED = Provenance("training", "Fine-tuned for a test.", parent=START)

# Runs where `remedis` cannot be imported, and prints its results as JSON.
ALONE = """
import io, json, sys
sys.modules["remedis"] = None
import numpy as np, tensorflow as tf
from PIL import Image
from rich.console import Console

model = tf.saved_model.load(sys.argv[1])
pixels = np.asarray(Image.open(sys.argv[2]))
assert pixels.dtype == np.uint8
images = model.signatures["preprocess"](image=tf.constant(pixels))["images"]
served = model.signatures["serving_default"](images=images)
training = model(images, training=True)
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(tf.square(model(images, training=True)["logits"]))
gradients = tape.gradient(loss, model.trainable_variables)
print(json.dumps({
    "served": {name: value.numpy().tolist() for name, value in served.items()},
    "training": {name: value.numpy().tolist() for name, value in training.items()},
    "thresholds": {
        name: value.numpy().tolist() for name, value in model.signatures["thresholds"]().items()
    },
    "labels": [n.decode() for n in model.signatures["label_names"]()["label_names"].numpy()],
    "variables": [v.name for v in model.variables],
    "trainable": [v.name for v in model.trainable_variables],
    "without_gradient": sum(g is None for g in gradients),
    "files": {
        name: value.numpy().tolist()
        for name, value in model.signatures["serve_bytes"](
            image_bytes=tf.constant([open(sys.argv[2], "rb").read()])
        ).items()
    },
    "of_no_files": {
        name: value.shape.as_list()
        for name, value in model.serve_bytes(tf.constant([], tf.string)).items()
    },
    "of_no_images": {name: value.shape.as_list() for name, value in model(images[:0]).items()},
}))
"""


def backbone_of(kind):
    if kind == "keras":
        return resolve.load_backbone("keras:SmallNet", seed=0).backbone
    backbone = BiTResNet(TINY, final_norm=kind == "normed")
    backbone.assign(bit_weights.weights(TINY, kind == "normed"))
    return backbone


def made(kind, task="multi_label", head_norm=True):
    model = Classifier(backbone_of(kind), LABELS, head_norm, task)
    state = np.random.RandomState(1)
    model.set_head(
        state.standard_normal((model.backbone.map_channels, 3)), state.standard_normal(3)
    )
    model.calibrate(SCALE, OFFSET)
    return model


def save(model, directory, **changes):
    return save_classifier.save(
        model,
        parse("resize(40)", deterministic=True),
        **{
            "name": "run-1",
            "provenance": TRAINED,
            "directory": directory,
            "thresholds": THRESHOLDS,
            "calibration": CALIBRATION,
        }
        | changes,
    )


@pytest.fixture(scope="module")
def of_keras(tmp_path_factory, small_application):  # noqa: F811
    """A classifier on a network with batch norms, and the folder it was written to."""
    model = made("keras", "multi_class")
    # Moves the averages, as a training does.
    for _ in range(3):
        model(IMAGES, training=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "REFUSED", ())
        patch.setattr(serving, "WIDENED", ())
        return model, save(model, tmp_path_factory.mktemp("classifier") / "keras")


@pytest.fixture(scope="module")
def alone(of_keras, tmp_path_factory):
    """The path of a JPEG, and the outputs of TensorFlow alone for it."""
    folder = tmp_path_factory.mktemp("alone")
    buffer = io.BytesIO()
    pixels = np.random.RandomState(2).randint(0, 256, (60, 50, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    (folder / "image.jpg").write_bytes(buffer.getvalue())
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(of_keras[1]), str(folder / "image.jpg")],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "image.jpg", json.loads(done.stdout)


def test_tensorflow_alone_gives_the_calibrated_probabilities_of_a_jpeg(of_keras, alone):
    model, _ = of_keras
    path, facts = alone
    pixels = np.asarray(Image.open(path)).astype(np.float32) / 255
    prepared = parse("resize(40)", deterministic=True)(tf.constant(pixels))[None]
    expected = model.outputs(prepared)
    assert set(facts["served"]) == {"probabilities", "logits", "embedding"}
    for name, value in facts["served"].items():
        assert relative_error(value, expected[name]) < 1e-4
    mapped = np.exp(np.array(facts["served"]["logits"][0]) * SCALE + OFFSET)
    np.testing.assert_allclose(
        facts["served"]["probabilities"][0], mapped / mapped.sum(), rtol=1e-4
    )


def test_an_export_normalises_by_its_averages_even_in_training(alone):
    _, facts = alone
    assert facts["training"] == facts["served"]


def test_an_export_gives_empty_results_for_no_images(of_keras, alone):
    _, facts = alone
    channels = of_keras[0].backbone.map_channels
    expected = {"probabilities": [0, 3], "logits": [0, 3], "embedding": [0, channels]}
    assert facts["of_no_images"] == facts["of_no_files"] == expected


def test_an_encoded_image_gets_the_outputs_of_its_pixels(alone):
    _, facts = alone
    assert set(facts["files"]) == set(facts["served"])
    for name, value in facts["served"].items():
        # The two JPEG decoders may differ by a grey level.
        assert relative_error(facts["files"][name], value) < 0.01


def test_an_export_has_every_variable_and_trains_those_with_gradients(of_keras, alone):
    model, _ = of_keras
    _, facts = alone
    named = model.named_variables()
    # Keras numbers the layers of a process, and other tests may have built layers before.
    names = compat.numbered_from_zero(name.removesuffix(":0") for name in facts["variables"])
    assert list(names.values()) == list(named)
    trainable = {names[name.removesuffix(":0")] for name in facts["trainable"]}
    assert trainable == set(named) - set(model.statistics())
    assert facts["without_gradient"] == 0


def test_thresholds_and_labels_are_in_the_graph(alone):
    _, facts = alone
    assert facts["labels"] == list(LABELS)
    np.testing.assert_array_equal(
        facts["thresholds"]["youden"], np.array([0.25, np.nan, 1 / 3], np.float32)
    )
    np.testing.assert_array_equal(facts["thresholds"]["target_sensitivity"], [0.125, 0.5, np.nan])
    assert set(facts["thresholds"]) == {"youden", "target_sensitivity"}


def same(one, other):
    for name, value in one.outputs(IMAGES).items():
        np.testing.assert_allclose(other.outputs(IMAGES)[name], value, rtol=1e-5, atol=1e-6)
    assert list(one.named_variables()) == list(other.named_variables())


def test_a_classifier_on_a_keras_network_is_loaded(of_keras):
    model, folder = of_keras
    opened, preprocess, description = save_classifier.load(folder)
    same(model, opened)
    assert (opened.labels, opened.task, opened.head_norm) == (LABELS, "multi_class", True)
    assert preprocess.specification == "resize(40)"
    assert description.backbone == "keras:SmallNet"
    assert description.thresholds == THRESHOLDS
    numbers = {"scale": SCALE.tolist(), "offset": OFFSET.tolist()}
    assert description.calibration == CALIBRATION | numbers


def test_a_classifier_on_a_keras_network_is_a_backbone(of_keras):
    model, folder = of_keras
    loaded = resolve.load_backbone(str(folder), 0, "SmallNet")
    np.testing.assert_allclose(
        loaded.backbone(IMAGES, training=False), model.backbone(IMAGES, training=False), rtol=1e-5
    )
    assert loaded.provenance == TRAINED
    assert said(checkpoint.read, folder) == (
        f"{folder} holds a network of keras:SmallNet; expected a BiT backbone here."
    )


@pytest.mark.parametrize(
    ("kind", "head_norm"),
    [
        ("normed", True),
        pytest.param("normed", False, marks=pytest.mark.slow),
        pytest.param("bare", True, marks=pytest.mark.slow),
        pytest.param("bare", False, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("few_traces")
def test_a_classifier_on_a_bit_backbone_is_loaded(kind, head_norm, tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "WIDENED", ())
    model = made(kind, head_norm=head_norm)
    opened, _, description = save_classifier.load(save(model, tmp_path / "export"))
    same(model, opened)
    assert (description.backbone, description.task) == (TINY.name, "multi_label")
    assert opened.head_norm is head_norm
    assert opened.unused_variables() == model.unused_variables()
    backbone = resolve.load_backbone(str(tmp_path / "export"), 0).backbone
    np.testing.assert_allclose(backbone(IMAGES), model.backbone(IMAGES), rtol=1e-5, atol=1e-6)


@pytest.fixture
def no_functions(monkeypatch):
    """Exports of variables and descriptions only."""
    monkeypatch.setattr(serving.ServedModel, "_callable", lambda *_, **__: None)
    monkeypatch.setattr(serving, "signature", lambda *_, **__: tf.function(lambda: {"a": 1}, []))
    monkeypatch.setattr(serving, "decode_and_prepare", lambda *_: None)
    monkeypatch.setattr(serving, "prepare_pixels", lambda _: tf.identity)

    def without_functions(served, preprocess, _):
        serve_bytes(served, preprocess, lambda _: {"a": tf.constant(1)})

    serve_bytes = serving.ServedModel._serve_bytes
    monkeypatch.setattr(serving.ServedModel, "_serve_bytes", without_functions)


@pytest.mark.usefixtures("no_functions")
def test_without_calibration_and_thresholds_there_is_no_such_signature(tmp_path):
    model = Classifier(backbone_of("bare"), LABELS)
    folder = save(model, tmp_path / "export", thresholds=None, calibration=None)
    description = checkpoint.describe(folder)
    assert description.signatures == (
        "serving_default",
        "preprocess",
        "preprocess_batch",
        "serve_bytes",
        "label_names",
    )
    assert description.thresholds is None
    assert description.calibration == {"method": "none", "scale": [1.0] * 3, "offset": [0.0] * 3}
    card = (folder / "MODEL_CARD.md").read_text()
    assert (
        "The probabilities are not calibrated. They follow the definition and the prevalence"
        in card
    )
    assert "threshold" not in card
    assert "No performance is recorded for this model as it is" in card


def test_the_card_says_what_the_numbers_mean(of_keras):
    card = (of_keras[1] / "MODEL_CARD.md").read_text()
    assert "Exactly one label of an image is 1. The probabilities of all labels add up to 1" in card
    assert "| normal | platt | 1,200 cases of hospital B | 300 | 910 | 24.5% |" in card
    assert "| benign | none | nothing |  |  |  |" in card
    assert "- platt: scale and offset were fitted. Among images like those of the fit, with" in card
    assert "- none: they follow the definition and the prevalence of the training labels" in card
    sentence = (
        "The probabilities of normal are calibrated by Platt's method on 1,200 patients of "
        "hospital B; those of malignant are calibrated by Platt's method on 900 patients of "
        "hospital A; those of benign are not calibrated."
    )
    assert sentence in card
    assert "Thresholds were chosen on the validation split." in card
    assert "- temperature" not in card
    assert "| label | youden | target_sensitivity |\n| --- | ---: | ---: |\n" in card
    assert "| benign | none | 0.5 |\n| malignant | 0.3333 | none |\n\n(target: 0.9)" in card
    assert card.count("no output of it may guide care") == 2
    assert "keras:SmallNet" in card


def test_info_shows_backbone_task_calibration_and_thresholds(of_keras):
    buffer = io.StringIO()
    info = checkpoint_info.checkpoint_info(str(of_keras[1]))
    Console(file=buffer, width=110).print(info)
    printed = " ".join(buffer.getvalue().split())
    assert "backbone keras:SmallNet" in printed
    assert "task multi_class" in printed
    assert (
        "probabilities The probabilities of normal are calibrated by Platt's method on 1,200 "
        "patients of hospital B; those of malignant are calibrated by Platt's method on 900 "
        "patients of hospital A; those of benign are not calibrated."
    ) in printed
    assert "thresholds Thresholds were chosen on the validation split." in printed
    assert "threshold youden normal 0.25, benign none, malignant 0.3333" in printed


@pytest.mark.usefixtures("no_functions")
def test_an_export_knows_what_it_has_seen_and_gives_no_content_hash_away(tmp_path):
    hashes = [hashlib.sha256(bytes([i])).hexdigest() for i in range(5)]
    model = Classifier(backbone_of("bare"), LABELS)
    folder = save(model, tmp_path / "export", seen=iter(hashes[:3]))
    text = (folder / "seen.json").read_text()
    assert not any(one in text for one in hashes)
    seen = SeenImages.read(folder)
    assert [seen.count([one]) for one in hashes] == [1, 1, 1, 0, 0]
    # With another salt the digests of the same images differ, and the images are still recognised.
    other = SeenImages.from_hashes(hashes[:3])
    assert not other.digests & seen.digests
    assert other.count(hashes) == 3

    seen.extended(hashes[3:4]).write(folder)
    assert SeenImages.read(folder).count(hashes) == 4
    assert SeenImages.read(tmp_path) is None
    (folder / "seen.json").write_text('{"salt": 1}')
    assert said(SeenImages.read, folder) == (
        f"{folder / 'seen.json'} is damaged (salt is 1, expected a text); copy the folder again."
    )


def test_a_backbone_is_no_classifier(tiny_checkpoint):
    assert said(save_classifier.load, tiny_checkpoint) == (
        f"{tiny_checkpoint} holds a backbone without a head; expected a classifier as a run "
        "exports it: RUN/export."
    )


def test_variables_that_are_not_there_are_named(of_keras):
    _, folder = of_keras
    description = checkpoint.describe(folder)
    other = dataclasses.replace(description, labels=(*LABELS, "unclear"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "describe", lambda _: other)
        assert said(save_classifier.load, folder) == (
            f"{folder} does not hold the head remedis.json describes: misshapen head/dense/kernel "
            "[64,3] instead of [64,4], head/dense/bias [3] instead of [4]."
        )


def test_encoded_images_above_the_limit_of_the_export_are_not_decoded():
    small, large = (tf.io.encode_png(np.zeros((30, side, 1), np.uint8)) for side in (30, 40))
    with limits.megapixels(0.001):
        served = tf.function(
            lambda files: decode_and_prepare(parse("resize(8)", deterministic=True), files),
            input_signature=[tf.TensorSpec([None], tf.string)],
            autograph=False,
        ).get_concrete_function()
    assert served(tf.stack([small])).shape == (1, 8, 8, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="more pixels than the limit"):
        served(tf.stack([small, large]))
