import contextlib
import re
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from remedis.errors import UserError
from remedis.models.architectures import Architecture
from remedis.training.optimizers import NAMES, begin, is_norm_or_bias, make

SHAPES = {"a/kernel": (3, 2), "b/kernel": (2, 2), "c/gamma": (2,), "d/bias": (3,)}
FACTORS = {"a/kernel": 0.5, "c/gamma": 3.0}
DECAY = 0.1
optimizers = pytest.mark.parametrize("name", NAMES)


class Halving(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that differs from step to step."""

    def __call__(self, step):
        return 0.2 * tf.pow(0.5, tf.cast(step, tf.float32))


def variables(rng):
    made = {}
    for path, shape in SHAPES.items():
        layer, name = path.split("/")
        with keras.name_scope(layer):
            value = np.zeros(shape) if path == "b/kernel" else rng.normal(size=shape)
            made[path] = keras.Variable(value.astype(np.float32), name=name)
    assert [variable.path for variable in made.values()] == list(SHAPES)
    return made


def sgd_twin(path, w, g, m, v, rate, step, start):
    if "kernel" in path:
        g = g + DECAY * (w - start)
    m = 0.9 * m - rate * g
    return w + m, m, v


def lars_twin(path, w, g, m, v, rate, step, start):
    if "kernel" in path:
        g = g + DECAY * (w - start)
        if (w**2).sum() > 0:
            rate *= 0.001 * np.sqrt((w**2).sum()) / np.sqrt((g**2).sum())
    m = 0.9 * m - rate * g
    return w + m, m, v


def adamw_twin(path, w, g, m, v, rate, step, start):
    if "kernel" in path:
        w = w - rate * DECAY * (w - start)
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    unbiased = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
    return w - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-7), m, v


TWINS = {"sgd": sgd_twin, "adamw": adamw_twin, "lars": lars_twin, "released_lars": lars_twin}


def optimizer(name, **changes):
    return make(name, Halving(), FACTORS, **{"momentum": 0.9, "weight_decay": DECAY} | changes)


def steps(optimizer, made, gradients, run=lambda function: function()):
    @tf.function
    def step(gradients):
        def replica():
            # tf.distribute cannot tell the device of a function's arguments.
            own = [tf.identity(gradient) for gradient in gradients]
            optimizer.apply_gradients(zip(own, made.values(), strict=True))

        run(replica)

    for gradient in gradients:
        step([tf.constant(g, tf.float32) for g in gradient])


def twin(name, starts, gradients, decay_to="zero"):
    state = {path: (w, 0 * w, 0 * w) for path, w in starts.items()}
    for step, gradient in enumerate(gradients):
        for (path, values), g in zip(state.items(), gradient, strict=True):
            rate = 0.2 * 0.5**step * FACTORS.get(path, 1)
            drawn_to = starts[path] if decay_to == "start" else 0.0
            state[path] = TWINS[name](path, values[0], g, *values[1:], rate, step, drawn_to)
    return {path: values[0] for path, values in state.items()}


def case():
    rng = np.random.default_rng(0)
    made = variables(rng)
    starts = {path: np.asarray(variable, np.float64) for path, variable in made.items()}
    gradients = [[rng.normal(size=shape) for shape in SHAPES.values()] for _ in range(5)]
    return made, starts, gradients


def assert_close(made, expected):
    for path, variable in made.items():
        np.testing.assert_allclose(variable, expected[path], rtol=1e-4, atol=2e-5, err_msg=path)


@optimizers
@pytest.mark.parametrize("mirrored", [False, True])
def test_five_steps_agree_with_numpy(name, mirrored):
    strategy = (
        tf.distribute.MirroredStrategy(["CPU:0"]) if mirrored else tf.distribute.get_strategy()
    )
    with strategy.scope():
        made, starts, gradients = case()
        tested = optimizer(name)
        tested.build(list(made.values()))
    steps(tested, made, gradients, strategy.run)
    assert_close(made, twin(name, starts, gradients))


@optimizers
@pytest.mark.parametrize("loss_scale", [False, True])
def test_decay_to_the_start_agrees_with_numpy(name, loss_scale):
    made, starts, gradients = case()
    tested = optimizer(name, decay_to="start", loss_scale=loss_scale)
    tested.build(list(made.values()))
    begin(tested, made.values())
    scale = 2.0**15 if loss_scale else 1.0
    steps(tested, made, [[g * scale for g in gradient] for gradient in gradients])
    assert_close(made, twin(name, starts, gradients, "start"))


@optimizers
def test_a_large_decay_to_the_start_keeps_the_weights_there(name):
    made, starts, _ = case()
    tested = optimizer(name, decay_to="start", weight_decay=0.9)
    tested.build(list(made.values()))
    begin(tested, made.values())
    nothing = [np.zeros(shape) for shape in SHAPES.values()]
    steps(tested, made, [nothing] * 5)
    assert_close(made, starts)


@optimizers
def test_a_factor_of_0_freezes_also_against_decay(name):
    made, starts, gradients = case()
    steps(
        make(name, Halving(), dict.fromkeys(SHAPES, 0.0), momentum=0.9, weight_decay=1.0),
        made,
        gradients,
    )
    assert_close(made, starts)


@optimizers
def test_a_loss_scale_changes_nothing_but_leaves_out_steps_that_are_not_finite(name):
    made, starts, gradients = case()
    tested = optimizer(name, loss_scale=True)
    tested.build(list(made.values()))
    scaled = [[g * 2.0**15 for g in gradient] for gradient in gradients[:2]]
    overflown = [np.full(shape, np.inf) for shape in SHAPES.values()]
    steps(tested, made, [*scaled, overflown])
    assert float(tested.dynamic_scale) == 2.0**14
    steps(tested, made, [[g * 2.0**14 for g in gradient] for gradient in gradients[2:]])
    assert_close(made, twin(name, starts, gradients))


@optimizers
@pytest.mark.parametrize("loss_scale", [False, True])
@pytest.mark.parametrize("decay_to", ["zero", "start"])
def test_paths_of_its_variables_are_the_same_again_and_all_different(name, loss_scale, decay_to):
    found = []
    for _ in range(2):
        made, _, _ = case()
        tested = optimizer(name, loss_scale=loss_scale, decay_to=decay_to)
        tested.build(list(made.values()))
        own = {id(variable) for variable in made.values()}
        assert not own & {id(variable) for variable in tested.variables}
        found.append([variable.path for variable in tested.variables])
    assert found[0] == found[1]
    assert len(set(found[0])) == len(found[0])
    assert any(path.endswith("a_kernel_momentum") for path in found[0])


# Variables under our names and under those of the release: model_util.py:64-143 for the heads,
# TensorFlow Hub's BiT for the network.
BIT = ("a/standardized_conv2d/kernel", "a/group_norm/gamma", "a/group_norm/beta")
RELEASED_NAMES = {
    **{f"block1/unit01/{name}": f"resnet/block1/unit01/{name}" for name in BIT},
    "group_norm/gamma": "resnet/group_norm/gamma",
    "projection/dense1/kernel": "head_contrastive/nl_0/dense/kernel",
    "projection/norm1/gamma": "head_contrastive/nl_0/batch_normalization/gamma",
    "projection/norm1/beta": "head_contrastive/nl_0/batch_normalization/beta",
    "head/dense/kernel": "head_supervised/linear_layer/dense/kernel",
    "head/dense/bias": "head_supervised/linear_layer/dense/bias",
}


def released_lars(name, weights, velocity, gradient, rate, decay):
    """Returns weights and velocity after a step: the formulas of lars_optimizer.py:78-142."""
    excluded = any(re.search(part, name) for part in ("batch_normalization", "bias"))
    trust = 1.0
    if not excluded:
        gradient = gradient + decay * weights
        norms = np.linalg.norm(weights.ravel()), np.linalg.norm(gradient.ravel())
        trust = 0.001 * norms[0] / norms[1] if min(norms) > 0 else 1.0
    velocity = 0.9 * velocity + trust * rate * gradient
    return weights - velocity, velocity


def variable(path, value):
    *scopes, name = path.split("/")
    with contextlib.ExitStack() as stack:
        for scope in scopes:
            stack.enter_context(keras.name_scope(scope))
        return keras.Variable(value.astype(np.float32), name=name)


@pytest.mark.parametrize("case", range(6))
def test_released_lars_agrees_with_its_formulas_and_decays_group_norms(case):
    rng = np.random.default_rng(case)
    decay = (0.0, 1e-6, 0.1)[case % 3]
    shapes = {
        p: (4,) if p[-6:] != "kernel" else tuple(rng.integers(1, 5, 3)) for p in RELEASED_NAMES
    }
    # Offsets and one kernel start at 0, as in training; with case 5, a gradient is 0 too.
    zero = {path for path in shapes if path.endswith(("beta", "bias", "head/dense/kernel"))}
    weights = {p: rng.normal(size=shape) * (p not in zero) for p, shape in shapes.items()}
    velocity = {path: np.zeros(shape) for path, shape in shapes.items()}
    made = [variable(path, value) for path, value in weights.items()]
    assert [each.path for each in made] == list(shapes)
    tested = make("released_lars", Halving(), {}, momentum=0.9, weight_decay=decay)
    plain = make("lars", Halving(), {}, momentum=0.9, weight_decay=decay)
    plain_made = [variable(path, value) for path, value in weights.items()]
    for step in range(4):
        gradients = [rng.normal(size=shape) for shape in shapes.values()]
        if case == 5 and step == 2:
            gradients = [0 * gradient for gradient in gradients]
        tensors = [tf.constant(gradient, tf.float32) for gradient in gradients]
        tested.apply_gradients(zip(tensors, made, strict=True))
        plain.apply_gradients(zip(tensors, plain_made, strict=True))
        for path, gradient in zip(shapes, gradients, strict=True):
            weights[path], velocity[path] = released_lars(
                RELEASED_NAMES[path],
                weights[path],
                velocity[path],
                gradient,
                0.2 * 0.5**step,
                decay,
            )
    for got, other, (path, expected) in zip(made, plain_made, weights.items(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6, err_msg=path)
        assert np.allclose(got, other) == ("group_norm" not in path), path


def test_norms_and_biases_of_bit():
    plain = {
        name: is_norm_or_bias(name, len(shape))
        for name, shape in Architecture.parse("50x1").shapes(True).items()
    }
    assert sum(plain.values()) == 2 * 49
    assert {name.rpartition("/")[-1] for name, is_plain in plain.items() if not is_plain} == {
        "kernel"
    }


def test_norms_and_biases_of_densenet():
    model = keras.applications.DenseNet121(weights=None)
    plain = {v.path: is_norm_or_bias(v.path, len(v.shape)) for v in model.trainable_variables}
    assert sum(plain.values()) == 2 * 121 + 1
    assert [path for path, is_plain in plain.items() if is_plain == path.endswith("kernel")] == []


def test_a_bias_of_two_axes_is_one_too():
    assert is_norm_or_bias("attention/query/bias", 2)
    assert not is_norm_or_bias("attention/query/kernel", 3)


def test_wrong_name():
    with pytest.raises(UserError) as caught:
        optimizer("adamv")
    assert str(caught.value) == (
        "Unknown value of config.optimizer 'adamv': did you mean 'adamw'? Choose from: sgd, adamw, "
        "lars, released_lars."
    )


def test_wrong_end_of_the_decay():
    with pytest.raises(UserError) as caught:
        optimizer("sgd", decay_to="begin")
    assert str(caught.value) == (
        "Unknown value of config.decay_to 'begin'. Choose from: zero, start."
    )


@pytest.mark.slow
def test_two_replicas_of_half_the_gradient_each_are_as_good_as_one():
    # In a separate process: devices are set before TensorFlow starts.
    program = f"""
        import sys
        import tensorflow as tf
        sys.path.insert(0, {str(__file__.rpartition("/")[0])!r})
        cpu = tf.config.list_physical_devices("CPU")[0]
        one = tf.config.LogicalDeviceConfiguration()
        tf.config.set_logical_device_configuration(cpu, [one, one])
        import test_optimizers as t
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        for name in t.NAMES:
            for loss_scale in (False, True):
                with strategy.scope():
                    made, starts, gradients = t.case()
                    tested = t.optimizer(name, loss_scale=loss_scale)
                    tested.build(list(made.values()))
                share = (2.0**15 if loss_scale else 1.0) / 2
                halves = [[g * share for g in gradient] for gradient in gradients]
                t.steps(tested, made, halves, strategy.run)
                t.assert_close(made, t.twin(name, starts, gradients))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)
