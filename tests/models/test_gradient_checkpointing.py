import json
import pathlib
import subprocess
import sys
from collections import Counter
from functools import partial

import bit_weights
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.preprocess import parse
from remedis.zoo import serving

TINY = Architecture((1, 1, 1, 1), 0.5)
IMAGES = tf.constant(np.random.RandomState(0).uniform(size=(2, 40, 36, 3)), tf.float32)
CONVOLUTIONS = ("Conv2D", "_FusedConv2D", "_MklNativeConv2D")
STANDARDIZED = ("FusedBatchNormV3", "_MklNativeFusedBatchNormV3")
BENCHMARK = pathlib.Path(__file__).parents[2] / "benchmarks" / "memory.py"


@pytest.fixture
def plain_graph():
    """Switches the graph optimizer off, as `prepare_process` does in a job."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})


@pytest.fixture(params=["optimised_graph", "plain_graph"])
def graph(request):
    if request.param == "plain_graph":
        request.getfixturevalue("plain_graph")


def backbone(gradient_checkpointing):
    model = BiTResNet(TINY, final_norm=False)
    model.assign(bit_weights.weights(TINY, False))
    model.gradient_checkpointing = gradient_checkpointing
    return model


def gradients(call, x, variables):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_mean(tf.square(call(x)))
    return tape.gradient(loss, [x, *(variable.value for variable in variables)])


def executed(function):
    """Returns a function's results, and the count of each operation in the executed graph."""
    context.enable_run_metadata()
    try:
        results = function()
        metadata = context.export_run_metadata()
    finally:
        context.disable_run_metadata()
    (graphs,) = metadata.function_graphs
    return results, Counter(node.op for graph in graphs.partition_graphs for node in graph.node)


def assert_same(got, expected):
    for gradient, reference in zip(got, expected, strict=True):
        assert np.abs(reference).max() > 0
        assert np.linalg.norm(gradient - reference) <= 1e-5 * np.linalg.norm(reference)


@pytest.mark.usefixtures("plain_graph")
def test_gradients_are_the_same_by_every_variable_and_the_input():
    def compute(gradient_checkpointing):
        model = backbone(gradient_checkpointing)
        call = partial(model, training=True)
        return tf.function(lambda: gradients(call, IMAGES, model.variables))()

    assert_same(compute(True), compute(False))


@pytest.mark.usefixtures("graph")
def test_no_optimizer_undoes_it():
    block = backbone(True).blocks[0]
    x = tf.constant(np.random.RandomState(1).normal(size=(2, 5, 6, 32)), tf.float32)

    def compute(gradient_checkpointing):
        call = partial(block, gradient_checkpointing=gradient_checkpointing)
        return executed(tf.function(lambda: gradients(call, x, block.variables)))

    (expected, once), (got, twice) = compute(False), compute(True)
    assert_same(got, expected)
    # A unit has three norms, a 3x3 convolution and a kernel to standardise for each of four.
    assert twice["SquaredDifference"] >= once["SquaredDifference"] + 3
    assert sum(twice[kind] for kind in CONVOLUTIONS) > sum(once[kind] for kind in CONVOLUTIONS)
    assert twice["Rsqrt"] >= once["Rsqrt"] + 3
    assert sum(twice[kind] for kind in STANDARDIZED) >= sum(once[kind] for kind in STANDARDIZED) + 4


def test_gradients_are_the_same_in_a_loop_over_micro_batches():
    block = backbone(True).blocks[0]
    x = tf.constant(np.random.RandomState(1).normal(size=(2, 2, 5, 6, 32)), tf.float32)

    def compute(gradient_checkpointing):
        call = partial(block, gradient_checkpointing=gradient_checkpointing)

        def body(i, sums):
            micro_batch = gradients(call, x[i], block.variables)[1:]
            return i + 1, [a + b for a, b in zip(sums, micro_batch, strict=True)]

        zeros = [tf.zeros_like(variable.value) for variable in block.variables]
        return tf.while_loop(lambda i, _: i < 2, body, (0, zeros), parallel_iterations=1)[1]

    assert_same(tf.function(compute)(True), tf.function(compute)(False))


def test_an_empty_batch_has_gradients_of_zero():
    block = backbone(True).blocks[0]

    @tf.function(input_signature=[tf.TensorSpec([None, 5, 6, 32])])
    def compute(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(block(x, gradient_checkpointing=True))
        return tape.gradient(loss, [variable.value for variable in block.variables])

    for gradient in compute(tf.zeros([0, 5, 6, 32])):
        np.testing.assert_array_equal(gradient, 0)


def test_without_training_there_is_nothing_of_it_in_the_graph():
    def operations(gradient_checkpointing):
        # As exports trace it.
        graph = (
            tf.function(backbone(gradient_checkpointing).call).get_concrete_function(IMAGES).graph
        )
        return Counter(op.type for op in graph.get_operations())

    assert operations(True) == operations(False)


@pytest.mark.guarantee
def test_exports_and_evaluations_never_use_it():
    def operations(gradient_checkpointing):
        model = backbone(gradient_checkpointing)
        classifier = Classifier(model, ("one", "two"))
        served = serving.ServedBackbone(model)
        calls = [
            *(partial(served.__call__, training=training) for training in (False, True, None)),
            served.embed,
            served.endpoints,
            serving.ServedClassifier(classifier, parse("resize(40)")).__call__,
            classifier,
            classifier.outputs,
            classifier.embedding_of,
        ]
        graphs = [tf.function(call).get_concrete_function(IMAGES).graph for call in calls]
        return [all_operations(graph) for graph in graphs]

    assert operations(True) == operations(False)


def all_operations(graph):
    """Returns how often each operation is in a graph and in the functions it calls."""
    definition = graph.as_graph_def()
    functions = [node for function in definition.library.function for node in function.node_def]
    return Counter(node.op for node in [*definition.node, *functions])


@pytest.mark.slow
def test_memory_is_saved():
    command = [sys.executable, str(BENCHMARK), "--architecture=50x1", "--size=448", "--batch=8"]
    result = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    plain, checkpointed = (row["peak_gb"] - row["before_gb"] for row in json.loads(result.stdout))
    assert checkpointed < 0.7 * plain
