"""ONNX, OpenVINO and LiteRT: outputs at any size, names, and what travels in the file."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import small_application
from small_application import small_application as small_application_fixture  # noqa: F401

from remedis.conversion import formats, openvino_format
from remedis.models.applications import ApplicationNetwork

LABELS = ["effusion", "mass, 2 cm"]
SLOW = pytest.mark.guarantee
CASES = [
    pytest.param("onnx", "classifier", marks=SLOW),
    pytest.param("onnx", "backbone", marks=SLOW),
    pytest.param("openvino", "classifier", marks=SLOW),
    pytest.param("openvino", "backbone", marks=SLOW),
    pytest.param("litert", "classifier"),
    pytest.param("litert", "backbone", marks=SLOW),
]


def metadata(name, path):
    """Returns what a file says of its labels and thresholds, as its own library reads it."""
    if name == "onnx":
        onnx = pytest.importorskip("onnx")
        model = onnx.load(path)
        assert [one.version for one in model.opset_import if not one.domain] == [18]
        sides = [
            d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim
        ]
        assert sides == ["batch", "height", "width", 3]
        return {one.key: one.value for one in model.metadata_props}
    openvino = pytest.importorskip("openvino")
    model = openvino.Core().read_model(path / "model.xml")
    assert model.inputs[0].partial_shape.to_string() == "[?,?,?,3]"
    return {
        key: model.get_rt_info(["remedis", key]).astype(str)
        for key in ("preprocessing", "kind", "labels", "thresholds")
        if model.has_rt_info(["remedis", key])
    }


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_outputs_are_those_of_the_source_at_any_size_and_batch(sources, tmp_path, name, kind):
    source, chosen = sources[kind], formats.get(name)
    if chosen.needs:
        pytest.importorskip(chosen.needs[0])
    path = tmp_path / f"model{chosen.suffix}"
    if not chosen.suffix:
        path.mkdir()
    chosen.write(source, path)
    run = chosen.run(path)
    rng = np.random.default_rng(3)
    for shape in ((1, 32, 32, 3), (5, 64, 33, 3), (2, 47, 80, 3)):
        images = rng.random(shape, np.float32)
        got, expected = run(images), source.reference(images)
        assert got.keys() == expected.keys()
        for key, values in expected.items():
            assert got[key].dtype == np.float32
            scale = np.abs(values).max()
            np.testing.assert_allclose(got[key], values, atol=5e-5 * scale, rtol=0)
    assert chosen.versions().keys() == set(chosen.needs)
    if name == "litert":
        return
    found = metadata(name, path)
    assert found["preprocessing"] == "resize(32)"
    assert found["kind"] == kind
    if kind == "classifier":
        assert json.loads(found["labels"]) == LABELS
        youden, sensitive = (0.5, None), (0.25, 0.125)
        thresholds = {"youden": [*youden], "target_sensitivity": [*sensitive]}
        assert json.loads(found["thresholds"]) == thresholds
    else:
        assert "labels" not in found


def test_openvino_computes_batches_in_parts_of_fixed_shapes(sources, tmp_path):
    pytest.importorskip("openvino")
    chosen, folder = formats.get("openvino"), tmp_path / "model"
    folder.mkdir()
    chosen.write(sources["classifier"], folder)
    free, fixed = chosen.run(folder), openvino_format.run(folder, (32, 48))
    shutil.rmtree(folder)  # a server removes it
    rng = np.random.default_rng(5)
    # 18 is 8 + 8 + 1 + 1; the last images have other sides.
    batches = [rng.random((n, 32, 48, 3), np.float32) for n in (18, 1)]
    batches.append(rng.random((3, 48, 32, 3), np.float32))
    for images in batches:
        expected, got = free(images), fixed(images)
        assert got.keys() == expected.keys()
        for name, values in expected.items():
            assert got[name].shape == values.shape
            largest = np.abs(values).max()
            np.testing.assert_allclose(got[name], values, atol=5e-5 * largest, rtol=0)
    with ThreadPoolExecutor(4) as threads:  # the threads of a worker share a network
        for got in threads.map(fixed, [batches[1]] * 16):
            np.testing.assert_array_equal(got["logits"], fixed(batches[1])["logits"])


@SLOW
@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_networks_of_keras_are_exported_too(source_in_memory, tmp_path, name):
    backbone = ApplicationNetwork(small_application.NAME)
    source = source_in_memory(backbone=backbone, task="multi_class")
    chosen = formats.get(name)
    path = tmp_path / f"model{chosen.suffix}"
    if not chosen.suffix:
        path.mkdir()
    chosen.write(source, path)
    images = np.random.default_rng(4).random((3, 40, 64, 3), np.float32)
    got, expected = chosen.run(path)(images), source.reference(images)
    for key, values in expected.items():
        np.testing.assert_allclose(got[key], values, atol=5e-5 * np.abs(values).max(), rtol=0)
    np.testing.assert_allclose(got["probabilities"].sum(1), 1, atol=1e-5)
