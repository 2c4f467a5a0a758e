"""Fuzzed DICOM files: an image or an error of one sentence, and nothing of the header.

`REMEDIS_FUZZ_EXAMPLES=100000` sets the number of examples; `make test-slow` runs more than a plain
run too.
"""

import contextlib
import functools
import io
import logging
import os
import pathlib
import tempfile
import warnings

import numpy as np
import pytest
from dicom_helpers import MARKER, dataset, lut, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remedis.data.readers import dicom_header, dicom_image
from remedis.data.readers.unreadable import Unreadable
from remedis.data.sources import dicom_files as source
from remedis.errors import UserError

EXAMPLES = int(os.environ.get("REMEDIS_FUZZ_EXAMPLES", "250"))
SLOW_EXAMPLES = 3_000
KINDS = ("plain", "lut", "colour", "frames", "run lengths", "jpeg 2000")


@functools.cache
def valid(kind: str) -> bytes:
    grey = np.random.default_rng(0).integers(0, 4096, (40, 36)).astype(np.uint16)
    ds = {
        "colour": lambda: dataset(grey[..., None].repeat(3, -1).astype(np.uint8)),
        "frames": lambda: dataset(np.stack([grey, grey]), 12, NumberOfFrames=2),
    }.get(kind, lambda: dataset(grey, 12, WindowCenter=2000, WindowWidth=900))()
    ds.StudyDate, ds.PatientBirthDate = "20200101", "19600101"
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    if kind == "lut":
        ds.VOILUTSequence = [lut(0, 12, list(range(0, 4096, 16)))]
        ds.PixelPaddingValue = 3
    syntax = {"run lengths": "1.2.840.10008.1.2.5", "jpeg 2000": "1.2.840.10008.1.2.4.90"}
    if kind in syntax:
        ds.compress(syntax[kind], generate_instance_uid=False)
    with tempfile.TemporaryDirectory() as folder:
        return pathlib.Path(write(pathlib.Path(folder) / "a.dcm", ds)).read_bytes()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draws a valid file with bytes changed, cut off, repeated, or replaced by another file's."""
    contents = bytearray(valid(draw(st.sampled_from(KINDS))))
    # Most attributes come before the pixels.
    places = st.one_of(st.integers(128, 1200), st.integers(0, len(contents) - 1))
    for _ in range(draw(st.integers(1, 4))):
        place = min(draw(places), len(contents))
        length = draw(st.integers(0, 40))
        change = draw(st.sampled_from(("flip", "write", "cut", "drop", "repeat", "splice")))
        if change == "flip" and place < len(contents):
            contents[place] ^= 1 << draw(st.integers(0, 7))
        elif change == "write":
            contents[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        elif change == "cut":
            del contents[place:]
        elif change == "drop":
            del contents[place : place + length]
        elif change == "repeat":
            contents[place:place] = contents[place : place + length] * draw(st.integers(1, 50))
        else:
            other = valid(draw(st.sampled_from(KINDS)))
            start = draw(st.integers(0, len(other) - 1))
            contents[place : place + length] = other[start : start + length]
    return bytes(contents)


def survive(contents: bytes, folder: pathlib.Path) -> None:
    """Reads a file as every part of the library does, and checks all output."""
    path = folder / "a.dcm"
    path.write_bytes(contents)
    output: list[str] = []
    out, err = io.StringIO(), io.StringIO()
    handler = logging.Handler()
    handler.emit = lambda record: output.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            warnings.simplefilter("always")
            for item in ("", "2"):
                try:
                    image = dicom_image.read_pixels(str(path), item)
                    assert image.ndim == 3
                    assert image.shape[2] in (1, 3)
                    assert image.dtype == np.float32
                    assert image.min() >= 0
                    assert image.max() <= 1
                except (Unreadable, UserError) as error:
                    output.append(str(error))
                    output.append(repr(error.__context__))
            result = source._examine(str(path))
            if isinstance(result, str):
                output.append(result)
            with contextlib.suppress(Unreadable):
                dicom_header.read(path, ["PatientID"])
    finally:
        logging.getLogger().removeHandler(handler)
    output += [out.getvalue(), err.getvalue(), *(str(w.message) for w in caught)]
    assert not [text for text in output if MARKER in text]


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_valid_before_they_are_damaged(kind, tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(valid(kind))
    channels = 3 if kind == "colour" else 1
    assert dicom_image.read_pixels(str(path), "1").shape == (40, 36, channels)


def fuzz(examples: int, tmp_path: pathlib.Path) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged())
    def run(contents: bytes) -> None:
        survive(contents, tmp_path)

    run()


def test_damaged_files(tmp_path):
    fuzz(EXAMPLES, tmp_path)


@pytest.mark.slow
def test_many_damaged_files(tmp_path):
    fuzz(max(EXAMPLES, SLOW_EXAMPLES), tmp_path)
