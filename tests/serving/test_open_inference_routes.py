"""The Open Inference Protocol: its requests in JSON and in bytes, its answers and its faults."""

import base64
import json
import struct

import numpy as np
import pytest
from fake_serving import SHA256, SIDE, client, grey

MODEL = "/v2/models/fake-1x0.25"
INFER = f"{MODEL}/infer"
IMAGES = np.random.default_rng(0).uniform(size=(2, SIDE, SIDE, 3)).astype(np.float32)
MEANS = np.stack([IMAGES.mean((1, 2, 3)), IMAGES[..., 0].mean((1, 2))], 1)
SHAPE = [2, SIDE, SIDE, 3]
FILE = base64.b64encode(grey(51)).decode()


@pytest.fixture(scope="module")
def server():
    with client(batch_wait_ms=0, max_queue=16) as opened:
        yield opened


def tensor(**changes):
    usual = {"name": "images", "shape": SHAPE, "datatype": "FP32", "data": IMAGES.ravel().tolist()}
    return {key: value for key, value in {**usual, **changes}.items() if value is not None}


def request(**changes):
    return {"inputs": [tensor(**changes)]}


def output(answer, name):
    assert answer.status_code == 200, answer.text
    (found,) = (of for of in answer.json()["outputs"] if of["name"] == name)
    assert found["datatype"] == "FP32"
    return np.reshape(found["data"], found["shape"])


def test_the_server_and_the_model_describe_themselves(server):
    assert server.get("/v2/health/live").json() == {"live": True}
    assert server.get("/v2/health/ready").json() == {"ready": True}
    for address in ("/v2", "/v2/"):
        assert server.get(address).json()["extensions"] == ["binary_tensor_data"]
    for place in (MODEL, f"{MODEL}/versions/{SHA256}"):
        assert server.get(f"{place}/ready").json() == {"name": "fake-1x0.25", "ready": True}
        found = server.get(place).json()
        assert found["inputs"][0] == {
            "name": "images",
            "datatype": "FP32",
            "shape": [-1, SIDE, SIDE, 3],
        }
        assert [of["name"] for of in found["outputs"]] == ["probabilities", "logits", "embedding"]
        assert found["versions"] == [SHA256]


@pytest.mark.parametrize("data", [IMAGES.ravel().tolist(), IMAGES.tolist()], ids=["flat", "deep"])
def test_numbers_in_json(server, data):
    answer = server.post(INFER, json={"id": "a7", **request(data=data)})
    np.testing.assert_allclose(output(answer, "logits"), MEANS, rtol=1e-5)
    values = answer.json()
    assert (values["model_name"], values["model_version"]) == ("fake-1x0.25", SHA256)
    assert values["id"] == "a7"
    assert values["parameters"]["calibration"]["statement"]


def test_only_outputs_that_are_asked_for(server):
    answer = server.post(INFER, json={**request(), "outputs": [{"name": "embedding"}]})
    assert [of["name"] for of in answer.json()["outputs"]] == ["embedding"]


def after(values, data, length=None):
    text = json.dumps(values).encode()
    headers = {"Inference-Header-Content-Length": str(len(text) if length is None else length)}
    return {"content": text + data, "headers": headers}


def test_numbers_after_json(server):
    data = IMAGES.tobytes()
    values = request(data=None, parameters={"binary_data_size": len(data)})
    answer = server.post(INFER, **after(values, data))
    np.testing.assert_allclose(output(answer, "logits"), MEANS, rtol=1e-5)


def test_files_in_json_and_after_it(server):
    files = {"name": "image_bytes", "shape": [2], "datatype": "BYTES"}
    answer = server.post(INFER, json=request(data=[FILE, FILE], **files))
    np.testing.assert_allclose(output(answer, "logits"), np.full((2, 2), 0.2), rtol=1e-6)
    data = b"".join(struct.pack("<I", len(of)) + of for of in (grey(51), grey(255)))
    values = request(data=None, parameters={"binary_data_size": len(data)}, **files)
    answer = server.post(INFER, **after(values, data))
    np.testing.assert_allclose(output(answer, "logits"), [[0.2, 0.2], [1, 1]], rtol=1e-6)


FILES = {"name": "image_bytes", "datatype": "BYTES"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "it has no key 'inputs'"),
        ({"inputs": []}, "has not one input"),
        ({"inputs": [tensor(), tensor()]}, "has not one input"),
        (request(name="input"), "expected images of FP32 or image_bytes of BYTES"),
        (request(datatype="INT8"), "expected images of FP32 or image_bytes of BYTES"),
        (request(shape=[2, 8, 8]), "no list of numbers of the shape [n, 8, 8, 3]"),
        (request(shape=[3, 8, 8, 3]), "no list of numbers of the shape"),
        (request(shape=[10**12, 10**12, 10**12, 3]), "no list of numbers of the shape"),
        (request(shape=[-1, 8, 8, 3]), "shape[0] is -1, expected 0 or more"),
        (request(shape="2"), "shape is '2', expected a list"),
        (request(shape=[1] * 9), "shape has 9 values, expected at most 8"),
        ({"inputs": [0] * 17}, "inputs has 17 values, expected at most 16"),
        ({**request(), "outputs": [0] * 17}, "outputs has 17 values, expected at most 16"),
        (request(data=[True] * 384), "no list of numbers of the shape"),
        (request(data=None), "has data in JSON and after it, or neither"),
        (request(data=["a"] * 384), "no list of numbers of the shape"),
        (request(data=[None] * 384), "no list of numbers of the shape"),
        (request(**FILES, data=[FILE], shape=[2]), "The shape is not that of 1 files."),
        (request(**FILES, data=["?"], shape=[1]), "image_bytes in data is not base64"),
        (request(**FILES, data=[], shape=[0]), "The request has 0 images"),
        ({**request(), "outputs": [{"name": "x"}]}, "There is no output 'x'"),
        ({**request(), "id": 3}, "id is 3, expected a text"),
        (request(parameters={"binary_data_size": 4}), "is not the number of bytes after"),
    ],
)
def test_other_bodies_have_a_sentence(server, body, sentence):
    answer = server.post(INFER, json=body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    ("values", "data", "length", "sentence"),
    [
        (request(), b"xyz", None, "Bytes follow the JSON, but no input has a binary_data_size."),
        (request(), b"", 10**6, "is beyond the end of the body"),
        (request(), b"", "1e3", "is not a number of bytes"),
        (request(), b"", 3, "it is not JSON"),
        (
            request(data=None, parameters={"binary_data_size": 9}),
            bytes(8),
            None,
            "is not the number of bytes after the JSON, 8.",
        ),
        (
            request(data=None, parameters={"binary_data_size": 7}),
            bytes(7),
            None,
            "The tensor has 7 bytes; expected 4 per number.",
        ),
        (
            request(data=None, parameters={"binary_data_size": 8}, shape=[1], **FILES),
            struct.pack("<I", 4_000_000_000) + b"abcd",
            None,
            "A length within the tensor is beyond its end.",
        ),
        (
            request(data=None, parameters={"binary_data_size": 80}, shape=[20], **FILES),
            bytes(80),
            None,
            "The request has 17 images; expected 1 to 16.",
        ),
        (
            request(data=None, parameters={"binary_data_size": 768}, shape=[1, 8, 8, 3]),
            np.full(192, np.nan, np.float32).tobytes(),
            None,
            "values that are not finite",
        ),
    ],
)
def test_other_tensors_have_a_sentence(server, values, data, length, sentence):
    answer = server.post(INFER, **after(values, data, length))
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]
