"""DICOM files: what a viewer would show of them, in [0, 1].

Names: `.dcm`, `.dicom` or `.ima` (Siemens) in any case, or a DICOM identifier (digits with three
dots or more), bare as archives name files by, or behind a modality as DCMTK's `storescp` does:
`CR.1.2.840.113`. Other names, such as `IM0001`, are not taken: only a look into the file could tell
them from other files, and names are sorted without one. Rename those.
A file of several frames needs the frame, counted from 1 as the standard counts: `cine.dcm#3`.

What is done with the stored values, in the standard's order (PS3.3 C.7.6.3, C.11.1, C.11.2):
bits above the stored ones are dropped; the modality LUT, or slope and intercept; the first VOI LUT,
else the first window (LINEAR, LINEAR_EXACT or SIGMOID), else the full range of the stored bits, so
that 12 bits are not dark; inverted where MONOCHROME1 or the presentation LUT shape INVERSE says so
(once, since both say the same thing); padding is black. Colour becomes RGB. Frames of enhanced
multi-frame files have these settings each. What cannot be shown rightly is refused: floating-point
pixels, presentation LUTs with a table, values that are not finite.

Pixels come from pydicom, compressed ones from pylibjpeg alone, so that the same file gives the same
pixels on every machine.
"""

import re
from typing import Any

import numpy as np

from remedis import extras
from remedis.data.readers import dicom_codestream, dicom_grey, dicom_header
from remedis.data.readers.dicom_header import quietly, text, value_of
from remedis.data.readers.unreadable import Unreadable
from remedis.errors import UserError

SUFFIXES = (".dcm", ".dicom", ".ima")
NAMES = re.compile(
    r"\.(?:dcm|dicom|ima)$|^(?:[a-z]{2,10}\.)?[0-9]+(?:\.[0-9]+){3,}$", re.IGNORECASE
)

# What tells whether there is an image.
IMAGE_KEYWORDS = ("SOPClassUID", "Rows", "PhotometricInterpretation")
# A radiograph has up to 30 million pixels; far beyond that, a damaged header asks for the memory.
_MOST_PIXELS = 1 << 28
_SIZES = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel")
_NEEDED = (
    *_SIZES,
    *IMAGE_KEYWORDS,
    "NumberOfFrames",
    *dicom_grey.KEYWORDS,
    *(
        f"{kind}{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for kind, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
    ),
)
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "PlanarConfiguration")
_PALETTE, _GREYS = "PALETTE COLOR", ("MONOCHROME1", "MONOCHROME2")
_DAMAGED = "The DICOM header is damaged."
# What JPEG 2000 decoders turn into RGB by themselves; pydicom does the others.
_DECODED = ("YBR_ICT", "YBR_RCT")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", *_DECODED)


def read_pixels(file: str, item: str) -> np.ndarray:
    """Returns an image of a DICOM file as float32 in [0, 1]: [H, W, 1] if it is grey, or [H, W, 3].

    Args:
      file: the DICOM file.
      item: the frame, from 1; empty for a file of one frame.

    Raises:
      Unreadable: the file cannot be read, is damaged, or holds no image that can be shown rightly.
      UserError: pydicom or a decoder is not installed.
    """
    header = dicom_header.read(file, _NEEDED)
    colours = _check(header)
    frame = _frame(header, item)
    stored = _stored(file, header, colours, frame)
    image = _shown(header, stored, colours, frame)
    if not np.isfinite(image).all():
        raise Unreadable("The DICOM header leads to values that are not finite.")
    if image.ndim == 2:
        image = image[..., None]
    return np.ascontiguousarray(image, dtype=np.float32)


def frames(header: Any) -> int:
    """Returns the number of frames that a header with `NumberOfFrames` tells of.

    Raises:
      Unreadable: the header has no number of frames that could be.
    """
    count = _integer(header, "NumberOfFrames", 1)
    if count < 1:
        raise Unreadable("The DICOM header has no frames: NumberOfFrames is below 1.")
    return count


def has_image(header: Any) -> bool:
    """Returns whether a header is that of an image.

    Args:
      header: with `IMAGE_KEYWORDS`.

    Raises:
      Unreadable: it tells of no image where there should be one: it is cut off or damaged.
    """
    if any(value_of(header, name) is not None for name in IMAGE_KEYWORDS[1:]):
        return True
    kind = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
    if not kind or "Image Storage" in _name(kind):
        raise Unreadable("The DICOM header is cut off or damaged: it tells of no image.")
    return False


def _check(header: Any) -> str:
    """Returns the photometric interpretation, of a header whose image can be decoded."""
    if not has_image(header):
        raise Unreadable(f"This DICOM file holds no image{_name(text(header, 'SOPClassUID'))}.")
    sizes = {name: _integer(header, name, 1 if name == "SamplesPerPixel" else 0) for name in _SIZES}
    for name, value in sizes.items():
        if value < 1:
            raise Unreadable(f"The DICOM header has no {name}, or it is 0.")
    if sizes["Rows"] * sizes["Columns"] > _MOST_PIXELS:
        raise Unreadable(
            f"The DICOM header tells of an image of {sizes['Rows']}x{sizes['Columns']} pixels, "
            "more than can be; it is damaged."
        )
    colours = text(header, "PhotometricInterpretation")
    if colours not in (*_GREYS, _PALETTE, *_COLOURS):
        raise Unreadable(
            "The DICOM header has no photometric interpretation that is known; expected "
            f"{', '.join((*_GREYS, _PALETTE, *_COLOURS))}."
        )
    samples = 3 if colours in _COLOURS else 1
    if sizes["SamplesPerPixel"] != samples:
        raise Unreadable(
            f"The DICOM header has {sizes['SamplesPerPixel']} samples a pixel, where {colours} has "
            f"{samples}."
        )
    return colours


def _name(uid: str) -> str:
    """Returns a DICOM identifier's name in brackets, from the standard, never from the header."""
    known = extras.load("pydicom.uid", "dicom").UID_dictionary
    return f" ({known[uid][0]})" if uid in known else ""


def _frame(header: Any, item: str) -> int:
    """Returns the frame's number from 0."""
    count = frames(header)
    if not item:
        if count > 1:
            raise Unreadable(
                f"This DICOM file has {count} frames; name one of them, from #1 to #{count}."
            )
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", item) or not 1 <= int(item) <= count:
        raise Unreadable(
            f"There is no frame {item!r} in this DICOM file; expected a number from 1 to {count}."
        )
    return int(item) - 1


def _stored(file: str, header: Any, colours: str, frame: int) -> np.ndarray:
    """Returns the stored values, [H, W] or [H, W, 3] integers; colours are RGB."""
    pixels = extras.load("pydicom.pixels", "dicom")
    if not quietly(lambda: header.file_meta.get("TransferSyntaxUID"), _DAMAGED):
        raise Unreadable(
            "The DICOM header has no transfer syntax: how pixels are coded is unknown."
        )
    syntax = header.file_meta.TransferSyntaxUID
    decoder = quietly(
        lambda: pixels.get_decoder(syntax),
        f"The pixels are coded in a way that cannot be decoded{_name(syntax)}.",
    )
    size = (_integer(header, "Rows"), _integer(header, "Columns"))
    compressed = decoder.is_encapsulated
    source = _source(file, header, syntax)
    # Of grey images the bits above those used may tell padding; `dicom_grey` drops them later.
    options = {"correct_unused_bits": False} if colours in _GREYS else {}
    if colours in _DECODED and not compressed:
        raise Unreadable(f"The DICOM header says {colours} of pixels that are not compressed.")
    if compressed:
        extras.load("pylibjpeg", "dicom")
        if "pylibjpeg" not in decoder.available_plugins:
            raise UserError(
                f"Pixels coded as{_name(syntax)} need a decoder that is not installed; install it "
                "with `pip install 'remedis[dicom]'`."
            )
        # Run-length codes have no size of their own; they are decoded to what the header says.
        if syntax != extras.load("pydicom.uid", "dicom").RLELossless:
            dicom_codestream.check(source, frame, frames(header), size)
    stored: np.ndarray = quietly(
        lambda: pixels.pixel_array(
            source,
            index=frame,
            decoding_plugin="pylibjpeg" if compressed else "",
            **options,
        ),
        "The pixel data are missing, truncated or damaged.",
    )
    if stored.dtype.kind == "f":
        raise Unreadable("This DICOM file has floating-point pixels, for which no range is known.")
    expected = size if colours in (*_GREYS, _PALETTE) else (*size, 3)
    if stored.shape != expected:
        raise Unreadable(
            f"The pixel data are {'x'.join(map(str, stored.shape))}, where the DICOM header tells "
            f"of {'x'.join(map(str, expected))}."
        )
    return stored


def _source(file: str, header: Any, syntax: Any) -> Any:
    """Returns what pydicom shall decode: the file, to read one frame of many, or all of it."""
    if frames(header) > 1 and not syntax.is_deflated:
        return file
    pydicom = extras.load("pydicom", "dicom")
    return quietly(lambda: pydicom.dcmread(file, specific_tags=[*_NEEDED, *_PIXELS]), _DAMAGED)


def _shown(header: Any, stored: np.ndarray, colours: str, frame: int) -> np.ndarray:
    if colours in _GREYS:
        return dicom_grey.shown(header, stored, colours == "MONOCHROME1", frame)
    if colours == _PALETTE:
        pixels = extras.load("pydicom.pixels", "dicom")
        if not header.file_meta.TransferSyntaxUID.is_little_endian:
            # pydicom reads the palette's bytes in the wrong order.
            raise Unreadable("Palettes of big-endian DICOM files are not supported.")
        fault = "The palette of this DICOM file is missing or damaged."
        stored = quietly(lambda: pixels.apply_color_lut(stored, header)[..., :3], fault)
        return stored / np.float64(np.iinfo(stored.dtype).max)
    bits, _ = dicom_grey.depth(header, stored)
    return dicom_grey.used_bits(header, stored) / np.float64(2**bits - 1)


def _integer(header: Any, name: str, default: int = 0) -> int:
    value = value_of(header, name)
    if value is None:
        return default
    return quietly(lambda: int(value), f"The DICOM header is damaged: {name} is no number.")
