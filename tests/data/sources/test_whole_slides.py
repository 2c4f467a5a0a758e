import os

import numpy as np
import pandas as pd
import pytest
from slide_helpers import PINK, annotation, blank, square, write_annotations, write_slide

from remedis.data import readers
from remedis.data.sources import whole_slides
from remedis.errors import UserError


def tissue() -> np.ndarray:
    """Returns a slide with tissue in the 2 by 2 tiles of 128 pixels that begin at (128, 128)."""
    pixels = blank(512, 512)
    pixels[128:384, 128:384] = PINK
    return pixels


@pytest.fixture
def folder(tmp_path):
    """Writes slides of two patients with names as in Camelyon17, one of them annotated."""
    for node in (0, 2):
        write_slide(tmp_path / f"patient_017_node_{node}.tif", tissue())
    write_slide(tmp_path / "center_1" / "patient_020_node_4.tif", tissue())
    outline = annotation(square(128, 128, 128), "metastases")
    write_annotations(tmp_path / "annotations" / "patient_017_node_2.xml", outline)
    write_slide(tmp_path / "masks" / "patient_017_node_2_mask.tif", tissue())
    return tmp_path


def load(root, **options):
    return whole_slides.load(root, mpp=0.5, size=64, **options)


def test_camelyon17(folder):
    m = load(folder)
    assert len(m) == 12
    assert m.labels == ("tumor",)
    names = ["patient_020_node_4", "patient_017_node_0", "patient_017_node_2"]
    assert m.table["slide_id"].unique().tolist() == names
    assert m.table["patient_id"].unique().tolist() == ["020", "017"]
    assert m.table["study_id"].unique().tolist() == ["020/4", "017/0", "017/2"]
    assert (m.table["mpp"] == 0.5).all()
    assert m.table["split"].isna().all()
    assert m.table["path"][0] == "center_1/patient_020_node_4.tif#128,128,64,0.5"
    labels = m.table.groupby("slide_id")["tumor"].apply(list)
    assert labels["patient_017_node_2"] == [1, 0, 0, 0]
    assert np.isnan(labels["patient_017_node_0"]).all()


def test_every_path_is_a_tile(folder):
    m = load(folder)
    for path in m.absolute_paths():
        image = readers.locate(path).read_pixels()
        np.testing.assert_allclose(image, np.broadcast_to(np.array(PINK) / 255, (64, 64, 3)))


def test_unannotated_slides_may_be_negative(folder):
    m = load(folder, unannotated="negative")
    assert m.table["tumor"].sum() == 1
    assert (m.table["tumor"] == 0).sum() == 11
    with pytest.raises(UserError, match="annotations 'negativ': did you mean 'negative'"):
        load(folder, unannotated="negativ")


def test_annotations_beside_slides_and_under_the_name_in_camelyon17(folder):
    outline = annotation(square(128, 128, 256), "metastases")
    write_annotations(folder / "lesion_annotations" / "patient_017_node_0.xml", outline)
    write_annotations(folder / "center_1" / "annotations" / "patient_020_node_4.xml", outline)
    assert load(folder).table["tumor"].tolist() == [1] * 8 + [1, 0, 0, 0]


def test_a_table_of_slides(folder):
    rows = [
        ("patient_017_node_0", "a", "here", "train"),
        ("patient_017_node_2.tif", "a", "here", "train"),
        ("center_1/patient_020_node_4.tif", "b", "", "test"),
    ]
    table = pd.DataFrame(rows, columns=["slide", "patient_id", "site", "split"])
    table.to_csv(folder / "slides.csv", index=False)
    m = load(folder)
    slides = m.table.drop_duplicates("slide_id").set_index("slide_id")
    assert slides["patient_id"].to_dict() == {
        "patient_020_node_4": "b",
        "patient_017_node_0": "a",
        "patient_017_node_2": "a",
    }
    assert slides["split"].tolist() == ["test", "train", "train"]
    assert slides["site"].isna().tolist() == [True, False, False]
    assert slides["study_id"].tolist() == slides.index.tolist()


HEADER = "slide,patient_id,split\n"
ALL = "patient_017_node_0,a,\npatient_017_node_2,a,\npatient_020_node_4,b,\n"


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (HEADER + ALL + "c,c,\n", "row 5, column 'slide': got 'c'; expected the name of a slide"),
        (HEADER + ALL + "patient_017_node_0.tif,a,\n", "row 5, .* expected every slide once"),
        (HEADER + ALL[: ALL.index("patient_020")], "has no row for 1 slides: center_1/patient_020"),
        (HEADER + ALL.replace("b,", "b,dev"), "row 4, column 'split': got 'dev'; expected train"),
        ("slide\na\n", "row 1: no column 'patient_id'"),
        (HEADER + ALL.replace(",b", ","), "The patients of 1 of 3 slides of .* are unknown"),
    ],
)
def test_wrong_tables(folder, table, sentence):
    (folder / "slides.csv").write_text(table)
    with pytest.raises(UserError, match=sentence):
        load(folder)


def test_labels_of_whole_slides_are_not_taken_for_those_of_tiles(tmp_path, caplog):
    write_slide(tmp_path / "a.tif", tissue())
    (tmp_path / "slides.csv").write_text("slide,patient_id,tumor\na.tif,1,1\n")
    assert load(tmp_path).table["tumor"].isna().all()
    assert caplog.messages[0].endswith(
        "slides.csv, column 'tumor', is not read: a tile's label comes from the outlines in "
        "annotations/NAME.xml."
    )


def test_patients_are_needed_or_opted_out(tmp_path):
    write_slide(tmp_path / "a.tif", tissue())
    with pytest.raises(
        UserError, match=r"patients of 1 of 1 slides .*: a.tif; name them in slides"
    ):
        load(tmp_path)
    m = load(tmp_path, allow_missing_patient_ids=True)
    assert m.table["patient_id"].isna().all()
    assert (m.table["slide_id"] == "a").all()


ROWS = "slide,patient_id,mpp\n"


@pytest.fixture
def two(tmp_path):
    """Writes a slide that states 0.25 micrometres per pixel, and one that states nothing."""
    write_slide(tmp_path / "known.tif", tissue())
    write_slide(tmp_path / "silent.tif", tissue(), mpp=None)
    return tmp_path


def items(manifest):
    """Returns the first tile of each slide."""
    first = manifest.table.drop_duplicates("slide_id")
    return dict(first["path"].str.split("#").tolist())


def test_resolutions_in_the_table(two, caplog):
    table = two / "slides.csv"
    table.write_text(f"{ROWS}known,a,\nsilent,b,0.25\n")
    expected = {"known.tif": "128,128,64,0.5", "silent.tif": "128,128,64,0.5,0.25"}
    m = load(two)
    assert items(m) == expected
    assert (m.table["mpp"] == 0.5).all()
    assert "slide_mpp" not in m.table
    images = [readers.locate(path).read_pixels() for path in m.absolute_paths()]
    np.testing.assert_array_equal(images[0], images[4])
    # A rounded form of the stated resolution, which is the better one.
    table.write_text(f"{ROWS}known,a,0.26\nsilent,b,0.25\n")
    assert items(load(two)) == expected
    # The table wins over the value for all, which is for slides without another one.
    table.write_text(f"{ROWS}known,a,\nsilent,b,0.25\n")
    assert items(load(two, slide_mpp=0.5)) == expected
    table.write_text(f"{ROWS}known,a,0.5\nsilent,b,0.25\n")
    with pytest.raises(
        UserError,
        match=r"slides.csv, column 'mpp': 1 of 2 slides state another resolution: known.tif \(0.5, "
        r"but the slide states 0.25\); correct or empty these cells, or set override_known_mpp",
    ):
        load(two)
    assert items(load(two, override_known_mpp=True))["known.tif"] == "128,128,64,0.5,0.5"
    assert "replaces another one that 1 of 2 slides state: known.tif" in caplog.text
    table.write_text(f"{ROWS}known,a,\nsilent,b,0.025\n")
    with pytest.raises(UserError, match=r"row 3, column 'mpp': got '0.025'; expected 0.06 to 20"):
        load(two)


def test_one_resolution_for_slides_that_do_not_state_theirs(two):
    options = {"allow_missing_patient_ids": True}
    with pytest.raises(
        UserError,
        match=r"1 of 2 slides do not state their micrometres per pixel: silent.tif; give those of "
        r"the finest level in the column mpp of .*slides.csv, or set slide_mpp",
    ):
        load(two, **options)
    expected = {"known.tif": "128,128,64,0.5", "silent.tif": "128,128,64,0.5,0.5"}
    m = load(two, slide_mpp=0.5, **options)
    assert items(m) == expected
    assert (
        load(two, slide_mpp=0.5, override_known_mpp=True, **options)
        .table["path"][0]
        .endswith("0.5,0.5")
    )


def test_the_earlier_override_changes_all_slides_and_warns(two, caplog):
    m = load(two, override_mpp=0.5, allow_missing_patient_ids=True)
    assert set(items(m).values()) == {"128,128,64,0.5,0.5"}
    assert "override_mpp is replaced by slide_mpp, for slides that do not state" in caplog.text
    assert "replaces another one that 1 of 2 slides state: known.tif" in caplog.text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"slide_mpp": 0.05}, r"slide_mpp is 0.05 \(is 0.5 meant\?\); expected 0.06 to 20 micro"),
        ({"override_mpp": 2500}, r"override_mpp is 2500 \(is 0.25 meant\?\); expected"),
        ({"slide_mpp": 0.5, "override_mpp": 0.5}, "the earlier name of slide_mpp together with"),
        ({"override_known_mpp": True}, "override_known_mpp has no resolution to use; give it in"),
    ],
)
def test_wrong_resolutions(two, options, sentence):
    with pytest.raises(UserError, match=sentence):
        load(two, allow_missing_patient_ids=True, **options)


def test_slides_of_an_impossible_resolution(tmp_path):
    write_slide(tmp_path / "a.tif", tissue(), mpp=0.05)
    with pytest.raises(
        UserError,
        match=r"The resolution of 1 of 1 slides cannot be right: a.tif \(The slide states 0.05 .*"
        r"\); give the right one in the column mpp of .*slides.csv and set override_known_mpp",
    ):
        load(tmp_path, allow_missing_patient_ids=True)
    (tmp_path / "slides.csv").write_text(f"{ROWS}a,a,0.25\n")
    assert items(load(tmp_path, override_known_mpp=True)) == {"a.tif": "128,128,64,0.5,0.25"}


def test_two_slides_with_the_same_name(folder):
    write_slide(folder / "patient_020_node_4.tif", tissue())
    with pytest.raises(
        UserError, match=r"slides of the same name, .* center_1/patient_020_node_4.tif"
    ):
        load(folder)


def test_linked_directories(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    os.rename(folder / "center_1", elsewhere / "center_1")
    (folder / "center_1").symlink_to(elsewhere / "center_1")
    (folder / "center_1" / "back").symlink_to(folder)
    assert load(folder).table["path"].str.startswith("center_1/").sum() == 4


def test_names_that_are_not_utf_8(folder):
    os.rename(folder / "center_1", os.fsencode(folder) + b"/\xfc")
    with pytest.raises(UserError, match=r"'\\udcfc/patient_020_node_4.tif' is not UTF-8; rename"):
        load(folder)


def test_slides_without_tissue(folder, caplog):
    write_slide(folder / "patient_030_node_0.tif", blank(512, 512))
    assert len(load(folder)) == 12
    assert "No tissue in 1 slide: patient_030_node_0.tif" in caplog.text
    with pytest.raises(UserError, match="have no tile with a share of tissue of 1"):
        whole_slides.load(folder, mpp=0.5, size=250, tissue=1.0)


def test_damaged_slides_and_annotations(folder):
    (folder / "annotations" / "patient_017_node_2.xml").write_text("<a>")
    with pytest.raises(UserError, match=r"patient_017_node_2.xml is not XML"):
        load(folder)
    (folder / "patient_017_node_0.tif").write_bytes(b"no slide")
    with pytest.raises(UserError, match=r"patient_017_node_0.tif: The slide is not of a format"):
        load(folder)


def test_fewer_tiles_per_slide_and_label(folder):
    counts = load(folder, tiles_per_slide=1).table.groupby("slide_id")["tumor"].size()
    assert counts.to_dict() == {
        "patient_017_node_0": 1,
        "patient_017_node_2": 2,
        "patient_020_node_4": 1,
    }


def test_outlines_without_a_slide_and_several_of_a_slide(folder, caplog):
    outline = annotation(square(128, 128, 256))
    write_annotations(folder / "annotations" / "patient_099_node_2.xml", outline)
    load(folder)
    assert "No slide for 1 file of outlines: annotations/patient_099_node_2.xml" in caplog.text
    write_annotations(folder / "center_1" / "annotations" / "patient_017_node_2.xml", outline)
    with pytest.raises(UserError, match=r"several files of outlines .*_017_node_2: annotations/p"):
        load(folder)
