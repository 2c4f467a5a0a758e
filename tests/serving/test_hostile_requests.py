"""Requests of an attacker, one test each: all are answered by one sentence, and none is logged."""

import base64
import gzip
import io
import json
import logging
import struct
import zlib

import numpy as np
import pytest
from fake_serving import SIDE, client, encoded, grey, huge_png
from PIL import Image

TF = "/v1/models/fake-1x0.25:predict"
KSERVE = "/v2/models/fake-1x0.25/infer"
MARK = "patient-4711"  # in names, fields and values; in no log
LIMIT = 200_000
FORM = "multipart/form-data; boundary=b"
JSON = "application/json"


@pytest.fixture(scope="module")
def server():
    with client(max_bytes=LIMIT, max_pixels=1_000_000, max_queue=16, batch_wait_ms=0) as opened:
        yield opened


def form(contents, name="image", filename=MARK, more=""):
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"{more}'
    return {
        "content": head.encode() + b"\r\n\r\n" + contents + b"\r\n--b--\r\n",
        "headers": {"Content-Type": FORM},
    }


def text(contents, content_type=JSON):
    return {"content": contents, "headers": {"Content-Type": content_type}}


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width=4, height=4, depth=8, colour=0, data=None, before=b"", after=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100) if data is None else data
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
        + after
    )


def jpeg(**changes):
    data = bytearray(encoded(np.zeros((16, 16), np.uint8), "JPEG"))
    frame = data.index(b"\xff\xc0")
    if "size" in changes:
        data[frame + 5 : frame + 9] = struct.pack(">HH", *changes["size"])
    if "channels" in changes:
        data[frame + 9] = changes["channels"]
    if "scans" in changes:
        scan = bytes(data[data.index(b"\xff\xda") : -2])
        data[-2:-2] = scan * changes["scans"]
    return bytes(data)


def bomb():
    """A PNG of 2,000 x 2,000 pixels in 4 kB."""
    return png(2_000, 2_000, data=zlib.compress(bytes(2_001 * 2_000), 9))


def images(value, shape=(1, SIDE, SIDE, 3)):
    return {"instances": np.full(shape, value, object).tolist()}


def deep(depth, opening=b"[", closing=b"]"):
    return opening * depth + b"1" + closing * depth


def animated():
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(
        buffer, "GIF", save_all=True, append_images=[Image.new("L", (4, 4))]
    )
    return buffer.getvalue()


IMAGE = base64.b64encode(grey(1)).decode()

# What it is: the address, the request, and the statuses that may answer it.
ATTACKS = {
    # Sizes that are stated, and sizes that come out.
    "png of 65,000 x 65,000": ("/predict", form(huge_png(65_000, 65_000)), 413),
    "png of 2^31 x 2^31": ("/predict", form(png(2**31 - 1, 2**31 - 1)), 413),
    "png of 2^32-1 rows": ("/predict", form(png(1, 2**32 - 1)), 413),
    "png that is a bomb": ("/predict", form(bomb()), 413),
    "png with more data than pixels": (
        "/predict",
        form(png(4, 4, data=zlib.compress(bytes(10**7), 9))),
        (200, 400),
    ),
    "png with a comment that is a bomb": (
        "/predict",
        form(png(before=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7), 9)))),
        (200, 400),
    ),
    "png with a profile that is a bomb": (
        "/predict",
        form(png(before=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**7), 9)))),
        (200, 400),
    ),
    "png without rows": ("/predict", form(png(4, 0)), 400),
    "png of depth 255": ("/predict", form(png(depth=255)), 400),
    "png of colour 9": ("/predict", form(png(colour=9)), 400),
    "png without a palette": ("/predict", form(png(colour=3)), 400),
    "png with a wrong sum": ("/predict", form(png()[:-30] + b"\0" * 30), 400),
    "png with a chunk of 4 GB": ("/predict", form(grey(1)[:33] + b"\xff\xff\xff\xffIDAT"), 400),
    "png signature alone": ("/predict", form(b"\x89PNG\r\n\x1a\n"), 400),
    "jpeg of 65,000 x 65,000": ("/predict", form(jpeg(size=(65_000, 65_000))), 413),
    # The decoder's own limit is 65,500.
    "jpeg of 65,535 x 65,535": ("/predict", form(jpeg(size=(65_535, 65_535))), 400),
    "jpeg of no rows": ("/predict", form(jpeg(size=(0, 16))), 400),
    "jpeg of 255 channels": ("/predict", form(jpeg(channels=255)), 400),
    "jpeg of 5,000 scans": ("/predict", form(jpeg(scans=500)), 413),
    "jpeg signature alone": ("/predict", form(b"\xff\xd8\xff"), 400),
    "jpeg of one marker": ("/predict", form(b"\xff\xd8\xff\xe1\xff\xff" + b"\xff" * 999), 400),
    "jpeg that is cut": ("/predict", form(encoded(np.eye(64, dtype=np.uint8), "JPEG")[:-99]), 400),
    # Other files, and two in one.
    "gif": ("/predict", form(animated()), 415),
    "svg with a script": ("/predict", form(b"<svg onload='alert(1)'/>"), 415),
    "html": ("/predict", form(b"<html><script>alert(1)</script></html>"), 415),
    "pickle": ("/predict", form(b"cos\nsystem\n(S'true'\ntR."), 415),
    "zip": ("/predict", form(b"PK\x03\x04" + bytes(99)), 415),
    "gzip": ("/predict", form(gzip.compress(grey(1))), 415),
    "tiff": ("/predict", form(encoded(np.zeros((4, 4), np.uint8), "TIFF")), 415),
    "elf": ("/predict", form(b"\x7fELF" + bytes(99)), 415),
    "png and dicom": ("/predict", form(grey(1)[:128].ljust(128, b"\0") + b"DICM"), 400),
    "jpeg and dicom": ("/predict", form(b"\xff\xd8\xff" + bytes(125) + b"DICM"), 400),
    "zip before png": ("/predict", form(b"PK\x03\x04" + grey(1)), 415),
    "dicom without anything": ("/predict", form(bytes(128) + b"DICM"), 400),
    "dicom of noise": (
        "/predict",
        form(bytes(128) + b"DICM" + np.random.default_rng(0).bytes(9_000)),
        400,
    ),
    "dicom of nested sequences": (
        "/predict",
        form(bytes(128) + b"DICM" + b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" * 5_000),
        400,
    ),
    "nothing": ("/predict", form(b""), 400),
    # Forms.
    "name of a file that climbs": ("/predict", form(b"x", filename="../../etc/passwd"), 415),
    "name of a file with a zero": ("/predict", form(b"x", filename="a\0b"), 415),
    "name of a file of 50,000 bytes": ("/predict", form(b"x", filename="x" * 50_000), 400),
    "header in a name": ("/predict", form(b"x", name="image\r\nX: y"), 400),
    "two names": ("/predict", form(grey(1), more='; name="other"'), (200, 400)),
    "two files": (
        "/predict",
        {
            **form(grey(1)),
            "content": form(grey(1))["content"].replace(b"--b--\r\n", b"")
            + form(grey(1))["content"],
        },
        400,
    ),
    "10,000 parts": ("/predict", text(b"--b\r\n\r\n\r\n" * 10_000 + b"--b--", FORM), 400),
    "boundary of 1 MB": (
        "/predict",
        text(b"--b--", f"multipart/form-data; boundary={'x' * 60_000}"),
        400,
    ),
    "no boundary": ("/predict", text(b"--b--", "multipart/form-data"), 400),
    "other kind of form": ("/predict", text(b"image=x", "application/x-www-form-urlencoded"), 415),
    "type of an image": ("/predict", text(grey(1), "image/png"), 415),
    "no type": ("/predict", {"content": grey(1)}, 415),
    "type that is code": ("/predict", text(b"x", "${jndi:ldap://a}"), 415),
    "script as a label": (
        "/explain",
        {"json": {"image": IMAGE, "label": f"<script>{MARK}</script>"}},
        400,
    ),
    "frame that climbs": ("/predict", {"json": {"image": IMAGE, "frame": "../1"}}, 400),
    # JSON.
    "base64 of 190 kB of nothing": ("/predict", {"json": {"image": "A" * 190_000}}, 415),
    "base64 that is none": ("/predict", {"json": {"image": "=" * 1_000}}, 400),
    "address in place of a file": ("/predict", {"json": {"image": "http://10.0.0.1/x"}}, 400),
    "path in place of a file": ("/predict", {"json": {"image": "/etc/passwd"}}, 400),
    "json of depth 90,000": (TF, text(deep(90_000)), 400),
    "objects of depth 20,000": (TF, text(deep(20_000, b'{"a":', b"}")), 400),
    "json that does not end": (TF, text(b'{"instances": [[['), 400),
    "number of 100,000 digits": (TF, text(b'{"instances": [' + b"9" * 100_000 + b"]}"), 400),
    "NaN": (TF, text(b'{"instances": [[[[NaN]]]]}'), 400),
    "infinity": (TF, {"json": images(1e300)}, 400),
    "texts for numbers": (TF, {"json": images(MARK)}, 400),
    # NumPy would make 4,000 texts of 100,000 characters of them: 1.6 TB.
    "a long text among short ones": (
        TF,
        {"json": {"instances": ["a" * 100_000] + ["b"] * 4_000}},
        400,
    ),
    "label of 100,000 letters": (
        "/explain",
        {"json": {"image": IMAGE, "label": "a" * 100_000}},
        400,
    ),
    "nulls": (TF, {"json": images(None)}, 400),
    "ragged lists": (TF, {"json": {"instances": [[1, [2]], [3]]}}, 400),
    "1,000 images": (TF, {"json": images(0, (1_000, 1, 1, 3))}, 400),
    "other size of images": (TF, {"json": images(0, (1, 90, 90, 3))}, 400),
    "key twice": (TF, text(b'{"inputs": 1, "inputs": 2}'), 400),
    "prototype of an object": (TF, {"json": {"__proto__": {"a": 1}, "instances": 3}}, 400),
    "other signature": (TF, {"json": {"instances": [1], "signature_name": MARK}}, 400),
    "utf-16": (TF, text('{"instances": []}'.encode("utf-16")), 400),
    "lone surrogate": (TF, text(b'{"instances": ["\\ud800"]}'), 400),
    "shape of 10^36 numbers": (
        KSERVE,
        {
            "json": {
                "inputs": [
                    {"name": "images", "datatype": "FP32", "shape": [10**12] * 3 + [3], "data": [1]}
                ]
            }
        },
        400,
    ),
    # Their product has 120,000 digits; that of a million takes an hour.
    "shape of 10,000 sizes": (
        KSERVE,
        {
            "json": {
                "inputs": [
                    {"name": "images", "datatype": "FP32", "shape": [10**12] * 10_000, "data": [1]}
                ]
            }
        },
        400,
    ),
    "60,000 inputs that are numbers": (
        KSERVE,
        text(b'{"inputs": [' + b"0," * 60_000 + b"0]}"),
        400,
    ),
    "60,000 outputs that are numbers": (
        KSERVE,
        text(b'{"inputs": [], "outputs": [' + b"0," * 60_000 + b"0]}"),
        400,
    ),
    "id of a lone surrogate": (
        KSERVE,
        text(
            b'{"id": "\\ud800", "inputs": [{"name": "image_bytes", "datatype": "BYTES", '
            b'"shape": [1], "data": ["' + IMAGE.encode() + b'"]}]}'
        ),
        200,
    ),
    "tensor beyond the body": (
        KSERVE,
        {"content": b"{}", "headers": {"Inference-Header-Content-Length": "999999999"}},
        400,
    ),
    "negative length of json": (
        KSERVE,
        {"content": b"{}", "headers": {"Inference-Header-Content-Length": "-1"}},
        400,
    ),
    # Addresses and headers.
    "path that climbs": ("/page/../../../../etc/passwd", {"content": b""}, (404, 405)),
    "path that climbs, escaped": ("/page/%2e%2e%2f%2e%2e%2fetc%2fpasswd", {}, (404, 405)),
    "path with a new line": (f"/{MARK}%0d%0aX:%20y", {}, 404),
    "path of 60,000 characters": ("/" + "a" * 60_000, {}, 404),
    "other model": (f"/v1/models/{MARK}:predict", {"json": {}}, 404),
    "body beyond the limit": ("/predict", form(bytes(LIMIT)), 413),
    "compressed body": (
        "/predict",
        {"content": gzip.compress(b"{}"), "headers": {"Content-Encoding": "gzip"}},
        415,
    ),
    "host of an attacker": ("/predict", {**form(grey(1)), "headers": {"Host": "a.example"}}, 421),
    "page of an attacker": (
        "/predict",
        {**form(grey(1)), "headers": {"Origin": "http://a.example"}},
        403,
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_answered_by_a_sentence(server, name, caplog):
    caplog.set_level(logging.DEBUG)
    path, request, statuses = ATTACKS[name]
    answer = server.post(path, **request)
    expected = statuses if isinstance(statuses, tuple) else (statuses,)
    assert answer.status_code in expected, answer.text[:500]
    if answer.status_code != 200:
        values = json.loads(answer.text)
        assert set(values) == {"error"}
        sentence = values["error"]
        assert sentence[0].isupper() or sentence.startswith("image")
        assert sentence.endswith((".", "openapi.json"))
        assert len(sentence) < 2_600
        assert "Traceback" not in sentence
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("remedis")]
    assert MARK not in "".join(ours)
    assert server.post("/embed", files={"image": grey(255)}).json()["embedding"] == [1, 1]


def test_attacks_leave_nothing_behind(server):
    import os

    before = len(os.listdir("/proc/self/fd"))
    for path, request, _ in list(ATTACKS.values())[:30]:
        server.post(path, **request)
    assert len(os.listdir("/proc/self/fd")) == before
    assert "remedis_images_held 0.0" in server.get("/metrics").text
