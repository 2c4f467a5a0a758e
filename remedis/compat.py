"""Private interfaces of Keras, TensorFlow, TFDS and Python that this package uses.

The docstring of each function says why no public interface does the same.
`tests/test_compat.py` has one test per function. It fails when the interface changes.
"""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # both take seconds to load, and the readers of images need neither
    import keras
    import tensorflow as tf

# Layers that Keras numbers within a process when a network does not name them.
_NUMBERED = re.compile(
    r"(batch_normalization|conv2d|depthwise_conv2d|layer_normalization|normalization|"
    r"separable_conv2d|sequential|variable)(?:_(\d+))?"
)
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def variable_index(optimizer: keras.optimizers.Optimizer, variable: tf.Variable) -> int:
    """Returns the position of a variable among those that an optimizer was built with.

    Keras passes `update_step` a variable of TensorFlow, under a distribution strategy one replica
    of it. Such a variable has neither the path nor the identity of the `keras.Variable`. Keras
    maps it back in `Optimizer._get_variable_index`, which all of its own optimizers call.
    """
    return optimizer._get_variable_index(variable)


class EarlyUpdates:
    """Makes an optimizer update each variable as soon as its gradient is there.

    Keras sums gradients over the replicas, of which there may be one. TensorFlow's sum waits for
    all gradients even then, so that all are in memory together: as much as the weights.
    """

    def _all_reduce_sum_gradients(
        self, grads_and_vars: Iterable[tuple[tf.Tensor, tf.Variable]]
    ) -> list[tuple[tf.Tensor, tf.Variable]]:
        import tensorflow as tf

        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            return list(grads_and_vars)
        summed: list[tuple[tf.Tensor, tf.Variable]]
        summed = super()._all_reduce_sum_gradients(grads_and_vars)  # type: ignore[misc]
        return summed


def set_stack_traces(kept: bool) -> None:
    """Sets whether operations of a graph keep the lines of Python that made them.

    TensorFlow keeps them as text, with every operation and all its callers, to show them in errors
    about the operation. The thousands of operations of a training step make this much memory, which
    `benchmarks/memory.py` measures. No public interface leaves them out.
    """
    from tensorflow.python.util import tf_stack

    extract = getattr(tf_stack.extract_stack, "_original", tf_stack.extract_stack)

    def nothing(stacklevel: int = 1) -> object:
        return extract(stacklevel=sys.getrecursionlimit())  # leaves out all lines

    nothing._original = extract  # type: ignore[attr-defined]
    tf_stack.extract_stack = extract if kept else nothing


def stack_traces() -> bool:
    """Returns whether operations keep the lines that made them, see `set_stack_traces`."""
    from tensorflow.python.util import tf_stack

    return not hasattr(tf_stack.extract_stack, "_original")


def set_op_determinism(enabled: bool) -> None:
    """Sets whether operations of TensorFlow must be deterministic in this process.

    The public `tf.config.experimental.enable_op_determinism` cannot be taken back.
    """
    from tensorflow.python.framework import config

    (config.enable_op_determinism if enabled else config.disable_op_determinism)()


def op_determinism() -> bool:
    """Returns whether operations of TensorFlow must be deterministic; no public name tells it."""
    from tensorflow.python.framework import config

    return bool(config.is_op_determinism_enabled())


def variable_keys(reader: tf.train.CheckpointReader) -> dict[str, str]:
    """Returns the key of every variable in a TensorFlow 2 checkpoint by the variable's name.

    `tf.train.list_variables` lists keys, such as `_blocks/0/kernel/.ATTRIBUTES/VARIABLE_VALUE`.
    They follow the objects that held the variables. The names stand only in the object graph, a
    protocol buffer stored as a tensor of the checkpoint.

    Raises:
      Exception: the checkpoint has no readable object graph, in the words of TensorFlow.
    """
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(reader.get_tensor(_OBJECT_GRAPH))
    keys = reader.get_variable_to_shape_map()
    return {
        attribute.full_name: attribute.checkpoint_key
        for node in graph.nodes
        for attribute in node.attributes
        if attribute.full_name and attribute.checkpoint_key in keys
    }


def frozen_graph(function: Any) -> tuple[Any, list[str], list[str]]:
    """Returns the graph of a traced function with its variables as constants, folded.

    `tf.lite` freezes by the same function, which has no public name; neither have the optimisations
    of graphs (Grappler), which TensorFlow runs by itself when it executes one. Only those run here
    whose results other programs know as well.

    Args:
      function: a `ConcreteFunction`.

    Returns:
      The `GraphDef`, and the names of its input and output tensors, in their order.
    """
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
    from tensorflow.python.framework import convert_to_constants
    from tensorflow.python.grappler import tf_optimizer
    from tensorflow.python.training import saver

    frozen = convert_to_constants.convert_variables_to_constants_v2(function)
    inputs, outputs = ([tensor.name for tensor in side] for side in (frozen.inputs, frozen.outputs))
    graph = saver.export_meta_graph(graph_def=frozen.graph.as_graph_def(), graph=frozen.graph)
    kept = meta_graph_pb2.CollectionDef()
    kept.node_list.value.extend([*inputs, *outputs])
    graph.collection_def["train_op"].CopyFrom(kept)
    config = config_pb2.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.optimizers.extend(["pruning", "constfold", "dependency", "pruning"])
    rewriting.meta_optimizer_iterations = rewriting.TWO
    rewriting.min_graph_nodes = -1  # also the smallest graphs
    return tf_optimizer.OptimizeGraph(config, graph), inputs, outputs


@contextlib.contextmanager
def noting_gradients(names: set[str]) -> Iterator[None]:
    """Adds the names of the gradients that TensorFlow registers within the block to `names`.

    `tf.custom_gradient` registers a gradient for every graph that it is traced in, and the registry
    keeps it, with the graph, until the process ends. A name can only be taken out by itself.
    """
    from tensorflow.python.framework import ops

    before = set(ops.gradient_registry._registry)
    try:
        yield
    finally:
        names |= ops.gradient_registry._registry.keys() - before


def forget_gradients(names: Iterable[str]) -> None:
    """Takes gradients out of TensorFlow's registry; what was traced with them is not used again."""
    from tensorflow.python.framework import ops

    for name in names:
        ops.gradient_registry._registry.pop(name, None)


def numbered_from_zero(variables: Iterable[str]) -> dict[str, str]:
    """Returns names of variables that do not depend on what else the process has built.

    Keras names the unnamed layers of a network `conv2d_94`, `conv2d_95`, ... and continues with
    the next network. Here the first is `conv2d` and the next `conv2d_1`. Keras can reset its
    counters (`keras.utils.clear_session`), but only for the whole process.

    Args:
      variables: all names of one network, such as `conv2d_94/kernel`.

    Returns:
      The new name of each.
    """
    variables = list(variables)
    numbers: dict[str, set[int]] = {}
    for layer in (layer for name in variables for layer in name.split("/")):
        if match := _NUMBERED.fullmatch(layer):
            numbers.setdefault(match[1], set()).add(int(match[2] or 0))
    ranks = {kind: sorted(seen) for kind, seen in numbers.items()}

    def renumbered(layer: str) -> str:
        if not (match := _NUMBERED.fullmatch(layer)):
            return layer
        rank = ranks[match[1]].index(int(match[2] or 0))
        return f"{match[1]}_{rank}" if rank else match[1]

    return {name: "/".join(map(renumbered, name.split("/"))) for name in variables}


def application_preprocessing(build: Callable[..., Any]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the `preprocess_input` of a network of `keras.applications`.

    It is a function of the module that defines the network. `keras.applications` exports most of
    these modules, but `MobileNetV3Large` and `MobileNetV3Small` are in none of them.

    Args:
      build: the function that builds the network, such as `keras.applications.DenseNet121`.
    """
    return sys.modules[build.__module__].preprocess_input


def remove_warning_filter(entry: tuple[Any, ...]) -> None:
    """Removes one entry from Python's list of warning filters, if it is still there.

    `warnings.catch_warnings` restores the whole list, and with it drops filters that other threads
    have added meanwhile.

    Args:
      entry: as `warnings.filterwarnings` adds it: action, message, category, module and line.
    """
    with contextlib.suppress(ValueError):
        warnings.filters.remove(entry)  # type: ignore[attr-defined]


class WithoutDownloadNotices:
    """Base of TFDS builders that prepare data already on disk.

    `download_and_prepare` prints that it downloads the data, through these two methods.
    """

    def _log_download_bytes(self) -> None:
        """Prints nothing."""

    def _log_download_done(self) -> None:
        """Prints nothing."""
