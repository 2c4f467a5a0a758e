"""What a user's own program does with a checkpoint folder, with TensorFlow and TF Hub alone.

    python consumer.py FOLDER FACTS.json

This package cannot be imported here. What was found goes to FACTS.json; between the lines LOADING
and DONE on standard error there should be nothing.
"""

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


def facts_of(folder):
    facts = {}
    start = time.monotonic()
    m = hub.load(folder)
    facts["load_seconds"] = time.monotonic() - start
    rng = np.random.default_rng(0)
    images = {
        size: tf.constant(rng.uniform(size=(n, *size, 3)), tf.float32)
        for n, size in ((2, (224, 224)), (1, (448, 448)), (2, (65, 97)), (1, (33, 31)))
    }
    facts["maps"] = {f"{h}x{w}": list(m(batch).shape) for (h, w), batch in images.items()}

    small = images[65, 97]
    plain = m(small)
    facts["training_argument"] = [
        difference(m(small, training=True), plain),
        difference(m(small, training=False), plain),
        difference(m(small, training=None), plain),
        difference(m(small, True), plain),
        difference(m(small, False), plain),
        difference(m(images=small, training=True), plain),
    ]
    facts["from_float64"] = difference(m(small.numpy().astype(np.float64)), plain)
    facts["from_float32_numpy"] = difference(m(small.numpy()), plain)
    facts["variables"] = [v.name for v in m.variables]
    facts["trainable_variables"] = [v.name for v in m.trainable_variables]
    facts["regularization_losses"] = len(m.regularization_losses)

    ends = m.endpoints(small)
    facts["endpoints"] = shapes_of(ends)
    facts["methods"] = {
        "map": difference(ends["map"], plain),
        "embedding": difference(ends["embedding"], tf.reduce_mean(plain, [1, 2])),
        "embed": difference(m.embed(small), ends["embedding"]),
    }
    signatures = m.signatures
    facts["signature_inputs"] = {
        name: list(signatures[name].structured_input_signature[1]) for name in signatures
    }
    served = {name: signatures[name](input_1=small) for name in signatures}
    facts["signature_outputs"] = {name: shapes_of(values) for name, values in served.items()}
    (served_map,) = served["serving_default"].values()
    facts["signatures"] = {
        "serving_default": difference(served_map, plain),
        "embed": difference(served["embed"]["embedding"], ends["embedding"]),
    } | {f"endpoints/{name}": difference(served["endpoints"][name], ends[name]) for name in ends}

    layer = keras.layers.TFSMLayer(folder, call_endpoint="embed")
    facts["tfsm_layer"] = difference(layer(small)["embedding"], ends["embedding"])

    root = next(v for v in m.trainable_variables if v.name.split(":")[0] == ROOT)
    before = root.numpy()
    for training in (False, True):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(m(small, training=training)))
        gradients = tape.gradient(loss, m.trainable_variables)
        facts[f"without_gradient_{training}"] = [
            v.name
            for v, g in zip(m.trainable_variables, gradients, strict=True)
            if g is None or not np.all(np.isfinite(g)) or not np.any(g)
        ]
    for variable, gradient in zip(m.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.01 * gradient)
    facts["root_moved"] = float(np.abs(root.numpy() - before).max())
    facts["output_moved"] = difference(m(small), plain)
    facts["embed_moved"] = difference(m.embed(small), ends["embedding"])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(m(small)))
    facts["loss_fell"] = bool(loss < tf.reduce_mean(tf.square(plain)))
    return facts


def main():
    records = Records()
    for logger in (logging.getLogger(), tf.get_logger(), absl_logging.get_absl_logger()):
        logger.addHandler(records)
    tf.zeros([])  # TensorFlow tells about the devices when they are first used
    print("LOADING", file=sys.stderr, flush=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        facts = facts_of(sys.argv[1])
    print("DONE", file=sys.stderr, flush=True)
    facts["logged"] = records.lines
    facts["warned"] = [f"{w.category.__name__}: {w.message}" for w in caught]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)


if __name__ == "__main__":
    main()
