"""Tissue, tiles and their labels on synthetic slides."""

import numpy as np
import openslide
import pandas as pd
import pytest
from skimage.color import rgb2hsv
from skimage.draw import polygon2mask
from skimage.filters import threshold_otsu
from slide_helpers import (
    PINK,
    PURPLE,
    annotation,
    blank,
    square,
    write_annotations,
    write_slide,
)

from remedis.data.readers import slide
from remedis.data.slides import annotations, tiling
from remedis.errors import UserError

BASE = 0.25


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Returns glass with tissue at x 256 to 768, y 128 to 512, and a black smear of ink below."""
    pixels = blank(1024, 1024)
    pixels[128:512, 256:768] = PINK
    pixels[300:400, 300:400] = PURPLE
    pixels[700:900, 100:300] = 10
    return write_slide(tmp_path_factory.mktemp("slides") / "a.tif", pixels, BASE)


def test_tiles_are_those_on_tissue(path):
    # 64 pixels at 0.5 are 128 pixels of the slide: exactly 4 by 3 tiles of tissue.
    tiles = tiling.tile(path, mpp=0.5, size=64)
    corners = [(x, y) for y in (128, 256, 384) for x in (256, 384, 512, 640)]
    assert list(zip(tiles["x"], tiles["y"], strict=True)) == corners
    np.testing.assert_allclose(tiles["tissue"], 1)
    assert tiles["item"][0] == "256,128,64,0.5"
    assert tiles["tumor"].isna().all()
    assert tiles["tumor"].dtype == np.float32
    for item in tiles["item"]:
        assert slide.read_pixels(str(path), item).std() < 60
        assert (slide.read_pixels(str(path), item) != 255).any(axis=-1).all()


@pytest.mark.parametrize("size", [24, 40, 64, 72])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_the_share_of_tissue(path, size, share):
    tiles = tiling.tile(path, mpp=0.5, size=size, tissue=0)
    side = 2 * size
    x, y = tiles["x"].to_numpy(), tiles["y"].to_numpy()
    across = np.clip(np.minimum(x + side, 768) - np.maximum(x, 256), 0, None)
    down = np.clip(np.minimum(y + side, 512) - np.maximum(y, 128), 0, None)
    exact = across * down / side**2
    # The mask's pixels are 12 to 32 pixels of the slide wide.
    np.testing.assert_allclose(tiles["tissue"], exact, atol=0.2)
    chosen = tiling.tile(path, mpp=0.5, size=size, tissue=share)
    pd.testing.assert_frame_equal(
        chosen, tiles[tiles["tissue"] >= share - 1e-9].reset_index(drop=True)
    )


def test_tiles_stay_on_the_slide_and_follow_the_stride(path):
    tiles = tiling.tile(path, mpp=0.25, size=100, stride=50, tissue=0)
    assert sorted(set(tiles["x"])) == list(range(0, 901, 50))
    assert sorted(set(tiles["y"])) == list(range(0, 901, 50))
    assert len(tiles) == 19**2
    assert not tiles.duplicated(["x", "y"]).any()


def test_uneven_steps_do_not_drift(path):
    # 30 pixels at 0.7 are 84 pixels of the slide.
    tiles = tiling.tile(path, mpp=0.7, size=30, tissue=0)
    assert sorted(set(tiles["x"])) == [84 * i for i in range(12)]
    tiles = tiling.tile(path, mpp=0.6, size=33, tissue=0)
    assert sorted(set(tiles["x"])) == [round(79.2 * i) for i in range(12)]


def test_glass_and_ink_are_no_tissue(tmp_path):
    noise = np.random.default_rng(0).integers(-3, 4, (512, 512, 3))
    glass = np.clip(240 + noise, 0, 255).astype(np.uint8)
    assert len(tiling.tile(write_slide(tmp_path / "glass.tif", glass), 0.5, 64)) == 0
    glass[100:400, 100:400] = 20
    assert len(tiling.tile(write_slide(tmp_path / "ink.tif", glass), 0.5, 64)) == 0


def test_a_slide_full_of_tissue_is_all_tissue(tmp_path):
    noise = np.random.default_rng(0).integers(-30, 31, (512, 512, 3))
    tissue = np.clip(np.array(PINK) + noise, 0, 255).astype(np.uint8)
    assert len(tiling.tile(write_slide(tmp_path / "full.tif", tissue), 0.5, 64)) == 16


def test_slides_larger_than_a_block(tmp_path, monkeypatch, path):
    whole = tiling.tile(path, 0.5, 64, tissue=0.1)
    monkeypatch.setattr(tiling, "_BLOCK", 96)
    pd.testing.assert_frame_equal(tiling.tile(path, 0.5, 64, tissue=0.1), whole)


def test_tissue_is_found_on_a_coarse_level_alone(tmp_path, monkeypatch):
    pixels = blank(1024, 1024)
    pixels[256:768, 256:768] = PINK
    path = write_slide(tmp_path / "a.tif", pixels, 0.25, levels=5)
    sizes = []
    read_region = openslide.OpenSlide.read_region

    def counted(slide, corner, level, size):
        sizes.append(size)
        return read_region(slide, corner, level, size)

    monkeypatch.setattr(openslide.OpenSlide, "read_region", counted)
    assert len(tiling.tile(path, 0.5, 128)) == 4
    # A sixteenth of the slide's width and height.
    assert sizes == [(64, 64)]


@pytest.mark.parametrize("seed", range(5))
def test_otsu_is_that_of_scikit_image(seed):
    generator = np.random.default_rng(seed)
    values = np.clip(
        np.r_[generator.normal(0.1, 0.04, 3000), generator.normal(0.4, 0.1, 800 * seed + 50)], 0, 1
    )
    # With the same 256 bins, scikit-image returns the middle of the last lower bin.
    counts, edges = np.histogram(values, 256, (0, 1))
    middles = (edges[1:] + edges[:-1]) / 2
    assert tiling.otsu(values) == pytest.approx(threshold_otsu(hist=(counts, middles)) + 1 / 512)


def test_otsu_of_one_value():
    assert 0 <= tiling.otsu(np.full(100, 0.3)) <= 1


def test_saturation_is_that_of_hsv():
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    expected = rgb2hsv(colours)[..., 1]
    np.testing.assert_allclose(tiling._saturation(colours.astype(np.float32)), expected, atol=1e-6)


def outlines(*polygons, holes=()):
    return annotations.Annotations(
        tuple(np.array(p, float) for p in polygons), tuple(np.array(p, float) for p in holes)
    )


def labels(path, drawn, **options):
    tiles = tiling.tile(path, mpp=0.25, size=96, tissue=0, annotations=drawn, **options)
    return {(x // 96, y // 96) for x, y in tiles.loc[tiles["tumor"] == 1, ["x", "y"]].to_numpy()}


def test_only_the_middle_third_decides(path):
    # Of the tile at (96, 192), the middle is x 128 to 160, y 224 to 256.
    assert labels(path, outlines(square(96, 192, 32))) == set()
    assert labels(path, outlines(square(97, 193, 31))) == set()
    assert labels(path, outlines(square(96, 192, 33))) == {(1, 2)}
    assert labels(path, outlines(square(159, 255, 1))) == {(1, 2)}
    assert labels(path, outlines(square(160, 256, 32))) == set()
    assert labels(path, outlines(square(128, 224, 1))) == {(1, 2)}
    assert labels(path, outlines(square(96, 192, 1)), centre=1.0) == {(1, 2)}
    assert labels(path, outlines(square(192, 192, 1)), centre=1.0) == {(2, 2)}


def test_tiles_far_from_outlines_are_skipped_and_no_others():
    generator = np.random.default_rng(1)
    x, y = generator.integers(0, 900, (2, 400))
    offsets = 32 + np.arange(32) + 0.5
    for _ in range(20):
        drawn = outlines(*(square(*generator.uniform(0, 900, 2), 9 * i + 0.5) for i in range(4)))
        every = [drawn.is_tumour(a + offsets, b + offsets).any() for a, b in zip(x, y, strict=True)]
        np.testing.assert_array_equal(tiling._tumour(drawn, x, y, 96, 1.0, 1 / 3), every)


def test_holes_and_several_outlines(path):
    # The outline covers the middles of four tiles; a hole removes one of them.
    large = square(96, 96, 192)
    four = {(1, 1), (2, 1), (1, 2), (2, 2)}
    assert labels(path, outlines(large)) == four
    assert labels(path, outlines(large, holes=[square(192, 192, 96)])) == four - {(2, 2)}
    # A hole holds for all outlines, and the overlap of two outlines is tumour.
    twice = outlines(large, large, holes=[square(192, 192, 96)])
    assert labels(path, twice) == four - {(2, 2)}
    tiny = outlines(large, holes=[square(230, 230, 10)])
    assert labels(path, tiny) == four


def test_other_tiles_are_negative(path):
    tiles = tiling.tile(path, 0.5, 64, annotations=outlines(square(256, 128, 128)))
    assert tiles["tumor"].tolist() == [1.0] + [0.0] * 11


def test_points_in_polygons_are_those_of_scikit_image():
    generator = np.random.default_rng(0)
    for _ in range(20):
        angles = np.sort(generator.uniform(0, 2 * np.pi, 15))
        radii = generator.uniform(5, 28, 15)
        polygon = np.stack([32 + radii * np.cos(angles), 30 + radii * np.sin(angles)], axis=1)
        inside = outlines(polygon).is_tumour(np.arange(64.0), np.arange(60.0))
        np.testing.assert_array_equal(inside, polygon2mask((60, 64), polygon[:, ::-1]))


def test_reading_annotations(tmp_path):
    drawn = annotations.read(
        write_annotations(
            tmp_path / "a.xml",
            annotation(square(0, 0, 4), "Tumor"),
            annotation(square(10, 0, 4), "_0"),
            annotation(square(20, 0, 4), "_1", "Spline"),
            annotation(square(30, 0, 4), "metastases", "Rectangle"),
            annotation(square(0.5, 1.25, 2), "Exclusion"),
            annotation(square(10, 0, 2), "_2"),
            annotation(square(20, 0, 2), "normal"),
        )
    )
    assert (len(drawn.tumours), len(drawn.holes)) == (4, 3)
    assert drawn.holes[0].tolist() == [[0.5, 1.25], [2.5, 1.25], [2.5, 3.25], [0.5, 3.25]]


def test_points_are_put_in_order(tmp_path):
    path = write_annotations(tmp_path / "a.xml", annotation([(i, i * i) for i in range(12)]))
    text = path.read_text()
    start, end = text.index("<Coordinate "), text.index("</Coordinates>")
    points = text[start:end].replace("/>", "/>\n").split()
    points = [" ".join(points[i : i + 4]) for i in range(0, len(points), 4)][::-1]
    path.write_text(text[:start] + "".join(points) + text[end:])
    assert annotations.read(path).tumours[0].tolist() == [[i, i * i] for i in range(12)]


LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
    "<ASAP_Annotations>&c;</ASAP_Annotations>"
)
EXTERNAL = (
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    "<ASAP_Annotations>&x;</ASAP_Annotations>"
)
REMOTE = '<!DOCTYPE a SYSTEM "nowhere.dtd"><ASAP_Annotations/>'
GOOD = annotation(square(0, 0, 4))


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (LAUGHS, "declares a document type"),
        (EXTERNAL, "declares a document type"),
        (REMOTE, "declares a document type"),
        (LAUGHS.encode("utf-16"), "declares a document type"),
        ("", "is not XML"),
        ("<ASAP_Annotations>", "is not XML"),
        (b"\xff\xfe\xff\xff\x00", "is not XML"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "is not XML"),
        ("<ASAP_Annotations>&undefined;</ASAP_Annotations>", "is not XML"),
        ("<annotations/>", "its root is not ASAP_Annotations"),
        ("<ASAP_Annotations/>", "has no annotation of a tumour"),
        ((GOOD.replace('"Tumor"', '"_2"'),), "has no annotation of a tumour"),
        ((GOOD, GOOD.replace("Tumor", "Tumour")), r"annotation 2 \(A\): unknown group 'Tumour'"),
        ((GOOD.replace("Polygon", "Dot"),), r"annotation 1 \(A\): unknown shape 'Dot'"),
        ((annotation(square(0, 0, 4)[:2]),), r"annotation 1 \(A\): 2 points; expected three"),
        ((GOOD.replace('Y="4"', 'Y="four"', 1),), "point 3: expected the numbers Order, X and Y"),
        ((GOOD.replace('X="4"', 'X="nan"', 1),), "point 2: expected the numbers Order, X and Y"),
        ((GOOD.replace('X="4"', 'X="1e999"', 1),), "point 2: expected the numbers"),
        ((GOOD.replace('Y="0"', "", 1),), "point 1: expected the numbers Order, X and Y"),
        ((GOOD.replace('Order="1"', 'Order="one"'),), "point 2: expected the numbers Order"),
    ],
)
def test_wrong_annotations(tmp_path, contents, sentence):
    path = tmp_path / "a.xml"
    if isinstance(contents, tuple):
        write_annotations(path, *contents)
    else:
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(UserError, match=sentence):
        annotations.read(path)


def test_a_missing_annotation_file(tmp_path):
    with pytest.raises(UserError, match=r"a.xml cannot be read \(No such file or directory\)"):
        annotations.read(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mpp": 0}, "mpp is 0; expected 0.06 to 20 micrometres per pixel"),
        ({"mpp": 0.05}, r"mpp is 0.05 \(is 0.5 meant\?\); expected 0.06 to 20"),
        ({"mpp": float("nan")}, "mpp is nan; expected"),
        ({"override_mpp": -1}, "override_mpp is -1; expected"),
        ({"override_mpp": 2500}, r"override_mpp is 2500 \(is 0.25 meant\?\); expected"),
        ({"size": 0}, "The size of tiles is 0; expected 1 pixel or more"),
        ({"stride": 0}, "The stride of tiles is 0; expected"),
        ({"tissue": 1.5}, "The least share of tissue is 1.5; expected 0 to 1"),
        ({"centre": 0}, "The width of the centre is 0 of a tile"),
        ({"mpp": 0.1}, "a.tif: The slide has 0.25 micrometres per pixel at its finest, coarser"),
        ({"mpp": 0.5, "override_mpp": 0.6}, "0.6 micrometres per pixel at its finest, coarser"),
    ],
)
def test_wrong_arguments(path, options, sentence):
    with pytest.raises(UserError, match=sentence):
        tiling.tile(path, **{"mpp": 0.5, "size": 64, **options})


def test_a_slide_without_a_resolution_needs_the_override(tmp_path, path):
    with slide.opened(str(path)) as opened:
        pixels = np.asarray(opened.read_region((0, 0), 0, opened.dimensions))[..., :3]
    without_mpp = write_slide(tmp_path / "without_mpp.tif", pixels, mpp=None)
    with pytest.raises(UserError, match=r"does not state its .*; set override_mpp to that"):
        tiling.tile(without_mpp, 0.5, 64)
    tiles = tiling.tile(without_mpp, 0.5, 64, override_mpp=BASE)
    expected = tiling.tile(path, 0.5, 64)
    assert tiles["item"].tolist() == [f"{item},0.25" for item in expected["item"]]
    for item, other in zip(tiles["item"], expected["item"], strict=True):
        image = slide.read_pixels(str(without_mpp), item)
        np.testing.assert_array_equal(image, slide.read_pixels(str(path), other))
