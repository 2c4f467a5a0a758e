"""The fastest way to compute the embeddings of many images."""

import functools
import importlib.util
import logging
import threading
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from remedis import compat
from remedis.inference import openvino_graph

# `fastest` needs some seconds for its preparation, which fewer images do not gain.
WORTH = 1000  # images
# The largest difference from TensorFlow, as a share of the largest value: that of exports.
_TOLERANCE = 1e-4
_PACKAGE = "openvino"
_LOG = logging.getLogger(__name__)

Compute = Callable[[tf.Tensor], tf.Tensor]


def fastest(compute: tf.types.experimental.PolymorphicFunction) -> Compute:
    """Returns a function with the results of another one, computed by the fastest engine.

    That is OpenVINO, if it is installed and there is no GPU. It is prepared at the first batch and
    compared with TensorFlow there. If it differs by more than 1e-4 of the largest value, or does
    not know an operation, TensorFlow computes.

    Args:
      compute: from images [N, H, W, 3] to embeddings [N, C], with one input signature.
    """
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if has_gpu or importlib.util.find_spec(_PACKAGE) is None:
        return compute

    preparing = threading.Lock()  # the threads of a worker begin together

    @functools.lru_cache(maxsize=1)  # the images of one preprocessing have one size
    def by_openvino(sides: tuple[int, int]) -> Callable[[np.ndarray], np.ndarray] | None:
        try:
            return _by_openvino(compute, sides)
        except Exception as error:  # of several types, by what is not known
            _LOG.info(f"TensorFlow computes, since OpenVINO does not: {error}")
            return None

    def run(batch: tf.Tensor) -> tf.Tensor:
        with preparing:
            prepared = by_openvino(tuple(batch.shape[1:3]))
        return compute(batch) if prepared is None else tf.constant(prepared(batch.numpy()))

    return run


def _by_openvino(
    compute: tf.types.experimental.PolymorphicFunction, sides: tuple[int, int]
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function of images of one size.

    Raises:
      ValueError: the results differ from those of TensorFlow.
    """
    import openvino

    graph, _, _ = compat.frozen_graph(compute.get_concrete_function())
    outputs = openvino_graph.outputs(openvino.convert_model(graph), sides)

    def run(images: np.ndarray) -> np.ndarray:
        (found,) = outputs(images).values()
        return found

    images = np.random.default_rng(0).random((2, *sides, 3), np.float32)
    expected = compute(tf.constant(images)).numpy()
    apart = np.abs(run(images) - expected).max() / np.abs(expected).max()
    if not apart <= _TOLERANCE:
        raise ValueError(f"the embeddings differ by {apart:.1e} of the largest value")
    return run
