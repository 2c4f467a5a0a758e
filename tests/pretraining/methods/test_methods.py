"""The contract of every method, its options, and MoCo's queue and teacher."""

import math
import subprocess
import sys
import textwrap
from typing import Any

import ml_collections
import numpy as np
import pytest
import tensorflow as tf

from remedis.errors import UserError
from remedis.pretraining.methods import METHODS, make, register
from remedis.pretraining.methods.barlow_twins import barlow_twins
from remedis.pretraining.methods.method import Outcome
from remedis.pretraining.methods.moco import info_nce
from remedis.pretraining.methods.relic import relic
from remedis.pretraining.methods.simclr import SimCLR, nt_xent

CHANNELS, BATCH = 12, 10
SMALL = {
    "simclr": {"widths": (9, 5)},
    "micle": {"widths": (9, 5)},
    "moco": {"widths": (9, 5), "queue": 25},
    "relic": {"widths": (9, 5)},
    "barlow_twins": {"widths": (9, 7, 5)},
}
methods = pytest.mark.parametrize("name", METHODS)


def small(name, seed=0, **options):
    return make(name, SMALL[name] | options, CHANNELS, seed)


def features(method, seed=0, batch=BATCH):
    """Returns features of a batch as the student and, if there is one, the teacher give them."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(batch, 1, CHANNELS))
    both = (shared + 0.3 * rng.normal(size=(batch, 2, CHANNELS))).astype(np.float32)
    student = tf.constant(both[:, list(method.student_views)])
    teacher = tf.constant(both[:, list(method.teacher_views)]) if method.teacher_views else None
    return student, teacher


def in_graph(method):
    """Returns the method as a training calls it; a graph cannot return a dataclass."""

    @tf.function(autograph=False)
    def call(student, teacher):
        outcome = method(student, teacher)
        return outcome.loss, outcome.first, outcome.second, dict(outcome.state)

    return lambda *arguments: Outcome(*call(*arguments))


def test_every_method_of_the_project_is_registered():
    assert set(METHODS) == set(SMALL)
    assert [name for name in METHODS if make(name, SMALL[name], 4, 0).partners] == ["micle"]


def test_a_second_method_of_a_name_is_refused():
    class Other:
        name = "simclr"

    with pytest.raises(ValueError, match="The method 'simclr' is registered already, as remedis"):
        register(Other)
    assert METHODS["simclr"] is SimCLR


@methods
def test_contract(name):
    method = small(name)
    assert method.name == name
    trained, statistics = method.trained(), method.statistics()
    assert all(key.startswith("projection/") for key in trained)
    assert all(key == variable.path for key, variable in trained.items())
    assert all(
        key.startswith(("projection/", "queue", "teacher/projection/")) for key in statistics
    )
    assert all(variable.trainable for variable in trained.values())
    assert not any(variable.trainable for variable in statistics.values())
    assert not set(trained) & set(statistics)
    assert bool(method.teacher_views) == (method.teacher_projection is not None)
    averaged = [variable.path for variable, _ in method.averaged()]
    assert averaged == (list(trained) if method.teacher_views else [])
    assert {f"teacher/{path}" for path in averaged} <= set(statistics)
    second = small(name)
    assert list(second.trained()) == list(trained)
    assert list(second.statistics()) == list(statistics)

    outcome = in_graph(method)(*features(method))
    assert outcome.loss.dtype == tf.float32
    assert outcome.loss.shape == ()
    for z in (outcome.first, outcome.second):
        assert z.shape == (BATCH, 5)
        np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-5)
    assert set(outcome.state) <= set(statistics)
    for key, value in outcome.state.items():
        assert value.shape == statistics[key].shape


LOSSES = {
    "simclr": lambda a, b, m: nt_xent(a, b, 0.1),
    "micle": lambda a, b, m: nt_xent(a, b, 0.1),
    "moco": lambda a, b, m: info_nce(a, b, tf.convert_to_tensor(m.queue), 0.2),
    "relic": lambda a, b, m: relic(a, b, 0.1, 1.0),
    "barlow_twins": lambda a, b, m: barlow_twins(a, b, 0.0051),
}


@methods
def test_the_loss_is_that_of_the_projections(name):
    method = small(name)
    student, teacher = features(method)
    head = method.projection
    if name == "moco":
        views = head(student[:, 0]), method.teacher_projection(teacher[:, 0])
    elif name == "barlow_twins":
        views = [head(student[:, i], training=True) for i in range(2)]
    else:
        z = head(tf.concat([student[:, 0], student[:, 1]], 0), training=True)
        views = z[:BATCH], z[BATCH:]
    expected = float(LOSSES[name](*views, method))
    outcome = method(student, teacher)
    assert float(outcome.loss) == pytest.approx(expected, rel=1e-4)
    if name != "barlow_twins":
        for z, view in zip((outcome.first, outcome.second), views, strict=True):
            unit = view / tf.norm(view, axis=1, keepdims=True)
            np.testing.assert_allclose(z, unit, rtol=1e-4, atol=1e-5)


@methods
def test_gradients_reach_the_features_and_every_weight_of_the_head(name):
    method = small(name)
    student, teacher = features(method)
    with tf.GradientTape() as tape:
        tape.watch(student)
        loss = method(student, teacher).loss
    weights = [variable.value for variable in method.trained().values()]
    for gradient in tape.gradient(loss, [student, *weights]):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


@methods
def test_the_constant_loss_is_that_of_equal_projections(name):
    method = small(name)
    same = tf.ones([BATCH, 5]) / 5**0.5
    if name == "moco":  # a queue full of the same projection
        method.queue.assign(tf.ones([25, 5]) / 5**0.5)
    expected = float(LOSSES[name](same, same, method))
    assert method.constant_loss(BATCH) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["simclr", "micle"])
def test_the_released_loss_is_the_sum_over_both_views(name):
    """objective.py:81-85 of the released code adds the means over first and second views."""
    one, both = small(name), small(name, sum_of_views=True)
    student, _ = features(one)
    assert float(both(student).loss) == pytest.approx(2 * float(one(student).loss), rel=1e-6)
    assert both.constant_loss(BATCH) == 2 * one.constant_loss(BATCH)


@methods
def test_the_same_seed_gives_the_same_method(name):
    def values(seed):
        method = small(name, seed)
        named = method.trained() | method.statistics()
        return {key: np.asarray(variable) for key, variable in named.items()}

    values_of_3, same, other = values(3), values(3), values(4)
    for key, value in values_of_3.items():
        np.testing.assert_array_equal(value, same[key])
        if key == "queue" or key.endswith("kernel"):
            assert not np.allclose(value, other[key])


def test_defaults_are_those_of_the_papers():
    simclr: Any = make("simclr", {}, 20, 0)
    moco: Any = make("moco", {"queue": 64}, 20, 0)
    shapes = {key: tuple(variable.shape) for key, variable in simclr.trained().items()}
    assert shapes == {
        "projection/dense1/kernel": (20, 20),
        "projection/norm1/gamma": (20,),
        "projection/norm1/beta": (20,),
        "projection/dense2/kernel": (20, 128),
        "projection/norm2/gamma": (128,),
    }
    assert {key: tuple(variable.shape) for key, variable in moco.trained().items()} == {
        "projection/dense1/kernel": (20, 20),
        "projection/dense1/bias": (20,),
        "projection/dense2/kernel": (20, 128),
        "projection/dense2/bias": (128,),
    }
    assert (simclr.temperature, moco.temperature, moco.momentum) == (0.1, 0.2, 0.999)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("relic", [(16, 4096), (4096, 2048), (2048, 1024), (1024, 512), (512, 128)]),
        ("barlow_twins", [(16, 8192), (8192, 8192), (8192, 8192)]),
        ("moco", [(16, 16), (16, 128)]),
    ],
)
def test_defaults_of_full_size(name, shapes):
    method: Any = make(name, {}, 16, 0)
    trained = method.trained()
    assert [tuple(v.shape) for key, v in trained.items() if key.endswith("kernel")] == shapes
    if name == "moco":
        assert method.queue.shape == (65_536, 128)
        np.testing.assert_allclose(np.linalg.norm(method.queue, axis=1), 1, rtol=1e-5)
        assert method.constant_loss(256) == pytest.approx(math.log(65_537))
    if name == "barlow_twins":
        assert method.off_diagonal == 0.0051


@pytest.mark.parametrize("rows", [10, 11, 23, 40])
def test_the_queue_is_first_in_first_out_at_any_length(rows):
    method = small("moco", queue=rows)
    start = np.asarray(method.queue)
    np.testing.assert_allclose(np.linalg.norm(start, axis=1), 1, rtol=1e-5)
    seen = list(start[::-1])  # oldest first
    step = in_graph(method)
    for number in range(6):
        outcome = step(*features(method, seed=number))
        seen += list(outcome.second.numpy()[::-1])
        method.statistics()["queue"].assign(outcome.state["queue"])
        np.testing.assert_array_equal(method.queue, np.stack(seen[-rows:])[::-1])


def test_the_keys_of_a_step_are_not_among_its_negatives():
    method = small("moco")
    student, teacher = features(method)
    before = np.asarray(method.queue)
    outcome = method(student, teacher)
    np.testing.assert_array_equal(method.queue, before)
    expected = float(info_nce(outcome.first, outcome.second, tf.constant(before), 0.2))
    assert float(outcome.loss) == pytest.approx(expected, rel=1e-6)


def test_the_teacher_begins_as_the_student():
    method = small("moco")
    assert len(method.averaged()) == 4
    for variable, copy in method.averaged():
        np.testing.assert_array_equal(variable, copy)
        assert variable is not copy


def test_options_may_be_config_dicts():
    config = ml_collections.ConfigDict({"temperature": 0.5, "widths": [6, 4]})
    for options in (config, config.to_dict(), ml_collections.FrozenConfigDict(config)):
        method: Any = make("simclr", options, CHANNELS, 0)
        assert method.temperature == 0.5
        assert method.trained()["projection/dense2/kernel"].shape == (6, 4)
    moco: Any = make("moco", {"momentum": 0, "queue": np.int64(30)}, CHANNELS, 0)
    assert (moco.momentum, moco.queue.shape[0]) == (0, 30)


KEY = "config.method_options."


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        (
            "simclear",
            {},
            "Unknown value of config.method 'simclear': did you mean 'simclr'? Choose",
        ),
        (
            "moco",
            {"temprature": 1},
            "Unknown key of config.method_options for moco 'temprature': d",
        ),
        (
            "simclr",
            {"queue": 9},
            "Unknown key of config.method_options for simclr 'queue'. Choose ",
        ),
        ("simclr", {"seed": 1}, "Unknown key of config.method_options for simclr 'seed'"),
        ("simclr", {"temperature": 0}, KEY + "temperature is 0; expected a number above 0."),
        ("simclr", {"sum_of_views": 1}, KEY + "sum_of_views is 1; expected True or False."),
        (
            "relic",
            {"temperature": math.inf},
            KEY + "temperature is inf; expected a number above 0.",
        ),
        ("moco", {"temperature": math.nan}, KEY + "temperature is nan; expected a number above 0."),
        ("micle", {"temperature": "0.1"}, KEY + "temperature is '0.1'; expected a number above 0."),
        ("micle", {"temperature": True}, KEY + "temperature is True; expected a number above 0."),
        ("relic", {"alpha": -1}, KEY + "alpha is -1; expected a number, 0 or more."),
        (
            "barlow_twins",
            {"off_diagonal": -0.1},
            KEY + "off_diagonal is -0.1; expected a number, 0",
        ),
        ("moco", {"momentum": 1}, KEY + "momentum is 1; expected a number, 0 or more, below 1."),
        ("moco", {"queue": 0}, KEY + "queue is 0; expected a whole number, at least 1."),
        ("moco", {"queue": 5.0}, KEY + "queue is 5.0; expected a whole number, at least 1."),
        ("moco", {"widths": ()}, KEY + "widths is (); expected whole numbers of at least 1, such "),
        ("simclr", {"widths": (8, 0)}, KEY + "widths is (8, 0); expected whole numbers of at leas"),
        ("simclr", {"widths": 128}, KEY + "widths is 128; expected whole numbers of at least 1, s"),
        ("relic", {"widths": "64,8"}, KEY + "widths is '64,8'; expected whole numbers of at least"),
    ],
)
def test_wrong_options_are_refused(name, options, sentence):
    with pytest.raises(UserError) as caught:
        make(name, options, CHANNELS, 0)
    assert str(caught.value).startswith(sentence)


@methods
def test_batches_that_are_too_small_are_refused(name):
    method = small(name)
    fewest = 8 if name == "barlow_twins" else 2
    method.check_batch(fewest)
    with pytest.raises(UserError) as caught:
        method.check_batch(fewest - 1)
    assert str(caught.value) == (
        f"config.batch_size is {fewest - 1}; {name} compares the examples of a batch with each "
        f"other: expected at least {fewest}, better hundreds."
    )


def test_a_queue_shorter_than_a_batch_is_refused():
    method = small("moco")
    method.check_batch(25)
    with pytest.raises(UserError) as caught:
        method.check_batch(26)
    assert str(caught.value) == (
        "config.method_options.queue is 25, but config.batch_size is 26; the queue has to hold at "
        "least one batch: expected many."
    )


MIRRORED = """
    import numpy as np
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from remedis.pretraining.methods import make

    strategies = [
        tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
        tf.distribute.get_strategy(),
    ]
    for name, options in {
        "simclr": {"widths": (9, 5)},
        "moco": {"widths": (9, 5), "queue": 25},
    }.items():
        results = []
        for strategy in strategies:
            with strategy.scope():
                method = make(name, options, 12, 0)
            rng = np.random.default_rng(0)

            @tf.function(autograph=False)
            def step(student, teacher):
                def replica():
                    copies = tf.identity(student), tf.identity(teacher)
                    with tf.GradientTape() as tape:
                        outcome = method(*copies)
                    weights = [variable.value for variable in method.trained().values()]
                    gradients = tape.gradient(outcome.loss, weights)
                    for key, value in outcome.state.items():
                        method.statistics()[key].assign(value)
                    return outcome.loss, gradients
                return strategy.run(replica)

            for _ in range(3):
                views = rng.normal(size=(10, 2, 12)).astype(np.float32)
                student = views[:, list(method.student_views)]
                teacher = views[:, 1:]
                got = step(tf.constant(student), tf.constant(teacher))
            local = [strategy.experimental_local_results(x) for x in tf.nest.flatten(got)]
            moved = method.statistics().values()
            local += [strategy.experimental_local_results(v.value) for v in moved]
            results.append(local)
        for mirrored, alone in zip(*results, strict=True):
            assert len(mirrored) == 2
            for copy in mirrored:
                np.testing.assert_allclose(copy, alone[0], rtol=1e-5, atol=1e-6)
        print(name, len(results[0]))
"""


@pytest.mark.slow
def test_replicas_agree_with_each_other_and_with_a_single_one():
    program = [sys.executable, "-c", textwrap.dedent(MIRRORED)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["simclr", "10", "moco", "10"]
