"""Where the time of the heaviest works goes: matrix products, convolutions, and all else.

Times are those that oneDNN's and OpenVINO's own counters give. Operations run one after the other
here, so that their times add up; `bench.py` measures without counters.
"""

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence

from turn import READY
from turns import Contender

PRODUCTS, CONVOLUTIONS, NORMS, REST = "products", "convolutions", "kernels' norms", "all else"
KINDS = (PRODUCTS, CONVOLUTIONS, NORMS, REST)
_ONEDNN = {
    "gemm_api": PRODUCTS,
    "matmul": PRODUCTS,
    "inner_product": PRODUCTS,
    "convolution": CONVOLUTIONS,
    "batch_normalization": NORMS,
}
_OPENVINO = {"FullyConnected": PRODUCTS, "MatMul": PRODUCTS, "Convolution": CONVOLUTIONS}
# oneDNN prints a line per operation; TensorFlow runs one operation at a time.
_COUNTED = {"ONEDNN_VERBOSE": "1", "TF_NUM_INTEROP_THREADS": "1"}


def by_onednn(contender: Contender) -> dict[str, float]:
    """Returns milliseconds per image by kind, of a contender that takes turns with TensorFlow."""
    done = subprocess.run(
        contender.command,
        input="go\n",
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **_COUNTED},
    )
    spent: dict[str, float] = defaultdict(float)
    _, _, turn = done.stdout.partition(f"{READY}\n")
    took = {}
    for line in turn.splitlines():
        cells = line.split(",")
        if line.startswith("{"):
            took = json.loads(line)
        elif "exec" in cells[:5] and (kind := _ONEDNN.get(cells[cells.index("exec") + 2])):
            spent[kind] += float(cells[-1])
    if not took:
        raise SystemExit(f"{contender.name}: no turn: {done.stderr[-500:]}")
    return _with_rest(spent, 1000 * took["seconds"], took["count"])


def by_openvino(path: str, size: int, batch: int) -> dict[str, float]:
    """Returns milliseconds per image by kind, of an OpenVINO export's graph."""
    import numpy as np
    import openvino

    core, shape = openvino.Core(), (batch, size, size, 3)
    graph = core.read_model(path)
    graph.reshape(shape)
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERF_COUNT": "YES"}
    request = core.compile_model(graph, "CPU", options).create_infer_request()
    images = np.random.default_rng(0).random(shape, np.float32)
    for _ in range(3):
        request.infer({0: images})
    spent: dict[str, float] = defaultdict(float)
    whole = 0.0
    for operation in request.profiling_info:
        milliseconds = 1000 * operation.real_time.total_seconds()
        whole += milliseconds
        if kind := _OPENVINO.get(operation.node_type):
            spent[kind] += milliseconds
    return _with_rest(spent, whole, batch)


def _with_rest(spent: Mapping[str, float], whole: float, images: float) -> dict[str, float]:
    kinds = {kind: spent.get(kind, 0.0) / images for kind in KINDS}
    kinds[REST] = whole / images - sum(kinds.values())
    return kinds


def table(found: Sequence[tuple[str, Mapping[str, float]]], product: float) -> list[str]:
    """Returns the times in Markdown.

    Args:
      found: work and its milliseconds per image by kind.
      product: milliseconds of a matrix product with as many operations as an image has.
    """
    rows = [
        "## Where the time goes",
        "",
        f"Milliseconds per image of 224 pixels in batches of 8, one operation at a time, by the "
        f"engines' own counters. The multiply-adds of an image alone take {product:.0f} ms as one "
        "large matrix product, those of a training step three times as long.",
        "",
        f"| work | {' | '.join(KINDS)} |",
        f"|---|{'---:|' * len(KINDS)}",
    ]
    for name, kinds in found:
        rows.append(f"| {name} | {' | '.join(f'{kinds[kind]:.1f}' for kind in KINDS)} |")
    rows += [
        "",
        "All else is group norms with their ReLU, the sums of shortcuts and the copies between "
        "them: operations that pass over memory.",
    ]
    return rows
