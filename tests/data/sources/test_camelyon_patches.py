"""Patches in folders: slides in names, official splits, and folders that contradict names."""

import pytest

from remedis.data import layout_guess
from remedis.data.sources import camelyon_names, camelyon_patches
from remedis.errors import UserError

SPLIT = (
    "train/tumor/tumor_001/4096_8192.png",
    "train/normal/patch_tumor_001_x_1.png",
    "train/normal/Normal_033_x_2.png",
    "test/tumor/patient_085_node_4_x_3328_y_21792.png",
    "test/normal/patient_085_node_4_x_1_y_1.png",
)


@pytest.fixture
def write(tmp_path):
    def write_files(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return write_files


@pytest.mark.parametrize(
    ("path", "slide", "patient", "study", "site"),
    [
        ("a/normal_100.png", "normal_100", "normal_100", "normal_100", "Radboud"),
        ("a/normal_101_1_2.jpg", "normal_101", "normal_101", "normal_101", "Utrecht"),
        ("tumor/file_training-tumor-tumor_071.tif_reg_0.png",) + ("tumor_071",) * 3 + ("Utrecht",),
        ("normal_001/tumor_111-4.png", "tumor_111", "tumor_111", "tumor_111", "Radboud"),
        ("test/normal/camelyon16_test_012.png", "test_012", "test_012", "test_012", None),
        ("patient_039_node_1/7.png", "patient_039_node_1", "039", "039/1", "1"),
        ("patient_100_node_0.png", "patient_100_node_0", "100", "100/0", None),
    ],
)
def test_names_of_slides(path, slide, patient, study, site):
    found = camelyon_names.find(path)
    assert (found.slide_id, found.patient_id, found.study_id) == (slide, patient, study)
    assert found.site == site


@pytest.mark.parametrize("path", ["tumor/1.png", "normal_01.png", "tumor_0011.png", "abnormal_001"])
def test_names_of_no_slide(path):
    assert camelyon_names.find(path) is None


def test_folders_of_splits(write):
    m = camelyon_patches.load(write(*SPLIT))
    table = m.table.set_index("path").loc[list(SPLIT)]
    assert table["tumor"].tolist() == [1, 0, 0, 1, 0]
    assert table["split"].tolist() == ["train"] * 3 + ["test"] * 2
    assert table["slide_id"].tolist()[:3] == ["tumor_001", "tumor_001", "normal_033"]
    assert table["patient_id"].tolist()[3:] == ["085", "085"]
    assert table["site"].tolist() == ["Radboud"] * 3 + ["4"] * 2
    assert m.labels == ("tumor",)


def test_official_splits_of_camelyon16_without_folders_of_splits(write):
    names = ("Tumour/tumor_002_1.png", "NORMAL/test_003_1.png", "NORMAL/normal_001.png")
    table = camelyon_patches.load(write(*names)).table.set_index("path").loc[list(names)]
    assert table["split"].tolist() == ["train", "test", "train"]
    assert table["tumor"].tolist() == [1, 0, 0]
    mixed = camelyon_patches.load(write("Tumour/patient_004_node_4.png")).table
    assert mixed["split"].isna().all()


def test_removed_slides_are_left_out(write, caplog):
    root = write("tumor/normal_086_1.png", "tumor/tumor_001.png", "normal/normal_001.png")
    assert len(camelyon_patches.load(root)) == 2
    assert "left out 1 patch of normal_086 and test_049" in caplog.text


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("tumor/normal_001.png", "normal/a.png"), "1 of 2 patches name no slide: normal/a.png;"),
        (
            ("tumor/normal_001.png", "normal/normal_001_1.png"),
            "1 patch lies in a folder of tumour, but the name of the slide says normal: tumor/nor",
        ),
        (("tumor/tumor_001.png", "benign/normal_001.png"), r"has the classes benign, tumor; expec"),
        (
            ("tumor/tumor_001.png", "normal/normal_001.png", "0/normal_002.png"),
            "expected two folders, normal and tumor",
        ),
    ],
)
def test_bad_folders(write, names, sentence):
    with pytest.raises(UserError, match=sentence):
        camelyon_patches.load(write(*names))


def test_patches_without_a_slide_need_the_opt_out(write):
    root = write("tumor/tumor_001.png", "normal/a.png")
    table = camelyon_patches.load(root, None, True).table
    assert sorted(table["patient_id"].isna()) == [False, True]


def test_the_layout_is_recognised(write):
    root = write("train/normal/normal_033_2.png", "train/tumor/tumor_033_2.png")
    assert "data of the source 'camelyon_patches'" in layout_guess.advice(root)
