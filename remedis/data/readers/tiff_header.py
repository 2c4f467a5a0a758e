"""Checks of the directories of a TIFF file, before a library allocates what they declare."""

import dataclasses
import io
import struct
from typing import BinaryIO

from remedis import limits
from remedis.data.readers.unreadable import Unreadable

# More than any scanner or microscope writes; a library takes time for each.
MOST_DIRECTORIES = 10_000
_MOST_ENTRIES = 1_000  # per directory; TIFF itself has some 100 tags
_TILE_SIZE = (322, 323)  # the tags of a tile's width and height
# Bytes per value by TIFF's number of the type.
_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TYPES |= {16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}


@dataclasses.dataclass(frozen=True)
class _Form:
    """What differs between TIFF and BigTIFF: structures of a count, an entry and an offset."""

    count: str
    entry: str
    offset: str


_FORMS = {42: _Form("H", "HHI4s", "I"), 43: _Form("Q", "HHQ8s", "Q")}


def check(opened: BinaryIO, tile_only: bool = False) -> int:
    """Checks the directories of a file; returns their number, 0 for a file that is no TIFF.

    Args:
      opened: the file; its position changes.
      tile_only: check sizes of tiles alone; files of slides may break the standard otherwise, as
        Hamamatsu's do above 4 GB.

    Raises:
      Unreadable: a tile has more pixels than the limit of an image, or there are more directories,
        entries or values than the file can hold.
    """
    size = opened.seek(0, io.SEEK_END)
    opened.seek(0)
    start = opened.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        return 0
    form = _FORMS.get(struct.unpack(f"{order}H", start[2:4])[0])
    if form is None or (form is _FORMS[43] and len(start) < 16):
        return 0
    place = 4 if form.offset == "I" else 8
    (offset,) = struct.unpack_from(order + form.offset, start, place)
    seen: set[int] = set()
    while offset and offset < size and offset not in seen:
        seen.add(offset)
        if len(seen) > MOST_DIRECTORIES:
            raise Unreadable(
                f"The TIFF file has more than {MOST_DIRECTORIES:,} images; it is damaged."
            )
        opened.seek(offset)
        offset = _check_directory(opened, order, form, size, tile_only)
    return len(seen)


def _check_directory(opened: BinaryIO, order: str, form: _Form, size: int, tile_only: bool) -> int:
    """Checks the directory at the file's position; returns the offset of the next, 0 for none."""
    counting, entry = struct.Struct(order + form.count), struct.Struct(order + form.entry)
    start = opened.read(counting.size)
    if len(start) < counting.size:
        return 0
    (count,) = counting.unpack(start)
    if count > _MOST_ENTRIES:
        raise Unreadable(
            f"A directory of the TIFF file has {count:,} entries; expected at most "
            f"{_MOST_ENTRIES:,}: it is damaged."
        )
    rows = opened.read(count * entry.size)
    elsewhere, sides = 0, []
    for tag, kind, number, value in entry.iter_unpack(rows[: len(rows) // entry.size * entry.size]):
        length = number * _TYPES.get(kind, 1)
        if length > len(value):
            elsewhere += length
        elif tag in _TILE_SIZE and number == 1 and kind in _INTEGERS:
            sides.append(struct.unpack_from(order + _INTEGERS[kind], value)[0])
    if len(sides) == 2 and (sentence := limits.refusal(sides[1], sides[0])):
        raise Unreadable(f"A tile of the TIFF file is too large. {sentence}")
    if elsewhere > size and not tile_only:
        raise Unreadable("The TIFF file is truncated or damaged: it declares more than it holds.")
    following = struct.Struct(order + form.offset)
    end = opened.read(following.size)
    return int(following.unpack(end)[0]) if len(end) == following.size else 0
