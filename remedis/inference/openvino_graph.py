"""Graphs that OpenVINO computes on the processor in float32."""

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# By default OpenVINO computes in bfloat16 on processors that have it, with three digits.
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}
PART = 8  # images per call


@functools.cache
def core() -> Any:
    """Returns OpenVINO's core, one for the whole process.

    The processor's plugin gives the thread a stack for handlers of signals, and takes it back with
    the core: if two cores end in the order in which they began, the stack of the first stays in use
    after it is freed, and the next signal ends the process.
    """
    import openvino

    return openvino.Core()


def outputs(
    model: Any, sides: tuple[int, int] | None = None
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Returns the outputs of a graph by name as a function of its only input, a batch of images.

    Several threads may call it; they wait for each other, as one computes on all processors.

    Args:
      model: the graph, an `openvino.Model`.
      sides: height and width of most images. OpenVINO computes faster for one shape, and holds the
        weights once more for each: it is prepared for one image and for `PART` images, and other
        batches are computed in such parts. If None, it is prepared for all shapes at once.
    """
    compute = threading.Lock()

    @functools.cache
    def compiled(shape: tuple[int, ...] | None) -> Any:
        prepared = model.clone()
        if shape is not None:
            prepared.reshape(shape)
        return core().compile_model(prepared, "CPU", PRECISION)

    for shape in [None] if sides is None else [(1, *sides, 3), (PART, *sides, 3)]:
        compiled(shape)

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        fixed = images.shape[1:3] == sides
        found = []
        with compute:
            for part in _parts(images) if fixed else [images]:
                prepared = compiled(part.shape if fixed else None)
                values = prepared([part])
                found.append({o.get_any_name(): np.array(values[o]) for o in prepared.outputs})
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}

    return run


def _parts(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields parts of `PART` images, and what is left one by one."""
    whole = len(images) // PART * PART
    yield from (images[start : start + PART] for start in range(0, whole, PART))
    yield from (images[start : start + 1] for start in range(whole, len(images)))
