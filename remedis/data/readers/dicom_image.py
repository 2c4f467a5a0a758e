"""Images of DICOM files as a viewer shows them, in [0, 1].

Names: `.dcm`, `.dicom` or `.ima` (Siemens) in any case, or a DICOM identifier (digits with three
dots or more), alone as archives name files, or after a modality as DCMTK's `storescp` names them:
`CR.1.2.840.113`. Rename files with other names, such as `IM0001`: readers are chosen by the name,
without opening the file.
Items: the frame of a file with several frames, counted from 1 as in the standard: `cine.dcm#3`.
Result: float32, [H, W, 1] for grey images, [H, W, 3] for colour.

The stored values are processed in the standard's order (PS3.3 C.7.6.3, C.11.1, C.11.2):

1. Bits above the stored ones are dropped.
2. The modality LUT, or slope and intercept, is applied. The range of a LUT is that of the bits its
   entries fill (`dicom_lookup`).
3. The first VOI LUT is applied, else the first window (LINEAR, LINEAR_EXACT or SIGMOID), else the
   full range of the stored bits, so that 12 bits are not dark.
4. MONOCHROME1 or the presentation LUT shape INVERSE inverts the image; both together do so once.
5. Padding becomes black.

Colour becomes RGB. Each frame of an enhanced multi-frame file has settings of its own. Images that
cannot be shown correctly are refused: floating-point pixels, presentation LUTs with a table, values
that are not finite.

pydicom decodes the pixels; compressed ones are decoded by pylibjpeg alone, so that a file gives the
same pixels on every machine.
"""

import re
from typing import Any

import numpy as np

from remedis import extras, limits
from remedis.data.readers import dicom_codestream, dicom_grey, dicom_header, dicom_lookup
from remedis.data.readers.dicom_file import BoundedFile
from remedis.data.readers.dicom_header import quietly, text, value_of
from remedis.data.readers.unreadable import Unreadable
from remedis.errors import UserError

SUFFIXES = (".dcm", ".dicom", ".ima")
NAMES = re.compile(
    r"\.(?:dcm|dicom|ima)$|^(?:[a-z]{2,10}\.)?[0-9]+(?:\.[0-9]+){3,}$", re.IGNORECASE
)

# Attributes that tell how many frames a file has.
SIZE_KEYWORDS = ("NumberOfFrames", "Rows", "Columns", "BitsAllocated")
# Attributes that tell whether a file has an image.
IMAGE_KEYWORDS = ("SOPClassUID", "Rows", "PhotometricInterpretation")
_SIZES = ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel")
_NEEDED = (
    *_SIZES,
    *IMAGE_KEYWORDS,
    "NumberOfFrames",
    "PlanarConfiguration",
    *dicom_grey.KEYWORDS,
    *(
        f"{kind}{colour}PaletteColorLookupTable{part}"
        for colour in dicom_lookup.COLOURS
        for kind, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
    ),
)
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PALETTE, _GREYS = "PALETTE COLOR", ("MONOCHROME1", "MONOCHROME2")
_DAMAGED = "The DICOM header is damaged."
_TRUNCATED = "The pixel data are missing, truncated or damaged."
# Of an encoded frame, beside twice the pixels: no coding makes an image so much larger.
_ENVELOPE_BYTES = 1 << 20
# Transfer syntaxes of pixels that are not encapsulated.
_NATIVE = tuple(f"1.2.840.10008.1.2{variant}" for variant in ("", ".1", ".1.99", ".2"))
# A frame of encapsulated pixels is an item with a header and two bytes.
_LEAST_ENCAPSULATED = 10
# Values of a block of rows: those of a whole radiograph take hundreds of MB as 64-bit numbers.
_BLOCK = 1 << 21
# Colours that JPEG 2000 decoders convert to RGB; pydicom converts the others.
_DECODED = ("YBR_ICT", "YBR_RCT")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", *_DECODED)


def read_pixels(file: str, item: str) -> np.ndarray:
    """Returns an image of a DICOM file as float32 in [0, 1], [H, W, 1] if it is grey, or [H, W, 3].

    Args:
      file: the DICOM file.
      item: the frame, from 1; empty for a file of one frame.

    Raises:
      Unreadable: the file cannot be read, is damaged, or has no image that can be shown correctly.
      UserError: pydicom or a decoder is not installed.
    """
    header = dicom_header.read(file, _NEEDED)
    colours = _check(header)
    frame = _frame(header, item)
    stored = _stored(file, header, colours, frame)
    channels = 1 if colours in _GREYS else 3
    image = np.empty((*stored.shape[:2], channels), np.float32)
    rows = max(1, _BLOCK // stored[0].size)
    for start in range(0, len(stored), rows):
        block = _shown(header, stored[start : start + rows], colours, frame)
        if not np.isfinite(block).all():
            raise Unreadable("The DICOM header leads to values that are not finite.")
        image[start : start + rows] = block.reshape(-1, stored.shape[1], channels)
    return image


def frames(header: Any) -> int:
    """Returns the number of frames; 1 if the header has no `NumberOfFrames`.

    Args:
      header: as `dicom_header.read` returns it, with `SIZE_KEYWORDS`.

    Raises:
      Unreadable: `NumberOfFrames` is not a number above 0, or of more frames than the file can
        hold.
    """
    count = _integer(header, "NumberOfFrames", 1)
    if count < 1:
        raise Unreadable("The DICOM header has no frames: NumberOfFrames is below 1.")
    if count > limits.MAX_FRAMES:
        raise Unreadable(
            f"The DICOM header states {count:,} frames; expected at most {limits.MAX_FRAMES:,}."
        )
    least = _LEAST_ENCAPSULATED
    if quietly(lambda: header.file_meta.get("TransferSyntaxUID"), _DAMAGED) in _NATIVE:
        # One sample per pixel: the others of a colour may be halved in both directions.
        pixels = _integer(header, "Rows") * _integer(header, "Columns")
        least = pixels * _integer(header, "BitsAllocated") // 8
    if count * least > header.file_size:
        of = f"{count:,} frames" if count > 1 else "the image"
        raise Unreadable(f"The file is too small for {of} that its DICOM header states.")
    return count


def has_image(header: Any) -> bool:
    """Returns whether a header is that of an image.

    Args:
      header: with `IMAGE_KEYWORDS`.

    Raises:
      Unreadable: the header has no image but should have one: it is truncated or damaged.
    """
    if any(value_of(header, name) is not None for name in IMAGE_KEYWORDS[1:]):
        return True
    kind = text(header, "SOPClassUID") or text(header.file_meta, "MediaStorageSOPClassUID")
    if not kind or "Image Storage" in _name(kind):
        raise Unreadable("The DICOM header is truncated or damaged: it describes no image.")
    return False


def _check(header: Any) -> str:
    """Returns the photometric interpretation; refuses a header whose image cannot be decoded."""
    if not has_image(header):
        raise Unreadable(f"This DICOM file holds no image{_name(text(header, 'SOPClassUID'))}.")
    sizes = {name: _integer(header, name, 1 if name == "SamplesPerPixel" else 0) for name in _SIZES}
    for name, value in sizes.items():
        if value < 1:
            raise Unreadable(f"The DICOM header has no {name}, or it is 0.")
    if sentence := limits.refusal(sizes["Rows"], sizes["Columns"]):
        raise Unreadable(sentence)
    colours = text(header, "PhotometricInterpretation")
    if colours not in (*_GREYS, _PALETTE, *_COLOURS):
        raise Unreadable(
            "The DICOM header has no known photometric interpretation; expected "
            f"{', '.join((*_GREYS, _PALETTE, *_COLOURS))}."
        )
    samples = 3 if colours in _COLOURS else 1
    if sizes["SamplesPerPixel"] != samples:
        raise Unreadable(
            f"The DICOM header has {sizes['SamplesPerPixel']} samples per pixel, but {colours} "
            f"has {samples}."
        )
    return colours


def _name(uid: str) -> str:
    """Returns the standard's name of a DICOM identifier in brackets; nothing from the header."""
    known = extras.load("pydicom.uid", "dicom").UID_dictionary
    return f" ({known[uid][0]})" if uid in known else ""


def _frame(header: Any, item: str) -> int:
    """Returns the frame's number from 0."""
    count = frames(header)
    if not item:
        if count > 1:
            raise Unreadable(
                f"This DICOM file has {count} frames; choose one of them, from #1 to #{count}."
            )
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", item) or not 1 <= int(item) <= count:
        raise Unreadable(
            f"There is no frame {item!r} in this DICOM file; expected a number from 1 to {count}."
        )
    return int(item) - 1


def _stored(file: str, header: Any, colours: str, frame: int) -> np.ndarray:
    """Returns the stored values as integers, [H, W], or [H, W, 3] in RGB."""
    pixels = extras.load("pydicom.pixels", "dicom")
    if not quietly(lambda: header.file_meta.get("TransferSyntaxUID"), _DAMAGED):
        raise Unreadable(
            "The DICOM header has no transfer syntax: the coding of the pixels is unknown."
        )
    syntax = header.file_meta.TransferSyntaxUID
    decoder = quietly(
        lambda: pixels.get_decoder(syntax),
        f"The pixels are coded in a way that cannot be decoded{_name(syntax)}.",
    )
    size = (_integer(header, "Rows"), _integer(header, "Columns"))
    samples = _integer(header, "SamplesPerPixel", 1)
    compressed = decoder.is_encapsulated
    if colours in _DECODED and not compressed:
        raise Unreadable(f"The DICOM header states {colours} for pixels that are not compressed.")
    if compressed:
        extras.load("pylibjpeg", "dicom")
        if "pylibjpeg" not in decoder.available_plugins:
            raise UserError(
                f"Pixels coded as{_name(syntax)} need a decoder that is not installed; install it "
                "with `pip install 'remedis[dicom]'`."
            )
    count = frames(header)
    most = 2 * size[0] * size[1] * samples * ((_integer(header, "BitsAllocated") + 7) // 8)
    most += _ENVELOPE_BYTES
    # The pixels that are checked are those that are decoded: offsets in the header may name others.
    options: dict[str, Any] = {"extended_offsets": None}
    # In grey images the bits above the stored ones may mark padding; `dicom_grey` drops them later.
    if colours in _GREYS:
        options["correct_unused_bits"] = False
    with dicom_header.opened(file) as opened:
        source = _source(opened.rewind(most), header, compressed, options)
        # Run-length codes state no size; they are decoded to the size in the header.
        if compressed and syntax != extras.load("pydicom.uid", "dicom").RLELossless:
            opened.rewind(most)
            dicom_codestream.check(source, frame, count, size, samples)
        opened.rewind(most)
        stored: np.ndarray = quietly(
            lambda: pixels.pixel_array(
                source,
                index=frame,
                decoding_plugin="pylibjpeg" if compressed else "",
                **options,
            ),
            _TRUNCATED,
        )
    if stored.dtype.kind == "f":
        raise Unreadable("This DICOM file has floating-point pixels, whose range is unknown.")
    expected = size if colours in (*_GREYS, _PALETTE) else (*size, 3)
    if stored.shape != expected:
        raise Unreadable(
            f"The pixel data are {'x'.join(map(str, stored.shape))}, but the DICOM header states "
            f"{'x'.join(map(str, expected))}."
        )
    return stored


def _source(opened: BoundedFile, header: Any, compressed: bool, options: dict[str, Any]) -> Any:
    """Returns the file, from which pydicom reads one frame of many, or its whole dataset.

    pydicom refuses files without some attributes; those that are beyond doubt are added to the
    options.

    Raises:
      Unreadable: one that is needed is missing, or the file is damaged.
    """
    needed = ["BitsStored", "PixelRepresentation", "SamplesPerPixel"]
    samples = _integer(header, "SamplesPerPixel", 1)
    if samples > 1:
        needed.append("PlanarConfiguration")
    missing = [name for name in needed if value_of(header, name) is None]
    source: Any = opened
    if frames(header) == 1:
        pydicom = extras.load("pydicom", "dicom")
        source = quietly(
            lambda: pydicom.dcmread(opened, specific_tags=[*_NEEDED, *_PIXELS]), _DAMAGED
        )
    # Floating-point pixels, which are refused later, have no bits.
    if missing and (source is opened or "PixelData" in source):
        bits, signed = dicom_grey.depth(header)
        if "PlanarConfiguration" in missing and not compressed:
            raise Unreadable(
                "The DICOM header has no PlanarConfiguration (0028,0006): the order of its colours "
                "is unknown; export the file again, or add the tag."
            )
        known = {
            "BitsStored": ("bits_stored", bits),
            "PixelRepresentation": ("pixel_representation", int(signed)),
            "SamplesPerPixel": ("samples_per_pixel", samples),
            "PlanarConfiguration": ("planar_configuration", 0),
        }
        options |= dict(known[name] for name in missing)
    return source


def _shown(header: Any, stored: np.ndarray, colours: str, frame: int) -> np.ndarray:
    """Returns the values as shown, [H, W] or [H, W, 3] float64 in [0, 1]."""
    if colours in _GREYS:
        return dicom_grey.shown(header, stored, colours == "MONOCHROME1", frame)
    if colours == _PALETTE:
        palette = dicom_lookup.read_palette(header, *dicom_grey.stored_range(header))
        return palette.look_up(dicom_grey.used_bits(header, stored)) / palette.white
    bits, _ = dicom_grey.depth(header)
    return dicom_grey.used_bits(header, stored) / np.float64(2**bits - 1)


def _integer(header: Any, name: str, default: int = 0) -> int:
    value = value_of(header, name)
    if value is None:
        return default
    return quietly(lambda: int(value), f"The DICOM header is damaged: {name} is not a number.")
