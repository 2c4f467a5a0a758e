"""Files in BiT's layout: what is in them, what they compute, and how they are read again."""

import json

import numpy as np
import pytest
from small_application import small_application  # noqa: F401
from zoo_helpers import TINY, said

from remedis.conversion import bit_npz_format
from remedis.models.backbone import digest
from remedis.models.bit import BiTResNet
from remedis.npz_files import NpzFile
from remedis.zoo import bit_npz, resolve

HEAD = ("resnet/head/conv2d/kernel", "resnet/head/conv2d/bias")


@pytest.fixture(scope="module")
def written(source_in_memory, tmp_path_factory):
    """A classifier with its own head, calibrated, and its file."""
    source = source_in_memory(black_and_white=(0.0, 1.0))
    path = tmp_path_factory.mktemp("npz") / "tiny.npz"
    path.touch()
    return source, path, bit_npz_format.write(source, path)


def test_the_file_has_the_arrays_of_bit_and_one_text(written):
    _, path, facts = written
    expected = {f"resnet/{name}": shape for name, shape in TINY.shapes(final_norm=True).items()}
    expected |= {HEAD[0]: (1, 1, 1024, 3), HEAD[1]: (3,), "remedis.json": ()}
    with np.load(path, allow_pickle=False) as file:  # as timm opens it
        assert {name: file[name].shape for name in file} == expected
        assert {file[name].dtype for name in file if name != "remedis.json"} == {np.dtype("f4")}
        record = json.loads(str(file["remedis.json"]))
    assert record["labels"] == ["a", "b", "c"]
    assert record["calibration"]["method"] == "platt"
    assert record["preprocess"] == "resize(32)"
    assert facts == {
        "timm_model": "none of this size",
        "pixel_range": "[0, 1]",
        "head": True,
        "trained_norm": True,
    }


def test_the_arrays_compute_what_the_source_computes(written, pictures):
    source, path, _ = written
    found, expected = bit_npz_format.run(path)(pictures), source.reference(pictures)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_changed_array_is_seen_in_what_is_computed(written, pictures, tmp_path):
    source, path, _ = written
    with np.load(path) as file:
        arrays = dict(file)
    arrays[HEAD[1]] = arrays[HEAD[1]] + 0.01
    np.savez(tmp_path / "other.npz", **arrays)
    found = bit_npz_format.run(tmp_path / "other.npz")(pictures)
    difference = found["logits"] - source.reference(pictures)["logits"]
    np.testing.assert_allclose(difference, 0.01, atol=1e-3)


def test_the_file_is_read_as_weights_with_its_own_origin(written):
    source, path, _ = written
    loaded = resolve.load_backbone(f"bit:{path}", seed=0)
    assert digest(loaded.backbone) == digest(source.backbone)
    assert isinstance(loaded.backbone, BiTResNet)
    assert loaded.backbone.backbone_range == (0.0, 1.0)
    assert loaded.provenance.description == "Trained for a test."
    assert loaded.provenance.origin == "training"


def test_a_backbone_without_a_final_norm_gets_a_neutral_one_and_loses_it_again(
    source_in_memory, tmp_path, pictures
):
    source = source_in_memory(labels=(), final_norm=False)
    path = tmp_path / "tiny.npz"
    path.touch()
    facts = bit_npz_format.write(source, path)
    assert not facts["trained_norm"]
    assert not facts["head"]
    with NpzFile(path) as file:
        assert set(file["resnet/group_norm/gamma"]) == {1.0}
        assert set(file["resnet/group_norm/beta"]) == {0.0}
    again = bit_npz.read(str(path), TINY)
    assert not again.final_norm
    assert len(again.arrays) == len(TINY.shapes(final_norm=False))
    found = bit_npz_format.run(path)(pictures)
    assert found.keys() == {"map", "embedding"}
    np.testing.assert_array_equal(found["map"], source.reference(pictures)["map"])


def test_a_norm_of_the_head_is_in_the_place_of_the_final_norm(source_in_memory, tmp_path, pictures):
    source = source_in_memory(final_norm=False, task="multi_class")
    path = tmp_path / "tiny.npz"
    path.touch()
    bit_npz_format.write(source, path)
    found, expected = bit_npz_format.run(path)(pictures), source.reference(pictures)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(found["probabilities"].sum(1), 1, rtol=1e-5)


def test_what_the_layout_cannot_hold_is_refused(source_in_memory, tmp_path):
    plain = source_in_memory(head_norm=False)
    sentence = said(bit_npz_format.write, plain, tmp_path / "x.npz")
    assert "head on the plain average of the map" in sentence
    assert "to" in sentence
    application = resolve.load_backbone("keras:SmallNet", seed=0).backbone
    other = source_in_memory(labels=(), backbone=application)
    sentence = said(bit_npz_format.write, other, tmp_path / "x.npz")
    assert "keras:SmallNet, which BiT's layout cannot hold" in sentence
    assert not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (np.array("{"), "array remedis.json"),
        (np.array('{"format": 1}'), "array remedis.json"),
        (np.zeros(3, np.float32), "remedis.json is damaged"),
    ],
    ids=["no JSON", "no description", "no text"],
)
def test_a_damaged_record_is_refused(written, tmp_path, record, expected):
    _, path, _ = written
    with np.load(path) as file:
        arrays = dict(file) | {"remedis.json": record}
    np.savez(tmp_path / "other.npz", **arrays)
    sentence = said(bit_npz.read, str(tmp_path / "other.npz"), TINY)
    assert expected in sentence
    assert "copy the file again" in sentence
