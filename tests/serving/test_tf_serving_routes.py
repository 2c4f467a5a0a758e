"""TensorFlow Serving's REST interface: its requests, its answers and its faults."""

import base64

import numpy as np
import pytest
from fake_serving import SHA256, SIDE, FakeEngine, client, grey

MODEL = "/v1/models/fake-1x0.25"
PREDICT = f"{MODEL}:predict"
IMAGES = np.random.default_rng(0).uniform(size=(3, SIDE, SIDE, 3)).round(3)
MEANS = np.stack([IMAGES.mean((1, 2, 3)), IMAGES[..., 0].mean((1, 2))], 1)
FILE = {"b64": base64.b64encode(grey(51)).decode()}


@pytest.fixture(scope="module")
def server():
    with client(batch_wait_ms=0, max_queue=16) as opened:
        yield opened


def test_the_status_is_that_of_a_loaded_model(server):
    for place in (MODEL, f"{MODEL}/versions/1"):
        (version,) = server.get(place).json()["model_version_status"]
        assert version == {
            "version": "1",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }


def test_the_metadata_describe_the_signatures(server):
    found = server.get(f"{MODEL}/metadata").json()
    assert found["model_spec"] == {"name": "fake-1x0.25", "signature_name": "", "version": "1"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "serve_bytes"}
    images = signatures["serving_default"]["inputs"]["images"]
    assert images["dtype"] == "DT_FLOAT"
    assert [of["size"] for of in images["tensor_shape"]["dim"]] == ["-1", "8", "8", "3"]
    assert signatures["serve_bytes"]["inputs"]["image_bytes"]["dtype"] == "DT_STRING"
    probabilities = signatures["serve_bytes"]["outputs"]["probabilities"]
    assert [of["size"] for of in probabilities["tensor_shape"]["dim"]] == ["-1", "2"]


@pytest.mark.parametrize("place", [PREDICT, f"{MODEL}/versions/1:predict"])
@pytest.mark.parametrize("named", [False, True])
def test_rows_have_an_answer_each(server, place, named):
    rows = IMAGES.tolist()
    body = {"instances": [{"images": row} for row in rows] if named else rows}
    answer = server.post(place, json=body)
    assert answer.status_code == 200
    predictions = answer.json()["predictions"]
    np.testing.assert_allclose([row["logits"] for row in predictions], MEANS, rtol=1e-5)
    probabilities = [row["probabilities"] for row in predictions]
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-MEANS)), rtol=1e-5)
    assert answer.json()["model"]["weights_sha256"] == SHA256


def test_columns_have_one_answer(server):
    for inputs in (IMAGES.tolist(), {"images": IMAGES.tolist()}):
        outputs = server.post(PREDICT, json={"inputs": inputs}).json()["outputs"]
        assert set(outputs) == {"probabilities", "logits", "embedding"}
        np.testing.assert_allclose(outputs["logits"], MEANS, rtol=1e-5)


@pytest.mark.parametrize(
    "values",
    [
        {"instances": [FILE, FILE]},
        {"instances": [{"image_bytes": FILE}, FILE]},
        {"inputs": {"image_bytes": [FILE, FILE]}},
        {"inputs": [FILE, FILE]},
    ],
)
def test_image_files_are_read_by_serve_bytes(server, values):
    answer = server.post(PREDICT, json={"signature_name": "serve_bytes", **values})
    assert answer.status_code == 200
    if "outputs" in answer.json():
        logits = answer.json()["outputs"]["logits"]
    else:
        logits = [row["logits"] for row in answer.json()["predictions"]]
    np.testing.assert_allclose(logits, np.full((2, 2), 0.2), rtol=1e-6)


def test_a_backbone_has_embeddings_without_names():
    with client(FakeEngine(labels=()), batch_wait_ms=0) as server:
        found = server.get(f"{MODEL}/metadata").json()["metadata"]["signature_def"]
        assert set(found["signature_def"]) == {"embed", "serve_bytes"}
        answer = server.post(PREDICT, json={"instances": IMAGES.tolist()})
        np.testing.assert_allclose(answer.json()["predictions"], MEANS, rtol=1e-5)


ONE = IMAGES[:1].tolist()
SHAPE = "The images are no list of numbers of the shape [n, 8, 8, 3] in [0, 1]"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "The body has instances and inputs, or neither; expected one."),
        ({"instances": ONE, "inputs": ONE}, "The body has instances and inputs"),
        ({"instances": []}, SHAPE),
        ({"instances": [1, 2]}, SHAPE),
        ({"instances": [[1], [1, 2]]}, SHAPE),
        ({"instances": [ONE[0], ONE[0][:4]]}, SHAPE),
        ({"instances": "x"}, "instances is 'x', expected a list"),
        ({"instances": [[["a"] * 8] * 8]}, SHAPE),
        ({"instances": [True]}, SHAPE),
        ({"instances": [None]}, SHAPE),
        ({"instances": [{"pixels": ONE[0]}]}, "names other inputs; expected images alone"),
        ({"instances": [FILE]}, SHAPE),
        ({"instances": ONE * 17}, "The request has 17 images; expected 1 to 16."),
        ({"instances": (IMAGES[:1] + 1e300).tolist()}, "values that are not finite"),
        ({"instances": (IMAGES[:1] * 255).tolist()}, "look like values from 0 to 255"),
        ({"instances": ONE, "signature_name": "other"}, "There is no such signature"),
        ({"instances": ONE, "signature_name": 3}, "signature_name is 3, expected a text"),
        ({"instances": ["AA=="], "signature_name": "serve_bytes"}, "image_bytes without b64"),
        ({"instances": [1] * 17, "signature_name": "serve_bytes"}, "The request has 17 images"),
        ({"instances": [{"b64": "!"}], "signature_name": "serve_bytes"}, "is not base64"),
        ({"instances": [{"b64": "AAAA"}], "signature_name": "serve_bytes"}, "none of JPEG"),
        ([1], "is a list, expected"),
    ],
)
def test_other_bodies_have_a_sentence(server, body, sentence):
    answer = server.post(PREDICT, json=body)
    assert answer.status_code in (400, 415)
    assert sentence in answer.json()["error"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"instances": NaN}',
        b'{"instances": [1e999]}',
        b'{"instances": ' + b"[" * 30 + b"]" * 30 + b"}",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"inputs": 1, "inputs": 2}',
    ],
)
def test_other_texts_have_a_sentence(server, text):
    answer = server.post(PREDICT, content=text)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("The body is ")
