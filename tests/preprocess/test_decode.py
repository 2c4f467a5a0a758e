"""Decoding against Pillow, and against PNGs encoded here if Pillow does not support them."""

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from remedis import limits
from remedis.preprocess.decode import decode_image, refusal

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # per colour type of PNG: grey, RGB, grey + alpha, RGBA


def smooth_image() -> Image.Image:
    y, x = np.mgrid[0:33, 0:45]
    return Image.fromarray(np.stack([5 * x, 7 * y, 3 * (x + y)], axis=-1).astype(np.uint8))


def encoded(mode: str, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    smooth_image().convert(mode).save(buffer, format=form, **options)
    return buffer.getvalue()


def png(pixels: np.ndarray, depth: int, colour: int) -> bytes:
    """Encodes [H, W, channels] integers as a PNG of any depth and colour type."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width, _ = pixels.shape
    rows = pixels.reshape(height, -1)
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    else:
        bits = (rows[..., None] >> np.arange(depth)[::-1]) & 1
        lines = [np.packbits(row).tobytes() for row in bits.reshape(height, -1).astype(np.uint8)]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + line for line in lines))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def eagerly(contents: bytes) -> np.ndarray:
    return decode_image(tf.constant(contents)).numpy()


def in_a_pipeline(contents: bytes) -> np.ndarray:
    dataset = tf.data.Dataset.from_tensors(tf.constant(contents)).map(decode_image)
    assert dataset.element_spec == tf.TensorSpec([None, None, 3], tf.float32)
    return next(dataset.as_numpy_iterator())


both = pytest.mark.parametrize("decode", [eagerly, in_a_pipeline])


def with_pillow(contents: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB")) / np.float32(255)


@both
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_png_is_exactly_that_of_pillow(decode, mode):
    contents = encoded(mode, "PNG")
    image = decode(contents)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, with_pillow(contents), rtol=1e-7)


@both
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_dropped_not_blended(decode, mode):
    image = smooth_image().convert(mode)
    image.putalpha(40)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    expected = np.asarray(image.convert("RGB")) / np.float32(255)
    np.testing.assert_allclose(decode(buffer.getvalue()), expected, rtol=1e-7)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palette_of_few_bits(bits):
    buffer = io.BytesIO()
    smooth_image().quantize(2**bits).save(buffer, format="PNG", bits=bits)
    contents = buffer.getvalue()
    assert contents[24] == bits
    np.testing.assert_allclose(eagerly(contents), with_pillow(contents), rtol=1e-7)


@both
@pytest.mark.parametrize(
    ("depth", "colour"), [(1, 0), (2, 0), (4, 0), *itertools.product((8, 16), CHANNELS)]
)
def test_png_of_every_depth_scales_to_one(decode, depth, colour):
    shape = (5, 7, CHANNELS[colour])
    pixels = np.random.default_rng(depth).integers(0, 2**depth, shape)
    pixels[0, 0], pixels[0, 1] = 0, 2**depth - 1
    colours = pixels[..., :3] if colour in (2, 6) else np.repeat(pixels[..., :1], 3, axis=-1)
    image = decode(png(pixels, depth, colour))
    np.testing.assert_allclose(image, colours / (2**depth - 1), rtol=1e-6)


@both
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_jpeg_is_that_of_pillow_within_a_grey_level(decode, mode, options):
    contents = encoded(mode, "JPEG", quality=90, **options)
    # The two convert CMYK to RGB with different rounding.
    levels = 2 if mode == "CMYK" else 1
    np.testing.assert_allclose(decode(contents), with_pillow(contents), atol=levels / 255 + 1e-6)


@both
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_truncated(decode, form):
    contents = encoded("RGB", form)
    for length in (3, 8, 20, 25, 60, len(contents) // 2, len(contents) - 1):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(contents[:length])


@both
def test_truncated_sixteen_bits(decode):
    contents = png(np.full((50, 50, 1), 40_000), 16, 0)
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(contents[:-20])


@both
@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"a",
        b"not an image",
        *(encoded("RGB", form) for form in ("GIF", "BMP", "TIFF", "WEBP")),
    ],
)
def test_empty_and_other_formats(decode, contents):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(contents)


def of_size(form: str, height: int, width: int, contents: bytes) -> bytes:
    """Returns a file with another size in its header."""
    if form == "PNG":
        return contents[:16] + struct.pack(">II", width, height) + contents[24:]
    start = contents.index(b"\xff\xc0") + 5
    return contents[:start] + struct.pack(">HH", height, width) + contents[start + 4 :]


@both
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_an_image_above_the_limit_is_not_decoded(decode, form, mode):
    contents = encoded(mode, form)
    with limits.megapixels(33 * 45 / 1e6):
        assert decode(contents).shape == (33, 45, 3)
    with (
        limits.megapixels(33 * 44 / 1e6),
        pytest.raises(tf.errors.InvalidArgumentError, match="more pixels than the limit"),
    ):
        decode(contents)
    # Of a size that the decoder would allocate, or whose product needs more than 32 bits.
    for height, width in ((20_000, 20_000), (65_500, 65_500)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="more pixels than the limit"):
            decode(of_size(form, height, width, contents))


@both
@pytest.mark.parametrize(
    ("height", "width"), [(0, 5), (5, 0), (1 << 31, 1 << 31), ((1 << 32) - 1, 2)]
)
def test_a_png_of_an_impossible_size(decode, height, width):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(of_size("PNG", height, width, encoded("L", "PNG")))


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_sentence_about_an_image_above_the_limit(form):
    contents = encoded("RGB", form)
    assert refusal(contents) is None
    large = of_size(form, 20_000, 30_000, contents)
    assert "30,000 x 20,000 pixels, more than the limit of 40 megapixels" in refusal(large)
    # The decoder skips bytes before a marker, and so must whoever looks for the size.
    if form == "JPEG":
        start = large.index(b"\xff\xc0")
        assert refusal(large[:start] + b"\0\0\0" + large[start:]) == refusal(large)
    for damaged in (b"", b"GIF89a", large[:20], contents[:3]):
        assert refusal(damaged) is None


@both
def test_a_jpeg_of_very_many_scans(decode):
    contents = encoded("RGB", "JPEG", progressive=True)
    scan = contents[contents.rindex(b"\xff\xda") : -2]
    present = contents.count(b"\xff\xda")
    most, more = (contents[:-2] + scan * (count - present) + b"\xff\xd9" for count in (200, 201))
    assert refusal(most) is None
    assert decode(most).shape == (33, 45, 3)
    assert refusal(more) == (
        "The JPEG file has 201 scans; expected at most 200: save the image again."
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="more scans than expected, 200; save"):
        decode(more)
