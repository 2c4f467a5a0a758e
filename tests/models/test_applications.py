import keras
import numpy as np
import pytest
import tensorflow as tf
from zoo_helpers import relative_error

from remedis.errors import UserError
from remedis.models import applications
from remedis.models.applications import ApplicationNetwork

IMAGES = np.random.RandomState(0).uniform(size=(2, 40, 48, 3)).astype(np.float32)
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def mobilenet():
    return ApplicationNetwork("MobileNet")


def moving_averages(network):
    return {
        name: np.asarray(variable).copy()
        for name, variable in network.named_variables().items()
        if "/moving_" in name
    }


def test_every_network_of_keras_is_there_and_a_wrong_name_gets_the_nearest():
    assert {"DenseNet121", "ResNet50", "EfficientNetB0", "MobileNetV3Small"} <= set(
        applications.names()
    )
    with pytest.raises(UserError, match="did you mean 'DenseNet121'") as caught:
        ApplicationNetwork("Densenet121")
    assert str(caught.value).startswith("Unknown network of keras.applications 'Densenet121': ")


# The values that each network was trained on, from its documentation, in plain NumPy.
@pytest.mark.parametrize(
    ("name", "seen", "normalised"),
    [
        ("MobileNet", lambda x: 2 * x - 1, True),
        ("VGG16", lambda x: 255 * x[..., ::-1] - np.array([103.939, 116.779, 123.68]), False),
        pytest.param("MobileNetV3Small", lambda x: 255 * x, True, marks=pytest.mark.slow),
        pytest.param(
            "DenseNet121",
            lambda x: (x - IMAGENET_MEAN) / IMAGENET_DEVIATION,
            True,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_images_get_the_values_that_the_network_was_trained_on(name, seen, normalised):
    backbone = ApplicationNetwork(name)
    pixels = seen(IMAGES.astype(np.float64)).astype(np.float32)
    got = backbone(tf.constant(IMAGES), training=False)
    assert got.dtype == tf.float32
    assert got.shape[-1] == backbone.map_channels
    assert relative_error(got, np.asarray(backbone.network(pixels, training=False))) < 1e-4
    assert relative_error(got, np.asarray(backbone.network(IMAGES, training=False))) > 1e-2
    assert backbone.normalised is normalised
    assert backbone.norm is None


@pytest.mark.slow
@pytest.mark.parametrize("name", applications.names())
def test_names_of_variables_are_unique_and_the_same_in_a_second_network(name):
    first, second = ApplicationNetwork(name), ApplicationNetwork(name)
    assert list(first.named_variables()) == list(second.named_variables())
    assert len(first.named_variables()) == sum("float" in v.dtype for v in first.network.weights)
    assert first.map_channels % 32 == 0  # groups of a fresh norm


def test_gradients_reach_everything_but_the_statistics(mobilenet):
    named = mobilenet.named_variables()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(mobilenet(tf.constant(IMAGES), training=True)))
    gradients = tape.gradient(loss, [variable.value for variable in named.values()])
    without = {name for name, g in zip(named, gradients, strict=True) if g is None}
    assert without == mobilenet.statistics() == set(moving_averages(mobilenet))


def test_training_moves_the_averages_of_the_norms_that_learn():
    backbone = ApplicationNetwork("MobileNet")
    frozen = [name for name in backbone.named_variables() if name.startswith("conv_pw_1")]
    assert len(frozen) > 10
    backbone.freeze(frozen)
    for training in (None, False):
        before = moving_averages(backbone)
        backbone(tf.constant(IMAGES), training=training)
        for name, value in moving_averages(backbone).items():
            np.testing.assert_array_equal(value, before[name])
    backbone(tf.constant(IMAGES), training=True)
    moved = {n for n, v in moving_averages(backbone).items() if not np.array_equal(v, before[n])}
    assert moved == {name for name in before if not name.startswith("conv_pw_1")}
    assert backbone.statistics() == set(before)


def test_a_frozen_backbone_is_the_same_in_training_and_can_be_unfrozen():
    backbone = ApplicationNetwork("MobileNet")
    images = tf.constant(IMAGES)
    scored = backbone(images, training=False)
    backbone.freeze(backbone.named_variables())
    np.testing.assert_allclose(backbone(images, training=True), scored, rtol=1e-5, atol=1e-6)
    backbone.freeze([])
    assert np.abs(backbone(images, training=True) - scored).max() > 1e-2


@pytest.mark.slow
def test_efficientnet_drops_nothing_and_its_constants_are_assigned_too():
    backbone, images = ApplicationNetwork("EfficientNetB0"), tf.constant(IMAGES)
    first, second = (backbone(images, training=True) for _ in range(2))
    assert relative_error(second, first) < 1e-5

    before = np.asarray(backbone(images))
    weights = {n: np.asarray(v).copy() for n, v in backbone.named_variables().items()}
    constants = {"normalization/mean": 0.1, "normalization/variance": 0.01}
    assert set(constants) <= backbone.statistics()
    backbone.assign(weights | {n: np.full(3, v, np.float32) for n, v in constants.items()})
    assert relative_error(backbone(images), before) > 2e-3
    assert relative_error(backbone(0.1 * images + 0.1), before) < 2e-4
    backbone.assign(weights)
    np.testing.assert_array_equal(backbone(images), before)


def test_half_precision_stays_inside():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        backbone = ApplicationNetwork("MobileNet")
    finally:
        keras.config.set_dtype_policy(before)
    assert backbone.network.layers[-1].compute_dtype == "bfloat16"
    assert backbone(tf.constant(IMAGES), training=True).dtype == tf.float32
    assert all(variable.dtype == "float32" for variable in backbone.named_variables().values())
