"""NPZ files: named arrays of numbers or text, checked before they are read.

An NPZ file is a zip archive of NPY files. The package reads all of them here. `numpy.load` trusts
the archive: a member of some kilobytes may declare or unpack gigabytes. Here a member must hold
exactly the bytes that its shape needs, and must not be larger than `ALWAYS_UNPACKED` or `MAX_RATIO`
times its compressed size, whichever is more.
"""

import ast
import dataclasses
import math
import os
import pathlib
import struct
import sys
import types
import zipfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np

from remedis.errors import counted, first_line, shortened
from remedis.regular_files import Path, open_regular

# A 152x2 has 457 arrays.
MAX_ARRAYS = 10_000
# Weights and embeddings shrink by a tenth when they are compressed; zeros by a thousand.
MAX_RATIO = 100
ALWAYS_UNPACKED = 1 << 20  # bytes; the offsets of a layer may all be zero
_MAX_HEADER = 1_000  # bytes; 118 are usual
_MOST_OF_NOTHING = 10**6  # elements of an array without bytes, where a length of 0 counts as 1
_CHUNK = 1 << 20  # bytes that are unpacked at once
_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {b"\1\0": 2, b"\2\0": 4}  # of a header, by version of the format
_ENCRYPTED = 1  # bit of a member's flags
_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a member: mark, lengths of name and extra field
_LOCAL_MARK = b"PK\x03\x04"


class DamagedNpz(ValueError):
    """A file is not an NPZ file, is damaged, or has an array that is not as expected.

    The message is the reason, without the path of the file.
    """


@dataclasses.dataclass(frozen=True)
class Header:
    """An array as its file declares it.

    Attributes:
      shape: of the array.
      dtype: of its elements; never Python objects or fields.
      fortran: whether the first index varies fastest.
      start: bytes of the file before the elements.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    start: int

    @property
    def size(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Packed:
    """The bytes of an NPY file as the archive stores them; many threads may read them.

    Attributes:
      file: the archive.
      first: the first of the bytes in the archive.
      size: their number.
      is_deflated: whether they are deflated, or else as they are.
    """

    file: BinaryIO
    first: int
    size: int
    is_deflated: bool

    def read(self, start: int, count: int) -> bytes:
        """Returns some of the bytes, fewer at their end.

        Raises:
          OSError: the archive cannot be read.
        """
        count = max(0, min(count, self.size - start))
        return os.pread(self.file.fileno(), count, self.first + start)


_KINDS = {"f": "floating-point numbers", "i": "integers", "U": "text"}


class NpzFile(Mapping[str, np.ndarray]):
    """The arrays of an NPZ file by name, each read from disk on access.

    Attributes:
      headers: of all arrays by name, in the order of the file.
    """

    def __init__(self, path: Path) -> None:
        """Opens the file, and checks the headers of its arrays.

        Raises:
          OSError: the file cannot be opened, or is no regular file.
          DamagedNpz: it is not an NPZ file, or is damaged.
        """
        self.path = pathlib.Path(path)
        self._file = open_regular(path)
        self.headers: dict[str, Header] = {}
        self._members: dict[str, zipfile.ZipInfo] = {}
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        try:
            size = self._file.seek(0, 2)
            self._zip = zipfile.ZipFile(self._file)
            members = self._zip.infolist()
        # zipfile and zlib raise a dozen kinds of errors for damaged bytes.
        except Exception as error:
            raise DamagedNpz(_reason(error)) from error
        if len(members) > MAX_ARRAYS:
            raise DamagedNpz(f"it has {len(members):,} arrays, expected at most {MAX_ARRAYS:,}")
        if sum(member.compress_size for member in members) > size:
            raise DamagedNpz("its members overlap")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name == member.filename:
                raise DamagedNpz(f"{shortened(name)} is not an array")
            if name in self._members:
                raise DamagedNpz(f"it has two arrays called {shortened(name)}")
            self.headers[name] = self._header(member)
            self._members[name] = member

    def __getitem__(self, name: str) -> np.ndarray:
        """Returns an array.

        Raises:
          KeyError: there is none of this name.
          DamagedNpz: it is damaged, or unpacks to more than `MAX_RATIO` times its size.
        """
        member, header = self._members[name], self.headers[name]
        if member.file_size > max(ALWAYS_UNPACKED, MAX_RATIO * member.compress_size):
            raise DamagedNpz(
                f"{counted(member.compress_size, 'byte')} unpack to {member.file_size:,}, more "
                f"than 1 MiB and {MAX_RATIO} times as many"
            )
        values = np.empty(header.size, np.uint8)
        try:
            with self._zip.open(member) as stream:
                stream.read(header.start)
                # The checksum is compared at the end of the member.
                done = 0
                while done < header.size and (chunk := stream.read(_CHUNK)):
                    values[done : done + len(chunk)] = np.frombuffer(chunk, np.uint8)
                    done += len(chunk)
                if done < header.size:
                    raise DamagedNpz(f"{header.size - done:,} bytes are missing")
            if header.dtype.kind == "U":
                characters = values.view(np.dtype(np.uint32).newbyteorder(header.dtype.byteorder))
                # Converting such a text raises a SystemError in Python.
                if characters.max(initial=0) > sys.maxunicode:
                    raise DamagedNpz("it has numbers that are no characters")
            return np.ndarray(
                header.shape, header.dtype, values, order="F" if header.fortran else "C"
            )
        except DamagedNpz:
            raise
        except Exception as error:
            raise DamagedNpz(_reason(error)) from error

    def packed(self, name: str) -> Packed:
        """Returns where the bytes of an array are, to read a part of a large one.

        Raises:
          DamagedNpz: there are none.
        """
        member = self._members[name]
        self._file.seek(member.header_offset)
        local = self._file.read(_LOCAL_HEADER.size)
        if len(local) < _LOCAL_HEADER.size or not local.startswith(_LOCAL_MARK):
            raise DamagedNpz(f"array {shortened(name)} is not where the archive says")
        _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(local)
        first = member.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        is_deflated = member.compress_type == _DEFLATED
        return Packed(self._file, first, member.compress_size, is_deflated)

    def __iter__(self) -> Iterator[str]:
        return iter(self.headers)

    def __len__(self) -> int:
        return len(self.headers)

    def __enter__(self) -> "NpzFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()
        self._file.close()

    def expect(self, name: str, kind: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """Returns an array of an expected kind and shape, without NaN and infinity.

        Args:
          name: of the array.
          kind: of its elements, a letter as in `numpy.dtype.kind`, or several: f, i or U.
          shape: None stands for any length.

        Raises:
          DamagedNpz: there is no such array, or it is of another kind or shape, damaged or not
            finite.
        """
        if name not in self.headers:
            raise DamagedNpz(f"it has no array {name}")
        header = self.headers[name]
        fits = len(header.shape) == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, header.shape, strict=True)
        )
        if header.dtype.kind not in kind or not fits:
            lengths = ", ".join("any" if n is None else str(n) for n in shape)
            kinds = " or ".join(_KINDS[letter] for letter in kind)
            raise DamagedNpz(
                f"{name} has the shape {header.shape} and type {header.dtype}, expected the shape "
                f"({lengths}) and {kinds}"
            )
        values = self[name]
        if header.dtype.kind == "f" and not np.isfinite(values).all():
            raise DamagedNpz(f"{name} has NaN or infinity")
        return values

    def text(self, name: str) -> str:
        """Returns an array of one text.

        Raises:
          DamagedNpz: there is no such array, or it holds something else.
        """
        return str(self.expect(name, "U", ())[()])

    def _header(self, member: zipfile.ZipInfo) -> Header:
        """Returns the header of an array.

        Raises:
          DamagedNpz: the member is not an array of plain numbers or text, or has another size
            than the array.
        """
        name = shortened(member.filename.removesuffix(".npy"))
        if member.flag_bits & _ENCRYPTED:
            raise DamagedNpz(f"{name} is encrypted")
        if member.compress_type not in (_STORED, _DEFLATED):
            raise DamagedNpz(f"{name} is compressed by an unknown method")
        try:
            with self._zip.open(member) as stream:
                start = stream.read(len(_MAGIC) + 2)
                length_bytes = _LENGTH_BYTES.get(start[len(_MAGIC) :])
                if not start.startswith(_MAGIC) or length_bytes is None:
                    raise ValueError("it does not begin as an NPY file")
                length = int.from_bytes(stream.read(length_bytes), "little")
                # NumPy reads as many bytes as are declared, up to 4 GiB, before it compares.
                if length > _MAX_HEADER:
                    raise ValueError(f"a header of {length:,} bytes")
                fields = ast.literal_eval(stream.read(length).decode("latin1").strip())
            header = Header(
                tuple(map(int, fields["shape"])),
                np.dtype(fields["descr"]),
                fields["fortran_order"] is True,
                len(start) + length_bytes + length,
            )
        except Exception as error:
            raise DamagedNpz(f"array {name}: {_reason(error)}") from error
        if header.dtype.kind not in "fiubU":
            raise DamagedNpz(f"array {name} holds neither numbers nor text")
        if min(header.shape, default=0) < 0 or header.start + header.size != member.file_size:
            raise DamagedNpz(
                f"array {name} declares the shape {shortened(str(header.shape))} and type "
                f"{header.dtype}, and has {member.file_size - header.start:,} bytes"
            )
        # Of an array without bytes, the file bounds no length.
        if not header.size and math.prod(max(n, 1) for n in header.shape) > _MOST_OF_NOTHING:
            raise DamagedNpz(
                f"array {name} has no bytes and the shape {shortened(str(header.shape))}"
            )
        return header


def _reason(error: Exception) -> str:
    return shortened(first_line(error))
