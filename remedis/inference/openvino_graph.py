"""Graphs that OpenVINO computes on the processor in float32."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

# By default OpenVINO computes in bfloat16 on processors that have it, with three digits.
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}
Shape = tuple[int, ...]


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
    read: Callable[[], Any], fixed: Sequence[Shape] = ()
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Returns the outputs of a graph by name as a function of its only input, a batch of images.

    Args:
      read: returns the graph, an `openvino.Model` of its own at each call.
      fixed: shapes [n, height, width, 3] of images, with one for n = 1 per size. OpenVINO computes
        them faster and holds the weights once more for each. A batch of another number is computed
        in parts that have such a shape.
    """

    @functools.cache
    def compiled(shape: Shape | None) -> Any:
        model = read()
        if shape is not None:
            model.reshape(shape)
        return core().compile_model(model, "CPU", PRECISION)

    for shape in fixed:
        compiled(shape)

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        found = []
        for part, shape in _parts(images, fixed):
            model = compiled(shape)
            values = model([part])
            found.append({o.get_any_name(): np.array(values[o]) for o in model.outputs})
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}

    return run


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
