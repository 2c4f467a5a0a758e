import numpy as np
import pytest

from remedis.data.sources import chestxray14
from remedis.errors import UserError

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
ROWS = [
    "00000001_000.png,Cardiomegaly|Effusion,0,1,058Y,M,PA,2682,2749,0.143,0.143",
    "00000001_001.png,No Finding,1,1,58,M,PA,2894,2729,0.143,0.143",
    "00000002_000.png,Pleural_Thickening,0,2,414,F,AP,2500,2048,0.168,0.168",
]
NAMES = [row.split(",")[0] for row in ROWS]


@pytest.fixture
def write(tmp_path):
    def write_files(rows=ROWS, header=HEADER, places=("images",) * 3, name="Data_Entry_2017.csv"):
        (tmp_path / name).write_text("\n".join([header, *rows]) + "\n")
        for image, place in zip(NAMES, places, strict=True):
            if place is not None:
                (tmp_path / place).mkdir(parents=True, exist_ok=True)
                (tmp_path / place / image).touch()
        return tmp_path

    return write_files


@pytest.mark.parametrize("comma", [("", ""), (",", ","), ("", ",")])
def test_entries(write, comma):
    m = chestxray14.load(write([row + comma[1] for row in ROWS], HEADER + comma[0]))
    assert m.table["age"].fillna(-1).tolist() == [58, 58, -1]
    assert m.table["sex"].tolist() == ["M", "M", "F"]
    assert m.table["view"].tolist() == ["PA", "PA", "AP"]
    assert m.table["patient_id"].tolist() == ["1", "1", "2"]
    assert m.table["study_id"].tolist() == ["1/0", "1/1", "2/0"]
    assert m.table["split"].isna().all()
    assert len(m.labels) == 15
    positive = [{m.labels[i] for i in np.flatnonzero(row == 1)} for row in m.targets()]
    assert positive == [
        {"Cardiomegaly", "Pleural Effusion"},
        {"No Finding"},
        {"Pleural Thickening"},
    ]
    assert set(m.targets().ravel()) == {0, 1}


@pytest.mark.parametrize(
    "places",
    [
        ("images", "images", "images"),
        ("images_001/images", "images_002/images", "images_012/images"),
        (".", ".", "."),
    ],
)
def test_where_images_lie(write, places):
    m = chestxray14.load(write(places=places))
    expected = [
        f"{place}/{name}".removeprefix("./") for place, name in zip(places, NAMES, strict=True)
    ]
    assert m.table["path"].tolist() == expected


def test_entries_without_an_image_stay(write):
    m = chestxray14.load(write(places=("images", None, None)))
    assert m.table["path"].tolist() == [f"images/{name}" for name in NAMES]


def test_official_lists(write):
    directory = write()
    (directory / "train_val_list.txt").write_text("\n".join(NAMES[:2]) + "\n")
    with pytest.raises(UserError, match=r"has train_val_list.txt but no test_list.txt; add it, or"):
        chestxray14.load(directory)
    (directory / "test_list.txt").write_text(NAMES[2])
    assert chestxray14.load(directory).table["split"].tolist() == ["train", "train", "test"]
    (directory / "test_list.txt").write_text("other.png")
    with pytest.raises(UserError, match=r"1 image of the entries is in neither .* 00000002_000.p"):
        chestxray14.load(directory)
    (directory / "test_list.txt").write_text("\n".join(NAMES[1:]))
    with pytest.raises(UserError, match=r"00000001_001\.png is in train_val_list.txt and in test"):
        chestxray14.load(directory)


def test_lists_that_divide_train_val(write, caplog):
    directory = write()
    (directory / "train_val_list.txt").write_text("\n".join(NAMES[:2]) + "\n")
    (directory / "test_list.txt").write_text(NAMES[2])
    caplog.set_level("INFO")
    chestxray14.load(directory)
    assert any("our split by patient does, where validation is" in text for text in caplog.messages)
    (directory / "train_list.txt").write_text(f"{NAMES[0]} 0 1\n")
    with pytest.raises(UserError, match=r"has none for the list val_list.txt; expected one file"):
        chestxray14.load(directory)
    (directory / "val_list.txt").write_text(f"{NAMES[1]} 1 0\n\n")
    table = chestxray14.load(directory).table
    assert table["split"].tolist() == ["train", "validation", "test"]
    (directory / "val_list.txt").write_text("\n".join(NAMES[1:]))
    with pytest.raises(UserError, match=r"1 image is in one of the lists, but not in train_val_li"):
        chestxray14.load(directory)
    (directory / "val_list.txt").write_text("other.png")
    with pytest.raises(UserError, match=r"1 image is in neither of the lists, the first 00000001_"):
        chestxray14.load(directory)
    (directory / "val_list.txt").write_text("\n".join(NAMES[:2]))
    with pytest.raises(UserError, match=r"00000001_000.png is in train_list.txt and val_list.txt"):
        chestxray14.load(directory)


def test_two_files_of_entries(write):
    write()
    directory = write([ROWS[0]], name="Data_Entry_2017_v2020.csv")
    with pytest.raises(UserError, match=r"Data_Entry_2017.csv, Data_Entry_2017_v2020.csv; choose"):
        chestxray14.load(directory)
    assert len(chestxray14.load(directory, entries="Data_Entry_2017_v2020.csv")) == 1


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("|Effusion", "|Efusion", r"row 2, column 'Finding Labels': got 'Cardiomegaly\|Efusion'"),
        ("Cardiomegaly|Effusion", "", "row 2, column 'Finding Labels': got ''; expected names"),
        ("058Y", "58 years", "row 2, column 'Patient Age': got '58 years'"),
        (",M,", ",Z,", "row 2, column 'Patient Gender': got 'Z'"),
    ],
)
def test_bad_value(write, old, new, sentence):
    with pytest.raises(UserError, match=sentence):
        chestxray14.load(write([ROWS[0].replace(old, new), *ROWS[1:]]))


def test_missing_columns(write):
    with pytest.raises(UserError, match="row 1: no column 'Patient Gender'"):
        chestxray14.load(write(header=HEADER.replace("Patient Gender", "Gender")))
    with pytest.raises(UserError, match="row 1: no column 'Finding Labels'"):
        chestxray14.load(write(header=HEADER.replace("Finding Labels", "Labels")))
