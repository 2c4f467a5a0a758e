"""Images of each format, as the scan reads and measures them."""

import io
import pathlib
import struct
from collections.abc import Callable

import h5py
import harness
import numpy as np
import pydicom
from dicom_helpers import dataset
from PIL import Image

from remedis import limits
from remedis.data.checks.measure import measure
from remedis.data.readers import Unreadable

NOISE = np.random.default_rng(0).integers(0, 256, (24, 17, 3), dtype=np.uint8)
GREY = NOISE[..., 0]
DEEP = GREY.astype(np.uint16) * 257


def encoded(pixels: np.ndarray, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def pngs() -> list[bytes]:
    return [encoded(pixels, "PNG") for pixels in (NOISE, GREY, DEEP)]


def jpegs() -> list[bytes]:
    return [
        encoded(NOISE, "JPEG"),
        encoded(GREY, "JPEG", quality=30),
        encoded(NOISE, "JPEG", progressive=True, comment=b"a"),
    ]


def tiffs() -> list[bytes]:
    kinds = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    return [encoded(NOISE, "TIFF", compression=kind) for kind in kinds] + [encoded(DEEP, "TIFF")]


def dicoms() -> list[bytes]:
    uids = pydicom.uid
    grey = dataset(DEEP >> 4, bits=12)
    kinds = [grey, dataset(NOISE), dataset(np.stack([DEEP, DEEP]), NumberOfFrames=2)]
    for syntax in (uids.RLELossless, uids.JPEG2000Lossless):
        # OpenJPEG encodes no image with a side below 32 pixels.
        kinds.append(dataset(np.tile(DEEP >> 4, (2, 3)), bits=12))
        kinds[-1].compress(syntax)
    kinds.append(dataset(DEEP))
    kinds[-1].file_meta.TransferSyntaxUID = uids.DeflatedExplicitVRLittleEndian
    written = []
    for one in kinds:
        buffer = io.BytesIO()
        one.save_as(buffer, enforce_file_format=True)
        written.append(buffer.getvalue())
    return written


def hdf5s() -> list[bytes]:
    written = []
    for options in ({}, {"chunks": (1, 24, 17, 3), "compression": "gzip", "shuffle": True}):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file.create_dataset("x", data=np.stack([NOISE, NOISE]), **options)
        written.append(buffer.getvalue())
    return written


def tfrecords() -> list[bytes]:
    import tensorflow as tf

    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded(GREY, "PNG")]))
    data = tf.train.Example(features=tf.train.Features(feature={"image": value}))
    record = data.SerializeToString()
    return [struct.pack("<QI", len(record), 0) + record + bytes(4)]


def reading(name: str, *items: str) -> Callable[[bytes, pathlib.Path], None]:
    """Returns a reader of a file and items of it, which refuses it if all items are refused."""

    def read(contents: bytes, folder: pathlib.Path) -> None:
        path = folder / name
        path.write_bytes(contents)
        found = measure([f"{path}{item}" for item in items])
        faults = [measures["fault"] for measures in found if "fault" in measures]
        for measures in found:
            if "fault" not in measures:
                assert measures["height"] * measures["width"] <= limits.max_pixels()
                assert 0 <= measures["low"] <= measures["high"] <= 1
                assert 0 <= measures["mean"] <= 1
        if len(faults) == len(found):
            raise Unreadable(faults[-1])

    return read


TARGETS = {
    name: harness.Target(seeds=seeds, read=read, allowed=harness.UNREADABLE)
    for name, seeds, read in (
        ("png", pngs, reading("a.png", "")),
        ("jpeg", jpegs, reading("a.jpg", "")),
        ("tiff", tiffs, reading("a.tif", "")),
        ("dicom", dicoms, reading("a.dcm", "#2", "")),
        ("hdf5", hdf5s, reading("a.h5", "#0", "#1")),
        ("tfrecord", tfrecords, reading("a.tfrecord", "#0,image")),
    )
}
