"""Images by path: files, globs, several folders, DICOM files, slides, and what is none of these."""

import pathlib

import dicom_helpers
import h5py
import numpy as np
import pytest
from PIL import Image
from slide_helpers import PINK, blank, write_slide

from remedis.data import sources
from remedis.data.checks import scan
from remedis.errors import UserError


@pytest.fixture
def tree(tmp_path):
    """Writes two hospitals with images at several depths, a DICOM film, and other files."""
    for i, name in enumerate(("a/1.png", "a/x/2.jpg", "b/3.png", "b/x/y/1.png")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 40 * i, np.uint8)).save(path)
    film = dicom_helpers.dataset(np.zeros((8, 8), np.uint16), bits=12, number=7)
    dicom_helpers.write(tmp_path / "b" / "film.dcm", film)
    (tmp_path / "b" / "notes.txt").write_text("no image")
    return tmp_path


def paths(data, source="csv", **options):
    loaded = sources.load_images(source, data, options)
    assert all(pathlib.Path(p.partition("#")[0]).exists() for p in loaded.absolute_paths())
    return loaded.table["path"].tolist()


ALL = ["a/1.png", "a/x/2.jpg", "b/3.png", "b/film.dcm", "b/x/y/1.png"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["."], ALL),
        (["a", "b"], ALL),
        (["b", "a/x", "a/1.png", "b/3.png", "."], ALL),  # each image once
        (["a"], ["1.png", "x/2.jpg"]),
        (["a/1.png"], ["1.png"]),
        (["b/film.dcm"], ["film.dcm"]),
        (["a/1.png", "a/x/2.jpg"], ["1.png", "x/2.jpg"]),
        (["a/x/2.jpg", "b/3.png"], ["a/x/2.jpg", "b/3.png"]),
        (["*/*.png"], ["a/1.png", "b/3.png"]),
        (["**/*.png"], ["a/1.png", "b/3.png", "b/x/y/1.png"]),
        (["**"], ALL),
        (["b/*"], ["3.png", "film.dcm", "x/y/1.png"]),  # as a shell expands it, with notes.txt
    ],
)
def test_every_way_to_name_images_finds_them_once(tree, given, found):
    assert paths([tree / name for name in given]) == found
    if len(given) == 1:
        assert paths(str(tree / given[0])) == found


def test_relative_paths_mean_the_same(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert paths(["a", "b/3.png"]) == ["a/1.png", "a/x/2.jpg", "b/3.png"]
    assert paths("b/**/*.png") == ["3.png", "x/y/1.png"]
    assert paths("a/1.png") == ["1.png"]


def test_headers_give_ids_and_unknown_ones_stay_unknown(tree):
    table = sources.load_images("csv", [tree / "a", tree / "b"], {}).table
    assert table["path"][table["patient_id"].notna()].tolist() == ["b/film.dcm"]
    only = sources.load_images("dicom", [tree / "a", tree / "b"], {"site": "H"})
    assert only.table[["path", "site"]].to_numpy().tolist() == [["b/film.dcm", "H"]]
    assert only.layout == only.source == "dicom"


def test_files_that_are_no_images_are_counted_and_listed(tree, caplog):
    (tree / "b" / "READ ME").write_text("")
    paths([tree / "a", tree / "b"])
    (warning,) = (record.getMessage() for record in caplog.records)
    assert warning.endswith("skipped 2 files without the name of an image: b/READ ME, b/notes.txt.")


def test_several_frames_of_a_dicom_file_and_items_of_containers(tree):
    pixels = np.zeros((11, 8, 8), np.uint16)
    film = dicom_helpers.dataset(pixels, bits=12, number=8, NumberOfFrames=11)
    dicom_helpers.write(tree / "a" / "two.dcm", film)
    with h5py.File(tree / "a" / "box.h5", "w") as file:
        file["x"] = np.zeros((2, 8, 8, 3), np.uint8)
    frames = [f"two.dcm#{i}" for i in range(1, 12)]
    assert paths(tree / "a") == ["1.png", *frames, "x/2.jpg"]
    assert paths([f"{tree}/a/box.h5#1", f"{tree}/a/1.png"]) == ["1.png", "box.h5#1"]


def test_a_table_beside_images_is_not_read_and_a_link_to_nowhere_stays(tree, caplog):
    (tree / "a" / "own.csv").write_text("path\n1.png\n")
    (tree / "a" / "gone.png").symlink_to("nowhere.png")
    given = sorted((tree / "a").iterdir())  # as a shell expands a/*
    loaded = sources.load_images("csv", given, {})
    assert loaded.table["path"].tolist() == ["1.png", "gone.png", "x/2.jpg"]
    assert "own.csv. A table is read if it is the only path." in caplog.text
    assert paths(tree / "a" / "own.csv") == ["1.png"]


@pytest.mark.parametrize(
    ("data", "source", "sentence"),
    [
        ([], "csv", "A path of images is empty; name a folder, a glob or files"),
        ("", "csv", "A path of images is empty; name a folder, a glob or files"),
        ("{}/*.bmp", "csv", r"No file matches '.*\*\.bmp'; correct the glob"),
        (["{}/a", "{}/c"], "csv", "There is no file or folder .*/c; expected images there"),
        (["{}/a/1.png", "{}/c.h5#1"], "csv", r"There is no file or folder .*c\.h5#1"),
        ("{}/b/notes.txt", "csv", r"notes\.txt, row 1"),
        (["{}/b/notes.txt", "{}/b/notes.txt"], "csv", "does not hold images: .*it has notes.txt"),
        (["{}/a", "{}/b"], "chexpert", "'chexpert' takes the directory of one data set, but got"),
        (["{}/a", "{}/b"], "csf", "Unknown source 'csf': did you mean 'csv'"),
        ("{}/a", "slides", "does not hold whole slides"),
        (["{}/a/1.png", "{}/a/x"], "slides", "does not hold images"),
        (["{}/a/1.png", "{}/a/x"], "dicom", r"not hold DICOM images: .*it has 1\.png, x/2\.jpg"),
    ],
)
def test_what_names_no_image_is_refused(tree, data, source, sentence):
    data = data.format(tree) if isinstance(data, str) else [name.format(tree) for name in data]
    with pytest.raises(UserError, match=sentence):
        sources.load_images(source, data, {})
    if isinstance(data, list) and source == "csv":
        with pytest.raises(UserError, match="Unknown option of the source 'csv' 'sizes'"):
            sources.load_images(source, [tree / "a", tree / "b"], {"sizes": 3})


def tissue():
    pixels = blank(512, 512)
    pixels[128:384, 128:384] = PINK
    return pixels


def test_slides_become_tiles_and_an_unreadable_one_stays(tmp_path, caplog):
    for name in ("s/1.tif", "s/2.tif", "s/masks/1.tif"):
        write_slide(tmp_path / name, tissue())
    options = {"size": 64, "mpp": 0.5}
    whole = sources.load_images("slides", tmp_path / "s", options)
    assert whole.table["slide_id"].tolist() == ["1"] * 4 + ["2"] * 4
    both = [tmp_path / "s" / "1.tif", tmp_path / "s" / "2.tif"]
    assert paths(both, "slides", **options) == whole.table["path"].tolist()
    assert len(paths(tmp_path / "s" / "1.tif", "slides", **options)) == 4
    (tmp_path / "s" / "3.svs").write_bytes(b"no slide")
    for data in (tmp_path / "s", tmp_path / "s" / "*.*"):
        loaded = sources.load_images("slides", data, options)
        readable = scan.readable(loaded, tmp_path / "out.bad_images.csv")
        assert len(readable.manifest) == 8
        assert readable.bad["path"].tolist() == ["3.svs#0,0,224,0.5"]
        assert "slide" in readable.bad["fault"][0]
    # Among images a slide has to be named: its tiles would outnumber them.
    Image.new("L", (8, 8)).save(tmp_path / "s" / "a.png")
    assert "a.png" in paths(tmp_path / "s")
    assert "3.svs" in caplog.text
    assert "3.svs#0,0,224,0.5" in paths([tmp_path / "s" / "a.png", tmp_path / "s" / "3.svs"])


def test_bad_images_are_listed_and_the_others_go_on(tree):
    (tree / "a" / "1.png").write_bytes(b"")
    (tree / "b" / "film.dcm").write_bytes(b"DICM")
    (tree / "a" / "x" / "2.jpg").write_bytes((tree / "a" / "x" / "2.jpg").read_bytes()[:150])
    report = scan.bad_images_file(tree / "out" / "scores.csv")
    assert report.name == "scores.csv.bad_images.csv"
    manifest = sources.load_images("csv", [tree / "a", tree / "b"], {})
    found = scan.readable(manifest, report)
    assert found.manifest.table["path"].tolist() == ["b/3.png", "b/x/y/1.png"]
    assert found.scanned["path"].tolist() == found.manifest.table["path"].tolist()
    assert found.bad["path"].tolist() == ["a/1.png", "a/x/2.jpg", "b/film.dcm"]
    lines = report.read_text().splitlines()
    assert lines[0] == "path,fault"
    assert [line.partition(",")[0] for line in lines[1:]] == found.bad["path"].tolist()
    with pytest.raises(UserError, match=r"3 of 5 images cannot be used, more than the limit of 10"):
        scan.readable(manifest, report, limit=0.1)
    bad = manifest.subset(manifest.table["path"].isin(found.bad["path"]))
    with pytest.raises(UserError, match=r"None of the 3 images of .* can be read: a/1\.png \("):
        scan.readable(bad, report)
    scan.readable(found.manifest, report)
    assert not report.exists()  # the list of an earlier command
    with pytest.raises(UserError, match="has no images"):
        scan.readable(manifest.subset([False] * 5), report)
