"""DICOM files that declare, hold or unpack far more than an image needs."""

import os
import struct
import zlib

import numpy as np
import pytest
from dicom_helpers import dataset, write
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless

from remedis import limits
from remedis.data.readers import dicom_file, dicom_image
from remedis.data.readers.unreadable import Unreadable

GREY = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65
DEFLATED = DeflatedExplicitVRLittleEndian


def fault_of(path, item=""):
    with pytest.raises(Unreadable) as error:
        dicom_image.read_pixels(str(path), item)
    return str(error.value)


@pytest.mark.parametrize(
    ("frames", "sentence"),
    [
        (2**31 - 1, "states 2,147,483,647 frames; expected at most 100,000"),
        (300, "The file is too small for 300 frames that its DICOM header states"),
    ],
)
def test_frames_that_the_file_cannot_hold(tmp_path, frames, sentence):
    path = write(tmp_path / "a.dcm", dataset(GREY))
    contents = (tmp_path / "a.dcm").read_bytes()
    number = str(frames).encode() + b" " * (len(str(frames)) % 2)
    place = contents.index(struct.pack("<HH", 0x28, 0x10))
    element = struct.pack("<HH2sH", 0x28, 8, b"IS", len(number)) + number
    (tmp_path / "a.dcm").write_bytes(contents[:place] + element + contents[place:])
    assert sentence in fault_of(path, "1")


def deflated(path, ds, more=0):
    ds.file_meta.TransferSyntaxUID = DEFLATED
    write(path, ds)
    if more:
        start = path.read_bytes().index(b"1.2.840.10008.1.2.1.99") + 22
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(bytes(more)) + packer.flush()
        path.write_bytes(path.read_bytes()[:start] + packed)
    return str(path)


def test_a_deflated_file_is_that_of_the_same_values(tmp_path):
    plain = dicom_image.read_pixels(write(tmp_path / "a.dcm", dataset(GREY, bits=12)), "")
    path = deflated(tmp_path / "b.dcm", dataset(GREY, bits=12))
    np.testing.assert_array_equal(dicom_image.read_pixels(path, ""), plain)
    frames = dataset(np.stack([GREY, GREY + 1]), NumberOfFrames=2)
    np.testing.assert_allclose(
        dicom_image.read_pixels(deflated(tmp_path / "c.dcm", frames), "2")[..., 0],
        (GREY + 1) / 65535,
        rtol=1e-6,
    )


def test_a_deflated_file_is_unpacked_up_to_a_limit(tmp_path):
    path = deflated(tmp_path / "a.dcm", dataset(GREY), more=40_000_000)
    with limits.megapixels(0.001):
        assert fault_of(path) == (
            "The DICOM file is deflated and has more than 32 MB unpacked, more than an image of "
            "0.001 megapixels needs."
        )
    contents = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(contents[:200] + b"\xff" * 99)
    assert "truncated or damaged" in fault_of(path) or "DICOM header" in fault_of(path)


@pytest.mark.parametrize("length", [20_000, 0xFFFFFFFF])
def test_private_data_are_skipped_or_refused(tmp_path, monkeypatch, length):
    monkeypatch.setattr(dicom_file, "HEADER_BYTES", 10_000)
    path = write(tmp_path / "a.dcm", dataset(GREY, bits=12))
    contents = (tmp_path / "a.dcm").read_bytes()
    place = contents.index(b"\xe0\x7f\x10\x00")
    junk = struct.pack("<HH2sHI", 0x29, 0x1010, b"OB", 0, length) + bytes(20_000)
    end = b"\xfe\xff\xdd\xe0\0\0\0\0" if length == 0xFFFFFFFF else b""
    before = dicom_image.read_pixels(path, "")
    (tmp_path / "a.dcm").write_bytes(contents[:place] + junk + end + contents[place:])
    if end:
        assert "of data besides the pixels" in fault_of(path)
    else:
        np.testing.assert_array_equal(dicom_image.read_pixels(path, ""), before)


def test_a_codestream_with_more_channels_than_stated(tmp_path):
    colour = dataset(np.zeros((64, 64, 3), np.uint8))
    colour.compress(JPEG2000Lossless)
    grey = dataset(np.zeros((64, 64), np.uint8))
    grey.file_meta.TransferSyntaxUID = JPEG2000Lossless
    grey.PixelData = encapsulate([get_frame(colour.PixelData, 0, number_of_frames=1)])
    grey["PixelData"].VR = "OB"
    grey["PixelData"].is_undefined_length = True
    sentence = "The compressed image is 64x64x3, but the DICOM header states 64x64x1."
    assert fault_of(write(tmp_path / "a.dcm", grey)) == sentence


@pytest.mark.parametrize("pixels", [GREY, np.dstack([GREY, GREY, GREY]).astype(np.uint8)])
def test_blocks_of_rows_give_the_same_image(tmp_path, monkeypatch, pixels):
    path = write(tmp_path / "a.dcm", dataset(pixels))
    whole = dicom_image.read_pixels(path, "")
    monkeypatch.setattr(dicom_image, "_BLOCK", 3 * pixels[0].size)
    np.testing.assert_array_equal(dicom_image.read_pixels(path, ""), whole)


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.dcm")
    assert "a pipe (FIFO), expected a regular file" in fault_of(tmp_path / "a.dcm")
