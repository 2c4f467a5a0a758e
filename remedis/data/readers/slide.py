"""Tiles of whole slides, read through OpenSlide.

Names: `.svs`, `.tif`, `.tiff`, `.ndpi`, `.mrxs`, `.scn`, `.vms`, `.vmu`, `.bif`, `.svslide`.
Items: `x,y,size,mpp` or `x,y,size,mpp,base`: the tile's upper left corner in pixels of the finest
level, its width and height in pixels as read, its resolution in micrometres per pixel, and that of
the finest level if the slide does not state it: `slide.tif#4096,8192,224,0.5`.
Result: [size, size, 3] uint8, RGB.

A tile is read from the coarsest level that is not coarser than `mpp`, and reduced with an
antialiasing (triangular) filter. Areas that were not scanned are white, like glass.

The resolution that a slide states is refused if it cannot be right: outside the range of
`remedis.data.resolutions`, four times off that of the stated objective (10 micrometres divided by
its magnification: 0.25 for 40x, which adapters of the camera change by up to two), or so coarse
that the scan would be longer than the largest slides of glass (6 x 8 inches).
"""

import collections
import contextlib
import functools
import math
import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from remedis import extras, limits
from remedis.data import resolutions
from remedis.data.readers import tiff_header, tiff_image
from remedis.data.readers.unreadable import Unreadable
from remedis.regular_files import check_regular, open_regular

SUFFIXES = ("svs", "tif", "tiff", "ndpi", "mrxs", "scn", "vms", "vmu", "bif", "svslide")
NAMES = re.compile(rf"\.(?:{'|'.join(SUFFIXES)})$", re.IGNORECASE)
EXPECTED = "expected NAME#x,y,size,mpp"
# Relative tolerance above `mpp`: the resolutions of scanners of one model differ by this much.
TOLERANCE = 0.02

_LONGEST = 210_000.0  # micrometres: 8 inches and some
_OBJECTIVE = 10.0  # micrometres per pixel times magnification
_MOST_OFF = 4.0

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?"
_ITEM = re.compile(
    rf"(-?[0-9]{{1,9}}),(-?[0-9]{{1,9}}),([0-9]{{1,9}}),({_NUMBER})(?:,({_NUMBER}))?"
)
# Per thread; tiles read in order seldom change the slide.
_OPEN_SLIDES = 4
# Bytes, for all threads together; OpenSlide's default is 32 MB for every open slide.
_CACHE_BYTES = 64 << 20
_THREAD = threading.local()

# An open slide, `openslide.OpenSlide`; the package is optional.
Slide = Any


def read_pixels(file: str, item: str) -> np.ndarray:
    """Returns a tile of a slide as [size, size, 3] uint8, RGB.

    Args:
      file: the slide.
      item: `x,y,size,mpp` or `x,y,size,mpp,base`, see above.

    Raises:
      Unreadable: the slide cannot be opened or read, does not state its resolution, or is coarser
        than `mpp`; the item is malformed, or lies outside of the slide.
      UserError: OpenSlide is not installed.
    """
    match = _ITEM.fullmatch(item)
    if not match:
        problem = f"{item!r} is no tile of a slide" if item else "This is read as a whole slide"
        raise Unreadable(f"{problem}; {EXPECTED}, such as slide.tif#4096,8192,224,0.5.")
    x, y, size = (int(v) for v in match.groups()[:3])
    mpp, base = float(match[4]), float(match[5]) if match[5] else None
    if not size or not mpp or base == 0:
        raise Unreadable(f"{item!r} is no tile of a slide: size and mpp must be above 0.")
    for value in (mpp, base):
        if value is not None and not resolutions.is_plausible(value):
            raise Unreadable(
                f"{item!r} names {value:g} micrometres per pixel{resolutions.remark(value)}; "
                f"expected {resolutions.EXPECTED}."
            )
    with opened(file) as slide:
        level, level_mpp = choose_level(slide, mpp, base)
        scale = mpp / level_mpp
        width, height = slide.dimensions
        span = size * scale * slide.level_downsamples[level]
        if x >= width or y >= height or x + span <= 0 or y + span <= 0:
            raise Unreadable(f"{item!r} lies outside of the slide, which is {width}x{height}.")
        side = math.ceil(size * scale - 1e-6)
        if limits.refusal(side, side) or limits.refusal(size, size):
            raise Unreadable(
                f"{item!r} asks for {side}x{side} pixels of the slide at once, too many: it has no "
                f"coarser level near {mpp:g} micrometres per pixel."
            )
        region = on_white(slide.read_region((x, y), level, (side, side)))
        if side != size or not math.isclose(scale, 1.0, rel_tol=1e-6):
            filters = extras.load("PIL.Image", "slides").Resampling
            box = (0.0, 0.0, min(size * scale, side), min(size * scale, side))
            region = region.resize((size, size), filters.BILINEAR, box=box)
        return np.asarray(region)


def choose_level(slide: Any, mpp: float, base: float | None) -> tuple[int, float]:
    """Returns the coarsest level that is not coarser than `mpp`, and its micrometres per pixel.

    Args:
      slide: the open slide.
      mpp: micrometres per pixel wanted; a level coarser by 2 % still serves.
      base: micrometres per pixel of the finest level; read from the slide if not given.

    Raises:
      Unreadable: the resolution is neither in the slide nor given, is not plausible, or even the
        finest level is coarser than `mpp`.
    """
    base = resolution(slide) if base is None else base
    level_mpps = [base * downsample for downsample in slide.level_downsamples]
    fine = [i for i, level_mpp in enumerate(level_mpps) if level_mpp <= mpp * (1 + TOLERANCE)]
    if not fine:
        raise Unreadable(
            f"The slide has {min(level_mpps):.4g} micrometres per pixel at its finest, coarser "
            f"than the {mpp:g} wanted."
        )
    level = max(fine, key=level_mpps.__getitem__)
    return level, level_mpps[level]


class NotStated(Unreadable):
    """A slide does not state its micrometres per pixel."""


def resolution(slide: Any) -> float:
    """Returns the micrometres per pixel of the finest level.

    Raises:
      NotStated: the slide does not state them.
      Unreadable: they are not plausible, or its pixels are not square.
    """
    values = [_property(slide, f"openslide.mpp-{axis}") for axis in "xy"]
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise NotStated("The slide does not state its micrometres per pixel.")
    if abs(values[0] - values[1]) > TOLERANCE * min(values):
        raise Unreadable(
            f"The slide's pixels are not square: {values[0]:.4g} by {values[1]:.4g} micrometres."
        )
    mpp = sum(values) / 2
    if doubt := _doubt(slide, mpp):
        remark = resolutions.remark(mpp)
        raise Unreadable(f"The slide states {mpp:.4g} micrometres per pixel{remark}, but {doubt}.")
    return mpp


def _doubt(slide: Any, mpp: float) -> str:
    """Returns why a slide cannot have the resolution it states, or nothing."""
    if not resolutions.is_plausible(mpp):
        return f"{resolutions.EXPECTED} are expected"
    power = _property(slide, "openslide.objective-power")
    if power > 0 and not 1 / _MOST_OFF <= mpp * power / _OBJECTIVE <= _MOST_OFF:
        return f"an objective of {power:g}x, which gives about {_OBJECTIVE / power:.2g}"
    length = max(slide.dimensions) * mpp
    if length > _LONGEST:
        return f"would then be {length / 1e4:,.0f} cm long, longer than any slide"
    return ""


def _property(slide: Any, name: str) -> float:
    try:
        return float(slide.properties[name])
    except (KeyError, ValueError):
        return math.nan


def on_white(region: Any) -> Any:
    """Returns an RGBA image as RGB on a white background."""
    images = extras.load("PIL.Image", "slides")
    white = images.new("RGB", region.size, (255, 255, 255))
    white.paste(region, mask=region.getchannel("A"))
    return white


@contextlib.contextmanager
def opened(file: str) -> Iterator[Any]:
    """Yields an open slide, kept open for the thread's next tile.

    Raises:
      Unreadable: the slide cannot be opened or, in the block, read.
    """
    openslide = extras.load("openslide", "slides")
    slides: collections.OrderedDict[tuple[str, int, int], Any]
    slides = _THREAD.__dict__.setdefault("slides", collections.OrderedDict())
    try:
        status = check_regular(file)
    except OSError as error:
        raise Unreadable(f"The file cannot be read ({error.strerror}).") from error
    # A file that was replaced must be opened again.
    key = (file, status.st_size, status.st_mtime_ns)
    try:
        slide = slides.pop(key, None) or _open(openslide, file)
        yield slide
    except (openslide.OpenSlideError, OSError) as error:
        # After an error OpenSlide refuses all reads, so the slide is not kept open.
        damaged = not isinstance(error, openslide.OpenSlideUnsupportedFormatError)
        fault = "is truncated or damaged" if damaged else "is not of a format OpenSlide reads"
        hint = "; a small image in TIFF is read by the name of its file alone, without #"
        is_tiff = not damaged and tiff_image.NAMES.search(file)
        raise Unreadable(f"The slide {fault}{hint if is_tiff else ''}.") from None
    slides[key] = slide
    while len(slides) > _OPEN_SLIDES:
        slides.popitem(last=False)[1].close()


def _open(openslide: Any, file: str) -> Any:
    # GLib ends the process if the memory for a tile cannot be had.
    with open_regular(file) as opened_file:
        tiff_header.check(opened_file, tile_only=True)
    slide = openslide.OpenSlide(file)
    slide.set_cache(_cache())
    return slide


@functools.cache
def _cache() -> Any:
    return extras.load("openslide", "slides").OpenSlideCache(_CACHE_BYTES)
