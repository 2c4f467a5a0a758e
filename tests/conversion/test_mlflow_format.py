"""MLflow folders: requests, answers and refusals, by Python and over HTTP."""

import base64
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from mlflow.exceptions import MlflowException
from zoo_helpers import said

from remedis import extras
from remedis.conversion import mlflow_format, mlflow_scoring, source_model

PNG = tf.io.encode_png(np.full((8, 8, 3), 51, np.uint8)).numpy()
OTHER = tf.io.encode_png(np.full((8, 8, 3), 102, np.uint8)).numpy()


class Served:
    """A stand-in for a SavedModel: the embedding is the brightness of the image."""

    def label_names(self):
        return tf.constant(["a", "b"])

    def serve_bytes(self, files):
        grey = [tf.reduce_mean(tf.cast(tf.io.decode_png(f), tf.float32)) / 255 for f in files]
        embedding = tf.stack(grey)[:, None]
        return {"embedding": embedding, "probabilities": tf.concat([embedding, 1 - embedding], 1)}


@pytest.fixture
def scorer(monkeypatch):
    monkeypatch.setattr(tf.saved_model, "load", lambda _: Served())
    monkeypatch.delenv(mlflow_scoring.IMAGE_FOLDER, raising=False)
    return mlflow_scoring._load_pyfunc("data/model")


def encoded(contents):
    return base64.encodebytes(contents).decode()  # with an end of line every 76 characters


def rows(*images, text=""):
    return pd.DataFrame({"image": list(images), "text": text})


def refused(scorer, table):
    with pytest.raises(MlflowException) as caught:
        scorer.predict(table)
    assert caught.value.get_http_status_code() == 400
    return caught.value.message


def test_rows_become_features_and_probabilities(scorer, monkeypatch):
    monkeypatch.setattr(mlflow_scoring, "BATCH", 2)
    found = scorer.predict(rows(*map(encoded, (PNG, OTHER, PNG))), {"get_scaling_factor": True})
    assert found.keys() == {"image_features", "probabilities", "labels"}
    np.testing.assert_allclose(found["image_features"], [[0.2], [0.4], [0.2]], rtol=1e-6)
    np.testing.assert_allclose(found["probabilities"][1], [0.4, 0.6], rtol=1e-6)
    assert found["labels"] == ["a", "b"]
    json.dumps(found)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (pd.DataFrame({"picture": [""]}), "has the columns ['picture']; expected image"),
        (rows(encoded(PNG), text="chest"), "Row 0 has a text, but this model has no text encoder"),
        (rows(encoded(PNG), ""), "Row 1 has no image"),
        (rows(encoded(PNG), None), "Row 1 has no image"),
        (rows(encoded(b"GIF89a" * 9)), "row 0 is neither a PNG nor a JPEG"),
        (rows("aGVsbG8"), "row 0 is neither a PNG nor a JPEG"),
        (rows(encoded(PNG), encoded(PNG[:40])), "The image of row 1 is damaged or too large"),
        (rows("http://intranet/1.png"), "row 0 is an address, which is never opened"),
        (rows("file:///etc/passwd"), "row 0 is an address, which is never opened"),
        (rows("/etc/passwd"), "looks like the path of a file, which this server does not open"),
    ],
)
def test_a_wrong_row_is_named(scorer, table, sentence):
    assert sentence in refused(scorer, table)


def test_files_are_opened_below_the_allowed_folder_only(scorer, monkeypatch, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(PNG)
    (tmp_path / "2.png").write_bytes(OTHER)
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "2.png")
    monkeypatch.setenv(mlflow_scoring.IMAGE_FOLDER, str(tmp_path / "images"))
    found = scorer.predict(rows("1.png", str(tmp_path / "images" / "1.png")))
    np.testing.assert_allclose(found["image_features"], [[0.2], [0.2]], rtol=1e-6)
    for name in ("../2.png", str(tmp_path / "2.png"), "link.png", "3.png", "nul\0.png"):
        assert "names no file in REMEDIS_IMAGE_FOLDER" in refused(scorer, rows(name))


def test_the_scoring_code_imports_nothing_of_this_package():
    code = pathlib.Path(mlflow_scoring.__file__).read_text(encoding="utf-8")
    assert "import remedis" not in code
    assert "from remedis" not in code


def test_mlflow_is_imported_without_its_telemetry(monkeypatch):
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    extras.load("mlflow", "mlflow")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")  # the user's own choice
    extras.load("mlflow", "mlflow")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"


def test_a_model_without_preprocessing_is_refused(source_in_memory, tmp_path):
    source = source_in_memory(labels=())
    object.__setattr__(source, "preprocess", None)
    assert "no recorded preprocessing" in said(mlflow_format.write, source, tmp_path / "out")


@pytest.fixture(scope="module")
def saved(folders):
    """A classifier in a folder, whose files are copied."""
    (folders["classifier"] / "reference.npz").write_bytes(b"embeddings of patients")
    return source_model.load(folders["classifier"])


@pytest.fixture(scope="module")
def folder(saved, tmp_path_factory):
    """A classifier, and its MLflow folder."""
    path = tmp_path_factory.mktemp("mlflow") / "model"
    path.mkdir()
    mlflow_format.write(saved, path)
    return saved, path


@pytest.mark.guarantee
def test_the_folder_computes_what_the_source_computes(folder, pictures):
    source, path = folder
    found, expected = mlflow_format.run(path)(pictures), source.reference(pictures)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    assert not list(path.rglob("reference.npz"))
    example = json.loads((path / "serving_input_example.json").read_text())
    assert example["dataframe_split"]["columns"] == ["image", "text"]
    for file in ("MLmodel", "requirements.txt", "conda.yaml", "python_env.yaml"):
        text = (path / file).read_text()
        assert str(path.parent) not in text
        assert str(source.folder) not in text
        assert "://" not in text


@pytest.mark.guarantee
def test_an_answer_that_differs_is_refused(saved, tmp_path, monkeypatch):
    def offset(path):
        scorer = mlflow_scoring._load_pyfunc(f"{path}/data/model")
        predict = scorer.predict
        monkeypatch.setattr(
            scorer, "predict", lambda t: {"image_features": np.add(predict(t)["image_features"], 1)}
        )
        return scorer

    monkeypatch.setattr("mlflow.pyfunc.load_model", offset)
    sentence = said(mlflow_format.write, saved, tmp_path / "out")
    assert "the answer to a request differs from the source by" in sentence


@pytest.mark.guarantee
def test_mlflow_serves_the_folder_without_this_package(folder, tmp_path):
    source, path = folder
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # In a place where this package cannot be imported, nor anything else of the checkout.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "TF_CPP_MIN_LOG_LEVEL": "3"}
    # MLflow starts `uvicorn` by its name, so the environment's programs have to be found.
    programs = os.path.dirname(sys.executable)
    environment["PATH"] = os.pathsep.join([programs, environment.get("PATH", os.defpath)])
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(path)]
    command += ["--env-manager=local", "--host=127.0.0.1", f"--port={port}"]
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=tmp_path, env=environment, start_new_session=True
        )
    try:
        answer, status = asked(server, port, tmp_path, encoded(PNG), encoded(OTHER))
        assert status == 200
        expected = source.classifier.outputs(
            tf.stack([source.preprocess(tf.fill([8, 8, 3], v / 255)) for v in (51, 102)])
        )
        found = answer["predictions"]
        assert found["labels"] == list(source.labels)
        for name, values in (
            ("image_features", expected["embedding"]),
            ("probabilities", expected["probabilities"]),
        ):
            largest = np.abs(values).max()
            np.testing.assert_allclose(found[name], values, atol=1e-4 * largest, err_msg=name)
        answer, status = asked(server, port, tmp_path, "/etc/passwd")
        assert status == 400
        assert "does not open" in answer["message"]
    finally:
        if server.poll() is None:
            os.killpg(server.pid, 15)
            server.wait(30)


def asked(server, port, folder, *images):
    """Returns the JSON that the server answers to a request, and its status."""
    request = {
        "dataframe_split": {
            "columns": ["image", "text"],
            "index": list(range(len(images))),
            "data": [[image, ""] for image in images],
        },
        "params": {"get_scaling_factor": True},
    }
    sent = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        json.dumps(request).encode(),
        {"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        try:
            with opener.open(sent, timeout=60) as answer:
                return json.loads(answer.read()), answer.status
        except urllib.error.HTTPError as error:
            return json.loads(error.read()), error.code
        except urllib.error.URLError:
            assert server.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.2)
    raise TimeoutError((folder / "log").read_text()[-2000:])
