"""OpenVINO's intermediate representation: `model.xml`, the graph, and `model.bin`, the weights."""

import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from remedis import extras
from remedis.conversion.formats import Run
from remedis.conversion.frozen_graph import freeze
from remedis.conversion.source_model import SourceModel
from remedis.inference import openvino_graph

EXTRA = "openvino"
GRAPH, WEIGHTS = "model.xml", "model.bin"


def write(source: SourceModel, path: pathlib.Path) -> Mapping[str, Any]:
    """Writes both files, with `SourceModel.metadata` in the graph's runtime information."""
    openvino = extras.load("openvino", EXTRA)
    network = freeze(source).function()
    with tempfile.TemporaryDirectory() as folder:
        served = tf.Module()
        served.network = network
        signatures = network.get_concrete_function()
        tf.saved_model.save(served, folder, signatures=signatures)
        model = openvino.convert_model(folder)
        for name, value in source.metadata().items():
            model.set_rt_info(value, ["remedis", name])
        # In half precision, as OpenVINO stores weights by default, outputs keep three digits.
        openvino.save_model(model, path / GRAPH, compress_to_fp16=False)
    return {"stored_as": "float32", "inference_precision_hint": "f32"}


def run(path: pathlib.Path, sides: tuple[int, int] | None = None) -> Run:
    """Returns the outputs of the folder, as OpenVINO computes them on the processor in float32.

    Args:
      path: the folder, which is read now and not later.
      sides: as for `openvino_graph.outputs`.
    """
    extras.load("openvino", EXTRA)
    model = openvino_graph.core().read_model(os.fspath(path / GRAPH))
    return openvino_graph.outputs(model, sides)
