"""Bounds on what is read from files, so that no file takes all memory or all time.

One bound can be set: the number of pixels of an image. It applies to the whole process, since
threads and TensorFlow's graphs read images. All others are far above the needs of this field.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec, TypeVar

from remedis.errors import UserError
from remedis.options import spelled

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# Radiographs and mammograms have up to 30 million pixels. Decoding and resizing 40 million of RGB
# takes 0.6 GB in 8 bits and 0.7 GB in 16 bits, besides TensorFlow's own 0.7 GB; grey takes a third
# (benchmarks/hostile_files.py).
DEFAULT_MEGAPIXELS = 40.0
# TensorFlow decodes fewer than 2^29 values per image (`decode_image_op.cc`): 178 million of RGB.
MOST_MEGAPIXELS = 178.0

# A record of 100,000 images by hash is 10 MB. Parsed, JSON of many small
# values takes far more memory than its text: `json_records.MAX_VALUES` bounds these.
MAX_JSON_BYTES = 64 << 20
# Hashes and ids of images, in seen.json and judged.json: 265 bytes per image, a million images.
MAX_FINGERPRINT_BYTES = 256 << 20
# Predictions of 10 million images, and the scan of as many.
MAX_PARQUET_BYTES = 4 << 30
# Unpacked. The largest table of the supported data sets has 377,110 rows and 60 MB (MIMIC-CXR).
MAX_TABLE_BYTES = 256 << 20
# Text in files besides the images: annotations of slides, vocabularies, READMEs of data sets.
MAX_TEXT_BYTES = 64 << 20
# The list of the tensors of a TensorFlow checkpoint; 100 bytes per tensor.
MAX_INDEX_BYTES = 64 << 20
# The graph of a SavedModel, without its variables and constants: 2 MB for a 50x1.
MAX_GRAPH_BYTES = 64 << 20
# With the constants of a frozen graph: no protocol buffer can be larger.
MAX_FROZEN_BYTES = (2 << 30) - 1
# Besides the pixels of a JPEG or PNG: profiles, previews, comments.
_ENVELOPE_BYTES = 64 << 20
# The costliest permitted pixel of a PNG: RGBA of 16 bits, stored without compression.
_BYTES_PER_PIXEL = 8

# Frames of a DICOM file, each of which becomes a row of a manifest; cines have some thousands.
MAX_FRAMES = 100_000

# Of the whole process and not of a thread: worker threads read images, too.
_max_pixels = int(DEFAULT_MEGAPIXELS * 1e6)


def max_pixels() -> int:
    """Returns the largest number of pixels, height times width, that an image may have."""
    return _max_pixels


def max_encoded_bytes() -> int:
    """Returns the largest size of a JPEG or PNG file, with room for `max_pixels` and metadata."""
    return _max_pixels * _BYTES_PER_PIXEL + _ENVELOPE_BYTES


def max_unpacked_bytes() -> int:
    """Returns the largest size of a deflated DICOM file, unpacked: RGB of 8 bits, and a header."""
    return 3 * _max_pixels + (32 << 20)


@contextlib.contextmanager
def megapixels(value: float | None) -> Iterator[None]:
    """Sets the limit on the pixels of an image in the block, for the whole process.

    Args:
      value: million pixels; the limit stays as it is if None.

    Raises:
      UserError: the value is not above 0, or is above `MOST_MEGAPIXELS`.
    """
    global _max_pixels
    before = _max_pixels
    if value is not None:
        if not (math.isfinite(value) and 0 < value <= MOST_MEGAPIXELS):
            raise UserError(
                f"{spelled('max_megapixels')} is {value:g}; expected million pixels per image, "
                f"above 0 and at most {MOST_MEGAPIXELS:g}."
            )
        # An image has one pixel or more.
        _max_pixels = max(1, round(value * 1e6))
    try:
        yield
    finally:
        _max_pixels = before


def of_config(
    job: Callable[Concatenate[Any, _Arguments], _Result],
) -> Callable[Concatenate[Any, _Arguments], _Result]:
    """Decorates a function whose first argument is a config to run with the limit of the config.

    A config of an earlier version lacks the key `max_megapixels`: the limit stays as it is.
    """

    @functools.wraps(job)
    def limited(config: Any, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with megapixels(config.get("max_megapixels")):
            return job(config, *args, **kwargs)

    return limited


def refusal(height: int, width: int) -> str | None:
    """Returns the sentence about an image with too many pixels; None if it is within the limit.

    Args:
      height: in pixels, as the file states it.
      width: in pixels.
    """
    if height * width <= _max_pixels:
        return None
    return (
        f"The image has {width:,} x {height:,} pixels, more than the limit of "
        f"{_max_pixels / 1e6:g} megapixels; if the file is sound, make the image smaller or raise "
        f"{spelled('max_megapixels')}."
    )
