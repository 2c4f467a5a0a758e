import bit_weights
import keras
import numpy as np
import pytest
import tensorflow as tf
from zoo_helpers import relative_error

from remedis.errors import UserError
from remedis.finetuning.losses import SupervisedLoss
from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.models.classifier import Classifier
from remedis.models.precision import POLICIES, policy
from remedis.training.optimizers import make

TINY = Architecture((1, 1, 1, 1), 0.5)
IMAGES = tf.constant(np.random.RandomState(0).uniform(size=(2, 40, 36, 3)), tf.float32)
HALVES = {"bfloat16": 0.08, "float16": 0.01}  # relative error allowed
halves = pytest.mark.parametrize("name", HALVES)


def backbone(name: str) -> BiTResNet:
    with policy(name):
        model = BiTResNet(TINY, final_norm=False)
    model.assign(bit_weights.weights(TINY, False))
    return model


@halves
def test_training_is_near_float32_and_evaluation_is_float32(name):
    exact, half = backbone("float32"), backbone(name)
    expected = exact(IMAGES, training=True)
    trained = half(IMAGES, training=True)
    assert trained.dtype == tf.float32
    assert 1e-4 < relative_error(trained, expected) < HALVES[name]
    np.testing.assert_array_equal(half(IMAGES), expected)
    np.testing.assert_array_equal(half.endpoints(IMAGES)["map"], expected)


@halves
def test_activations_are_half_and_variables_whole(name):
    half = backbone(name)
    assert {variable.dtype for variable in half.variables} == {"float32"}
    function = tf.function(lambda images: half(images, training=True))
    graph = function.get_concrete_function(IMAGES).graph
    kinds = ("Conv2D", "MatMul", "MaxPool")
    dtypes = {op.outputs[0].dtype.name for op in graph.get_operations() if op.type in kinds}
    assert dtypes == {name}


@pytest.mark.parametrize("name", [pytest.param("bfloat16", marks=pytest.mark.slow), "float16"])
def test_a_step_trains(name):
    with policy(name):
        model = Classifier(backbone(name), ("a", "b"))
    named = model.named_variables()
    named["head/dense/kernel"].assign(np.full((TINY.map_channels, 2), 0.01, np.float32))
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, 1, 1.0)
    optimizer = make("sgd", rate, {}, momentum=0.9, weight_decay=0.0, loss_scale=name == "float16")
    optimizer.build(list(named.values()))
    loss, labels = SupervisedLoss("multi_label"), tf.constant([[1.0, 0.0], [0.0, np.nan]])
    before = {key: np.asarray(variable).copy() for key, variable in named.items()}

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            total = loss.total(labels, model(IMAGES, training=True))
            scaled = optimizer.scale_loss(total)
        gradients = tape.gradient(scaled, [variable.value for variable in named.values()])
        optimizer.apply_gradients(zip(gradients, named.values(), strict=True))
        return total

    first, second = float(step()), float(step())
    assert second < first
    moved = {key for key, variable in named.items() if np.any(before[key] != np.asarray(variable))}
    assert moved == set(named)


@pytest.mark.parametrize("name", POLICIES)
def test_the_policy_holds_inside_and_is_restored_after_an_error(name):
    before = keras.config.dtype_policy()

    def fail():
        with policy(name):
            raise RuntimeError(keras.config.dtype_policy().name)

    with pytest.raises(RuntimeError, match=f"^{POLICIES[name]}$"):
        fail()
    assert keras.config.dtype_policy() == before


def test_wrong_name():
    with pytest.raises(UserError) as caught, policy("bfloat"):
        pass
    assert str(caught.value) == (
        "Unknown value of precision 'bfloat': did you mean 'bfloat16'? Choose from: "
        "float32, bfloat16, float16."
    )
