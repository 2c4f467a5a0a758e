"""Neighbours of a request's image in a file of embeddings."""

import numpy as np
import pytest
from embedding_records import record, table

from remedis.errors import UserError
from remedis.inference import embedding_file
from remedis.options import spelled_for
from remedis.serving import neighbour_search
from remedis.serving.served_facts import ServedFacts

ANGLES = np.radians([0, 10, 40, 90, 180])
WEIGHTS = "0" * 64


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Five embeddings at known angles to the first axis, and a label."""
    path = tmp_path_factory.mktemp("embeddings") / "made-up.npz"
    rows = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1).astype(np.float32)
    ids = table(5, ill=[1.0, np.nan, 0.0, 1.0, -1.0])
    embedding_file.write(path, ids, rows, record(labels=["ill"]))
    return path


@pytest.fixture
def opened(path, monkeypatch):
    """Returns a function that opens the file for a model with changes."""

    def open_with(k=3, weights=WEIGHTS, model_weights=WEIGHTS, **changes):
        monkeypatch.setattr(neighbour_search, "_weights", lambda model, engine: model_weights)
        facts = {"model": "run", "engine": "onnx", "weights_sha256": "1" * 64, "weights": "Made up"}
        facts |= {"random_weights": True, "preprocess": "resize(8)"} | changes
        return neighbour_search.open_search(path, "runs/run", ServedFacts(**facts), k)

    return open_with


def test_the_nearest_come_first_with_their_cosines(opened):
    found = opened().nearest([5.0, 0.0])  # of any length
    assert [near["row"] for near in found["neighbours"]] == [0, 1, 2]
    assert [near["rank"] for near in found["neighbours"]] == [1, 2, 3]
    similarities = [near["similarity"] for near in found["neighbours"]]
    np.testing.assert_allclose(similarities, np.cos(ANGLES[:3]), atol=1e-6)
    assert found["images"] == 5


def test_labels_are_words_and_shares(opened):
    found = opened(5).nearest([1.0, 0.0])
    words = ["positive", "unknown", "negative", "positive", "unknown"]  # uncertain is not known
    assert [near["labels"]["ill"] for near in found["neighbours"]] == words
    [share] = opened(3).nearest([1.0, 0.0])["labels"]
    assert share == {
        "label": "ill", "positive": 1, "known": 2, "file_positive": 2, "file_known": 3
    }  # fmt: skip


def test_no_path_and_no_patient_leaves_the_server(opened):
    answer = str(opened(5).nearest([1.0, 0.0]))
    assert "png" not in answer
    assert "patient" not in answer


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"preprocess": "resize(16)"}, r"the preprocess resize\(8\), but run is served with resiz"),
        ({"preprocess": None}, "run records no preprocessing, .*leave out --embeddings=.*npz"),
        ({"model_weights": "2" * 64}, "runs/run has other weights than trial, which made .*npz"),
        ({"k": 6}, r"--neighbours=6 is more than the 5 images of .*npz; lower it\."),
    ],
)
def test_a_file_that_cannot_be_compared_is_refused(opened, changes, sentence):
    with spelled_for("command"), pytest.raises(UserError, match=sentence):
        opened(**changes)


def test_a_file_of_other_outputs_is_refused(tmp_path):
    other = tmp_path / "other.npz"
    rows = np.ones((3, 2), np.float32)
    embedding_file.write(other, table(3), rows, record(embedding="pre_logits"))
    facts = ServedFacts("run", "onnx", "1" * 64, "Made up", True, preprocess="resize(8)")
    with pytest.raises(UserError, match=r"the embedding pre_logits, but run .* with embedding;"):
        neighbour_search.open_search(other, "runs/run", facts, 1)


@pytest.mark.guarantee
def test_an_image_of_the_file_is_its_own_neighbour(small_export, tmp_path):
    from PIL import Image

    import remedis
    from remedis.data import image_pixels
    from remedis.serving.engines import open_engine

    folder, out = tmp_path / "images", tmp_path / "images.npz"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(rng.integers(0, 255, (20, 24), np.uint8)).save(folder / f"{number}.png")
    remedis.embed(small_export, folder, out=out, store=tmp_path / "store")
    engine = open_engine(small_export)
    search = neighbour_search.open_search(out, small_export, engine.provenance, 1)
    for row, path in enumerate(search.file.table["path"]):
        image = engine.prepare(image_pixels.read(str(folder / path)))
        found = search.nearest(engine.predict(image[None])["embedding"][0])
        assert found["neighbours"][0]["row"] == row
        assert found["neighbours"][0]["similarity"] == pytest.approx(1, abs=1e-5)
