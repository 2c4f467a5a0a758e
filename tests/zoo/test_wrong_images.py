"""The sentences that a loaded module raises for wrong images, from inside its graph."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

EXPECTED = "expected float32 [N, H, W, 3] with values in [0, 1]"
INTEGERS = "divide by the largest value a pixel can have, 255 for 8 bits"
IMAGES = np.full((2, 40, 40, 3), 0.5, np.float32)


def spoilt(value):
    images = IMAGES.copy()
    images[1, 7, 9, 2] = value
    return images


def typed(name, advice):
    return f"assertion failed: [images are {name}; {EXPECTED}: {advice}.]"


NOT_FINITE = f"assertion failed: [images hold NaN or infinity; {EXPECTED}.]"
TOO_LARGE = (
    f"assertion failed: [images reach beyond [0, 1]; {EXPECTED}: divide 8-bit pixels by 255; got] "
)
SHAPE = f"assertion failed: [images have the wrong shape; {EXPECTED}; got] "
NO_PIXELS = f"assertion failed: [images have no pixels; {EXPECTED}; got] "
WRONG = {
    "nan": (spoilt(np.nan), NOT_FINITE),
    "inf": (spoilt(np.inf), NOT_FINITE),
    "minus inf": (spoilt(-np.inf), NOT_FINITE),
    "0-255": (IMAGES * 510, TOO_LARGE + "[255]"),
    "negative": (spoilt(-9), TOO_LARGE + "[9]"),
    "uint8": (IMAGES.astype(np.uint8), typed("uint8", INTEGERS)),
    "uint16": (IMAGES.astype(np.uint16), typed("uint16", INTEGERS)),
    "int16": (IMAGES.astype(np.int16), typed("int16", INTEGERS)),
    "int32": (IMAGES.astype(np.int32), typed("int32", INTEGERS)),
    "int64": (IMAGES.astype(np.int64), typed("int64", INTEGERS)),
    "float16": (IMAGES.astype(np.float16), typed("float16", "cast to float32")),
    "bfloat16": (tf.cast(IMAGES, tf.bfloat16), typed("bfloat16", "cast to float32")),
    "rank 3": (IMAGES[0], SHAPE + "[40 40 3]"),
    "rank 3, uint8": (IMAGES[0].astype(np.uint8), typed("uint8", INTEGERS)),
    "rank 5": (IMAGES[None], SHAPE + "[1 2 40 40 3]"),
    "1 channel": (IMAGES[..., :1], SHAPE + "[2 40 40 1]"),
    "4 channels": (IMAGES[..., [0, 1, 2, 0]], SHAPE + "[2 40 40 4]"),
    "channels first": (IMAGES.transpose(0, 3, 1, 2), SHAPE + "[2 3 40 40]"),
    "grey": (IMAGES[0, ..., 0], SHAPE + "[40 40]"),
    "scalar": (np.float32(0.5), SHAPE + "[]"),
    "no rows": (IMAGES[:, :0], NO_PIXELS + "[2 0 40 3]"),
    "no columns": (IMAGES[:, :, :0], NO_PIXELS + "[2 40 0 3]"),
    "no images of no pixels": (IMAGES[:0, :0], NO_PIXELS + "[0 0 40 3]"),
    "float64 no rows": (IMAGES[:, :0].astype(np.float64), NO_PIXELS + "[2 0 40 3]"),
    "float64 nan": (spoilt(np.nan).astype(np.float64), NOT_FINITE),
    "float64 rank 3": (IMAGES[0].astype(np.float64), SHAPE + "[40 40 3]"),
}


@pytest.fixture(scope="module")
def module(tiny_export):
    return hub.load(str(tiny_export))


@pytest.mark.parametrize("method", ["__call__", "embed", "endpoints"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_images_get_one_sentence(module, case, method):
    images, sentence = WRONG[case]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        getattr(module, method)(images)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("training", [True, None])
@pytest.mark.parametrize("case", ["nan", "uint8", "rank 3"])
def test_wrong_images_get_it_also_with_a_training_argument(module, case, training):
    images, sentence = WRONG[case]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        module(images, training=training)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("signature", ["serving_default", "embed", "endpoints"])
@pytest.mark.parametrize("case", ["nan", "0-255", "no rows"])
def test_signatures_refuse_wrong_values(module, case, signature):
    images, sentence = WRONG[case]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        module.signatures[signature](input_1=tf.constant(images))
    assert sentence in str(caught.value)


def test_values_a_little_outside_of_the_range_are_accepted(module):
    assert module(spoilt(-0.1) + spoilt(1.2)).shape == (2, 2, 2, 1024)


def test_float64_is_taken_as_float32(module):
    images = np.random.default_rng(0).uniform(size=(1, 40, 40, 3))
    np.testing.assert_array_equal(module(images), module(images.astype(np.float32)))
    np.testing.assert_array_equal(module.embed(images), module.embed(images.astype(np.float32)))


@pytest.mark.parametrize("training", [False, True, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_images_give_no_maps(module, training, dtype):
    assert module(IMAGES[:0].astype(dtype), training=training).shape == (0, 2, 2, 1024)


def test_no_images_give_empty_results_of_every_method_and_signature(module):
    expected = {
        "root": (0, 10, 10, 32),
        "block1": (0, 10, 10, 128),
        "block2": (0, 5, 5, 256),
        "block3": (0, 3, 3, 512),
        "block4": (0, 2, 2, 1024),
        "map": (0, 2, 2, 1024),
        "embedding": (0, 1024),
        "pre_logits": (0, 1024),
    }
    empty = tf.constant(IMAGES[:0])
    assert module.embed(empty).shape == (0, 1024)
    assert {name: value.shape for name, value in module.endpoints(empty).items()} == expected
    signatures = {
        name: {key: tuple(value.shape) for key, value in call(input_1=empty).items()}
        for name, call in module.signatures.items()
    }
    assert signatures == {
        "serving_default": {"output_1": (0, 2, 2, 1024)},
        "embed": {"embedding": (0, 1024)},
        "endpoints": expected,
    }


def test_no_images_give_gradients_of_zero(module):
    images = tf.constant(IMAGES[:0])
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.reduce_sum(module(images, training=True))
    *gradients, by_images = tape.gradient(loss, [*module.trainable_variables, images])
    assert by_images.shape == images.shape
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, 0)
    assert module.embed(IMAGES[:0]).shape == (0, 1024)
