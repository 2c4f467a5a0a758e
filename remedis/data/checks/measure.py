"""Measures of images as training reads them: hash, size and grey values, or the fault."""

import hashlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from remedis.data import readers
from remedis.data.checks import pixel_measures
from remedis.data.checks.pixel_measures import Measures
from remedis.preprocess import decode

# Images of one shape are measured together up to this number of values, some 20 of 224 pixels.
_TOGETHER = 1 << 20

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


def measure(names: Sequence[str]) -> list[Measures]:
    """Returns the measures of images by column of `scan.scan`; `fault` if one cannot be used.

    Args:
      names: absolute paths of the images, as in a manifest.
    """
    found: list[Measures] = []
    waiting: list[tuple[Measures, np.ndarray]] = []

    def finish() -> None:
        if waiting:
            together = pixel_measures.of_images(np.stack([pixels for _, pixels in waiting]))
            for (measures, _), more in zip(waiting, together, strict=True):
                measures |= more
            waiting.clear()

    for name in names:
        measures, pixels = _read(name)
        found.append(measures)
        if pixels is None:
            continue
        if waiting and not _alike(waiting[0][1], pixels, len(waiting) + 1):
            finish()
        waiting.append((measures, pixels))
    finish()
    return found


def _alike(first: np.ndarray, pixels: np.ndarray, count: int) -> bool:
    """Returns whether an image can be measured together with others, `count` in all."""
    same = first.shape == pixels.shape and first.dtype == pixels.dtype
    return same and count * pixels.size <= _TOGETHER


def _read(name: str) -> tuple[Measures, np.ndarray | None]:
    """Returns the measures of a file, and its pixels [H, W, channels] if it can be used."""
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
                return measures, pixels
            contents = location.read_bytes()
            if sentence := decode.refusal(contents):
                raise readers.Unreadable(sentence)
            measures["sha256"] = hashlib.sha256(contents).hexdigest()
            is_png = contents.startswith(decode.PNG_SIGNATURE)
            if not is_png and not contents.startswith(decode.JPEG_SIGNATURE):
                return measures | {"fault": _fault(contents)}, None
            # A PNG that is truncated before its bit depth does not decode: any depth serves.
            deep = is_png and len(contents) > _PNG_DEPTH
            measures["bits"] = contents[_PNG_DEPTH] if deep else 8
            return measures, _decoded(contents, measures["bits"])
    except readers.Unreadable as error:
        return {"fault": str(error)}, None
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        return {"sha256": measures.get("sha256"), "fault": _fault(contents)}, None


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
