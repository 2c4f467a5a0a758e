import bit_weights
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from remedis.errors import UserError
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
    backbone = BiTResNet(TINY, final_norm)
    backbone.assign(bit_weights.weights(TINY, final_norm))
    return Classifier(backbone, LABELS, head_norm)


def with_a_head(final_norm: bool, head_norm: bool) -> Classifier:
    model = classifier(final_norm, head_norm)
    kernel = model.named_variables()["head/dense/kernel"]
    kernel.assign(np.random.RandomState(1).standard_normal(kernel.shape))
    return model


@variants
def test_the_first_prediction_is_even_odds_for_every_backbone(final_norm, head_norm):
    outputs = classifier(final_norm, head_norm).outputs(IMAGES)
    np.testing.assert_array_equal(outputs["logits"], np.zeros((2, 3)))
    np.testing.assert_array_equal(outputs["probabilities"], np.full((2, 3), 0.5))


@variants
def test_the_head_normalises_by_the_norm_it_was_asked_to_use(final_norm, head_norm):
    model = with_a_head(final_norm, head_norm)
    unpooled = model.backbone(IMAGES).numpy().astype(np.float64)
    if head_norm:
        grouped = unpooled.reshape(*unpooled.shape[:3], 32, -1)
        centred = grouped - grouped.mean((1, 2, 4), keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean((1, 2, 4), keepdims=True) + 1e-5)
        norm = model.backbone.norm if final_norm else model.head.norm
        gamma, beta = (np.asarray(v) for v in (norm.gamma, norm.beta))
        assert np.all(gamma == 1) != final_norm  # a fresh norm does nothing yet
        unpooled = np.maximum(scaled.reshape(unpooled.shape) * gamma + beta, 0)
    expected = unpooled.mean((1, 2)) @ np.asarray(model.head.dense.kernel)
    np.testing.assert_allclose(model(IMAGES), expected, rtol=1e-3, atol=1e-3)


@variants
def test_outputs_agree_with_each_other_and_with_the_backbone(final_norm, head_norm):
    model = with_a_head(final_norm, head_norm)
    outputs = model.outputs(IMAGES)
    logits = outputs["logits"].numpy()
    np.testing.assert_array_equal(model(IMAGES), logits)
    np.testing.assert_allclose(outputs["probabilities"], (1 + np.tanh(logits / 2)) / 2, atol=1e-6)
    np.testing.assert_allclose(
        outputs["embedding"], np.mean(model.backbone(IMAGES), (1, 2)), rtol=1e-4, atol=1e-4
    )


@variants
def test_variables_are_the_backbones_and_the_heads(final_norm, head_norm):
    model = classifier(final_norm, head_norm)
    named = model.named_variables()
    head = {"head/dense/kernel": (TINY.map_channels, 3), "head/dense/bias": (3,)}
    if head_norm and not final_norm:
        head |= dict.fromkeys(
            ("head/group_norm/gamma", "head/group_norm/beta"), (TINY.map_channels,)
        )
    shapes = {name: tuple(variable.shape) for name, variable in named.items()}
    assert shapes == TINY.shapes(final_norm) | head
    assert {name for name in named if name.startswith(HEAD)} == set(head)


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


class Normalised:
    """A backbone that declares the map of an inner one to be normalised and rectified."""

    def __init__(self, inner):
        self.inner, self.map_channels, self.norm, self.normalised = inner, 1024, None, True
        self.named_variables, self.statistics = inner.named_variables, lambda: {"average"}

    def __call__(self, images, training=None):
        self.training = training
        return self.inner(images)


def test_a_normalised_map_gets_no_second_norm():
    inner = BiTResNet(TINY, False)
    inner.assign(bit_weights.weights(TINY, False))
    model = Classifier(Normalised(inner), LABELS, head_norm=True)
    assert model.head_norm is True
    assert {name for name in model.named_variables() if name.startswith(HEAD)} == {
        "head/dense/kernel",
        "head/dense/bias",
    }
    assert model.statistics() == {"average"}
    np.testing.assert_allclose(
        model.embedding_of(IMAGES), model.outputs(IMAGES)["embedding"], rtol=1e-6
    )
    assert model.unused_variables() == set()


def test_the_backbone_is_told_whether_it_trains():
    backbone = Normalised(BiTResNet(TINY, False))
    model = Classifier(backbone, LABELS)
    seen = []
    for call in (
        lambda: model(IMAGES, training=True),
        lambda: model(IMAGES, training=False),
        lambda: model.outputs(IMAGES),
        lambda: model.embedding_of(IMAGES),
    ):
        call()
        seen.append(backbone.training)
    assert seen == [True, False, False, False]


@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_probabilities_are_calibrated_and_logits_raw(task):
    model = with_a_head(True, True)
    model.task = task
    scores = tf.function(model.outputs)
    raw = scores(IMAGES)["logits"].numpy()
    scale, offset = np.array([0.5, 2.0, 1.5], np.float32), np.array([0.3, -1.0, 0.0], np.float32)
    model.calibrate(scale, offset)
    outputs = scores(IMAGES)  # traced before it was calibrated
    np.testing.assert_array_equal(outputs["logits"], raw)
    mapped = raw.astype(np.float64) * scale + offset
    expected = scipy.special.expit(mapped)
    if task == "multi_class":
        expected = scipy.special.softmax(mapped, axis=1)
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-5, atol=1e-7)


@variants
def test_a_head_solved_on_embeddings_gives_their_logits(final_norm, head_norm):
    model = classifier(final_norm, head_norm)
    embedding = model.embedding_of(IMAGES).numpy()
    state = np.random.RandomState(3)
    kernel, bias = state.standard_normal((TINY.map_channels, 3)), state.standard_normal(3)
    model.set_head(kernel, bias)
    np.testing.assert_allclose(model(IMAGES), embedding @ kernel + bias, rtol=1e-4, atol=1e-4)
    plain = model.outputs(IMAGES)["embedding"].numpy()
    assert np.allclose(plain, embedding, atol=1e-4) is not head_norm


@pytest.mark.parametrize(
    ("labels", "task", "sentence"),
    [
        (LABELS, "multiclass", "Unknown value of task 'multiclass': did you mean 'multi_c"),
        (("a",), "multi_class", "task is multi_class, but labels is ('a',); expect"),
    ],
)
def test_wrong_tasks_are_refused(labels, task, sentence):
    with pytest.raises(UserError) as caught:
        Classifier(BiTResNet(TINY), labels, task=task)
    assert str(caught.value).startswith(sentence)
