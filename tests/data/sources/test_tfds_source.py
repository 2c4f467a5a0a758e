"""Manifests of data sets written by TFDS itself, not by `remedis prepare`."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from remedis.data import sources
from remedis.data.readers import locate
from remedis.errors import UserError

OPT_OUT = {"allow_missing_patient_ids": True}


def store(folder, name="two_classes", version="2.0.0", value=1, **kinds):
    """Writes a data set of six images with a class label; `kinds` are further features."""

    features = {
        "image": tfds.features.Image(shape=(8, 8, 3)),
        "label": tfds.features.ClassLabel(names=["normal", "tumour"]),
        "id": tfds.features.Text(),
        **kinds,
    }

    def examples(split):
        for i in range(3):
            values = {"image": np.full((8, 8, 3), 10 * i, np.uint8), "label": i % 2}
            yield i, values | {"id": f"{split}{i}"} | dict.fromkeys(kinds, value)

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: examples(split) for split in ("train", "valid")},
        data_dir=folder,
    )


def test_a_dataset_written_by_tfds(tmp_path):
    store(tmp_path)
    with pytest.raises(UserError, match="no feature 'patient_id': without patients"):
        sources.load("tfds", tmp_path)
    loaded = sources.load("tfds", tmp_path, allow_missing_patient_ids=True)
    assert loaded.labels == ("normal", "tumour")
    by_id = loaded.table.set_index("id")
    assert by_id["tumour"].to_dict() == {
        f"{split}{i}": float(i == 1) for split in ("train", "valid") for i in range(3)
    }
    assert by_id["split"].to_dict() == {
        f"{split}{i}": {"train": "train", "valid": "validation"}[split]
        for split in ("train", "valid")
        for i in range(3)
    }
    assert (by_id["site"] == "two_classes").all()
    as_patient = sources.load("tfds", tmp_path, ["tumour"], patient="id")
    assert as_patient.table["patient_id"].nunique() == 6
    pixels = locate(as_patient.absolute_paths()[0]).read_bytes()
    assert Image.open(io.BytesIO(pixels)).size == (8, 8)


def test_several_datasets_and_versions(tmp_path):
    store(tmp_path)
    store(tmp_path, version="10.0.0")
    assert sources.load("tfds", tmp_path, **OPT_OUT).root.name == "10.0.0"
    older = sources.load("tfds", tmp_path, dataset="two_classes:2.0.0", **OPT_OUT)
    assert older.root.name == "2.0.0"
    store(tmp_path, name="another")
    with pytest.raises(UserError, match="several datasets: another, two_classes; choose `dataset`"):
        sources.load("tfds", tmp_path)
    with pytest.raises(UserError, match=r"Unknown dataset .*'two_clases': did you mean 'two_cl"):
        sources.load("tfds", tmp_path, dataset="two_clases")
    with pytest.raises(UserError, match=r"Unknown version of two_classes '3.0.0'"):
        sources.load("tfds", tmp_path, dataset="two_classes:3.0.0")


@pytest.mark.parametrize("largest", [1.0, 255.0])
def test_images_of_floats_are_refused(largest, tmp_path):
    """TFDS keeps the bytes of floats in the channels of a PNG; they must not become colours."""
    image = np.full((8, 8, 1), largest, np.float32)
    store(tmp_path, value=image, film=tfds.features.Image(shape=(8, 8, 1), dtype=np.float32))
    with pytest.raises(UserError) as caught:
        sources.load("tfds", tmp_path, image="film", **OPT_OUT)
    assert str(caught.value) == (
        f"The images in the feature 'film' of the dataset in {tmp_path / 'two_classes' / '2.0.0'} "
        "are float32, whose range is unknown; expected uint8 or uint16: scale them to 0..255 or "
        "0..65535 and store them again as these."
    )


def test_an_unknown_image_feature(tmp_path):
    store(tmp_path)
    with pytest.raises(UserError, match=r"Unknown image feature of .* 'picture'.* image"):
        sources.load("tfds", tmp_path, image="picture", allow_missing_patient_ids=True)


def test_labels_outside_their_values(tmp_path):
    store(tmp_path, grade=tfds.features.Scalar(np.int64))
    loaded = sources.load("tfds", tmp_path, ["grade"], allow_missing_patient_ids=True)
    assert (loaded.targets() == 1).all()


def test_unlabelled_examples_of_tfds_are_unknown_and_not_negative(tmp_path):
    store(tmp_path, value=-1, diagnosis=tfds.features.ClassLabel(names=["ill", "well"]))
    loaded = sources.load("tfds", tmp_path, ["ill", "well"], **OPT_OUT)
    assert np.isnan(loaded.targets()).all()
    store(tmp_path / "numbers", value=-1, grade=tfds.features.ClassLabel(num_classes=2))
    loaded = sources.load("tfds", tmp_path / "numbers", ["grade"], **OPT_OUT)
    assert np.isnan(loaded.targets()).all()


def test_classes_that_are_columns_of_a_manifest(tmp_path):
    store(tmp_path, sex=tfds.features.ClassLabel(names=["male", "female"]))
    assert (sources.load("tfds", tmp_path, **OPT_OUT).table["sex"] == "F").all()
    store(tmp_path / "text", sex=tfds.features.Text(), value="Male")
    assert (sources.load("tfds", tmp_path / "text", **OPT_OUT).table["sex"] == "M").all()
    store(tmp_path / "wrong", age=tfds.features.Text(), value="old")
    with pytest.raises(UserError, match="'old'"):
        sources.load("tfds", tmp_path / "wrong", **OPT_OUT)


def test_a_label_that_is_a_sequence(tmp_path):
    store(tmp_path, value=[1, 0], findings=tfds.features.Sequence(np.int64))
    with pytest.raises(UserError, match=r"'findings' .* is a Sequence; expected a scalar"):
        sources.load("tfds", tmp_path, ["findings"], **OPT_OUT)
