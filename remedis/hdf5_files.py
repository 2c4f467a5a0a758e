"""HDF5 files of users, read in bounded memory and without reading other files.

An HDF5 file can present parts of any other file of the machine as its own array: by external
storage, an external link or a virtual data set. Such arrays are refused before the other file is
opened. HDF5 unpacks a compressed chunk to the size that its stream has, not to the size that the
file declares; chunks are therefore checked first.
"""

import itertools
import math
import os
import zlib
from collections.abc import Iterator

import h5py
import numpy as np

from remedis.regular_files import check_regular

Path = str | os.PathLike[str]

# Of one chunk, unpacked: HDF5 reads whole chunks. By default h5py makes chunks of up to 1 MB.
MAX_CHUNK_BYTES = 128 << 20
# Reading an lzf chunk takes many times its size, if its stream says so.
_MAX_LZF_BYTES = 8 << 20
_MOST_CHUNKS = 10_000  # per image
# Deflate packs at most 1032:1 (zlib.net/zlib_tech.html): a smaller chunk needs no check.
_HARMLESS_BYTES = 1 << 19
_BLOCK = 1 << 20
_DEFLATE, _SHUFFLE, _CHECKSUM, _LZF = 1, 2, 3, 32000
# In the order of h5py. Deflate comes once, and nothing but the checksum after it: what it unpacks
# is then known from the stored bytes.
_PIPELINES = [
    [*shuffle, *packed, *checksum]
    for shuffle in ([], [_SHUFFLE])
    for packed in ([], [_DEFLATE], [_LZF])
    for checksum in ([], [_CHECKSUM])
]


class Refused(ValueError):
    """A part of an HDF5 file is not read: it could show another file, or take all memory.

    The message is a sentence about the array, without the name of the file.
    """


def open_file(path: Path) -> h5py.File:
    """Opens an HDF5 file for reading.

    Raises:
      OSError: as `regular_files.check_regular`, or the file is no HDF5 file or is damaged.
    """
    check_regular(path)
    return h5py.File(path, "r")


def members(group: h5py.Group) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Yields the names and objects of a group; no object of another file is opened.

    Raises:
      Refused: a member is a link to another place.
    """
    for name in group:
        yield name, member(group, name)


def member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """Returns the object that a name without `/` has in a group.

    Raises:
      KeyError: there is no such object, or its link is damaged.
      Refused: the name is a link to another file, or a symbolic link, which can lead to one; or
        the object is an array whose values are in other files.
    """
    link = group.get(name, getlink=True)
    if link is None:
        raise KeyError(name)
    if not isinstance(link, h5py.HardLink):
        raise Refused(
            f"{name!r} of the HDF5 file is a link to another place, and could show any file of "
            "this machine; copy the data into one file, such as with h5copy."
        )
    found = group[name]
    if isinstance(found, h5py.Dataset):
        _refuse_elsewhere(found, name)
    return found


def arrays(group: h5py.Group) -> Iterator[h5py.Dataset]:
    """Yields the arrays of a group and of all groups in it, each once.

    Raises:
      Refused: as `member`.
    """
    waiting, seen = [group], set()
    while waiting:
        for _, found in members(waiting.pop()):
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:  # hard links may form a cycle
                continue
            seen.add(address)
            if isinstance(found, h5py.Group):
                waiting.append(found)
            elif isinstance(found, h5py.Dataset):
                yield found


def _refuse_elsewhere(array: h5py.Dataset, name: str) -> None:
    properties = array.id.get_create_plist()
    if properties.get_external_count():
        kind = "is stored in other files"
    elif properties.get_layout() == h5py.h5d.VIRTUAL:
        kind = "is a view of other files"
    else:
        return
    raise Refused(
        f"The array {name!r} of the HDF5 file {kind}, and could show any file of this machine; "
        "copy the data into one file, such as with h5repack."
    )


def check_filters(array: h5py.Dataset) -> None:
    """Checks that the size of an array's chunks, packed and unpacked, can be bounded.

    Raises:
      Refused: the chunks are too large, or have filters of other kinds or in another order than
        h5py writes.
    """
    if array.chunks is None:
        return
    size = _chunk_bytes(array)
    filters = _filters(array)
    kinds = [number for number, _ in filters]
    most = _MAX_LZF_BYTES if _LZF in kinds else MAX_CHUNK_BYTES
    if size > most:
        raise Refused(
            f"A chunk of the array {array.name!r} has {size:,} bytes; expected at most {most:,}: "
            "repack the file with gzip and one image per chunk."
        )
    # The third parameter of lzf is the size of a chunk, by which its buffer grows.
    steps = [values[2:3] for number, values in filters if number == _LZF]
    if kinds not in _PIPELINES or any(step != (size,) for step in steps):
        raise Refused(
            f"The array {array.name!r} has unusual filters; expected gzip or lzf, with or without "
            "shuffle and checksum: repack the file with gzip."
        )


def check_chunks(array: h5py.Dataset, row: int) -> None:
    """Checks that the compressed chunks of a row unpack to no more than they declare.

    Args:
      array: one that `check_filters` accepted.
      row: index along the first axis.

    Raises:
      Refused: a chunk unpacks to more, or the row has more than `_MOST_CHUNKS`.
      OSError: the file is damaged.
    """
    if array.chunks is None or array.compression != "gzip":
        return
    size = _chunk_bytes(array)
    sides = list(zip(array.shape[1:], array.chunks[1:], strict=True))
    if math.prod(math.ceil(side / step) for side, step in sides) > _MOST_CHUNKS:
        raise Refused(
            f"A row of the array {array.name!r} has more than {_MOST_CHUNKS:,} chunks; repack the "
            "file with one image per chunk."
        )
    for corner in itertools.product(*(range(0, side, step) for side, step in sides)):
        first = (row - row % array.chunks[0], *corner)
        chunk = array.id.get_chunk_info_by_coord(first)
        if chunk.byte_offset is None or chunk.size <= _HARMLESS_BYTES:
            continue
        # Deflate makes nothing longer by more than some bytes in a thousand.
        sound = chunk.size <= size + size // 64 + 1024
        if sound:
            _, packed = array.id.read_direct_chunk(first)
            sound = _unpacks_within(packed, size)
        if not sound:
            raise Refused(
                f"A chunk of the array {array.name!r} unpacks to more than the {size:,} bytes that "
                "the HDF5 file declares; the file is damaged."
            )


def check_numbers(array: h5py.Dataset, most: int) -> None:
    """Checks that all values of an array can be read in bounded memory and time.

    Args:
      array: of any size.
      most: bytes of the array that are permitted.

    Raises:
      Refused: the array holds no numbers, is larger, has more than `_MOST_CHUNKS` chunks, or is
        refused by `check_filters` or `check_chunks`.
      OSError: the file is damaged.
    """
    if array.dtype.kind not in "biuf":
        raise Refused(
            f"The array {array.name!r} of the HDF5 file holds no numbers, as weights "
            "do; save them again."
        )
    # `array.nbytes` overflows.
    size = math.prod(array.shape or ()) * array.dtype.itemsize
    if size > most:
        raise Refused(
            f"The array {array.name!r} of the HDF5 file has {size:,} bytes; expected at most "
            f"{most:,}."
        )
    check_filters(array)
    if array.chunks is None:
        return
    sides = zip(array.shape, array.chunks, strict=True)
    if math.prod(math.ceil(side / step) for side, step in sides) > _MOST_CHUNKS:
        raise Refused(
            f"The array {array.name!r} of the HDF5 file has more than {_MOST_CHUNKS:,} chunks; "
            "repack the file without chunks."
        )
    _check_all_chunks(array)


def read_all(array: h5py.Dataset) -> np.ndarray:
    """Returns all values of an array that `check_filters` accepted.

    Raises:
      Refused: as `check_chunks`.
      OSError: the file is damaged.
    """
    if array.chunks is not None:
        _check_all_chunks(array)
    values: np.ndarray = array[()]
    return values


def _check_all_chunks(array: h5py.Dataset) -> None:
    for row in range(0, len(array), array.chunks[0]):
        check_chunks(array, row)


def _chunk_bytes(array: h5py.Dataset) -> int:
    assert array.chunks is not None
    return math.prod(array.chunks) * array.dtype.itemsize


def _filters(array: h5py.Dataset) -> list[tuple[int, tuple[int, ...]]]:
    """Returns numbers and parameters of the filters of an array, in their order."""
    properties = array.id.get_create_plist()
    found = (properties.get_filter(i) for i in range(properties.get_nfilters()))
    return [(number, values) for number, _, values, _ in found]


def _unpacks_within(packed: bytes, most: int) -> bool:
    """Returns whether a zlib stream has at most so many bytes; a damaged one is left to HDF5."""
    unpacker, total = zlib.decompressobj(), 0
    try:
        while packed and not unpacker.eof and total <= most:
            total += len(unpacker.decompress(packed, _BLOCK))
            packed = unpacker.unconsumed_tail
    except zlib.error:
        pass
    return total <= most
