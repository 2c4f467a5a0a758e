"""OpenVINO's intermediate representation: `model.xml`, the graph, and `model.bin`, the weights."""

import functools
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from remedis import extras
from remedis.conversion.formats import Run
from remedis.conversion.frozen_graph import INPUT, freeze
from remedis.conversion.source_model import SourceModel

EXTRA = "openvino"
GRAPH, WEIGHTS = "model.xml", "model.bin"
# By default OpenVINO computes in bfloat16 on processors that have it, with three digits.
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}
Shape = tuple[int, ...]


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


def run(path: pathlib.Path, fixed: Sequence[Shape] = ()) -> Run:
    """Returns the outputs of the folder, as OpenVINO computes them on the processor in float32.

    Args:
      path: the folder.
      fixed: shapes [n, height, width, 3] of images, with one for n = 1 per size. OpenVINO computes
        them faster and holds the weights once more for each. A batch of another number is computed
        in parts that have such a shape.
    """
    openvino = extras.load("openvino", EXTRA)
    core = openvino.Core()

    @functools.cache
    def compiled(shape: Shape | None) -> Any:
        model = core.read_model(os.fspath(path / GRAPH))
        if shape is not None:
            model.reshape(shape)
        return core.compile_model(model, "CPU", PRECISION)

    for shape in fixed:
        compiled(shape)

    def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
        parts = []
        for part, shape in _parts(images, fixed):
            model = compiled(shape)
            found = model({INPUT: part})
            parts.append({o.get_any_name(): np.array(found[o]) for o in model.outputs})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return outputs


def _parts(images: np.ndarray, fixed: Sequence[Shape]) -> Iterator[tuple[np.ndarray, Shape | None]]:
    """Yields the largest parts of a batch that have a fixed shape, or all of it and None."""
    shapes = {shape[0]: shape for shape in fixed if shape[1:] == images.shape[1:]}
    if not shapes:
        yield images, None
        return
    while len(images):
        count = max(n for n in shapes if n <= len(images))
        yield images[:count], shapes[count]
        images = images[count:]
