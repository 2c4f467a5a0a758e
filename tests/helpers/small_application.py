"""A network like those of `keras.applications`, small enough to be built and saved in no time.

It leaves its layers without names of their own, as Inception does, so that Keras numbers them.
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
    """Makes `keras:SmallNet` a network like any other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, NAME, SmallNet, raising=False)
        yield
