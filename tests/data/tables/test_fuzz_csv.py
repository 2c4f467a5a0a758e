"""Fuzzed CSV files: every reader returns a manifest or raises an error of one sentence."""

import contextlib
import gzip
import pathlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remedis.data import manifest
from remedis.data.sources import (
    camelyon16,
    camelyon17,
    chestxray14,
    chexpert,
    mimic_cxr,
    wilds_camelyon17,
)
from remedis.data.tables import spreadsheet
from remedis.errors import UserError

SETTINGS = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# Two valid rows of every table; examples are made from them.
GOOD = {
    "chexpert": (
        "Path,Sex,Age,Frontal/Lateral,AP/PA,Edema\n"
        "C/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0\n"
        "C/train/patient00002/study1/view1_frontal.jpg,Male,8,Frontal,,-1.0\n"
    ),
    "chestxray14": (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
        "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
        "00000001_000.png,Cardiomegaly|Edema,0,1,058Y,M,PA,2682,2749,0.143,0.143\n"
        "00000002_000.png,No Finding,0,2,58,F,AP,2682,2749,0.143,0.143,\n"
    ),
    "boxes": (
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
        "00000001_000.png,Mass,1.5,2,3,4\n"
        "00000001_000.png,Infiltrate,1.5,2,3,4,,,\n"
    ),
    "mimic_cxr": (
        "dicom_id,subject_id,study_id,ViewPosition\na-1,10000032,50414267,PA\n"
        "a-2,10000033,50414268,LATERAL\n"
    ),
    "camelyon16": "test_001,Tumor,IDC,Macro\ntest_002.tif,Normal,DCIS,None\n",
    "camelyon17": "patient,stage\npatient_004.zip,pN1\npatient_004_node_4.tif,macro\n",
    "wilds_camelyon17": (
        ",patient,node,x_coord,y_coord,tumor,slide,center,split\n"
        "0,004,4,3328,21792,1,0,0,0\n1,022,4,10,20,0,12,1,0\n"
    ),
    "csv": (
        "path,patient_id,ill,age,sex,mpp,split\na.png,p1,1,61,F,0.5,train\nb.png,p2,,6M,,,test\n"
    ),
}
MIMIC_OTHERS = {
    "split": "dicom_id,study_id,subject_id,split\n"
    "a-1,50414267,10000032,train\na-2,50414268,10000033,test\n",
    "chexpert": "subject_id,study_id,Edema\n10000032,50414267,1.0\n",
}


def load(name: str, root: pathlib.Path, contents: bytes) -> None:
    """Writes `contents` as a source's table into `root` and loads it."""
    if name == "chexpert":
        (root / "train.csv").write_bytes(contents)
        (root / "valid.csv").write_text(GOOD["chexpert"].replace("/train/", "/valid/"))
        chexpert.load(root, ("Edema",), views="all")
    elif name == "chestxray14":
        (root / "Data_Entry_2017.csv").write_bytes(contents)
        chestxray14.load(root)
    elif name == "boxes":
        (root / "BBox_List_2017.csv").write_bytes(contents)
        chestxray14.boxes(root)
    elif name == "mimic_cxr":
        for table, text in MIMIC_OTHERS.items():
            (root / f"mimic-cxr-2.0.0-{table}.csv").write_text(text)
        (root / "mimic-cxr-2.0.0-metadata.csv").write_bytes(contents)
        mimic_cxr.load(root, ("Edema",), views="all")
    elif name == "camelyon16":
        (root / "reference.csv").write_bytes(contents)
        camelyon16._read_reference(root / "reference.csv")
    elif name == "camelyon17":
        (root / "stage_labels.csv").write_bytes(contents)
        camelyon17._read_stages(root / "stage_labels.csv")
    elif name == "wilds_camelyon17":
        (root / "metadata.csv").write_bytes(contents)
        wilds_camelyon17.load(root)
    else:
        (root / "manifest.csv").write_bytes(contents)
        manifest.read_csv(root / "manifest.csv", ("ill",))


@contextlib.contextmanager
def sentence(path: pathlib.Path):
    """Accepts a `UserError` that names the file; passes on any other error."""
    message = None
    try:
        yield
    except UserError as error:
        message = str(error)
    assert message is None or str(path) in message or "The manifest of" in message


@st.composite
def damaged(draw, good: bytes) -> bytes:
    """Draws a file with a few bytes, fields or lines changed, swapped, repeated or left out."""
    contents = good
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["bytes", "cut", "field", "line", "swap"]))
        if kind == "bytes":
            start = draw(st.integers(0, len(contents)))
            end = min(len(contents), start + draw(st.integers(0, 4)))
            contents = contents[:start] + draw(st.binary(max_size=6)) + contents[end:]
        elif kind == "cut":
            contents = contents[: draw(st.integers(0, len(contents)))]
        elif kind == "field":
            fields = contents.split(b",")
            place = draw(st.integers(0, len(fields) - 1))
            unusual = [
                "nan",
                "inf",
                "-inf",
                "1e400",
                "9" * 30,
                "-1",
                "²",
                "0x1",
                "1_0",
                "\u0661",
                "\u2028",
                "",
            ]
            text = draw(st.one_of(st.sampled_from(unusual), st.text(max_size=8)))
            fields[place] = text.encode(errors="replace")
            contents = b",".join(fields)
        else:
            lines = contents.split(b"\n")
            place = draw(st.integers(0, len(lines) - 1))
            other = draw(st.integers(0, len(lines) - 1))
            if kind == "line":
                lines.insert(place, lines[other])
            else:
                lines[place], lines[other] = lines[other], lines[place]
            contents = b"\n".join(lines)
    return contents


@pytest.mark.parametrize("name", GOOD)
def test_the_valid_files_load(name, tmp_path):
    load(name, tmp_path, GOOD[name].encode())


@pytest.mark.parametrize("name", GOOD)
def test_sources(name, tmp_path):
    @SETTINGS
    @given(damaged(GOOD[name].encode()))
    def run(contents):
        with sentence(tmp_path):
            load(name, tmp_path, contents)

    run()


def test_arbitrary_contents(tmp_path):
    path = tmp_path / "a.csv"

    @settings(SETTINGS, max_examples=300)
    @given(
        st.one_of(
            st.binary(max_size=200),
            st.text(max_size=100).map(lambda t: t.encode("utf-8", "replace")),
        )
    )
    def run(contents):
        path.write_bytes(contents)
        with sentence(path):
            table = spreadsheet.read_table(path)
            assert len(table) > 0
            assert table.index[0] >= 2

    run()


def test_quoted_or_not_is_the_same(tmp_path):
    """The fast and the general reader agree on every file that both can read."""
    value = st.text(
        st.characters(exclude_characters='",\r\n\0', exclude_categories=["Cs"]), max_size=6
    )

    @SETTINGS
    @given(st.lists(st.tuples(value, value), min_size=1, max_size=5))
    def run(rows):
        tables = []
        for mark in ("", '"'):
            path = tmp_path / "a.csv"
            lines = ["a,b", *(f"{mark}{a}{mark},{mark}{b}{mark}" for a, b in rows)]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
            try:
                tables.append(spreadsheet.read_table(path).to_dict())
            except UserError as error:
                tables.append(str(error))
        assert tables[0] == tables[1]

    run()


def test_compressed_tables(tmp_path):
    packed = gzip.compress(GOOD["mimic_cxr"].encode(), mtime=0)
    for table, text in MIMIC_OTHERS.items():
        (tmp_path / f"mimic-cxr-2.0.0-{table}.csv").write_text(text)

    @SETTINGS
    @given(damaged(packed))
    def run(contents):
        (tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz").write_bytes(contents)
        with sentence(tmp_path):
            mimic_cxr.load(tmp_path, ("Edema",), views="all")

    run()
