import numpy as np
import pytest

from remedis.data.sources import chexpert
from remedis.errors import UserError

HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
    "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
    "Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
P = "CheXpert-v1.0-small/train/patient0000"
TRAIN = [
    f"{P}1/study1/view1_frontal.jpg,Female,68,Frontal,AP,,,0.0,,,-1.0,,,1.0,,,,,",
    f"{P}1/study1/view2_lateral.jpg,Female,68,Lateral,,,,0.0,,,-1.0,,,1.0,,,,,",
    f"{P}2/study1/view1_frontal.jpg,Unknown,0,Frontal,,1.0,,,,,,,,,,,,,",
    f"{P}2/study2/view1_frontal.jpg,Male,87,Frontal,LL,,,,,,,,,,,1.0,,,1.0",
]
VALID = ["CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP"]
VALID[0] += ",0.0,1.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0"


@pytest.fixture
def write(tmp_path):
    def write_files(train=TRAIN, valid=VALID, header=HEADER, name="CheXpert-v1.0-small"):
        directory = tmp_path / name
        directory.mkdir()
        (directory / "train.csv").write_text("\n".join([header, *train]) + "\n")
        (directory / "valid.csv").write_text("\n".join([header, *valid]) + "\n")
        return directory

    return write_files


@pytest.mark.parametrize("name", ["CheXpert-v1.0-small", "CheXpert-v1.0", "renamed"])
def test_frontal_images(write, name):
    directory = write(name=name)
    m = chexpert.load(directory, ("Edema", "Cardiomegaly"))
    assert m.table["path"].tolist()[::3] == [
        "train/patient00001/study1/view1_frontal.jpg",
        "valid/patient64541/study1/view1_frontal.jpg",
    ]
    assert m.table["split"].tolist() == ["train"] * 3 + ["test"]
    assert m.table["sex"].fillna("?").tolist() == ["F", "?", "M", "M"]
    assert m.table["view"].tolist() == ["AP", "frontal", "LL", "AP"]
    assert m.table["age"].tolist() == [68, 0, 87, 73]
    assert m.table["study_id"].nunique() == 4
    nan = np.nan
    np.testing.assert_array_equal(
        m.targets(), np.float32([[-1, 0], [nan, nan], [nan, nan], [0, 1]])
    )


def test_a_row_without_any_of_the_14_labels_is_told_from_others(write):
    blank = f"{P}3/study1/view1_frontal.jpg,Male,50,Frontal,AP" + "," * 14
    m = chexpert.load(write(train=[*TRAIN, blank]), ("Edema",))
    assert m.table["any_label"].tolist() == [1, 1, 1, 0, 1]
    assert m.table["Edema"].isna().tolist() == [False, True, True, True, False]


def test_directory_or_its_parent_and_views(write):
    directory = write()
    assert len(chexpert.load(directory.parent)) == 4
    assert len(chexpert.load(directory, views="all")) == 5
    lateral = chexpert.load(directory, views="lateral").table
    assert lateral["view"].tolist() == ["lateral"]
    with (directory / "train.csv").open("w") as file:
        file.write("\n".join([HEADER, TRAIN[0]]))
    with pytest.raises(UserError, match=r"has no lateral images in train\.csv or valid\.csv"):
        chexpert.load(directory, views="lateral")
    with pytest.raises(UserError, match="Unknown choice of views 'front': did you mean 'frontal'"):
        chexpert.load(directory, views="front")


def test_effusion_is_called_pleural_effusion(write):
    with pytest.raises(
        UserError, match="Unknown label 'Effusion': did you mean 'Pleural Effusion'"
    ):
        chexpert.load(write(), ("Effusion",))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (",-1.0,", ",2.0,", "row 2, column 'Edema': got '2.0'"),
        ("/study1/", "/", "row 2, column 'Path': got .* expected a path like CheXpert-v1.0-small/"),
        (",68,", ",young,", "row 2, column 'Age': got 'young'"),
        (",Frontal,", ",front,", "row 2, column 'Frontal/Lateral': got 'front'; expected Frontal"),
        ("Female", "W", "row 2, column 'Sex': got 'W'"),
        (",1.0,,,,,", ",1.0,", "row 2: 15 fields where the header has 19"),
    ],
)
def test_bad_value(write, old, new, sentence):
    directory = write(train=[TRAIN[0].replace(old, new, 1), *TRAIN[1:]])
    with pytest.raises(UserError, match=sentence):
        chexpert.load(directory)


def test_missing_column_and_file(write):
    directory = write(header=HEADER.replace("Edema", "Oedema"))
    with pytest.raises(UserError, match=r"train\.csv, row 1: no column 'Edema'"):
        chexpert.load(directory)
    assert chexpert.load(directory, ("Cardiomegaly",)).labels == ("Cardiomegaly",)
    (directory / "valid.csv").unlink()
    with pytest.raises(UserError, match=r"There is no file .*valid\.csv"):
        chexpert.load(directory, ("Cardiomegaly",))


def test_both_sizes_in_one_directory(write, tmp_path):
    write(name="CheXpert-v1.0")
    assert chexpert.load(tmp_path).root.name == "CheXpert-v1.0"
    small = write()
    with pytest.raises(UserError, match=r"more than once: .*-small, CheXpert-v1\.0; name one"):
        chexpert.load(tmp_path)
    assert chexpert.load(small).root == small


def test_an_image_listed_more_than_once(write):
    with pytest.raises(UserError, match=r"row 6, column 'Path': got .*; expected every image once"):
        chexpert.load(write(train=[*TRAIN, TRAIN[0].replace("-small", "")]))


@pytest.mark.parametrize("prefix", ["", "train/", "CheXpert-v1.0/train/", "D:\\data\\train\\"])
def test_paths_may_begin_anywhere_before_the_patient(write, prefix):
    rows = [row.replace("CheXpert-v1.0-small/train/", prefix) for row in TRAIN]
    if "\\" in prefix:
        rows = [row.replace("/", "\\") for row in rows]
    m = chexpert.load(write(train=rows))
    assert m.table["path"].tolist()[::3] == [
        "train/patient00001/study1/view1_frontal.jpg",
        "valid/patient64541/study1/view1_frontal.jpg",
    ]
    wrong = rows[0].replace("train", "valid") if prefix else "x" + rows[0]
    with pytest.raises(UserError, match=r"column 'Path': got .* expected a path like"):
        chexpert.load(write(train=[wrong], name="other"))


def write_tree(root, table, patients, image):
    """Writes `train.csv` and `valid.csv` into one folder, and an image per patient elsewhere."""
    table.mkdir(parents=True)
    (table / "train.csv").write_text("\n".join([HEADER, *TRAIN]) + "\n")
    (table / "valid.csv").write_text("\n".join([HEADER, *VALID]) + "\n")
    for folder in patients:
        for study in ("study1", "study2"):
            (root / folder / study).mkdir(parents=True)
            (root / folder / study / "view1_frontal.jpg").write_bytes(image)


BATCH = "CheXpert-v1.0 batch"


@pytest.mark.parametrize("inside", ["", "train/"])
@pytest.mark.parametrize("copied", [False, True])
def test_the_download_in_batches(tmp_path, inside, copied):
    tables = tmp_path if copied else tmp_path / f"{BATCH} 1 (validate & csv)"
    write_tree(
        tmp_path,
        tmp_path / "tables",
        [
            f"{BATCH} 2 (train 1)/{inside}patient00001",
            f"{BATCH} 3 (train 2)/{inside}patient00002",
            f"{BATCH} 1 (validate & csv)/valid/patient64541",
        ],
        b"",
    )
    for name in ("train.csv", "valid.csv"):
        (tmp_path / "tables" / name).rename(tables / name)
    for given in {tmp_path, tables}:
        m = chexpert.load(given)
        assert m.root == tmp_path
        assert all((m.root / path).is_file() for path in m.table["path"])
        assert m.table["path"].tolist()[0].startswith(f"{BATCH} 2 (train 1)/{inside}patient00001/")
        assert m.table["patient_id"].nunique() == 3


def test_a_patient_in_no_batch_is_a_missing_image(tmp_path):
    folders = [f"{BATCH} 2 (train 1)/patient00001", f"{BATCH} 1 (validate & csv)/valid/x"]
    write_tree(tmp_path, tmp_path / f"{BATCH} 1 (validate & csv)", folders, b"")
    missing = [p for p in chexpert.load(tmp_path).table["path"] if not (tmp_path / p).is_file()]
    assert len(missing) == 3


def test_patients_beside_the_table(tmp_path):
    folders = ["here/patient00001", "here/patient00002", "here/valid/patient64541"]
    write_tree(tmp_path, tmp_path / "here", folders, b"")
    m = chexpert.load(tmp_path / "here")
    assert all((m.root / path).is_file() for path in m.table["path"])
