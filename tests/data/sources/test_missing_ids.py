"""Words for nobody in every source that reads ids: as an empty id, and never one patient."""

import dicom_helpers
import numpy as np
import pandas as pd
import pytest
import slide_helpers
import tensorflow_datasets as tfds
from PIL import Image

from remedis.data import sources, splits
from remedis.data.batches.partners import Partners
from remedis.data.checks import leaks
from remedis.errors import UserError
from remedis.evaluation.intervals import patient_codes

ALLOW = {"allow_missing_patient_ids": True}


def grey(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def csv(root, words):
    rows = [(f"{i}.png", word, i % 2) for i, word in enumerate(words)]
    table = pd.DataFrame(rows, columns=["path", "patient_id", "ill"])
    table.to_csv(root / "manifest.csv", index=False)
    return {"labels": ["ill"]}


def dicom(root, words):
    for i, word in enumerate(words):
        pixels = np.full((8, 8), i, np.uint16)
        ds = dicom_helpers.dataset(pixels, bits=12, number=i, PatientID=word)
        dicom_helpers.write(root / f"{i}.dcm", ds)
    names = [f"{i}.dcm" for i in range(len(words))]
    pd.DataFrame({"path": names, "ill": 1}).to_csv(root / "labels.csv", index=False)
    return {}


def folder(root, words):
    for i, word in enumerate(words):
        grey(root / "ab"[i % 2] / f"{word}_{i}.png", i)
    return {"patient_pattern": r"^(.+)_"}


def packed(root, words):
    features = {
        "image": tfds.features.Image(shape=(8, 8, 3)),
        "ill": tfds.features.Scalar(np.float32),
        "patient_id": tfds.features.Text(),
    }
    examples = [
        (i, {"image": np.zeros((8, 8, 3), np.uint8), "ill": float(i % 2), "patient_id": word})
        for i, word in enumerate(words)
    ]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="mine",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": examples},
        data_dir=root,
    )
    return {}


WRITERS = {"csv": csv, "dicom": dicom, "folder": folder, "tfds": packed}


@pytest.mark.parametrize("source", WRITERS)
@pytest.mark.parametrize("words", [("nan", "nan"), ("ANON", "unknown")])
def test_a_word_gets_the_sentence_of_an_empty_id_and_its_opt_out(source, words, tmp_path):
    options = WRITERS[source](tmp_path, [*words, "P1"])
    remark = "'nan' counts as none" if words[0] == "nan" else "'ANON', 'unknown' count as none"
    with pytest.raises(UserError) as error:
        sources.load(source, tmp_path, **options)
    message = str(error.value)
    assert remark in message
    assert "2 of 3 " in message
    assert "allow_missing_patient_ids" in message
    loaded = sources.load(source, tmp_path, **options, **ALLOW)
    assert sorted(loaded.table["patient_id"].fillna("none")) == ["P1", "none", "none"]


def test_slides_without_a_patient(tmp_path):
    for name in ("a", "b"):
        slide_helpers.write_slide(tmp_path / f"{name}.tif", slide_helpers.blank(256, 256))
    (tmp_path / "slides.csv").write_text("slide,patient_id,study_id\na,N/A,-\nb,p1,s\n")
    with pytest.raises(UserError, match=r"1 of 2 slides .* unknown: a\.tif \('N/A' counts as none"):
        sources.load("slides", tmp_path)


def test_studies_of_dicom_files_and_rows_of_their_labels(tmp_path):
    dicom(tmp_path, ["P0", "P1"])
    pd.DataFrame({"PatientID": ["P0", "ANON"], "ill": 1}).to_csv(
        tmp_path / "labels.csv", index=False
    )
    with pytest.raises(UserError, match=r"row 3, column 'PatientID': got 'ANON'; expected a Pat"):
        sources.load("dicom", tmp_path)


@pytest.fixture
def nobody(make):
    """100 images, of which nothing is known but words."""
    return make(100, patient_id=["ANON"] * 100, study_id=["NULL"] * 100, slide_id=["-"] * 100)


def test_nobody_is_many_patients_in_splits_and_intervals(nobody):
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    with pytest.raises(UserError, match="100 of 100 images have no patient_id, the first "):
        splits.ensure(nobody, shares, seed=0)
    divided = splits.ensure(nobody, shares, seed=0, allow_missing_ids=True)
    assert divided.counts()["images"].min() > 10
    assert len(set(patient_codes(["ANON", "nan", None, "ANON"]))) == 4
    receipt = leaks.check(divided, None, allow_missing_patient_ids=True)
    assert receipt.ok
    assert [sentence.split(",")[0] for sentence in receipt.unchecked[:3]] == [
        f"Leaks by {name} could not be checked for 100 of 100 images"
        for name in ("patient", "study", "slide")
    ]


def test_nobody_has_no_partner(make):
    with pytest.raises(UserError, match="None of the 4 images of a test has a study_id"):
        Partners.from_manifest(make(4, study_id=["nan"] * 4), "study_id")
    pairs = Partners.from_manifest(
        make(4, patient_id=["a", "a", "b", "b"], study_id=["nan", "nan", "1", "1"]), "study_id"
    )
    assert pairs.size.tolist() == [1, 1, 2, 2]
