"""Grey values as shown, in [0, 1], from the stored values of a DICOM image.

The arithmetic is written here and tested against `pydicom.pixels`, whose functions cover less:

- `apply_voi` wraps its indices at 256 for LUTs of 8 bits, truncates rescaled values, and takes bits
  and signs of descriptors as they are stated (see `dicom_lookup`);
- `apply_modality_lut` takes entries of 8 and 16 bits only, and neither applies a slope without an
  intercept nor entries that are packed as single bytes or read as signed;
- `apply_windowing` needs the attributes of the whole image beside those of a frame's window, and
  returns the range of the stored values, which would be rounded once more on the way to [0, 1].
"""

import math
from typing import Any

import numpy as np

from remedis.data.readers import dicom_lookup
from remedis.data.readers.dicom_header import quietly, text, value_of
from remedis.data.readers.unreadable import Unreadable

KEYWORDS = (
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "PresentationLUTSequence",
    "PresentationLUTShape",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def shown(header: Any, stored: np.ndarray, inverted: bool, frame: int = 0) -> np.ndarray:
    """Returns the grey values that a viewer shows.

    Args:
      header: with the `KEYWORDS`.
      stored: [H, W] integers.
      inverted: whether the lowest value is white.
      frame: the frame, from 0; enhanced multi-frame files have settings for each.

    Returns:
      [H, W] float64 in [0, 1].

    Raises:
      Unreadable: an attribute is missing, malformed or not supported.
    """
    if value_of(header, "PresentationLUTSequence") is not None:
        raise Unreadable("This DICOM file has a presentation LUT, which is not supported.")
    used = used_bits(header, stored)
    # The bits above the stored ones may mark padding, but they may also hold an overlay.
    is_padding = _padding(header, stored.astype(np.int64)) | _padding(header, used)
    modality = _group(header, "PixelValueTransformationSequence", frame)
    voi = _group(header, "FrameVOILUTSequence", frame)
    values, low, high = _rescaled(modality, used, *stored_range(header))
    item = value_of(voi, "VOILUTSequence")
    if item is not None:
        table = dicom_lookup.read(item, low, high, "VOI")
        grey = table.look_up(values) / table.white
    elif value_of(voi, "WindowCenter") is not None or value_of(voi, "WindowWidth") is not None:
        grey = _windowed(voi, values)
    else:
        grey = (values - low) / (high - low)
    if inverted or text(header, "PresentationLUTShape").upper() == "INVERSE":
        grey = 1.0 - grey
    grey = np.clip(grey, 0.0, 1.0)
    grey[is_padding] = 0.0
    return grey


def depth(header: Any) -> tuple[int, bool]:
    """Returns the number of bits stored per value, and whether they are signed.

    A missing BitsStored follows from HighBit, or from 8 bits allocated, which are all used.

    Raises:
      Unreadable: the attributes about bits are missing, contradictory or not supported.
    """
    allocated = int(_number(header, "BitsAllocated", None))
    stored_bits = _number(header, "HighBit", allocated - 1 if allocated <= 8 else math.nan) + 1
    bits = _number(header, "BitsStored", stored_bits)
    if math.isnan(bits):
        raise Unreadable(
            "The DICOM header has no BitsStored (0028,0101): which values are black and white is "
            f"unknown, since {allocated} bits are allocated; export the file again, or add the tag."
        )
    bits = int(bits)
    if not 1 <= bits <= allocated <= 32:
        raise Unreadable(
            f"The DICOM header has BitsStored {bits} and BitsAllocated {allocated}; expected 1 to "
            "32, and no more stored than allocated."
        )
    if _number(header, "HighBit", bits - 1) != bits - 1:
        raise Unreadable("The DICOM header has a HighBit other than BitsStored - 1; not supported.")
    signed = _number(header, "PixelRepresentation", 0 if allocated <= 8 else math.nan)
    if math.isnan(signed):
        raise Unreadable(
            "The DICOM header has no PixelRepresentation (0028,0103): whether its values are "
            "signed is unknown; export the file again, or add the tag."
        )
    if signed not in (0, 1):
        raise Unreadable("The DICOM header has a PixelRepresentation other than 0 and 1.")
    return bits, signed == 1


def used_bits(header: Any, stored: np.ndarray) -> np.ndarray:
    """Returns the stored values as int64, without the bits above the stored ones.

    Raises:
      Unreadable: as `depth`.
    """
    bits, signed = depth(header)
    values: np.ndarray = stored.astype(np.int64) & (2**bits - 1)
    if signed:
        values -= (values >> (bits - 1)) << bits
    return values


def stored_range(header: Any) -> tuple[float, float]:
    """Returns the lowest and the highest value that the stored bits can hold."""
    bits, signed = depth(header)
    low = -(2 ** (bits - 1)) if signed else 0
    return low, low + 2**bits - 1


def _rescaled(
    settings: Any, stored: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, float, float]:
    """Returns the values after the modality transformation, and their full range."""
    item = value_of(settings, "ModalityLUTSequence")
    if item is not None:
        table = dicom_lookup.read(item, low, high, "modality")
        return table.look_up(stored), 0.0, float(table.white)
    slope = _number(settings, "RescaleSlope", 1.0)
    intercept = _number(settings, "RescaleIntercept", 0.0)
    if slope == 0:
        raise Unreadable("The DICOM header has a RescaleSlope of 0.")
    low, high = sorted((slope * low + intercept, slope * high + intercept))
    if not low < high < np.inf or low == -np.inf:
        raise Unreadable("The DICOM header has a RescaleSlope or RescaleIntercept far too large.")
    return stored * slope + intercept, low, high


def _windowed(settings: Any, values: np.ndarray) -> np.ndarray:
    """Returns values after the first window, PS3.3 C.11.2.1.2 and C.11.2.1.3, not yet clipped."""
    centre = _number(settings, "WindowCenter", None)
    width = _number(settings, "WindowWidth", None)
    function = text(settings, "VOILUTFunction").upper() or "LINEAR"
    if function not in _FUNCTIONS:
        raise Unreadable(
            f"The DICOM header has an unknown VOILUTFunction; expected {', '.join(_FUNCTIONS)}."
        )
    if width < 1 if function == "LINEAR" else width <= 0:
        raise Unreadable(
            f"The DICOM header has a WindowWidth of {width:g}; expected "
            f"{'1 or more' if function == 'LINEAR' else 'more than 0'}."
        )
    if function == "SIGMOID":
        # The limits keep the exponential finite; beyond them the result is 0 or 1 in float32.
        grey: np.ndarray = 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
        return grey
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return (values > centre).astype(np.float64)
    return (values - centre) / width + 0.5


def _padding(header: Any, stored: np.ndarray) -> np.ndarray:
    """Returns whether each value of [H, W] integers is padding, [H, W] bool."""
    first = value_of(header, "PixelPaddingValue")
    if first is None:
        return np.zeros(stored.shape, bool)
    limits = (first, value_of(header, "PixelPaddingRangeLimit"))
    _, signed = depth(header)
    whole = 1 << int(_number(header, "BitsAllocated", None))
    values = []
    for name, limit in zip(("PixelPaddingValue", "PixelPaddingRangeLimit"), limits, strict=True):
        if limit is not None:
            value = int(_number(header, name, None)) % whole
            # The sign of the pixels counts, whichever sign the value was written with.
            values.append(value - whole if signed and value >= whole // 2 else value)
    return (stored >= min(values)) & (stored <= max(values))


def _group(header: Any, name: str, frame: int) -> Any:
    """Returns the settings of a frame: its functional group, the shared group, or the header."""

    def find() -> Any:
        for sequence, index in (
            ("PerFrameFunctionalGroupsSequence", frame),
            ("SharedFunctionalGroupsSequence", 0),
        ):
            groups = header.get(sequence)
            if groups and (group := groups[index].get(name)):
                return group[0]
        return header

    return quietly(find, f"The settings of frame {frame + 1} are missing or damaged.")


def _number(header: Any, name: str, default: float | None) -> float:
    value = value_of(header, name)
    if value is None:
        if default is None:
            raise Unreadable(f"The DICOM header has no {name}.")
        return default
    number = quietly(lambda: float(value), f"The DICOM header is damaged: {name} is not a number.")
    if not np.isfinite(number):
        raise Unreadable(f"The DICOM header is damaged: {name} is not finite.")
    return number
