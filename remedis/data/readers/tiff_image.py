"""Small images in TIFF files, such as Kaggle's edition of PatchCamelyon.

Names: `.tif` and `.tiff`, without an item: `x.tif#0,0,224,0.5` is a tile of a slide.
Result: [H, W, channels] uint8, or uint16 for grey of 16 bits; [H, W, 1] float32 in [0, 1] for grey
of 12 bits. Of colour of 16 bits the upper 8 are kept.

A file with several images, a pyramid or a stack, or with more pixels than a radiograph has, is no
such image: it is refused as a slide. TIFF's orientation is applied, alpha is dropped.
"""

import os
import re

import numpy as np
from PIL import TiffImagePlugin

from remedis import limits, regular_files
from remedis.data.readers import tiff_header
from remedis.data.readers.unreadable import Unreadable

SUFFIXES = (".tif", ".tiff")
NAMES = re.compile(r"\.tiff?$", re.IGNORECASE)
_BITS_PER_SAMPLE = 258  # the number of TIFF's tag
_DEEP_GREY = ("I;16", "I;16L", "I;16B")
_PLAIN = ("L", "LA", "RGB", "RGBA")
# Converted without loss of what is seen.
_CONVERTED = {"1": "L", "P": "RGB", "PA": "RGB", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}


def read_pixels(file: str, item: str) -> np.ndarray:
    """Returns a small image, [H, W, channels] uint8 or uint16, or [H, W, 1] float32.

    Args:
      file: the TIFF file.
      item: empty.

    Raises:
      Unreadable: the file cannot be read, is damaged, is a slide or a stack, or has values of an
        unknown range.
    """
    assert not item
    try:
        # Not through `Image.open`, which warns of large files before their size can be judged.
        with regular_files.open_regular(file, limits.max_encoded_bytes()) as opened:
            count = tiff_header.check(opened)
            opened.seek(0)
            image = TiffImagePlugin.TiffImageFile(opened)
            with image:  # its `__enter__` has the type of any image in Pillow 12
                return _pixels(image, count, os.path.basename(file))
    except Unreadable:
        raise
    except OSError as error:
        if error.strerror is not None:
            raise Unreadable(f"The file cannot be read ({error.strerror}).") from error
        raise Unreadable(_fault(file)) from error
    # Damaged bytes raise nearly every error in Pillow.
    except Exception as error:
        raise Unreadable(_fault(file)) from error


def _pixels(image: TiffImagePlugin.TiffImageFile, count: int, name: str) -> np.ndarray:
    width, height = image.size
    if count > 1 or limits.refusal(height, width):
        what = f"{count} images" if count > 1 else f"an image of {width}x{height} pixels"
        raise Unreadable(
            f"This TIFF file has {what} and is read as a slide: name a tile, such as "
            f"{name}#4096,8192,224,0.5 (x,y,size,mpp), or use the source slides; save a single "
            "image of a stack as a file of its own."
        )
    if image.mode in _DEEP_GREY:
        (bits,) = image.tag_v2[_BITS_PER_SAMPLE]
        deep = np.asarray(image).astype(np.uint16)[..., None]
        return deep if bits == 16 else (deep / np.float32(2**bits - 1)).astype(np.float32)
    if image.mode not in (*_PLAIN, *_CONVERTED):
        raise Unreadable(
            f"This TIFF file has values of the kind {image.mode}, whose range is unknown; expected "
            "grey of up to 16 bits, or colour: save it as PNG or TIFF of these."
        )
    plain = image.convert(_CONVERTED[image.mode]) if image.mode in _CONVERTED else image
    pixels = np.asarray(plain)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _fault(file: str) -> str:
    with regular_files.open_regular(file) as opened:
        start = opened.read(4)
    if not start:
        return "The file is empty."
    if start[:2] not in (b"II", b"MM"):
        return "This is not a TIFF file; rename it to what it is."
    return (
        "The TIFF file is truncated or damaged, or has an image of an unusual kind; expected grey "
        "of up to 16 bits, or colour."
    )
