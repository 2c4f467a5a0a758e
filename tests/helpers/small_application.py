"""A network like those of `keras.applications` that is built and saved in milliseconds.

Its layers have no names, as in Inception, so that Keras numbers them.
"""

import keras
import pytest

NAME = "SmallNet"


def preprocess_input(x):
    return x / 127.5 - 1.0


def SmallNet(include_top=True, weights=None, input_shape=None, classes=5):
    assert weights is None
    inputs = x = keras.Input(input_shape or (64, 64, 3))
    for channels in (16, 64):
        x = keras.layers.Conv2D(channels, 3, strides=4, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
    if include_top:
        x = keras.layers.Dense(classes)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, x)


@pytest.fixture(scope="module", autouse=True)
def small_application():
    """Adds the network to `keras.applications`, so that `keras:SmallNet` exists."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, NAME, SmallNet, raising=False)
        yield
