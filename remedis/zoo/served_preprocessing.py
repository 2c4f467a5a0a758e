"""The recorded preprocessing inside served graphs: from pixels, and from encoded images."""

from typing import Any

import tensorflow as tf

from remedis.preprocess import Preprocess
from remedis.preprocess.decode import JPEG_SIGNATURE, PNG_SIGNATURE, decode_image, from_pixels
from remedis.zoo.pixel_range import assert_in_graph
from remedis.zoo.served_images import on_any_number

_PIXELS = (tf.uint8, tf.uint16)
_REFUSED = (tf.float32, tf.float64, tf.int16, tf.int32, tf.int64, tf.float16, tf.bfloat16)
IMAGE_BYTES = tf.TensorSpec([None], tf.string, name="image_bytes")

_EXPECTED = "expected a decoded image [H, W, channels], or several of one size [N, H, W, channels]"
_WRONG_SHAPE = f"image has the wrong shape; {_EXPECTED}, with 1 to 4 channels; got"
_NOT_ENCODED = (
    "image_bytes holds something that is neither a JPEG nor a PNG file; expected [N] strings, the "
    'bytes of one whole file each (in the JSON of TensorFlow Serving: {"b64": "..."}); its index:'
)
_SIZES = (
    "the preprocessing gives images of different sizes, which are no batch; pass files of one size "
    "each time; sizes of the first and of another image:"
)


def prepare_pixels(preprocess: Preprocess) -> Any:
    """Returns the method `preprocess` of an export, traced for saving.

    It takes one decoded image [H, W, channels] or several of one size [N, H, W, channels], uint8 or
    uint16, and returns [1 or N, S, S, 3] float32 in [0, 1]. Other types and ranks get a sentence.
    """

    def one(image: tf.Tensor) -> tf.Tensor:
        return preprocess(from_pixels(image))

    def several(images: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(one, images, fn_output_signature=tf.float32)

    # Both ranks share one function per type: tracing the operations takes most of the time.
    shared = {
        dtype: tf.function(
            on_any_number(several),
            input_signature=[tf.TensorSpec([None] * 4, dtype)],
            autograph=False,
        )
        for dtype in _PIXELS
    }

    @tf.function(autograph=False)
    def prepared(image: tf.Tensor) -> tf.Tensor:
        if image.dtype not in _PIXELS or image.shape.rank is None:
            return _refused(image)
        with tf.control_dependencies([_assert_image(image)]):
            images = tf.identity(image if image.shape.rank == 4 else image[None])
        return shared[image.dtype](images)

    for dtype in _PIXELS:
        for shape in ([None] * 3, [None] * 4, None):
            prepared.get_concrete_function(tf.TensorSpec(shape, dtype, name="image"))
    for dtype in _REFUSED:
        prepared.get_concrete_function(tf.TensorSpec(None, dtype, name="image"))
    return prepared


def _assert_image(image: tf.Tensor) -> tf.Operation:
    shape = tf.shape(image)
    fits = tf.reduce_all(shape[-3:] > 0) & (shape[-1] <= 4)
    return assert_in_graph(fits, [_WRONG_SHAPE, shape])


def _refused(image: tf.Tensor) -> tf.Tensor:
    """Returns images that fail, when run, with a sentence about the type or else the rank.

    The range of floats is unknown: 0 to 255, as some decoders give, or 0 to 1.
    """
    data: list[Any] = [
        f"image is {image.dtype.name}; {_EXPECTED}, uint8 or uint16: pass the pixels as they are "
        "stored."
    ]
    if image.dtype in _PIXELS:
        data = [_WRONG_SHAPE, tf.shape(image)]
    with tf.control_dependencies([assert_in_graph(False, data)]):
        return tf.zeros([1, 1, 1, 3])


def decode_and_prepare(preprocess: Preprocess, image_bytes: tf.Tensor) -> tf.Tensor:
    """Returns prepared images [N, S, S, 3] float32 in [0, 1], inside a graph.

    Args:
      preprocess: the operations, none of them random.
      image_bytes: [N] string, a whole JPEG or PNG file each, see `decode_image`.

    Raises (when run):
      tf.errors.InvalidArgumentError: an element is no JPEG or PNG, with its index; it is damaged,
        in the words of TensorFlow's decoder; or the preprocessing keeps sizes and they differ.
    """
    with tf.control_dependencies([_assert_encoded(image_bytes)]):
        count = tf.shape(image_bytes)[0]
        # An empty batch is that of one black pixel, cut to nothing: otherwise it has no shape.
        pixel = tf.io.encode_png(tf.zeros([1, 1, 1], tf.uint8))
        filled = tf.concat([image_bytes, tf.repeat(pixel[None], tf.cast(count == 0, tf.int32))], 0)

    def one(contents: tf.Tensor) -> tf.Tensor:
        return preprocess(decode_image(contents))

    traced = tf.function(one, autograph=False)
    size = traced.get_concrete_function(tf.TensorSpec([], tf.string)).output_shapes
    if size.is_fully_defined():
        return tf.map_fn(one, filled, fn_output_signature=tf.TensorSpec(size))[:count]

    def flat(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = one(contents)
        return tf.reshape(image, [-1]), tf.shape(image)

    values, shapes = tf.map_fn(
        flat,
        filled,
        fn_output_signature=(
            tf.RaggedTensorSpec([None], ragged_rank=0),
            tf.TensorSpec([3], tf.int32),
        ),
    )
    other = tf.reduce_any(shapes != shapes[0], axis=1)
    same = assert_in_graph(
        ~tf.reduce_any(other), [_SIZES, shapes[0, :2], shapes[tf.argmax(other), :2]]
    )
    with tf.control_dependencies([same]):
        shape = tf.concat([[-1], shapes[0]], 0)
    return tf.ensure_shape(tf.reshape(values.flat_values, shape)[:count], [None, None, None, 3])


def _assert_encoded(image_bytes: tf.Tensor) -> tf.Operation:
    encoded = tf.zeros_like(image_bytes, tf.bool)
    for start in (JPEG_SIGNATURE, PNG_SIGNATURE):
        encoded |= tf.strings.substr(image_bytes, 0, len(start)) == start
    # One more element, or an empty batch has no index.
    first = tf.argmax(tf.concat([~encoded, [True]], 0))
    return assert_in_graph(tf.reduce_all(encoded), [_NOT_ENCODED, first])
