"""Engines of real folders: their outputs are those of the commands, and their errors sentences."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from zoo_helpers import said

from remedis.serving.engines import CELLS, compute, explaining, open_engine

SIZE = 16  # of the network's input


@pytest.fixture(scope="session")
def served(small_export):
    return open_engine(small_export)


@pytest.fixture(scope="session")
def picture(tmp_path_factory):
    """A grey image that is not square, as a file and as a reader gives it."""
    path = tmp_path_factory.mktemp("pictures") / "one.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28), np.uint8)
    Image.fromarray(pixels).save(path)
    return path, (pixels[..., None] / 255).astype(np.float32)


def test_scores_and_decisions_are_those_of_the_command_predict(served, picture):
    from remedis.data import sources
    from remedis.inference import predictions

    path, pixels = picture
    images = sources.load_images("csv", path, {})
    table = predictions.predict(served.classifier, images, path.parent / "bad.csv")
    outputs = served.predict(served.prepare(pixels)[None])
    decisions = served.provenance.decisions(outputs)
    row = table.table.iloc[0]
    for i, label in enumerate(("ill", "well")):
        # A reader gives grey as one channel or three, which rounds differently.
        assert outputs["probabilities"][0, i] == pytest.approx(row[f"score/{label}"], abs=1e-6)
        assert outputs["logits"][0, i] == pytest.approx(row[f"logit/{label}"], abs=1e-5)
    for kind, found in decisions.items():
        assert found == [[bool(row[f"decision/{kind}/ill"]), None]]
    assert set(decisions) == {"youden", "target_sensitivity"}
    assert served.provenance.weights_sha256 == table.record["model_sha256"]
    facts = json.loads(json.dumps(served.provenance.to_json(), allow_nan=False))
    assert facts["labels"] == ["ill", "well"]
    assert facts["random_weights"]
    assert "RANDOM WEIGHTS" in facts["weights"]
    assert outputs["embedding"].shape == (1, 1024)


def test_the_size_of_the_input_is_found_and_colour_is_taken(served):
    assert served.image_size == (SIZE, SIZE)
    assert served.prepare(np.ones((50, 20, 3), np.float32)).shape == (SIZE, SIZE, 3)


@pytest.mark.guarantee
def test_heat_maps_add_up_to_the_logit_and_lie_over_the_whole_image(served, picture):
    images = np.stack([served.prepare(picture[1]), np.zeros((SIZE, SIZE, 3), np.float32)])
    computed = compute(served)
    logits = computed("predict", images)["logits"]
    bias = np.zeros(2)  # of the fixture's head
    for i, label in enumerate(served.labels):
        cells = computed(explaining(label), images)[CELLS]
        np.testing.assert_allclose(cells.mean((1, 2)) + bias[i], logits[:, i], atol=1e-5)
        placed = served.place(cells[0], 40, 28)
        assert placed.shape == (40, 28)
        assert np.isfinite(placed).all()


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.full((1, 8, 8, 3), 255, np.float32), "like values from 0 to 255"),
        (np.full((1, 8, 8, 3), np.nan, np.float32), "NaN or infinity"),
        (np.zeros((8, 8, 3), np.float32), "expected [n, height, width, 3]"),
        (np.zeros((0, 8, 8, 3), np.float32), "expected [n, height, width, 3]"),
        (np.zeros((1, 8, 8, 4), np.float32), "expected [n, height, width, 3]"),
    ],
)
def test_wrong_images_are_refused_with_a_sentence(served, images, sentence):
    assert sentence in said(served.predict, images)
    assert sentence in said(served.explain, images, "ill")


def test_an_unknown_label_gets_the_nearest(served):
    images = np.zeros((1, SIZE, SIZE, 3), np.float32)
    assert "did you mean 'well'" in said(served.explain, images, "wel")


def test_a_model_that_gives_no_numbers_is_not_served(served, small_export, monkeypatch):
    from remedis.serving import loaded_engine

    broken = dataclasses.replace(
        served, run=lambda images: dict.fromkeys(served.provenance.outputs, np.array([np.inf]))
    )
    monkeypatch.setattr(loaded_engine, "_saved_model", lambda path: broken)
    sentence = said(open_engine, small_export)
    assert sentence.startswith(f"{small_export} gives no finite numbers for a grey image")


def test_a_heat_map_without_numbers_is_refused(served, monkeypatch):
    import tensorflow as tf

    from remedis.inference import heat_maps

    cells = {"cam": tf.fill((1, 2, 2), np.nan)}
    monkeypatch.setattr(heat_maps, "of_export", lambda exported: lambda images, label: cells)
    images = np.zeros((1, SIZE, SIZE, 3), np.float32)
    assert "gives no finite numbers for an image" in said(served.explain, images, "ill")


def test_a_model_without_a_size_of_its_own_takes_no_huge_image(served):
    anything = dataclasses.replace(served, image_size=None, preprocess=lambda image: image)
    huge = np.zeros((1, 1024, 1025, 3), np.float32)
    sentence = "get 1,025 x 1,024 pixels; expected at most 1,048,576 in all"
    assert sentence in said(anything.predict, huge)
    assert sentence in said(anything.prepare, huge[0])


@pytest.mark.guarantee
def test_a_backbone_embeds_and_does_no_more(tiny_checkpoint, tmp_path, monkeypatch):
    from remedis.preprocess import parse
    from remedis.zoo import resolve, save_backbone, serving

    for constant in ("REFUSED", "WIDENED"):
        monkeypatch.setattr(serving, constant, ())
    loaded = resolve.load_backbone(str(tiny_checkpoint), 0)
    for name, operations in (("plain", None), ("crops", parse("central_crop(0.5)"))):
        save_backbone.save(
            loaded.backbone,
            name=name,
            directory=tmp_path / name,
            preprocess=operations,
            provenance=loaded.provenance,
        )
    images = np.random.default_rng(1).random((2, 40, 33, 3), np.float32)
    expected = loaded.backbone(images, training=False).numpy().mean((1, 2))
    engine = open_engine(tmp_path / "plain")
    outputs = engine.predict(images)
    assert outputs.keys() == {"embedding"}
    np.testing.assert_allclose(outputs["embedding"], expected, rtol=1e-4, atol=1e-6)
    assert engine.labels == ()
    assert not engine.explains
    assert "has no heat maps" in said(engine.explain, images, "ill")
    assert engine.image_size is None
    assert "records no preprocessing" in said(engine.prepare, images[0])
    crops = open_engine(tmp_path / "crops")
    assert crops.image_size is None
    assert crops.prepare(images[0]).shape == (20, 17, 3)


def test_paths_and_engines_that_do_not_fit_are_named(tmp_path, small_export):
    assert "does not exist" in said(open_engine, tmp_path / "none")
    assert "did you mean 'onnx'" in said(open_engine, small_export, "onx")
    (tmp_path / "m.onnx").write_bytes(b"")
    assert "is a file; expected the folder" in said(open_engine, tmp_path / "m.onnx")
    assert "has no export.json" in said(open_engine, tmp_path / "m.onnx", "onnx")
    assert "has no export.json" in said(open_engine, small_export, "openvino")


@pytest.mark.guarantee
@pytest.mark.parametrize("name", ["frozen", "onnx", "openvino"])
def test_exports_give_the_outputs_and_decisions_of_their_source(
    served, picture, small_export, tmp_path, name, monkeypatch
):
    from remedis.conversion import agreement, convert, formats
    from remedis.zoo import serving

    for constant in ("REFUSED", "WIDENED"):
        monkeypatch.setattr(serving, constant, ())
    monkeypatch.setattr(agreement, "COUNT", 1)
    out = tmp_path / f"m{formats.get(name).suffix}"
    convert.convert(small_export, name, out)
    engine = open_engine(out, name)
    assert engine.image_size == served.image_size
    prepared = engine.prepare(picture[1])
    np.testing.assert_allclose(prepared, served.prepare(picture[1]), atol=1 / 65535)
    images = np.stack([prepared, np.full_like(prepared, 0.25), np.zeros_like(prepared)])
    expected, outputs = served.predict(images), engine.predict(images)
    for key, values in expected.items():
        np.testing.assert_allclose(outputs[key], values, atol=1e-4 * np.abs(values).max())
    decisions = engine.provenance.decisions(outputs)
    assert decisions == served.provenance.decisions(expected)
    facts, source = engine.provenance.to_json(), served.provenance.to_json()
    assert facts.pop("engine") == name
    assert len(facts.pop("weights_sha256")) == 64
    assert facts == {key: source[key] for key in facts}
    assert "has no heat maps" in said(engine.explain, images, "ill")
    assert "NaN or infinity" in said(engine.predict, np.full_like(images, np.nan))
    other = "onnx" if name != "onnx" else "frozen"
    assert f"is an export to {name}; expected one to {other}" in said(open_engine, out, other)


def test_the_hash_of_openvino_covers_graph_and_weights(tmp_path):
    from remedis.serving import loaded_engine

    hashes = set()
    for graph, weights in ((b"a", b"b"), (b"c", b"b"), (b"a", b"c")):
        (tmp_path / "model.xml").write_bytes(graph)
        (tmp_path / "model.bin").write_bytes(weights)
        hashes.add(loaded_engine._sha256(tmp_path))
    assert len(hashes) == 3


def test_the_fastest_engine_of_a_saved_model_gives_its_outputs(served, picture, small_export):
    pytest.importorskip("openvino")
    fastest = open_engine(small_export, "auto")
    assert (fastest.name, fastest.provenance.engine) == ("openvino", "openvino")
    prepared = fastest.prepare(picture[1])[None]
    for images in (prepared, np.full((3, SIZE + 8, SIZE, 3), 0.25, np.float32)):  # any size
        expected = served.predict(images)
        for name, values in fastest.predict(images).items():
            largest = max(1.0, np.abs(expected[name]).max())
            np.testing.assert_allclose(values, expected[name], atol=1e-5 * largest)
    np.testing.assert_array_equal(fastest.explain(prepared, "ill"), served.explain(prepared, "ill"))
    assert fastest.provenance == dataclasses.replace(served.provenance, engine="openvino")


def test_without_openvino_the_saved_model_computes(small_export, monkeypatch):
    from remedis.serving import loaded_engine

    monkeypatch.setattr(loaded_engine, "OPENVINO", "no_such_package")
    assert open_engine(small_export, "auto").name == "savedmodel"


def test_what_openvino_does_not_compute_the_saved_model_does(small_export, monkeypatch):
    from remedis.conversion import convert
    from remedis.errors import UserError

    def refuse(*arguments):
        raise UserError("The outputs differ.")

    pytest.importorskip("openvino")
    monkeypatch.setattr(convert, "convert", refuse)
    assert open_engine(small_export, "auto").name == "savedmodel"


def test_an_export_is_served_by_the_engine_of_its_format(small_export, tmp_path):
    from remedis.conversion import convert

    convert.convert(small_export, "frozen", tmp_path / "frozen")
    assert open_engine(tmp_path / "frozen", "auto").name == "frozen"


def test_an_export_without_an_engine_is_refused(small_export, tmp_path):
    from remedis.conversion import convert

    record = tmp_path / "mine.tflite.export.json"
    convert.convert(small_export, "frozen", tmp_path / "frozen")
    values = json.loads((tmp_path / "frozen" / "export.json").read_text())
    (tmp_path / "mine.tflite").write_bytes(b"")
    record.write_text(json.dumps(values | {"format": "litert"}))
    sentence = said(open_engine, tmp_path / "mine.tflite", "auto")
    assert "mine.tflite is an export to litert, which no engine serves; expected a run" in sentence


def test_a_file_that_is_no_export_is_refused_by_auto(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert "notes.txt" in said(open_engine, tmp_path / "notes.txt", "auto")
