"""Suggestions for missing files: what is found, what is ambiguous, and the sentence."""

import time

import pytest

from remedis.data import manifest, similar_paths
from remedis.data.checks import scan
from remedis.data.readers import dicom_image
from remedis.data.similar_paths import sentence, suggestion
from remedis.errors import UserError

FILES = ["images/a/001.png", "images/a/002.PNG", "images/b/x.jpg", "images/c.d/scan.dcm"]
FILES += ["p1/s1/view1.jpg", "p2/s1/view1.jpg", "boxes/train.h5", "r/07.png", "r/7.png"]


@pytest.fixture
def root(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (r"images\a\001.png", "images/a/001.png"),
        ("images/a/1.png", "images/a/001.png"),
        ("a/001.png", "images/a/001.png"),
        ("001.png", "images/a/001.png"),
        ("images/a/002.png", "images/a/002.PNG"),
        ("Images/B/X.JPG", "images/b/x.jpg"),
        ("x.png", "images/b/x.jpg"),
        ("images/b/x", "images/b/x.jpg"),
        ("images/c.d/scan", "images/c.d/scan.dcm"),
        (r"D:\old data\images\b\x.jpg", "images/b/x.jpg"),
        ("/mnt/elsewhere/p2/s1/view1.jpg", "p2/s1/view1.jpg"),
        ("CheXpert-v1.0/train/p1/s1/view1.jpg", "p1/s1/view1.jpg"),
        ("p001/s01/view1.jpg", "p1/s1/view1.jpg"),
        ("./images/a/001.jpeg", "images/a/001.png"),
        ("train.h5#17", "boxes/train.h5#17"),
        ("r/007.png", None),
        ("view1.jpg", None),
        ("p3/s1/view1.jpg", None),
        ("images/a/003.png", None),
        ("", None),
        ("..", None),
    ],
)
def test_what_a_missing_path_may_mean(root, path, found):
    assert suggestion(root, path) == found


def test_the_suffixes_of_dicom_files_are_known():
    assert set(dicom_image.SUFFIXES) <= set(similar_paths._SUFFIXES)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["nowhere.png"], ""),
        (["a/001.png"], "Did you mean 'images/a/001.png'?"),
        (
            [r"images\a\001.png", r"images\b\x.jpg"],
            "All 2 missing files exist with / for \\, such as 'images/a/001.png' for "
            r"'images\a\001.png'.",
        ),
        (
            ["a/001.png", "b/x.jpg"],
            "All 2 missing files exist in images/, such as 'images/a/001.png' for 'a/001.png'.",
        ),
        (
            ["C/train/p1/s1/view1.jpg", "C/train/p2/s1/view1.jpg"],
            "All 2 missing files exist without C/train/, such as 'p1/s1/view1.jpg' for "
            "'C/train/p1/s1/view1.jpg'.",
        ),
        (
            ["images/a/001", "images/a/002"],
            "Did you mean 'images/a/001.png' for 'images/a/001'? 2 of 2 missing files resemble one "
            "that exists, 1 of them with the suffix .png.",
        ),
        (
            ["images/a/1.png", "nowhere.png", "images/a/01.png"],
            "Did you mean 'images/a/001.png' for 'images/a/1.png'? 2 of 3 missing files resemble "
            "one that exists, 2 of them with leading zeros.",
        ),
    ],
)
def test_the_sentence_names_one_change_once(root, paths, expected):
    assert sentence(root, paths) == expected


def test_a_link_to_nowhere_is_not_meant(root):
    (root / "loop.png").symlink_to("loop.png")
    (root / "gone.png").symlink_to("nowhere.png")
    assert sentence(root, ["loop.png", "sub/loop.png", "gone.png"]) == ""


def test_tables_of_windows_are_read(root):
    table = root / "manifest.csv"
    rows = [r"images\a\001.png,p,1", r"images\a\1.png,p,1", "images/b/x.jpg,q,0"]
    table.write_text("\n".join(["path,patient_id,ill", *rows]))
    loaded = manifest.read_csv(table, ["ill"])
    assert loaded.table["path"].tolist() == ["images/a/001.png", "images/a/1.png", "images/b/x.jpg"]


def test_scan_and_quarantine_say_what_was_meant(make, root, tmp_path):
    images = make(3, root=root, path=["a/001.png", "b/x.jpg", "nowhere.png"])
    scanned = scan.scan(images)
    assert scanned["fault"].tolist() == [
        "There is no such file (No such file or directory); did you mean 'images/a/001.png'?",
        "There is no such file (No such file or directory); did you mean 'images/b/x.jpg'?",
        "There is no such file (No such file or directory).",
    ]
    with pytest.raises(UserError, match=r"2 of 3 missing files resemble .* 2 of them in images/\."):
        scan.quarantine(images, scanned, 0.5, tmp_path / "bad.csv")


def test_many_paths_take_seconds(tmp_path):
    for i in range(100):
        (tmp_path / f"patient{i:05d}").mkdir()
        for j in range(20):
            (tmp_path / f"patient{i:05d}" / f"view{j}.jpg").touch()
    paths = [f"v1.0\\train\\patient{i}\\view{j}.jpg" for i in range(100) for j in range(20)]
    start = time.process_time()
    expected = (
        "All 2,000 missing files exist with / for \\, without v1.0/train/, with leading zeros"
    )
    assert sentence(tmp_path, paths).startswith(expected)
    assert time.process_time() - start < 3
