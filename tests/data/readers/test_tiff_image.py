"""Small images in TIFF files against the arrays they were written from."""

import io
import struct

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tifffile
from PIL import Image
from slide_helpers import blank, write_slide

from remedis.data.batches.image_loader import image_loader
from remedis.data.checks import scan
from remedis.data.manifest import REQUIRED, Manifest
from remedis.data.readers import PIXELS, locate, slide, tiff_header, tiff_image
from remedis.data.readers.unreadable import Unreadable
from remedis.data.sources import folder

COLOUR = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]
DEEP = GREY.astype(np.uint16) * 257
ALPHA = np.dstack([COLOUR, np.full((9, 7), 128, np.uint8)])


def read(path) -> np.ndarray:
    return locate(str(path)).read_pixels()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("name", ["a.tif", "A.TIFF"])
def test_colour(tmp_path, compression, name):
    Image.fromarray(COLOUR).save(tmp_path / name, "TIFF", compression=compression)
    image = read(tmp_path / name)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, COLOUR / np.float32(255))


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (GREY, {}, GREY / 255),
        (GREY, {"photometric": "miniswhite"}, 1 - GREY / 255),
        (DEEP, {}, GREY / 255),
        (DEEP, {"byteorder": ">"}, GREY / 255),
        (ALPHA, {"photometric": "rgb", "extrasamples": ["unassalpha"]}, COLOUR / 255),
        (COLOUR, {"photometric": "rgb", "planarconfig": "separate"}, COLOUR / 255),
        # Pillow keeps the upper 8 bits of 16.
        (COLOUR.astype(np.uint16) * 257, {"photometric": "rgb"}, COLOUR / 255),
        (blank(64, 64) // 2, {"photometric": "rgb", "tile": (32, 32)}, np.full((64, 64, 3), 0.498)),
    ],
)
def test_kinds(tmp_path, pixels, options, expected):
    if options.get("planarconfig") == "separate":
        pixels = pixels.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=-1)
    np.testing.assert_allclose(read(tmp_path / "a.tif"), expected, atol=1e-3)


def test_bits_palettes_and_twelve_bits(tmp_path):
    Image.fromarray(GREY > 99).save(tmp_path / "bits.tif")
    np.testing.assert_array_equal(read(tmp_path / "bits.tif")[..., 0], GREY > 99)
    palette = Image.fromarray(COLOUR).quantize(200)
    palette.save(tmp_path / "palette.tif")
    expected = np.asarray(palette.convert("RGB")) / np.float32(255)
    np.testing.assert_array_equal(read(tmp_path / "palette.tif"), expected)
    # Two values of 12 bits are three bytes; rows begin with a byte.
    values = np.arange(0, 4096, 65).reshape(8, 8)
    first, second = values[:, ::2], values[:, 1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    tifffile.imwrite(
        tmp_path / "twelve.tif",
        iter([packed.astype(np.uint8).tobytes()]),
        shape=(8, 8),
        dtype=np.uint16,
        bitspersample=12,
        rowsperstrip=8,
    )
    image = read(tmp_path / "twelve.tif")
    np.testing.assert_allclose(image[..., 0], values / 4095, atol=1e-6)


def test_slides_and_items_stay_slides(tmp_path):
    path = write_slide(tmp_path / "slide.tif", blank(256, 256))
    sentence = r"has 3 images and is read as a slide: name a tile, such as slide.tif#4096,8192,224"
    with pytest.raises(Unreadable, match=sentence):
        read(path)
    assert locate(f"{path}#0,0,64,0.25").reader is slide
    assert read(f"{path}#0,0,64,0.25").shape == (64, 64, 3)
    Image.fromarray(COLOUR).save(tmp_path / "patch.tif")
    with pytest.raises(Unreadable, match=r"OpenSlide reads; a small image in TIFF is read by the"):
        read(tmp_path / "patch.tif#0,0,5,0.25")


def test_large_images_are_slides(tmp_path, monkeypatch, recwarn):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "large.tif", compression="group4")
    with pytest.raises(Unreadable, match=r"has an image of 20000x10000 pixels and is read as a sl"):
        read(tmp_path / "large.tif")
    assert not recwarn


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\x89PNG\r\n", "This is not a TIFF file; rename it"),
        (b"II*\0", "The TIFF file is truncated or damaged"),
        (b"MM\0*" + bytes(60), "The TIFF file is truncated or damaged"),
    ],
)
def test_damaged_files(tmp_path, contents, sentence):
    (tmp_path / "a.tif").write_bytes(contents)
    with pytest.raises(Unreadable, match=sentence):
        read(tmp_path / "a.tif")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
def test_truncated_and_unusual_files(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(COLOUR).save(path, compression="tiff_lzw")
    contents = path.read_bytes()
    for length in range(4, len(contents) - 8, 9):
        path.write_bytes(contents[:length])
        with pytest.raises(Unreadable):
            read(path)
    tifffile.imwrite(path, GREY.astype(np.float32))
    with pytest.raises(Unreadable, match="values of the kind F, whose range is unknown; expected"):
        read(path)
    five = np.zeros((4, 4, 5), np.uint8)
    tifffile.imwrite(path, five, photometric="minisblack", planarconfig="contig")
    with pytest.raises(Unreadable, match="of an unusual kind; expected grey of up to 16 bits, or"):
        read(path)
    with pytest.raises(Unreadable, match=r"cannot be read \(No such file"):
        read(tmp_path / "b.tif")


def test_patches_are_scanned_and_loaded(tmp_path):
    for i in range(2):
        Image.fromarray(np.roll(COLOUR, i)).save(tmp_path / f"{i}.tif")
    table = pd.DataFrame(dict.fromkeys(REQUIRED), index=range(2))
    table = table.assign(path=["0.tif", "1.tif"], tumor=np.float32([0, 1]))
    m = Manifest(table, ("tumor",), tmp_path, "csv")
    scanned = scan.scan(m)
    assert scanned["fault"].isna().all()
    assert scanned["bits"].tolist() == [8, 8]
    assert scanned["colour"].all()
    loaded = list(tf.data.Dataset.range(2).map(image_loader(m)).as_numpy_iterator())
    np.testing.assert_array_equal(loaded[1], np.roll(COLOUR, 1) / np.float32(255))


def test_patches_in_folders(tmp_path):
    for name in ("normal", "tumor"):
        (tmp_path / name).mkdir()
        Image.fromarray(COLOUR).save(tmp_path / name / "a.tif")
    m = folder.load(tmp_path, allow_missing_patient_ids=True)
    assert m.table["path"].tolist() == ["normal/a.tif", "tumor/a.tif"]
    assert all(locate(path).kind == PIXELS for path in m.absolute_paths())
    assert locate(m.absolute_paths()[0]).reader is tiff_image


def directory(entries, following=0, order="<", big=False):
    """Returns one directory of (tag, type, count, value)."""
    count, entry, offset = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    rows = [struct.pack(order + entry, *values) for values in entries]
    return b"".join(
        [struct.pack(order + count, len(rows)), *rows, struct.pack(order + offset, following)]
    )


TILE = [(322, 4, 1, 8_000), (323, 4, 1, 9_000)]


@pytest.mark.parametrize(
    ("directories", "sentence"),
    [
        (directory(TILE), "A tile of the TIFF file is too large. The image has 8,000 x 9,000 pix"),
        (directory([(i, 4, 1, 0) for i in range(1_001)]), "has 1,001 entries; expected at most 1"),
        (directory([(i, 7, 900, 8) for i in range(1_000)]), "it declares more than it holds"),
        (
            b"".join(directory([], 8 + 6 * (i + 1)) for i in range(10_001)),
            "The TIFF file has more than 10,000 images",
        ),
    ],
)
def test_what_a_file_declares_is_bounded(tmp_path, directories, sentence):
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + directories)
    with pytest.raises(Unreadable) as error:
        read(path)
    assert sentence in str(error.value)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_directories_of_each_form_are_checked(order, big):
    size = 16 if big else 8
    start = (b"II" if order == "<" else b"MM") + (
        struct.pack(f"{order}HHHQ", 43, 8, 0, size) if big else struct.pack(f"{order}HI", 42, size)
    )
    one = directory([], size + len(directory([], 0, order, big)), order, big)
    assert tiff_header.check(io.BytesIO(start + one + directory([], 0, order, big))) == 2
    # A circle of directories ends.
    assert tiff_header.check(io.BytesIO(start + directory([], size, order, big))) == 1
    kind = 16 if big else 4  # as wide as the value's place
    tile = directory([(tag, kind, 1, side) for tag, _, _, side in TILE], 0, order, big)
    with pytest.raises(Unreadable, match="A tile of the TIFF file"):
        tiff_header.check(io.BytesIO(start + one + tile), tile_only=True)
