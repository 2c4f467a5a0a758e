"""DICOM files that are damaged or cannot be shown: one sentence each, never an image."""

import logging
import re
import struct
import threading
import traceback
import warnings

import numpy as np
import pydicom
import pytest
from dicom_helpers import MARKER, dataset, lut, write
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from remedis.data.readers import dicom_codestream, dicom_header, dicom_image
from remedis.data.readers.unreadable import Unreadable

GREY = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65
JPEG_2000, JPEG, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5"


def grey(**attributes) -> Dataset:
    return dataset(GREY, bits=12, **attributes)


def without(keyword: str) -> Dataset:
    return grey(**{keyword: None})


def raw(keyword: str, value: bytes, ds: Dataset | None = None) -> Dataset:
    """Returns a dataset with bytes that pydicom would not write."""
    ds = ds or grey()
    tag = pydicom.tag.Tag(keyword)
    vr = pydicom.datadict.dictionary_VR(tag)
    value += b" " * (len(value) % 2)
    ds[tag] = pydicom.dataelem.RawDataElement(
        tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True
    )
    return ds


def compressed(syntax: str, codestream: bytes, **attributes) -> Dataset:
    ds = grey(**attributes)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([codestream])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds


def jpeg_2000() -> bytes:
    """Returns a codestream of 64x64."""
    ds = dataset(np.zeros((64, 64), np.uint16), bits=12)
    ds.compress(JPEG_2000)
    return pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1)


def report() -> Dataset:
    ds = grey(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    for name in ("Rows", "Columns", "PixelData", "PhotometricInterpretation"):
        delattr(ds, name)
    return ds


def floating() -> Dataset:
    ds = grey(PixelData=None, BitsAllocated=32, BitsStored=None, HighBit=None)
    ds.FloatPixelData = GREY.astype("<f4").tobytes()
    return ds


def cut_lut() -> Dataset:
    ds = grey()
    item = lut(0, 8, [0, 1, 2, 3])
    item.LUTDescriptor = [400, 0, 8]
    ds.VOILUTSequence = [item]
    return ds


DAMAGED = "The pixel data are missing, truncated or damaged."
WRONG = {
    "rows of zero": (lambda: grey(Rows=0), "no Rows, or it is 0"),
    "no columns": (lambda: without("Columns"), "no Columns, or it is 0"),
    "no rows": (lambda: without("Rows"), "no Rows, or it is 0"),
    "no bits allocated": (lambda: without("BitsAllocated"), "no BitsAllocated, or it is 0"),
    "no bits stored": (
        lambda: grey(BitsStored=None, HighBit=None),
        r"no BitsStored \(0028,0101\): .* 16 bits are allocated; export the file again",
    ),
    "no sign": (lambda: without("PixelRepresentation"), r"no PixelRepresentation \(0028,0103\)"),
    "no order of colours": (
        lambda: dataset(np.zeros((2, 2, 3), np.uint8), PlanarConfiguration=None),
        r"no PlanarConfiguration \(0028,0006\)",
    ),
    "more stored than allocated": (lambda: grey(BitsStored=17), "damaged|BitsStored 17"),
    "high bit elsewhere": (lambda: grey(HighBit=15), "HighBit other than BitsStored - 1"),
    "sign of no kind": (lambda: grey(PixelRepresentation=2), "PixelRepresentation|damaged"),
    "no colours": (
        lambda: without("PhotometricInterpretation"),
        "no known photometric interpretation",
    ),
    "unknown colours": (lambda: grey(PhotometricInterpretation="INFRARED"), "photometric"),
    "grey of three samples": (lambda: grey(SamplesPerPixel=3), "3 samples per pixel, but MONO"),
    "huge": (
        lambda: grey(Rows=65535, Columns=65535),
        "65,535 x 65,535 pixels, more than the limit of 40 megapixels",
    ),
    "more rows than pixels": (lambda: grey(Rows=9), DAMAGED),
    "no pixels": (lambda: without("PixelData"), DAMAGED),
    "empty pixels": (lambda: grey(PixelData=b""), DAMAGED),
    "a byte short": (lambda: grey(PixelData=GREY.tobytes()[:-2]), DAMAGED),
    "floating point": (floating, "floating-point pixels"),
    "report": (report, r"holds no image \(Basic Text SR Storage\)"),
    "video": (
        lambda: compressed("1.2.840.10008.1.2.4.100", bytes(100)),
        r"cannot be decoded \(MPEG2 Main Profile / Main Level\)",
    ),
    "empty window width": (
        lambda: raw("WindowWidth", b"", grey(WindowCenter=5)),
        "no WindowWidth",
    ),
    "zero window width": (
        lambda: grey(WindowCenter=5, WindowWidth=0),
        "WindowWidth of 0; expected 1 or more",
    ),
    "zero exact window width": (
        lambda: grey(WindowCenter=5, WindowWidth=0, VOILUTFunction="LINEAR_EXACT"),
        "WindowWidth of 0; expected more than 0",
    ),
    "window without centre": (lambda: grey(WindowWidth=5), "no WindowCenter"),
    "window of text": (
        lambda: raw("WindowWidth", b"WIDE", grey(WindowCenter=5)),
        "WindowWidth is not a number",
    ),
    # 1,024 may be a thousand.
    "window with a comma": (
        lambda: raw("WindowWidth", b"400,5", grey(WindowCenter=5)),
        "WindowWidth is not a number",
    ),
    "unknown window function": (
        lambda: grey(WindowCenter=5, WindowWidth=9, VOILUTFunction="CUBIC"),
        "unknown VOILUTFunction",
    ),
    "slope not a number": (lambda: raw("RescaleSlope", b"NaN"), "RescaleSlope is not finite"),
    "slope infinite": (lambda: raw("RescaleSlope", b"inf"), "RescaleSlope is not finite"),
    "slope of zero": (lambda: grey(RescaleSlope=0, RescaleIntercept=0), "RescaleSlope of 0"),
    "slope beyond": (lambda: raw("RescaleSlope", b"1e308"), "far too large"),
    "lut cut off": (cut_lut, "The VOI LUT of this DICOM file is missing or damaged"),
    "presentation lut": (
        lambda: grey(PresentationLUTSequence=[lut(0, 8, [0, 1])]),
        "presentation LUT, which is not supported",
    ),
    "palette missing": (
        lambda: dataset(GREY.astype(np.uint8), PhotometricInterpretation="PALETTE COLOR"),
        "palette of this DICOM file is missing",
    ),
    "decoder's colours uncompressed": (
        lambda: dataset(np.zeros((2, 2, 3), np.uint8), PhotometricInterpretation="YBR_RCT"),
        "YBR_RCT for pixels that are not compressed",
    ),
    "no frames": (lambda: raw("NumberOfFrames", b"-3"), "NumberOfFrames is below 1"),
    "frames of text": (lambda: raw("NumberOfFrames", b"MANY"), "NumberOfFrames"),
    "several frames": (
        lambda: dataset(np.zeros((2, 4, 4), np.uint8), NumberOfFrames=2),
        "has 2 frames; choose one of them, from #1 to #2",
    ),
    "jpeg 2000 cut off": (
        lambda: compressed(JPEG_2000, jpeg_2000()[:60], Rows=64, Columns=64),
        DAMAGED,
    ),
    "jpeg 2000 of another size": (
        lambda: compressed(JPEG_2000, jpeg_2000(), Rows=16, Columns=4),
        "compressed image is 64x64, but the DICOM header states 16x4",
    ),
    "jpeg 2000 that asks for all memory": (
        lambda: compressed(
            JPEG_2000,
            jpeg_2000()[:8] + struct.pack(">2I", 2**31 - 1, 2**31 - 1) + jpeg_2000()[16:],
        ),
        "compressed image is 2147483647x2147483647",
    ),
    "jpeg without a size": (lambda: compressed(JPEG, b"\xff\xd8\xff\xd9"), DAMAGED),
    "jpeg of zeros": (lambda: compressed(JPEG, bytes(100)), DAMAGED),
    "run lengths of zeros": (lambda: compressed(RLE, bytes(100)), DAMAGED),
    "an empty fragment": (lambda: compressed(RLE, bytes(2)), DAMAGED),
}


def fault_of(file: str) -> str:
    """Returns the sentence of the error that reading a file raises."""
    with pytest.raises(Unreadable) as caught:
        dicom_image.read_pixels(file, "")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    return str(caught.value)


@pytest.mark.parametrize("case", WRONG)
def test_one_sentence(tmp_path, case):
    make, sentence = WRONG[case]
    sentence_read = fault_of(write(tmp_path / "a.dcm", make()))
    assert re.search(sentence, sentence_read)
    assert MARKER not in sentence_read


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (b"", "The file is empty."),
        (b"DICM", "This is not a DICOM file; expected the letters DICM after its first 128 bytes."),
        (bytes(500), "This is not a DICOM file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "a JPEG or PNG file with the name of a DICOM file"),
        (bytes(128) + b"DICM", "truncated or damaged: it describes no image"),
        (bytes(128) + b"DICM" + bytes(range(256)), "damaged"),
    ],
)
def test_other_files(tmp_path, contents, sentence):
    path = tmp_path / "a.dcm"
    path.write_bytes(contents)
    with pytest.raises(Unreadable, match=sentence):
        dicom_image.read_pixels(str(path), "")


def test_files_that_cannot_be_read(tmp_path):
    assert (
        fault_of(str(tmp_path / "a.dcm")) == "The file cannot be read (No such file or directory)."
    )
    assert fault_of(str(tmp_path)) == "The file cannot be read (Is a directory)."


def test_no_transfer_syntax(tmp_path):
    path = tmp_path / "a.dcm"
    write(path, grey())
    contents = path.read_bytes()
    start = contents.index(b"\x02\x00\x10\x00UI")
    length = struct.unpack_from("<H", contents, start + 6)[0]
    path.write_bytes(contents[:start] + contents[start + 8 + length :])
    with pytest.raises(Unreadable, match="no transfer syntax"):
        dicom_image.read_pixels(str(path), "")


def test_unknown_transfer_syntax(tmp_path):
    path = tmp_path / "a.dcm"
    write(path, grey())
    explicit, unknown = b"1.2.840.10008.1.2.1\0", b"1.2.826.0.1.3680.99\0"
    path.write_bytes(path.read_bytes().replace(explicit, unknown))
    assert fault_of(str(path)) == "The pixels are coded in a way that cannot be decoded."


def test_every_truncation(tmp_path):
    path = tmp_path / "a.dcm"
    write(path, grey())
    contents = path.read_bytes()
    for length in range(0, len(contents) - 1, 7):
        path.write_bytes(contents[:length])
        fault_of(str(path))


def test_deep_nesting_does_not_end_the_process(tmp_path):
    path = tmp_path / "a.dcm"
    write(path, grey())
    contents = path.read_bytes()
    # Nested sequences of undefined length, after the last tag before the pixels.
    sequence = b"\x28\x00\x10\x30SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    start = contents.index(b"\xe0\x7f\x10\x00")
    path.write_bytes(contents[:start] + 20_000 * sequence + contents[start:])
    fault_of(str(path))


def test_sizes_of_codestreams():
    assert dicom_codestream.size(jpeg_2000()) == (64, 64, 1)
    boxed = b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(30) + jpeg_2000()
    assert dicom_codestream.size(boxed) == (64, 64, 1)
    frame = b"\xff\xc0\x00\x11\x08\x00\x05\x00\x07\x03" + bytes(20)
    assert dicom_codestream.size(b"\xff\xd8\xff\xe0\x00\x04ab\xff" + frame) == (5, 7, 3)
    with pytest.raises(ValueError, match="marker"):
        dicom_codestream.size(b"\xff\xd8\xff\xe0\x00\x04ab" + bytes(9))


def quoted_header() -> Dataset:
    """Returns a dataset that makes pydicom quote the marker in warnings, logs and errors."""
    ds = grey()
    for keyword in ("StudyInstanceUID", "StudyDate", "PatientAge", "PatientSex", "WindowCenter"):
        raw(keyword, MARKER.encode(), ds)
    raw("SpecificCharacterSet", MARKER.encode(), ds)
    raw("PatientName", f"{MARKER}=\xff\xfe{MARKER}".encode("latin-1"), ds)
    return ds


def text_of(error: BaseException) -> str:
    """Returns the text of an error and of all errors in its chain."""
    text = "".join(traceback.format_exception(error))
    while following := error.__cause__ or error.__context__:
        text += repr(following)
        error = following
    return text


def test_nothing_of_the_header_is_output(tmp_path, caplog, capfd):
    path = tmp_path / "a.dcm"
    write(path, quoted_header())
    caplog.clear()
    capfd.readouterr()
    caplog.set_level(logging.DEBUG)
    pydicom.config.debug(True)
    caught = []
    try:
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            for keyword in ("WindowCenter", "PatientAge", "StudyDate", "StudyInstanceUID"):
                try:
                    header = dicom_header.read(path, [keyword])
                    dicom_header.text(header, keyword)
                except Unreadable as error:
                    caught.append(text_of(error))
            try:
                dicom_image.read_pixels(str(path), "")
            except Unreadable as error:
                caught.append(text_of(error))
    finally:
        pydicom.config.debug(False)
        logger = logging.getLogger("pydicom")
        for handler in logger.handlers[1:]:
            logger.removeHandler(handler)
    assert caught
    out = capfd.readouterr()
    output = (*caught, caplog.text, out.out, out.err, *(str(w.message) for w in shown))
    assert not any(MARKER in text for text in output)
    # pydicom itself quotes the header of the same file.
    with pytest.warns(UserWarning, match="value|encod") as quoted:
        str(pydicom.dcmread(path))
    assert any(MARKER in str(w.message) for w in quoted)


def test_silence_ends_and_covers_pydicom_alone():
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        inside = list(warnings.filters)
        with dicom_header.silence(), dicom_header.silence():
            warnings.warn("mine", stacklevel=1)
            thread = threading.Thread(target=dicom_header.quietly, args=(int, "."))
            thread.start()
            thread.join()
            pydicom.valuerep.validate_value("UI", "theirs", pydicom.config.WARN)
        assert warnings.filters == inside
        pydicom.valuerep.validate_value("UI", "theirs later", pydicom.config.WARN)
    mine, theirs = (str(w.message) for w in shown)
    assert mine == "mine"
    assert "theirs later" in theirs
    assert warnings.filters == before
