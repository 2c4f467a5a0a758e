"""Tiles of synthetic slides, compared pixel for pixel."""

import gc
import os
import re
import struct
import threading
import types

import numpy as np
import openslide
import pytest
import tifffile
from slide_helpers import PINK, PURPLE, WHITE, blank, write_slide

from remedis.data.readers import PIXELS, locate, slide
from remedis.data.readers.unreadable import Unreadable

BASE = 0.25


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """Returns a slide of noise at 0.25 micrometres per pixel, levels 1, 2 and 4, and its pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (512, 768, 3)).astype(np.uint8)
    path = write_slide(tmp_path_factory.mktemp("slides") / "noisy.tif", pixels, BASE)
    return str(path), pixels


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    """Returns a slide of glass with a pink square at (128, 64) and a purple one at (320, 256)."""
    pixels = blank(768, 512)
    pixels[64:192, 128:256] = PINK
    pixels[256:384, 320:448] = PURPLE
    return str(write_slide(tmp_path_factory.mktemp("slides") / "squares.tif", pixels, BASE))


def halved(pixels: np.ndarray) -> np.ndarray:
    """Returns the next level, rounded like the levels of the file."""
    height, width, _ = pixels.shape
    return pixels.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3)).round()


def test_openslide_reads_the_file_as_a_slide(noisy):
    with openslide.OpenSlide(noisy[0]) as opened:
        assert opened.level_downsamples == (1, 2, 4)
        assert float(opened.properties["openslide.mpp-x"]) == pytest.approx(BASE)


@pytest.mark.parametrize(("x", "y", "size"), [(0, 0, 64), (100, 37, 50), (700, 450, 62)])
def test_the_finest_level_pixel_for_pixel(noisy, x, y, size):
    path, pixels = noisy
    image = slide.read_pixels(path, f"{x},{y},{size},{BASE}")
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, pixels[y : y + size, x : x + size])


@pytest.mark.parametrize("level", [1, 2])
def test_the_level_of_the_wanted_size_pixel_for_pixel(noisy, level):
    path, pixels = noisy
    for _ in range(level):
        pixels = halved(pixels)
    scale = 2**level
    image = slide.read_pixels(path, f"{40 * scale},{24 * scale},32,{BASE * scale}")
    np.testing.assert_array_equal(image, pixels[24:56, 40:72])


@pytest.mark.parametrize(
    ("mpp", "level"),
    [(0.246, 0), (0.25, 0), (0.3, 0), (0.48, 0), (0.495, 1), (0.5, 1), (0.9, 1), (1.0, 2), (7, 2)],
)
def test_the_coarsest_level_that_is_not_coarser(noisy, mpp, level):
    with slide.opened(noisy[0]) as opened:
        assert slide.choose_level(opened, mpp, None) == (level, pytest.approx(BASE * 2**level))


@pytest.mark.parametrize("mpp", [0.25, 0.375, 0.5, 0.8, 1.0, 2.0])
def test_squares_keep_their_place_and_size_at_any_resolution(squares, mpp):
    # The tile covers the slide from (64, 0) on, 384 of its pixels wide.
    size = round(384 * BASE / mpp)
    image = slide.read_pixels(squares, f"64,0,{size},{mpp}").astype(float)
    scale = mpp / BASE
    centres = (np.arange(size) + 0.5) * scale
    for colour, left, top in ((PINK, 128, 64), (PURPLE, 320, 256)):
        # One pixel inside of the edges, the colour is plain.
        across = (centres - scale > left - 64) & (centres + scale < left - 64 + 128)
        down = (centres - scale > top) & (centres + scale < top + 128)
        plain = image[np.ix_(down, across)]
        assert plain.size
        np.testing.assert_allclose(plain, np.broadcast_to(colour, plain.shape), atol=1)
    # The coloured area is that of the squares.
    grey = 255 - image[..., 1]
    pink = (255 - PINK[1]) * 128**2 + (255 - PURPLE[1]) * 128**2
    assert grey.sum() * scale**2 == pytest.approx(pink, rel=0.02)


def test_a_block_is_averaged_antialiased(tmp_path):
    # Stripes one pixel wide average to grey; without antialiasing they would stay stripes.
    pixels = blank(256, 256)
    pixels[:, ::2] = 0
    path = str(write_slide(tmp_path / "stripes.tif", pixels, BASE, levels=1))
    image = slide.read_pixels(path, f"0,0,64,{4 * BASE}")
    np.testing.assert_allclose(image[:, 2:-2], 127.5, atol=8)


def test_areas_outside_of_the_scan_are_white(noisy):
    path, pixels = noisy
    image = slide.read_pixels(path, f"-20,-10,40,{BASE}")
    np.testing.assert_array_equal(image[10:, 20:], pixels[:30, :20])
    np.testing.assert_array_equal(image[:10], np.broadcast_to(WHITE, (10, 40, 3)))
    np.testing.assert_array_equal(image[:, :20], np.broadcast_to(WHITE, (40, 20, 3)))
    image = slide.read_pixels(path, f"760,500,40,{BASE}")
    np.testing.assert_array_equal(image[:12, :8], pixels[500:, 760:])
    assert (image[12:] == 255).all()


def test_resolution_given_with_the_item(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    path = str(write_slide(tmp_path / "silent.tif", pixels, mpp=None))
    with pytest.raises(Unreadable, match="does not state its micrometres per pixel"):
        slide.read_pixels(path, "0,0,32,0.5")
    image = slide.read_pixels(path, "4,6,32,0.5,0.5")
    np.testing.assert_array_equal(image, pixels[6:38, 4:36])


def test_from_many_threads(noisy):
    path, pixels = noisy
    wrong = []

    def read(seed: int) -> None:
        generator = np.random.default_rng(seed)
        for x, y in generator.integers(0, 400, (20, 2)):
            image = slide.read_pixels(path, f"{x},{y},32,{BASE}")
            if not np.array_equal(image, pixels[y : y + 32, x : x + 32]):
                wrong.append((x, y))

    threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_slides_stay_open_but_not_all_of_them(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(
        slide, "_open", lambda o, f, real=slide._open: (opened.append(f), real(o, f))[1]
    )
    pixels = blank(128, 128)
    paths = [str(write_slide(tmp_path / f"{i}.tif", pixels, BASE)) for i in range(6)]
    for path in (paths[0], paths[0], *paths, paths[0], paths[5]):
        slide.read_pixels(path, f"0,0,32,{BASE}")
    assert opened == [*paths, paths[0]]
    gc.collect()
    # A file that was replaced is opened again.
    write_slide(tmp_path / "5.tif", np.zeros_like(pixels), BASE)
    assert (slide.read_pixels(paths[5], f"0,0,32,{BASE}") == 0).all()


@pytest.mark.parametrize(
    ("name", "taken"),
    [("a.svs", True), ("A.TIF", True), ("a.tiff", True), ("a.ndpi", True), ("a.tif.png", False)],
)
def test_names(name, taken):
    location = locate(f"folder/{name}#0,0,32,0.5")
    assert (location.reader is slide) == taken
    if taken:
        assert (location.item, location.kind) == ("0,0,32,0.5", PIXELS)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("", "This is read as a whole slide; expected NAME#x,y,size,mpp"),
        ("17", "'17' is no tile of a slide; expected"),
        ("0,0,32", "'0,0,32' is no tile"),
        ("0,0,32,0.5,0.25,1", "is no tile"),
        ("0.5,0,32,0.5", "is no tile"),
        ("0,0,-32,0.5", "is no tile"),
        ("0,0,32,nan", "is no tile"),
        ("0,0,0,0.5", "size and mpp must be above 0"),
        ("0,0,32,0", "size and mpp must be above 0"),
        ("0,0,32,0.5,0", "size and mpp must be above 0"),
        ("0,0,32,0.05", "names 0.05 micrometres per pixel (is 0.5 meant?); expected 0.06 to"),
        ("0,0,32,0.5,25", "names 25 micrometres per pixel (is 0.25 meant?); expected"),
        ("768,0,32,0.5", "'768,0,32,0.5' lies outside of the slide, which is 768x512"),
        ("0,-64,32,0.5", "lies outside of the slide"),
        ("0,0,32,0.2", "0.25 micrometres per pixel at its finest, coarser than the 0.2 wanted"),
        ("0,0,4480,10", "asks for 44800x44800 pixels of the slide at once"),
        ("0,0,99999,0.25", "asks for 99999x99999 pixels"),
    ],
)
def test_wrong_items(squares, item, sentence):
    with pytest.raises(Unreadable, match=re.escape(sentence)):
        slide.read_pixels(squares, item)


def stating(mpp, power=None, width=100_000):
    """Returns what `slide.resolution` reads of an open slide."""
    properties = {"openslide.mpp-x": str(mpp), "openslide.mpp-y": str(mpp)}
    if power is not None:
        properties["openslide.objective-power"] = str(power)
    return types.SimpleNamespace(properties=properties, dimensions=(width, 1000))


@pytest.mark.parametrize(
    ("mpp", "power", "width"),
    [
        (0.2527, 40, 100_000),
        (0.4992, 20, 60_000),
        # A doubler behind 20x; an adapter of the camera; a scan at 2x; 100x with oil; half a brain.
        (0.25, 20, 100_000),
        (0.37, 20, 60_000),
        (5.0, 2, 5_000),
        (0.065, 100, 300_000),
        (0.5, 20, 400_000),
        (1.0, None, 60_000),
    ],
)
def test_resolutions_of_scanners(mpp, power, width):
    assert slide.resolution(stating(mpp, power, width)) == mpp


@pytest.mark.parametrize(
    ("mpp", "power", "width", "sentence"),
    [
        (0.05, None, 1000, r"states 0.05 .* \(is 0.5 meant\?\), but 0.06 to 20 micrometres per pi"),
        (25, None, 1000, r"states 25 .* \(is 0.25 meant\?\), but 0.06 to 20"),
        (2.5, 40, 1000, r"\(is 0.25 meant\?\), but an objective of 40x, which gives about 0.25\."),
        (0.1, 10, 1000, r"but an objective of 10x, which gives about 1\."),
        (2.5, None, 100_000, r"\(is 0.25 meant\?\), but would then be 25 cm long, longer than any"),
    ],
)
def test_resolutions_that_cannot_be(mpp, power, width, sentence):
    with pytest.raises(Unreadable, match=sentence):
        slide.resolution(stating(mpp, power, width))


def write_oblong(path):
    resolution = {"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, blank(128, 128), tile=(64, 64), photometric="rgb", **resolution)


def write_striped(path):
    tifffile.imwrite(path, blank(128, 128), photometric="rgb")


def write_tile_of(side):
    """Returns a writer of a slide whose tiles declare another size."""

    def write(path):
        write_slide(path, blank(512, 512))
        contents = bytearray(path.read_bytes())
        for tag in (322, 323):
            for kind in (3, 4):
                place = contents.find(struct.pack("<HHI", tag, kind, 1))
                if place >= 0:
                    contents[place : place + 12] = struct.pack("<HHII", tag, 4, 1, side)
        path.write_bytes(contents)

    return write


def write_cut(path):
    write_slide(path, np.random.default_rng(0).integers(0, 256, (512, 512, 3)).astype(np.uint8))
    contents = path.read_bytes()
    # The tiles come before the directory that lists them, and the directory is cut off.
    path.write_bytes(contents[: len(contents) // 2])


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: None, r"The file cannot be read \(No such file or directory\)"),
        (lambda path: path.write_bytes(b""), "is not of a format OpenSlide reads"),
        (lambda path: path.write_bytes(b"no slide" * 99), "is not of a format OpenSlide reads"),
        (lambda path: path.write_bytes(b"II*\0" + b"\xff" * 99), "is not of a format|is truncated"),
        (lambda path: path.mkdir(), r"The file cannot be read \(Is a directory\)"),
        (os.mkfifo, r"The file cannot be read \(a pipe \(FIFO\), expected a regular file\)"),
        (write_tile_of(60_000), "A tile of the TIFF file is too large. The image has 60,000 x 60"),
        (write_striped, "is not of a format OpenSlide reads"),
        (write_oblong, "pixels are not square: 0.25 by 0.5 micrometres"),
        (write_cut, "is truncated or damaged|is not of a format"),
    ],
)
def test_wrong_files(tmp_path, write, sentence):
    path = tmp_path / "a.tif"
    write(path)
    with pytest.raises(Unreadable, match=sentence):
        slide.read_pixels(str(path), "256,256,128,0.25")


def test_a_repaired_slide_is_read(tmp_path, noisy):
    path = tmp_path / "a.tif"
    write_cut(path)
    with pytest.raises(Unreadable):
        slide.read_pixels(str(path), "256,256,128,0.25")
    write_slide(path, noisy[1])
    assert np.array_equal(slide.read_pixels(str(path), "0,0,64,0.25"), noisy[1][:64, :64])
