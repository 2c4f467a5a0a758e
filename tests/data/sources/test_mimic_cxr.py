import gzip
import shutil

import numpy as np
import pytest

from remedis.data.sources import mimic_cxr
from remedis.errors import UserError

METADATA = [
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows",
    'aa-1,10000032,50414267,"CHEST (PA, LAT)",PA,3056',
    'aa-2,10000032,50414267,"CHEST (PA, LAT)",LATERAL,3056',
    "bb-1,10000764,57375967,,AP,2544",
    "cc-1,19999987,55368167,,LL,2022",
    "cc-2,19999987,58621812,,LPO,2022",
    "cc-3,19999987,58971208,,,2022",
]
SPLIT = [
    "dicom_id,study_id,subject_id,split",
    "cc-3,58971208,19999987,validate",
    "cc-2,58621812,19999987,validate",
    "cc-1,55368167,19999987,validate",
    "bb-1,57375967,10000764,test",
    "aa-2,50414267,10000032,train",
    "aa-1,50414267,10000032,train",
    "zz-9,50000001,10000001,train",
]
NAMES = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
    "Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
CHEXPERT = [
    f"subject_id,study_id,{NAMES}",
    "10000764,57375967,,,1.0,,,,,,,,,-1.0,,",
    "10000032,50414267,0.0,,,,,,,,1.0,,,,,",
    "19999987,55368167,,,,,,,,,,,,,,1.0",
]


@pytest.fixture
def write(tmp_path):
    def write_files(metadata=METADATA, split=SPLIT, chexpert=CHEXPERT, packed=True, end="\n"):
        tables = {"metadata": metadata, "split": split, "chexpert": chexpert}
        for name, lines in tables.items():
            contents = (end.join(lines) + end).encode()
            path = tmp_path / f"mimic-cxr-2.0.0-{name}.csv"
            if packed:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(contents))
            else:
                path.write_bytes(contents)
        return tmp_path

    return write_files


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_all_views(write, packed, end):
    m = mimic_cxr.load(write(packed=packed, end=end), ("Consolidation", "Edema"), views="all")
    assert m.table["path"][0] == "files/p10/p10000032/s50414267/aa-1.jpg"
    assert m.table["path"][5] == "files/p19/p19999987/s58971208/cc-3.jpg"
    assert m.table["split"].tolist() == ["train"] * 2 + ["test"] + ["validation"] * 3
    assert m.table["patient_id"].tolist()[1:4] == ["10000032", "10000764", "19999987"]
    assert m.table["study_id"].tolist()[2] == "57375967"
    assert m.table["view"].fillna("?").tolist() == ["PA", "LATERAL", "AP", "LL", "LPO", "?"]
    nan = np.nan
    expected = [[nan, nan], [nan, nan], [1, nan], [nan, nan], [nan, nan], [nan, nan]]
    np.testing.assert_array_equal(m.targets(), np.float32(expected))


def test_the_images_of_a_study_have_its_labels(write):
    directory = write()
    m = mimic_cxr.load(directory, views="all")
    assert m.labels == tuple(NAMES.split(","))
    table = m.table
    assert table["Atelectasis"].tolist()[:2] == [0, 0]
    assert table["No Finding"].tolist()[:2] == [1, 1]
    assert table["Pneumonia"][2] == -1
    # The last two studies have no row: all labels are unknown.
    assert table[list(m.labels)].isna().all(axis=1).tolist() == [False] * 4 + [True] * 2
    edema = mimic_cxr.load(directory, ("Edema",), views="all").table
    assert edema["Edema"].isna().all()
    assert edema["any_label"].tolist() == [1] * 4 + [0] * 2


def test_views(write, caplog):
    directory = write()
    assert mimic_cxr.load(directory).table["view"].tolist() == ["PA", "AP"]
    assert caplog.messages == [
        "mimic_cxr: left out 2 images whose view is neither frontal nor lateral: LPO 1, "
        "(nothing recorded) 1."
    ]
    lateral = mimic_cxr.load(directory, views="lateral").table
    assert lateral["view"].tolist() == ["LATERAL", "LL"]
    caplog.clear()
    assert len(mimic_cxr.load(directory, views="all")) == 6
    assert not caplog.messages
    with pytest.raises(UserError, match="Unknown choice of views 'PA'"):
        mimic_cxr.load(directory, views="PA")
    write(metadata=[METADATA[0], METADATA[-1]])
    with pytest.raises(UserError, match=r"metadata\.csv\.gz lists no frontal images; set views to"):
        mimic_cxr.load(directory)


def test_an_unpacked_table_has_precedence(write):
    directory = write()
    write(split=[line.replace("train", "test") for line in SPLIT], packed=False)
    assert mimic_cxr.load(directory).table["split"].tolist() == ["test", "test"]


@pytest.mark.parametrize(
    ("table", "row", "old", "new", "sentence"),
    [
        ("metadata", 2, "aa-2", "aa-1", r"metadata\S+ row 3, column 'dicom_id': got 'aa-1'; expec"),
        ("metadata", 2, "aa-2", "", "row 3, column 'dicom_id': got ''; expected the id of an imag"),
        (
            "metadata",
            2,
            "10000032",
            "p1",
            "row 3, column 'subject_id': got 'p1'; expected a number",
        ),
        ("metadata", 2, "10000032", "10000033", "the same subject_id in every row of one st"),
        ("metadata", 3, "bb-1", "bb-2", "got 'bb-2'; expected an image that mimic-cxr-2.0.0-split"),
        ("split", 4, "test", "dev", "row 5, column 'split': got 'dev'; expected train or validate"),
        (
            "split",
            4,
            "57375967,10000764",
            "10000764,57375967",
            "row 5, column 'subject_id': got '5",
        ),
        ("split", 4, "bb-1", "aa-1", "row 7, column 'dicom_id': got 'aa-1'; expected every image"),
        (
            "chexpert",
            1,
            "1.0",
            "2.0",
            "row 2, column 'Consolidation': got '2.0'; expected 1, 0, -1",
        ),
        ("chexpert", 1, "57375967", "50414267", "row 3, column 'study_id': got '50414267'; expec"),
        ("chexpert", 1, "10000764", "10000032", "row 2, column 'subject_id': got '10000032'; exp"),
    ],
)
def test_bad_value(write, table, row, old, new, sentence):
    lines = {"metadata": METADATA, "split": SPLIT, "chexpert": CHEXPERT}[table].copy()
    lines[row] = lines[row].replace(old, new)
    with pytest.raises(UserError, match=sentence):
        mimic_cxr.load(write(**{table: lines}))


def test_missing_table(write):
    directory = write()
    (directory / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()
    with pytest.raises(UserError, match=r"There is no file .*chexpert\.csv\.gz"):
        mimic_cxr.load(directory)


def test_version_2_1_0_has_the_tables_of_2_0_0(write, tmp_path):
    tables = list(write().iterdir())
    newer = tmp_path / "mimic-cxr-jpg-2.1.0"
    newer.mkdir()
    for table in tables:
        table.rename(newer / table.name)
    (newer / "mimic-cxr-2.1.0-test-set-labeled.csv").write_text("study_id,Edema\n57375967,1.0\n")
    (newer / "IMAGE_FILENAMES").write_text("files/p10/p10000032/s50414267/aa-1.jpg\n")
    for given in (newer, tmp_path):
        assert mimic_cxr.load(given).root == newer
    shutil.copytree(newer, tmp_path / "mimic-cxr-jpg-2.0.0")
    with pytest.raises(UserError, match=r"more than once: .*2\.0\.0, mimic-cxr-jpg-2\.1\.0; name"):
        mimic_cxr.load(tmp_path)


def test_tables_named_by_the_newer_version(write, tmp_path):
    for table in list(write().iterdir()):
        table.rename(tmp_path / table.name.replace("2.0.0", "2.1.0"))
    assert len(mimic_cxr.load(tmp_path, views="all")) == 6
    write()
    with pytest.raises(UserError, match=r"table 'metadata' of MIMIC-CXR-JPG 2\.0\.0 and 2\.1\.0"):
        mimic_cxr.load(tmp_path)
