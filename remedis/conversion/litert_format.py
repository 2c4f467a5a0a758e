"""LiteRT, formerly TensorFlow Lite, for phones and small devices."""

import os
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from remedis.conversion.formats import Run
from remedis.conversion.frozen_graph import INPUT, freeze
from remedis.conversion.source_model import SourceModel


def write(source: SourceModel, path: pathlib.Path) -> Mapping[str, Any]:
    """Writes the file, which has LiteRT's own operations only."""
    network = freeze(source).function()
    module = tf.Module()
    module.network = network
    concrete = network.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    path.write_bytes(converter.convert())
    return {"signature": "serving_default", "stored_as": "float32"}


def run(path: pathlib.Path) -> Run:
    """Returns the outputs of the file, as LiteRT computes them on the processor."""
    with warnings.catch_warnings():
        # The interpreter moves to another package, which does not fit every TensorFlow of ours.
        warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter", UserWarning)
        interpreter = tf.lite.Interpreter(os.fspath(path), num_threads=os.cpu_count())
    signature = interpreter.get_signature_runner()

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = signature(**{INPUT: images})
        return found

    return outputs
