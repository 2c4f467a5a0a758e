"""A user's program that uses a checkpoint folder with TensorFlow and TF Hub alone.

    python consumer.py full|short FOLDER FACTS.json

This package cannot be imported here. The results go to FACTS.json. On standard error there must be
nothing between the lines LOADING and DONE.
"""

# ruff: noqa: E402
import json
import logging
import os
import sys
import time
import warnings

sys.modules["remedis"] = None  # type: ignore[assignment]
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"

import keras
import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras
from absl import logging as absl_logging

ROOT = "root_block/standardized_conv2d/kernel"


class Records(logging.Handler):
    """Collects what is logged as a warning or worse."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(f"{record.name}: {record.getMessage()}")


def difference(a, b):
    return float(tf.norm(a - b) / tf.norm(b))


def shapes_of(values):
    return {name: list(value.shape) for name, value in values.items()}


def in_short(m, _):
    """Returns facts that need the real size: shapes, and the effect of a training step."""
    rng = np.random.default_rng(0)
    large = tf.constant(rng.uniform(size=(2, 224, 224, 3)), tf.float32)
    larger = tf.constant(rng.uniform(size=(1, 448, 448, 3)), tf.float32)
    facts = {"maps": {"224": list(m(large).shape), "448": list(m(larger).shape)}}
    facts["variables"] = [v.name for v in m.variables]
    facts["trainable_variables"] = [v.name for v in m.trainable_variables]
    facts["regularization_losses"] = len(m.regularization_losses)
    return facts | step(m, large[:, :64, :64])


def step(m, images, training=False):
    """Returns facts about the gradients of a loss of the map, and about a step along them."""
    before = m(images)
    root = next(v for v in m.trainable_variables if v.name.split(":")[0] == ROOT)
    root_before = root.numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(m(images, training=training)))
    gradients = tape.gradient(loss, m.trainable_variables)
    pairs = list(zip(m.trainable_variables, gradients, strict=True))
    for variable, gradient in pairs:
        if gradient is not None:
            variable.assign_sub(1e-3 * gradient)
    return {
        "without_gradient": [
            v.name for v, g in pairs if g is None or not np.all(np.isfinite(g)) or not np.any(g)
        ],
        "root_moved": float(np.abs(root.numpy() - root_before).max()),
        "output_moved": difference(m(images), before),
    }


def in_full(m, folder):
    """Returns facts about all methods and signatures."""
    rng = np.random.default_rng(0)
    sizes = {"65x97": (65, 97), "1x1": (1, 1), "32x64": (32, 64), "33x31": (33, 31)}
    facts = {}
    facts["maps"] = {name: list(m(tf.zeros([1, *size, 3])).shape) for name, size in sizes.items()}
    facts["map_of_no_images"] = list(m(tf.zeros([0, 65, 97, 3])).shape)
    images = tf.constant(rng.uniform(size=(2, 65, 97, 3)), tf.float32)
    plain = m(images)
    facts["calls"] = {
        "training=True": difference(m(images, training=True), plain),
        "training=False": difference(m(images, training=False), plain),
        "training=None": difference(m(images, training=None), plain),
        "True": difference(m(images, True), plain),
        "False": difference(m(images, False), plain),
        "images=": difference(m(images=images, training=True), plain),
        "float32 array": difference(m(images.numpy()), plain),
        "float64 array": difference(m(images.numpy().astype(np.float64)), plain),
        "float64 tensor": difference(m(tf.cast(images, tf.float64), training=True), plain),
    }
    facts["variables"] = [v.name for v in m.variables]
    facts["trainable_variables"] = [v.name for v in m.trainable_variables]
    facts["regularization_losses"] = len(m.regularization_losses)

    ends = m.endpoints(images)
    facts["endpoints"] = shapes_of(ends)
    facts["methods"] = {
        "map": difference(ends["map"], plain),
        "embedding": difference(ends["embedding"], tf.reduce_mean(plain, [1, 2])),
        "embed": difference(m.embed(images), ends["embedding"]),
        "embed of float64": difference(m.embed(images.numpy().astype(float)), ends["embedding"]),
    }
    signatures = m.signatures
    facts["signature_inputs"] = {
        name: sorted(signatures[name].structured_input_signature[1]) for name in signatures
    }
    of_images = ("serving_default", "embed", "endpoints")
    served = {name: signatures[name](input_1=images) for name in of_images}
    facts["signature_outputs"] = {name: shapes_of(values) for name, values in served.items()}
    (served_map,) = served["serving_default"].values()
    facts["signatures"] = {
        "serving_default": difference(served_map, plain),
        "embed": difference(served["embed"]["embedding"], ends["embedding"]),
    } | {f"endpoints/{name}": difference(served["endpoints"][name], ends[name]) for name in ends}

    pixels = rng.integers(0, 256, (2, 60, 50, 3), np.uint8)
    files = tf.stack([tf.io.encode_png(pixels[0]), tf.io.encode_png(pixels[1])])
    both = signatures["preprocess_batch"](images=tf.constant(pixels))["images"]
    one = signatures["preprocess"](image=tf.constant(pixels[1]))["images"]
    of_files = signatures["serve_bytes"](image_bytes=files)
    facts["prepared"] = list(both.shape)
    facts["from_files"] = {
        "one of a batch": difference(one[0], both[1]),
        "method": difference(m.preprocess(pixels), both),
        "map": difference(of_files["map"], m(both)),
        "embedding": difference(of_files["embedding"], m.embed(both)),
        "one file": difference(m.serve_bytes(files[1])["embedding"][0], of_files["embedding"][1]),
    }

    # The layer of Keras 3 returns a single output without its name.
    layer = keras.layers.TFSMLayer(folder, call_endpoint="embed")
    facts["tfsm_layer"] = difference(layer(images), ends["embedding"])
    # TF Hub's layer belongs to Keras 2, which TF Hub installs as tf_keras.
    hub_layer = hub.KerasLayer(folder, trainable=True)
    model = tf_keras.Sequential([hub_layer, tf_keras.layers.GlobalAveragePooling2D()])
    facts["hub_layer"] = difference(model(images), ends["embedding"])
    facts["hub_layer_trainable"] = len(model.trainable_variables)

    facts |= step(m, images, training=True)
    facts["embed_moved"] = difference(m.embed(images), ends["embedding"])
    return facts


def main(how, folder, file):
    records = Records()
    for logger in (logging.getLogger(), tf.get_logger(), absl_logging.get_absl_logger()):
        logger.addHandler(records)
    tf.zeros([])  # TensorFlow logs its devices at their first use
    print("LOADING", file=sys.stderr, flush=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.monotonic()
        m = hub.load(folder)
        seconds = time.monotonic() - start
        facts = {"full": in_full, "short": in_short}[how](m, folder) | {"load_seconds": seconds}
    print("DONE", file=sys.stderr, flush=True)
    facts["logged"] = records.lines
    facts["warned"] = [f"{w.category.__name__}: {w.message}" for w in caught]
    with open(file, "w", encoding="utf-8") as stream:
        json.dump(facts, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
