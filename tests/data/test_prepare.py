"""A manifest packed into shards is the manifest again, a resize later."""

import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from remedis.data import labels, prepare, scan, sources
from remedis.data.pipeline import evaluation_batches
from remedis.data.readers import Unreadable, locate, records
from remedis.errors import UserError
from remedis.preprocess import parse


@pytest.fixture(scope="module")
def chexpert(datasets):
    manifest = sources.load("chexpert", datasets["chexpert"], ("Edema", "Cardiomegaly"))
    table = manifest.table.assign(weight=np.arange(len(manifest)) / 7)
    split = table["split"].where(table.index != 3)  # one image without a split
    return labels.apply_policies(
        type(manifest)(table.assign(split=split), manifest.labels, manifest.root, "made up"),
        uncertain="keep",
        unmentioned="zeros",
    )


@pytest.fixture(scope="module")
def packed(chexpert, tmp_path_factory) -> pathlib.Path:
    out = tmp_path_factory.mktemp("prepare") / "out"
    assert prepare.prepare(chexpert, parse("resize(24)"), out, "some_hospital") == (
        out / "some_hospital" / "1.0.0"
    )
    return out


def test_every_column_comes_back(chexpert, packed):
    loaded = sources.load("tfds", packed, chexpert.labels)
    assert loaded.source == "tfds some_hospital/1.0.0"
    assert loaded.policies == chexpert.policies
    # TFDS keeps splits apart and in an order of its own.
    left = loaded.table.sort_values("original_path", ignore_index=True)
    right = chexpert.table.assign(original_path=chexpert.absolute_paths())
    right = right.sort_values("original_path", ignore_index=True)
    columns = [*right.columns.drop("path")]
    pd.testing.assert_frame_equal(left[columns], right[columns], check_dtype=False)
    assert left["split"].isna().sum() == 1


def test_images_are_those_of_the_preprocessing_to_half_a_grey_level(chexpert, packed):
    loaded = sources.load("tfds", packed, chexpert.labels)
    expected = evaluation_batches(chexpert.select("test"), parse("resize(24)"), 99)
    found = evaluation_batches(loaded.select("test"), parse(""), 99)
    (a,), (b,) = list(expected.as_numpy_iterator()), list(found.as_numpy_iterator())
    assert a["image"].shape == b["image"].shape
    assert np.abs(a["image"] - b["image"]).max() <= 0.5 / 255 + 1e-6
    np.testing.assert_array_equal(a["label"], b["label"])


def test_tfds_reads_it_by_itself(packed, chexpert):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(packed / "some_hospital" / "1.0.0")
    assert builder.info.metadata["preprocess"] == "resize(24)"
    first = next(iter(tfds.as_numpy(builder.as_dataset("test"))))
    assert first["image"].shape == (24, 24, 3)
    assert first["patient_id"].decode() in set(chexpert.table["patient_id"])


def test_every_record_is_scanned(packed):
    scanned = scan.scan(sources.load("tfds", packed))
    assert scanned["fault"].isna().all()
    assert (scanned["height"] == 24).all()
    assert scanned["sha256"].nunique() == len(scanned)


def test_what_is_there_already_or_cannot_be_a_name(chexpert, packed):
    with pytest.raises(UserError, match="out exists already"):
        prepare.prepare(chexpert, parse(""), packed, "again")
    with pytest.raises(UserError, match="'CheXpert-small' cannot be the name of a TFDS dataset"):
        prepare.prepare(chexpert, parse(""), packed / "new", "CheXpert-small")
    assert not (packed / "new").exists()


def test_an_image_that_cannot_be_read_leaves_nothing(make, tmp_path):
    (tmp_path / "0.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match="Neither a JPEG nor a PNG"):
        prepare.prepare(make(1, root=tmp_path), parse(""), tmp_path / "out", "bad")
    assert sorted(os.listdir(tmp_path)) == ["0.png"]


KILLED = """
import os, signal, sys
from remedis.data import manifest, prepare
from remedis.preprocess import parse
import tensorflow as tf
seen = []
class Killed(Exception): pass
real = tf.io.TFRecordWriter.write
def write(self, record):
    seen.append(record)
    if len(seen) == 3: os.kill(os.getpid(), signal.SIGKILL)
    real(self, record)
tf.io.TFRecordWriter.write = write
made = manifest.read_csv(sys.argv[1], ["pneumonia"])
prepare.prepare(made, parse("resize(8)"), sys.argv[2], "killed")
"""


def test_killed_while_it_is_written(datasets, tmp_path):
    command = [sys.executable, "-c", KILLED, datasets["csv"] / "manifest.csv", tmp_path / "out"]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    manifest = sources.load("csv", datasets["csv"], ["pneumonia"])
    prepare.prepare(manifest, parse("resize(8)"), tmp_path / "out", "killed")
    assert os.listdir(tmp_path) == ["out"]


def shard_of(packed) -> str:
    return str(next(packed.rglob("*-train.tfrecord-*")))


def test_offsets_are_those_of_the_records(packed):
    shard = shard_of(packed)
    found = list(records.offsets(shard))
    examples = list(tf.data.TFRecordDataset(shard).as_numpy_iterator())
    assert len(found) == len(examples)
    for offset, example in list(zip(found, examples, strict=True))[::5]:
        expected = tf.train.Example.FromString(example).features.feature["image"]
        assert records.read_encoded(shard, f"{offset},image") == expected.bytes_list.value[0]


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("7,image", "No record begins at byte 7"),
        ("-7,image", "cannot be read|No record begins"),
        ("99999999,image", "No record begins"),
        ("middle,image", "No record begins at byte middle"),
        ("0,picture", "feature 'picture' is not one encoded image"),
        ("0", "feature '' is not one encoded image"),
    ],
)
def test_records_that_are_not_there(packed, item, sentence):
    location = locate(f"{shard_of(packed)}#{item}")
    with pytest.raises(Unreadable, match=sentence):
        location.read_bytes()


def test_a_truncated_shard(packed, chexpert, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(packed, copy)
    shard = shard_of(copy)
    os.truncate(shard, os.path.getsize(shard) - 10)
    with pytest.raises(UserError, match="ends in the middle of a record; copy it again"):
        sources.load("tfds", copy, chexpert.labels)
    os.remove(shard)
    with pytest.raises(UserError, match=r"A shard of some_hospital/1.0.0 is damaged"):
        sources.load("tfds", copy, chexpert.labels)


def store(folder, name="two_classes", version="2.0.0", **kinds):
    """Writes a TFDS dataset with TFDS alone: six images of a class and what else is asked for."""
    import tensorflow_datasets as tfds

    features = {
        "image": tfds.features.Image(shape=(8, 8, 3)),
        "label": tfds.features.ClassLabel(names=["normal", "tumour"]),
        "id": tfds.features.Text(),
        **kinds,
    }

    def examples(split):
        for i in range(3):
            values = {"image": np.full((8, 8, 3), 10 * i, np.uint8), "label": i % 2}
            yield i, values | {"id": f"{split}{i}"} | dict.fromkeys(kinds, 1)

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: examples(split) for split in ("train", "valid")},
        data_dir=folder,
    )


def test_a_dataset_of_tfds_alone(tmp_path):
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
    kept = {"allow_missing_patient_ids": True}
    assert sources.load("tfds", tmp_path, **kept).root.name == "10.0.0"
    assert sources.load("tfds", tmp_path, dataset="two_classes:2.0.0", **kept).root.name == "2.0.0"
    store(tmp_path, name="another")
    with pytest.raises(UserError, match="several datasets: another, two_classes; choose `dataset`"):
        sources.load("tfds", tmp_path)
    with pytest.raises(UserError, match=r"Unknown dataset .*'two_clases': did you mean 'two_cl"):
        sources.load("tfds", tmp_path, dataset="two_clases")
    with pytest.raises(UserError, match=r"Unknown version of two_classes '3.0.0'"):
        sources.load("tfds", tmp_path, dataset="two_classes:3.0.0")


def test_an_image_feature_that_is_none(tmp_path):
    store(tmp_path)
    with pytest.raises(UserError, match=r"Unknown image feature of .* 'picture'.* image"):
        sources.load("tfds", tmp_path, image="picture", allow_missing_patient_ids=True)


def test_labels_outside_their_values(tmp_path):
    import tensorflow_datasets as tfds

    store(tmp_path, grade=tfds.features.Scalar(np.int64))
    loaded = sources.load("tfds", tmp_path, ["grade"], allow_missing_patient_ids=True)
    assert (loaded.targets() == 1).all()
