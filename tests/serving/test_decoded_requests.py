"""Image files of requests: their pixels, and the files that are refused before any is decoded."""

import io
import tracemalloc

import numpy as np
import pytest
from fake_serving import encoded, grey, huge_png
from PIL import Image

from remedis.serving.decoded_requests import decoded
from remedis.serving.refusals import Refusal

LIMIT = 1_000
RAMP = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
DAMAGED = (400, "The file is not a complete JPEG or PNG file; send it again.")
OTHER = (415, "The file is none of JPEG, PNG and DICOM; expected one of these.")
TOO_LARGE = (
    413,
    "The image has 40 x 30 pixels; expected at most 0.001 megapixels: make it smaller.",
)


def refused(contents, frame="", most=LIMIT):
    with pytest.raises(Refusal) as found:
        decoded(contents, frame, most)
    return found.value.status, found.value.sentence


def dicom(rows=20, columns=30, pixels=None, **values):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

    header = pydicom.Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["1"])
    header.SOPClassUID = ComputedRadiographyImageStorage
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID
    header.PatientName = "Roe^Jane"
    header.Rows, header.Columns = rows, columns
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation, header.SamplesPerPixel = 7, 0, 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.PixelData = RAMP.tobytes() if pixels is None else pixels
    for name, value in values.items():
        setattr(header, name, value)
    buffer = io.BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("contents", [encoded(RAMP), encoded(RAMP, "TIFF")], ids=["png", "tiff"])
def test_png_has_its_values_and_tiff_is_refused(contents):
    if contents.startswith(b"\x89PNG"):
        np.testing.assert_array_equal(
            decoded(contents, "", LIMIT), (RAMP / np.float32(255))[..., None]
        )
    else:
        assert refused(contents) == OTHER


def test_jpeg_is_that_of_the_project_and_colour_has_three_channels():
    colour = np.stack([RAMP, RAMP.T.reshape(20, 30), RAMP], -1)
    found = decoded(encoded(colour, "JPEG"), "", LIMIT)
    expected = np.asarray(Image.open(io.BytesIO(encoded(colour, "JPEG"))))
    assert found.shape == (20, 30, 3)
    np.testing.assert_allclose(found, expected / 255, atol=2 / 255)


def test_dicom_has_the_values_of_the_reader():
    np.testing.assert_allclose(decoded(dicom(), "", LIMIT)[..., 0], RAMP / 255, atol=1e-6)


def test_frames_of_dicom_are_chosen_by_number():
    cine = dicom(pixels=RAMP.tobytes() + (255 - RAMP).tobytes(), NumberOfFrames=2)
    np.testing.assert_allclose(decoded(cine, "2", LIMIT)[..., 0], 1 - RAMP / 255, atol=1e-6)
    status, sentence = refused(cine)
    assert (status, "has 2 frames; choose one" in sentence) == (400, True)
    for frame in ("0", "3", "x", "1e3", "../etc/passwd"):
        assert refused(cine, frame)[0] == 400
    assert refused(grey(0), "1")[0] == 400


@pytest.mark.parametrize(
    "contents",
    [
        grey(0, 30, 40),
        encoded(np.zeros((30, 40), np.uint8), "JPEG"),
        huge_png(30, 40),
        dicom(30, 40, bytes(1_200)),
        dicom(30, 40),
    ],
    ids=["png", "jpeg", "cut png", "dicom", "cut dicom"],
)
def test_images_above_the_limit_are_refused_by_their_header(contents):
    assert refused(contents) == TOO_LARGE


@pytest.mark.parametrize("contents", [huge_png(65_000, 65_000), dicom(65_000, 65_000)])
def test_bombs_take_no_memory(contents):
    decoded(grey(0), "", LIMIT)
    tracemalloc.start()
    status, sentence = refused(contents, most=40_000_000)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert (status, "65,000 x 65,000" in sentence) == (413, True)


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (grey(9)[:-20], DAMAGED),
        (grey(9)[:12], DAMAGED),
        (huge_png(25, 40), DAMAGED),
        (encoded(RAMP, "JPEG")[:-300], DAMAGED),
        (encoded(RAMP, "JPEG")[:4], DAMAGED),
        (huge_png(0, 30), (400, "The image has no pixels; send another one.")),
        (b"", OTHER),
        (b"GIF89a" + bytes(50), OTHER),
        (b"<svg/>", OTHER),
        (b"%PDF-1.7", OTHER),
        (b"\x7fELF", OTHER),
        (encoded(RAMP, "BMP"), OTHER),
        (
            b"\xff\xd8\xff" + bytes(125) + b"DICM",
            (400, "The file is an image and a DICOM file at once; send the one that is meant."),
        ),
    ],
)
def test_other_and_damaged_files_have_a_sentence(contents, expected):
    assert refused(contents) == expected


@pytest.mark.parametrize(
    "contents",
    [
        dicom()[:200],
        dicom()[:-100],
        dicom(0, 30),
        dicom(Rows=None),
        dicom(NumberOfFrames=10_000),
        dicom(PhotometricInterpretation="ROE"),
        bytes(128) + b"DICM",
    ],
)
def test_damaged_dicom_has_a_sentence_without_the_patient(contents, caplog, recwarn):
    status, sentence = refused(contents)
    assert status == 400
    assert sentence.endswith(".")
    assert "Roe" not in sentence + caplog.text
    assert not [warning for warning in recwarn if "pydicom" in str(warning.filename)]


def test_no_file_is_left_open(tmp_path, monkeypatch):
    import os

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = set(os.listdir("/proc/self/fd"))
    decoded(dicom(), "", LIMIT)
    refused(dicom()[:200])
    assert set(os.listdir("/proc/self/fd")) == before
    assert not list(tmp_path.iterdir())
