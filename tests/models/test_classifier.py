import bit_weights
import numpy as np
import pytest
import tensorflow as tf

from remedis.models.architectures import Architecture
from remedis.models.bit import BiTResNet
from remedis.models.classifier import HEAD, Classifier

TINY = Architecture((1, 1, 1, 1), 0.5)
LABELS = ("a", "b", "c")
IMAGES = tf.constant(np.random.RandomState(0).uniform(size=(2, 40, 36, 3)), tf.float32)
variants = pytest.mark.parametrize(
    ("final_norm", "head_norm"), [(True, True), (True, False), (False, True), (False, False)]
)


def classifier(final_norm: bool, head_norm: bool) -> Classifier:
    trunk = BiTResNet(TINY, final_norm)
    trunk.assign(bit_weights.weights(TINY, final_norm))
    return Classifier(trunk, LABELS, head_norm)


def with_a_head(final_norm: bool, head_norm: bool) -> Classifier:
    model = classifier(final_norm, head_norm)
    kernel = model.named_variables()["head/dense/kernel"]
    kernel.assign(np.random.RandomState(1).standard_normal(kernel.shape))
    return model


@variants
def test_starts_from_even_odds_whatever_the_trunk(final_norm, head_norm):
    outputs = classifier(final_norm, head_norm).outputs(IMAGES)
    np.testing.assert_array_equal(outputs["logits"], np.zeros((2, 3)))
    np.testing.assert_array_equal(outputs["probabilities"], np.full((2, 3), 0.5))


@variants
def test_head_stands_on_the_norm_it_says(final_norm, head_norm):
    model = with_a_head(final_norm, head_norm)
    unpooled = model.trunk(IMAGES).numpy().astype(np.float64)
    if head_norm:
        grouped = unpooled.reshape(*unpooled.shape[:3], 32, -1)
        centred = grouped - grouped.mean((1, 2, 4), keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean((1, 2, 4), keepdims=True) + 1e-5)
        norm = model.trunk.norm if final_norm else model.head.norm
        gamma, beta = (np.asarray(v) for v in (norm.gamma, norm.beta))
        assert np.all(gamma == 1) != final_norm  # a fresh norm does nothing yet
        unpooled = np.maximum(scaled.reshape(unpooled.shape) * gamma + beta, 0)
    expected = unpooled.mean((1, 2)) @ np.asarray(model.head.dense.kernel)
    np.testing.assert_allclose(model(IMAGES), expected, rtol=1e-3, atol=1e-3)


@variants
def test_outputs_agree_with_each_other_and_with_the_trunk(final_norm, head_norm):
    model = with_a_head(final_norm, head_norm)
    outputs = model.outputs(IMAGES)
    logits = outputs["logits"].numpy()
    np.testing.assert_array_equal(model(IMAGES), logits)
    np.testing.assert_allclose(outputs["probabilities"], (1 + np.tanh(logits / 2)) / 2, atol=1e-6)
    np.testing.assert_allclose(
        outputs["embedding"], np.mean(model.trunk(IMAGES), (1, 2)), rtol=1e-4, atol=1e-4
    )


@variants
def test_variables_are_the_trunks_and_the_heads(final_norm, head_norm):
    model = classifier(final_norm, head_norm)
    named = model.named_variables()
    own = {"head/dense/kernel": (TINY.map_channels, 3), "head/dense/bias": (3,)}
    if head_norm and not final_norm:
        own |= dict.fromkeys(
            ("head/group_norm/gamma", "head/group_norm/beta"), (TINY.map_channels,)
        )
    shapes = {name: tuple(variable.shape) for name, variable in named.items()}
    assert shapes == TINY.shapes(final_norm) | own
    assert {name for name in named if name.startswith(HEAD)} == set(own)


@variants
def test_gradients_reach_every_variable_but_the_unused(final_norm, head_norm):
    model = with_a_head(final_norm, head_norm)
    named = model.named_variables()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(IMAGES)))
    gradients = tape.gradient(loss, [variable.value for variable in named.values()])
    reached = {name for name, g in zip(named, gradients, strict=True) if g is not None}
    assert set(named) - reached == model.unused_variables()
    silent = [
        name
        for name, g in zip(named, gradients, strict=True)
        if g is not None and not np.abs(g).max() > 0
    ]
    assert silent == []
