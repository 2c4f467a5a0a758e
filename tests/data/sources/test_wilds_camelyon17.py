import pytest

from remedis.data.sources import wilds_camelyon17
from remedis.errors import UserError

HEADER = ",patient,node,x_coord,y_coord,tumor,slide,center,split"
ROWS = [
    "0,004,4,3328,21792,1,0,0,0",
    "1,004,4,3200,22272,0,0,0,1",
    "2,022,4,10,20,0,12,1,0",
    "3,042,3,10,20,1,21,2,1",
    "4,062,1,10,20,1,33,3,0",
]


@pytest.fixture
def write(tmp_path):
    def write_file(rows=ROWS, header=HEADER):
        directory = tmp_path / "camelyon17_v1.0"
        directory.mkdir()
        (directory / "metadata.csv").write_text("\n".join([header, *rows]) + "\n")
        return directory

    return write_file


def test_official_split_and_paths(write):
    m = wilds_camelyon17.load(write().parent)
    expected = ["train", "id_validation", "validation", "test", "train"]
    assert m.table["split"].tolist() == expected
    name = "patches/patient_004_node_4/patch_patient_004_node_4_x_3328_y_21792.png"
    assert m.table["path"][0] == name
    assert m.table["site"].tolist() == ["0", "0", "1", "2", "3"]
    assert m.table["slide_id"].tolist() == ["0", "0", "12", "21", "33"]
    assert m.table["patient_id"].tolist() == ["004", "004", "022", "042", "062"]
    assert m.table["tumor"].tolist() == [1, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("5,1,1,1,1,2,0,0,0", "row 7, column 'tumor': got '2'; expected 0 or 1"),
        ("5,1,1,1,1,1,0,5,0", "row 7, column 'center': got '5'; expected 0 or 1 or 2 or 3 or 4"),
        ("5,1,1,1,1,1,0,0,2", "row 7, column 'split': got '2'; expected 0 or 1"),
    ],
)
def test_bad_value(write, row, sentence):
    with pytest.raises(UserError, match=sentence):
        wilds_camelyon17.load(write([*ROWS, row]))


def test_missing_column(write):
    with pytest.raises(UserError, match="row 1: no column 'slide'"):
        wilds_camelyon17.load(write(header=HEADER.replace("slide", "slides")))


@pytest.mark.parametrize(
    ("validation", "test", "expected"),
    [
        ((3,), (0, 1), ["test", "test", "test", "id_validation", "validation"]),
        ((), (3,), ["train", "id_validation", "train", "id_validation", "test"]),
        (("1",), (), ["train", "id_validation", "validation", "id_validation", "train"]),
    ],
)
def test_other_centres_left_out(write, validation, test, expected):
    m = wilds_camelyon17.load(write(), None, validation, test)
    assert m.table["split"].tolist() == expected


@pytest.mark.parametrize(
    ("validation", "test", "sentence"),
    [
        ((5,), (2,), "Unknown centre in validation_centres '5'.*Choose from: 0, 1, 2, 3, 4"),
        ((1,), 2, r"test_centres is 2; expected a list, such as \(1,\)"),
        ((1,), "2", r"test_centres is '2'; expected a list, such as \(1,\)"),
        ((1, 2), (2,), "Centre 2 is in validation_centres and test_centres; name it in one"),
        ((1, 3), (0, 2, 4), "name all five centres; leave one out, to train on"),
    ],
)
def test_wrong_centres(write, validation, test, sentence):
    with pytest.raises(UserError, match=sentence):
        wilds_camelyon17.load(write(), None, validation, test)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("5,022,4,11,20,0,0,0,0", "row 7, column 'patient': got '022'; expected the same patient"),
        ("5,004,4,11,20,0,0,3,0", "row 7, column 'center': got '3'; expected the same center in"),
        ("5,004,4,3328,21792,1,0,0,0", "row 7, .*node_4_x_3328_y_21792.*every image once; remove"),
        ("5,004,7,3328,21792,1,0,0,0", "row 7, column 'node': got '7'; expected 0 or 1 or 2"),
        ("5,004,4,1.5,21792,1,0,0,0", "row 7, column 'x_coord': got '1.5'; expected a number in"),
    ],
)
def test_contradictions(write, row, sentence):
    with pytest.raises(UserError, match=sentence):
        wilds_camelyon17.load(write([*ROWS, row]))
