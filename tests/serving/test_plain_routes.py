"""Scores, embeddings and heat maps of image files over HTTP, in closed form."""

import base64
import io

import numpy as np
import pytest
from fake_serving import LABELS, SHA256, FakeEngine, client, encoded, grey
from PIL import Image

THRESHOLDS = {
    "youden": {"Bright": 0.7, "Red": None},
    "target_sensitivity": {"Bright": 0.6, "Red": 0.8},
    "target": 0.9,
    "chosen_on": {
        label: {"data": "Hospital A", "positives": 9, "negatives": 9} for label in LABELS
    },
}
RED = np.zeros((6, 9, 3), np.uint8)
RED[..., 0] = 255


@pytest.fixture(scope="module")
def server():
    with client(FakeEngine(thresholds=THRESHOLDS), batch_wait_ms=0) as opened:
        yield opened


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def as_json(contents, **fields):
    return {"image": base64.b64encode(contents).decode(), **fields}


def test_scores_follow_from_the_pixels(server):
    answer = server.post("/predict", files={"image": encoded(RED)})
    assert answer.status_code == 200
    assert answer.json()["image"] == {"height": 6, "width": 9}
    bright, red = answer.json()["scores"]
    assert (bright["label"], red["label"]) == LABELS
    assert bright["logit"] == pytest.approx(1 / 3, rel=1e-6)
    assert bright["probability"] == pytest.approx(sigmoid(1 / 3), rel=1e-6)
    assert red["logit"] == 1


def test_scores_say_which_thresholds_they_reach(server):
    scores = server.post("/predict", files={"image": grey(255)}).json()["scores"]
    # The probability of both is 0.731.
    assert [score["thresholds"] for score in scores] == [
        {
            "youden": {"value": 0.7, "reached": True},
            "target_sensitivity": {"value": 0.6, "reached": True},
        },
        {
            "youden": {"value": None, "reached": None},
            "target_sensitivity": {"value": 0.8, "reached": False},
        },
    ]


def test_a_form_and_json_give_the_same_answer(server):
    file = encoded(RED, "JPEG")
    for path in ("/predict", "/embed"):
        by_form = server.post(path, files={"image": ("a.jpg", file, "image/jpeg")})
        by_json = server.post(path, json=as_json(file))
        assert by_form.status_code == by_json.status_code == 200
        assert by_form.json() == by_json.json()


def test_every_answer_names_the_model(server):
    file = grey(100)
    answers = [
        server.get("/model"),
        server.post("/predict", files={"image": file}),
        server.post("/embed", files={"image": file}),
        server.post("/explain", files={"image": file}, data={"label": "Red"}),
    ]
    for answer in answers:
        facts = answer.json()["model"]
        assert facts["weights_sha256"] == SHA256
        assert facts["random_weights"] is True
        assert facts["use"] == "Research software, not a diagnostic device."
        assert "not calibrated" in facts["calibration"]["statement"]
        assert facts["thresholds"]["labels"]["Bright"]["data"] == "Hospital A"


def test_the_embedding_is_that_of_the_engine(server):
    answer = server.post("/embed", files={"image": grey(51)})
    np.testing.assert_allclose(answer.json()["embedding"], [0.2, 0.2], rtol=1e-6)


def picture(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_heat_maps_lie_over_the_image(server):
    image = np.zeros((40, 20), np.uint8)
    image[:20] = 255
    found = server.post("/explain", json=as_json(encoded(image), label="Bright")).json()
    assert found["cells"] == [[0.5, 0.5], [-0.5, -0.5]]
    assert (found["low"], found["high"]) == (-0.5, 0.5)
    np.testing.assert_array_equal(picture(found["picture"]), image)
    overlay = picture(found["overlay"])
    assert overlay.shape == (40, 20, 4)
    # Vermilion above, for the label, and blue below; both are as strong as can be.
    np.testing.assert_array_equal(overlay[:20], np.broadcast_to([213, 94, 0, 255], (20, 20, 4)))
    np.testing.assert_array_equal(overlay[20:], np.broadcast_to([0, 114, 178, 255], (20, 20, 4)))


def test_pictures_are_as_large_as_a_page(server):
    image = np.zeros((16, 2500), np.uint8)
    found = server.post("/explain", json=as_json(encoded(image), label="Bright")).json()
    assert found["image"] == {"height": 16, "width": 2500}
    assert picture(found["picture"]).shape == (7, 1024)
    assert picture(found["overlay"]).shape == (7, 1024, 4)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "The request has no label; name the one to explain."),
        ({"label": "Rad"}, "Unknown label 'Rad': did you mean 'Red'? Choose from: Bright, Red."),
    ],
)
def test_heat_maps_need_a_label_of_the_model(server, fields, sentence):
    answer = server.post("/explain", json=as_json(grey(1), **fields))
    assert (answer.status_code, answer.json()) == (400, {"error": sentence})


def test_a_model_without_labels_embeds_only():
    with client(FakeEngine(labels=())) as server:
        assert server.post("/embed", files={"image": grey(0)}).json()["embedding"] == [0, 0]
        answers = [
            server.post("/predict", files={"image": grey(0)}),
            server.post("/explain", files={"image": grey(0)}, data={"label": "Red"}),
        ]
        assert [answer.status_code for answer in answers] == [501, 501]
        assert "embeds only" in answers[0].json()["error"]
        assert server.get("/model").json()["explains"] is False


def test_the_document_names_every_route(server):
    paths = server.get("/openapi.json").json()["paths"]
    assert {"/predict", "/embed", "/explain", "/healthz", "/metrics", "/model"} <= set(paths)
    assert set(paths["/predict"]["post"]["requestBody"]["content"]) == {
        "multipart/form-data",
        "application/json",
    }


def test_nothing_comes_from_another_address(server):
    assert "http" not in server.get("/openapi.json").text.replace("HTTP", "")
    # FastAPI's own pages of documentation load scripts.
    assert server.get("/docs").status_code == server.get("/redoc").status_code == 404


def test_metrics_count_routes_and_no_names(server):
    server.get("/healthz")
    server.get("/patient-1234")
    text = server.get("/metrics").text
    assert 'remedis_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert 'remedis_requests_total{method="GET",route="other",status="404"}' in text
    assert "patient" not in text
    assert "remedis_images_held 0.0" in text
