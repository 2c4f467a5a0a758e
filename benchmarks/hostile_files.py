"""Files made to take all memory or time, read in a process of their own.

python benchmarks/hostile_files.py [--only=TEXT]

Each file is made in a temporary folder, most of them small, and read as a user would. The table has
the bytes of the file, seconds, the peak memory in MB (2^20 bytes) of the process that reads it, and
what it says, shortened. TensorFlow alone takes 700 MB, as the first row shows. Scanned images share
a process, whose peak is reset before each of them. Every image for training has
a process of its own, since TensorFlow keeps the memory of an earlier one.

| file | bytes | seconds | peak MB | sentence |
|---|---|---|---|---|
| sound PNG of 8 x 8 | 69 | 0.1 | 730 | read |
| sound PNG of 40 megapixels, RGB of 8 bits: doctor | 116,702 | 1.2 | 989 | read |
| the same: decoded and resized for training | 116,702 | 3.1 | 1,326 | read |
| sound PNG of 40 megapixels, RGB of 16 bits: for training | 233,320 | 4.2 | 1,445 | read |
| sound PNG of 40 megapixels, grey of 16 bits: for training | 77,822 | 3.1 | 978 | read |
| sound DICOM of 40 megapixels, grey of 16 bits: for training | 79,992,316 | 6.1 | 1,061 | read |
| PNG of 20,000 x 20,000 | 388,871 | 0.1 | 725 | more than the limit of 40 megapixels |
| the same, decoded without a scan before | 388,871 | 1.4 | 734 | more pixels than the limit |
| PNG with 2 GB of packed text and profile | 2,087,387 | 0.2 | 736 | read |
| PNG of 8 x 8 with 2 GB of pixels | 2,087,325 | 22.6 | 740 | read |
| PNG of 1 TB, sparse | 1,099,511,627,776 | 0.1 | 730 | expected at most 387,108,864 bytes |
| JPEG of 25 megapixels with 3,000 scans | 132,108 | 0.2 | 730 | expected at most 200 scans |
| DICOM, 2^31 - 1 frames | 8,516 | 83.3 | 777 | expected at most 100,000 frames |
| DICOM of 6,000 x 6,000 without pixels | 316 | 3.1 | 781 | the file is too small |
| DICOM, deflated, 4 GB unpacked | 4,174,669 | 0.8 | 1,045 | more than 146 MB unpacked |
| DICOM with 1.8 GB of private data | 1,800,008,528 | 0.3 | 774 | more than 32 MB besides pixels |
| the same, of defined length | 1,800,008,520 | 0.1 | 774 | read |
| DICOM, 64 x 64, 210 MB of runs | 209,715,604 | 0.3 | 774 | far larger than the image |
| DICOM, 6,000 x 6,000, 168 MB of runs | 167,772,564 | 1.6 | 1,181 | missing, truncated or damaged |
| HDF5 row of 3 TiB | 1,400 | 0.2 | 793 | more than the limit of 40 megapixels |
| HDF5 chunk of 2 GB in gzip | 2,091,804 | 0.1 | 794 | unpacks to more than is declared |
| TIFF whose strip has 2 GB | 2,087,390 | 0.2 | 839 | read |
| TIFF of 300,000 directories | 5,400,008 | 0.1 | 816 | more than 10,000 images |
| slide with a tile of 50,000 x 50,000 | 2,087,402 | 0.0 | 818 | above the limit of 40 megapixels |
| TFRecord of 2^60 bytes | 1,099,511,627,776 | 0.1 | 818 | no record begins at byte 0 |
| pipe | 0 | 18.7 | 736 | a pipe (FIFO), expected a regular file |
| /dev/zero | 0 | 0.0 | 818 | a device, expected a regular file |
| npz with 1 GiB of zeros | 1,043,867 | 0.7 | 36 | unpacks to more than 100 times as many |
| npz with a header of 2 GiB | 2,087,440 | 0.6 | 36 | a header of 2,147,483,648 bytes |
| npz that declares 4 PB | 217 | 0.8 | 36 | declares far more than its 8 bytes |

Seconds are those of 2 busy cores; most of those of 2^31 - 1 frames and of the pipe are the loading
of TensorFlow. A PNG with far more pixels than its header states is unpacked to its end, in little
memory.
"""

import argparse
import contextlib
import dataclasses
import json
import math
import os
import pathlib
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable

# Memory limit of child processes, so that a bomb does not take that of the machine.
LIMIT = 4 << 30
_MB = 1 << 20
_ENVIRONMENT = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a hostile file is read.

    Attributes:
      file: the file, whose size is printed.
      arguments: of a Python process of its own, such as `-m remedis.cli doctor ...`; empty if the
        process for images reads it.
      path: of the image, as in a manifest.
      operations: apply these in a `tf.data` pipeline, as training does, without a scan before; scan
        the image if empty.
    """

    file: pathlib.Path
    arguments: tuple[str, ...] = ()
    path: str = ""
    operations: str = ""


# By what the table calls them; each makes its file in an empty folder.
BOMBS: dict[str, Callable[[pathlib.Path], Reading]] = {}


_Maker = Callable[[pathlib.Path], Reading]


def bomb(name: str) -> Callable[[_Maker], _Maker]:
    """Registers a function that makes a file in an empty folder and says how it is read."""

    def register(make: _Maker) -> _Maker:
        BOMBS[name] = make
        return make

    return register


def scanned(file: pathlib.Path, item: str = "") -> Reading:
    """Returns the reading of an image by the scan before every training, and by `doctor`."""
    return Reading(file, path=f"{file}{item}")


def doctor(file: pathlib.Path) -> Reading:
    """Returns the reading of an image by `remedis doctor`, beside a sound image."""
    folder = file.parent
    (folder / "sound.png").write_bytes(png(8, 8, bytes(72)))
    rows = ["path,patient_id,x", "sound.png,1,0", f"{file.name},2,1"]
    (folder / "manifest.csv").write_text("\n".join(rows))
    arguments = ("-m", "remedis.cli", "doctor", str(folder / "manifest.csv"), "--labels=x")
    return Reading(file, (*arguments, "--json"))


def pipeline(file: pathlib.Path, operations: str = "resize(512)") -> Reading:
    """Returns the reading of an image as training does: decoded and resized in `tf.data`."""
    return Reading(file, path=str(file), operations=operations)


def chunk(name: bytes, data: bytes) -> bytes:
    """Returns a chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    height: int, width: int, rows: bytes, depth: int = 8, colour: int = 0, further: bytes = b""
) -> bytes:
    """Returns a PNG; its `rows`, each after a byte for the filter, are packed unless they are."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    packed = rows if rows[:1] == b"\x78" else zlib.compress(rows)
    parts = chunk(b"IHDR", header), further, chunk(b"IDAT", packed), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def zeros(size: int, packer: "zlib._Compress | None" = None) -> bytes:
    """Returns bytes of 0 packed a thousand to one."""
    packer = packer or zlib.compressobj(9)
    blocks = [packer.compress(bytes(min(_MB, size - i))) for i in range(0, size, _MB)]
    return b"".join(blocks) + packer.flush()


def raw_deflate() -> "zlib._Compress":
    """Returns a packer of a stream without a header."""
    return zlib.compressobj(9, zlib.DEFLATED, -15)


def dicom(
    syntax: bytes, elements: bytes, rows: int = 64, columns: int = 64, frames: int = 1
) -> bytes:
    """Returns a DICOM file of grey values of 16 bits, Explicit VR Little Endian."""

    def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", group, number, kind, len(value)) + value

    def short(number: int, value: int) -> bytes:
        return element(0x28, number, b"US", struct.pack("<H", value))

    return b"".join(
        (
            bytes(128) + b"DICM",
            element(2, 0x10, b"UI", syntax),
            b"" if b".99" in syntax else _image(element, short, rows, columns, frames),
            elements,
        )
    )


def _image(element: Callable, short: Callable, rows: int, columns: int, frames: int) -> bytes:
    return b"".join(
        (
            element(8, 0x16, b"UI", b"1.2.840.10008.5.1.4.1.1.1"),
            element(0x10, 0x20, b"LO", b"1"),
            short(2, 1),
            element(0x28, 4, b"CS", b"MONOCHROME2"),
            element(0x28, 8, b"IS", str(frames).encode()),
            *(short(0x10, rows), short(0x11, columns)),
            *(short(0x100, 16), short(0x101, 16), short(0x102, 15), short(0x103, 0)),
        )
    )


EXPLICIT, DEFLATED = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99"


@bomb("sound PNG of 8 x 8")
def _sound(folder: pathlib.Path) -> Reading:
    return scanned(_written(folder / "a.png", png(8, 8, bytes(72))))


@bomb("sound PNG of 40 megapixels, RGB of 8 bits: doctor")
def _largest_colour(folder: pathlib.Path) -> Reading:
    return scanned(_written(folder / "a.png", png(6_000, 6_666, zeros(6_000 * 19_999), 8, 2)))


@bomb("the same: decoded and resized for training")
def _largest_colour_pipeline(folder: pathlib.Path) -> Reading:
    return pipeline(_largest_colour(folder).file)


@bomb("sound PNG of 40 megapixels, RGB of 16 bits: for training")
def _largest_deep(folder: pathlib.Path) -> Reading:
    return pipeline(_written(folder / "a.png", png(6_000, 6_666, zeros(6_000 * 39_997), 16, 2)))


@bomb("sound PNG of 40 megapixels, grey of 16 bits: for training")
def _largest_grey(folder: pathlib.Path) -> Reading:
    return pipeline(_written(folder / "a.png", png(6_000, 6_666, zeros(6_000 * 13_333), 16, 0)))


@bomb("sound DICOM of 40 megapixels, grey of 16 bits: for training")
def _largest_dicom(folder: pathlib.Path) -> Reading:
    pixels = b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", 6_000 * 6_666 * 2)
    file = _written(folder / "a.dcm", dicom(EXPLICIT, pixels, 6_000, 6_666))
    os.truncate(file, file.stat().st_size + 6_000 * 6_666 * 2)
    return pipeline(file)


@bomb("PNG of 20,000 x 20,000")
def _large_png(folder: pathlib.Path) -> Reading:
    return scanned(_written(folder / "a.png", png(20_000, 20_000, zeros(20_000 * 20_001))))


@bomb("the same, decoded without a scan before")
def _large_png_pipeline(folder: pathlib.Path) -> Reading:
    return pipeline(_large_png(folder).file)


@bomb("PNG with 2 GB of packed text and profile")
def _text_png(folder: pathlib.Path) -> Reading:
    packed = zeros(1 << 30)
    further = chunk(b"iCCP", b"a\0\0" + packed) + chunk(b"zTXt", b"a\0\0" + packed)
    return scanned(_written(folder / "a.png", png(8, 8, bytes(72), further=further)))


@bomb("PNG of 8 x 8 with 2 GB of pixels")
def _long_png(folder: pathlib.Path) -> Reading:
    return scanned(_written(folder / "a.png", png(8, 8, zeros(2 << 30))))


@bomb("PNG of 1 TB, sparse")
def _sparse_png(folder: pathlib.Path) -> Reading:
    file = _written(folder / "a.png", png(8, 8, bytes(72)))
    os.truncate(file, 1 << 40)
    return scanned(file)


@bomb("JPEG of 25 megapixels with 3,000 scans")
def _scans_jpeg(folder: pathlib.Path) -> Reading:
    def segment(marker: int, data: bytes) -> bytes:
        return bytes((255, marker)) + struct.pack(">H", len(data) + 2) + data

    blocks = 625 * 625
    # One code of one bit: a run of 2^14 empty blocks, whose 14 further bits are 1.
    table = segment(0xC4, b"\x10" + bytes([1]) + bytes(15) + b"\xe0")
    frame = segment(0xC2, b"\x08" + struct.pack(">HH", 5_000, 5_000) + b"\x01\x01\x11\x00")
    quantization = segment(0xDB, b"\0" + b"\1" * 64)
    bits = "".join("0" + "1" * 14 for _ in range(-(-blocks // (2**15 - 1))))
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    scan = segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + data
    contents = b"\xff\xd8" + quantization + frame + table + scan * 3_000 + b"\xff\xd9"
    return scanned(_written(folder / "a.jpg", contents))


@bomb("DICOM, 2^31 - 1 frames")
def _frames(folder: pathlib.Path) -> Reading:
    contents = dicom(
        EXPLICIT, b"\xe0\x7f\x10\x00OW\0\0\x00\x20\0\0" + bytes(8192), 64, 64, 2**31 - 1
    )
    _written(folder / "a.dcm", contents)
    (folder / "labels.csv").write_text("path,x\na.dcm,1\n")
    arguments = ("-m", "remedis.cli", "doctor", str(folder), "--source=dicom", "--labels=x")
    return Reading(folder / "a.dcm", (*arguments, "--json"))


@bomb("DICOM of 6,000 x 6,000 without pixels")
def _hollow_dicom(folder: pathlib.Path) -> Reading:
    pixels = b"\xe0\x7f\x10\x00OW\0\0\x00\x00\0\0"
    return scanned(_written(folder / "a.dcm", dicom(EXPLICIT, pixels, 6_000, 6_000)))


@bomb("DICOM, deflated, 4 GB unpacked")
def _deflated_dicom(folder: pathlib.Path) -> Reading:
    return scanned(_written(folder / "a.dcm", dicom(DEFLATED, zeros(4 << 30, raw_deflate()))))


@bomb("DICOM with 1.8 GB of private data")
def _junk_dicom(folder: pathlib.Path) -> Reading:
    return _with_junk(folder, 1_800_000_000, 0xFFFFFFFF)


@bomb("the same, of defined length")
def _defined_junk_dicom(folder: pathlib.Path) -> Reading:
    return _with_junk(folder, 1_800_000_000, 1_800_000_000)


def _with_junk(folder: pathlib.Path, size: int, length: int) -> Reading:
    file = _written(
        folder / "a.dcm", dicom(EXPLICIT, b"\x29\x00\x10\x10OB\0\0" + struct.pack("<I", length))
    )
    os.truncate(file, file.stat().st_size + size)  # sparse
    end = b"\xfe\xff\xdd\xe0\0\0\0\0" if length == 0xFFFFFFFF else b""
    with file.open("ab") as opened:
        opened.write(end + b"\xe0\x7f\x10\x00OW\0\0\x00\x20\0\0" + bytes(8192))
    return scanned(file)


@bomb("DICOM, 64 x 64, 210 MB of runs")
def _run_length_dicom(folder: pathlib.Path) -> Reading:
    # Two segments, the upper and the lower byte of each value; a pair makes 128 bytes.
    segment = b"\x81\x00" * (50 << 20)
    frame = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13) + 2 * segment
    return scanned(_written(folder / "a.dcm", _encapsulated(b"1.2.840.10008.1.2.5", frame)))


@bomb("DICOM, 6,000 x 6,000, 168 MB of runs")
def _long_runs_dicom(folder: pathlib.Path) -> Reading:
    segment = b"\x81\x00" * (40 << 20)
    frame = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13) + 2 * segment
    contents = _encapsulated(b"1.2.840.10008.1.2.5", frame, 6_000, 6_000)
    return scanned(_written(folder / "a.dcm", contents))


def _encapsulated(syntax: bytes, frame: bytes, rows: int = 64, columns: int = 64) -> bytes:
    item = b"\xfe\xff\x00\xe0"
    pixels = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + item + bytes(4)
    pixels += item + struct.pack("<I", len(frame)) + frame + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return dicom(syntax, pixels, rows, columns)


@bomb("HDF5 row of 3 TiB")
def _large_row(folder: pathlib.Path) -> Reading:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("x", (9, 1 << 20, 1 << 20, 3), "u1", chunks=(1, 64, 64, 3))
    return scanned(folder / "a.h5", "#0")


@bomb("HDF5 chunk of 2 GB in gzip")
def _chunk(folder: pathlib.Path) -> Reading:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        kind = {"chunks": (1, 1_000, 1_000), "compression": "gzip"}
        array = file.create_dataset("x", (1, 1_000, 1_000), "u1", **kind)
        array.id.write_direct_chunk((0, 0, 0), zeros(2 << 30))
    return scanned(folder / "a.h5", "#0")


@bomb("TIFF whose strip has 2 GB")
def _strip(folder: pathlib.Path) -> Reading:
    return scanned(_written(folder / "a.tif", tiff(4_000, 4_000, zeros(2 << 30))))


@bomb("TIFF of 300,000 directories")
def _directories(folder: pathlib.Path) -> Reading:
    form = struct.Struct("<HHHIII")
    parts = [
        form.pack(1, 256, 4, 1, 8, 8 + form.size * (i + 1 if i < 299_999 else 0))
        for i in range(300_000)
    ]
    return scanned(_written(folder / "a.tif", b"II*\0\x08\0\0\0" + b"".join(parts)))


@bomb("slide with a tile of 50,000 x 50,000")
def _tile(folder: pathlib.Path) -> Reading:
    tile = {322: 50_000, 323: 50_000}
    return scanned(_written(folder / "a.tif", tiff(99, 99, zeros(2 << 30), tile)), "#0,0,9,0.5,0.5")


def tiff(height: int, width: int, packed: bytes, tile: dict[int, int] | None = None) -> bytes:
    """Returns a grey TIFF of 8 bits in deflate, of one strip or one tile."""
    tags = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 277: 1, **(tile or {278: height})}
    places = (324, 325) if tile else (273, 279)
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    tags |= {places[0]: start, places[1]: len(packed)}
    rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())]
    return struct.pack("<2sHIH", b"II", 42, 8, len(rows)) + b"".join(rows) + bytes(4) + packed


@bomb("TFRecord of 2^60 bytes")
def _record(folder: pathlib.Path) -> Reading:
    file = _written(folder / "a.tfrecord", struct.pack("<QI", 1 << 60, 0))
    os.truncate(file, 1 << 40)
    return scanned(file, "#0,image")


@bomb("pipe")
def _pipe(folder: pathlib.Path) -> Reading:
    os.mkfifo(folder / "a.png")
    return doctor(folder / "a.png")


@bomb("/dev/zero")
def _device(folder: pathlib.Path) -> Reading:
    (folder / "a.png").symlink_to("/dev/zero")
    return scanned(folder / "a.png")


# As the readers of weights, embeddings and scores do, without the time that TensorFlow takes.
_ARRAY = """
import sys
from remedis.npz_files import NpzFile
try:
    with NpzFile(sys.argv[1]) as opened:
        opened["embedding"]
except (OSError, ValueError) as error:
    sys.exit(f"error: {error}")
"""


def npz(file: pathlib.Path, head: bytes, size: int) -> Reading:
    """Returns the reading of an npz of one array, whose bytes after its head are 0."""
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("embedding.npy", "w", force_zip64=True) as member,
    ):
        member.write(head)
        for start in range(0, size, _MB):
            member.write(bytes(min(_MB, size - start)))
    return Reading(file, ("-c", _ARRAY, str(file)))


def npy(shape: tuple[int, ...]) -> bytes:
    """Returns the head of an array of float32."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header


@bomb("npz with 1 GiB of zeros")
def _packed_array(folder: pathlib.Path) -> Reading:
    return npz(folder / "a.npz", npy((1 << 18, 1 << 10)), 1 << 30)


@bomb("npz with a header of 2 GiB")
def _packed_header(folder: pathlib.Path) -> Reading:
    return npz(folder / "a.npz", b"\x93NUMPY\2\0" + struct.pack("<I", 1 << 31), 1 << 31)


@bomb("npz that declares 4 PB")
def _declared_array(folder: pathlib.Path) -> Reading:
    return npz(folder / "a.npz", npy((10**9, 10**6)), 8)


def _written(file: pathlib.Path, contents: bytes) -> pathlib.Path:
    file.write_bytes(contents)
    return file


class Images:
    """A process that reads one image after the other."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def measure(self, reading: Reading, seconds: float) -> tuple[float, float, str]:
        """Returns seconds, peak memory in MB and what the process says of an image."""
        if reading.operations:  # TensorFlow keeps the memory that an earlier image took
            self.close()
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=_ENVIRONMENT,
                preexec_fn=_limit,
            )
        begin = time.monotonic()
        answer = self._ask(json.dumps([reading.path, reading.operations]), seconds)
        if answer:
            took, peak, said = json.loads(answer)
            if reading.operations:
                self.close()
            return took, peak, said
        status = self.close()
        reason = f"DIES of signal {-status}" if status != -signal.SIGKILL else "HANGS"
        return time.monotonic() - begin, math.nan, reason

    def _ask(self, line: str, seconds: float) -> str:
        """Returns the next line of the process; empty if it ends or takes too long."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        return process.stdout.readline() if ready else ""

    def close(self) -> int:
        """Ends the process; returns its status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=5)
        process.kill()
        return process.wait()


def serve() -> None:
    """Reads images whose paths come on standard input."""
    import pandas as pd
    import tensorflow as tf

    from remedis.data.batches.image_loader import image_loader
    from remedis.data.checks.scan import scan
    from remedis.data.manifest import REQUIRED, Manifest
    from remedis.preprocess import parse

    for line in sys.stdin:
        path, operations = json.loads(line)
        row = dict.fromkeys(REQUIRED) | {"path": path, "x": 1.0}
        manifest = Manifest(pd.DataFrame([row]), ("x",), pathlib.Path("/"), "csv")
        # Resets the peak (man 5 proc).
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        begin = time.monotonic()
        try:
            if operations:
                load, apply = image_loader(manifest), parse(operations)
                data = tf.data.Dataset.range(1).map(lambda i: apply(load(i)))  # noqa: B023
                said = f"read: {next(iter(data)).shape}"
            else:
                fault = scan(manifest)["fault"][0]
                said = "read" if pd.isna(fault) else str(fault)
        except Exception as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
        took = time.monotonic() - begin
        status = pathlib.Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        print(json.dumps([took, peak, said]), flush=True)


def measure(reading: Reading, images: Images, seconds: float = 600.0) -> tuple[float, float, str]:
    """Returns seconds, peak memory in MB and what is said of a file."""
    if not reading.arguments:
        return images.measure(reading, seconds)
    begin = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            [sys.executable, *reading.arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_ENVIRONMENT,
            preexec_fn=_limit,
        )
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        while not ended and time.monotonic() - begin < seconds:
            time.sleep(0.05)
            ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        if not ended:
            child.kill()
            _, status, usage = os.wait4(child.pid, 0)
        output.seek(0)
        written = output.read().decode(errors="replace")
    said = _sentence(written) if ended else "HANGS"
    if ended and os.WIFSIGNALED(status):
        said = f"DIES of signal {os.WTERMSIG(status)}"
    return time.monotonic() - begin, usage.ru_maxrss / 1024, said


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))


def _sentence(written: str) -> str:
    """Returns what a process says of the file: the line that names it, or the last line."""
    lines = [line.strip(' ,"') for line in written.splitlines() if line.strip()] or ["nothing"]
    # `doctor` writes JSON, one string per line.
    named = [line for line in lines if re.search(r"\ba\.(png|dcm)( \(|: )", line)]
    return re.sub(r"\s+", " ", re.sub(r"/tmp/\S+/", "", (named or lines[-1:])[0]))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="in the names of bombs")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve()
        return
    images = Images()
    print("file | bytes | seconds | peak MB | sentence")
    for name, make in BOMBS.items():
        if args.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            reading = make(pathlib.Path(folder))
            size = reading.file.stat().st_size if reading.file.is_file() else 0
            seconds, peak, sentence = measure(reading, images)
        sentence = re.sub(r"/tmp/\S+/", "", sentence)[:150]
        print(f"{name} | {size:,} | {seconds:.1f} | {peak:,.0f} | {sentence}", flush=True)
    images.close()


if __name__ == "__main__":
    main()
