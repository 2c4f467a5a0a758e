"""Heat maps against closed forms and an independent calculation."""

import numpy as np
import pytest
import tensorflow as tf

from remedis.models import activation_maps
from remedis.models.activation_maps import BLOCKS, HEAD, STRIDES
from remedis.models.classifier import Classifier
from remedis.zoo import resolve

SIDE = 64


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """A tiny network with random weights and three labels."""
    backbone = resolve.load_backbone("scratch:1-1-1-1x0.5", 0).backbone
    made = Classifier(backbone, ("a", "b", "c"))
    rng = np.random.default_rng(0)
    made.set_head(rng.normal(0, 1, made.head.dense.kernel.shape), [0.5, -1.0, 2.0])
    return made


@pytest.fixture(scope="module")
def images() -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).random((3, SIDE, SIDE, 3)), tf.float32)


@pytest.fixture(scope="module")
def maps(classifier, images) -> dict[str, np.ndarray]:
    found = tf.function(activation_maps.heat_maps, autograph=False)(classifier, images, [2, 0, 1])
    return {name: value.numpy() for name, value in found.items()}


def test_cam_is_exact(classifier, images, maps):
    logits = np.diag(classifier(images).numpy()[:, [2, 0, 1]])
    np.testing.assert_allclose(maps["logit"], logits, rtol=1e-4)
    np.testing.assert_allclose(maps["cam"].mean((1, 2)) + maps["bias"], logits, rtol=1e-4)
    np.testing.assert_array_equal(maps["bias"], [2.0, 0.5, -1.0])


def test_grad_cam_at_the_head_is_rectified_cam(maps):
    cells = maps["cam"][0].size
    np.testing.assert_allclose(maps["head_grad_cam"], np.maximum(maps["cam"], 0) / cells, atol=1e-5)


def test_maps_have_the_strides_of_their_endpoints(classifier, maps):
    assert activation_maps.endpoints(classifier) == (*BLOCKS, HEAD)
    for endpoint, stride in STRIDES.items():
        for method in ("grad_cam", "grad_cam++"):
            found = maps[activation_maps.output_name(method, endpoint)]
            assert found.shape == (3, SIDE // stride, SIDE // stride)
            assert (found >= 0).all()
            assert np.isfinite(found).all()


def test_a_block_agrees_with_gradients_taken_from_that_block_on(classifier, images, maps):
    """The forward pass is cut at block 2, and the formulas of the papers are written in NumPy."""
    backbone = classifier.backbone
    middle = backbone.endpoints(images)["block2"]
    with tf.GradientTape() as tape:
        tape.watch(middle)
        x = backbone.blocks[3](backbone.blocks[2](middle))
        pooled = tf.reduce_mean(classifier.head_map(x), [1, 2])
        logits = classifier.head.dense(pooled)
        score = logits[0, 2] + logits[1, 0] + logits[2, 1]
    a = middle.numpy().astype(np.float64)
    g = tape.gradient(score, middle).numpy().astype(np.float64)
    expected = np.maximum((a * g.mean((1, 2))[:, None, None]).sum(-1), 0)
    np.testing.assert_allclose(maps["block2_grad_cam"], expected, rtol=1e-3, atol=1e-5)

    alpha = g**2 / (2 * g**2 + a.sum((1, 2))[:, None, None] * g**3)
    weights = (alpha * np.maximum(g, 0)).sum((1, 2))
    expected = np.maximum((a * weights[:, None, None]).sum(-1), 0)
    found = maps["block2_grad_cam_plus_plus"]
    np.testing.assert_allclose(found, expected, rtol=2e-2, atol=1e-2 * expected.max())


def test_grad_cam_plus_plus_of_a_constant_gradient():
    """With one gradient g per channel, alpha is 1 / (2 + g * sum of the channel)."""
    a = np.abs(np.random.default_rng(0).normal(size=(1, 3, 4, 2)))
    g = np.broadcast_to(np.array([0.7, -0.2]), a.shape)
    found = activation_maps.grad_cam_plus_plus(tf.constant(a), tf.constant(g)).numpy()
    weight = 12 * 0.7 / (2 + 0.7 * a[..., 0].sum())  # the negative gradient is rectified away
    np.testing.assert_allclose(found, weight * a[..., 0], rtol=1e-6)


def test_no_gradient_gives_an_empty_map():
    a = tf.ones([1, 2, 2, 3])
    for method in (activation_maps.grad_cam, activation_maps.grad_cam_plus_plus):
        np.testing.assert_array_equal(method(a, tf.zeros_like(a)), np.zeros((1, 2, 2)))


def test_cells_are_centred_on_multiples_of_the_stride(classifier, images):
    """The pixels that a cell depends on surround pixel 16 i, not the middle of the i-th tile."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        # A network without norms would have compact fields; differences of cells cancel what
        # the norms add everywhere.
        cell = classifier.backbone.endpoints(images)["block2"][:, 4, 4]
    energy = tf.reduce_sum(tape.gradient(cell, images) ** 2, [0, 3]).numpy()
    near = energy[32 - 16 : 32 + 17, 32 - 16 : 32 + 17]
    place = np.arange(-16, 17)
    assert abs((near.sum(1) * place).sum() / near.sum()) < 1.5  # half a tile is 4
    assert abs((near.sum(0) * place).sum() / near.sum()) < 1.5
