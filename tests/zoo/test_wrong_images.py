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


def out_of_range(looks, advice, low, high):
    message = f"images look {looks}; {EXPECTED}: {advice}; smallest and largest value:"
    return f"assertion failed: [{message}] [{low}] [{high}]"


SUBTRACTED = "standardised (a mean was subtracted)", "pass the pixels without it"
SHAPE = f"assertion failed: [images have the wrong shape; {EXPECTED}; got] "
NO_PIXELS = f"assertion failed: [images have no pixels; {EXPECTED}; got] "
WRONG = {
    "nan": (spoilt(np.nan), NOT_FINITE),
    "inf": (spoilt(np.inf), NOT_FINITE),
    "minus inf": (spoilt(-np.inf), NOT_FINITE),
    "0-255": (
        IMAGES * 510,
        out_of_range("like values from 0 to 255", "divide 8-bit pixels by 255", 255, 255),
    ),
    "minus one": (
        spoilt(-1),
        out_of_range("like values in [-1, 1]", "add 1 and divide by 2", -1, 0.5),
    ),
    "far below": (IMAGES - 5, out_of_range(*SUBTRACTED, -4.5, -4.5)),
    "float64 standardised": (np.float64(spoilt(-4)), out_of_range(*SUBTRACTED, -4, 0.5)),
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
@pytest.mark.parametrize("case", ["nan", "0-255", "minus one", "no rows"])
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
    inputs = {
        "serving_default": {"input_1": empty},
        "embed": {"input_1": empty},
        "endpoints": {"input_1": empty},
        "preprocess_batch": {"images": np.zeros((0, 40, 40, 1), np.uint8)},
        "serve_bytes": {"image_bytes": tf.constant([], tf.string)},
    }
    signatures = {
        name: {key: tuple(value.shape) for key, value in module.signatures[name](**given).items()}
        for name, given in inputs.items()
    }
    assert signatures == {
        "serving_default": {"output_1": (0, 2, 2, 1024)},
        "embed": {"embedding": (0, 1024)},
        "endpoints": expected,
        "preprocess_batch": {"images": (0, 448, 448, 3)},
        "serve_bytes": {"map": (0, 14, 14, 1024), "embedding": (0, 1024)},
    }
    assert set(module.signatures) - set(signatures) == {"preprocess"}


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


PIXELS = np.full((2, 40, 40, 3), 100, np.uint8)
DECODED = "expected a decoded image [H, W, channels], or several of one size [N, H, W, channels]"
WRONG_SHAPE = f"[image has the wrong shape; {DECODED}, with 1 to 4 channels; got] "
WRONG_PIXELS = {
    "floats": (PIXELS[0] / 255, f"[image is float64; {DECODED}, uint8 or uint16: pass the pixels"),
    "integers": (PIXELS.astype(np.int64), f"[image is int64; {DECODED}, uint8 or uint16"),
    "no rows": (PIXELS[0, :0], WRONG_SHAPE + "[0 40 3]"),
    "no columns": (PIXELS[:, :, :0], WRONG_SHAPE + "[2 40 0 3]"),
    "no images of no pixels": (PIXELS[:0, :0], WRONG_SHAPE + "[0 0 40 3]"),
    "no channel axis": (PIXELS[0, ..., 0], WRONG_SHAPE + "[40 40]"),
    "5 channels": (PIXELS[..., [0, 1, 2, 0, 1]], WRONG_SHAPE + "[2 40 40 5]"),
}


@pytest.mark.parametrize("case", WRONG_PIXELS)
def test_wrong_decoded_images_get_one_sentence(module, case):
    pixels, sentence = WRONG_PIXELS[case]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        module.preprocess(pixels)
    assert sentence in str(caught.value)


def png(pixels):
    return tf.io.encode_png(pixels).numpy()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            [png(PIXELS[0]), b"GIF89a"],
            "[image_bytes holds something that is neither a JPEG nor a PNG file; expected [N] "
            "strings, the bytes of one whole file each",
        ),
        ([png(PIXELS[0]), b"GIF89a"], "its index:] [1]"),
        ([b""], "its index:] [0]"),
        ([png(PIXELS[0])[:-30]], "Invalid PNG data"),
        ([tf.io.encode_jpeg(PIXELS[0]).numpy()[:-300]], "Invalid JPEG data"),
    ],
    ids=["gif", "index", "empty", "cut png", "cut jpeg"],
)
def test_damaged_files_are_refused(module, files, sentence):
    for call in (module.serve_bytes, module.signatures["serve_bytes"]):
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            call(image_bytes=tf.constant(files))
        assert sentence in str(caught.value)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_files_are_decoded_at_their_depth_and_without_alpha(module, dtype, channels):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (9, 7, channels), dtype)
    pixels[..., 3:] = 7  # alpha, which is dropped
    pixels[..., 1:2] = pixels[..., 1:2] if channels > 2 else 7
    colours = pixels[..., :3] if channels > 2 else pixels[..., [0, 0, 0]]
    expected = module.embed(module.preprocess(colours))
    for given in (module.preprocess(pixels), module.preprocess(pixels[None])):
        np.testing.assert_allclose(module.embed(given), expected, rtol=1e-5, atol=1e-5)
    served = module.serve_bytes(tf.constant([png(pixels)]))
    np.testing.assert_allclose(served["embedding"], expected, rtol=1e-5, atol=1e-5)
