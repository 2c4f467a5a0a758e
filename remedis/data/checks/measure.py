"""Measures of one image as training reads it: hash, size and grey values, or its fault."""

import hashlib
import math
from typing import Any

import numpy as np
import tensorflow as tf

from remedis.data import readers
from remedis.data.checks import look_hashes, near_duplicates
from remedis.preprocess import decode

BINS = 32
THUMBNAIL = 8
# Largest number of pixels for colour, range and histogram; they lie on a regular grid.
SAMPLE = 16_384

# First bytes of formats that users bring, at an offset.
_FORMATS = (
    (128, b"DICM", "a DICOM file"),
    (0, b"GIF8", "a GIF file"),
    (0, b"BM", "a BMP file"),
    (0, b"II*\0", "a TIFF file"),
    (0, b"MM\0*", "a TIFF file"),
    (8, b"WEBP", "a WebP file"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 file"),
)
# Offset of the bit depth in a PNG: signature (8 bytes), length and name of the header chunk (8),
# width and height (8).
_PNG_DEPTH = 24
# Weights of red, green and blue: luma of Recommendation ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)
# An image has colour above this mean distance between its darkest and its brightest channel.
_COLOUR = 0.02

Measures = dict[str, Any]


def measure(name: str) -> Measures:
    """Returns the measures of one image by column of `scan.scan`; `fault` if it cannot be used.

    Args:
      name: absolute path of the image, as in a manifest.
    """
    location = readers.locate(name)
    contents = b""
    measures: Measures = {}
    try:
        # On the CPU, where training decodes too; a copy to an accelerator would be in vain.
        with tf.device("CPU"):
            if location.kind == readers.PIXELS:
                assert location.reader is not None
                pixels = location.reader.read_pixels(location.file, location.item)
                digest = hashlib.sha256(f"{pixels.dtype.str} {pixels.shape} ".encode())
                digest.update(pixels.tobytes())
                measures["sha256"] = digest.hexdigest()
                # Floats were converted, from values of an unknown number of bits.
                if pixels.dtype.kind == "u":
                    measures["bits"] = 8 * pixels.dtype.itemsize
                return measures | of_pixels(pixels)
            contents = location.read_bytes()
            if sentence := decode.refusal(contents):
                raise readers.Unreadable(sentence)
            measures["sha256"] = hashlib.sha256(contents).hexdigest()
            is_png = contents.startswith(decode.PNG_SIGNATURE)
            if not is_png and not contents.startswith(decode.JPEG_SIGNATURE):
                return measures | {"fault": _fault(contents)}
            # A PNG that is truncated before its bit depth does not decode: any depth serves.
            deep = is_png and len(contents) > _PNG_DEPTH
            measures["bits"] = contents[_PNG_DEPTH] if deep else 8
            return measures | of_pixels(_decoded(contents, measures["bits"]))
    except readers.Unreadable as error:
        return {"fault": str(error)}
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        return {"sha256": measures.get("sha256"), "fault": _fault(contents)}


def _decoded(contents: bytes, bits: int) -> np.ndarray:
    """Returns the pixels that `decode.decode_image` scales, [H, W, channels] uint8 or uint16."""
    # The kernels alone, with the channels an image is stored with: a graph that gives three float
    # channels would take twice as long.
    if bits == 16:
        image = tf.raw_ops.DecodePng(contents=contents, channels=0, dtype=tf.uint16)
    else:
        image = tf.raw_ops.DecodeJpeg(contents=contents, channels=0, dct_method="INTEGER_ACCURATE")
    pixels: np.ndarray = image.numpy()
    return pixels


def of_pixels(pixels: np.ndarray) -> Measures:
    """Returns the measures of [H, W, channels] uint8, uint16 or float32 in [0, 1]."""
    height, width, channels = pixels.shape
    # Alpha is dropped, as `decode_image` does.
    pixels = pixels[..., :1] if channels < 3 else pixels[..., :3]
    top = np.float32(np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)
    step = math.ceil(math.sqrt(height * width / SAMPLE))
    planes = [np.ascontiguousarray(pixels[::step, ::step, i]) for i in range(pixels.shape[2])]
    spread = _spread(planes)
    grey = (_luma(planes) if spread else planes[0].astype(np.float32)) / top
    bins = np.minimum((grey * BINS).astype(np.uint8), BINS - 1)
    fine, cells = _averaged(pixels, (look_hashes.FINE, look_hashes.FINE), near_duplicates.GRID)
    grid = _grey(cells) / top
    (thumbnail,) = _averaged(grid[..., None], (THUMBNAIL, THUMBNAIL))
    return {
        "height": height,
        "width": width,
        "channels": pixels.shape[2],
        "colour": bool(spread > _COLOUR * top),
        "low": float(grey.min()),
        "high": float(grey.max()),
        "mean": float(grid.mean()),
        "histogram": np.bincount(bins.ravel(), minlength=BINS).astype("<u2").tobytes(),
        "thumbnail": np.rint(thumbnail * 255).astype(np.uint8).tobytes(),
        "phash": near_duplicates.difference_hash(grid),
        "look": look_hashes.look_hash(_grey(fine) / top),
    }


def _spread(planes: list[np.ndarray]) -> float:
    """Returns the mean distance between the darkest and the brightest channel of 1 or 3."""
    if len(planes) == 1:
        return 0.0
    darkest = np.minimum(np.minimum(planes[0], planes[1]), planes[2])
    return float((np.maximum(np.maximum(planes[0], planes[1]), planes[2]) - darkest).mean())


def _grey(cells: np.ndarray) -> np.ndarray:
    """Returns the grey image of averages [rows, columns, channels], as float32."""
    return _luma([cells[..., i] for i in range(cells.shape[2])])


def _luma(planes: list[np.ndarray]) -> np.ndarray:
    """Returns the grey image of 1 or 3 channels [H, W], as float32."""
    if len(planes) == 1:
        return planes[0].astype(np.float32)
    red, green, blue = (p.astype(np.float32) * w for p, w in zip(planes, _LUMA, strict=True))
    return red + green + blue


def _averaged(pixels: np.ndarray, *grids: tuple[int, int]) -> list[np.ndarray]:
    """Returns the image [H, W, channels] averaged to rows and columns of each grid, float64.

    The average is by area: a pixel on an edge counts in part for both cells, so that the result is
    the same for every size of an image.

    Args:
      pixels: the image, whose rows are read only once.
      *grids: rows and columns; the rows of each divide those of the first.
    """
    most = _summed(pixels, grids[0][0])
    averages = []
    for rows, columns in grids:
        grouped = most.reshape(rows, -1, *most.shape[1:]).sum(axis=1)
        summed = _summed(grouped.swapaxes(0, 1), columns).swapaxes(0, 1)
        averages.append(summed * (rows * columns / (pixels.shape[0] * pixels.shape[1])))
    return averages


def _summed(values: np.ndarray, cells: int) -> np.ndarray:
    """Returns sums over `cells` equal parts of the first axis, float64."""
    # Integers are added as integers, several times faster than as floats.
    kind = np.uint32 if values.dtype.kind == "u" else np.float64
    edges = np.arange(cells + 1) * len(values) / cells
    whole = edges.astype(np.intp)
    whole_rows = np.empty((cells, *values.shape[1:]), kind)
    # One cell at a time: `np.add.reduceat` takes five times as long.
    for i in range(cells):
        np.add.reduce(values[whole[i] : whole[i + 1]], axis=0, dtype=kind, out=whole_rows[i])
    result = whole_rows.astype(np.float64)
    share = edges - whole
    if share.any():
        at_edge = values[whole[:-1]] * share[:-1].reshape(-1, *[1] * (values.ndim - 1))
        result -= at_edge
        result[:-1] += at_edge[1:]
    return result


def _fault(contents: bytes) -> str:
    """Returns a sentence about the contents of a file that does not decode."""
    if not contents:
        return "The file is empty."
    for signature, name in ((decode.JPEG_SIGNATURE, "JPEG"), (decode.PNG_SIGNATURE, "PNG")):
        if contents.startswith(signature):
            return f"The {name} file is truncated or damaged."
    for offset, magic, name in _FORMATS:
        if contents[offset : offset + len(magic)] == magic:
            return f"This is {name}; expected JPEG or PNG."
    return "This is not an image; expected JPEG or PNG."
