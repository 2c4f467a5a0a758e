"""Gradients of a whole batch: over micro-batches, over replicas, with a teacher."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.pretraining import methods
from remedis.pretraining.two_view_objective import Contrastive, features
from remedis.training.distribution import Distribution
from remedis.training.step import Learner, Trainer
from remedis.zoo import checkpoint, random_weights

SMALL = {
    "simclr": {},
    "micle": {},
    "moco": {"queue": 12},
    "relic": {"widths": (32, 16)},
    "barlow_twins": {"widths": (32, 32)},
}
ONE = tf.constant(1.0)


def backbone() -> BiTResNet:
    return checkpoint.build_backbone(random_weights.draw(0, Architecture((1, 1, 1, 1), 0.5)))


def views(seed=0, batch=8):
    rng = np.random.default_rng(seed)
    return {"image": tf.constant(rng.random((batch, 2, 32, 32, 3), np.float32))}


def objective(name: str) -> Contrastive:
    student = backbone()
    method = methods.make(name, SMALL[name], student.map_channels, seed=0)
    return Contrastive(student, method, backbone() if method.teacher_views else None)


def trained(contrastive: Contrastive) -> dict[str, keras.Variable]:
    return {**contrastive.backbone.named_variables(), **contrastive.method.trained()}


def gradients(contrastive, micro_batches, batch=None):
    variables = [variable.value for variable in trained(contrastive).values()]
    step = tf.constant(1, tf.int64)
    return contrastive.gradients(batch or views(), step, variables, micro_batches, ONE)


@pytest.mark.parametrize("name", SMALL)
def test_gradients_are_those_of_one_tape_over_everything(name):
    contrastive = objective(name)
    batch = views()
    variables = [variable.value for variable in trained(contrastive).values()]
    teacher = None
    if contrastive.teacher is not None:
        teacher_views = tf.gather(batch["image"], contrastive.method.teacher_views, axis=1)
        teacher = features(contrastive.teacher, teacher_views)
    with tf.GradientTape() as tape:
        student_views = tf.gather(batch["image"], contrastive.method.student_views, axis=1)
        loss = contrastive.method(features(contrastive.backbone, student_views), teacher).loss
    expected = tape.gradient(loss, variables, unconnected_gradients="zero")
    result = gradients(contrastive, 1, batch)
    assert float(result.total) == pytest.approx(float(loss), rel=1e-6)
    assert float(result.weight) == 1
    for a, b in zip(result.gradients, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1, np.abs(b).max()))
    assert max(float(tf.reduce_max(tf.abs(g))) for g in expected) > 1e-3


@pytest.mark.parametrize("name", SMALL)
def test_gradients_by_micro_batch_are_those_of_the_whole_batch(name):
    contrastive = objective(name)
    whole, divided = gradients(contrastive, 1), gradients(contrastive, 4)
    assert float(divided.total) == pytest.approx(float(whole.total), rel=1e-5)
    for a, b in zip(divided.gradients, whole.gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1, np.abs(b).max()))


def test_separate_halves_of_a_batch_have_another_loss():
    """Micro-batches must not take their negatives from themselves alone."""
    contrastive = objective("simclr")
    batch = views()
    halves = [gradients(contrastive, 1, {"image": batch["image"][i : i + 4]}) for i in (0, 4)]
    mean = np.mean([float(half.total) for half in halves])
    assert abs(float(gradients(contrastive, 1, batch).total) - mean) > 0.1


def test_the_teacher_is_an_average_and_the_queue_receives_its_keys():
    contrastive = objective("moco")
    for variable in contrastive.backbone.named_variables().values():
        variable.assign(variable + 1.0)
    before = {name: v.numpy() for name, v in contrastive.teacher.named_variables().items()}
    queue = contrastive.method.statistics()["queue"].numpy()
    contrastive.finish(gradients(contrastive, 1))
    momentum = contrastive.method.momentum
    for name, variable in contrastive.teacher.named_variables().items():
        expected = momentum * before[name] + (1 - momentum) * (before[name] + 1)
        np.testing.assert_allclose(variable, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(contrastive.method.statistics()["queue"].numpy() - queue).max() > 0.01


def test_a_scaled_loss_has_scaled_gradients():
    contrastive = objective("simclr")
    variables = [variable.value for variable in trained(contrastive).values()]
    step = tf.constant(1, tf.int64)
    plain = contrastive.gradients(views(), step, variables, 1, ONE)
    scaled = contrastive.gradients(views(), step, variables, 1, tf.constant(1024.0))
    assert float(scaled.total) == pytest.approx(float(plain.total), rel=1e-6)
    for a, b in zip(scaled.gradients, plain.gradients, strict=True):
        np.testing.assert_allclose(a / 1024, b, atol=1e-5 * max(1, np.abs(b).max()))


def stepped(name: str, distribution: Distribution) -> dict[str, np.ndarray]:
    """Returns every variable after two steps, and the losses."""
    with distribution.strategy.scope():
        contrastive = objective(name)
        optimizer = keras.optimizers.SGD(0.1)
        learner = Learner(trained(contrastive), {}, optimizer, contrastive)
        trainer = Trainer(learner, distribution)
    losses = [float(trainer.step(views(i), i + 1)[0]) for i in range(2)]
    variables = {**trained(contrastive), **contrastive.method.statistics()}
    if contrastive.teacher is not None:
        variables |= {f"teacher/{n}": v for n, v in contrastive.teacher.named_variables().items()}
    return {"losses": np.array(losses)} | {name: v.numpy() for name, v in variables.items()}


REPLICAS = """
import pathlib, sys
import numpy as np
import tensorflow as tf
devices = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(devices[0], [tf.config.LogicalDeviceConfiguration()] * 2)
sys.path.insert(0, sys.argv[1])
from test_two_view_objective import SMALL, stepped
from remedis.training.distribution import Distribution
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
distribution = Distribution(strategy, 0, 1)
for name in SMALL:
    np.savez(pathlib.Path(sys.argv[2]) / name, **stepped(name, distribution))
"""


@pytest.mark.slow
def test_two_replicas_step_as_one_does(tmp_path):
    command = [sys.executable, "-c", REPLICAS, __file__.rpartition("/")[0], str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in SMALL:
        alone = stepped(name, Distribution.from_name("none"))
        with np.load(tmp_path / f"{name}.npz") as together:
            assert set(together.files) == set(alone)
            for key, value in alone.items():
                np.testing.assert_allclose(
                    together[key], value, atol=1e-5 * max(1, np.abs(value).max()), err_msg=key
                )
