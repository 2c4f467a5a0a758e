"""Files of boxes: the published one, one's own, and what is wrong with them."""

import pathlib

import pytest

from remedis.data import boxes, image_list
from remedis.data.manifest import Manifest
from remedis.errors import UserError

PUBLISHED = (
    "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
    "00000001_000.png,Infiltrate,512,256,128,64,,,\n"
    "00000001_000.png,Effusion,0,0,1024,10.5,,,\n"
)


def images(root: pathlib.Path, *paths: str) -> Manifest:
    import pandas as pd

    return image_list.of_table(pd.DataFrame({"path": paths}), root, "test")


def test_the_published_file_is_read_with_its_quirks(tmp_path):
    file = tmp_path / "BBox_List_2017.csv"
    file.write_text(PUBLISHED)
    found = boxes.read(file)
    assert found["label"].tolist() == ["Infiltration", "Pleural Effusion"]
    of = boxes.of_images(found, images(tmp_path, "x/00000001_000.png"), file)
    # Boxes are in pixels of 1024 x 1024 and scale with the image.
    assert boxes.in_pixels(of, 512, 256).tolist() == [[128, 128, 160, 160], [0, 0, 256, 5.25]]


def test_boxes_of_ones_own(tmp_path):
    file = tmp_path / "boxes.csv"
    file.write_text(
        "path,label,x,y,width,height,image_width,image_height\n"
        "a/1.png,Mass,1,2,3,4,,\n"
        "2.png,Mass,10,20,30,40,200,100\n"
        "a/3.png,Mass,1,1,1,1,,\n"
    )
    found = boxes.of_images(boxes.read(file), images(tmp_path, "a/1.png", "b/2.png"), file)
    assert found["row"].tolist() == [0, 1]  # by path, and by file name; the third is not there
    assert boxes.in_pixels(found.iloc[:1], 8, 8).tolist() == [[1, 2, 4, 6]]
    assert boxes.in_pixels(found.iloc[1:], 50, 100).tolist() == [[5, 10, 20, 30]]


def test_a_file_name_of_several_images_names_none(tmp_path):
    file = tmp_path / "boxes.csv"
    file.write_text("path,label,x,y,width,height\n2.png,Mass,1,2,3,4\n")
    with pytest.raises(UserError, match=r"1 box, none of them of the 2 images .* 2\.png"):
        boxes.of_images(boxes.read(file), images(tmp_path, "a/2.png", "b/2.png"), file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label,x,y,width\na,b,1,2,3\n", "height.*one box per row"),
        ("path,label,x,y,width,height\na,b,1,-2,3,4\n", "row 2, column 'y': got '-2'"),
        ("path,label,x,y,width,height\na,b,1,2,nan,4\n", "column 'width': got 'nan'"),
        ("path,label,x,y,width,height\na,b,1,2,3,0\n", "a height above 0"),
        ("path,label,x,y,width,height\na,,1,2,3,4\n", "column 'label'.*expected a label"),
        (
            "path,label,x,y,width,height,image_width\na,b,1,2,3,4,0\n",
            "column 'image_width': got '0'",
        ),
        (PUBLISHED.replace("Infiltrate", "Rash"), "got 'Rash'; expected one of Atelectasis"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, message):
    file = tmp_path / "boxes.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        boxes.read(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"boxes\.csv"):
        boxes.read(tmp_path / "boxes.csv")
