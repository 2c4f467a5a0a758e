"""ONNX, converted by tf2onnx and run by ONNX Runtime."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from remedis import extras
from remedis.conversion.formats import Run
from remedis.conversion.frozen_graph import INPUT, freeze
from remedis.conversion.source_model import SourceModel

EXTRA = "onnx"
OPSET = 18
# Axes by their place; the converter numbers those of unknown size.
_AXES = ("batch", "height", "width")


def write(source: SourceModel, path: pathlib.Path) -> Mapping[str, Any]:
    """Writes the file, with names of axes, and `SourceModel.metadata` in its metadata."""
    onnx, tf2onnx = extras.load("onnx", EXTRA), extras.load("tf2onnx", EXTRA)
    network = freeze(source).function()
    model, _ = tf2onnx.convert.from_function(
        network, input_signature=network.input_signature, opset=OPSET
    )
    for value in (*model.graph.input, *model.graph.output):
        sides = "" if value.name == INPUT else f"{value.name}_"
        for i, dimension in enumerate(value.type.tensor_type.shape.dim):
            if not dimension.HasField("dim_value"):
                dimension.dim_param = f"{sides if i else ''}{_AXES[i]}"
    onnx.helper.set_model_props(model, source.metadata())
    onnx.checker.check_model(model)
    onnx.save(model, os.fspath(path))
    return {"opset": OPSET}


def run(path: pathlib.Path) -> Run:
    """Returns the outputs of the file, as ONNX Runtime computes them on the processor."""
    runtime = extras.load("onnxruntime", EXTRA)
    session = runtime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {INPUT: images}), strict=True))

    return outputs
