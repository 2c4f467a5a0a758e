"""Canaries: each fails when a private interface that `remedis/compat.py` uses has changed."""

import re
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from remedis import compat


class Recording(keras.optimizers.SGD):
    """Notes the variable that each call of `update_step` is for."""

    def __init__(self):
        super().__init__(1.0)
        self.indices = []

    def update_step(self, gradient, variable, learning_rate):
        self.indices.append(compat.variable_index(self, variable))
        super().update_step(gradient, variable, learning_rate)


@pytest.mark.parametrize("strategy", [None, tf.distribute.MirroredStrategy], ids=["one", "many"])
def test_keras_knows_the_position_of_the_variable_it_updates(strategy):
    scope = (strategy or tf.distribute.get_strategy)()
    with scope.scope():
        variables = [keras.Variable(np.zeros(size, np.float32)) for size in (2, 3, 4)]
        optimizer = Recording()
        optimizer.build(variables)
    backwards = variables[::-1]

    @tf.function
    def step():
        optimizer.apply([tf.ones(variable.shape) for variable in backwards], backwards)

    scope.run(step)
    assert optimizer.indices == [2, 1, 0]
    for variable in variables:
        np.testing.assert_array_equal(variable, -1)


class Early(compat.EarlyUpdates, keras.optimizers.SGD):
    """An optimizer that updates each variable as soon as its gradient is there."""


def _behind(operation: tf.Operation) -> set[str]:
    """Returns the names of the operations that one waits for."""
    seen, waiting = set(), [operation]
    while waiting:
        before = [t.op for t in waiting[-1].inputs] + list(waiting.pop().control_inputs)
        waiting += [op for op in before if op.name not in seen]
        seen |= {op.name for op in before}
    return seen


@pytest.mark.parametrize(
    ("kind", "waits"), [(keras.optimizers.SGD, True), (Early, False)], ids=["keras", "early"]
)
def test_an_update_waits_for_no_other_gradient(kind, waits):
    variables = [keras.Variable(np.zeros(size, np.float32)) for size in (2, 3)]
    optimizer = kind(1.0)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(x):
        first, second = (tf.fill(v.shape, x, name=f"gradient_{i}") for i, v in enumerate(variables))
        optimizer.apply([first, second], variables)

    graph = step.get_concrete_function(tf.TensorSpec([])).graph
    updates = [op for op in graph.get_operations() if op.type == "AssignSubVariableOp"]
    assert ["gradient_1" in _behind(op) for op in updates] == [waits, True]
    step(tf.constant(1.0))
    for variable in variables:
        np.testing.assert_array_equal(variable, -1)


def test_operations_keep_the_lines_that_made_them_or_none():
    def lines() -> int:
        with tf.Graph().as_default():
            return len(tf.constant(0.0).op.traceback)

    before = compat.stack_traces()
    try:
        for kept in (False, False, True, True):
            compat.set_stack_traces(kept)
            assert compat.stack_traces() is kept
            assert (lines() > 0) is kept
    finally:
        compat.set_stack_traces(before)


def test_determinism_of_operations_is_set_and_taken_back():
    before = compat.op_determinism()
    tf.random.set_seed(None)
    try:
        compat.set_op_determinism(True)
        assert compat.op_determinism()
        with pytest.raises(RuntimeError, match="seed"):
            tf.random.normal([1])
        compat.set_op_determinism(False)
        assert not compat.op_determinism()
        tf.random.normal([1])
    finally:
        compat.set_op_determinism(before)


def test_the_object_graph_of_a_checkpoint_holds_the_names_of_variables(tmp_path):
    module = tf.Module()
    module.parts = [tf.Variable(1.0, name="first/kernel"), tf.Variable([2.0], name="second/kernel")]
    reader = tf.train.load_checkpoint(tf.train.Checkpoint(module).write(str(tmp_path / "saved")))
    keys = compat.variable_keys(reader)
    assert {name: reader.get_tensor(key).tolist() for name, key in keys.items()} == {
        "first/kernel": 1.0,
        "second/kernel": [2.0],
    }
    assert all(key.startswith("parts/") for key in keys.values())


def test_names_do_not_depend_on_what_was_built_before():
    assert compat.numbered_from_zero(
        ["conv2d_94/kernel", "batch_normalization_9/beta", "conv2d_101/kernel", "conv2d_94/bias"]
    ) == {
        "conv2d_94/kernel": "conv2d/kernel",
        "batch_normalization_9/beta": "batch_normalization/beta",
        "conv2d_101/kernel": "conv2d_1/kernel",
        "conv2d_94/bias": "conv2d/bias",
    }
    named = ["conv1_bn/gamma", "block_12/conv2d_bn/beta", "head/dense/kernel", "stage_3_block_1/x"]
    assert compat.numbered_from_zero(named) == {name: name for name in named}
    fresh = ["conv2d/kernel", "conv2d_1/kernel", "conv2d_2/kernel"]
    assert compat.numbered_from_zero(fresh) == {name: name for name in fresh}


def test_keras_numbers_the_layers_that_have_no_name():
    def paths():
        inputs = keras.Input((8, 8, 3))
        x = keras.layers.Conv2D(2, 1)(inputs)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.DepthwiseConv2D(1)(keras.layers.SeparableConv2D(2, 1)(x))
        x = keras.layers.Normalization()(keras.layers.LayerNormalization()(x))
        outputs = keras.Sequential([keras.layers.Conv2D(2, 1)])(x)
        return [weight.path for weight in keras.Model(inputs, outputs).weights]

    first, second = paths(), paths()
    assert first != second
    renumbered = [list(compat.numbered_from_zero(names).values()) for names in (first, second)]
    assert renumbered[0] == renumbered[1]
    kinds = {name.partition("/")[0] for name in renumbered[0]}
    assert kinds >= {
        "conv2d",
        "batch_normalization",
        "depthwise_conv2d",
        "separable_conv2d",
        "layer_normalization",
        "normalization",
        "sequential",
    }


def test_every_network_of_keras_has_its_preprocessing_beside_it():
    builds = [getattr(keras.applications, name) for name in dir(keras.applications)]
    networks = [build for build in builds if getattr(build, "__name__", "")[:1].isupper()]
    assert len(networks) >= 38
    for build in networks:
        pixels = compat.application_preprocessing(build)(tf.zeros([1, 4, 4, 3]))
        assert pixels.shape == (1, 4, 4, 3)


def test_a_warning_filter_is_an_entry_of_a_list():
    entry = ("ignore", None, Warning, re.compile("some_module"), 0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="some_module")
        warnings.filterwarnings("ignore", category=UserWarning)
        assert warnings.filters[1] == entry
        others = [other for other in warnings.filters if other != entry]
        compat.remove_warning_filter(entry)
        assert warnings.filters == others
        compat.remove_warning_filter(entry)
        assert warnings.filters == others


def test_importing_it_loads_neither_tensorflow_nor_keras():
    program = (
        "import sys, remedis.compat; sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_tfds_prints_its_notices_through_the_methods_that_are_overridden():
    import tensorflow_datasets as tfds

    for name in ("_log_download_bytes", "_log_download_done"):
        assert name in vars(compat.WithoutDownloadNotices)
        assert callable(getattr(tfds.core.DatasetBuilder, name))


def test_a_graph_is_frozen_and_what_is_constant_is_computed():
    variable = tf.Variable([4.0, 9.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def scaled(x):
        return {"b": x * tf.sqrt(variable), "a": x}

    graph, inputs, outputs = compat.frozen_graph(scaled.get_concrete_function())
    assert {node.op for node in graph.node} == {"Placeholder", "Const", "Mul", "Identity"}

    @tf.function
    def imported(x):
        return tf.graph_util.import_graph_def(
            graph, input_map={inputs[0]: x}, return_elements=outputs, name=""
        )

    a, b = imported(tf.constant([[1.0, 2.0]]))
    np.testing.assert_array_equal(a, [[1.0, 2.0]])
    np.testing.assert_array_equal(b, [[2.0, 6.0]])


def test_registered_gradients_are_noted_and_forgotten():
    @tf.custom_gradient
    def doubled(x):
        return 2 * x, lambda upstream: 5 * upstream

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = doubled(x)
        return tape.gradient(y, x)

    noted = set()
    with compat.noting_gradients(noted):
        assert gradient(tf.constant(1.0)).numpy() == 5
    assert len(noted) == 1
    again = set()
    with compat.noting_gradients(again):
        gradient(tf.constant(2.0))
    assert again == set()
    compat.forget_gradients(noted)
    compat.forget_gradients(noted)  # no error
    with compat.noting_gradients(again):
        gradient(tf.constant([3.0]))  # another graph
    assert len(again) == 1
    assert gradient(tf.constant(1.0)).numpy() == 5  # what is traced needs the registry no more
