"""Keras files: the outputs of the source, training in `fit`, and what comes back from a file."""

import json
import zipfile

import keras
import numpy as np
import pytest
from small_application import small_application  # noqa: F401

from remedis.conversion import keras_format
from remedis.zoo import resolve


@pytest.fixture(scope="module")
def written(source_in_memory, tmp_path_factory):
    """A classifier with its own head, calibrated, and its file."""
    source = source_in_memory()
    path = tmp_path_factory.mktemp("keras") / "tiny.keras"
    return source, path, keras_format.write(source, path)


def test_random_weights_are_said_once_by_the_command(written, caplog):
    # Otherwise the layers of the model and of the loaded file say it, too.
    _, path, _ = written
    keras_format.run(path)
    assert not caplog.records


def agrees(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_file_comes_back_with_the_outputs_of_the_source(written, pictures):
    source, path, facts = written
    agrees(keras_format.run(path)(pictures), source.reference(pictures))
    assert facts == {"outputs": ["embedding", "logits", "probabilities"], "trained_variables": 45}
    with zipfile.ZipFile(path) as file:
        assert json.loads(file.read("remedis.json"))["labels"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "head",
    [
        {"labels": ()},
        {"labels": (), "final_norm": False},
        {"head_norm": False},
        {"final_norm": False, "task": "multi_class"},
    ],
    ids=["backbone", "release", "plain average", "own norm"],
)
def test_every_head_becomes_layers_of_keras(source_in_memory, pictures, head):
    source = source_in_memory(**head)
    found = keras_format.build(source)(pictures)
    agrees({name: value.numpy() for name, value in found.items()}, source.reference(pictures))


def test_a_network_of_keras_applications_becomes_one_model(source_in_memory, pictures):
    backbone = resolve.load_backbone("keras:SmallNet", seed=0).backbone
    source = source_in_memory(backbone=backbone)
    found = keras_format.build(source)(pictures)
    agrees({name: value.numpy() for name, value in found.items()}, source.reference(pictures))


@pytest.mark.guarantee
def test_fit_trains_every_variable_and_the_next_file_brings_them_back(written, pictures, tmp_path):
    _, path, _ = written
    model = keras.saving.load_model(path)
    before = [variable.numpy() for variable in model.trainable_variables]
    model.compile(
        keras.optimizers.Adam(1e-3),
        loss={"logits": keras.losses.BinaryCrossentropy(from_logits=True)},
    )
    model.fit(pictures, {"logits": np.eye(3)[:2]}, verbose=0)
    changed = [
        not np.array_equal(old, new)
        for old, new in zip(before, model.trainable_variables, strict=True)
    ]
    assert len(changed) == 45
    assert all(changed)
    model.save(tmp_path / "mine.keras")
    again = keras.saving.load_model(tmp_path / "mine.keras")
    np.testing.assert_allclose(again(pictures)["logits"], model(pictures)["logits"], atol=1e-6)
