"""Packed data sets: the manifest comes back, the images are those of the preprocessing."""

import io
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from remedis import files, locks
from remedis.data import fingerprints, labels, prepare, sources
from remedis.data.batches.pipeline import evaluation_batches
from remedis.data.checks import scan
from remedis.data.readers import Unreadable, locate, tfrecord
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
    # TFDS stores the splits apart, in an order of its own.
    left = loaded.table.sort_values("original_path", ignore_index=True)
    right = chexpert.table.assign(original_path=chexpert.absolute_paths())
    right = right.sort_values("original_path", ignore_index=True)
    columns = [*right.columns.drop("path")]
    pd.testing.assert_frame_equal(left[columns], right[columns], check_dtype=False)
    assert left["split"].isna().sum() == 1
    originals = [files.sha256(path) for path in left["original_path"]]
    assert left["original_sha256"].tolist() == originals
    assert loaded.packed_from == fingerprints.id_space(chexpert)


def test_images_are_those_of_the_preprocessing_to_half_a_grey_level(chexpert, packed):
    loaded = sources.load("tfds", packed, chexpert.labels)
    expected = evaluation_batches(chexpert.select("test"), parse("resize(24)"), 99)
    batches = evaluation_batches(loaded.select("test"), parse(""), 99)
    (a,), (b,) = list(expected.as_numpy_iterator()), list(batches.as_numpy_iterator())
    assert a["image"].shape == b["image"].shape
    assert np.abs(a["image"] - b["image"]).max() <= 0.5 / 255 + 1e-6
    np.testing.assert_array_equal(a["label"], b["label"])


def test_tfds_alone_reads_the_data_set(packed, chexpert):
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


def test_an_existing_directory_and_a_wrong_name_are_refused(chexpert, packed):
    with pytest.raises(UserError, match="out exists already; remove it, or name another path"):
        prepare.prepare(chexpert, parse(""), packed, "packed")
    with pytest.raises(UserError, match="'CheXpert-small' cannot be the name of a TFDS dataset"):
        prepare.prepare(chexpert, parse(""), packed / "new", "CheXpert-small")
    assert not (packed / "new").exists()


def test_bad_images_are_left_out_and_listed_up_to_a_limit(make, tmp_path, capsys):
    for i in range(10):
        Image.fromarray(np.full((8, 8), 20 * i, np.uint8)).save(tmp_path / f"{i}.png")
    contents = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(contents[: len(contents) // 2])
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"1 of 10 images cannot be used.*3\.png"):
        prepare.prepare(make(10, root=tmp_path), parse(""), out, "bad")
    assert not out.exists()
    prepare.prepare(make(10, root=tmp_path), parse(""), out, "bad", max_bad_images=0.2)
    loaded = sources.load("tfds", out)
    assert len(loaded) == 9
    listed = pd.read_csv(tmp_path / "out.bad_images.csv")
    assert listed.values.tolist() == [["3.png", "The PNG file is truncated or damaged."]]
    assert capsys.readouterr().out == ""  # TFDS would say that it downloads


def test_splits_outside_the_experiment_and_sites_stay(make, datasets, tmp_path):
    images = sorted((datasets["csv"] / "images").iterdir())[:6]
    splits = ["train", "validation", "test", "id_validation", "train", "train"]
    site = ["a", None, "a", None, "a", "a"]
    manifest = make(
        6, root=datasets["csv"], path=[f"images/{p.name}" for p in images], split=splits
    )
    table = manifest.table.assign(site=site)
    manifest = type(manifest)(table, manifest.labels, manifest.root, "made up")
    prepare.prepare(manifest, parse("resize(8)"), tmp_path / "once", "once")
    once = sources.load("tfds", tmp_path / "once")
    assert once.table.set_index("patient_id")["split"].to_dict() == {
        f"p{i}": split for i, split in enumerate(splits)
    }
    assert sorted(once.table["site"].dropna()) == ["a"] * 4
    prepare.prepare(once, parse(""), tmp_path / "twice", "twice")
    twice = sources.load("tfds", tmp_path / "twice")
    assert sorted(twice.table["original_path"]) == sorted(manifest.absolute_paths())
    assert set(twice.table["original_sha256"]) == {files.sha256(path) for path in images}
    assert twice.packed_from == once.packed_from == fingerprints.id_space(manifest)


def test_an_image_replaced_while_packing_leaves_no_data_set(datasets, tmp_path, monkeypatch):
    folder = shutil.copytree(datasets["csv"], tmp_path / "data")
    manifest = sources.load("csv", folder, ["pneumonia"])
    encode = tf.io.encode_png

    def replacing(image):
        pathlib.Path(manifest.absolute_paths()[0]).touch()  # when the graph is made
        return encode(image)

    monkeypatch.setattr(tf.io, "encode_png", replacing)
    with pytest.raises(UserError, match="was rewritten after it was scanned, on "):
        prepare.prepare(manifest, parse("resize(8)"), tmp_path / "out", "changed")
    assert not (tmp_path / "out").exists()


KILLED = """
import os, signal, sys
from remedis.data import manifest, prepare
from remedis.preprocess import parse
import tensorflow as tf
records = []
class Killed(Exception): pass
real = tf.io.TFRecordWriter.write
def write(self, record):
    records.append(record)
    if len(records) == 3: os.kill(os.getpid(), signal.SIGKILL)
    real(self, record)
tf.io.TFRecordWriter.write = write
images = manifest.read_csv(sys.argv[1], ["pneumonia"])
prepare.prepare(images, parse("resize(8)"), sys.argv[2], "killed")
"""


@pytest.mark.guarantee
def test_a_directory_that_another_process_prepares_is_left_to_it(chexpert, tmp_path):
    out = tmp_path / "out"
    with (
        locks.held(locks.file_beside(out), "out"),
        pytest.raises(UserError, match=f"^out='{out}' is in use by process {os.getpid()} on host "),
    ):
        prepare.prepare(chexpert, parse("resize(8)"), out, "some_hospital")
    assert os.listdir(tmp_path) == []


@pytest.mark.guarantee
def test_a_killed_process_leaves_no_data_set(datasets, tmp_path):
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
    offsets = list(tfrecord.offsets(shard))
    examples = list(tf.data.TFRecordDataset(shard).as_numpy_iterator())
    assert len(offsets) == len(examples)
    for offset, example in list(zip(offsets, examples, strict=True))[::5]:
        expected = tf.train.Example.FromString(example).features.feature["image"]
        assert tfrecord.read_encoded(shard, f"{offset},image") == expected.bytes_list.value[0]


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
def test_items_without_a_record(packed, item, sentence):
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


def test_files_of_every_kind_in_one_manifest(make, packed, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    colours = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = colours
    shard = f"{shard_of(packed)}#0,image"
    decoded = np.asarray(Image.open(io.BytesIO(locate(shard).read_bytes())))
    expected = {"a.png": np.repeat(grey[..., None], 3, -1), "b.h5#1": colours[1], shard: decoded}
    for count in (1, 2, 3):
        for paths in itertools.permutations(expected, count):
            manifest = make(count, root=tmp_path, path=list(paths))
            preprocess = parse("resize(8)")
            batch = next(evaluation_batches(manifest, preprocess, 3).as_numpy_iterator())
            for path, image in zip(paths, batch["image"], strict=True):
                exact = preprocess(tf.constant(expected[path] / np.float32(255))).numpy()
                np.testing.assert_allclose(image, exact, atol=1e-6)
