"""Damaged and wrong tables of every source: an error that names the place, never a wrong number.

Errors that only one source can have are tested in its own file.
"""

import csv
import gzip
import io
import pathlib
import shutil

import pandas as pd
import pytest

from remedis.data import sources
from remedis.data.sources import chestxray14
from remedis.errors import UserError

TABLES = {
    "chestxray14": "Data_Entry_2017.csv",
    "chexpert": "train.csv",
    "csv": "manifest.csv",
    "mimic_cxr": "mimic-cxr-2.0.0-metadata.csv.gz",
    "padchest": "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv",
    "patch_camelyon": "camelyonpatch_level_2_split_valid_meta.csv",
    "wilds_camelyon17": "metadata.csv",
}
OPTIONS: dict[str, dict] = {
    "csv": {"labels": ("pneumonia",)},
    "patch_camelyon": {"allow_missing_patient_ids": True},
}
# A column that every source needs.
NEEDED = {
    "chestxray14": "Finding Labels",
    "chexpert": "Frontal/Lateral",
    "csv": "pneumonia",
    "mimic_cxr": "subject_id",
    "padchest": "MethodLabel",
    "patch_camelyon": "wsi",
    "wilds_camelyon17": "center",
}


@pytest.fixture(params=TABLES)
def name(request) -> str:
    return request.param


@pytest.fixture
def copied(datasets, tmp_path):
    """Returns a function that copies the tables of a data set without its images."""

    def copy(name: str) -> pathlib.Path:
        root = tmp_path / name
        root.mkdir()
        for file in datasets[name].iterdir():
            if file.is_file():
                shutil.copy(file, root)
        return root

    return copy


@pytest.fixture
def spoil(copied):
    """Returns a function that loads a data set after `change` is applied to its table's bytes."""

    def load(name, change, table=None):
        root = copied(name)
        path = root / (table or TABLES[name])
        contents = path.read_bytes()
        packed = path.suffix == ".gz"
        changed = change(gzip.decompress(contents) if packed else contents)
        path.write_bytes(gzip.compress(changed) if packed else changed)
        return sources.load(name, root, **OPTIONS.get(name, {}))

    return load


def line(contents: bytes, number: int) -> bytes:
    return contents.splitlines(keepends=True)[number - 1]


def with_line(contents: bytes, number: int, change) -> bytes:
    lines = contents.splitlines(keepends=True)
    lines[number - 1] = change(lines[number - 1])
    return b"".join(lines)


def separated(contents: bytes, mark: str) -> bytes:
    rows = list(csv.reader(io.StringIO(contents.decode("utf-8-sig"), newline="")))
    width = len(rows[0])
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows([row[:width] for row in rows])
    return text.getvalue().encode()


def test_unchanged_tables(spoil, name, datasets):
    m = spoil(name, lambda contents: contents)
    whole = sources.load(name, datasets[name], **OPTIONS.get(name, {}))
    columns = whole.table.columns.drop("path")
    pd.testing.assert_frame_equal(m.table[columns], whole.table[columns])


@pytest.mark.parametrize(
    "change",
    [
        lambda c: b"\xef\xbb\xbf" + c,
        lambda c: c.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
        lambda c: c.rstrip(b"\r\n"),
        lambda c: c.replace(b"\n", b"\n\n"),
        lambda c: c + b"\n\n\n",
        lambda c: c.decode().encode("utf-16"),
        lambda c: separated(c, ";"),
        lambda c: separated(c, "\t"),
    ],
    ids=[
        *("byte order mark", "CRLF", "no line end", "blank lines", "blank end"),
        *("UTF-16", "semicolons", "tabs"),
    ],
)
def test_harmless_differences_change_nothing(spoil, name, change, datasets):
    m = spoil(name, change)
    whole = sources.load(name, datasets[name], **OPTIONS.get(name, {}))
    columns = whole.table.columns.drop("path")
    pd.testing.assert_frame_equal(m.table[columns], whole.table[columns])


DAMAGES = {
    "empty": (lambda c: b"", "has no header; expected the names of its columns in row 1."),
    "only header": (lambda c: line(c, 1), "has a header but no rows; expected one row per image."),
    "no header": (lambda c: b"".join(c.splitlines(True)[1:]), "row 1: "),
    "semicolons": (
        lambda c: b"path;patient;label\n" + b"a;b;c\n",
        "row 1: no column ",
    ),
    "no encoding": (
        lambda c: with_line(c, 3, lambda row: row.rstrip(b"\r\n") + b"\x81\n"),
        "is not text in UTF-8 (byte ",
    ),
    "half of UTF-16": (lambda c: c.decode().encode("utf-16")[:-1], "is not text in UTF-16"),
    "unclosed quote": (
        lambda c: with_line(c, 3, lambda row: b'"' + row),
        "cannot be read as a CSV file: ",
    ),
    "too few fields": (lambda c: with_line(c, 3, lambda row: b"a\n"), "row 3: 1 fields where the "),
    "too many fields": (
        lambda c: with_line(c, 3, lambda row: row.rstrip() + b",1,2,3,x\n"),
        "row 3: ",
    ),
    "cut off": (lambda c: c[: c.rindex(b",", 0, c.rindex(b",")) - 2], "fields where the header "),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged(spoil, name, damage):
    if (name, damage) == ("patch_camelyon", "cut off"):
        damage = "too few fields"
    change, sentence = DAMAGES[damage]
    with pytest.raises(UserError) as error:
        spoil(name, change)
    assert TABLES[name] in str(error.value)
    assert sentence is None or sentence in str(error.value)


def test_a_missing_column(spoil, name):
    column = NEEDED[name].encode()
    with pytest.raises(UserError) as error:
        spoil(name, lambda c: with_line(c, 1, lambda row: row.replace(column, b"Other")))
    assert f"{TABLES[name]}, row 1: no column {NEEDED[name]!r}; the columns are: " in str(
        error.value
    )


def test_a_column_twice(spoil, name):
    column = NEEDED[name].encode()
    with pytest.raises(UserError, match=f"row 1: the column {NEEDED[name]!r} appears twice"):
        spoil(name, lambda c: with_line(c, 1, lambda row: column + b"," + row))


def test_a_row_twice(spoil, name):
    if name == "patch_camelyon":
        expected = "has 9 rows for 8 patches; expected one per patch"
    else:
        expected = r"row \d+, column .*: got .*; expected every image once; remove the row"
    with pytest.raises(UserError, match=expected):
        spoil(name, lambda c: c + line(c, 3))


def test_a_nul_byte(spoil, name):
    with pytest.raises(UserError) as error:
        spoil(name, lambda c: with_line(c, 3, lambda row: row[:1] + b"\0" + row[1:]))
    assert TABLES[name] in str(error.value)


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (
            lambda c: c[:-20],
            "metadata.csv.gz cannot be decompressed: it is truncated, damaged or not",
        ),
        (lambda c: c[: len(c) // 2], "metadata.csv.gz cannot be decompressed: it is truncated"),
        (lambda c: b"", "metadata.csv.gz has no header"),
        (
            gzip.decompress,
            "metadata.csv.gz cannot be decompressed: it is truncated, damaged or not com",
        ),
        (
            lambda c: c[:30] + b"\xff" * 9 + c[39:],
            "metadata.csv.gz cannot be decompressed: it is trunca",
        ),
    ],
    ids=["cut", "half", "empty", "not packed", "damaged"],
)
def test_a_packed_table_that_cannot_be_unpacked(copied, contents, sentence):
    root = copied("mimic_cxr")
    path = root / TABLES["mimic_cxr"]
    path.write_bytes(contents(path.read_bytes()))
    with pytest.raises(UserError) as error:
        sources.load("mimic_cxr", root)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("chexpert", "Sex,Age", "Age,Sex", "row 2, column 'Sex': got"),
        (
            "chexpert",
            "Frontal/Lateral,AP/PA",
            "AP/PA,Frontal/Lateral",
            "column 'Frontal/Lateral': ",
        ),
        ("chexpert", "/train/", "/valid/", "row 2, column 'Path': got .*; expected a path like"),
        ("chexpert", ",Frontal,A", ",Frontal,X", "column 'AP/PA': got 'XP'.*; expected AP, PA, LL"),
        (
            "chexpert",
            ",1.0,",
            ",maybe,",
            "got 'maybe'.*; expected 1, 0, -1 for uncertain, or nothing",
        ),
        (
            "chexpert",
            ",1.0,",
            ",10,",
            "got '10'.*; expected 1, 0, -1 for uncertain, or nothing for",
        ),
        (
            "chestxray14",
            "Follow-up #,Patient ID",
            "Patient ID,Follow-up #",
            "row 2, column 'Patient ID': got '0'.*; expected the patient's number with which th",
        ),
        ("chestxray14", "00000003_", "00000004_", "column '(Patient ID|Image Index)': got "),
        ("chestxray14", "No Finding", "No Finding|Mass", r"got 'No Finding\|Mass'.* alone"),
        (
            "chestxray14",
            "Patient Age,Patient Gender",
            "Patient Gender,Patient Age",
            "row 2, column ",
        ),
        (
            "chestxray14",
            ",PA,",
            ",lateral,",
            "column 'View Position': got 'lateral'.*; expected PA",
        ),
        ("chestxray14", "_000.png,", "_000.png,Mass,", "fields where the header has"),
        ("wilds_camelyon17", "x_coord", "xcoord", "row 1: no column 'x_coord'"),
        (
            "wilds_camelyon17",
            "tumor,slide",
            "slide,tumor",
            "row 4, column 'tumor': got '2'|'tumor'",
        ),
        (
            "wilds_camelyon17",
            "patient,node",
            "node,patient",
            "column 'node': got '000'.*; expected 0 or",
        ),
        (
            "csv",
            ",0,",
            ",maybe,",
            "column 'pneumonia': got 'maybe'.*; expected 1, 0, -1 for uncertain, or",
        ),
        (
            "mimic_cxr",
            "subject_id,study_id",
            "study_id,subject_id",
            "column 'subject_id': got .*; expected the same",
        ),
        ("mimic_cxr", "ViewPosition", "View", "row 1: no column 'ViewPosition'; the columns are"),
    ],
)
def test_wrong_columns_and_values(spoil, name, old, new, sentence):
    with pytest.raises(UserError, match=sentence):
        spoil(name, lambda c: c.replace(old.encode(), new.encode()))


BOXES = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000001_000.png,Mass,1.5,2,3,4\n"


@pytest.mark.parametrize("end", ["", ",,,"])
def test_boxes(tmp_path, end):
    text = BOXES.replace("3,4\n", f"3,4{end}\n") + f"00000001_000.png,Infiltrate,9,8,7,6{end}\n"
    (tmp_path / "BBox_List_2017.csv").write_text(text)
    boxes = chestxray14.boxes(tmp_path)
    assert boxes["path"].tolist() == ["images/00000001_000.png"] * 2
    assert boxes["label"].tolist() == ["Mass", "Infiltration"]
    numbers = boxes[["x", "y", "width", "height"]].to_numpy().tolist()
    assert numbers == [[1.5, 2, 3, 4], [9, 8, 7, 6]]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            ",Mass,",
            ",Mess,",
            "row 2, column 'Finding Label': got 'Mess'; expected one of Atelectas",
        ),
        ("1.5,2,", "-1,2,", r"row 2, column 'Bbox \[x': got '-1'; expected pixels, 0 or more"),
        ("1.5,2,", "nan,2,", r"row 2, column 'Bbox \[x': got 'nan'; expected pixels, 0 or more"),
        ("3,4\n", "0,4\n", "row 2, column 'w': got '0'; expected a width above 0"),
        ("3,4\n", "3\n", "row 2: 5 fields where the header has 6"),
        ("3,4\n", "3,4,5\n", "row 2: 7 fields where the header has 6"),
        ("[x,y,w,h]", "[x;y;w;h]", "row 1: no column 'Bbox"),
    ],
)
def test_bad_boxes(tmp_path, old, new, sentence):
    (tmp_path / "BBox_List_2017.csv").write_text(BOXES.replace(old, new))
    with pytest.raises(UserError, match=sentence):
        chestxray14.boxes(tmp_path)


def test_no_boxes(tmp_path):
    with pytest.raises(
        UserError, match=r"does not hold ChestX-ray14's boxes: no BBox_List_2017\.csv"
    ):
        chestxray14.boxes(tmp_path)
