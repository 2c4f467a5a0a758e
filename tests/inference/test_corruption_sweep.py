"""The cells of a corruption sweep: exact clean numbers, resumed work, and other models' cells."""

import hashlib
import pathlib
import re
import types

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from remedis.data import sources
from remedis.data.label_policies import Meaning
from remedis.errors import UserError
from remedis.inference import corruption_sweep
from remedis.inference.checked_images import CheckedImages
from remedis.inference.corruption_sweep import CorruptionSweep, has_colours
from remedis.inference.exported import ExportedClassifier
from remedis.preprocess.corruptions import CORRUPTIONS
from remedis.zoo.export import Description
from remedis.zoo.provenance import Provenance

NOISE, GAMMA = CORRUPTIONS["noise"], CORRUPTIONS["gamma"]


def exported(folder):
    """A classifier by mean brightness, whose embedding is the image on 8 x 8 pixels."""

    def signature(images):
        logits = 20 * tf.reduce_mean(images, [1, 2, 3])[:, None] - 8
        flat = tf.reshape(images[..., 0], [-1, 64])
        return {"logits": logits, "probabilities": tf.sigmoid(logits), "embedding": flat}

    def preprocess(pixels):
        return tf.image.resize(tf.cast(pixels, tf.float32) / 65535, [8, 8])[None]

    model = types.SimpleNamespace(
        label_names=lambda: tf.constant(["square"]),
        preprocess=preprocess,
        signatures={"serving_default": signature},
    )
    described = Description(
        kind="classifier",
        name="brightness",
        units=(),
        width=None,
        final_norm=False,
        value_range=(0.0, 1.0),
        backbone_range=None,
        parameters=0,
        tensors=0,
        signatures=("serving_default",),
        provenance=Provenance("random", "RANDOM WEIGHTS"),
        labels=("square",),
        preprocess="resize(8)",
    )
    return ExportedClassifier(folder, described, model, None, None)


@pytest.fixture(scope="module")
def checked(squares):
    manifest = sources.load_with("csv", squares, ["square"], {})
    hashes = [
        hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        for path in manifest.absolute_paths()
    ]
    return CheckedImages(manifest, pd.DataFrame({"sha256": hashes}), "", None, Meaning(), ())


@pytest.fixture
def begin(checked, tmp_path, monkeypatch):
    """Returns a function that opens the sweep."""
    monkeypatch.setattr(corruption_sweep.tensors, "model_sha256", lambda folder: str(folder))

    def begin(model="model", images=checked):
        return CorruptionSweep(exported(tmp_path / model), images, tmp_path / "out" / "cells", 16)

    return begin


def test_strength_0_is_exactly_the_clean_images(begin):
    sweep = begin()
    clean, embeddings = sweep.clean()
    again = sweep.cell(NOISE, 0)
    np.testing.assert_array_equal(again.logits, clean.logits)
    np.testing.assert_array_equal(again.probabilities, clean.probabilities)
    assert (again.cosines == 1).all()
    assert embeddings.shape == (60, 64)
    direct = sweep.exported.outputs(sweep.manifest, ("square",), 16)
    pd.testing.assert_frame_equal(
        sweep.table(clean).drop(columns="split"),
        corruption_sweep.predict.table(sweep.manifest, *direct).drop(columns="split"),
    )
    assert (sweep.cell(NOISE, 5).cosines < 1).all()


def test_a_killed_sweep_goes_on_with_the_cells_it_lacks(begin, monkeypatch, caplog):
    computed = []

    def compute(sweep, corruption, strength):
        computed.append((corruption and corruption.name, strength))
        rows = np.random.default_rng(strength).normal(size=(60, 4)).astype(np.float32)
        return rows[:, :1], rows[:, 1:2], rows[:, 2:]

    monkeypatch.setattr(CorruptionSweep, "_computed", compute)
    before = begin().cell(NOISE, 1)
    assert computed == [(None, 0), ("noise", 1)]
    resumed = begin()
    np.testing.assert_array_equal(resumed.cell(NOISE, 1).cosines, before.cosines)
    resumed.cell(GAMMA, 1)
    assert computed[2:] == [("gamma", 1)]
    file = resumed.directory / "noise-1.npz"
    file.write_bytes(file.read_bytes()[:300])
    again = begin().cell(NOISE, 1)
    np.testing.assert_array_equal(again.logits, before.logits)
    np.testing.assert_array_equal(again.cosines, before.cosines)
    assert computed[3:] == [("noise", 1)]
    assert "noise-1.npz is damaged" in caplog.text
    assert "is computed again" in caplog.text


def test_cells_of_another_model_or_of_other_images_are_refused(begin, checked):
    begin()
    with pytest.raises(UserError, match="holds cells of another model; name another directory"):
        begin("other")
    fewer = CheckedImages(checked.manifest, checked.scanned[:-1], "", None, Meaning(), ())
    with pytest.raises(UserError, match="holds cells of other images; name another directory"):
        begin(images=fewer)


def test_cells_of_another_version_are_refused_and_damaged_settings_said(begin, monkeypatch):
    sweep = begin()
    monkeypatch.setattr(corruption_sweep.remedis, "__version__", "9")
    with pytest.raises(UserError, match=r"holds cells of version \d\S*; name another directory"):
        begin()
    settings = sweep.directory / "settings.json"
    settings.write_text("{")
    with pytest.raises(UserError, match=rf"{re.escape(str(settings))} is damaged .*; remove "):
        begin()


def test_grey_images_are_known(checked):
    assert not has_colours(checked.manifest)
