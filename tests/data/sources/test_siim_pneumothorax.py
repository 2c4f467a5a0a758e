"""SIIM's challenge: several outlines per image, files at any depth, and tables that are wrong."""

import numpy as np
import pytest

from remedis import synthetic
from remedis.data import boxes, layout_guess, readers, run_lengths
from remedis.data.sources import siim_pneumothorax
from remedis.errors import UserError

ROWS = ["ImageId, EncodedPixels", "1.2.3,3 2 1022 2", "1.2.3,2048 5", "1.2.4, -1", "1.2.5,-1"]


@pytest.fixture
def write(tmp_path):
    def write_files(rows=ROWS, name="train-rle.csv", images=("dicom-images-train/1/2/1.2.4.dcm",)):
        (tmp_path / name).write_text("\n".join(rows) + "\n")
        for path in images:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        return tmp_path

    return write_files


def load(root, **options):
    return siim_pneumothorax.load(root, **options, allow_missing_patient_ids=True)


def test_images_and_labels(write, caplog):
    m = load(write(images=("dicom-images-train/1/2/1.2.4.dcm", "dicom-images-test/1.2.9.dcm")))
    assert m.table["path"].tolist() == [
        "dicom-images-train/1.2.3.dcm",  # not there: the scan says so
        "dicom-images-train/1/2/1.2.4.dcm",
        "dicom-images-train/1.2.5.dcm",
    ]
    assert m.table["Pneumothorax"].tolist() == [1, 0, 0]
    assert m.table[["patient_id", "study_id", "sex", "age"]].isna().all(axis=None)
    assert "left out 1 DICOM file that the table does not name" in caplog.text


def test_boxes_of_outlines(write):
    file = write() / "train-rle.csv"
    found = boxes.read(file)
    assert found["path"].tolist() == ["1.2.3.dcm"] * 2
    # Pixels 3 and 4 of the first column, 1,022 on pixels 3 and 4 of the second; one of five.
    corners = found[["x", "y", "width", "height"]].to_numpy().tolist()
    assert corners == [[0, 3, 2, 2], [2, 0, 1, 5]]


def test_made_up_outlines_lie_on_the_opacities(tmp_path):
    root = synthetic.write_siim_pneumothorax(tmp_path, images=4, image_size=64)
    m = load(root)
    assert m.table["Pneumothorax"].tolist() == [1, 0, 0, 1]
    assert m.table["age"].tolist() == [25, 26, 27, 28]
    raw = siim_pneumothorax._read(root / "stage_2_train.csv")
    first = raw.loc[raw["ImageId"] == raw["ImageId"].iloc[0], "EncodedPixels"]
    assert len(first) == 2
    halves = [run_lengths.decode(text, 1024, 1024) for text in first]
    assert not (halves[0] & halves[1]).any()
    inside = (halves[0] | halves[1])[8::16, 8::16]
    image = readers.locate(m.absolute_paths()[0]).read_pixels()[..., 0]
    ring = np.zeros_like(inside)
    rows, columns = np.nonzero(inside)
    ring[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    assert image[inside].mean() > image[ring & ~inside].mean()
    assert "data of the source 'siim_pneumothorax'" in layout_guess.advice(root)


def test_the_choice_of_a_table(write):
    root = write()
    write(ROWS[:4], "stage_2_train.csv")
    with pytest.raises(UserError, match=r"has stage_2_train.csv and train-rle.csv, of two stages"):
        load(root)
    assert len(load(root, annotations="stage_2_train.csv")) == 2
    assert len(load(root, annotations="train-rle.csv")) == 3


def test_no_table_of_the_challenge(write):
    with pytest.raises(UserError, match=r"no file \S+stage_2_train.csv and no train-rle.csv; exp"):
        load(write(name="train.csv"))


def test_the_opt_out_is_required(write):
    with pytest.raises(
        UserError, match="SIIM's challenge does not record patients, so that images"
    ):
        siim_pneumothorax.load(write())


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            "1.2.6,3 2 1",
            "row 6, column 'EncodedPixels': got '3 2 1'; expected -1, or pairs of a gap",
        ),
        ("1.2.6,", "row 6, column 'EncodedPixels': got ''; expected -1, or pairs"),
        (
            "1.2.6,1048570 7",
            "got '1048570 7'; expected -1, or pairs of a gap and a run that stay in",
        ),
        ("1.2.3,-1", "row 6, .* got '-1'; expected no -1 for an image with an outline in another"),
        ("/1,-1", "row 6, column 'ImageId': got '/1'; expected the id of an image"),
    ],
)
def test_bad_rows(write, row, sentence):
    with pytest.raises(UserError, match=sentence):
        load(write([*ROWS, row]))


def test_an_image_twice(write):
    with pytest.raises(UserError, match=r"the image 1\.2\.4 twice, as a/1\.2\.4\.dcm and b/1\.2\."):
        load(write(images=("a/1.2.4.dcm", "b/1.2.4.dcm")))
