"""Folders given to the source `csv`: what they hold is said, and images alone embed."""

import os

import dicom_helpers
import numpy as np
import pytest
from PIL import Image

from remedis import options
from remedis.data import image_list, layout_guess, sources
from remedis.data.readers import dicom_image, slide
from remedis.errors import UserError
from remedis.pretraining import collect


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)


def dicom(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    ds = dicom_helpers.dataset(np.zeros((8, 8), np.uint16), bits=12, number=number)
    dicom_helpers.write(path, ds)


FOLDERS = {
    "class folders": (["a/1.png", "b/1.png", "b/2.png"], "images in folders (a, b)", "folder"),
    "split folders": (["train/a/1.png", "test/a/1.jpg"], "images in folders (test, tr", "folder"),
    "dicom": (["x/1.dcm", "x/2.dcm"], "DICOM files, such as x/1.dcm", "dicom"),
    "chexpert": (
        ["train.csv", "valid.csv", "train/patient1/1.png"],
        "data of the source 'chexpert'",
        "chexpert",
    ),
    "nih": (
        ["Data_Entry_2017_v2020.csv", "images_001/images/1.png"],
        "looks like data",
        "chestxray14",
    ),
    "slides": (["s1.svs", "s2.svs"], "whole slides, such as s1.svs", "slides"),
    "patches": (["a/1.tif", "b/1.tif"], "images in folders (a, b)", "folder"),
    "slides or patches": (["1.tif", "2.tif"], "TIFF files, such as 1.tif", "slides"),
    "packed": (["mine/1.0.0/dataset_info.json"], "data of the source 'tfds'", "tfds"),
    "flat": (["1.png", "2.png"], "images, such as 1.png, but no table: write manifest", "folder"),
    "one table": (
        ["labels.csv", "1.png"],
        "The directory holds labels.csv: name the table, such as",
        None,
    ),
    "nothing": (["notes.md"], None, None),
}


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("labels", [None, ["ill"]])
def test_a_folder_without_a_manifest_is_described(tmp_path, kind, labels):
    names, holds, source = FOLDERS[kind]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with options.spelled_for("command"), pytest.raises(UserError) as error:
        sources.load("csv", tmp_path, labels)
    message = str(error.value)
    if holds is None:
        assert labels is None or message.startswith(f"There is no file {tmp_path}/manifest.csv")
        return
    assert message.startswith(f"There is no file {tmp_path}/manifest.csv. The directory ")
    assert holds in message
    assert source is None or f"set --source={source}" in message


def test_the_guess_knows_the_names_of_the_readers():
    assert layout_guess.DICOM == dicom_image.NAMES
    assert all(layout_guess.SLIDES.search(f"a.{suffix}") for suffix in slide.SUFFIXES)


def test_the_guess_says_nothing_of_what_is_not_there(tmp_path):
    assert layout_guess.advice(tmp_path / "nowhere") == ""
    assert layout_guess.advice(tmp_path) == ""


@pytest.mark.parametrize(
    "names", [["1.png", "2.jpg"], ["a/b/c/1.png", "a/2.JPEG", "3.dcm"], ["only.png"]]
)
def test_images_of_a_folder_need_no_labels_and_no_patients(tmp_path, names, caplog):
    for i, name in enumerate(names):
        dicom(tmp_path / name, i) if name.endswith(".dcm") else image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    image(tmp_path / ".hidden" / "x.png")
    loaded = sources.load_images("csv", tmp_path, {})
    assert loaded.table["path"].tolist() == sorted(names)
    assert loaded.labels == (image_list.UNLABELLED,)
    known = loaded.table["path"][loaded.table["patient_id"].notna()]
    assert known.tolist() == [name for name in names if name.endswith(".dcm")]
    assert "skipped 1 file without" in caplog.text


def test_a_table_needs_no_labels_and_keeps_its_ids(tmp_path):
    (tmp_path / "t.csv").write_text("path;patient_id;ill\na.png;007;1\nb.png;nan;\n")
    loaded = sources.load_images("csv", tmp_path / "t.csv", {})
    assert loaded.table["patient_id"].fillna("?").tolist() == ["007", "?"]
    (tmp_path / "u.csv").write_text("File,Patient\na.png,007\n")
    loaded = sources.load_images("csv", tmp_path / "u.csv", {"columns": "File=path"})
    assert loaded.table["path"].tolist() == ["a.png"]
    with pytest.raises(UserError, match="Unknown option of the source 'csv' 'colums'"):
        sources.load_images("csv", tmp_path / "t.csv", {"colums": ""})


def test_dicom_files_need_no_table_of_labels(tmp_path):
    dicom(tmp_path / "x" / "1.dcm", 1)
    loaded = sources.load_images("dicom", tmp_path, {})
    assert loaded.table["path"].tolist() == ["x/1.dcm"]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["1.png", "2.png"], ("unlabelled",)),
        (["a/1.png", "a/b/2.png"], ("unlabelled",)),
        (["a/1.png", "b/2.png"], ("a", "b")),
        (["train/a/1.png", "train/b/2.png"], ("a", "b")),
    ],
)
def test_the_source_folder_embeds_without_classes(tmp_path, names, labels):
    for name in names:
        image(tmp_path / name)
    loaded = sources.load_images("folder", tmp_path, {})
    assert loaded.labels == labels
    assert loaded.table["path"].tolist() == names


def test_dicom_files_of_a_folder_have_the_ids_of_their_headers(tmp_path):
    dicom(tmp_path / "x" / "1.dcm", 1)
    loaded = sources.load_images("csv", tmp_path, {})
    assert loaded.source == "dicom"
    assert loaded.table["patient_id"].notna().all()
    image(tmp_path / "2.png")
    assert sources.load_images("csv", tmp_path, {}).table["path"].tolist() == ["2.png", "x/1.dcm"]


def test_other_sources_bring_their_labels_and_allow_missing_patients(tmp_path):
    for name in ("ill/1.png", "well/1.png"):
        image(tmp_path / name)
    loaded = sources.load_images("folder", tmp_path, {})
    assert loaded.labels == ("ill", "well")
    assert loaded.table["patient_id"].isna().all()


def test_a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=r"does not hold images: no file .* \.dcm.*; it has notes"):
        sources.load_images("csv", tmp_path, {})
    with pytest.raises(UserError, match=r"There is no file .*nowhere/manifest\.csv"):
        sources.load_images("csv", tmp_path / "nowhere", {})


def test_a_table_that_is_a_pipe_is_named_as_one(tmp_path):
    image(tmp_path / "1.png")
    os.mkfifo(tmp_path / "manifest.csv")
    sentence = r"manifest\.csv cannot be read \(a pipe \(FIFO\), expected a regular file\)"
    for data in (tmp_path, tmp_path / "manifest.csv"):
        with pytest.raises(UserError, match=sentence):
            sources.load("csv", data, ("a",))
        with pytest.raises(UserError, match=sentence):
            sources.load_images("csv", data, {})


def test_pretraining_takes_folders_of_classes_as_images(tmp_path):
    for name in ("a/1.png", "b/1.png"):
        image(tmp_path / name)
    with pytest.raises(UserError, match=r"2 of 2 images of csv=.* have no patient_id, the first"):
        collect.load(f"csv={tmp_path}")
    loaded = collect.load(f"csv={tmp_path}", allow_missing_patient_ids=True)["csv"]
    assert loaded.table["path"].tolist() == ["a/1.png", "b/1.png"]
