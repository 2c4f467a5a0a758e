"""Embeddings of many images: by OpenVINO if it agrees, and by TensorFlow otherwise."""

import gc
import logging
import signal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from remedis.data import sources
from remedis.inference import embed, fastest
from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet

ANY = [tf.TensorSpec([None, None, None, 3], tf.float32)]


@pytest.fixture(scope="module")
def compute():
    pytest.importorskip("openvino")
    tf.keras.utils.set_random_seed(0)
    backbone = BiTResNet(Architecture((1, 1, 1, 1), 0.5))
    rng = np.random.default_rng(0)
    for v in backbone.variables:
        v.assign(rng.normal(1 if "gamma" in v.path else 0, 0.1, v.shape))
    return embed.pooled(backbone, "embedding")


def test_batches_of_any_number_and_size_are_those_of_tensorflow(compute):
    chosen = fastest.fastest(compute)
    assert chosen is not compute
    for shape in ((19, 32, 32, 3), (3, 32, 32, 3), (2, 40, 33, 3)):
        images = tf.random.stateless_uniform(shape, [0, 1])
        expected = compute(images).numpy()
        found = chosen(images).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)
        assert not np.array_equal(found, expected), "TensorFlow computed"


def said_for_tensorflow(compute, caplog):
    """Returns what is said where TensorFlow computes."""
    images = tf.random.stateless_uniform([3, 32, 32, 3], [0, 1])
    with caplog.at_level(logging.INFO):
        found = fastest.fastest(compute)(images)
    np.testing.assert_array_equal(found, compute(images))
    return caplog.text


def test_tensorflow_computes_what_openvino_computes_otherwise(compute, monkeypatch, caplog):
    monkeypatch.setattr(fastest, "_TOLERANCE", -1.0)
    assert "does not: the embeddings differ by" in said_for_tensorflow(compute, caplog)


def test_tensorflow_computes_what_openvino_does_not_know(caplog):
    pytest.importorskip("openvino")

    @tf.function(input_signature=ANY, autograph=False)
    def unknown(images):
        hashed = tf.strings.to_hash_bucket_fast(tf.strings.as_string(images), 7)
        return tf.reduce_mean(tf.cast(hashed, tf.float32), [1, 2])

    assert "since OpenVINO does not" in said_for_tensorflow(unknown, caplog)


def test_tensorflow_computes_without_openvino(monkeypatch):
    monkeypatch.setattr(fastest, "_PACKAGE", "no_such_package")
    compute = tf.function(lambda images: images, input_signature=ANY, autograph=False)
    assert fastest.fastest(compute) is compute


@pytest.mark.parametrize("worth", [2, 1000])
def test_a_folder_gets_the_engine_that_its_number_is_worth(
    tiny_checkpoint, tmp_path, monkeypatch, worth
):
    for i in range(2):
        Image.new("L", (32, 32), 50 * i).save(tmp_path / f"{i}.png")
    asked = []
    monkeypatch.setattr(embed, "WORTH", worth)
    monkeypatch.setattr(embed, "fastest", lambda compute: asked.append(compute) or compute)
    images = sources.load_images("csv", tmp_path, {})
    embed.embed(str(tiny_checkpoint), images, tmp_path / "store", preprocess="resize(32)")
    assert len(asked) == (worth == 2)


def test_signals_are_handled_after_networks_came_and_went(compute):
    handled = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: handled.append(number))
    try:
        chosen = fastest.fastest(compute)
        for side in (32, 40, 48):  # of which one is kept
            chosen(tf.zeros([9, side, side, 3]))
        del chosen
        gc.collect()
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled == [signal.SIGUSR1]
