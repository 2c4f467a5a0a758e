"""Sends a thousand damaged images to a server in this process, and prints what became of them.

    python tests/helpers/damaged_requests.py COUNT SEED

Valid JPEG, PNG and DICOM files are cut, or get up to eight flipped bits, half of them in the first
500 bytes, which have the structure. The last line of the output is JSON: how often each status was
answered, and what may not happen. The process is one of its own, since damaged files can end it.
"""

import gc
import io
import json
import logging
import os
import resource
import sys
import time
from collections import Counter
from typing import Any

import dicom_helpers
import fake_serving
import numpy as np
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

SIDES = (70, 90)
SLOW = 10.0  # seconds, far more than any of these files takes


def valid() -> dict[str, bytes]:
    """Returns small files of every kind that a server takes, each with another coding."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: SIDES[0], : SIDES[1]]
    grey = (120 + 100 * np.sin(rows / 9) * np.cos(columns / 7) + rng.normal(0, 4, SIDES)).clip(
        0, 255
    )
    grey = grey.astype(np.uint8)
    colour = np.stack([grey, grey[::-1], 255 - grey], -1)
    sixteen = grey.astype(np.uint16) * 250
    found: dict[str, bytes] = {}
    for name, kind, picture, options in (
        ("grey.jpg", "JPEG", Image.fromarray(grey), {}),
        ("colour.jpg", "JPEG", Image.fromarray(colour), {"exif": Image.Exif()}),
        ("progressive.jpg", "JPEG", Image.fromarray(colour), {"progressive": True}),
        ("grey.png", "PNG", Image.fromarray(grey), {}),
        ("colour.png", "PNG", Image.fromarray(colour), {}),
        ("palette.png", "PNG", Image.fromarray(colour).quantize(32), {}),
        ("sixteen.png", "PNG", Image.fromarray(sixteen), {}),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        found[name] = buffer.getvalue()
    twelve = dicom_helpers.dataset(sixteen // 16, 12, WindowCenter=2000, WindowWidth=3000)
    found["plain.dcm"] = stored(twelve)
    for name, syntax in (
        ("rle.dcm", RLELossless),
        ("jpeg2000.dcm", JPEG2000Lossless),
        ("jpegls.dcm", JPEGLSLossless),
    ):
        packed = dicom_helpers.dataset(sixteen // 16, 12)
        packed.compress(syntax)
        found[name] = stored(packed)
    baseline = dicom_helpers.dataset(grey)
    baseline.PixelData = encapsulate([found["grey.jpg"]])
    baseline["PixelData"].VR = "OB"
    baseline.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    found["baseline.dcm"] = stored(baseline)
    found["colour.dcm"] = stored(dicom_helpers.dataset(colour))
    return found


def stored(dataset: pydicom.Dataset) -> bytes:
    """Returns a dataset as a file."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def damaged(contents: bytes, rng: np.random.Generator) -> bytes:
    """Returns a file that is cut, or has flipped bits."""
    changed = bytearray(contents)
    if rng.random() < 0.4:
        return bytes(changed[: rng.integers(1, len(changed))])
    end = 500 if rng.random() < 0.5 else len(changed)
    for place in rng.integers(0, min(end, len(changed)), rng.integers(1, 9)):
        changed[place] ^= 1 << rng.integers(8)
    return bytes(changed)


class _Kept(logging.Handler):
    """Keeps every log record as text."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def main() -> None:
    """Sends the requests; see the docstring of this file."""
    count, seed = map(int, sys.argv[1:])
    log = _Kept()
    logging.getLogger().addHandler(log)
    logging.getLogger().setLevel(logging.INFO)
    rng = np.random.default_rng(seed)
    seeds = valid()
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    sizes: list[tuple[int, int]] = []
    with fake_serving.client(batch_wait_ms=0) as server:
        for name, contents in seeds.items():
            answer = send(server, contents)
            if answer.status_code != 200:
                wrong.append(f"{name} is valid: {answer.status_code} {answer.text}")
        for number in range(count):
            name = list(seeds)[number % len(seeds)]
            started = time.monotonic()
            answer = send(server, damaged(seeds[name], rng))
            took = time.monotonic() - started
            statuses[answer.status_code] += 1
            if fault := fault_of(answer, took):
                wrong.append(f"{number} {name}: {fault}")
            if number in (count // 2, count - 1):
                gc.collect()
                sizes.append((memory(), len(os.listdir("/proc/self/fd"))))
        if send(server, seeds["grey.png"]).status_code != 200:
            wrong.append("A valid image is not answered afterwards.")
    if any(dicom_helpers.MARKER in text for text in log.texts):
        wrong.append("The log has a value of a header.")
    (before, files_before), (after, files_after) = sizes
    summary = {
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
        "wrong": wrong,
        "memory_growth": after - before,
        "file_growth": files_after - files_before,
        "largest_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
    }
    print(json.dumps(summary))


def send(server: Any, contents: bytes) -> Any:
    """Returns the answer to an image."""
    return server.post("/predict", files={"image": contents})


def fault_of(answer: Any, took: float) -> str:
    """Returns what is wrong with an answer; nothing if it is a score or a sentence."""
    if took > SLOW:
        return f"{took:.1f} s"
    if dicom_helpers.MARKER in answer.text:
        return "quotes the header"
    if answer.status_code == 200:
        scores = [score["probability"] for score in answer.json()["scores"]]
        return "" if all(0 <= score <= 1 for score in scores) else f"scores {scores}"
    if answer.status_code not in (400, 413, 415):
        return f"{answer.status_code} {answer.text[:300]}"
    sentence = answer.json().get("error", "")
    ends = sentence.endswith((".", "!")) and "Traceback" not in sentence and len(sentence) < 600
    return "" if ends else f"no sentence: {sentence[:300]!r}"


def memory() -> int:
    """Returns the bytes of memory in use."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
