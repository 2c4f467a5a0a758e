"""Lookup tables of DICOM files: modality and VOI LUTs, and the palettes of colour images.

A descriptor has three numbers: how many entries follow, the value that the first of them is for,
and the bits per entry (PS3.3 C.11.1.1, C.11.2.1.1 and C.7.6.3.1.5). Two of them are often wrong:

- Bits. Some devices, such as computed radiography of Agfa, state the size that an entry is stored
  with: 16 for entries of 12 bits. Others state fewer bits than the entries have. White is therefore
  the largest number with as many bits as the largest entry, as in the viewers OHIF (cornerstone,
  pull request 143) and Horos. The unused ends of a table stay: entries from 200 to 3800 have 12
  bits, and become 200/4095 to 3800/4095. The standard allows no fewer than 8 bits, so the statement
  of 8 bits holds: entries up to 100 are then a dark image, not one of 7 bits.
- The sign of the first value. An explicit VR gives one sign to all three numbers, an implicit one
  leaves it to PixelRepresentation, which does not count after rescaling; both are written wrong.
  Only the 16 bits of the number are used here, in that reading, signed or not, whose table covers
  more of the values to be looked up. If both cover the same, the number is signed if these values
  can be negative, as in PS3.3 C.11.2.1.1.
"""

import dataclasses
from typing import Any

import numpy as np

from remedis import extras
from remedis.data.readers.dicom_header import quietly

COLOURS = ("Red", "Green", "Blue")
_WORD = 1 << 16
_FEWEST_BITS, _MOST_BITS = 8, 16


@dataclasses.dataclass(frozen=True)
class LookupTable:
    """A lookup table.

    Attributes:
      entries: [n] or, for a palette, [n, 3] integers from 0 to 65535.
      first: the value that the first entry is for.
      bits: bits that the entries fill, see above.
    """

    entries: np.ndarray
    first: int
    bits: int

    @property
    def white(self) -> int:
        """The largest value that an entry can have."""
        return (1 << self.bits) - 1

    def look_up(self, values: np.ndarray) -> np.ndarray:
        """Returns the entries of [H, W] values, rounded to integers, as float64.

        Values below the first mapped one give the first entry, values above the last one the last.
        Entries above white are white.
        """
        index = np.clip(np.floor(values + 0.5) - self.first, 0, len(self.entries) - 1)
        entries = np.minimum(self.entries, self.white).astype(np.float64)
        return entries[index.astype(np.int64)]


def read(item: Any, low: float, high: float, name: str) -> LookupTable:
    """Returns the LUT of an item of a modality or VOI LUT sequence.

    Args:
      item: the item, a `pydicom.Dataset`.
      low: the lowest value that can be looked up.
      high: the highest value that can be looked up.
      name: of the LUT, for the error.

    Raises:
      Unreadable: the LUT is missing or damaged.
    """

    def parse() -> LookupTable:
        count, first, bits = _descriptor(item, "LUTDescriptor")
        entries = _entries(item, "LUTData", count)
        return LookupTable(entries, _signed(first, count, low, high), used_bits(entries, bits))

    return quietly(parse, f"The {name} LUT of this DICOM file is missing or damaged.")


def read_palette(header: Any, low: float, high: float) -> LookupTable:
    """Returns the palette of an image of PALETTE COLOR.

    Args:
      header: the header, a `pydicom.Dataset`.
      low: the lowest value that the stored bits can hold.
      high: the highest value that the stored bits can hold.

    Raises:
      Unreadable: the palette is missing or damaged.
    """

    def parse() -> LookupTable:
        count, first, bits = _descriptor(header, "RedPaletteColorLookupTableDescriptor")
        if "SegmentedRedPaletteColorLookupTableData" in header:
            entries = _segmented(header, count, bits)
        else:
            names = (f"{colour}PaletteColorLookupTableData" for colour in COLOURS)
            entries = np.stack([_entries(header, name, count) for name in names], axis=-1)
        return LookupTable(entries, _signed(first, count, low, high), used_bits(entries, bits))

    return quietly(parse, "The palette of this DICOM file is missing or damaged.")


def used_bits(entries: np.ndarray, declared: int) -> int:
    """Returns the bits that entries fill, from their largest value, see above.

    Args:
      entries: integers from 0 to 65535.
      declared: bits per entry as the descriptor states them; above 8 they do not count, unless the
        largest entry is just one above them.
    """
    largest = int(entries.max())
    if largest == 1 << declared and declared >= _FEWEST_BITS:
        return declared  # one above white is a table rounded or scaled by 2^bits, not one bit more
    return max(largest.bit_length(), min(declared, _FEWEST_BITS), 1)


def _signed(first: int, count: int, low: float, high: float) -> int:
    """Returns the first mapped value with its sign.

    Args:
      first: its 16 bits, as an unsigned number.
      count: number of entries.
      low: the lowest value that can be looked up.
      high: the highest value that can be looked up.
    """
    if first < _WORD // 2:
        return first
    unsigned, signed = (
        max(0.0, min(high, start + count - 1) - max(low, start) + 1)
        for start in (first, first - _WORD)
    )
    negative = signed > unsigned if signed != unsigned else low < 0
    return first - _WORD if negative else first


def _descriptor(item: Any, keyword: str) -> tuple[int, int, int]:
    """Returns the numbers of a descriptor, unsigned; raises nearly anything if it is damaged."""
    value = item[keyword].value
    if isinstance(value, bytes):
        value = np.frombuffer(value, _order(item) + "u2")
    count, first, bits = (int(number) % _WORD for number in value)
    # 0 means 65536 entries, which 16 bits cannot hold.
    return count or _WORD, first, bits


def _entries(item: Any, keyword: str, count: int) -> np.ndarray:
    """Returns the entries of a table, [count] int64; raises nearly anything if they are damaged."""
    value = item[keyword].value
    if isinstance(value, bytes):
        value = np.frombuffer(value + bytes(len(value) % 2), _order(item) + "u2")
    # Entries above 32767 that were read as signed are negative.
    words = np.atleast_1d(np.asarray(value, dtype=np.int64)) % _WORD
    # Entries of 8 bits may be packed, two per word, the first in the lower byte.
    if len(words) < count and len(words) == (count + 1) // 2:
        words = words.astype("<u2").view(np.uint8).astype(np.int64)
    if len(words) < count:
        raise ValueError
    entries: np.ndarray = words[:count]
    return entries


def _order(item: Any) -> str:
    """Returns the byte order of a dataset as NumPy names it."""
    return ">" if item.original_encoding[1] is False else "<"


def _segmented(header: Any, count: int, bits: int) -> np.ndarray:
    """Returns the entries of a palette that is stored as segments, [count, 3] int64."""
    if bits not in (_FEWEST_BITS, _MOST_BITS):
        raise ValueError
    pixels = extras.load("pydicom.pixels", "dicom")
    # pydicom expands segments only while it applies them. Its indices have the type of the entries.
    if count > 1 << bits:
        raise ValueError
    start = header.RedPaletteColorLookupTableDescriptor[1]
    every = np.arange(start, start + count, dtype=np.int64)
    entries: np.ndarray = pixels.apply_color_lut(every, header)[..., : len(COLOURS)]
    return entries.astype(np.int64)
