import os

import pytest

from remedis.data.sources import folder
from remedis.errors import UserError

FILES = [
    "train/NORMAL/p1_1.png",
    "train/PNEUMONIA/p2_1.jpeg",
    "train/PNEUMONIA/p2_2.JPG",
    "val/NORMAL/p3_1.dcm",
    "val/PNEUMONIA/p4_1.png",
    "test/NORMAL/p5_1.png",
    "test/PNEUMONIA/more/p6_1.png",
]
PATTERN = r"p(\d+)_"


@pytest.fixture
def make_files(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def test_split_and_class(make_files):
    m = folder.load(make_files(*FILES), patient_pattern=PATTERN)
    assert m.labels == ("NORMAL", "PNEUMONIA")
    targets = dict(zip(m.table["path"], m.targets().tolist(), strict=True))
    assert targets == {name: [0, 1] if "PNEUMONIA" in name else [1, 0] for name in FILES}
    rows = m.table.set_index("path")
    assert rows["split"].to_dict() == {
        name: {"val": "validation"}.get(name.split("/")[0], name.split("/")[0]) for name in FILES
    }
    assert rows["patient_id"].loc[["train/PNEUMONIA/p2_2.JPG", FILES[-1]]].tolist() == ["2", "6"]


def test_one_of_two_labels_and_their_order(make_files):
    directory = make_files(*FILES)
    one = folder.load(directory, ("PNEUMONIA",), PATTERN)
    assert one.labels == ("PNEUMONIA",)
    assert one.targets().sum() == 4
    assert "NORMAL" not in one.table
    both = folder.load(directory, ("PNEUMONIA", "NORMAL"), PATTERN)
    assert (both.targets().sum(axis=1) == 1).all()
    assert both.targets()[:, 0].tolist() == one.targets()[:, 0].tolist()


def test_classes_without_splits(make_files):
    m = folder.load(make_files("a/1.png", "b/1.png", "c/1.png"), allow_missing_patient_ids=True)
    assert m.table["split"].isna().all()
    assert m.table["patient_id"].isna().all()
    assert m.targets().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_names_of_validation(make_files, name):
    directory = make_files("train/a/1.png", "train/b/2.png", f"{name}/a/3.png", f"{name}/b/4.png")
    m = folder.load(directory, allow_missing_patient_ids=True)
    assert sorted(m.table["split"]) == ["train"] * 2 + ["validation"] * 2


def test_files_that_are_no_images_are_skipped(make_files):
    others = ["train/NORMAL/.hidden.png", "train/NORMAL/.thumbs/x.png", "train/NORMAL/notes.txt"]
    directory = make_files(*FILES, *others, "__MACOSX/train/a.png", ".git/x/y.png", "README.md")
    assert len(folder.load(directory, patient_pattern=PATTERN)) == len(FILES)


def test_skipped_files_are_logged(make_files, caplog):
    directory = make_files("a/ok.png", "a/b.gif", "a/c.bmp", "b/d.png")
    m = folder.load(directory, allow_missing_patient_ids=True)
    assert m.table["path"].tolist() == ["a/ok.png", "b/d.png"]
    assert "skipped 2 files without the name of an image: a/b.gif, a/c.bmp" in (caplog.text)


def test_dicom_files_under_every_name_that_the_reader_knows(make_files):
    names = ["a/1.2.840.113.1", "a/CR.1.2.840.113.2", "b/x.IMA"]
    m = folder.load(make_files(*names), allow_missing_patient_ids=True)
    assert m.table["path"].tolist() == names


def test_linked_folders(make_files, tmp_path_factory):
    directory = make_files("a/1.png", "b/2.png")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "3.png").touch()
    (elsewhere / "back").symlink_to(elsewhere)
    (directory / "a" / "patient").symlink_to(elsewhere)
    (directory / "a" / "second").symlink_to(elsewhere)
    m = folder.load(directory, allow_missing_patient_ids=True)
    assert m.table["path"].tolist() == ["a/1.png", "a/patient/3.png", "b/2.png"]


@pytest.mark.parametrize("name", [b"a/M\xfcller.png", b"\xfc/x.png"])
def test_names_that_are_not_utf_8(make_files, name):
    directory = make_files("a/1.png", "b/2.png")
    path = os.fsencode(directory) + b"/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").close()
    with pytest.raises(UserError, match=r"udcfc.* is not UTF-8; rename"):
        folder.load(directory, allow_missing_patient_ids=True)


def test_a_directory_whose_name_is_not_utf_8(tmp_path):
    root = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9")
    for name in ("a/1.png", "b/2.png"):
        os.makedirs(os.path.dirname(os.path.join(root, name)))
        open(os.path.join(root, name), "w").close()
    with pytest.raises(UserError, match=r"udce9' is not UTF-8; rename"):
        folder.load(root, allow_missing_patient_ids=True)


@pytest.mark.parametrize(
    ("names", "arguments", "sentence"),
    [
        ([], {}, "does not hold images in split/class/* or class/*: expected files ending in .png"),
        (["a/x.txt", "b/y.gif"], {}, ".dicom, .ima; skipped: a/x.txt, b/y.gif."),
        (FILES[:1], {}, "has one class only, 'NORMAL'; expected the folders of two or more classe"),
        (["x.png", "a/1.png", "b/2.png"], {}, "x.png is in no class; move it into the folder of"),
        ([*FILES, "train/x.png"], {}, "train/x.png is in no class; move it into the folder of a "),
        ([*FILES, "other/x.png"], {}, "folders of splits (test, train, val) and others (other) si"),
        ([*FILES, "Train/NORMAL/x.png"], {}, "both mean the split train; keep one."),
        ([*FILES, "test/PNEUMNIA/x.png"], {}, "has no folder 'PNEUMNIA', but another split has;"),
        (
            ["a/1.png", "b/2.png", "c/3.png"],
            {"labels": ("a",)},
            "has 3 classes (a, b, c), but labe",
        ),
        (["age/1.png", "b/2.png"], {}, "'age' cannot be a label"),
        (FILES, {"labels": ("ill",)}, "Unknown label 'ill'. Choose from: NORMAL, PNEUMONIA."),
        (
            FILES,
            {"labels": "NORMAL"},
            "Expected a list of label columns, one or more; got 'NORMAL'",
        ),
        (FILES, {"patient_pattern": "p("}, "patient_pattern 'p(' is no regular expression (missin"),
        (FILES, {"patient_pattern": "p"}, "has no group; put parentheses around the patient's id."),
        (FILES, {"patient_pattern": "p([1-4])"}, "finds no patient in 2 of 7 names in"),
        (FILES, {"patient_pattern": ""}, "does not say which patient an image is of"),
    ],
)
def test_refuses(make_files, names, arguments, sentence):
    with pytest.raises(UserError) as error:
        folder.load(make_files(*names), **{"patient_pattern": PATTERN} | arguments)
    assert sentence in str(error.value)


def test_missing_patients_accepted(make_files):
    m = folder.load(make_files(*FILES), None, "p([1-4])", allow_missing_patient_ids=True)
    assert m.table["patient_id"].isna().sum() == 2
