"""Camelyon16 and Camelyon17 as published: labels, splits, centres, and malformed downloads."""

import os
import shutil

import numpy as np
import pytest
from slide_helpers import PINK, annotation, blank, square, write_annotations, write_slide

from remedis.data.sources import camelyon16, camelyon17
from remedis.errors import UserError

REFERENCE = "test_001,Tumor,IDC,Macro\ntest_002,Normal,DCIS,None\n"
STAGES = (
    "patient,stage\n"
    "patient_004.zip,pN1\n"
    "patient_004_node_0.tif,negative\n"
    "patient_004_node_4.tif,macro\n"
    "patient_020_node_1.tif,itc\n"
    "patient_021_node_0.tif,micro\n"
)


def tissue() -> np.ndarray:
    """Returns a slide with tissue in the 2 by 2 tiles of 128 pixels that begin at (128, 128)."""
    pixels = blank(512, 512)
    pixels[128:384, 128:384] = PINK
    return pixels


def outline(path, group):
    return write_annotations(path, annotation(square(128, 128, 128), group))


@pytest.fixture
def first(tmp_path):
    """Writes Camelyon16 in the layout of its first edition."""
    root = tmp_path / "16"
    for name in ("normal/normal_101", "tumor/tumor_001", "tumor/tumor_010", "tumor/tumor_111"):
        write_slide(root / "training" / f"{name}.tif", tissue())
    for name in ("test_001", "test_002"):
        write_slide(root / "testing" / "images" / f"{name}.tif", tissue())
    write_slide(root / "testing" / "evaluation" / "evaluation_masks" / "test_001.tif", tissue())
    for name in ("tumor_001", "tumor_010"):
        outline(root / "training" / "lesion_annotations" / f"{name}.xml", "_0")
    outline(root / "testing" / "lesion_annotations" / "test_001.xml", "Tumor")
    (root / "testing" / "reference.csv").write_text(REFERENCE)
    return root


@pytest.fixture
def second(tmp_path):
    """Writes Camelyon17."""
    root = tmp_path / "17"
    for name in (
        "center_0/patient_004_node_0",
        "center_0/patient_004_node_4",
        "center_1/patient_020_node_1",
        "patient_021_node_0",
    ):
        write_slide(root / "training" / f"{name}.tif", tissue())
    write_slide(root / "testing" / "patients" / "patient_100_node_0.tif", tissue())
    for name in ("patient_004_node_4", "patient_020_node_1"):
        outline(root / "training" / "lesion_annotations" / f"{name}.xml", "metastases")
    (root / "training" / "stage_labels.csv").write_text(STAGES)
    return root


def load16(root, **options):
    return camelyon16.load(root, size=64, **options)


def load17(root, **options):
    return camelyon17.load(root, size=64, **options)


def labels_of(manifest):
    return manifest.table.groupby("slide_id")["tumor"].apply(list).to_dict()


def of_slides(manifest, column):
    table = manifest.table.drop_duplicates("slide_id").set_index("slide_id")
    return table[column].where(table[column].notna(), None).to_dict()


def test_camelyon16(first, caplog):
    caplog.set_level("INFO")
    m = load16(first)
    assert labels_of(m) == {
        "normal_101": [0, 0, 0, 0],
        "tumor_001": [1, 0, 0, 0],
        "tumor_010": [1],
        "test_001": [1, 0, 0, 0],
        "test_002": [0, 0, 0, 0],
    }
    assert "Left out 1 slides that show tumour and have no outlines: tumor_111." in caplog.text
    assert of_slides(m, "split") == {
        "normal_101": "train",
        "tumor_001": "train",
        "tumor_010": "train",
        "test_001": "test",
        "test_002": "test",
    }
    assert of_slides(m, "site") == {
        "normal_101": "Utrecht",
        "tumor_001": "Radboud",
        "tumor_010": "Radboud",
        "test_001": None,
        "test_002": None,
    }
    assert (m.table["patient_id"] == m.table["slide_id"]).all()
    assert (m.table["mpp"] == 0.5).all()
    assert m.table["path"][0] == "testing/images/test_001.tif#128,128,64,0.5"


def test_incomplete_and_unknown_slides_may_be_left_out_or_kept(first):
    assert "tumor_010" not in labels_of(load16(first, incomplete="leave_out"))
    every = load16(first, unknown="keep")
    assert of_slides(every, "site")["tumor_111"] == "Radboud"
    kept = labels_of(every)
    np.testing.assert_equal(kept["tumor_010"], [1, np.nan, np.nan, np.nan])
    assert np.isnan(kept["tumor_111"]).all()
    assert len(kept["tumor_111"]) == 4
    with pytest.raises(UserError, match=r"incomplete outlines 'leave'.* Choose from: positives"):
        load16(first, incomplete="leave")
    with pytest.raises(UserError, match=r"without a label 'drop'.* Choose from: leave_out, keep"):
        load16(first, unknown="drop")


def test_the_readme_lists_21_slides_with_incomplete_outlines():
    assert len(set(camelyon16._INCOMPLETE)) == 21


def test_the_later_edition_of_camelyon16_has_the_same_labels(first, tmp_path):
    flat = tmp_path / "flat"
    (flat / "images").mkdir(parents=True)
    (flat / "annotations").mkdir()
    (flat / "evaluation").mkdir()
    for path in first.rglob("*.tif"):
        if "evaluation" not in path.parts:
            shutil.copy(path, flat / "images" / path.name)
    for path in first.rglob("*.xml"):
        shutil.copy(path, flat / "annotations" / path.name)
    rows = ["image,type,center,class", "test_001.tif,x,1,macro", "test_002.tif,x,0,negative"]
    (flat / "evaluation" / "reference.csv").write_text("\n".join(rows))
    assert labels_of(load16(flat)) == labels_of(load16(first))


def test_capitals_in_names_and_labels_do_not_matter(first):
    expected = labels_of(load16(first))
    tumor = first / "training" / "tumor"
    os.rename(tumor / "tumor_001.tif", tumor / "Tumor_001.tif")
    outlines = first / "training" / "lesion_annotations"
    os.rename(outlines / "tumor_010.xml", outlines / "Tumor_010.xml")
    (first / "testing" / "reference.csv").write_text("Test_001,TUMOR,,\n\nTest_002.tif,normal,,\n")
    assert labels_of(load16(first)) == expected


def test_slides_that_the_publishers_removed_are_left_out(first, caplog):
    write_slide(first / "training" / "normal" / "normal_086.tif", tissue())
    (first / "testing" / "reference.csv").write_text(REFERENCE + "test_049,Normal,IDC,None\n")
    assert "normal_086" not in labels_of(load16(first))
    assert "Left out normal_086, which the publishers have removed." in caplog.text


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (None, r"has 2 test slides and no reference.csv.*; expected it at testing/reference.csv"),
        (REFERENCE + "test_003,Normal,,\n", "names 1 slides that are not there: test_003; downl"),
        (REFERENCE[:25], "has no row for 1 slides: test_002; expected one per test slide"),
        (
            REFERENCE.replace("Tumor", "Tumour"),
            "row 1: the label of test_001 is 'Tumour'; expected",
        ),
        (REFERENCE + "test_001,Normal,,\n", "row 3: 'test_001' appears twice"),
        (REFERENCE + "tset_001,Normal,,\n", "row 3: got 'tset_001'; expected the name of a slide"),
        (REFERENCE + "test_003\n", "row 3: the label of test_003 is ''; expected Normal or Tumor"),
        ("a\0b", "reference.csv"),
    ],
)
def test_wrong_references(first, reference, sentence):
    path = first / "testing" / "reference.csv"
    path.unlink() if reference is None else path.write_text(reference)
    with pytest.raises(UserError, match=sentence):
        load16(first)


def test_references_in_another_encoding(first):
    (first / "testing" / "reference.csv").write_bytes(b"test_001,T\xfcmor,,\n")
    with pytest.raises(UserError, match=r"reference.csv is not a CSV file in UTF-8"):
        load16(first)


def test_missing_slides_may_be_accepted(first, second, caplog):
    (first / "testing" / "images" / "test_002.tif").unlink()
    assert "test_002" not in labels_of(load16(first, allow_missing_slides=True))
    assert "names 1 slides that are not there: test_002." in caplog.text
    (second / "training" / "patient_021_node_0.tif").unlink()
    with pytest.raises(UserError, match=r"stage_labels.csv names 1 slides .*patient_021_node_0"):
        load17(second)
    assert len(labels_of(load17(second, allow_missing_slides=True))) == 3


def test_wrong_slides(first, tmp_path, caplog):
    tumor = first / "training" / "tumor"
    write_slide(first / "Tumor_001.tif", tissue())
    with pytest.raises(UserError, match=r"same name.*Tumor_001.tif, training/tumor/tumor_001.tif"):
        load16(first)
    os.rename(first / "Tumor_001.tif", first / "mine.tif")
    load16(first)
    assert "1 slides that are not named like those of Camelyon16: mine.tif" in caplog.text
    os.rename(tumor / "tumor_111.tif", tumor / "normal_002.tif")
    with pytest.raises(UserError, match=r"contradicts their directory: training/tumor/normal_002"):
        load16(first)
    write_slide(tmp_path / "own" / "mine.tif", tissue())
    with pytest.raises(UserError, match=r"does not hold slides of Camelyon16: no file is named li"):
        load16(tmp_path / "own")


def test_outlines_that_contradict_slides(first, second, caplog):
    lonely = outline(first / "training" / "lesion_annotations" / "tumor_050.xml", "_0")
    load16(first)
    assert "No slide for 1 file of outlines: training/lesion_annotations/tumor_050" in caplog.text
    lonely.unlink()
    outline(first / "annotations" / "tumor_001.xml", "_0")
    with pytest.raises(UserError, match=r"several files of outlines for the slide tumor_001: anno"):
        load16(first)
    os.rename(first / "annotations" / "tumor_001.xml", first / "annotations" / "TUMOR_001.XML")
    with pytest.raises(UserError, match=r"several files of outlines for the slide tumor_001: anno"):
        load16(first)
    (first / "annotations" / "TUMOR_001.XML").unlink()
    outline(first / "annotations" / "normal_101.xml", "_0")
    with pytest.raises(
        UserError, match=r"normal_101.xml outlines tumour on a slide without tumour"
    ):
        load16(first)
    shutil.rmtree(second / "training" / "lesion_annotations")
    with pytest.raises(
        UserError, match=r"outlines for none of the slides with tumour \(3\); unpack lesion_anno"
    ):
        load17(second)
    assert load17(second, unknown="keep").table["tumor"].notna().sum() == 4


@pytest.mark.parametrize("load", [load16, load17])
def test_a_directory_without_slides_says_what_to_unpack(load, tmp_path):
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} does not hold whole slides: no file in it or below ends in svs, tif, tiff, "
        "ndpi, mrxs, scn, vms, vmu, bif, svslide; expected them there."
    )
    (tmp_path / "training").mkdir()
    for name in ("patient_004.zip", "patient_001.ZIP", "stage_labels.csv"):
        (tmp_path / "training" / name).write_bytes(b"")
    with pytest.raises(UserError) as caught:
        load(tmp_path)
    assert str(caught.value).endswith(
        "svslide; unpack training/patient_001.ZIP, training/patient_004.zip."
    )


def test_camelyon17(second, caplog):
    caplog.set_level("INFO")
    m = load17(second)
    assert labels_of(m) == {
        "patient_004_node_0": [0, 0, 0, 0],
        "patient_004_node_4": [1, 0, 0, 0],
        "patient_020_node_1": [1],
    }
    assert m.table["split"].isna().all()
    assert of_slides(m, "patient_id")["patient_004_node_4"] == "004"
    assert of_slides(m, "study_id")["patient_004_node_4"] == "004/4"
    assert "Left out 1 slides that are not in" in caplog.text
    assert "patient_100_node_0" in caplog.text
    kept = load17(second, unknown="keep")
    np.testing.assert_equal(labels_of(kept)["patient_020_node_1"], [1, np.nan, np.nan, np.nan])
    assert list(of_slides(kept, "site").values()) == ["0", "0", "1", "1"]
    assert len(labels_of(load17(second, incomplete="leave_out"))) == 2


def test_the_centre_of_a_directory_comes_before_that_of_the_number(second):
    os.rename(second / "training" / "center_1", second / "training" / "center_3")
    assert of_slides(load17(second), "site")["patient_020_node_1"] == "3"


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        (None, r"has no stage_labels.csv, which says .*; expected it at stage_labels.csv or"),
        (
            STAGES.replace("itc", "ITCs"),
            "row 5, column 'stage': got 'ITCs'; expected negative, itc",
        ),
        (
            STAGES + "patient_4,pN0\n",
            "row 7, column 'patient': got 'patient_4'; expected patient_N",
        ),
        (STAGES + "patient_004_node_0.tif,micro\n", "row 7, .*; expected every slide once; remove"),
        ("patient,stage\npatient_004.zip,pN0\n", "has no row for any slide of"),
        ("slide,stage\na,b\n", "no column 'patient'"),
    ],
)
def test_wrong_stages(second, stages, sentence):
    path = second / "training" / "stage_labels.csv"
    path.unlink() if stages is None else path.write_text(stages)
    with pytest.raises(UserError, match=sentence):
        load17(second)


@pytest.mark.parametrize(("load", "fixture"), [(load16, "first"), (load17, "second")])
def test_fewer_tiles_per_slide_and_label(load, fixture, request):
    root = request.getfixturevalue(fixture)
    whole, few = load(root), load(root, tiles_per_slide=2)
    assert set(few.table["path"]) < set(whole.table["path"])
    assert few.table.equals(load(root, tiles_per_slide=2).table)
    counts = few.table.groupby(["slide_id", "tumor"]).size()
    assert counts.max() == 2
    assert set(counts.index) == set(whole.table.groupby(["slide_id", "tumor"]).size().index)
    with pytest.raises(UserError, match="tiles_per_slide is 0, expected 1 or more"):
        load(root, tiles_per_slide=0)
